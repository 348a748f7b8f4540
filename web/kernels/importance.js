// Objectives over samples of the posterior: importance weights and bounds, the KL divergence estimated from samples,
// and what holds it back. Kernels of shaders/importance.wgsl, sampled_kl.wgsl and gate.wgsl.
//
// Row l * BATCH + r belongs to sample l of image r.

import { put } from "./elementwise.js";
import { sumOf } from "./sums.js";

const LOWEST = Math.fround(-3.4e38);

const weightKernels = {
    log_weights(call) {
        const { BATCH, SAMPLES, CHUNKS, BETA } = call.constants;
        const { likelihood_terms, divergence_read, log_weight } = call.views;
        const beta = call.number(BETA);
        for (let row = 0; row < SAMPLES * BATCH; row++) {
            const terms = likelihood_terms.subarray(row * CHUNKS, (row + 1) * CHUNKS);
            log_weight[row] = -sumOf(terms, CHUNKS) - beta * divergence_read[row];
        }
    },

    log_weights_gradient(call) {
        const { ROWS, CHUNKS, BETA } = call.constants;
        const { upstream, terms_gradient, divergence_gradient } = call.views;
        const beta = call.number(BETA);
        for (let row = 0; row < ROWS; row++) {
            terms_gradient.fill(-upstream[row], row * CHUNKS, (row + 1) * CHUNKS);
            divergence_gradient[row] = -beta * upstream[row];
        }
    },

    importance_weights({ constants: { BATCH, SAMPLES, UNIFORM }, views, step }) {
        const { log_weight_read, weights, bound } = views;
        for (let image = 0; image < BATCH; image++) {
            let [largest, mean, total] = [LOWEST, 0, 0];
            const places = Array.from({ length: SAMPLES }, (_, l) => l * BATCH + image);
            for (const i of places) {
                largest = Math.max(largest, log_weight_read[i]);
                mean += log_weight_read[i] / SAMPLES;
            }
            for (const i of places) {
                total += Math.exp(log_weight_read[i] - largest);
            }
            const counts = image < step.rows;
            for (const i of places) {
                const share = UNIFORM ? 1 / SAMPLES : Math.exp(log_weight_read[i] - largest) / total;
                weights[i] = counts ? share / step.rows : 0;
            }
            const value = UNIFORM ? -mean : Math.log(SAMPLES) - largest - Math.log(total);
            bound[image] = counts ? value : 0;
        }
    },

    importance_gradient(call) {
        const { constants: { BATCH, SAMPLES, GIVEN, WEIGHT, NUMBER }, views, step } = call;
        const { upstream, weights_read, log_weight_gradient } = views;
        const weight = WEIGHT * call.number(NUMBER);
        for (let row = 0; row < SAMPLES * BATCH; row++) {
            const share = GIVEN ? upstream[row % BATCH] * step.rows : weight;
            log_weight_gradient[row] = -share * weights_read[row];
        }
    },

    weigh_chunks({ constants: { LENGTH, ROW, SECTION, CHUNK, CHUNKS, FACTOR }, views: { upstream, values }, step }) {
        for (let i = 0; i < LENGTH; i++) {
            const term = Math.floor(i / ROW) * CHUNKS + Math.floor(((i % ROW) % SECTION) / CHUNK);
            values[i] *= upstream[term] * FACTOR * step.rows;
        }
    },

    doubly_reparametrize(call) {
        const { constants: { BATCH, SAMPLES, COLUMNS, POSTERIOR_ROWS, BETA }, views, step } = call;
        const { posterior, noise, weights_read, z_gradient } = views;
        const [width, beta] = [4 * COLUMNS, call.number(BETA)];
        for (let row = 0, i = 0; row < SAMPLES * BATCH; row++) {
            const weight = beta * weights_read[row];
            const logVariances = ((row % POSTERIOR_ROWS) * 2 + 1) * width;
            for (let column = 0; column < width; column++, i++) {
                const path = z_gradient[i] - weight * noise[i] * Math.exp(-0.5 * posterior[logVariances + column]);
                z_gradient[i] = path * (1 - beta + weight * step.rows);
            }
        }
    },

    begin_log_sum({ constants: { BATCH }, views: { running } }) {
        for (let image = 0; image < BATCH; image++) {
            running.set([LOWEST, 0, 0, 0], 4 * image);
        }
    },

    add_to_log_sum({ constants: { BATCH, SAMPLES }, views: { log_weight_read, running } }) {
        for (let image = 0; image < BATCH; image++) {
            const at = 4 * image;
            let largest = running[at];
            for (let l = 0; l < SAMPLES; l++) {
                largest = Math.max(largest, log_weight_read[l * BATCH + image]);
            }
            const shrink = Math.exp(running[at] - largest);
            let [total, squares, logs] = [running[at + 1] * shrink, running[at + 2] * shrink * shrink, running[at + 3]];
            for (let l = 0; l < SAMPLES; l++) {
                const logWeight = log_weight_read[l * BATCH + image];
                const weight = Math.exp(logWeight - largest);
                total += weight;
                squares += weight * weight;
                logs += logWeight;
            }
            running.set([largest, total, squares, logs], at);
        }
    },
};

