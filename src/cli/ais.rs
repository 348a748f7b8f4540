//! The part of `vae eval` that anneals.

use super::settings::count;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::fmt::Write;
use vae::eval::ais::{AisSettings, Annealer, Estimate, Evidence, Sandwich, Schedule};
use vae::eval::average::mean_and_error;
use vae::eval::density::{Density, Weights, observed};
use vae::graph::{Binarize, LikelihoodKind};
use vae::run::TrainedModel;
use vae::text::{error_text, thousands};
use vae::{Error, OpenDevice, Result};

/// Rows of a pass: enough to keep a device busy.
const ROWS: [usize; 2] = [1024, 8192];

/// Flags for annealed importance sampling.
#[derive(Debug, Args)]
#[command(next_help_heading = "Annealing")]
pub(crate) struct Annealing {
    /// Estimate log p(x) by annealed importance sampling with Hamiltonian Monte Carlo
    #[arg(long)]
    ais: bool,
    /// Bound log p(x) from both sides on images simulated from the model (BDMC)
    #[arg(long)]
    bdmc: bool,
    /// Chains of each image [default: 16]
    #[arg(long, value_name = "N", value_parser = count)]
    chains: Option<usize>,
    /// Temperatures from prior to posterior [default: 1000]
    #[arg(long, value_name = "N", value_parser = count)]
    temperatures: Option<usize>,
    /// Leapfrog steps of a transition [default: 10]
    #[arg(long, value_name = "N", value_parser = count)]
    leapfrog: Option<usize>,
    /// How temperatures are spaced [default: sigmoid]
    #[arg(long, value_name = "HOW")]
    schedule: Option<Schedule>,
    /// Images to anneal: the first held-out ones, and as many simulated [default: 100]
    #[arg(long, value_name = "N", value_parser = count)]
    ais_images: Option<usize>,
    /// Seed of the chains [default: 1]
    #[arg(long, value_name = "N")]
    ais_seed: Option<u64>,
}

/// What annealing has found; nats per image.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Annealed {
    #[serde(skip_serializing_if = "Option::is_none")]
    ais: Option<AisNumbers>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bdmc: Option<BdmcNumbers>,
}

#[derive(Debug, Serialize)]
struct AisNumbers {
    settings: AisSettings,
    pixels: &'static str,
    /// Mean over images of log p(x), and the standard error that the chains leave.
    log_evidence: f64,
    standard_error: f64,
    /// The standard error of the mean as one of a sample of images. Null for a single one, as all errors of single values.
    standard_error_over_images: f64,
    /// The ELBO of the same images, and the standard error that its draws leave.
    elbo: f64,
    elbo_standard_error: f64,
    /// Images whose estimate lies below their ELBO by more than chance: annealing has missed their posterior.
    images_missed: usize,
    acceptance: f64,
    images: Vec<Evidence>,
}

#[derive(Debug, Serialize)]
struct BdmcNumbers {
    settings: AisSettings,
    lower: f64,
    lower_standard_error: f64,
    upper: f64,
    /// Over chains that begin at one exact draw of each image's posterior: it leaves out the chance in that draw.
    upper_standard_error: f64,
    gap: f64,
    /// Over images.
    gap_standard_error: f64,
    acceptance: f64,
    images: Vec<Sandwich>,
}

/// Mean of estimates, and its standard error if the images are taken as given.
fn combined(estimates: impl Iterator<Item = Estimate> + Clone) -> (f64, f64) {
    let count = estimates.clone().count() as f64;
    let error = estimates.clone().map(|it| it.standard_error.powi(2)).sum::<f64>().sqrt() / count;
    (estimates.map(|it| it.log_evidence).sum::<f64>() / count, error)
}

impl Annealing {
    /// Do what was asked for.
    ///
    /// # Errors
    /// [`Error::Setting`] for flags without `--ais` or `--bdmc`; else if the device fails.
    pub(crate) fn run(&self, model: &mut TrainedModel) -> Result<Annealed> {
        if !self.ais && !self.bdmc {
            return match self.given() {
                None => Ok(Annealed::default()),
                Some(flag) => Err(Error::setting(
                    flag,
                    "nothing is annealed",
                    "add --ais, --bdmc or both, or leave it out",
                )),
            };
        }
        let settings = AisSettings {
            chains: self.chains.unwrap_or(16),
            temperatures: self.temperatures.unwrap_or(1000),
            leapfrog: self.leapfrog.unwrap_or(10),
            schedule: self.schedule.unwrap_or(Schedule::Sigmoid),
            seed: self.ais_seed.unwrap_or(1),
        };
        let images = self.ais_images.unwrap_or(100);
        let mut annealed = Annealed::default();
        if self.ais {
            annealed.ais = Some(ais(model, settings, images)?);
        }
        if self.bdmc {
            annealed.bdmc = Some(bdmc(model, settings, images)?);
        }
        Ok(annealed)
    }

    fn given(&self) -> Option<&'static str> {
        [
            ("--chains", self.chains.is_some()),
            ("--temperatures", self.temperatures.is_some()),
            ("--leapfrog", self.leapfrog.is_some()),
            ("--schedule", self.schedule.is_some()),
            ("--ais-images", self.ais_images.is_some()),
            ("--ais-seed", self.ais_seed.is_some()),
        ]
        .into_iter()
        .find_map(|(flag, given)| given.then_some(flag))
    }
}

fn annealer(model: &mut TrainedModel, settings: AisSettings, images: usize) -> Result<Annealer> {
    let task = model.session.task().clone();
    let weights = Weights::of(&mut model.session)?;
    let rows = ROWS[usize::from(!matches!(model.device, OpenDevice::Cpu))];
    let together = (Density::rows_for(task.latent("--ais")?, rows) / settings.chains).clamp(1, images);
    let size = (together, settings.chains);
    let density = Density::open(&model.device, &task, &weights, size, settings.leapfrog, settings.seed)?;
    Annealer::new(density, settings)
}

