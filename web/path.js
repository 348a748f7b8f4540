import { FilmStrip } from "./dimensions.js";
import { Seldom, between } from "./explorer.js";
import { byId, decimal } from "./pixels.js";

/** Seconds of a walk from A to B. */
const SECONDS = 4;

/** The path from A to B: two ends set at the cursor, a film strip of the way, and a walk along it. */
export class PathRow {
    constructor(explorer) {
        this.explorer = explorer;
        this.film = new FilmStrip("Way from A to B", 0, 1, (part) => {
            explorer.stop();
            this.go(part);
        });
        this.film.slider.value = 0;
        byId("path-film").append(this.film.element);
        byId("set-a").addEventListener("click", () => this.setEnd(0));
        byId("set-b").addEventListener("click", () => this.setEnd(1));
        byId("walk").addEventListener("click", () => this.walk());
        const strip = new Seldom(explorer, () => this.drawFilm());
        explorer.show((changes) => strip.when(changes.has("path") || changes.has("model") || changes.has("size")));
    }

    /** Sets an end of the path at the cursor or at given latents. */
    setEnd(which, z = this.explorer.z) {
        this.explorer.path.ends[which] = Float32Array.from(z);
        this.explorer.changed("path");
    }

    go(part) {
        const [a, b] = this.explorer.path.ends;
        this.film.slider.value = part;
        this.film.slider.ariaValueText = `${decimal(100 * part, 0)} per cent`;
        this.explorer.moveTo(between(a, b, part));
    }

    walk() {
        this.explorer.walk(this.explorer.path.ends, SECONDS, (part) => (this.film.slider.value = part));
    }

    async drawFilm() {
        const [a, b] = this.explorer.path.ends;
        await this.film.paint(this.explorer, (part) => between(a, b, part));
    }
}
