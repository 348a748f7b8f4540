// The softmax of each row of a matrix.
//
//   softmax            y = exp(x - max) / sum, where max is the row's largest value, and sum that of the row's exponentials
//   softmax_gradient   dx = y * (dy - sum of dy * y over the row); with ACCUMULATE dx += that
//
// Padding of a row counts for nothing, and is 0 in the output. A workgroup computes a row: each lane takes every 64th vec4,
// then the lanes are reduced in a tree.
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

const LANES = 64u;
const LOWEST = -3.4028234e38;
var<workgroup> lanes: array<f32, 64>;

// The largest value of all lanes, for every lane.
fn largest_lane(lane: u32, own: f32) -> f32 {
    workgroupBarrier();
    lanes[lane] = own;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            lanes[lane] = max(lanes[lane], lanes[lane + half]);
        }
    }
    workgroupBarrier();
    return lanes[0];
}

// The sum over all lanes, for every lane.
fn add_lanes(lane: u32, own: f32) -> f32 {
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

@compute @workgroup_size(64)
fn softmax(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let row = workgroup.y * workgroups.x + workgroup.x;
    let begin = min(row, ROWS - 1u) * COLUMNS;
    var largest = vec4<f32>(LOWEST);
    for (var i = lane; i < COLUMNS; i += LANES) {
        let real = column_mask(i, WIDTH) > vec4<f32>(0.0);
        largest = max(largest, select(vec4<f32>(LOWEST), x[begin + i], real));
    }
    let shift = largest_lane(lane, max(max(largest.x, largest.y), max(largest.z, largest.w)));
    var own = 0.0;
    for (var i = lane; i < COLUMNS; i += LANES) {
        own += dot(exp(x[begin + i] - shift), column_mask(i, WIDTH));
    }
    let scale = 1.0 / add_lanes(lane, own);
    if row < ROWS {
        for (var i = lane; i < COLUMNS; i += LANES) {
            y[begin + i] = exp(x[begin + i] - shift) * scale * column_mask(i, WIDTH);
        }
    }
}

@compute @workgroup_size(64)
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
    let mean = add_lanes(lane, own);
    if row < ROWS {
        for (var i = lane; i < COLUMNS; i += LANES) {
            let change = saved[begin + i] * (y_gradient[begin + i] - mean);
            if ACCUMULATE {
                x_gradient[begin + i] += change;
            } else {
                x_gradient[begin + i] = change;
            }
        }
    }
}
