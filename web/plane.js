import { ENCODER, PATH, TRUE } from "./colours.js";
import { MASSES, aggregateDensity, contour, massLevels } from "./contours.js";
import { ellipseOf } from "./explorer.js";
import { FlatPlane } from "./flat.js";
import { byId, decimal, fitCanvas, outline, segments, writeOn } from "./pixels.js";

/** Tiles along a side: as many as the time allows. */
const SIDES = [15, 13, 11, 9, 7, 5];

/** Milliseconds that a drawing may take while something moves, and when all is calm. */
const MOVING = 30;
const CALM = 400;

/** Cells along a side of the grid of the aggregate posterior. */
const CELLS = 64;

/** The latent plane: tiles and dots by the session; above them one picture's densities, the cursor and the path. */
export class LatentPlane {
    constructor(explorer) {
        this.explorer = explorer;
        this.frame = byId("plane");
        this.over = byId("over");
        this.inputs = [byId("plane-x"), byId("plane-y")].slice(0, explorer.dims.length);
        this.side = 0;
        // Before the first drawing has been timed, few tiles are drawn.
        this.perTile = 0.5;
        this.pointer = null;
        this.open();
        this.listen();
        new ResizeObserver(() => explorer.changed("size")).observe(this.frame);
        explorer.show((changes) => this.draw(changes));
    }

    /** Takes the canvas into use; again, with a new one, after the graphics device was lost. */
    open(fresh = false) {
        this.canvas = byId("tiles");
        if (fresh) {
            // A canvas that a graphics device drew into takes no other context.
            [this.canvas, byId("decoded")].forEach((canvas) => canvas.replaceWith(canvas.cloneNode()));
            this.canvas = byId("tiles");
        }
        const { width, height } = this.explorer.image;
        Object.assign(byId("decoded"), { width, height });
        const flat = this.explorer.latent === 1;
        this.frame.classList.toggle("flat", flat);
        this.plane = flat ? new FlatPlane(this.explorer, this.canvas) : this.explorer.session.plane(this.canvas);
    }

    async draw(changes) {
        const { explorer } = this;
        const redraw = ["slice", "model", "layers", "size"].some((name) => changes.has(name))
            || (changes.has("z") && this.gpu) || (explorer.latent === 1 && changes.has("cloud"));
        const busy = explorer.moving || this.pointer !== null || changes.has("slice");
        if (redraw || (!busy && this.side < this.sideFor(CALM))) {
            await this.drawTiles(this.sideFor(busy ? MOVING : CALM));
            if (explorer.layers.dots && this.plane.behind) {
                // Posteriors are computed in turn, some in each frame.
                explorer.changed("layers");
            } else if (this.side < this.sideFor(CALM)) {
                explorer.wakeIn(200);
            }
        }
        if (["slice", "layers", "cloud", "size"].some((name) => changes.has(name))) {
            this.findDensity();
        }
        if (changes.size) {
            this.drawOver();
        }
    }

    /** Whether a graphics device draws: one pass decodes the tiles and the cursor's picture, and nothing is read. */
    get gpu() {
        return this.explorer.latent > 1 && this.explorer.session.runtime.kind === "webgpu";
    }

    /** The most tiles along a side that are drawn in the time. */
    sideFor(milliseconds) {
        return this.gpu
            ? SIDES[0]
            : SIDES.find((side) => side * side * this.perTile <= milliseconds) ?? SIDES.at(-1);
    }

    async drawTiles(side) {
        const { explorer, canvas } = this;
        const ratio = Math.min(devicePixelRatio || 1, 2);
        const width = Math.max(1, Math.round(this.frame.clientWidth * ratio));
        const height = Math.max(1, Math.round(this.frame.clientHeight * ratio));
        if (canvas.width !== width || canvas.height !== height) {
            Object.assign(canvas, { width, height });
        }
        const began = performance.now();
        const { view, layers, dims, base, hidden, z: cursor } = explorer;
        await this.plane.frame({ side, ...view, ...layers, dims, base, cursor, hidden });
        if (this.gpu) {
            this.plane.cursorPicture(byId("decoded"));
        }
        const perTile = (performance.now() - began) / (side * side);
        this.perTile = this.side ? 0.7 * this.perTile + 0.3 * perTile : perTile;
        this.side = side;
    }

