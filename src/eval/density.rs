//! A trained model as a density of its latents, on a device: log p(x|z), its gradient, and chains that sample the
//! posterior.

use crate::data::Dataset;
use crate::device::OpenDevice;
use crate::graph::{Binarize, Shape, ValueId};
use crate::likelihood::{LogVariance, Pixel, Random};
use crate::model::density::MAX_TRANSITIONS;
use crate::model::{DensityModel, MlpVae, UpperDensity};
use crate::plan::{BufferId, Executor, Plan, Step};
use crate::random::{philox4x32, stream};
use crate::session::{Posteriors, Session};
use crate::{Error, Result};
use bytemuck::cast_slice;
use std::time::{Duration, Instant};

/// Numbers of the likelihood's parameters that one pass holds at most: 64 MiB of decoder output and as much gradient.
const LARGEST_PASS: usize = 16 << 20;
/// A submit of chains should take about this long: no driver takes the device for hung, and an interrupt is answered.
const SUBMIT: Duration = Duration::from_millis(300);

/// The parameters of a trained model, by name.
#[derive(Clone, Debug, Default)]
pub struct Weights(Vec<(String, Vec<f32>)>);

impl Weights {
    /// These tensors, each without padding.
    pub fn new(tensors: Vec<(String, Vec<f32>)>) -> Self {
        Self(tensors)
    }

    /// Read them from the device.
    ///
    /// # Errors
    /// If the device fails.
    pub fn of(session: &mut Session) -> Result<Self> {
        let flat = session.read_flat("parameters")?;
        let flat = flat.ok_or_else(|| Error::Internal("a model without parameters".into()))?;
        Ok(Self(session.tensors().map(|tensor| (tensor.name.clone(), tensor.take(&flat))).collect()))
    }

    /// The tensor called `name`, without padding.
    pub fn get(&self, name: &str) -> Option<&[f32]> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, values)| values.as_slice())
    }
}

/// One transition of all chains.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// Inverse temperature: the weight of log p(x|z) in the density that is sampled.
    pub beta: f64,
    /// By how much it differs from that of the transition before; what the importance weights grow by.
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
pub struct Density {
    spec: MlpVae,
    model: DensityModel,
    plan: Plan,
    executor: Box<dyn Executor>,
    images: usize,
    rows: usize,
    seed: u64,
    /// Counts all transitions ever done: no draw is used twice.
    transitions: u64,
    submit_steps: usize,
}

impl std::fmt::Debug for Density {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (images, rows) = (self.images, self.rows);
        f.debug_struct("Density").field("images", &images).field("rows", &rows).finish_non_exhaustive()
    }
}

impl Density {
    /// Put the model `spec` with its `weights` on `device`, for `rows` latents for each of `images` images, and for
    /// chains of `leapfrog` steps whose draws follow from `seed`.
    ///
    /// # Errors
    /// [`Error::Limit`] if a tensor is larger than the device allows, [`Error::Setting`] if `leapfrog` is 0, and if
    /// `weights` lacks a tensor or the device fails.
    pub fn open(
        device: &OpenDevice,
        spec: &MlpVae,
        weights: &Weights,
        (images, rows): (usize, usize),
        leapfrog: usize,
        seed: u64,
    ) -> Result<Self> {
        let model = DensityModel::build(spec, images, rows)?;
        let plan = model.plan(leapfrog)?;
        let executor = device.executor(&plan, MAX_TRANSITIONS)?;
        let mut density = Self {
            spec: spec.clone(),
            model,
            plan,
            executor,
            images,
            rows,
            seed,
            transitions: 0,
            submit_steps: 1,
        };
        let mut flat = vec![0.0_f32; density.model.graph.parameter_length()];
        for tensor in density.model.graph.tensors() {
            let values = weights
                .get(&tensor.name)
                .filter(|values| values.len() == tensor.count())
                .ok_or_else(|| Error::Internal(format!("no parameter '{}' of this shape", tensor.name)))?;
            tensor.put(&mut flat, values);
        }
        let parameters = density.buffer_named("parameters")?;
        density.executor.write(parameters, 0, cast_slice(&flat))?;
        Ok(density)
    }

