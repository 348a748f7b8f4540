//! The cases of `shaders/optimizer.wgsl`.

use super::Case;
use super::Content::{Normal, Unit};
use crate::plan::{Grid, constants};

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, length) in [1, 63, 65, 1021].into_iter().enumerate() {
        let n = 4 * length;
        let (decay, clip) = [(0.0, 0.0), (0.1, 0.0), (0.0, 0.3), (0.01, 100.0)][i];
        let common = constants! { LENGTH: length, WEIGHT_DECAY: decay, CLIP_NORM: clip };
        let base = [("gradients", Normal(n)), ("norm", Unit(4)), ("parameters", Normal(n))];
        let (first, second) = (("first", Normal(n)), ("second", Unit(n)));
        for (kernel, constants, moments) in [
            ("adam", constants! { BETA_1: 0.9, BETA_2: 0.999, EPSILON: 1e-6 }, vec![first, second]),
            ("adamax", constants! { BETA_1: 0.9, BETA_2: 0.999, EPSILON: 1e-6 }, vec![first, second]),
            ("adagrad", constants! { EPSILON: 1e-6 }, vec![second]),
            ("rmsprop", constants! { BETA_2: 0.99, EPSILON: 1e-6 }, vec![second]),
            ("sgd", constants! { BETA_1: 0.9 }, vec![first]),
        ] {
            let mut all = common.clone();
            all.extend(constants);
            let contents: Vec<_> = base.iter().copied().chain(moments).collect();
            cases.push(Case::new(kernel, all).buffers(&contents).grid(Grid::Elements(length)).rows(3));
        }
    }
    cases
}
