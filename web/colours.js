/** Colours of classes, those of Okabe and Ito (2008) and four lighter ones, as red, green and blue from 0 to 255. */
export const CLASS_COLOURS = [
    [230, 159, 0], [86, 180, 233], [0, 158, 115], [240, 228, 66], [0, 114, 178], [213, 94, 0], [204, 121, 167],
    [245, 245, 245], [148, 203, 176], [170, 170, 255], [255, 176, 138], [160, 160, 160],
];

/** Colours of the encoder's q(z|x), of the true posterior p(z|x) and of the path, on black. */
export const ENCODER = "#ffffff";
export const TRUE = "#f0e442";
export const PATH = "#56b4e9";

/** Colour of a class, as the dots of the plane have it; where there are no classes, that of the first. */
export function classColour(label) {
    return `rgb(${CLASS_COLOURS[(label ?? 0) % CLASS_COLOURS.length].join(" ")})`;
}
