// The squared error of expected images:
//
//   squared_error   terms = sum of (images - expected)^2 over a chunk of CHUNK vec4 of a row
//
// `sum_metric` adds the chunks. Row l * BATCH + r of `expected` belongs to image r; rows past the minibatch count as 0.
//
// import: step, layout

override BATCH: u32;
override SAMPLES: u32; // expected images of each image
override COLUMNS: u32; // vec4 in an image
override WIDTH: u32; // values of an image: pixels times channels
override ROW: u32; // vec4 from one row of `expected` to the next

@group(0) @binding(1) var<storage, read> expected: array<vec4<f32>>; // [SAMPLES * BATCH, ROW]
@group(0) @binding(2) var<storage, read> images: array<vec4<f32>>; // [BATCH, COLUMNS]
@group(0) @binding(3) var<storage, read_write> terms: array<f32>; // [SAMPLES * BATCH, chunks]

const CHUNK = 4u; // vec4 that an invocation adds

@compute @workgroup_size(64)
fn squared_error(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let chunks = (COLUMNS + CHUNK - 1u) / CHUNK;
    let row = i / chunks;
    if row >= SAMPLES * BATCH {
        return;
    }
    var sum = 0.0;
    if row % BATCH < step.rows {
        let first = i % chunks * CHUNK;
        for (var c = first; c < min(first + CHUNK, COLUMNS); c++) {
            let difference = (images[row % BATCH * COLUMNS + c] - expected[row * ROW + c]) * column_mask(c, WIDTH);
            sum += dot(difference, difference);
        }
    }
    terms[i] = sum;
}