    /// How many latents of one image are worth a pass: at most `most`, fewer for large images.
    pub fn rows_for(spec: &MlpVae, most: usize) -> usize {
        let sections = spec.likelihood.kind.outputs().len();
        (LARGEST_PASS / (spec.pixels * sections)).clamp(1, most)
    }

    /// Images in a pass.
    pub fn images(&self) -> usize {
        self.images
    }

    /// Latents of each image.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Numbers in a row of latents: the latent dimensions, of both layers together where there are two.
    pub fn latent(&self) -> usize {
        self.spec.joint_latent()
    }

    /// What the encoder says of a second stochastic layer, if there is one.
    pub(super) fn upper(&self) -> Option<UpperDensity> {
        self.model.upper
    }

    /// The model.
    pub fn spec(&self) -> &MlpVae {
        &self.spec
    }

    pub(super) fn total(&self) -> usize {
        self.images * self.rows
    }

    fn buffer_named(&self, name: &str) -> Result<BufferId> {
        self.plan.buffer(name).ok_or_else(|| Error::Internal(format!("the density has no buffer '{name}'")))
    }

    fn buffer(&self, value: ValueId) -> Result<(BufferId, Shape)> {
        let value = self.model.graph.value(value);
        Ok((self.buffer_named(&value.name)?, value.shape))
    }

    /// Write the first rows of a value, without padding.
    pub(super) fn write(&mut self, value: ValueId, values: &[f32]) -> Result<()> {
        let (buffer, shape) = self.buffer(value)?;
        let mut padded = vec![0.0_f32; values.len() / shape.columns * shape.stride()];
        for (to, from) in padded.chunks_mut(shape.stride()).zip(values.chunks(shape.columns)) {
            to[..from.len()].copy_from_slice(from);
        }
        self.executor.write(buffer, 0, cast_slice(&padded))
    }

    /// Read the first `rows` rows of a value's `section`, without padding.
    fn read(&mut self, value: ValueId, rows: usize, section: usize) -> Result<Vec<f32>> {
        let (buffer, shape) = self.buffer(value)?;
        let words = self.executor.read(buffer, 0, rows * shape.stride())?;
        let start = section * shape.section_stride();
        let columns = |row: &[u32]| row[start..start + shape.columns].to_vec();
        Ok(words.chunks(shape.stride()).flat_map(columns).map(f32::from_bits).collect())
    }

    fn step(&self) -> Step {
        Step {
            seed_low: self.seed as u32,
            seed_high: (self.seed >> 32) as u32,
            stream: stream::HMC,
            rows: self.images as u32,
            beta: 1.0,
            ..Step::default()
        }
    }

    pub(super) fn run(&mut self, program: &str) -> Result<()> {
        self.executor.submit(program, &[self.step()])?;
        self.executor.receive(0)?;
        Ok(())
    }

    /// Set the images, `[count, pixels]`; where there are fewer than [`Density::images`], the first stands for the
    /// rest.
    ///
    /// # Errors
    /// If the device fails.
    pub fn set_images(&mut self, pixels: &[f32]) -> Result<()> {
        let mut all = pixels.to_vec();
        while all.len() < self.images * self.spec.pixels {
            all.extend_from_slice(&pixels[..self.spec.pixels]);
        }
        self.write(self.model.images, &all)
    }

    /// The encoder's posteriors of the images.
    ///
    /// # Errors
    /// If the device fails.
    pub fn encode(&mut self) -> Result<Posteriors> {
        self.run("encode")?;
        self.read_posteriors(self.model.posterior)
    }

    /// All of a value of means and log-variances.
    pub(super) fn read_posteriors(&mut self, value: ValueId) -> Result<Posteriors> {
        let rows = self.model.graph.value(value).shape.rows;
        let [means, log_variances] = [0, 1].map(|section| self.read(value, rows, section));
        Ok(Posteriors { means: means?, log_variances: log_variances? })
    }

