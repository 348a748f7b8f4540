//! State that training keeps beside parameters: updated by named nodes, saved in checkpoints, resumed bit for bit.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it skips"
)]

mod common;

use std::rc::Rc;
use vae::config::Config;
use vae::data::digits::digits;
use vae::graph::{
    BatchNorm, Binarize, Graph, Init, KlTarget, Mode, ProgramSpec, Shape, Source, Target, Tensors, Weight,
};
use vae::model::{Built, Initialisation, Model, Objective, Task};
use vae::optimizer::{Optimizer, OptimizerKind, Optimizers};
use vae::plan::Step;
use vae::run::{Checkpoint, TrainState};
use vae::session::{Session, Which};

const WIDTH: usize = 5;

/// An encoder that keeps a moving average of its code and running statistics of its input.
#[derive(Debug)]
struct Averaging {
    pixels: usize,
}

impl Model for Averaging {
    fn build(&self, tensors: &Tensors, task: &Task, optimizers: Option<&Optimizers>) -> vae::Result<Built> {
        let group = tensors.group("vae");
        let mut graph = Graph::new(tensors, Mode::Train);
        let images = graph.minibatch(task.batch, self.pixels, task.binarize, None)?;
        let normalised = graph.batch_norm("encoder.norm", images, BatchNorm::default())?;
        let code = graph.linear(&["encoder.mean", "encoder.log_variance"], normalised, WIDTH)?;
        let shape = Shape::with_sections(task.batch, 2, WIDTH);
        let average = graph.state("average", shape, Init::Constant(0.25))?;
        let average = graph.update(average, code, 0.1)?;
        // The divergence of the average, which is a constant for gradients, is reported.
        let of_average = graph.gaussian_kl(average, KlTarget::Zero)?;
        graph.metric("average", of_average, 1);
        let divergence = graph.gaussian_kl(code, KlTarget::Zero)?;
        let losses = [graph.loss("kl", divergence, 1, Weight::Step("beta"))];
        let mut programs = Vec::new();
        if let Some(optimizers) = optimizers {
            graph.differentiate(&losses, &[Target::Group(group)])?;
            graph.step(group, optimizers.of_group("vae"))?;
            programs.push(ProgramSpec::new("train", &[], &graph.training()).from_source(Source::Train));
        }
        Ok(Built { graph, programs })
    }

    fn pixels(&self) -> usize {
        self.pixels
    }
}

#[test]
fn states_are_saved_and_resumed_bit_for_bit() {
    let dataset = digits(64, 8, 1).unwrap();
    let place = tempfile::tempdir().unwrap();
    let optimizer = Optimizer::new(OptimizerKind::Adam);
    let task = Task {
        model: Rc::new(Averaging { pixels: dataset.shape.pixels() }),
        batch: 16,
        binarize: Binarize::None,
        mirror: None,
        objective: Objective::default(),
    };
    for (number, (name, device)) in common::devices().into_iter().enumerate() {
        let open = || Session::open(device.clone(), &task, Some(&optimizer.into()), &dataset).unwrap();
        let train = |session: &mut Session, steps: std::ops::Range<u64>| {
            let mut metrics = Vec::new();
            for number in steps {
                let mut step = Step::seeded(1, 0).at(number);
                session.plan().set_number(&mut step, "beta", 1.0);
                optimizer.prepare(number + 1, 1e-2, 0, &mut step);
                let batch: Vec<u32> = (0..16).map(|i| (7 * number as u32 + i) % 64).collect();
                session.submit("train", Which::Train, &[&batch], vec![step]).unwrap();
                metrics.extend(session.receive(0).unwrap().remove(0).values);
            }
            metrics
        };
        let mut whole = open();
        let first = Initialisation::FanIn.values(whole.table(), 3);
        assert!(whole.read_states().unwrap()["state.average"].1.iter().all(|&value| value == 0.25));
        whole.write_flat("parameters", &first).unwrap();
        let all = train(&mut whole, 0..8);

        let mut parts = open();
        parts.write_flat("parameters", &first).unwrap();
        let before = train(&mut parts, 0..3);
        let path = place.path().join(format!("{number}.safetensors"));
        let state = TrainState { step: 3, ..TrainState::default() };
        Checkpoint::take(&mut parts, &Config::default(), &state).unwrap().save(&path).unwrap();
        drop(parts);
        let mut parts = open();
        Checkpoint::load(&path).unwrap().restore(&mut parts, &path).unwrap();
        let after = train(&mut parts, 3..8);
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&all), bits(&[before, after].concat()), "{name}");
        assert_eq!(whole.read_states().unwrap(), parts.read_states().unwrap(), "{name}");
        let (shape, values) = whole.read_states().unwrap().remove("state.average").unwrap();
        assert_eq!((shape, values.len()), (vec![16, 2, WIDTH], 16 * 2 * WIDTH), "{name}");
        assert!(values.iter().any(|&value| value != 0.25), "{name}: the average has not moved");
        // PyTorch's names and shapes.
        for statistic in ["running_mean", "running_var"] {
            let name = format!("encoder.norm.{statistic}");
            assert_eq!(whole.read_states().unwrap()[&name].0, [dataset.shape.pixels()], "{name}");
        }
    }
}

/// A model without latents says so, in words.
#[test]
fn a_model_without_latents_has_no_density() {
    let objective = Objective::default();
    let model = Rc::new(Averaging { pixels: 4 });
    let task = Task { model, batch: 2, binarize: Binarize::None, mirror: None, objective };
    let problem = task.latent("--ais").unwrap_err().to_string();
    assert!(problem.contains("--ais: the model has no density of its latents"), "{problem}");
}
