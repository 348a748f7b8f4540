// One step of an optimizer over a group of parameters: parameters, gradients and moments are flat arrays of one
// layout. g = clip * gradient + WEIGHT_DECAY * parameter;  clip = min(1, CLIP_NORM / norm), 1 without clipping.
//
//   adam      m = b1 m + (1-b1) g,  v = b2 v + (1-b2) g^2,  p -= rate * m c1 / (sqrt(v c2) + eps)
//             c1 = 1/(1-b1^t), c2 = 1/(1-b2^t): Kingma and Ba, arXiv 1412.6980, algorithm 1
//   adamax    u = max(b2 u, |g|),  p -= rate * m c1 / (u + eps): the same paper, algorithm 2
//   adagrad   v = v + g^2,  p -= rate * g / (sqrt(v) + eps): Duchi et al., JMLR 12 (2011)
//   rmsprop   v = b2 v + (1-b2) g^2,  p -= rate * g / (sqrt(v) + eps): Tieleman and Hinton (2012)
//   sgd       m = b1 m + g,  p -= rate * m: momentum as in Sutskever et al. (2013), heavy ball form
//
// Padding stays zero: its gradients and moments are.
//
// import: step

override LENGTH: u32; // vec4
override GROUP: u32; // of parameters
override BETA_1: f32;
override ONE_MINUS_BETA_1: f32; // rounded once: 1.0 - BETA_1 in f32 would have the error of BETA_1
override BETA_2: f32;
override ONE_MINUS_BETA_2: f32;
override EPSILON: f32;
override WEIGHT_DECAY: f32;
override CLIP_NORM: f32; // 0: no clipping

@group(0) @binding(1) var<storage, read> gradients: array<vec4<f32>>; // [LENGTH]
@group(0) @binding(2) var<storage, read> norm: array<f32>; // [1]
@group(0) @binding(3) var<storage, read_write> parameters: array<vec4<f32>>; // [LENGTH]
@group(0) @binding(4) var<storage, read_write> first: array<vec4<f32>>; // [LENGTH]: m
@group(0) @binding(5) var<storage, read_write> second: array<vec4<f32>>; // [LENGTH]: v or u

fn gradient(i: u32) -> vec4<f32> {
    var g = gradients[i];
    if CLIP_NORM > 0.0 && norm[0] > CLIP_NORM {
        g *= CLIP_NORM / norm[0];
    }
    return g + WEIGHT_DECAY * parameters[i];
}

@compute @workgroup_size(64)
fn adam(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= LENGTH {
        return;
    }
    let g = gradient(i);
    let m = BETA_1 * first[i] + ONE_MINUS_BETA_1 * g;
    let v = BETA_2 * second[i] + ONE_MINUS_BETA_2 * g * g;
    first[i] = m;
    second[i] = v;
    parameters[i] -= step.groups[GROUP].x * step.groups[GROUP].y * m / (sqrt(v * step.groups[GROUP].z) + EPSILON);
}

@compute @workgroup_size(64)
fn adamax(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= LENGTH {
        return;
    }
    let g = gradient(i);
    let m = BETA_1 * first[i] + ONE_MINUS_BETA_1 * g;
    let u = max(BETA_2 * second[i], abs(g));
    first[i] = m;
    second[i] = u;
    parameters[i] -= step.groups[GROUP].x * step.groups[GROUP].y * m / (u + EPSILON);
}

@compute @workgroup_size(64)
fn adagrad(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= LENGTH {
        return;
    }
    let g = gradient(i);
    let v = second[i] + g * g;
    second[i] = v;
    parameters[i] -= step.groups[GROUP].x * g / (sqrt(v) + EPSILON);
}

@compute @workgroup_size(64)
fn rmsprop(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= LENGTH {
        return;
    }
    let g = gradient(i);
    let v = BETA_2 * second[i] + ONE_MINUS_BETA_2 * g * g;
    second[i] = v;
    parameters[i] -= step.groups[GROUP].x * g / (sqrt(v) + EPSILON);
}

@compute @workgroup_size(64)
fn sgd(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= LENGTH {
        return;
    }
    let m = BETA_1 * first[i] + gradient(i);
    first[i] = m;
    parameters[i] -= step.groups[GROUP].x * m;
}
