// Group normalisation (Wu and He 2018; PyTorch's GroupNorm) of maps with one row a pixel. The channels of an item form GROUPS
// groups; each has the mean and variance of its values over all pixels of the item. One group is layer normalisation over
// channel, row and column.
//
//   normalised = (x - mean) / sqrt(variance + EPSILON),   y = activation(normalised * weight + bias)
//
//   group_moments        moments = mean and 1 / sqrt(variance + EPSILON) of each group
//   group_norm           y
//   group_norm_sums      dy is the gradient of the activation's argument, which is computed from x again;
//                        sums = means over each group of dy * weight and of dy * weight * normalised
//   group_norm_gradient  dx = (dy * weight - sums.0 - normalised * sums.1) / sqrt(..); with ACCUMULATE dx += that
//   group_norm_scale     partial = sums over a block of BLOCK rows of dy * normalised and of dy
//
// A workgroup adds the values of one group: each lane every 256th one, then the lanes in a tree.
//
// import: step, activation

override ITEMS: u32;
override SPACE: u32; // rows of an item
override CHANNELS: u32;
override STRIDE: u32; // elements of a row, padding included
override GROUPS: u32;
override EPSILON: f32;
override ACTIVATION: u32;
override ACCUMULATE: bool;

const BLOCK = 64u; // rows of a block of group_norm_scale
const LANES = 256u;

@group(0) @binding(1) var<storage, read> x: array<f32>; // [ITEMS * SPACE, STRIDE]
@group(0) @binding(2) var<storage, read_write> moments: array<vec4<f32>>; // [ITEMS, GROUPS]: mean, 1 / sqrt(..), 0, 0
@group(0) @binding(3) var<storage, read> saved: array<vec4<f32>>; // the same
@group(0) @binding(4) var<storage, read> scale: array<f32>; // [2, STRIDE]: weight, bias
@group(0) @binding(5) var<storage, read_write> y: array<f32>; // [ITEMS * SPACE, STRIDE]
@group(0) @binding(6) var<storage, read> y_gradient: array<f32>; // [ITEMS * SPACE, STRIDE]: of the activation's value
@group(0) @binding(7) var<storage, read_write> sums: array<vec4<f32>>; // [ITEMS, GROUPS]: both means, 0, 0
@group(0) @binding(8) var<storage, read> means: array<vec4<f32>>; // the same
@group(0) @binding(9) var<storage, read_write> x_gradient: array<f32>; // [ITEMS * SPACE, STRIDE]
@group(0) @binding(10) var<storage, read_write> partial: array<f32>; // [blocks, 2, STRIDE]

var<workgroup> lanes: array<vec2<f32>, 256>;

// The sum over all lanes, for every lane.
fn add_lanes(lane: u32, own: vec2<f32>) -> vec2<f32> {
    workgroupBarrier();
    lanes[lane] = own;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            lanes[lane] += lanes[lane + half];
        }
    }
    workgroupBarrier();
    return lanes[0];
}

// The place of value number `i` of a group.
fn place(group: u32, i: u32) -> u32 {
    let width = CHANNELS / GROUPS;
    return (group / GROUPS * SPACE + i / width) * STRIDE + group % GROUPS * width + i % width;
}

fn group_of(i: u32) -> u32 {
    return i / STRIDE / SPACE * GROUPS + i % STRIDE / (CHANNELS / GROUPS);
}

// The argument of the activation, of value `at`, in a group with these moments.
fn argument(at: u32, moments: vec4<f32>) -> vec4<f32> {
    let channel = at % STRIDE;
    return vec4<f32>(fma((x[at] - moments.x) * moments.y, scale[channel], scale[channel + STRIDE]));
}

// The gradient of the argument.
fn upstream(at: u32, moments: vec4<f32>) -> f32 {
    if ACTIVATION == IDENTITY {
        return y_gradient[at];
    }
    return y_gradient[at] * activation_slope(ACTIVATION, argument(at, moments)).x;
}

@compute @workgroup_size(256)
fn group_moments(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let group = min(workgroup.y * workgroups.x + workgroup.x, ITEMS * GROUPS - 1u);
    let count = CHANNELS / GROUPS * SPACE;
    let shift = x[place(group, 0u)];
    var own = 0.0;
    for (var i = lane; i < count; i += LANES) {
        own += x[place(group, i)] - shift;
    }
    let mean = shift + add_lanes(lane, vec2<f32>(own, 0.0)).x / f32(count);
    own = 0.0;
    for (var i = lane; i < count; i += LANES) {
        let difference = x[place(group, i)] - mean;
        own = fma(difference, difference, own);
    }
    let variance = add_lanes(lane, vec2<f32>(own, 0.0)).x / f32(count);
    if lane == 0u {
        moments[group] = vec4<f32>(mean, 1.0 / sqrt(variance + EPSILON), 0.0, 0.0);
    }
}

@compute @workgroup_size(64)
fn group_norm(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= ITEMS * SPACE * STRIDE {
        return;
    }
    let channel = i % STRIDE;
    var value = 0.0;
    if channel < CHANNELS {
        value = activation(ACTIVATION, argument(i, saved[group_of(i)])).x;
    }
    y[i] = value;
}

@compute @workgroup_size(256)
fn group_norm_sums(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let group = min(workgroup.y * workgroups.x + workgroup.x, ITEMS * GROUPS - 1u);
    let count = CHANNELS / GROUPS * SPACE;
    let moments = saved[group];
    var own = vec2<f32>(0.0);
    for (var i = lane; i < count; i += LANES) {
        let at = place(group, i);
        let change = upstream(at, moments) * scale[at % STRIDE];
        own += change * vec2<f32>(1.0, (x[at] - moments.x) * moments.y);
    }
    let total = add_lanes(lane, own) / f32(count);
    if lane == 0u {
        sums[group] = vec4<f32>(total, 0.0, 0.0);
    }
}

@compute @workgroup_size(64)
fn group_norm_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= ITEMS * SPACE * STRIDE {
        return;
    }
    let channel = i % STRIDE;
    var change = 0.0;
    if channel < CHANNELS {
        let group = group_of(i);
        let moments = saved[group];
        let normalised = (x[i] - moments.x) * moments.y;
        change = (upstream(i, moments) * scale[channel] - means[group].x - normalised * means[group].y) * moments.y;
    }
    if ACCUMULATE {
        change += x_gradient[i];
    }
    x_gradient[i] = change;
}

@compute @workgroup_size(64)
fn group_norm_scale(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let rows = ITEMS * SPACE;
    let blocks = (rows + BLOCK - 1u) / BLOCK;
    if i >= blocks * STRIDE {
        return;
    }
    let channel = i % STRIDE;
    let begin = i / STRIDE * BLOCK;
    var own = vec2<f32>(0.0);
    if channel < CHANNELS {
        for (var row = begin; row < min(begin + BLOCK, rows); row += 1u) {
            let at = row * STRIDE + channel;
            let moments = saved[group_of(at)];
            own += upstream(at, moments) * vec2<f32>((x[at] - moments.x) * moments.y, 1.0);
        }
    }
    let at = i / STRIDE * 2u * STRIDE + channel;
    partial[at] = own.x;
    partial[at + STRIDE] = own.y;
}
