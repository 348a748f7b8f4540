// The softmax of each row of a matrix.
//
//   softmax            y = exp(x - max) / sum, where max is the row's largest value, and sum that of the row's exponentials
//   softmax_gradient   dx = y * (dy - sum of dy * y over the row); with ACCUMULATE dx += that
//
// Padding of a row counts for nothing, and is 0 in the output. A workgroup computes a row: each lane takes every 32nd vec4, then
// every lane goes through what all lanes have found. That needs one barrier.
//
// import: step, layout

override ROWS: u32;
override COLUMNS: u32; // vec4 in a row
override WIDTH: u32; // its real columns
override ACCUMULATE: bool;

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(3) var<storage, read> y_gradient: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(4) var<storage, read> saved: array<vec4<f32>>; // [ROWS, COLUMNS]: y
@group(0) @binding(5) var<storage, read_write> x_gradient: array<vec4<f32>>; // [ROWS, COLUMNS]

const LANES = 32u;
const LOWEST = -3.4028234e38;
var<workgroup> largest: array<f32, 32>;
var<workgroup> sums: array<f32, 32>;

// Values number `i` of the row that begins at `begin`; in the padding the lowest number, whose exponential is 0.
fn values(begin: u32, i: u32) -> vec4<f32> {
    return select(vec4<f32>(LOWEST), x[begin + i], column_mask(i, WIDTH) > vec4<f32>(0.0));
}

@compute @workgroup_size(32)
fn softmax(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let row = workgroup.y * workgroups.x + workgroup.x;
    let begin = min(row, ROWS - 1u) * COLUMNS;
    // The largest value so far, and the sum of exp(x - that).
    var shift = LOWEST;
    var sum = 0.0;
    for (var i = lane; i < COLUMNS; i += LANES) {
        let own = values(begin, i);
        let next = max(shift, max(max(own.x, own.y), max(own.z, own.w)));
        sum = sum * exp(shift - next) + dot(exp(own - next), vec4<f32>(1.0));
        shift = next;
    }
    largest[lane] = shift;
    sums[lane] = sum;
    workgroupBarrier();
    shift = largest[0];
    for (var i = 1u; i < LANES; i++) {
        shift = max(shift, largest[i]);
    }
    sum = 0.0;
    for (var i = 0u; i < LANES; i++) {
        sum += sums[i] * exp(largest[i] - shift);
    }
    if row < ROWS {
        for (var i = lane; i < COLUMNS; i += LANES) {
            y[begin + i] = exp(values(begin, i) - shift) / sum;
        }
    }
}

@compute @workgroup_size(32)
fn softmax_gradient(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let row = workgroup.y * workgroups.x + workgroup.x;
    let begin = min(row, ROWS - 1u) * COLUMNS;
    var own = 0.0;
    for (var i = lane; i < COLUMNS; i += LANES) {
        own += dot(y_gradient[begin + i], saved[begin + i]);
    }
    sums[lane] = own;
    workgroupBarrier();
    var sum = 0.0;
    for (var i = 0u; i < LANES; i++) {
        sum += sums[i];
    }
    if row < ROWS {
        for (var i = lane; i < COLUMNS; i += LANES) {
            let change = saved[begin + i] * (y_gradient[begin + i] - sum);
            if ACCUMULATE {
                x_gradient[begin + i] += change;
            } else {
                x_gradient[begin + i] = change;
            }
        }
    }
}
