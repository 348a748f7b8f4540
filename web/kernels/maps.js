// Maps with one row a pixel, and attention over their pixels: kernels of shaders/depthwise.wgsl, pool.wgsl,
// products.wgsl and softmax.wgsl.

import { put } from "./elementwise.js";
import { matrixProduct, productScratch, rowsAcross, rowsAlong } from "./matmul.js";

/** Pixels of a block of depthwise_weight. */
const BLOCK_PIXELS = 256;

/** Call work(item, y, x, pixel) for each pixel of maps of this size. */
function eachPixel(items, height, width, work) {
    for (let item = 0, pixel = 0; item < items; item++) {
        for (let y = 0; y < height; y++) {
            for (let x = 0; x < width; x++, pixel++) {
                work(item, y, x, pixel);
            }
        }
    }
}

/**
 * Call work(tap, large) for each tap of the window at position (y, x) that lies in the large maps: its number, and the
 * number of the large pixel.
 */
function eachTap(constants, item, y, x, work) {
    const { KERNEL_HEIGHT, KERNEL_WIDTH, LARGE_HEIGHT, LARGE_WIDTH, STRIDE_Y, STRIDE_X } = constants;
    const [top, left] = [y * STRIDE_Y - (constants.PADDING_TOP ?? 0), x * STRIDE_X - (constants.PADDING_LEFT ?? 0)];
    for (let ky = Math.max(0, -top); ky < Math.min(KERNEL_HEIGHT, LARGE_HEIGHT - top); ky++) {
        for (let kx = Math.max(0, -left); kx < Math.min(KERNEL_WIDTH, LARGE_WIDTH - left); kx++) {
            work(ky * KERNEL_WIDTH + kx, (item * LARGE_HEIGHT + top + ky) * LARGE_WIDTH + left + kx);
        }
    }
}

const depthwiseKernels = {
    depthwise({ constants, views: { large, weight, small } }) {
        const { ITEMS, COLUMNS, SMALL_HEIGHT, SMALL_WIDTH } = constants;
        const channels = 4 * COLUMNS;
        const sums = new Float64Array(channels);
        eachPixel(ITEMS, SMALL_HEIGHT, SMALL_WIDTH, (item, y, x, pixel) => {
            sums.fill(0);
            eachTap(constants, item, y, x, (tap, from) => {
                for (let c = 0; c < channels; c++) {
                    sums[c] += weight[tap * channels + c] * large[from * channels + c];
                }
            });
            small.set(sums, pixel * channels);
        });
    },

    depthwise_input({ constants, views: { weight, small_gradient, large_gradient } }) {
        const { ITEMS, COLUMNS, LARGE_HEIGHT, LARGE_WIDTH, SMALL_HEIGHT, SMALL_WIDTH, ACCUMULATE } = constants;
        const channels = 4 * COLUMNS;
        const sums = new Float64Array(ITEMS * LARGE_HEIGHT * LARGE_WIDTH * channels);
        eachPixel(ITEMS, SMALL_HEIGHT, SMALL_WIDTH, (item, y, x, pixel) => {
            eachTap(constants, item, y, x, (tap, to) => {
                for (let c = 0; c < channels; c++) {
                    sums[to * channels + c] += weight[tap * channels + c] * small_gradient[pixel * channels + c];
                }
            });
        });
        sums.forEach((sum, i) => put(large_gradient, i, sum, ACCUMULATE));
    },

    depthwise_weight({ constants, views: { large, small_gradient, partial } }) {
        const { ITEMS, COLUMNS, SMALL_HEIGHT, SMALL_WIDTH, KERNEL_HEIGHT, KERNEL_WIDTH } = constants;
        const channels = 4 * COLUMNS;
        const size = KERNEL_HEIGHT * KERNEL_WIDTH * channels;
        const sums = new Float64Array(size * Math.ceil((ITEMS * SMALL_HEIGHT * SMALL_WIDTH) / BLOCK_PIXELS));
        eachPixel(ITEMS, SMALL_HEIGHT, SMALL_WIDTH, (item, y, x, pixel) => {
            const block = Math.floor(pixel / BLOCK_PIXELS) * size;
            eachTap(constants, item, y, x, (tap, from) => {
                const at = block + tap * channels;
                for (let c = 0; c < channels; c++) {
                    sums[at + c] += small_gradient[pixel * channels + c] * large[from * channels + c];
                }
            });
        });
        partial.set(sums);
    },
};

