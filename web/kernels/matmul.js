// Matrix products: kernels of shaders/matmul.wgsl, matmul_partial.wgsl and matmul_finish.wgsl.
//
// An operand has rows of `inner` numbers; output[m][n] is the sum of products of row m of the left and row n of the
// right one. A row lies along memory (element k at at + row * stride + k) or across it (element k at at + k * stride +
// row). Operands are copied into panels of a few rows, k by k, so that the innermost loop reads memory in order.

import { finishRows, multiplyDerivative } from "./activation.js";

/** Rows of the left operand, and k, that are in panels at a time: half a megabyte, which the second cache holds. */
const LEFT_ROWS = 256;
const INNER = 512;
/** Rows in a panel of simd.wasm; in JavaScript 4 of both. */
const LEFT_PANEL = 4;
const RIGHT_PANEL = 8;

/** An operand whose rows lie along memory. */
export function rowsAlong(values, at, stride) {
    return { values, at, stride, along: true };
}

/** An operand whose rows lie across memory. */
export function rowsAcross(values, at, stride) {
    return { values, at, stride, along: false };
}

/** Numbers of scratch memory that a product with `columns` columns needs in simd.wasm. */
export function productScratch(columns) {
    return LEFT_ROWS * INNER + Math.ceil(columns / RIGHT_PANEL) * RIGHT_PANEL * INNER;
}

/**
 * output[at + m * stride + n] = the product, or added to it. `columns` is a multiple of 4, and so is `inner` of rows
 * that lie along memory, and the number of rows that lie across it.
 * @param {object} call
 * @param {number[]} sizes [rows, columns, inner]
 */
export function matrixProduct(call, [rows, columns, inner], left, right, output, at, stride, accumulate) {
    if (!call.simd) {
        productInDoubles([rows, columns, inner], left, right, output, at, stride, accumulate);
        return;
    }
    const { simd } = call;
    const leftPanels = call.scratch(0, productScratch(columns)).byteOffset;
    const rightPanels = leftPanels + 4 * LEFT_ROWS * INNER;
    const pack = (operand, row, count, k, length, to, width) => {
        const { values, at, stride: step, along } = operand;
        const from = values.byteOffset + 4 * (at + (along ? row * step + k : k * step + row));
        const packed = along ? simd.pack_transposed : simd.pack;
        packed(from, 4 * step, count, length, to, width);
    };
    for (let k = 0; k < inner; k += INNER) {
        const length = Math.min(INNER, inner - k);
        pack(right, 0, columns, k, length, rightPanels, RIGHT_PANEL);
        for (let row = 0; row < rows; row += LEFT_ROWS) {
            const count = Math.min(LEFT_ROWS, rows - row);
            pack(left, row, count, k, length, leftPanels, LEFT_PANEL);
            const to = output.byteOffset + 4 * (at + row * stride);
            const add = accumulate || k > 0 ? 1 : 0;
            simd.multiply(count, columns, length, leftPanels, rightPanels, to, 4 * stride, add);
        }
    }
}

/** Panels of the product in JavaScript; they grow as needed. */
const doubles = { left: new Float64Array(0), right: new Float64Array(0) };

/** Copy rows `row` to `row + count` of an operand into panels of 4; the last one is filled up with zeros. */
function packDoubles(name, operand, row, count, inner) {
    const length = Math.ceil(count / 4) * 4 * inner;
    if (doubles[name].length < length) {
        doubles[name] = new Float64Array(length);
    }
    const panels = doubles[name];
    const { values, at, stride, along } = operand;
    for (let r = 0; r < Math.ceil(count / 4) * 4; r++) {
        let to = (r >> 2) * 4 * inner + (r & 3);
        let from = at + (row + r) * (along ? stride : 1);
        const step = along ? 1 : stride;
        if (r >= count) {
            for (let k = 0; k < inner; k++, to += 4) {
                panels[to] = 0;
            }
            continue;
        }
        for (let k = 0; k < inner; k++, to += 4, from += step) {
            panels[to] = values[from];
        }
    }
    return panels;
}

function productInDoubles([rows, columns, inner], left, right, output, at, stride, accumulate) {
    const b = packDoubles("right", right, 0, columns, inner);
    for (let row = 0; row < rows; row += LEFT_ROWS) {
        const count = Math.min(LEFT_ROWS, rows - row);
        const a = packDoubles("left", left, row, count, inner);
        multiplyPanels([count, columns, inner], a, b, output, at + row * stride, stride, accumulate);
    }
}

