import { decimal } from "./pixels.js";

const SPACE = "http://www.w3.org/2000/svg";

/** Points of a curve at most: of more, neighbours are averaged. */
const POINTS = 240;

/** Averages neighbouring points [x, y], so that at most `most` are left. */
export function thin(points, most = POINTS) {
    const group = Math.ceil(points.length / most);
    const out = [];
    for (let start = 0; start < points.length; start += group) {
        const part = points.slice(start, start + group);
        out.push([0, 1].map((axis) => part.reduce((sum, point) => sum + point[axis], 0) / part.length));
    }
    return out;
}

/** Round values within low..high, about `count`. */
function ticksOf(low, high, count) {
    const raw = (high - low) / count;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = power * [1, 2, 5, 10].find((size) => size * power >= raw);
    const out = [];
    for (let value = Math.ceil(low / step - 1e-9) * step; value <= high + 1e-9 * step; value += step) {
        out.push(Math.abs(value) < 1e-9 * step ? 0 : value);
    }
    return out;
}

/** A chart of curves over training steps in an SVG element; colours and dashes are those of the curves' CSS classes. */
export class Chart {
    /** @param {SVGElement} svg the element, with a label of its own */
    constructor(svg) {
        this.svg = svg;
    }

    /** Draws curves [{name: CSS class, points: [[step, nats], ...]}]; `range` [first, last] steps at least. */
    draw(curves, range) {
        const width = this.svg.clientWidth;
        const height = this.svg.clientHeight;
        if (!width || !height) {
            return;
        }
        const finite = ([, value]) => Number.isFinite(value);
        const thinned = curves.map(({ name, points }) => ({ name, points: thin(points.filter(finite)) }));
        const all = thinned.flatMap(({ points }) => points);
        const steps = [...range, ...all.map(([step]) => step)];
        const [first, last] = [Math.min(...steps), Math.max(...steps, range[0] + 1)];
        // The first steps are far off: the other 97 % of each curve fill the chart.
        const sorted = thinned.map(({ points }) => points.map(([, value]) => value).sort((a, b) => a - b));
        const known = sorted.filter((values) => values.length);
        let low = known.length ? Math.min(...known.map((values) => values[0])) : 0;
        let high = known.length ? Math.max(...known.map((values) => values[Math.ceil(0.97 * (values.length - 1))])) : 1;
        const missing = Math.max(1, 0.02 * Math.abs(low)) - (high - low);
        if (missing > 0) {
            [low, high] = [low - missing / 2, high + missing / 2];
        }
        const room = 0.08 * (high - low);
        const left = 40;
        const bottom = height - 20;
        const across = (step) => left + ((step - first) / (last - first)) * (width - left - 8);
        const up = (value) => Math.max(-5, bottom - ((value - low + room) / (high - low + 2 * room)) * (bottom - 4));
        const shape = (name, attributes, text = "") => {
            const made = document.createElementNS(SPACE, name);
            Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
            made.textContent = text;
            return made;
        };
        const shapes = ticksOf(low - room, high + room, Math.max(2, height / 45)).flatMap((value) => [
            shape("line", { x1: left, x2: width - 8, y1: up(value), y2: up(value), class: "grid" }),
            shape("text", { x: left - 6, y: up(value) + 4, class: "tick y" }, decimal(value, high - low < 4 ? 1 : 0)),
        ]);
        shapes.push(...ticksOf(first, last, Math.max(2, width / 110)).filter(Number.isInteger).map((step) => {
            const x = Math.min(across(step), width - 20);
            return shape("text", { x, y: height - 4, class: "tick x" }, step.toLocaleString("en"));
        }));
        for (const { name, points } of thinned) {
            const line = points.map(([step, value]) => `${across(step).toFixed(1)},${up(value).toFixed(1)}`);
            if (line.length === 1) {
                const [x, y] = line[0].split(",");
                shapes.push(shape("circle", { cx: x, cy: y, r: 3, class: `${name} dot` }));
            }
            shapes.push(shape("polyline", { points: line.join(" "), class: name }));
        }
        this.svg.replaceChildren(...shapes);
    }
}
