// Draws a plane of the latent space: decoded tiles, and dots of the posterior means of held-out images by class.
//
// On a GPU the shaders below read the buffers that the model's programs leave, so that neither pixels nor points are copied
// to the page. Without one they are read and drawn in two dimensions.

/** Colours of classes, those of Okabe and Ito (2008) and four lighter ones, as red, green and blue from 0 to 255. */
export const CLASS_COLOURS = [
    [230, 159, 0], [86, 180, 233], [0, 158, 115], [240, 228, 66], [0, 114, 178], [213, 94, 0], [204, 121, 167],
    [245, 245, 245], [148, 203, 176], [170, 170, 255], [255, 176, 138], [160, 160, 160],
];

const DRAW_WGSL = `
struct Look {
    centre: vec2<f32>, // of the plane, in latent units
    span: f32, // width of the plane, in latent units
    aspect: f32, // height of the canvas by its width
    grid: vec2<u32>, // tiles along both sides
    size: vec3<u32>, // width, height and channels of an image
    picture_stride: u32, // elements from one image to the next
    points: u32, // held-out images
    point_stride: u32, // elements from one posterior to the next
    dims: vec2<u32>, // latent dimensions of the plane
    first: u32, // row of the first tile's image
    radius: f32, // of a dot, by the canvas's width
    hidden: u32, // bits of classes that are not shown
    dimmed: u32, // whether tiles without points near them are darker
    strip: u32, // whether there is one latent dimension
    colours: array<vec4<f32>, 12>,
}

@group(0) @binding(0) var<uniform> look: Look;
@group(0) @binding(1) var<storage, read> values: array<f32>; // images for tiles, posteriors for dots
@group(0) @binding(2) var<storage, read> posteriors: array<f32>;
@group(0) @binding(3) var<storage, read> classes: array<u32>;

struct Corner {
    @builtin(position) position: vec4<f32>,
    @location(0) at: vec2<f32>,
    @location(1) @interpolate(flat) item: u32,
    @location(2) @interpolate(flat) light: f32,
}

fn corner(index: u32) -> vec2<f32> {
    return vec2<f32>(f32(index & 1u), f32((index >> 1u) & 1u));
}

fn place(item: u32) -> vec2<f32> {
    let row = item * look.point_stride;
    let x = (posteriors[row + look.dims.x] - look.centre.x) / look.span;
    if look.strip == 1u {
        // Points of one dimension are spread over the strip's height by their numbers.
        return vec2<f32>(2.0 * x, 1.6 * fract(f32(item) * 0.618034) - 0.8);
    }
    let y = (posteriors[row + look.dims.y] - look.centre.y) / (look.span * look.aspect);
    return 2.0 * vec2<f32>(x, y);
}

// How much light a tile gets: less where no held-out image is near.
fn light_of(centre: vec2<f32>) -> f32 {
    if look.dimmed == 0u {
        return 1.0;
    }
    var near = 0.0;
    let reach = 3.0 / vec2<f32>(look.grid);
    for (var item = 0u; item < look.points; item += 1u + look.points / 1024u) {
        var away = (place(item) - centre) / reach;
        if look.strip == 1u {
            away.y = 0.0;
        }
        near += exp(-2.0 * dot(away, away));
    }
    return 0.3 + 0.7 * min(near, 1.0);
}

@vertex
fn tile(@builtin(vertex_index) index: u32, @builtin(instance_index) item: u32) -> Corner {
    let cell = vec2<f32>(f32(item % look.grid.x), f32(item / look.grid.x));
    let at = corner(index);
    let place = (cell + at) / vec2<f32>(look.grid);
    let middle = (cell + 0.5) / vec2<f32>(look.grid);
    var out: Corner;
    out.position = vec4<f32>(2.0 * place.x - 1.0, 1.0 - 2.0 * place.y, 0.0, 1.0);
    out.at = at;
    out.item = item + look.first;
    out.light = light_of(vec2<f32>(2.0 * middle.x - 1.0, 1.0 - 2.0 * middle.y));
    return out;
}

@fragment
fn tile_colour(in: Corner) -> @location(0) vec4<f32> {
    let pixel = min(vec2<u32>(in.at * vec2<f32>(look.size.xy)), look.size.xy - 1u);
    let start = in.item * look.picture_stride + (pixel.y * look.size.x + pixel.x) * look.size.z;
    var colour = vec3<f32>(values[start]);
    if look.size.z == 3u {
        colour = vec3<f32>(values[start], values[start + 1u], values[start + 2u]);
    }
    return vec4<f32>(in.light * clamp(colour, vec3<f32>(0.0), vec3<f32>(1.0)), 1.0);
}

@vertex
fn dot_corner(@builtin(vertex_index) index: u32, @builtin(instance_index) item: u32) -> Corner {
    let at = 2.0 * corner(index) - 1.0;
    let own = classes[item];
    var out: Corner;
    let hidden = (look.hidden >> min(own, 31u)) & 1u;
    let size = select(look.radius, 0.0, hidden == 1u);
    out.position = vec4<f32>(place(item) + 2.0 * size * at / vec2<f32>(1.0, look.aspect), 0.0, 1.0);
    out.at = at;
    out.item = own % 12u;
    return out;
}

@fragment
fn dot_colour(in: Corner) -> @location(0) vec4<f32> {
    let away = length(in.at);
    if away > 1.0 {
        discard;
    }
    // A dark rim keeps dots apart from bright tiles.
    return select(vec4<f32>(0.0, 0.0, 0.0, 1.0), look.colours[in.item], away < 0.72);
}
`;

