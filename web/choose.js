// Where the page computes: the order of choice, and the reason to tell the visitor.

import { GpuRuntime, adapterName, isSoftware } from "./runtime.js";
import { WorkerRuntime } from "./remote.js";
import { pageBytes } from "./bundle.js";

/** Open a runtime: "auto" takes a hardware GPU, else the CPU. Returns it with a sentence why. */
export async function openRuntime(wanted) {
    let why = wanted === "wasm" || wanted === "javascript" ? "The page's address asks for it."
        : isSecureContext ? "This browser offers no GPU."
        : "Browsers offer the GPU only to pages over https.";
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
    return wanted === "auto" ? openWithoutGpu(why) : { runtime: await startWorker(wanted), why };
}

/** Open the faster CPU runtime that the browser has; `why` there is no GPU. */
export async function openWithoutGpu(why) {
    try {
        return { runtime: await startWorker("wasm"), why };
    } catch (error) {
        const reason = `${why} WASM SIMD is not at hand: ${error.message}.`;
        return { runtime: await startWorker("javascript"), why: reason };
    }
}

async function startWorker(kind) {
    return WorkerRuntime.start(kind, kind === "wasm" ? await pageBytes("simd.wasm") : null);
}
