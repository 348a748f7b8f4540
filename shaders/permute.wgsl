// Each column of a minibatch in another random order: the dimensions of the latents become independent.
//
//   permute_columns   output[p_c(r), c] = input[r, c], where p_c(r) is the rank of row r's random word among those of all rows
//
// Of equal words the first row's comes first. Rows past the minibatch, and the padding, are 0.
// Source: Kim and Mnih, "Disentangling by factorising" (arXiv 1802.05983), algorithm 1.
//
// import: step, philox

override BATCH: u32; // images
override COLUMNS: u32; // vec4 in a row
override WIDTH: u32; // real columns
override STREAM: u32; // added to the step's stream

@group(0) @binding(1) var<storage, read> input: array<f32>; // [BATCH, 4 * COLUMNS]
@group(0) @binding(2) var<storage, read_write> output: array<f32>; // [BATCH, 4 * COLUMNS]

fn words_at(row: u32, column: u32) -> vec4<u32> {
    let counter = vec4<u32>(row * COLUMNS + column, step.counter_low, step.counter_high, step.stream + STREAM);
    return philox(counter, vec2<u32>(step.seed_low, step.seed_high));
}

@compute @workgroup_size(64)
fn permute_columns(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= BATCH * COLUMNS {
        return;
    }
    let row = i / COLUMNS;
    let column = i % COLUMNS;
    var rank = vec4<u32>(row);
    if row < step.rows {
        let own = words_at(row, column);
        rank = vec4<u32>(0u);
        for (var j = 0u; j < step.rows; j++) {
            let other = words_at(j, column);
            var before = other < own;
            if j < row {
                before = other <= own;
            }
            rank += select(vec4<u32>(0u), vec4<u32>(1u), before);
        }
    }
    for (var lane = 0u; lane < 4u; lane++) {
        var value = 0.0;
        if row < step.rows && 4u * column + lane < WIDTH {
            value = input[4u * i + lane];
        }
        output[4u * (rank[lane] * COLUMNS + column) + lane] = value;
    }
}
