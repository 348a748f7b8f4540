//! Mixtures of Gaussians with full covariances, fitted by expectation maximisation in double precision (Dempster, Laird and
//! Rubin 1977).

use crate::random::{Philox, stream};
use crate::{Error, Result};
use rayon::prelude::*;

/// Most rounds of expectation and maximisation.
const ROUNDS: usize = 300;
/// A round that gains less than this, nats per point, is the last.
const GAIN: f64 = 1e-5;
/// Rounds of k-means before the first.
const FIRST_ROUNDS: usize = 10;
/// What keeps covariances away from singular ones, as a fraction of the average variance of the points.
const RIDGE: f64 = 1e-6;

/// A density of points, sum over k of `weights[k] N(means[k], covariances[k])`.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixture {
    /// `[components]`, with sum 1.
    weights: Vec<f64>,
    /// `[components, width]`
    means: Vec<f64>,
    /// `[components, width, width]`
    covariances: Vec<f64>,
    /// Lower Cholesky factors of these.
    factors: Vec<f64>,
    width: usize,
}

/// A mixture fitted to points.
#[derive(Clone, Debug)]
pub struct Fit {
    /// The mixture.
    pub mixture: Mixture,
    /// The average log-density of the points before each round and after the last, nats; less a term that keeps covariances
    /// away from singular ones, `ridge / 2` times the sum of the traces of their inverses. It never falls.
    pub log_likelihoods: Vec<f64>,
}

/// The lower Cholesky factor of a symmetric matrix of `n` rows; `None` if it is not positive definite.
fn cholesky(matrix: &[f64], n: usize) -> Option<Vec<f64>> {
    let mut factor = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let (a, b) = (&factor[i * n..i * n + j], &factor[j * n..j * n + j]);
            let rest = matrix[i * n + j] - a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            if i == j && (rest <= 0.0 || !rest.is_finite()) {
                return None;
            }
            factor[i * n + j] = if i == j { rest.sqrt() } else { rest / factor[j * n + j] };
        }
    }
    Some(factor)
}

/// Solve L y = y in place.
fn solve(factor: &[f64], y: &mut [f64]) {
    let n = y.len();
    for i in 0..n {
        let (known, rest) = y.split_at_mut(i);
        let sum: f64 = factor[i * n..i * n + i].iter().zip(known.iter()).map(|(l, y)| l * y).sum();
        rest[0] = (rest[0] - sum) / factor[i * n + i];
    }
}

fn square(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum()
}

impl Mixture {
    /// The mixture of these components: weights `[components]`, means `[components, width]`, covariances
    /// `[components, width, width]`.
    ///
    /// # Errors
    /// [`Error::Internal`] if the sizes do not fit, or a covariance is not positive definite.
    pub fn new(weights: Vec<f64>, means: Vec<f64>, covariances: Vec<f64>, width: usize) -> Result<Self> {
        let components = weights.len();
        let fits = components > 0 && means.len() == components * width;
        if width == 0 || !fits || covariances.len() != means.len() * width {
            return Err(Error::Internal("a mixture whose sizes do not fit together".into()));
        }
        let factors: Option<Vec<Vec<f64>>> =
            covariances.chunks(width * width).map(|matrix| cholesky(matrix, width)).collect();
        let factors = factors
            .ok_or_else(|| Error::Internal("a covariance that is not positive definite".into()))?
            .concat();
        Ok(Self { weights, means, covariances, factors, width })
    }

    /// The weights, means and covariances, as [`Mixture::new`] takes them.
    pub fn parts(&self) -> [&[f64]; 3] {
        [&self.weights, &self.means, &self.covariances]
    }

    /// Dimensions of a point.
    pub fn width(&self) -> usize {
        self.width
    }

    fn factor(&self, component: usize) -> &[f64] {
        let size = self.width * self.width;
        &self.factors[component * size..(component + 1) * size]
    }

    fn mean(&self, component: usize) -> &[f64] {
        &self.means[component * self.width..(component + 1) * self.width]
    }

    /// log of weight times density, of each component.
    fn log_terms(&self, point: &[f64]) -> Vec<f64> {
        let n = self.width;
        let term = |(k, weight): (usize, &f64)| {
            let factor = self.factor(k);
            let mut y: Vec<f64> = point.iter().zip(self.mean(k)).map(|(x, m)| x - m).collect();
            solve(factor, &mut y);
            let half_log_determinant: f64 = (0..n).map(|i| factor[i * n + i].ln()).sum();
            weight.ln() - half_log_determinant - 0.5 * (square(&y) + n as f64 * std::f64::consts::TAU.ln())
        };
        self.weights.iter().enumerate().map(term).collect()
    }