/** Tiles of 4 by 4 in registers. */
function multiplyPanels([rows, columns, inner], a, b, output, at, stride, accumulate) {
    const tile = new Float64Array(16);
    for (let column = 0; column < columns; column += 4) {
        for (let row = 0; row < rows; row += 4) {
            multiplyTile(a, row * inner, b, column * inner, inner, tile);
            const high = Math.min(4, rows - row);
            for (let r = 0; r < high; r++) {
                const to = at + (row + r) * stride + column;
                for (let c = 0; c < 4; c++) {
                    output[to + c] = accumulate ? output[to + c] + tile[4 * r + c] : tile[4 * r + c];
                }
            }
        }
    }
}

function multiplyTile(a, i, b, j, inner, tile) {
    let s00 = 0, s01 = 0, s02 = 0, s03 = 0, s10 = 0, s11 = 0, s12 = 0, s13 = 0;
    let s20 = 0, s21 = 0, s22 = 0, s23 = 0, s30 = 0, s31 = 0, s32 = 0, s33 = 0;
    for (const end = i + 4 * inner; i < end; i += 4, j += 4) {
        const b0 = b[j], b1 = b[j + 1], b2 = b[j + 2], b3 = b[j + 3];
        let x = a[i];
        s00 += x * b0; s01 += x * b1; s02 += x * b2; s03 += x * b3;
        x = a[i + 1];
        s10 += x * b0; s11 += x * b1; s12 += x * b2; s13 += x * b3;
        x = a[i + 2];
        s20 += x * b0; s21 += x * b1; s22 += x * b2; s23 += x * b3;
        x = a[i + 3];
        s30 += x * b0; s31 += x * b1; s32 += x * b2; s33 += x * b3;
    }
    tile[0] = s00; tile[1] = s01; tile[2] = s02; tile[3] = s03;
    tile[4] = s10; tile[5] = s11; tile[6] = s12; tile[7] = s13;
    tile[8] = s20; tile[9] = s21; tile[10] = s22; tile[11] = s23;
    tile[12] = s30; tile[13] = s31; tile[14] = s32; tile[15] = s33;
}

/**
 * output[at + n] = sum over `rows` rows of values[from + row * columns + n], or added to it.
 * @param {number} columns a multiple of 4
 */
export function addRows({ simd }, values, from, rows, columns, output, at, accumulate) {
    if (simd) {
        const [input, to] = [values.byteOffset + 4 * from, output.byteOffset + 4 * at];
        simd.add_rows(input, rows, columns, to, accumulate ? 1 : 0);
        return;
    }
    const sums = new Float64Array(columns);
    for (let row = 0, i = from; row < rows; row++) {
        for (let column = 0; column < columns; column++, i++) {
            sums[column] += values[i];
        }
    }
    for (let column = 0; column < columns; column++) {
        output[at + column] = accumulate ? output[at + column] + sums[column] : sums[column];
    }
}

/** Rows, columns and k of a product; k is counted in vec4 where rows lie along memory. */
function productSizes({ ROWS, COLUMNS, INNER: k }, unit) {
    return [ROWS, 4 * COLUMNS, unit * k];
}

function productNt(call, sizes, first, output, at, accumulate) {
    const { a, b } = call.views;
    const k = 4 * call.constants.INNER;
    matrixProduct(call, sizes, rowsAlong(a, first, k), rowsAlong(b, first, k), output, at, sizes[1], accumulate);
}

function productNn(call, sizes, first, output, at, accumulate) {
    const { a, b } = call.views;
    const [k, n] = [4 * call.constants.INNER, sizes[1]];
    matrixProduct(call, sizes, rowsAlong(a, first, k), rowsAcross(b, first * n, n), output, at, n, accumulate);
}

function productTn(call, sizes, first, output, at, accumulate) {
    const { a, b } = call.views;
    const [m, n] = sizes;
    matrixProduct(call, sizes, rowsAcross(a, first * m, m), rowsAcross(b, first * n, n), output, at, n, accumulate);
}

/** Run `work(sizes, first, at)` for each part of a split sum over `inner` terms; parts are `stride` numbers apart. */
export function splitSum(call, inner, stride, work) {
    const { ROWS, COLUMNS, PART } = call.constants;
    for (let first = 0, at = 0; first < inner; first += PART, at += stride) {
        work([ROWS, 4 * COLUMNS, Math.min(PART, inner - first)], first, at);
    }
}

/** A product whose gradient is added to what `output` holds, times the activation's derivative. */
function withDerivative(call, product) {
    const { constants, views: { saved, output } } = call;
    const [m, n] = productSizes(constants, 4);
    const values = constants.ACCUMULATE ? call.scratch(productScratch(n), m * n) : output;
    product(values);
    multiplyDerivative(call, values, saved, output.subarray(0, m * n));
}

