// The CPU as a device: runs plans in the calling thread, in plain JavaScript or with the loops of simd.wasm.
//
// All buffers of all plans lie in one memory, which simd.wasm reads and writes too. Kernels are JavaScript functions
// (kernels/*.js), one for each entry point of the WGSL; they get a CpuCall.

import { KERNELS, scratchLength } from "./kernels.js";
import { philoxWords } from "./kernels/random.js";
import { SHARED_ROLES, missingKernels, programOf, runtimeName } from "./programs.js";

/** Blocks of memory start at multiples of this many bytes, as bindings do on a GPU. */
const ALIGNMENT = 256;
const PAGE = 65536;
/** Programs that compute each row for itself: of a step with few rows the others are left out. */
const PROGRAMS_OF_ROWS = ["encode", "decode"];
/** Words of a step record before its numbers and before its groups, and of the whole (shaders/shared/step.wgsl). */
const RECORD = { numbers: 8, groups: 24, length: 64 };

/** One memory for all blocks: of simd.wasm, or an array buffer that is replaced by a larger one. */
class CpuMemory {
    /** @param {WebAssembly.Memory|null} memory that of simd.wasm, if it is used */
    constructor(memory) {
        this.memory = memory;
        this.buffer = memory ? memory.buffer : new ArrayBuffer(PAGE);
        /** Free ranges in order: first byte and bytes. The first block is left to simd.wasm. */
        this.holes = [{ start: ALIGNMENT, size: this.buffer.byteLength - ALIGNMENT }];
        /** End of what was ever in use. */
        this.used = 0;
    }

    /**
     * A block of memory, filled with zeros.
     * @param {number} bytes
     * @returns {{start: number, size: number}} first byte and bytes, rounded up
     */
    allocate(bytes) {
        const size = Math.max(1, Math.ceil(bytes / ALIGNMENT)) * ALIGNMENT;
        let hole = this.holes.find((hole) => hole.size >= size);
        if (!hole) {
            hole = this.grow(size);
        }
        const block = { start: hole.start, size };
        hole.start += size;
        hole.size -= size;
        this.holes = this.holes.filter((hole) => hole.size > 0);
        // Memory that was never in use is zero, and the system provides it when it is first written.
        new Uint8Array(this.buffer, block.start, Math.max(0, Math.min(size, this.used - block.start))).fill(0);
        this.used = Math.max(this.used, block.start + size);
        return block;
    }

    /** Give a block back. */
    free(block) {
        this.holes.push({ ...block });
        this.holes.sort((a, b) => a.start - b.start);
        const merged = [];
        for (const hole of this.holes) {
            const last = merged[merged.length - 1];
            if (last && last.start + last.size === hole.start) {
                last.size += hole.size;
            } else {
                merged.push(hole);
            }
        }
        this.holes = merged;
    }

    /** Make the memory larger until its end is a hole of `size` bytes. The buffer moves: views of it are void. */
    grow(size) {
        const end = this.buffer.byteLength;
        let last = this.holes[this.holes.length - 1];
        if (!last || last.start + last.size !== end) {
            last = { start: end, size: 0 };
            this.holes.push(last);
        }
        let pages = Math.ceil((size - last.size) / PAGE);
        try {
            if (this.memory) {
                this.memory.grow(pages);
                this.buffer = this.memory.buffer;
            } else {
                // Copying takes time: ask for half as much again.
                pages = Math.max(pages, Math.ceil(end / PAGE / 2));
                const larger = new ArrayBuffer(end + pages * PAGE);
                new Uint8Array(larger).set(new Uint8Array(this.buffer));
                this.buffer = larger;
            }
        } catch {
            const megabytes = Math.ceil((end + pages * PAGE) / 2 ** 20);
            throw new Error(`the browser does not give the ${megabytes} MB of memory that the model needs`);
        }
        last.size += pages * PAGE;
        return last;
    }
}

/**
 * One run of a kernel. `constants` are the WGSL's overrides and `views` its storage variables, under the names that the
 * WGSL has (without `_elements`, the suffix of matrices that a kernel reads by elements): a Float32Array, or a
 * Uint32Array of words.
 */
