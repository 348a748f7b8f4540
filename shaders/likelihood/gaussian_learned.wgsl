// Gaussian pixels of which the decoder gives means and raw log-variances. shared/gaussian.wgsl has the formula.
//
//   v = FLOOR + softplus(raw - FLOOR)
//
// No deviation falls below one grey level (1/255): bytes carry nothing finer.
//
// import: gaussian, likelihood_entries
// kernels: likelihood = gaussian_learned

const SECTIONS = 2u;
const FLOOR: f32 = -11.082527; // 2 log(1/255)

fn terms(at: u32, x: vec4<f32>) -> Terms {
    let raw = decoded[at + COLUMNS] - FLOOR;
    let v = FLOOR + softplus(raw);
    var t = gaussian_terms(decoded[at], x, v);
    t.second = t.parameter * sigmoid(raw);
    // One factor may be infinite and the other 0, and the product neither.
    let far = t.parameter < vec4<f32>(-FAR);
    if any(far) {
        let d = activation(MEAN_ACTIVATION, decoded[at]) - x;
        let root = d * (exp(-0.5 * v) * sigmoid_root(raw));
        t.second = select(t.second, -0.5 * root * root, far);
    }
    return t;
}
