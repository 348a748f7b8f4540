//! `vae reproduce`.

mod outcome;
mod world;

use super::output::{print, say, sign_of_life};
use super::train::{Display, INTERRUPTED, watch_for_interrupts};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use vae::config::{Config, Difference};
use vae::data::Dataset;
use vae::device::{DeviceChoice, OpenDevice};
use vae::report::{EpochRecord, LatentsFile, MetricsFile};
use vae::reproduce::{
    Achieved, EpochNumbers, Likelihood, Recipe, Request, Variant, environment, recipe, recipes, scaled,
};
use vae::run::{Checkpoint, RunFolder, check_same_model};
use vae::session::Session;
use vae::text::{table, thousands};
use vae::train::{Outcome, Start, Trainer};
use vae::tuning::Matmul;
use vae::{Error, Result};

/// Train and evaluate a published setting, and print its numbers beside ours; without NAME, list the recipes.
#[derive(Debug, Args)]
#[command(after_help = "\
At full scale the exit code is 0 if ours are within the tolerance. With --scale, or with only some of the variants, the \
comparison is printed and labelled, but not judged. With --scale some recipes evaluate fewer images, and say how many.

Examples:
  vae reproduce
  vae reproduce pytorch-example --data-dir ~/data
  vae reproduce aevb-mnist --scale 0.01 --data-dir ~/data
  vae reproduce iwae-1-layer --variant 'k=1,IWAE k=5' --scale 0.001 --data-dir ~/data
  vae reproduce --resume runs/iwae-1-layer-1
  vae train --dataset pictures --model world-models       # a published model, on your pictures")]
pub(crate) struct Reproduce {
    /// The recipe
    name: Option<String>,
    /// Run this fraction of the passes, above 0 and at most 1 [default: 1]
    #[arg(long, value_name = "F", value_parser = fraction)]
    scale: Option<f64>,
    /// Run these variants only, such as '3 latents,20 latents'
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    variant: Vec<String>,
    /// The folder for the runs, a subfolder for each variant [default: runs/NAME-1, or the next free number]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Replace the runs in that folder
    #[arg(long)]
    overwrite: bool,
    /// Go on with the reproduction in this folder; takes --device and --data-dir, and no other setting
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["name", "scale", "variant", "out", "overwrite", "seed"])]
    resume: Option<PathBuf>,
    /// Where the recipe's images are [default: the variable VAE_DATA, then the user's data folder]
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// Seed of everything random [default: 1]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// auto, cpu, software, or an adapter's number or name (see 'vae devices') [default: auto]
    #[arg(long, value_name = "DEVICE", value_parser = super::settings::device)]
    device: Option<DeviceChoice>,
}

/// The error of a new reproduction in the place of another.
fn held(out: &Path) -> Error {
    let shown = out.display();
    let hint = format!(
        "go on with it with 'vae reproduce --resume {shown}', replace it with --overwrite, or name another folder"
    );
    Error::setting("--out", format!("{shown} holds a reproduction already"), hint)
}

fn absolute(path: PathBuf) -> Result<PathBuf> {
    std::path::absolute(&path).map_err(|source| Error::io(path, source))
}

fn fraction(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(scale) if scale > 0.0 && scale <= 1.0 => Ok(scale),
        _ => Err("give a fraction above 0 and at most 1, such as 0.01".to_string()),
    }
}

