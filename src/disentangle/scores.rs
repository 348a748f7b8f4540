//! All metrics of some items.

use super::factor_vae::factor_vae;
use super::mig::mean;
use super::{
    Gaps, Items, Random, Votes, beta_vae, covariance, dci, explicitness, information, irs, mig, modularity,
    sap, sap_continuous, total_correlation,
};
use crate::{Error, Result};
use serde::Serialize;
use std::collections::BTreeMap;

/// Numbers of draws, and constants. The defaults are those of `disentanglement_lib`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Settings {
    /// Seed of all draws.
    pub seed: u64,
    /// Items to learn from, and to count.
    pub points: usize,
    /// Items to test classifiers on.
    pub test_points: usize,
    /// Batches to learn from, of the scores of beta-VAE and FactorVAE.
    pub votes: usize,
    /// Batches to test on.
    pub test_votes: usize,
    /// Items, or pairs of them, in a batch.
    pub batch: usize,
    /// Bins of equal width of a code.
    pub bins: usize,
    /// Codes with a smaller deviation have no vote in the score of FactorVAE.
    pub threshold: f64,
    /// Stages of gradient boosting.
    pub stages: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 0,
            points: 10_000,
            test_points: 5_000,
            votes: 10_000,
            test_votes: 5_000,
            batch: 64,
            bins: 20,
            threshold: 0.05,
            stages: 100,
        }
    }
}

impl Settings {
    /// Items that all metrics together ask for, each as often as it is drawn.
    pub fn wanted(&self) -> usize {
        let batches = (self.votes + self.test_votes) * self.batch;
        3 * batches + self.points + self.test_points
    }
}

/// The metrics. One that is `None` has its reason in `missing`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Scores {
    /// See [`beta_vae`].
    pub beta_vae: Option<f64>,
    /// See [`factor_vae()`].
    pub factor_vae: Option<f64>,
    /// See [`mig()`].
    pub mig: Option<f64>,
    /// See [`super::mig_sampled`]; only where it is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mig_sampled: Option<f64>,
    /// See [`sap()`].
    pub sap: Option<f64>,
    /// See [`sap_continuous`].
    pub sap_continuous: Option<f64>,
    /// See [`super::disentanglement`].
    pub dci_disentanglement: Option<f64>,
    /// See [`super::completeness`].
    pub dci_completeness: Option<f64>,
    /// See [`super::Dci::informativeness`].
    pub dci_informativeness: Option<f64>,
    /// See [`modularity()`].
    pub modularity: Option<f64>,
    /// See [`explicitness()`].
    pub explicitness: Option<f64>,
    /// See [`irs()`].
    pub irs: Option<f64>,
    /// See [`total_correlation`], nats.
    pub gaussian_tc: Option<f64>,
    /// See [`information::mean_pairwise`], nats.
    pub mean_pairwise_mi: Option<f64>,
    /// Why a metric is missing, by its name.
    pub missing: BTreeMap<&'static str, &'static str>,
    /// Codes that vote in the score of FactorVAE.
    pub active: usize,
    /// What the metrics say of each factor, by the metric's name.
    pub per_factor: BTreeMap<&'static str, Vec<f64>>,
    /// I(code; factor) in bins, `[codes][factors]`, nats.
    pub information: Vec<Vec<f64>>,
    /// Items that were learned from and counted, and items that classifiers were tested on.
    pub counts: [usize; 2],
    /// See [`information::best_factors`].
    pub best_factors: Vec<(usize, f64)>,
    /// Importances of codes for the boosted classifiers, `[codes][factors]`.
    pub importance: Vec<Vec<f64>>,
}

/// A gap needs a second code.
const TWO_CODES: &str = "it needs two latent dimensions";
const TWO_FACTORS: &str = "it needs two factors that vary";

