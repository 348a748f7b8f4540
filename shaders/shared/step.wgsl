// What differs from one step to the next; filled by the host, one record a step (`Step` in
// src/plan/step.rs, same order).

struct Step {
    seed_low: u32,
    seed_high: u32,
    counter_low: u32,
    counter_high: u32,
    stream: u32,
    slot: u32,
    rows: u32,
    first_index: u32,
    numbers: array<vec4<f32>, 4>, // weights of losses and other numbers, see step_number
    groups: array<vec4<f32>, 4>, // of each group of parameters: learning rate, corrections of both moments, 0
    padding: array<vec4<u32>, 6>,
}

@group(0) @binding(0) var<uniform> step: Step;

const WITHOUT_NUMBER = 16u;

// Number `index` of the step; 1 for WITHOUT_NUMBER.
fn step_number(index: u32) -> f32 {
    if index >= WITHOUT_NUMBER {
        return 1.0;
    }
    return step.numbers[index / 4u][index % 4u];
}

// Position of an invocation in a grid of one dimension that was folded to two, because no dimension may
// have more than 65,535 workgroups.
fn flat_index(id: vec3<u32>, workgroups: vec3<u32>, workgroup_size: u32) -> u32 {
    return id.y * workgroups.x * workgroup_size + id.x;
}