/** The divergence of dimension `column` of row `row`. */
function divergenceAt({ constants: { COLUMNS, POSTERIOR_ROWS, PRIOR }, views }, row, column) {
    const { posterior, prior, z, noise } = views;
    const width = 4 * COLUMNS;
    const logVariance = posterior[((row % POSTERIOR_ROWS) * 2 + 1) * width + column];
    const at = row * width + column;
    if (PRIOR) {
        const priorLogVariance = prior[(2 * row + 1) * width + column];
        const away = z[at] - prior[2 * row * width + column];
        return 0.5 * (priorLogVariance - logVariance - noise[at] ** 2 + away * away * Math.exp(-priorLogVariance));
    }
    return 0.5 * (z[at] * z[at] - logVariance - noise[at] ** 2);
}

/** The gradient of the divergence of each dimension. */
function shareOfDimension({ constants: { BATCH, GATED }, views: { upstream, gate }, step }, row, column) {
    if (row % BATCH >= step.rows) {
        return 0;
    }
    return GATED ? upstream[row] * gate[column] : upstream[row];
}

/** Run `work(row, column, i)` for each number of the rows of `z`. */
function eachLatent({ constants: { BATCH, SAMPLES, COLUMNS } }, work) {
    for (let row = 0, i = 0; row < SAMPLES * BATCH; row++) {
        for (let column = 0; column < 4 * COLUMNS; column++, i++) {
            work(row, column, i);
        }
    }
}

const sampledKlKernels = {
    sampled_kl(call) {
        const { constants: { BATCH, SAMPLES, COLUMNS, BEFORE }, views: { before, divergence }, step } = call;
        for (let row = 0; row < SAMPLES * BATCH; row++) {
            let total = BEFORE ? before[row] : 0;
            for (let column = 0; row % BATCH < step.rows && column < 4 * COLUMNS; column++) {
                total += divergenceAt(call, row, column);
            }
            divergence[row] = total;
        }
    },

    sampled_kl_dimensions(call) {
        const { constants: { BATCH }, views: { dimensions }, step } = call;
        eachLatent(call, (row, column, i) => {
            dimensions[i] = row % BATCH < step.rows ? divergenceAt(call, row, column) : 0;
        });
    },

    sampled_kl_gradient(call) {
        const { constants: { ACCUMULATE }, views: { z, z_gradient } } = call;
        eachLatent(call, (row, column, i) => {
            put(z_gradient, i, shareOfDimension(call, row, column) * z[i], ACCUMULATE);
        });
    },

    sampled_kl_prior_gradient(call) {
        const { constants: { COLUMNS, WIDTH, ACCUMULATE }, views: { z, prior, z_gradient, prior_gradient } } = call;
        eachLatent(call, (row, column, i) => {
            const at = i + 4 * row * COLUMNS;
            const weight = shareOfDimension(call, row, column);
            const away = z[i] - prior[at];
            const slope = away * Math.exp(-prior[at + 4 * COLUMNS]);
            put(z_gradient, i, weight * slope, ACCUMULATE);
            prior_gradient[at] = -weight * slope;
            prior_gradient[at + 4 * COLUMNS] = column < WIDTH ? 0.5 * weight * (1 - away * slope) : 0;
        });
    },

    sampled_kl_posterior_gradient({ constants, views: { upstream, gate, posterior_gradient }, step }) {
        const { BATCH, SAMPLES, COLUMNS, WIDTH, POSTERIOR_ROWS, GATED, ACCUMULATE } = constants;
        const width = 4 * COLUMNS;
        for (let first = 0; first < POSTERIOR_ROWS; first++) {
            let total = 0;
            for (let row = first; row < SAMPLES * BATCH; row += POSTERIOR_ROWS) {
                total += row % BATCH < step.rows ? upstream[row] : 0;
            }
            for (let column = 0; column < width; column++) {
                const at = 2 * first * width + column;
                const change = column < WIDTH ? -0.5 * total * (GATED ? gate[column] : 1) : 0;
                put(posterior_gradient, at, 0, ACCUMULATE);
                put(posterior_gradient, at + width, change, ACCUMULATE);
            }
        }
    },
};

const gateKernels = {
    free_bits_gate({ constants: { SAMPLES, ROWS, COLUMNS, FREE_BITS }, views: { dimensions, gate }, step }) {
        for (let column = 0; column < 4 * COLUMNS; column++) {
            let total = 0;
            for (let row = 0; row < ROWS; row++) {
                total += dimensions[4 * row * COLUMNS + column];
            }
            gate[column] = total / (SAMPLES * step.rows) > FREE_BITS ? 1 : 0;
        }
    },

    floor_gradient({ constants: { SAMPLES, BATCH, FLOOR }, views }) {
        const { divergence_read, upstream, divergence_gradient } = views;
        for (let row = 0; row < SAMPLES * BATCH; row++) {
            let total = 0;
            for (let other = row % BATCH; other < SAMPLES * BATCH; other += BATCH) {
                total += divergence_read[other];
            }
            divergence_gradient[row] = total / SAMPLES >= FLOOR ? upstream[row] : 0;
        }
    },

    capacity_gradient(call) {
        const { constants: { SAMPLES, ROWS, CAPACITY }, views, step } = call;
        const { divergence_read, upstream, divergence_gradient } = views;
        const side = Math.sign(sumOf(divergence_read, ROWS) / (SAMPLES * step.rows) - call.number(CAPACITY));
        for (let row = 0; row < ROWS; row++) {
            divergence_gradient[row] = side * upstream[row];
        }
    },
};

export const importanceKernels = { ...weightKernels, ...sampledKlKernels, ...gateKernels };
