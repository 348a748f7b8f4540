//! The importance-weighted bound L_K on the evidence (Burda et al., "Importance weighted autoencoders", arXiv
//! 1509.00519, equation 8): log of the mean of K weights p(x, z) / q(z|x), z drawn from q(z|x).
//!
//! Each image is encoded once; then the same program draws and weighs some samples of each image, pass after pass, into a
//! running log-sum-exp on the device. Memory does not grow with K.

use crate::data::Part;
use crate::device::OpenDevice;
use crate::graph::{Binarize, Stage};
use crate::model::MlpVae;
use crate::plan::{self, BufferId, Executor, Plan, Setting, Step};
use crate::random::stream;
use crate::session::{EVALUATION_SEED, MAX_STEPS, bits, floats, image_words};
use crate::{Error, Result};
use std::time::{Duration, Instant};

/// Samples K that reports use, as Burda et al. did.
pub const REPORT_SAMPLES: usize = 5000;
/// Rows of a pass: samples times images. Enough for matrix products at full speed, few enough to stay in caches.
const ROWS: usize = 1024;
/// Most samples of one image in a pass.
const SAMPLES_A_PASS: usize = 64;
/// A submit should take about this long: no operating system takes the device for hung.
const SUBMIT: Duration = Duration::from_millis(200);

const BEGIN: &[Stage] = &[Stage::TestInput, Stage::Encode, Stage::BeginStream];
const PASS: &[Stage] = &[Stage::Sample, Stage::Upper, Stage::Prior, Stage::Decode, Stage::Stream];

/// What the samples of one image tell, in nats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ImageBound {
    /// L_K: log of the mean weight. In expectation a lower bound on log p(x), the tighter the larger K.
    pub bound: f64,
    /// The mean of log weights: the evidence lower bound L_1, averaged over the same samples.
    pub elbo: f64,
    /// Samples the weights are worth, (sum w)^2 / sum w^2, from 1 to K (Kong 1992).
    pub effective_samples: f64,
}

/// A model on a device, ready to weigh samples.
pub struct ImportanceSampler {
    spec: MlpVae,
    samples: usize,
    plan: Plan,
    executor: Box<dyn Executor>,
    /// Passes that make a submit of a good length.
    group: usize,
}

impl std::fmt::Debug for ImportanceSampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImportanceSampler").field("samples", &self.samples).finish_non_exhaustive()
    }
}

/// Samples of each image in a pass: the largest divisor of `samples` that is small enough, so that passes are all alike.
fn samples_a_pass(samples: usize) -> usize {
    (1..=SAMPLES_A_PASS.min(samples)).rev().find(|share| samples.is_multiple_of(*share)).unwrap_or(1)
}

/// The plan of a minibatch's bound: `begin`, and `pass` as often as it takes.
pub(crate) fn plan(spec: &MlpVae) -> Result<Plan> {
    let (graph, _) = spec.build_importance()?;
    // One minibatch at a time is sent, however large the dataset is.
    let setting = Setting { train_images: 0, test_images: 0, max_steps: 1, streamed: true };
    Ok(plan::lower(&graph, None, &[("begin", BEGIN), ("pass", PASS)], setting))
}

impl ImportanceSampler {
    /// Put the model `spec` with `parameters` (flat, as [`crate::Session::read_flat`] gives them) on `device`, to weigh
    /// `samples` samples of each image.
    ///
    /// # Errors
    /// [`Error::Setting`] if `samples` is 0; [`Error::Limit`] or [`Error::Device`] if the device cannot hold it.
    pub fn open(device: &OpenDevice, spec: &MlpVae, parameters: &[f32], samples: usize) -> Result<Self> {
        if samples == 0 {
            return Err(Error::setting("--importance-samples", "0 is too few", "give 1 or more"));
        }
        let share = samples_a_pass(samples);
        // One draw of each image, whatever K and with it the minibatch is: that of AIS and of quadrature
        // ([`super::density::observed`]).
        let binarize = match spec.binarize {
            Binarize::Dynamic => Binarize::Static,
            other => other,
        };
        let spec = MlpVae { batch: (ROWS / share).max(1), noise_samples: share, binarize, ..spec.clone() };
        let plan = plan(&spec)?;
        let executor = device.executor(&plan, MAX_STEPS)?;
        let mut sampler = Self { spec, samples, plan, executor, group: 1 };
        let buffer = sampler.buffer("parameters")?;
        sampler.executor.write(buffer, 0, bits(parameters))?;
        Ok(sampler)
    }

