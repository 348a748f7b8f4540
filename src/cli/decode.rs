//! `vae decode`.

use super::output;
use super::run::{NoData, RunArguments, check_folder, is_npy};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use vae::data::write_npy;
use vae::report::{Vectors, save_each};
use vae::run::Wanted;
use vae::{Error, Result};

/// Draw the images of latents: the expected image of each row of a file.
#[derive(Debug, Args)]
#[command(after_help = "\
The file is one that 'vae encode' writes, of which the means are taken; or a .npy file, or a .npz file with one array, of \
[images, latent dimensions]; or a .csv file of such columns. Of several stochastic layers, latents are those of the \
first. In FOLDER the pictures have the names of the rows, or 0001.png and so on. A .npy file has floats of 32 bits, [images, height, \
width, channels], from 0 for black to 1 for white.

Examples:
  vae decode runs/faces-1 z.npz --out faces
  vae decode runs/faces-1 z.csv --out faces.npy
  vae encode runs/faces-1 one.png --out one.npy && vae decode runs/faces-1 one.npy --out again")]
pub(crate) struct Decode {
    #[command(flatten)]
    run: RunArguments,
    #[command(flatten)]
    data: NoData,
    /// The latents: .npz, .npy or .csv
    #[arg(value_name = "FILE")]
    latents: PathBuf,
    /// The folder, or the .npy file, to write
    #[arg(long, value_name = "FOLDER|NPY", required = true)]
    out: PathBuf,
}

impl Decode {
    pub(crate) fn run(self) -> Result<ExitCode> {
        self.data.check()?;
        if is_npy(&self.out) {
            check_folder(&self.out, "--out")?;
        }
        let vectors = Vectors::read(&self.latents)?;
        let mut model = self.run.open(Wanted::Nothing)?;
        let width = model.session.latent_widths()?[0];
        if vectors.width != width {
            let problem = format!(
                "its rows have {} numbers, and the model has {width} latent dimensions",
                vectors.width
            );
            return Err(Error::data(&self.latents, problem, "give latents of this run"));
        }
        let images = model.session.decode(&vectors.means)?;
        let shape = model.session.shape();
        if is_npy(&self.out) {
            let sizes = [images.len() / shape.pixels(), shape.height, shape.width, shape.channels];
            write_npy(&self.out, &sizes, &images)?;
        } else {
            save_each(&self.out, &vectors.names, &images, shape)?;
        }
        output::print(&format!("{}\n", self.out.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}