class CpuCall {
    constructor(dispatch, plan, runtime) {
        this.kernel = KERNELS.get(dispatch.kernel);
        this.bindings = dispatch.bindings.map((binding) => ({
            name: binding.variable.replace(/_elements$/, ""),
            words: plan.buffers[binding.buffer].element !== "real",
            ...binding,
        }));
        this.constants = {};
        for (const [name, value] of Object.entries(dispatch.constants)) {
            // Numbers that are not whole are f32 in the WGSL.
            this.constants[name] = Number.isInteger(value) ? value : Math.fround(value);
        }
        this.views = {};
        this.step = null;
        /** Rows that the program computes each for itself; 0 where it does not. */
        this.items = 0;
        /** Exports of simd.wasm, or null. */
        this.simd = runtime.simd;
        this.runtime = runtime;
    }

    /** Of `rows` rows, a few for each item, those of the items that the step has. */
    rowsInStep(rows) {
        const few = this.step.rows < this.items && rows % this.items === 0;
        return few ? (rows / this.items) * this.step.rows : rows;
    }

    /** Number `index` of the step; 1 where the index stands for none. */
    number(index) {
        return index < this.step.numbers.length ? this.step.numbers[index] : 1;
    }

    /** Four random words: those of the step's stream, `stream` further, with this first word of the counter. */
    randomWords(index, stream = 0) {
        const { counterLow, counterHigh, seedLow, seedHigh } = this.step;
        return philoxWords(index, counterLow, counterHigh, (this.step.stream + stream) >>> 0, seedLow, seedHigh);
    }

    /** Memory for intermediate values: `length` numbers from number `first` on of what scratchLength has reserved. */
    scratch(first, length) {
        const { space, memory } = this.runtime;
        if (4 * (first + length) > space.size) {
            throw new Error(`a kernel asks for ${first + length} numbers of scratch memory, more than were reserved`);
        }
        return new Float32Array(memory.buffer, space.start + 4 * first, length);
    }
}

/** A plan with its buffers. Made by CpuRuntime.open. */
class CpuMachine {
    constructor(plan, runtime) {
        this.plan = plan;
        this.runtime = runtime;
        this.calls = plan.dispatches.map((dispatch) => new CpuCall(dispatch, plan, runtime));
        /** Blocks that are this machine's own, by the plan's number of the block. */
        this.own = new Map();
        /** For each buffer of the plan its block of memory. */
        this.blocks = [];
        this.buffer = null;
        try {
            this.allocate();
        } catch (error) {
            this.close();
            throw error;
        }
    }

    allocate() {
        const { plan, runtime } = this;
        const blockOf = (index) => (plan.memory && plan.memory.length ? plan.memory[index] : index);
        const lengths = new Map();
        plan.buffers.forEach((buffer, index) => {
            lengths.set(blockOf(index), Math.max(buffer.length, lengths.get(blockOf(index)) ?? 0));
        });
        runtime.reserve(Math.max(0, ...plan.dispatches.map(scratchLength)));
        plan.buffers.forEach((buffer, index) => {
            const bytes = 4 * lengths.get(blockOf(index));
            const [blocks, key] = SHARED_ROLES.includes(buffer.role)
                ? [runtime.shared, `${buffer.role} ${buffer.name} ${buffer.length}`]
                : [this.own, blockOf(index)];
            if (!blocks.has(key)) {
                blocks.set(key, runtime.memory.allocate(bytes));
            }
            this.blocks[index] = blocks.get(key);
        });
    }

    /** A range of a buffer, as numbers or as words. */
    view(buffer, offset, length, words) {
        const start = this.blocks[buffer].start + 4 * offset;
        const { buffer: memory } = this.runtime.memory;
        return words ? new Uint32Array(memory, start, length) : new Float32Array(memory, start, length);
    }

    /** Make the views of all calls again where the memory has moved. */
    refresh() {
        if (this.buffer !== this.runtime.memory.buffer) {
            this.buffer = this.runtime.memory.buffer;
            for (const call of this.calls) {
                for (const { name, buffer, offset, length, words } of call.bindings) {
                    call.views[name] = this.view(buffer, offset, length, words);
                }
            }
        }
    }

