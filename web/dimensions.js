import { Seldom } from "./explorer.js";
import { byId, decimal, make, paintPictures } from "./pixels.js";

/** Pictures of a film strip. */
export const FRAMES = 11;

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

    /** Latents in the middle of each picture's share of the way. */
    static stops(low, high) {
        return Array.from({ length: FRAMES }, (_, frame) => low + ((frame + 0.5) / FRAMES) * (high - low));
    }

    paint(pixels, image) {
        paintPictures(this.canvas, pixels, image, FRAMES);
    }
}

/** The card of the dimensions: a film strip for each, by falling KL divergence; inactive ones are folded. */
export class Dimensions {
    constructor(explorer) {
        this.explorer = explorer;
        this.rows = new Map();
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
        byId("strips").replaceChildren(...order.slice(0, Math.max(1, active)).map(rowOf));
        const rest = order.slice(Math.max(1, active));
        byId("inactive").hidden = rest.length === 0;
        byId("inactive-strips").replaceChildren(...rest.map(rowOf));
        byId("inactive-name").textContent = `${rest.length} inactive (KL under 0.05 nats)`;
        this.built = `${order.length}:${order.slice(0, active)}`;
        this.reach = reach;
        this.strips.stale = true;
    }

    async draw(changes) {
        const { explorer } = this;
        if ((changes.has("cloud") && !explorer.moving) || !this.built) {
            const { order, active } = explorer.ranking();
            if (this.built !== `${order.length}:${order.slice(0, active)}`) {
                this.build();
            }
        }
        if (changes.has("cloud") && explorer.divergences) {
            this.drawDivergences();
        }
        const moved = ["z", "model"].some((name) => changes.has(name));
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
        const most = Math.max(1, ...divergences);
        for (const [dim, { bar, kl }] of this.rows) {
            bar.value = divergences[dim] / most;
            kl.textContent = decimal(divergences[dim]);
        }
        const total = divergences.reduce((sum, value) => sum + value, 0);
        const layers = this.explorer.bundle.manifest.latent.length;
        byId("kl-total").textContent = layers > 1 ? `of the first of ${layers} stochastic layers`
            : `KL ${decimal(total)} nats in all`;
    }

    async drawStrips() {
        const { explorer, reach } = this;
        const folded = !byId("inactive").open;
        const { active, order } = explorer.ranking();
        const shown = [...this.rows].filter(([dim]) => !folded || order.indexOf(dim) < Math.max(1, active));
        const stops = FilmStrip.stops(-reach, reach);
        const latents = new Float32Array(shown.length * FRAMES * explorer.latent);
        shown.forEach(([dim], row) => stops.forEach((value, frame) => {
            const at = (row * FRAMES + frame) * explorer.latent;
            latents.set(explorer.z, at);
            latents[at + dim] = value;
        }));
        const pixels = await explorer.session.decode(latents);
        const size = pixels.length / Math.max(1, shown.length);
        shown.forEach(([, { film }], row) => film.paint(pixels.subarray(row * size, (row + 1) * size), explorer.image));
    }
}
