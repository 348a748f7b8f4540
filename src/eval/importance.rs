//! The importance-weighted bound L_K on the evidence (Burda et al., "Importance weighted autoencoders", arXiv
//! 1509.00519, equation 8): log of the mean of K weights p(x, z) / q(z|x), z drawn from q(z|x).
//!
//! Each image is encoded once; then the same program draws and weighs some samples of each image, pass after pass, into a
//! running log-sum-exp on the device. Memory does not grow with K.

use super::average::mean_and_error;
use super::density::Weights;
use crate::data::{Dataset, Part};
use crate::device::OpenDevice;
use crate::graph::{Binarize, Setting, Tensors, lower};
use crate::model::{Task, importance_program};
use crate::pace::{Pace, SUBMIT};
use crate::plan::{Plan, Step};
use crate::random::stream;
use crate::session::{EVALUATION_SEED, Host, MAX_STEPS, Session, Which, columns};
use crate::{Error, Result};
use serde::Serialize;
use std::time::Instant;

/// Samples K that reports use, as Burda et al. did.
pub const REPORT_SAMPLES: usize = 5000;
/// Rows of a pass: samples times images. Enough for matrix products at full speed, few enough to stay in caches.
const ROWS: usize = 1024;
/// Most samples of one image in a pass.
const SAMPLES_A_PASS: usize = 64;

/// The bound of one image, in nats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ImageBound {
    /// L_K: log of the mean weight. In expectation a lower bound on log p(x), the tighter the larger K.
    pub bound: f64,
    /// The mean of log weights: the evidence lower bound L_1, averaged over the same samples.
    pub elbo: f64,
    /// Effective number of samples, (sum w)^2 / sum w^2, from 1 to K (Kong 1992).
    pub effective_samples: f64,
}

/// The importance-weighted bound of held-out images; nats per image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Importance {
    /// K.
    pub samples: usize,
    /// L_K, averaged over images.
    pub bound: f64,
    /// Standard error of that average, over images; null for a single image.
    pub standard_error: f64,
    /// Estimate of -log p(x): -L_K, an upper bound in expectation.
    pub negative_log_likelihood: f64,
    /// The same divided by the number of pixels and by log 2.
    pub bits_per_dimension: f64,
    /// Average of log weights: the ELBO of the same samples.
    pub elbo: f64,
    /// Effective number of samples, (sum w)^2 / sum w^2: its median over images.
    pub effective_samples_median: f64,
    /// The same: its minimum over images.
    pub effective_samples_smallest: f64,
    /// Seconds it took.
    pub seconds: f64,
}

impl Importance {
    /// The bound of the first `images` held-out images of `dataset` under the model of `session`, by `samples` samples of
    /// each, on `device`. `progress` receives the number of finished images. The noise is fixed.
    ///
    /// # Errors
    /// As [`ImportanceSampler::open`] and [`ImportanceSampler::bounds`].
    pub fn of(
        device: &OpenDevice,
        session: &mut Session,
        dataset: &Dataset,
        images: usize,
        samples: usize,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Self> {
        let start = Instant::now();
        let weights = Weights::of(session)?;
        let task = session.task().clone().for_evaluation();
        let mut sampler = ImportanceSampler::open(device, &task, &weights, samples)?;
        let numbers: Vec<u32> = (0..images.min(dataset.test.count) as u32).collect();
        let bounds = sampler.bounds(&dataset.test, &numbers, progress)?;
        let (bound, standard_error) = mean_and_error(bounds.iter().map(|image| image.bound));
        let mut effective: Vec<f64> = bounds.iter().map(|image| image.effective_samples).collect();
        effective.sort_unstable_by(f64::total_cmp);
        Ok(Self {
            samples,
            bound,
            standard_error,
            negative_log_likelihood: -bound,
            bits_per_dimension: -bound / (dataset.shape.pixels() as f64 * std::f64::consts::LN_2),
            elbo: bounds.iter().map(|image| image.elbo).sum::<f64>() / bounds.len() as f64,
            effective_samples_median: effective[effective.len() / 2],
            effective_samples_smallest: effective[0],
            seconds: start.elapsed().as_secs_f64(),
        })
    }
}

/// A model on a device, ready to weigh samples.
#[derive(Debug)]
pub struct ImportanceSampler {
    task: Task,
    /// Samples of each image, and those of a pass.
    samples: usize,
    share: usize,
    host: Host,
    pace: Pace,
}

/// Which noise a minibatch gets.
#[derive(Clone, Copy)]
struct Noise {
    seed: u64,
    /// Number of the minibatch.
    batch: usize,
}

/// Samples of each image in a pass: the largest divisor of `samples` that is small enough, so that passes are all alike.
fn samples_a_pass(samples: usize) -> usize {
    (1..=SAMPLES_A_PASS.min(samples)).rev().find(|share| samples.is_multiple_of(*share)).unwrap_or(1)
}

/// The plan of a minibatch's bound: `begin`, and `pass` as often as it takes, with `samples` samples of each image.
pub(crate) fn plan(task: &Task, tensors: &Tensors, samples: usize) -> Result<Plan> {
    let built = importance_program(task, tensors, samples)?;
    // One minibatch at a time is sent, however large the dataset is.
    let setting = Setting { train_images: 0, test_images: 0, max_steps: 1, streamed: true };
    lower(&built.graph, &built.programs, setting)
}

impl ImportanceSampler {
    /// The same for [`ImportanceSampler::bounds_alone`]: one image at a time.
    ///
    /// # Errors
    /// As [`ImportanceSampler::open`].
    pub fn open_alone(device: &OpenDevice, task: &Task, weights: &Weights, samples: usize) -> Result<Self> {
        Self::open_for(device, task, weights, samples, 1)
    }

