// Images as a denoising autoencoder sees them (Vincent et al., ICML 2008; JMLR 11, 2010): x [BATCH, pixels].
//
//   corrupt   masking          0 with the probability v, else x
//             Gaussian         x + v n, n standard normal
//             salt and pepper  0 with the probability v / 2, 1 with the same, else x
//
// v is a number of the step. Rows past the minibatch and the padding of rows are 0.
//
// import: step, philox

override BATCH: u32; // rows
override COLUMNS: u32; // vec4 in a row
override WIDTH: u32; // values in a row
override CORRUPTION: u32; // 0 masking, 1 Gaussian, 2 salt and pepper
override NUMBER: u32; // index of v
override STREAM: u32; // added to the step's stream

@group(0) @binding(1) var<storage, read> images: array<vec4<f32>>; // [BATCH, COLUMNS]
@group(0) @binding(2) var<storage, read_write> corrupted: array<vec4<f32>>; // [BATCH, COLUMNS]

@compute @workgroup_size(64)
fn corrupt(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= BATCH * COLUMNS {
        return;
    }
    var value = vec4<f32>(0.0);
    if i / COLUMNS < step.rows {
        let counter = vec4<u32>(i, step.counter_low, step.counter_high, step.stream + STREAM);
        let words = philox(counter, vec2<u32>(step.seed_low, step.seed_high));
        let level = step_number(NUMBER);
        // Below 1 and exact in f32, so that every device decides alike.
        let uniform_words = vec4<f32>(words >> vec4<u32>(8u)) * 0x1p-24;
        value = images[i];
        if CORRUPTION == 1u {
            value += level * normals(words);
        } else {
            if CORRUPTION == 2u {
                value = select(value, vec4<f32>(1.0), uniform_words < vec4<f32>(level));
                value = select(value, vec4<f32>(0.0), uniform_words < vec4<f32>(0.5 * level));
            } else {
                value = select(value, vec4<f32>(0.0), uniform_words < vec4<f32>(level));
            }
        }
        let column = vec4<u32>(i % COLUMNS * 4u) + vec4<u32>(0u, 1u, 2u, 3u);
        value = select(vec4<f32>(0.0), value, column < vec4<u32>(WIDTH));
    }
    corrupted[i] = value;
}
