// Runs plans on a GPU through WebGPU: the same plans and the same WGSL as the program that wrote them.
//
// A plan lists buffers, dispatches and programs. `open` creates the buffers, compiles a pipeline for each kernel with its
// constants, and binds each dispatch once; `submit` replays the dispatches of a program for each step.

import { SHARED_ROLES } from "./programs.js";

/** A GPU cannot hold or compile a plan. */
export class GpuError extends Error {}

/** A GPU, opened. */
export class GpuRuntime {
    /** The browser's preferred adapter; null where there is none. */
    static async adapter() {
        if (!("gpu" in navigator)) {
            return null;
        }
        // Some browsers reject where others give null.
        return navigator.gpu.requestAdapter({ powerPreference: "high-performance" }).catch(() => null);
    }

    /** Open an adapter. Resolves to null without one. */
    static async start(given) {
        const adapter = given ?? await GpuRuntime.adapter();
        if (!adapter) {
            return null;
        }
        const device = await adapter.requestDevice({ label: "vae", requiredLimits: wantedLimits(adapter.limits) });
        return new GpuRuntime(adapter, device);
    }

    constructor(adapter, device) {
        this.kind = "webgpu";
        this.device = device;
        this.software = isSoftware(adapter);
        this.name = adapterName(adapter);
        /** What the device refused outside `open`: it is given up then. */
        this.refused = null;
        this.lost = device.lost.then(({ message }) => `The GPU was lost: ${this.refused ?? (message || "no reason given")}`);
        this.modules = new Map();
        this.layouts = new Map();
        this.pipelines = new Map();
        this.shared = new Map();
        this.staging = [];
        device.addEventListener("uncapturederror", ({ error }) => {
            this.refused ??= error.message;
            device.destroy();
        });
    }

    /** Kernels of a program that this runtime lacks: none. */
    missing() {
        return [];
    }

    /**
     * Allocate and compile a plan. `manifest` has the WGSL and the layout of a step's record.
     * Throws a GpuError if memory runs out or the device refuses something.
     */
    async open(plan, manifest) {
        for (const filter of ["validation", "out-of-memory", "internal"]) {
            this.device.pushErrorScope(filter);
        }
        let machine = null, problem = null;
        try {
            machine = new GpuMachine(this, plan, manifest);
            await machine.compile(manifest);
        } catch (error) {
            problem = error;
        }
        for (let scope = 0; scope < 3; scope++) {
            problem = (await this.device.popErrorScope()) ?? problem;
        }
        if (problem) {
            machine?.close();
            throw new GpuError(`The GPU (${this.name}) cannot run the model: ${problem.message}`, { cause: problem });
        }
        return machine;
    }

    /** The module of a kernel's file, with the parts that it imports. */
    module(kernel, manifest) {
        if (!this.modules.has(kernel.file)) {
            const code = [...kernel.imports, kernel.file].map((name) => manifest.modules[name]).join("");
            this.modules.set(kernel.file, this.device.createShaderModule({ label: kernel.file, code }));
        }
        return this.modules.get(kernel.file);
    }

    /** The layout of a kernel's bindings: `step` with a dynamic offset, then storage. */
    layout(name, kernel, bindings, stepSize) {
        if (!this.layouts.has(name)) {
            const entries = bindings.map(({ variable, access }) => ({
                binding: kernel.bindings[variable],
                visibility: GPUShaderStage.COMPUTE,
                buffer: { type: access === "read" ? "read-only-storage" : "storage" },
            }));
            if (kernel.step) {
                entries.unshift({
                    binding: 0,
                    visibility: GPUShaderStage.COMPUTE,
                    buffer: { type: "uniform", hasDynamicOffset: true, minBindingSize: stepSize },
                });
            }
            const group = this.device.createBindGroupLayout({ label: name, entries });
            const pipeline = this.device.createPipelineLayout({ label: name, bindGroupLayouts: [group] });
            this.layouts.set(name, { group, pipeline });
        }
        return this.layouts.get(name);
    }

    /** The pipeline of a dispatch: its kernel with its constants. */
    async pipeline(dispatch, manifest) {
        const key = `${dispatch.kernel} ${JSON.stringify(dispatch.constants)}`;
        if (!this.pipelines.has(key)) {
            const kernel = manifest.kernels[dispatch.kernel];
            const { pipeline } = this.layout(dispatch.kernel, kernel, dispatch.bindings, manifest.step.size);
            this.pipelines.set(key, this.device.createComputePipelineAsync({
                label: dispatch.kernel,
                layout: pipeline,
                compute: {
                    module: this.module(kernel, manifest),
                    entryPoint: kernel.entry,
                    constants: dispatch.constants,
                },
            }));
        }
        return this.pipelines.get(key);
    }

    /** `bytes` of `buffer` from byte `offset` on, after all work before. */
    async copyOut(buffer, offset, bytes) {
        const index = this.staging.findIndex((staging) => staging.size >= bytes);
        const staging = index >= 0 ? this.staging.splice(index, 1)[0] : this.device.createBuffer({
            label: "staging",
            size: 2 ** Math.ceil(Math.log2(Math.max(bytes, 256))),
            usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
        });
        const encoder = this.device.createCommandEncoder();
        encoder.copyBufferToBuffer(buffer, offset, staging, 0, bytes);
        this.device.queue.submit([encoder.finish()]);
        const mapped = staging.mapAsync(GPUMapMode.READ, 0, bytes);
        // Firefox looks for finished mappings every 100 ms, and at each submit (its bug 1870699).
        this.device.queue.submit([]);
        await mapped;
        const copy = staging.getMappedRange(0, bytes).slice(0);
        staging.unmap();
        if (this.staging.length < 4) {
            this.staging.push(staging);
        } else {
            staging.destroy();
        }
        return copy;
    }
}

