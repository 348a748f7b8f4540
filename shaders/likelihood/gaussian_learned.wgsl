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
    var t = gaussian_terms(decoded[at], x, FLOOR + softplus(raw));
    t.second = t.parameter * sigmoid(raw);
    return t;
}
