import { ENCODER, TRUE, classColour } from "./colours.js";
import { aggregateDensity } from "./contours.js";
import { outline, paintPictures } from "./pixels.js";

/** Tiles in the row, cells of the curves. */
const TILES = 15;
const CELLS_ALONG = 256;

/**
 * The latent "plane" of one dimension: posterior means in rows by class, a row of tiles under them, and densities as
 * curves. It has the interface of the session's planes.
 */
export class FlatPlane {
    constructor(explorer, canvas) {
        this.explorer = explorer;
        this.canvas = canvas;
        this.tiles = document.createElement("canvas");
    }

    /** Height of the area above the tiles, of a canvas of this size. */
    area(width, height) {
        return height - ((width / TILES) * this.explorer.image.height) / this.explorer.image.width;
    }

    /** Height at which the cursor stands. */
    cursorHeight(height) {
        return this.area(2 * height, height);
    }

    async frame({ centre, span, tiles, dots, hidden }) {
        const { explorer, canvas } = this;
        const { width, height } = canvas;
        const context = canvas.getContext("2d");
        context.fillStyle = "#000000";
        context.fillRect(0, 0, width, height);
        if (tiles) {
            const along = Float32Array.from({ length: TILES }, (_, tile) =>
                centre[0] + ((tile + 0.5) / TILES - 0.5) * span);
            paintPictures(this.tiles, await explorer.session.decode(along), explorer.image, TILES);
            const top = this.area(width, height);
            context.drawImage(this.tiles, 0, top, width, height - top);
        }
        if (dots) {
            const points = this.spots(width, height);
            for (let index = 0; 2 * index < points.length; index++) {
                const label = explorer.bundle.labels?.[index];
                if (!hidden.has(label)) {
                    context.fillStyle = classColour(label);
                    context.beginPath();
                    context.arc(points[2 * index], points[2 * index + 1], width / 280, 0, 7);
                    context.fill();
                }
            }
        }
    }

    /** Places of the dots: along by the posterior mean, upwards by class and, within it, by the image's number. */
    spots(width, height) {
        const { cloud, view, bundle } = this.explorer;
        const classes = bundle.labels ? Math.max(1, bundle.manifest.dataset.classes.length) : 1;
        const area = this.area(width, height) - 30;
        const spots = new Float32Array(2 * (cloud?.count ?? 0));
        for (let index = 0; 2 * index < spots.length; index++) {
            const spread = 0.1 + 0.8 * ((index * 0.618034) % 1);
            spots[2 * index] = ((cloud.means[index] - view.centre[0]) / view.span + 0.5) * width;
            spots[2 * index + 1] = 6 + (((bundle.labels?.[index] ?? 0) + spread) / classes) * area;
        }
        return spots;
    }

    /** Places of the dots in CSS pixels. */
    async points() {
        return this.spots(this.canvas.clientWidth, this.canvas.clientHeight);
    }

    /** Densities: of the aggregate posterior, and of the picture's q(z|x) and p(z|x), each to its own scale. */
    drawCurves(context, width, height) {
        const { cloud, dims, view, layers, sample } = this.explorer;
        const floor = this.area(width, height) - 1;
        const curve = (colour, wide, cells, valueAt) => {
            const values = Array.from({ length: cells }, (_, cell) => valueAt(cell));
            const most = Math.max(...values.map(([, value]) => value));
            outline(context, colour, wide, () => {
                values.forEach(([z, value]) => {
                    const across = ((z - view.centre[0]) / view.span + 0.5) * width;
                    context.lineTo(across, floor - (value / most) * 0.6 * floor);
                });
            });
        };
        if (cloud && layers.density) {
            const { density } = aggregateDensity(cloud, dims, view, CELLS_ALONG);
            const low = view.centre[0] - view.span / 2;
            const step = view.span / CELLS_ALONG;
            curve("#ffffffb0", 1, CELLS_ALONG, (cell) => [low + (cell + 0.5) * step, density[cell]]);
        }
        if (sample) {
            const deviation = Math.exp(sample.logVariance[0] / 2);
            const grid = sample.identity?.grid;
            if (grid) {
                curve(TRUE, 1.5, grid.side, (cell) => [
                    grid.centre[0] + ((cell + 0.5) / grid.side - 0.5) * grid.span, sample.density[cell],
                ]);
            }
            curve(ENCODER, 1.5, 101, (cell) => {
                const away = (cell - 50) / 12.5;
                return [sample.mean[0] + away * deviation, Math.exp(-0.5 * away * away)];
            });
        }
    }
}
