// Normalisation: kernels of shaders/batch_norm.wgsl, group_norm.wgsl and layer_norm.wgsl.

import { activationFunction, activationSlope } from "./activation.js";
import { put } from "./elementwise.js";

/** Rows of a block, and blocks that become one. */
const BLOCK_ROWS = 64;
const MERGED = 64;

/** Batch normalisation: helpers of one call. */
function batchNorm({ constants, views, step }) {
    const { COLUMNS, BATCH, SPACE, ROWS, SPAN, EPSILON, ACTIVATION, TRAIN } = constants;
    const { x, mean, variance, scale, y_gradient } = views;
    const width = 4 * COLUMNS;
    const slope = activationSlope(ACTIVATION ?? 0);
    const counts = (row) => !TRAIN || Math.floor(row / SPACE) % BATCH < step.rows;
    /** Rows before `row` that count. */
    const counted = (row) => {
        const item = Math.floor(row / SPACE);
        const [sample, within] = [Math.floor(item / BATCH), item % BATCH];
        return within < step.rows
            ? (sample * step.rows + within) * SPACE + (row % SPACE)
            : (sample + 1) * step.rows * SPACE;
    };
    const deviation = (column) => Math.sqrt(variance[column] + EPSILON);
    const argument = (i) => {
        const column = i % width;
        return ((x[i] - mean[column]) * scale[column]) / deviation(column) + scale[column + width];
    };
    return {
        width,
        counts,
        counted,
        deviation,
        argument,
        rowsOfPart: (part) => counted(Math.min((part + 1) * SPAN, ROWS)) - counted(part * SPAN),
        /** The gradient of the activation's argument. */
        upstream: (i) => (ACTIVATION === 0 ? y_gradient[i] : y_gradient[i] * slope(argument(i))),
    };
}

/** Mean and summed squares of parts `begin` to `end` together, as Chan, Golub and LeVeque (1983). */
function mergeParts({ views: { parts } }, { width, rowsOfPart }, column, begin, end) {
    let [count, mean, squares] = [0, 0, 0];
    for (let part = begin; part < end; part++) {
        const rows = rowsOfPart(part);
        if (rows > 0) {
            const at = 2 * part * width + column;
            const difference = parts[at] - mean;
            count += rows;
            mean += (difference * rows) / count;
            squares += parts[at + width] + (difference * difference * rows * (count - rows)) / count;
        }
    }
    return { count, mean, squares };
}

const batchNormKernels = {
    batch_moments(call) {
        const { constants: { ROWS }, views: { x, partial } } = call;
        const { width, counts } = batchNorm(call);
        for (let begin = 0, to = 0; begin < ROWS; begin += BLOCK_ROWS, to += 2 * width) {
            for (let column = 0; column < width; column++) {
                let [count, mean, squares] = [0, 0, 0];
                for (let row = begin; row < Math.min(begin + BLOCK_ROWS, ROWS); row++) {
                    if (counts(row)) {
                        const difference = x[row * width + column] - mean;
                        count++;
                        mean += difference / count;
                        squares += difference * (x[row * width + column] - mean);
                    }
                }
                partial[to + column] = mean;
                partial[to + width + column] = squares;
            }
        }
    },

    merge_moments(call) {
        const { constants: { PARTS }, views: { partial } } = call;
        const helpers = batchNorm(call);
        const { width } = helpers;
        for (let begin = 0, to = 0; begin < PARTS; begin += MERGED, to += 2 * width) {
            for (let column = 0; column < width; column++) {
                const moments = mergeParts(call, helpers, column, begin, Math.min(begin + MERGED, PARTS));
                partial[to + column] = moments.mean;
                partial[to + width + column] = moments.squares;
            }
        }
    },

    finish_moments(call) {
        const { constants: { PARTS }, views: { batch_mean, batch_variance, unbiased } } = call;
        const helpers = batchNorm(call);
        for (let column = 0; column < helpers.width; column++) {
            const { count, mean, squares } = mergeParts(call, helpers, column, 0, PARTS);
            batch_mean[column] = mean;
            batch_variance[column] = squares / Math.max(count, 1);
            unbiased[column] = squares / Math.max(count - 1, 1);
        }
    },

    batch_norm(call) {
        const { constants: { ROWS, WIDTH, ACTIVATION }, views: { y } } = call;
        const { width, argument } = batchNorm(call);
        const activation = activationFunction(ACTIVATION);
        for (let i = 0; i < ROWS * width; i++) {
            y[i] = i % width < WIDTH ? activation(argument(i)) : 0;
        }
    },

    batch_norm_sums(call) {
        const { constants: { ROWS }, views: { x, mean, partial } } = call;
        const { width, counts, deviation, upstream } = batchNorm(call);
        for (let begin = 0, to = 0; begin < ROWS; begin += BLOCK_ROWS, to += 2 * width) {
            for (let column = 0; column < width; column++) {
                let [products, sum] = [0, 0];
                for (let row = begin; row < Math.min(begin + BLOCK_ROWS, ROWS); row++) {
                    if (counts(row)) {
                        const dy = upstream(row * width + column);
                        products += dy * (x[row * width + column] - mean[column]);
                        sum += dy;
                    }
                }
                partial[to + column] = products / deviation(column);
                partial[to + width + column] = sum;
            }
        }
    },

    batch_norm_gradient(call) {
        const { constants: { ROWS, BATCH, SPACE, ACCUMULATE }, views, step } = call;
        const { x, mean, scale, sums, x_gradient } = views;
        const { width, counted, deviation, upstream } = batchNorm(call);
        const rows = counted(ROWS);
        for (let i = 0; i < ROWS * width; i++) {
            const column = i % width;
            let change = 0;
            if (Math.floor(i / width / SPACE) % BATCH < step.rows) {
                const divisor = deviation(column);
                const average = (sums[column + width] + ((x[i] - mean[column]) / divisor) * sums[column]) / rows;
                change = (scale[column] / divisor) * (upstream(i) - average);
            }
            put(x_gradient, i, change, ACCUMULATE);
        }
    },

    fixed_norm_gradient(call) {
        const { constants: { ROWS, ACCUMULATE }, views: { scale, y_gradient, x_gradient } } = call;
        const { width, deviation } = batchNorm(call);
        for (let i = 0; i < ROWS * width; i++) {
            put(x_gradient, i, (scale[i % width] / deviation(i % width)) * y_gradient[i], ACCUMULATE);
        }
    },
};

