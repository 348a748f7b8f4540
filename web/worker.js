// The entry of the page's Worker: a CpuRuntime that answers messages, so that the page stays free while it computes.
//
// A message is {id, method, args}; the answer {id, result} or {id, error}. Machines are known by numbers.

import { CpuRuntime } from "./cpu.js";

/** Answers the methods that WorkerRuntime (remote.js) asks for. */
class WorkerHost {
    constructor() {
        this.runtime = null;
        this.machines = [];
    }

    /** @returns {Promise<string[]>} names of the kernels that there are */
    async start(kind, bytes) {
        this.runtime = await CpuRuntime.start(kind, bytes);
        return [...this.runtime.kernels];
    }

    /** @returns {Promise<number>} the machine's number */
    async open(plan) {
        return this.machines.push(await this.runtime.open(plan)) - 1;
    }

    write(machine, buffer, offset, array) {
        this.machines[machine].write(buffer, offset, array);
    }

    submit(machine, program, records) {
        this.machines[machine].submit(program, records);
    }

    read(machine, buffer, offset, length) {
        return this.machines[machine].read(buffer, offset, length);
    }

    close(machine) {
        this.machines[machine].close();
        this.machines[machine] = null;
    }
}

const workerHost = new WorkerHost();
// One message after the other: later ones must not overtake a method that waits.
let lastAnswer = Promise.resolve();

self.onmessage = ({ data: { id, method, args } }) => {
    lastAnswer = lastAnswer.then(async () => {
        try {
            const result = await workerHost[method](...args);
            self.postMessage({ id, result }, ArrayBuffer.isView(result) ? [result.buffer] : []);
        } catch (error) {
            self.postMessage({ id, error: error.message });
        }
    });
};
