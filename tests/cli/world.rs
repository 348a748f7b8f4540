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