    /// The log-density of a point, nats.
    pub fn log_density(&self, point: &[f64]) -> f64 {
        log_sum(&self.log_terms(point))
    }

    /// `count` draws, `[count, width]`, under `seed`.
    pub fn draw(&self, count: usize, seed: u64) -> Vec<f32> {
        let mut random = Philox::new(seed, stream::PRIOR, 2);
        let mut draws = Vec::with_capacity(count * self.width);
        for _ in 0..count {
            let mut left = f64::from(random.next_word()) / 4_294_967_296.0;
            let chosen = self.weights.iter().position(|weight| {
                left -= weight;
                left < 0.0
            });
            let component = chosen.unwrap_or(self.weights.len() - 1);
            let noise: Vec<f64> = (0..self.width).map(|_| random.normal()).collect();
            for (row, mean) in self.factor(component).chunks(self.width).zip(self.mean(component)) {
                draws.push((mean + row.iter().zip(&noise).map(|(l, n)| l * n).sum::<f64>()) as f32);
            }
        }
        draws
    }

    /// Fit `components` Gaussians to `points`, `[count, width]`. They begin at clusters that k-means finds; `seed` decides its
    /// first centres (Arthur and Vassilvitskii 2007).
    ///
    /// # Errors
    /// [`Error::Setting`] naming `--components` if there are fewer points than components; [`Error::Internal`] if a point is
    /// not finite.
    pub fn fit(points: &[f32], width: usize, components: usize, seed: u64) -> Result<Fit> {
        let points: Vec<f64> = points.iter().map(|&value| f64::from(value)).collect();
        let rows: Vec<&[f64]> = points.chunks(width.max(1)).collect();
        if components == 0 || rows.len() < components {
            let problem = format!("{components} components for the latents of {} images", rows.len());
            return Err(Error::setting(
                "--components",
                problem,
                "give 1 or more, and at most one for each image",
            ));
        }
        if points.iter().any(|value| !value.is_finite()) {
            return Err(Error::Internal("a latent is not a finite number".into()));
        }
        let count = rows.len() as f64;
        let variance = total_variance(&rows) / width as f64;
        // Equal points have some density too.
        let ridge = RIDGE * variance.max(1e-12) * count / components as f64;
        let mut responsibilities = clusters(&rows, components, seed);
        let mut mixture = None;
        let mut log_likelihoods = Vec::new();
        for _ in 0..=ROUNDS {
            let next = maximise(&rows, &responsibilities, mixture.as_ref(), ridge)?;
            let (found, log_likelihood) = next.expect(&rows);
            let value = log_likelihood / count - 0.5 * ridge * next.inverse_traces() / count;
            let gain = log_likelihoods.last().map_or(f64::INFINITY, |before| value - before);
            log_likelihoods.push(value);
            (mixture, responsibilities) = (Some(next), found);
            if gain < GAIN {
                break;
            }
        }
        let mixture = mixture.ok_or_else(|| Error::Internal("no round of maximisation".into()))?;
        Ok(Fit { mixture, log_likelihoods })
    }

    /// The share of each component in each point, `[components, count]`, and the log-likelihood of all points.
    fn expect(&self, rows: &[&[f64]]) -> (Vec<Vec<f64>>, f64) {
        let terms: Vec<Vec<f64>> = rows.par_iter().map(|row| self.log_terms(row)).collect();
        let sums: Vec<f64> = terms.iter().map(|terms| log_sum(terms)).collect();
        let share = |k: usize| terms.iter().zip(&sums).map(|(terms, sum)| (terms[k] - sum).exp()).collect();
        ((0..self.weights.len()).map(share).collect(), sums.iter().sum())
    }

    /// The sum over components of the trace of the inverse covariance: the squares of the inverse factors.
    fn inverse_traces(&self) -> f64 {
        let trace = |k: usize| -> f64 {
            let unit = |i: usize| {
                let mut column = vec![0.0; self.width];
                column[i] = 1.0;
                solve(self.factor(k), &mut column);
                square(&column)
            };
            (0..self.width).map(unit).sum()
        };
        (0..self.weights.len()).map(trace).sum()
    }
}

