//! `vae posterior`.

use super::ais::pixel_rule;
use super::output;
use super::run::RunArguments;
use super::settings::count;
use clap::Args;
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use vae::eval::density::observed;
use vae::eval::gaussian::Gaussian;
use vae::eval::posterior::{Identity, PosteriorStudy, Sampled, Sampling};
use vae::report::{self, Field, PosteriorPicture};
use vae::run::TrainedModel;
use vae::text;
use vae::{Error, Result};

/// Images whose chains walk together.
const TOGETHER: usize = 8;
/// Points along a side of the picture's close-up.
const SIDE: usize = 161;

#[derive(Debug, Args)]
#[command(after_help = "\
For models of one or two latent dimensions. log p(x) and KL(q || p(z|x)) are integrals on adaptive grids, the ELBO is \
computed on other points, and the residual of log p(x) = ELBO + KL shows what all three are worth. The gap is split \
into what the best diagonal Gaussian leaves (approximation) and what the encoder adds (amortisation).

Examples:
  vae posterior runs/digits-1 --image 7
  vae posterior runs/digits-1 --images 100 --json -")]
pub(crate) struct Posterior {
    #[command(flatten)]
    run: RunArguments,
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

/// A number of chains, which may be none.
fn chains(text: &str) -> std::result::Result<usize, String> {
    match text.parse() {
        Ok(chains @ 0..=10_000) => Ok(chains),
        _ => Err("give a number from 0 to 10000".to_string()),
    }
}

/// So many standard errors off, chains have not found what the grid shows.
const ASTRAY: f64 = 8.0;

/// What `--json` writes, in nats.
#[derive(Debug, Serialize)]
struct Numbers {
    run: PathBuf,
    checkpoint: PathBuf,
    step: u64,
    dataset: String,
    likelihood: String,
    binarize: String,
    pixels: &'static str,
    device: String,
    images: Vec<Entry>,
    summary: Summary,
}

#[derive(Debug, Serialize)]
struct Entry {
    #[serde(flatten)]
    identity: Identity,
    hmc: Option<Sampled>,
}

/// Over the images: means, and the largest of what should be 0.
#[derive(Debug, Serialize)]
struct Summary {
    log_evidence: f64,
    elbo: f64,
    kl: f64,
    approximation_gap: f64,
    amortisation_gap: f64,
    largest_residual: f64,
    largest_grid_error: f64,
    largest_elbo_error: f64,
    /// Root mean square difference of HMC's moments to the grid's, in HMC's standard errors: about 1.
    hmc_deviation: Option<f64>,
    /// Images whose chains have not found the posterior that the grid shows.
    hmc_astray: usize,
}

impl Entry {
    /// The largest difference of HMC's moments to the grid's, in standard errors; `None` without chains, or with one.
    fn worst(&self) -> Option<f64> {
        let deviations = self.hmc.as_ref()?.deviations(&self.identity.grid);
        deviations.into_iter().map(f64::abs).reduce(f64::max)
    }

