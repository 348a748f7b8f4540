//! The distribution of a pixel as settings of a family.

use crate::checks::positive;
use crate::graph::{Activation, Likelihood, LikelihoodKind};
use crate::{Error, Result};

/// The standard deviation of a likelihood that takes none.
pub(crate) const SIGMA: f64 = 1.0;

/// Refuse settings of a likelihood that make no sense.
///
/// # Errors
/// [`Error::Setting`] naming the key path.
pub(crate) fn check_likelihood(likelihood: Likelihood) -> Result<()> {
    let Likelihood { kind, sigma, mean_activation } = likelihood;
    positive("model.sigma", sigma)?;
    if kind.takes_logits() && mean_activation != Activation::Identity {
        let problem = format!("has no effect with {kind}, whose decoder outputs logits");
        let hint = "leave it out, or choose a gaussian model.likelihood";
        return Err(Error::setting("model.mean-activation", problem, hint));
    }
    let has_sigma = matches!(kind, LikelihoodKind::Gaussian | LikelihoodKind::GaussianShared);
    if !has_sigma && sigma != SIGMA {
        let problem = format!("the likelihood is {kind}, which takes no standard deviation");
        let hint = "leave it out, or choose model.likelihood = gaussian or gaussian-shared";
        return Err(Error::setting("model.sigma", problem, hint));
    }
    if !mean_activation.derivative_from_value() {
        let hint = "use sigmoid";
        return Err(Error::setting("model.mean-activation", "silu is not offered for means", hint));
    }
    Ok(())
}