fn log_sum(terms: &[f64]) -> f64 {
    let largest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest + terms.iter().map(|term| (term - largest).exp()).sum::<f64>().ln()
}

fn total_variance(rows: &[&[f64]]) -> f64 {
    let count = rows.len() as f64;
    let width = rows.first().map_or(0, |row| row.len());
    let of = |d: usize| {
        let mean = rows.iter().map(|row| row[d]).sum::<f64>() / count;
        rows.iter().map(|row| (row[d] - mean).powi(2)).sum::<f64>() / count
    };
    (0..width).map(of).sum()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

/// The clusters of k-means as shares of 0 and 1, `[components, count]`.
fn clusters(rows: &[&[f64]], components: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut random = Philox::new(seed, stream::PRIOR, 3);
    let mut uniform = || f64::from(random.next_word()) / 4_294_967_296.0;
    let mut centres: Vec<Vec<f64>> = vec![rows[(uniform() * rows.len() as f64) as usize].to_vec()];
    let mut nearest: Vec<f64> = vec![f64::INFINITY; rows.len()];
    while centres.len() < components {
        let last = &centres[centres.len() - 1];
        nearest.iter_mut().zip(rows).for_each(|(nearest, row)| *nearest = nearest.min(distance(row, last)));
        let mut left = uniform() * nearest.iter().sum::<f64>();
        let chosen = nearest.iter().position(|distance| {
            left -= distance;
            left < 0.0
        });
        // Where all points lie on centres, any will do.
        centres.push(rows[chosen.unwrap_or(centres.len() % rows.len())].to_vec());
    }
    let mut own: Vec<usize> = Vec::new();
    for _ in 0..FIRST_ROUNDS {
        let closest = |row: &&[f64]| {
            let distances = centres.iter().map(|centre| distance(row, centre));
            distances.enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(k, _)| k)
        };
        own = rows.par_iter().map(closest).collect();
        for (k, centre) in centres.iter_mut().enumerate() {
            let members: Vec<&&[f64]> =
                rows.iter().zip(&own).filter(|(_, own)| **own == k).map(|it| it.0).collect();
            if members.is_empty() {
                continue;
            }
            for (d, value) in centre.iter_mut().enumerate() {
                *value = members.iter().map(|row| row[d]).sum::<f64>() / members.len() as f64;
            }
        }
    }
    (0..components).map(|k| own.iter().map(|&own| f64::from(u8::from(own == k))).collect()).collect()
}

