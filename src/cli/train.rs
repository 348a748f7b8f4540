//! `vae train`.

use super::output::{print, say};
use super::settings::Settings;
use super::start::announcement;
use clap::Args;
use image::RgbImage;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use vae::config::Config;
use vae::data::{Dataset, HeldOut, KNOWN_NAMES, Part, Survey};
use vae::device::OpenDevice;
use vae::eval::pictures;
use vae::graph::LikelihoodKind;
use vae::report::{self, EpochRecord, LatentRecord, MetricsFile, Progress, human_duration};
use vae::run::{Checkpoint, RunFolder, TrainState, Weights, check_same_model, check_same_settings};
use vae::session::Session;
use vae::text::thousands;
use vae::train::{Observer, Outcome, Snapshot, Start, Trainer};
use vae::tuning::{Matmul, Record};
use vae::{Error, Result};

/// The exit code of programs that were interrupted.
pub(super) const INTERRUPTED: u8 = 130;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vae train
  vae train --dataset pictures
  vae train --dataset pictures.zip --image-size 128x128 --latent 64 --epochs 50 --out runs/large
  vae train --dataset mnist --data-dir ~/data --latent 20 --epochs 50 --out runs/mnist-20
  vae train --resume runs/mnist-20 --epochs 100
  vae train --from runs/mnist-20 --dataset pictures")]
pub(crate) struct Train {
    /// The run's new folder [default: runs/DATASET-1, or the next free number]
    #[arg(long, value_name = "FOLDER", help_heading = "Run")]
    out: Option<PathBuf>,
    /// Replace the run in that folder
    #[arg(long, help_heading = "Run")]
    overwrite: bool,
    /// Resume the run in this folder; takes --epochs, --steps, --device, --matmul, --data-dir, and --dataset where the same dataset has moved, and no other setting
    #[arg(long, value_name = "RUN", help_heading = "Run", conflicts_with_all = ["out", "overwrite", "config"])]
    resume: Option<PathBuf>,
    /// With --resume: read only the pictures that were there when the run began, and no files that were added since
    #[arg(long, help_heading = "Data")]
    pictures_as_before: bool,
    #[command(flatten)]
    settings: Settings<true>,
}

impl Train {
    pub(crate) fn run(self) -> Result<ExitCode> {
        self.train().map(|outcome| match outcome {
            Outcome::Finished => ExitCode::SUCCESS,
            Outcome::Interrupted => ExitCode::from(INTERRUPTED),
        })
    }

    /// Train, as a part of another command too.
    ///
    /// # Errors
    /// Those of the settings, the data and the device, in the words of this command's flags.
    pub(super) fn train(self) -> Result<Outcome> {
        let outcome = match &self.resume {
            Some(path) => self.resume(path),
            None => self.begin(),
        };
        outcome.map_err(|error| self.settings.explain(error))
    }

