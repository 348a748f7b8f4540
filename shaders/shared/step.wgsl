// What differs from one step to the next; filled by the host, one record a step (`Step` in
// src/plan/executor.rs, same order).

struct Step {
    seed_low: u32,
    seed_high: u32,
    counter_low: u32,
    counter_high: u32,
    stream: u32,
    slot: u32,
    rows: u32,
    first_index: u32,
    beta: f32,
    learning_rate: f32,
    first_correction: f32,
    second_correction: f32,
    capacity: f32,
    padding_1: u32,
    padding_2: u32,
    padding_3: u32,
}

@group(0) @binding(0) var<uniform> step: Step;

// Position of an invocation in a grid of one dimension that was folded to two, because no dimension may
// have more than 65,535 workgroups.
fn flat_index(id: vec3<u32>, workgroups: vec3<u32>, workgroup_size: u32) -> u32 {
    return id.y * workgroups.x * workgroup_size + id.x;
}
