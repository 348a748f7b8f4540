import { gaussianRadius } from "./contours.js";

/** Images whose posteriors are counted at most, and at first; and the milliseconds that computing them may take. */
const CLOUD = 1000;
const FIRST = 64;
/** Held-out images over which the KL divergence of each dimension is averaged. */
const DIVERGENCES = 256;
const CLOUD_TIME = 400;

/** Dimensions with less KL divergence, in nats, hold nothing of the picture. */
export const INACTIVE = 0.05;

/**
 * What is looked at, and the loop that draws it.
 *
 * Views register with `show(draw)`; `draw(changes)` gets the Set of what changed since the last frame:
 *   "z"       the cursor moved                    "slice"   the plane cuts the latent space elsewhere
 *   "model"   the parameters changed              "cloud"   posteriors of the held-out images were computed
 *   "layers"  what the plane shows                "sample"  the picture whose posterior is shown
 *   "path"    the ends of the path                "size"    the window
 * At most one frame is in work, and none where nothing changed.
 */
export class Explorer {
    /** `failed(error)` is told of what could not be drawn. */
    constructor(bundle, session, failed) {
        this.failed = failed;
        this.bundle = bundle;
        this.session = session;
        this.image = bundle.manifest.image;
        this.latent = session.latent;
        /** Latents of the cursor. */
        this.z = new Float32Array(this.latent);
        /** Where the cursor goes back to after hovering. */
        this.kept = this.z.slice();
        /** Latents that the plane's tiles have in the dimensions which it does not show. */
        this.base = this.z.slice();
        this.dims = this.latent > 1 ? [0, 1] : [0];
        this.view = { centre: [0, 0], span: 6 };
        this.layers = { tiles: true, dots: true, density: false };
        this.hidden = new Set();
        this.cloud = null;
        this.divergences = null;
        this.sample = null;
        this.path = { ends: [this.z.slice(), this.z.slice()] };
        this.changes = new Set();
        this.views = [];
        this.actor = null;
        this.training = null;
        this.tail = Promise.resolve();
        this.waiting = false;
        /** Milliseconds that the last frame was drawn in. */
        this.drawing = 0;
        this.timer = 0;
        this.due = Infinity;
        // A hidden tab gets no animation frames: the browser itself pauses the loop.
        document.addEventListener("visibilitychange", () => this.wake());
    }

    /** Adds a view. */
    show(draw) {
        this.views.push(draw);
    }

    /** Runs a task of the session after all tasks before it: results of two tasks share the session's buffers. */
    use(task) {
        const result = this.tail.then(task);
        this.tail = result.catch(() => {});
        return result;
    }

    /** Notes changes, which the next frame draws. */
    changed(...names) {
        names.forEach((name) => this.changes.add(name));
        this.wake();
    }

    /** Asks for a frame. */
    wake() {
        if (!this.waiting) {
            this.waiting = true;
            requestAnimationFrame((now) => this.frame(now));
        }
    }

    /** Asks for a frame later: views that wait for calm use it. The earliest of all wishes counts. */
    wakeIn(milliseconds) {
        const due = performance.now() + milliseconds;
        if (due < this.due) {
            this.due = due;
            clearTimeout(this.timer);
            this.timer = setTimeout(() => {
                this.due = Infinity;
                this.wake();
            }, milliseconds);
        }
    }

    /** Whether the next frame will differ from this one. */
    get moving() {
        return this.actor !== null || this.training !== null;
    }

    async frame(now) {
        try {
            await this.use(async () => {
                this.actor?.(now);
                await this.training?.(now);
                const began = performance.now();
                const changes = this.changes;
                this.changes = new Set();
                for (const draw of this.views) {
                    try {
                        await draw(changes);
                    } catch (error) {
                        // What one view cannot do must not stop the others.
                        this.failed(error);
                    }
                }
                this.drawing = performance.now() - began;
            });
        } catch (error) {
            this.training = null;
            this.failed(error);
        } finally {
            this.waiting = false;
            if (this.changes.size || this.moving) {
                this.wake();
            }
        }
    }

    /** Moves the cursor; `keep` says whether it stays there when a hovering mouse leaves. */
    moveTo(z, keep = true) {
        // A model that has diverged has no places.
        if (!z.every(Number.isFinite)) {
            return;
        }
        this.z = Float32Array.from(z);
        if (keep) {
            this.kept = this.z.slice();
        }
        if (this.z.some((value, dim) => !this.dims.includes(dim) && value !== this.base[dim])) {
            this.base = this.z.slice();
            this.changes.add("slice");
        }
        this.changed("z");
    }

    /** Moves the cursor through points [z, ...] within some seconds, evenly; `moved(part)` is told of the part done. */
    walk(points, seconds, moved = () => {}) {
        const lengths = points.slice(1).map((point, index) => apart(point, points[index]));
        const total = lengths.reduce((sum, length) => sum + length, 0) || 1;
        let start = null;
        this.actor = (now) => {
            start ??= now;
            const part = Math.min(1, (now - start) / (1000 * seconds));
            let left = part * total;
            let leg = 0;
            while (leg + 1 < lengths.length && left > lengths[leg]) {
                left -= lengths[leg++];
            }
            if (part === 1) {
                this.actor = null;
            }
            this.moveTo(between(points[leg], points[leg + 1], lengths[leg] ? Math.min(1, left / lengths[leg]) : 0));
            moved(part);
        };
        this.wake();
    }

    /** Stops a walk. */
    stop() {
        this.actor = null;
    }

