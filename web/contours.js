/**
 * Densities on square grids and the lines of equal density. A grid is {centre, span, side, density: Float64Array
 * [side * side]}; cell (row, column) has the latents centre + ((column, row) + 1/2) / side * span - span / 2.
 */

/** Shares of the mass inside the two lines drawn of every density. */
export const MASSES = [0.5, 0.9];

/** Radius, in standard deviations, of the circle that holds a share of the mass of a Gaussian in the plane. */
export function gaussianRadius(mass) {
    return Math.sqrt(-2 * Math.log(1 - mass));
}

/** Density whose superlevel set holds each share of the grid's mass. */
export function massLevels(density, masses = MASSES) {
    const sorted = Float64Array.from(density).sort().reverse();
    const total = sorted.reduce((sum, value) => sum + value, 0);
    return masses.map((mass) => {
        let sum = 0;
        const last = sorted.findIndex((value) => (sum += value) >= mass * total);
        return sorted[Math.max(0, last)];
    });
}

/** Line segments [x0, y0, x1, y1, ...] in latent units where the density crosses the level (marching squares). */
export function contour({ centre, span, side, density }, level) {
    const lines = [];
    const step = span / side;
    const left = centre[0] - span / 2 + step / 2;
    const low = centre[1] - span / 2 + step / 2;
    for (let row = 0; row + 1 < side; row++) {
        for (let column = 0; column + 1 < side; column++) {
            const at = row * side + column;
            // Corners counter-clockwise; an edge is crossed where exactly one of its ends is above the level.
            const corners = [[0, 0, at], [1, 0, at + 1], [1, 1, at + side + 1], [0, 1, at + side]];
            const points = [];
            for (let edge = 0; edge < 4; edge++) {
                const [x0, y0, first] = corners[edge];
                const [x1, y1, second] = corners[(edge + 1) % 4];
                const a = density[first] - level;
                const b = density[second] - level;
                if (a >= 0 !== b >= 0) {
                    const part = a / (a - b);
                    const [right, up] = [column + x0 + part * (x1 - x0), row + y0 + part * (y1 - y0)];
                    points.push(left + right * step, low + up * step);
                }
            }
            // Two crossings make a line, and four, at a saddle, two.
            lines.push(...points);
        }
    }
    return lines;
}

/**
 * Density of the aggregate posterior, the mean of q(z|x) over images, at `dims` = [i, j] (or [i]: then one row).
 * `cloud` is {means, logVariances: Float32Array [count * latent], count, latent}.
 */
export function aggregateDensity(cloud, dims, { centre, span }, side) {
    const rows = dims.length > 1 ? side : 1;
    const density = new Float64Array(side * rows);
    const profiles = dims.map(() => new Float64Array(side));
    // Two cells wide at least, or narrow posteriors would fall between the cells and the lines tremble.
    const least = (2 * span) / side;
    for (let image = 0; image < cloud.count; image++) {
        dims.forEach((dim, axis) => {
            const at = image * cloud.latent + dim;
            const deviation = Math.max(least, Math.exp(cloud.logVariances[at] / 2));
            const start = centre[axis] - span / 2 - cloud.means[at];
            for (let cell = 0; cell < side; cell++) {
                const away = (start + ((cell + 0.5) / side) * span) / deviation;
                profiles[axis][cell] = Math.exp(-0.5 * away * away) / (deviation * Math.sqrt(2 * Math.PI));
            }
        });
        for (let row = 0; row < rows; row++) {
            const weight = (dims.length > 1 ? profiles[1][row] : 1) / cloud.count;
            for (let column = 0; weight > 1e-9 && column < side; column++) {
                density[row * side + column] += weight * profiles[0][column];
            }
        }
    }
    return { centre, span, side, density };
}
