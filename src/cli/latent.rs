//! `vae latent`.

use super::run::RunArguments;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use vae::Result;
use vae::eval::pictures;

/// Draw held-out images as points of the latent space, coloured by label. Of more than two dimensions the two that
/// vary most are drawn; of one, the mean against the log-variance.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vae latent runs/digits-1 --out latent.png")]
pub(crate) struct Latent {
    #[command(flatten)]
    run: RunArguments,
    /// The picture to write [default: RUN/latent.png]
    #[arg(long, value_name = "PNG")]
    out: Option<PathBuf>,
}

impl Latent {
    pub(crate) fn run(self) -> Result<ExitCode> {
        self.run.draw(self.out.as_ref(), "latent.png", |model| {
            pictures::latent(&mut model.session, &model.dataset)
        })
    }
}
