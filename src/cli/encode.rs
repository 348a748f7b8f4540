//! `vae encode`.

use super::output;
use super::run::{Pictures, RunArguments, check_folder, names};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use vae::Result;
use vae::report::Vectors;

/// Write the posteriors of pictures: their means and log-variances, a row each.
#[derive(Debug, Args)]
#[command(after_help = "\
Pictures are resized and coloured like the images that the run was trained on, which are not needed. A .npz file has the \
arrays mean, log_variance and names; a .npy file has the means; a .csv file has the columns name, mean_1 and so on, \
log_variance_1 and so on. Of several stochastic layers, the posteriors are those of the first. Where the run draws pixels black \
or white, the draws of a picture follow from its pixels alone.

Examples:
  vae encode runs/faces-1 one.png two.png --out z.npz
  vae encode runs/faces-1 photos/ --out z.csv
  vae encode runs/digits-1 --dataset digits --part train --out z.npy")]
pub(crate) struct Encode {
    #[command(flatten)]
    run: RunArguments,
    #[command(flatten)]
    pictures: Pictures,
    /// The file to write: .npz, .npy or .csv
    #[arg(long, value_name = "FILE", required = true)]
    out: PathBuf,
}

impl Encode {
    pub(crate) fn run(self) -> Result<ExitCode> {
        // Refused before the model is loaded.
        Vectors::check(&self.out, "--out")?;
        check_folder(&self.out, "--out")?;
        self.pictures.keep("--out", &self.out)?;
        self.run.keep(&self.out)?;
        let place = self.pictures.place();
        let mut model = self.run.open(self.pictures.wanted(&place)?)?;
        let part = &model.dataset.test;
        let numbers: Vec<u32> = (0..part.count as u32).collect();
        let found = model.session.encode(&numbers)?;
        let vectors = Vectors {
            names: names(part),
            width: found.means.len() / part.count.max(1),
            means: found.means,
            log_variances: found.log_variances,
        };
        vectors.write(&self.out)?;
        output::print(&format!("{}\n", self.out.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}
