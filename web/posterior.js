// The identity log p(x) = ELBO + KL(q || p(z|x)) for one image and a latent space of one or two dimensions, as
// `vae posterior` has it: log p(x) is an integral over a grid, the ELBO an expectation under q.

/** Nats below its maximum at which the posterior is cut off. */
const DEPTH = 24;
/** Cells along a side of a grid. */
const GRID_CELLS = { 1: 256, 2: 48 };
/** Standard deviations that a cell may be wide at most: the midpoint rule is then exact to many digits. */
const CELL_DEVIATIONS = 0.75;
const NORMAL_CONSTANT = Math.log(2 * Math.PI);

/** Nodes and weights of Gauss-Hermite quadrature for the standard normal density: the weights sum to 1. */
function hermiteRule(count) {
    const nodes = [], weights = [];
    let x = 0;
    for (let i = 0; i < Math.ceil(count / 2); i++) {
        // First guesses of Stroud and Secrest (1966), then Newton's method.
        x = i === 0 ? Math.sqrt(2 * count + 1) - 1.85575 * (2 * count + 1) ** (-1 / 6)
            : i === 1 ? x - (1.14 * count ** 0.426) / x
            : i === 2 ? 1.86 * x - 0.86 * nodes[0]
            : i === 3 ? 1.91 * x - 0.91 * nodes[1]
            : 2 * x - nodes[i - 2];
        let slope = 1;
        for (let turn = 0; turn < 50; turn++) {
            let p = Math.PI ** -0.25, before = 0;
            for (let k = 0; k < count; k++) {
                [p, before] = [x * Math.sqrt(2 / (k + 1)) * p - Math.sqrt(k / (k + 1)) * before, p];
            }
            slope = Math.sqrt(2 * count) * before;
            const change = p / slope;
            x -= change;
            if (Math.abs(change) < 1e-15 * Math.max(1, Math.abs(x))) {
                break;
            }
        }
        nodes.push(x);
        weights.push(2 / (slope * slope) / Math.sqrt(Math.PI));
    }
    const half = Math.floor(count / 2);
    return {
        nodes: [...nodes, ...nodes.slice(0, half).reverse().map((node) => -node)].map((node) => Math.SQRT2 * node),
        weights: [...weights, ...weights.slice(0, half).reverse()],
    };
}

/** KL(N(mean, exp(logVariance)) || N(0, I)) in nats. */
function divergenceToPrior({ mean, logVariance }) {
    return mean.reduce((sum, m, i) => sum + (m * m + Math.exp(logVariance[i]) - 1 - logVariance[i]) / 2, 0);
}

/** A square grid of latents, its cells' middles row by row: rows go up. */
function gridLatents({ centre, span, side }, latent) {
    const at = (cell, d) => centre[d] + ((cell + 0.5) / side - 0.5) * span;
    if (latent === 1) {
        return Float32Array.from({ length: side }, (_, i) => at(i, 0));
    }
    return Float32Array.from({ length: 2 * side * side }, (_, i) => {
        const cell = i >> 1;
        return i % 2 === 0 ? at(cell % side, 0) : at(Math.floor(cell / side), 1);
    });
}

/** log p(x|z) + log p(z) at the cells of a grid. */
async function jointOn(session, x, grid) {
    const { latent } = session;
    const latents = gridLatents(grid, latent);
    const joint = await session.logLikelihood(x, latents);
    for (let cell = 0; cell < joint.length; cell++) {
        for (let d = 0; d < latent; d++) {
            joint[cell] -= (latents[cell * latent + d] ** 2 + NORMAL_CONSTANT) / 2;
        }
    }
    return { latents, joint };
}

/** Mass, smallest standard deviation and box of a density on a grid. */
function measured({ latents, joint }, latent, cell) {
    const most = joint.reduce((a, b) => Math.max(a, b), -Infinity);
    let mass = 0;
    const sums = new Float64Array(latent), squares = new Float64Array(latent);
    const low = new Array(latent).fill(Infinity), high = new Array(latent).fill(-Infinity);
    joint.forEach((value, i) => {
        const weight = Math.exp(value - most);
        mass += weight;
        for (let d = 0; d < latent; d++) {
            const z = latents[i * latent + d];
            sums[d] += weight * z;
            squares[d] += weight * z * z;
            if (value > most - DEPTH) {
                low[d] = Math.min(low[d], z - cell);
                high[d] = Math.max(high[d], z + cell);
            }
        }
    });
    const deviations = Array.from(sums, (sum, d) => Math.sqrt(Math.max(squares[d] / mass - (sum / mass) ** 2, 0)));
    return { logMass: most + Math.log(mass), deviation: Math.min(...deviations), low, high };
}

/**
 * The terms of the identity for the image `x`, as `session.observe` gives it, in nats. `grid` holds log p(z|x) at the
 * middles of its cells, row by row upward.
 */
export async function identity(session, x) {
    const { latent } = session;
    const q = await session.encode(x);
    const elbo = await expectation(session, x, q) - divergenceToPrior(q);
    let grid = { centre: [0, 0], span: 10, side: GRID_CELLS[latent] };
    for (let level = 0; ; level++) {
        const values = await jointOn(session, x, grid);
        const cell = grid.span / grid.side;
        const found = measured(values, latent, cell);
        const enough = level > 0 && cell <= CELL_DEVIATIONS * found.deviation;
        if (enough || level === 6) {
            const logEvidence = found.logMass + latent * Math.log(cell);
            const logDensity = values.joint.map((value) => value - logEvidence);
            return { q, elbo, logEvidence, gap: logEvidence - elbo, grid: { ...grid, logDensity } };
        }
        // The next grid covers what is not negligible on this one.
        const extent = found.low.map((low, d) => found.high[d] - low);
        grid = {
            centre: [0, 1].map((d) => (d < latent ? (found.low[d] + found.high[d]) / 2 : 0)),
            span: Math.max(...extent),
            // A posterior of several modes far apart asks for more cells.
            side: (level > 2 ? 3 : 1) * GRID_CELLS[latent],
        };
    }
}

/** The expectation of log p(x|z) under q. */
async function expectation(session, x, q) {
    const { latent } = session;
    const { nodes, weights } = hermiteRule(24);
    const count = nodes.length ** latent;
    const latents = new Float32Array(count * latent), share = new Float64Array(count).fill(1);
    for (let i = 0; i < count; i++) {
        for (let d = 0; d < latent; d++) {
            const node = d === 0 ? i % nodes.length : Math.floor(i / nodes.length);
            latents[i * latent + d] = q.mean[d] + Math.exp(q.logVariance[d] / 2) * nodes[node];
            share[i] *= weights[node];
        }
    }
    const values = await session.logLikelihood(x, latents);
    return values.reduce((sum, value, i) => sum + share[i] * value, 0);
}
