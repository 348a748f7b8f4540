//! `vae posterior`.

use super::output;
use super::run::{DataArguments, RunArguments};
use super::settings::count;
use clap::Args;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use vae::eval::posterior::{Entry, PosteriorStudy, Report, Sampling, picture};
use vae::report::save_png;
use vae::run::Wanted;
use vae::text;
use vae::{Error, Result};

/// Images whose chains walk together.
const TOGETHER: usize = 8;

#[derive(Debug, Args)]
#[command(after_help = "\
For models of one or two latent dimensions. log p(x) and KL(q || p(z|x)) are integrals on adaptive grids, the ELBO is \
computed on other points, and the residual of log p(x) = ELBO + KL shows the accuracy of all three. The gap has two \
parts: that of the best diagonal Gaussian (approximation), and the rest, which the encoder adds (amortisation).

Examples:
  vae posterior runs/digits-1 --image 7
  vae posterior runs/digits-1 --images 100 --json -
  vae posterior runs/faces-1 --dataset photos/ --image 0")]
pub(crate) struct Posterior {
    #[command(flatten)]
    run: RunArguments,
    #[command(flatten)]
    data: DataArguments,
    /// The held-out image to look at, counted from 0
    #[arg(long, value_name = "I", default_value_t = 0, conflicts_with = "images")]
    image: usize,
    /// Look at the first N held-out images instead, without a picture
    #[arg(long, value_name = "N", value_parser = count)]
    images: Option<usize>,
    /// The picture to write [default: RUN/posterior-I.png]
    #[arg(long, value_name = "PNG", conflicts_with = "images")]
    out: Option<PathBuf>,
    /// Chains of Hamiltonian Monte Carlo for each image, 0 for none [default: 128; with --images 32]
    #[arg(long, value_name = "N", value_parser = chains)]
    chains: Option<usize>,
    /// Draws kept of each chain [default: 50]
    #[arg(long, value_name = "N", value_parser = count)]
    draws: Option<usize>,
    /// Seed of the chains [default: 1]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Write the numbers as JSON to FILE, or to standard output for -
    #[arg(long, value_name = "FILE|-")]
    json: Option<PathBuf>,
}

/// A number of chains, 0 included.
fn chains(text: &str) -> std::result::Result<usize, String> {
    match text.parse() {
        Ok(chains @ 0..=10_000) => Ok(chains),
        _ => Err("give a number from 0 to 10000".to_string()),
    }
}

