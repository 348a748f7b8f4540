//! log p(x), the posterior's moments and KL(q || posterior) on a grid over a latent space of one or two dimensions.
//!
//! The grid begins with cells of a quarter over a box that holds prior and q; cells that hold mass, and their
//! neighbours, are halved again and again. Where all cells with mass are equally wide the sum over their centres
//! converges exponentially for smooth integrands (Trefethen and Weideman, "The exponentially convergent trapezoidal
//! rule", SIAM Review 56, 2014), so two levels that agree are the proof of convergence.

use super::gaussian::{Gaussian, LogLikelihood, TOLERANCE};
use crate::{Error, Result};
use serde::Serialize;
use std::collections::BTreeSet;
use std::f64::consts::TAU;

/// Cells whose density, or q's, is this many nats below the highest hold no mass.
const DEPTH: f64 = 32.0;
/// Width of the first cells. A quarter is some standard deviations of most posteriors.
const FIRST: f64 = 0.25;
/// Halvings at most: the last cells are 1/2048 wide.
const LEVELS: usize = 9;
/// Points at most on a level.
const MOST: usize = 400_000;

/// An image's evidence and posterior, computed on a grid.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GridEstimate {
    /// log p(x), nats.
    pub log_evidence: f64,
    /// Difference to the grid of twice the width, plus the mass outside the grid.
    pub log_evidence_error: f64,
    /// KL(q || p(z|x)), nats, on the grid of twice the width with that grid's own p(x): an error of either grid shows
    /// as a residual of log p(x) = ELBO + KL.
    pub kl: f64,
    /// The larger of the difference to the last grid, and the difference of q's mass on it to 1.
    pub kl_error: f64,
    /// E z under the posterior.
    pub mean: Vec<f64>,
    /// Covariance of z under the posterior, row by row.
    pub covariance: Vec<f64>,
    /// Width of the last cells.
    pub width: f64,
    /// Points of all levels together.
    pub points: usize,
}

impl GridEstimate {
    /// The larger of the errors of the evidence and of the divergence, nats.
    pub fn error(&self) -> f64 {
        self.log_evidence_error.max(self.kl_error)
    }
}

/// A cell: its place on its level's grid, log p(x, z) and log q at its centre.
#[derive(Clone, Copy, Debug)]
struct Cell {
    at: [i32; 2],
    joint: f64,
    q: f64,
}

/// A level of the grid.
struct Grid<'a> {
    dimensions: usize,
    width: f64,
    q: &'a Gaussian,
    cells: Vec<Cell>,
}

/// Integrals over a level.
#[derive(Clone, Copy, Debug)]
struct Sums {
    log_evidence: f64,
    kl: f64,
    /// Integral of q, which should be 1.
    mass: f64,
}

