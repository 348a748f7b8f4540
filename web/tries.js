import { byId, make } from "./pixels.js";

/** The sentences that this model allows, each with what its button does: [{text, action, run}], three at most. */
export function triesFor(explorer, trainer, pathRow, pointCard) {
    const tries = [];
    const means = [...explorer.classMeans()];
    const { order, active } = explorer.ranking();
    const trains = explorer.session.trainable && byId("train").checkVisibility();
    const walkBetween = (a, b) => {
        pathRow.setEnd(0, a);
        pathRow.setEnd(1, b);
        pathRow.walk();
    };
    if (means.length > 1) {
        // Four and nine are alike; other data have other classes.
        const pair = ["4", "9"].map((name) => means.find(([label]) => explorer.className(label) === name));
        const [from, to] = pair.every(Boolean) ? pair : [means[0], means.at(-1)];
        tries.push({
            text: "Between two classes the decoder draws pictures that are in no data.",
            action: `Walk from ${explorer.className(from[0])} to ${explorer.className(to[0])}`,
            run: () => {
                // Training may have moved them.
                const now = explorer.classMeans();
                walkBetween(now.get(from[0]), now.get(to[0]));
            },
        });
    } else if (explorer.cloud?.count > 1) {
        tries.push({
            text: "Between two images the decoder draws pictures that are in no data.",
            action: "Walk from image 0 to image 1",
            run: () => walkBetween(explorer.meanOf(0), explorer.meanOf(1)),
        });
    }
    if (pointCard.exact && explorer.cloud) {
        tries.push({
            text: "The encoder's q is one Gaussian. The true posterior need not be: the gap is what the ELBO misses.",
            action: "Find an image with a large gap",
            run: () => pointCard.findGap(),
        });
    } else {
        const [dim] = order;
        tries.push({
            text: `Each dimension holds part of a picture.${explorer.cloud ? ` z${dim + 1} holds the most.` : ""}`,
            action: `Move z${dim + 1} from \u22123 to 3`,
            run: () => {
                const ends = [-3, 3].map((value) => Object.assign(explorer.z.slice(), { [dim]: value }));
                walkBetween(...ends);
            },
        });
    }
    if (trains && active > 1 && explorer.bundle.manifest.latent.length === 1) {
        const last = order[active - 1];
        tries.push({
            text: "A larger beta charges more for every nat of KL. Dimensions that do not pay go silent.",
            action: `Raise beta until z${last + 1} dies`,
            run: () => trainer.silence(last),
        });
    } else if (trains) {
        tries.push({
            text: "From random parameters the latent space forms in seconds.",
            action: "Train anew and watch",
            run: async () => {
                await trainer.anew();
                if (!trainer.running) {
                    trainer.toggle();
                }
            },
        });
    } else if (explorer.cloud) {
        tries.push({
            text: "The lines hold 50 and 90 per cent of the aggregate posterior, the mean of q over images.",
            action: "Show the density",
            run: () => {
                explorer.layers.density = true;
                explorer.changed("layers");
            },
        });
    }
    if (!explorer.cloud) {
        tries.push({
            text: "A new picture: draw z from the prior, a Gaussian of mean 0 and variance 1, and decode it.",
            action: "Draw a z",
            run: () => {
                explorer.stop();
                explorer.moveTo(explorer.z.map(() =>
                    Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random())));
            },
        }, {
            text: "A path through the latent space changes a picture step by step.",
            action: "Walk from A to B",
            run: () => pathRow.walk(),
        });
    }
    return tries;
}

/** Fills the list of sentences. */
export function showTries(list, tries) {
    list.replaceChildren(...tries.map(({ text, action, run }) => {
        const button = make("button", { type: "button", textContent: action });
        button.addEventListener("click", run);
        return make("li", {}, make("p", {}, text), button);
    }));
}
