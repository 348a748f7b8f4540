//! `vae eval`.

use super::output;
use super::run::RunArguments;
use clap::Args;
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use vae::Result;
use vae::eval::average::mean_and_error;
use vae::eval::density::Weights;
use vae::eval::importance::ImportanceSampler;
use vae::eval::latents::{ACTIVE, Surgery};
use vae::eval::layers::{joined, layer_use};
use vae::graph::{Binarize, LikelihoodKind};
use vae::report::human_duration;
use vae::run::TrainedModel;
use vae::text::{error_text, thousands};

/// So often a long evaluation says that it is alive.
const ALIVE: Duration = Duration::from_secs(10);

/// Measure a trained model on held-out images, in nats per image: the evidence lower bound (ELBO), what its latent
/// dimensions carry, and with --importance-samples a tight bound on the evidence. The noise is fixed, so the same command
/// gives the same number.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vae eval runs/digits-1 --samples 16
  vae eval runs/digits-1 --best --json -
  vae eval runs/digits-1 --importance-samples 5000 --images 200
  vae eval runs/digits-1 --ais --bdmc --chains 16 --temperatures 1000")]
pub(crate) struct Eval {
    #[command(flatten)]
    run: RunArguments,
    /// Latent samples per image to average the ELBO over
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = super::settings::count)]
    samples: usize,
    /// Estimate log p(x) by the importance-weighted bound of K samples per image; 5000 where K is left out
    #[arg(long, value_name = "K", num_args = 0..=1, default_missing_value = "5000", value_parser = many)]
    importance_samples: Option<usize>,
    /// Measure the first N held-out images only
    #[arg(long, value_name = "N", value_parser = many)]
    images: Option<usize>,
    /// Write the numbers as JSON to FILE, or to standard output for -
    #[arg(long, value_name = "FILE|-")]
    json: Option<PathBuf>,
    #[command(flatten)]
    annealing: super::ais::Annealing,
}

/// A number of samples or images: at least one, and fewer than counters hold.
fn many(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=1_000_000_000) => Ok(count),
        _ => Err("give a number from 1 to 1000000000".to_string()),
    }
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
    latents: Latents,
    #[serde(skip_serializing_if = "Option::is_none")]
    importance: Option<Importance>,
    #[serde(flatten)]
    annealed: super::ais::Annealed,
}

/// What the latent dimensions carry; nats per image.
#[derive(Debug, Serialize)]
struct Latents {
    /// Dimensions whose posterior mean varies by more than 0.01 over images.
    active_units: usize,
    kl_per_dimension: Vec<f64>,
    mean_variance_per_dimension: Vec<f64>,
    /// I(x; z) and KL(q(z) || p(z)), whose sum is that of the dimensions' divergences; it is `kl`, but for two stochastic
    /// layers, where both are averages over samples, of other samples.
    mutual_information: f64,
    /// Null for a single image.
    mutual_information_standard_error: f64,
    aggregate_kl: f64,
    /// The same of each of two stochastic layers, the one nearer to the data first; empty for one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    layers: Vec<Layer>,
}

/// What the dimensions of one of two stochastic layers carry; nats per image.
#[derive(Debug, Serialize)]
struct Layer {
    active_units: usize,
    kl: f64,
    kl_per_dimension: Vec<f64>,
    mean_variance_per_dimension: Vec<f64>,
}

/// The importance-weighted bound; nats per image.
#[derive(Debug, Serialize)]
struct Importance {
    samples: usize,
    /// L_K, averaged over images.
    bound: f64,
    /// Of that average, over images; null for a single one.
    standard_error: f64,
    /// Estimate of -log p(x): -L_K, from above.
    negative_log_likelihood: f64,
    /// The same over pixels and log 2.
    bits_per_dimension: f64,
    /// Average of log weights: the ELBO of the same draws.
    elbo: f64,
    /// Samples the weights are worth: the middle image, and the worst.
    effective_samples_median: f64,
    effective_samples_smallest: f64,
    seconds: f64,
}

