//! `vae deck`.

use super::output::{print, say};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use vae::config::Config;
use vae::data::Dataset;
use vae::deck::{Deck, Options};
use vae::device::{DeviceChoice, OpenDevice};
use vae::{Error, Result};

/// Compute every figure of a talk on variational autoencoders, from the Bayesian network to the learned manifold, and
/// write them as one page of HTML that needs no network, with the PNG files and a live page of the model beside it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vae deck --out deck
  vae deck --out deck-mnist --dataset mnist --data-dir ~/data
  vae deck --out deck-faces --dataset faces")]
pub(crate) struct DeckCommand {
    /// The folder for index.html, live.html and the PNG files; files of these names in it are replaced
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Images of the model: digits, mnist, or any other set of grey images [default: mnist where its files are found,
    /// else digits]
    #[arg(long, value_name = "NAME|PATH")]
    dataset: Option<String>,
    /// Where the files of named datasets are [default: the variable VAE_DATA, then the user's data folder]
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// auto, cpu, software, or an adapter's number or name (see 'vae devices')
    #[arg(long, value_name = "DEVICE", default_value = "auto", value_parser = super::settings::device)]
    device: DeviceChoice,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// A small model, few images and few samples: seconds, to see that it works
    #[arg(long)]
    quick: bool,
}

impl DeckCommand {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let started = Instant::now();
        if self.out.exists() && !self.out.is_dir() {
            let problem = format!("{} is a file", self.out.display());
            return Err(Error::setting("--out", problem, "name a folder"));
        }
        let dataset = self.images()?;
        let device = OpenDevice::open(&self.device)?;
        let options = Options { device, dataset: &dataset, quick: self.quick, seed: self.seed };
        let deck = Deck::compute(&options, &mut |what| {
            say(&format!("{:6.1} s  {what}", started.elapsed().as_secs_f64()));
        })?;
        let mut text = String::new();
        for path in deck.save(&self.out)? {
            text += &format!("{}\n", path.display());
        }
        text += &format!("done in {:.1} s\n", started.elapsed().as_secs_f64());
        print(&text)?;
        Ok(ExitCode::SUCCESS)
    }

    /// The dataset of --dataset; by default MNIST, or the digits if there is no MNIST.
    fn images(&self) -> Result<Dataset> {
        let open = |name: &str| {
            let mut config = Config::default();
            config.data.dataset = name.to_string();
            config.data.data_dir = self.data_dir.clone();
            config.data.images = self.quick.then_some(600);
            config.run.seed = self.seed;
            config.resolve()?.open_dataset()
        };
        match &self.dataset {
            Some(name) => open(name),
            None => match open("mnist") {
                // Its files are missing, and no flag says where they are. Broken files are an error.
                Err(Error::Setting { .. }) if self.data_dir.is_none() => open("digits"),
                other => other,
            },
        }
    }
}
