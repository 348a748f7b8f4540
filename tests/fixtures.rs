//! Runs of an older program (tests/fixtures/README.md) open, evaluate to the same numbers, and train on to the same
//! losses.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it skips"
)]

mod common;

use common::program::{tensors, text, vae};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Relative difference of losses and of parameters after ten steps of an optimizer that averages gradients (adam, adamax,
/// rmsprop): the old program computed 1 - beta in f32. In nats it is at most 2e-5. The other optimizers train on bit by bit.
const ONE_MINUS_BETA: f64 = 2e-6;
/// The same of moments: 1 - 0.999 in f32 was wrong by 1.3e-5 of its value.
const MOMENTS: f64 = 1.4e-5;

/// Relative difference that another order of additions makes, on processors unlike the one that made the fixtures.
const OTHER_PROCESSOR: f64 = 1e-5;

/// Largest relative difference of two numbers that the same arithmetic gives: none on a processor like that of the
/// fixtures.
fn rounding() -> f64 {
    #[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
    if std::arch::is_x86_feature_detected!("avx512f") {
        return 0.0;
    }
    OTHER_PROCESSOR
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The names of the runs.
fn runs() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).unwrap().map(Result::unwrap);
    let mut names: Vec<String> =
        entries.filter(|e| e.path().is_dir()).map(|e| e.file_name().into_string().unwrap()).collect();
    names.sort();
    assert!(names.len() >= 25, "{names:?}");
    names
}

/// A copy of a run's files, deleted at the end of a test.
fn copy(run: &str) -> TempDir {
    let place = tempfile::tempdir().unwrap();
    for file in ["config.toml", "checkpoint.safetensors", "metrics.csv", "latents.csv"] {
        std::fs::copy(folder().join(run).join(file), place.path().join(file)).unwrap();
    }
    place
}

/// Whether `b` is `a`, but for `tolerance` times `scale`.
fn close(a: f64, b: f64, tolerance: f64, scale: f64) -> bool {
    if tolerance == 0.0 { a.to_bits() == b.to_bits() } else { (a - b).abs() <= tolerance * scale }
}

/// Everything that `old` says, `new` says too; `new` may have more keys.
fn assert_says(at: &str, old: &Value, new: &Value, tolerance: f64) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in old {
                // Of this machine, not of the model.
                let other = ["run", "checkpoint", "device", "seconds"].contains(&key.as_str());
                let found = new.get(key).unwrap_or_else(|| panic!("{at}.{key} is missing"));
                if !other {
                    assert_says(&format!("{at}.{key}"), value, found, tolerance);
                }
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            assert_eq!(old.len(), new.len(), "{at}");
            for (i, (old, new)) in old.iter().zip(new).enumerate() {
                assert_says(&format!("{at}[{i}]"), old, new, tolerance);
            }
        }
        (Value::Number(old), Value::Number(new)) => {
            let (a, b) = (old.as_f64().unwrap(), new.as_f64().unwrap());
            assert!(close(a, b, tolerance, a.abs().max(1.0)), "{at}: {b} instead of {a}");
        }
        _ => assert_eq!(old, new, "{at}"),
    }
}

/// `vae eval` with `flags` prints what is in `file`, of each run that has it.
fn evaluate(file: &str, flags: &[&str]) -> usize {
    let mut checked = 0;
    for run in runs() {
        let Ok(expected) = std::fs::read(folder().join(&run).join(file)) else { continue };
        let place = copy(&run);
        let output = vae(&["eval", text(place.path()), "--json", "-"]).args(flags).assert().success();
        let new = serde_json::from_slice(&output.get_output().stdout).unwrap();
        assert_says(&run, &serde_json::from_slice(&expected).unwrap(), &new, rounding());
        checked += 1;
    }
    checked
}

#[test]
fn old_runs_evaluate_to_the_same_numbers() {
    assert_eq!(evaluate("eval.json", &[]), runs().len());
    assert_eq!(evaluate("importance.json", &["--importance-samples", "50"]), 4);
    let few = ["--ais-images", "4", "--temperatures", "20", "--chains", "4", "--leapfrog", "3"];
    assert_eq!(evaluate("annealed.json", &[&["--ais", "--bdmc"], &few[..]].concat()), 3);
}

/// The names of a table's columns, and its rows.
fn table(path: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_string).collect());
    (lines.next().unwrap(), lines.collect())
}

/// The table `file` of the run in `new`, resumed, has every column of the one in `old`, rows before the resume as they
/// were, and rows after it as `run/resumed` has them. It may have more columns.
fn assert_carried_on(run: &str, file: &str, new: &Path, tolerance: f64) {
    let ((names, before), (_, all)) =
        (table(&folder().join(run).join(file)), table(&folder().join(run).join("resumed").join(file)));
    let (new_names, new_rows) = table(&new.join(file));
    let places: Vec<usize> = names
        .iter()
        .map(|name| new_names.iter().position(|new| new == name).unwrap_or_else(|| panic!("{run}: {name}")))
        .collect();
    assert_eq!(new_rows.len(), all.len(), "{run}: rows of {file}");
    assert!(all.len() >= before.len() + 10);
    for (row, (old, new)) in all.iter().zip(&new_rows).enumerate() {
        for ((name, old), &place) in names.iter().zip(old).zip(&places) {
            let (at, new) = (format!("{run}/{file}, row {row}, {name}"), &new[place]);
            if row < before.len() || old.is_empty() {
                assert_eq!(old, new, "{at}");
            } else if !["seconds", "images_per_second"].contains(&name.as_str()) {
                let (a, b): (f64, f64) = (old.parse().unwrap(), new.parse().unwrap());
                assert!(close(a, b, tolerance, a.abs().max(1.0)), "{at}: {b} instead of {a}");
            }
        }
    }
}

