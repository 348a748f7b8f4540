// Continuous Bernoulli pixels, grey, of which the decoder gives the logits s: the Bernoulli term less log C(s), so that the
// density integrates to one over x in [0, 1].
//
//   softplus(s) - s x - log C(s),  C(s) = s / tanh(s / 2)
//
// continuous_bernoulli_mean: the expected x, sigmoid(s) - 1/s + 1/sinh(s), for pictures.
// Source: Loaiza-Ganem and Cunningham (arXiv 1907.06845), equations 5 and 8.
//
// import: likelihood_entries
// kernels: likelihood = continuous_bernoulli

@group(0) @binding(7) var<storage, read_write> expected: array<vec4<f32>>; // [SAMPLES * BATCH, COLUMNS]

const SECTIONS = 1u;

// log C(s), near 0 by its series.
fn log_normaliser(s: vec4<f32>) -> vec4<f32> {
    let t = s * s;
    let near = 0.6931472 + t * (1.0 / 12.0 - t * (7.0 / 1440.0 - t * (31.0 / 90720.0 - t * (127.0 / 4838400.0))));
    let size = max(abs(s), vec4<f32>(0.5));
    let e = exp(-size);
    return select(log(size * (1.0 + e) / (1.0 - e)), near, abs(s) < vec4<f32>(0.5));
}

// Its derivative, 1/s - 1/sinh(s).
fn log_normaliser_slope(s: vec4<f32>) -> vec4<f32> {
    let t = s * s;
    let near = s * (1.0 / 6.0 - t * (7.0 / 360.0 - t * (31.0 / 15120.0 - t * (127.0 / 604800.0))));
    let size = max(abs(s), vec4<f32>(0.5));
    let e = exp(-size);
    let far = sign(s) * (1.0 / size - 2.0 * e / (1.0 - e * e));
    return select(far, near, abs(s) < vec4<f32>(0.5));
}

fn terms(at: u32, x: vec4<f32>) -> Terms {
    let s = decoded[at];
    var t: Terms;
    t.value = softplus(s) - s * x - log_normaliser(s);
    t.first = sigmoid(s) - log_normaliser_slope(s) - x;
    return t;
}

@compute @workgroup_size(64)
fn continuous_bernoulli_mean(
    @builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(id, workgroups, 64u);
    if i < SAMPLES * BATCH * COLUMNS {
        let s = decoded[i];
        expected[i] = (sigmoid(s) - log_normaliser_slope(s)) * column_mask(i % COLUMNS, WIDTH);
    }
}