impl Reproduce {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let (request, out) = match (&self.resume, self.name.clone()) {
            (Some(folder), _) => (self.resumed(folder)?, folder.clone()),
            (None, Some(name)) => {
                let out = self.out.clone().unwrap_or_else(|| RunFolder::next_free(&name));
                (self.request(name)?, out)
            }
            (None, None) => return self.list(),
        };
        if request.recipe == world::NAME {
            if self.resume.is_none() && Request::exists(&out) {
                return Err(held(&out));
            }
            return world::run(&request, &out, self.resume.is_some());
        }
        let recipe = recipe(&request.recipe)?;
        let variants = chosen(&recipe, &request)?;
        if self.resume.is_none() && !self.overwrite && Request::exists(&out) {
            return Err(held(&out));
        }
        if self.resume.is_none() {
            outcome::check(&out, self.overwrite)?;
        }
        // All that can be refused is refused before the first model trains, and before anything is written.
        let mut runs = Vec::new();
        for variant in &variants {
            let mut config = recipe.config(variant, request.data_dir.as_deref())?;
            (config.run.seed, config.run.device) = (request.seed, request.device.clone());
            let folder = folder(&out, variant);
            let run = Run { name: variant.name.clone(), config: config.resolve()?, folder };
            if self.resume.is_none() && RunFolder::check(&run.folder, self.overwrite).is_err() {
                let problem =
                    format!("{} holds a run that is not part of a reproduction", run.folder.display());
                let hint = "name another folder, or replace the run with --overwrite";
                return Err(Error::setting("--out", problem, hint));
            }
            runs.push(run);
        }
        let Some(first) = runs.first() else { return Ok(ExitCode::SUCCESS) };
        let dataset = first.config.open_dataset()?;
        for run in &mut runs {
            run.config = run.config.for_images(dataset.shape)?;
        }
        let place = OpenDevice::open(&request.device)?;
        if request.scale < 1.0 {
            for run in &mut runs {
                let total = run.config.total_steps(dataset.train.count);
                run.config.run.steps = Some(scaled(total, request.scale));
            }
        }
        if self.resume.is_some() {
            runs.iter_mut().try_for_each(|run| run.check_begun(&recipe))?;
        } else {
            // Files of the replaced reproduction must go: --resume would take them as done, people as new.
            for variant in replaced(&out) {
                RunFolder::clear(&variant)?;
                // Only if nothing else is in it.
                let _ = std::fs::remove_dir(&variant);
            }
            runs.iter().try_for_each(|run| RunFolder::clear(&run.folder))?;
            outcome::clear(&out)?;
        }
        say(&announcement(&recipe, &request, &dataset, &variants));

