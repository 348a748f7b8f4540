// A model in the page: what one asks of it, whichever runtime computes it.

import { philoxWords } from "./kernels/random.js";
import { firstParameters } from "./random.js";
import { Records, Steps } from "./steps.js";
import { openRuntime, openWithoutGpu } from "./choose.js";
import { GpuError } from "./runtime.js";
import { Plane } from "./draw.js";
import { Weights } from "./weights.js";

/** Longest time from the failure of a call to the news that the GPU is lost. */
const LOSS_MILLISECONDS = 500;

/** A trained model on a runtime. */
export class Session {
    /**
     * Put the model of `bundle` on a runtime: "auto", "webgpu", "wasm" or "javascript". `onlost(why)` is called when the
     * GPU is gone and the session goes on without it.
     */
    static async open(bundle, { runtime = "auto", onlost = () => {} } = {}) {
        const session = new Session(bundle, onlost);
        await session.useRuntime(await openRuntime(runtime));
        await session.restore();
        return session;
    }

    constructor(bundle, onlost) {
        const { manifest } = bundle;
        this.bundle = bundle;
        this.manifest = manifest;
        this.onlost = onlost;
        this.latent = manifest.latent[0];
        this.pixels = manifest.image.width * manifest.image.height * manifest.image.channels;
        this.step = 0;
        /** Steps of the optimizer since its moments were zero. */
        this.adamStep = 0;
        /** Whether the page holds the optimizer's moments. Without them training goes on with moments of zero. */
        this.momentsKept = bundle.has("moments.first") || bundle.has("moments.second");
        this.seed = manifest.run.seed;
        this.steps = null;
        this.weights = new Weights(this);
        this.queue = Promise.resolve();
        /** Counts changes of the parameters, so that pictures know when they are out of date. */
        this.version = 0;
    }

    async useRuntime({ runtime, why }) {
        this.runtime = runtime;
        this.why = why;
        this.machines = new Map();
        const { plans, training } = this.manifest;
        const lacks = training ? await runtime.missing(plans.train.registers, "train") : [];
        this.trainable = training && lacks.length === 0;
        this.whyNotTrainable = training
            ? lacks.length ? "Training this model needs a GPU: without one the page has no " + lacks.join(", ") + "." : ""
            : this.manifest.whyNotTraining;
        runtime.lost.then((reason) => this.recover(runtime, reason)).catch(() => {});
    }

    /** Go on without the GPU, from the last parameters that were copied. */
    recover(runtime, reason) {
        if (this.runtime === runtime && runtime.kind === "webgpu" && this.lostRuntime !== runtime) {
            this.lostRuntime = runtime;
            const { kept } = this.weights;
            this.recovering = (async () => {
                // The first line says it; the others name the call.
                const line = reason.split("\n")[0].replace(/\.$/, "");
                await this.useRuntime(await openWithoutGpu(`${line}. The page goes on without the GPU.`));
                runtime.device.destroy();
                if (kept) {
                    await this.put(kept);
                }
                this.onlost(this.why);
            })();
        }
        return this.recovering;
    }

    /**
     * Run `work` after all that was asked before: programs share memory, so that only one question is answered at a time.
     * Where the GPU is lost meanwhile, or refuses a plan, the work is done again without it.
     */
    exclusive(work) {
        const run = async () => {
            await this.recovering;
            const { runtime } = this;
            try {
                return await work();
            } catch (error) {
                if (runtime.kind !== "webgpu") {
                    throw error;
                }
                // A lost device first fails what waits for it, and says so a moment later.
                const reason = error instanceof GpuError ? error.message
                    : await Promise.race([runtime.lost, wait(LOSS_MILLISECONDS)]);
                if (reason === undefined) {
                    throw error;
                }
                await this.recover(runtime, reason);
                return work();
            }
        };
        const answer = this.queue.then(run, run);
        this.queue = answer.catch(() => {});
        return answer;
    }

    /** The machine of the plan called `name`, opened when it is first asked for. */
    async machine(name) {
        if (!this.machines.has(name)) {
            const { registers, tiled } = this.manifest.plans[name];
            const hardware = this.runtime.kind === "webgpu" && !this.runtime.software;
            const machine = await this.runtime.open(hardware ? tiled : registers, this.manifest);
            await this.fill(machine);
            this.weights.writeStates(machine);
            this.machines.set(name, machine);
        }
        return this.machines.get(name);
    }

