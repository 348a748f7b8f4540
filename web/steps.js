// The records of training steps: what changes from one step to the next, as in src/train/steps.rs.

import { seedWords, epochOrder } from "./random.js";

/** Writes the fields of step records, whose layout the manifest gives. */
export class Records {
    constructor(manifest, count) {
        this.words = manifest.step.size / 4;
        this.array = new Uint32Array(count * this.words);
        this.reals = new Float32Array(this.array.buffer);
        this.places = new Map(manifest.step.fields.map(([name, type, , offset]) => [name, { type, offset: offset / 4 }]));
    }

    /** Set element `index` of field `name` of record `record`. */
    set(record, name, value, index = 0) {
        const { type, offset } = this.places.get(name);
        (type === "f32" ? this.reals : this.array)[record * this.words + offset + index] = value;
    }

    /** Set the number called `name` of the steps of `plan`; a plan without it ignores it. */
    number(record, plan, name, value) {
        const index = plan.numbers.indexOf(name);
        if (index >= 0) {
            this.set(record, "numbers", value, index);
        }
    }

    /** Seed, stream and counter: they decide the random numbers of a step. */
    random(record, seed, stream, counterLow, counterHigh = 0) {
        const [low, high] = seedWords(seed);
        this.set(record, "seed_low", low);
        this.set(record, "seed_high", high);
        this.set(record, "stream", stream);
        this.set(record, "counter_low", counterLow);
        this.set(record, "counter_high", counterHigh);
        this.set(record, "slot", record);
    }
}

/** A weight that rises linearly from 0 to `full` within `length`, {epochs} or {steps}, and then stays. */
function rising(length, full, step, perEpoch) {
    const [done, whole] = length.epochs !== undefined ? [step / perEpoch, length.epochs] : [step, length.steps];
    return done < whole ? (full * done) / whole : full;
}

/** What a learning rate is multiplied by at `step`. */
function rateFactor(group, step, perEpoch) {
    const passes = Math.floor(step / Math.max(perEpoch, 1));
    if (group.schedule === "iwae") {
        let stage = 7;
        while (stage > 0 && passes < (3 ** stage - 1) / 2) {
            stage -= 1;
        }
        return 10 ** (-stage / 7);
    }
    if (group.schedule === "steps") {
        return group.factor ** group.epochs.filter((epoch) => passes >= epoch).length;
    }
    return 1;
}

/** The steps of a run with the settings of a manifest, from a seed. */
export class Steps {
    constructor(manifest, seed) {
        this.manifest = manifest;
        this.seed = seed;
        this.perEpoch = manifest.run.stepsPerEpoch;
        this.epoch = -1;
        this.order = null;
    }

    /** Numbers of the training images of `step`. */
    images(step) {
        const { run, dataset, streams } = this.manifest;
        const epoch = Math.floor(step / this.perEpoch);
        if (epoch !== this.epoch) {
            this.order = epochOrder(dataset.train, this.seed, epoch, run.order, streams.shuffle);
            this.epoch = epoch;
        }
        const first = (step % this.perEpoch) * run.batch;
        return this.order.subarray(first, Math.min(first + run.batch, dataset.train));
    }

    /** Weight of the KL divergence at `step`. */
    beta(step) {
        const { schedule, run } = this.manifest;
        const cycle = Math.round(schedule.cycle * this.perEpoch);
        const within = schedule.cycle > 0 ? step % Math.max(cycle, 1) : step;
        return rising(schedule.warmup, run.beta, within, this.perEpoch);
    }

    /** Learning rate of a group of parameters at `step`; `rate` stands for that of the first group before its schedule. */
    rate(group, step, rate) {
        const groups = this.manifest.schedule.groups;
        const base = rate === undefined ? groups[group].rate : (groups[group].rate * rate) / groups[0].rate;
        return base * rateFactor(groups[group], step, this.perEpoch);
    }

    /**
     * Fill record number `record` for training step `step` of `plan`. `adamStep` counts the optimizer's steps from 1.
     * `beta` and `rate` replace those of the run where they are given.
     */
    write(records, record, plan, step, { beta, rate, adamStep = step + 1 } = {}) {
        const { streams, schedule } = this.manifest;
        records.random(record, this.seed, streams.train, step >>> 0, Math.floor(step / 4294967296));
        records.number(record, plan, "beta", beta ?? this.beta(step));
        records.number(record, plan, "capacity",
            rising({ epochs: schedule.capacityEpochs }, schedule.capacity, step, this.perEpoch));
        records.number(record, plan, "penalty",
            rising(schedule.penaltyWarmup, schedule.penalty, step, this.perEpoch));
        records.number(record, plan, "images", this.manifest.dataset.train);
        records.number(record, plan, "epoch_ends", (step + 1) % this.perEpoch === 0 ? 1 : 0);
        schedule.groups.forEach((group, index) => {
            const correction = (decay) => (decay === null ? 1 : 1 / (1 - decay ** adamStep));
            records.set(record, "groups", this.rate(index, step, rate), 4 * index);
            records.set(record, "groups", correction(group.corrected[0]), 4 * index + 1);
            records.set(record, "groups", correction(group.corrected[1]), 4 * index + 2);
        });
    }
}
