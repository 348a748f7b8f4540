// Lends a runtime to a test: executes the commands that the test hands out at `POST /line/NAME`.
//
// A message is one JSON header, preceded by its length in bytes (u32) and followed by spaces up to whole words, then
// the words of its arrays, one after the other. The answer to one message asks for the next.

/** The runtime of `kind`: webgpu, wasm or javascript. */
async function start(kind) {
    if (kind === "webgpu") {
        const { GpuRuntime } = await import("../../web/runtime.js");
        const runtime = await GpuRuntime.start();
        if (!runtime) {
            throw new Error("WebGPU has no adapter");
        }
        return runtime;
    }
    const { CpuRuntime } = await import("../../web/cpu.js");
    return CpuRuntime.start(kind, kind === "wasm" ? await bytes("../../web/simd.wasm") : null);
}

/** A file of this repository, in a browser or in Node. */
async function bytes(path) {
    const url = new URL(path, import.meta.url);
    if (url.protocol === "file:") {
        const { readFile } = await import("node:fs/promises");
        return readFile(url);
    }
    return (await fetch(url)).arrayBuffer();
}

function unpack(message) {
    const length = new Uint32Array(message, 0, 1)[0];
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(message, 4, length)));
    return { header, words: message.slice(4 + length) };
}

function pack(header, arrays) {
    let text = JSON.stringify(header);
    text += " ".repeat(3 - ((new TextEncoder().encode(text).length + 3) % 4));
    const head = new TextEncoder().encode(text);
    return new Blob([new Uint32Array([head.length]), head, ...arrays]);
}

/** Executes the commands of one message. */
class Session {
    constructor(runtime) {
        this.runtime = runtime;
        this.machine = null;
    }

    async run({ commands }, words) {
        let used = 0;
        const take = (length, type) => new type(words, (used += 4 * length) - 4 * length, length);
        const reads = [];
        const header = { name: this.runtime.name };
        for (const command of commands) {
            const machine = this.machine;
            switch (command.op) {
                case "open":
                    machine?.close();
                    this.machine = await this.runtime.open(command.plan, command.manifest);
                    break;
                case "missing": {
                    const dispatches = command.kernels.map((kernel) => ({ kernel, constants: {} }));
                    const program = { name: "all", dispatches: dispatches.map((_, index) => index) };
                    header.missing = this.runtime.missing({ dispatches, programs: [program] }, "all");
                    break;
                }
                case "write": {
                    const real = machine.plan.buffers[command.buffer].element === "real";
                    const array = take(command.length, real ? Float32Array : Uint32Array);
                    machine.write(command.buffer, command.offset, array);
                    break;
                }
                case "submit":
                    machine.submit(command.program, take(command.length, Uint32Array));
                    break;
                case "read":
                    reads.push(await machine.read(command.buffer, command.offset, command.length));
                    break;
                default:
                    throw new Error(`no command is called ${command.op}`);
            }
        }
        return pack(header, reads);
    }
}

/** Serve the line at `url` with a runtime of `kind` until the test ends it. */
export async function lend(url, kind) {
    let session = null;
    let answer = "";
    for (;;) {
        const response = await fetch(url, { method: "POST", body: answer });
        answer = "";
        if (response.status === 410) {
            return;
        }
        if (response.status !== 200) {
            continue;
        }
        const { header, words } = unpack(await response.arrayBuffer());
        try {
            session ??= new Session(await start(kind));
            answer = await session.run(header, words);
        } catch (error) {
            answer = pack({ error: String(error?.stack ?? error) }, []);
        }
    }
}
