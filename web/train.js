import { Chart, thin } from "./charts.js";
import { INACTIVE } from "./explorer.js";
import { byId, decimal, make } from "./pixels.js";

const BETAS = [0, 0.1, 0.2, 0.5, 1, 1.5, 2, 3, 4, 6, 10, 15, 20, 30, 50, 100, 200, 500, 1000];
const RATES = [1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2];
/** Steps a second; the last: as many as there is time for. */
const SPEEDS = [1, 5, 20, 60, Infinity];

/** Milliseconds of training between two frames: as long as the drawing and a half, within these. */
const LEAST_TIME = 45;
const MOST_TIME = 150;

/** Points of a curve that are kept: of more, neighbours are averaged. */
const LONGEST = 4000;
/** Milliseconds that the held-out figures of all images may take. */
const PATIENCE = 3000;
const DIVERGED = "The loss is no longer a number: take a smaller step size, and train anew.";

/** A slider over given stops, one of which is the run's own value. */
class Stops {
    constructor(input, output, stops, own, text) {
        this.stops = [...new Set([...stops, own])].sort((a, b) => a - b);
        this.own = own;
        Object.assign(input, { min: 0, max: this.stops.length - 1, step: 1 });
        Object.assign(this, { input, output, text });
        input.addEventListener("input", () => {
            this.touched = true;
            this.show();
        });
        this.reset();
    }

    reset() {
        this.touched = false;
        this.set(this.own);
    }

    set(value) {
        const away = this.stops.map((stop) => Math.abs(stop - value));
        this.input.value = Number.isFinite(value) ? away.indexOf(Math.min(...away)) : this.stops.length - 1;
        this.show();
    }

    /** Goes to the stop above. */
    raise() {
        this.choose(this.stops[Math.min(Number(this.input.value) + 1, this.stops.length - 1)]);
    }

    /** Goes to a value and keeps it, whatever the run's schedule says. */
    choose(value) {
        this.touched = true;
        this.set(value);
    }

    get value() {
        return this.stops[this.input.value];
    }

    /** The value if it was chosen; undefined: the run's schedule. */
    get chosen() {
        return this.touched ? this.value : undefined;
    }

    show() {
        this.output.textContent = this.input.ariaValueText = this.text(this.value);
    }
}

/** The card of training: buttons, sliders, curves and held-out figures. */
export class Trainer {
    constructor(explorer, status) {
        this.explorer = explorer;
        this.status = status;
        const { session, bundle } = explorer;
        const { run } = bundle.manifest;
        this.perStep = 20;
        this.due = 0;
        this.checked = 0;
        this.checkCost = 0;
        this.first = session.step;
        /** The dimension for whose end beta rises, and the checks since. */
        this.silencing = null;
        this.checks = 0;
        this.curves = { reconstruction: [], kl: [], heldReconstruction: [], heldKl: [] };
        this.charts = [new Chart(byId("chart-elbo")), new Chart(byId("chart-kl"))];
        this.beta = new Stops(byId("beta"), byId("beta-value"), BETAS, run.beta ?? 1, String);
        this.rate = new Stops(byId("rate"), byId("rate-value"), RATES, run.rate, (value) => value.toString());
        this.speed = new Stops(byId("speed"), byId("speed-value"), SPEEDS, Infinity,
            (value) => (Number.isFinite(value) ? `${value} a second` : "full"));
        this.seed = byId("seed");
        this.seed.value = run.seed;
        ["train-controls", "charts", "lines", "numbers"].forEach((id) => (byId(id).hidden = !session.trainable));
        byId("no-train").hidden = session.trainable;
        byId("no-train").textContent = session.trainable ? "" : session.whyNotTrainable ?? "This page cannot train.";
        byId("train").addEventListener("click", () => this.toggle());
        byId("step").addEventListener("click", () => this.once());
        byId("anew").addEventListener("click", () => this.anew());
        this.seed.addEventListener("keydown", ({ key }) => key === "Enter" && this.anew());
        byId("restore").addEventListener("click", () => this.restore());
        byId("beta").addEventListener("input", () => (this.silencing = null));
        byId("numbers").addEventListener("toggle", () => this.drawTable());
        new ResizeObserver(() => this.drawCharts()).observe(byId("chart-elbo"));
        explorer.show((changes) => {
            if (changes.has("curves")) {
                this.drawCharts();
            }
        });
    }

    get running() {
        return this.explorer.training !== null;
    }