impl Posterior {
    pub(crate) fn run(self) -> Result<ExitCode> {
        if let Some(path) = &self.out {
            super::run::check_png(path)?;
        }
        output::check_json(self.json.as_deref())?;
        if self.chains == Some(0) {
            for (flag, given) in [("--draws", self.draws.is_some()), ("--seed", self.seed.is_some())] {
                if given {
                    return Err(Error::setting(
                        flag,
                        "there are no chains, because of --chains 0",
                        "leave one of the two out",
                    ));
                }
            }
        }
        let mut model = self.run.open(Wanted::All(&self.data.place()))?;
        let available = model.dataset.test.count;
        let numbers: Vec<usize> = match self.images {
            Some(count) => (0..count.min(available)).collect(),
            None if self.image < available => vec![self.image],
            None => {
                return Err(Error::setting(
                    "--image",
                    format!("there is no held-out image {}", self.image),
                    format!("give a number from 0 to {}", available - 1),
                ));
            }
        };
        let sampling = Sampling {
            chains: self.chains.unwrap_or(if self.images.is_some() { 32 } else { 128 }),
            draws: self.draws.unwrap_or(50),
            images: numbers.len().min(TOGETHER),
            seed: self.seed.unwrap_or(1),
        };
        let mut study = PosteriorStudy::open(&mut model, sampling)?;
        let report = Report::of(&mut study, &model, &numbers)?;
        let picture = match (&self.images, &report.images[..]) {
            (None, [entry]) => {
                let picture = picture(&mut study, &model, entry)?;
                let name = format!("posterior-{}.png", self.image);
                let path = self.out.clone().unwrap_or_else(|| model.run.file(&name));
                save_png(&picture, &path)?;
                Some(path)
            }
            _ => None,
        };
        // Printed first: the numbers are shown even if the file cannot be written.
        if self.json.as_deref() != Some(Path::new("-")) {
            let text = if self.images.is_some() { table(&report) } else { one(&report) };
            output::print(&text)?;
            if let Some(path) = picture {
                output::print(&format!("picture         {}\n", path.display()))?;
            }
        }
        if let Some(path) = &self.json {
            output::write_json(&report, path)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// `(0.12, -3.40)`
fn vector(values: impl Iterator<Item = f64>) -> String {
    let entries: Vec<String> = values.map(|value| format!("{value:.4}")).collect();
    format!("({})", entries.join(", "))
}

fn head(report: &Report) -> String {
    format!(
        "model           {}, step {}\ndevice          {}\nlikelihood      {}; {}\n",
        report.header.checkpoint.display(),
        text::thousands(report.header.step as usize),
        report.device,
        report.likelihood,
        report.pixels
    )
}

/// One image, line by line.
fn one(report: &Report) -> String {
    let Some(entry) = report.images.first() else { return head(report) };
    let Entry { identity: it, hmc } = entry;
    let grid = &it.grid;
    let label = it.label.as_ref().map(|label| format!(", class {label}")).unwrap_or_default();
    let mut text = head(report);
    // Writing to a string does not fail.
    let mut line = |name: &str, value: f64, note: String| {
        let _ = writeln!(text, "{name:<16}{value:>12.5} nats  {note}");
    };
    line(
        "log p(x)",
        grid.log_evidence,
        format!(
            "± {:.1e}; image {}{label}; grid of {} points down to {:.1e}",
            grid.log_evidence_error,
            it.image,
            text::thousands(grid.points),
            grid.width
        ),
    );
    line(
        "ELBO",
        it.elbo,
        format!("± {:.1e}; {}; KL(q || p(z)) = {:.4}", it.elbo_error, it.elbo_rule, it.divergence_to_prior),
    );
    line("KL(q || p(z|x))", grid.kl, format!("± {:.1e}; on a coarser grid", grid.kl_error));
    let _ = writeln!(text, "{:<16}{:>12.1e} nats  log p(x) - ELBO - KL", "residual", it.residual);
    let mut line = |name: &str, value: f64, note: &str| {
        let _ = writeln!(text, "{name:<16}{value:>12.5} nats  {note}");
    };
    line("  approximation", it.approximation_gap, "gap of the best diagonal Gaussian");
    line("  amortisation", it.amortisation_gap, "added by the encoder");
    let d = grid.mean.len();
    let variances = |of: &dyn Fn(usize) -> f64| vector((0..d * d).map(of));
    let _ = writeln!(
        text,
        "posterior       mean {}, covariance {}",
        vector(grid.mean.iter().copied()),
        variances(&|i| grid.covariance[i])
    );
    if let Some(hmc) = hmc {
        let off = match entry.worst() {
            Some(worst) => format!("at most {worst:.1} standard errors off"),
            None => "one chain has no standard errors".to_string(),
        };
        let _ = writeln!(
            text,
            "by HMC          mean {}, covariance {}; {off}",
            vector(hmc.mean.iter().map(|it| it.0)),
            variances(&|i| hmc.covariance[i].0)
        );
        let _ = writeln!(
            text,
            "by AIS          {:>12.5} nats  ± {}; log p(x) without a grid; HMC's acceptance {:.2}",
            hmc.annealed.log_evidence,
            text::error_text(hmc.annealed.standard_error, 3),
            hmc.acceptance
        );
        if entry.astray() {
            text += "warning: the chains have missed the posterior that the grid shows; use the grid's numbers, \
                     or more --chains\n";
        }
    }
    let encoder = vector(it.encoder.mean.iter().copied());
    let spread = vector((0..d).map(|i| it.encoder.deviation(i)));
    let _ = writeln!(text, "encoder's q     mean {encoder}, deviations {spread}");
    text
}

/// A row an image, and the summary.
fn table(report: &Report) -> String {
    let rows: Vec<[String; 10]> = report
        .images
        .iter()
        .map(|entry| {
            let it = &entry.identity;
            [
                it.image.to_string(),
                format!("{:.4}", it.grid.log_evidence),
                format!("{:.4}", it.elbo),
                format!("{:.4}", it.grid.kl),
                format!("{:.1e}", it.residual),
                format!("{:.1e}", it.grid.error()),
                format!("{:.1e}", it.elbo_error),
                format!("{:.4}", it.approximation_gap),
                format!("{:.4}", it.amortisation_gap),
                entry.worst().map_or("·".into(), |worst| format!("{worst:.1}")),
            ]
        })
        .collect();
    let table = text::table(
        [
            ">image",
            ">log p(x)",
            ">ELBO",
            ">KL",
            ">residual",
            ">grid error",
            ">ELBO error",
            ">approximation",
            ">amortisation",
            ">HMC",
        ],
        &rows,
    );
    let s = &report.summary;
    let mut text = format!(
        "{}\n{table}\n\
         images          {}\n\
         log p(x)        {:>10.4} nats/image\n\
         ELBO            {:>10.4} nats/image\n\
         KL(q || p(z|x)) {:>10.4} nats/image  {:.4} approximation + {:.4} amortisation\n\
         largest residual{:>10.1e} nats        largest error of a grid {:.1e}, of an ELBO {:.1e}\n",
        head(report),
        report.images.len(),
        s.log_evidence,
        s.elbo,
        s.kl,
        s.approximation_gap,
        s.amortisation_gap,
        s.largest_residual,
        s.largest_grid_error,
        s.largest_elbo_error
    );
    if let Some(deviation) = s.hmc_deviation {
        let _ = writeln!(
            text,
            "HMC             {deviation:>10.2} standard errors off the grid's mean and covariance, root mean square; \
             above, the largest of each image"
        );
    }
    if s.hmc_astray > 0 {
        let _ = writeln!(
            text,
            "warning: the chains of {} of {} images have missed the posterior that the grid shows; use the grid's \
             numbers, or more --chains",
            s.hmc_astray,
            report.images.len()
        );
    }
    text
}