    /** Write the images that a plan gathers from; each column once. */
    async fill(machine) {
        this.runtime.filled ??= new Set();
        for (const [index, buffer] of machine.plan.buffers.entries()) {
            if (buffer.role === "dataset" && this.bundle.has(buffer.name) && !this.runtime.filled.has(buffer.name)) {
                this.runtime.filled.add(buffer.name);
                machine.write(index, 0, await this.bundle.words(buffer.name));
            }
        }
    }

    /** A record for a program that is not training: noise of evaluation. */
    record(plan, { rows, counter = 0 }) {
        const records = new Records(this.manifest, 1);
        records.random(0, 0, this.manifest.streams.evaluation, counter);
        records.set(0, "rows", rows);
        records.number(0, plan, "beta", 1);
        return records.array;
    }

    /** What is exchanged with the program `name`: its given and wanted values. */
    ports(machine, name) {
        return machine.plan.programs.find((program) => program.name === name);
    }

    /** Write rows of a value, without padding. */
    writeRows(machine, port, rows, count) {
        const [, , width] = port.shape;
        const flat = new Float32Array(count * port.strides[0]);
        for (let row = 0; row < count; row++) {
            flat.set(rows.subarray(row * width, (row + 1) * width), row * port.strides[0]);
        }
        machine.write(port.buffer, 0, flat);
    }

    /** Read rows of a value, without padding: one Float32Array a section. */
    async readRows(machine, port, count) {
        const [, sections, width] = port.shape;
        const flat = await machine.read(port.buffer, 0, count * port.strides[0]);
        return Array.from({ length: sections }, (_, section) => {
            const values = new Float32Array(count * width);
            for (let row = 0; row < count; row++) {
                const from = row * port.strides[0] + section * port.strides[1];
                values.set(flat.subarray(from, from + width), row * width);
            }
            return values;
        });
    }

    /** Expected images of `latents`, [n, latent] of the first group: [n, pixels], from 0 to 1. */
    decode(latents) {
        return this.exclusive(async () => {
            await this.weights.show(true);
            return this.decodeRows(await this.machine(latents.length === this.latent ? "point" : "look"), latents);
        });
    }

    /** The same on a machine with a program `decode`, in as many passes as its rows ask for. */
    async decodeRows(machine, latents) {
        const count = latents.length / this.latent;
        const { given: [given], wanted: [wanted] } = this.ports(machine, "decode");
        const most = given.shape[0];
        const pictures = new Float32Array(count * this.pixels);
        for (let first = 0; first < count; first += most) {
            const rows = Math.min(most, count - first);
            this.writeRows(machine, given, latents.subarray(first * this.latent), rows);
            machine.submit("decode", this.record(machine.plan, { rows }));
            pictures.set((await this.readRows(machine, wanted, rows))[0], first * this.pixels);
        }
        return pictures;
    }

    /** Name the images of the next minibatch. */
    writeIndices(machine, indices) {
        const buffer = machine.plan.buffers.findIndex((buffer) => buffer.name === "indices");
        machine.write(buffer, 0, indices);
    }

    /** Posteriors of held-out images `first`.. : means and log-variances, [count, latent]. */
    posteriors(first, count) {
        return this.exclusive(async () => {
            await this.weights.show(true);
            const machine = await this.machine("look");
            const { wanted: [wanted] } = this.ports(machine, "encode");
            const means = new Float32Array(count * this.latent), logVariances = new Float32Array(count * this.latent);
            for (let from = 0; from < count; from += wanted.shape[0]) {
                const rows = Math.min(wanted.shape[0], count - from);
                this.writeIndices(machine, Uint32Array.from({ length: rows }, (_, i) => first + from + i));
                machine.submit("encode", this.record(machine.plan, { rows, counter: from }));
                const [mean, logVariance] = await this.readRows(machine, wanted, rows);
                means.set(mean, from * this.latent);
                logVariances.set(logVariance, from * this.latent);
            }
            return { means, logVariances };
        });
    }

