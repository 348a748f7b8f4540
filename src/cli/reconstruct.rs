//! `vae reconstruct`.

use super::run::{DataArguments, RunArguments};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use vae::Result;
use vae::eval::pictures;
use vae::run::Wanted;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vae reconstruct runs/digits-1 --count 12 --seed 7 --out twelve.png")]
pub(crate) struct Reconstruct {
    #[command(flatten)]
    run: RunArguments,
    #[command(flatten)]
    data: DataArguments,
    /// The picture to write [default: RUN/reconstructions.png]
    #[arg(long, value_name = "PNG")]
    out: Option<PathBuf>,
    /// Held-out images
    #[arg(long, value_name = "N", default_value_t = pictures::RECONSTRUCTIONS, value_parser = super::settings::count)]
    count: usize,
    /// Take images at random, under this seed [default: the first ones]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

impl Reconstruct {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let place = self.data.place();
        self.run.draw(Wanted::Some(&place), self.out.as_ref(), "reconstructions.png", |model| {
            pictures::reconstructions(&mut model.session, &model.dataset, self.count, self.seed)
        })
    }
}
