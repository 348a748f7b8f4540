// Penalties of disentangling objectives: kernels of shaders/total_correlation.wgsl, covariance.wgsl, discrepancy.wgsl,
// permute.wgsl and cross_entropy.wgsl.

import { put } from "./elementwise.js";
import { normalsFromWords } from "./random.js";

const LOG_TWO_PI = Math.log(2 * Math.PI);
const SCALES = [0.1, 0.2, 0.5, 1, 2, 5, 10];

/** log sum exp of term(0) .. term(count - 1). */
function logSumExp(count, term) {
    let largest = -Infinity;
    for (let i = 0; i < count; i++) {
        largest = Math.max(largest, term(i));
    }
    let sum = 0;
    for (let i = 0; i < count; i++) {
        sum += Math.exp(term(i) - largest);
    }
    return largest + Math.log(sum);
}

/** Of pair (j, i) and dimension d: z_jd less the mean, the log-variance, and the log density. */
function pairsOf({ constants: { COLUMNS }, views: { posterior, z } }) {
    const stride = 4 * COLUMNS;
    const away = (j, i, d) => z[j * stride + d] - posterior[2 * i * stride + d];
    const logVariance = (i, d) => posterior[(2 * i + 1) * stride + d];
    const logDensity = (j, i, d) => {
        const v = logVariance(i, d);
        return -0.5 * (LOG_TWO_PI + v + away(j, i, d) ** 2 * Math.exp(-v));
    };
    return { stride, away, logVariance, logDensity };
}

/** log w_ji. */
function pairWeights(call) {
    const { rows } = call.step;
    const images = Math.max(call.number(call.constants.IMAGES), rows);
    const others = Math.max(rows - 1, 1);
    if (rows === 1) {
        return () => 0;
    }
    if (!call.constants.STRATIFIED) {
        return () => -Math.log(images * rows);
    }
    const [own, next, other] = [1 / images, (images - others) / (images * others), 1 / others].map(Math.log);
    return (j, i) => (i === j ? own : i === (j + 1) % rows ? next : other);
}

/** u_j (a - b) of a pair and a dimension. */
function pairShares(call, { logDensity }) {
    const { constants: { BATCH, WIDTH }, views: { joint_used, sums_used, upstream } } = call;
    const logWeight = pairWeights(call);
    return (j, i, d) => {
        const row = j * (WIDTH + 1);
        const a = Math.exp(joint_used[j * BATCH + i] - sums_used[row + WIDTH]);
        const b = Math.exp(logDensity(j, i, d) + logWeight(j, i) - sums_used[row + d]);
        return upstream[j] * (a - b);
    };
}

const correlationKernels = {
    pair_log_densities(call) {
        const { constants: { BATCH, WIDTH }, views: { joint }, step: { rows } } = call;
        const [{ logDensity }, logWeight] = [pairsOf(call), pairWeights(call)];
        for (let j = 0, to = 0; j < BATCH; j++) {
            for (let i = 0; i < BATCH; i++, to++) {
                let sum = 0;
                if (Math.max(i, j) < rows) {
                    for (let d = 0; d < WIDTH; d++) {
                        sum += logDensity(j, i, d);
                    }
                    sum += logWeight(j, i);
                }
                joint[to] = sum;
            }
        }
    },

    pair_log_sums(call) {
        const { constants: { BATCH, WIDTH }, views: { joint_used, sums }, step: { rows } } = call;
        const [{ logDensity }, logWeight] = [pairsOf(call), pairWeights(call)];
        for (let j = 0, to = 0; j < BATCH; j++) {
            for (let d = 0; d <= WIDTH; d++, to++) {
                const term = d === WIDTH
                    ? (i) => joint_used[j * BATCH + i]
                    : (i) => logDensity(j, i, d) + logWeight(j, i);
                sums[to] = j < rows ? logSumExp(rows, term) : 0;
            }
        }
    },

    total_correlation(call) {
        const { constants: { BATCH, WIDTH }, views, step: { rows } } = call;
        const { stride, logDensity } = pairsOf(call);
        for (let j = 0; j < BATCH; j++) {
            let [own, single, prior, all] = [0, 0, 0, 0];
            if (j < rows) {
                for (let d = 0; d < WIDTH; d++) {
                    own += logDensity(j, j, d);
                    single += views.sums_used[j * (WIDTH + 1) + d];
                    prior -= 0.5 * (LOG_TWO_PI + views.z[j * stride + d] ** 2);
                }
                all = views.sums_used[j * (WIDTH + 1) + WIDTH];
            }
            views.information[j] = own - all;
            views.correlation[j] = all - single;
            views.dimensions[j] = single - prior;
        }
    },

    total_correlation_z_gradient(call) {
        const { constants: { BATCH, WIDTH, ACCUMULATE }, views: { z_gradient }, step: { rows } } = call;
        const pairs = pairsOf(call);
        const share = pairShares(call, pairs);
        for (let j = 0, to = 0; j < BATCH; j++) {
            for (let d = 0; d < pairs.stride; d++, to++) {
                let sum = 0;
                for (let i = 0; d < WIDTH && j < rows && i < rows; i++) {
                    sum -= share(j, i, d) * pairs.away(j, i, d) * Math.exp(-pairs.logVariance(i, d));
                }
                put(z_gradient, to, sum, ACCUMULATE);
            }
        }
    },

    total_correlation_posterior_gradient(call) {
        const { constants: { BATCH, WIDTH, ACCUMULATE }, views: { posterior_gradient }, step: { rows } } = call;
        const pairs = pairsOf(call);
        const share = pairShares(call, pairs);
        for (let i = 0; i < BATCH; i++) {
            for (let d = 0; d < pairs.stride; d++) {
                let [mean, logVariance] = [0, 0];
                for (let j = 0; d < WIDTH && i < rows && j < rows; j++) {
                    const inverse = Math.exp(-pairs.logVariance(i, d));
                    const [away, weight] = [pairs.away(j, i, d), share(j, i, d)];
                    mean += weight * away * inverse;
                    logVariance += 0.5 * weight * (away * away * inverse - 1);
                }
                put(posterior_gradient, 2 * i * pairs.stride + d, mean, ACCUMULATE);
                put(posterior_gradient, (2 * i + 1) * pairs.stride + d, logVariance, ACCUMULATE);
            }
        }
    },
};

