//! `vae sample`.

use super::output;
use super::run::{NoData, RunArguments, check_folder, check_png, is_npy};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;
use vae::data::write_npy;
use vae::eval::{fitted, pictures};
use vae::report::{save_each, save_png};
use vae::run::Wanted;
use vae::{Error, Result};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vae sample runs/digits-1 --count 64 --seed 7 --out samples.png
  vae sample runs/faces-1 --count 1000 --npy new.npy
  vae fit-prior runs/digits-1 && vae sample runs/digits-1 --prior fitted
  vae sample runs/faces-1 --count 1000 --individual new")]
pub(crate) struct Sample {
    #[command(flatten)]
    run: RunArguments,
    #[command(flatten)]
    data: NoData,
    /// The picture to write [default: RUN/samples.png, where neither --npy nor --individual is given]
    #[arg(long, value_name = "PNG")]
    out: Option<PathBuf>,
    /// Write the images as an array of NumPy: floats of 32 bits, [images, height, width, channels], from 0 to 1
    #[arg(long, value_name = "FILE")]
    npy: Option<PathBuf>,
    /// Write every image as a separate picture into FOLDER: 0001.png and so on
    #[arg(long, value_name = "FOLDER")]
    individual: Option<PathBuf>,
    /// Images to draw
    #[arg(long, value_name = "N", default_value_t = pictures::SAMPLES, value_parser = super::settings::count)]
    count: usize,
    /// Seed of the draws from the prior [default: the run's]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// What latents are drawn from
    #[arg(long, value_name = "PRIOR", default_value = "standard")]
    prior: Prior,
}

/// What latents are drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Prior {
    /// N(0, I)
    Standard,
    /// The mixture that 'vae fit-prior' has written into the run
    Fitted,
}

impl Sample {
    pub(crate) fn run(self) -> Result<ExitCode> {
        // Refused before the model is loaded.
        self.data.check()?;
        self.out.as_deref().map_or(Ok(()), check_png)?;
        if let Some(path) = &self.npy {
            if !is_npy(path) {
                let problem = format!("{} is not the name of an array of NumPy", path.display());
                return Err(Error::setting("--npy", problem, "name a file that ends in .npy"));
            }
            check_folder(path, "--npy")?;
        }
        let mut model = self.run.open(Wanted::Nothing)?;
        let seed = self.seed.unwrap_or(model.config.run.seed);
        let prior = match self.prior {
            Prior::Standard => None,
            Prior::Fitted => Some(fitted::read(&model)?),
        };
        let mut written = Vec::new();
        if self.npy.is_some() || self.individual.is_some() {
            let images = match &prior {
                None => pictures::draws(&mut model.session, self.count, seed)?,
                Some(prior) => pictures::fitted_draws(&mut model.session, prior, self.count, seed)?,
            };
            let shape = model.session.shape();
            if let Some(path) = &self.npy {
                write_npy(path, &[self.count, shape.height, shape.width, shape.channels], &images)?;
            }
            if let Some(folder) = &self.individual {
                save_each(folder, &[], &images, shape)?;
            }
            written.extend([&self.npy, &self.individual].into_iter().flatten().cloned());
        }
        if self.out.is_some() || written.is_empty() {
            let (session, dataset) = (&mut model.session, &model.dataset);
            let picture = match &prior {
                None => pictures::samples(session, dataset, self.count, seed)?,
                Some(prior) => pictures::fitted_samples(session, dataset, prior, self.count, seed)?,
            };
            let path = self.out.unwrap_or_else(|| model.run.file("samples.png"));
            save_png(&picture, &path)?;
            written.push(path);
        }
        for path in written {
            output::print(&format!("{}\n", path.display()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
