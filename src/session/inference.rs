//! What one asks of a model: its bound on held-out images, their posteriors, and the images of latents.

use super::{EVALUATION_SEED, Session, Which};
use crate::pace::SUBMIT;
use crate::plan::{Plan, Step};
use crate::random::stream;
use crate::{Error, Result};
use std::collections::BTreeMap;

/// Averages over images, in nats per image but for the squared error. The evidence lower bound is `-(reconstruction + kl)`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Negative log-likelihood given the latents.
    pub reconstruction: f64,
    /// KL divergence from posterior to prior.
    pub kl: f64,
    /// The bound that training maximises where the objective weighs samples, or where there are several stochastic layers;
    /// else 0.
    pub bound: f64,
    /// Squared error of the expected image, summed over pixels and channels, where the model reports it.
    pub squared_error: Option<f64>,
    /// Further metrics of the model, such as `penalty`.
    pub others: BTreeMap<String, f64>,
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

/// Posteriors of some images, or the codes that a deterministic autoencoder has in their place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Posteriors {
    /// `[images, latent]`
    pub means: Vec<f32>,
    /// `[images, latent]`; empty for codes, which have no variance.
    pub log_variances: Vec<f32>,
}

impl Session {
    fn evaluation_step(plan: &Plan, batch: usize, sample: usize) -> Step {
        let seeded = Step::seeded(EVALUATION_SEED, stream::EVALUATION_NOISE);
        let mut step = Step { counter_low: batch as u32, counter_high: sample as u32, ..seeded };
        plan.set_number(&mut step, "beta", 1.0);
        step
    }

    /// The same with the corruption that training has.
    fn corrupted_step(&self, batch: usize, sample: usize) -> Step {
        let mut step = Self::evaluation_step(self.plan(), batch, sample);
        self.plan().set_number(&mut step, "corruption", self.task.objective.codes.noise_level);
        step
    }

    /// The evidence lower bound and its terms on the first `count` held-out images, averaged over `samples` noise
    /// samples (rounded up to a multiple of the model's own number). The noise is fixed: equal calls give equal numbers.
    ///
    /// # Errors
    /// If the device fails.
    pub fn evaluate(&mut self, count: usize, samples: usize) -> Result<Evaluation> {
        let passes = samples.div_ceil(self.task.objective.samples).max(1);
        let numbers: Vec<u32> = (0..count as u32).collect();
        let batches: Vec<&[u32]> = numbers.chunks(self.task.batch).collect();
        let work: Vec<(usize, &[u32], usize)> = (0..passes)
            .flat_map(|pass| batches.iter().enumerate().map(move |(i, batch)| (i, *batch, pass)))
            .collect();
        let known = ["reconstruction", "kl", "bound", "squared_error"];
        // Metrics of training alone are not written here.
        let deterministic = self.task.objective.kind.is_deterministic();
        let others = self.plan().metrics.iter().filter(|name| deterministic && name.ends_with("penalty"));
        let others: Vec<String> = others.cloned().collect();
        let names = known.into_iter().chain(others.iter().map(String::as_str));
        let columns: Vec<Option<usize>> = names.map(|name| self.plan().metric(name)).collect();
        let mut sums = vec![0.0; columns.len()];
        let mut left = work.as_slice();
        while !left.is_empty() {
            let (group, later) = left.split_at(self.pace.steps().min(left.len()));
            let step = |&(batch, _, pass): &(usize, &[u32], usize)| self.corrupted_step(batch, pass);
            let steps = group.iter().map(step).collect();
            let images: Vec<&[u32]> = group.iter().map(|(_, batch, _)| *batch).collect();
            let mut pace = self.pace;
            let received = self.run_at_pace(&mut pace, "evaluate", Which::Test, &images, steps)?;
            self.pace = pace;
            let rows = received.iter().flat_map(crate::plan::MetricRows::rows);
            for (row, (_, batch, _)) in rows.zip(group) {
                for (sum, column) in sums.iter_mut().zip(&columns) {
                    *sum += column.map_or(0.0, |column| f64::from(row[column])) * batch.len() as f64;
                }
            }
            left = later;
        }
        let total = (count * passes) as f64;
        sums.iter_mut().for_each(|sum| *sum /= total);
        Ok(Evaluation {
            reconstruction: sums[0],
            kl: sums[1],
            bound: 0.0 - sums[2],
            squared_error: columns[3].map(|_| sums[3]),
            others: others.into_iter().zip(sums.drain(known.len()..)).collect(),
            images: count,
            samples: passes * self.task.objective.samples,
        })
    }