    /// A new run.
    fn begin(&self) -> Result<Outcome> {
        let mut config = self.settings.config()?;
        if config.data.data_dir.is_none() && KNOWN_NAMES.contains(&config.data.dataset.as_str()) {
            // Kept in the run, so that later commands find the files without the variable.
            config.data.data_dir =
                std::env::var_os("VAE_DATA").filter(|folder| !folder.is_empty()).map(PathBuf::from);
        }
        let config = config.resolve()?;
        self.check_data_dir(&config)?;
        if self.pictures_as_before {
            let hint = "leave it out, or name a run with --resume";
            return Err(Error::setting("--pictures-as-before", "a new run takes all pictures", hint));
        }
        if let Some(out) = &self.out {
            RunFolder::check(out, self.overwrite)?;
            let dataset = Path::new(&config.data.dataset).canonicalize();
            if dataset.is_ok_and(|dataset| out.canonicalize().is_ok_and(|out| out == dataset)) {
                let problem =
                    "it is the folder of the dataset, and the run's pictures would be among the dataset's";
                return Err(Error::setting("--out", problem, "choose another folder for the new run"));
            }
            let source = config.run.from.as_ref().and_then(|from| from.canonicalize().ok());
            if let (Some(source), Ok(out)) = (source, out.canonicalize())
                && source.starts_with(&out)
            {
                let problem = "it holds the weights that --from names, and would be replaced";
                return Err(Error::setting("--out", problem, "choose another folder for the new run"));
            }
        }
        let dataset = config.open_dataset()?;
        let (config, chosen) = config.for_dataset(&dataset)?;
        let weights = config.run.from.as_deref().map(Weights::read).transpose()?;
        let mut session = open_session(&config, &dataset, None)?;
        let fit = weights.as_ref().map(|weights| weights.fit(&mut session)).transpose()?;
        // Nothing is written, and no run replaced, before all that can be refused was accepted.
        let run = match &self.out {
            Some(out) => RunFolder::create(out, &config, self.overwrite)?,
            None => RunFolder::create_next(&dataset.name, &config)?,
        };
        run.keep(&dataset, config.run.keep_pictures)?;
        if let Some(fit) = fit {
            say(&fit.to_string());
        }
        let start = weights.as_ref().map_or(Start::Drawn, Start::Weights);
        let warnings = Survey::of(&dataset).warnings().into_iter().map(|it| format!("warning: {it}"));
        let notes = dataset.found.notes.iter().chain(&chosen).cloned();
        let notes: Vec<String> = notes.chain(warnings).collect();
        train(&run, &config, &dataset, session, start, &notes)
    }

    /// Refuse `--data-dir` where it does nothing.
    fn check_data_dir(&self, config: &Config) -> Result<()> {
        let given = self.settings.given().find(|(path, _)| *path == "data.data-dir");
        match given.filter(|_| config.data.is_path()) {
            Some((_, typed)) => {
                let problem = "it is where datasets known by name are looked for, and the dataset is a path";
                Err(Error::setting(
                    typed,
                    problem,
                    "leave it out, or name the place of the images with --dataset",
                ))
            }
            None => Ok(()),
        }
    }

    /// A run that exists.
    fn resume(&self, path: &Path) -> Result<Outcome> {
        let allowed = ["run.epochs", "run.steps", "run.device", "run.matmul", "data.data-dir"];
        let (run, config) = RunFolder::open(path)?;
        // Only of a dataset that is known it can be said whether it is the same one in another place.
        let known = run.read_known()?.is_some();
        let may_change = |path: &str| allowed.contains(&path) || known && path == "data.dataset";
        if let Some((_, typed)) = self.settings.given().find(|(path, _)| !may_change(path)) {
            let hint = format!("leave {typed} out, or begin a new run without --resume");
            return Err(Error::setting(typed, "a run keeps the settings it began with", hint));
        }
        let config = self.settings.over(config.to_table()?)?.resolve()?;
        self.check_data_dir(&config)?;
        let file = run.file("checkpoint.safetensors");
        let checkpoint = Checkpoint::load(&file)?;
        check_same_settings(&checkpoint, &file, &config)?;
        checkpoint.check_settings(&config, &run.file("config.toml"), known)?;
        let trained = config.as_trained(checkpoint.shape);
        let dataset = run.open_dataset(&trained, HeldOut::Validation, self.pictures_as_before)?;
        check_same_model(&checkpoint, &file, &config, &dataset)?;
        config.check_batch(dataset.train.count)?;
        let total = config.total_steps(dataset.train.count);
        // A run that was stopped while its pictures were drawn has no curves yet.
        if checkpoint.state.step >= total && run.file("curves.png").exists() {
            let done = checkpoint.state.step;
            let epochs = done.div_ceil(config.steps_per_epoch(dataset.train.count)).max(1);
            let has = if done > total { "has done" } else { "has all its" };
            print(&format!(
                "{path} {has} {} ({}); to go on, give more:\n  vae train --resume {path} --epochs {}\n",
                counted(done, "step"),
                counted(epochs, "epoch"),
                2 * epochs,
                path = run.path().display(),
            ))?;
            return Ok(Outcome::Finished);
        }
        let session = open_session(&config, &dataset, run.read_record()?)?;
        run.write_config(&config)?;
        train(&run, &config, &dataset, session, Start::Checkpoint(&checkpoint), &[])
    }
}

