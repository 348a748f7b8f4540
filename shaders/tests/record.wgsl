// Records what a step was given, for tests of executors: that each step reads its own record, and that
// steps and submits keep their order.
//
// metrics[slot] = (numbers 0 and 1, rows, SCALE); history[0] = 3 * history[0] + rows.
//
// import: step

override SCALE: f32;

@group(0) @binding(1) var<storage, read_write> metrics: array<vec4<f32>>; // [steps]
@group(0) @binding(2) var<storage, read_write> history: array<u32>; // [1]

@compute @workgroup_size(1)
fn record() {
    metrics[step.slot] = vec4(step_number(0u), step_number(1u), f32(step.rows), SCALE);
    history[0] = 3u * history[0] + step.rows;
}
