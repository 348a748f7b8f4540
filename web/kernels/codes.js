// Penalties of deterministic autoencoders, and their largest units: kernels of shaders/codes.wgsl, keep_largest.wgsl,
// unit_columns.wgsl and idle.wgsl.

import { put } from "./elementwise.js";

/** Mean codes stay this far from 0 and from 1. */
const LEAST = 1e-6;

/** `value` of each number of the minibatch's rows; past them 0. */
function eachCode({ constants: { LENGTH, COLUMNS, ACCUMULATE }, step }, output, value) {
    const width = 4 * COLUMNS;
    for (let i = 0; i < 4 * LENGTH; i++) {
        put(output, i, i < step.rows * width ? value(i, i % width) : 0, ACCUMULATE);
    }
}

function squaresOf(values, from, to) {
    let sum = 0;
    for (let i = from; i < to; i++) {
        sum += values[i] * values[i];
    }
    return sum;
}

function meanCode(average) {
    return Math.min(Math.max(average, LEAST), 1 - LEAST);
}

/** Of each column the sum over rows of value(i). */
function sumColumns({ constants: { ROWS, COLUMNS } }, value) {
    const sums = new Float64Array(4 * COLUMNS);
    for (let i = 0; i < 4 * ROWS * COLUMNS; i++) {
        sums[i % sums.length] += value(i);
    }
    return sums;
}

export const codeKernels = {
    keep_largest({ constants: { ROWS, COLUMNS, WIDTH, KEEP }, views: { code, kept } }) {
        kept.fill(0, 0, 4 * ROWS * COLUMNS);
        for (let row = 0; row < ROWS; row++) {
            const begin = 4 * row * COLUMNS;
            const order = Array.from({ length: WIDTH }, (_, unit) => unit);
            order.sort((a, b) => code[begin + b] - code[begin + a] || a - b);
            for (const unit of order.slice(0, KEEP)) {
                kept[begin + unit] = 1;
            }
        }
    },

    count_idle({ constants: { COLUMNS }, views: { code, idle }, step }) {
        for (let unit = 0; unit < 4 * COLUMNS; unit++) {
            let active = false;
            for (let row = 0; row < step.rows && !active; row++) {
                active = code[4 * row * COLUMNS + unit] > 0;
            }
            idle[unit] = active ? 0 : idle[unit] + 1;
        }
    },

    idle_only(call) {
        const { constants: { LENGTH, COLUMNS, AFTER, ACCUMULATE }, views: { input, idle_read, output } } = call;
        for (let i = 0; i < 4 * LENGTH; i++) {
            put(output, i, idle_read[i % (4 * COLUMNS)] >= AFTER ? input[i] : 0, ACCUMULATE);
        }
    },

    unit_columns(call) {
        const { weight } = call.views;
        const squares = sumColumns(call, (i) => weight[i] * weight[i]);
        for (let i = 0; i < call.constants.ROWS * squares.length; i++) {
            weight[i] /= Math.sqrt(squares[i % squares.length]) || 1;
        }
    },

    project_columns(call) {
        const { gradient, saved } = call.views;
        const products = sumColumns(call, (i) => gradient[i] * saved[i]);
        const squares = sumColumns(call, (i) => saved[i] * saved[i]);
        for (let i = 0; i < call.constants.ROWS * squares.length; i++) {
            const column = i % squares.length;
            gradient[i] -= (products[column] / (squares[column] || 1)) * saved[i];
        }
    },

    squares(call) {
        const { constants: { SCALE }, views: { code, penalty } } = call;
        eachCode(call, penalty, (i) => SCALE * code[i] * code[i]);
    },

    squares_gradient(call) {
        const { constants: { SCALE }, views: { code, upstream, code_gradient } } = call;
        eachCode(call, code_gradient, (i) => 2 * SCALE * code[i] * upstream[i]);
    },

    add_square_sum({ constants: { LENGTH, SCALE, FIRST }, views: { weight, before, total }, step }) {
        const sum = SCALE * step.rows * squaresOf(weight, 0, 4 * LENGTH);
        total.fill(0, 0, 4);
        total[0] = FIRST ? sum : sum + before[0];
    },

    add_square_sum_gradient(call) {
        const { constants: { LENGTH, SCALE, ACCUMULATE }, views: { weight, upstream, weight_gradient } } = call;
        const factor = 2 * SCALE * call.step.rows * upstream[0];
        for (let i = 0; i < 4 * LENGTH; i++) {
            put(weight_gradient, i, factor * weight[i], ACCUMULATE);
        }
    },

    row_squares({ constants: { ROWS, COLUMNS }, views: { weight, norms } }) {
        for (let row = 0; row < ROWS; row++) {
            norms[row] = squaresOf(weight, 4 * row * COLUMNS, 4 * (row + 1) * COLUMNS);
        }
    },

    row_squares_gradient(call) {
        const { constants: { ROWS, COLUMNS, ACCUMULATE }, views: { weight, norms_upstream, weight_gradient } } = call;
        const width = 4 * COLUMNS;
        for (let i = 0; i < ROWS * width; i++) {
            put(weight_gradient, i, 2 * norms_upstream[Math.floor(i / width)] * weight[i], ACCUMULATE);
        }
    },

    slope_squares(call) {
        const { constants: { SCALE }, views: { code, penalty } } = call;
        eachCode(call, penalty, (i) => SCALE * (code[i] * (1 - code[i])) ** 2);
    },

    slope_squares_gradient(call) {
        const { constants: { SCALE }, views: { code, upstream, code_gradient } } = call;
        eachCode(call, code_gradient, (i) => {
            const h = code[i];
            return 2 * SCALE * h * (1 - h) * (1 - 2 * h) * upstream[i];
        });
    },

    sparsity({ constants: { COLUMNS, WIDTH, SCALE, TARGET }, views: { average, penalty }, step }) {
        for (let i = 0; i < 4 * COLUMNS; i++) {
            const mean = meanCode(average[i]);
            const value = TARGET * Math.log(TARGET / mean) + (1 - TARGET) * Math.log((1 - TARGET) / (1 - mean));
            penalty[i] = i < WIDTH ? SCALE * step.rows * value : 0;
        }
    },

    sparsity_gradient(call) {
        const { constants: { WIDTH, SCALE, TARGET }, views: { average, upstream, code_gradient } } = call;
        eachCode(call, code_gradient, (_, column) => {
            if (column >= WIDTH) {
                return 0;
            }
            const mean = meanCode(average[column]);
            return SCALE * ((1 - TARGET) / (1 - mean) - TARGET / mean) * upstream[column];
        });
    },
};
