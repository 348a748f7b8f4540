//! Runs that go on: longer, after an interrupt, after a kill.

use super::{Place, SMALL, WELL, assert_same_tensors, eval, tensors, text, train, vae};
use predicates::prelude::*;
use predicates::str::contains;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn a_longer_run_is_the_same_in_two_parts() {
    let place = Place::new();
    let whole = place.train("whole", &["--epochs", "3"]);
    let parts = place.train("parts", &["--epochs", "1"]);
    vae(&["train", "--resume", text(&parts)])
        .assert()
        .success()
        .stdout(contains("has all its 6 steps").and(contains("--epochs 2")));
    vae(&["train", "--resume", text(&parts), "--epochs", "3"]).assert().success();
    vae(&["train", "--resume", text(&parts), "--epochs", "2"])
        .assert()
        .success()
        .stdout(contains("has done 18 steps (3 epochs)").and(contains("--epochs 6")));
    assert_same_tensors(&whole, &parts);
    let rows = |run: &Path| std::fs::read_to_string(run.join("metrics.csv")).unwrap().lines().count();
    assert_eq!(rows(&whole), rows(&parts));
    // Within an epoch, by steps.
    let steps = place.train("steps", &["--steps", "10"]);
    vae(&["train", "--resume", text(&steps), "--steps", "18"]).assert().success();
    assert_same_tensors(&whole, &steps);
}

#[test]
fn the_step_size_follows_its_schedule_through_a_resume() {
    let place = Place::new();
    let rate = ["--learning-rate", "0.001"];
    let flags = [&rate[..], &["--learning-rate-schedule", "iwae", "--adam-epsilon", "1e-4"]].concat();
    let whole = place.train("whole", &[&flags[..], &["--epochs", "3"]].concat());
    // Stopped within the second stage, which begins after the first epoch of 6 steps.
    let parts = place.train("parts", &[&flags[..], &["--steps", "10"]].concat());
    vae(&["train", "--resume", text(&parts), "--learning-rate-schedule", "constant"])
        .assert()
        .code(1)
        .stderr(contains("--learning-rate-schedule: a run keeps"));
    vae(&["train", "--resume", text(&parts), "--steps", "18"]).assert().success();
    assert_same_tensors(&whole, &parts);
    let rates: Vec<f64> = std::fs::read_to_string(whole.join("metrics.csv"))
        .unwrap()
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(11).unwrap().parse().unwrap())
        .collect();
    let second = 0.001 * 10.0_f64.powf(-1.0 / 7.0);
    assert!(rates[0] == 0.001 && rates[1..].iter().all(|rate| (rate - second).abs() < 1e-12), "{rates:?}");
    // Each of the two settings does something, and neither is the default.
    let parameters = |run: &Path| tensors(&run.join("checkpoint.safetensors"));
    for others in [&["--learning-rate-schedule", "iwae"][..], &["--adam-epsilon", "1e-4"]] {
        let other = place.train(others[0], &[&rate[..], others, &["--epochs", "3"]].concat());
        assert!(parameters(&whole) != parameters(&other), "{others:?}");
    }
    train(&place.path("sgd"), &["--optimizer", "sgd", "--adam-epsilon", "1e-4"])
        .assert()
        .code(1)
        .stderr(contains("--adam-epsilon: the optimizer is neither adam nor adamax"));
    train(&place.path("zero"), &["--adam-epsilon", "0"])
        .assert()
        .code(1)
        .stderr(contains("--adam-epsilon: 0 is not between"));
}

#[test]
fn averages_are_kept_and_evaluated() {
    let place = Place::new();
    let flags = ["--ema-decay", "0.9"];
    let whole = place.train("whole", &[&flags[..], &["--epochs", "3"]].concat());
    let parts = place.train("parts", &[&flags[..], &["--steps", "10"]].concat());
    vae(&["train", "--resume", text(&parts), "--steps", "18"]).assert().success();
    assert_same_tensors(&whole, &parts);
    vae(&["train", "--resume", text(&parts), "--ema-decay", "0.5"])
        .assert()
        .code(1)
        .stderr(contains("--ema-decay: a run keeps"));
    // The parameters are those of a run without averages; held-out images see the averages.
    let plain = place.train("plain", &["--epochs", "3"]);
    let (averaged, raw) =
        (tensors(&whole.join("checkpoint.safetensors")), tensors(&plain.join("checkpoint.safetensors")));
    for (name, bytes) in &raw {
        assert!(averaged[name] == *bytes, "{name} differs");
    }
    let kept = averaged.keys().filter(|name| name.starts_with("average.")).count();
    assert!(kept > 5 && averaged["average.encoder.0.weight"] != averaged["encoder.0.weight"]);
    // In the place of the parameters.
    assert_eq!(averaged.len(), raw.len() + kept);
    let elbo = |run: &Path| eval(run, &[])["elbo"].as_f64().unwrap();
    let last = |run: &Path| {
        let rows = std::fs::read_to_string(run.join("metrics.csv")).unwrap();
        rows.lines().last().unwrap().split(',').nth(7).unwrap().parse::<f64>().unwrap()
    };
    assert!(last(&whole) != last(&plain) && elbo(&whole) != elbo(&plain));
    assert!((elbo(&whole) - last(&whole)).abs() < 1e-3, "{} and {}", elbo(&whole), last(&whole));
    // A run that begins with them evaluates the same before its first step.
    train(&place.path("from"), &["--from", text(&whole), "--learning-rate", "1e-30", "--steps", "1"])
        .assert()
        .success();
    assert!((elbo(&place.path("from")) - elbo(&whole)).abs() < 1e-6);
    train(&place.path("one"), &["--ema-decay", "1"])
        .assert()
        .code(1)
        .stderr(contains("--ema-decay: 1 is not"));
}

