//! `vae interpolate`.

use super::run::{DataArguments, RunArguments};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use vae::Result;
use vae::eval::pictures;
use vae::run::Wanted;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vae interpolate runs/digits-1
  vae interpolate runs/digits-1 --count 5 --steps 9 --seed 7 --out paths.png
  vae interpolate runs/faces-1 --dataset photos/ --count 3")]
pub(crate) struct Interpolate {
    #[command(flatten)]
    run: RunArguments,
    #[command(flatten)]
    data: DataArguments,
    /// The picture to write [default: RUN/interpolation.png]
    #[arg(long, value_name = "PNG")]
    out: Option<PathBuf>,
    /// Pairs of held-out images, a row each
    #[arg(long, value_name = "N", default_value_t = pictures::INTERPOLATION.0, value_parser = super::settings::count)]
    count: usize,
    /// Images in a row, both ends included
    #[arg(long, value_name = "N", default_value_t = pictures::INTERPOLATION.1, value_parser = super::settings::path_length)]
    steps: usize,
    /// Take images at random, under this seed [default: the first ones]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

impl Interpolate {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let place = self.data.place();
        self.run.draw(Wanted::Some(&place), self.out.as_ref(), "interpolation.png", |model| {
            pictures::interpolation(&mut model.session, &model.dataset, (self.count, self.steps), self.seed)
        })
    }
}
