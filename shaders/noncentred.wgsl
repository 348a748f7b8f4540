// Stochastic layers as functions of standard normal noise (the non-centred parametrisation of Papaspiliopoulos, Roberts and
// Sköld 2007): a row of `whole` holds e1, e2, .. of all layers. The last layer is its noise, hN = eN; each other is
// hk = mean + exp(v / 2) * ek with (mean, v) of p(hk|hk+1). In these coordinates all layers together have the prior N(0, I),
// so chains move as in one layer.
//
//   take_columns            part[r, c] = whole[r, FROM + c]
//   take_columns_gradient   d whole[r, FROM + c] = d part[r, c], 0 elsewhere
//   conditional_sample      z = mean + exp(v / 2) * noise
//   conditional_sample_gradient  d noise = exp(v / 2) * d z,  d mean = d z,  d v = noise * d noise / 2
//
// A row of `prior` holds means, then log-variances, each padded to COLUMNS vec4.
//
// import: step

override ROWS: u32;
override COLUMNS: u32; // vec4 in a row of `z`
override WIDTH: u32; // columns of `part`
override PART: u32; // elements in a row of `part`, padding included
override WHOLE: u32; // elements in a row of `whole`, padding included
override FROM: u32; // the column of `whole` that is the first of `part`
override ACCUMULATE: bool; // add to what `whole_gradient` holds

@group(0) @binding(1) var<storage, read> whole: array<f32>; // [ROWS, WHOLE]
@group(0) @binding(2) var<storage, read_write> part: array<f32>; // [ROWS, PART]
@group(0) @binding(3) var<storage, read> part_gradient: array<f32>; // [ROWS, PART]
@group(0) @binding(4) var<storage, read_write> whole_gradient: array<f32>; // [ROWS, WHOLE]
@group(0) @binding(5) var<storage, read> prior: array<vec4<f32>>; // [ROWS, 2, COLUMNS]
@group(0) @binding(6) var<storage, read> noise: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(7) var<storage, read_write> z: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(8) var<storage, read> z_gradient: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(9) var<storage, read_write> noise_gradient: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(10) var<storage, read_write> prior_gradient: array<vec4<f32>>; // [ROWS, 2, COLUMNS]

@compute @workgroup_size(64)
fn take_columns(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= ROWS * PART {
        return;
    }
    var value = 0.0;
    if i % PART < WIDTH {
        value = whole[i / PART * WHOLE + FROM + i % PART];
    }
    part[i] = value;
}

@compute @workgroup_size(64)
fn take_columns_gradient(
    @builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(id, workgroups, 64u);
    if i >= ROWS * WHOLE {
        return;
    }
    let column = i % WHOLE;
    var change = 0.0;
    if column >= FROM && column - FROM < WIDTH {
        change = part_gradient[i / WHOLE * PART + column - FROM];
    }
    if ACCUMULATE {
        whole_gradient[i] += change;
    } else {
        whole_gradient[i] = change;
    }
}

@compute @workgroup_size(64)
fn conditional_sample(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < ROWS * COLUMNS {
        // In the padding all of these are 0.
        let at = i / COLUMNS * 2u * COLUMNS + i % COLUMNS;
        z[i] = prior[at] + exp(0.5 * prior[at + COLUMNS]) * noise[i];
    }
}

@compute @workgroup_size(64)
fn conditional_sample_gradient(
    @builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(id, workgroups, 64u);
    if i < ROWS * COLUMNS {
        let at = i / COLUMNS * 2u * COLUMNS + i % COLUMNS;
        let of_noise = exp(0.5 * prior[at + COLUMNS]) * z_gradient[i];
        noise_gradient[i] = of_noise;
        prior_gradient[at] = z_gradient[i];
        prior_gradient[at + COLUMNS] = 0.5 * noise[i] * of_noise;
    }
}
