//! The environment against recordings of gymnasium, and what drives in it.

use super::*;
use rayon::prelude::*;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The recording of gymnasium 1.4.0: in `VAE_DATA`, or in `shared/data` beside the project.
fn golden() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let roots = [std::env::var_os("VAE_DATA").map(PathBuf::from), Some(beside)];
    let files = roots.into_iter().flatten().map(|root| root.join("carracing/golden.json"));
    let found = files.into_iter().find(|file| file.is_file());
    if found.is_none() {
        assert!(
            std::env::var_os("VAE_REQUIRE_DATA").is_none_or(|v| v != "1"),
            "VAE_REQUIRE_DATA=1, but no carracing/golden.json"
        );
        println!("SKIPPED: no carracing/golden.json; set VAE_DATA to the folder that holds carracing");
    }
    found
}

/// The bits are equal: a tolerance would hide a difference that grows in a longer episode.
#[test]
fn recorded_episodes_are_met_bit_for_bit() {
    let Some(file) = golden() else { return };
    let replays = check(&Recording::open(&file).unwrap());
    assert_eq!(replays.len(), 4);
    for replay in replays {
        assert_eq!(replay.worst[..6], [0.0; 6], "{replay:?}");
        assert!(replay.worst[6..].iter().all(|error| *error < 1e-12), "{replay:?}");
        assert!(!replay.doubles && replay.steps == 400, "{replay:?}");
    }
}

/// Tiles of the first tracks of seeds 0 to 9, and of the three tracks after the first of seed 0, in gymnasium 1.4.0.
#[test]
fn tracks_are_those_of_gymnasium() {
    let lengths = (0..10).map(|seed| Racing::new(seed).track().tiles.len());
    assert_eq!(lengths.collect::<Vec<_>>(), [319, 275, 335, 271, 275, 329, 284, 319, 251, 285]);
    let mut racing = Racing::new(0);
    let lengths = (0..3).map(|_| {
        racing.reset();
        racing.track().tiles.len()
    });
    assert_eq!(lengths.collect::<Vec<_>>(), [281, 323, 300]);
    racing.reset_with(0);
    assert_eq!(racing.track(), Racing::new(0).track());
}

/// A recording of ours: `steps` steps of half gas, straight ahead, from seed 7, with a state every 50 steps and at the end.
fn recorded(steps: usize) -> Value {
    let mut racing = Racing::new(7);
    let (mut total, mut states, mut actions) = (0.0, serde_json::Map::new(), Vec::new());
    for step in 0..steps {
        let action = [0.0f32, 0.5, 0.0];
        let outcome = racing.step(action);
        total += outcome.reward;
        actions.push(action);
        if step % 50 == 0 || outcome.terminated {
            let hull = racing.car().hull;
            let state = json!([
                hull.x,
                hull.y,
                hull.angle,
                hull.vx,
                hull.vy,
                hull.angular,
                outcome.reward,
                racing.visits()
            ]);
            states.insert(step.to_string(), state);
        }
        if outcome.terminated {
            break;
        }
    }
    actions.resize(steps, [0.0, 0.5, 0.0]);
    json!({"columns": COLUMNS, "episodes": [{
        "seed": 7, "tiles": racing.track().tiles.len(), "return": total, "actions": actions, "states": states,
    }]})
}

/// The recording `value`, read from a file.
fn read(value: &Value) -> crate::Result<Recording> {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("mine.json");
    std::fs::write(&file, value.to_string()).unwrap();
    Recording::open(&file)
}

#[test]
fn an_episode_may_end_before_its_last_action() {
    let recording = recorded(700);
    let [replay] = check(&read(&recording).unwrap()).try_into().unwrap();
    assert!(replay.steps < 690, "{replay:?}");
    assert_eq!(replay.past().next(), None, "{replay:?}");
}

#[test]
fn an_error_past_a_bound_is_found() {
    let mut recording = recorded(120);
    recording["episodes"][0]["states"]["50"][0] = json!(0.0);
    recording["episodes"][0]["tiles"] = json!(3);
    let [replay] = check(&read(&recording).unwrap()).try_into().unwrap();
    assert_eq!(replay.past().collect::<Vec<_>>(), ["x", "tiles"]);
    assert_eq!(replay.first_past, Some(50));
    let mut recording = recorded(120);
    recording["episodes"][0]["seed"] = json!(8);
    let [replay] = check(&read(&recording).unwrap()).try_into().unwrap();
    assert!(replay.past().count() > 3, "{replay:?}");
}

/// gymnasium's wrapper ends an episode after 1000 steps; without the wrapper it goes on.
#[test]
fn a_return_may_be_that_of_the_first_thousand_steps() {
    let mut racing = Racing::new(7);
    let rewards: Vec<f64> = (0..1100).map(|_| racing.step([0.5, 0.1, 0.0]).reward).collect();
    let mut recording = recorded(40);
    let episode = &mut recording["episodes"][0];
    episode["actions"] = json!(vec![[0.5, 0.1, 0.0]; 1100]);
    episode["states"] = json!({"0": [0, 0, 0, 0, 0, 0, 0, 0]});
    for (sum, within) in [(rewards.len(), true), (1000, true), (1001, false)] {
        recording["episodes"][0]["return"] = json!(rewards[..sum].iter().sum::<f64>());
        let [replay] = check(&read(&recording).unwrap()).try_into().unwrap();
        assert_eq!(replay.past().all(|measure| measure != "return"), within, "{sum}: {replay:?}");
    }
}

