// A line through each number: y = SCALE * x + SHIFT. The derivative by x is `scaled` of residual.wgsl. Padding stays 0.
//
// import: step, layout

override ROWS: u32;
override COLUMNS: u32; // vec4 in a row
override SECTION: u32; // vec4 in a section of a row
override WIDTH: u32; // real columns in a section
override SCALE: f32;
override SHIFT: f32;

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>; // [ROWS, COLUMNS]

@compute @workgroup_size(64)
fn affine(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < ROWS * COLUMNS {
        y[i] = fma(vec4<f32>(SCALE), x[i], vec4<f32>(SHIFT)) * column_mask(i % COLUMNS % SECTION, WIDTH);
    }
}
