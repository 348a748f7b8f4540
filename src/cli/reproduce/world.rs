//! `vae reproduce world-models-carracing`: not a recipe of one model, but three that learn one after the other.

use crate::cli::output::{print, say, write_json};
use crate::cli::train::INTERRUPTED;
use crate::cli::world::stages;
use serde::Serialize;
use std::path::Path;
use std::process::ExitCode;
use vae::device::DeviceChoice;
use vae::reproduce::Request;
use vae::text::{table, thousands};
use vae::train::Outcome;
use vae::world::controller::Inputs;
use vae::world::{PUBLISHED, Published, Scores, WorldFolder, WorldSettings};
use vae::{Error, Result};

/// Its name on the command line.
pub(super) const NAME: &str = "world-models-carracing";
/// What it reproduces.
pub(super) const TITLE: &str = "World Models: C drives by z alone, with a hidden layer, and by z and h";
/// Unseen tracks that every controller drives.
const TRACKS: u64 = 100;

/// A variant that has been driven.
#[derive(Debug, Serialize)]
struct Row {
    variant: &'static str,
    inputs: Inputs,
    theirs: [f64; 2],
    source: &'static str,
    generations: usize,
    /// Steps of the environment that C was evolved with.
    steps: u64,
    /// Seconds of the evolution.
    seconds: f64,
    #[serde(flatten)]
    scores: Scores,
}

fn chosen(request: &Request) -> Result<Vec<Published>> {
    let names: Vec<&str> = PUBLISHED.iter().map(|it| it.inputs.title()).collect();
    if let Some(unknown) = request.variants.iter().find(|name| !names.contains(&name.as_str())) {
        let problem = format!("{NAME} has no variant '{unknown}'");
        return Err(Error::setting("--variant", problem, format!("there are '{}'", names.join("', '"))));
    }
    let wanted =
        |it: &Published| request.variants.is_empty() || request.variants.contains(&it.inputs.title().into());
    Ok(PUBLISHED.into_iter().filter(wanted).collect())
}

/// Run the variants of `request` in `out`, and print their scores beside the published ones.
///
/// # Errors
/// If `out` holds something else, a setting makes no sense, or the device fails.
pub(super) fn run(request: &Request, out: &Path, resumed: bool) -> Result<ExitCode> {
    let variants = chosen(request)?;
    let folder = if resumed && WorldFolder::is_at(out) {
        WorldFolder::open(out)?
    } else {
        WorldFolder::create(out, WorldSettings::of_paper(request.scale, request.seed))?
    };
    request.write(out)?;
    let settings = folder.settings();
    let controller = &settings.controller;
    say(&format!(
        "{TITLE}\nscale {}: {} frames, {} steps of V, {} of M, {} generations of {} candidates with {} episodes each",
        request.scale,
        thousands(settings.frames.count),
        thousands(settings.vision.steps as usize),
        thousands(settings.memory.steps as usize),
        thousands(controller.generations),
        controller.population,
        controller.episodes,
    ));
    let device = &request.device;
    let before: [&dyn Fn() -> Result<Outcome>; 3] =
        [&|| stages::collect(&folder), &|| stages::vision(&folder, device), &|| {
            stages::memory(&folder, device)
        }];
    for stage in before {
        if stage()? == Outcome::Interrupted {
            return stopped(out);
        }
    }
    let mut rows = Vec::new();
    for published in variants {
        match variant(&folder, published, device)? {
            Some(row) => rows.push(row),
            None => return stopped(out),
        }
    }
    conclude(request, out, &rows)
}

fn stopped(out: &Path) -> Result<ExitCode> {
    say(&format!("interrupted; go on with:\n  vae reproduce --resume {}", out.display()));
    Ok(ExitCode::from(INTERRUPTED))
}

/// Evolve one controller, and let it drive; `None` if the user stopped it.
fn variant(folder: &WorldFolder, published: Published, device: &DeviceChoice) -> Result<Option<Row>> {
    let Published { inputs, mean, deviation, source } = published;
    let own = folder.with_inputs(inputs);
    say(&format!("C sees {}", inputs.title()));
    if stages::controller(&own, device)? == Outcome::Interrupted {
        return Ok(None);
    }
    let seeds: Vec<u64> = (0..TRACKS).collect();
    let Some(scores) = crate::cli::world::drive(&own, device, &seeds)? else { return Ok(None) };
    let curve = own.generations()?;
    let (steps, seconds) = curve.last().map_or((0, 0.0), |last| (last.steps, last.seconds));
    let theirs = [mean, deviation];
    let variant = inputs.title();
    Ok(Some(Row { variant, inputs, theirs, source, generations: curve.len(), steps, seconds, scores }))
}

fn conclude(request: &Request, out: &Path, rows: &[Row]) -> Result<ExitCode> {
    let lines: Vec<[String; 6]> = rows
        .iter()
        .map(|row| {
            [
                row.variant.to_string(),
                format!("{:.0} ± {:.0}", row.theirs[0], row.theirs[1]),
                format!("{:.0} ± {:.0}", row.scores.mean_return, row.scores.standard_deviation),
                row.generations.to_string(),
                thousands(row.steps as usize),
                format!("{:.1}", row.seconds / 60.0),
            ]
        })
        .collect();
    let heads = ["C sees", ">theirs", ">ours", ">generations", ">steps", ">minutes"];
    let text = table(heads, &lines);
    write_json(
        &serde_json::json!({ "recipe": NAME, "scale": request.scale, "seed": request.seed, "variants": rows }),
        &out.join("result.json"),
    )?;
    print(&format!(
        "{text}\nreturn over tracks 0 to {}, mean and standard deviation. Theirs are of 1800 generations of 64 candidates with 16 \
         episodes (the untrained M: of another reproduction), and of gym 0.9.4's camera: not judged.\n",
        TRACKS - 1
    ))?;
    Ok(ExitCode::SUCCESS)
}