    toggle() {
        if (this.running) {
            this.pause();
        } else if (this.explorer.session.trainable) {
            this.explorer.stop();
            this.last = performance.now();
            this.due = 1;
            this.explorer.training = (now) => this.tick(now);
            this.explorer.wake();
            this.showButton();
            const { step, momentsKept } = this.explorer.session;
            const moments = momentsKept ? "the optimizer's moments of the run" : "optimizer moments of zero";
            const goesOn = step > 0 && step === this.explorer.bundle.manifest.run.step;
            this.status.say(goesOn ? `Training goes on from step ${step}, with ${moments}.` : "Training.");
        }
    }

    /** Trains, and raises beta until the KL divergence of a dimension is gone. */
    silence(dim) {
        this.silencing = dim;
        this.beta.choose(Math.max(4, this.beta.value));
        if (!this.running) {
            this.toggle();
        }
    }

    keepSilencing() {
        const kl = this.explorer.divergences[this.silencing];
        const name = `z${this.silencing + 1}`;
        if (kl < INACTIVE) {
            this.pause(`With beta ${this.beta.value}, ${name} is silent: KL ${decimal(kl)} nats. Restore brings the trained ` +
                "model back.");
        } else if (++this.checks % 2 === 0) {
            this.beta.raise();
            this.status.say(`Beta ${this.beta.value}: ${name} still has ${decimal(kl)} nats.`);
        }
    }

    /** Stops training, and says so. */
    pause(text = `Paused at step ${this.explorer.session.step.toLocaleString("en")}.`) {
        this.explorer.training = null;
        this.silencing = null;
        this.showButton();
        this.status.say(text);
        this.explorer.use(() => this.check());
        this.explorer.changed("model");
    }

    showButton() {
        byId("train").textContent = this.running ? "\u275a\u275a Pause" : "\u25b6 Train";
    }

    /** Trains for the time of one frame. */
    async tick() {
        const now = performance.now();
        // Half of the time between two frames, whatever else fills it.
        const time = Math.min(MOST_TIME, Math.max(LEAST_TIME, 1.5 * this.explorer.drawing, (now - this.last) / 2));
        const most = Math.max(1, Math.floor(time / this.perStep));
        // At full speed a clock that has not moved must not matter: 0 times infinity is no number.
        const full = this.speed.value === Infinity;
        this.due = full ? most : Math.min(this.due + ((now - this.last) / 1000) * this.speed.value, most);
        this.last = now;
        const steps = Math.floor(this.due);
        if (steps > 0) {
            this.due -= steps;
            await this.train(steps);
        }
        if (now - this.checked > Math.max(1000, 8 * this.checkCost)) {
            await this.check();
        }
    }

    async train(steps) {
        const { explorer } = this;
        const began = performance.now();
        const losses = await explorer.session.train(steps, { beta: this.beta.chosen, rate: this.rate.chosen });
        this.perStep = 0.7 * this.perStep + (0.3 * (performance.now() - began)) / steps;
        for (const curve of [this.curves.reconstruction, this.curves.kl]) {
            if (curve.length > LONGEST) {
                curve.splice(0, curve.length, ...thin(curve, LONGEST / 2));
            }
        }
        for (const { step, reconstruction, kl } of losses) {
            this.curves.reconstruction.push([step, reconstruction]);
            this.curves.kl.push([step, kl]);
        }
        if (losses.some(({ reconstruction, kl }) => !Number.isFinite(reconstruction + kl))) {
            explorer.training = null;
            this.diverged = true;
            this.showButton();
            this.status.say(DIVERGED);
        }
        this.showFigures();
        explorer.changed("model", "curves");
    }

    /** Computes the held-out figures and the posteriors. */
    async check() {
        const { explorer } = this;
        const { session, bundle } = explorer;
        const began = performance.now();
        const { test } = bundle.manifest.dataset;
        await explorer.refreshCloud();
        if (test > 0) {
            this.held = { ...(await session.evaluate(explorer.cloud.count)), count: explorer.cloud.count };
            // The curves compare figures of the same images; the first ones are those of the trained model.
            this.trained ??= this.held;
            this.curves.heldReconstruction.push([session.step, this.held.reconstruction]);
            this.curves.heldKl.push([session.step, this.held.kl]);
        }
        const cost = ((performance.now() - began) * test) / Math.max(explorer.cloud?.count ?? 1, 1);
        if (test > (this.held?.count ?? test) && !this.running && cost < PATIENCE) {
            this.whole = { step: session.step, ...(await session.evaluate(test)), count: test };
        }
        if (explorer.sample && this.running) {
            await explorer.encodeAgain();
        }
        if (this.running && this.silencing !== null) {
            this.keepSilencing();
        }
        this.checked = performance.now();
        this.checkCost = this.checked - began;
        this.showFigures();
        if (this.diverged) {
            this.status.say(DIVERGED);
        }
        explorer.changed("curves");
    }