    /// Write as many rows of latents as a pass takes; the rest of the pass is 0.
    pub(super) fn set_latents(&mut self, latents: &[f32]) -> Result<()> {
        let mut all = latents.to_vec();
        all.resize(self.total() * self.latent(), 0.0);
        self.write(self.model.latent, &all)
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
            let density = self.read(self.model.density, pass.len() / width, 0)?;
            values.extend(density.chunks(4).map(|row| f64::from(row[0])));
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
            values.extend(self.read(self.model.density, rows, 0)?.chunks(4).map(|row| f64::from(row[0])));
            let gradient = self.read(self.model.latent_gradient, rows, 0)?;
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
        let (width, likelihood) = (self.latent(), self.spec.likelihood);
        let log_variance = match likelihood.kind.log_variance() {
            LogVariance::Shared => {
                let tensor = self.model.graph.tensors().find(|it| it.name == "decoder.log_variance");
                let offset = tensor.map_or(0, |tensor| tensor.offset);
                let parameters = self.buffer_named("parameters")?;
                f64::from(f32::from_bits(self.executor.read(parameters, offset, 1)?[0]))
            }
            _ => 2.0 * likelihood.sigma.ln(),
        };
        let mut random = Random { uniform: &mut uniform, normal: &mut normal };
        let mut images = Vec::new();
        for pass in latents.chunks(self.total() * width) {
            let rows = pass.len() / width;
            self.set_latents(pass)?;
            self.run("decode")?;
            let expected = self.read(self.model.picture, rows, 0)?;
            let raw = match likelihood.kind.drawn_section() {
                Some(section) => {
                    // The program `decode` may keep the pictures only.
                    self.run("density")?;
                    self.read(self.model.decoded, rows, section)?
                }
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

    /// Do these transitions. Nothing comes back to the host.
    ///
    /// # Errors
    /// If the device fails.
    pub fn transitions(&mut self, transitions: &[Transition]) -> Result<()> {
        let mut left = transitions;
        while !left.is_empty() {
            let (now, later) = left.split_at(self.submit_steps.min(left.len()));
            let start = Instant::now();
            let steps: Vec<Step> = (0..)
                .zip(now)
                .map(|(slot, transition)| {
                    let number = self.transitions + u64::from(slot);
                    Step {
                        counter_low: number as u32,
                        counter_high: (number >> 32) as u32,
                        slot,
                        beta: transition.beta as f32,
                        first_correction: transition.change as f32,
                        ..self.step()
                    }
                })
                .collect();
            let sizes: Vec<f32> =
                now.iter().flat_map(|transition| transition.step_sizes.iter().copied()).collect();
            let (buffer, _) = self.buffer(self.model.hmc.sizes)?;
            self.executor.write(buffer, 0, cast_slice(&sizes))?;
            self.executor.submit("transition", &steps)?;
            self.executor.receive(0)?;
            self.transitions += now.len() as u64;
            let each = start.elapsed().as_secs_f64() / now.len() as f64;
            let wanted = (SUBMIT.as_secs_f64() / each.max(1e-6)) as usize;
            self.submit_steps = wanted.clamp(1, (2 * self.submit_steps).min(MAX_TRANSITIONS));
            left = later;
        }
        Ok(())
    }

    /// Where each chain stands.
    ///
    /// # Errors
    /// If the device fails.
    pub fn chains(&mut self) -> Result<Vec<ChainState>> {
        let state = self.read(self.model.hmc.state, self.total(), 0)?;
        let trace = self.read(self.model.hmc.state, self.total(), 1)?;
        let rows = state.chunks(4).zip(trace.chunks(4));
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
        self.read(self.model.hmc.position, self.total(), 0)
    }
}

/// The pixels of held-out image `number` as the model sees them. Binarised pixels, `static` or `dynamic`, are drawn
/// once under a fixed seed, as `vae eval` does for `static`: an image must stay the same while its evidence is
/// computed.
pub fn observed(dataset: &Dataset, number: usize, binarize: Binarize) -> Vec<f32> {
    let bytes = dataset.test.image(number);
    let pixel = |(i, &byte): (usize, &u8)| match binarize {
        Binarize::None => f32::from(byte) * (1.0 / 255.0),
        Binarize::Threshold => f32::from(u8::from(byte >= 128)),
        Binarize::Static | Binarize::Dynamic => {
            let stream = stream::EVALUATION_NOISE + stream::BINARIZE;
            let word = philox4x32([i as u32 / 4, number as u32, 0, stream], [0, 0])[i % 4];
            f32::from(u8::from((word >> 8) * 255 < u32::from(byte) << 24))
        }
    };
    bytes.iter().enumerate().map(pixel).collect()
}
