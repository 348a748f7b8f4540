// Densities at points, and draws from distributions that are known in closed form: kernels of
// shaders/distributions.wgsl, and the one of shaders/hmc.wgsl that is of use without chains.

import { normalsFromWords, openUniform } from "./random.js";

/** Stands for a parent that a variable of the network has not. */
const NO_PARENT = 8;

/** Log density of one weighted component of a mixture, and its gradient. */
function componentDensity(components, k, x, y) {
    const [meanX, meanY, level, , p11, p12, p22] = components.subarray(8 * k, 8 * k + 8);
    const [dx, dy] = [x - meanX, y - meanY];
    const [slopeX, slopeY] = [p11 * dx + p12 * dy, p12 * dx + p22 * dy];
    return [level - 0.5 * (dx * slopeX + dy * slopeY), -slopeX, -slopeY];
}

export const distributionKernels = {
    /** log p(x|z) and log p(z) of each row of latents. */
    log_density({ constants: { CHAINS, COLUMNS, WIDTH, CHUNKS }, views: { value, latent, density } }) {
        for (let row = 0; row < CHAINS; row++) {
            let [sum, square] = [0, 0];
            for (let chunk = 0; chunk < CHUNKS; chunk++) {
                sum += value[row * CHUNKS + chunk];
            }
            for (let i = 4 * row * COLUMNS; i < 4 * (row + 1) * COLUMNS; i++) {
                square += latent[i] * latent[i];
            }
            density.set([-sum, -0.5 * (square + WIDTH * Math.log(2 * Math.PI)), 0, 0], 4 * row);
        }
    },

    network_samples(call) {
        const { constants: { COUNT, NODES }, views: { nodes, cumulative, outcome } } = call;
        for (let i = 0; i < COUNT; i++) {
            // The entry of NO_PARENT stays 0.
            const values = new Array(NO_PARENT + 1).fill(0);
            let words = null;
            let code = 0;
            for (let n = 0; n < NODES; n++) {
                if (n % 4 === 0) {
                    words = call.randomWords(2 * i + n / 4);
                }
                const [count, first, second, start] = nodes.subarray(4 * n, 4 * n + 4);
                const row = values[first] * (second < NO_PARENT ? nodes[4 * second] : 1) + values[second];
                const u = openUniform(words[n % 4]);
                let value = 0;
                // The last value has the remaining probability.
                for (let v = 0; v + 1 < count; v++) {
                    if (u >= cumulative[start + row * count + v]) {
                        value = v + 1;
                    }
                }
                values[n] = value;
                code = code * count + value;
            }
            outcome[i] = code;
        }
    },

    cholesky_samples(call) {
        const { constants: { COUNT }, views: { factor, mean, samples } } = call;
        const noise = new Float64Array(4);
        for (let i = 0; i < COUNT; i++) {
            normalsFromWords(call.randomWords(i), 0, noise, 0);
            for (let lane = 0; lane < 4; lane++) {
                let value = mean[lane];
                for (let column = 0; column < 4; column++) {
                    value += factor[4 * column + lane] * noise[column];
                }
                samples[4 * i + lane] = value;
            }
        }
    },

    mixture_density({ constants: { COUNT, COMPONENTS }, views: { components, points, density } }) {
        for (let i = 0; i < COUNT; i++) {
            const parts = Array.from({ length: COMPONENTS }, (_, k) => {
                return componentDensity(components, k, points[4 * i], points[4 * i + 1]);
            });
            const largest = Math.max(...parts.map(([log]) => log));
            let [total, dx, dy] = [0, 0, 0];
            for (const [log, partX, partY] of parts) {
                const weight = Math.exp(log - largest);
                total += weight;
                dx += weight * partX;
                dy += weight * partY;
            }
            density.set([largest + Math.log(total), dx / total, dy / total, 0], 4 * i);
        }
    },
};
