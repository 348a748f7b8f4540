import { byId } from "./pixels.js";

/** Pixels of the drawing along each side of one pixel of the model. */
const FINE = 8;

/** Grey pictures up to this many pixels a side may be signs, such as digits; MNIST's fill 20 of 28 pixels. */
const SMALL = 32;
const MNIST = 20 / 28;

/**
 * How the model's own pictures are made: null of photographs; of signs on a dark ground, the size of the sign as a part
 * of the picture's side (MNIST: 5/7). `examples` are pictures in 0..1.
 */
export function signSize(examples, { width, height, channels }) {
    if (channels > 1 || Math.max(width, height) > SMALL || !examples.length) {
        return channels === 1 && !examples.length ? MNIST : null;
    }
    let [edge, size] = [0, 0];
    for (const picture of examples) {
        const box = inkBox(picture, width, height);
        edge += meanBorder(picture, width, height) / examples.length;
        size += (box ? Math.max(box.right - box.left, box.low - box.top) : 0) / examples.length;
    }
    return edge < 0.1 && size > 0 ? size / Math.min(width, height) : null;
}

/**
 * Turns a picture of any size, as RGBA bytes, into one of the model's: Float32Array [pixels] in 0..1.
 * Signs are inverted where the border is light, spread to full contrast, made as large as the model's (`sign`, see `signSize`) and centred by
 * mass, as the pictures of MNIST were; photographs are cut to the model's shape. Both are averaged over areas.
 */
function prepare({ data, width, height }, image, sign) {
    const planes = planesOf(data, width * height, image.channels);
    if (sign === null || (width === image.width && height === image.height)) {
        const scale = Math.max(image.width / width, image.height / height);
        return shrink(planes, width, height, image, scale, [width / 2, height / 2]);
    }
    const [grey] = planes;
    if (meanBorder(grey, width, height) > 0.5) {
        grey.forEach((value, at) => (grey[at] = 1 - value));
    }
    // Paper is not quite white: its grey becomes the black of the ground.
    const ground = meanBorder(grey, width, height);
    const range = grey.reduce((a, b) => Math.max(a, b), 0) - ground || 1;
    grey.forEach((value, at) => (grey[at] = Math.max(0, (value - ground) / range)));
    const box = inkBox(grey, width, height);
    if (!box) {
        return new Float32Array(image.width * image.height);
    }
    const size = Math.max(box.right - box.left, box.low - box.top);
    const scale = (Math.min(image.width, image.height) * sign) / size;
    return shrink([grey], width, height, image, scale, box.mass);
}

/** Channels of opaque RGBA bytes, as Float32Array [pixels] in 0..1 each. */
function planesOf(data, count, channels) {
    const weights = channels === 1 ? [[0.299, 0.587, 0.114]] : [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
    return weights.map(([red, green, blue]) => Float32Array.from({ length: count }, (_, at) =>
        (red * data[4 * at] + green * data[4 * at + 1] + blue * data[4 * at + 2]) / 255));
}

/** Mean of the pixels along the border. */
function meanBorder(grey, width, height) {
    let sum = 0;
    for (let x = 0; x < width; x++) {
        sum += grey[x] + grey[(height - 1) * width + x];
    }
    for (let y = 0; y < height; y++) {
        sum += grey[y * width] + grey[y * width + width - 1];
    }
    return sum / (2 * (width + height));
}

/** The box around what is clearly lighter than the ground, and its centre of mass; null of an empty picture. */
function inkBox(grey, width, height) {
    const box = { left: width, right: 0, top: height, low: 0, mass: [0, 0] };
    let total = 0;
    const most = grey.reduce((a, b) => Math.max(a, b), 0);
    for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
            const value = grey[y * width + x];
            if (most > 0.1 && value > 0.3 * most) {
                box.left = Math.min(box.left, x);
                box.right = Math.max(box.right, x + 1);
                box.top = Math.min(box.top, y);
                box.low = Math.max(box.low, y + 1);
                box.mass[0] += value * (x + 0.5);
                box.mass[1] += value * (y + 0.5);
                total += value;
            }
        }
    }
    box.mass = box.mass.map((sum) => sum / total);
    return total > 0 ? box : null;
}

