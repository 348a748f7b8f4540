// Sums to one number and over rows: kernels of shaders/sum.wgsl, squared_error.wgsl, blocks.wgsl, channel_sum.wgsl and
// optimal_variance.wgsl.

/** Elements that a workgroup of square_sum adds; rows of a block of blocks.wgsl; pixels of a part of channel_sum. */
const SHARE = 16384;
const ROWS_OF_BLOCK = 64;
const PIXELS_OF_PART = 256;
/** Numbers of a row that are one term of the reconstruction. */
export const CHUNK = 16;
/** 1/255^2: a deviation of one grey level. */
const VARIANCE_FLOOR = Math.fround(1.5378701e-5);

/** The sum of the first `length` numbers. */
export function sumOf(values, length) {
    let sum = 0;
    for (let i = 0; i < length; i++) {
        sum += values[i];
    }
    return sum;
}

function writeMetric({ constants: { TERMS }, views: { metrics }, step }, term, value) {
    metrics[TERMS * step.slot + term] = value;
}

function logOfMean(mean) {
    return Math.log(Math.max(mean, VARIANCE_FLOOR));
}

/** partial[block] = sum over the rows of a block of value(i), where i is the element. */
function sumBlocks({ constants: { ROWS, COLUMNS }, views: { partial } }, value) {
    const width = 4 * COLUMNS;
    for (let begin = 0, to = 0; begin < ROWS; begin += ROWS_OF_BLOCK) {
        for (let column = 0; column < width; column++, to++) {
            let sum = 0;
            for (let row = begin; row < Math.min(begin + ROWS_OF_BLOCK, ROWS); row++) {
                sum += value(row * width + column);
            }
            partial[to] = sum;
        }
    }
}

export const sumKernels = {
    sum({ constants: { LENGTH }, views: { values, total } }) {
        total[0] = sumOf(values, LENGTH);
    },

    sum_metric(call) {
        const { LENGTH, SCALE, TERM } = call.constants;
        writeMetric(call, TERM, (sumOf(call.views.values, LENGTH) * SCALE) / call.step.rows);
    },

    sum_two_metrics(call) {
        const { constants: { SECOND_LENGTH, SECOND_SCALE, SECOND_TERM }, views: { second_values } } = call;
        sumKernels.sum_metric(call);
        writeMetric(call, SECOND_TERM, (sumOf(second_values, SECOND_LENGTH) * SECOND_SCALE) / call.step.rows);
    },

    square_sum({ constants: { LENGTH }, views: { values, shares } }) {
        for (let start = 0; start < LENGTH; start += SHARE) {
            let sum = 0;
            for (let i = start; i < Math.min(start + SHARE, LENGTH); i++) {
                sum += values[i] * values[i];
            }
            shares[start / SHARE] = sum;
        }
    },

    square_root(call) {
        const { constants: { LENGTH, TERM }, views: { values, norm } } = call;
        norm[0] = Math.sqrt(sumOf(values, LENGTH));
        writeMetric(call, TERM, norm[0]);
    },

    squared_error({ constants: { BATCH, SAMPLES, COLUMNS, WIDTH, ROW }, views: { expected, images, terms }, step }) {
        const width = 4 * COLUMNS;
        for (let row = 0, to = 0; row < SAMPLES * BATCH; row++) {
            const image = row % BATCH;
            for (let first = 0; first < width; first += CHUNK, to++) {
                let sum = 0;
                const end = image < step.rows ? Math.min(first + CHUNK, WIDTH) : first;
                for (let column = first; column < end; column++) {
                    const difference = images[image * width + column] - expected[4 * row * ROW + column];
                    sum += difference * difference;
                }
                terms[to] = sum;
            }
        }
    },

    block_sums(call) {
        const { values } = call.views;
        sumBlocks(call, (i) => values[i]);
    },

    block_products(call) {
        const { values, factors } = call.views;
        sumBlocks(call, (i) => values[i] * factors[i]);
    },

    add_blocks({ constants: { ROWS, COLUMNS, ACCUMULATE }, views: { values, total } }) {
        for (let column = 0; column < 4 * COLUMNS; column++) {
            let sum = ACCUMULATE ? total[column] : 0;
            for (let row = 0; row < ROWS; row++) {
                sum += values[4 * row * COLUMNS + column];
            }
            total[column] = sum;
        }
    },

    channel_sum({ constants: { ROWS, COLUMNS, PARTS, PIXELS, PIXEL, ITEM }, views: { maps, sums } }) {
        for (let row = 0; row < ROWS; row++) {
            const first = (row % PARTS) * PIXELS_OF_PART;
            const item = Math.floor(row / PARTS) * ITEM;
            for (let channel = 0; channel < 4 * COLUMNS; channel++) {
                let total = 0;
                for (let pixel = first; channel < PIXEL && pixel < Math.min(first + PIXELS_OF_PART, PIXELS); pixel++) {
                    total += maps[item + pixel * PIXEL + channel];
                }
                sums[4 * row * COLUMNS + channel] = total;
            }
        }
    },

    optimal_variance(call) {
        const { constants: { LENGTH, SAMPLES, WIDTH, ENDS }, views: { terms, residuals, log_variance }, step } = call;
        const mean = sumOf(terms, LENGTH) / (SAMPLES * step.rows * WIDTH);
        log_variance[0] = logOfMean(mean);
        const images = residuals[1] + step.rows;
        const soFar = residuals[0] + ((mean - residuals[0]) * step.rows) / images;
        residuals[0] = soFar;
        residuals[1] = images;
        if (call.number(ENDS) === 1) {
            residuals.set([0, 0, soFar, images]);
        }
    },

    kept_variance({ views: { kept, log_variance } }) {
        const mean = kept[3] > 0 ? kept[2] : kept[0];
        log_variance[0] = kept[3] > 0 || kept[1] > 0 ? logOfMean(mean) : 0;
    },
};
