//! Tests of M.

use super::*;
use crate::device::OpenDevice;
use crate::train::Outcome;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

fn tiny() -> MemoryConfig {
    MemoryConfig {
        latent: 3,
        actions: 2,
        hidden: 5,
        components: 2,
        steps: 6,
        stride: 4,
        batch_size: 7,
        train_steps: 24,
        learning_rate: 1e-2,
        held_out: 4,
        evaluate_every: 8,
        seed: 3,
        ..MemoryConfig::default()
    }
}

/// Episodes whose posteriors are all N(0, I): the entropy of their latents is known.
fn noise(config: &MemoryConfig, count: usize) -> Episodes {
    let mut episodes = Episodes::new(config.latent, config.actions);
    for number in 0..count {
        let frames = config.steps + 1 + 5 * (number % 3);
        let zeros = vec![0.0; frames * config.latent];
        let actions = (0..frames * config.actions).map(|i| ((i + number) as f32).sin()).collect();
        episodes.push(Episode::new(zeros.clone(), zeros, actions)).unwrap();
    }
    episodes
}

fn run(config: &MemoryConfig, folder: &Path, stop_at: Option<u64>) -> (MemoryState, Outcome) {
    let interrupt = AtomicBool::new(false);
    let mut observer = |progress: &MemoryProgress| {
        if stop_at.is_some_and(|step| progress.step >= step) {
            interrupt.store(true, Ordering::Relaxed);
        }
    };
    train(OpenDevice::Cpu, config, &noise(config, 9), folder, &interrupt, &mut observer).unwrap()
}

#[test]
fn m_has_the_parameters_of_the_paper() {
    let config = MemoryConfig { steps: 2, batch_size: 1, ..MemoryConfig::default() };
    let (memory, tensors) = (Memory { config }, Tensors::default());
    memory.build(&tensors, &memory.task(), None).unwrap();
    let flat = memory.first_parameters(&tensors, 0);
    let mut names = Vec::new();
    for (name, bound) in [
        ("memory.lstm.input.weight", 0.0675),
        ("memory.lstm.recurrent.weight", 0.0675),
        ("memory.lstm.bias", 0.0541),
        ("memory.output.weight", 0.0903),
        ("memory.output.bias", 0.0791),
    ] {
        let values = tensors.find(name).unwrap().take(&flat);
        let far = values.iter().fold(0.0_f32, |far, value| far.max(value.abs()));
        assert!(far <= bound + 5e-5 && far > 0.97 * bound, "{name}: {far} of {bound}");
        names.push(name);
    }
    names.sort_unstable();
    let parameters = Parameters::untrained(&config).unwrap();
    assert_eq!(parameters.count(), 422_368);
    assert_eq!(parameters.names().collect::<Vec<_>>(), names);
}

#[test]
fn windows_hold_frames_and_actions() {
    let config = MemoryConfig { latent: 1, actions: 1, steps: 2, stride: 2, held_out: 3, ..tiny() };
    let mut episodes = Episodes::new(1, 1);
    for (number, frames) in [6, 2, 3, 4].into_iter().enumerate() {
        let numbered = |add: usize| (0..frames).map(|i| (100 * number + add + i) as f32).collect();
        episodes.push(Episode::new(numbered(0), numbered(50), numbered(20))).unwrap();
    }
    let dataset = windows(&episodes, &config).unwrap();
    let reals = |part: &crate::data::Part, name: &str| match &part.column(name).unwrap().values {
        crate::data::Values::Reals(values) => values.clone(),
        other => panic!("{other:?}"),
    };
    // Episode 1 is too short; of the others every third is held out.
    assert_eq!([dataset.train.count, dataset.test.count], [4, 2]);
    assert_eq!(reals(&dataset.train, ACTIONS), [20.0, 21.0, 22.0, 23.0, 23.0, 24.0, 220.0, 221.0]);
    assert_eq!(reals(&dataset.train, POSTERIOR)[..6], [0.0, 50.0, 1.0, 51.0, 2.0, 52.0]);
    assert_eq!(reals(&dataset.test, ACTIONS), [320.0, 321.0, 321.0, 322.0]);
    let long = MemoryConfig { steps: 6, ..config };
    let error = windows(&episodes, &long).unwrap_err().to_string();
    assert!(error.contains("0 of 4 episodes have the 7 frames"), "{error}");
}

#[test]
fn episodes_are_read_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("episodes.safetensors");
    let mut episodes = Episodes::new(2, 1);
    for frames in [3, 1] {
        let numbers = |width: usize| (0..frames * width).map(|i| (i as f32 * 0.37).sin()).collect();
        episodes.push(Episode::new(numbers(2), numbers(2), numbers(1))).unwrap();
    }
    episodes.save(&path).unwrap();
    assert_eq!(Episodes::load(&path).unwrap(), episodes);
    std::fs::write(&path, b"short").unwrap();
    assert!(Episodes::load(&path).unwrap_err().to_string().contains("not readable"));
    assert!(episodes.push(Episode::new(vec![0.0; 2], vec![0.0; 4], vec![0.0])).is_err());
}

