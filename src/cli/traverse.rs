//! `vae traverse`.

use super::output;
use super::run::{DataArguments, RunArguments, check_folder};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use vae::eval::traverse::{RANGE, STEPS, Traversal};
use vae::run::Wanted;
use vae::{Error, Result};

/// Draw what changes in an image as one latent dimension moves: a row for each dimension, the one with the largest KL
/// divergence first.
#[derive(Debug, Args)]
#[command(after_help = "\
Beside each row stand the dimension's KL divergence and, where the factors or labels of 200 held-out images are known, the factor that \
it is most informative about, with the share of that factor's entropy. Of several stochastic layers the last is shown, without factors.

Examples:
  vae traverse runs/dsprites-1
  vae traverse runs/dsprites-1 --image 7 --range 2 --steps 9 --animate
  vae traverse runs/faces-1 --dataset photos/ --image 3 --out faces.png")]
pub(crate) struct Traverse {
    #[command(flatten)]
    run: RunArguments,
    #[command(flatten)]
    data: DataArguments,
    /// The picture to write [default: RUN/traversal.png, or RUN/traversal.gif with --animate]
    #[arg(long, value_name = "PNG|GIF")]
    out: Option<PathBuf>,
    /// Each dimension goes from -R to R, in standard deviations of the prior; of an autoencoder, which has none, in those of
    /// the dimension's codes, as far as there are such codes
    #[arg(long, value_name = "R", default_value_t = RANGE, value_parser = range)]
    range: f32,
    /// Images in a row, both ends included
    #[arg(long, value_name = "N", default_value_t = STEPS, value_parser = super::settings::path_length)]
    steps: usize,
    /// Move around the code of held-out image N, counted from 0 [default: around the origin; of an autoencoder around the mean code]
    #[arg(long, value_name = "N")]
    image: Option<usize>,
    /// Rows at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = super::settings::count)]
    rows: usize,
    /// Write an animated GIF, in which all dimensions move at once
    #[arg(long)]
    animate: bool,
}

/// A distance in the latent space.
fn range(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(range) if range.is_finite() && range > 0.0 => Ok(range),
        _ => Err("give a number above 0".to_string()),
    }
}

impl Traverse {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let place = self.data.place();
        let traversal =
            Traversal { range: self.range, steps: self.steps, image: self.image, rows: self.rows };
        if !self.animate {
            return self.run.draw(Wanted::Some(&place), self.out.as_ref(), "traversal.png", |model| {
                let found = traversal.decode(&mut model.session, &model.dataset)?;
                Ok(found.picture(&model.session))
            });
        }
        // Refused before the model is loaded.
        if let Some(path) = &self.out {
            if path.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("gif")) {
                let problem = format!("{} is not a GIF file's name", path.display());
                return Err(Error::setting("--out", problem, "name a file that ends in .gif"));
            }
            check_folder(path, "--out")?;
        }
        let mut model = self.run.open(Wanted::Some(&place))?;
        let found = traversal.decode(&mut model.session, &model.dataset)?;
        let bytes = found.animation(&model.session)?;
        let path = self.out.clone().unwrap_or_else(|| model.run.file("traversal.gif"));
        std::fs::write(&path, bytes).map_err(|source| Error::io(&path, source))?;
        output::print(&format!("{}\n", path.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}