/// The mixture that maximises the expected log-likelihood less `ridge / 2` times the traces of inverse covariances:
/// covariance = (sum of shares times squares + ridge) / sum of shares.
fn maximise(
    rows: &[&[f64]],
    responsibilities: &[Vec<f64>],
    before: Option<&Mixture>,
    ridge: f64,
) -> Result<Mixture> {
    let width = rows[0].len();
    let (mut weights, mut means, mut covariances) = (Vec::new(), Vec::new(), Vec::new());
    for (k, shares) in responsibilities.iter().enumerate() {
        let sum: f64 = shares.iter().sum();
        if sum < 1e-9 {
            // A component of no point keeps its shape.
            weights.push(0.0);
            means.extend(before.map_or_else(|| rows[k % rows.len()].to_vec(), |it| it.mean(k).to_vec()));
            let size = width * width;
            let unit = |i: usize| f64::from(u8::from(i.is_multiple_of(width + 1)));
            match before {
                Some(before) => covariances.extend(&before.covariances[k * size..(k + 1) * size]),
                None => covariances.extend((0..size).map(unit)),
            }
            continue;
        }
        let weighted =
            |d: usize| rows.iter().zip(shares).map(|(row, share)| share * row[d]).sum::<f64>() / sum;
        let mean: Vec<f64> = (0..width).into_par_iter().map(weighted).collect();
        let lower: Vec<Vec<f64>> = (0..width)
            .into_par_iter()
            .map(|i| {
                let mut products = vec![0.0; i + 1];
                for (row, share) in rows.iter().zip(shares) {
                    let scaled = share * (row[i] - mean[i]);
                    for (j, product) in products.iter_mut().enumerate() {
                        *product += scaled * (row[j] - mean[j]);
                    }
                }
                products[i] += ridge;
                products.iter_mut().for_each(|product| *product /= sum);
                products
            })
            .collect();
        for i in 0..width {
            covariances.extend((0..width).map(|j| lower[i.max(j)][i.min(j)]));
        }
        weights.push(sum / rows.len() as f64);
        means.extend(mean);
    }
    Mixture::new(weights, means, covariances, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points of two Gaussians with weights .3 and .7.
    fn points(count: usize) -> Vec<f32> {
        let mixture = Mixture::new(
            vec![0.3, 0.7],
            vec![-2.0, 1.0, 1.5, 0.0],
            vec![0.5, 0.2, 0.2, 0.3, 0.4, -0.3, -0.3, 0.8],
            2,
        );
        mixture.unwrap().draw(count, 5)
    }

    #[test]
    fn a_known_mixture_is_found_and_the_likelihood_never_falls() {
        let fit = Mixture::fit(&points(3000), 2, 2, 1).unwrap();
        let [weights, means, covariances] = fit.mixture.parts();
        let first = usize::from(weights[0] > 0.5);
        let second = 1 - first;
        assert!((weights[first] - 0.3).abs() < 0.03, "{weights:?}");
        let near = |found: &[f64], expected: &[f64], most: f64| {
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < most), "{found:?} {expected:?}");
        };
        near(&means[2 * first..2 * first + 2], &[-2.0, 1.0], 0.1);
        near(&means[2 * second..2 * second + 2], &[1.5, 0.0], 0.1);
        near(&covariances[4 * first..4 * first + 4], &[0.5, 0.2, 0.2, 0.3], 0.08);
        near(&covariances[4 * second..4 * second + 4], &[0.4, -0.3, -0.3, 0.8], 0.08);
        assert!(fit.log_likelihoods.len() > 3);
        for pair in fit.log_likelihoods.windows(2) {
            assert!(pair[1] >= pair[0] - 1e-12, "{:?}", fit.log_likelihoods);
        }
        // More components than the points need, or than there are places: the likelihood does not fall either.
        let equal = [[1.0_f32, 2.0], [3.0, 4.0]].repeat(20).concat();
        for (points, components) in [(points(200), 12), (equal, 5)] {
            let fit = Mixture::fit(&points, 2, components, 1).unwrap();
            assert!(fit.log_likelihoods.windows(2).all(|pair| pair[1] >= pair[0] - 1e-9));
        }
    }

    /// One component is the Gaussian of the points' mean and covariance: log-likelihood -(D (log 2 pi + 1) + log det S) / 2.
    #[test]
    fn one_component_has_the_likelihood_in_closed_form() {
        let points = points(500);
        let fit = Mixture::fit(&points, 2, 1, 1).unwrap();
        let mean = |term: &dyn Fn(&[f32]) -> f64| points.chunks(2).map(term).sum::<f64>() / 500.0;
        let [x, y] = [0, 1].map(|d| mean(&|point| f64::from(point[d])));
        let of = |term: &dyn Fn(f64, f64) -> f64| mean(&|p| term(f64::from(p[0]) - x, f64::from(p[1]) - y));
        let determinant = of(&|a, _| a * a) * of(&|_, b| b * b) - of(&|a, b| a * b).powi(2);
        let expected = -0.5 * (2.0 * (std::f64::consts::TAU.ln() + 1.0) + determinant.ln());
        let found = fit.log_likelihoods[fit.log_likelihoods.len() - 1];
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }

    #[test]
    fn densities_and_draws_agree() {
        // The average log-density of draws of N(m, S) is that of the closed form; and of one point it is known.
        let one = Mixture::new(vec![1.0], vec![1.0, -1.0], vec![4.0, 0.0, 0.0, 0.25], 2).unwrap();
        let expected = -0.5 * (1.0 + 4.0) - std::f64::consts::TAU.ln();
        assert!((one.log_density(&[3.0, 0.0]) - expected).abs() < 1e-12);
        let draws = one.draw(4000, 3);
        let entropy =
            -draws.chunks(2).map(|p| one.log_density(&[f64::from(p[0]), f64::from(p[1])])).sum::<f64>()
                / 4000.0;
        assert!((entropy - (1.0 + std::f64::consts::TAU.ln())).abs() < 0.06, "{entropy}");
        assert!(Mixture::fit(&draws[..4], 2, 3, 1).unwrap_err().to_string().contains("3 components"));
        assert!(Mixture::new(vec![1.0], vec![0.0; 2], vec![1.0, 2.0, 2.0, 1.0], 2).is_err());
    }
}
