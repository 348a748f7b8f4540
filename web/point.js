import { drawCloseUp } from "./closeup.js";
import { contour, massLevels } from "./contours.js";
import { Seldom } from "./explorer.js";
import { byId, decimal, latentText, paintPictures } from "./pixels.js";
import { PictureInput, signSize } from "./picture.js";
import { identity } from "./posterior.js";

/** The card of one point and one picture: what the decoder makes of z, what the encoder makes of x, and the gap. */
export class PointCard {
    constructor(explorer, status) {
        this.explorer = explorer;
        this.status = status;
        const { manifest } = explorer.bundle;
        /** Whether log p(x) can be computed on a grid. */
        this.exact = manifest.latent.length === 1 && explorer.latent <= 2;
        this.gap = new Seldom(explorer, () => this.compare());
        this.pending = null;
        byId("posterior").hidden = !this.exact;
        const count = Math.min(64, manifest.dataset.test);
        const examples = Array.from({ length: count }, (_, index) => explorer.bundle.picture(index));
        const sign = signSize(examples, explorer.image);
        this.input = new PictureInput(explorer.image, sign, (picture, done) => this.given(picture, done),
            (why) => status.say(why));
        byId("draw-hint").textContent = `${this.input.drawable ? "Draw here, or drop" : "Drop"} or paste a picture`;
        byId("draw-name").textContent = this.input.drawable ? "Your drawing" : "Your picture";
        const { width, height } = explorer.image;
        ["seen", "reconstruction"].forEach((id) => Object.assign(byId(id), { width, height }));
        byId("another").hidden = !manifest.dataset.test;
        byId("another").addEventListener("click", () => this.another());
        explorer.show((changes) => this.draw(changes));
    }

    /** Shows the next held-out image. */
    async another() {
        const { explorer } = this;
        const test = explorer.bundle.manifest.dataset.test;
        await explorer.pick(((explorer.sample?.index ?? -1) + 1) % test);
    }

    /** Encodes the visitor's picture; while the last one is still being encoded only the newest waits. */
    given(picture, done) {
        const waits = this.pending !== null;
        this.pending = picture;
        const { explorer } = this;
        explorer.stop();
        if (!waits) {
            explorer.use(async () => {
                const newest = this.pending;
                this.pending = null;
                await explorer.encode(newest);
                explorer.moveTo(explorer.sample.mean);
            });
        }
        if (done) {
            explorer.use(() => {
                const name = explorer.nearestClass(explorer.sample.mean);
                const near = name === null ? "" : `, nearest class ${name}`;
                this.status.say(`Your picture is at z = ${latentText(explorer.z)}${near}.`);
            });
        }
    }

    async draw(changes) {
        const { explorer } = this;
        if (changes.has("z") || changes.has("model")) {
            // A graphics device draws this picture with the plane.
            if (explorer.latent === 1 || explorer.session.runtime.kind !== "webgpu") {
                paintPictures(byId("decoded"), await explorer.session.decode(explorer.z), explorer.image);
            }
            const { dims, z } = explorer;
            byId("decoded").ariaLabel = `Decoded picture at z = ${latentText(z)}, ${explorer.describe(z)}`;
            byId("place").textContent = dims.map((dim) => `z${dim + 1} = ${decimal(z[dim])}`).join(", ");
        }
        const { sample } = explorer;
        if (changes.has("model") && sample && !explorer.training) {
            await explorer.encodeAgain();
        }
        if (changes.has("sample") && sample) {
            this.drawSample(sample);
        }
        // The grid takes longer than a frame: it waits while the cursor walks or the visitor draws.
        if (this.exact && sample && !explorer.actor && this.input.last === null) {
            await this.gap.when(sample.stale).catch((error) => {
                this.exact = false;
                byId("posterior").hidden = true;
                throw error;
            });
        }
    }

    /** Looks for a large gap among the next images, and shows the image that has it. */
    async findGap(count = 8) {
        const { explorer } = this;
        const { bundle, session } = explorer;
        explorer.stop();
        this.status.say(`Comparing q and p(z|x) of ${count} images.`);
        const first = (explorer.sample?.index ?? -1) + 1;
        let [best, most] = [0, -Infinity];
        for (let turn = 0; turn < count; turn++) {
            const index = (first + turn) % bundle.manifest.dataset.test;
            const x = session.observe(bundle.picture(index), index);
            const { gap } = await explorer.use(async () => identity(session, await x));
            if (gap > most) {
                [best, most] = [index, gap];
            }
        }
        await explorer.pick(best);
        this.status.say(`Image ${best}: the ELBO is ${decimal(most)} nats below log p(x).`);
    }

    drawSample(sample) {
        const { explorer } = this;
        const { image } = explorer;
        const name = sample.label === null ? "" : ` (${explorer.className(sample.label)})`;
        const which = sample.index === null ? "your picture" : `held-out image ${sample.index}${name}`;
        paintPictures(byId("seen"), sample.x, image);
        byId("seen").ariaLabel = `The encoder sees ${which}`;
        byId("seen-name").textContent = `x, ${which.replace("held-out ", "")}`;
        paintPictures(byId("reconstruction"), sample.reconstruction, image);
        byId("reconstruction").ariaLabel = `Reconstruction of ${which}`;
        if (sample.index !== null) {
            this.input.clear();
        }
        if (!this.exact) {
            return;
        }
        const found = sample.identity;
        byId("identity").textContent = found
            ? `log p(x) = ${decimal(found.logEvidence, 1)} = ELBO ${decimal(found.elbo, 1)} + KL ${decimal(found.gap)}`
            : "log p(x) = \u2026";
        drawCloseUp(byId("closeup"), sample);
    }

    /** Computes log p(x) and the density of p(z|x). */
    async compare() {
        const { explorer } = this;
        const { sample } = explorer;
        sample.stale = false;
        const found = await identity(explorer.session, sample.x);
        const { grid } = found;
        const most = grid.logDensity.reduce((a, b) => Math.max(a, b), -Infinity);
        sample.identity = found;
        sample.density = Float64Array.from(grid.logDensity, (value) => Math.exp(value - most));
        const cells = { ...grid, density: sample.density };
        sample.lines = explorer.latent === 2 ? massLevels(sample.density).map((level) => contour(cells, level)) : null;
        explorer.changed("sample");
    }
}
