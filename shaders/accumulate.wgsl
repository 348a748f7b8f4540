// import: step
//
// Sums of gradients, the weight of a loss, and the update of a state.
//
//   accumulate     total = part, with ACCUMULATE total += part; in the padding part counts as 0
//   seed           total = WEIGHT * number / (SAMPLES * step.rows) for every element that is not padding: the gradient of a
//                  loss with respect to its own terms; number is the step's number NUMBER; with ACCUMULATE it is added
//   update_state   total += RATE * (part - total): an exponential moving average; RATE = 1 replaces the state; the padding
//                  stays as it is

override LENGTH: u32; // elements, padding included
override SECTION: u32; // elements from one section of a row to the next
override WIDTH: u32; // elements in a section, without padding
override SAMPLES: u32; // samples per image
override WEIGHT: f32;
override NUMBER: u32;
override RATE: f32;
override ACCUMULATE: bool;

@group(0) @binding(1) var<storage, read> part: array<f32>; // [LENGTH]
@group(0) @binding(2) var<storage, read_write> total: array<f32>; // [LENGTH]

@compute @workgroup_size(64)
fn accumulate(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= LENGTH {
        return;
    }
    var value = 0.0;
    if i % SECTION < WIDTH {
        value = part[i];
    }
    if ACCUMULATE {
        total[i] += value;
    } else {
        total[i] = value;
    }
}

@compute @workgroup_size(64)
fn seed(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= LENGTH {
        return;
    }
    var weight = 0.0;
    if i % SECTION < WIDTH {
        weight = WEIGHT * step_number(NUMBER) / f32(SAMPLES * step.rows);
    }
    if ACCUMULATE {
        total[i] += weight;
    } else {
        total[i] = weight;
    }
}

@compute @workgroup_size(64)
fn update_state(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < LENGTH && i % SECTION < WIDTH {
        if RATE == 1.0 {
            total[i] = part[i];
        } else {
            total[i] += RATE * (part[i] - total[i]);
        }
    }
}
