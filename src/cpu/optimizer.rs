//! Twins of `shaders/optimizer.wgsl`.

use super::Real;
use super::call::{Call, GRAIN};
use super::real::vectorised;
use rayon::prelude::*;

/// The step's numbers, in the executor's precision.
struct Rates<T> {
    rate: T,
    first_correction: T,
    second_correction: T,
}

/// The arguments of every optimizer's rule.
struct Given<'a, T> {
    gradients: &'a [T],
    parameters: &'a mut [T],
    clip: T,
    decay: T,
    rates: Rates<T>,
}

impl<'a, T: Real> Given<'a, T> {
    fn of(call: &mut Call<'a, T>) -> Self {
        let (limit, norm) = (call.number("CLIP_NORM"), call.read("norm")[0]);
        let [rate, first_correction, second_correction, _] = call.step.groups[call.count("GROUP")];
        Self {
            gradients: call.read("gradients"),
            parameters: call.write("parameters"),
            clip: if limit > T::zero() && norm > limit { limit / norm } else { T::one() },
            decay: call.number("WEIGHT_DECAY"),
            rates: Rates {
                rate: T::of(f64::from(rate)),
                first_correction: T::of(f64::from(first_correction)),
                second_correction: T::of(f64::from(second_correction)),
            },
        }
    }
}

/// Run `rule(rates, gradient, parameter, first, second)` on every element.
fn update_two<T: Real>(
    call: &mut Call<'_, T>,
    rule: impl Fn(&Rates<T>, T, &mut T, &mut T, &mut T) + Sync + Send,
) {
    let Given { gradients, parameters, clip, decay, rates } = Given::of(call);
    let (first, second) = (call.write("first"), call.write("second"));
    parameters
        .par_chunks_mut(GRAIN)
        .zip(first.par_chunks_mut(GRAIN))
        .zip(second.par_chunks_mut(GRAIN))
        .zip(gradients.par_chunks(GRAIN))
        .for_each(|(((parameters, first), second), gradients)| {
            vectorised(|| {
                for (((p, m), v), &g) in parameters.iter_mut().zip(first).zip(second).zip(gradients) {
                    rule(&rates, g * clip + decay * *p, p, m, v);
                }
            });
        });
}

/// Run `rule(rates, gradient, parameter, moment)` on every element, for rules that keep one moment.
fn update_one<T: Real>(
    call: &mut Call<'_, T>,
    moment: &str,
    rule: impl Fn(&Rates<T>, T, &mut T, &mut T) + Sync + Send,
) {
    let Given { gradients, parameters, clip, decay, rates } = Given::of(call);
    parameters
        .par_chunks_mut(GRAIN)
        .zip(call.write(moment).par_chunks_mut(GRAIN))
        .zip(gradients.par_chunks(GRAIN))
        .for_each(|((parameters, moment), gradients)| {
            vectorised(|| {
                for ((p, m), &g) in parameters.iter_mut().zip(moment).zip(gradients) {
                    rule(&rates, g * clip + decay * *p, p, m);
                }
            });
        });
}

pub(super) fn adam<T: Real>(call: &mut Call<'_, T>) {
    let (b1, one_minus_b1) = (call.number("BETA_1"), call.number("ONE_MINUS_BETA_1"));
    let (b2, one_minus_b2) = (call.number("BETA_2"), call.number("ONE_MINUS_BETA_2"));
    let epsilon = call.number("EPSILON");
    update_two(call, move |rates, g, p, m, v| {
        *m = b1 * *m + one_minus_b1 * g;
        *v = b2 * *v + one_minus_b2 * g * g;
        let step = rates.rate * rates.first_correction * *m;
        *p -= step / ((*v * rates.second_correction).sqrt() + epsilon);
    });
}

pub(super) fn adamax<T: Real>(call: &mut Call<'_, T>) {
    let (b1, one_minus_b1) = (call.number("BETA_1"), call.number("ONE_MINUS_BETA_1"));
    let (b2, epsilon) = (call.number("BETA_2"), call.number("EPSILON"));
    update_two(call, move |rates, g, p, m, u| {
        *m = b1 * *m + one_minus_b1 * g;
        *u = (b2 * *u).max(g.abs());
        *p -= rates.rate * rates.first_correction * *m / (*u + epsilon);
    });
}

pub(super) fn adagrad<T: Real>(call: &mut Call<'_, T>) {
    let epsilon = call.number("EPSILON");
    update_one(call, "second", move |rates, g, p, v| {
        *v += g * g;
        *p -= rates.rate * g / (v.sqrt() + epsilon);
    });
}

pub(super) fn rmsprop<T: Real>(call: &mut Call<'_, T>) {
    let (b2, one_minus_b2) = (call.number("BETA_2"), call.number("ONE_MINUS_BETA_2"));
    let epsilon = call.number("EPSILON");
    update_one(call, "second", move |rates, g, p, v| {
        *v = b2 * *v + one_minus_b2 * g * g;
        *p -= rates.rate * g / (v.sqrt() + epsilon);
    });
}

pub(super) fn sgd<T: Real>(call: &mut Call<'_, T>) {
    let momentum = call.number("BETA_1");
    update_one(call, "first", move |rates, g, p, m| {
        *m = momentum * *m + g;
        *p -= rates.rate * *m;
    });
}