    fn astray(&self) -> bool {
        self.worst().is_some_and(|worst| worst > ASTRAY)
    }
}

impl Summary {
    fn of(images: &[Entry]) -> Self {
        let count = images.len() as f64;
        let mean =
            |f: &dyn Fn(&Identity) -> f64| images.iter().map(|it| f(&it.identity)).sum::<f64>() / count;
        let largest =
            |f: &dyn Fn(&Identity) -> f64| images.iter().map(|it| f(&it.identity).abs()).fold(0.0, f64::max);
        let deviations: Vec<f64> = images
            .iter()
            .filter_map(|it| Some(it.hmc.as_ref()?.deviations(&it.identity.grid)))
            .flatten()
            .collect();
        let square = deviations.iter().map(|z| z * z).sum::<f64>() / deviations.len() as f64;
        Self {
            log_evidence: mean(&|it| it.grid.log_evidence),
            elbo: mean(&|it| it.elbo),
            kl: mean(&|it| it.grid.kl),
            approximation_gap: mean(&|it| it.approximation_gap),
            amortisation_gap: mean(&|it| it.amortisation_gap),
            largest_residual: largest(&|it| it.residual),
            largest_grid_error: largest(&|it| it.grid.log_evidence_error.max(it.grid.kl_error)),
            largest_elbo_error: largest(&|it| it.elbo_error),
            hmc_deviation: (!deviations.is_empty()).then(|| square.sqrt()),
            hmc_astray: images.iter().filter(|it| it.astray()).count(),
        }
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
                        "no chains were asked for",
                        "leave it out, or --chains 0",
                    ));
                }
            }
        }
        let mut model = self.run.open()?;
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
        let mut identities = Vec::with_capacity(numbers.len());
        for &number in &numbers {
            identities.push(study.identity(&model.dataset, number)?);
        }
        let sampled = study.sample(&model.dataset, &numbers)?;
        let hmc: Vec<Option<Sampled>> = sampled.map_or_else(
            || numbers.iter().map(|_| None).collect(),
            |all| all.into_iter().map(Some).collect(),
        );
        let images: Vec<Entry> =
            identities.into_iter().zip(hmc).map(|(identity, hmc)| Entry { identity, hmc }).collect();
        let picture = match (&self.images, &images[..]) {
            (None, [entry]) => Some(self.draw(&mut study, &model, entry)?),
            _ => None,
        };
        let numbers = Numbers {
            run: model.run.path().to_path_buf(),
            checkpoint: model.checkpoint.clone(),
            step: model.state.step,
            dataset: model.dataset.name.clone(),
            likelihood: model.config.model.likelihood().kind.to_string(),
            binarize: model.config.binarization().to_string(),
            pixels: pixel_rule(model.config.model.likelihood().kind, model.config.binarization()),
            device: model.session.device_name(),
            summary: Summary::of(&images),
            images,
        };
        // Printed first: what was computed is told even where the file cannot be written.
        if self.json.as_deref() != Some(Path::new("-")) {
            let text = if self.images.is_some() { numbers.table() } else { numbers.one() };
            output::print(&text)?;
            if let Some(path) = picture {
                output::print(&format!("picture         {}\n", path.display()))?;
            }
        }
        if let Some(path) = &self.json {
            output::write_json(&numbers, path)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Draw the picture and say where it is.
    fn draw(&self, study: &mut PosteriorStudy, model: &TrainedModel, entry: &Entry) -> Result<PathBuf> {
        let Entry { identity, hmc } = entry;
        let d = identity.encoder.mean.len();
        let diagonal = |it: &Gaussian| (0..d).map(|i| (it.mean[i], it.deviation(i))).collect::<Vec<_>>();
        let [encoder, best] = [&identity.encoder, &identity.best].map(diagonal);
        let draws = hmc.as_ref().map_or(&[][..], |hmc| &hmc.draws);
        let frame = |i: usize| {
            let (mean, deviation) = (identity.grid.mean[i], identity.grid.covariance[i * d + i].sqrt());
            let mut ends = (mean - 3.6 * deviation, mean + 3.6 * deviation);
            for &(m, s) in [encoder[i], best[i]].iter() {
                ends = (ends.0.min(m - 3.3 * s), ends.1.max(m + 3.3 * s));
            }
            ends
        };
        let x = frame(0);
        let (points, y, side): (Vec<f32>, _, _) = if d == 2 {
            let y = frame(1);
            // One scale on both axes, so that circles are round.
            let half = ((x.1 - x.0).max(y.1 - y.0)) / 2.0;
            let square = |(low, high): (f64, f64)| ((low + high) / 2.0 - half, (low + high) / 2.0 + half);
            let (x, y) = (square(x), square(y));
            let points = Field::points(x, y, SIDE).into_iter().flatten().map(|z| z as f32).collect();
            (points, (x, y), SIDE)
        } else {
            let count = 4 * SIDE;
            let at = |i: usize| x.0 + (x.1 - x.0) * i as f64 / (count - 1) as f64;
            ((0..count).map(|i| at(i) as f32).collect(), (x, (0.0, 0.0)), count)
        };
        let (x, y) = y;
        let likelihood = study.density().log_likelihood(&points)?;
        let prior = |z: &[f32]| z.iter().map(|z| -0.5 * f64::from(*z).powi(2)).sum::<f64>();
        let values = likelihood.iter().zip(points.chunks(d)).map(|(value, z)| value + prior(z)).collect();
        let pixels = observed(&model.dataset, identity.image, model.config.binarization());
        let grid = &identity.grid;
        let mut notes = vec![
            format!("log p(x)  {:.4}", grid.log_evidence),
            format!("ELBO  {:.4}", identity.elbo),
            format!("KL(q || posterior)  {:.4}", grid.kl),
            format!("  approximation  {:.4}", identity.approximation_gap),
            format!("  amortisation  {:.4}", identity.amortisation_gap),
            format!("residual  {:.1e}", identity.residual),
        ];
        if let Some(hmc) = hmc {
            let (it, error) = (hmc.annealed.log_evidence, hmc.annealed.standard_error);
            notes.push(format!("log p(x) by AIS  {it:.2} ± {}", text::error_text(error, 2)));
        }
        let picture = PosteriorPicture {
            title: format!("{}: posterior of held-out image {}", model.dataset.name, identity.image),
            pixels: &pixels,
            shape: model.dataset.shape,
            joint: Field { x, y, side, values },
            encoder,
            best,
            draws,
            notes: notes.into_iter().map(|note| note.replace('-', "−")).collect(),
        };
        let name = format!("posterior-{}.png", identity.image);
        let path = self.out.clone().unwrap_or_else(|| model.run.file(&name));
        report::save_png(&report::posterior(&picture), &path)?;
        Ok(path)
    }
}

