// The ceilings of a device, with which `vae bench` compares the kernels.
//
//   multiply_add   output[i] = sum of 3 chains x <- fma(x, factor, offset), 8 ITERATIONS links long
//   copy           output[i] = input[i]
//   add_up         output[i] = sum over j < 16 of input[j, i]: sixteen are read for each that is written
//
// Three chains of vec4 are twelve independent multiply-adds: enough to hide their latency, and few enough to stay in
// a processor's registers on a software adapter. The links of an iteration are written out, so that the loop counts
// for little and keeps far from the 65,535 iterations such an adapter runs.
//
// import: step

override LENGTH: u32; // vec4 in `output`
override ITERATIONS: u32;

@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>; // multiply_add: [1], factors and offsets; copy: [LENGTH]; add_up: [16, LENGTH]
@group(0) @binding(2) var<storage, read_write> output: array<vec4<f32>>; // [LENGTH]

@compute @workgroup_size(64)
fn multiply_add(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= LENGTH {
        return;
    }
    // At most a half: chains stay bounded, and rounding errors do not add up.
    let f = vec4<f32>(0.5 * input[0].x);
    let o = vec4<f32>(input[0].y);
    var x = vec4<f32>(f32(i % 64u));
    var y = x + 1.0;
    var z = x + 2.0;
    for (var n = 0u; n < ITERATIONS; n++) {
        x = fma(x, f, o); y = fma(y, f, o); z = fma(z, f, o);
        x = fma(x, f, o); y = fma(y, f, o); z = fma(z, f, o);
        x = fma(x, f, o); y = fma(y, f, o); z = fma(z, f, o);
        x = fma(x, f, o); y = fma(y, f, o); z = fma(z, f, o);
        x = fma(x, f, o); y = fma(y, f, o); z = fma(z, f, o);
        x = fma(x, f, o); y = fma(y, f, o); z = fma(z, f, o);
        x = fma(x, f, o); y = fma(y, f, o); z = fma(z, f, o);
        x = fma(x, f, o); y = fma(y, f, o); z = fma(z, f, o);
    }
    output[i] = x + y + z;
}

@compute @workgroup_size(64)
fn copy(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i < LENGTH {
        output[i] = input[i];
    }
}

@compute @workgroup_size(64)
fn add_up(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= LENGTH {
        return;
    }
    var sum = vec4<f32>(0.0);
    for (var j = 0u; j < 16u; j++) {
        sum += input[j * LENGTH + i];
    }
    output[i] = sum;
}