const LOOK_WORDS = 24 + 48;

/** The latents of the tiles of a plane, row by row from the top left, then the cursor's: [tiles + 1, latent]. */
export function tileLatents({ columns, rows, centre, span, aspect, dims, base, cursor }) {
    const latent = base.length;
    const latents = new Float32Array((columns * rows + 1) * latent);
    for (let tile = 0; tile < columns * rows; tile++) {
        const x = ((tile % columns) + 0.5) / columns - 0.5;
        const y = 0.5 - (Math.floor(tile / columns) + 0.5) / rows;
        latents.set(base, tile * latent);
        if (latent > 1) {
            latents[tile * latent + dims[1]] = centre[1] + y * span * aspect;
        }
        latents[tile * latent + dims[0]] = centre[0] + x * span;
    }
    latents.set(cursor, columns * rows * latent);
    return latents;
}

/** A plane of the latent space in a canvas. */
export class Plane {
    constructor(session, canvas) {
        this.session = session;
        this.canvas = canvas;
        this.count = session.manifest.dataset.test;
        /** The next image to encode, and the version of the model of which all dots are. */
        this.next = 0;
        this.encoded = -1;
        /** Images that this painter has encoded at least once: the others have no place yet. */
        this.known = 0;
        this.painter = null;
    }

    /**
     * Draw: `side` tiles along the width (on a GPU fewer where one pass of the decoder has fewer rows), dots, and the image
     * of `cursor`. Resolves to the number of tiles along the width when the work is handed over.
     */
    frame(view) {
        return this.session.exclusive(async () => {
            const { session } = this;
            await session.weights.show(true);
            if (this.painter?.runtime !== session.runtime) {
                this.painter = session.runtime.kind === "webgpu"
                    ? new GpuPainter(this) : new CanvasPainter(this);
                this.encoded = -1;
                this.next = 0;
                this.known = 0;
            }
            const machine = await session.machine("look");
            const aspect = session.latent > 1 ? this.canvas.height / this.canvas.width : 1;
            const gpu = session.runtime.kind === "webgpu";
            const most = gpu ? session.ports(machine, "decode").given[0].shape[0] - 1 : Infinity;
            const rowsOf = (side) => (session.latent > 1 ? Math.max(1, Math.round(side * aspect)) : 1);
            let columns = view.tiles ? view.side : 1;
            while (columns > 1 && columns * rowsOf(columns) > most) {
                columns -= 1;
            }
            const rows = view.tiles ? rowsOf(columns) : 1;
            const latents = tileLatents({ ...view, columns, rows, aspect });
            await this.painter.frame(machine, { ...view, columns, rows, aspect, latents });
            return columns;
        });
    }

    /** Encode the next held-out images, if the model has changed since they were encoded. True while some are left. */
    turn(machine) {
        const { session } = this;
        if (this.encoded !== session.version && this.next === 0) {
            this.encoding = session.version;
        }
        if (this.count === 0 || this.encoded === session.version) {
            return null;
        }
        const { wanted: [posterior] } = session.ports(machine, "encode");
        const first = this.next, rows = Math.min(posterior.shape[0], this.count - first);
        session.writeIndices(machine, Uint32Array.from({ length: rows }, (_, i) => first + i));
        this.next = first + rows;
        this.known = Math.max(this.known, this.next);
        if (this.next === this.count) {
            this.next = 0;
            this.encoded = this.encoding;
        }
        return { first, rows, posterior, records: session.record(machine.plan, { rows, counter: first }) };
    }