function paddedChannels(channels) {
    return 4 * Math.ceil(channels / 4);
}

const poolKernels = {
    window_sum({ constants, views: { large, small_output } }) {
        const { ITEMS, COLUMNS, SMALL_HEIGHT, SMALL_WIDTH, SCALE, ACCUMULATE } = constants;
        const channels = 4 * COLUMNS;
        eachPixel(ITEMS, SMALL_HEIGHT, SMALL_WIDTH, (item, y, x, pixel) => {
            for (let c = 0; c < channels; c++) {
                let sum = 0;
                eachTap(constants, item, y, x, (tap, from) => {
                    sum += large[from * channels + c];
                });
                put(small_output, pixel * channels + c, sum * SCALE, ACCUMULATE);
            }
        });
    },

    window_spread({ constants, views: { small, large_output } }) {
        const { ITEMS, COLUMNS, LARGE_HEIGHT, LARGE_WIDTH, SMALL_HEIGHT, SMALL_WIDTH, SCALE, ACCUMULATE } = constants;
        const channels = 4 * COLUMNS;
        const sums = new Float64Array(ITEMS * LARGE_HEIGHT * LARGE_WIDTH * channels);
        eachPixel(ITEMS, SMALL_HEIGHT, SMALL_WIDTH, (item, y, x, pixel) => {
            eachTap(constants, item, y, x, (tap, to) => {
                for (let c = 0; c < channels; c++) {
                    sums[to * channels + c] += small[pixel * channels + c];
                }
            });
        });
        sums.forEach((sum, i) => put(large_output, i, sum * SCALE, ACCUMULATE));
    },

    space_to_depth({ constants, views: { input, output } }) {
        moveChannels(constants, (deep, shallow) => put(output, deep, input[shallow], constants.ACCUMULATE));
        clearChannels(constants, output, constants.CHANNELS * constants.FACTOR ** 2);
    },

    depth_to_space({ constants, views: { input, output } }) {
        moveChannels(constants, (deep, shallow) => put(output, shallow, input[deep], constants.ACCUMULATE));
        clearChannels(constants, output, constants.CHANNELS);
    },
};

/**
 * Call work(deep, shallow) for each number of maps of few pixels and many channels, and its place among many pixels.
 */
function moveChannels({ ITEMS, SMALL_HEIGHT, SMALL_WIDTH, CHANNELS, FACTOR }, work) {
    const deepChannels = CHANNELS * FACTOR * FACTOR;
    const width = SMALL_WIDTH * FACTOR;
    // Lines of all items are counted through.
    eachPixel(1, ITEMS * SMALL_HEIGHT, SMALL_WIDTH, (_, y, x, pixel) => {
        for (let channel = 0; channel < deepChannels; channel++) {
            const line = y * FACTOR + (Math.floor(channel / FACTOR) % FACTOR);
            const shallow = (line * width + x * FACTOR + (channel % FACTOR)) * paddedChannels(CHANNELS);
            work(pixel * paddedChannels(deepChannels) + channel, shallow + Math.floor(channel / (FACTOR * FACTOR)));
        }
    });
}

/** Zeros in the padding of each pixel, unless values are added to it. */
function clearChannels({ ACCUMULATE }, output, channels) {
    const stride = paddedChannels(channels);
    for (let at = 0; !ACCUMULATE && channels < stride && at < output.length; at += stride) {
        output.fill(0, at + channels, at + stride);
    }
}

/** Numbers of scratch memory of a product of items: the product's own and a padded output. */
export function productsScratch({ ROWS, COLUMNS, INNER: inner }) {
    const columns = 4 * COLUMNS;
    return productScratch(columns) + 4 * Math.ceil(ROWS / 4) * columns + 4 * Math.ceil(inner / 4) * columns;
}