impl Grid<'_> {
    fn centre(&self, at: [i32; 2]) -> Vec<f64> {
        at[..self.dimensions].iter().map(|&i| (f64::from(i) + 0.5) * self.width).collect()
    }

    /// log of a cell's volume
    fn log_volume(&self) -> f64 {
        self.dimensions as f64 * self.width.ln()
    }

    fn evaluate(&mut self, places: &[[i32; 2]], log_likelihood: &mut LogLikelihood<'_>) -> Result<()> {
        let centres: Vec<Vec<f64>> = places.iter().map(|&at| self.centre(at)).collect();
        // Centres are small multiples of powers of two, which f32 holds exactly.
        let latents: Vec<f32> = centres.iter().flatten().map(|&z| z as f32).collect();
        let values = log_likelihood(&latents)?;
        self.cells = places
            .iter()
            .zip(&centres)
            .zip(values)
            .map(|((&at, z), value)| {
                let prior: f64 = z.iter().map(|z| -0.5 * (z * z + TAU.ln())).sum();
                Cell { at, joint: value + prior, q: self.q.log_density(z) }
            })
            .collect();
        Ok(())
    }

    fn highest(&self, of: impl Fn(&Cell) -> f64) -> f64 {
        self.cells.iter().map(of).fold(f64::NEG_INFINITY, f64::max)
    }

    fn sums(&self) -> Sums {
        let (top, volume) = (self.highest(|cell| cell.joint), self.log_volume().exp());
        let total: f64 = self.cells.iter().map(|cell| (cell.joint - top).exp()).sum();
        let log_evidence = top + total.ln() + self.log_volume();
        let (mut mass, mut kl) = (0.0, 0.0);
        for cell in &self.cells {
            let q = cell.q.exp() * volume;
            mass += q;
            if q > 0.0 {
                kl += q * (cell.q - (cell.joint - log_evidence));
            }
        }
        Sums { log_evidence, kl, mass }
    }

    /// Mean and covariance under the posterior.
    fn moments(&self) -> (Vec<f64>, Vec<f64>) {
        let (d, top) = (self.dimensions, self.highest(|cell| cell.joint));
        let points: Vec<(f64, Vec<f64>)> =
            self.cells.iter().map(|cell| ((cell.joint - top).exp(), self.centre(cell.at))).collect();
        let total: f64 = points.iter().map(|(weight, _)| weight).sum();
        let average =
            |f: &dyn Fn(&[f64]) -> f64| points.iter().map(|(weight, z)| weight * f(z)).sum::<f64>() / total;
        let mean: Vec<f64> = (0..d).map(|i| average(&|z| z[i])).collect();
        let covariance =
            (0..d * d).map(|i| average(&|z| (z[i / d] - mean[i / d]) * (z[i % d] - mean[i % d]))).collect();
        (mean, covariance)
    }

    /// Cells to halve, and the share of p(x) in the others.
    fn active(&self, limit: i32) -> (BTreeSet<[i32; 2]>, f64) {
        let (top, top_q) = (self.highest(|cell| cell.joint), self.highest(|cell| cell.q));
        let mut active = BTreeSet::new();
        for cell in self.cells.iter().filter(|c| c.joint > top - DEPTH || c.q > top_q - DEPTH) {
            let aside = if self.dimensions == 2 { -1..=1 } else { 0..=0 };
            for dy in aside {
                for dx in -1..=1 {
                    let at = [cell.at[0] + dx, cell.at[1] + dy];
                    if at[..self.dimensions].iter().all(|i| (-limit..limit).contains(i)) {
                        active.insert(at);
                    }
                }
            }
        }
        let share = |kept: bool| {
            let cells = self.cells.iter().filter(|cell| !kept || !active.contains(&cell.at));
            cells.map(|cell| (cell.joint - top).exp()).sum::<f64>()
        };
        let left_out = share(true) / share(false);
        (active, left_out)
    }
}

