// The Gaussian posterior: samples and its KL divergence, kernels of shaders/latent.wgsl.
//
// A row of `posterior` holds means, then log-variances, each padded to 4 * COLUMNS numbers.

import { put } from "./elementwise.js";
import { normalsFromWords } from "./random.js";

const draws = new Float64Array(4);

function samplePosterior(call) {
    const { constants: { BATCH, SAMPLES, COLUMNS, WIDTH, STREAM }, views: { posterior, z, noise } } = call;
    for (let i = 0; i < SAMPLES * BATCH * COLUMNS; i++) {
        const column = 4 * (i % COLUMNS);
        const at = (Math.floor(i / COLUMNS) % BATCH) * 8 * COLUMNS + column;
        normalsFromWords(call.randomWords(i, STREAM), 0, draws, 0);
        for (let lane = 0; lane < 4; lane++) {
            const draw = column + lane < WIDTH ? draws[lane] : 0;
            noise[4 * i + lane] = draw;
            z[4 * i + lane] = posterior[at + lane] + Math.exp(0.5 * posterior[at + lane + 4 * COLUMNS]) * draw;
        }
    }
}

function klOfPosterior({ constants: { BATCH, COLUMNS }, views: { posterior, divergence }, step }) {
    const width = 4 * COLUMNS;
    for (let i = 0; i < BATCH * width; i++) {
        const row = Math.floor(i / width);
        const mean = posterior[row * width + i];
        const logVariance = posterior[row * width + i + width];
        // In the padding both are 0, and so is this.
        divergence[i] = row < step.rows ? 0.5 * (mean * mean + Math.exp(logVariance) - 1 - logVariance) : 0;
    }
}

/**
 * Write the gradient of means and log-variances; `change(i, at, row, column)` gives both for number `i` of a matrix of
 * means, which is number `at` of `posterior`.
 */
function changePosterior({ constants: { BATCH, COLUMNS, ACCUMULATE }, views: { posterior_gradient } }, change) {
    const width = 4 * COLUMNS;
    for (let row = 0, i = 0; row < BATCH; row++) {
        for (let column = 0; column < width; column++, i++) {
            const at = 2 * row * width + column;
            const [mean, logVariance] = change(i, at, row, column);
            put(posterior_gradient, at, mean, ACCUMULATE);
            put(posterior_gradient, at + width, logVariance, ACCUMULATE);
        }
    }
}

/** The gradient by way of the samples. */
function changeBySamples({ constants: { BATCH, SAMPLES, COLUMNS }, views: { posterior, z_gradient, noise_used } }) {
    const width = 4 * COLUMNS;
    return (i, at) => {
        let mean = 0;
        let scale = 0;
        for (let l = 0, j = i; l < SAMPLES; l++, j += BATCH * width) {
            mean += z_gradient[j];
            scale += z_gradient[j] * noise_used[j];
        }
        return [mean, scale * 0.5 * Math.exp(0.5 * posterior[at + width])];
    };
}

/** The gradient of the divergence; `weight(i, row, column)` is that of one dimension of an image. */
function changeByKl({ constants: { COLUMNS }, views: { posterior } }, weight) {
    return (i, at, row, column) => {
        const w = weight(i, row, column);
        return [w * posterior[at], w * 0.5 * (Math.exp(posterior[at + 4 * COLUMNS]) - 1)];
    };
}

/** The weight of the divergence: 0 of rows past the minibatch. */
function klWeight(call) {
    const weight = (call.constants.WEIGHT * call.number(call.constants.NUMBER)) / call.step.rows;
    return (i, row) => (row < call.step.rows ? weight : 0);
}

export const latentKernels = {
    reparametrize: samplePosterior,
    gaussian_kl: klOfPosterior,

    reparametrize_kl(call) {
        samplePosterior(call);
        klOfPosterior(call);
    },

    reparametrize_gradient(call) {
        changePosterior(call, changeBySamples(call));
    },

    gaussian_kl_gradient(call) {
        changePosterior(call, changeByKl(call, klWeight(call)));
    },

    reparametrize_kl_gradient(call) {
        const [byKl, bySamples] = [changeByKl(call, klWeight(call)), changeBySamples(call)];
        changePosterior(call, (i, at, row, column) => {
            const [first, second] = [byKl(i, at, row, column), bySamples(i, at)];
            return [first[0] + second[0], first[1] + second[1]];
        });
    },

    gaussian_kl_pull_back(call) {
        const { divergence_gradient } = call.views;
        changePosterior(call, changeByKl(call, (i, row) => (row < call.step.rows ? divergence_gradient[i] : 0)));
    },

    gaussian_kl_gradient_free_bits(call) {
        const { constants: { FREE_BITS }, views: { average } } = call;
        const weight = klWeight(call);
        changePosterior(call, changeByKl(call, (i, row, column) => (average[column] > FREE_BITS ? weight(i, row) : 0)));
    },

    gaussian_kl_gradient_floor(call) {
        const { constants: { BATCH, COLUMNS, FLOOR }, views: { divergence_read } } = call;
        const weight = klWeight(call);
        const open = Array.from({ length: BATCH }, (_, row) => {
            const own = divergence_read.subarray(4 * row * COLUMNS, 4 * (row + 1) * COLUMNS);
            return own.reduce((sum, value) => sum + value, 0) >= FLOOR;
        });
        changePosterior(call, changeByKl(call, (i, row) => (open[row] ? weight(i, row) : 0)));
    },

    gaussian_kl_gradient_capacity(call) {
        const { constants: { COLUMNS, CAPACITY }, views: { average } } = call;
        const total = average.subarray(0, 4 * COLUMNS).reduce((sum, value) => sum + value, 0);
        const side = Math.sign(total - call.number(CAPACITY));
        const weight = klWeight(call);
        changePosterior(call, changeByKl(call, (i, row) => side * weight(i, row)));
    },

    batch_mean({ constants: { COLUMNS }, views: { divergence_read, batch_average }, step }) {
        for (let column = 0; column < 4 * COLUMNS; column++) {
            let sum = 0;
            for (let row = 0; row < step.rows; row++) {
                sum += divergence_read[4 * row * COLUMNS + column];
            }
            batch_average[column] = sum / step.rows;
        }
    },
};
