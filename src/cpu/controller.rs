//! Twin of `shaders/controller.wgsl`.

use super::Real;
use super::call::{Call, by_costly_rows};

/// The hyperbolic tangents of the biases that begin `weights` and of `inputs` times the rows that follow; `columns` of both.
#[inline(always)]
fn layer<T: Real>(inputs: &[T], weights: &[T], outputs: &mut [T]) {
    let columns = outputs.len();
    outputs.copy_from_slice(&weights[..columns]);
    for (&input, weights) in inputs.iter().zip(weights[columns..].chunks_exact(columns)) {
        outputs.iter_mut().zip(weights).for_each(|(output, &weight)| *output += input * weight);
    }
    outputs.iter_mut().for_each(|output| *output = output.hyperbolic_tangent());
}

pub(super) fn controller<T: Real>(call: &mut Call<'_, T>) {
    let [cars, width, hidden, actions] =
        ["CARS", "FEATURES", "HIDDEN", "ACTIONS"].map(|name| call.count(name));
    let [feature_stride, weight_stride, stride] =
        ["FEATURE_STRIDE", "WEIGHT_STRIDE", "ACTION_STRIDE"].map(|name| call.count(name));
    let (features, weights) = (call.read("features"), call.read("weights"));
    by_costly_rows(&mut call.write("actions")[..cars * stride], stride, weight_stride, |car, output| {
        let (output, padding) = output.split_at_mut(actions);
        let (features, weights) =
            (&features[car * feature_stride..][..width], &weights[car * weight_stride..]);
        if hidden == 0 {
            layer(features, weights, output);
        } else {
            let mut units = vec![T::zero(); hidden];
            layer(features, weights, &mut units);
            layer(&units, &weights[(width + 1) * hidden..], output);
        }
        padding.fill(T::zero());
    });
}
