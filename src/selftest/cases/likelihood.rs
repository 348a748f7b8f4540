//! The cases of `shaders/likelihood/`.

use super::Case;
use super::Content::{Normal, Unit};
use crate::graph::{Activation, LikelihoodKind};
use crate::likelihood::LogVariance;
use crate::plan::{Grid, constants};

pub(super) fn all() -> Vec<Case> {
    of(&others(), true)
}

/// All likelihoods but that of [`optimal`].
pub(super) fn others() -> Vec<LikelihoodKind> {
    LikelihoodKind::ALL.into_iter().filter(|kind| *kind != LikelihoodKind::GaussianOptimal).collect()
}

/// Those of the optimal deviation, which stand with [`super::optimal_variance`].
pub(super) fn optimal() -> Vec<Case> {
    of(&[LikelihoodKind::GaussianOptimal], false)
}

fn of(kinds: &[LikelihoodKind], means: bool) -> Vec<Case> {
    let mut cases = Vec::new();
    for (i, (batch, samples, width, rows)) in
        [(1, 1, 1, 1), (3, 2, 15, 2), (9, 1, 66, 9), (17, 3, 785, 16)].into_iter().enumerate()
    {
        let columns = usize::div_ceil(width, 4);
        let values = 4 * samples * batch * columns;
        let chunks = columns.div_ceil(4);
        let total = samples * batch * chunks;
        let mean =
            [Activation::Identity, Activation::Sigmoid, Activation::Tanh, Activation::Softplus][i].number();
        let images = ("images", Unit(4 * batch * columns));
        let sizes = constants! { BATCH: batch, SAMPLES: samples, COLUMNS: columns, WIDTH: width };
        let decoded = ("decoded", Normal(values));
        let case = Case::new("continuous_bernoulli_mean", sizes.clone())
            .buffers(&[decoded, ("expected", Normal(values))])
            .grid(Grid::Elements(samples * batch * columns))
            .rows(rows);
        cases.extend(means.then_some(case));
        for &kind in kinds {
            let (kernels, sections) = (kind.kernels(), kind.outputs().len());
            let mut constants = sizes.clone();
            if !kind.takes_logits() {
                constants.insert("MEAN_ACTIVATION", f64::from(mean));
            }
            if kind.log_variance() == LogVariance::Fixed {
                constants.insert("LOG_VARIANCE", -0.7);
            }
            if kind.log_variance() == LogVariance::Scale {
                constants.insert("SCALE", 0.7);
            }
            let mut inputs = vec![("decoded", Normal(sections * values)), images];
            let value = ("value", Normal(total));
            let mut changes = vec![("decoded_gradient", Normal(sections * values))];
            if matches!(kind.log_variance(), LogVariance::Shared | LogVariance::Optimal) {
                inputs.push(("log_variance", Normal(4)));
            }
            if kind.log_variance() == LogVariance::Shared {
                changes.push(("log_variance_terms", Normal(total)));
            }
            let grid = Grid::Elements(total);
            for (kernel, outputs) in [
                (kernels.value, vec![value]),
                (kernels.gradient, changes.clone()),
                (kernels.with_gradient, changes.into_iter().chain([value]).collect()),
            ] {
                let contents = [inputs.clone(), outputs].concat();
                cases.push(
                    Case::new(kernel, constants.clone()).buffers(&contents).grid(grid).rows(rows).reduces(16),
                );
            }
        }
    }
    cases
}