const covarianceKernels = {
    column_means({ constants: { COLUMNS, WIDTH }, views: { posterior, means }, step: { rows } }) {
        for (let d = 0; d < WIDTH; d++) {
            let sum = 0;
            for (let r = 0; r < rows; r++) {
                sum += posterior[8 * COLUMNS * r + d];
            }
            means[d] = sum / rows;
        }
    },

    covariance({ constants: { COLUMNS, WIDTH, VARIANCES }, views: { posterior, means_used, matrix }, step: { rows } }) {
        for (let a = 0; a < WIDTH; a++) {
            for (let b = 0; b < WIDTH; b++) {
                let sum = 0;
                for (let r = 0; r < rows; r++) {
                    const at = 8 * COLUMNS * r;
                    sum += (posterior[at + a] - means_used[a]) * (posterior[at + b] - means_used[b]);
                    if (VARIANCES && a === b) {
                        sum += Math.exp(posterior[at + 4 * COLUMNS + a]);
                    }
                }
                matrix[a * WIDTH + b] = sum / rows;
            }
        }
    },

    covariance_penalty({ constants: { BATCH, WIDTH, DIAGONAL }, views: { matrix_used, penalty }, step: { rows } }) {
        let sum = 0;
        for (let a = 0; a < WIDTH; a++) {
            for (let b = 0; b < WIDTH; b++) {
                const value = matrix_used[a * WIDTH + b];
                sum += a === b ? DIAGONAL * (value - 1) ** 2 : value ** 2;
            }
        }
        for (let row = 0; row < BATCH; row++) {
            penalty[row] = row < rows ? sum : 0;
        }
    },

    covariance_gradient({ constants, views, step: { rows } }) {
        const { BATCH, COLUMNS, WIDTH, DIAGONAL, VARIANCES, ACCUMULATE } = constants;
        const { posterior, means_used, matrix_used, upstream, posterior_gradient } = views;
        const stride = 4 * COLUMNS;
        const slope = (a, b) => {
            const value = matrix_used[a * WIDTH + b];
            return a === b ? 2 * DIAGONAL * (value - 1) : 2 * value;
        };
        let weight = 0;
        for (let r = 0; r < rows; r++) {
            weight += upstream[r] / rows;
        }
        for (let row = 0; row < BATCH; row++) {
            const at = 2 * row * stride;
            for (let c = 0; c < stride; c++) {
                let [mean, logVariance] = [0, 0];
                if (c < WIDTH && row < rows) {
                    for (let b = 0; b < WIDTH; b++) {
                        mean += 2 * weight * slope(c, b) * (posterior[at + b] - means_used[b]);
                    }
                    logVariance = VARIANCES ? weight * slope(c, c) * Math.exp(posterior[at + stride + c]) : 0;
                }
                put(posterior_gradient, at + c, mean, ACCUMULATE);
                put(posterior_gradient, at + stride + c, logVariance, ACCUMULATE);
            }
        }
    },
};

/** The square of the distance of row r of `from` to row j of `to`. */
function squaredDistance(stride, from, r, to, j) {
    let sum = 0;
    for (let d = 0; d < stride; d++) {
        sum += (from[r * stride + d] - to[j * stride + d]) ** 2;
    }
    return sum;
}

const draw = new Float64Array(4);

