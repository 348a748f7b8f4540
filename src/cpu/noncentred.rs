//! Twins of `shaders/noncentred.wgsl`.

use super::Real;
use super::call::{Call, by_rows, by_rows_of_two, put};

pub(super) fn take_columns<T: Real>(call: &mut Call<'_, T>) {
    let (width, from) = (call.count("WIDTH"), call.count("FROM"));
    let (part, whole) = (call.count("PART"), call.count("WHOLE"));
    let values = call.read("whole");
    by_rows(call.write("part"), part, |row, part| {
        let start = row * whole + from;
        part[..width].copy_from_slice(&values[start..start + width]);
        part[width..].fill(T::zero());
    });
}

pub(super) fn take_columns_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (width, from, accumulate) = (call.count("WIDTH"), call.count("FROM"), call.flag("ACCUMULATE"));
    let (part, whole) = (call.count("PART"), call.count("WHOLE"));
    let changes = call.read("part_gradient");
    by_rows(call.write("whole_gradient"), whole, |row, gradient| {
        if !accumulate {
            gradient.fill(T::zero());
        }
        for (gradient, &change) in gradient[from..from + width].iter_mut().zip(&changes[row * part..]) {
            put(gradient, change, accumulate);
        }
    });
}

pub(super) fn conditional_sample<T: Real>(call: &mut Call<'_, T>) {
    let columns = 4 * call.count("COLUMNS");
    let (prior, noise) = (call.read("prior"), call.read("noise"));
    by_rows(call.write("z"), columns, |row, z| {
        let (mean, log_variance) = prior[2 * row * columns..2 * (row + 1) * columns].split_at(columns);
        for (i, z) in z.iter_mut().enumerate() {
            *z = mean[i] + (T::of(0.5) * log_variance[i]).exponential() * noise[row * columns + i];
        }
    });
}

pub(super) fn conditional_sample_gradient<T: Real>(call: &mut Call<'_, T>) {
    let columns = 4 * call.count("COLUMNS");
    let (prior, noise, upstream) = (call.read("prior"), call.read("noise"), call.read("z_gradient"));
    let (of_noise, of_prior) = (call.write("noise_gradient"), call.write("prior_gradient"));
    by_rows_of_two((of_noise, columns), (of_prior, 2 * columns), |row, of_noise, of_prior| {
        let log_variance = &prior[(2 * row + 1) * columns..][..columns];
        let (of_mean, of_log_variance) = of_prior.split_at_mut(columns);
        for i in 0..columns {
            let at = row * columns + i;
            of_noise[i] = (T::of(0.5) * log_variance[i]).exponential() * upstream[at];
            of_mean[i] = upstream[at];
            of_log_variance[i] = T::of(0.5) * noise[at] * of_noise[i];
        }
    });
}
