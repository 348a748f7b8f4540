// Draws a plane of the latent space into a canvas, from images and points that are read. A frame is put together in memory and
// given to the canvas at once: thousands of small drawings would each cost as much.

import { CLASS_COLOURS } from "./colours.js";

/** Share of a dot's radius inside its dark rim. */
const DOT_CORE = 0.72;

/** Draws without a GPU. */
export class CanvasPainter {
    constructor(plane) {
        this.plane = plane;
        this.runtime = plane.session.runtime;
        this.copies = new Map();
        this.images = new Map();
        this.means = new Float32Array(plane.count * plane.session.latent);
        this.last = null;
    }

    /** A canvas that WebGPU has drawn into has no other context: a copy takes its place in the page. */
    context(canvas) {
        let own = this.copies.get(canvas) ?? canvas;
        if (!own.getContext("2d")) {
            own = canvas.cloneNode();
            canvas.replaceWith(own);
            this.copies.set(canvas, own);
        }
        if (own !== canvas && (own.width !== canvas.width || own.height !== canvas.height)) {
            own.width = canvas.width;
            own.height = canvas.height;
        }
        return own.getContext("2d");
    }

    /** The pixels of a frame of `canvas`: kept for the next frame of the same size. */
    image(canvas) {
        let image = this.images.get(canvas);
        if (image?.width !== canvas.width || image?.height !== canvas.height) {
            image = new ImageData(Math.max(canvas.width, 1), Math.max(canvas.height, 1));
            this.images.set(canvas, image);
        }
        return image;
    }

    /** Fill `image` with tiles, `columns` by `rows` of the images of `pictures` from number `first` on. */
    fill(image, pictures, first, columns, rows, lights) {
        const { pixels, manifest: { image: { width, height, channels } } } = this.plane.session;
        const words = new Uint32Array(image.data.buffer);
        // For each column of the frame, where its pixel lies in an image, and which tile it is in.
        const along = (size, tiles, length) => Array.from({ length: size }, (_, at) => {
            const place = ((at + 0.5) * tiles) / size;
            return [Math.floor(place), Math.min(Math.floor((place % 1) * length), length - 1)];
        });
        const across = along(image.width, columns, width), down = along(image.height, rows, height);
        const starts = Int32Array.from(across, ([tile, pixel]) => tile * pixels + pixel * channels);
        const tiles = Int32Array.from(across, ([tile]) => tile);
        const byte = (value, light) => (value > 0 ? (value < 1 ? 255 * light * value : 255 * light) : 0) & 255;
        for (let y = 0; y < image.height; y++) {
            const [row, line] = down[y];
            const start = (first + row * columns) * pixels + line * width * channels;
            for (let x = 0; x < image.width; x++) {
                const at = start + starts[x], light = lights[row * columns + tiles[x]];
                const red = byte(pictures[at], light);
                const green = channels === 3 ? byte(pictures[at + 1], light) : red;
                const blue = channels === 3 ? byte(pictures[at + 2], light) : red;
                // Words hold bytes from the lowest on: red, green, blue, opacity.
                words[y * image.width + x] = 0xff000000 | (blue << 16) | (green << 8) | red;
            }
        }
    }

    /** Places of all dots from -1 to 1, x to the right and y up. */
    places({ centre, span, aspect, dims }) {
        const { known, session: { latent } } = this.plane;
        const places = new Float32Array(2 * known);
        for (let i = 0; i < known; i++) {
            places[2 * i] = (2 * (this.means[i * latent + dims[0]] - centre[0])) / span;
            places[2 * i + 1] = latent === 1 ? 1.6 * ((i * 0.618034) % 1) - 0.8
                : (2 * (this.means[i * latent + dims[1]] - centre[1])) / (span * aspect);
        }
        return places;
    }

    /** How much light each tile gets: less where no held-out image is near. */
    lights(places, { columns, rows, dots }) {
        const { known, session: { latent } } = this.plane;
        const stride = 1 + Math.floor(known / 1024);
        return Float32Array.from({ length: columns * rows }, (_, tile) => {
            const x = (2 * (tile % columns) + 1) / columns - 1, y = 1 - (2 * Math.floor(tile / columns) + 1) / rows;
            let near = dots && known > 0 ? 0 : 1;
            for (let i = 0; i < known && near < 1; i += stride) {
                const dx = ((places[2 * i] - x) * columns) / 3;
                const dy = latent === 1 ? 0 : ((places[2 * i + 1] - y) * rows) / 3;
                near += Math.exp(-2 * (dx * dx + dy * dy));
            }
            return 0.3 + 0.7 * Math.min(near, 1);
        });
    }

    async frame(machine, view) {
        const { plane } = this, { session, canvas } = plane, { latent } = session;
        const turn = view.dots || plane.encoded < 0 ? plane.turn(machine) : null;
        if (turn) {
            machine.submit("encode", turn.records);
            const [means] = await session.readRows(machine, turn.posterior, turn.rows);
            this.means.set(means, turn.first * latent);
        }
        const pictures = await session.decodeRows(machine, view.latents);
        this.last = { pictures, row: view.latents.length / latent - 1 };
        const image = this.image(canvas), places = this.places(view);
        if (view.tiles) {
            this.fill(image, pictures, 0, view.columns, view.rows, this.lights(places, view));
        } else {
            new Uint32Array(image.data.buffer).fill(0xff000000);
        }
        if (view.dots) {
            this.drawDots(image, places, view.hidden);
        }
        this.context(canvas).putImageData(image, 0, 0);
    }

    drawDots({ data, width, height }, places, hidden) {
        const { known, session: { bundle: { labels } } } = this.plane;
        const radius = Math.max(0.0035 * width, 2), reach = Math.ceil(radius);
        // Opacity of a dot and of its core at each pixel around its middle.
        const stamp = [];
        for (let dy = -reach; dy <= reach; dy++) {
            for (let dx = -reach; dx <= reach; dx++) {
                const [dot, core] = [radius, DOT_CORE * radius].map((edge) => (
                    Math.min(Math.max(edge + 0.5 - Math.hypot(dx, dy), 0), 1)));
                if (dot > 0) {
                    stamp.push([dx, dy, dot, core]);
                }
            }
        }
        for (let i = 0; i < known; i++) {
            const own = labels?.[i] ?? 0;
            if (hidden?.has(own)) {
                continue;
            }
            const x0 = Math.floor(((places[2 * i] + 1) / 2) * width);
            const y0 = Math.floor(((1 - places[2 * i + 1]) / 2) * height);
            const colour = CLASS_COLOURS[own % CLASS_COLOURS.length];
            for (const [dx, dy, dot, core] of stamp) {
                const x = x0 + dx, y = y0 + dy;
                if (x >= 0 && x < width && y >= 0 && y < height) {
                    const at = 4 * (y * width + x);
                    for (let channel = 0; channel < 3; channel++) {
                        data[at + channel] = (1 - core) * (1 - dot) * data[at + channel] + core * colour[channel];
                    }
                }
            }
        }
    }

    cursor(canvas) {
        if (this.last) {
            const image = this.image(canvas);
            this.fill(image, this.last.pictures, this.last.row, 1, 1, [1]);
            this.context(canvas).putImageData(image, 0, 0);
        }
    }

    readMeans() {
        return this.means;
    }
}
