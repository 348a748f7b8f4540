// Kernels that compute each number from those in the same place: shaders/accumulate.wgsl, affine.wgsl, clamp.wgsl,
// dropout.wgsl, mask.wgsl, noncentred.wgsl, reshape.wgsl and residual.wgsl.

/** values[i] = value, or added to it. */
export function put(values, i, value, accumulate) {
    values[i] = accumulate ? values[i] + value : value;
}

/** target[i] = value(i) for the first `length` numbers, or added to it where the kernel accumulates. */
function fillWith({ constants: { ACCUMULATE } }, target, length, value) {
    for (let i = 0; i < length; i++) {
        target[i] = ACCUMULATE ? target[i] + value(i) : value(i);
    }
}

/** The row of parameters or gates that number `i` of maps of 4 * COLUMNS columns belongs to. */
function itemPlace({ SPACE, COLUMNS }, i) {
    const width = 4 * COLUMNS;
    return Math.floor(i / (SPACE * width)) * width + (i % width);
}

/** Whether number `i` of rows of sections is no padding. */
function isReal(i, section, width) {
    return i % section < width;
}

const accumulateKernels = {
    accumulate(call) {
        const { constants: { LENGTH, SECTION, WIDTH }, views: { part, total } } = call;
        fillWith(call, total, LENGTH, (i) => (isReal(i, SECTION, WIDTH) ? part[i] : 0));
    },

    seed(call) {
        const { constants: { LENGTH, SECTION, WIDTH, SAMPLES, WEIGHT, NUMBER }, views: { total }, step } = call;
        const weight = (WEIGHT * call.number(NUMBER)) / (SAMPLES * step.rows);
        fillWith(call, total, LENGTH, (i) => (isReal(i, SECTION, WIDTH) ? weight : 0));
    },

    update_state({ constants: { LENGTH, SECTION, WIDTH, RATE }, views: { part, total } }) {
        for (let i = 0; i < LENGTH; i++) {
            if (isReal(i, SECTION, WIDTH)) {
                total[i] = RATE === 1 ? part[i] : total[i] + RATE * (part[i] - total[i]);
            }
        }
    },
};

const simpleKernels = {
    affine({ constants: { ROWS, COLUMNS, SECTION, WIDTH, SCALE, SHIFT }, views: { x, y } }) {
        for (let i = 0; i < 4 * ROWS * COLUMNS; i++) {
            y[i] = isReal(i % (4 * COLUMNS), 4 * SECTION, WIDTH) ? SCALE * x[i] + SHIFT : 0;
        }
    },

    clamp_values({ constants: { LENGTH, SECTION, WIDTH, LOW, HIGH }, views: { input, output } }) {
        for (let i = 0; i < 4 * LENGTH; i++) {
            output[i] = isReal(i, 4 * SECTION, WIDTH) ? Math.min(Math.max(input[i], LOW), HIGH) : 0;
        }
    },

    clamp_gradient(call) {
        const { constants: { LENGTH, LOW, HIGH }, views: { input, saved, output } } = call;
        fillWith(call, output, 4 * LENGTH, (i) => (saved[i] >= LOW && saved[i] <= HIGH ? input[i] : 0));
    },

    drop_values(call) {
        const { constants: { LENGTH, THRESHOLD, SCALE, STREAM, ACCUMULATE }, views: { input, output } } = call;
        for (let i = 0; i < LENGTH; i++) {
            const words = call.randomWords(i, STREAM);
            for (let lane = 0; lane < 4; lane++) {
                const at = 4 * i + lane;
                put(output, at, words[lane] >= THRESHOLD ? SCALE * input[at] : 0, ACCUMULATE);
            }
        }
    },

    apply_mask(call) {
        const { constants: { LENGTH }, views: { input, mask, output } } = call;
        fillWith(call, output, 4 * LENGTH, (i) => input[i] * mask[i]);
    },
};

