// What all runtimes know of plans, and what the page and its Worker both know of the CPU runtime.

/** Roles of buffers that all machines of a runtime share, if names and lengths are equal. */
export const SHARED_ROLES = ["dataset", "parameter", "moment", "state"];

/** What people call a CPU runtime of this kind. */
export function runtimeName(kind) {
    return kind === "wasm" ? "WASM SIMD, one thread" : "JavaScript, one thread";
}

/** The program of a plan that has this name. */
export function programOf(plan, name) {
    const program = plan.programs.find((program) => program.name === name);
    if (!program) {
        throw new Error(`the plan has no program '${name}'`);
    }
    return program;
}

/**
 * Names of the kernels that a program of a plan needs and `known` lacks.
 * @param {Set<string>} known
 * @returns {string[]}
 */
export function missingKernels(plan, name, known) {
    const names = programOf(plan, name).dispatches.map((index) => plan.dispatches[index].kernel);
    return [...new Set(names)].filter((name) => !known.has(name));
}
