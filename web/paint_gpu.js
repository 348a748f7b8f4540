// Draws a plane of the latent space with shaders, from the buffers that the model's programs leave.

import { CLASS_COLOURS } from "./colours.js";

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

/** Words of the struct Look. */
const LOOK_WORDS = 24 + 48;

/** Draws with shaders, from the buffers of the model's programs. */
export class GpuPainter {
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
