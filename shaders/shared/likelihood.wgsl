// Negative log-likelihood of images under the decoder's output, and its gradient: the part that all likelihoods share.
// A file of shaders/likelihood declares two things:
//
//   const SECTIONS     numbers that the decoder gives for a pixel, 1 or 2
//   fn terms(at, x)    the Terms of four pixels x, for which the decoder gives decoded[at] and, as the second section,
//                      decoded[at + COLUMNS]
//
// Values are summed over chunks of CHUNK vec4 of a row; `sum_metric` adds the chunks. Gradients are scaled by
// 1 / (SAMPLES * step.rows). Row l * BATCH + r of the output belongs to image r; rows past the minibatch count as 0.
// Source: Kingma and Welling (arXiv 1312.6114), appendix C.
//
// import: step, layout, activation

override BATCH: u32;
override SAMPLES: u32;
override COLUMNS: u32; // vec4 in an image
override WIDTH: u32; // pixels of an image
override MEAN_ACTIVATION: u32; // turns the decoder's first section into means

@group(0) @binding(1) var<storage, read> decoded: array<vec4<f32>>; // [SAMPLES * BATCH, SECTIONS, COLUMNS]
@group(0) @binding(2) var<storage, read> images: array<vec4<f32>>; // [BATCH, COLUMNS]
@group(0) @binding(4) var<storage, read_write> value: array<f32>; // [SAMPLES * BATCH, chunks]
@group(0) @binding(5) var<storage, read_write> decoded_gradient: array<vec4<f32>>; // like decoded

const CHUNK = 4u; // vec4 that an invocation adds

struct Terms {
    value: vec4<f32>, // -log p(x)
    first: vec4<f32>, // its derivative by the first section of the decoder's output
    second: vec4<f32>, // and by the second, where there are two
    parameter: vec4<f32>, // and by a parameter of the likelihood, where it has one
}

struct Place {
    row: u32, // of `decoded`
    column: u32, // first vec4
    end: u32, // past the last vec4
    image: u32, // row of `images`
    inside: bool,
    counts: bool, // false past the minibatch
}

fn place(i: u32) -> Place {
    let chunks = (COLUMNS + CHUNK - 1u) / CHUNK;
    let row = i / chunks;
    let column = i % chunks * CHUNK;
    let image = row % BATCH;
    return Place(row, column, min(column + CHUNK, COLUMNS), image, row < SAMPLES * BATCH, image < step.rows);
}

fn scale() -> f32 {
    return 1.0 / f32(SAMPLES * step.rows);
}

// Sum over the real columns of a vec4.
fn masked_sum(x: vec4<f32>, column: u32) -> f32 {
    return dot(x, column_mask(column, WIDTH));
}

// A chunk's value, and its share of the gradient of the likelihood's parameter.
struct Chunk {
    value: f32,
    parameter: f32,
}

fn chunk_value(p: Place) -> f32 {
    var sum = 0.0;
    if p.counts {
        for (var c = p.column; c < p.end; c++) {
            sum += masked_sum(terms(p.row * SECTIONS * COLUMNS + c, images[p.image * COLUMNS + c]).value, c);
        }
    }
    return sum;
}

// The same, and store the gradient of the decoder's output.
fn chunk_change(p: Place) -> Chunk {
    var chunk: Chunk;
    for (var c = p.column; c < p.end; c++) {
        let at = p.row * SECTIONS * COLUMNS + c;
        var first = vec4<f32>(0.0);
        var second = vec4<f32>(0.0);
        if p.counts {
            let t = terms(at, images[p.image * COLUMNS + c]);
            let weight = scale() * column_mask(c, WIDTH);
            chunk.value += masked_sum(t.value, c);
            chunk.parameter += masked_sum(t.parameter, c) * scale();
            first = t.first * weight;
            second = t.second * weight;
        }
        decoded_gradient[at] = first;
        if SECTIONS == 2u {
            decoded_gradient[at + COLUMNS] = second;
        }
    }
    return chunk;
}
