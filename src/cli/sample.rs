//! `vae sample`.

use super::run::{NoData, RunArguments};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use vae::Result;
use vae::eval::pictures;
use vae::run::Wanted;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vae sample runs/digits-1 --count 64 --seed 7 --out samples.png")]
pub(crate) struct Sample {
    #[command(flatten)]
    run: RunArguments,
    #[command(flatten)]
    data: NoData,
    /// The picture to write [default: RUN/samples.png]
    #[arg(long, value_name = "PNG")]
    out: Option<PathBuf>,
    /// Images to draw
    #[arg(long, value_name = "N", default_value_t = pictures::SAMPLES, value_parser = super::settings::count)]
    count: usize,
    /// Seed of the draws from the prior [default: the run's]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

impl Sample {
    pub(crate) fn run(self) -> Result<ExitCode> {
        self.data.check()?;
        self.run.draw(Wanted::Nothing, self.out.as_ref(), "samples.png", |model| {
            let seed = self.seed.unwrap_or(model.config.run.seed);
            pictures::samples(&mut model.session, &model.dataset, self.count, seed)
        })
    }
}
