// A minibatch of one column of the dataset.
//
//   gather        a column of bytes, scaled to [0, 1]:  batch[r, :] = images[indices[first_index + r], :] / 255
//   gather_mirrored  the same, and each image mirrored left to right with probability 1/2
//   gather_reals  a column of numbers, as they are:     batch[r, :] = reals[indices[first_index + r], :]
//   gather_words  a column of whole numbers, such as labels, as numbers (exact up to 2^24):
//                                                       batch[r, :] = f32(words[indices[first_index + r], :])
//
// Binarisation: threshold (byte >= 128), static (each image's pixels are drawn once and for all, Bernoulli(byte / 255)),
// dynamic (drawn afresh each time). Rows past the minibatch are 0.
//
// import: step, philox

override BATCH: u32; // rows of `batch`
override COLUMNS: u32; // vec4 in a row, and words in an item of bytes
override BINARIZE: u32; // 0 none, 1 threshold, 2 static, 3 dynamic
override MIRROR_WIDTH: u32; // pixels in a row of an image
override MIRROR_CHANNELS: u32; // values of a pixel
override MIRROR_LENGTH: u32; // values of an image
override STREAMED: bool; // the column holds this submit's minibatches in order, not the whole dataset

@group(0) @binding(1) var<storage, read> images: array<u32>; // [items, COLUMNS], four bytes a word, lowest first
@group(0) @binding(2) var<storage, read> indices: array<u32>; // numbers of items
@group(0) @binding(3) var<storage, read_write> batch: array<vec4<f32>>; // [BATCH, COLUMNS]
@group(0) @binding(4) var<storage, read> reals: array<vec4<f32>>; // [items, COLUMNS]
@group(0) @binding(5) var<storage, read> words: array<vec4<u32>>; // [items, COLUMNS]

const STREAM_BINARIZE = 16u;
const STREAM_MIRROR = 24u;

// 1 with probability byte / 255, decided in integers: u < byte / 255 with u = (word >> 8) / 2^24.
fn bernoulli(words: vec4<u32>, bytes: vec4<u32>) -> vec4<f32> {
    return select(vec4<f32>(0.0), vec4<f32>(1.0), (words >> vec4<u32>(8u)) * 255u < bytes << vec4<u32>(24u));
}

// The row of the column that row `row` of the minibatch is.
fn place(row: u32) -> u32 {
    if STREAMED {
        return step.first_index + row;
    }
    return indices[step.first_index + row];
}

@compute @workgroup_size(64)
fn gather(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= BATCH * COLUMNS {
        return;
    }
    let row = i / COLUMNS;
    let column = i % COLUMNS;
    if row >= step.rows {
        batch[i] = vec4<f32>(0.0);
        return;
    }
    let number = indices[step.first_index + row];
    let position = place(row);
    let word = images[position * COLUMNS + column];
    let bytes = (vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(255u);
    let key = vec2<u32>(step.seed_low, step.seed_high);
    switch BINARIZE {
        case 1u: { batch[i] = select(vec4<f32>(0.0), vec4<f32>(1.0), bytes >= vec4<u32>(128u)); }
        case 2u: {
            batch[i] = bernoulli(philox(vec4<u32>(column, number, 0u, step.stream + STREAM_BINARIZE), key), bytes);
        }
        case 3u: {
            let counter = vec4<u32>(i, step.counter_low, step.counter_high, step.stream + STREAM_BINARIZE);
            batch[i] = bernoulli(philox(counter, key), bytes);
        }
        default: { batch[i] = vec4<f32>(bytes) * (1.0 / 255.0); }
    }
}

@compute @workgroup_size(64)
fn gather_reals(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= BATCH * COLUMNS {
        return;
    }
    let row = i / COLUMNS;
    if row >= step.rows {
        batch[i] = vec4<f32>(0.0);
        return;
    }
    batch[i] = reals[place(row) * COLUMNS + i % COLUMNS];
}

@compute @workgroup_size(64)
fn gather_words(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= BATCH * COLUMNS {
        return;
    }
    let row = i / COLUMNS;
    if row >= step.rows {
        batch[i] = vec4<f32>(0.0);
        return;
    }
    batch[i] = vec4<f32>(words[place(row) * COLUMNS + i % COLUMNS]);
}

// Whether image `row` of the minibatch is mirrored in this step.
fn mirrored(row: u32) -> bool {
    let counter = vec4<u32>(row, step.counter_low, step.counter_high, step.stream + STREAM_MIRROR);
    return (philox(counter, vec2<u32>(step.seed_low, step.seed_high)).x & 1u) == 1u;
}

// The value that `gather` has for element `element` of row `row`.
fn value_of(row: u32, element: u32) -> f32 {
    let column = element / 4u;
    let lane = element % 4u;
    let byte = (images[place(row) * COLUMNS + column] >> (8u * lane)) & 255u;
    let key = vec2<u32>(step.seed_low, step.seed_high);
    // No `switch`: `gather_mirrored` calls this in a loop (see shared/activation.wgsl).
    var value = f32(byte) * (1.0 / 255.0);
    if BINARIZE == 1u {
        value = select(0.0, 1.0, byte >= 128u);
    } else if BINARIZE == 2u {
        let counter = vec4<u32>(column, indices[step.first_index + row], 0u, step.stream + STREAM_BINARIZE);
        value = bernoulli(philox(counter, key), vec4<u32>(byte))[lane];
    } else if BINARIZE == 3u {
        let i = row * COLUMNS + column;
        let counter = vec4<u32>(i, step.counter_low, step.counter_high, step.stream + STREAM_BINARIZE);
        value = bernoulli(philox(counter, key), vec4<u32>(byte))[lane];
    }
    return value;
}

@compute @workgroup_size(64)
fn gather_mirrored(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= BATCH * COLUMNS {
        return;
    }
    let row = i / COLUMNS;
    var values = vec4<f32>(0.0);
    if row < step.rows {
        let turn = mirrored(row);
        for (var lane = 0u; lane < 4u; lane++) {
            var element = 4u * (i % COLUMNS) + lane;
            if turn && element < MIRROR_LENGTH {
                let x = element / MIRROR_CHANNELS % MIRROR_WIDTH;
                element = element + (MIRROR_WIDTH - 1u) * MIRROR_CHANNELS - 2u * x * MIRROR_CHANNELS;
            }
            values[lane] = value_of(row, element);
        }
    }
    batch[i] = values;
}
