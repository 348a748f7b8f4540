//! CMA-ES (Hansen, "The CMA evolution strategy: a tutorial", arXiv:1604.00772), as pycma 2.2.0 runs it by default: active
//! rank-mu and rank-one updates of a full covariance, and the length of the evolution path controls the step size (CSA).
//!
//! [`Cmaes::ask`] draws the candidates of a generation, [`Cmaes::tell`] takes their costs, the smaller the better.

mod constants;
mod state;
#[cfg(test)]
mod tests;

pub use constants::Constants;

use crate::random::{Philox, stream};
use crate::{Error, Result};
use nalgebra::{DMatrix, DVector, SymmetricEigen};

/// The best candidate of all generations.
#[derive(Clone, Debug, PartialEq)]
pub struct Best {
    /// Its parameters.
    pub candidate: Vec<f64>,
    /// Its cost.
    pub cost: f64,
    /// Its generation, counted from 1.
    pub generation: u64,
}

/// A normal distribution over parameters that moves towards smaller costs, generation by generation.
///
/// Every draw follows from the seed, the generation and the candidate's number, so that a loaded state goes on bit for bit
/// as the saved one.
#[derive(Clone, Debug, PartialEq)]
pub struct Cmaes {
    constants: Constants,
    seed: u64,
    /// Generations told.
    generation: u64,
    mean: DVector<f64>,
    sigma: f64,
    covariance: DMatrix<f64>,
    /// Orthonormal eigenvectors of the covariance when it was last decomposed, a column each.
    axes: DMatrix<f64>,
    /// The square roots of their eigenvalues.
    lengths: DVector<f64>,
    /// Generations told when it was decomposed.
    decomposed: u64,
    /// The evolution path of the covariance.
    path: DVector<f64>,
    /// The evolution path of the step size.
    step_path: DVector<f64>,
    best: Option<Best>,
}

impl Cmaes {
    /// A search from `mean` with deviation `sigma` in every parameter, by `population` candidates a generation.
    ///
    /// # Errors
    /// [`Error::Setting`] if the mean is empty or not finite, sigma is not above zero, or the population is below 4.
    pub fn new(mean: &[f64], sigma: f64, population: usize, seed: u64) -> Result<Self> {
        let dimension = mean.len();
        if dimension == 0 || mean.iter().any(|value| !value.is_finite()) {
            let hint = "start from one finite number or more";
            return Err(Error::setting("initial mean", "empty or not finite", hint));
        }
        if !(sigma.is_finite() && sigma > 0.0) {
            let hint = "give a number above zero; World Models uses 0.1";
            return Err(Error::setting(
                "--sigma",
                format!("{sigma} is not a finite number above zero"),
                hint,
            ));
        }
        if population < 4 {
            let hint = "give 4 or more; World Models uses 64";
            return Err(Error::setting("--population", format!("{population} candidates are too few"), hint));
        }
        Ok(Self {
            constants: Constants::new(dimension, population),
            seed,
            generation: 0,
            mean: DVector::from_column_slice(mean),
            sigma,
            covariance: DMatrix::identity(dimension, dimension),
            axes: DMatrix::identity(dimension, dimension),
            lengths: DVector::repeat(dimension, 1.0),
            decomposed: 0,
            path: DVector::zeros(dimension),
            step_path: DVector::zeros(dimension),
            best: None,
        })
    }

    /// The constants of this dimension and population.
    pub fn constants(&self) -> &Constants {
        &self.constants
    }

    /// Number of parameters.
    pub fn dimension(&self) -> usize {
        self.mean.len()
    }

    /// Candidates in a generation.
    pub fn population(&self) -> usize {
        self.constants.weights.len()
    }

    /// Generations told so far.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The mean of the distribution: the estimate of the best parameters where costs are noisy.
    pub fn mean(&self) -> &[f64] {
        self.mean.as_slice()
    }

