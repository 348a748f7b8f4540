//! A trained model as a density of its latents, on a device: log p(x|z), its gradient, and chains that sample the
//! posterior.

use crate::device::OpenDevice;
use crate::graph::Tensors;
use crate::likelihood::{LogVariance, Pixel, RESIDUALS, Random, kept_log_variance};
use crate::model::density::MAX_TRANSITIONS;
use crate::model::{DensityModel, LatentModel, Task};
use crate::pace::{Pace, SUBMIT};
use crate::plan::Step;
use crate::random::stream;
use crate::session::{Host, Posteriors, Session, States};
use crate::{Error, Result};

/// Numbers of the likelihood's parameters that one pass holds at most: 64 MiB of decoder output and as much gradient.
const LARGEST_PASS: usize = 16 << 20;

/// The parameters of a trained model.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Where each tensor lies.
    pub tensors: Tensors,
    /// All of them, padding included.
    pub flat: Vec<f32>,
    /// What training keeps beside them, such as running statistics; those that are left out have their first values.
    pub states: States,
}

impl Weights {
    /// Read them from the device.
    ///
    /// # Errors
    /// If the device fails.
    pub fn of(session: &mut Session) -> Result<Self> {
        let flat = session.read_flat("parameters")?;
        let flat = flat.ok_or_else(|| Error::Internal("a model without parameters".into()))?;
        Ok(Self { tensors: session.table().clone(), flat, states: session.read_states()? })
    }

    /// The tensor called `name`, without padding.
    pub fn get(&self, name: &str) -> Option<Vec<f32>> {
        self.tensors.find(name).map(|tensor| tensor.take(&self.flat))
    }
}

/// One transition of all chains.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// Inverse temperature: the weight of log p(x|z) in the density that is sampled.
    pub beta: f64,
    /// Its difference to that of the transition before. The importance weights grow by it times log p(x|z).
    pub change: f64,
    /// Size of a leapfrog step, for each image's chains.
    pub step_sizes: Vec<f32>,
}

/// Where a chain stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChainState {
    /// log p(x|z)
    pub log_likelihood: f64,
    /// log p(z)
    pub log_prior: f64,
    /// Logarithm of the annealed importance weight.
    pub log_weight: f64,
    /// Probability of acceptance, averaged over the transitions since [`Density::begin`].
    pub acceptance: f64,
    /// That of the last transition.
    pub last_acceptance: f64,
}

/// A density on a device. Rows of latents: row `l * images + r` is number `l` of image `r`.
#[derive(Debug)]
pub struct Density {
    task: Task,
    weights: Weights,
    host: Host,
    widths: Vec<usize>,
    images: usize,
    rows: usize,
    seed: u64,
    /// Counts all transitions ever done: no draw is used twice.
    transitions: u64,
    pace: Pace,
}

impl Density {
    /// Put the model of `task` with its `weights` on `device`, for `rows` latents for each of `images` images, and for
    /// chains of `leapfrog` steps whose draws follow from `seed`.
    ///
    /// # Errors
    /// [`Error::Limit`] if a tensor is larger than the device allows, [`Error::Setting`] if `leapfrog` is 0 or the model
    /// has no latents, and if the device fails.
    pub fn open(
        device: &OpenDevice,
        task: &Task,
        weights: &Weights,
        (images, rows): (usize, usize),
        leapfrog: usize,
        seed: u64,
    ) -> Result<Self> {
        let latent = task.density("a density of latents")?;
        let widths = latent.groups().iter().map(|group| group.width).collect();
        let length = weights.tensors.length();
        let model = DensityModel::build(latent, &weights.tensors, images, rows)?;
        if weights.tensors.length() != length || weights.flat.len() != length {
            return Err(Error::Internal("the weights are not those of the model".into()));
        }
        let mut host = Host::open(device, model.plan(leapfrog)?, MAX_TRANSITIONS)?;
        let parameters = host.buffer("parameters")?;
        host.write_flat(parameters, &weights.flat)?;
        host.write_states(&weights.tensors, &weights.states)?;
        Ok(Self {
            task: task.clone(),
            weights: weights.clone(),
            pace: host.pace(SUBMIT),
            host,
            widths,
            images,
            rows,
            seed,
            transitions: 0,
        })
    }

    /// Number of latents of one image in a pass: at most `most`, fewer for large images.
    pub fn rows_for(model: &dyn LatentModel, most: usize) -> usize {
        let sections = model.likelihood().kind.outputs().len();
        (LARGEST_PASS / (model.pixels() * sections)).clamp(1, most)
    }

