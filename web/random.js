// Random numbers of a run: the order of an epoch's images, and first parameters. All integers are those of src/random.rs, bit
// for bit.

import { multiplyHigh, philoxWords } from "./kernels/random.js";

/** Low and high word of a seed: a whole number, a BigInt or decimal digits. */
export function seedWords(seed) {
    const whole = BigInt.asUintN(64, BigInt(seed));
    return [Number(whole & 0xffffffffn), Number(whole >> 32n)];
}

/** A sequence of random numbers: number `item` of family `stream` under `seed`. */
class Sequence {
    constructor(seed, stream, item) {
        [this.keyLow, this.keyHigh] = seedWords(seed);
        [this.itemLow, this.itemHigh] = seedWords(item);
        this.stream = stream;
        this.block = 0;
        this.words = new Uint32Array(4);
        this.used = 4;
    }

    /** The next 32 random bits. */
    word() {
        if (this.used === 4) {
            this.words.set(philoxWords(this.block, this.itemLow, this.itemHigh, this.stream, this.keyLow, this.keyHigh));
            this.block = (this.block + 1) >>> 0;
            this.used = 0;
        }
        return this.words[this.used++];
    }

    /** Uniform in [0, 1), a multiple of 2^-53. */
    uniform() {
        const low = this.word();
        const high = this.word();
        return (high * 2097152 + (low >>> 11)) / 9007199254740992;
    }

    /** Standard normal, by the Box-Muller transform. */
    normal() {
        const radius = Math.sqrt(-2 * Math.log((this.word() + 0.5) / 4294967296));
        return radius * Math.cos((2 * Math.PI * this.word()) / 4294967296);
    }
}

/**
 * The order of `count` images in `epoch`, counted from 0: a Uint32Array. `version` is that of the run: 2 is the algorithm
 * of Fisher and Yates, 1 that of older runs.
 */
export function epochOrder(count, seed, epoch, version, stream) {
    const order = Uint32Array.from({ length: count }, (_, i) => i);
    const random = new Sequence(seed, stream, epoch);
    if (version === 1) {
        shuffleAsBefore(order, random);
        return order;
    }
    for (let last = count - 1; last >= 1; last--) {
        const other = multiplyHigh(last + 1, random.word());
        const kept = order[last];
        order[last] = order[other];
        order[other] = kept;
    }
    return order;
}

/** One random number below the product of several bounds gives the choices for as many elements. */
function shuffleAsBefore(order, random) {
    let choices = 0, left = 1;
    for (let i = 0; i < order.length; i++) {
        const bound = i + 1;
        if (left === 0) {
            let product = bound;
            left = 1;
            while (product * (bound + left) < 4294967296) {
                product *= bound + left;
                left += 1;
            }
            const word = random.word();
            choices = multiplyHigh(product, word);
            const low = Math.imul(product, word) >>> 0;
            if (low > 4294967296 - product) {
                choices += low + multiplyHigh(product, random.word()) >= 4294967296 ? 1 : 0;
            }
        }
        left -= 1;
        const choice = left === 0 ? choices : choices % bound;
        choices = Math.floor(choices / bound);
        const kept = order[i];
        order[i] = order[choice];
        order[choice] = kept;
    }
}

/** Bound of a uniform tensor, or the standard deviation of a normal one, under the rule `init` (see src/model/init.rs). */
function firstValues(init, tensor) {
    switch (tensor.init) {
        case "constant": return { kind: "constant", value: tensor.value };
        case "uniform": return { kind: "uniform", value: tensor.value };
        case "normal": return { kind: "normal", value: tensor.value };
    }
    if (init.rule === "normal") {
        return { kind: "normal", value: init.deviation };
    }
    if (tensor.init === "bias") {
        return init.rule === "glorot"
            ? { kind: "constant", value: 0 }
            : { kind: "uniform", value: 1 / Math.sqrt(tensor.fanIn) };
    }
    switch (init.rule) {
        case "glorot": return { kind: "uniform", value: Math.sqrt(6 / (tensor.fanIn + tensor.fanOut)) };
        case "kaiming": return { kind: "uniform", value: Math.sqrt(6 / tensor.fanIn) };
        default: return { kind: "uniform", value: 1 / Math.sqrt(tensor.fanIn) };
    }
}

/** Write `values`, without padding, into the places of `tensor` in the buffer `flat`. */
function putTensor(flat, tensor, values) {
    const dimensions = tensor.dimensions;
    for (let number = 0; number < values.length; number++) {
        let element = number, position = tensor.offset;
        for (let d = dimensions.length - 1; d >= 0; d--) {
            position += (element % dimensions[d][0]) * dimensions[d][1];
            element = Math.floor(element / dimensions[d][0]);
        }
        flat[position] = values[number];
    }
}

/** First values of all parameters of a manifest under `seed`: a Float32Array of `length`, padding 0. */
export function firstParameters(manifest, seed, length) {
    const flat = new Float32Array(length);
    manifest.tensors.forEach((tensor, number) => {
        const count = tensor.shape.reduce((a, b) => a * b, 1);
        const values = new Float32Array(count);
        const { kind, value } = firstValues(manifest.init, tensor);
        const random = new Sequence(seed, manifest.streams.initialisation, number);
        for (let i = 0; i < count; i++) {
            values[i] = kind === "constant" ? value
                : kind === "normal" ? value * random.normal()
                : value * (2 * random.uniform() - 1);
        }
        putTensor(flat, tensor, values);
    });
    if (manifest.init.given) {
        const [name, values] = manifest.init.given;
        putTensor(flat, manifest.tensors.find((tensor) => tensor.name === name), values);
    }
    return flat;
}
