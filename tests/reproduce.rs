//! `vae reproduce` from outside.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a test fails by panicking, and says what it skips"
)]

mod common;

use common::program::{text, vae};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// What a reproduction wrote down, times left out.
fn result(out: &Path) -> Value {
    let mut numbers: Value =
        serde_json::from_slice(&std::fs::read(out.join("result.json")).unwrap()).unwrap();
    for variant in numbers["variants"].as_array_mut().unwrap() {
        assert!(variant["seconds"].take().as_f64().unwrap() > 0.0);
    }
    numbers
}

#[test]
fn recipes_are_listed_and_names_checked() {
    vae(&["reproduce"])
        .assert()
        .success()
        .stdout(contains("pytorch-example").and(contains("aevb-mnist")).and(contains("aevb-freyface")));
    vae(&["reproduce", "nothing"]).assert().code(1).stderr(contains("there are pytorch-example"));
    for scale in ["0", "1.5", "-1", "x"] {
        vae(&["reproduce", "aevb-mnist", "--scale", scale]).assert().code(2).stderr(contains("above 0"));
    }
    vae(&["reproduce", "aevb-mnist", "--variant", "4 latents"])
        .assert()
        .code(1)
        .stderr(contains("there are 3 latents"));
    vae(&["reproduce", "aevb-freyface"]).assert().code(1).stderr(contains("--data-dir"));
    vae(&["reproduce", "--scale", "1"])
        .assert()
        .code(1)
        .stderr(contains("--scale: there is nothing to reproduce"));
    vae(&["reproduce", "--help"])
        .assert()
        .success()
        .stdout(contains("Example").and(contains("vae reproduce")));
}

#[test]
fn a_fraction_of_a_recipe_is_labelled_and_not_judged() {
    let Some(data) = common::data("freyface") else { return };
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("frey");
    let data_dir = data.parent().unwrap();
    let arguments = ["reproduce", "aevb-freyface", "--scale", "0.0002", "--variant", "2 latents,5 latents"];
    let folders = ["--data-dir", text(data_dir), "--out", text(&out), "--device", "cpu"];
    vae(&arguments)
        .args(folders)
        .assert()
        .success()
        .stdout(contains("5 latents").and(contains("nothing is judged")).and(contains("at scale 0.0002")));
    let numbers: Value = serde_json::from_slice(&std::fs::read(out.join("result.json")).unwrap()).unwrap();
    // 5,650 passes of 18 minibatches, times the scale, are 20 steps: a pass and two minibatches more.
    assert_eq!(numbers["variants"][0]["images"], 1768 + 200);
    assert_eq!((numbers["variants"].as_array().unwrap().len(), numbers["scale"].as_f64()), (2, Some(0.0002)));
    assert_eq!((numbers["judged"].as_bool(), numbers["seed"].as_u64()), (Some(false), Some(1)));
    assert!(image::open(out.join("curves.png")).is_ok());
    assert!(out.join("2-latents/checkpoint.safetensors").exists());
    vae(&arguments).args(folders).assert().code(1).stderr(contains("--overwrite"));
}

/// A recipe's likelihood is what `vae eval` says of the run it leaves.
#[test]
fn a_recipes_likelihood_is_that_of_its_run() {
    let Some(data) = common::data("mnist") else { return };
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("vae");
    let folders = ["--data-dir", text(data.parent().unwrap()), "--out", text(&out), "--device", "cpu"];
    vae(&["reproduce", "vae-784-400-40", "--scale", "0.00002"]).args(folders).assert().success().stdout(
        contains("1,000 x 200")
            .and(contains("of 40"))
            .and(contains("784-400-40, NLL by L_200"))
            .and(contains("not Larochelle and Murray's file"))
            .and(contains("nothing is judged")),
    );
    let numbers: Value = serde_json::from_slice(&std::fs::read(out.join("result.json")).unwrap()).unwrap();
    let variant = &numbers["variants"][0];
    // 500 passes of 500 minibatches, times the scale.
    assert_eq!(variant["images"], 500);
    let evaluate = ["--images", "1000", "--importance-samples", "200", "--json", "-"];
    let run = out.join("784-400-40");
    let output = vae(&["eval", text(&run)]).args(evaluate).assert().success().get_output().stdout.clone();
    let report: Value = serde_json::from_slice(&output).unwrap();
    for key in ["negative_log_likelihood", "standard_error"] {
        assert_eq!(variant["likelihood"][key], report["importance"][key], "{key}");
    }
    // L_200 is above the ELBO, and after 5 steps far below any model's.
    let (loss, elbo) = (variant["likelihood"]["negative_log_likelihood"].as_f64().unwrap(), &variant["elbo"]);
    assert!(loss > 150.0 && loss < -elbo.as_f64().unwrap() + 5.0, "{numbers}");
}

