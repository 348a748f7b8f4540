//! `vae manifold`.

use super::run::{NoData, RunArguments};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use vae::Result;
use vae::eval::pictures;
use vae::run::Wanted;

#[derive(Debug, Args)]
#[command(after_help = "\
The grid lies at quantiles of the prior, so that each image stands for an equal share of it. \
For models of two latent dimensions; one dimension gives one row.

Examples:
  vae manifold runs/digits-1 --side 30 --out manifold.png
  vae manifold runs/digits-1 --best
  vae train --dataset photos/ --latent 2 --out runs/photos && vae manifold runs/photos")]
pub(crate) struct Manifold {
    #[command(flatten)]
    run: RunArguments,
    #[command(flatten)]
    data: NoData,
    /// The picture to write [default: RUN/manifold.png]
    #[arg(long, value_name = "PNG")]
    out: Option<PathBuf>,
    /// Images along a side
    #[arg(long, value_name = "N", default_value_t = pictures::SIDE, value_parser = super::settings::count)]
    side: usize,
}

impl Manifold {
    pub(crate) fn run(self) -> Result<ExitCode> {
        self.data.check()?;
        self.run.draw(Wanted::Nothing, self.out.as_ref(), "manifold.png", |model| {
            pictures::manifold(&mut model.session, &model.dataset, self.side)
        })
    }
}
