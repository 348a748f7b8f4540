//! Twins of `shaders/optimizer.wgsl`.

use super::Real;
use super::call::{Call, GRAIN};
use rayon::prelude::*;

/// The step's numbers, in the executor's precision.
struct Rates<T> {
    rate: T,
    first_correction: T,
    second_correction: T,
}

/// Run `rule(gradient, parameter, first, second)` on every element.
fn update<T: Real>(
    call: &mut Call<'_, T>,
    rule: impl Fn(&Rates<T>, T, &mut T, &mut T, &mut T) + Sync + Send,
) {
    let (gradients, norm) = (call.read("gradients"), call.read("norm")[0]);
    let (decay, limit) = (call.number("WEIGHT_DECAY"), call.number("CLIP_NORM"));
    let clip = if limit > T::zero() && norm > limit { limit / norm } else { T::one() };
    let rates = Rates {
        rate: T::of(f64::from(call.step.learning_rate)),
        first_correction: T::of(f64::from(call.step.first_correction)),
        second_correction: T::of(f64::from(call.step.second_correction)),
    };
    // A rule that keeps no moment of one kind has no binding for it.
    let mut moment = |name: &str| {
        if call.slots.iter().any(|slot| slot.0 == name) { call.write(name) } else { &mut [] }
    };
    let (first, second) = (moment("first"), moment("second"));
    let (mut spare_first, mut spare_second) = (Vec::new(), Vec::new());
    let first = filled(first, &mut spare_first, gradients.len());
    let second = filled(second, &mut spare_second, gradients.len());
    call.write("parameters")
        .par_chunks_mut(GRAIN)
        .zip(first.par_chunks_mut(GRAIN))
        .zip(second.par_chunks_mut(GRAIN))
        .zip(gradients.par_chunks(GRAIN))
        .for_each(|(((parameters, first), second), gradients)| {
            for (((p, m), v), &g) in parameters.iter_mut().zip(first).zip(second).zip(gradients) {
                rule(&rates, g * clip + decay * *p, p, m, v);
            }
        });
}

/// `moment`, or zeros where the rule has none.
fn filled<'a, T: Real>(moment: &'a mut [T], spare: &'a mut Vec<T>, length: usize) -> &'a mut [T] {
    if moment.is_empty() {
        spare.resize(length, T::zero());
        spare
    } else {
        moment
    }
}

pub(super) fn adam<T: Real>(call: &mut Call<'_, T>) {
    let (b1, b2, epsilon) = (call.number("BETA_1"), call.number("BETA_2"), call.number("EPSILON"));
    update(call, move |rates, g, p, m, v| {
        *m = b1 * *m + (T::one() - b1) * g;
        *v = b2 * *v + (T::one() - b2) * g * g;
        let step = rates.rate * rates.first_correction * *m;
        *p -= step / ((*v * rates.second_correction).sqrt() + epsilon);
    });
}

pub(super) fn adamax<T: Real>(call: &mut Call<'_, T>) {
    let (b1, b2, epsilon) = (call.number("BETA_1"), call.number("BETA_2"), call.number("EPSILON"));
    update(call, move |rates, g, p, m, u| {
        *m = b1 * *m + (T::one() - b1) * g;
        *u = (b2 * *u).max(g.abs());
        *p -= rates.rate * rates.first_correction * *m / (*u + epsilon);
    });
}

pub(super) fn adagrad<T: Real>(call: &mut Call<'_, T>) {
    let epsilon = call.number("EPSILON");
    update(call, move |rates, g, p, _, v| {
        *v += g * g;
        *p -= rates.rate * g / (v.sqrt() + epsilon);
    });
}

pub(super) fn rmsprop<T: Real>(call: &mut Call<'_, T>) {
    let (b2, epsilon) = (call.number("BETA_2"), call.number("EPSILON"));
    update(call, move |rates, g, p, _, v| {
        *v = b2 * *v + (T::one() - b2) * g * g;
        *p -= rates.rate * g / (v.sqrt() + epsilon);
    });
}

pub(super) fn sgd<T: Real>(call: &mut Call<'_, T>) {
    let momentum = call.number("BETA_1");
    update(call, move |rates, g, p, m, _| {
        *m = momentum * *m + g;
        *p -= rates.rate * *m;
    });
}