#[test]
fn columns_may_come_in_any_order() {
    let mut recording = recorded(60);
    recording["columns"].as_array_mut().unwrap().reverse();
    for state in recording["episodes"][0]["states"].as_object_mut().unwrap().values_mut() {
        state.as_array_mut().unwrap().reverse();
    }
    let [replay] = check(&read(&recording).unwrap()).try_into().unwrap();
    assert_eq!(replay.past().next(), None, "{replay:?}");
}

#[test]
fn a_wrong_recording_names_the_file_and_the_field() {
    let whole = recorded(60);
    let without = |pointer: &str, key: &str| {
        let mut value = whole.clone();
        value.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(key);
        value
    };
    let with = |pointer: &str, new: Value| {
        let mut value = whole.clone();
        *value.pointer_mut(pointer).unwrap() = new;
        value
    };
    let cases = [
        (without("", "columns"), "'columns'"),
        (without("", "episodes"), "'episodes'"),
        (without("/episodes/0", "seed"), "episodes[0] has no field 'seed'"),
        (without("/episodes/0", "tiles"), "'tiles'"),
        (without("/episodes/0", "return"), "'return'"),
        (without("/episodes/0", "states"), "'states'"),
        (without("/episodes/0", "actions"), "'actions'"),
        (with("/columns/2", json!("heading")), "unknown column 'heading'"),
        (with("/columns", json!(["x", "y"])), "lacks 'angle'"),
        (with("/episodes", json!([])), "episodes is empty"),
        (with("/episodes/0/seed", json!(-1)), "episodes[0].seed is no whole number"),
        (with("/episodes/0/actions", json!([])), "actions is empty"),
        (with("/episodes/0/actions/3", json!([0, 1])), "episodes[0].actions[3] has 2 numbers, not 3"),
        (with("/episodes/0/actions/3/1", json!("full")), "episodes[0].actions[3][1] is no number"),
        (with("/episodes/0/states/50", json!([1, 2])), "episodes[0].states.50 has 2 numbers, not 8"),
        (with("/episodes/0/states", json!({"60": [0, 0, 0, 0, 0, 0, 0, 0]})), "states.60 is after action 60"),
        (with("/episodes/0/states", json!({"end": []})), "states.end is not named by"),
        (json!([]), "the file is no object"),
    ];
    for (value, expected) in cases {
        let problem = read(&value).unwrap_err().to_string();
        assert!(
            problem.contains("mine.json") && problem.contains(expected),
            "{problem}\nexpected: {expected}"
        );
    }
}

/// The reference's mean over these tracks is 877.9.
#[test]
fn the_driver_finishes_every_track() {
    let drive = |seed: u64| {
        let (mut racing, mut driver, mut total) = (Racing::new(seed), Driver::new(), 0.0);
        for _ in 0..2000 {
            let outcome = racing.step(driver.act(&racing));
            total += outcome.reward;
            if outcome.terminated {
                break;
            }
        }
        assert!(racing.visited().iter().all(|visited| *visited), "seed {seed}: {total}");
        total
    };
    let returns: Vec<f64> = (5000..5030).into_par_iter().map(drive).collect();
    let mean = returns.iter().sum::<f64>() / 30.0;
    assert!((890.0..910.0).contains(&mean), "{mean}");
}

/// -44 with a deviation of 39 over 60 episodes of gymnasium; -50 with 40 over 1000 of ours.
#[test]
fn the_random_policy_scores_as_on_gymnasium() {
    let episode = |seed: u64| {
        let (mut racing, mut policy, mut total) = (Racing::new(seed), RandomPolicy::new(seed), 0.0);
        for _ in 0..STEP_LIMIT {
            let outcome = racing.step(policy.act());
            total += outcome.reward;
            if outcome.terminated {
                break;
            }
        }
        total
    };
    let returns: Vec<f64> = (0..60).into_par_iter().map(episode).collect();
    let mean = returns.iter().sum::<f64>() / 60.0;
    let deviation = (returns.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 60.0).sqrt();
    assert!((-62.0..-32.0).contains(&mean) && (28.0..50.0).contains(&deviation), "{mean} +- {deviation}");
}

/// The polynomials are within 0.56 units of the last place.
#[test]
fn sines_are_near_those_of_double_precision() {
    for i in -40_000..40_000 {
        let angle = i as f32 * 0.013;
        let (sin, cos) = sine::sin_cos(angle);
        assert!((f64::from(sin) - f64::from(angle).sin()).abs() < 4.5e-8, "{angle}");
        assert!((f64::from(cos) - f64::from(angle).cos()).abs() < 4.5e-8, "{angle}");
    }
}

/// A car that brakes stops, and is at rest from then on.
#[test]
fn a_braked_car_stops() {
    let mut racing = Racing::new(1);
    for step in 0..400 {
        racing.step([0.0, if step < 100 { 1.0 } else { 0.0 }, if step < 100 { 0.0 } else { 0.8 }]);
    }
    let hull = racing.car().hull;
    assert_eq!([hull.vx, hull.vy, hull.angular], [0.0; 3]);
}
