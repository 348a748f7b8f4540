//! From settings as they were given to settings that can be used: what makes no sense is refused, what was left open is
//! filled in.

use super::{Config, IMPORTANCE_SAMPLES, ORDER};
use crate::graph::{Activation, Binarize, LikelihoodKind};
use crate::model::ObjectiveKind;
use crate::optimizer::OptimizerKind;
use crate::{Error, Result, data};
use std::path::Path;

impl Config {
    /// Refuse settings that make no sense, fill in those that depend on others, and make paths absolute, so that a
    /// run's configuration can be used from any folder.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the flag.
    pub fn resolve(mut self) -> Result<Self> {
        let positive = |flag: &str, value: f64| {
            if value.is_finite() && value > 0.0 {
                Ok(())
            } else {
                Err(Error::setting(flag, format!("{value} is not above zero"), "give a number above zero"))
            }
        };
        let not_negative = |flag: &str, value: f64| {
            if value.is_finite() && value >= 0.0 {
                Ok(())
            } else {
                let what = if value < 0.0 { "negative" } else { "no finite number" };
                Err(Error::setting(flag, format!("{value} is {what}"), "give 0 or more"))
            }
        };
        let counted = |flag: &str, value: usize| {
            if value > 0 { Ok(()) } else { Err(Error::setting(flag, "0 is too few", "give 1 or more")) }
        };
        positive("--sigma", self.sigma)?;
        for (flag, value) in [
            ("--beta", self.beta),
            ("--kl-warmup", self.kl_warmup),
            ("--kl-cycle", self.kl_cycle),
            ("--capacity", self.capacity.unwrap_or(0.0)),
            ("--capacity-epochs", self.capacity_epochs),
            ("--free-bits", self.free_bits),
            ("--weight-decay", self.weight_decay),
            ("--clip-norm", self.clip_norm),
        ] {
            not_negative(flag, value)?;
        }
        counted("--latent", self.latent.min(self.upper_latent.unwrap_or(usize::MAX)))?;
        counted("--noise-samples", self.noise_samples)?;
        counted("--batch-size", self.batch_size)?;
        counted("--epochs", usize::from(self.epochs > 0))?;
        counted("--steps", usize::from(self.steps != Some(0)))?;
        if !(1..=ORDER).contains(&self.order) {
            let problem = format!("there is no order {}", self.order);
            return Err(Error::setting("--order", problem, "leave it out, or give 1 for that of older runs"));
        }
        if let Some(images) = self.images {
            counted("--images", images)?;
        }
        if self.image_size.is_some_and(|[width, height]| width * height == 0) {
            return Err(Error::setting("--image-size", "a side is 0", "give WIDTHxHEIGHT, such as 28x28"));
        }
        if self.hidden.iter().chain(self.upper_hidden.iter().flatten()).any(|&width| width == 0) {
            return Err(Error::setting(
                "--hidden",
                "a layer has no units",
                "give widths such as 500 or 500,250",
            ));
        }
        if !(self.test_fraction > 0.0 && self.test_fraction < 1.0) {
            let problem = format!("{} is not between 0 and 1", self.test_fraction);
            return Err(Error::setting("--test-fraction", problem, "give a fraction such as 0.1"));
        }
        if self.likelihood.takes_logits() && self.mean_activation != Activation::Identity {
            let problem = format!("it shapes means, and the decoder of {} gives logits", self.likelihood);
            let hint = "leave it out, or choose a gaussian --likelihood";
            return Err(Error::setting("--mean-activation", problem, hint));
        }
        let has_sigma = matches!(self.likelihood, LikelihoodKind::Gaussian | LikelihoodKind::GaussianShared);
        if !has_sigma && self.sigma != Self::default().sigma {
            let problem = format!("the likelihood is {}, which takes no standard deviation", self.likelihood);
            let hint = "leave it out, or choose --likelihood gaussian or gaussian-shared";
            return Err(Error::setting("--sigma", problem, hint));
        }
        self.check_layers()?;
        self.check_objective()?;
        if self.objective != ObjectiveKind::Elbo {
            counted("--importance-samples", *self.importance_samples.get_or_insert(IMPORTANCE_SAMPLES))?;
        }
        if !self.mean_activation.derivative_from_value() {
            return Err(Error::setting("--mean-activation", "silu is not offered for means", "use sigmoid"));
        }
        self.check_adam_epsilon()?;
        let default_rate = match self.optimizer {
            OptimizerKind::Adam | OptimizerKind::Adamax => 2e-3,
            OptimizerKind::Rmsprop => 1e-3,
            OptimizerKind::Adagrad => 1e-2,
            OptimizerKind::Sgd => 1e-4,
        };
        let rate = *self.learning_rate.get_or_insert(default_rate);
        positive("--learning-rate", rate)?;
        let binarize =
            if self.likelihood == LikelihoodKind::Bernoulli { Binarize::Dynamic } else { Binarize::None };
        let binarize = *self.binarize.get_or_insert(binarize);
        if self.likelihood == LikelihoodKind::DiscretizedLogistic && binarize != Binarize::None {
            let problem = "the likelihood is discretized-logistic, which is of 256 grey levels";
            return Err(Error::setting(
                "--binarize",
                problem,
                "leave it out, or choose --likelihood bernoulli",
            ));
        }
        self.make_paths_absolute()?;
        Ok(self)
    }

