// Convolutions: kernels of shaders/conv_nt.wgsl, conv_nn.wgsl, conv_nn_packed.wgsl and conv_tn.wgsl.
//
// A window slides over large maps; small maps have a pixel for each position of it (shaders/shared/window.wgsl). The
// elements that each position sees are a row of a matrix, and every convolution is a product with that matrix. It is
// gathered, or added to the large maps, some positions at a time.

import { activationFunction, clearPadding, finishRows, multiplyDerivative } from "./activation.js";
import { matrixProduct, productScratch, rowsAcross, rowsAlong, splitSum } from "./matmul.js";

/** Numbers of the matrix that are in memory at a time: half a megabyte. */
const MATRIX_NUMBERS = 131072;

function roundUp(value) {
    return Math.ceil(value / 4) * 4;
}

/** Sizes of maps and window, and from them how many positions are gathered at a time. */
function windowOf(constants) {
    const c = constants;
    const large = { height: c.LARGE_HEIGHT, width: c.LARGE_WIDTH, pixel: c.LARGE_PIXEL ?? 4 * c.COLUMNS };
    const small = { height: c.SMALL_HEIGHT, width: c.SMALL_WIDTH, pixel: c.SMALL_PIXEL ?? 4 * c.COLUMNS };
    for (const maps of [large, small]) {
        maps.pixels = maps.height * maps.width;
        maps.item = roundUp(maps.pixels * maps.pixel);
    }
    /** Numbers that lie side by side in a row of the window, and in the whole window with padding. */
    const run = c.KERNEL_WIDTH * large.pixel;
    const row = roundUp(c.KERNEL_HEIGHT * run);
    const positions = Math.max(1, Math.floor(MATRIX_NUMBERS / row));
    return { ...c, large, small, run, row, positions };
}

/**
 * Numbers of scratch memory that a convolution needs: of the product, of the matrix, of small pixels, and of a result
 * that does not go to the output at once.
 */
export function convolutionScratch({ kernel, constants }) {
    const window = windowOf(constants);
    const apart = kernel === "conv_nt_packed" || (kernel.endsWith("_derivative") && constants.ACCUMULATE);
    const result = apart ? 4 * constants.ROWS * constants.COLUMNS : 0;
    const columns = Math.max(window.row, 4 * (constants.COLUMNS ?? 1));
    return productScratch(columns) + window.positions * (window.row + roundUp(window.small.pixel)) + result;
}

/** Places of the scratch memory's parts. */
function scratchParts(call, window) {
    const columns = Math.max(window.row, 4 * (call.constants.COLUMNS ?? 1));
    const matrix = productScratch(columns);
    const pixels = matrix + window.positions * window.row;
    return { matrix, pixels, result: pixels + window.positions * roundUp(window.small.pixel) };
}

/** Of position `position` the first number of its item, and where its window begins in the large maps. */
function placeWindow(window, position) {
    const item = Math.floor(position / window.small.pixels);
    const pixel = position % window.small.pixels;
    const top = Math.floor(pixel / window.small.width) * window.STRIDE_Y - window.PADDING_TOP;
    const left = (pixel % window.small.width) * window.STRIDE_X - window.PADDING_LEFT;
    return { start: item * window.large.item, top, left };
}

/**
 * Call `run(at, from, length)` for each row of each window that lies in the maps: `length` numbers from `at` on in the
 * matrix are those from `from` on in the large maps.
 */
function eachRun(window, first, count, run) {
    const { large, KERNEL_HEIGHT, KERNEL_WIDTH } = window;
    for (let i = 0; i < count; i++) {
        const { start, top, left } = placeWindow(window, first + i);
        const skip = Math.max(0, -left);
        const length = (Math.min(KERNEL_WIDTH, large.width - left) - skip) * large.pixel;
        for (let ky = Math.max(0, -top); length > 0 && ky < Math.min(KERNEL_HEIGHT, large.height - top); ky++) {
            const at = i * window.row + ky * window.run + skip * large.pixel;
            run(at, start + ((top + ky) * large.width + left + skip) * large.pixel, length);
        }
    }
}

/** The matrix's rows of `count` positions from `first` on; 0 outside of the maps and in the padding. */
function gatherWindows(window, large, first, count, matrix) {
    matrix.fill(0, 0, count * window.row);
    eachRun(window, first, count, (at, from, length) => {
        if (length < 32) {
            for (let i = 0; i < length; i++) {
                matrix[at + i] = large[from + i];
            }
        } else {
            matrix.set(large.subarray(from, from + length), at);
        }
    });
}

/** Add such rows to the large maps. */
function addWindows({ simd }, window, large, first, count, matrix) {
    eachRun(window, first, count, (at, to, length) => {
        if (simd && length % 4 === 0) {
            simd.add_rows(matrix.byteOffset + 4 * at, 1, length, large.byteOffset + 4 * to, 1);
        } else {
            for (let i = 0; i < length; i++) {
                large[to + i] += matrix[at + i];
            }
        }
    });
}

