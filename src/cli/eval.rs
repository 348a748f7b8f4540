//! `vae eval`.

use super::output;
use super::run::RunArguments;
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use vae::Result;
use vae::eval::TrainedModel;
use vae::graph::{Binarize, LikelihoodKind};
use vae::report::thousands;

/// Measure a trained model: the evidence lower bound (ELBO) on held-out images, in nats per image. The noise is fixed,
/// so the same command gives the same number.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  vae eval runs/digits-1 --samples 16\n  vae eval runs/digits-1 --best --json -\n  \
                  vae eval runs/digits-1 --ais --bdmc --chains 16 --temperatures 1000"
)]
pub(crate) struct Eval {
    #[command(flatten)]
    run: RunArguments,
    /// Latent samples per image to average over
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = super::settings::count)]
    samples: usize,
    /// Write the numbers as JSON to FILE, or to standard output for -
    #[arg(long, value_name = "FILE|-")]
    json: Option<PathBuf>,
    #[command(flatten)]
    annealing: super::ais::Annealing,
}

/// What `--json` writes. Nats per image; `elbo` is `-(reconstruction + kl)`.
#[derive(Debug, Serialize)]
struct Numbers {
    run: PathBuf,
    checkpoint: PathBuf,
    step: u64,
    dataset: String,
    elbo: f64,
    reconstruction: f64,
    kl: f64,
    images: usize,
    samples: usize,
    likelihood: LikelihoodKind,
    binarize: Binarize,
    device: String,
    #[serde(flatten)]
    annealed: super::ais::Annealed,
}

impl Eval {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let mut model = self.run.open()?;
        let evaluation = model.session.evaluate(model.dataset.test.count, self.samples)?;
        let numbers = Numbers {
            run: model.run.path().to_path_buf(),
            checkpoint: model.checkpoint.clone(),
            step: model.state.step,
            dataset: model.dataset.name.clone(),
            elbo: evaluation.elbo(),
            reconstruction: evaluation.reconstruction,
            kl: evaluation.kl,
            images: evaluation.images,
            samples: evaluation.samples,
            likelihood: model.config.likelihood,
            binarize: model.config.binarization(),
            device: model.session.device_name(),
            annealed: self.annealing.run(&mut model)?,
        };
        if let Some(path) = &self.json {
            output::write_json(&numbers, path)?;
        }
        if self.json.as_deref() != Some(Path::new("-")) {
            output::print(&(numbers.text(&model) + &numbers.annealed.text()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Numbers {
    fn text(&self, model: &TrainedModel) -> String {
        let pixels = match (self.likelihood, self.binarize) {
            (LikelihoodKind::Bernoulli, Binarize::None) => {
                "cross-entropy of grey pixels: this is not a likelihood, and comparable to no other model"
            }
            (LikelihoodKind::Bernoulli, Binarize::Threshold) => {
                "Bernoulli, pixels black or white by threshold"
            }
            (LikelihoodKind::Bernoulli, Binarize::Static) => "Bernoulli, pixels black or white, drawn once",
            (LikelihoodKind::Bernoulli, Binarize::Dynamic) => {
                "Bernoulli, pixels black or white, drawn each time"
            }
            (LikelihoodKind::Gaussian, _) => "Gaussian density with a fixed deviation",
            (LikelihoodKind::GaussianShared, _) => "Gaussian density with one learned deviation",
            (LikelihoodKind::GaussianLearned, _) => "Gaussian density with a predicted deviation per pixel",
        };
        let samples = if self.samples == 1 { "latent sample" } else { "latent samples" };
        format!(
            "model           {}, step {}\n\
             images          {} held-out images of {}, {}\n\
             device          {}\n\
             ELBO            {:>10.3} nats/image  {} {samples} per image\n\
             reconstruction  {:>10.3} nats/image  {pixels}\n\
             KL divergence   {:>10.3} nats/image  from the posterior to the prior, KL(q(z|x) || p(z)); {} latent dimensions\n",
            self.checkpoint.display(),
            thousands(self.step as usize),
            thousands(self.images),
            self.dataset,
            model.dataset.shape,
            self.device,
            self.elbo,
            self.samples,
            self.reconstruction,
            self.kl,
            model.config.latent,
        )
    }
}