    /// Put the model of `task` with its `weights` on `device`, to weigh `samples` samples of each image.
    ///
    /// # Errors
    /// [`Error::Setting`] if `samples` is 0 or the model has no latents; [`Error::Limit`] or [`Error::Device`] if the
    /// device cannot hold it.
    pub fn open(device: &OpenDevice, task: &Task, weights: &Weights, samples: usize) -> Result<Self> {
        let batch = ROWS / samples_a_pass(samples.max(1));
        Self::open_for(device, task, weights, samples, batch)
    }

    /// The same with this many images at a time.
    fn open_for(
        device: &OpenDevice,
        task: &Task,
        weights: &Weights,
        samples: usize,
        batch: usize,
    ) -> Result<Self> {
        if samples == 0 {
            return Err(Error::setting("--importance-samples", "0 is too few", "give 1 or more"));
        }
        let share = samples_a_pass(samples);
        // One draw of each image, whatever K and with it the minibatch is: that of AIS and of quadrature
        // ([`super::pixels::observed`]).
        let binarize = match task.binarize {
            Binarize::Dynamic => Binarize::Static,
            other => other,
        };
        let task = Task { batch: batch.max(1), binarize, ..task.clone() };
        let mut host = Host::open(device, plan(&task, &weights.tensors, share)?, MAX_STEPS)?;
        let buffer = host.buffer("parameters")?;
        host.write_flat(buffer, &weights.flat)?;
        let pace = host.pace(SUBMIT);
        Ok(Self { task, samples, share, host, pace })
    }

    /// The bounds of the images of `part` with these numbers. `progress` receives the number of finished images. The
    /// noise is fixed: equal calls give equal numbers.
    ///
    /// # Errors
    /// [`Error::Setting`] if a weight is not a number; [`Error::Column`] if `part` lacks a column that the model reads;
    /// else if the device fails.
    pub fn bounds(
        &mut self,
        part: &Part,
        numbers: &[u32],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<ImageBound>> {
        let mut all = Vec::with_capacity(numbers.len());
        for (batch, images) in numbers.chunks(self.task.batch).enumerate() {
            let noise = Noise { seed: EVALUATION_SEED, batch };
            all.extend(self.minibatch(part, images, noise)?);
            progress(all.len());
        }
        Ok(all)
    }

    /// The bounds of all images of `part`, each by itself, with the noise of its own seed. For a sampler of
    /// [`ImportanceSampler::open_alone`].
    ///
    /// # Errors
    /// As [`ImportanceSampler::bounds`].
    pub fn bounds_alone(
        &mut self,
        part: &Part,
        seeds: &[u64],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<ImageBound>> {
        let mut all = Vec::with_capacity(part.count);
        for (number, &seed) in (0..part.count as u32).zip(seeds) {
            all.extend(self.minibatch(part, &[number], Noise { seed, batch: 0 })?);
            progress(all.len());
        }
        Ok(all)
    }

    fn minibatch(&mut self, part: &Part, images: &[u32], noise: Noise) -> Result<Vec<ImageBound>> {
        self.begin(part, images, noise)?;
        self.draw(images.len(), noise)?;
        let port = self.host.result("pass")?;
        let sums = self.host.read_rows(&port, images.len())?.swap_remove(0);
        sums.chunks(4).zip(images).map(|(sums, number)| self.bound(sums, *number)).collect()
    }

    fn step(&self, stream: u32, images: usize, noise: Noise, pass: usize) -> Step {
        let seeded = Step::seeded(noise.seed, stream);
        let mut step = Step {
            counter_low: noise.batch as u32,
            counter_high: pass as u32,
            rows: images as u32,
            ..seeded
        };
        self.host.plan().set_number(&mut step, "beta", 1.0);
        step
    }

    /// Encode a minibatch, and forget the weights of the one before.
    fn begin(&mut self, part: &Part, images: &[u32], noise: Noise) -> Result<()> {
        for (buffer, column) in columns::gathered(self.host.plan(), "held-out images", Which::Test, part)? {
            let numbers = images.iter().map(|&number| number as usize);
            self.host.write_words(buffer, &columns::words(column, numbers))?;
        }
        let buffer = self.host.buffer("indices")?;
        self.host.write_words(buffer, images)?;
        let step = self.step(stream::EVALUATION_NOISE, images.len(), noise, 0);
        self.host.run("begin", step)
    }

    /// All passes over a minibatch.
    fn draw(&mut self, images: usize, noise: Noise) -> Result<()> {
        let passes = self.samples / self.share;
        let mut done = 0;
        while done < passes {
            let count = self.pace.steps().min(passes - done);
            let step =
                |i| Step { slot: i as u32, ..self.step(stream::IMPORTANCE_NOISE, images, noise, done + i) };
            let steps: Vec<Step> = (0..count).map(step).collect();
            self.host.paced(&mut self.pace, "pass", &steps)?;
            done += count;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_divide_the_samples() {
        assert_eq!([1, 50, 64, 97, 100, 5000, 4999].map(samples_a_pass), [1, 50, 64, 1, 50, 50, 1]);
    }
}
