// The page's side of the CPU runtime: the same interface as CpuRuntime (cpu.js), computed in a Worker (worker.js).

import { missingKernels, runtimeName } from "./programs.js";

/** Where the page holds everything in one file, the element with the Worker's text. */
const WORKER_SOURCE = "worker-source";

/** Sends a method's name and arguments to the Worker, and gives a promise of its result. */
class WorkerConnection {
    constructor(worker) {
        this.worker = worker;
        this.waiting = new Map();
        this.count = 0;
        worker.onmessage = ({ data: { id, result, error } }) => {
            const { resolve, reject } = this.waiting.get(id);
            this.waiting.delete(id);
            if (error === undefined) {
                resolve(result);
            } else {
                reject(new Error(error));
            }
        };
        worker.onerror = (event) => {
            for (const { reject } of this.waiting.values()) {
                reject(new Error(event.message || "the page's Worker does not start"));
            }
            this.waiting.clear();
        };
    }

    /**
     * @param {string} method of WorkerHost
     * @param {any[]} args
     * @param {ArrayBuffer[]} moved buffers that the page no longer needs
     * @returns {Promise<any>}
     */
    ask(method, args, moved = []) {
        const id = this.count++;
        return new Promise((resolve, reject) => {
            this.waiting.set(id, { resolve, reject });
            this.worker.postMessage({ id, method, args }, moved);
        });
    }
}

/** A plan that is open in the Worker. */
class WorkerMachine {
    constructor(connection, number, plan) {
        this.connection = connection;
        this.number = number;
        this.plan = plan;
        /** The first error of a method that gives no result; `read` reports it. */
        this.error = null;
    }

    /** Send a copy of `array` (Float32Array or Uint32Array) to a buffer, from element `offset` on. */
    write(buffer, offset, array) {
        const copy = array.slice();
        this.send("write", [buffer, offset, copy], [copy.buffer]);
    }

    /** Run a program once for each step record. Returns at once; `read` waits. */
    submit(program, records) {
        this.send("submit", [program, records.slice()]);
    }

    /** A copy of a range of a buffer, after all submits before. */
    async read(buffer, offset, length) {
        const values = await this.connection.ask("read", [this.number, buffer, offset, length]);
        if (this.error) {
            throw this.error;
        }
        return values;
    }

    close() {
        this.send("close", []);
    }

    send(method, args, moved = []) {
        this.connection.ask(method, [this.number, ...args], moved).catch((error) => {
            this.error ??= error;
        });
    }
}

/** Runs plans in a Worker. The interface is that of every runtime (runtime.js). */
export class WorkerRuntime {
    constructor(kind, connection, kernels) {
        /** Names of the kernels that there are. */
        this.kernels = new Set(kernels);
        this.kind = kind;
        this.name = runtimeName(kind);
        this.connection = connection;
        /** Never resolves: a processor is not lost. */
        this.lost = new Promise(() => {});
    }

    /**
     * @param {"wasm"|"javascript"} kind
     * @param {Uint8Array|null} bytes simd.wasm, for "wasm"
     * @returns {Promise<WorkerRuntime>}
     */
    static async start(kind, bytes) {
        const connection = new WorkerConnection(newWorker());
        const kernels = await connection.ask("start", [kind, bytes]);
        return new WorkerRuntime(kind, connection, kernels);
    }

    /** Allocate a plan's buffers. Throws an Error with a reason where the memory does not suffice. */
    async open(plan) {
        return new WorkerMachine(this.connection, await this.connection.ask("open", [plan]), plan);
    }

    /** Names of the kernels that a program needs and the CPU lacks. */
    missing(plan, program) {
        return missingKernels(plan, program, this.kernels);
    }
}

function newWorker() {
    const source = document.getElementById(WORKER_SOURCE);
    if (!source) {
        return new Worker("./worker.js", { type: "module" });
    }
    const url = URL.createObjectURL(new Blob([source.textContent], { type: "text/javascript" }));
    return new Worker(url);
}
