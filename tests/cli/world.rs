//! `vae world`.

use crate::{Place, common, text, vae};
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;

#[test]
fn a_recording_of_gymnasium_is_checked() {
    let Some(folder) = common::data("carracing") else { return };
    let golden = folder.join("golden.json");
    let checked = vae(&["world", "check", text(&golden)]).assert().success();
    checked.stdout(contains("4 episodes, 84 states").and(contains("every column is within its bound")));

    let place = Place::new();
    let mine = place.path("mine.json");
    let mut recording: serde_json::Value = serde_json::from_slice(&std::fs::read(&golden).unwrap()).unwrap();
    recording["episodes"].as_array_mut().unwrap().truncate(1);
    recording["episodes"][0]["states"]["40"][0] = 1.0.into();
    std::fs::write(&mine, recording.to_string()).unwrap();
    let checked = vae(&["world", "check", text(&mine)]).assert().code(1);
    checked.stdout(contains("seed 1: past the bound in x, first after action 40"));
}

#[test]
fn what_is_no_recording_is_refused() {
    let place = Place::new();
    let file = place.path("mine.json");
    vae(&["world", "check", text(&file)]).assert().failure().stderr(contains("mine.json"));
    std::fs::write(&file, "{").unwrap();
    let refused = vae(&["world", "check", text(&file)]).assert().failure();
    refused.stderr(contains("mine.json: this is no JSON"));
    std::fs::write(&file, "{\"columns\": []}").unwrap();
    let refused = vae(&["world", "check", text(&file)]).assert().failure();
    refused.stderr(contains("mine.json: columns lacks 'x'"));
}

#[test]
fn the_server_of_gymnasium_is_printed() {
    let printed = vae(&["world", "env-server"]).assert().success();
    printed.stdout(contains("gymnasium.make(\"CarRacing-v3\")").and(contains("\"protocol\": 1")));
}

#[test]
fn a_world_learns_goes_on_drives_and_dreams() {
    let place = Place::new();
    let world = place.path("world");
    let run = text(&world);
    let cpu = ["--device", "cpu"];
    vae(&["world", "collect", "--out", run, "--frames", "1000"])
        .assert()
        .success()
        .stderr(contains("1,000 frames"));
    vae(&["world", "collect", "--out", run]).assert().failure().stderr(contains("holds world.toml already"));
    let other = vae(&["world", "run", "--out", run, "--frames", "300"]).assert().failure();
    other.stderr(contains("--frames").and(contains("has its frames already")));
    let quick = vae(&["world", "run", "--out", run, "--quick"]).assert().failure();
    quick.stderr(contains("--quick").and(contains("has other settings")));
    let early = vae(&["world", "train-m", run]).args(cpu).assert().failure();
    early.stderr(contains("it is not there yet").and(contains("vae world train-v")));
    vae(&["world", "train-v", run, "--vision-steps", "2"]).args(cpu).assert().success();
    let memory = ["world", "train-m", run, "--memory-units", "8", "--sequence", "20", "--sequences", "4"];
    vae(&memory).args(["--memory-steps", "2"]).args(cpu).assert().success().stderr(contains("2 steps"));
    // A training goes on, and other sizes are refused.
    vae(&memory).args(["--memory-steps", "3"]).args(cpu).assert().success().stderr(contains("3 steps"));
    vae(&["world", "train-m", run, "--memory-units", "9"]).args(cpu).assert().failure();
    vae(&["world", "train-m", run, "--memory-units", "8"]).args(cpu).assert().success();
    let evolve =
        |more: &[&str]| vae(&["world", "train-c", run, "--patience", "3"]).args(more).args(cpu).assert();
    let small = ["--population", "4", "--episodes", "1", "--generations", "1"];
    evolve(&small).success().stderr(contains("generation    1"));
    evolve(&["--generations", "2"]).success().stderr(contains("generation    2"));
    evolve(&["--population", "6"]).failure().stderr(contains("population=4"));
    evolve(&["--population", "4"]).success();
    let scores = place.path("scores.json");
    let film = place.path("film.png");
    let drive = ["world", "drive", run, "--episodes", "2", "--longest", "9", "--out", text(&film)];
    vae(&drive).args(["--json", text(&scores)]).args(cpu).assert().success().stdout(contains("mean return"));
    let found: serde_json::Value = serde_json::from_slice(&std::fs::read(&scores).unwrap()).unwrap();
    assert_eq!(found["seeds"], serde_json::json!([0, 1]));
    assert_eq!(found["returns"].as_array().unwrap().len(), 2);
    assert!(image::open(&film).is_ok());
    let dream = place.path("dream.gif");
    let dreamt =
        vae(&["world", "dream", run, "--steps", "5", "--out", text(&dream)]).args(cpu).assert().success();
    dreamt.stdout(contains("64 dreams of 5 steps"));
    assert!(dream.is_file());
}