/// The model of `config` on its device; with the variants of `record`, where a run goes on.
fn open_session(config: &Config, dataset: &Dataset, record: Option<Record>) -> Result<Session> {
    let device = OpenDevice::open(&config.run.device)?;
    let matmul = Matmul { tuning: config.run.matmul.clone(), record };
    Session::open_tuned(device, &matmul, &config.task(dataset.shape), Some(&config.optimizers()), dataset)
}

/// `1 step`, `2 steps`.
pub(super) fn counted(count: u64, what: &str) -> String {
    format!("{} {what}{}", thousands(count as usize), if count == 1 { "" } else { "s" })
}

/// Train, draw the pictures, and print a summary.
fn train(
    run: &RunFolder,
    config: &Config,
    dataset: &Dataset,
    session: Session,
    start: Start<'_>,
    notes: &[String],
) -> Result<Outcome> {
    let interrupt = watch_for_interrupts()?;
    say(announcement(run, config, dataset, &session, start, notes).trim_end());
    let total = config.total_steps(dataset.train.count);
    let mut display = Display::new(config, dataset);
    if let Some(record) = session.record() {
        run.write_record(record)?;
    }
    let mut trainer = Trainer::new(session, config, dataset, run, start)?;
    let outcome = trainer.train(interrupt, &mut display);
    display.finish();
    // There is nothing left to save: from here on an interrupt ends the program at once.
    interrupt.store(true, Ordering::Relaxed);
    let state = trainer.state().clone();
    if outcome? == Outcome::Interrupted {
        say(&format!(
            "interrupted; saved after step {} of {}. Go on with:\n  vae train --resume {}",
            thousands(state.step as usize),
            thousands(total as usize),
            run.path().display()
        ));
        return Ok(Outcome::Interrupted);
    }
    let history = MetricsFile::read(run.file("metrics.csv"))?;
    let files = draw(run, config, dataset, &mut trainer.into_session()?, &history)?;
    print(&summary(run, config, dataset, &history, &state, &files))?;
    Ok(Outcome::Finished)
}

/// A flag that the first Ctrl-C sets; the second one ends the program. Not set yet, also where another part of the command
/// has watched before.
pub(super) fn watch_for_interrupts() -> Result<&'static AtomicBool> {
    static INTERRUPT: AtomicBool = AtomicBool::new(false);
    static WATCHED: AtomicBool = AtomicBool::new(false);
    if !WATCHED.swap(true, Ordering::Relaxed) {
        ctrlc::set_handler(|| {
            if INTERRUPT.swap(true, Ordering::Relaxed) {
                std::process::exit(i32::from(INTERRUPTED));
            }
        })
        .map_err(|error| Error::Internal(format!("no handler for Ctrl-C: {error}")))?;
    }
    INTERRUPT.store(false, Ordering::Relaxed);
    Ok(&INTERRUPT)
}

/// Passes the trainer's reports on to the progress display.
pub(super) struct Display {
    bar: Progress,
    epochs: u64,
    importance_samples: Option<usize>,
    /// Latent dimensions, of which those in use are shown; 0 for a single held-out image, whose means do not vary.
    units: usize,
}

impl Display {
    /// For a whole run of `config`.
    pub(super) fn new(config: &Config, dataset: &Dataset) -> Self {
        let per_epoch = config.steps_per_epoch(dataset.train.count);
        let total = config.total_steps(dataset.train.count);
        let terminal = std::io::stderr().is_terminal();
        let mut bar = Progress::new(Some(total), per_epoch, terminal, Box::new(std::io::stderr()));
        if config.objective.kind.is_deterministic() {
            bar.names_a_loss();
        }
        Self {
            bar,
            epochs: total.div_ceil(per_epoch),
            importance_samples: config.objective.importance_samples,
            units: if dataset.test.count > 1 { latents(config, dataset) } else { 0 },
        }
    }