        request.write(&out)?;
        let interrupt = watch_for_interrupts()?;
        let (mut achieved, mut histories) = (Vec::new(), Vec::new());
        for run in runs {
            let done = if self.resume.is_some() { Achieved::read(&run.folder)? } else { None };
            let found = match done {
                Some(found) => {
                    say(&format!("{}: done before, in {}", run.name, run.folder.display()));
                    found
                }
                None => {
                    let Some(mut session) = self.train(&run, &place, &dataset, interrupt)? else {
                        say(&format!("interrupted; go on with:\n  vae reproduce --resume {}", out.display()));
                        return Ok(ExitCode::from(INTERRUPTED));
                    };
                    // All is saved: until the next variant begins, an interrupt ends the program at once.
                    let asked = interrupt.swap(true, Ordering::Relaxed);
                    let likelihood = likelihood(&recipe, &request, (&place, &out), &mut session, &dataset)?;
                    // One that came in the last steps of training holds for the next variant.
                    interrupt.store(asked, Ordering::Relaxed);
                    run.keep(likelihood, session.device_name())?
                }
            };
            achieved.push(found);
            histories.push((run.name.clone(), run.history()?));
        }
        interrupt.store(true, Ordering::Relaxed);
        outcome::conclude(&recipe, &request, &out, &achieved, &histories)
    }

    /// List the recipes; a flag without a recipe is an error.
    fn list(&self) -> Result<ExitCode> {
        let given = [
            ("--scale", self.scale.is_some()),
            ("--variant", !self.variant.is_empty()),
            ("--out", self.out.is_some()),
            ("--overwrite", self.overwrite),
            ("--data-dir", self.data_dir.is_some()),
            ("--seed", self.seed.is_some()),
            ("--device", self.device.is_some()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            Some((flag, _)) => {
                let hint = "name a recipe, such as pytorch-example; 'vae reproduce' alone lists them";
                Err(Error::setting(flag, "there is nothing to reproduce", hint))
            }
            None => list(),
        }
    }

    /// The request for recipe `name`. It keeps the folder of the images, so that --resume finds them from any folder and
    /// without the variable.
    fn request(&self, name: String) -> Result<Request> {
        Ok(Request {
            recipe: name,
            scale: self.scale.unwrap_or(1.0),
            variants: self.variant.clone(),
            seed: self.seed.unwrap_or(1),
            device: self.device.clone().unwrap_or_default(),
            data_dir: self.data_dir.clone().or_else(environment).map(absolute).transpose()?,
        })
    }

    /// The request kept in `folder`, with the device and the folder of the images replaced if flags name others.
    fn resumed(&self, folder: &Path) -> Result<Request> {
        let mut request = Request::read(folder)?;
        request.device = self.device.clone().unwrap_or(request.device);
        if let Some(data_dir) = self.data_dir.clone() {
            request.data_dir = Some(absolute(data_dir)?);
        }
        Ok(request)
    }

    /// Train a variant, or go on with it where it has begun. `None` if it was interrupted.
    fn train(
        &self,
        run: &Run,
        place: &OpenDevice,
        dataset: &Dataset,
        interrupt: &AtomicBool,
    ) -> Result<Option<Session>> {
        let Run { name, config, folder } = run;
        let file = folder.join("checkpoint.safetensors");
        let begun = self.resume.is_some() && file.exists();
        let (run, checkpoint) = if begun {
            let (run, _) = RunFolder::open(folder)?;
            let checkpoint = Checkpoint::load(&file)?;
            check_same_model(&checkpoint, &file, config, dataset)?;
            run.check_dataset(config, dataset)?;
            run.write_config(config)?;
            let step = thousands(checkpoint.state.step as usize);
            say(&format!("{name}: goes on from step {step}, in {}", folder.display()));
            (run, Some(checkpoint))
        } else {
            // A variant that was stopped before its first save has nothing to go on from.
            let overwrite = self.overwrite || self.resume.is_some();
            let run = RunFolder::create(folder, config, overwrite)?;
            run.keep(dataset, config.run.keep_pictures)?;
            say(&format!("{name}: into {}", folder.display()));
            (run, None)
        };
        let matmul = Matmul { tuning: config.run.matmul.clone(), record: run.read_record()? };
        let (task, optimizers) = (config.task(dataset.shape), config.optimizers());
        let session = Session::open_tuned(place.clone(), &matmul, &task, Some(&optimizers), dataset)?;
        if let Some(record) = session.record() {
            run.write_record(record)?;
        }
        let mut display = Display::new(config, dataset);
        let start = checkpoint.as_ref().map_or(Start::Drawn, Start::Checkpoint);
        let mut trainer = Trainer::new(session, config, dataset, &run, start)?;
        let outcome = trainer.train(interrupt, &mut display);
        display.finish();
        if outcome? == Outcome::Finished { trainer.into_session().map(Some) } else { Ok(None) }
    }
}

/// A variant's run.
struct Run {
    name: String,
    config: Config,
    folder: PathBuf,
}

impl Run {
    /// Refuse a run in the folder whose settings are not the recipe's: another version of this program made it.
    fn check_begun(&mut self, recipe: &Recipe) -> Result<()> {
        if !self.folder.join("config.toml").exists() {
            return Ok(());
        }
        let (run, config) = RunFolder::open(&self.folder)?;
        // A run of before the present order of images keeps its order.
        self.config.run.order = config.run.order;
        let may_change = recipe.places();
        let differs = config.difference(&self.config, |path| !may_change.contains(&path))?;
        let Some(Difference { path: key, was, is }) = differs else {
            return Ok(());
        };
        let problem =
            format!("{key} is {is} in the recipe {} of this version, and {was} in the run", recipe.name);
        let hint =
            "finish it with the version that began it, or begin anew with --overwrite or in another folder";
        Err(Error::checkpoint(run.file("config.toml"), problem, hint))
    }

