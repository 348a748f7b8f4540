// Activation functions and their derivatives (shaders/shared/activation.wgsl), and the kernels of
// shaders/activation.wgsl.

/** Activations that simd.wasm knows: all before GELU. */
const SIMD_KINDS = 8;

export function sigmoid(x) {
    const e = Math.exp(-Math.abs(x));
    return (x >= 0 ? 1 : e) / (1 + e);
}

/** The square root of the sigmoid, which is not 0 before exp(x / 2) is. */
export function sigmoidRoot(x) {
    return Math.exp(0.5 * Math.min(x, 0)) / Math.sqrt(1 + Math.exp(-Math.abs(x)));
}

/** log(1 + exp(x)) without overflow. */
export function softplus(x) {
    return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

/**
 * The probability that a standard normal number is below x: Press et al., "Numerical Recipes in C" (1992), section
 * 6.2.
 */
function normalDistribution(x) {
    const z = Math.abs(x) * Math.SQRT1_2;
    const t = 1 / (1 + 0.5 * z);
    const coefficients = [
        0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368,
    ];
    const series = coefficients.reduce((sum, c) => sum * t + c, 0);
    const tail = 0.5 * t * Math.exp(series * t - 1.26551223 - z * z);
    return x > 0 ? 1 - tail : tail;
}

/** By the numbers of the WGSL: identity, tanh, ReLU, leaky ReLU, ELU, softplus, sigmoid, SiLU, GELU, leaky ReLU of slope 0.2. */
const FUNCTIONS = [
    (x) => x,
    Math.tanh,
    (x) => Math.max(x, 0),
    (x) => Math.max(x, 0.01 * x),
    (x) => (x > 0 ? x : Math.expm1(x)),
    softplus,
    sigmoid,
    (x) => x * sigmoid(x),
    (x) => x * normalDistribution(x),
    (x) => Math.max(x, 0.2 * x),
];

/** Derivatives from the function's value; of SiLU and GELU from its argument. */
const DERIVATIVES = [
    () => 1,
    (y) => 1 - y * y,
    (y) => (y > 0 ? 1 : 0),
    (y) => (y > 0 ? 1 : 0.01),
    (y) => (y > 0 ? 1 : y + 1),
    (y) => -Math.expm1(-y),
    (y) => y * (1 - y),
    (y) => {
        const s = sigmoid(y);
        return s * (1 + y * (1 - s));
    },
    (y) => normalDistribution(y) + y * Math.exp(-0.5 * y * y) * 0.39894228,
    (y) => (y > 0 ? 1 : 0.2),
];

/** @param {number} kind @returns {(x: number) => number} the activation of this number */
export function activationFunction(kind) {
    return FUNCTIONS[kind];
}

/** @returns {(y: number) => number} its derivative from its value, of SiLU and GELU from its argument */
export function activationDerivative(kind) {
    return DERIVATIVES[kind];
}

/** @returns {(x: number) => number} its derivative from the argument */
export function activationSlope(kind) {
    return kind === 7 || kind === 8 ? DERIVATIVES[kind] : (x) => DERIVATIVES[kind](FUNCTIONS[kind](x));
}

/**
 * output = activation(input + bias), with zeros in the padding of each section of a row.
 * @param {object} call of a kernel whose constants are ACTIVATION, COLUMNS, SECTION (both in vec4) and WIDTH
 * @param {Float32Array} input rows of 4 * COLUMNS; may be the output
 * @param {Float32Array|null} bias [4 * COLUMNS]
 */
export function finishRows({ simd, constants }, input, output, bias) {
    const [columns, section] = [4 * constants.COLUMNS, 4 * constants.SECTION];
    if (simd) {
        const kind = constants.ACTIVATION < SIMD_KINDS ? constants.ACTIVATION : 0;
        const start = bias ? bias.byteOffset : 0;
        simd.finish(input.byteOffset, output.byteOffset, output.length, start, columns, kind);
        if (kind !== constants.ACTIVATION) {
            applyTo(output, constants.ACTIVATION);
        }
    } else {
        const activation = FUNCTIONS[constants.ACTIVATION];
        for (let row = 0; row < output.length; row += columns) {
            for (let column = 0; column < columns; column++) {
                output[row + column] = activation(input[row + column] + (bias ? bias[column] : 0));
            }
        }
    }
    clearPadding(output, section, constants.WIDTH);
}

function applyTo(values, kind) {
    const activation = FUNCTIONS[kind];
    for (let i = 0; i < values.length; i++) {
        values[i] = activation(values[i]);
    }
}

/** Zeros behind the first `width` numbers of each section. */
export function clearPadding(values, section, width) {
    if (width < section) {
        for (let start = 0; start < values.length; start += section) {
            values.fill(0, start + width, start + section);
        }
    }
}

/** output = input * activation'(saved), or added to it. */
export function multiplyDerivative({ simd, constants }, input, saved, output) {
    const { ACTIVATION, ACCUMULATE } = constants;
    if (simd && ACTIVATION < SIMD_KINDS) {
        const [from, by, to] = [input.byteOffset, saved.byteOffset, output.byteOffset];
        simd.slope(from, by, to, output.length, ACTIVATION, ACCUMULATE);
        return;
    }
    const derivative = DERIVATIVES[ACTIVATION];
    for (let i = 0; i < output.length; i++) {
        const value = input[i] * derivative(saved[i]);
        output[i] = ACCUMULATE ? output[i] + value : value;
    }
}

export const activationKernels = {
    activate(call) {
        const { ROWS, COLUMNS } = call.constants;
        const { input, output } = call.views;
        finishRows(call, input, output.subarray(0, 4 * call.rowsInStep(ROWS) * COLUMNS), null);
    },

    activate_gradient(call) {
        const { ROWS, COLUMNS } = call.constants;
        const { input, saved, output } = call.views;
        multiplyDerivative(call, input, saved, output.subarray(0, 4 * ROWS * COLUMNS));
    },
};
