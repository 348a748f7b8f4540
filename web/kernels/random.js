// Random numbers: Philox4x32-10 (Salmon et al., SC 2011), the integers of shaders/shared/philox.wgsl.

const drawn = new Uint32Array(4);

/** High 32 bits of a product of two 32-bit numbers. */
export function multiplyHigh(a, b) {
    const aLow = a & 0xffff, aHigh = a >>> 16, bLow = b & 0xffff, bHigh = b >>> 16;
    const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
    const carry = aLow * bHigh + (middle & 0xffff);
    return (aHigh * bHigh + (middle >>> 16) + (carry >>> 16)) >>> 0;
}

/**
 * Four random words from a counter (x, y, z, w) and a key (low, high).
 * @returns {Uint32Array} one array, overwritten by the next call
 */
export function philoxWords(x, y, z, w, low, high) {
    for (let round = 0; round < 10; round++) {
        const first = multiplyHigh(z, 0xcd9e8d57) ^ y ^ low;
        const third = multiplyHigh(x, 0xd2511f53) ^ w ^ high;
        y = Math.imul(z, 0xcd9e8d57);
        w = Math.imul(x, 0xd2511f53);
        x = first >>> 0;
        z = third >>> 0;
        low = (low + 0x9e3779b9) | 0;
        high = (high + 0xbb67ae85) | 0;
    }
    drawn[0] = x;
    drawn[1] = y;
    drawn[2] = z;
    drawn[3] = w;
    return drawn;
}

/** Uniform in (0, 1), never at an end: 23 bits and a half. */
export function openUniform(word) {
    return ((word >>> 9) + 0.5) / 8388608;
}

/**
 * Four standard normal numbers from four words: Box and Muller (1958). They go to target[at] and the three after it.
 * @param {ArrayLike<number>} words from `first` on
 */
export function normalsFromWords(words, first, target, at) {
    for (let pair = 0; pair < 2; pair++) {
        const radius = Math.sqrt(-2 * Math.log(openUniform(words[first + pair])));
        const angle = 2 * Math.PI * openUniform(words[first + pair + 2]);
        target[at + pair] = radius * Math.cos(angle);
        target[at + pair + 2] = radius * Math.sin(angle);
    }
}

/** Kernels of shaders/selftest.wgsl. */
export const randomKernels = {
    box_muller({ constants: { COUNT }, views: { words, numbers } }) {
        for (let i = 0; i < 4 * COUNT; i += 4) {
            normalsFromWords(words, i, numbers, i);
        }
    },
};
