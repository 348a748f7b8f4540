// A bundle: the manifest of a model and its files of numbers, from the page's folder or from elements of the page itself.
// The format is described in docs/web.md.

/** The version of the format that this page reads. */
const BUNDLE_FORMAT = 1;
const MANIFEST = "bundle/manifest.json.gz";

/** The bytes of a file beside the page, or of the element that holds it. Throws an Error that names the file. */
export async function pageBytes(name) {
    const element = document.getElementById(name);
    if (element) {
        const text = atob(element.textContent);
        const bytes = new Uint8Array(text.length);
        for (let i = 0; i < text.length; i++) {
            bytes[i] = text.charCodeAt(i);
        }
        return bytes;
    }
    let response;
    try {
        response = await fetch(name);
    } catch (error) {
        throw new Error(`${name} could not be loaded: ${error.message}`, { cause: error });
    }
    if (!response.ok) {
        throw new Error(`${name} could not be loaded: the server says ${response.status}`);
    }
    return new Uint8Array(await response.arrayBuffer());
}

/** The error of a file that did not arrive whole. */
function damaged(name, cause) {
    return new Error(`${name} is damaged. Copy the whole folder of the page again.`, { cause });
}

/** `bytes` of a file without their compression. Some servers undo it on the way: then they are returned as they are. */
async function unzipped(name, bytes) {
    if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) {
        return bytes;
    }
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer().catch((error) => {
        throw damaged(name, error);
    }));
}

/** Numbers of half precision in single precision. */
function fromHalf(halves) {
    const reals = new Float32Array(halves.length);
    for (let i = 0; i < halves.length; i++) {
        const sign = halves[i] >> 15 ? -1 : 1;
        const exponent = (halves[i] >> 10) & 31, fraction = halves[i] & 1023;
        reals[i] = sign * (exponent === 0 ? fraction * 2 ** -24
            : exponent === 31 ? (fraction ? NaN : Infinity)
            : (1 + fraction / 1024) * 2 ** (exponent - 15));
    }
    return reals;
}

/** A model as plain data. Files are loaded when they are asked for, and once. */
export class Bundle {
    /** Load the manifest and the labels. */
    static async open() {
        const bytes = await unzipped(MANIFEST, await pageBytes(MANIFEST));
        let manifest = null;
        try {
            manifest = JSON.parse(new TextDecoder().decode(bytes));
        } catch (error) {
            throw damaged(MANIFEST, error);
        }
        if (manifest?.format !== BUNDLE_FORMAT) {
            throw new Error(`${MANIFEST} has format ${manifest?.format}, and this page reads format ` +
                `${BUNDLE_FORMAT}. Make the page again with one version of vae web.`);
        }
        const bundle = new Bundle(manifest);
        bundle.labels = bundle.has("labels") ? await bundle.words("labels") : null;
        return bundle;
    }

    constructor(manifest) {
        this.manifest = manifest;
        this.labels = null;
        this.loaded = new Map();
        this.pixels = null;
    }

    /** Whether there is a file called `name`. */
    has(name) {
        return name in this.manifest.files;
    }

    /** The numbers of a file: a Float32Array, or a Uint32Array for a file of whole numbers. Not to be changed. */
    words(name) {
        if (!this.loaded.has(name)) {
            this.loaded.set(name, this.load(name));
        }
        return this.loaded.get(name);
    }

    async load(name) {
        const { element, length } = this.manifest.files[name];
        const file = `bundle/${name}.gz`;
        const bytes = await unzipped(file, await pageBytes(file));
        const size = element === "f16" ? 2 : 4;
        if (bytes.byteLength !== length * size) {
            throw damaged(file);
        }
        switch (element) {
            case "f16": return fromHalf(new Uint16Array(bytes.buffer));
            case "f32": return new Float32Array(bytes.buffer);
            default: return new Uint32Array(bytes.buffer);
        }
    }

    /** Load the held-out images, for `picture`. */
    async loadPictures() {
        if (this.manifest.dataset.test > 0) {
            this.pixels = new Uint8Array((await this.words("dataset.test.images")).buffer);
        }
    }

    /** Held-out image `index` as a Float32Array of values from 0 to 1: rows of pixels, the channels of a pixel together. */
    picture(index) {
        const { width, height, channels } = this.manifest.image;
        const size = width * height * channels;
        const row = 4 * Math.ceil(size / 4);
        return Float32Array.from({ length: size }, (_, i) => this.pixels[index * row + i] / 255);
    }
}
