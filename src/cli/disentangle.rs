//! `vae disentangle`.

use super::output;
use super::run::{DataArguments, RunArguments};
use clap::Args;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use vae::Result;
use vae::disentangle::Settings;
use vae::eval::disentangle::{Disentangled, Encoded, FEW, factors_of};
use vae::report::{self, FactorColumns, human_duration};
use vae::run::{PartName, TrainedModel, Wanted};
use vae::text::thousands;

/// Measure how far each latent dimension follows one factor of the data: the metrics of disentanglement, on images whose
/// factors or labels are known. Draws the mutual information of each dimension and factor (RUN/information.png) and each
/// dimension against each factor (RUN/factors.png).
#[derive(Debug, Args)]
#[command(after_help = "\
Labels alone are one factor; metrics that need two are then left out, with the reason. Of several stochastic layers, codes \
are the means of the first. Where the run draws pixels black or \
white, the draws of a picture follow from its pixels alone. docs/disentanglement.md has the formulas.

Examples:
  vae disentangle runs/dsprites-1
  vae disentangle runs/dsprites-1 --images 50000 --posteriors --json -
  vae disentangle runs/faces-1 --dataset photos/ --json scores.json")]
pub(crate) struct Disentangle {
    #[command(flatten)]
    run: RunArguments,
    #[command(flatten)]
    data: DataArguments,
    /// The part of the dataset to encode
    #[arg(long, value_name = "PART", default_value = "train")]
    part: PartName,
    /// Encode N images, drawn under the seed [default: all, or as many as the metrics ask for]
    #[arg(long, value_name = "N", value_parser = super::eval::many)]
    images: Option<usize>,
    /// Seed of all draws
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Compute MIG by samples of N posteriors too, without bins; 10000 where N is left out
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "10000", value_parser = super::eval::many)]
    posteriors: Option<usize>,
    /// Write the numbers as JSON to FILE, or to standard output for -
    #[arg(long, value_name = "FILE|-")]
    json: Option<PathBuf>,
}

