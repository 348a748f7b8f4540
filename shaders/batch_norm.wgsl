// Batch normalisation (Ioffe and Szegedy 2015; PyTorch's BatchNorm2d) of maps with one row a pixel. Each channel has the
// mean and variance of the minibatch, over the pixels of its items, or running ones:
//
//   y = activation((x - mean) / sqrt(variance + EPSILON) * weight + bias)
//
//   batch_moments        partial = mean of a block of BLOCK rows, and the sum of squared differences from it
//   merge_moments        the same for MERGED blocks of SPAN rows as one
//   finish_moments       mean, variance = squares / n and unbiased = squares / (n - 1) of all rows
//   batch_norm           y
//   batch_norm_sums      partial = sums over a block of dy * normalised and of dy, normalised = (x - mean) / sqrt(..);
//                        dy is the gradient of the activation's argument, which is computed from x again
//   batch_norm_gradient  dx = weight / sqrt(..) * (dy - (sum of dy + normalised * sum of dy * normalised) / n)
//   fixed_norm_gradient  dx = weight / sqrt(..) * dy: mean and variance are constants
//
// Rows of items past the step's minibatch (item % BATCH >= step.rows) count for nothing, and their dx is 0. The sums of
// merge_moments are Chan, Golub and LeVeque's (1983): a mean far from 0 costs no digits of the variance.
//
// import: step, layout, activation

override ROWS: u32;
override COLUMNS: u32; // vec4 in a row
override BATCH: u32; // items that a minibatch has room for; item i is item i % BATCH of the minibatch
override SPACE: u32; // rows of an item
override PARTS: u32; // blocks in `parts`
override SPAN: u32; // rows of each of them
override WIDTH: u32; // real columns
override EPSILON: f32;
override ACTIVATION: u32;
override TRAIN: bool; // whether rows past the minibatch do not count
override ACCUMULATE: bool;

const BLOCK = 64u; // rows of a block
const MERGED = 64u; // blocks that become one

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(2) var<storage, read_write> partial: array<vec4<f32>>; // [blocks, 2, COLUMNS]
@group(0) @binding(3) var<storage, read> parts: array<vec4<f32>>; // [PARTS, 2, COLUMNS]
@group(0) @binding(4) var<storage, read_write> batch_mean: array<vec4<f32>>; // [COLUMNS]
@group(0) @binding(5) var<storage, read_write> batch_variance: array<vec4<f32>>; // [COLUMNS]
@group(0) @binding(6) var<storage, read_write> unbiased: array<vec4<f32>>; // [COLUMNS]
@group(0) @binding(7) var<storage, read> mean: array<vec4<f32>>; // [COLUMNS]
@group(0) @binding(8) var<storage, read> variance: array<vec4<f32>>; // [COLUMNS]
@group(0) @binding(9) var<storage, read> scale: array<vec4<f32>>; // [2, COLUMNS]: weight, bias
@group(0) @binding(10) var<storage, read_write> y: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(11) var<storage, read> y_gradient: array<vec4<f32>>; // [ROWS, COLUMNS]: of the activation's value
@group(0) @binding(12) var<storage, read> sums: array<vec4<f32>>; // [2, COLUMNS]: of dy * normalised, of dy
@group(0) @binding(13) var<storage, read_write> x_gradient: array<vec4<f32>>; // [ROWS, COLUMNS]

fn counts(row: u32) -> bool {
    return !TRAIN || row / SPACE % BATCH < step.rows;
}

// How many of the rows before `row` count.
fn counted(row: u32) -> u32 {
    let item = row / SPACE;
    let sample = item / BATCH;
    let within = item % BATCH;
    if within < step.rows {
        return (sample * step.rows + within) * SPACE + row % SPACE;
    }
    return (sample + 1u) * step.rows * SPACE;
}

// The first row from `row` on that counts.
fn next_counted(row: u32) -> u32 {
    if counts(row) {
        return row;
    }
    return (row / SPACE / BATCH + 1u) * BATCH * SPACE;
}

fn deviation(column: u32) -> vec4<f32> {
    return sqrt(variance[column] + EPSILON);
}

// The argument of the activation.
fn argument(i: u32) -> vec4<f32> {
    let column = i % COLUMNS;
    return (x[i] - mean[column]) * (scale[column] / deviation(column)) + scale[column + COLUMNS];
}

// The gradient of the argument.
fn upstream(i: u32) -> vec4<f32> {
    if ACTIVATION == IDENTITY {
        return y_gradient[i];
    }
    return y_gradient[i] * activation_slope(ACTIVATION, argument(i));
}

