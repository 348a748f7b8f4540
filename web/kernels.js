// The CPU's kernels by the names that plans give them: the entry points of the WGSL.

import { activationKernels } from "./kernels/activation.js";
import { gatherKernels } from "./kernels/gather.js";
import { latentKernels } from "./kernels/latent.js";
import { likelihoodKernel } from "./kernels/likelihood.js";
import { matmulKernels, productScratch } from "./kernels/matmul.js";
import { optimizerKernels } from "./kernels/optimizer.js";
import { randomKernels } from "./kernels/random.js";
import { sumKernels } from "./kernels/sums.js";

const KERNELS = {
    ...activationKernels,
    ...gatherKernels,
    ...latentKernels,
    ...matmulKernels,
    ...optimizerKernels,
    ...randomKernels,
    ...sumKernels,
};

/** @returns {Function|undefined} the kernel of this name, a function of a CpuCall (cpu.js) */
export function findKernel(name) {
    return Object.hasOwn(KERNELS, name) ? KERNELS[name] : likelihoodKernel(name);
}

/** Numbers of scratch memory that a dispatch needs. */
export function scratchLength({ kernel, constants }) {
    if (!/^(matmul|partial|finish)/.test(kernel)) {
        return 0;
    }
    const columns = 4 * constants.COLUMNS;
    return productScratch(columns) + (constants.ACCUMULATE ? constants.ROWS * columns : 0);
}
