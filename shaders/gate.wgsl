// Free bits, floor and capacity for a KL divergence that is estimated from samples: its gradient is multiplied by 0, 1
// or -1.
//
//   free_bits_gate     gate = 1 for dimensions whose divergence, averaged over samples and minibatch, is above FREE_BITS,
//                      else 0
//   floor_gradient     d divergence = upstream for images whose divergence, averaged over samples, is FLOOR or more, else 0
//   capacity_gradient  d divergence = upstream * sign(average of the divergence - the step's number CAPACITY)
//
// Row l * BATCH + r is sample l of image r; rows past the minibatch are 0. A lane adds every 64th row; then the lanes are added in a tree: the order of additions
// never changes.
// Sources: Kingma et al., "Improving variational inference with inverse autoregressive flow" (arXiv 1606.04934), equation
// 15; Ha and Schmidhuber, "Recurrent world models facilitate policy evolution" (arXiv 1809.01999), of V; Burgess et al., "Understanding disentangling in beta-VAE" (arXiv 1804.03599), equation 8.
//
// import: step, layout

override SAMPLES: u32; // samples per image
override ROWS: u32; // samples of all images
override BATCH: u32; // images
override FLOOR: f32; // nats per image
override COLUMNS: u32; // vec4 in a row of latents
override CAPACITY: u32; // index of the step's capacity
override FREE_BITS: f32; // nats per dimension

@group(0) @binding(1) var<storage, read> dimensions: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(2) var<storage, read> divergence_read: array<f32>; // [ROWS]
@group(0) @binding(3) var<storage, read_write> gate: array<vec4<f32>>; // [COLUMNS]
@group(0) @binding(4) var<storage, read> upstream: array<f32>; // [ROWS]
@group(0) @binding(5) var<storage, read_write> divergence_gradient: array<f32>; // [ROWS]

const LANES = 64u;

var<workgroup> lanes: array<vec4<f32>, 64>;

// The average over samples and minibatch of what the lanes have added, in lane 0.
fn average(lane: u32, own: vec4<f32>) -> vec4<f32> {
    lanes[lane] = own;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            lanes[lane] += lanes[lane + half];
        }
    }
    return lanes[0] / f32(SAMPLES * step.rows);
}

// One workgroup for each vec4 of dimensions.
@compute @workgroup_size(64)
fn free_bits_gate(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) workgroup: vec3<u32>) {
    var own = vec4<f32>(0.0);
    for (var row = lane; row < ROWS; row += LANES) {
        own += dimensions[row * COLUMNS + workgroup.x];
    }
    let divergence = average(lane, own);
    if lane == 0u {
        gate[workgroup.x] = select(vec4<f32>(0.0), vec4<f32>(1.0), divergence > vec4<f32>(FREE_BITS));
    }
}

@compute @workgroup_size(64)
fn capacity_gradient(@builtin(local_invocation_index) lane: u32) {
    var own = 0.0;
    for (var row = lane; row < ROWS; row += LANES) {
        own += divergence_read[row];
    }
    let total = average(lane, vec4<f32>(own));
    if lane == 0u {
        lanes[0] = sign(total - vec4<f32>(step_number(CAPACITY)));
    }
    workgroupBarrier();
    let side = lanes[0].x;
    for (var row = lane; row < ROWS; row += LANES) {
        divergence_gradient[row] = side * upstream[row];
    }
}

@compute @workgroup_size(64)
fn floor_gradient(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let row = flat_index(id, workgroups, 64u);
    if row >= SAMPLES * BATCH {
        return;
    }
    var sum = 0.0;
    for (var other = row % BATCH; other < SAMPLES * BATCH; other += BATCH) {
        sum += divergence_read[other];
    }
    var change = 0.0;
    if sum / f32(SAMPLES) >= FLOOR {
        change = upstream[row];
    }
    divergence_gradient[row] = change;
}
