// What a model has in memory: parameters, their moving averages, the optimizer's moments and states. They are written where the
// runtime computes, and copied back now and then, so that a lost GPU loses little.

/** Seconds of training after which all is copied off a GPU, to go on from if it is lost. */
const SNAPSHOT_SECONDS = 2;

/** The flat buffers that training changes. */
const FLAT_BUFFERS = ["parameters", "moments.first", "moments.second", "averages"];

/**
 * The numbers of a session's model. `kept` are the last ones that are known here: {parameters, averages, states, moments
 * (none: zeros; true: those of the bundle; else by name), step, adamStep, seed}.
 */
export class Weights {
    constructor(session) {
        this.session = session;
        this.kept = null;
        this.keptAt = 0;
        /** Whether the buffer `parameters` holds their moving averages. */
        this.averaged = false;
        this.momentsWritten = false;
        /** Names of the states that some machine has, and shares with those opened later. */
        this.statesWritten = new Set();
    }

    /** Elements of a flat buffer. */
    get length() {
        return this.session.manifest.files.parameters.length;
    }

    /** Write `kept` where the runtime computes. */
    async put(kept) {
        const { session } = this;
        this.kept = kept;
        this.averaged = Boolean(kept.averages);
        const machine = await session.machine("look");
        this.writeFlat(machine, "parameters", kept.averages ?? kept.parameters);
        this.statesWritten.clear();
        for (const open of session.machines.values()) {
            this.writeStates(open);
        }
        this.momentsWritten = false;
        if (session.machines.has("train")) {
            await this.prepareTraining(session.machines.get("train"));
        }
    }

    /** Give the machine that trains the moments of `kept`. */
    async prepareTraining(machine) {
        const { kept } = this;
        for (const name of ["moments.first", "moments.second"]) {
            if (this.bufferOf(machine, name) >= 0) {
                const given = kept.moments === true ? this.session.bundle.has(name) && await this.session.bundle.words(name)
                    : kept.moments?.[name];
                this.writeFlat(machine, name, given || new Float32Array(this.length));
            }
        }
        // While the averages are shown, the parameters wait in their place.
        this.writeFlat(machine, "averages", kept.averages && kept.parameters);
        this.momentsWritten = true;
    }

    /** Let the buffer `parameters` hold what is explored, moving averages where the run keeps them, or what is trained. */
    async show(explored) {
        const machine = this.session.machines.get("train");
        if (machine && !this.momentsWritten) {
            await this.prepareTraining(machine);
        }
        if (!machine || !this.session.bundle.has("averages") || explored === this.averaged) {
            return;
        }
        const [parameters, averages] = ["parameters", "averages"].map((name) => this.bufferOf(machine, name));
        const length = this.length;
        const [first, second] = [await machine.read(parameters, 0, length), await machine.read(averages, 0, length)];
        machine.write(parameters, 0, second);
        machine.write(averages, 0, first);
        this.averaged = explored;
    }

    /** Copy the model off a GPU now and then. */
    async keep(machine) {
        const now = performance.now();
        if (this.session.runtime.kind !== "webgpu" || now < this.keptAt + 1000 * SNAPSHOT_SECONDS) {
            return;
        }
        this.keptAt = now;
        const flat = {};
        for (const name of FLAT_BUFFERS) {
            const buffer = this.bufferOf(machine, name);
            if (buffer >= 0) {
                flat[name] = await machine.read(buffer, 0, this.length);
            }
        }
        const states = [];
        for (const { name, length } of this.session.manifest.states) {
            const buffer = this.bufferOf(machine, name);
            states.push(buffer >= 0 ? await machine.read(buffer, 0, length) : new Float32Array(length));
        }
        this.kept = {
            parameters: flat.parameters,
            averages: flat.averages ?? null,
            moments: flat,
            states: states.length ? Float32Array.from(states.flatMap((state) => Array.from(state))) : null,
            step: this.session.step,
            adamStep: this.session.adamStep,
            seed: this.session.seed,
        };
    }

    bufferOf(machine, name) {
        return machine.plan.buffers.findIndex((buffer) => buffer.name === name);
    }

    writeFlat(machine, name, values) {
        const buffer = this.bufferOf(machine, name);
        if (buffer >= 0 && values) {
            machine.write(buffer, 0, values);
        }
    }

    /** Give a machine the states that none before it has. */
    writeStates(machine) {
        let offset = 0;
        for (const { name, length } of this.session.manifest.states) {
            if (this.bufferOf(machine, name) >= 0 && !this.statesWritten.has(name)) {
                this.writeFlat(machine, name, this.kept?.states?.subarray(offset, offset + length));
                this.statesWritten.add(name);
            }
            offset += length;
        }
    }
}
