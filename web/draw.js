// Draws a plane of the latent space: decoded tiles, and dots of the posterior means of held-out images by class. On a GPU neither
// pixels nor points are copied to the page (paint_gpu.js); without one they are read and put into a canvas (paint_canvas.js).

import { GpuPainter } from "./paint_gpu.js";
import { CanvasPainter } from "./paint_canvas.js";

/** The latents of the tiles of a plane, row by row from the top left, then the cursor's: [tiles + 1, latent]. */
function tileLatents({ columns, rows, centre, span, aspect, dims, base, cursor }) {
    const latent = base.length;
    const latents = new Float32Array((columns * rows + 1) * latent);
    for (let tile = 0; tile < columns * rows; tile++) {
        const x = ((tile % columns) + 0.5) / columns - 0.5;
        const y = 0.5 - (Math.floor(tile / columns) + 0.5) / rows;
        latents.set(base, tile * latent);
        if (latent > 1) {
            latents[tile * latent + dims[1]] = centre[1] + y * span * aspect;
        }
        latents[tile * latent + dims[0]] = centre[0] + x * span;
    }
    latents.set(cursor, columns * rows * latent);
    return latents;
}

/** A plane of the latent space in a canvas. */
export class Plane {
    constructor(session, canvas) {
        this.session = session;
        this.canvas = canvas;
        this.count = session.manifest.dataset.test;
        /** The next image to encode, and the version of the model of which all dots are. */
        this.next = 0;
        this.encoded = -1;
        /** Images that this painter has encoded at least once: the others have no place yet. */
        this.known = 0;
        this.painter = null;
    }

    /**
     * Draw: `side` tiles along the width (on a GPU fewer where one pass of the decoder has fewer rows), dots, and the image
     * of `cursor`. Resolves to the number of tiles along the width when the work is handed over.
     */
    frame(view) {
        return this.session.exclusive(async () => {
            const { session } = this;
            await session.weights.show(true);
            if (this.painter?.runtime !== session.runtime) {
                this.painter = session.runtime.kind === "webgpu"
                    ? new GpuPainter(this) : new CanvasPainter(this);
                this.encoded = -1;
                this.next = 0;
                this.known = 0;
            }
            const machine = await session.machine("look");
            const aspect = session.latent > 1 ? this.canvas.height / this.canvas.width : 1;
            const gpu = session.runtime.kind === "webgpu";
            const most = gpu ? session.ports(machine, "decode").given[0].shape[0] - 1 : Infinity;
            const rowsOf = (side) => (session.latent > 1 ? Math.max(1, Math.round(side * aspect)) : 1);
            let columns = view.tiles ? view.side : 1;
            while (columns > 1 && columns * rowsOf(columns) > most) {
                columns -= 1;
            }
            const rows = view.tiles ? rowsOf(columns) : 1;
            const latents = tileLatents({ ...view, columns, rows, aspect });
            await this.painter.frame(machine, { ...view, columns, rows, aspect, latents });
            return columns;
        });
    }

    /** Encode the next held-out images, if the model has changed since they were encoded. True while some are left. */
    turn(machine) {
        const { session } = this;
        if (this.encoded !== session.version && this.next === 0) {
            this.encoding = session.version;
        }
        if (this.count === 0 || this.encoded === session.version) {
            return null;
        }
        const { wanted: [posterior] } = session.ports(machine, "encode");
        const first = this.next, rows = Math.min(posterior.shape[0], this.count - first);
        session.writeIndices(machine, Uint32Array.from({ length: rows }, (_, i) => first + i));
        this.next = first + rows;
        this.known = Math.max(this.known, this.next);
        if (this.next === this.count) {
            this.next = 0;
            this.encoded = this.encoding;
        }
        return { first, rows, posterior, records: session.record(machine.plan, { rows, counter: first }) };
    }

    /** Whether dots of an older model are still drawn. */
    get behind() {
        return this.count > 0 && this.encoded !== this.session.version;
    }

    /** Places of all dots in the latent dimensions `dims`: [count, 2]. */
    async points(dims) {
        const { latent } = this.session;
        const means = await this.session.exclusive(() => this.painter.readMeans());
        return Float32Array.from({ length: 2 * this.count }, (_, i) => means[(i >> 1) * latent + dims[i % 2]]);
    }

    /** Draw the image of the cursor of the last frame into `canvas`. */
    cursorPicture(canvas) {
        this.painter?.cursor(canvas);
    }
}
