// Optimizers over a group of parameters: kernels of shaders/optimizer.wgsl, clip.wgsl and average.wgsl.

/** What a step's `groups` hold of a group of parameters: learning rate and the corrections of both moments. */
function ratesOf({ constants: { GROUP }, step }) {
    const [rate, first, second] = step.groups.subarray(4 * GROUP, 4 * GROUP + 3);
    return { rate, first, second };
}

/** The factor of a gradient whose norm is clipped. */
function clipFactor({ constants: { CLIP_NORM }, views: { norm } }) {
    return CLIP_NORM > 0 && norm[0] > CLIP_NORM ? CLIP_NORM / norm[0] : 1;
}

/** Change each parameter: `change(i, g)` updates the moments with gradient g and gives what is subtracted. */
function descend(call, change) {
    const { constants: { LENGTH, WEIGHT_DECAY }, views: { gradients, parameters } } = call;
    const clip = clipFactor(call);
    for (let i = 0; i < 4 * LENGTH; i++) {
        parameters[i] -= change(i, gradients[i] * clip + WEIGHT_DECAY * parameters[i]);
    }
}

export const optimizerKernels = {
    adam(call) {
        const { constants, views: { gradients, parameters, first, second }, simd } = call;
        const { LENGTH, WEIGHT_DECAY, BETA_1, ONE_MINUS_BETA_1, BETA_2, ONE_MINUS_BETA_2, EPSILON } = constants;
        const rates = ratesOf(call);
        const rate = rates.rate * rates.first;
        if (simd) {
            simd.adam(
                gradients.byteOffset, parameters.byteOffset, first.byteOffset, second.byteOffset, 4 * LENGTH,
                clipFactor(call), WEIGHT_DECAY, BETA_1, ONE_MINUS_BETA_1, BETA_2, ONE_MINUS_BETA_2,
                rate, rates.second, EPSILON,
            );
            return;
        }
        descend(call, (i, g) => {
            const m = BETA_1 * first[i] + ONE_MINUS_BETA_1 * g;
            const v = BETA_2 * second[i] + ONE_MINUS_BETA_2 * g * g;
            first[i] = m;
            second[i] = v;
            return (rate * m) / (Math.sqrt(v * rates.second) + EPSILON);
        });
    },

    adamax(call) {
        const { constants: { BETA_1, ONE_MINUS_BETA_1, BETA_2, EPSILON }, views: { first, second } } = call;
        const rates = ratesOf(call);
        descend(call, (i, g) => {
            const m = BETA_1 * first[i] + ONE_MINUS_BETA_1 * g;
            const u = Math.max(BETA_2 * second[i], Math.abs(g));
            first[i] = m;
            second[i] = u;
            return (rates.rate * rates.first * m) / (u + EPSILON);
        });
    },

    adagrad(call) {
        const { constants: { EPSILON }, views: { second } } = call;
        const { rate } = ratesOf(call);
        descend(call, (i, g) => {
            const v = second[i] + g * g;
            second[i] = v;
            return (rate * g) / (Math.sqrt(v) + EPSILON);
        });
    },

    rmsprop(call) {
        const { constants: { BETA_2, ONE_MINUS_BETA_2, EPSILON }, views: { second } } = call;
        const { rate } = ratesOf(call);
        descend(call, (i, g) => {
            const v = BETA_2 * second[i] + ONE_MINUS_BETA_2 * g * g;
            second[i] = v;
            return (rate * g) / (Math.sqrt(v) + EPSILON);
        });
    },

    sgd(call) {
        const { constants: { BETA_1 }, views: { first } } = call;
        const { rate } = ratesOf(call);
        descend(call, (i, g) => {
            const m = BETA_1 * first[i] + g;
            first[i] = m;
            return rate * m;
        });
    },

    clip_gradients({ constants: { LENGTH, LIMIT }, views: { gradients } }) {
        for (let i = 0; i < 4 * LENGTH; i++) {
            gradients[i] = Math.min(Math.max(gradients[i], -LIMIT), LIMIT);
        }
    },

    average_parameters({ constants: { LENGTH, RATE }, views: { parameters, averages } }) {
        for (let i = 0; i < 4 * LENGTH; i++) {
            averages[i] += RATE * (parameters[i] - averages[i]);
        }
    },
};