    /** Write `array` (Float32Array or Uint32Array) into buffer number `buffer`, from element `offset` on. */
    write(buffer, offset, array) {
        const bits = new Uint32Array(array.buffer, array.byteOffset, array.length);
        this.view(buffer, offset, array.length, true).set(bits);
    }

    /**
     * Run a program, given by its name, once for each step record.
     * @param {string} program
     * @param {Uint32Array} records 64 words a step, see shaders/shared/step.wgsl
     */
    submit(program, records) {
        const { dispatches, given, wanted } = programOf(this.plan, program);
        const port = [...(given ?? []), ...(wanted ?? [])][0];
        const items = port && PROGRAMS_OF_ROWS.includes(program) ? port.shape[0] : 0;
        this.refresh();
        for (let start = 0; start < records.length; start += RECORD.length) {
            const step = readStep(records.subarray(start, start + RECORD.length));
            for (const index of dispatches) {
                const call = this.calls[index];
                if (!call.kernel) {
                    throw new Error(`the CPU runtime has no kernel '${this.plan.dispatches[index].kernel}'`);
                }
                call.step = step;
                call.items = items;
                call.kernel(call);
            }
        }
    }

    /** A copy of a range of a buffer: a Float32Array, of a buffer of words a Uint32Array. */
    async read(buffer, offset, length) {
        return this.view(buffer, offset, length, this.plan.buffers[buffer].element !== "real").slice();
    }

    /** Give back the memory that no other plan shares. */
    close() {
        for (const block of this.own.values()) {
            this.runtime.memory.free(block);
        }
        this.own.clear();
        this.blocks = [];
    }
}

/** Runs plans on the CPU, in the calling thread. The interface is that of every runtime (runtime.js). */
export class CpuRuntime {
    constructor(kind, memory, simd) {
        /** Names of the kernels that there are. */
        this.kernels = new Set(KERNELS.keys());
        this.kind = kind;
        this.name = runtimeName(kind);
        /** Never resolves: a processor is not lost. */
        this.lost = new Promise(() => {});
        this.memory = new CpuMemory(memory);
        this.simd = simd;
        this.shared = new Map();
        this.space = { start: 0, size: 0 };
    }

    /**
     * @param {"wasm"|"javascript"} kind
     * @param {Uint8Array|ArrayBuffer|null} bytes simd.wasm, for "wasm"
     * @returns {Promise<CpuRuntime>}
     */
    static async start(kind, bytes) {
        if (kind !== "wasm") {
            return new CpuRuntime("javascript", null, null);
        }
        const memory = new WebAssembly.Memory({ initial: 1 });
        const { instance } = await WebAssembly.instantiate(bytes, { cpu: { memory } });
        return new CpuRuntime("wasm", memory, instance.exports);
    }

    /** Allocate a plan's buffers. Throws an Error with a reason where the memory does not suffice. */
    async open(plan) {
        return new CpuMachine(plan, this);
    }

    /** Names of the kernels that a program needs and this runtime lacks. */
    missing(plan, program) {
        return missingKernels(plan, program, this.kernels);
    }

    /** See to it that calls have `length` numbers of scratch memory. */
    reserve(length) {
        if (4 * length > this.space.size) {
            if (this.space.size > 0) {
                this.memory.free(this.space);
            }
            this.space = { start: 0, size: 0 };
            this.space = this.memory.allocate(4 * length);
        }
    }
}

/** A step record as an object: the fields of shaders/shared/step.wgsl. */
function readStep(record) {
    const reals = new Float32Array(record.buffer, record.byteOffset, record.length);
    const [seedLow, seedHigh, counterLow, counterHigh, stream, slot, rows, firstIndex] = record;
    return {
        seedLow, seedHigh, counterLow, counterHigh, stream, slot, rows, firstIndex,
        numbers: reals.slice(RECORD.numbers, RECORD.groups),
        groups: reals.slice(RECORD.groups, RECORD.groups + 16),
    };
}