    /** Computes the posteriors of the held-out images again. */
    async refreshCloud() {
        const most = Math.min(CLOUD, this.bundle.manifest.dataset.test);
        if (most > 0) {
            const count = this.cloud?.count ?? Math.min(most, await this.affordable());
            this.cloud = { ...(await this.session.posteriors(0, count)), count, latent: this.latent };
            this.divergences = await this.session.divergences(Math.min(this.bundle.manifest.dataset.test, DIVERGENCES));
            this.means = null;
            this.changed("cloud");
        }
    }

    /** How many posteriors are computed in the time that they may take, at least `FIRST`. */
    async affordable() {
        const some = Math.min(FIRST, this.bundle.manifest.dataset.test);
        // The first call also prepares the runtime.
        await this.session.posteriors(0, 1);
        const began = performance.now();
        await this.session.posteriors(0, some);
        return Math.max(FIRST, Math.floor((some * CLOUD_TIME) / (performance.now() - began)));
    }

    /** Shows as much of the plane as nearly all posterior means need, and three standard deviations of the prior. */
    fitView() {
        if (this.cloud) {
            const { means, count, latent } = this.cloud;
            const away = this.dims.flatMap((dim) =>
                Array.from({ length: count }, (_, image) => Math.abs(means[image * latent + dim])));
            away.sort((a, b) => a - b);
            this.view = { centre: [0, 0], span: 2 * Math.max(3, 1.05 * away[Math.floor(0.995 * (away.length - 1))]) };
            this.changed("slice");
        }
    }

    /** Dimensions by falling KL divergence, and how many of them are active. */
    ranking() {
        const kl = this.divergences ?? new Float64Array(this.latent).fill(INACTIVE);
        const order = Array.from(kl.keys()).sort((a, b) => kl[b] - kl[a]);
        return { order, active: order.filter((dim) => kl[dim] >= INACTIVE).length };
    }

    /** Mean of the posterior means of each class: Map of class to Float64Array [latent]. */
    classMeans() {
        const sums = new Map();
        for (let image = 0; this.bundle.labels && this.cloud && image < this.cloud.count; image++) {
            const label = this.bundle.labels[image];
            const sum = sums.get(label) ?? { count: 0, mean: new Float64Array(this.latent) };
            sum.count++;
            sum.mean.forEach((value, dim) => {
                sum.mean[dim] += (this.cloud.means[image * this.latent + dim] - value) / sum.count;
            });
            sums.set(label, sum);
        }
        return new Map([...sums].sort(([a], [b]) => a - b).map(([label, { mean }]) => [label, mean]));
    }

    /** Posterior mean of a held-out image of the cloud. */
    meanOf(image) {
        return this.cloud.means.slice(image * this.latent, (image + 1) * this.latent);
    }

    /** Name of a class. */
    className(label) {
        return this.bundle.manifest.dataset.classes?.[label] ?? String(label);
    }

    /** Name of the class whose mean is nearest; null without labels. */
    nearestClass(z) {
        let best = null;
        let least = Infinity;
        this.means ??= this.classMeans();
        for (const [label, mean] of this.means) {
            const away = apart(mean, z);
            if (away < least) {
                [best, least] = [label, away];
            }
        }
        return best === null ? null : this.className(best);
    }

    /**
     * Encodes a picture: Float32Array [pixels] in 0..1. The encoder and the true posterior get the same x, which is
     * binarised once where the model binarises. `index` is that of the held-out image; null of the visitor's own.
     */
    async encode(picture, index = null) {
        const x = await this.session.observe(picture, index ?? 0);
        const label = index === null ? null : this.bundle.labels?.[index] ?? null;
        return this.encodeAgain({ index, x, label, identity: null });
    }

    /** Encodes the x of the sample by the parameters of now. */
    async encodeAgain(sample = this.sample) {
        const { mean, logVariance } = await this.session.encode(sample.x);
        const reconstruction = await this.session.decode(Float32Array.from(mean));
        this.sample = Object.assign(sample, { mean, logVariance, reconstruction, stale: true });
        this.changed("sample");
        return sample;
    }

    /** Shows a held-out image: its picture, its posterior, and the cursor at its mean. */
    async pick(index) {
        this.stop();
        await this.use(() => this.encode(this.bundle.picture(index), index));
        this.moveTo(this.sample.mean);
    }

    /** Text of a z for those who do not see the picture. */
    describe(z) {
        const name = this.nearestClass(z);
        return name === null ? "" : `nearest class ${name}`;
    }
}

/** Euclidean distance of two points. */
export function apart(a, b) {
    return Math.sqrt(a.reduce((sum, value, dim) => sum + (value - b[dim]) ** 2, 0));
}

/** The point at a part of the way from a to b. */
export function between(a, b, part) {
    return Float32Array.from(a, (value, dim) => value + part * (b[dim] - value));
}

/** Half widths of the ellipse that holds a share of the mass of q(z|x), in latent units. */
export function ellipseOf(sample, dims, mass) {
    return dims.map((dim) => gaussianRadius(mass) * Math.exp(sample.logVariance[dim] / 2));
}

/**
 * A drawing that takes at most a fifth of the time, and is made up for when all is calm. `draw` returns whether it has to
 * go on: it may draw a part at a time.
 */
export class Seldom {
    constructor(explorer, draw) {
        this.explorer = explorer;
        this.draw = draw;
        this.stale = false;
        this.cost = 0;
        this.last = -Infinity;
    }

    /** Draws if it is needed, now or before, and if it is not too soon. */
    async when(needed) {
        this.stale ||= needed;
        const began = performance.now();
        if (!this.stale) {
            return;
        }
        if (began - this.last < 4 * this.cost) {
            this.explorer.wakeIn(4 * this.cost + 20);
            return;
        }
        this.stale = false;
        this.stale = (await this.draw()) === true || this.stale;
        this.last = performance.now();
        this.cost = this.last - began;
        if (this.stale) {
            this.explorer.wakeIn(20);
        }
    }
}
