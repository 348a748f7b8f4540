//! `vae score`.

use super::output;
use super::run::{Pictures, RunArguments, check_folder, names};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use vae::eval::average::mean_and_error;
use vae::eval::score;
use vae::report::write_scores;
use vae::run::TrainedModel;
use vae::text::{error_text, table, thousands};
use vae::{Error, Result};

/// Lowest scores that are printed.
const SHOWN: usize = 5;

/// Score pictures by how well the model explains them: a lower bound on log p(x) of each, in nats. The lowest are the
/// pictures least like those that the run was trained on.
#[derive(Debug, Args)]
#[command(after_help = "\
The score is the evidence lower bound (ELBO), averaged over latent samples, or with --importance-samples K the tighter bound L_K. \
The noise of a picture follows from its pixels: its score is the same alone, in any order, and among any others. Pictures \
are resized and coloured like the images that the run was trained on; scores of different runs compare only if their \
likelihood and image size are the same.

Examples:
  vae score runs/faces-1 new/ --out scores.csv
  vae score runs/faces-1 one.png two.png --importance-samples 500
  vae score runs/digits-1 --dataset fashion-mnist --part test --out scores.csv")]
pub(crate) struct Score {
    #[command(flatten)]
    run: RunArguments,
    #[command(flatten)]
    pictures: Pictures,
    /// The table to write, in the order of the pictures: columns name and score
    #[arg(long, value_name = "CSV")]
    out: Option<PathBuf>,
    /// Latent samples per picture to average the ELBO over
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = super::settings::count)]
    samples: usize,
    /// Score by the importance-weighted bound of K samples per picture instead
    #[arg(long, value_name = "K", value_parser = super::settings::count, conflicts_with = "samples")]
    importance_samples: Option<usize>,
}

impl Score {
    pub(crate) fn run(self) -> Result<ExitCode> {
        if let Some(path) = &self.out {
            if path.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("csv")) {
                let problem = format!("{} does not end as a table does", path.display());
                return Err(Error::setting("--out", problem, "name a file that ends in .csv"));
            }
            check_folder(path, "--out")?;
            self.pictures.keep("--out", path)?;
            self.run.keep(path)?;
        }
        let place = self.pictures.place();
        let wanted = self.pictures.wanted(&place)?;
        let mut model = self.run.open_as(wanted, |task| score::task(task, self.samples))?;
        let TrainedModel { device, session, dataset, .. } = &mut model;
        let part = &dataset.test;
        let mut said = output::sign_of_life(part.count);
        let scores = match self.importance_samples {
            Some(samples) => score::bounds(device, session, part, samples, &mut said)?,
            None => score::elbos(session, part, self.samples, &mut said)?,
        };
        let names = names(part);
        if let Some((name, score)) = names.iter().zip(&scores).find(|(_, score)| !score.is_finite()) {
            let hint = "use the run's best parameters, with --best, or train it anew";
            return Err(Error::setting(name, format!("its score is {score}: the model has diverged"), hint));
        }
        output::print(&self.text(&model, &names, &scores))?;
        if let Some(path) = &self.out {
            write_scores(path, &names, &scores)?;
            output::print(&format!("{}\n", path.display()))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn text(&self, model: &TrainedModel, names: &[String], scores: &[f64]) -> String {
        let mut lowest: Vec<(&String, f64)> = names.iter().zip(scores.iter().copied()).collect();
        lowest.sort_by(|a, b| a.1.total_cmp(&b.1));
        let rows: Vec<[String; 2]> = lowest
            .iter()
            .take(SHOWN)
            .map(|(name, score)| [format!("{score:.3}"), name.to_string()])
            .collect();
        let (mean, error) = mean_and_error(scores.iter().copied());
        let what = match self.importance_samples {
            Some(samples) => format!("L_K, K = {}", thousands(samples)),
            None => format!("ELBO, {} latent samples per picture", self.samples),
        };
        let error = if error.is_nan() { String::new() } else { format!("  +- {}", error_text(error, 3)) };
        format!(
            "model           {}, step {}\npictures        {:>10}  {what}, nats\nmean            {mean:>10.3}{error}\n\n{}",
            model.checkpoint.display(),
            thousands(model.state.step as usize),
            thousands(scores.len()),
            table([">lowest", "picture"], &rows),
        )
    }
}