/// The parameters, moments and step in `new` are those of `run/resumed`.
fn assert_same_tensors(run: &str, new: &Path, tolerance: f64) {
    let moments = if tolerance == 0.0 { 0.0 } else { tolerance.max(MOMENTS) };
    let file = "checkpoint.safetensors";
    let (old, new) = (tensors(&folder().join(run).join("resumed").join(file)), tensors(&new.join(file)));
    assert!(old.len() > 10 && old.len() == new.len(), "{run}: {:?}", new.keys());
    for (name, old) in &old {
        // The second stochastic layer had another name.
        let name = &name.replace(".upper.", ".layer2.");
        let new = new.get(name).unwrap_or_else(|| panic!("{run}: no tensor {name}"));
        let tolerance = if name.starts_with("optimizer.") { moments } else { tolerance };
        if tolerance == 0.0 || name == "optimizer.step" {
            assert!(old == new, "{run}: {name} differs");
            continue;
        }
        let numbers = |bytes: &[u8]| -> Vec<f64> {
            bytemuck::pod_collect_to_vec::<u8, f32>(bytes).into_iter().map(f64::from).collect()
        };
        let (old, new) = (numbers(old), numbers(new));
        assert_eq!(old.len(), new.len(), "{run}: {name}");
        let scale = old.iter().fold(1e-12, |most: f64, x| most.max(x.abs()));
        for (i, (a, b)) in old.iter().zip(&new).enumerate() {
            assert!(close(*a, *b, tolerance, scale), "{run}: {name}[{i}] is {b} instead of {a}");
        }
    }
}

/// Resume a copy of `run` to each number of `steps` in turn, and compare what comes of it.
fn resume(run: &str, steps: impl IntoIterator<Item = u32>) {
    let place = copy(run);
    for steps in steps {
        vae(&["train", "--resume", text(place.path()), "--steps", &steps.to_string()]).assert().success();
    }
    let config = std::fs::read_to_string(folder().join(run).join("config.toml")).unwrap();
    let exact = ["sgd", "adagrad"].iter().any(|kind| config.contains(&format!("\noptimizer = \"{kind}\"\n")));
    let tolerance = if exact { rounding() } else { rounding().max(ONE_MINUS_BETA) };
    assert_carried_on(run, "metrics.csv", place.path(), tolerance);
    assert_carried_on(run, "latents.csv", place.path(), tolerance);
    assert_same_tensors(run, place.path(), tolerance);
}

#[test]
fn old_runs_train_on_to_the_same_losses() {
    for run in runs().iter().filter(|run| !run.starts_with("epochs")) {
        resume(run, [22]);
    }
}

/// Ten more steps, one at a time, from the middle of an epoch into two later ones: the images come in the old order.
#[test]
fn old_runs_keep_their_order_of_images() {
    for run in ["epochs-adam", "epochs-sgd"] {
        resume(run, 11..=20);
    }
}

/// An old run is made again by `--order 1`, and not without it: new runs have another order, and say so.
#[test]
fn a_new_run_in_the_old_order_is_the_old_run() {
    let run = "epochs-sgd";
    let place = tempfile::tempdir().unwrap();
    let train = |name: &str, order: &[&str]| {
        let (out, config) = (place.path().join(name), folder().join(run).join("config.toml"));
        vae(&["train", "--out", text(&out), "--config", text(&config)]).args(order).assert().success();
        (table(&out.join("metrics.csv")), std::fs::read_to_string(out.join("config.toml")).unwrap())
    };
    let (_, old) = table(&folder().join(run).join("metrics.csv"));
    let ((names, again), config) = train("again", &["--order", "1"]);
    assert!(config.contains("\norder = 1\n"), "{config}");
    let column = names.iter().position(|name| name == "train_elbo").unwrap();
    let losses =
        |rows: &[Vec<String>]| -> Vec<f64> { rows.iter().map(|row| row[column].parse().unwrap()).collect() };
    for (a, b) in losses(&old).into_iter().zip(losses(&again)) {
        assert!(close(a, b, rounding(), a.abs()), "{b} instead of {a}");
    }
    let ((_, new), config) = train("new", &[]);
    assert!(config.contains("\norder = 2\n"), "{config}");
    assert!(losses(&old) != losses(&new), "the two orders are one");
}

/// Every key within `value`, a list's elements under `*`.
fn keys(at: &str, value: &Value, found: &mut BTreeSet<String>) {
    let mut within = |key: &str, value| {
        let path = if at.is_empty() { key.to_string() } else { format!("{at}.{key}") };
        keys(&path, value, found);
        found.insert(path);
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| within(key, value)),
        Value::Array(values) => values.iter().for_each(|value| within("*", value)),
        _ => {}
    }
}

#[test]
fn the_bench_keeps_its_keys() {
    let old: BTreeSet<String> =
        serde_json::from_slice(&std::fs::read(folder().join("bench-keys.json")).unwrap()).unwrap();
    assert!(old.len() > 50);
    let mut found = BTreeSet::new();
    for filter in ["kernels/adam", "matmul/nt/128x500x784", "train_step/784-500-20-tanh/128"] {
        let command = ["bench", "--device", "cpu", "--quick", "--json", "-", "--filter", filter];
        let output = vae(&command).assert().success();
        keys("", &serde_json::from_slice(&output.get_output().stdout).unwrap(), &mut found);
    }
    let missing: Vec<_> = old.difference(&found).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