/// A bar on a terminal, nothing elsewhere.
fn bar(name: &'static str, images: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} images, {eta} left");
    let bar = ProgressBar::new(images as u64).with_message(name);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn ais(model: &mut TrainedModel, settings: AisSettings, images: usize) -> Result<AisNumbers> {
    let images = images.min(model.dataset.test.count);
    let mut annealer = annealer(model, settings, images)?;
    let binarize = model.config.binarization();
    let pixels: Vec<f32> =
        (0..images).flat_map(|number| observed(&model.dataset, number, binarize)).collect();
    let bar = bar("AIS", images);
    let (found, acceptance) = annealer.evidence(&pixels, &mut |done| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    let (log_evidence, standard_error) = combined(found.iter().map(|it| it.estimate));
    let (_, standard_error_over_images) = mean_and_error(found.iter().map(|it| it.estimate.log_evidence));
    let count = found.len() as f64;
    Ok(AisNumbers {
        settings,
        pixels: pixel_rule(model.config.model.likelihood().kind, binarize),
        log_evidence,
        standard_error,
        standard_error_over_images,
        elbo: found.iter().map(|it| it.elbo).sum::<f64>() / count,
        elbo_standard_error: found.iter().map(|it| it.elbo_standard_error.powi(2)).sum::<f64>().sqrt()
            / count,
        images_missed: found.iter().filter(|it| it.missed()).count(),
        acceptance,
        images: found,
    })
}

/// What the pixels are, beside every log p(x).
pub(crate) fn pixel_rule(likelihood: LikelihoodKind, binarize: Binarize) -> &'static str {
    match (likelihood, binarize) {
        (LikelihoodKind::Bernoulli, Binarize::None) => "grey pixels: this is not a likelihood",
        (LikelihoodKind::DiscretizedLogistic, _) => "256 grey levels",
        (_, Binarize::None) => "grey pixels, a density",
        (_, Binarize::Threshold) => "black or white by threshold",
        (_, Binarize::Static) => "black or white, drawn once (seed 0)",
        (_, Binarize::Dynamic) => "dynamic binarisation, one draw per image (seed 0)",
    }
}

fn bdmc(model: &mut TrainedModel, settings: AisSettings, images: usize) -> Result<BdmcNumbers> {
    let mut annealer = annealer(model, settings, images)?;
    let bar = bar("BDMC", images);
    let (sandwiches, acceptance) = annealer.sandwich(images, &mut |done| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    let (lower, lower_standard_error) = combined(sandwiches.iter().map(|it| it.lower));
    let (upper, upper_standard_error) = combined(sandwiches.iter().map(|it| it.upper));
    let gaps = sandwiches.iter().map(|it| it.upper.log_evidence - it.lower.log_evidence);
    let (gap, gap_standard_error) = mean_and_error(gaps);
    Ok(BdmcNumbers {
        settings,
        lower,
        lower_standard_error,
        upper,
        upper_standard_error,
        gap,
        gap_standard_error,
        acceptance,
        images: sandwiches,
    })
}

impl Annealed {
    /// Lines for people; none if nothing was annealed.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let how = |settings: &AisSettings, acceptance: f64| {
            format!(
                "{} chains, {} temperatures, {} leapfrog steps, acceptance {acceptance:.2}",
                settings.chains,
                thousands(settings.temperatures),
                settings.leapfrog
            )
        };
        // Writing to a string does not fail.
        if let Some(it) = &self.ais {
            let _ = writeln!(
                text,
                "log p(x)        {:>10.3} nats/image  ± {}, AIS; the first {} held-out images (± {} over images); {}",
                it.log_evidence,
                error_text(it.standard_error, 3),
                thousands(it.images.len()),
                error_text(it.standard_error_over_images, 2),
                it.pixels
            );
            let _ =
                writeln!(text, "                                       {}", how(&it.settings, it.acceptance));
            let _ = writeln!(
                text,
                "ELBO of these   {:>10.3} nats/image  ± {}, by {} draws an image; {:.3} {} log p(x)",
                it.elbo,
                error_text(it.elbo_standard_error, 3),
                it.settings.chains,
                (it.log_evidence - it.elbo).abs(),
                if it.elbo > it.log_evidence { "ABOVE this" } else { "below" },
            );
            if it.images_missed > 0 {
                let _ = writeln!(
                    text,
                    "warning: annealing has missed most of the posterior of {} of {} images, for which it comes to less \
                     than the ELBO. Errors do not show that. More --temperatures or --leapfrog steps may find it; \
                     else --importance-samples gives the better bound.",
                    thousands(it.images_missed),
                    thousands(it.images.len()),
                );
            }
        }
        if let Some(it) = &self.bdmc {
            let _ = writeln!(
                text,
                "BDMC, from below{:>10.3} nats/image  ± {}; {} images simulated from the model",
                it.lower,
                error_text(it.lower_standard_error, 3),
                thousands(it.images.len())
            );
            let _ = writeln!(
                text,
                "BDMC, from above{:>10.3} nats/image  ± {} over chains from one exact draw each; {}",
                it.upper,
                error_text(it.upper_standard_error, 3),
                how(&it.settings, it.acceptance)
            );
            let _ = writeln!(
                text,
                "BDMC gap        {:>10.3} nats/image  ± {} over images",
                it.gap,
                error_text(it.gap_standard_error, 3)
            );
        }
        text
    }
}
