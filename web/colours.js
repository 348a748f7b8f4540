import { CLASS_COLOURS } from "./draw.js";

/** Colours of the encoder's q(z|x), of the true posterior p(z|x) and of the path, on black. */
export const ENCODER = "#ffffff";
export const TRUE = "#f0e442";
export const PATH = "#56b4e9";

/** Colour of a class, as the dots of the plane have it; where there are no classes, that of the first. */
export function classColour(label) {
    return `rgb(${CLASS_COLOURS[(label ?? 0) % CLASS_COLOURS.length].join(" ")})`;
}
