//! `vae reproduce`.

use super::output::{print, say};
use super::train::{Display, INTERRUPTED, watch_for_interrupts};
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use vae::data::Dataset;
use vae::device::{DeviceChoice, OpenDevice};
use vae::report::{EpochRecord, MetricsFile, human_duration, save_png, table, thousands};
use vae::reproduce::{Achieved, Judgement, Likelihood, Recipe, Variant, curves, recipe, recipes, scaled};
use vae::session::Session;
use vae::train::{Outcome, RunFolder, Trainer};
use vae::{Error, Result};

/// Train and evaluate a published setting, and print its numbers beside ours; without NAME, list what there is.
#[derive(Debug, Args)]
#[command(after_help = "\
At full scale the exit code tells whether ours are within the tolerance. With --scale, and where only some \
variants are run, nothing is judged: the comparison is printed, and labelled. With --scale some recipes evaluate fewer images, \
and say how many.

Examples:
  vae reproduce
  vae reproduce pytorch-example --data-dir ~/data
  vae reproduce aevb-mnist --scale 0.01 --data-dir ~/data
  vae reproduce iwae-1-layer --variant 'k=1,IWAE k=5' --scale 0.001 --data-dir ~/data")]
pub(crate) struct Reproduce {
    /// The recipe
    name: Option<String>,
    /// Run this fraction of the passes, above 0 and at most 1
    #[arg(long, value_name = "F", default_value_t = 1.0, value_parser = fraction)]
    scale: f64,
    /// Run these variants only, such as '3 latents,20 latents'
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    variant: Vec<String>,
    /// The folder for the runs, a subfolder for each variant [default: runs/NAME-1, or the next free number]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Replace the runs in that folder
    #[arg(long)]
    overwrite: bool,
    /// Where the recipe's images are [default: the variable VAE_DATA, then the user's data folder]
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// auto, cpu, software, or an adapter's number or name (see 'vae devices')
    #[arg(long, value_name = "DEVICE", default_value = "auto", value_parser = super::settings::device)]
    device: DeviceChoice,
}

/// So often a long evaluation says that it is alive.
const ALIVE: Duration = Duration::from_secs(10);

fn fraction(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(scale) if scale > 0.0 && scale <= 1.0 => Ok(scale),
        _ => Err("give a fraction above 0 and at most 1, such as 0.01".to_string()),
    }
}

/// What `result.json` holds.
#[derive(Serialize)]
struct Numbers<'a> {
    recipe: &'static str,
    scale: f64,
    device: &'a str,
    source: &'a str,
    /// What the numbers are of.
    pixels: &'a str,
    variants: &'a [Achieved],
    comparison: &'a [Judgement],
}

impl Reproduce {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let Some(name) = &self.name else { return list() };
        let recipe = recipe(name)?;
        let variants = self.chosen(&recipe)?;
        let out = match &self.out {
            Some(out) => out.clone(),
            None => RunFolder::next_free(recipe.name),
        };
        // All that can be refused is refused before the first model trains.
        let mut runs = Vec::new();
        for variant in &variants {
            let mut config = recipe.config(variant, self.data_dir.as_deref())?;
            (config.seed, config.device) = (self.seed, self.device.clone());
            let folder = out.join(variant.name.replace(|c: char| !c.is_alphanumeric(), "-"));
            RunFolder::check(&folder, self.overwrite)?;
            runs.push((variant.name.clone(), config.resolve()?, folder));
        }
        let Some((_, first, _)) = runs.first() else { return Ok(ExitCode::SUCCESS) };
        let dataset = first.open_dataset()?;
        say(&self.announcement(&recipe, &dataset, &variants));