    /// Leave the terminal as it was.
    pub(super) fn finish(&mut self) {
        self.bar.finish();
    }
}

impl Observer for Display {
    fn progress(&mut self, snapshot: &Snapshot) {
        let shown = report::Snapshot {
            epoch: snapshot.epoch,
            epochs: Some(self.epochs),
            elbo: -(snapshot.reconstruction + snapshot.kl),
            reconstruction: snapshot.reconstruction,
            kl: snapshot.kl,
            images_per_second: snapshot.images_per_second,
            seconds_left: Some(snapshot.seconds_left),
        };
        self.bar.update(snapshot.step, &shown);
    }

    fn latents(&mut self, record: &LatentRecord) {
        self.bar.units(report::Units {
            active: record.active_units,
            all: self.units,
            bound: self.importance_samples.zip(record.test_bound),
        });
    }

    fn message(&mut self, text: &str) {
        self.bar.message(text);
    }

    fn epoch(&mut self, record: &EpochRecord) {
        self.bar.epoch_done(record);
    }
}

/// Latent dimensions of all layers.
fn latents(config: &Config, dataset: &Dataset) -> usize {
    let model = config.model.model(dataset.shape);
    model.latent().map_or(0, |latent| latent.groups().iter().map(|group| group.width).sum())
}

/// Held-out images and their reconstructions; where few are held out, some that were trained on follow them.
fn reconstructions(
    run: &RunFolder,
    config: &Config,
    dataset: &Dataset,
    session: &mut Session,
) -> Result<RgbImage> {
    let held_out = dataset.test.count;
    let more = pictures::RECONSTRUCTIONS.saturating_sub(held_out).min(dataset.train.count);
    if more == 0 {
        return pictures::reconstructions(session, dataset, pictures::RECONSTRUCTIONS, None);
    }
    let trained_on: Vec<usize> = (0..more).collect();
    let both = [dataset.test.pixels(), dataset.train.select(&trained_on).pixels()].concat();
    let shown = Part::of_images(both, dataset.shape);
    let both = Dataset::new(&*dataset.name, dataset.shape, shown.clone(), shown);
    let matmul = Matmul { tuning: config.run.matmul.clone(), record: run.read_record()? };
    let (device, task) = (OpenDevice::open(&config.run.device)?, config.task(dataset.shape).for_evaluation());
    let mut session = Session::open_tuned(device, &matmul, &task, None, &both)?;
    let file = run.file("checkpoint.safetensors");
    Checkpoint::load(&file)?.restore(&mut session, &file)?;
    let numbers: Vec<u32> = (0..both.test.count as u32).collect();
    let title = format!(
        "{held_out} held-out image{} of {}, then images trained on, and their reconstructions",
        if held_out == 1 { "" } else { "s" },
        dataset.name
    );
    pictures::reconstructions_of(&mut session, &both, &numbers, &title)
}

/// Draw all pictures of a run; returns their paths. The curves come last, as the sign that all are there.
fn draw(
    run: &RunFolder,
    config: &Config,
    dataset: &Dataset,
    session: &mut Session,
    history: &[EpochRecord],
) -> Result<Vec<PathBuf>> {
    let reconstructions = reconstructions(run, config, dataset, session)?;
    let mut all = vec![("reconstructions.png", reconstructions)];
    let has_prior = !config.objective.kind.is_deterministic();
    if has_prior {
        let samples = pictures::samples(session, dataset, pictures::SAMPLES, config.run.seed)?;
        all.push(("samples.png", samples));
    }
    if session.top_width()? == 2 {
        all.push(("latent.png", pictures::latent(session, dataset)?));
        if has_prior {
            all.push(("manifold.png", pictures::manifold(session, dataset, pictures::SIDE)?));
        }
    }
    let latent: Vec<String> = session.latent_widths()?.iter().map(ToString::to_string).collect();
    let title = format!("{}: {} latent dimensions", dataset.name, latent.join(" + "));
    all.push(("curves.png", report::curves(history, &title)));
    all.iter()
        .map(|(name, picture)| {
            let path = run.file(name);
            report::save_png(picture, &path)?;
            Ok(path)
        })
        .collect()
}

