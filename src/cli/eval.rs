//! `vae eval`.

use super::output;
use super::run::{DataArguments, RunArguments};
use clap::Args;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use vae::Result;
use vae::eval::importance::Importance;
use vae::eval::latents::ACTIVE;
use vae::eval::report::Report;
use vae::graph::{Binarize, LikelihoodKind};
use vae::report::human_duration;
use vae::run::{TrainedModel, Wanted};
use vae::text::{error_text, thousands};

/// Measure a trained model on held-out images, in nats per image: the evidence lower bound (ELBO), the use of its
/// latent dimensions, and with --importance-samples a tight bound on the evidence. The noise is fixed, so the same command
/// gives the same number.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vae eval runs/digits-1 --samples 16
  vae eval runs/digits-1 --best --json -
  vae eval runs/digits-1 --importance-samples 5000 --images 200
  vae eval runs/faces-1 --dataset photos/
  vae eval runs/digits-1 --ais --bdmc --chains 16 --temperatures 1000")]
pub(crate) struct Eval {
    #[command(flatten)]
    run: RunArguments,
    #[command(flatten)]
    data: DataArguments,
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
pub(crate) fn many(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=1_000_000_000) => Ok(count),
        _ => Err("give a number from 1 to 1000000000".to_string()),
    }
}

impl Eval {
    pub(crate) fn run(self) -> Result<ExitCode> {
        output::check_json(self.json.as_deref())?;
        let mut model = self.run.open(Wanted::All(&self.data.place()))?;
        let images = self.images.unwrap_or(usize::MAX).min(model.dataset.test.count);
        let mut report = Report::of(&mut model, images, self.samples)?;
        if let Some(samples) = self.importance_samples {
            let TrainedModel { device, session, dataset, .. } = &mut model;
            let mut said = output::sign_of_life(images);
            report.importance = Some(Importance::of(device, session, dataset, images, samples, &mut said)?);
        }
        report.annealed = self.annealing.run(&mut model)?;
        // Printed first: the numbers are shown even if the file cannot be written.
        if self.json.as_deref() != Some(Path::new("-")) {
            output::print(
                &(text(&report, &model, &model.session.latent_widths()?)
                    + &super::ais::text(&report.annealed)),
            )?;
        }
        if let Some(path) = &self.json {
            output::write_json(&report, path)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn text(report: &Report, model: &TrainedModel, widths: &[usize]) -> String {
    let pixels = match (report.likelihood, report.binarize) {
        (LikelihoodKind::Bernoulli, Binarize::None) => {
            "cross-entropy of grey pixels: this is not a likelihood, and comparable to no other model"
        }
        (LikelihoodKind::Bernoulli, Binarize::Threshold) => "Bernoulli, pixels black or white by threshold",
        (LikelihoodKind::Bernoulli, Binarize::Static) => "Bernoulli, pixels black or white, drawn once",
        (LikelihoodKind::Bernoulli, Binarize::Dynamic) => "Bernoulli, pixels black or white, drawn each time",
        (LikelihoodKind::Gaussian, _) => "Gaussian density with a fixed deviation",
        (LikelihoodKind::GaussianShared, _) => "Gaussian density with one learned deviation",
        (LikelihoodKind::GaussianOptimal, _) => {
            "Gaussian density with the deviation of the training residuals"
        }
        (LikelihoodKind::GaussianLearned, _) => "Gaussian density with a predicted deviation per pixel",
        (LikelihoodKind::DiscretizedLogistic, _) => {
            "probability of the 256 grey levels, discretized logistic"
        }
        (LikelihoodKind::Laplace, _) => "Laplace density with a fixed scale",
        (LikelihoodKind::ContinuousBernoulli, _) => "continuous Bernoulli density",
    };
    let shown = latents_text(report)
        + &report.importance.as_ref().map_or(String::new(), |it| importance_text(report, it));
    let latent: Vec<String> = widths.iter().map(ToString::to_string).collect();
    let dimensions = latent.join(" + ");
    let averaged = if latent.len() > 1 { "; an average over these samples" } else { "" };
    let squared_error = report.squared_error.map_or(String::new(), |it| {
        format!(
            "squared error   {it:>10.3} per image   of expected images, summed over pixels and channels\n"
        )
    });
    let others = report.others.iter().map(|(name, value)| {
        format!("{:<15} {value:>10.3} nats/image  a term of the objective\n", name.replace('_', " "))
    });
    let others: String = others.collect();
    let samples = if report.samples == 1 { "latent sample" } else { "latent samples" };
    let elbo = report.elbo.map_or(String::new(), |elbo| {
        format!("ELBO            {elbo:>10.3} nats/image  {} {samples} per image\n", report.samples)
    });
    let kl = report.kl.map_or(String::new(), |kl| {
        format!(
            "KL divergence   {kl:>10.3} nats/image  from the posterior to the prior, KL(q(z|x) || p(z)); {dimensions} latent dimensions{averaged}\n"
        )
    });
    format!(
        "model           {}, step {}\n\
         images          {} held-out images of {}, {}\n\
         device          {}\n\
         {elbo}\
         reconstruction  {:>10.3} nats/image  {pixels}\n\
         {kl}{others}{squared_error}{shown}",
        report.header.checkpoint.display(),
        thousands(report.header.step as usize),
        thousands(report.images),
        report.header.dataset,
        model.dataset.shape,
        report.device,
        report.reconstruction,
    )
}

fn latents_text(report: &Report) -> String {
    let latents = &report.latents;
    let mut text = format!(
        "active units    {:>10} of {:<6} whose {} varies by more than {ACTIVE} over images\n",
        latents.active_units,
        latents.mean_variance_per_dimension.len(),
        if latents.information.is_some() { "posterior mean" } else { "code" },
    );
    let Some(information) = &latents.information else { return text };
    text += &format!(
        "I(x; z)         {:>10.3} nats/image  +- {}; at most log of {} images, {:.3}\n\
         KL(q(z)||p(z))  {:>10.3} nats/image  {} less I(x; z); q(z) mixes the posteriors of these images\n",
        information.mutual_information,
        error_text(information.mutual_information_standard_error, 3),
        thousands(report.images),
        (report.images as f64).ln(),
        information.aggregate_kl,
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

fn importance_text(report: &Report, importance: &Importance) -> String {
    let what = match report.likelihood {
        LikelihoodKind::Bernoulli if report.binarize == Binarize::None => {
            "of grey pixels: not a likelihood".to_string()
        }
        LikelihoodKind::Bernoulli if report.binarize == Binarize::Dynamic => {
            "binarisation dynamic, one draw per image (seed 0)".to_string()
        }
        LikelihoodKind::Bernoulli => format!("binarisation {}", report.binarize),
        LikelihoodKind::DiscretizedLogistic => "256 grey levels".to_string(),
        _ => "a density over pixel values from 0 to 1".to_string(),
    };
    format!(
        "log p(x) >=     {:>10.3} nats/image  +- {}; importance-weighted bound L_K, K = {}\n\
         ELBO of these   {:>10.3} nats/image  of the same samples\n\
         NLL <=          {:>10.3} nats/image  {:.4} bits/dimension; {what}\n\
         effective       {:>10.1} of {:<6} samples, the median over images; {:.1} at least\n\
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

    /// The default of the flag is the library's number of samples for reports.
    #[test]
    fn a_flag_without_a_number_asks_for_a_report() {
        let command = Eval::augment_args(clap::Command::new("eval"));
        let matches = command.get_matches_from(["eval", "run", "--importance-samples"]);
        assert_eq!(matches.get_one::<usize>("importance_samples"), Some(&REPORT_SAMPLES));
    }
}
