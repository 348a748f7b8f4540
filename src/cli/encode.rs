//! `vae encode`.

use super::output;
use super::run::RunArguments;
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use vae::data::write_npy;
use vae::run::Wanted;
use vae::{Error, Result};

/// Write the posterior means of pictures, a row each, as an array of NumPy.
#[derive(Debug, Args)]
#[command(after_help = "\
Pictures are png or jpeg. They are resized and coloured like the images that the run was trained on, which are not needed. \
Of several stochastic layers, the means are those of the first.

Example:
  vae encode runs/faces-1 one.png two.png --out z.npy")]
pub(crate) struct Encode {
    #[command(flatten)]
    run: RunArguments,
    /// The pictures, in the order of the rows
    #[arg(value_name = "FILES", required = true)]
    files: Vec<PathBuf>,
    /// The array to write, [pictures, latent dimensions] of 32-bit floats
    #[arg(long, value_name = "NPY", required = true)]
    out: PathBuf,
}

impl Encode {
    pub(crate) fn run(self) -> Result<ExitCode> {
        // Refused before the model is loaded.
        check_npy(&self.out)?;
        let mut model = self.run.open(Wanted::Files(&self.files))?;
        let count = self.files.len();
        let numbers: Vec<u32> = (0..count as u32).collect();
        let means = model.session.encode(&numbers)?.means;
        write_npy(&self.out, &[count, means.len() / count], &means)?;
        output::print(&format!("{}\n", self.out.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Refuse an array under another ending, or in a folder that does not exist.
fn check_npy(path: &Path) -> Result<()> {
    if path.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("npy")) {
        let problem = format!("{} is not the name of an array of NumPy", path.display());
        return Err(Error::setting("--out", problem, "name a file that ends in .npy"));
    }
    if path.parent().is_some_and(|folder| folder != Path::new("") && !folder.is_dir()) {
        let problem = format!("there is no folder for {}", path.display());
        return Err(Error::setting("--out", problem, "make the folder first, or name another file"));
    }
    Ok(())
}