    showFigures() {
        const { session } = this.explorer;
        const { test } = this.explorer.bundle.manifest.dataset;
        const held = this.whole?.step === session.step && !this.running ? this.whole : this.held;
        const images = held?.count < test ? `${held.count.toLocaleString("en")} of ${
            test.toLocaleString("en")} held-out images` : "held out";
        const figures = held ? `; ${images}: \u2212ELBO ${decimal(-held.elbo, 1)} = reconstruction ${
            decimal(held.reconstruction, 1)} + KL ${decimal(held.kl)}` : "";
        byId("figures").textContent = `Step ${session.step.toLocaleString("en")}${figures}`;
        if (this.running && held) {
            this.status.progress(`Step ${session.step}, held-out ELBO ${decimal(held.elbo, 1)}.`);
        }
        this.drawTable();
    }

    once() {
        const { explorer } = this;
        explorer.stop();
        if (this.running) {
            this.pause();
        }
        if (explorer.session.trainable) {
            explorer.use(async () => {
                await this.train(1);
                await this.check();
                const [step, value] = this.curves.reconstruction.at(-1);
                const kl = this.curves.kl.at(-1)[1];
                this.status.say(`Step ${step}: reconstruction ${decimal(value, 1)}, KL ${decimal(kl)} nats.`);
            });
        }
    }

    /** Starts from new initial values. */
    anew() {
        const seed = this.seed.value.trim();
        if (!/^\d+$/.test(seed) || BigInt(seed) >= 2n ** 64n) {
            this.status.say("A seed is a whole number from 0 to 18446744073709551615.");
            this.seed.focus();
            return undefined;
        }
        return this.reset(() => this.explorer.session.anew(seed), `New parameters from seed ${seed}.`);
    }

    /** Goes back to the trained model, with the run's beta and step size. */
    restore() {
        this.silencing = null;
        this.beta.reset();
        this.rate.reset();
        return this.reset(() => this.explorer.session.restore(), "The trained model is back.");
    }

    reset(task, text) {
        const { explorer } = this;
        explorer.stop();
        if (!explorer.session.trainable) {
            return;
        }
        return explorer.use(async () => {
            await task();
            this.diverged = false;
            this.whole = null;
            Object.values(this.curves).forEach((curve) => (curve.length = 0));
            this.first = explorer.session.step;
            explorer.changed("model");
            await this.check();
            this.status.say(text);
        });
    }

    drawCharts() {
        const { reconstruction, kl, heldReconstruction, heldKl } = this.curves;
        const sum = (a, b) => a.map(([step, value], at) => [step, value + b[at][1]]);
        const range = [this.first, Math.max(this.explorer.session.step, this.first + 100)];
        const known = this.trained ? range : [];
        const level = (value) => ({ name: "reference", points: known.map((step) => [step, value]) });
        this.charts[0].draw([
            level(-this.trained?.elbo),
            { name: "reconstruction", points: reconstruction },
            { name: "elbo", points: sum(reconstruction, kl) },
            { name: "reconstruction held", points: heldReconstruction },
            { name: "elbo held", points: sum(heldReconstruction, heldKl) },
        ], range);
        this.charts[1].draw([
            level(this.trained?.kl),
            { name: "divergence", points: kl },
            { name: "divergence held", points: heldKl },
        ], range);
    }

    /** The held-out figures as a table, for those who do not see the charts. */
    drawTable() {
        if (!byId("numbers").open) {
            return;
        }
        const { heldReconstruction, heldKl } = this.curves;
        const every = Math.ceil(heldKl.length / 10);
        const rows = heldKl.flatMap(([step, kl], at) => {
            const value = heldReconstruction[at][1];
            const cells = [step.toLocaleString("en"), decimal(value + kl, 1), decimal(value, 1), decimal(kl)];
            const row = make("tr", {}, ...cells.map((text) => make("td", {}, text)));
            return (heldKl.length - 1 - at) % every ? [] : [row];
        });
        byId("numbers-rows").replaceChildren(...rows);
    }
}