    /** Finds the lines of the aggregate posterior. */
    findDensity() {
        const { cloud, dims, view, layers } = this.explorer;
        this.mass = null;
        if (cloud && layers.density && dims.length > 1) {
            const grid = aggregateDensity(cloud, dims, view, CELLS);
            this.mass = massLevels(grid.density).map((level) => contour(grid, level));
        }
    }

    /** Place of latents on the canvas, in CSS pixels. */
    place(z) {
        const { view, dims } = this.explorer;
        const { clientWidth: width, clientHeight: height } = this.frame;
        const along = (axis) => (z[dims[axis]] - view.centre[axis]) / view.span + 0.5;
        return [along(0) * width, dims.length > 1 ? (1 - along(1)) * height : this.plane.cursorHeight(height)];
    }

    /** Latents under the pointer; the other dimensions stay. */
    latentsAt(event) {
        const { view, dims, z } = this.explorer;
        const box = this.frame.getBoundingClientRect();
        const parts = [(event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height];
        const there = z.slice();
        dims.forEach((dim, axis) => {
            there[dim] = view.centre[axis] + (Math.min(1, Math.max(0, parts[axis])) - 0.5) * view.span;
        });
        return there;
    }

    drawOver() {
        const { explorer, over } = this;
        const { dims, sample, path, view } = explorer;
        const context = fitCanvas(over);
        const { clientWidth: width, clientHeight: height } = over;
        const scale = width / view.span;
        if (dims.length > 1) {
            const across = (value) => ((value - view.centre[0]) / view.span + 0.5) * width;
            const up = (value) => (0.5 - (value - view.centre[1]) / view.span) * height;
            this.mass?.forEach((lines) => segments(context, "#ffffffb0", 1, lines, across, up));
            if (sample) {
                sample.lines?.forEach((lines) => segments(context, TRUE, 1.5, lines, across, up));
                const [x, y] = this.place(sample.mean);
                MASSES.forEach((mass) => {
                    const [across, up] = ellipseOf(sample, dims, mass);
                    outline(context, ENCODER, 1.5, () => context.ellipse(x, y, across * scale, up * scale, 0, 0, 7));
                });
            }
        } else {
            this.plane.drawCurves(context, width, height);
        }
        this.drawAxes(context, width, height);
        const [a, b] = path.ends.map((end) => this.place(end));
        outline(context, PATH, 1.5, () => {
            context.moveTo(...a);
            context.lineTo(...b);
        });
        [a, b].forEach((end, index) => label(context, "AB"[index], ...end));
        const [x, y] = this.place(explorer.z);
        outline(context, "#ffffff", 2, () => {
            context.arc(x, y, 7, 0, 7);
            [[1, 0], [-1, 0], [0, 1], [0, -1]].forEach(([right, down]) => {
                context.moveTo(x + 7 * right, y + 7 * down);
                context.lineTo(x + 13 * right, y + 13 * down);
            });
        });
        this.describe();
    }

    drawAxes(context, width, height) {
        const { dims, view } = this.explorer;
        context.font = "12px system-ui, sans-serif";
        const step = [1, 2, 5, 10, 20, 50, 100].find((size) => view.span / size <= 8) ?? 1000;
        dims.forEach((dim, axis) => {
            const low = view.centre[axis] - view.span / 2;
            for (let tick = Math.ceil(low / step + 0.3) * step; tick < low + view.span - 0.6 * step; tick += step) {
                const part = (tick - low) / view.span;
                const spot = axis ? [6, (1 - part) * height + 4] : [part * width - 4, height - 6];
                writeOn(context, decimal(tick, 0), ...spot);
            }
            writeOn(context, `z${dim + 1}`, ...(axis ? [6, 16] : [width - 22, height - 6]));
        });
    }

    /** Keeps the native sliders, which keyboards and screen readers use, at the cursor. */
    describe() {
        const { explorer } = this;
        this.inputs.forEach((input, axis) => {
            const dim = explorer.dims[axis];
            const middle = explorer.view.centre[axis];
            input.min = middle - explorer.view.span / 2;
            input.max = middle + explorer.view.span / 2;
            input.step = explorer.view.span / 200;
            input.value = explorer.z[dim];
            input.ariaLabel = `Latent z${dim + 1}`;
            input.ariaValueText = `${decimal(explorer.z[dim])}, ${explorer.describe(explorer.z)}`;
        });
    }

    listen() {
        const { explorer, over } = this;
        over.addEventListener("pointerdown", (event) => {
            if (event.button !== 0) {
                return;
            }
            over.setPointerCapture(event.pointerId);
            explorer.stop();
            this.pointer = { x: event.clientX, y: event.clientY, moved: false, path: event.shiftKey };
            this.follow(event);
        });
        over.addEventListener("pointermove", (event) => {
            if (this.pointer) {
                this.follow(event);
            } else if (event.pointerType === "mouse" && event.buttons === 0) {
                explorer.stop();
                explorer.moveTo(this.latentsAt(event), false);
            }
        });
        over.addEventListener("pointerup", (event) => {
            const clicked = this.pointer && !this.pointer.moved && !this.pointer.path;
            this.pointer = null;
            explorer.wake();
            if (clicked) {
                this.click(event);
            }
        });
        over.addEventListener("pointercancel", () => {
            this.pointer = null;
        });
        over.addEventListener("pointerleave", () => {
            if (!this.pointer && !explorer.actor) {
                explorer.moveTo(explorer.kept);
            }
        });
        this.inputs.forEach((input, axis) => {
            input.addEventListener("input", () => this.moveAxis(axis, input.valueAsNumber));
            input.addEventListener("keydown", (event) => this.key(event));
        });
    }

    /** A drag moves the cursor; with Shift it draws the path from A to B. */
    follow(event) {
        const { explorer, pointer } = this;
        const there = this.latentsAt(event);
        pointer.moved ||= Math.hypot(event.clientX - pointer.x, event.clientY - pointer.y) > 5;
        if (!pointer.path) {
            explorer.moveTo(there);
        } else if (pointer.moved) {
            explorer.path.ends[1] = there;
            explorer.changed("path");
        } else {
            explorer.path.ends = [there, there.slice()];
            explorer.changed("path");
        }
    }

    /** A click on a dot shows its image. */
    async click(event) {
        const { explorer, frame } = this;
        if (!explorer.layers.dots) {
            return;
        }
        const box = frame.getBoundingClientRect();
        const points = await explorer.use(() => this.plane.points(explorer.dims));
        let best = -1;
        let least = event.pointerType === "mouse" ? 9 : 18;
        const z = explorer.z.slice();
        for (let index = 0; 2 * index < points.length; index++) {
            const label = explorer.bundle.labels?.[index];
            let spot;
            if (explorer.dims.length > 1) {
                explorer.dims.forEach((dim, axis) => (z[dim] = points[2 * index + axis]));
                spot = this.place(z);
            } else {
                spot = [points[2 * index], points[2 * index + 1]];
            }
            const away = Math.hypot(spot[0] - event.clientX + box.left, spot[1] - event.clientY + box.top);
            if (away < least && !explorer.hidden.has(label)) {
                [best, least] = [index, away];
            }
        }
        if (best >= 0) {
            await explorer.pick(best);
        }
    }

    moveAxis(axis, value) {
        const { explorer } = this;
        const z = explorer.z.slice();
        const half = explorer.view.span / 2;
        const middle = explorer.view.centre[axis];
        z[explorer.dims[axis]] = Math.min(middle + half, Math.max(middle - half, value));
        explorer.stop();
        explorer.moveTo(z);
    }

    /** Left and right move along the first dimension, up and down along the second, with Shift ten times as far. */
    key(event) {
        const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowDown: [1, -1], ArrowUp: [1, 1] };
        const [axis, sign] = moves[event.key] ?? [];
        if (axis === undefined || event.altKey || event.ctrlKey || event.metaKey) {
            return;
        }
        event.preventDefault();
        const shown = Math.min(axis, this.inputs.length - 1);
        const step = (this.explorer.view.span / 200) * (event.shiftKey ? 10 : 1);
        this.moveAxis(shown, this.explorer.z[this.explorer.dims[shown]] + sign * step);
    }
}

/** An end of the path. */
function label(context, text, x, y) {
    context.beginPath();
    context.arc(x, y, 9, 0, 7);
    context.fillStyle = PATH;
    context.fill();
    context.fillStyle = "#000000";
    context.font = "bold 12px system-ui, sans-serif";
    context.textAlign = "center";
    context.fillText(text, x, y + 4);
    context.textAlign = "start";
}
