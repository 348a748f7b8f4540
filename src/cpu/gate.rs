//! Twins of `shaders/gate.wgsl`.

use super::Real;
use super::call::Call;

fn samples_of_all<T: Real>(call: &Call<'_, T>) -> T {
    T::of((call.count("SAMPLES") * call.rows()) as f64)
}

pub(super) fn free_bits_gate<T: Real>(call: &mut Call<'_, T>) {
    let (rows, columns) = (call.count("ROWS"), 4 * call.count("COLUMNS"));
    let (dimensions, count, floor) =
        (call.read("dimensions"), samples_of_all(call), call.number("FREE_BITS"));
    let mut sums = vec![T::zero(); columns];
    for row in dimensions.chunks(columns).take(rows) {
        sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += value);
    }
    for (gate, sum) in call.write("gate").iter_mut().zip(sums) {
        *gate = if sum / count > floor { T::one() } else { T::zero() };
    }
}

pub(super) fn floor_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (batch, samples) = (call.count("BATCH"), call.count("SAMPLES"));
    let (divergence, upstream, floor) =
        (call.read("divergence_read"), call.read("upstream"), call.number("FLOOR"));
    let gradient = call.write("divergence_gradient");
    for image in 0..batch {
        let own = || (0..samples).map(|sample| sample * batch + image);
        let total: T = own().map(|row| divergence[row]).sum();
        let open = total / T::of(samples as f64) >= floor;
        own().for_each(|row| gradient[row] = if open { upstream[row] } else { T::zero() });
    }
}

pub(super) fn capacity_gradient<T: Real>(call: &mut Call<'_, T>) {
    let rows = call.count("ROWS");
    let total: T = call.read("divergence_read")[..rows].iter().copied().sum();
    let over = total / samples_of_all(call) - call.step_number("CAPACITY");
    // 0 at the capacity itself, as WGSL's sign.
    let side = if over == T::zero() { over } else { over.signum() };
    let upstream = call.read("upstream");
    for (gradient, &u) in call.write("divergence_gradient")[..rows].iter_mut().zip(upstream) {
        *gradient = side * u;
    }
}