/** Group normalisation: helpers of one call. `moments` are mean and 1 / deviation of a group, four numbers apart. */
function groupNorm({ constants, views }) {
    const { SPACE, CHANNELS, STRIDE, GROUPS, ACTIVATION } = constants;
    const { x, saved, scale, y_gradient } = views;
    const width = CHANNELS / GROUPS;
    const slope = activationSlope(ACTIVATION ?? 0);
    const groupOf = (i) => Math.floor(i / STRIDE / SPACE) * GROUPS + Math.floor((i % STRIDE) / width);
    const normalised = (i, group) => (x[i] - saved[4 * group]) * saved[4 * group + 1];
    const argument = (i, group) => normalised(i, group) * scale[i % STRIDE] + scale[(i % STRIDE) + STRIDE];
    return {
        count: width * SPACE,
        groupOf,
        normalised,
        argument,
        /** Call work(i) for each number of a group. */
        each(group, work) {
            const start = Math.floor(group / GROUPS) * SPACE * STRIDE + (group % GROUPS) * width;
            for (let pixel = 0; pixel < SPACE; pixel++) {
                for (let channel = 0; channel < width; channel++) {
                    work(start + pixel * STRIDE + channel);
                }
            }
        },
        upstream: (i, group) => (ACTIVATION === 0 ? y_gradient[i] : y_gradient[i] * slope(argument(i, group))),
    };
}

