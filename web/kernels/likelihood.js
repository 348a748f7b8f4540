// Negative log-likelihoods of images and their gradients: kernels of shaders/likelihood/*.wgsl.
//
// A likelihood has a function terms(output, second, x) for one pixel: the decoder's output, that of its second section
// where it has two, and the pixel. It leaves -log p(x) and its derivatives in `term`.

import { activationDerivative, activationFunction, sigmoid, sigmoidRoot, softplus } from "./activation.js";
import { CHUNK } from "./sums.js";

const LOG_OF_TWO_PI = Math.log(2 * Math.PI);
const HALF_LEVEL = 1 / 510;
/** Below which series take the place of formulas that lose digits. */
const NEAR = 0.5;
/** Constants of the WGSL: smallest log-scale and log-variance, and where products leave the range of f32. */
const SCALE_FLOOR = -7;
const VARIANCE_FLOOR_LOG = Math.fround(-11.082527);
const FAR = 1e10;

/**
 * What a likelihood's function found: -log p, and its derivatives by both outputs and by the likelihood's parameter.
 */
const term = { value: 0, first: 0, second: 0, parameter: 0 };

function polynomial(t, coefficients) {
    return coefficients.reduceRight((sum, c) => sum * t + c, 0);
}

function bernoulliTerms(s, _, x) {
    const e = Math.exp(-Math.abs(s));
    term.value = Math.max(s, 0) + Math.log1p(e) - s * x;
    term.first = (s >= 0 ? 1 : e) / (1 + e) - x;
}

const LOG_NORMALISER = [
    Math.LN2, 1 / 12, -7 / 1440, 31 / 90720, -127 / 4838400, 73 / 34214400, -1414477 / 7846046208000,
];
const NORMALISER_SLOPE = [
    1 / 6, -7 / 360, 31 / 15120, -127 / 604800, 73 / 3421440, -1414477 / 653837184000,
];

/** log C(s), C(s) = s / tanh(s / 2). */
function logNormaliser(s) {
    if (Math.abs(s) < NEAR) {
        return polynomial(s * s, LOG_NORMALISER);
    }
    const e = Math.exp(-Math.abs(s));
    return Math.log(Math.abs(s)) + Math.log1p(e) - Math.log1p(-e);
}

/** Its derivative. */
function logNormaliserSlope(s) {
    return Math.abs(s) < NEAR ? s * polynomial(s * s, NORMALISER_SLOPE) : 1 / s - 1 / Math.sinh(s);
}

function continuousBernoulliTerms(s, _, x) {
    term.value = softplus(s) - s * x - logNormaliser(s);
    term.first = sigmoid(s) - logNormaliserSlope(s) - x;
}

/** Terms of a Gaussian of mean `mean` and log-variance `v`; `first` is the derivative by the mean. */
function gaussianTerms(mean, x, v) {
    const d = mean - x;
    const inverseDeviation = Math.exp(-0.5 * v);
    const scaled = d * inverseDeviation;
    term.value = 0.5 * (v + LOG_OF_TWO_PI + scaled * scaled);
    term.first = scaled * inverseDeviation;
    term.parameter = 0.5 * (1 - scaled * scaled);
}

function gaussianLikelihood({ MEAN_ACTIVATION }, v) {
    const [activation, derivative] = [activationFunction(MEAN_ACTIVATION), activationDerivative(MEAN_ACTIVATION)];
    return (output, _, x) => {
        const mean = activation(output);
        gaussianTerms(mean, x, v);
        term.first *= derivative(mean);
    };
}

function gaussianLearnedLikelihood({ MEAN_ACTIVATION }) {
    const [activation, derivative] = [activationFunction(MEAN_ACTIVATION), activationDerivative(MEAN_ACTIVATION)];
    return (output, second, x) => {
        const mean = activation(output);
        const raw = second - VARIANCE_FLOOR_LOG;
        const v = VARIANCE_FLOOR_LOG + softplus(raw);
        gaussianTerms(mean, x, v);
        term.first *= derivative(mean);
        term.second = term.parameter * sigmoid(raw);
        if (term.parameter < -FAR) {
            // One factor may be infinite and the other 0, and the product neither.
            const root = (mean - x) * Math.exp(-0.5 * v) * sigmoidRoot(raw);
            term.second = -0.5 * root * root;
        }
    };
}

function laplaceLikelihood({ MEAN_ACTIVATION, SCALE }) {
    const [activation, derivative] = [activationFunction(MEAN_ACTIVATION), activationDerivative(MEAN_ACTIVATION)];
    const level = Math.log(2 * SCALE);
    return (output, _, x) => {
        const mean = activation(output);
        term.value = Math.abs(mean - x) / SCALE + level;
        term.first = (Math.sign(mean - x) / SCALE) * derivative(mean);
    };
}

/** log(1 - exp(-d)) for d > 0, given log d. */
function logOneMinusExp(d, logD) {
    if (d < NEAR) {
        return logD - 0.5 * d + d * d * polynomial(d * d, [1 / 24, -1 / 2880, 1 / 181440, -1 / 9676800]);
    }
    return Math.log1p(-Math.exp(-d));
}

/** p x for a share p that falls to 0 as x grows to infinity. */
function shareOf(p, x) {
    return p === 0 ? 0 : p * x;
}

