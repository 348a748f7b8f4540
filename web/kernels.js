// The CPU's kernels by the names that plans give them: the entry points of the WGSL.

import { activationKernels } from "./kernels/activation.js";
import { codeKernels } from "./kernels/codes.js";
import { convolutionKernels, convolutionScratch } from "./kernels/convolution.js";
import { distributionKernels } from "./kernels/distributions.js";
import { elementwiseKernels } from "./kernels/elementwise.js";
import { gatherKernels } from "./kernels/gather.js";
import { importanceKernels } from "./kernels/importance.js";
import { latentKernels } from "./kernels/latent.js";
import { likelihoodKernels } from "./kernels/likelihood.js";
import { mapKernels, productsScratch } from "./kernels/maps.js";
import { matmulKernels, productScratch } from "./kernels/matmul.js";
import { normKernels } from "./kernels/norm.js";
import { optimizerKernels } from "./kernels/optimizer.js";
import { penaltyKernels } from "./kernels/penalties.js";
import { randomKernels } from "./kernels/random.js";
import { sumKernels } from "./kernels/sums.js";

/** Of each kernel a function of a CpuCall (cpu.js). @type {Map<string, Function>} */
export const KERNELS = new Map(Object.entries({
    ...activationKernels,
    ...codeKernels,
    ...convolutionKernels,
    ...distributionKernels,
    ...elementwiseKernels,
    ...gatherKernels,
    ...importanceKernels,
    ...latentKernels,
    ...likelihoodKernels,
    ...mapKernels,
    ...matmulKernels,
    ...normKernels,
    ...optimizerKernels,
    ...penaltyKernels,
    ...randomKernels,
    ...sumKernels,
}));

/** Numbers of scratch memory that a dispatch needs. */
export function scratchLength(dispatch) {
    const { kernel, constants } = dispatch;
    if (kernel.includes("conv_")) {
        return convolutionScratch(dispatch);
    }
    if (kernel.startsWith("products_")) {
        return productsScratch(constants);
    }
    if (/^(matmul|partial|finish)_(nt|nn|tn)/.test(kernel)) {
        const columns = 4 * constants.COLUMNS;
        return productScratch(columns) + (constants.ACCUMULATE ? constants.ROWS * columns : 0);
    }
    return 0;
}