    /** Whether dots of an older model are still drawn. */
    get behind() {
        return this.count > 0 && this.encoded !== this.session.version;
    }

    /** Places of all dots in the latent dimensions `dims`: [count, 2]. */
    async points(dims) {
        const { latent } = this.session;
        const means = await this.session.exclusive(() => this.painter.readMeans());
        return Float32Array.from({ length: 2 * this.count }, (_, i) => means[(i >> 1) * latent + dims[i % 2]]);
    }

    /** Draw the image of the cursor of the last frame into `canvas`. */
    cursorPicture(canvas) {
        this.painter?.cursor(canvas);
    }
}

/** Draws with shaders, from the buffers of the model's programs. */
class GpuPainter {
    constructor(plane) {
        const { session } = plane;
        this.plane = plane;
        this.runtime = session.runtime;
        this.device = this.runtime.device;
        this.format = navigator.gpu.getPreferredCanvasFormat();
        this.contexts = new Map();
        this.last = null;
        this.points = null;
        const module = this.device.createShaderModule({ label: "draw", code: DRAW_WGSL });
        const stage = GPUShaderStage.VERTEX | GPUShaderStage.FRAGMENT;
        const storage = (binding) => ({ binding, visibility: stage, buffer: { type: "read-only-storage" } });
        this.layout = this.device.createBindGroupLayout({
            entries: [{ binding: 0, visibility: stage, buffer: { type: "uniform" } }, storage(1), storage(2), storage(3)],
        });
        const layout = this.device.createPipelineLayout({ bindGroupLayouts: [this.layout] });
        const pipeline = (vertex, fragment) => this.device.createRenderPipeline({
            label: vertex,
            layout,
            vertex: { module, entryPoint: vertex },
            fragment: { module, entryPoint: fragment, targets: [{ format: this.format }] },
            primitive: { topology: "triangle-strip" },
        });
        this.tiles = pipeline("tile", "tile_colour");
        this.dots = pipeline("dot_corner", "dot_colour");
        const { count } = plane, labels = session.bundle.labels;
        this.classes = this.device.createBuffer({
            size: 4 * Math.max(count, 1), usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST,
        });
        this.device.queue.writeBuffer(this.classes, 0, Uint32Array.from({ length: Math.max(count, 1) },
            (_, i) => labels?.[i] ?? 0));
        this.looks = [0, 1].map(() => this.device.createBuffer({
            size: 4 * LOOK_WORDS, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
        }));
    }

    context(canvas) {
        if (!this.contexts.has(canvas)) {
            const context = canvas.getContext("webgpu");
            context.configure({ device: this.device, format: this.format, alphaMode: "opaque" });
            this.contexts.set(canvas, context);
        }
        return this.contexts.get(canvas);
    }

    writeLook(buffer, { columns, rows, centre, span, aspect, dims, first, radius, hidden, dimmed }) {
        const { session, known } = this.plane;
        const { width, height, channels } = session.manifest.image;
        const words = new Uint32Array(LOOK_WORDS), reals = new Float32Array(words.buffer);
        reals.set([centre[0], centre[1] ?? 0, span, aspect], 0);
        words.set([columns, rows], 4);
        words.set([width, height, channels], 8);
        words.set([this.pictureStride, known, this.pointStride], 11);
        words.set([dims[0], dims[1] ?? 0, first], 14);
        reals[17] = radius;
        words.set([hidden, dimmed, session.latent === 1 ? 1 : 0], 18);
        CLASS_COLOURS.forEach((colour, i) => reals.set([...colour.map((value) => value / 255), 1], 24 + 4 * i));
        this.device.queue.writeBuffer(buffer, 0, words);
    }

