//! The flags of `vae eval` for annealing, and its results as text.

use super::settings::count;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt::Write;
use vae::eval::ais::{AisReport, AisSettings, Annealed, BdmcReport, Schedule};
use vae::run::TrainedModel;
use vae::text::{error_text, thousands};
use vae::{Error, Result};

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

impl Annealing {
    /// Compute the estimates that the flags ask for.
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
            let bar = bar("AIS", images.min(model.dataset.test.count));
            let found = AisReport::of(model, settings, images, &mut |done| bar.set_position(done as u64));
            bar.finish_and_clear();
            annealed.ais = Some(found?);
        }
        if self.bdmc {
            let bar = bar("BDMC", images);
            let found = BdmcReport::of(model, settings, images, &mut |done| bar.set_position(done as u64));
            bar.finish_and_clear();
            annealed.bdmc = Some(found?);
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

/// A bar on a terminal, nothing elsewhere.
fn bar(name: &'static str, images: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} images, {eta} left");
    let bar = ProgressBar::new(images as u64).with_message(name);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Lines for people; none if nothing was annealed.
pub(crate) fn text(annealed: &Annealed) -> String {
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
    if let Some(it) = &annealed.ais {
        let _ = writeln!(
            text,
            "log p(x)        {:>10.3} nats/image  ± {}, AIS; the first {} held-out images (± {} over images); {}",
            it.log_evidence,
            error_text(it.standard_error, 3),
            thousands(it.images.len()),
            error_text(it.standard_error_over_images, 2),
            it.pixels
        );
        let _ = writeln!(text, "                                       {}", how(&it.settings, it.acceptance));
        let _ = writeln!(
            text,
            "ELBO of these   {:>10.3} nats/image  ± {}, by {} samples an image; {:.3} {} log p(x)",
            it.elbo,
            error_text(it.elbo_standard_error, 3),
            it.settings.chains,
            (it.log_evidence - it.elbo).abs(),
            if it.elbo > it.log_evidence { "ABOVE this" } else { "below" },
        );
        if it.images_missed > 0 {
            let _ = writeln!(
                text,
                "warning: annealing has missed most of the posterior of {} of {} images: their estimates lie below the \
                 ELBO. The errors do not show this. More --temperatures or --leapfrog steps may help; otherwise \
                 --importance-samples gives the better bound.",
                thousands(it.images_missed),
                thousands(it.images.len()),
            );
        }
    }
    if let Some(it) = &annealed.bdmc {
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
