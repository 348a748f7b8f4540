//! What one asks of a model: its bound on held-out images, their posteriors, and the images of latents.

use super::{EVALUATION_SEED, Session, Which, bits, floats};
use crate::Result;
use crate::graph::{Shape, ValueId};
use crate::plan::Step;
use crate::random::stream;

/// Averages over images, in nats per image. The evidence lower bound is `-(reconstruction + kl)`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Negative log-likelihood given the latents.
    pub reconstruction: f64,
    /// KL divergence from posterior to prior.
    pub kl: f64,
    /// The bound that the model's objective is the negative of, where it weighs samples. Else 0, or the evidence lower
    /// bound of two stochastic layers.
    pub bound: f64,
    /// Images averaged over.
    pub images: usize,
    /// Noise samples per image.
    pub samples: usize,
}

impl Evaluation {
    /// Evidence lower bound, nats per image.
    pub fn elbo(&self) -> f64 {
        -(self.reconstruction + self.kl)
    }
}

/// Posteriors of some images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Posteriors {
    /// `[images, latent]`
    pub means: Vec<f32>,
    /// `[images, latent]`
    pub log_variances: Vec<f32>,
}

impl Session {
    fn evaluation_step(batch: usize, sample: usize) -> Step {
        Step {
            seed_low: EVALUATION_SEED as u32,
            seed_high: (EVALUATION_SEED >> 32) as u32,
            counter_low: batch as u32,
            counter_high: sample as u32,
            stream: stream::EVALUATION_NOISE,
            beta: 1.0,
            ..Step::default()
        }
    }

    /// The evidence lower bound and its terms on the first `count` held-out images, averaged over `samples` noise
    /// samples (rounded up to a multiple of the model's own number). The noise is fixed: equal calls give equal numbers.
    ///
    /// # Errors
    /// If the device fails.
    pub fn evaluate(&mut self, count: usize, samples: usize) -> Result<Evaluation> {
        let passes = samples.div_ceil(self.spec.noise_samples).max(1);
        let numbers: Vec<u32> = (0..count as u32).collect();
        let batches: Vec<&[u32]> = numbers.chunks(self.spec.batch).collect();
        let work: Vec<(usize, &[u32], usize)> = (0..passes)
            .flat_map(|pass| batches.iter().enumerate().map(move |(i, batch)| (i, *batch, pass)))
            .collect();
        let (mut reconstruction, mut kl, mut bound) = (0.0, 0.0, 0.0);
        for group in work.chunks(self.max_steps()) {
            let steps = group.iter().map(|&(batch, _, pass)| Self::evaluation_step(batch, pass)).collect();
            let images: Vec<&[u32]> = group.iter().map(|(_, batch, _)| *batch).collect();
            self.submit("evaluate", Which::Test, &images, steps)?;
            for (metrics, (_, batch, _)) in self.receive(0)?.into_iter().flatten().zip(group) {
                reconstruction += f64::from(metrics.reconstruction) * batch.len() as f64;
                kl += f64::from(metrics.kl) * batch.len() as f64;
                bound += f64::from(metrics.bound()) * batch.len() as f64;
            }
        }
        let total = (count * passes) as f64;
        Ok(Evaluation {
            reconstruction: reconstruction / total,
            kl: kl / total,
            bound: bound / total,
            images: count,
            samples: passes * self.spec.noise_samples,
        })
    }

    /// Read a value of the last step, without padding: one `Vec` a section.
    fn read_value(&mut self, id: ValueId, rows: usize) -> Result<Vec<Vec<f32>>> {
        let value = self.model.graph.value(id);
        let shape = value.shape;
        let buffer = self.buffer(&value.name.clone())?;
        let flat = floats(self.executor.read(buffer, 0, rows * shape.stride())?);
        Ok((0..shape.sections).map(|section| unpadded(&flat, shape, section)).collect())
    }

    /// Posteriors of the held-out images with these numbers.
    ///
    /// # Errors
    /// If the device fails.
    pub fn encode(&mut self, numbers: &[u32]) -> Result<Posteriors> {
        let mut all = Posteriors::default();
        for (i, batch) in numbers.chunks(self.spec.batch).enumerate() {
            self.submit("encode", Which::Test, &[batch], vec![Self::evaluation_step(i, 0)])?;
            self.receive(0)?;
            let sections = self.read_value(self.model.posterior, batch.len())?;
            all.means.extend(&sections[0]);
            all.log_variances.extend(&sections[1]);
        }
        Ok(all)
    }

    /// Expected images of `latents` `[count, latent]` of the first layer, as `[count, pixels]` in [0, 1] for a Bernoulli
    /// likelihood.
    ///
    /// # Errors
    /// If the device fails.
    pub fn decode(&mut self, latents: &[f32]) -> Result<Vec<f32>> {
        Ok(self.through("decode", self.model.latent, self.model.picture, latents)?.swap_remove(0))
    }

    /// Write rows (without padding) to `input`, a few at a time, run `program`, and read as many rows of `output`: one
    /// `Vec` a section.
    pub(super) fn through(
        &mut self,
        program: &str,
        input: ValueId,
        output: ValueId,
        rows: &[f32],
    ) -> Result<Vec<Vec<f32>>> {
        let value = self.model.graph.value(input).clone();
        let (shape, width, buffer) = (value.shape, value.shape.columns, self.buffer(&value.name)?);
        let mut all = vec![Vec::new(); self.model.graph.value(output).shape.sections];
        for group in rows.chunks(width * shape.rows) {
            let mut padded = vec![0.0; shape.length()];
            for (to, from) in padded.chunks_mut(shape.stride()).zip(group.chunks(width)) {
                to[..width].copy_from_slice(from);
            }
            self.executor.write(buffer, 0, bits(&padded))?;
            let step = Step { rows: self.spec.batch as u32, ..Self::evaluation_step(0, 0) };
            self.executor.submit(program, &[step])?;
            self.receive(0)?;
            for (all, section) in all.iter_mut().zip(self.read_value(output, group.len() / width)?) {
                all.extend(section);
            }
        }
        Ok(all)
    }
}

fn unpadded(flat: &[f32], shape: Shape, section: usize) -> Vec<f32> {
    let start = section * shape.section_stride();
    flat.chunks(shape.stride()).flat_map(|row| row[start..start + shape.columns].iter().copied()).collect()
}