/**
 * Products of the matrices of items. `operands(item)` gives the left and right one; those whose rows lie across memory
 * have rows of whole vec4.
 */
function multiplyItems(call, inner, operands) {
    const { constants: { ROWS, COLUMNS, WIDTH, SCALE, ACCUMULATE }, views: { output } } = call;
    const columns = 4 * COLUMNS;
    const rows = 4 * Math.ceil(ROWS / 4);
    const result = call.scratch(productScratch(columns), rows * columns);
    for (let item = 0; item * ROWS * columns < output.length; item++) {
        const [left, right] = operands(item);
        matrixProduct(call, [left.along ? ROWS : rows, columns, inner], left, right, result, 0, columns, false);
        for (let row = 0; row < ROWS; row++) {
            for (let column = 0; column < columns; column++) {
                const value = column < WIDTH ? SCALE * result[row * columns + column] : 0;
                put(output, (item * ROWS + row) * columns + column, value, ACCUMULATE);
            }
        }
    }
}

const attentionKernels = {
    products_nt(call) {
        const { constants: { ROWS, COLUMNS, WIDTH, INNER: inner }, views: { a, b } } = call;
        const k = 4 * Math.ceil(inner / 4);
        // The product reads whole vec4: zeros stand behind the rows of b, and behind the last of them.
        const columns = 4 * COLUMNS;
        const padded = call.scratch(productScratch(columns) + 4 * Math.ceil(ROWS / 4) * columns, columns * k);
        multiplyItems(call, k, (item) => {
            padded.fill(0);
            for (let row = 0; row < WIDTH; row++) {
                const from = (item * WIDTH + row) * k;
                padded.set(b.subarray(from, from + inner), row * k);
            }
            return [rowsAlong(a, item * ROWS * k, k), rowsAlong(padded, 0, k)];
        });
    },

    products_nn(call) {
        const { constants: { ROWS, COLUMNS, INNER: inner }, views: { a, b } } = call;
        const [k, columns] = [4 * Math.ceil(inner / 4), 4 * COLUMNS];
        // Columns of a behind `inner` are padding: rows of zeros stand for what would follow in b.
        const padded = call.scratch(productScratch(columns) + 4 * Math.ceil(ROWS / 4) * columns, k * columns);
        multiplyItems(call, k, (item) => {
            padded.fill(0);
            padded.set(b.subarray(item * inner * columns, (item + 1) * inner * columns));
            return [rowsAlong(a, item * ROWS * k, k), rowsAcross(padded, 0, columns)];
        });
    },

    products_tn(call) {
        const { constants: { ROWS, COLUMNS, INNER: inner }, views: { a, b } } = call;
        const [rows, columns] = [4 * Math.ceil(ROWS / 4), 4 * COLUMNS];
        multiplyItems(call, inner, (item) => [
            rowsAcross(a, item * inner * rows, rows),
            rowsAcross(b, item * inner * columns, columns),
        ]);
    },

    softmax({ constants: { ROWS, COLUMNS, WIDTH }, views: { x, y } }) {
        const width = 4 * COLUMNS;
        for (let row = 0; row < ROWS; row++) {
            const own = x.subarray(row * width, row * width + WIDTH);
            const largest = own.reduce((most, value) => Math.max(most, value), -Infinity);
            const sum = own.reduce((total, value) => total + Math.exp(value - largest), 0);
            for (let column = 0; column < width; column++) {
                y[row * width + column] = column < WIDTH ? Math.exp(own[column] - largest) / sum : 0;
            }
        }
    },

    softmax_gradient({ constants: { ROWS, COLUMNS, ACCUMULATE }, views: { y_gradient, saved, x_gradient } }) {
        const width = 4 * COLUMNS;
        for (let row = 0; row < ROWS; row++) {
            let sum = 0;
            for (let i = row * width; i < (row + 1) * width; i++) {
                sum += y_gradient[i] * saved[i];
            }
            for (let i = row * width; i < (row + 1) * width; i++) {
                put(x_gradient, i, saved[i] * (y_gradient[i] - sum), ACCUMULATE);
            }
        }
    },
};

export const mapKernels = { ...depthwiseKernels, ...poolKernels, ...attentionKernels };
