// One variance for all pixels that is the optimum of a minibatch: the mean of its squared residuals.
//
//   optimal_variance   v = log(max(mean, VARIANCE_FLOOR)), mean = sum(terms) / (SAMPLES * step.rows * WIDTH): the log-variance
//                      under which the minibatch is most likely; and `residuals`, moved on by the minibatch
//   kept_variance      v of the mean over the last whole epoch; in the first epoch of that so far; 0 before any
//
// `residuals` holds the mean over the epoch so far and its images, then the mean over the last whole epoch and its images. A
// step whose number ENDS is 1 is the last of an epoch. A lane adds every 256th term; then the lanes are added in a tree.
// Source: Rybkin, Daniilidis and Levine (arXiv 2006.13202), section 4.
//
// import: step

override LENGTH: u32; // elements of `terms`
override SAMPLES: u32; // of each image
override WIDTH: u32; // values of an image
override ENDS: u32;

@group(0) @binding(1) var<storage, read> terms: array<f32>; // [LENGTH], sums of squared residuals
@group(0) @binding(2) var<storage, read_write> residuals: array<f32>; // [4]
@group(0) @binding(3) var<storage, read> kept: array<f32>; // [4], such residuals
@group(0) @binding(4) var<storage, read_write> log_variance: array<f32>; // [1]

const LANES = 256u;
const VARIANCE_FLOOR: f32 = 1.5378701e-5; // 1/255^2: a deviation of one grey level

var<workgroup> lanes: array<f32, 256>;

fn of_mean(mean: f32) -> f32 {
    return log(max(mean, VARIANCE_FLOOR));
}

@compute @workgroup_size(256)
fn optimal_variance(@builtin(local_invocation_index) lane: u32) {
    var own = 0.0;
    for (var i = lane; i < LENGTH; i += LANES) {
        own += terms[i];
    }
    lanes[lane] = own;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            lanes[lane] += lanes[lane + half];
        }
    }
    if lane == 0u {
        let mean = lanes[0] / f32(SAMPLES * step.rows * WIDTH);
        log_variance[0] = of_mean(mean);
        let images = residuals[1] + f32(step.rows);
        let so_far = residuals[0] + (mean - residuals[0]) * (f32(step.rows) / images);
        residuals[0] = so_far;
        residuals[1] = images;
        if step_number(ENDS) == 1.0 {
            residuals[0] = 0.0;
            residuals[1] = 0.0;
            residuals[2] = so_far;
            residuals[3] = images;
        }
    }
}

@compute @workgroup_size(1)
fn kept_variance() {
    var v = 0.0;
    if kept[3] > 0.0 {
        v = of_mean(kept[2]);
    } else if kept[1] > 0.0 {
        v = of_mean(kept[0]);
    }
    log_variance[0] = v;
}