    fn history(&self) -> Result<Vec<EpochRecord>> {
        MetricsFile::read(self.folder.join("metrics.csv"))
    }

    /// Write down what came of it.
    fn keep(&self, likelihood: Option<Likelihood>, device: String) -> Result<Achieved> {
        let history = self.history()?;
        let last = history.last().ok_or_else(|| Error::Internal("a run without an epoch".into()))?;
        let EpochRecord { test_elbo: elbo, images, seconds, .. } = *last;
        let latents = LatentsFile::read(&self.folder.join("latents.csv"))?;
        let epochs = history.iter().map(|record| EpochNumbers::of(record, &latents)).collect();
        let found =
            Achieved { variant: self.name.clone(), elbo, likelihood, epochs, images, seconds, device };
        found.write(&self.folder)?;
        Ok(found)
    }
}

/// The tighter bound, and the latent dimensions in use, where the recipe asks for them.
fn likelihood(
    recipe: &Recipe,
    request: &Request,
    (device, out): (&OpenDevice, &Path),
    session: &mut Session,
    dataset: &Dataset,
) -> Result<Option<Likelihood>> {
    let Some(evaluation) = recipe.evaluation else { return Ok(None) };
    let images = evaluation.images(dataset.test.count, request.scale);
    let (images_said, samples) = (thousands(images), thousands(evaluation.importance_samples));
    say(&format!(
        "weighing {samples} samples of each of {images_said} held-out images; once stopped, go on with:\n  \
         vae reproduce --resume {}",
        out.display()
    ));
    let found = evaluation.run(device, session, dataset, images, &mut sign_of_life(images))?;
    Ok(Some(found))
}

/// The variants to run.
fn chosen(recipe: &Recipe, request: &Request) -> Result<Vec<Variant>> {
    if let Some(unknown) =
        request.variants.iter().find(|name| !recipe.variants.iter().any(|variant| variant.name == **name))
    {
        let names: Vec<&str> = recipe.variants.iter().map(|variant| variant.name.as_str()).collect();
        let problem = format!("{} has no variant '{unknown}'", recipe.name);
        return Err(Error::setting("--variant", problem, format!("there are {}", names.join(", "))));
    }
    let wanted = |variant: &&Variant| request.variants.is_empty() || request.variants.contains(&variant.name);
    Ok(recipe.variants.iter().filter(wanted).cloned().collect())
}

fn announcement(recipe: &Recipe, request: &Request, dataset: &Dataset, variants: &[Variant]) -> String {
    let scale = if request.scale < 1.0 {
        format!("at scale {}: this fraction of the passes, no reproduction\n", request.scale)
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

/// The folder of a variant's run.
fn folder(out: &Path, variant: &Variant) -> PathBuf {
    out.join(variant.name.replace(|c: char| !c.is_alphanumeric(), "-"))
}

/// The folders of the runs of the reproduction in `out`; none if its request cannot be read.
fn replaced(out: &Path) -> Vec<PathBuf> {
    let folders = |request: Request| {
        let recipe = recipe(&request.recipe)?;
        Ok(chosen(&recipe, &request)?.iter().map(|variant| folder(out, variant)).collect())
    };
    Request::read(out).and_then(folders).unwrap_or_default()
}

/// Print the recipes.
fn list() -> Result<ExitCode> {
    let rows: Vec<[String; 3]> = recipes()?
        .iter()
        .map(|recipe| [recipe.name.to_string(), recipe.variants.len().to_string(), recipe.title.clone()])
        .collect();
    let mut rows = rows;
    rows.push([world::NAME.to_string(), vae::world::PUBLISHED.len().to_string(), world::TITLE.to_string()]);
    print(&table(["recipe", ">variants", "what it reproduces"], &rows))?;
    Ok(ExitCode::SUCCESS)
}
