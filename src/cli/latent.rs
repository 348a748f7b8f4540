//! `vae latent`.

use super::run::{DataArguments, RunArguments};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use vae::Result;
use vae::eval::pictures;
use vae::run::Wanted;

#[derive(Debug, Args)]
#[command(after_help = "\
Each point is the mean of an image's posterior, coloured by label. Of more than two latent dimensions \
the two that vary most are drawn; of one, the mean against the posterior's log-variance.

Examples:
  vae latent runs/digits-1 --out latent.png
  vae latent runs/digits-1 --best
  vae latent runs/faces-1 --dataset photos/")]
pub(crate) struct Latent {
    #[command(flatten)]
    run: RunArguments,
    #[command(flatten)]
    data: DataArguments,
    /// The picture to write [default: RUN/latent.png]
    #[arg(long, value_name = "PNG")]
    out: Option<PathBuf>,
}

impl Latent {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let place = self.data.place();
        self.run.draw(Wanted::Some(&place), self.out.as_ref(), "latent.png", |model| {
            pictures::latent(&mut model.session, &model.dataset)
        })
    }
}