const discrepancyKernels = {
    prior_samples(call) {
        const { constants: { BATCH, COLUMNS, WIDTH, STREAM }, views: { prior } } = call;
        for (let i = 0; i < BATCH * COLUMNS; i++) {
            normalsFromWords(call.randomWords(i, STREAM), 0, draw, 0);
            for (let lane = 0; lane < 4; lane++) {
                prior[4 * i + lane] = 4 * (i % COLUMNS) + lane < WIDTH ? draw[lane] : 0;
            }
        }
    },

    kernel_discrepancy({ constants: { BATCH, COLUMNS, WIDTH }, views: { z, prior_used, discrepancy }, step: { rows } }) {
        const stride = 4 * COLUMNS;
        const kernel = (square) => SCALES.reduce((sum, s) => sum + (2 * WIDTH * s) / (2 * WIDTH * s + square), 0);
        for (let row = 0; row < BATCH; row++) {
            let [same, across] = [0, 0];
            for (let j = 0; row < rows && j < rows; j++) {
                if (j !== row) {
                    same += kernel(squaredDistance(stride, z, row, z, j));
                    same += kernel(squaredDistance(stride, prior_used, row, prior_used, j));
                }
                across += kernel(squaredDistance(stride, z, row, prior_used, j));
            }
            discrepancy[row] = same / Math.max(rows - 1, 1) - (2 * across) / rows;
        }
    },

    kernel_discrepancy_gradient({ constants, views, step: { rows } }) {
        const { BATCH, COLUMNS, WIDTH, ACCUMULATE } = constants;
        const { z, prior_used, upstream, z_gradient } = views;
        const stride = 4 * COLUMNS;
        const slope = (square) => -SCALES.reduce((sum, s) => sum + (2 * WIDTH * s) / (2 * WIDTH * s + square) ** 2, 0);
        for (let row = 0; row < BATCH; row++) {
            for (let d = 0; !ACCUMULATE && d < stride; d++) {
                z_gradient[row * stride + d] = 0;
            }
            for (let j = 0; row < rows && j < rows; j++) {
                const near = slope(squaredDistance(stride, z, row, z, j));
                const same = (2 * (upstream[row] + upstream[j]) * near) / Math.max(rows - 1, 1);
                const across = (4 * upstream[row] * slope(squaredDistance(stride, z, row, prior_used, j))) / rows;
                for (let d = 0; d < stride; d++) {
                    const own = z[row * stride + d];
                    z_gradient[row * stride + d] +=
                        same * (own - z[j * stride + d]) - across * (own - prior_used[j * stride + d]);
                }
            }
        }
    },
};

/** log sum exp of the logits of a row. */
function logSumOfRow({ constants: { COLUMNS, WIDTH }, views: { logits } }, row) {
    return logSumExp(WIDTH, (k) => logits[4 * COLUMNS * row + k]);
}

const classKernels = {
    permute_columns(call) {
        const { constants: { BATCH, COLUMNS, WIDTH, STREAM }, views: { input, output }, step: { rows } } = call;
        output.fill(0, 0, 4 * BATCH * COLUMNS);
        for (let column = 0; column < COLUMNS; column++) {
            const words = Array.from({ length: rows }, (_, row) => [...call.randomWords(row * COLUMNS + column, STREAM)]);
            for (let lane = 0; lane < 4 && 4 * column + lane < WIDTH; lane++) {
                const order = words.map((_, row) => row);
                order.sort((a, b) => words[a][lane] - words[b][lane] || a - b);
                order.forEach((row, rank) => {
                    output[4 * (rank * COLUMNS + column) + lane] = input[4 * (row * COLUMNS + column) + lane];
                });
            }
        }
    },

    cross_entropy(call) {
        const { constants: { BATCH, COLUMNS, CLASS }, views: { logits, loss }, step: { rows } } = call;
        for (let row = 0; row < BATCH; row++) {
            loss[row] = row < rows ? logSumOfRow(call, row) - logits[4 * COLUMNS * row + CLASS] : 0;
        }
    },

    cross_entropy_gradient(call) {
        const { BATCH, COLUMNS, WIDTH, CLASS, ACCUMULATE } = call.constants;
        const { logits, upstream, logits_gradient } = call.views;
        for (let row = 0; row < BATCH; row++) {
            const all = logSumOfRow(call, row);
            for (let k = 0, at = 4 * COLUMNS * row; k < 4 * COLUMNS; k++, at++) {
                const counts = k < WIDTH && row < call.step.rows;
                const value = counts ? upstream[row] * (Math.exp(logits[at] - all) - (k === CLASS ? 1 : 0)) : 0;
                put(logits_gradient, at, value, ACCUMULATE);
            }
        }
    },

    contrast({ constants: { BATCH, COLUMNS }, views: { logits, difference }, step: { rows } }) {
        for (let row = 0, at = 0; row < BATCH; row++, at += 4 * COLUMNS) {
            difference[row] = row < rows ? logits[at] - logits[at + 1] : 0;
        }
    },

    contrast_gradient({ constants: { BATCH, COLUMNS, ACCUMULATE }, views: { upstream, logits_gradient }, step: { rows } }) {
        for (let row = 0; row < BATCH; row++) {
            const own = row < rows ? upstream[row] : 0;
            for (let k = 0; k < 4 * COLUMNS; k++) {
                put(logits_gradient, 4 * COLUMNS * row + k, k === 0 ? own : k === 1 ? -own : 0, ACCUMULATE);
            }
        }
    },
};

export const penaltyKernels = { ...correlationKernels, ...covarianceKernels, ...discrepancyKernels, ...classKernels };