/// The latents of frames that all have the posterior N(0, I) cannot be told in advance: their entropy is 1.419 nats.
#[test]
fn noise_costs_its_entropy() {
    let folder = tempfile::tempdir().unwrap();
    let config = MemoryConfig { train_steps: 150, evaluate_every: 50, batch_size: 16, ..tiny() };
    let interrupt = AtomicBool::new(false);
    let mut seen = Vec::new();
    let mut observer =
        |progress: &MemoryProgress| seen.extend(progress.test.map(|test| (progress.train, test)));
    let episodes = noise(&config, 60);
    train(OpenDevice::Cpu, &config, &episodes, folder.path(), &interrupt, &mut observer).unwrap();
    let entropy = 0.5 * (1.0 + std::f64::consts::TAU.ln());
    let &(train, test) = seen.last().unwrap();
    assert!((train - entropy).abs() < 0.02 && (test - entropy).abs() < 0.06, "{seen:?}");
    let lines = std::fs::read_to_string(folder.path().join("metrics.csv")).unwrap();
    assert_eq!(lines.lines().count(), 4, "{lines}");
    assert!(lines.starts_with("step,train_nats,test_nats,seconds\n50,"), "{lines}");
}

#[test]
fn a_training_that_was_stopped_ends_as_others() {
    let folder = tempfile::tempdir().unwrap();
    let [whole, parts] = ["whole", "parts"].map(|name| folder.path().join(name));
    let config = tiny();
    let (state, outcome) = run(&config, &whole, None);
    assert_eq!((state.step, outcome), (24, Outcome::Finished));
    for stop_at in [1, 11] {
        let (state, outcome) = run(&config, &parts, Some(stop_at));
        assert_eq!(outcome, Outcome::Interrupted);
        assert!(state.step < 24);
    }
    run(&config, &parts, None);
    let load = |name: &str, folder: &Path| {
        let mut all = Parameters::load(&folder.join(name)).unwrap();
        all.state.seconds = 0.0;
        all
    };
    for name in ["checkpoint.safetensors", "best.safetensors"] {
        assert_eq!(load(name, &whole), load(name, &parts), "{name}");
    }
    let curve = |folder: &Path| {
        let text = std::fs::read_to_string(folder.join("metrics.csv")).unwrap();
        let lines = text.lines().map(|line| line.rsplit_once(',').unwrap().0.to_string());
        lines.collect::<Vec<_>>()
    };
    assert_eq!(curve(&whole), curve(&parts));
    // Finished: nothing more to do. Other settings are refused, a longer training goes on.
    assert_eq!(run(&config, &whole, None).0.step, 24);
    let longer = MemoryConfig { train_steps: 25, ..config };
    assert_eq!(run(&longer, &whole, None).0.step, 25);
    let other = MemoryConfig { learning_rate: 0.5, ..config };
    let (interrupt, episodes) = (AtomicBool::new(false), noise(&config, 9));
    let error = train(OpenDevice::Cpu, &other, &episodes, &whole, &interrupt, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("another memory.learning-rate"), "{error}");
}

#[test]
fn dreams_are_the_same_again() {
    let config = tiny();
    let parameters = Parameters::untrained(&config).unwrap();
    let mut dreamer = Dreamer::open(&OpenDevice::Cpu, &parameters, 2).unwrap();
    let mut dream = |seed: u64, temperature: f64| {
        let mut seen = Vec::new();
        let mut policy = |step: usize, z: &[f32], h: &[f32]| {
            seen.push((step, z.len(), h.iter().any(|&h| h != 0.0)));
            z.chunks(3).flat_map(|z| [z[0].tanh(), h[0]]).collect()
        };
        let how = Dreaming { steps: 4, temperature, seed };
        let dream = dreamer.dream(&[0.1, 0.2, 0.3, -0.1, -0.2, -0.3], &how, &mut policy).unwrap();
        assert_eq!(seen, [(0, 6, false), (1, 6, true), (2, 6, true), (3, 6, true)]);
        dream
    };
    let first = dream(1, 1.0);
    assert_eq!((first.latents.len(), first.latents[0].len(), first.actions[3].len()), (4, 6, 4));
    assert_eq!(first, dream(1, 1.0));
    assert_ne!(first.latents, dream(2, 1.0).latents);
    let size = |dream: &Dream| dream.latents.iter().flatten().map(|z| z.abs()).sum::<f32>();
    assert!(size(&dream(1, 0.01)) < size(&first));
}
