import { Bundle } from "./bundle.js";
import { classColour } from "./colours.js";
import { Dimensions } from "./dimensions.js";
import { Explorer } from "./explorer.js";
import { PathRow } from "./path.js";
import { byId, latentText, make } from "./pixels.js";
import { LatentPlane } from "./plane.js";
import { PointCard } from "./point.js";
import { Session } from "./session.js";
import { Address, numbersOf, readAddress, wordsOf } from "./state.js";
import { Status } from "./status.js";
import { Trainer } from "./train.js";
import { showTries, triesFor } from "./tries.js";

/** Seconds of the movement at the opening. */
const OPENING = 9;

const status = new Status(byId("status"));
const address = readAddress();

/** Themes: as the system, then the two others. */
function listenToTheme() {
    const themes = ["", "dark", "light"];
    const button = byId("theme");
    const show = (theme) => {
        document.documentElement.dataset.theme = theme;
        button.title = button.ariaLabel = `Colours: ${theme || "as the system"}`;
    };
    show(wordsOf(address.get("theme"))?.find((word) => themes.includes(word)) ?? "");
    button.addEventListener("click", () => {
        show(themes[(themes.indexOf(document.documentElement.dataset.theme) + 1) % 3]);
    });
}

function listenToHelp() {
    byId("help").addEventListener("click", () => byId("help-dialog").showModal());
    byId("help-close").addEventListener("click", () => byId("help-dialog").close());
}

/** A button for each class, with its colour; pressed: its dots are shown. */
function showLegend(explorer) {
    const classes = explorer.bundle.labels ? explorer.bundle.manifest.dataset.classes : [];
    // More classes than colours for them would make a wall of buttons.
    byId("legend").hidden = classes.length === 0 || classes.length > 31;
    byId("legend").append(...classes.map((name, label) => {
        const swatch = make("canvas", { width: 12, height: 12 });
        const context = swatch.getContext("2d");
        context.fillStyle = classColour(label);
        context.arc(6, 6, 6, 0, 7);
        context.fill();
        const button = make("button", { type: "button" }, swatch, name);
        const show = () => (button.ariaPressed = String(!explorer.hidden.has(label)));
        button.addEventListener("click", () => {
            if (!explorer.hidden.delete(label)) {
                explorer.hidden.add(label);
            }
            show();
            explorer.changed("layers");
        });
        show();
        return button;
    }));
}

/** The boxes of the layers, and the choice of the two dimensions of the plane. */
function showLayers(explorer) {
    for (const name of Object.keys(explorer.layers)) {
        const box = byId(`layer-${name}`);
        box.parentElement.hidden = name !== "tiles" && !explorer.bundle.manifest.dataset.test;
        box.addEventListener("change", () => {
            explorer.layers[name] = box.checked;
            explorer.changed("layers");
        });
    }
    explorer.show((changes) => {
        if (changes.has("layers")) {
            Object.entries(explorer.layers).forEach(([name, shown]) => (byId(`layer-${name}`).checked = shown));
        }
    });
    byId("dims").hidden = explorer.latent < 3;
    [byId("dim-x"), byId("dim-y")].forEach((select, axis) => {
        select.append(...Array.from({ length: explorer.latent }, (_, dim) =>
            make("option", { value: dim, textContent: `z${dim + 1}` })));
        select.addEventListener("change", () => {
            const other = explorer.dims[axis];
            explorer.dims[axis] = Number(select.value);
            // Both axes the same: the other one takes the dimension that was here.
            if (explorer.dims[0] === explorer.dims[1]) {
                explorer.dims[1 - axis] = other;
            }
            explorer.base = explorer.z.slice();
            explorer.fitView();
            explorer.changed("slice", "z");
        });
        explorer.show((changes) => {
            if (changes.has("slice")) {
                select.value = explorer.dims[axis];
            }
        });
    });
}