impl Disentangle {
    pub(crate) fn run(self) -> Result<ExitCode> {
        output::check_json(self.json.as_deref())?;
        let place = self.data.place();
        let mut model = self.run.open(Wanted::Part(&place, Some(self.part)))?;
        // Refused before images are encoded.
        factors_of(&model.dataset)?;
        let settings = Settings { seed: self.seed, ..Settings::default() };
        let (start, mut said) = (Instant::now(), Instant::now());
        let encoded = Encoded::of_model(&mut model, self.images, &settings, &mut |done| {
            if said.elapsed() > Duration::from_secs(10) {
                said = Instant::now();
                let took = human_duration(start.elapsed().as_secs_f64());
                output::say(&format!("encoded {} images in {took}", thousands(done)));
            }
        })?;
        let found = encoded.measure(&model, &settings, self.posteriors)?;
        let files = draw(&model, &encoded, &found)?;
        // Printed first: the numbers are shown even if the file cannot be written.
        if self.json.as_deref() != Some(Path::new("-")) {
            output::print(&(text(&found, &model, self.part) + &files))?;
        }
        if let Some(path) = &self.json {
            output::write_json(&found, path)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Draw both pictures into the run's folder; gives a line for each.
fn draw(model: &TrainedModel, encoded: &Encoded, found: &Disentangled) -> Result<String> {
    let factors: Vec<String> = found.factors.iter().map(|factor| factor.name.clone()).collect();
    let codes: Vec<String> = (1..=encoded.items.width()).map(|number| format!("z{number}")).collect();
    let name = &model.dataset.name;
    let entropies = &found.scores.per_factor["entropy"];
    let title = format!("{name}: mutual information with factors, nats");
    let matrix = report::information(&found.scores.information, entropies, (&codes, &factors), &title);
    let columns = FactorColumns {
        codes: &codes,
        factors: &factors,
        values: &encoded.items.columns(),
        classes: &(0..factors.len()).map(|factor| encoded.items.labels(factor)).collect::<Vec<_>>(),
        sizes: encoded.items.sizes(),
    };
    let scatter =
        report::scatter_grid(&columns, &format!("{name}: each latent dimension against each factor"));
    let mut lines = String::new();
    for (picture, file) in [(matrix, "information.png"), (scatter, "factors.png")] {
        let path = model.run.file(file);
        report::save_png(&picture, &path)?;
        lines += &format!("{}\n", path.display());
    }
    Ok(lines)
}

fn text(found: &Disentangled, model: &TrainedModel, part: PartName) -> String {
    let scores = &found.scores;
    let settings = &found.settings;
    let part = match part {
        PartName::Train => "training",
        PartName::Val => "held-out",
        PartName::Test => "test",
    };
    let factors: Vec<String> =
        found.factors.iter().map(|factor| format!("{} ({})", factor.name, factor.size)).collect();
    let left_out = match &found.left_out[..] {
        [] => String::new(),
        names => format!("left out        {}: all images have one value\n", names.join(", ")),
    };
    let mut text = format!(
        "model           {}, step {}\n\
         images          {} {part} images of {}, {}\n\
         device          {}\n\
         factors         {}; in brackets how many values\n\
         {left_out}\
         draws           seed {}; {} images and {} to test; {} batches of {} and {} to test; {} bins\n",
        found.header.checkpoint.display(),
        thousands(found.header.step as usize),
        thousands(found.images),
        found.header.dataset,
        model.dataset.shape,
        found.device,
        factors.join(", "),
        settings.seed,
        thousands(scores.counts[0]),
        thousands(scores.counts[1]),
        thousands(settings.votes),
        settings.batch,
        thousands(settings.test_votes),
        settings.bins,
    );
    let active =
        format!("accuracy of votes; {} of {} dimensions vote", scores.active, scores.information.len());
    let sampled = format!("the same without bins, samples of {} posteriors", found.posteriors.unwrap_or(0));
    for (name, key, value, meaning) in [
        ("BetaVAE score", "beta_vae", scores.beta_vae, "accuracy of a linear classifier"),
        ("FactorVAE score", "factor_vae", scores.factor_vae, &*active),
        ("MIG", "mig", scores.mig, "gap of mutual information, over the factor's entropy"),
        ("MIG, sampled", "", scores.mig_sampled, &*sampled),
        ("SAP", "sap", scores.sap, "gap of the accuracies of linear classifiers of one dimension"),
        ("SAP, continuous", "sap_continuous", scores.sap_continuous, "gap of squared correlations"),
        ("disentanglement", "dci_disentanglement", scores.dci_disentanglement, "DCI, gradient boosting"),
        ("completeness", "dci_completeness", scores.dci_completeness, "DCI"),
        ("informativeness", "dci_informativeness", scores.dci_informativeness, "DCI, accuracy"),
        ("modularity", "modularity", scores.modularity, "one factor to a dimension"),
        ("explicitness", "explicitness", scores.explicitness, "area under the ROC curve"),
        ("IRS", "irs", scores.irs, "interventional robustness"),
        ("Gaussian TC", "gaussian_tc", scores.gaussian_tc, "nats; total correlation of the means"),
        (
            "pairwise MI",
            "mean_pairwise_mi",
            scores.mean_pairwise_mi,
            "nats; of two dimensions, the mean over pairs",
        ),
    ] {
        // Writing to a string cannot fail.
        let _ = match (value, scores.missing.get(key)) {
            (Some(value), _) => writeln!(text, "{name:<16}{value:>8.3}  {meaning}"),
            (None, Some(reason)) => writeln!(text, "{name:<16}{:>8}  {reason}", "-"),
            (None, None) => Ok(()),
        };
    }
    text + &by_factor(found) + &by_dimension(found)
}

/// What the metrics say of each factor.
fn by_factor(found: &Disentangled) -> String {
    let column = |name: &str| name.chars().count().max(7) + 2;
    let mut text = format!("{:<16}", "by factor");
    for factor in &found.factors {
        let _ = write!(text, "{:>width$}", factor.name, width = column(&factor.name));
    }
    text.push('\n');
    for (key, name) in [
        ("mig", "MIG"),
        ("mig_sampled", "MIG, sampled"),
        ("sap", "SAP"),
        ("dci_informativeness", "informativeness"),
        ("explicitness", "explicitness"),
        ("entropy", "entropy, nats"),
    ] {
        let Some(values) = found.scores.per_factor.get(key) else { continue };
        let _ = write!(text, "{name:<16}");
        for (factor, value) in found.factors.iter().zip(values) {
            let _ = write!(text, "{value:>width$.3}", width = column(&factor.name));
        }
        text.push('\n');
    }
    text
}

/// The factor that each dimension follows.
fn by_dimension(found: &Disentangled) -> String {
    let mut text = String::new();
    if found.scores.counts[0] < FEW {
        return text;
    }
    for (number, (factor, share)) in found.scores.best_factors.iter().enumerate() {
        let carries =
            found.kl_per_dimension.get(number).map(|kl| format!("KL {kl:.2} nats; ")).unwrap_or_default();
        let _ = writeln!(
            text,
            "{:<16}{carries}it knows most of {}, {:.0} % of its entropy",
            format!("z{}", number + 1),
            found.factors[*factor].name,
            100.0 * share
        );
    }
    text
}
