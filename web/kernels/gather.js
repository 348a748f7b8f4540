// A minibatch of one column of the dataset: kernels of shaders/gather.wgsl, and of shaders/corrupt.wgsl.

import { normalsFromWords, philoxWords } from "./random.js";

const STREAM_BINARIZE = 16;
const STREAM_MIRROR = 24;
/** Values of BINARIZE. */
const BINARIZE_KINDS = { threshold: 1, fixed: 2, dynamic: 3 };

/** 1 with probability byte / 255, decided in integers. */
function drawPixel(word, byte) {
    return (word >>> 8) * 255 < byte * 16777216 ? 1 : 0;
}

/** The row of the column that row `row` of the minibatch is, and the number of its item. */
function placeOf({ step, constants, views }, row) {
    const number = views.indices[step.firstIndex + row];
    return [constants.STREAMED ? step.firstIndex + row : number, number];
}

/** Row `row` of the minibatch, of images, into `batch`. */
function gatherImage(call, row, batch) {
    const { constants: { COLUMNS, BINARIZE }, views: { images }, step, simd } = call;
    const [position, number] = placeOf(call, row);
    const from = position * COLUMNS;
    const to = 4 * row * COLUMNS;
    // The counter of the first four pixels; of the others its first word counts on.
    const dynamic = BINARIZE === BINARIZE_KINDS.dynamic;
    const counter = dynamic ? [row * COLUMNS, step.counterLow, step.counterHigh] : [0, number, 0];
    const drawn = BINARIZE >= BINARIZE_KINDS.fixed;
    const stream = (step.stream + STREAM_BINARIZE) >>> 0;
    if (drawn && simd) {
        const [source, target] = [images.byteOffset + 4 * from, batch.byteOffset + 4 * to];
        simd.binarize(source, target, COLUMNS, ...counter, stream, step.seedLow, step.seedHigh);
        return;
    }
    for (let column = 0; column < COLUMNS; column++) {
        const word = images[from + column];
        const words = drawn
            ? philoxWords(counter[0] + column, counter[1], counter[2], stream, step.seedLow, step.seedHigh)
            : null;
        for (let lane = 0; lane < 4; lane++) {
            const byte = (word >>> (8 * lane)) & 255;
            let value = byte / 255;
            if (drawn) {
                value = drawPixel(words[lane], byte);
            } else if (BINARIZE === BINARIZE_KINDS.threshold) {
                value = byte >= 128 ? 1 : 0;
            }
            batch[to + 4 * column + lane] = value;
        }
    }
}

/** Rows of numbers or of words, as they are. */
function gatherRows(call, column) {
    const { constants: { BATCH, COLUMNS }, views: { batch }, step } = call;
    const width = 4 * COLUMNS;
    const rows = Math.min(step.rows, BATCH);
    for (let row = 0; row < rows; row++) {
        const from = placeOf(call, row)[0] * width;
        batch.set(column.subarray(from, from + width), row * width);
    }
    batch.fill(0, rows * width, BATCH * width);
}

/** Values of CORRUPTION; the others are 0, masking, and 2, salt and pepper. */
const GAUSSIAN = 1;
const SALT_AND_PEPPER = 2;

const noise = new Float64Array(4);

/** A pixel that is changed where `uniform` is below `level`. */
function corruptPixel(kind, level, uniform, value) {
    if (uniform >= level) {
        return value;
    }
    return kind === SALT_AND_PEPPER && uniform >= 0.5 * level ? 1 : 0;
}

export const gatherKernels = {
    corrupt(call) {
        const { constants, views: { images, corrupted }, step } = call;
        const { BATCH, COLUMNS, WIDTH, CORRUPTION, STREAM } = constants;
        const level = call.number(constants.NUMBER);
        for (let i = 0; i < BATCH * COLUMNS; i++) {
            const words = call.randomWords(i, STREAM);
            if (CORRUPTION === GAUSSIAN) {
                normalsFromWords(words, 0, noise, 0);
            }
            for (let lane = 0; lane < 4; lane++) {
                const at = 4 * i + lane;
                let value = 0;
                if (i < step.rows * COLUMNS && 4 * (i % COLUMNS) + lane < WIDTH) {
                    value = CORRUPTION === GAUSSIAN
                        ? images[at] + level * noise[lane]
                        : corruptPixel(CORRUPTION, level, (words[lane] >>> 8) / 16777216, images[at]);
                }
                corrupted[at] = value;
            }
        }
    },


    gather(call) {
        const { constants: { BATCH, COLUMNS }, views: { batch }, step } = call;
        const rows = Math.min(step.rows, BATCH);
        for (let row = 0; row < rows; row++) {
            gatherImage(call, row, batch);
        }
        batch.fill(0, 4 * rows * COLUMNS, 4 * BATCH * COLUMNS);
    },

    /** The same; pixels of an image that is mirrored change places after they are drawn. */
    gather_mirrored(call) {
        const { constants, views: { batch }, step } = call;
        const { COLUMNS, MIRROR_WIDTH, MIRROR_CHANNELS, MIRROR_LENGTH } = constants;
        gatherKernels.gather(call);
        for (let row = 0; row < Math.min(step.rows, constants.BATCH); row++) {
            if ((call.randomWords(row, STREAM_MIRROR)[0] & 1) === 0) {
                continue;
            }
            const start = 4 * row * COLUMNS;
            const straight = batch.slice(start, start + MIRROR_LENGTH);
            for (let element = 0; element < MIRROR_LENGTH; element++) {
                const x = Math.floor(element / MIRROR_CHANNELS) % MIRROR_WIDTH;
                batch[start + element] = straight[element + (MIRROR_WIDTH - 1 - 2 * x) * MIRROR_CHANNELS];
            }
        }
    },

    gather_reals(call) {
        gatherRows(call, call.views.reals);
    },

    gather_words(call) {
        gatherRows(call, call.views.words);
    },
};
