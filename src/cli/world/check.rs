//! `vae world check`.

use crate::cli::output;
use clap::Args;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use vae::Result;
use vae::text::{table, thousands};
use vae::world::racing::{BOUNDS, MEASURES, Recording, Replay, check};

/// Replay recorded episodes of gymnasium's CarRacing-v3 in this program's environment, and print the greatest error of each
/// column, by episode and in all. The exit status is 1 if one is past its bound.
#[derive(Debug, Args)]
#[command(after_help = "\
A recording is JSON: {\"columns\": [\"x\", \"y\", \"angle\", \"vx\", \"vy\", \"angular\", \"reward\", \"tiles_visited\"], \"episodes\": [..]}. \
An episode has a seed (of reset), tiles (of the track), actions ([steering, gas, brake] of each step), return (the sum of \
rewards) and states: an object from the number of an action, from 0, to the columns after it. The position is that of \
env.unwrapped.car.hull, and the velocity its linearVelocity. track_first and track_last, the first and the last of \
env.unwrapped.track, are optional. The episode may end before the last action.

Examples:
  vae world check golden.json
  vae world check mine.json
  vae world check one.json two.json")]
pub(crate) struct Check {
    /// Recordings
    #[arg(required = true, value_name = "FILE.json")]
    files: Vec<PathBuf>,
}

impl Check {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let recordings = self.files.iter().map(|file| Recording::open(file)).collect::<Result<Vec<_>>>()?;
        let mut status = ExitCode::SUCCESS;
        for (file, recording) in self.files.iter().zip(&recordings) {
            let replays = check(recording);
            output::print(&text(file, &replays))?;
            if replays.iter().any(|replay| replay.past().next().is_some()) {
                status = ExitCode::FAILURE;
            }
        }
        Ok(status)
    }
}

/// The errors as a table, and what is past its bound.
fn text(file: &Path, replays: &[Replay]) -> String {
    let states = replays.iter().map(|replay| replay.states).sum();
    let mut text =
        format!("{}: {} episodes, {} states\n", file.display(), thousands(replays.len()), thousands(states));
    let row = |name: String, kind: &str, steps: usize, values: [f64; MEASURES.len()]| -> [String; 14] {
        let mut cells = values.iter().map(|value| number(*value));
        std::array::from_fn(|i| match i {
            0 => name.clone(),
            1 => kind.to_string(),
            2 if steps > 0 => thousands(steps),
            2 => String::new(),
            _ => cells.next().unwrap_or_default(),
        })
    };
    let mut rows: Vec<[String; 14]> = replays
        .iter()
        .map(|replay| row(replay.seed.to_string(), &replay.kind, replay.steps, replay.worst))
        .collect();
    let worst = std::array::from_fn(|i| replays.iter().map(|replay| replay.worst[i]).fold(0.0, f64::max));
    rows.push(row("all".into(), "", replays.iter().map(|replay| replay.steps).sum(), worst));
    rows.push(row("bound".into(), "", 0, BOUNDS));
    let head = std::array::from_fn(|i| match i {
        0 => "seed",
        1 => "kind",
        2 => ">steps",
        _ => HEADS[i - 3],
    });
    text += &table(head, &rows);
    // Writing to a text cannot fail.
    for replay in replays.iter().filter(|replay| replay.doubles) {
        let _ = writeln!(text, "seed {}: actions in double precision, not rounded to single", replay.seed);
    }
    let mut within = true;
    for replay in replays {
        let past: Vec<&str> = replay.past().collect();
        if !past.is_empty() {
            within = false;
            let first =
                replay.first_past.map(|step| format!(", first after action {step}")).unwrap_or_default();
            let _ = writeln!(text, "seed {}: past the bound in {}{first}", replay.seed, past.join(", "));
        }
    }
    if within {
        text += "every column is within its bound\n";
    }
    text
}

/// [`MEASURES`], aligned to the right.
const HEADS: [&str; MEASURES.len()] = [
    ">x",
    ">y",
    ">angle",
    ">vx",
    ">vy",
    ">angular",
    ">reward",
    ">tiles_visited",
    ">tiles",
    ">track",
    ">return",
];

/// An error, with two significant digits.
fn number(value: f64) -> String {
    if value == 0.0 || (value >= 1.0 && value.fract() == 0.0) {
        format!("{value}")
    } else {
        format!("{value:.1e}")
    }
}
