//! The cases of `shaders/optimizer.wgsl` and `shaders/average.wgsl`.

use super::Case;
use super::Content::{Normal, Unit};
use crate::plan::{Grid, constants};

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, length) in [1, 63, 65, 1021].into_iter().enumerate() {
        let n = 4 * length;
        let (decay, clip) = [(0.0, 0.0), (0.1, 0.0), (0.0, 0.3), (0.01, 100.0)][i];
        let common = constants! { LENGTH: length, GROUP: 1, WEIGHT_DECAY: decay, CLIP_NORM: clip };
        let base = [("gradients", Normal(n)), ("norm", Unit(4)), ("parameters", Normal(n))];
        let (first, second) = (("first", Normal(n)), ("second", Unit(n)));
        let adamax = constants! { BETA_1: 0.9, ONE_MINUS_BETA_1: 0.1, BETA_2: 0.999, EPSILON: 1e-6 };
        let mut adam = adamax.clone();
        adam.insert("ONE_MINUS_BETA_2", 0.001);
        let rmsprop = constants! { BETA_2: 0.99, ONE_MINUS_BETA_2: 0.01, EPSILON: 1e-6 };
        for (kernel, constants, moments) in [
            ("adam", adam, vec![first, second]),
            ("adamax", adamax, vec![first, second]),
            ("adagrad", constants! { EPSILON: 1e-6 }, vec![second]),
            ("rmsprop", rmsprop, vec![second]),
            ("sgd", constants! { BETA_1: 0.9 }, vec![first]),
        ] {
            let mut all = common.clone();
            all.extend(constants);
            let contents: Vec<_> = base.iter().copied().chain(moments).collect();
            cases.push(Case::new(kernel, all).buffers(&contents).grid(Grid::Elements(length)).rows(3));
        }
        let sizes = constants! { LENGTH: length, RATE: [0.1, 0.001, 1.0, 0.5][i] };
        let contents = [("parameters", Normal(n)), ("averages", Normal(n))];
        cases.push(
            Case::new("average_parameters", sizes).buffers(&contents).grid(Grid::Elements(length)).rows(3),
        );
    }
    cases
}