function discretizedLogisticLikelihood({ MEAN_ACTIVATION }) {
    const [activation, derivative] = [activationFunction(MEAN_ACTIVATION), activationDerivative(MEAN_ACTIVATION)];
    return (output, second, x) => {
        const mean = activation(output);
        const raw = second - SCALE_FLOOR;
        const logScale = SCALE_FLOOR + softplus(raw);
        const inverse = Math.exp(-logScale);
        const [upper, lower] = [x - mean + HALF_LEVEL, x - mean - HALF_LEVEL];
        const root = Math.exp(-0.5 * logScale);
        const [a, b] = [upper * root * root, lower * root * root];
        const d = 2 * HALF_LEVEL * inverse;
        // The lowest level has all below it, the highest all above it.
        const [above, below] = [x < 1 - HALF_LEVEL, x > HALF_LEVEL];
        const p = above ? sigmoid(-a) : 0;
        const q = below ? sigmoid(b) : 0;
        term.value = (above ? softplus(-a) : 0) + (below ? softplus(b) : 0);
        let slope = 0;
        if (above && below) {
            term.value -= logOneMinusExp(d, Math.log(2 * HALF_LEVEL) - logScale);
            slope = d < 1e-5 ? 1 - 0.5 * d : d / Math.expm1(d);
        }
        term.first = (p - q) * inverse * derivative(mean);
        // a and b may be infinite and the sigmoid 0, and the product neither.
        const factor = root * sigmoidRoot(raw);
        const edges = shareOf(p, upper * factor * factor) - shareOf(q, lower * factor * factor);
        term.second = edges + slope * sigmoid(raw);
    };
}

/**
 * Values of chunks and gradients, whichever are bound.
 * @param {number} sections numbers that the decoder gives for a pixel
 */
function pixelTerms(call, sections, likelihood) {
    const { constants: { BATCH, SAMPLES, COLUMNS, WIDTH }, views, step } = call;
    const { decoded, images, value, decoded_gradient, log_variance_terms } = views;
    const columns = 4 * COLUMNS;
    const chunks = Math.ceil(columns / CHUNK);
    const scale = 1 / (SAMPLES * step.rows);
    for (let row = 0; row < SAMPLES * BATCH; row++) {
        const start = row * sections * columns;
        const image = row % BATCH;
        const counts = image < step.rows;
        for (let chunk = 0; chunk < chunks; chunk++) {
            let [sum, parameter] = [0, 0];
            const end = Math.min((chunk + 1) * CHUNK, columns);
            for (let column = chunk * CHUNK; column < end; column++) {
                const at = start + column;
                const real = counts && column < WIDTH;
                if (real) {
                    const second = sections === 2 ? decoded[at + columns] : 0;
                    likelihood(decoded[at], second, images[image * columns + column]);
                    sum += term.value;
                    parameter += term.parameter;
                }
                if (decoded_gradient) {
                    decoded_gradient[at] = real ? term.first * scale : 0;
                    if (sections === 2) {
                        decoded_gradient[at + columns] = real ? term.second * scale : 0;
                    }
                }
            }
            if (value) {
                value[row * chunks + chunk] = sum;
            }
            if (log_variance_terms) {
                log_variance_terms[row * chunks + chunk] = parameter * scale;
            }
        }
    }
}

function bernoulliRows(call) {
    const { constants: { BATCH, SAMPLES, COLUMNS, WIDTH }, views, step, simd } = call;
    if (!simd) {
        pixelTerms(call, 1, bernoulliTerms);
        return;
    }
    const { decoded, images, value, decoded_gradient } = views;
    const columns = 4 * COLUMNS;
    const chunks = Math.ceil(columns / CHUNK);
    const scale = 1 / (SAMPLES * step.rows);
    for (let row = 0; row < SAMPLES * BATCH; row++) {
        const image = row % BATCH;
        if (image < step.rows) {
            simd.bernoulli(
                decoded.byteOffset + 4 * row * columns, images.byteOffset + 4 * image * columns, columns, WIDTH, scale,
                value ? value.byteOffset + 4 * row * chunks : 0,
                decoded_gradient ? decoded_gradient.byteOffset + 4 * row * columns : 0,
            );
        } else {
            value?.fill(0, row * chunks, (row + 1) * chunks);
            decoded_gradient?.fill(0, row * columns, (row + 1) * columns);
        }
    }
}

/** Of each likelihood a function of the call, which writes what its kernel binds. */
const LIKELIHOODS = {
    bernoulli: bernoulliRows,
    continuous_bernoulli: (call) => pixelTerms(call, 1, continuousBernoulliTerms),
    gaussian: (call) => pixelTerms(call, 1, gaussianLikelihood(call.constants, call.constants.LOG_VARIANCE)),
    gaussian_optimal: (call) => pixelTerms(call, 1, gaussianLikelihood(call.constants, call.views.log_variance[0])),
    gaussian_shared: (call) => pixelTerms(call, 1, gaussianLikelihood(call.constants, call.views.log_variance[0])),
    gaussian_learned: (call) => pixelTerms(call, 2, gaussianLearnedLikelihood(call.constants)),
    laplace: (call) => pixelTerms(call, 1, laplaceLikelihood(call.constants)),
    discretized_logistic: (call) => pixelTerms(call, 2, discretizedLogisticLikelihood(call.constants)),
};

const meanKernels = {
    continuous_bernoulli_mean({ constants: { BATCH, SAMPLES, COLUMNS, WIDTH }, views: { decoded, expected } }) {
        for (let i = 0; i < 4 * SAMPLES * BATCH * COLUMNS; i++) {
            const s = decoded[i];
            expected[i] = i % (4 * COLUMNS) < WIDTH ? sigmoid(s) - logNormaliserSlope(s) : 0;
        }
    },
};

/** A likelihood's kernels for the value, the gradient and both are one: it writes what is bound. */
export const likelihoodKernels = Object.fromEntries([
    ...Object.entries(meanKernels),
    ...Object.entries(LIKELIHOODS).flatMap(([name, kernel]) => {
        return ["", "_gradient", "_with_gradient"].map((suffix) => [name + suffix, kernel]);
    }),
]);