    /// Images in a pass.
    pub fn images(&self) -> usize {
        self.images
    }

    /// Latents of each image.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Numbers in a row of latents: the latent dimensions of all groups together.
    pub fn latent(&self) -> usize {
        self.widths.iter().sum()
    }

    /// Latent dimensions of each group, the one nearest to the image first.
    pub fn widths(&self) -> &[usize] {
        &self.widths
    }

    /// Values of an image.
    pub fn pixels(&self) -> usize {
        self.task.model.pixels()
    }

    pub(super) fn total(&self) -> usize {
        self.images * self.rows
    }

    /// Write the first rows of a value, without padding.
    pub(super) fn write(&mut self, name: &str, values: &[f32]) -> Result<()> {
        let port = self.host.port(name)?;
        self.host.write_rows(&port, values)
    }

    /// Read the first `rows` rows of a value, without padding: one `Vec` a section.
    fn read(&mut self, name: &str, rows: usize) -> Result<Vec<Vec<f32>>> {
        let port = self.host.port(name)?;
        self.host.read_rows(&port, rows)
    }

    fn read_density(&mut self, rows: usize) -> Result<Vec<f64>> {
        let density = self.read("density", rows)?.swap_remove(0);
        Ok(density.chunks(4).map(|row| f64::from(row[0])).collect())
    }

    fn step(&self, number: u64, beta: f64, change: f64) -> Step {
        let seeded = Step::seeded(self.seed, stream::HMC).at(number);
        let mut step = Step { rows: self.images as u32, ..seeded };
        self.host.plan().set_number(&mut step, "beta", beta);
        self.host.plan().set_number(&mut step, "change", change);
        step
    }

    fn run(&mut self, program: &str) -> Result<()> {
        let step = self.step(0, 1.0, 0.0);
        self.host.run(program, step)
    }

    /// Run a program that leaves a posterior or a prior, for all rows.
    pub(super) fn gaussians(&mut self, program: &str) -> Result<Posteriors> {
        let port = self.host.result(program)?;
        self.run(program)?;
        Posteriors::of_sections(self.host.read_rows(&port, port.shape[0])?)
    }

    /// Run a program from rows of latents to Gaussians.
    pub(super) fn gaussians_of(&mut self, program: &str, rows: &[f32]) -> Result<Posteriors> {
        let (given, _) = self.host.ends(program)?;
        self.host.write_rows(&given, rows)?;
        self.gaussians(program)
    }

    /// Set the images, `[count, pixels]`; where there are fewer than [`Density::images`], the first stands for the
    /// rest.
    ///
    /// # Errors
    /// If the device fails.
    pub fn set_images(&mut self, pixels: &[f32]) -> Result<()> {
        let (mut all, size) = (pixels.to_vec(), self.pixels());
        while all.len() < self.images * size {
            all.extend_from_slice(&pixels[..size]);
        }
        self.write("images", &all)
    }

    /// The encoder's posteriors of the images.
    ///
    /// # Errors
    /// If the device fails.
    pub fn encode(&mut self) -> Result<Posteriors> {
        self.gaussians("encode")
    }

    /// Write the rows of latents of one pass; rows beyond `latents` are 0.
    pub(super) fn set_latents(&mut self, latents: &[f32]) -> Result<()> {
        let mut all = latents.to_vec();
        all.resize(self.total() * self.latent(), 0.0);
        self.write("latent", &all)
    }

    /// log p(x|z) for each row of `latents`, `[count, latent]`, in nats: row i is of image i modulo
    /// [`Density::images`].
    ///
    /// # Errors
    /// If the device fails.
    pub fn log_likelihood(&mut self, latents: &[f32]) -> Result<Vec<f64>> {
        let width = self.latent();
        let mut values = Vec::with_capacity(latents.len() / width);
        for pass in latents.chunks(self.total() * width) {
            self.set_latents(pass)?;
            self.run("density")?;
            values.extend(self.read_density(pass.len() / width)?);
        }
        Ok(values)
    }

    /// The same, and its gradient with respect to each latent, `[count, latent]`.
    ///
    /// # Errors
    /// If the device fails.
    pub fn log_likelihood_and_gradient(&mut self, latents: &[f32]) -> Result<(Vec<f64>, Vec<f64>)> {
        let width = self.latent();
        let (mut values, mut gradients) = (Vec::new(), Vec::new());
        let scale = -(self.total() as f64);
        for pass in latents.chunks(self.total() * width) {
            self.set_latents(pass)?;
            self.run("gradient")?;
            let rows = pass.len() / width;
            values.extend(self.read_density(rows)?);
            let gradient = self.read("gradient.latent", rows)?.swap_remove(0);
            gradients.extend(gradient.into_iter().map(|g| scale * f64::from(g)));
        }
        Ok((values, gradients))
    }