const groupNormKernels = {
    group_moments(call) {
        const { constants: { ITEMS, GROUPS, EPSILON }, views: { x, moments } } = call;
        const { count, each } = groupNorm(call);
        for (let group = 0; group < ITEMS * GROUPS; group++) {
            let [sum, squares] = [0, 0];
            each(group, (i) => {
                sum += x[i];
            });
            const mean = sum / count;
            each(group, (i) => {
                squares += (x[i] - mean) ** 2;
            });
            moments.set([mean, 1 / Math.sqrt(squares / count + EPSILON), 0, 0], 4 * group);
        }
    },

    group_norm(call) {
        const { constants: { ITEMS, SPACE, STRIDE, CHANNELS, ACTIVATION }, views: { y } } = call;
        const { groupOf, argument } = groupNorm(call);
        const activation = activationFunction(ACTIVATION);
        for (let i = 0; i < ITEMS * SPACE * STRIDE; i++) {
            y[i] = i % STRIDE < CHANNELS ? activation(argument(i, groupOf(i))) : 0;
        }
    },

    group_norm_sums(call) {
        const { constants: { ITEMS, GROUPS, STRIDE }, views: { scale, sums } } = call;
        const { count, each, normalised, upstream } = groupNorm(call);
        for (let group = 0; group < ITEMS * GROUPS; group++) {
            let [sum, products] = [0, 0];
            each(group, (i) => {
                const change = upstream(i, group) * scale[i % STRIDE];
                sum += change;
                products += change * normalised(i, group);
            });
            sums.set([sum / count, products / count, 0, 0], 4 * group);
        }
    },

    group_norm_gradient(call) {
        const { constants: { ITEMS, SPACE, STRIDE, CHANNELS, ACCUMULATE }, views } = call;
        const { saved, scale, means, x_gradient } = views;
        const { groupOf, normalised, upstream } = groupNorm(call);
        for (let i = 0; i < ITEMS * SPACE * STRIDE; i++) {
            let change = 0;
            if (i % STRIDE < CHANNELS) {
                const group = groupOf(i);
                const dy = upstream(i, group) * scale[i % STRIDE];
                change = (dy - means[4 * group] - normalised(i, group) * means[4 * group + 1]) * saved[4 * group + 1];
            }
            put(x_gradient, i, change, ACCUMULATE);
        }
    },

    group_norm_scale(call) {
        const { constants: { ITEMS, SPACE, STRIDE, CHANNELS }, views: { partial } } = call;
        const { groupOf, normalised, upstream } = groupNorm(call);
        const rows = ITEMS * SPACE;
        for (let begin = 0, to = 0; begin < rows; begin += BLOCK_ROWS, to += 2 * STRIDE) {
            for (let channel = 0; channel < STRIDE; channel++) {
                let [products, sum] = [0, 0];
                for (let row = begin; channel < CHANNELS && row < Math.min(begin + BLOCK_ROWS, rows); row++) {
                    const i = row * STRIDE + channel;
                    const dy = upstream(i, groupOf(i));
                    products += dy * normalised(i, groupOf(i));
                    sum += dy;
                }
                partial[to + channel] = products;
                partial[to + STRIDE + channel] = sum;
            }
        }
    },
};

const layerNormKernels = {
    layer_norm({ constants: { ROWS, COLUMNS, WIDTH, EPSILON }, views: { x, scale, y, moments } }) {
        const width = 4 * COLUMNS;
        for (let row = 0, start = 0; row < ROWS; row++, start += width) {
            let [sum, squares] = [0, 0];
            for (let column = 0; column < WIDTH; column++) {
                sum += x[start + column];
            }
            const mean = sum / WIDTH;
            for (let column = 0; column < WIDTH; column++) {
                squares += (x[start + column] - mean) ** 2;
            }
            const factor = 1 / Math.sqrt(squares / WIDTH + EPSILON);
            moments.set([mean, factor, 0, 0], 4 * row);
            for (let column = 0; column < width; column++) {
                const normalised = (x[start + column] - mean) * factor;
                y[start + column] = column < WIDTH ? normalised * scale[column] + scale[width + column] : 0;
            }
        }
    },

    layer_norm_gradient({ constants: { ROWS, COLUMNS, WIDTH, ACCUMULATE }, views }) {
        const { x, scale, saved, y_gradient, x_gradient } = views;
        const width = 4 * COLUMNS;
        for (let row = 0, start = 0; row < ROWS; row++, start += width) {
            const [mean, factor] = [saved[4 * row], saved[4 * row + 1]];
            let [sum, products] = [0, 0];
            for (let column = 0; column < WIDTH; column++) {
                const change = y_gradient[start + column] * scale[column];
                sum += change;
                products += change * (x[start + column] - mean) * factor;
            }
            for (let column = 0; column < width; column++) {
                const normalised = (x[start + column] - mean) * factor;
                const own = y_gradient[start + column] * scale[column] - (sum + normalised * products) / WIDTH;
                put(x_gradient, start + column, column < WIDTH ? own * factor : 0, ACCUMULATE);
            }
        }
    },

    layer_norm_scale({ constants: { ROWS, COLUMNS, WIDTH }, views: { x, saved, y_gradient, partial } }) {
        const width = 4 * COLUMNS;
        for (let begin = 0, to = 0; begin < ROWS; begin += BLOCK_ROWS, to += 2 * width) {
            for (let column = 0; column < width; column++) {
                let [products, sum] = [0, 0];
                for (let row = begin; column < WIDTH && row < Math.min(begin + BLOCK_ROWS, ROWS); row++) {
                    const dy = y_gradient[row * width + column];
                    products += dy * (x[row * width + column] - saved[4 * row]) * saved[4 * row + 1];
                    sum += dy;
                }
                partial[to + column] = products;
                partial[to + width + column] = sum;
            }
        }
    },
};

export const normKernels = { ...batchNormKernels, ...groupNormKernels, ...layerNormKernels };