/** Small pixels of `count` positions from `first` on, in rows of whole vec4: where they lie, or copied. */
function smallPixels(call, window, small, first, count) {
    const { pixel, pixels, item } = window.small;
    if (pixel % 4 === 0) {
        return { values: small, at: first * pixel, stride: pixel };
    }
    const stride = roundUp(pixel);
    const values = call.scratch(scratchParts(call, window).pixels, count * stride);
    values.fill(0);
    for (let i = 0; i < count; i++) {
        const from = Math.floor((first + i) / pixels) * item + ((first + i) % pixels) * pixel;
        for (let channel = 0; channel < pixel; channel++) {
            values[i * stride + channel] = small[from + channel];
        }
    }
    return { values, at: 0, stride };
}

/** Run `work(first, count)` for blocks of positions from `begin` to `end`. */
function eachBlock(window, begin, end, work) {
    for (let first = begin; first < end; first += window.positions) {
        work(first, Math.min(window.positions, end - first));
    }
}

/**
 * From large to small maps: output[position][n] from output[at] on, summed over `length` elements of the window from
 * `from` on.
 */
function correlate(call, window, rows, output, at, from, length, accumulate) {
    const { a: large, b: weights } = call.views;
    const columns = 4 * call.constants.COLUMNS;
    const matrix = call.scratch(scratchParts(call, window).matrix, window.positions * window.row);
    eachBlock(window, 0, rows, (first, count) => {
        gatherWindows(window, large, first, count, matrix);
        const [left, right] = [rowsAlong(matrix, from, window.row), rowsAlong(weights, from, window.row)];
        const to = at + first * columns;
        matrixProduct(call, [count, columns, length], left, right, output, to, columns, accumulate);
    });
}

/** From small to large maps: added to `large`, summed over `length` small channels from `from` on. */
function spread(call, window, rows, large, from, length) {
    const { a: small, b: weights } = call.views;
    const { matrix: start } = scratchParts(call, window);
    const items = rows / window.large.pixels;
    const matrix = call.scratch(start, window.positions * window.row);
    eachBlock(window, 0, items * window.small.pixels, (first, count) => {
        const { values, at, stride } = smallPixels(call, window, small, first, count);
        const left = rowsAlong(values, at + from, stride);
        const right = rowsAcross(weights, from * window.row, window.row);
        matrixProduct(call, [count, window.row, length], left, right, matrix, 0, window.row, false);
        addWindows(call, window, large, first, count, matrix);
    });
}

/**
 * The gradient of the weights: output[o][element of the window] from output[at] on, over positions `begin` to `end`.
 */
function weightGradient(call, window, output, at, begin, end, accumulate) {
    const { constants: { ROWS, COLUMNS }, views: { a: small, b: large } } = call;
    const matrix = call.scratch(scratchParts(call, window).matrix, window.positions * window.row);
    eachBlock(window, begin, end, (first, count) => {
        gatherWindows(window, large, first, count, matrix);
        const { values, at: start, stride } = smallPixels(call, window, small, first, count);
        const [left, right] = [rowsAcross(values, start, stride), rowsAcross(matrix, 0, window.row)];
        const add = accumulate || first > begin;
        matrixProduct(call, [ROWS, 4 * COLUMNS, count], left, right, output, at, 4 * COLUMNS, add);
    });
}

/** Small channels that a product sums over. */
function smallChannels({ INNER: inner }, window) {
    return Math.min(roundUp(window.small.pixel), 4 * inner);
}

/** The values that a derivative is multiplied with: the output, or where it accumulates scratch memory. */
function withMapDerivative(call, window, compute) {
    const { constants: { ROWS, COLUMNS, ACCUMULATE }, views: { saved, output } } = call;
    const length = 4 * ROWS * COLUMNS;
    const values = ACCUMULATE ? call.scratch(scratchParts(call, window).result, length) : output.subarray(0, length);
    compute(values);
    multiplyDerivative(call, values, saved, output.subarray(0, length));
}

/** Fill rows of `pixel` numbers of each item with a bias, and the padding of the item with zeros. */
function fillWithBias(output, { pixels, pixel, item }, bias) {
    for (let start = 0; start < output.length; start += item) {
        const end = start + pixels * pixel;
        for (let i = start; i < end; i += pixel) {
            for (let channel = 0; channel < pixel; channel++) {
                output[i + channel] = bias[channel];
            }
        }
        output.fill(0, end, start + item);
    }
}

/** Activation of packed maps in place; their padding stays 0. */
function activatePacked({ simd, constants: { ACTIVATION } }, output, { pixels, pixel, item }) {
    const used = pixels * pixel;
    for (let start = 0; start < output.length; start += item) {
        const values = output.subarray(start, start + used);
        if (simd && ACTIVATION < 8 && used === item) {
            simd.finish(values.byteOffset, values.byteOffset, used, 0, used, ACTIVATION);
        } else {
            const activation = activationFunction(ACTIVATION);
            values.forEach((value, i) => {
                values[i] = activation(value);
            });
        }
    }
}