    /// Draw an image for each row of `latents` from p(x|z), `[count, pixels]`; `uniform` and `normal` give the draws.
    ///
    /// # Errors
    /// If the device fails.
    pub fn simulate(
        &mut self,
        latents: &[f32],
        mut uniform: impl FnMut() -> f64,
        mut normal: impl FnMut() -> f64,
    ) -> Result<Vec<f32>> {
        let (width, likelihood) = (self.latent(), self.task.density("a density of latents")?.likelihood());
        let log_variance = match (likelihood.kind.log_variance(), self.weights.get("decoder.log_variance")) {
            (LogVariance::Shared, Some(value)) => f64::from(value[0]),
            (LogVariance::Optimal, _) => {
                self.weights.states.get(RESIDUALS).map_or(0.0, |(_, residuals)| kept_log_variance(residuals))
            }
            _ => 2.0 * likelihood.sigma.ln(),
        };
        let [picture, decoded] = match self.host.plan().program("decode").map(|it| &it.wanted[..]) {
            Some([picture, decoded]) => [picture.clone(), decoded.clone()],
            _ => return Err(Error::Internal("decoding leaves no picture and parameters".into())),
        };
        let mut random = Random { uniform: &mut uniform, normal: &mut normal };
        let mut images = Vec::new();
        for pass in latents.chunks(self.total() * width) {
            let rows = pass.len() / width;
            self.set_latents(pass)?;
            self.run("decode")?;
            let expected = self.host.read_rows(&picture, rows)?.swap_remove(0);
            let raw = match likelihood.kind.drawn_section() {
                Some(section) => self.host.read_rows(&decoded, rows)?.swap_remove(section),
                None => vec![0.0; expected.len()],
            };
            images.extend(expected.into_iter().zip(raw).map(|(expected, raw)| {
                let pixel = Pixel { expected: f64::from(expected), raw: f64::from(raw), log_variance };
                likelihood.kind.draw(pixel, &mut random) as f32
            }));
        }
        Ok(images)
    }

    /// Start the chains at `latents`, one row each, with weights 1.
    ///
    /// # Errors
    /// If the device fails.
    pub fn begin(&mut self, latents: &[f32]) -> Result<()> {
        self.set_latents(latents)?;
        self.run("begin")
    }

    /// Run these transitions. Nothing is read back.
    ///
    /// # Errors
    /// If the device fails.
    pub fn transitions(&mut self, transitions: &[Transition]) -> Result<()> {
        let mut left = transitions;
        while !left.is_empty() {
            let (now, later) = left.split_at(self.pace.steps().min(left.len()));
            let steps: Vec<Step> = (0..)
                .zip(now)
                .map(|(slot, transition)| {
                    let number = self.transitions + u64::from(slot);
                    Step { slot, ..self.step(number, transition.beta, transition.change) }
                })
                .collect();
            let sizes: Vec<f32> =
                now.iter().flat_map(|transition| transition.step_sizes.iter().copied()).collect();
            let port = self.host.port("chain.sizes")?;
            self.host.write_flat(port.buffer, &sizes)?;
            self.host.paced(&mut self.pace, "transition", &steps)?;
            self.transitions += now.len() as u64;
            left = later;
        }
        Ok(())
    }

    /// Where each chain stands.
    ///
    /// # Errors
    /// If the device fails.
    pub fn chains(&mut self) -> Result<Vec<ChainState>> {
        let sections = self.read("chain.state", self.total())?;
        let rows = sections[0].chunks(4).zip(sections[1].chunks(4));
        Ok(rows
            .map(|(state, trace)| ChainState {
                log_likelihood: f64::from(state[0]),
                log_prior: f64::from(state[1]),
                log_weight: f64::from(state[2]) - f64::from(state[3]),
                acceptance: f64::from(trace[2]) / f64::from(trace[3]).max(1.0),
                last_acceptance: f64::from(trace[1]),
            })
            .collect())
    }

    /// Where the chains are, `[chains, latent]`.
    ///
    /// # Errors
    /// If the device fails.
    pub fn positions(&mut self) -> Result<Vec<f32>> {
        Ok(self.read("chain.position", self.total())?.swap_remove(0))
    }
}