    /**
     * `picture`, values from 0 to 1, as the model gets it. Where pixels become black or white at random they are drawn once
     * under a fixed seed, as `vae posterior` does for held-out image `number`.
     */
    observe(picture, number = 0) {
        const { binarize, streams } = this.manifest;
        const bytes = Uint8Array.from(picture, (value) => Math.round(255 * Math.min(Math.max(value, 0), 1)));
        if (binarize === "none") {
            return Float32Array.from(bytes, (byte) => byte * Math.fround(1 / 255));
        }
        if (binarize === "threshold") {
            return Float32Array.from(bytes, (byte) => (byte >= 128 ? 1 : 0));
        }
        let words = null;
        return Float32Array.from(bytes, (byte, i) => {
            if (i % 4 === 0) {
                words = philoxWords(i / 4, number, 0, streams.evaluation + streams.binarize, 0, 0);
            }
            return (words[i % 4] >>> 8) * 255 < byte * 16777216 ? 1 : 0;
        });
    }

    /** The posterior of an image `x`, as `observe` gives it: mean and log-variance of each dimension. */
    encode(x) {
        return this.exclusive(async () => {
            await this.weights.show(true);
            const machine = await this.machine("given");
            const { given: [given], wanted: [wanted] } = this.ports(machine, "encode");
            this.writeRows(machine, given, x, 1);
            machine.submit("encode", this.record(machine.plan, { rows: 1 }));
            const [mean, logVariance] = await this.readRows(machine, wanted, 1);
            return { mean, logVariance };
        });
    }

    /** log p(x|z) in nats for each row of `latents`, [n, latent]. For models with one group of latents. */
    logLikelihood(x, latents) {
        return this.exclusive(async () => {
            await this.weights.show(true);
            const machine = await this.machine("given");
            const program = this.ports(machine, "density");
            const [image, latent] = program.given;
            const [density] = program.wanted;
            const count = latents.length / this.latent;
            const values = new Float64Array(count);
            for (let first = 0; first < count; first += latent.shape[0]) {
                const rows = Math.min(latent.shape[0], count - first);
                this.writeRows(machine, image, x, 1);
                this.writeRows(machine, latent, latents.subarray(first * this.latent), rows);
                machine.submit("density", this.record(machine.plan, { rows: 1 }));
                const flat = await machine.read(density.buffer, 0, rows * density.strides[0]);
                for (let row = 0; row < rows; row++) {
                    values[first + row] = flat[row * density.strides[0]];
                }
            }
            return values;
        });
    }

    /** What draws the latent space of this session into `canvas`: see draw.js. */
    plane(canvas) {
        return new Plane(this, canvas);
    }

    /** The bound of the first `count` held-out images, with the noise of `vae eval`: nats per image. */
    evaluate(count) {
        return this.exclusive(async () => {
            await this.weights.show(true);
            const machine = await this.machine("evaluate");
            const { batch } = this.manifest.run;
            const columns = ["reconstruction", "kl"].map((name) => machine.plan.metrics.indexOf(name));
            const batches = Math.ceil(count / batch), sums = [0, 0];
            const most = this.stepsOf(machine);
            for (let first = 0; first < batches; first += most) {
                const steps = Math.min(most, batches - first);
                const records = new Records(this.manifest, steps), indices = new Uint32Array(steps * batch);
                const rowsOf = (slot) => Math.min(batch, count - (first + slot) * batch);
                for (let slot = 0; slot < steps; slot++) {
                    records.random(slot, 0, this.manifest.streams.evaluation, first + slot);
                    records.number(slot, machine.plan, "beta", 1);
                    records.set(slot, "rows", rowsOf(slot));
                    records.set(slot, "first_index", slot * batch);
                    for (let row = 0; row < rowsOf(slot); row++) {
                        indices[slot * batch + row] = (first + slot) * batch + row;
                    }
                }
                this.writeIndices(machine, indices);
                machine.submit("evaluate", records.array);
                const rows = await this.metrics(machine, steps);
                for (let slot = 0; slot < steps; slot++) {
                    columns.forEach((column, i) => (sums[i] += rows[slot][column] * rowsOf(slot)));
                }
            }
            const [reconstruction, kl] = sums.map((sum) => sum / count);
            return { reconstruction, kl, elbo: -(reconstruction + kl) };
        });
    }