    async frame(machine, view) {
        const { plane, device } = this, { session } = plane;
        const encoder = device.createCommandEncoder({ label: "frame" });
        const encodes = session.ports(machine, "encode"), decodes = session.ports(machine, "decode");
        const [posterior] = encodes.wanted, [given] = decodes.given, [wanted] = decodes.wanted;
        this.pictureStride = wanted.strides[0];
        this.pointStride = posterior.strides[0];
        this.points ??= device.createBuffer({
            size: Math.max(4 * plane.count * this.pointStride, 16),
            usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
        });
        const turn = view.dots || plane.encoded < 0 ? plane.turn(machine) : null;
        if (turn) {
            machine.submit("encode", turn.records);
            encoder.copyBufferToBuffer(machine.buffers[posterior.buffer], 0, this.points,
                4 * turn.first * this.pointStride, 4 * turn.rows * this.pointStride);
            device.queue.submit([encoder.finish()]);
        }
        const count = view.latents.length / session.latent;
        session.writeRows(machine, given, view.latents, count);
        machine.submit("decode", session.record(machine.plan, { rows: count }));
        // The rim is a part of it.
        const radius = Math.max(0.005, 3 / this.plane.canvas.width);
        const hidden = [...view.hidden ?? []].reduce((bits, own) => bits | (1 << own), 0) >>> 0;
        this.writeLook(this.looks[0], { ...view, first: 0, radius, hidden, dimmed: view.dots ? 1 : 0 });
        const group = this.group(machine.buffers[wanted.buffer], this.looks[0]);
        const drawing = device.createCommandEncoder({ label: "draw" });
        const pass = drawing.beginRenderPass({
            colorAttachments: [{
                view: this.context(plane.canvas).getCurrentTexture().createView(),
                loadOp: "clear", storeOp: "store", clearValue: [0, 0, 0, 1],
            }],
        });
        pass.setBindGroup(0, group);
        if (view.tiles) {
            pass.setPipeline(this.tiles);
            pass.draw(4, view.columns * view.rows);
        }
        if (view.dots && plane.known > 0) {
            pass.setPipeline(this.dots);
            pass.draw(4, plane.known);
        }
        pass.end();
        device.queue.submit([drawing.finish()]);
        this.last = { machine, wanted, view, row: count - 1 };
        await device.queue.onSubmittedWorkDone();
    }

    group(pictures, look) {
        const entries = [look, pictures, this.points, this.classes].map((buffer, binding) => (
            { binding, resource: { buffer } }));
        return this.device.createBindGroup({ layout: this.layout, entries });
    }

    cursor(canvas) {
        if (!this.last) {
            return;
        }
        const { machine, wanted, view, row } = this.last;
        this.writeLook(this.looks[1],
            { ...view, columns: 1, rows: 1, first: row, radius: 0, hidden: 0, dimmed: 0 });
        const encoder = this.device.createCommandEncoder({ label: "cursor" });
        const pass = encoder.beginRenderPass({
            colorAttachments: [{
                view: this.context(canvas).getCurrentTexture().createView(),
                loadOp: "clear", storeOp: "store", clearValue: [0, 0, 0, 1],
            }],
        });
        pass.setBindGroup(0, this.group(machine.buffers[wanted.buffer], this.looks[1]));
        pass.setPipeline(this.tiles);
        pass.draw(4, 1);
        pass.end();
        this.device.queue.submit([encoder.finish()]);
    }

    async readMeans() {
        const { count, session } = this.plane;
        if (!this.points || count === 0) {
            return new Float32Array(0);
        }
        const flat = new Float32Array(await this.runtime.copyOut(this.points, 0, 4 * count * this.pointStride));
        const means = new Float32Array(count * session.latent);
        for (let i = 0; i < count; i++) {
            means.set(flat.subarray(i * this.pointStride, i * this.pointStride + session.latent), i * session.latent);
        }
        return means;
    }
}

/** Draws in two dimensions, from images and points that are read. */
class CanvasPainter {
    constructor(plane) {
        this.plane = plane;
        this.runtime = plane.session.runtime;
        const { width, height } = plane.session.manifest.image;
        this.tile = new ImageData(width, height);
        this.small = new OffscreenCanvas(width, height);
        this.copies = new Map();
        this.means = new Float32Array(plane.count * plane.session.latent);
        this.last = null;
    }

    /** A canvas that WebGPU has drawn into has no other context: a copy takes its place in the page. */
    context(canvas) {
        let own = this.copies.get(canvas) ?? canvas;
        if (!own.getContext("2d")) {
            own = canvas.cloneNode();
            canvas.replaceWith(own);
            this.copies.set(canvas, own);
        }
        if (own !== canvas && (own.width !== canvas.width || own.height !== canvas.height)) {
            own.width = canvas.width;
            own.height = canvas.height;
        }
        return own.getContext("2d");
    }

