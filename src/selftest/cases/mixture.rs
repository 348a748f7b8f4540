//! The cases of `shaders/mixture.wgsl`, `controller.wgsl` and `clip.wgsl`.

use super::Case;
use super::Content::Normal;
use crate::plan::{Grid, constants};

pub(super) fn all() -> Vec<Case> {
    [densities(), draws(), controllers(), clipping()].concat()
}

fn densities() -> Vec<Case> {
    let mut cases = Vec::new();
    let sizes = [(1, 1, 1, 1, 1), (3, 2, 5, 2, 2), (2, 17, 19, 5, 2), (1, 300, 3, 1, 1), (5, 3, 32, 5, 4)];
    for (number, (batch, steps, width, components, rows)) in sizes.into_iter().enumerate() {
        let (stride, parameters) =
            (usize::next_multiple_of(width, 4), usize::next_multiple_of(3 * components * width, 4));
        let constants = constants! {
            BATCH: batch, STEPS: steps, WIDTH: width, COMPONENTS: components, PARAMETERS: parameters, STRIDE: stride,
        };
        let values = ("parameters", Normal(batch * steps * parameters));
        let goals = ("target_rows", Normal(batch * steps * stride));
        cases.push(
            Case::new("mixture_negative_log_likelihood", constants.clone())
                .buffers(&[values, goals, ("nats", Normal(batch))])
                .grid(Grid::Workgroups(batch))
                .rows(rows)
                .reduces(16 * steps * width),
        );
        let mut constants = constants;
        constants.extend(constants! { ACCUMULATE: number % 2 });
        let gradient = ("parameters_gradient", Normal(batch * steps * parameters));
        cases.push(
            Case::new("mixture_negative_log_likelihood_gradient", constants)
                .buffers(&[values, goals, ("upstream", Normal(batch)), gradient])
                .grid(Grid::Elements(batch * steps * width))
                .rows(rows)
                .reduces(256),
        );
    }
    cases
}

fn draws() -> Vec<Case> {
    let sizes = [(1, 1, 1), (5, 3, 2), (33, 19, 5)];
    let case = |(rows, width, components): (usize, usize, usize)| {
        let (stride, parameters) =
            (usize::next_multiple_of(width, 4), usize::next_multiple_of(3 * components * width, 4));
        let constants = constants! {
            ROWS: rows, WIDTH: width, COMPONENTS: components, PARAMETERS: parameters, STRIDE: stride, NUMBER: 0,
            STREAM: 84,
        };
        Case::new("mixture_draw", constants)
            .buffers(&[("parameters", Normal(rows * parameters)), ("draws", Normal(rows * stride))])
            .grid(Grid::Elements(rows * stride))
            .rows(rows)
            // A device's logarithm of a number next to 1 has few bits, and the largest deviations are some 20.
            .reduces(1 << 14)
    };
    sizes.into_iter().map(case).collect()
}

fn controllers() -> Vec<Case> {
    let sizes = [(1, 1, 0), (3, 5, 0), (7, 288, 0), (1, 3, 1), (5, 32, 40)];
    let case = |(cars, features, hidden): (usize, usize, usize)| {
        let weights =
            if hidden == 0 { 3 * (features + 1) } else { hidden * (features + 1) + 3 * (hidden + 1) };
        let [feature_stride, weight_stride] = [features, weights].map(|count| count.next_multiple_of(4));
        let constants = constants! {
            CARS: cars, FEATURES: features, FEATURE_STRIDE: feature_stride, WEIGHT_STRIDE: weight_stride,
            HIDDEN: hidden, ACTIONS: 3, ACTION_STRIDE: 4,
        };
        let contents = [
            ("features", Normal(cars * feature_stride)),
            ("weights", Normal(cars * weight_stride)),
            ("actions", Normal(4 * cars)),
        ];
        Case::new("controller", constants)
            .buffers(&contents)
            .grid(Grid::Elements(4 * cars))
            .reduces(features * hidden.max(1))
    };
    sizes.into_iter().map(case).collect()
}

fn clipping() -> Vec<Case> {
    let case = |length: usize| {
        let constants = constants! { LENGTH: length, LIMIT: 0.7 };
        Case::new("clip_gradients", constants)
            .buffers(&[("gradients", Normal(4 * length))])
            .grid(Grid::Elements(length))
    };
    [1, 63, 65, 1021].into_iter().map(case).collect()
}
