// Bernoulli pixels, of which the decoder gives the logits s: binary cross-entropy.
//
//   max(s, 0) - s x + log(1 + exp(-|s|))
//
// import: likelihood_entries
// kernels: likelihood = bernoulli

const SECTIONS = 1u;

fn terms(at: u32, x: vec4<f32>) -> Terms {
    let s = decoded[at];
    // softplus(s) and sigmoid(s) share the exponential.
    let e = exp(-abs(s));
    var t: Terms;
    t.value = max(s, vec4<f32>(0.0)) + log(1.0 + e) - s * x;
    t.first = select(e, vec4<f32>(1.0), s >= vec4<f32>(0.0)) / (1.0 + e) - x;
    return t;
}
