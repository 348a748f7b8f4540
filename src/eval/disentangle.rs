//! Metrics of disentanglement of a trained model: its codes of images whose factors are known.

use super::latents::LatentUse;
use super::layers::{joined, layer_use};
use crate::data::{Dataset, Factor};
use crate::disentangle::{Gaps, Items, Random, Scores, Settings, information, mig_sampled};
use crate::run::{RunHeader, TrainedModel};
use crate::session::{Posteriors, Session};
use crate::{Error, Result};
use serde::Serialize;

/// Images that are encoded between two reports of progress.
const GROUP: usize = 8192;
/// Images that show how much each dimension carries.
const MONITORED: usize = 2000;

/// A factor in JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// How many values it has.
    pub size: usize,
}

/// What `vae disentangle --json` writes.
#[derive(Clone, Debug, Serialize)]
pub struct Disentangled {
    /// The model.
    #[serde(flatten)]
    pub header: RunHeader,
    /// Name of the device.
    pub device: String,
    /// Images that were encoded.
    pub images: usize,
    /// Numbers of draws, and constants.
    pub settings: Settings,
    /// Posteriors that `mig_sampled` is made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub posteriors: Option<usize>,
    /// The factors, in the order of all numbers that are one a factor.
    pub factors: Vec<Named>,
    /// Factors of which all images have one value.
    pub left_out: Vec<String>,
    /// KL divergence of each dimension, nats; empty for a deterministic autoencoder.
    pub kl_per_dimension: Vec<f64>,
    /// The metrics.
    #[serde(flatten)]
    pub scores: Scores,
}

/// Codes of images, and the names of their factors.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// Codes and factors.
    pub items: Items,
    /// Log-variances of the posteriors, `[images, codes]`; empty for a deterministic autoencoder.
    pub log_variances: Vec<f64>,
    /// The factors that vary.
    pub factors: Vec<Factor>,
    /// The names of those that do not.
    pub left_out: Vec<String>,
    /// Use of the dimensions over these images.
    pub used: LatentUse,
}

/// Refuse a dataset without factors and labels; give its factors otherwise.
///
/// # Errors
/// [`Error::Column`]
pub fn factors_of(dataset: &Dataset) -> Result<Vec<Factor>> {
    if dataset.test.factors_or_labels().is_none() {
        let hint = "give images with labels, such as a folder with a subfolder for each class, or a .npz file with \
                    latents_classes, with --dataset";
        let problem = "is missing, and there are no labels either";
        return Err(Error::column(&*dataset.name, "train", "factors", problem, hint));
    }
    Ok(dataset.factors_or_labels())
}