/** Averages over areas: the picture, scaled, so that `middle` comes to the middle of the model's picture. */
function shrink(planes, width, height, image, scale, middle) {
    const out = new Float32Array(image.width * image.height * planes.length);
    // Samples a side of each pixel: at least one in each of the picture's pixels.
    const dense = Math.min(16, Math.max(2, Math.ceil(1 / scale)));
    for (let row = 0; row < image.height; row++) {
        for (let column = 0; column < image.width; column++) {
            for (let part = 0; part < dense * dense; part++) {
                const right = column + ((part % dense) + 0.5) / dense - image.width / 2;
                const down = row + (Math.floor(part / dense) + 0.5) / dense - image.height / 2;
                const x = Math.floor(middle[0] + right / scale);
                const y = Math.floor(middle[1] + down / scale);
                if (x >= 0 && y >= 0 && x < width && y < height) {
                    planes.forEach((plane, channel) => {
                        const to = (row * image.width + column) * planes.length + channel;
                        out[to] += plane[y * width + x] / (dense * dense);
                    });
                }
            }
        }
    }
    return out;
}

/** Where the visitor draws, drops, pastes or opens a picture; `given(pixels, done)` gets it in the model's size. */
export class PictureInput {
    constructor(image, sign, given, failed) {
        this.image = image;
        this.sign = sign;
        this.given = given;
        this.failed = failed;
        this.canvas = byId("draw");
        this.context = this.canvas.getContext("2d", { willReadFrequently: true });
        // Where pictures are photographs there is nothing to draw: the field takes pictures only.
        this.drawable = image.channels === 1 && (sign !== null || Math.max(image.width, image.height) > SMALL);
        this.last = null;
        this.canvas.style.aspectRatio = `${image.width} / ${image.height}`;
        this.clear();
        this.listen();
    }

    clear() {
        this.canvas.width = this.image.width * FINE;
        this.canvas.height = this.image.height * FINE;
        this.context.fillStyle = "#000000";
        this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
        byId("draw-hint").hidden = false;
    }

    listen() {
        const { canvas, context } = this;
        const at = (event) => {
            const box = canvas.getBoundingClientRect();
            return [((event.clientX - box.left) / box.width) * canvas.width,
                ((event.clientY - box.top) / box.height) * canvas.height];
        };
        const stroke = (event) => {
            const to = at(event);
            context.strokeStyle = "#ffffff";
            context.lineWidth = canvas.width * 0.08;
            context.lineCap = context.lineJoin = "round";
            context.beginPath();
            context.moveTo(...this.last);
            context.lineTo(...to);
            context.stroke();
            this.last = to;
        };
        if (this.drawable) {
            canvas.addEventListener("pointerdown", (event) => {
                canvas.setPointerCapture(event.pointerId);
                if (canvas.width !== this.image.width * FINE || canvas.height !== this.image.height * FINE) {
                    // A picture of the visitor's goes before a drawing.
                    this.clear();
                }
                byId("draw-hint").hidden = true;
                this.last = at(event);
                stroke(event);
            });
            canvas.addEventListener("pointermove", (event) => {
                if (this.last) {
                    event.getCoalescedEvents?.().forEach(stroke);
                    stroke(event);
                    this.give(false);
                }
            });
            const end = () => {
                if (this.last) {
                    this.last = null;
                    this.give(true);
                }
            };
            canvas.addEventListener("pointerup", end);
            canvas.addEventListener("pointercancel", end);
        }
        byId("clear").addEventListener("click", () => this.clear());
        byId("open").addEventListener("click", () => byId("file").click());
        byId("file").addEventListener("change", (event) => this.take(event.target.files[0]));
        document.addEventListener("dragover", (event) => event.preventDefault());
        document.addEventListener("drop", (event) => {
            event.preventDefault();
            this.take(event.dataTransfer.files[0]);
        });
        document.addEventListener("paste", (event) => this.take(event.clipboardData.files[0]));
    }

    /** Gives what the canvas shows to the encoder. */
    give(done) {
        const { width, height } = this.canvas;
        this.given(prepare(this.context.getImageData(0, 0, width, height), this.image, this.sign), done);
    }

    /** Takes a file of the visitor's; it stays in the page. */
    async take(file) {
        if (!file) {
            return;
        }
        try {
            const bitmap = await createImageBitmap(file);
            // Enough for the average; a photograph of a phone would take seconds.
            const scale = Math.min(1, 512 / Math.max(bitmap.width, bitmap.height));
            this.canvas.width = Math.max(1, Math.round(bitmap.width * scale));
            this.canvas.height = Math.max(1, Math.round(bitmap.height * scale));
            // Transparent pictures are mostly dark signs for a white page.
            this.context.fillStyle = "#ffffff";
            this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
            this.context.drawImage(bitmap, 0, 0, this.canvas.width, this.canvas.height);
            bitmap.close();
            byId("draw-hint").hidden = true;
            this.give(true);
        } catch {
            this.failed(`The browser cannot read ${file.name || "this file"} as a picture.`);
        }
    }
}