impl Eval {
    pub(crate) fn run(self) -> Result<ExitCode> {
        output::check_json(self.json.as_deref())?;
        let mut model = self.run.open()?;
        let count = self.images.unwrap_or(usize::MAX).min(model.dataset.test.count);
        let evaluation = model.session.evaluate(count, self.samples)?;
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
            likelihood: model.config.model.likelihood().kind,
            binarize: model.config.binarization(),
            device: model.session.device_name(),
            latents: latents(&mut model, count)?,
            importance: match self.importance_samples {
                Some(samples) => Some(importance(&mut model, count, samples)?),
                None => None,
            },
            annealed: self.annealing.run(&mut model)?,
        };
        // Printed first: what was computed is told even where the file cannot be written.
        if self.json.as_deref() != Some(Path::new("-")) {
            output::print(&(numbers.text(&model) + &numbers.annealed.text()))?;
        }
        if let Some(path) = &self.json {
            output::write_json(&numbers, path)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn latents(model: &mut TrainedModel, count: usize) -> Result<Latents> {
    let width = model.config.model.latent().first().copied().unwrap_or_default();
    let numbers: Vec<u32> = (0..count as u32).collect();
    let posteriors = model.session.encode(&numbers)?;
    let layers = layer_use(&mut model.session, &posteriors)?;
    let each = match &layers[..] {
        [_] => Vec::new(),
        layers => layers
            .iter()
            .map(|layer| Layer {
                active_units: layer.active(),
                kl: layer.divergences.iter().sum(),
                kl_per_dimension: layer.divergences.clone(),
                mean_variance_per_dimension: layer.mean_variances.clone(),
            })
            .collect(),
    };
    let used = joined(layers);
    // An upper layer tells of the image only what the first one does.
    let surgery = Surgery::of(&posteriors, width, used.divergences.iter().sum());
    Ok(Latents {
        active_units: used.active(),
        kl_per_dimension: used.divergences,
        mean_variance_per_dimension: used.mean_variances,
        mutual_information: surgery.mutual_information,
        mutual_information_standard_error: surgery.standard_error,
        aggregate_kl: surgery.aggregate_divergence,
        layers: each,
    })
}

fn importance(model: &mut TrainedModel, count: usize, samples: usize) -> Result<Importance> {
    let start = Instant::now();
    let weights = Weights::of(&mut model.session)?;
    let mut sampler = ImportanceSampler::open(&model.device, model.session.task(), &weights, samples)?;
    let numbers: Vec<u32> = (0..count as u32).collect();
    let mut said = Instant::now();
    let bounds = sampler.bounds(&model.dataset.test, &numbers, &mut |done| {
        if said.elapsed() > ALIVE {
            said = Instant::now();
            let left = start.elapsed().as_secs_f64() * (count - done) as f64 / done as f64;
            let (done, left) = (thousands(done), human_duration(left));
            output::say(&format!("weighed the samples of {done} images, {left} left"));
        }
    })?;
    let (bound, standard_error) = mean_and_error(bounds.iter().map(|image| image.bound));
    let mut effective: Vec<f64> = bounds.iter().map(|image| image.effective_samples).collect();
    effective.sort_unstable_by(f64::total_cmp);
    Ok(Importance {
        samples,
        bound,
        standard_error,
        negative_log_likelihood: -bound,
        bits_per_dimension: -bound / (model.dataset.shape.pixels() as f64 * std::f64::consts::LN_2),
        elbo: bounds.iter().map(|image| image.elbo).sum::<f64>() / bounds.len() as f64,
        effective_samples_median: effective[effective.len() / 2],
        effective_samples_smallest: effective[0],
        seconds: start.elapsed().as_secs_f64(),
    })
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
            (LikelihoodKind::DiscretizedLogistic, _) => {
                "probability of the 256 grey levels, discretized logistic"
            }
            (LikelihoodKind::ContinuousBernoulli, _) => "continuous Bernoulli density",
        };
        let shown = self.latents_text()
            + &self.importance.as_ref().map_or(String::new(), |it| self.importance_text(it));
        let latent: Vec<String> = model.config.model.latent().iter().map(ToString::to_string).collect();
        let dimensions = latent.join(" + ");
        let averaged = if latent.len() > 1 { "; an average over these samples" } else { "" };
        let samples = if self.samples == 1 { "latent sample" } else { "latent samples" };
        format!(
            "model           {}, step {}\n\
             images          {} held-out images of {}, {}\n\
             device          {}\n\
             ELBO            {:>10.3} nats/image  {} {samples} per image\n\
             reconstruction  {:>10.3} nats/image  {pixels}\n\
             KL divergence   {:>10.3} nats/image  from the posterior to the prior, KL(q(z|x) || p(z)); {dimensions} latent dimensions{averaged}\n\
             {shown}",
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
        )
    }

