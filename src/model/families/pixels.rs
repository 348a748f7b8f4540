//! The distribution of a pixel as settings of a family.

use crate::checks::positive;
use crate::graph::{Activation, Likelihood, LikelihoodChoice, LikelihoodKind};
use crate::{Error, Result};

/// The standard deviation of a likelihood that takes none.
pub(crate) const SIGMA: f64 = 1.0;

/// The scale of a likelihood that takes none.
pub(crate) const SCALE: f64 = 1.0;

/// Scales that leave room for differences and gradients in single precision.
const SCALES: std::ops::RangeInclusive<f64> = 1e-6..=1e6;

/// The likelihood with the settings `sigma` and `scale`, of which it takes one or none; Bernoulli where the data has not
/// decided yet.
pub(crate) fn likelihood(
    choice: LikelihoodChoice,
    [sigma, scale]: [f64; 2],
    mean_activation: Activation,
) -> Likelihood {
    let kind = choice.kind().unwrap_or(LikelihoodKind::Bernoulli);
    let sigma = if kind == LikelihoodKind::Laplace { scale } else { sigma };
    Likelihood { kind, sigma, mean_activation }
}

/// Refuse a standard deviation of a likelihood that has a scale, and a scale of one that has none.
///
/// # Errors
/// [`Error::Setting`] naming the key path.
fn check_scale(kind: LikelihoodKind, [sigma, scale]: [f64; 2]) -> Result<()> {
    if kind == LikelihoodKind::Laplace && sigma != SIGMA {
        let problem = format!("the likelihood is {kind}, which takes no standard deviation");
        return Err(Error::setting("model.sigma", problem, "give model.scale in its place"));
    }
    if kind != LikelihoodKind::Laplace && scale != SCALE {
        let problem = format!("the likelihood is {kind}, which takes no scale");
        let hint = "give a scale of 1, that of likelihoods that take none, or choose laplace";
        return Err(Error::setting("model.scale", problem, hint));
    }
    Ok(())
}

/// Whether a setting may be left out of a file.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(crate) fn is_without_scale(scale: &f64) -> bool {
    *scale == SCALE
}

/// Refuse settings of a likelihood that the data decides.
fn check_auto([sigma, scale]: [f64; 2], mean_activation: Activation) -> Result<()> {
    let given = [
        ("model.sigma", sigma != SIGMA),
        ("model.scale", scale != SCALE),
        ("model.mean-activation", mean_activation != Activation::Identity),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((path, _)) => {
            let hint = "leave it out, or choose the model.likelihood that takes it";
            Err(Error::setting(path, "the likelihood is auto, which the data decides", hint))
        }
        None => Ok(()),
    }
}

/// Refuse settings of a likelihood that make no sense.
///
/// # Errors
/// [`Error::Setting`] naming the key path.
pub(crate) fn check_likelihood(
    choice: LikelihoodChoice,
    scales: [f64; 2],
    mean_activation: Activation,
) -> Result<()> {
    let Some(kind) = choice.kind() else { return check_auto(scales, mean_activation) };
    check_scale(kind, scales)?;
    let sigma = likelihood(choice, scales, mean_activation).sigma;
    let scaled = kind == LikelihoodKind::Laplace;
    positive(if scaled { "model.scale" } else { "model.sigma" }, sigma)?;
    if scaled && !SCALES.contains(&sigma) {
        let problem = format!("single precision has no room for {sigma:e}");
        return Err(Error::setting("model.scale", problem, "give a number from 1e-6 to 1e6"));
    }
    if kind.takes_logits() && mean_activation != Activation::Identity {
        let problem = format!("has no effect with {kind}, whose decoder outputs logits");
        let hint = "leave it out, or choose a gaussian model.likelihood";
        return Err(Error::setting("model.mean-activation", problem, hint));
    }
    let has_sigma = scaled || matches!(kind, LikelihoodKind::Gaussian | LikelihoodKind::GaussianShared);
    if !has_sigma && sigma != SIGMA {
        let problem = format!("the likelihood is {kind}, which takes no standard deviation");
        let hint = "leave it out, or choose model.likelihood = gaussian or gaussian-shared";
        return Err(Error::setting("model.sigma", problem, hint));
    }
    if !mean_activation.derivative_from_value() {
        let hint = "use sigmoid";
        return Err(Error::setting("model.mean-activation", "silu and gelu are not offered for means", hint));
    }
    Ok(())
}