/// `(0.12, -3.40)`
fn vector(values: impl Iterator<Item = f64>) -> String {
    let entries: Vec<String> = values.map(|value| format!("{value:.4}")).collect();
    format!("({})", entries.join(", "))
}

impl Numbers {
    fn head(&self) -> String {
        format!(
            "model           {}, step {}\ndevice          {}\nlikelihood      {}; {}\n",
            self.checkpoint.display(),
            text::thousands(self.step as usize),
            self.device,
            self.likelihood,
            self.pixels
        )
    }

    /// One image, line by line.
    fn one(&self) -> String {
        let Some(entry) = self.images.first() else { return self.head() };
        let Entry { identity: it, hmc } = entry;
        let grid = &it.grid;
        let label = it.label.as_ref().map(|label| format!(", class {label}")).unwrap_or_default();
        let mut text = self.head();
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
            format!(
                "± {:.1e}; {}; KL(q || p(z)) = {:.4}",
                it.elbo_error, it.elbo_rule, it.divergence_to_prior
            ),
        );
        line("KL(q || p(z|x))", grid.kl, format!("± {:.1e}; on a coarser grid", grid.kl_error));
        let _ = writeln!(text, "{:<16}{:>12.1e} nats  log p(x) - ELBO - KL", "residual", it.residual);
        let mut line = |name: &str, value: f64, note: &str| {
            let _ = writeln!(text, "{name:<16}{value:>12.5} nats  {note}");
        };
        line("  approximation", it.approximation_gap, "what the best diagonal Gaussian leaves");
        line("  amortisation", it.amortisation_gap, "what the encoder adds");
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
                text += "warning: the chains have not found the posterior that the grid shows; take the grid's numbers, \
                         and more --chains\n";
            }
        }
        let encoder = vector(it.encoder.mean.iter().copied());
        let spread = vector((0..d).map(|i| it.encoder.deviation(i)));
        let _ = writeln!(text, "encoder's q     mean {encoder}, deviations {spread}");
        text
    }

    /// A row an image, and the summary.
    fn table(&self) -> String {
        let rows: Vec<[String; 10]> = self
            .images
            .iter()
            .map(|entry| {
                let it = &entry.identity;
                let grid_error = it.grid.log_evidence_error.max(it.grid.kl_error);
                [
                    it.image.to_string(),
                    format!("{:.4}", it.grid.log_evidence),
                    format!("{:.4}", it.elbo),
                    format!("{:.4}", it.grid.kl),
                    format!("{:.1e}", it.residual),
                    format!("{grid_error:.1e}"),
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
        let s = &self.summary;
        let mut text = format!(
            "{}\n{table}\n\
             images          {}\n\
             log p(x)        {:>10.4} nats/image\n\
             ELBO            {:>10.4} nats/image\n\
             KL(q || p(z|x)) {:>10.4} nats/image  {:.4} approximation + {:.4} amortisation\n\
             largest residual{:>10.1e} nats        largest error of a grid {:.1e}, of an ELBO {:.1e}\n",
            self.head(),
            self.images.len(),
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
                "warning: the chains of {} of {} images have not found the posterior that the grid shows; take the grid's \
                 numbers, and more --chains",
                s.hmc_astray,
                self.images.len()
            );
        }
        text
    }
}