#[test]
fn a_run_keeps_its_settings() {
    let place = Place::new();
    let run = place.train("run", &["--epochs", "1"]);
    vae(&["train", "--resume", text(&run), "--latent", "3"])
        .assert()
        .code(1)
        .stderr(contains("error: --latent: a run keeps the settings"));
    vae(&["train", "--resume", text(&run), "--kl-warmup", "3"])
        .assert()
        .code(1)
        .stderr(contains("--kl-warmup"));
    let file = run.join("config.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    for (table, old, new) in [
        ("data", "images = 300", "images = 299"),
        ("run", "seed = 1", "seed = 2"),
        ("run", "batch-size = 50", "batch-size = 60"),
        ("run", "order = 2\n", ""),
        ("optimizer", "learning-rate = 0.002", "learning-rate = 0.001"),
        ("optimizer", "kind = \"adam\"", "kind = \"sgd\""),
        ("data", "test-fraction = 0.1", "image-size = [28, 28]\ntest-fraction = 0.1"),
    ] {
        assert!(config.contains(old), "{old}");
        std::fs::write(&file, config.replace(old, new)).unwrap();
        // A file without an order is of before it was written down.
        let new = if new.is_empty() { "order = 1" } else { new };
        let (key, value) = new.lines().next().unwrap().split_once(" = ").unwrap();
        let key = format!("{table}.{key}");
        vae(&["train", "--resume", text(&run), "--epochs", "2"])
            .assert()
            .code(1)
            .stderr(contains(format!("{key} is {value} here, but the run was trained with {key}")));
    }
    std::fs::write(&file, config).unwrap();
    for flag in [&["--out", "x"][..], &["--overwrite"], &["--config", "x.toml"]] {
        vae(&["train", "--resume", text(&run)]).args(flag).assert().code(2).stderr(contains(flag[0]));
    }
}

/// Long enough to be interrupted at any of many steps.
const LONG: [&str; 2] = ["--steps", "900"];

/// Start the long run, stop it with `signal` once it has saved something (or at once), and return its errors and exit.
#[cfg(unix)]
fn stop(path: &Path, signal: &str, after: &str) -> std::process::Output {
    let child = std::process::Command::new(assert_cmd::cargo::cargo_bin("vae"))
        .args(["train", "--out", text(path)])
        .args(SMALL)
        .args(LONG)
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !path.join(after).exists() && start.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
    // Somewhere within an epoch.
    std::thread::sleep(Duration::from_millis(130));
    let killed = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    child.wait_with_output().unwrap()
}

#[cfg(unix)]
#[test]
fn a_stopped_run_goes_on_as_if_it_had_not_been() {
    let place = Place::new();
    let whole = place.train("whole", &LONG);
    let interrupted = place.path("interrupted");
    let output = stop(&interrupted, "-INT", "metrics.csv");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{errors}");
    assert!(errors.contains(&format!("vae train --resume {}", interrupted.display())), "{errors}");
    assert!(!interrupted.join("curves.png").exists());
    eval(&interrupted, &["--device", "cpu"]);
    vae(&["train", "--resume", text(&interrupted)]).assert().success().stderr(contains("from step"));
    assert_same_tensors(&whole, &interrupted);

    let killed = place.path("killed");
    let output = stop(&killed, "-KILL", "checkpoint.safetensors");
    assert_eq!(output.status.code(), None);
    vae(&["train", "--resume", text(&killed)]).assert().success();
    assert_same_tensors(&whole, &killed);
    let metrics = |run: &Path| -> Vec<String> {
        let text = std::fs::read_to_string(run.join("metrics.csv")).unwrap();
        // Times differ; epoch, step, images and the ELBOs do not.
        let fields = |line: &str| {
            let fields: Vec<&str> = line.split(',').collect();
            [&fields[..3], &fields[4..12]].concat().join(",")
        };
        text.lines().map(fields).collect()
    };
    assert_eq!(metrics(&whole), metrics(&killed));
    assert_eq!(metrics(&whole), metrics(&interrupted));
}