    /// The step size.
    pub fn sigma(&self) -> f64 {
        self.sigma
    }

    /// The standard deviation of each parameter, the step size included.
    pub fn deviations(&self) -> Vec<f64> {
        self.covariance.diagonal().iter().map(|variance| self.sigma * variance.sqrt()).collect()
    }

    /// The longest axis of the distribution over the shortest, when it was last decomposed.
    pub fn axis_ratio(&self) -> f64 {
        self.lengths.max() / self.lengths.min()
    }

    /// The best candidate told so far, if any.
    pub fn best(&self) -> Option<&Best> {
        self.best.as_ref()
    }

    /// The candidates of the next generation: `population` vectors of `dimension` parameters. They stay the same until costs
    /// are told.
    ///
    /// # Errors
    /// [`Error::Internal`] if the covariance has an eigenvalue that is not above zero.
    pub fn ask(&mut self) -> Result<Vec<Vec<f64>>> {
        // A covariance that is up to date stays as it is, however small the gap.
        let age = self.generation - self.decomposed;
        if age > 0 && age as f64 >= self.constants.gap {
            self.decompose()?;
        }
        let dimension = self.dimension();
        let mut draws = DMatrix::zeros(dimension, self.population());
        for (number, mut draw) in draws.column_iter_mut().enumerate() {
            // 4,294,967,296 candidates are enough for a generation.
            let item = self.generation << 32 | number as u64;
            let mut random = Philox::new(self.seed, stream::EVOLUTION, item);
            draw.iter_mut().for_each(|value| *value = random.normal());
            draw.component_mul_assign(&self.lengths);
        }
        let steps = &self.axes * draws;
        let candidate = |step: nalgebra::DVectorView<'_, f64>| {
            step.iter().zip(&self.mean).map(|(step, mean)| mean + self.sigma * step).collect()
        };
        Ok(steps.column_iter().map(candidate).collect())
    }

    /// Move the distribution by the `costs` of `candidates`, which need not be those that [`Cmaes::ask`] gave (they may have
    /// been rounded). Equal costs rank in the order of the candidates; NaN ranks last.
    ///
    /// # Errors
    /// [`Error::Diverged`] if every cost is NaN; [`Error::Internal`] if lengths do not match or a parameter is not finite.
    /// The state is unchanged then.
    pub fn tell(&mut self, candidates: &[Vec<f64>], costs: &[f64]) -> Result<()> {
        let (dimension, population) = (self.dimension(), self.population());
        if candidates.len() != population || costs.len() != population {
            let (candidates, costs) = (candidates.len(), costs.len());
            return Err(Error::Internal(format!(
                "{candidates} candidates and {costs} costs for a population of {population}"
            )));
        }
        let fits = |candidate: &Vec<f64>| {
            candidate.len() == dimension && candidate.iter().all(|value| value.is_finite())
        };
        if !candidates.iter().all(fits) {
            return Err(Error::Internal(format!("a candidate is not {dimension} finite numbers")));
        }
        if costs.iter().all(|cost| cost.is_nan()) {
            return Err(Error::Diverged {
                step: self.generation + 1,
                term: "best cost".into(),
                value: f32::NAN,
                hint: "every candidate's cost is NaN; check the models' parameters and the environment's rewards".into(),
            });
        }
        let order = ranked(costs);
        self.generation += 1;
        let (first, cost) = (&candidates[order[0]], costs[order[0]]);
        if self.best.as_ref().is_none_or(|best| cost < best.cost) {
            self.best = Some(Best { candidate: first.clone(), cost, generation: self.generation });
        }
        // Best first, in units of the step size.
        let steps = DMatrix::from_fn(dimension, population, |row, rank| {
            (candidates[order[rank]][row] - self.mean[row]) / self.sigma
        });
        self.update(steps);
        Ok(())
    }

    /// Move the distribution by `steps`, `[dimension, population]`, best first.
    fn update(&mut self, steps: DMatrix<f64>) {
        let constants = &self.constants;
        let parents = DVector::from_column_slice(&constants.weights[..constants.parents]);
        let shift = steps.columns(0, constants.parents) * parents;
        self.mean.axpy(self.sigma, &shift, 1.0);

        // The path of the step size, in coordinates in which the distribution is a sphere.
        let white = &self.axes * self.axes.tr_mul(&shift).component_div(&self.lengths);
        let rate = constants.step_path;
        self.step_path.axpy((rate * (2.0 - rate) * constants.effective).sqrt(), &white, 1.0 - rate);

        // A path that is longer than chance explains holds the rank-one update back: the step size grows first.
        let seen = 1.0 - (1.0 - rate).powf(2.0 * self.generation as f64);
        let n = steps.nrows() as f64;
        let steady = self.step_path.norm_squared() / seen / n < 2.0 + 4.0 / (n + 1.0);
        let rate = constants.path;
        let push = if steady { (rate * (2.0 - rate) * constants.effective).sqrt() } else { 0.0 };
        self.path.axpy(push, &shift, 1.0 - rate);

        self.adapt_covariance(steps, steady);

        let constants = &self.constants;
        let excess = self.step_path.norm() / constants.length - 1.0;
        self.sigma *= (constants.step_path / constants.damping * excess).clamp(-1.0, 1.0).exp();
    }

    /// The rank-one and the rank-mu update; `steady` as in [`Cmaes::update`].
    fn adapt_covariance(&mut self, mut steps: DMatrix<f64>, steady: bool) {
        let Constants { weights, parents, rank_one, rank_mu, path: rate, .. } = &self.constants;
        // Without the push the path is shorter; the decay is less by what it misses.
        let lost = if steady { 0.0 } else { rank_one * rate * (2.0 - rate) };
        let decay = rank_one - lost + rank_mu * weights.iter().sum::<f64>();
        let mut weights = weights.clone();
        // The length of a step with a negative weight is set to that of an average one, so that the covariance stays positive
        // definite.
        let inverse = self.lengths.map(|length| 1.0 / length);
        let mut white = self.axes.tr_mul(&steps.columns(*parents, weights.len() - parents));
        for (mut step, weight) in white.column_iter_mut().zip(&mut weights[*parents..]) {
            step.component_mul_assign(&inverse);
            *weight *= self.mean.len() as f64 / (1e-9 + step.norm_squared());
        }
        let transposed = steps.transpose();
        for (mut step, weight) in steps.column_iter_mut().zip(&weights) {
            step *= rank_mu * weight;
        }
        self.covariance.gemm(1.0, &steps, &transposed, 1.0 - decay);
        self.covariance.ger(*rank_one, &self.path, &self.path, 1.0);
    }

    /// Find the axes of the covariance.
    fn decompose(&mut self) -> Result<()> {
        let symmetric = (&self.covariance + self.covariance.transpose()) * 0.5;
        let found = SymmetricEigen::try_new(symmetric.clone(), f64::EPSILON, 100 * self.dimension());
        let Some(found) = found.filter(|found| found.eigenvalues.iter().all(|value| *value > 0.0)) else {
            let problem = format!("the covariance of generation {} has no positive axes", self.generation);
            return Err(Error::Internal(problem));
        };
        self.covariance = symmetric;
        self.axes = found.eigenvectors;
        self.lengths = found.eigenvalues.map(f64::sqrt);
        self.decomposed = self.generation;
        Ok(())
    }
}

/// The numbers of `costs` from the smallest cost to the largest, NaN last; equal ones in their order.
fn ranked(costs: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..costs.len()).collect();
    let key = |number: &usize| (costs[*number].is_nan(), costs[*number]);
    order.sort_by(|a, b| key(a).partial_cmp(&key(b)).unwrap_or(std::cmp::Ordering::Equal));
    order
}