    paint(context, pixels, start, light, x, y, width, height) {
        const { channels } = this.plane.session.manifest.image;
        const { data } = this.tile;
        for (let i = 0; 4 * i < data.length; i++) {
            for (let channel = 0; channel < 3; channel++) {
                data[4 * i + channel] = 255 * light * pixels[start + i * channels + (channels === 3 ? channel : 0)];
            }
            data[4 * i + 3] = 255;
        }
        this.small.getContext("2d").putImageData(this.tile, 0, 0);
        context.drawImage(this.small, x, y, width, height);
    }

    /** Places of all dots from -1 to 1, x to the right and y up. */
    places({ centre, span, aspect, dims }) {
        const { known, session: { latent } } = this.plane;
        const places = new Float32Array(2 * known);
        for (let i = 0; i < known; i++) {
            places[2 * i] = (2 * (this.means[i * latent + dims[0]] - centre[0])) / span;
            places[2 * i + 1] = latent === 1 ? 1.6 * ((i * 0.618034) % 1) - 0.8
                : (2 * (this.means[i * latent + dims[1]] - centre[1])) / (span * aspect);
        }
        return places;
    }

    light(places, x, y, columns, rows) {
        const strip = this.plane.session.latent === 1;
        const stride = 1 + Math.floor(this.plane.known / 1024);
        let near = 0;
        for (let i = 0; i < this.plane.known && near < 1; i += stride) {
            const dx = ((places[2 * i] - x) * columns) / 3, dy = strip ? 0 : ((places[2 * i + 1] - y) * rows) / 3;
            near += Math.exp(-2 * (dx * dx + dy * dy));
        }
        return 0.3 + 0.7 * Math.min(near, 1);
    }

    async frame(machine, view) {
        const { plane } = this, { session, canvas } = plane, { latent, pixels } = session;
        const turn = view.dots || plane.encoded < 0 ? plane.turn(machine) : null;
        if (turn) {
            machine.submit("encode", turn.records);
            const [means] = await session.readRows(machine, turn.posterior, turn.rows);
            this.means.set(means, turn.first * latent);
        }
        const pictures = await session.decodeRows(machine, view.latents);
        this.last = { pictures, row: view.latents.length / latent - 1 };
        const context = this.context(canvas);
        const { columns, rows } = view, places = this.places(view);
        context.imageSmoothingEnabled = false;
        context.fillStyle = "black";
        context.fillRect(0, 0, canvas.width, canvas.height);
        for (let tile = 0; view.tiles && tile < columns * rows; tile++) {
            const column = tile % columns, row = Math.floor(tile / columns);
            const light = view.dots && plane.known > 0
                ? this.light(places, (2 * column + 1) / columns - 1, 1 - (2 * row + 1) / rows, columns, rows) : 1;
            const [x, y] = [Math.round((column * canvas.width) / columns), Math.round((row * canvas.height) / rows)];
            const right = Math.round(((column + 1) * canvas.width) / columns);
            const bottom = Math.round(((row + 1) * canvas.height) / rows);
            this.paint(context, pictures, tile * pixels, light, x, y, right - x, bottom - y);
        }
        if (view.dots) {
            this.drawDots(context, places, view.hidden);
        }
    }

    drawDots(context, places, hidden) {
        const { width, height } = this.plane.canvas, { labels } = this.plane.session.bundle;
        const radius = Math.max(0.0035 * width, 2);
        for (let i = 0; i < this.plane.known; i++) {
            const own = labels?.[i] ?? 0;
            if (hidden?.has(own)) {
                continue;
            }
            context.beginPath();
            context.arc(((places[2 * i] + 1) / 2) * width, ((1 - places[2 * i + 1]) / 2) * height, radius, 0, 7);
            context.fillStyle = `rgb(${CLASS_COLOURS[own % 12].join(" ")})`;
            context.fill();
            context.lineWidth = radius / 3;
            context.strokeStyle = "black";
            context.stroke();
        }
    }

    cursor(canvas) {
        if (this.last) {
            const context = this.context(canvas);
            context.imageSmoothingEnabled = false;
            this.paint(context, this.last.pictures, this.last.row * this.plane.session.pixels, 1, 0, 0,
                canvas.width, canvas.height);
        }
    }

    readMeans() {
        return this.means;
    }
}