    fn buffer(&self, name: &str) -> Result<BufferId> {
        self.plan.buffer(name).ok_or_else(|| Error::Internal(format!("the plan has no buffer '{name}'")))
    }

    /// The bounds of the images of `part` with these numbers. `progress` is told how many images are done. The noise is
    /// fixed: equal calls give equal numbers.
    ///
    /// # Errors
    /// [`Error::Setting`] if a weight is not a number; else if the device fails.
    pub fn bounds(
        &mut self,
        part: &Part,
        numbers: &[u32],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<ImageBound>> {
        let mut all = Vec::with_capacity(numbers.len());
        for (batch, images) in numbers.chunks(self.spec.batch).enumerate() {
            self.begin(part, images, batch)?;
            self.draw(images.len(), batch)?;
            let running = self.buffer("running")?;
            let words = floats(self.executor.read(running, 0, 4 * images.len())?);
            for (sums, number) in words.chunks(4).zip(images) {
                all.push(self.bound(sums, *number)?);
            }
            progress(all.len());
        }
        Ok(all)
    }

    /// Encode a minibatch, and forget the weights of the one before.
    fn begin(&mut self, part: &Part, images: &[u32], batch: usize) -> Result<()> {
        let words: Vec<u32> = images
            .iter()
            .flat_map(|&number| image_words(part.image(number as usize), self.spec.pixels))
            .collect();
        let (dataset, indices) = (self.buffer("dataset.test")?, self.buffer("indices")?);
        self.executor.write(dataset, 0, &words)?;
        self.executor.write(indices, 0, images)?;
        let step = Step { stream: stream::EVALUATION_NOISE, ..step(images.len(), batch, 0) };
        self.executor.submit("begin", &[step])?;
        self.executor.receive(0).map(drop)
    }

    /// All passes over a minibatch.
    fn draw(&mut self, images: usize, batch: usize) -> Result<()> {
        let passes = self.samples / self.spec.noise_samples;
        let mut done = 0;
        while done < passes {
            let count = self.group.min(passes - done);
            let steps: Vec<Step> =
                (0..count).map(|i| Step { slot: i as u32, ..step(images, batch, done + i) }).collect();
            let start = Instant::now();
            self.executor.submit("pass", &steps)?;
            self.executor.receive(0)?;
            done += count;
            let seconds = start.elapsed().as_secs_f64() / count as f64;
            let wanted = (SUBMIT.as_secs_f64() / seconds.max(1e-6)) as usize;
            self.group = wanted.clamp(1, (2 * self.group).min(self.executor.max_steps()).min(MAX_STEPS));
        }
        Ok(())
    }

    fn bound(&self, sums: &[f32], number: u32) -> Result<ImageBound> {
        let [largest, sum, squares, total] = [0, 1, 2, 3].map(|i| f64::from(sums[i]));
        let samples = self.samples as f64;
        let bound = ImageBound {
            bound: largest + sum.ln() - samples.ln(),
            elbo: total / samples,
            effective_samples: sum * sum / squares,
        };
        if bound.bound.is_finite() && bound.elbo.is_finite() && bound.effective_samples.is_finite() {
            return Ok(bound);
        }
        let problem = format!("the weights of held-out image {number} are not finite numbers");
        let hint = "the model has diverged; use its best parameters, with --best, or train it anew";
        Err(Error::setting("--importance-samples", problem, hint))
    }
}

fn step(images: usize, batch: usize, pass: usize) -> Step {
    Step {
        seed_low: EVALUATION_SEED as u32,
        seed_high: (EVALUATION_SEED >> 32) as u32,
        counter_low: batch as u32,
        counter_high: pass as u32,
        stream: stream::IMPORTANCE_NOISE,
        rows: images as u32,
        beta: 1.0,
        ..Step::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_divide_the_samples() {
        assert_eq!([1, 50, 64, 97, 100, 5000, 4999].map(samples_a_pass), [1, 50, 64, 1, 50, 50, 1]);
    }
}
