//! Twins of `shaders/sum.wgsl`.

use super::Real;
use super::call::Call;
use crate::kernels::kernel;

/// A sum in pairs, whose error grows with the logarithm of the length.
pub(super) fn pairwise<T: Real>(values: &[T], term: &impl Fn(T) -> T) -> T {
    if values.len() <= 64 {
        return values.iter().map(|&value| term(value)).sum();
    }
    let (left, right) = values.split_at(values.len() / 2);
    pairwise(left, term) + pairwise(right, term)
}

fn total<T: Real>(call: &Call<'_, T>) -> T {
    pairwise(&call.read("values")[..call.count("LENGTH")], &|value| value)
}

pub(super) fn sum<T: Real>(call: &mut Call<'_, T>) {
    call.write("total")[0] = total(call);
}

pub(super) fn sum_metric<T: Real>(call: &mut Call<'_, T>) {
    let value = total(call) * (call.number("SCALE") / T::of(f64::from(call.step.rows)));
    let at = call.count("TERMS") * call.step.slot as usize + call.count("TERM");
    call.write("metrics")[at] = value;
}

pub(super) fn sum_two_metrics<T: Real>(call: &mut Call<'_, T>) {
    let first = total(call) * call.number("SCALE");
    let second = &call.read("second_values")[..call.count("SECOND_LENGTH")];
    let second = pairwise(second, &|value| value) * call.number("SECOND_SCALE");
    let rows = T::of(f64::from(call.step.rows));
    let row = call.count("TERMS") * call.step.slot as usize;
    let (first_at, second_at) = (row + call.count("TERM"), row + call.count("SECOND_TERM"));
    let metrics = call.write("metrics");
    metrics[first_at] = first / rows;
    metrics[second_at] = second / rows;
}

pub(super) fn square_sum<T: Real>(call: &mut Call<'_, T>) {
    let values = &call.read("values")[..call.count("LENGTH")];
    let shares = values.chunks(kernel("square_sum").constant("SHARE") as usize);
    for (partial, share) in call.write("shares").iter_mut().zip(shares) {
        *partial = pairwise(share, &|value| value * value);
    }
}

pub(super) fn square_root<T: Real>(call: &mut Call<'_, T>) {
    let norm = total(call).sqrt();
    let at = call.count("TERMS") * call.step.slot as usize + call.count("TERM");
    call.write("norm")[0] = norm;
    call.write("metrics")[at] = norm;
}