    /// Refuse an epsilon that the optimiser does not have, or that is none in single precision.
    fn check_adam_epsilon(&self) -> Result<()> {
        let value = self.adam_epsilon;
        if !self.optimizer.is_adam() && value != Self::default().adam_epsilon {
            let problem = "the optimizer is neither adam nor adamax";
            return Err(Error::setting(
                "--adam-epsilon",
                problem,
                "leave it out, or choose --optimizer adam",
            ));
        }
        if !(1e-30..=1e3).contains(&value) {
            let problem = format!("{value} is not between 1e-30 and 1000");
            return Err(Error::setting(
                "--adam-epsilon",
                problem,
                "give a small number such as 1e-8 or 1e-4",
            ));
        }
        Ok(())
    }

    /// Refuse stochastic layers that do not fit together.
    fn check_layers(&self) -> Result<()> {
        match (&self.upper_hidden, self.upper_latent) {
            (None, None) | (Some(_), Some(_)) => Ok(()),
            (None, Some(upper)) => Err(Error::setting(
                "--hidden",
                format!(
                    "--latent gives two stochastic layers, {} and {upper}, and it hidden layers for one",
                    self.latent
                ),
                "give the hidden layers below each, such as 200,200/100,100, or none/none",
            )),
            (Some(_), None) => Err(Error::setting(
                "--latent",
                format!(
                    "--hidden gives hidden layers for two stochastic layers, and it has one, {}",
                    self.latent
                ),
                "give the dimensions of both, such as 100,50",
            )),
        }
    }

    /// Refuse settings of the objective that no objective takes together.
    fn check_objective(&self) -> Result<()> {
        let refuse = |flag: &str, problem: String, hint: &str| Err(Error::setting(flag, problem, hint));
        if self.objective == ObjectiveKind::Elbo {
            if self.importance_samples.is_some() {
                let hint = "use --noise-samples, or choose --objective iwae or dreg";
                return refuse(
                    "--importance-samples",
                    "the objective is elbo, which weighs no samples".into(),
                    hint,
                );
            }
        } else {
            for (flag, given) in [
                ("--noise-samples", self.noise_samples > 1),
                ("--free-bits", self.free_bits > 0.0),
                ("--capacity", self.capacity.is_some()),
            ] {
                if given {
                    let problem = format!("the objective is {}, which does not take it", self.objective);
                    return refuse(flag, problem, "leave it out, or choose --objective elbo");
                }
            }
        }
        if self.capacity.is_some() && self.free_bits > 0.0 {
            let hint = "leave one of the two out";
            return refuse("--capacity", "--free-bits is another rule for the same term".into(), hint);
        }
        if self.capacity.is_none() && self.capacity_epochs > 0.0 {
            let hint = "give --capacity too, the nats to rise to";
            return refuse("--capacity-epochs", "there is no capacity to rise to".into(), hint);
        }
        if self.kl_cycle > 0.0 && !(self.kl_warmup > 0.0 && self.kl_warmup <= self.kl_cycle) {
            let problem = format!("a cycle of {} epochs has a rise of {}", self.kl_cycle, self.kl_warmup);
            let hint = "give --kl-warmup, the epochs of a cycle in which the weight rises, above 0 and at most the cycle";
            return refuse("--kl-cycle", problem, hint);
        }
        Ok(())
    }

    fn make_paths_absolute(&mut self) -> Result<()> {
        let absolute = |path: &Path| std::path::absolute(path).map_err(|source| Error::io(path, source));
        if let Some(folder) = &mut self.data_dir {
            *folder = absolute(folder)?;
        }
        // What does not exist stays as it was typed, for the error that names it.
        let path = Path::new(&self.dataset);
        if !self.is_digits() && !data::KNOWN_NAMES.contains(&self.dataset.as_str()) && path.exists() {
            let path = absolute(path)?;
            let text = path.to_str().ok_or_else(|| {
                Error::data(&path, "the path is not valid UTF-8", "rename the folder, or link to it")
            })?;
            self.dataset = text.to_string();
        }
        Ok(())
    }
}
