// Where the page computes: the order of choice, and the reason to tell the visitor.

import { GpuRuntime, adapterName, isSoftware } from "./runtime.js";
import { WorkerRuntime } from "./remote.js";
import { pageBytes } from "./bundle.js";

/** Open a runtime: "auto" takes a hardware GPU, else WASM SIMD, else plain JavaScript. Returns it with a sentence why. */
export async function openRuntime(wanted) {
    let why = "This browser offers no GPU.";
    if (wanted === "auto" || wanted === "webgpu") {
        const adapter = await GpuRuntime.adapter();
        if (adapter && (wanted === "webgpu" || !isSoftware(adapter))) {
            try {
                return { runtime: await GpuRuntime.start(adapter), why: "The GPU computes." };
            } catch (error) {
                why = `The GPU could not be opened: ${error.message}.`;
            }
        } else if (adapter) {
            why = `The browser offers only a software GPU (${adapterName(adapter)}), which is slower.`;
        }
        if (wanted === "webgpu") {
            throw new Error(why);
        }
    }
    if (wanted !== "javascript") {
        try {
            const bytes = await pageBytes("simd.wasm");
            return { runtime: await WorkerRuntime.start("wasm", bytes), why };
        } catch (error) {
            if (wanted === "wasm") {
                throw error;
            }
            why += ` WASM SIMD is not at hand: ${error.message}.`;
        }
    }
    return { runtime: await WorkerRuntime.start("javascript", null), why };
}
