//! `vae fit-prior`.

use super::output;
use super::run::{DataArguments, RunArguments};
use clap::Args;
use std::process::ExitCode;
use vae::Result;
use vae::eval::fitted;
use vae::run::{PartName, Wanted};
use vae::text::thousands;

/// Fit a mixture of Gaussians to the latents of a run's training images, for 'vae sample --prior fitted'.
#[derive(Debug, Args)]
#[command(after_help = "\
The latents are codes, or one draw from the posterior of each image; of several stochastic layers those of the last. The \
mixture has full covariances and is fitted by expectation maximisation in double precision. It is written into the run as \
prior.safetensors and belongs to the parameters it was fitted with.

Examples:
  vae fit-prior runs/digits-1
  vae fit-prior runs/digits-1 --best --components 20
  vae fit-prior runs/faces-1 && vae sample runs/faces-1 --prior fitted")]
pub(crate) struct FitPrior {
    #[command(flatten)]
    run: RunArguments,
    #[command(flatten)]
    data: DataArguments,
    /// Gaussians of the mixture
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = super::settings::count)]
    components: usize,
}

impl FitPrior {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let place = self.data.place();
        let mut model = self.run.open(Wanted::Part(&place, Some(PartName::Train)))?;
        let fit = fitted::fit(&mut model, self.components)?;
        let path = fitted::write(&model, &fit.mixture)?;
        let last = fit.log_likelihoods.last().copied().unwrap_or(f64::NAN);
        let mut weights = fit.mixture.parts()[0].to_vec();
        weights.sort_unstable_by(|a, b| b.total_cmp(a));
        let weights: Vec<String> = weights.iter().take(10).map(|weight| format!("{weight:.3}")).collect();
        output::print(&format!(
            "latents         {:>10} of {} dimensions, of training images of {}\n\
             log-density     {last:>10.3} nats a latent vector, on average, after {} rounds\n\
             weights         {}\n\
             {}\n",
            thousands(model.dataset.test.count),
            fit.mixture.width(),
            model.dataset.name,
            fit.log_likelihoods.len(),
            weights.join(" "),
            path.display()
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}
