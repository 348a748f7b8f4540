// Sums and products of values that are not all of one shape.
//
//   add_scaled         y = x + SCALE * other
//   scaled             target = SCALE * other; with ACCUMULATE target += that
//   add_row            y[r] = x[r] + row, one parameter for each column
//   multiply_row       y[r] = x[r] * row; with ACCUMULATE y[r] += that
//   multiply_items     y[i, p] = x[i, p] * gate[i], one factor for each channel of an item; with ACCUMULATE y += that
//   item_products      gate_gradient[i] = sum over pixels p of x[i, p] * other[i, p]; with ACCUMULATE += that
//
// Padding is 0 in all of them, and stays 0.
//
// import: step

override LENGTH: u32; // vec4 in x, padding included
override COLUMNS: u32; // vec4 in a row
override SPACE: u32; // rows of an item
override SCALE: f32;
override ACCUMULATE: bool;

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // [LENGTH]
@group(0) @binding(2) var<storage, read> other: array<vec4<f32>>; // [LENGTH]
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>; // [LENGTH]
@group(0) @binding(4) var<storage, read> row: array<vec4<f32>>; // [COLUMNS]
@group(0) @binding(5) var<storage, read> gate: array<vec4<f32>>; // [LENGTH / COLUMNS / SPACE, COLUMNS]
@group(0) @binding(6) var<storage, read_write> gate_gradient: array<vec4<f32>>; // the same

const LANES = 64u;
var<workgroup> lanes: array<vec4<f32>, 64>;

fn store(i: u32, value: vec4<f32>) {
    if ACCUMULATE {
        y[i] += value;
    } else {
        y[i] = value;
    }
}

@compute @workgroup_size(64)
fn add_scaled(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < LENGTH {
        y[i] = fma(vec4<f32>(SCALE), other[i], x[i]);
    }
}

@compute @workgroup_size(64)
fn scaled(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < LENGTH {
        store(i, SCALE * other[i]);
    }
}

@compute @workgroup_size(64)
fn add_row(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < LENGTH {
        y[i] = x[i] + row[i % COLUMNS];
    }
}

@compute @workgroup_size(64)
fn multiply_row(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < LENGTH {
        store(i, x[i] * row[i % COLUMNS]);
    }
}

@compute @workgroup_size(64)
fn multiply_items(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < LENGTH {
        store(i, x[i] * gate[i / (SPACE * COLUMNS) * COLUMNS + i % COLUMNS]);
    }
}

// A workgroup for each column of an item.
@compute @workgroup_size(64)
fn item_products(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = min(workgroup.y * workgroups.x + workgroup.x, LENGTH / SPACE - 1u);
    let begin = i / COLUMNS * SPACE * COLUMNS + i % COLUMNS;
    var own = vec4<f32>(0.0);
    for (var pixel = lane; pixel < SPACE; pixel += LANES) {
        let at = begin + pixel * COLUMNS;
        own = fma(x[at], other[at], own);
    }
    lanes[lane] = own;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            lanes[lane] += lanes[lane + half];
        }
    }
    if lane == 0u && workgroup.y * workgroups.x + workgroup.x == i {
        var total = lanes[0];
        if ACCUMULATE {
            total += gate_gradient[i];
        }
        gate_gradient[i] = total;
    }
}
