// Layer normalisation (Ba, Kiros and Hinton 2016; PyTorch's LayerNorm): each row has the mean and variance of its columns.
//
//   normalised = (x - mean) / sqrt(variance + EPSILON),   y = normalised * weight + bias
//
//   layer_norm            y, and moments = mean and 1 / sqrt(variance + EPSILON) of each row
//   layer_norm_gradient   dx = (dy * weight - mean of dy * weight - normalised * mean of dy * weight * normalised) / sqrt(..);
//                         with ACCUMULATE dx += that
//   layer_norm_scale      partial = sums over a block of BLOCK rows of dy * normalised and of dy
//
// An invocation computes a row; one of layer_norm_scale a vec4 of columns in a block of rows. In the padding weight, bias and
// dy are 0, and so are y and dx.
//
// import: step, layout

override ROWS: u32;
override COLUMNS: u32; // vec4 in a row
override WIDTH: u32; // its real columns
override EPSILON: f32;
override ACCUMULATE: bool;

const BLOCK = 64u; // rows of a block of layer_norm_scale

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(2) var<storage, read> scale: array<vec4<f32>>; // [2, COLUMNS]: weight, bias
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(4) var<storage, read_write> moments: array<vec4<f32>>; // [ROWS]: mean, 1 / sqrt(..), 0, 0
@group(0) @binding(5) var<storage, read> saved: array<vec4<f32>>; // the same
@group(0) @binding(6) var<storage, read> y_gradient: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(7) var<storage, read_write> x_gradient: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(8) var<storage, read_write> partial: array<vec4<f32>>; // [blocks, 2, COLUMNS]

@compute @workgroup_size(64)
fn layer_norm(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let row = flat_index(id, workgroups, 64u);
    if row >= ROWS {
        return;
    }
    let begin = row * COLUMNS;
    let shift = x[begin].x;
    var sum = 0.0;
    for (var c = 0u; c < COLUMNS; c++) {
        sum += dot(x[begin + c] - shift, column_mask(c, WIDTH));
    }
    let mean = shift + sum / f32(WIDTH);
    var squares = 0.0;
    for (var c = 0u; c < COLUMNS; c++) {
        let difference = (x[begin + c] - mean) * column_mask(c, WIDTH);
        squares += dot(difference, difference);
    }
    let factor = 1.0 / sqrt(squares / f32(WIDTH) + EPSILON);
    moments[row] = vec4<f32>(mean, factor, 0.0, 0.0);
    for (var c = 0u; c < COLUMNS; c++) {
        y[begin + c] = fma((x[begin + c] - mean) * factor, scale[c], scale[COLUMNS + c]) * column_mask(c, WIDTH);
    }
}

@compute @workgroup_size(64)
fn layer_norm_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let row = flat_index(id, workgroups, 64u);
    if row >= ROWS {
        return;
    }
    let begin = row * COLUMNS;
    let moments = saved[row];
    var sums = vec2<f32>(0.0);
    for (var c = 0u; c < COLUMNS; c++) {
        let change = y_gradient[begin + c] * scale[c] * column_mask(c, WIDTH);
        sums += vec2<f32>(dot(change, vec4<f32>(1.0)), dot(change, (x[begin + c] - moments.x) * moments.y));
    }
    let means = sums / f32(WIDTH);
    for (var c = 0u; c < COLUMNS; c++) {
        let normalised = (x[begin + c] - moments.x) * moments.y;
        var change = (y_gradient[begin + c] * scale[c] - means.x - normalised * means.y) * moments.y;
        change *= column_mask(c, WIDTH);
        if ACCUMULATE {
            x_gradient[begin + c] += change;
        } else {
            x_gradient[begin + c] = change;
        }
    }
}

@compute @workgroup_size(64)
fn layer_norm_scale(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let blocks = (ROWS + BLOCK - 1u) / BLOCK;
    if i >= blocks * COLUMNS {
        return;
    }
    let column = i % COLUMNS;
    let begin = i / COLUMNS * BLOCK;
    var products = vec4<f32>(0.0);
    var sums = vec4<f32>(0.0);
    for (var row = begin; row < min(begin + BLOCK, ROWS); row++) {
        let at = row * COLUMNS + column;
        let moments = saved[row];
        products = fma(y_gradient[at], (x[at] - moments.x) * moments.y, products);
        sums += y_gradient[at];
    }
    let mask = column_mask(column, WIDTH);
    let at = i / COLUMNS * 2u * COLUMNS + column;
    partial[at] = products * mask;
    partial[at + COLUMNS] = sums * mask;
}
