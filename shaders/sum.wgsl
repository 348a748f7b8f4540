// Sums to one number, and the norm of the gradients.
//
//   sum             total[0] = sum(values)
//   sum_metric      metrics[TERMS * step.slot + TERM] = SCALE / step.rows * sum(values)
//   sum_two_metrics the same for two terms, a workgroup each
//   square_sum      shares[w] = sum over workgroup w's share of values^2
//   square_root     norm[0] = sqrt(sum(values)), also metrics[TERMS * step.slot + TERM]
//
// A lane adds every 256th element; then the lanes are added in a tree: the order of additions never changes.
//
// import: step

override LENGTH: u32; // elements of `values`
override SCALE: f32;
override TERM: u32; // column of `metrics`
override TERMS: u32; // columns of `metrics`
override SECOND_LENGTH: u32; // elements of `second_values`
override SECOND_SCALE: f32;
override SECOND_TERM: u32;

@group(0) @binding(1) var<storage, read> values: array<f32>; // [LENGTH]
@group(0) @binding(2) var<storage, read_write> total: array<f32>; // [1]
@group(0) @binding(3) var<storage, read_write> metrics: array<f32>; // [steps, TERMS]
@group(0) @binding(4) var<storage, read_write> shares: array<f32>; // [ceil(LENGTH / SHARE)]
@group(0) @binding(5) var<storage, read_write> norm: array<f32>; // [1]

@group(0) @binding(6) var<storage, read> second_values: array<f32>; // [SECOND_LENGTH]

const LANES = 256u;
const SHARE = 16384u; // elements a workgroup of `square_sum` adds

var<workgroup> lanes: array<f32, 256>;

// The sum of all lanes' numbers, in lane 0.
fn add_lanes(lane: u32, own: f32) -> f32 {
    lanes[lane] = own;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            lanes[lane] += lanes[lane + half];
        }
    }
    return lanes[0];
}

fn own_sum(lane: u32) -> f32 {
    var own = 0.0;
    for (var i = lane; i < LENGTH; i += LANES) {
        own += values[i];
    }
    return own;
}

@compute @workgroup_size(256)
fn sum(@builtin(local_invocation_index) lane: u32) {
    let result = add_lanes(lane, own_sum(lane));
    if lane == 0u {
        total[0] = result;
    }
}

@compute @workgroup_size(256)
fn sum_metric(@builtin(local_invocation_index) lane: u32) {
    let result = add_lanes(lane, own_sum(lane));
    if lane == 0u {
        metrics[TERMS * step.slot + TERM] = result * (SCALE / f32(step.rows));
    }
}

@compute @workgroup_size(256)
fn sum_two_metrics(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) workgroup: vec3<u32>) {
    var own = 0.0;
    var scale = SCALE;
    var term = TERM;
    if workgroup.x == 0u {
        own = own_sum(lane);
    } else {
        scale = SECOND_SCALE;
        term = SECOND_TERM;
        for (var i = lane; i < SECOND_LENGTH; i += LANES) {
            own += second_values[i];
        }
    }
    let result = add_lanes(lane, own);
    if lane == 0u {
        metrics[TERMS * step.slot + term] = result * (scale / f32(step.rows));
    }
}

@compute @workgroup_size(256)
fn square_sum(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) workgroup: vec3<u32>) {
    var own = 0.0;
    let end = min((workgroup.x + 1u) * SHARE, LENGTH);
    for (var i = workgroup.x * SHARE + lane; i < end; i += LANES) {
        own = fma(values[i], values[i], own);
    }
    let result = add_lanes(lane, own);
    if lane == 0u {
        shares[workgroup.x] = result;
    }
}

@compute @workgroup_size(256)
fn square_root(@builtin(local_invocation_index) lane: u32) {
    let result = add_lanes(lane, own_sum(lane));
    if lane == 0u {
        norm[0] = sqrt(result);
        metrics[TERMS * step.slot + TERM] = sqrt(result);
    }
}