/** Whether an adapter computes on the CPU. */
export function isSoftware(adapter) {
    return adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter ?? false;
}

/** What the browser says of an adapter, which may be little. */
export function adapterName({ info = {} }) {
    return info.description || [info.vendor, info.architecture].filter(Boolean).join(" ") || "a GPU";
}

/** The default limits hold but for the size of buffers, of which large models need more. */
function wantedLimits(limits) {
    const most = 1 << 30;
    return {
        maxBufferSize: Math.min(limits.maxBufferSize, most),
        maxStorageBufferBindingSize: Math.min(limits.maxStorageBufferBindingSize, most),
    };
}

/** A plan on a GPU. */
class GpuMachine {
    constructor(runtime, plan, manifest) {
        const { device } = runtime;
        this.runtime = runtime;
        this.plan = plan;
        const count = plan.buffers.length;
        const blockOf = plan.memory.length ? plan.memory : plan.buffers.map((_, index) => index);
        const sizes = new Array(Math.max(0, ...blockOf.map((block) => block + 1))).fill(0);
        plan.buffers.forEach((buffer, index) => {
            sizes[blockOf[index]] = Math.max(sizes[blockOf[index]], buffer.length * 4);
        });
        const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
        this.own = [];
        const blocks = sizes.map(() => null);
        this.buffers = new Array(count);
        plan.buffers.forEach((buffer, index) => {
            const block = blockOf[index];
            if (!blocks[block]) {
                const key = SHARED_ROLES.includes(buffer.role) ? `${buffer.name} ${buffer.length}` : null;
                blocks[block] = key && runtime.shared.get(key);
                if (!blocks[block]) {
                    blocks[block] = device.createBuffer({ label: buffer.name, size: sizes[block], usage });
                    if (key) {
                        runtime.shared.set(key, blocks[block]);
                    } else {
                        this.own.push(blocks[block]);
                    }
                }
            }
            this.buffers[index] = blocks[block];
        });
        const metrics = plan.buffers.find((buffer) => buffer.role === "metric");
        this.maxSteps = metrics ? Math.floor(metrics.length / Math.max(plan.metrics.length, 1)) : 1;
        this.stride = Math.max(manifest.step.size, device.limits.minUniformBufferOffsetAlignment);
        this.stepWords = manifest.step.size / 4;
        this.steps = device.createBuffer({
            label: "steps",
            size: this.stride * this.maxSteps,
            usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
        });
        this.own.push(this.steps);
        this.programs = new Map(plan.programs.map((program) => [program.name, program.dispatches]));
        this.dispatches = [];
    }

    async compile(manifest) {
        this.dispatches = await Promise.all(this.plan.dispatches.map(async (dispatch) => {
            const kernel = manifest.kernels[dispatch.kernel];
            if (!kernel) {
                throw new Error(`the bundle has no kernel called ${dispatch.kernel}`);
            }
            const pipeline = await this.runtime.pipeline(dispatch, manifest);
            const layout = this.runtime.layout(dispatch.kernel, kernel, dispatch.bindings, manifest.step.size);
            const entries = dispatch.bindings.map(({ variable, buffer, offset, length }) => ({
                binding: kernel.bindings[variable],
                resource: { buffer: this.buffers[buffer], offset: 4 * offset, size: 4 * length },
            }));
            if (kernel.step) {
                entries.unshift({ binding: 0, resource: { buffer: this.steps, size: manifest.step.size } });
            }
            const group = this.runtime.device.createBindGroup({ label: dispatch.label, layout: layout.group, entries });
            return { pipeline, group, step: kernel.step, grid: dispatch.grid };
        }));
    }

    /** Write `array` into buffer number `buffer` from element `offset` on. */
    write(buffer, offset, array) {
        this.runtime.device.queue.writeBuffer(this.buffers[buffer], 4 * offset, array);
    }

    /** Run `program` once for each of `records`, in order. */
    submit(program, records) {
        const { device } = this.runtime;
        const encoder = device.createCommandEncoder({ label: program });
        this.record(encoder, program, records);
        device.queue.submit([encoder.finish()]);
    }

    /** Append the same to `encoder`, for a submit that does more. The records count from its submit on. */
    record(encoder, program, records) {
        const count = records.length / this.stepWords;
        if (count > this.maxSteps) {
            throw new Error(`${count} steps in one submit, and the plan has room for ${this.maxSteps}`);
        }
        const queue = this.runtime.device.queue;
        if (this.stride === 4 * this.stepWords) {
            queue.writeBuffer(this.steps, 0, records);
        } else {
            for (let step = 0; step < count; step++) {
                queue.writeBuffer(this.steps, step * this.stride, records, step * this.stepWords, this.stepWords);
            }
        }
        const pass = encoder.beginComputePass({ label: program });
        let bound = null;
        for (let step = 0; step < count; step++) {
            for (const index of this.programs.get(program)) {
                const dispatch = this.dispatches[index];
                if (dispatch.pipeline !== bound) {
                    pass.setPipeline(dispatch.pipeline);
                    bound = dispatch.pipeline;
                }
                pass.setBindGroup(0, dispatch.group, dispatch.step ? [step * this.stride] : []);
                pass.dispatchWorkgroups(...dispatch.grid);
            }
        }
        pass.end();
    }

    /** `length` elements of buffer number `buffer` from `offset` on, after all submits before. */
    async read(buffer, offset, length) {
        const bytes = await this.runtime.copyOut(this.buffers[buffer], 4 * offset, 4 * length);
        return this.plan.buffers[buffer].element === "real" ? new Float32Array(bytes) : new Uint32Array(bytes);
    }

    /** Give back the memory that no other machine uses. */
    close() {
        for (const buffer of this.own) {
            buffer.destroy();
        }
    }
}