impl Scores {
    /// All metrics but that of sampled codes. Every factor must vary.
    ///
    /// # Errors
    /// [`Error::Setting`] if there are too few items, a factor does not vary or a code is not a number.
    pub fn of(items: &Items, settings: &Settings) -> Result<Self> {
        check(items)?;
        let mut random = Random::new(settings.seed, 0);
        let [train, test] = items.split(settings.points, settings.test_points, &mut random);
        let (factors, codes) = (items.factors(), items.width());
        let mut scores = Self { beta_vae: beta_vae(items, settings), ..Self::default() };
        scores.vote(factor_vae(items, settings));
        scores.counts = [train.count(), test.count()];
        scores.gaps(mig(&train, settings.bins));
        scores.best_factors = information::best_factors(&train, settings.bins);
        scores.modularity = modularity(&scores.information);
        scores.irs = Some(irs(&train));
        let correlation = total_correlation(&covariance(&train));
        scores.gaussian_tc = Some(correlation).filter(|it| it.is_finite());
        scores.mean_pairwise_mi = information::mean_pairwise(&train, settings.bins);
        let (explicit, of_factors) = explicitness(&train, &test);
        scores.explicitness = Some(explicit);
        scores.per_factor.insert("explicitness", of_factors);
        if codes > 1 {
            let (discrete, gaps) = sap(&train, &test);
            scores.sap = Some(discrete);
            scores.per_factor.insert("sap", gaps);
            let (continuous, gaps) = sap_continuous(&train);
            scores.sap_continuous = Some(continuous);
            scores.per_factor.insert("sap_continuous", gaps);
        }
        let found = dci(&train, &test, settings.stages, settings.seed);
        scores.dci_disentanglement = found.disentanglement;
        scores.dci_completeness = found.completeness;
        scores.dci_informativeness = Some(found.informativeness);
        scores.per_factor.insert("dci_informativeness", found.accuracies);
        scores.importance = found.importance;
        let mut missing = Vec::new();
        if factors < 2 {
            missing.extend(
                ["beta_vae", "factor_vae", "dci_disentanglement", "modularity"].map(|it| (it, TWO_FACTORS)),
            );
        }
        if codes < 2 {
            let names = ["mig", "sap", "sap_continuous", "dci_completeness", "mean_pairwise_mi"];
            missing.extend(names.map(|it| (it, TWO_CODES)));
        }
        if scores.gaussian_tc.is_none() {
            missing
                .push(("gaussian_tc", "it is infinite: a latent dimension is a linear function of others"));
        }
        scores.missing = missing.into_iter().collect();
        Ok(scores)
    }

    /// MIG and the score of FactorVAE alone: what training reports.
    ///
    /// # Errors
    /// As [`Scores::of`].
    pub fn quick(items: &Items, settings: &Settings) -> Result<Self> {
        check(items)?;
        let mut scores = Self::default();
        scores.vote(factor_vae(items, settings));
        let mut random = Random::new(settings.seed, 0);
        scores.gaps(mig(&items.select(&random.some(settings.points, items.count())), settings.bins));
        Ok(scores)
    }

    fn vote(&mut self, votes: Option<Votes>) {
        self.active = votes.as_ref().map_or(0, |it| it.active);
        self.factor_vae = votes.map(|it| it.accuracy);
    }

    fn gaps(&mut self, gaps: Gaps) {
        if gaps.information.len() > 1 {
            self.mig = Some(gaps.mean);
            self.per_factor.insert("mig", gaps.per_factor.clone());
        }
        self.per_factor.insert("entropy", gaps.entropies);
        self.information = gaps.information;
    }
}

fn check(items: &Items) -> Result<()> {
    let hint = "give more images with --images, or other images with --dataset";
    if items.count() < 10 {
        let problem =
            format!("metrics of disentanglement need at least 10 images, and there are {}", items.count());
        return Err(Error::setting("disentangle", problem, hint));
    }
    if !items.columns().iter().all(|column| mean(column).is_finite()) {
        let hint = "the parameters are damaged: train again with a smaller --learning-rate";
        return Err(Error::setting("disentangle", "a posterior mean is not a number", hint));
    }
    let constant = |factor: usize| items.labels(factor).windows(2).all(|pair| pair[0] == pair[1]);
    match (0..items.factors()).find(|&factor| constant(factor)) {
        Some(factor) => {
            let problem = format!("all images have the same class of factor {}", factor + 1);
            Err(Error::setting("disentangle", problem, hint))
        }
        None => Ok(()),
    }
}
