/**
 * Pictures on 2D canvases, and numbers as text.
 */

/** Finds an element by its id. */
export function byId(id) {
    return document.getElementById(id);
}

/** A new element with properties and children (text or elements). */
export function make(name, properties, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
}

/** A number with a true minus sign. */
export function decimal(value, digits = 2) {
    if (!Number.isFinite(value)) {
        return "not a number";
    }
    return (Number(value.toFixed(digits)) || 0).toFixed(digits).replace("-", "\u2212");
}

/** Latents as text: (0.44, −0.11); of many only the first `most`. */
export function latentText(z, most = 4) {
    const shown = Array.from(z.slice(0, most), (value) => decimal(value));
    return `(${shown.join(", ")}${z.length > most ? ", …" : ""})`;
}

/** Pictures side by side on one canvas: `pixels` is Float32Array [count * pixels of a picture], in 0..1. */
export function paintPictures(canvas, pixels, image, count = 1) {
    const { width, height, channels } = image;
    const size = width * height * channels;
    canvas.width = width * count;
    canvas.height = height;
    const context = canvas.getContext("2d");
    const data = context.createImageData(width * count, height);
    for (let row = 0; row < height; row++) {
        for (let column = 0; column < width * count; column++) {
            const from = Math.floor(column / width) * size + (row * width + (column % width)) * channels;
            const to = (row * width * count + column) * 4;
            for (let channel = 0; channel < 3; channel++) {
                data.data[to + channel] = pixels[from + Math.min(channel, channels - 1)] * 255;
            }
            data.data[to + 3] = 255;
        }
    }
    context.putImageData(data, 0, 0);
}

/** Sets the canvas to its size on the page in device pixels, and returns a context whose unit is the CSS pixel. */
export function fitCanvas(canvas) {
    const ratio = Math.min(devicePixelRatio || 1, 2);
    const width = Math.max(1, Math.round(canvas.clientWidth * ratio));
    const height = Math.max(1, Math.round(canvas.clientHeight * ratio));
    if (canvas.width !== width || canvas.height !== height) {
        canvas.width = width;
        canvas.height = height;
    }
    const context = canvas.getContext("2d");
    context.setTransform(width / canvas.clientWidth, 0, 0, height / canvas.clientHeight, 0, 0);
    context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    return context;
}

/** Strokes what `trace` adds to the path, on a wider black line, so that it shows on every ground. */
export function outline(context, colour, width, trace) {
    context.beginPath();
    trace();
    for (const [style, size] of [["#000000c0", width + 2], [colour, width]]) {
        context.strokeStyle = style;
        context.lineWidth = size;
        context.stroke();
    }
}

/** Draws line segments [x0, y0, x1, y1, ...] through the two scales. */
export function segments(context, colour, width, lines, across, up) {
    outline(context, colour, width, () => {
        for (let at = 0; at < lines.length; at += 4) {
            context.moveTo(across(lines[at]), up(lines[at + 1]));
            context.lineTo(across(lines[at + 2]), up(lines[at + 3]));
        }
    });
}

/** Writes a text that shows on every ground. */
export function writeOn(context, text, x, y) {
    context.lineWidth = 3;
    context.strokeStyle = "#000000c0";
    context.strokeText(text, x, y);
    context.fillStyle = "#ffffff";
    context.fillText(text, x, y);
}