impl Encoded {
    /// The codes of the held-out images with these `numbers` of `dataset`, which is that of the session. `progress` receives
    /// the number of images so far.
    ///
    /// # Errors
    /// [`Error::Column`] if there are neither factors nor labels; [`Error::Setting`] if no factor varies; else if the device
    /// fails.
    pub fn of(
        session: &mut Session,
        dataset: &Dataset,
        numbers: &[u32],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Self> {
        let all = factors_of(dataset)?;
        let classes = dataset.test.factors_or_labels().unwrap_or_default();
        let class = |image: u32, factor: usize| classes[image as usize * all.len() + factor];
        let varies = |factor: &usize| {
            numbers.windows(2).any(|pair| class(pair[0], *factor) != class(pair[1], *factor))
        };
        let (kept, rest): (Vec<usize>, Vec<usize>) = (0..all.len()).partition(varies);
        if kept.is_empty() {
            let hint = "give other images with --dataset, or more with --images";
            return Err(Error::setting("--dataset", "no factor varies among the images", hint));
        }
        let mut posteriors = Posteriors::default();
        for group in numbers.chunks(GROUP) {
            let more = session.encode(group)?;
            posteriors.means.extend(more.means);
            posteriors.log_variances.extend(more.log_variances);
            progress(posteriors.means.len() / session.latent_widths()?[0].max(1));
        }
        let width = session.latent_widths()?[0];
        let real = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<f64>>();
        let rows = numbers.iter().flat_map(|&image| kept.iter().map(move |&factor| class(image, factor)));
        let sizes = kept.iter().map(|&factor| all[factor].size()).collect();
        Ok(Self {
            items: Items::new(real(&posteriors.means), width, rows.collect(), sizes)?,
            log_variances: real(&posteriors.log_variances),
            used: LatentUse::of(&posteriors, width),
            factors: kept.iter().map(|&factor| all[factor].clone()).collect(),
            left_out: rest.iter().map(|&factor| all[factor].name.clone()).collect(),
        })
    }

    /// Those of all held-out images of `model`, or of `images` of them, drawn under the seed of `settings`. Never more than
    /// the metrics ask for.
    ///
    /// # Errors
    /// As [`Encoded::of`].
    pub fn of_model(
        model: &mut TrainedModel,
        images: Option<usize>,
        settings: &Settings,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Self> {
        let count = model.dataset.test.count;
        let most = images.unwrap_or(usize::MAX).min(settings.wanted());
        let mut chosen = Random::new(settings.seed, 3).some(most, count);
        // In the order of the files, so that neighbours are read together.
        chosen.sort_unstable();
        let numbers: Vec<u32> = chosen.into_iter().map(|number| number as u32).collect();
        Self::of(&mut model.session, &model.dataset, &numbers, progress)
    }

    /// The metrics; `posteriors` is the number of posteriors whose samples MIG is computed from too.
    ///
    /// # Errors
    /// [`Error::Setting`] if there are too few images, or posteriors are asked of a deterministic autoencoder.
    pub fn measure(
        &self,
        model: &TrainedModel,
        settings: &Settings,
        posteriors: Option<usize>,
    ) -> Result<Disentangled> {
        if posteriors.is_some() && self.log_variances.is_empty() {
            let problem = "a deterministic autoencoder has codes, and no posteriors";
            return Err(Error::setting("--posteriors", problem, "leave it out"));
        }
        let mut scores = Scores::of(&self.items, settings)?;
        let posteriors = posteriors.map(|count| count.min(self.items.count()));
        if let Some(count) = posteriors {
            let gaps = self.sampled(count, settings.seed);
            scores.per_factor.insert("mig_sampled", gaps.per_factor);
            scores.mig_sampled = Some(gaps.mean).filter(|_| self.items.width() > 1);
        }
        Ok(Disentangled {
            header: model.header(),
            device: model.session.device_name(),
            images: self.items.count(),
            settings: settings.clone(),
            posteriors,
            factors: self.factors.iter().map(|it| Named { name: it.name.clone(), size: it.size() }).collect(),
            left_out: self.left_out.clone(),
            kl_per_dimension: self.used.divergences.clone(),
            scores,
        })
    }

    fn sampled(&self, count: usize, seed: u64) -> Gaps {
        let chosen = Random::new(seed, 4).some(count, self.items.count());
        let width = self.items.width();
        let of = |&item: &usize| &self.log_variances[item * width..(item + 1) * width];
        let log_variances: Vec<f64> = chosen.iter().flat_map(of).copied().collect();
        mig_sampled(&self.items.select(&chosen), &log_variances, seed)
    }
}

/// Of each dimension of the last stochastic layer: how much it carries, and the factor that it follows.
#[derive(Clone, Debug, PartialEq)]
pub struct Dimension {
    /// Its number, from 0.
    pub number: usize,
    /// KL divergence, nats per image; `None` of a deterministic autoencoder.
    pub divergence: Option<f64>,
    /// Variance over images of the posterior mean.
    pub variance: f64,
    /// The factor that it knows most of, and the share of the factor's entropy.
    pub factor: Option<(String, f64)>,
}

/// Factors are not named of dimensions that know less of them than this.
const LITTLE: f64 = 0.05;
/// Counts of fewer images say nothing of factors.
pub const FEW: usize = 200;

/// The dimensions of the last stochastic layer, the one that carries most first, over the first held-out images. Factors are
/// named where the dataset has some.
///
/// # Errors
/// If the device fails.
pub fn dimensions(session: &mut Session, dataset: &Dataset) -> Result<Vec<Dimension>> {
    let numbers: Vec<u32> = (0..dataset.test.count.min(MONITORED) as u32).collect();
    let posteriors = session.encode(&numbers)?;
    let layers = layer_use(session, &posteriors)?;
    let single = layers.len() == 1;
    let used = joined(layers.into_iter().last().into_iter().collect());
    let known = match factors_of(dataset) {
        Ok(_) if single && numbers.len() >= FEW => {
            let encoded = Encoded::of(session, dataset, &numbers, &mut |_| ());
            encoded
                .ok()
                .map(|it| (information::best_factors(&it.items, Settings::default().bins), it.factors))
        }
        _ => None,
    };
    let factor = |number: usize| {
        let (best, factors) = known.as_ref()?;
        let (factor, share) = best[number];
        (share >= LITTLE).then(|| (factors[factor].name.clone(), share))
    };
    let of = |number: usize| Dimension {
        number,
        divergence: used.divergences.get(number).copied(),
        variance: used.mean_variances[number],
        factor: factor(number),
    };
    let mut all: Vec<Dimension> = (0..used.mean_variances.len()).map(of).collect();
    let carries = |dimension: &Dimension| dimension.divergence.unwrap_or(dimension.variance);
    all.sort_by(|a, b| carries(b).total_cmp(&carries(a)));
    Ok(all)
}