        let interrupt = watch_for_interrupts()?;
        let (mut achieved, mut histories, mut device) = (Vec::new(), Vec::new(), String::new());
        for (name, mut config, folder) in runs {
            let total = config.total_steps(dataset.train.count);
            if self.scale < 1.0 {
                config.steps = Some(scaled(total, self.scale));
            }
            let place = OpenDevice::open(&config.device)?.with_tuning(&config.matmul);
            let model = config.model(dataset.shape);
            let session = Session::open(place.clone(), &model, Some(&config.optimizer()), &dataset)?;
            device = session.device_name();
            let run = RunFolder::create(&folder, &config, self.overwrite)?;
            if let Some(record) = session.record() {
                run.write_record(record)?;
            }
            say(&format!("{name}: into {}", folder.display()));
            let mut display = Display::new(&config, &dataset);
            let mut trainer = Trainer::new(session, &config, &dataset, &run, None)?;
            let outcome = trainer.train(interrupt, &mut display);
            display.finish();
            if outcome? == Outcome::Interrupted {
                say(&format!(
                    "interrupted; this variant goes on with:\n  vae train --resume {}",
                    folder.display()
                ));
                return Ok(ExitCode::from(INTERRUPTED));
            }
            // All is saved: until the next variant begins, an interrupt ends the program at once.
            interrupt.store(true, Ordering::Relaxed);
            let likelihood = self.likelihood(&recipe, &place, &mut trainer.into_session(), &dataset)?;
            interrupt.store(false, Ordering::Relaxed);
            let history = MetricsFile::read(run.file("metrics.csv"))?;
            if let Some(EpochRecord { test_elbo, images, seconds, .. }) = history.last() {
                let (elbo, images, seconds) = (*test_elbo, *images, *seconds);
                achieved.push(Achieved { variant: name.clone(), elbo, likelihood, images, seconds });
            }
            histories.push((name, history));
        }
        interrupt.store(true, Ordering::Relaxed);
        self.conclude(&recipe, &out, &device, &achieved, &histories)
    }

    /// The tighter bound, and the latent dimensions in use, where the recipe asks for them.
    fn likelihood(
        &self,
        recipe: &Recipe,
        device: &OpenDevice,
        session: &mut Session,
        dataset: &Dataset,
    ) -> Result<Option<Likelihood>> {
        let Some(evaluation) = recipe.evaluation else { return Ok(None) };
        let images = evaluation.images(dataset.test.count, self.scale);
        let (images_said, samples) = (thousands(images), thousands(evaluation.importance_samples));
        say(&format!("weighing {samples} samples of each of {images_said} held-out images"));
        let (start, mut said) = (Instant::now(), Instant::now());
        let found = evaluation.run(device, session, dataset, images, &mut |done| {
            if said.elapsed() > ALIVE {
                said = Instant::now();
                let left = start.elapsed().as_secs_f64() * (images - done) as f64 / done.max(1) as f64;
                say(&format!("{} of {images_said} images, {} left", thousands(done), human_duration(left)));
            }
        })?;
        Ok(Some(found))
    }

    /// The variants that were asked for.
    fn chosen(&self, recipe: &Recipe) -> Result<Vec<Variant>> {
        if let Some(unknown) =
            self.variant.iter().find(|name| !recipe.variants.iter().any(|variant| variant.name == **name))
        {
            let names: Vec<&str> = recipe.variants.iter().map(|variant| variant.name.as_str()).collect();
            let problem = format!("{} has no variant '{unknown}'", recipe.name);
            return Err(Error::setting("--variant", problem, format!("there are {}", names.join(", "))));
        }
        let wanted = |variant: &&Variant| self.variant.is_empty() || self.variant.contains(&variant.name);
        Ok(recipe.variants.iter().filter(wanted).cloned().collect())
    }

    /// Whether ours is all that theirs is.
    fn whole(&self, recipe: &Recipe) -> bool {
        self.scale >= 1.0 && (self.variant.is_empty() || self.variant.len() == recipe.variants.len())
    }

    fn announcement(&self, recipe: &Recipe, dataset: &Dataset, variants: &[Variant]) -> String {
        let scale = if self.scale < 1.0 {
            format!("at scale {}: this fraction of the passes, no reproduction\n", self.scale)
        } else {
            String::new()
        };
        format!(
            "{}\n{}\n{}\n{}\n{}: {} images of {}, {} held out; {} {}\n{scale}",
            recipe.title,
            recipe.source,
            recipe.note,
            recipe.pixels,
            dataset.name,
            thousands(dataset.train.count),
            dataset.shape,
            thousands(dataset.test.count),
            variants.len(),
            if variants.len() == 1 { "variant" } else { "variants" },
        )
    }

    /// Write the numbers and the curves, and say how ours compare.
    fn conclude(
        &self,
        recipe: &Recipe,
        out: &Path,
        device: &str,
        achieved: &[Achieved],
        histories: &[(String, Vec<EpochRecord>)],
    ) -> Result<ExitCode> {
        let comparison = recipe.judge(achieved);
        let numbers = Numbers {
            recipe: recipe.name,
            scale: self.scale,
            device,
            source: &recipe.source,
            pixels: &recipe.pixels,
            variants: achieved,
            comparison: &comparison,
        };
        let (json, picture) = (out.join("result.json"), out.join("curves.png"));
        super::output::write_json(&numbers, &json)?;
        let scale = if self.scale < 1.0 { format!(", at scale {}", self.scale) } else { String::new() };
        save_png(&curves(histories, &format!("{}{scale}", recipe.title)), &picture)?;

        let rows: Vec<[String; 4]> = achieved
            .iter()
            .map(|found| {
                [
                    found.variant.clone(),
                    format!("{:.2}", found.elbo),
                    thousands(found.images as usize),
                    human_duration(found.seconds),
                ]
            })
            .collect();
        let mut text = table(["variant", ">held-out ELBO", ">images seen", ">training"], &rows);
        text.push('\n');
        text += &likelihoods(achieved);
        let whole = self.whole(recipe);
        let rows: Vec<[String; 4]> = comparison
            .iter()
            .map(|judgement| {
                let verdict = match (whole, judgement.holds) {
                    (true, true) => "agrees",
                    (true, false) => "DIFFERS",
                    (false, true) => "agrees, at this scale",
                    (false, false) => "differs, at this scale",
                };
                [
                    judgement.what.clone(),
                    judgement.ours.clone(),
                    judgement.theirs.clone(),
                    verdict.to_string(),
                ]
            })
            .collect();
        text += &table(["what", ">ours", ">theirs", "verdict"], &rows);
        let pixels = &recipe.pixels;
        text +=
            &format!("\nnats per image, on {device}\n{pixels}\n{}\n{}\n", json.display(), picture.display());
        let failed = comparison.iter().filter(|judgement| !judgement.holds).count();
        text += &match (whole, failed) {
            (false, _) => format!(
                "{}: a part of the published setting was run{scale}; nothing is judged\n",
                recipe.name
            ),
            (true, 0) => format!("{}: reproduced\n", recipe.name),
            (true, _) => {
                format!("{}: NOT reproduced, {failed} of {} differ\n", recipe.name, comparison.len())
            }
        };
        print(&text)?;
        Ok(if whole && failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

/// Negative log-likelihoods and latent dimensions in use, of the variants that were evaluated so.
fn likelihoods(achieved: &[Achieved]) -> String {
    let rows: Vec<[String; 5]> = achieved
        .iter()
        .filter_map(|found| {
            let likelihood = found.likelihood.as_ref()?;
            Some([
                found.variant.clone(),
                format!("{:.2} ± {:.2}", likelihood.negative_log_likelihood, likelihood.standard_error),
                format!("{} of {}", likelihood.active_units, likelihood.latent_units),
                format!("{} x {}", thousands(likelihood.images), thousands(likelihood.samples)),
                human_duration(likelihood.seconds),
            ])
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let head = ["variant", ">NLL, standard error", ">active units", ">images x samples", ">evaluation"];
    table(head, &rows) + "\n"
}

/// What there is.
fn list() -> Result<ExitCode> {
    let rows: Vec<[String; 3]> = recipes()?
        .iter()
        .map(|recipe| [recipe.name.to_string(), recipe.variants.len().to_string(), recipe.title.clone()])
        .collect();
    print(&table(["recipe", ">variants", "what it reproduces"], &rows))?;
    Ok(ExitCode::SUCCESS)
}