/// log p(x) and the rest, of the image whose log p(x|z) is `log_likelihood`, for a posterior approximated by `q`.
///
/// # Errors
/// [`Error::Setting`] if the latent space has more than two dimensions; else those of `log_likelihood`.
pub fn integrate(q: &Gaussian, log_likelihood: &mut LogLikelihood<'_>) -> Result<GridEstimate> {
    let dimensions = q.mean.len();
    if !(1..=2).contains(&dimensions) {
        return Err(Error::setting(
            "posterior",
            format!("a grid covers a latent space of 1 or 2 dimensions, and this model's has {dimensions}"),
            "use 'vae eval RUN --ais', which estimates log p(x) in a latent space of any size",
        ));
    }
    let reach = (0..dimensions).map(|i| q.mean[i].abs() + 6.0 * q.deviation(i)).fold(6.0, f64::max);
    // A power of two keeps centres exact. An encoder far off is cut at 64: its q holds no mass of the posterior there.
    let side = 2.0_f64.powf(reach.log2().ceil()).min(64.0);
    let mut limit = (side / FIRST) as i32;
    let rows = if dimensions == 2 { -limit..limit } else { 0..1 };
    let mut places: Vec<[i32; 2]> = rows.flat_map(|y| (-limit..limit).map(move |x| [x, y])).collect();
    let mut grid = Grid { dimensions, width: FIRST, q, cells: Vec::new() };
    let mut points = 0;
    let mut last: Option<(Sums, f64)> = None;
    let mut left_out = 0.0;
    for level in 0..=LEVELS {
        points += places.len();
        grid.evaluate(&places, log_likelihood)?;
        let sums = grid.sums();
        let (active, missed) = grid.active(limit);
        if let Some((before, last_error)) = last {
            let log_evidence_error = (sums.log_evidence - before.log_evidence).abs() + left_out;
            let kl_error = (sums.kl - before.kl).abs().max((sums.mass - 1.0).abs());
            let error = log_evidence_error.max(kl_error);
            let children = active.len() << dimensions;
            // A small error that no longer falls is that of the device's numbers.
            let floor = error < 10.0 * TOLERANCE && error > 0.5 * last_error;
            if error < TOLERANCE || floor || level == LEVELS || children > MOST {
                let (mean, covariance) = grid.moments();
                return Ok(GridEstimate {
                    log_evidence: sums.log_evidence,
                    log_evidence_error,
                    kl: before.kl,
                    kl_error,
                    mean,
                    covariance,
                    width: grid.width,
                    points,
                });
            }
            last = Some((sums, error));
        } else {
            last = Some((sums, f64::INFINITY));
        }
        left_out = missed;
        places = active
            .into_iter()
            .flat_map(|[x, y]| {
                let seconds = if dimensions == 2 { vec![2 * y, 2 * y + 1] } else { vec![0] };
                seconds.into_iter().flat_map(move |y| [[2 * x, y], [2 * x + 1, y]])
            })
            .collect();
        grid.width /= 2.0;
        limit *= 2;
    }
    Err(Error::Internal("the grid has no last level".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// log p(x|z) = log N(x; A z, s^2 I): the evidence and the posterior have closed forms, in one dimension here.
    #[test]
    fn one_dimension_agrees_with_the_closed_form() {
        for (x, s) in [(0.3, 0.5), (2.5, 0.02), (-1.0, 3.0)] {
            let mut likelihood = |z: &[f32]| {
                let value = |&z: &f32| -0.5 * (((x - f64::from(z)) / s).powi(2) + (TAU * s * s).ln());
                Ok(z.iter().map(value).collect())
            };
            let variance = s * s / (1.0 + s * s);
            let mean = x / (1.0 + s * s);
            let q = Gaussian { mean: vec![mean + 0.3 * s], log_variance: vec![(0.5 * variance).ln()] };
            let found = integrate(&q, &mut likelihood).unwrap();
            let exact = -0.5 * (x * x / (1.0 + s * s) + (TAU * (1.0 + s * s)).ln());
            let kl = 0.5 * (0.5 + (0.3 * s).powi(2) / variance - 1.0 + 2.0_f64.ln());
            assert!((found.log_evidence - exact).abs() < 1e-6, "{found:?} {exact}");
            assert!((found.kl - kl).abs() < 1e-5, "{found:?} {kl}");
            assert!((found.mean[0] - mean).abs() < 1e-6 && (found.covariance[0] - variance).abs() < 1e-6);
        }
    }

    /// A q that lies between the finest cells has no mass on any: its divergence is unknown, not 0.
    #[test]
    fn what_the_grid_misses_of_q_is_an_error() {
        let mut likelihood = |z: &[f32]| Ok(z.iter().map(|&z| -0.5 * f64::from(z).powi(2)).collect());
        let q = Gaussian { mean: vec![0.5], log_variance: vec![2.0 * 1e-6_f64.ln()] };
        let found = integrate(&q, &mut likelihood).unwrap();
        assert!(found.kl_error > 0.9 && found.log_evidence_error < 1e-6, "{found:?}");
    }

    /// Two narrow modes far apart, one of them nowhere near q.
    #[test]
    fn both_modes_are_found() {
        let s: f64 = 0.04;
        let mut likelihood = |z: &[f32]| {
            let value = |z: &[f32]| {
                let mode = |a: f64, b: f64| {
                    let square = (f64::from(z[0]) - a).powi(2) + (f64::from(z[1]) - b).powi(2);
                    -0.5 * square / (s * s) - (TAU * s * s).ln()
                };
                let (first, second) = (mode(1.03, 0.4), mode(-2.11, -1.7));
                let top = first.max(second);
                top + ((first - top).exp() + (second - top).exp()).ln()
            };
            Ok(z.chunks(2).map(value).collect())
        };
        let q = Gaussian { mean: vec![1.0, 0.4], log_variance: vec![-6.0, -6.5] };
        let found = integrate(&q, &mut likelihood).unwrap();
        let normal = |m: f64| -0.5 * (m * m / (1.0 + s * s) + (TAU * (1.0 + s * s)).ln());
        let exact = ((normal(1.03) + normal(0.4)).exp() + (normal(-2.11) + normal(-1.7)).exp()).ln();
        assert!((found.log_evidence - exact).abs() < 1e-6, "{found:?} {exact}");
        assert!(found.log_evidence_error < 1e-5 && found.kl_error < 1e-5, "{found:?}");
    }

    #[test]
    fn three_dimensions_are_refused_with_what_to_do() {
        let q = Gaussian { mean: vec![0.0; 3], log_variance: vec![0.0; 3] };
        let error = integrate(&q, &mut |_| Ok(Vec::new())).unwrap_err().to_string();
        assert!(error.contains("--ais") && error.contains('3'), "{error}");
    }
}
