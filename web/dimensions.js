import { INACTIVE, Seldom } from "./explorer.js";
import { byId, decimal, make, paintPictures } from "./pixels.js";

/** Rows that are shown at once: each further slider makes it harder to reach a picture. */
const MOST = 12;

/** Milliseconds of decoding after which the other film strips wait for the next frame. */
const STRIPS_TIME = 40;

/** Pictures of a film strip at most, and their height on the page at least: that of a finger. */
const FRAMES = 11;
const FINGER = 44;

/** A film strip with a slider over it: pictures along the way, and a bar that is moved over them. */
export class FilmStrip {
    /** `moved(value)` is told of the slider's value, in `low`..`high`. */
    constructor(name, low, high, moved) {
        this.canvas = make("canvas", { className: "film" });
        this.canvas.setAttribute("aria-hidden", "true");
        this.slider = make("input", { type: "range", min: low, max: high, step: (high - low) / 200, ariaLabel: name });
        this.slider.addEventListener("input", () => moved(this.slider.valueAsNumber));
        this.element = make("div", { className: "strip" }, this.canvas, this.slider);
    }

    /** Decodes and paints the pictures; `latentsAt(value)` are the latents at a value of the slider. */
    async paint(explorer, latentsAt) {
        const { image, latent, session } = explorer;
        const room = Math.floor((this.element.clientWidth * image.height) / image.width / FINGER);
        const count = Math.max(1, Math.min(FRAMES, room));
        const [low, high] = [Number(this.slider.min), Number(this.slider.max)];
        const latents = new Float32Array(count * latent);
        for (let frame = 0; frame < count; frame++) {
            latents.set(latentsAt(low + ((frame + 0.5) / count) * (high - low)), frame * latent);
        }
        paintPictures(this.canvas, await session.decode(latents), image, count);
    }
}

/** The card of the dimensions: a film strip for each, by falling KL divergence; inactive ones are folded. */
export class Dimensions {
    constructor(explorer) {
        this.explorer = explorer;
        this.rows = new Map();
        /** Dimensions above the limit when the rows were made. */
        this.active = 0;
        this.next = 0;
        this.strips = new Seldom(explorer, () => this.drawStrips());
        byId("inactive").addEventListener("toggle", () => this.refresh());
        explorer.show((changes) => this.draw(changes));
    }

    refresh() {
        this.strips.stale = true;
        this.explorer.wake();
    }

    /** Makes the rows, in the order of now. */
    build() {
        const { explorer } = this;
        const { order, active } = explorer.ranking();
        const reach = Math.max(3, explorer.view.span / 2);
        this.rows.clear();
        const rowOf = (dim) => {
            const film = new FilmStrip(`Latent z${dim + 1}`, -reach, reach, (value) => {
                const z = explorer.z.slice();
                z[dim] = value;
                explorer.stop();
                explorer.moveTo(z);
            });
            const bar = make("meter", { min: 0, max: 1, ariaLabel: `KL divergence of z${dim + 1}` });
            const kl = make("span", { className: "kl" });
            this.rows.set(dim, { film, bar, kl });
            const known = explorer.divergences ? [bar, kl] : [];
            const className = known.length ? "dimension" : "dimension plain";
            return make("div", { className }, make("b", {}, `z${dim + 1}`), ...known, film.element);
        };
        this.active = active;
        this.shown = Math.min(MOST, Math.max(1, active));
        byId("strips").replaceChildren(...order.slice(0, this.shown).map(rowOf));
        const rest = order.slice(this.shown);
        byId("inactive").hidden = rest.length === 0;
        byId("inactive-strips").replaceChildren(...rest.map(rowOf));
        const inactive = `${order.length - active} inactive (KL under ${INACTIVE} nats)`;
        byId("inactive-name").textContent = active > MOST ? `${rest.length} more, ${inactive}` : inactive;
        this.built = `${order.length}:${order.slice(0, active)}`;
        this.strips.stale = true;
    }

    async draw(changes) {
        const { explorer } = this;
        if (changes.has("cloud") || !this.built) {
            const { order, active } = explorer.ranking();
            // While something moves rows change places only for dimensions that wake or die, and never under a finger.
            const calm = !explorer.moving
                || (active !== this.active && !byId("strips").contains(document.activeElement));
            if (this.built !== `${order.length}:${order.slice(0, active)}` && calm) {
                this.build();
            }
        }
        if (changes.has("cloud") && explorer.divergences) {
            this.drawDivergences();
        }
        const moved = ["z", "model", "size"].some((name) => changes.has(name));
        if (moved) {
            for (const [dim, { film }] of this.rows) {
                film.slider.value = explorer.z[dim];
                film.slider.ariaValueText = decimal(explorer.z[dim]);
            }
        }
        await this.strips.when(moved);
    }

    drawDivergences() {
        const { divergences } = this.explorer;
        const most = Math.max(1, ...divergences.filter(Number.isFinite));
        for (const [dim, { bar, kl }] of this.rows) {
            bar.value = Number.isFinite(divergences[dim]) ? divergences[dim] / most : 0;
            kl.textContent = decimal(divergences[dim]);
        }
        const total = divergences.reduce((sum, value) => sum + value, 0);
        const layers = this.explorer.bundle.manifest.latent.length;
        byId("kl-total").textContent = layers > 1 ? `of the first of ${layers} stochastic layers`
            : `KL ${decimal(total)} nats in all`;
    }

    /** Draws the strips that can be seen, as many as there is time for. True while some are left. */
    async drawStrips() {
        const { explorer } = this;
        const folded = !byId("inactive").open;
        const rows = [...this.rows].slice(0, folded ? this.shown : this.rows.size);
        const began = performance.now();
        for (let left = rows.length; left > 0 && performance.now() - began < STRIPS_TIME; left--) {
            this.next %= rows.length;
            const [dim, { film }] = rows[this.next++];
            await film.paint(explorer, (value) => Object.assign(explorer.z.slice(), { [dim]: value }));
            this.left = left - 1;
        }
        return this.left > 0;
    }
}
