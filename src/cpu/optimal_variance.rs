//! Twins of `shaders/optimal_variance.wgsl`.

use super::Real;
use super::call::Call;
use super::sum::pairwise;
use crate::kernels::kernel;

fn of_mean<T: Real>(mean: T) -> T {
    mean.max(T::of(kernel("optimal_variance").real("VARIANCE_FLOOR"))).ln()
}

pub(super) fn optimal_variance<T: Real>(call: &mut Call<'_, T>) {
    let rows = T::of(f64::from(call.step.rows));
    let count = T::of((call.count("SAMPLES") * call.count("WIDTH")) as f64) * rows;
    let mean = pairwise(&call.read("terms")[..call.count("LENGTH")], &|term| term) / count;
    let ends = call.step_number("ENDS") == T::one();
    call.write("log_variance")[0] = of_mean(mean);
    let residuals = call.write("residuals");
    let images = residuals[1] + rows;
    let so_far = residuals[0] + (mean - residuals[0]) * (rows / images);
    let new = match ends {
        true => [T::zero(), T::zero(), so_far, images],
        false => [so_far, images, residuals[2], residuals[3]],
    };
    residuals[..4].copy_from_slice(&new);
}

pub(super) fn kept_variance<T: Real>(call: &mut Call<'_, T>) {
    let kept = call.read("kept");
    call.write("log_variance")[0] = match () {
        () if kept[3] > T::zero() => of_mean(kept[2]),
        () if kept[1] > T::zero() => of_mean(kept[0]),
        () => T::zero(),
    };
}