    fn latents_text(&self) -> String {
        let latents = &self.latents;
        let mut text = format!(
            "active units    {:>10} of {:<6} whose posterior mean varies by more than {ACTIVE} over images\n\
             I(x; z)         {:>10.3} nats/image  +- {}; at most log of {} images, {:.3}\n\
             KL(q(z)||p(z))  {:>10.3} nats/image  {} less I(x; z); q(z) mixes the posteriors of these images\n",
            latents.active_units,
            latents.kl_per_dimension.len(),
            latents.mutual_information,
            error_text(latents.mutual_information_standard_error, 3),
            thousands(self.images),
            (self.images as f64).ln(),
            latents.aggregate_kl,
            if latents.layers.is_empty() {
                "the KL divergence".to_string()
            } else {
                let sum: f64 = latents.layers.iter().map(|layer| layer.kl).sum();
                format!("the sum over the layers, {sum:.3},")
            },
        );
        if latents.layers.is_empty() {
            return text + &divergences_text(&latents.kl_per_dimension);
        }
        for (number, layer) in (1..).zip(&latents.layers) {
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "layer {number}         {:>10} of {:<6} units active; KL divergence {:.3} nats/image",
                layer.active_units,
                layer.kl_per_dimension.len(),
                layer.kl,
            );
            text += &divergences_text(&layer.kl_per_dimension);
        }
        text
    }

    fn importance_text(&self, importance: &Importance) -> String {
        let what = match self.likelihood {
            LikelihoodKind::Bernoulli if self.binarize == Binarize::None => {
                "of grey pixels: not a likelihood".to_string()
            }
            LikelihoodKind::Bernoulli if self.binarize == Binarize::Dynamic => {
                "binarisation dynamic, one draw per image (seed 0)".to_string()
            }
            LikelihoodKind::Bernoulli => format!("binarisation {}", self.binarize),
            LikelihoodKind::DiscretizedLogistic => "256 grey levels".to_string(),
            _ => "a density over pixel values from 0 to 1".to_string(),
        };
        format!(
            "log p(x) >=     {:>10.3} nats/image  +- {}; importance-weighted bound L_K, K = {}\n\
             ELBO of those   {:>10.3} nats/image  of the same samples\n\
             NLL <=          {:>10.3} nats/image  {:.4} bits/dimension; {what}\n\
             samples worth   {:>10.1} of {:<6} for the middle image, {:.1} for the worst\n\
             time            {:>10}\n",
            importance.bound,
            error_text(importance.standard_error, 3),
            thousands(importance.samples),
            importance.elbo,
            importance.negative_log_likelihood,
            importance.bits_per_dimension,
            importance.effective_samples_median,
            thousands(importance.samples),
            importance.effective_samples_smallest,
            human_duration(importance.seconds),
        )
    }
}

fn divergences_text(divergences: &[f64]) -> String {
    let mut sorted = divergences.to_vec();
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    let mut text = "KL by dimension".to_string();
    for (i, divergence) in sorted.iter().enumerate() {
        if i > 0 && i % 10 == 0 {
            text += "\n               ";
        }
        // Writing to a string cannot fail.
        let _ = write!(text, " {divergence:.2}");
    }
    text + "  (nats, largest first)\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use vae::eval::importance::REPORT_SAMPLES;

    /// The default of the flag is what the library calls the number for reports.
    #[test]
    fn a_flag_without_a_number_asks_for_a_report() {
        let command = Eval::augment_args(clap::Command::new("eval"));
        let matches = command.get_matches_from(["eval", "run", "--importance-samples"]);
        assert_eq!(matches.get_one::<usize>("importance_samples"), Some(&REPORT_SAMPLES));
    }
}