/// Where the first number of a tensor lies in a checkpoint: after the header's length, the header, and other tensors.
fn place_of(tensor: &str, checkpoint: &[u8]) -> usize {
    let header = u64::from_le_bytes(checkpoint[..8].try_into().unwrap()) as usize;
    let described: serde_json::Value = serde_json::from_slice(&checkpoint[8..8 + header]).unwrap();
    8 + header + described[tensor]["data_offsets"][0].as_u64().unwrap() as usize
}

#[test]
fn damaged_checkpoints_are_named() {
    let place = Place::new();
    let run = place.train("run", &[&WELL[..], &["--epochs", "1"]].concat());
    let other = place.train("other", &["--epochs", "1", "--latent", "7"]);
    let smooth = place.train("smooth", &["--epochs", "1", "--activation", "elu"]);
    let again = place.train("again", &["--epochs", "1", "--seed", "9"]);
    let file = run.join("checkpoint.safetensors");
    let whole = std::fs::read(&file).unwrap();
    let refused = |problem: &str| {
        for command in [&["eval", text(&run)][..], &["train", "--epochs", "2", "--resume", text(&run)]] {
            vae(command).assert().code(1).stderr(contains(text(&file)).and(contains(problem)));
        }
    };
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    refused("cut short");
    refused(&format!("copy {} over it", run.join("best.safetensors").display()));
    std::fs::write(&file, b"").unwrap();
    refused("cut short");
    std::fs::copy(other.join("checkpoint.safetensors"), &file).unwrap();
    refused("model.latent = 7");
    std::fs::copy(smooth.join("checkpoint.safetensors"), &file).unwrap();
    refused("model.activation = \"elu\"");
    // Other images would be held out.
    std::fs::copy(again.join("checkpoint.safetensors"), &file).unwrap();
    vae(&["eval", text(&run)]).assert().code(1).stderr(contains("run.seed = 9").and(contains("held out")));
    let mut broken = whole.clone();
    broken[place_of("encoder.mean.bias", &whole)..][..4].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&file, broken).unwrap();
    refused("tensor 'encoder.mean.bias' holds the value NaN");
    std::fs::remove_file(&file).unwrap();
    refused("there is no checkpoint");
    eval(&run, &["--best"]);
    std::fs::write(&file, &whole).unwrap();
    eval(&run, &[]);
}

/// Kill a run again and again, at any moment of starting, training and saving, and go on until it has finished: it ends as
/// one that was left alone. `VAE_KILLS` is the number of kills; 200 take two minutes.
#[cfg(unix)]
#[test]
fn runs_that_are_killed_at_random_end_as_others() {
    let kills: usize = std::env::var("VAE_KILLS").map_or(2, |text| text.parse().unwrap());
    let tiny = "--device cpu --images 40 --image-size 8x8 --hidden 4 --latent 3 --batch-size 20 --epochs 40 \
                --output-bias mean-image --learning-rate 0.01";
    let tiny: Vec<&str> = tiny.split(' ').collect();
    let place = Place::new();
    let whole = place.path("whole");
    let start = Instant::now();
    vae(&["train", "--out", text(&whole)]).args(&tiny).assert().success();
    let longest = start.elapsed().as_millis() as u64;
    let files = |run: &Path| {
        let names = std::fs::read_dir(run).unwrap().map(|entry| entry.unwrap().file_name());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    let mut random = 0x9E37_79B9_u64;
    let (mut done, mut runs) = (0, 0);
    while done < kills {
        let run = place.path(&format!("killed-{runs}"));
        runs += 1;
        loop {
            let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("vae"));
            match run.join("checkpoint.safetensors").exists() {
                true => command.args(["train", "--resume", text(&run)]),
                false => command.args(["train", "--overwrite", "--out", text(&run)]).args(&tiny),
            };
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            std::thread::sleep(Duration::from_millis((random >> 33) % longest));
            if done < kills && child.try_wait().unwrap().is_none() {
                child.kill().unwrap();
                done += usize::from(child.wait().unwrap().code().is_none());
                continue;
            }
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            break;
        }
        assert_same_tensors(&whole, &run);
        let best = |run: &Path| tensors(&run.join("best.safetensors"));
        assert!(best(&whole) == best(&run), "the best parameters of {} differ", run.display());
        assert_eq!(files(&whole), files(&run), "files are left over or missing");
        std::fs::remove_dir_all(&run).unwrap();
    }
    eprintln!("{done} of {kills} kills, {runs} runs that ended alike");
}
