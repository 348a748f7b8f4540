// Sum of a vector, scaled: total[0] = SCALE / step.rows * sum(values).
//
// One workgroup. Each lane adds every 256th element, then the lanes are added in a tree, so that the order
// of additions never changes.

override LENGTH: u32; // elements of `values`

@group(0) @binding(1) var<storage, read> values: array<f32>; // [LENGTH]
@group(0) @binding(2) var<storage, read_write> total: array<f32>; // [1]

const LANES = 256u;
var<workgroup> lanes: array<f32, 256>;

@compute @workgroup_size(256)
fn sum(@builtin(local_invocation_index) lane: u32) {
    var own = 0.0;
    for (var i = lane; i < LENGTH; i += LANES) {
        own += values[i];
    }
    lanes[lane] = own;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            lanes[lane] += lanes[lane + half];
        }
    }
    if lane == 0u {
        total[0] = lanes[0];
    }
}