const forwardKernels = {
    conv_nt(call) {
        const { constants: { ROWS, COLUMNS, INNER: inner }, views: { bias, output } } = call;
        const rows = call.rowsInStep(ROWS);
        const values = output.subarray(0, 4 * rows * COLUMNS);
        correlate(call, windowOf(call.constants), rows, values, 0, 0, 4 * inner, false);
        finishRows(call, values, values, bias);
    },

    conv_nt_packed(call) {
        const { constants: { ROWS, COLUMNS, INNER: inner }, views: { bias, output } } = call;
        const window = windowOf(call.constants);
        const { pixels, pixel, item } = window.small;
        const values = call.scratch(scratchParts(call, window).result, 4 * ROWS * COLUMNS);
        correlate(call, window, ROWS, values, 0, 0, 4 * inner, false);
        finishRows(call, values, values, bias);
        output.fill(0);
        for (let row = 0; row < ROWS; row++) {
            const to = Math.floor(row / pixels) * item + (row % pixels) * pixel;
            for (let channel = 0; channel < pixel; channel++) {
                output[to + channel] = values[4 * row * COLUMNS + channel];
            }
        }
    },

    conv_nn_bias(call) {
        const { constants: { ROWS, COLUMNS, SECTION, WIDTH }, views: { bias, output } } = call;
        const window = windowOf(call.constants);
        const rows = call.rowsInStep(ROWS);
        const values = output.subarray(0, 4 * rows * COLUMNS);
        values.fill(0);
        spread(call, window, rows, values, 0, smallChannels(call.constants, window));
        finishRows(call, values, values, bias);
        clearPadding(values, 4 * SECTION, WIDTH);
    },

    conv_nn_bias_packed(call) {
        const { constants: { ROWS }, views: { bias, output } } = call;
        const window = windowOf(call.constants);
        const rows = call.rowsInStep(ROWS);
        const values = output.subarray(0, (rows / window.large.pixels) * window.large.item);
        fillWithBias(values, window.large, bias);
        spread(call, window, rows, values, 0, smallChannels(call.constants, window));
        activatePacked(call, values, window.large);
    },
};

const gradientKernels = {
    conv_nt_gradient(call) {
        const { ROWS, INNER: inner, ACCUMULATE } = call.constants;
        correlate(call, windowOf(call.constants), ROWS, call.views.output, 0, 0, 4 * inner, ACCUMULATE);
    },

    conv_nt_derivative(call) {
        const window = windowOf(call.constants);
        withMapDerivative(call, window, (values) => {
            const { ROWS, INNER: inner } = call.constants;
            correlate(call, window, ROWS, values, 0, 0, 4 * inner, false);
        });
    },

    conv_nn(call) {
        const { constants: { ROWS, ACCUMULATE }, views: { output } } = call;
        const window = windowOf(call.constants);
        if (!ACCUMULATE) {
            output.fill(0);
        }
        spread(call, window, ROWS, output, 0, smallChannels(call.constants, window));
    },

    conv_nn_derivative(call) {
        const window = windowOf(call.constants);
        withMapDerivative(call, window, (values) => {
            values.fill(0);
            spread(call, window, call.constants.ROWS, values, 0, smallChannels(call.constants, window));
        });
    },

    conv_tn(call) {
        const { constants: { INNER: positions, ACCUMULATE }, views: { output } } = call;
        weightGradient(call, windowOf(call.constants), output, 0, 0, positions, ACCUMULATE);
    },

    partial_conv_nt(call) {
        const { constants: { ROWS, COLUMNS, INNER: inner }, views: { parts } } = call;
        const window = windowOf(call.constants);
        splitSum(call, 4 * inner, 4 * ROWS * COLUMNS, ([, , length], from, at) => {
            correlate(call, window, ROWS, parts, at, from, length, false);
        });
    },

    partial_conv_nn(call) {
        const { constants: { ROWS, COLUMNS, INNER: inner }, views: { parts } } = call;
        const window = windowOf(call.constants);
        const size = 4 * ROWS * COLUMNS;
        const channels = smallChannels(call.constants, window);
        parts.fill(0);
        splitSum(call, 4 * inner, size, ([, , length], from, at) => {
            const count = Math.min(length, channels - from);
            if (count > 0) {
                spread(call, window, ROWS, parts.subarray(at, at + size), from, count);
            }
        });
    },

    partial_conv_tn(call) {
        const { constants: { ROWS, COLUMNS, INNER: positions }, views: { parts } } = call;
        const window = windowOf(call.constants);
        const size = 4 * ROWS * COLUMNS;
        splitSum(call, positions, size + ROWS, ([, , length], first, at) => {
            weightGradient(call, window, parts, at, first, first + length, false);
            // In place of the sums of columns that a linear layer's parts hold.
            parts.fill(0, at + size, at + size + ROWS);
        });
    },
};

export const convolutionKernels = {
    ...forwardKernels,
    ...gradientKernels,
    conv_nn_packed: gradientKernels.conv_nn,
};