/** Keys of the whole page, where no control wants them. */
function listenToKeys(explorer, trainer, pathRow) {
    document.addEventListener("keydown", (event) => {
        const { target, key } = event;
        const typing = target.closest("input:not([type=range]):not([type=checkbox]), select, textarea, dialog");
        if (typing || event.ctrlKey || event.altKey || event.metaKey || event.repeat || !byId("keys").checked) {
            return;
        }
        // Cards that are left out have no keys.
        const has = (card) => !document.querySelector(`[data-card=${card}]`).hidden;
        const { classes } = explorer.bundle.manifest.dataset;
        const actions = {
            ".": () => has("train") && trainer.once(),
            r: () => has("train") && trainer.anew(),
            a: () => pathRow.setEnd(0),
            b: () => pathRow.setEnd(1),
        };
        if (key === " " && !target.closest("button, summary, a, input[type=checkbox]")) {
            event.preventDefault();
            if (has("train")) {
                trainer.toggle();
            }
        } else if (/^[0-9]$/.test(key) && explorer.bundle.labels) {
            // Where a class has the digit for its name, that one; else the classes in their order.
            const named = classes.indexOf(key);
            const first = explorer.bundle.labels.indexOf(named >= 0 ? named : Number(key) - 1);
            if (first >= 0) {
                explorer.pick(first);
            }
        } else {
            actions[key.toLowerCase()]?.();
        }
    });
}

/** Runtimes that the address may ask for. */
const RUNTIMES = ["webgpu", "wasm", "javascript"];

/** Takes the state out of the address. */
function restoreState(explorer, trainer) {
    const { latent, layers, path } = explorer;
    const names = wordsOf(address.get("layers"));
    if (names) {
        Object.keys(layers).forEach((name) => (layers[name] = names.includes(name)));
    }
    wordsOf(address.get("off"))?.forEach((label) => explorer.hidden.add(Number(label)));
    const dims = numbersOf(address.get("dims"), 2)?.map((dim) => dim - 1);
    if (latent > 2 && dims?.every((dim) => Number.isInteger(dim) && dim >= 0 && dim < latent) && dims[0] !== dims[1]) {
        explorer.dims = dims;
    }
    ["a", "b"].forEach((name, end) => {
        const z = numbersOf(address.get(name), latent);
        path.ends[end] = z ? Float32Array.from(z) : path.ends[end];
    });
    ["beta", "rate", "speed"].forEach((name) => {
        if (address.has(name) && address.get(name) !== "" && !Number.isNaN(Number(address.get(name)))) {
            trainer[name].choose(Number(address.get(name)));
        }
    });
    trainer.seed.value = address.get("seed") ?? trainer.seed.value;
}

/** Keeps the address at the state. */
function keepState(explorer, trainer) {
    const { manifest } = explorer.bundle;
    const kept = new Address();
    const text = (z) => Array.from(z, (value) => Number(value.toFixed(3))).join(",");
    explorer.show((changes) => {
        if (explorer.actor || !changes.size) {
            return;
        }
        const { layers, hidden, dims, sample, path, kept: z } = explorer;
        kept.write({
            z: text(z),
            image: sample?.index,
            a: text(path.ends[0]),
            b: text(path.ends[1]),
            dims: explorer.latent > 2 ? dims.map((dim) => dim + 1).join(",") : null,
            layers: layers.tiles && layers.dots && !layers.density ? null
                : Object.keys(layers).filter((name) => layers[name]).join(","),
            off: hidden.size ? [...hidden].join(",") : null,
            beta: trainer.beta.chosen,
            rate: trainer.rate.chosen,
            speed: trainer.speed.chosen,
            seed: trainer.seed.value === String(manifest.run.seed) ? null : trainer.seed.value,
            theme: document.documentElement.dataset.theme || null,
            hide: new URLSearchParams(location.search).has("hide") ? null : address.get("hide"),
        });
    });
    for (const control of ["theme", "beta", "rate", "speed", "seed"]) {
        byId(control).addEventListener(control === "theme" ? "click" : "input", () => explorer.changed("controls"));
    }
}

/** Lays the cards out: the dimensions below both columns where there are many, else in the shorter column. */
function layOut(explorer) {
    const [plane, train, picture, dimensions] = ["plane", "train", "picture", "dimensions"].map((name) =>
        document.querySelector(`[data-card=${name}]`));
    const short = train.hidden || !explorer.session.trainable;
    const main = document.querySelector("main");
    byId("right").classList.toggle("short", short);
    // The plane of one dimension is its film strip.
    dimensions.hidden ||= explorer.latent === 1;
    if (plane.hidden || (train.hidden && picture.hidden)) {
        main.classList.add("single");
        byId(plane.hidden ? "right" : "left").append(dimensions);
    } else if (short && explorer.ranking().active <= 6 && !dimensions.hidden) {
        byId("right").append(dimensions);
    } else {
        byId("right").classList.toggle("roomy", short);
        if (explorer.latent > 2) {
            main.insertBefore(dimensions, document.querySelector("[data-card=tries]"));
        }
    }
}