@compute @workgroup_size(64)
fn batch_moments(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let blocks = (ROWS + BLOCK - 1u) / BLOCK;
    if i >= blocks * COLUMNS {
        return;
    }
    let column = i % COLUMNS;
    let end = min((i / COLUMNS + 1u) * BLOCK, ROWS);
    let begin = next_counted(i / COLUMNS * BLOCK);
    var mean_of_block = vec4<f32>(0.0);
    var squares = vec4<f32>(0.0);
    if begin < end {
        // Differences from one of the values themselves.
        let shift = x[begin * COLUMNS + column];
        var count = 0.0;
        var sum = vec4<f32>(0.0);
        for (var row = begin; row < end; row += 1u) {
            if counts(row) {
                let difference = x[row * COLUMNS + column] - shift;
                sum += difference;
                squares = fma(difference, difference, squares);
                count += 1.0;
            }
        }
        let mean_difference = sum / count;
        mean_of_block = shift + mean_difference;
        squares = max(squares - sum * mean_difference, vec4<f32>(0.0));
    }
    let at = i / COLUMNS * 2u * COLUMNS + column;
    partial[at] = mean_of_block;
    partial[at + COLUMNS] = squares;
}

fn rows_of_part(part: u32) -> f32 {
    return f32(counted(min((part + 1u) * SPAN, ROWS)) - counted(part * SPAN));
}

struct Moments { mean: vec4<f32>, squares: vec4<f32>, count: f32 }

// The moments of parts `begin` to `end` together.
fn merged(column: u32, begin: u32, end: u32) -> Moments {
    var first = begin;
    while first + 1u < end && rows_of_part(first) == 0.0 {
        first += 1u;
    }
    let shift = parts[first * 2u * COLUMNS + column];
    var result = Moments(vec4<f32>(0.0), vec4<f32>(0.0), 0.0);
    var sum = vec4<f32>(0.0);
    for (var part = first; part < end; part += 1u) {
        let rows = rows_of_part(part);
        if rows > 0.0 {
            let at = part * 2u * COLUMNS + column;
            let difference = parts[at] - shift;
            sum = fma(vec4<f32>(rows), difference, sum);
            result.squares += fma(rows * difference, difference, parts[at + COLUMNS]);
            result.count += rows;
        }
    }
    if result.count > 0.0 {
        let mean_difference = sum / result.count;
        result.mean = shift + mean_difference;
        result.squares = max(result.squares - sum * mean_difference, vec4<f32>(0.0));
    }
    return result;
}

@compute @workgroup_size(64)
fn merge_moments(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let blocks = (PARTS + MERGED - 1u) / MERGED;
    if i >= blocks * COLUMNS {
        return;
    }
    let begin = i / COLUMNS * MERGED;
    let moments = merged(i % COLUMNS, begin, min(begin + MERGED, PARTS));
    let at = i / COLUMNS * 2u * COLUMNS + i % COLUMNS;
    partial[at] = moments.mean;
    partial[at + COLUMNS] = moments.squares;
}

@compute @workgroup_size(64)
fn finish_moments(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let column = flat_index(id, workgroups, 64u);
    if column >= COLUMNS {
        return;
    }
    let moments = merged(column, 0u, PARTS);
    batch_mean[column] = moments.mean;
    batch_variance[column] = moments.squares / max(moments.count, 1.0);
    unbiased[column] = moments.squares / max(moments.count - 1.0, 1.0);
}

@compute @workgroup_size(64)
fn batch_norm(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < ROWS * COLUMNS {
        y[i] = activation(ACTIVATION, argument(i)) * column_mask(i % COLUMNS, WIDTH);
    }
}

@compute @workgroup_size(64)
fn batch_norm_sums(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let blocks = (ROWS + BLOCK - 1u) / BLOCK;
    if i >= blocks * COLUMNS {
        return;
    }
    let column = i % COLUMNS;
    let end = min((i / COLUMNS + 1u) * BLOCK, ROWS);
    var products = vec4<f32>(0.0);
    var sum = vec4<f32>(0.0);
    for (var row = i / COLUMNS * BLOCK; row < end; row += 1u) {
        if counts(row) {
            let at = row * COLUMNS + column;
            let dy = upstream(at);
            products = fma(dy, x[at] - mean[column], products);
            sum += dy;
        }
    }
    let at = i / COLUMNS * 2u * COLUMNS + column;
    partial[at] = products / deviation(column);
    partial[at + COLUMNS] = sum;
}

@compute @workgroup_size(64)
fn batch_norm_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= ROWS * COLUMNS {
        return;
    }
    let column = i % COLUMNS;
    var change = vec4<f32>(0.0);
    if i / COLUMNS / SPACE % BATCH < step.rows {
        let divisor = deviation(column);
        let normalised = (x[i] - mean[column]) / divisor;
        let average = (sums[column + COLUMNS] + normalised * sums[column]) / f32(counted(ROWS));
        change = scale[column] / divisor * (upstream(i) - average);
    }
    if ACCUMULATE {
        change += x_gradient[i];
    }
    x_gradient[i] = change;
}

@compute @workgroup_size(64)
fn fixed_norm_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= ROWS * COLUMNS {
        return;
    }
    var change = scale[i % COLUMNS] / deviation(i % COLUMNS) * y_gradient[i];
    if ACCUMULATE {
        change += x_gradient[i];
    }
    x_gradient[i] = change;
}