/// Stopped in its second variant, it goes on there, and comes to what it would have come to; then there is nothing to do.
#[cfg(unix)]
#[test]
fn a_stopped_reproduction_goes_on_as_if_it_had_not_been() {
    use std::time::Instant;
    let Some(data) = common::data("freyface") else { return };
    let place = tempfile::tempdir().unwrap();
    let arguments = [
        "reproduce",
        "aevb-freyface",
        "--scale",
        "0.003",
        "--variant",
        "2 latents,5 latents",
        "--device",
        "cpu",
    ];
    let folders = |out: &Path| -> Vec<String> {
        ["--data-dir", text(data.parent().unwrap()), "--out", text(out)].map(String::from).to_vec()
    };
    let whole = place.path().join("whole");
    vae(&arguments).args(folders(&whole)).assert().success();

    let stopped = place.path().join("stopped");
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("vae"))
        .args(arguments)
        .args(folders(&stopped))
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !stopped.join("5-latents/checkpoint.safetensors").exists()
        && start.elapsed() < Duration::from_secs(60)
    {
        std::thread::sleep(Duration::from_millis(2));
    }
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(stopped.join("2-latents/achieved.json").exists());
    assert!(!stopped.join("5-latents/achieved.json").exists() && !stopped.join("result.json").exists());

    vae(&arguments).args(folders(&stopped)).assert().code(1).stderr(contains("--resume"));
    let resume = ["reproduce", "--resume", text(&stopped)];
    vae(&resume)
        .assert()
        .success()
        .stderr(contains("2 latents: done before").and(contains("5 latents: goes on from step")));
    assert_eq!(result(&stopped), result(&whole));
    vae(&resume).assert().success().stderr(contains("5 latents: done before"));
    assert_eq!(result(&stopped), result(&whole));

    vae(&["reproduce", "--resume", text(place.path())]).assert().code(1).stderr(contains("reproduce.toml"));
    vae(&["reproduce", "--resume", text(&stopped), "--scale", "1"])
        .assert()
        .code(2)
        .stderr(contains("--scale"));
}

/// Variants of a recipe in `out`, done in an instant.
fn quick(data: &Path, out: &Path, variants: &str, more: &[&str]) -> assert_cmd::assert::Assert {
    vae(&["reproduce", "aevb-freyface", "--scale", "0.0002", "--variant", variants, "--device", "cpu"])
        .args(["--data-dir", text(data.parent().unwrap()), "--out", text(out)])
        .args(more)
        .assert()
}

#[test]
fn a_reproduction_goes_on_with_images_that_have_moved_and_not_under_other_settings() {
    let Some(data) = common::data("freyface") else { return };
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("frey");
    quick(&data, &out, "2 latents,5 latents", &[]).success();
    let before = result(&out);
    let moved = place.path().join("elsewhere/freyface");
    std::fs::create_dir_all(&moved).unwrap();
    for file in std::fs::read_dir(&data).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), moved.join(file.file_name())).unwrap();
    }
    std::fs::remove_file(out.join("5-latents/achieved.json")).unwrap();
    // A path of its own folder, which is not that of the next command.
    let mut command = vae(&["reproduce", "--resume", text(&out), "--data-dir", "elsewhere"]);
    command.current_dir(place.path());
    command.assert().success().stderr(contains("5 latents: goes on from step"));
    assert_eq!(result(&out), before);
    vae(&["reproduce", "--resume", text(&out)]).assert().success();

    // A run of this recipe in another version of the program is not taken for one of these.
    let file = out.join("2-latents/config.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    let other = config.replace("batch-size = 100", "batch-size = 99");
    assert_ne!(config, other);
    std::fs::write(&file, other).unwrap();
    vae(&["reproduce", "--resume", text(&out)])
        .assert()
        .code(1)
        .stderr(contains("run.batch-size is 100 in the recipe aevb-freyface").and(contains("--overwrite")));
}

/// Nothing of what is replaced is left for --resume to take as done.
#[test]
fn a_replaced_reproduction_is_gone_before_the_first_model_trains() {
    let Some(data) = common::data("freyface") else { return };
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("frey");
    quick(&data, &out, "2 latents,5 latents", &[]).success();
    let gone = ["5-latents/achieved.json", "5-latents/checkpoint.safetensors", "result.json", "curves.png"];
    assert!(gone.iter().all(|name| out.join(name).exists()));
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("vae"))
        .args(["reproduce", "aevb-freyface", "--overwrite", "--device", "cpu"])
        .args(["--data-dir", text(data.parent().unwrap()), "--out", text(&out)])
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let start = std::time::Instant::now();
    while !std::fs::read_to_string(out.join("reproduce.toml")).is_ok_and(|text| text.contains("scale = 1.0"))
    {
        assert!(start.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    for name in gone {
        assert!(!out.join(name).exists(), "{name}");
    }

    // Fewer variants leave nothing of the others; files outside a reproduction are not replaced.
    quick(&data, &out, "2 latents,5 latents", &["--overwrite"]).success();
    quick(&data, &out, "2 latents", &["--overwrite"]).success();
    assert!(out.join("2-latents").exists() && !out.join("5-latents").exists());
    std::fs::remove_file(out.join("reproduce.toml")).unwrap();
    quick(&data, &out, "5 latents", &[])
        .code(1)
        .stderr(contains("result.json that is not part of a reproduction"));
    std::fs::write(out.join("config.toml"), "").unwrap();
    quick(&data, &out, "5 latents", &["--overwrite"]).code(1).stderr(contains("run of a single model"));
}