/** The sum of all parts, which are `stride` apart: `length` numbers from `from` on to output[at] and so on. */
function addParts(parts, count, stride, from, length, output, at, accumulate) {
    for (let i = 0; i < length; i++) {
        let sum = accumulate ? output[at + i] : 0;
        for (let part = 0, j = from + i; part < count; part++, j += stride) {
            sum += parts[j];
        }
        output[at + i] = sum;
    }
}

export const matmulKernels = {
    matmul_nt(call) {
        const { bias, output } = call.views;
        const [rows, ...sizes] = productSizes(call.constants, 4);
        const count = call.rowsInStep(rows);
        const values = output.subarray(0, count * sizes[0]);
        productNt(call, [count, ...sizes], 0, values, 0, false);
        finishRows(call, values, values, bias);
    },

    matmul_nn(call) {
        productNn(call, productSizes(call.constants, 4), 0, call.views.output, 0, call.constants.ACCUMULATE);
    },

    matmul_nn_derivative(call) {
        withDerivative(call, (values) => productNn(call, productSizes(call.constants, 4), 0, values, 0, false));
    },

    matmul_tn(call) {
        productTn(call, productSizes(call.constants, 1), 0, call.views.output, 0, call.constants.ACCUMULATE);
    },

    matmul_tn_bias(call) {
        const { constants: { ROWS, INNER: k, BIAS_START, ACCUMULATE }, views: { a, output } } = call;
        productTn(call, productSizes(call.constants, 1), 0, output, 0, ACCUMULATE);
        addRows(call, a, 0, k, ROWS, output, 4 * BIAS_START, ACCUMULATE);
    },

    column_sum(call) {
        const { constants: { COLUMNS, INNER: k, ACCUMULATE }, views: { a, output } } = call;
        addRows(call, a, 0, k, 4 * COLUMNS, output, 0, ACCUMULATE);
    },

    partial_nt(call) {
        const { ROWS, COLUMNS, INNER: k } = call.constants;
        splitSum(call, 4 * k, 4 * ROWS * COLUMNS, (sizes, first, at) => {
            productNt(call, sizes, first, call.views.parts, at, false);
        });
    },

    partial_nn(call) {
        const { ROWS, COLUMNS, INNER: k } = call.constants;
        splitSum(call, 4 * k, 4 * ROWS * COLUMNS, (sizes, first, at) => {
            productNn(call, sizes, first, call.views.parts, at, false);
        });
    },

    partial_tn(call) {
        const { constants: { ROWS, COLUMNS, INNER: k }, views: { a, parts } } = call;
        splitSum(call, k, 4 * ROWS * COLUMNS + ROWS, (sizes, first, at) => {
            productTn(call, sizes, first, parts, at, false);
            addRows(call, a, first * ROWS, sizes[2], ROWS, parts, at + 4 * ROWS * COLUMNS, false);
        });
    },

    partial_column_sum(call) {
        const { constants: { COLUMNS, INNER: k, PART }, views: { a, parts } } = call;
        for (let first = 0, at = 0; first < k; first += PART, at += 4 * COLUMNS) {
            addRows(call, a, first * 4 * COLUMNS, Math.min(PART, k - first), 4 * COLUMNS, parts, at, false);
        }
    },

    finish_nt(call) {
        const { constants: { ROWS, COLUMNS, PARTS }, views: { parts, bias, output } } = call;
        const length = 4 * ROWS * COLUMNS;
        addParts(parts, PARTS, length, 0, length, output, 0, false);
        const values = output.subarray(0, length);
        finishRows(call, values, values, bias);
    },

    finish_nn({ constants: { ROWS, COLUMNS, PARTS, ACCUMULATE }, views: { parts, output } }) {
        const length = 4 * ROWS * COLUMNS;
        addParts(parts, PARTS, length, 0, length, output, 0, ACCUMULATE);
    },

    finish_nn_derivative(call) {
        const { ROWS, COLUMNS, PARTS } = call.constants;
        const length = 4 * ROWS * COLUMNS;
        withDerivative(call, (values) => addParts(call.views.parts, PARTS, length, 0, length, values, 0, false));
    },

    finish_tn({ constants: { ROWS, COLUMNS, PARTS, ACCUMULATE }, views: { parts, output } }) {
        const length = 4 * ROWS * COLUMNS;
        addParts(parts, PARTS, length + ROWS, 0, length, output, 0, ACCUMULATE);
    },

    finish_tn_bias({ constants: { ROWS, COLUMNS, PARTS, BIAS_START, ACCUMULATE }, views: { parts, output } }) {
        const length = 4 * ROWS * COLUMNS;
        addParts(parts, PARTS, length + ROWS, 0, length, output, 0, ACCUMULATE);
        addParts(parts, PARTS, length + ROWS, length, ROWS, output, 4 * BIAS_START, ACCUMULATE);
    },
};
