//! Dreams: M on its own draws.

use super::{Memory, MemoryConfig, Parameters};
use crate::Result;
use crate::device::OpenDevice;
use crate::graph::{Graph, Mode, ProgramSpec, Setting, Shape, Tensors, lower};
use crate::plan::{Port, Step};
use crate::random::stream;
use crate::session::Host;
use std::path::Path;

/// How to dream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dreaming {
    /// Steps of the dream.
    pub steps: usize,
    /// Temperature of the draws, above 0 (section 4.4 of the paper).
    pub temperature: f64,
    /// Seed of the draws.
    pub seed: u64,
}

/// What acts in a dream: from the number of a step, the latents, `[rows, latent]`, and h before the step, `[rows, hidden]`, to the actions,
/// `[rows, actions]`.
pub type Policy<'a> = dyn FnMut(usize, &[f32], &[f32]) -> Vec<f32> + 'a;

/// What was dreamt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dream {
    /// The latents that each step gave, `[rows, latent]`; the first ones, which were given, are left out.
    pub latents: Vec<Vec<f32>>,
    /// The actions of each step, `[rows, actions]`.
    pub actions: Vec<Vec<f32>>,
}

/// M, one step at a time, for some dreams at once.
#[derive(Debug)]
pub struct Dreamer {
    host: Host,
    config: MemoryConfig,
    rows: usize,
    /// Latents, actions, and h and c before the step.
    given: [Port; 3],
    /// The next latents, and h and c after the step.
    wanted: [Port; 2],
}

impl Dreamer {
    /// Put M with these parameters on `device`, for `rows` dreams at once.
    ///
    /// # Errors
    /// [`crate::Error::Checkpoint`] if the parameters are of another M; else if the device fails.
    pub fn open(device: &OpenDevice, parameters: &Parameters, rows: usize) -> Result<Self> {
        let (config, tensors) = (parameters.config, Tensors::default());
        tensors.group(super::GROUP);
        let mut graph = Graph::new(&tensors, Mode::Evaluate);
        let z = graph.input("dream.z", Shape::matrix(rows, config.latent));
        let actions = graph.input("dream.actions", Shape::matrix(rows, config.actions));
        let carry = graph.input("dream.carry", Shape::with_sections(rows, 2, config.hidden));
        let output = Memory { config }.network(&mut graph, [z, actions], 1, Some(carry))?;
        let next = graph.mixture_draw(output.mixture, config.components)?;
        let setting = Setting { train_images: 1, test_images: 1, max_steps: 1, streamed: false };
        let step = ProgramSpec::new("step", &[z, actions, carry], &[next, output.carry]);
        let plan = lower(&graph, &[step], setting)?;
        let name = |value| graph.value(value).name.clone();
        let names = [z, actions, carry, next, output.carry].map(name);
        let mut host = Host::open(device, plan, 1)?;
        let mut flat = vec![0.0; tensors.length()];
        parameters.put(&tensors, &mut flat, Path::new("memory"))?;
        let buffer = host.buffer("parameters")?;
        host.write_flat(buffer, &flat)?;
        let port = |name: &String| host.port(name);
        let given = [port(&names[0])?, port(&names[1])?, port(&names[2])?];
        let wanted = [port(&names[3])?, port(&names[4])?];
        Ok(Self { host, config, rows, given, wanted })
    }

    /// Dream from the latents `first`, `[rows, latent]`, with h and c of 0. `policy` acts. Equal calls give equal dreams.
    ///
    /// # Errors
    /// If the device fails.
    pub fn dream(&mut self, first: &[f32], how: &Dreaming, policy: &mut Policy<'_>) -> Result<Dream> {
        let mut z = first.to_vec();
        let carry = self.given[2].buffer;
        let length = self.rows * self.given[2].strides[0];
        self.host.write_flat(carry, &vec![0.0; length])?;
        let mut h = vec![0.0; self.rows * self.config.hidden];
        let mut dream = Dream::default();
        for number in 0..how.steps {
            let actions = policy(number, &z, &h);
            self.host.write_rows(&self.given[0], &z)?;
            self.host.write_rows(&self.given[1], &actions)?;
            let mut step = Step::seeded(how.seed, stream::PRIOR).at(number as u64);
            step.rows = self.rows as u32;
            self.host.plan().set_number(&mut step, "temperature", how.temperature);
            self.host.run("step", step)?;
            z = self.host.read_rows(&self.wanted[0], self.rows)?.swap_remove(0);
            h = self.host.read_rows(&self.wanted[1], self.rows)?.swap_remove(0);
            let after = self.host.read_flat(self.wanted[1].buffer)?;
            self.host.write_flat(carry, &after[..length])?;
            dream.latents.push(z.clone());
            dream.actions.push(actions);
        }
        Ok(dream)
    }
}