/** The ends of the first path: means of two classes or of two images, or else two places. */
function firstPath(explorer) {
    const means = [...explorer.classMeans().values()];
    if (means.length > 1) {
        return means.slice(0, 2);
    }
    return explorer.cloud?.count > 1
        ? [explorer.meanOf(0), explorer.meanOf(1)]
        : [-2, 2].map((value) => Object.assign(explorer.z.slice(), { [explorer.dims[0]]: value }));
}

/** A way through the means of the classes, or of some images, each to its nearest. */
function openingWay(explorer) {
    const left = explorer.bundle.labels
        ? [...explorer.classMeans().values()]
        : Array.from({ length: Math.min(6, explorer.cloud?.count ?? 0) }, (_, image) => explorer.meanOf(image));
    const way = [explorer.z.slice()];
    while (left.length) {
        const away = left.map((mean) => Math.hypot(...mean.map((value, dim) => value - way.at(-1)[dim])));
        way.push(...left.splice(away.indexOf(Math.min(...away)), 1));
    }
    return [...way, explorer.z.slice()];
}

async function open() {
    listenToTheme();
    listenToHelp();
    wordsOf(address.get("hide"))?.forEach((name) => {
        const card = document.querySelector(`[data-card="${CSS.escape(name)}"]`);
        card?.setAttribute("hidden", "");
    });
    const bundle = await Bundle.open();
    const { manifest } = bundle;
    await bundle.loadPictures();
    byId("title").textContent = manifest.title;
    document.title = manifest.title;
    let plane = null;
    let explorer = null;
    let trainer = null;
    const session = await Session.open(bundle, {
        runtime: RUNTIMES.includes(address.get("runtime")) ? address.get("runtime") : "auto",
        onlost: (why) => {
            plane?.open(true);
            showRuntime();
            explorer?.changed("model");
            status.say(why);
        },
    });
    const showRuntime = () => {
        byId("runtime").textContent = session.runtime.name;
        byId("why").textContent = session.why;
    };
    showRuntime();
    const failed = (error) => {
        console.error(error);
        trainer?.showButton();
        status.say(`That did not work: ${error.message}`);
    };
    addEventListener("unhandledrejection", ({ reason }) => failed(reason));
    explorer = new Explorer(bundle, session, failed);
    plane = new LatentPlane(explorer);
    const pointCard = new PointCard(explorer, status);
    const pathRow = new PathRow(explorer);
    new Dimensions(explorer);
    trainer = new Trainer(explorer, status);
    showLayers(explorer);
    listenToKeys(explorer, trainer, pathRow);
    restoreState(explorer, trainer);
    showLegend(explorer);
    explorer.changed("model", "slice", "layers", "path", "curves", "z");
    await explorer.use(() => trainer.check());
    layOut(explorer);
    if (!address.has("dims") && explorer.latent > 2) {
        explorer.dims = explorer.ranking().order.slice(0, 2);
    }
    explorer.fitView();
    if (!address.has("a")) {
        explorer.path.ends = firstPath(explorer).map((end) => Float32Array.from(end));
        explorer.changed("path");
    }
    const image = Number(address.get("image") ?? 0);
    if (manifest.dataset.test) {
        const known = Number.isInteger(image) && image >= 0 && image < manifest.dataset.test;
        await explorer.pick(known ? image : 0).catch(failed);
    }
    const z = numbersOf(address.get("z"), explorer.latent);
    if (z) {
        explorer.moveTo(z);
    }
    keepState(explorer, trainer);
    showTries(byId("tries"), triesFor(explorer, trainer, pathRow, pointCard));
    document.body.classList.remove("loading");
    status.say(`Ready: ${manifest.title}, z = ${latentText(explorer.z)}.`);
    // A link with a z shows that z; else one movement shows what the page is.
    if (!z && !matchMedia("(prefers-reduced-motion: reduce)").matches) {
        // The first frame also compares q with the true posterior.
        await new Promise(requestAnimationFrame);
        await explorer.use(() => explorer.walk(openingWay(explorer), OPENING));
        ["pointerdown", "keydown", "wheel"].forEach((name) =>
            addEventListener(name, () => explorer.stop(), { once: true, capture: true, passive: true }));
    }
}

// Another address of the same page: the page itself changes the address without this event.
addEventListener("hashchange", () => location.reload());

open().catch((error) => {
    status.say(`The page cannot start: ${error.message}`);
    document.body.classList.add("failed");
    throw error;
});