const noncentredKernels = {
    take_columns({ constants: { ROWS, WIDTH, PART, WHOLE, FROM }, views: { whole, part } }) {
        for (let i = 0; i < ROWS * PART; i++) {
            const column = i % PART;
            part[i] = column < WIDTH ? whole[((i - column) / PART) * WHOLE + FROM + column] : 0;
        }
    },

    take_columns_gradient(call) {
        const { constants: { ROWS, WIDTH, PART, WHOLE, FROM }, views: { part_gradient, whole_gradient } } = call;
        fillWith(call, whole_gradient, ROWS * WHOLE, (i) => {
            const column = (i % WHOLE) - FROM;
            return column >= 0 && column < WIDTH ? part_gradient[Math.floor(i / WHOLE) * PART + column] : 0;
        });
    },

    conditional_sample({ constants: { ROWS, COLUMNS }, views: { prior, noise, z } }) {
        const width = 4 * COLUMNS;
        for (let i = 0; i < ROWS * width; i++) {
            // In the padding all of these are 0.
            const at = i + Math.floor(i / width) * width;
            z[i] = prior[at] + Math.exp(0.5 * prior[at + width]) * noise[i];
        }
    },

    conditional_sample_gradient({ constants: { ROWS, COLUMNS }, views }) {
        const { prior, noise, z_gradient, noise_gradient, prior_gradient } = views;
        const width = 4 * COLUMNS;
        for (let i = 0; i < ROWS * width; i++) {
            const at = i + Math.floor(i / width) * width;
            const ofNoise = Math.exp(0.5 * prior[at + width]) * z_gradient[i];
            noise_gradient[i] = ofNoise;
            prior_gradient[at] = z_gradient[i];
            prior_gradient[at + width] = 0.5 * noise[i] * ofNoise;
        }
    },
};

const reshapeKernels = {
    put_columns({ constants: { ROWS, WIDTH, PART, WHOLE, FROM, COVER }, views: { part, whole } }) {
        for (let row = 0; row < ROWS; row++) {
            for (let column = 0; column < COVER; column++) {
                whole[row * WHOLE + FROM + column] = column < WIDTH ? part[row * PART + column] : 0;
            }
        }
    },

    repack(call) {
        const { constants: { ROWS, WIDTH, INPUT_WIDTH, INPUT_STRIDE, STRIDE }, views: { input, output } } = call;
        fillWith(call, output, ROWS * STRIDE, (i) => {
            const column = i % STRIDE;
            const element = ((i - column) / STRIDE) * WIDTH + column;
            const from = element % INPUT_WIDTH;
            return column < WIDTH ? input[((element - from) / INPUT_WIDTH) * INPUT_STRIDE + from] : 0;
        });
    },
};

const residualKernels = {
    add_scaled({ constants: { LENGTH, SCALE }, views: { x, other, y } }) {
        for (let i = 0; i < 4 * LENGTH; i++) {
            y[i] = SCALE * other[i] + x[i];
        }
    },

    /** The target is `y` too. */
    scaled(call) {
        const { constants: { LENGTH, SCALE }, views: { other, y } } = call;
        fillWith(call, y, 4 * LENGTH, (i) => SCALE * other[i]);
    },

    add_row({ constants: { LENGTH, COLUMNS }, views: { x, row, y } }) {
        for (let i = 0; i < 4 * LENGTH; i++) {
            y[i] = x[i] + row[i % (4 * COLUMNS)];
        }
    },

    multiply_row(call) {
        const { constants: { LENGTH, COLUMNS }, views: { x, row, y } } = call;
        fillWith(call, y, 4 * LENGTH, (i) => x[i] * row[i % (4 * COLUMNS)]);
    },

    multiply_items(call) {
        const { constants, views: { x, gate, y } } = call;
        fillWith(call, y, 4 * constants.LENGTH, (i) => x[i] * gate[itemPlace(constants, i)]);
    },

    item_products({ constants, views: { x, other, gate_gradient } }) {
        const { LENGTH, SPACE, COLUMNS, ACCUMULATE } = constants;
        const width = 4 * COLUMNS;
        for (let i = 0; i < (4 * LENGTH) / SPACE; i++) {
            let at = Math.floor(i / width) * SPACE * width + (i % width);
            let sum = 0;
            for (let pixel = 0; pixel < SPACE; pixel++, at += width) {
                sum += x[at] * other[at];
            }
            put(gate_gradient, i, sum, ACCUMULATE);
        }
    },
};

export const elementwiseKernels = {
    ...accumulateKernels,
    ...simpleKernels,
    ...noncentredKernels,
    ...reshapeKernels,
    ...residualKernels,
};