/// A fixed standard deviation that is far from that of the reconstructions: too large blurs them, too small spends the
/// latents on noise.
fn misfit(config: &Config, dataset: &Dataset, last: &EpochRecord) -> Option<String> {
    let likelihood = config.model.likelihood();
    let squared = last.others.get("squared_error")? / dataset.shape.pixels() as f64;
    let (sigma, found) = (likelihood.sigma, squared.sqrt());
    let fits = sigma < 2.0 * found && sigma > 0.5 * found;
    if likelihood.kind != LikelihoodKind::Gaussian || fits {
        return None;
    }
    Some(format!(
        "the deviation of reconstructions from held-out pixels is {found:.3}, and --sigma {sigma}:\n\
         train with --sigma {found:.3}, or with --likelihood gaussian-optimal, which finds it\n"
    ))
}

/// Results, and commands to go on with.
fn summary(
    run: &RunFolder,
    config: &Config,
    dataset: &Dataset,
    history: &[EpochRecord],
    state: &TrainState,
    files: &[PathBuf],
) -> String {
    let mut text = String::new();
    let (last, best) = (history.last(), EpochRecord::best(history, config.objective.compared()));
    let deterministic = config.objective.kind.is_deterministic();
    let mut line = |name: &str, record: &EpochRecord| {
        if deterministic {
            let loss = -record.test_elbo;
            text += &format!("held-out loss {loss:.2} per image after epoch {}, {name}\n", record.epoch);
            return;
        }
        text += &format!(
            "held-out ELBO {:.2} nats/image (reconstruction {:.2}, KL {:.2}) after epoch {}, {name}\n",
            record.test_elbo, record.test_reconstruction, record.test_kl, record.epoch
        );
    };
    match (last, best) {
        (Some(last), _) if config.objective.kind.weighting().is_some() => {
            line("the last", last);
            // The parameters kept are those with the best bound of the objective, not those with the best ELBO.
            if let (Some(samples), Some(best)) = (config.objective.importance_samples, state.best_elbo) {
                text +=
                    &format!("held-out L_{samples} {best:.2} nats/image at its best (best.safetensors)\n");
            }
        }
        (Some(last), _) if state.best_elbo.is_none() => line("the last", last),
        (Some(last), Some(best)) if last.step != best.step => {
            line("the last", last);
            line("the best (best.safetensors)", best);
        }
        (Some(last), _) => line("the last and best", last),
        _ => {}
    }
    if let (None, Some(mark)) = (state.best_elbo, state.mean_image) {
        text += &format!(
            "there is no best.safetensors: no epoch reached {mark:.2} nats/image, the held-out\n\
             bound of the mean training image; train anew with a smaller --learning-rate\n"
        );
    }
    text += &last.and_then(|last| misfit(config, dataset, last)).unwrap_or_default();
    if let Some(last) = last {
        let seconds = state.seconds;
        let speed = last.images as f64 / seconds.max(1e-9);
        text += &format!(
            "trained for {}, {} images/s\n",
            human_duration(seconds),
            thousands(speed.round() as usize)
        );
    }
    text += "pictures:\n";
    for file in files {
        text += &format!("  {}\n", file.display());
    }
    let path = run.path().display();
    let more = 2 * last.map_or(1, |last| last.epoch);
    let next = match deterministic {
        true => format!("vae eval {path}\n  vae interpolate {path}"),
        false => {
            format!("vae eval {path} --samples 10\n  vae sample {path} --seed 2\n  vae web {path} --serve")
        }
    };
    text + &format!("next:\n  {next}\n  vae train --resume {path} --epochs {more}\n")
}
