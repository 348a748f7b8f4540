// Classes of rows, from a logit for each class.
//
//   cross_entropy            loss = log sum_k exp(logit_k) - logit_CLASS
//   cross_entropy_gradient   d logit_k = u (softmax_k - [k = CLASS])
//   contrast                 difference = logit_0 - logit_1: the logarithm of the ratio of the two classes' probabilities
//   contrast_gradient        d logit_0 = u, d logit_1 = -u, the others 0
//
// Rows past the minibatch are 0.
//
// import: step

override BATCH: u32; // rows
override COLUMNS: u32; // vec4 in a row of logits
override WIDTH: u32; // classes
override CLASS: u32;
override ACCUMULATE: bool; // add to the gradient

@group(0) @binding(1) var<storage, read> logits: array<f32>; // [BATCH, 4 * COLUMNS]
@group(0) @binding(2) var<storage, read_write> loss: array<f32>; // [BATCH]
@group(0) @binding(3) var<storage, read_write> difference: array<f32>; // [BATCH]
@group(0) @binding(4) var<storage, read> upstream: array<f32>; // [BATCH]
@group(0) @binding(5) var<storage, read_write> logits_gradient: array<f32>; // [BATCH, 4 * COLUMNS]

// log sum_k exp(logit_k) of a row.
fn log_sum(row: u32) -> f32 {
    let at = 4u * COLUMNS * row;
    var largest = logits[at];
    for (var k = 1u; k < WIDTH; k++) {
        largest = max(largest, logits[at + k]);
    }
    var sum = 0.0;
    for (var k = 0u; k < WIDTH; k++) {
        sum += exp(logits[at + k] - largest);
    }
    return largest + log(sum);
}

@compute @workgroup_size(64)
fn cross_entropy(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let row = flat_index(id, workgroups, 64u);
    if row >= BATCH {
        return;
    }
    var value = 0.0;
    if row < step.rows {
        value = log_sum(row) - logits[4u * COLUMNS * row + CLASS];
    }
    loss[row] = value;
}

@compute @workgroup_size(64)
fn contrast(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let row = flat_index(id, workgroups, 64u);
    if row >= BATCH {
        return;
    }
    var value = 0.0;
    if row < step.rows {
        value = logits[4u * COLUMNS * row] - logits[4u * COLUMNS * row + 1u];
    }
    difference[row] = value;
}

fn put(at: u32, value: f32) {
    if ACCUMULATE {
        logits_gradient[at] += value;
    } else {
        logits_gradient[at] = value;
    }
}

@compute @workgroup_size(64)
fn cross_entropy_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let row = flat_index(id, workgroups, 64u);
    if row >= BATCH {
        return;
    }
    let at = 4u * COLUMNS * row;
    let all = log_sum(row);
    for (var k = 0u; k < 4u * COLUMNS; k++) {
        var value = 0.0;
        if k < WIDTH && row < step.rows {
            value = exp(logits[at + k] - all);
            if k == CLASS {
                value -= 1.0;
            }
            value *= upstream[row];
        }
        put(at + k, value);
    }
}

@compute @workgroup_size(64)
fn contrast_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let row = flat_index(id, workgroups, 64u);
    if row >= BATCH {
        return;
    }
    var own = 0.0;
    if row < step.rows {
        own = upstream[row];
    }
    for (var k = 0u; k < 4u * COLUMNS; k++) {
        var value = 0.0;
        if k == 0u {
            value = own;
        } else if k == 1u {
            value = -own;
        }
        put(4u * COLUMNS * row + k, value);
    }
}