    /// The evidence lower bound of each of the first held-out images, one at a time, nats: image `i` with the noise of
    /// `seeds[i]`, averaged over `samples` samples (rounded up as in [`Session::evaluate`]). `progress` receives the number
    /// of finished images.
    ///
    /// # Errors
    /// If the device fails.
    pub fn evaluate_each(
        &mut self,
        seeds: &[u64],
        samples: usize,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<f64>> {
        let passes = samples.div_ceil(self.task.objective.samples).max(1);
        let work: Vec<(u32, usize)> =
            (0..seeds.len() as u32).flat_map(|image| (0..passes).map(move |pass| (image, pass))).collect();
        let columns = ["reconstruction", "kl"].map(|name| self.plan().metric(name));
        let mut sums = vec![0.0; seeds.len()];
        let mut left = work.as_slice();
        while !left.is_empty() {
            let (group, later) = left.split_at(self.pace.steps().min(left.len()));
            let step = |&(image, pass): &(u32, usize)| Step {
                seed_low: seeds[image as usize] as u32,
                seed_high: (seeds[image as usize] >> 32) as u32,
                ..self.corrupted_step(0, pass)
            };
            let steps = group.iter().map(step).collect();
            let images: Vec<[u32; 1]> = group.iter().map(|(image, _)| [*image]).collect();
            let images: Vec<&[u32]> = images.iter().map(|image| &image[..]).collect();
            let mut pace = self.pace;
            let received = self.run_at_pace(&mut pace, "evaluate", Which::Test, &images, steps)?;
            self.pace = pace;
            let rows = received.iter().flat_map(crate::plan::MetricRows::rows);
            for (row, (image, _)) in rows.zip(group) {
                let terms = columns.map(|column| column.map_or(0.0, |column| f64::from(row[column])));
                sums[*image as usize] -= terms.iter().sum::<f64>() / passes as f64;
            }
            left = later;
            progress(left.first().map_or(seeds.len(), |(image, _)| *image as usize));
        }
        Ok(sums)
    }

    /// Posteriors of the held-out images with these numbers; of a denoising autoencoder the codes of the images as they
    /// are.
    ///
    /// # Errors
    /// If the device fails.
    pub fn encode(&mut self, numbers: &[u32]) -> Result<Posteriors> {
        Posteriors::of_sections(self.of_images("encode", numbers, Self::without_corruption)?)
    }

    /// The held-out images with these numbers as a denoising autoencoder sees them, `[count, pixels]`, and their codes;
    /// `None` of other models. The noise is fixed: equal calls give equal numbers.
    ///
    /// # Errors
    /// If the device fails.
    pub fn corrupt(&mut self, numbers: &[u32]) -> Result<Option<(Vec<f32>, Posteriors)>> {
        if self.task.objective.codes.corruption.is_none() {
            return Ok(None);
        }
        let seen = self.of_images("corrupt", numbers, Self::corrupted_step)?.swap_remove(0);
        let codes = self.of_images("encode", numbers, Self::corrupted_step)?;
        Ok(Some((seen, Posteriors::of_sections(codes)?)))
    }

    fn without_corruption(&self, batch: usize, sample: usize) -> Step {
        Self::evaluation_step(self.plan(), batch, sample)
    }

    /// The result of `program` on held-out images: one `Vec` a section.
    fn of_images(
        &mut self,
        program: &str,
        numbers: &[u32],
        step: impl Fn(&Self, usize, usize) -> Step,
    ) -> Result<Vec<Vec<f32>>> {
        let port = self.host.result(program)?;
        let mut all = vec![Vec::new(); port.shape[1]];
        let mut pace = self.host.pace(SUBMIT);
        for (i, batch) in numbers.chunks(self.task.batch).enumerate() {
            let step = step(self, i, 0);
            self.run_at_pace(&mut pace, program, Which::Test, &[batch], vec![step])?;
            for (all, section) in all.iter_mut().zip(self.host.read_rows(&port, batch.len())?) {
                all.extend(section);
            }
        }
        Ok(all)
    }

    /// Expected images of `latents` `[count, latent]` of the first layer, as `[count, pixels]` in [0, 1] for a Bernoulli
    /// likelihood.
    ///
    /// # Errors
    /// If the device fails.
    pub fn decode(&mut self, latents: &[f32]) -> Result<Vec<f32>> {
        Ok(self.through("decode", latents)?.swap_remove(0))
    }

    /// Give `program` rows (without padding), as many at a time as it takes, and read as many rows of its result: one
    /// `Vec` a section.
    ///
    /// # Errors
    /// [`Error::Internal`] if the program is not from one value to one value; else if the device fails.
    pub(super) fn through(&mut self, program: &str, rows: &[f32]) -> Result<Vec<Vec<f32>>> {
        let (given, wanted) = self.host.ends(program)?;
        let [most, _, width] = given.shape;
        let mut all = vec![Vec::new(); wanted.shape[1]];
        for group in rows.chunks(width * most) {
            let count = group.len() / width;
            let mut whole = group.to_vec();
            whole.resize(width * most, 0.0);
            self.host.write_rows(&given, &whole)?;
            let rows = self.task.batch as u32;
            let step = Step { rows, ..Self::evaluation_step(self.plan(), 0, 0) };
            self.host.run(program, step)?;
            for (all, section) in all.iter_mut().zip(self.host.read_rows(&wanted, count)?) {
                all.extend(section);
            }
        }
        Ok(all)
    }
}

impl Posteriors {
    /// Posteriors from the sections of a value: means and log-variances, or codes.
    pub(crate) fn of_sections(sections: Vec<Vec<f32>>) -> Result<Self> {
        let mut sections = sections.into_iter();
        match (sections.next(), sections.next(), sections.next()) {
            (Some(means), log_variances, None) => {
                Ok(Self { means, log_variances: log_variances.unwrap_or_default() })
            }
            _ => Err(Error::Internal("neither a posterior nor codes".into())),
        }
    }
}
