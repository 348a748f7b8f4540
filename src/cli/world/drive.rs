//! `vae world drive`.

use super::flags::{DeviceFlag, OutsideFlags};
use super::stages::{Line, exit};
use crate::cli::output::{check_json, print, write_json};
use crate::cli::run::check_folder;
use crate::cli::train::watch_for_interrupts;
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use vae::device::{DeviceChoice, OpenDevice};
use vae::report::Film;
use vae::text::thousands;
use vae::train::Outcome;
use vae::world::child::Children;
use vae::world::controller::Inputs;
use vae::world::{FILM_DELAY, FRAME_SHAPE, LONGEST, Scores, WorldFolder};
use vae::{Error, Result};

/// Moments of a strip.
const MOMENTS: usize = 10;

/// Drive tracks that training did not see, and film the first
#[derive(Debug, Args)]
#[command(after_help = "\
Tracks are those of gymnasium's seeds: --first-seed 0 --episodes 100 are tracks 0 to 99 there. Training drives other seeds, from 900,000 on.

Examples:
  vae world drive runs/world
  vae world drive runs/world --episodes 100 --json scores.json
  vae world drive runs/world --episodes 1 --first-seed 7 --out pictures.gif
  vae world drive runs/world --env 'python3 car_racing_server.py'        # in gymnasium itself")]
pub(super) struct Drive {
    /// The folder of the world
    run: PathBuf,
    /// Tracks to drive
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = crate::cli::settings::count)]
    episodes: usize,
    /// The seed of the first track; the others follow it
    #[arg(long, value_name = "N", default_value_t = 0)]
    first_seed: u64,
    /// Most steps of an episode
    #[arg(long, value_name = "N", default_value_t = LONGEST, value_parser = crate::cli::settings::count)]
    longest: usize,
    /// Drive with the controller that sees these: z-h, z-h-untrained, z or z-hidden [default: as in world.toml]
    #[arg(long, value_name = "INPUTS", value_enum, hide_possible_values = true)]
    inputs: Option<Inputs>,
    /// Drive with the latest controller, not with the one that tested best
    #[arg(long)]
    latest: bool,
    /// The film to write: an animated GIF, or a PNG of some moments [default: RUN/drive.gif]
    #[arg(long, value_name = "GIF|PNG")]
    out: Option<PathBuf>,
    /// Write mean, deviation, returns and seeds as JSON to this file, or to standard output with -
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceFlag,
    #[command(flatten)]
    outside: OutsideFlags,
}

/// Refuse names that no film can have, before anything is computed.
pub(super) fn check_film(path: Option<&Path>) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    let known = |name: &str| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(name));
    if !known("gif") && !known("png") {
        let problem = format!("{} is neither a GIF nor a PNG file's name", path.display());
        return Err(Error::setting("--out", problem, "name a file that ends in .gif or .png"));
    }
    check_folder(path, "--out")
}

pub(super) fn write_film(film: &Film, title: &str, path: &Path) -> Result<()> {
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png")) {
        let picture = film.strip(FRAME_SHAPE, MOMENTS, title);
        return picture.save(path).map_err(|problem| Error::io(path, std::io::Error::other(problem)));
    }
    let bytes = film.animation(FRAME_SHAPE, FILM_DELAY)?;
    std::fs::write(path, bytes).map_err(|source| Error::io(path, source))
}

impl Drive {
    pub(super) fn run(self) -> Result<ExitCode> {
        check_film(self.out.as_deref())?;
        check_json(self.json.as_deref())?;
        let mut folder = WorldFolder::open(&self.run)?;
        if let Some(inputs) = self.inputs {
            folder = folder.with_inputs(inputs);
        }
        let out = self.out.clone().unwrap_or_else(|| folder.file("drive.gif"));
        let seeds: Vec<u64> =
            (0..self.episodes as u64).map(|track| self.first_seed.wrapping_add(track)).collect();
        let found = match self.outside.start()? {
            Some(environment) => drive_in(
                &folder,
                environment,
                &self.device.device,
                (&seeds, self.longest),
                (self.latest, &out),
            )?,
            None => drive(&folder, &self.device.device, (&seeds, self.longest), self.latest, Some(&out))?,
        };
        let Some(scores) = found else { return exit(Outcome::Interrupted) };
        if let Some(path) = &self.json {
            write_json(&scores, path)?;
        }
        if self.json.as_deref() != Some(Path::new("-")) {
            print(&format!("{scores}\n{}\n", out.display()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The scores in an environment from outside, with a film of the first track.
fn drive_in(
    folder: &WorldFolder,
    mut environment: Children,
    device: &DeviceChoice,
    way: (&[u64], usize),
    (latest, out): (bool, &Path),
) -> Result<Option<Scores>> {
    let (weights, inputs) = folder.evolved(latest)?;
    let mind = folder.mind(inputs)?;
    let device = OpenDevice::open(device)?;
    let interrupt = watch_for_interrupts()?;
    let mut line = Line::new();
    let all = way.0.len();
    let mut progress = |steps: usize, ended: usize| {
        line.show(|| format!("{ended} of {all} tracks, {} steps", thousands(steps)));
    };
    let (seeds, longest) = way;
    let drive = vae::world::Drive { device: &device, mind: &mind, weights: &weights, seeds, longest };
    let found = folder.drive_in(&mut environment, drive, interrupt, &mut progress)?;
    line.clear();
    let Some((scores, film)) = found else { return Ok(None) };
    write_film(&film, &format!("C drives: {}", scores.environment), out)?;
    Ok(Some(scores))
}

/// The scores on `seeds`, with a film of the first.
fn drive(
    folder: &WorldFolder,
    device: &DeviceChoice,
    way: (&[u64], usize),
    latest: bool,
    out: Option<&Path>,
) -> Result<Option<Scores>> {
    let (weights, inputs) = folder.evolved(latest)?;
    let mind = folder.mind(inputs)?;
    let device = OpenDevice::open(device)?;
    let interrupt = watch_for_interrupts()?;
    let mut line = Line::new();
    let all = way.0.len();
    let mut progress = |steps: usize, ended: usize| {
        line.show(|| format!("{ended} of {all} tracks, {} steps", thousands(steps)));
    };
    let (seeds, longest) = way;
    let drive = vae::world::Drive { device: &device, mind: &mind, weights: &weights, seeds, longest };
    let found = folder.drive(drive, out.is_some(), interrupt, &mut progress)?;
    line.clear();
    let Some((scores, film)) = found else { return Ok(None) };
    if let (Some(film), Some(out)) = (film, out) {
        write_film(&film, &format!("C drives: {}", scores.environment), out)?;
    }
    Ok(Some(scores))
}

/// The scores on `seeds`, without a film.
pub(in crate::cli) fn on_tracks(
    folder: &WorldFolder,
    device: &DeviceChoice,
    seeds: &[u64],
) -> Result<Option<Scores>> {
    drive(folder, device, (seeds, LONGEST), false, None)
}

/// The end of a world run: scores on `count` tracks, and the film in its folder.
pub(super) fn by_itself(folder: &WorldFolder, device: &DeviceChoice, count: usize) -> Result<String> {
    let seeds: Vec<u64> = (0..).take(count).collect();
    let out = folder.file("drive.gif");
    let scores = drive(folder, device, (&seeds, LONGEST), false, Some(&out))?;
    Ok(scores.map_or_else(|| "interrupted".to_string(), |scores| format!("{scores}\n{}", out.display())))
}
