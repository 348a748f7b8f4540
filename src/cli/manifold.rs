//! `vae manifold`.

use super::run::RunArguments;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use vae::Result;
use vae::eval::pictures;

/// Draw the images of a grid over the latent space, at quantiles of the prior. A latent space of one dimension gives
/// one row.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vae manifold runs/digits-1 --side 30 --out manifold.png")]
pub(crate) struct Manifold {
    #[command(flatten)]
    run: RunArguments,
    /// The picture to write [default: RUN/manifold.png]
    #[arg(long, value_name = "PNG")]
    out: Option<PathBuf>,
    /// Images along a side
    #[arg(long, value_name = "N", default_value_t = pictures::SIDE, value_parser = super::settings::count)]
    side: usize,
}

impl Manifold {
    pub(crate) fn run(self) -> Result<ExitCode> {
        self.run.draw(self.out.as_ref(), "manifold.png", |model| {
            pictures::manifold(&mut model.session, &model.dataset, self.side)
        })
    }
}
