//! `vae reconstruct`.

use super::run::{DataArguments, RunArguments, keep_inputs};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use vae::Result;
use vae::eval::pictures;
use vae::run::Wanted;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vae reconstruct runs/digits-1 --count 12 --seed 7 --out twelve.png
  vae reconstruct runs/faces-1 --input me.jpg you.jpg --out us.png
  vae reconstruct runs/faces-1 --dataset other-faces")]
pub(crate) struct Reconstruct {
    #[command(flatten)]
    run: RunArguments,
    #[command(flatten)]
    data: DataArguments,
    /// The picture to write [default: RUN/reconstructions.png]
    #[arg(long, value_name = "PNG")]
    out: Option<PathBuf>,
    /// Reconstruct these pictures: files, and folders and archives of them
    #[arg(long, value_name = "FILES", num_args = 1.., conflicts_with_all = ["count", "seed", "dataset", "data_dir", "pictures_as_before"])]
    input: Vec<PathBuf>,
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
        if self.input.is_empty() {
            return self.run.draw(Wanted::Some(&place), self.out.as_ref(), "reconstructions.png", |model| {
                pictures::reconstructions(&mut model.session, &model.dataset, self.count, self.seed)
            });
        }
        if let Some(out) = &self.out {
            keep_inputs("--out", out, &self.input)?;
        }
        self.run.draw(Wanted::Files(&self.input), self.out.as_ref(), "reconstructions.png", |model| {
            let numbers: Vec<u32> = (0..model.dataset.test.count as u32).collect();
            let title = "Pictures and their reconstructions";
            pictures::reconstructions_of(&mut model.session, &model.dataset, &numbers, title)
        })
    }
}