    /** KL divergence of each latent dimension, averaged over the first `count` held-out images: nats. */
    divergences(count) {
        return this.exclusive(async () => {
            await this.weights.show(true);
            const machine = await this.machine("look");
            const { wanted: [wanted] } = this.ports(machine, "divergences");
            const rows = this.ports(machine, "encode").wanted[0].shape[0];
            const sums = new Float64Array(this.latent);
            for (let from = 0; from < count; from += rows) {
                const own = Math.min(rows, count - from);
                this.writeIndices(machine, Uint32Array.from({ length: own }, (_, i) => from + i));
                machine.submit("divergences", this.record(machine.plan, { rows: own, counter: from }));
                const [means] = await this.readRows(machine, wanted, 1);
                means.forEach((mean, i) => (sums[i] += (mean * own) / count));
            }
            return sums;
        });
    }

    /** Most steps in one submit. */
    stepsOf(machine) {
        const { buffers, metrics } = machine.plan;
        return Math.floor(buffers.find((buffer) => buffer.role === "metric").length / metrics.length);
    }

    /** The metrics of the last submit's first `steps` steps, an array of numbers each. */
    async metrics(machine, steps) {
        const { buffers, metrics } = machine.plan;
        const buffer = buffers.findIndex((buffer) => buffer.role === "metric");
        const values = await machine.read(buffer, 0, steps * metrics.length);
        return Array.from({ length: steps }, (_, i) => values.subarray(i * metrics.length, (i + 1) * metrics.length));
    }

    /**
     * Train `count` steps, with this weight of the KL divergence and this learning rate, or those of the run. Resolves to
     * the metrics of each step: nats per image of its minibatch.
     */
    train(count, { beta, rate } = {}) {
        return this.exclusive(async () => {
            const machine = await this.machine("train");
            await this.weights.show(false);
            const { batch } = this.manifest.run, { metrics } = machine.plan;
            const [reconstruction, kl] = ["reconstruction", "kl"].map((name) => metrics.indexOf(name));
            const done = [];
            while (done.length < count) {
                const steps = Math.min(this.stepsOf(machine), count - done.length);
                const records = new Records(this.manifest, steps), indices = new Uint32Array(steps * batch);
                for (let slot = 0; slot < steps; slot++) {
                    const step = this.step + slot, images = this.steps.images(step);
                    this.steps.write(records, slot, machine.plan, step,
                        { beta, rate, adamStep: this.adamStep + slot + 1 });
                    records.set(slot, "rows", images.length);
                    records.set(slot, "first_index", slot * batch);
                    indices.set(images, slot * batch);
                }
                this.writeIndices(machine, indices);
                machine.submit("train", records.array);
                const rows = await this.metrics(machine, steps);
                this.step += steps;
                this.adamStep += steps;
                this.version += 1;
                rows.forEach((row, i) => done.push({
                    step: this.step - steps + i + 1,
                    reconstruction: row[reconstruction],
                    kl: row[kl],
                }));
            }
            await this.weights.keep(machine);
            return done;
        });
    }

    /** Start anew: first parameters and the order of images from `seed`. */
    anew(seed = this.manifest.run.seed) {
        return this.exclusive(async () => {
            const length = this.manifest.files.parameters.length;
            const parameters = firstParameters(this.manifest, seed, length);
            await this.put({
                parameters,
                averages: parameters,
                states: this.bundle.has("states.first") ? await this.bundle.words("states.first") : null,
                step: 0,
                adamStep: 0,
                seed,
            });
        });
    }

    /** The trained model of the run. The optimizer's moments are loaded when training goes on. */
    restore() {
        return this.exclusive(async () => {
            const words = (name) => (this.bundle.has(name) ? this.bundle.words(name) : null);
            await this.put({
                parameters: await words("parameters"),
                averages: await words("averages"),
                states: await words("states"),
                moments: this.momentsKept ? true : null,
                step: this.manifest.run.step,
                adamStep: this.momentsKept ? this.manifest.run.step : 0,
                seed: this.manifest.run.seed,
            });
        });
    }

    /** Make `kept` the model: see weights.js. */
    async put(kept) {
        this.version += 1;
        this.step = kept.step;
        this.adamStep = kept.adamStep;
        this.seed = kept.seed;
        this.steps = new Steps(this.manifest, kept.seed);
        await this.weights.put(kept);
    }
}

function wait(milliseconds) {
    return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
