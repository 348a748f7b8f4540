//! What came of a reproduction, in words, numbers and curves.

use crate::cli::output::{print, write_json};
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use vae::report::{EpochRecord, human_duration, save_png};
use vae::reproduce::{Achieved, Judgement, Likelihood, Recipe, Request, Variant, curves};
use vae::text::{error_text, table, thousands};
use vae::{Error, Result};

/// What `result.json` holds.
#[derive(Serialize)]
struct Numbers<'a> {
    recipe: &'static str,
    scale: f64,
    seed: u64,
    /// Whether the whole of the setting was run, so that the comparison judges.
    judged: bool,
    source: &'a str,
    /// How pixels enter the numbers.
    pixels: &'a str,
    variants: &'a [Achieved],
    comparison: &'a [Judgement],
}

/// Whether ours is all that theirs is.
fn whole(recipe: &Recipe, request: &Request) -> bool {
    let run = |variant: &Variant| request.variants.is_empty() || request.variants.contains(&variant.name);
    request.scale >= 1.0 && recipe.variants.iter().all(run)
}

/// What [`conclude`] writes: numbers and curves.
const FILES: [&str; 2] = ["result.json", "curves.png"];

/// Refuse to replace files in `out` that are not a reproduction's: those of a single model's run always, others without
/// `overwrite`.
pub(super) fn check(out: &Path, overwrite: bool) -> Result<()> {
    if Request::exists(out) {
        return Ok(());
    }
    let holds = |name: &str, hint: &str| {
        let problem = format!("{} holds a file {name} that is not part of a reproduction", out.display());
        Err(Error::setting("--out", problem, hint))
    };
    if out.join("config.toml").exists() {
        return holds("config.toml", "it is the run of a single model; name another folder");
    }
    match FILES.into_iter().find(|name| out.join(name).exists()) {
        Some(name) if !overwrite => holds(name, "replace it with --overwrite, or name another folder"),
        _ => Ok(()),
    }
}

/// Delete what an earlier reproduction in `out` has come to.
pub(super) fn clear(out: &Path) -> Result<()> {
    for file in FILES.map(|name| out.join(name)) {
        if file.exists() {
            std::fs::remove_file(&file).map_err(|source| Error::io(&file, source))?;
        }
    }
    Ok(())
}

/// Write the numbers and the curves, and say how ours compare.
pub(super) fn conclude(
    recipe: &Recipe,
    request: &Request,
    out: &Path,
    achieved: &[Achieved],
    histories: &[(String, Vec<EpochRecord>)],
) -> Result<ExitCode> {
    let comparison = recipe.judge(achieved);
    let numbers = Numbers {
        recipe: recipe.name,
        scale: request.scale,
        seed: request.seed,
        judged: whole(recipe, request),
        source: &recipe.source,
        pixels: &recipe.pixels,
        variants: achieved,
        comparison: &comparison,
    };
    let [json, picture] = FILES.map(|name| out.join(name));
    write_json(&numbers, &json)?;
    let scale = if request.scale < 1.0 { format!(", at scale {}", request.scale) } else { String::new() };
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
    let whole = whole(recipe, request);
    let rows: Vec<[String; 4]> = comparison
        .iter()
        .map(|judgement| {
            let verdict = match (whole, judgement.holds) {
                (true, true) => "agrees",
                (true, false) => "DIFFERS",
                (false, true) => "agrees, at this scale",
                (false, false) => "differs, at this scale",
            };
            [judgement.what.clone(), judgement.ours.clone(), judgement.theirs.clone(), verdict.to_string()]
        })
        .collect();
    text += &table(["what", ">ours", ">theirs", "verdict"], &rows);
    let pixels = &recipe.pixels;
    let devices: BTreeSet<&str> = achieved.iter().map(|found| found.device.as_str()).collect();
    let device = devices.into_iter().collect::<Vec<_>>().join(", ");
    text += &format!("\nnats per image, on {device}\n{pixels}\n{}\n{}\n", json.display(), picture.display());
    let failed = comparison.iter().filter(|judgement| !judgement.holds).count();
    text += &match (whole, failed) {
        (false, _) => {
            format!("{}: a part of the published setting was run{scale}; nothing is judged\n", recipe.name)
        }
        (true, 0) => format!("{}: reproduced\n", recipe.name),
        (true, _) => {
            format!("{}: NOT reproduced, {failed} of {} differ\n", recipe.name, comparison.len())
        }
    };
    print(&text)?;
    Ok(if whole && failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Negative log-likelihoods and latent dimensions in use, of the variants that were evaluated so.
fn likelihoods(achieved: &[Achieved]) -> String {
    let rows: Vec<[String; 5]> = achieved
        .iter()
        .filter_map(|found| {
            let likelihood = found.likelihood.as_ref()?;
            Some([
                found.variant.clone(),
                format!(
                    "{:.2} ± {}",
                    likelihood.negative_log_likelihood,
                    error_text(likelihood.standard_error, 2)
                ),
                layers(likelihood),
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

/// `26 of 100`, or `26 + 7 of 100 + 50`.
fn layers(likelihood: &Likelihood) -> String {
    let joined = |units: Vec<String>| units.join(" + ");
    let active = likelihood.layers.iter().map(|layer| layer.active.to_string()).collect();
    let all = likelihood.layers.iter().map(|layer| layer.all.to_string()).collect();
    format!("{} of {}", joined(active), joined(all))
}
