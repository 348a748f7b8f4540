//! Gaussians in two dimensions: their density, and draws through a Cholesky factor.

use super::evidence::Grid as Lattice;
use super::kernel::{Content, KernelRun};
use super::{Block, Context, Figure, Section, table};
use crate::Result;
use crate::device::OpenDevice;
use crate::plan::{Grid, constants};
use crate::report::frame::{Frame, ellipse, heading, shade};
use crate::report::scene::{Anchor, Colour, Scene};
use crate::text::thousands;
use std::f64::consts::TAU;

/// A Gaussian in two dimensions by its mean and the factor [[a, 0], [b, c]] of its covariance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Gaussian {
    pub(super) mean: [f64; 2],
    /// a, b and c.
    pub(super) factor: [f64; 3],
}

impl Gaussian {
    /// With this covariance: `[xx, xy, yy]`, positive definite.
    pub(super) fn new(mean: [f64; 2], [xx, xy, yy]: [f64; 3]) -> Self {
        let a = xx.sqrt();
        let b = xy / a;
        Self { mean, factor: [a, b, (yy - b * b).sqrt()] }
    }

    /// `[xx, xy, yy]`
    pub(super) fn covariance(&self) -> [f64; 3] {
        let [a, b, c] = self.factor;
        [a * a, a * b, b * b + c * c]
    }

    /// log of the density.
    pub(super) fn log_density(&self, [x, y]: [f64; 2]) -> f64 {
        let [a, b, c] = self.factor;
        let first = (x - self.mean[0]) / a;
        let second = (y - self.mean[1] - b * first) / c;
        -TAU.ln() - (a * c).ln() - 0.5 * (first * first + second * second)
    }

    /// What the kernel `mixture_density` wants of a component.
    pub(super) fn component(&self, weight: f64) -> [f32; 8] {
        let [xx, xy, yy] = self.covariance();
        let determinant = xx * yy - xy * xy;
        let scale = weight.ln() - TAU.ln() - 0.5 * determinant.ln();
        [self.mean[0], self.mean[1], scale, 0.0, yy / determinant, -xy / determinant, xx / determinant, 0.0]
            .map(|value| value as f32)
    }
}

/// `count` draws on the device, draw number `draw` of `seed`.
pub(super) fn draws(
    device: &OpenDevice,
    gaussian: &Gaussian,
    count: usize,
    seed: u64,
    draw: u32,
) -> Result<Vec<[f64; 2]>> {
    let [a, b, c] = gaussian.factor.map(|value| value as f32);
    let mut factor = [0.0; 16];
    // Columns, of four.
    (factor[0], factor[1], factor[5]) = (a, b, c);
    let mean = [gaussian.mean[0] as f32, gaussian.mean[1] as f32, 0.0, 0.0];
    let mut run = KernelRun::new(
        device,
        "cholesky_samples",
        constants! { COUNT: count },
        &[
            ("factor", Content::Reals(&factor)),
            ("mean", Content::Reals(&mean)),
            ("samples", Content::Room(4 * count)),
        ],
        Grid::Elements(count),
    )?;
    let samples = run.run("samples", seed, draw)?;
    Ok(samples.chunks_exact(4).map(|sample| [f64::from(sample[0]), f64::from(sample[1])]).collect())
}

/// The density of a mixture at points, on the device.
pub(super) struct MixtureDensity {
    run: KernelRun,
    points: Vec<f32>,
}

impl MixtureDensity {
    /// Of so many points at a time.
    pub(super) fn new(device: &OpenDevice, parts: &[(f64, Gaussian)], count: usize) -> Result<Self> {
        let components: Vec<f32> =
            parts.iter().flat_map(|(weight, gaussian)| gaussian.component(*weight)).collect();
        let points = vec![0.0; 4 * count];
        let run = KernelRun::new(
            device,
            "mixture_density",
            constants! { COUNT: count, COMPONENTS: parts.len() },
            &[
                ("components", Content::Reals(&components)),
                ("points", Content::Reals(&points)),
                ("density", Content::Room(4 * count)),
            ],
            Grid::Elements(count),
        )?;
        Ok(Self { run, points })
    }

    /// log p and its gradient at each point.
    pub(super) fn at(&mut self, points: &[[f64; 2]]) -> Result<Vec<[f64; 3]>> {
        for (to, from) in self.points.chunks_exact_mut(4).zip(points) {
            (to[0], to[1]) = (from[0] as f32, from[1] as f32);
        }
        self.run.write("points", &self.points)?;
        let density = self.run.run("density", 0, 0)?;
        let rows = density.chunks_exact(4).take(points.len());
        Ok(rows.map(|row| [f64::from(row[0]), f64::from(row[1]), f64::from(row[2])]).collect())
    }
}

/// The correlations of the talk.
const CORRELATIONS: [f64; 3] = [0.0, -0.5, -0.8];

pub(super) fn section(context: &mut Context<'_>) -> Result<Section> {
    let count = context.choose(1 << 18, 1 << 12);
    let shown = context.choose(1500, 300);
    let side = context.choose(121, 41);
    let mut scene = Scene::new(1080.0, 400.0);
    let mut rows = Vec::new();
    for (i, correlation) in CORRELATIONS.into_iter().enumerate() {
        let gaussian = Gaussian::new([0.0, 0.0], [1.0, correlation, 1.0]);
        let device = &context.options.device;
        let samples = draws(device, &gaussian, count, context.options.seed, i as u32)?;
        let lattice = Lattice { x: (-3.5, 3.5), y: (-3.5, 3.5), side };
        let points = lattice.points();
        let density = MixtureDensity::new(device, &[(1.0, gaussian)], points.len())?.at(&points)?;
        let density: Vec<f64> =
            density.chunks(side).rev().flatten().map(|point| 0.75 * point[0].exp()).collect();

        let frame = Frame::new((62.0 + 345.0 * i as f64, 60.0), (290.0, 290.0), lattice.x, lattice.y);
        frame.axes(&mut scene, "", ["", ""], [7, 7]);
        frame.picture(&mut scene, shade(&density, side, Colour::Series(0)), true);
        let dots: Vec<(f64, f64)> = samples.iter().take(shown).map(|point| (point[0], point[1])).collect();
        frame.dots(&mut scene, &dots, 1.5, Colour::Series(1), 0.8);
        for radius in [1.0, 2.0, 3.0] {
            frame.line(&mut scene, &ellipse(gaussian.mean, gaussian.factor, radius), Colour::Ink, 1.2);
        }
        let title = format!("correlation {correlation}").replace('-', "−");
        scene.text((frame.corner.0 + 145.0, 26.0), title, heading(Anchor::Middle));

        let n = samples.len() as f64;
        let moment = |of: fn(&[f64; 2]) -> f64| samples.iter().map(of).sum::<f64>() / n;
        let [x, y] = [moment(|p| p[0]), moment(|p| p[1])];
        let [xx, xy, yy] = [
            moment(|p| p[0] * p[0]) - x * x,
            moment(|p| p[0] * p[1]) - x * y,
            moment(|p| p[1] * p[1]) - y * y,
        ];
        rows.push([
            format!("{correlation}"),
            format!("{x:.4}, {y:.4}"),
            format!("{xx:.4}, {yy:.4}"),
            format!("{:.4}", xy / (xx * yy).sqrt()),
        ]);
    }
    let last = rows.last().map_or_else(String::new, |row| row[3].clone());
    Ok(Section {
        heading: "Multivariate Gaussian distribution",
        blocks: vec![
            Block::Equation(
                r"\mu = \matrix{0 \\ 0} \Sigma = \matrix{1 & 0 \\ 0 & 1} , \matrix{1 & -0.5 \\ -0.5 & 1} , \matrix{1 & -0.8 \\ -0.8 & 1}",
                "",
            ),
            Block::Figure(Figure {
                name: "gaussians",
                title: "Three Gaussians in two dimensions".into(),
                caption: [
                    format!(
                        "The density, its contours at 1, 2 and 3 deviations, and {} of {} draws x = μ + L ε with ε \
                         from N(0, I), made on the device through the Cholesky factor L of Σ = L Lᵀ.",
                        thousands(shown),
                        thousands(count)
                    ),
                    format!(
                        "The draws have the moments they should: with correlation −0.8 they correlate by {}, and a \
                         correlation ρ of n draws is known to about (1 − ρ²)/√n = {:.4}.",
                        last.replace('-', "−"),
                        (1.0 - 0.8_f64.powi(2)) / (count as f64).sqrt()
                    ),
                ],
                scene,
            }),
            table(["correlation", "mean of the draws", "variances", "their correlation"], rows),
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_gives_the_covariance_back() {
        let gaussian = Gaussian::new([0.3, -1.0], [2.0, -0.7, 0.9]);
        for (found, expected) in gaussian.covariance().into_iter().zip([2.0, -0.7, 0.9]) {
            assert!((found - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn the_kernel_has_the_density_and_its_slope() {
        let parts = [
            (0.3, Gaussian::new([-1.0, 0.5], [0.5, 0.2, 0.8])),
            (0.7, Gaussian::new([1.5, 0.0], [0.4, -0.1, 0.2])),
        ];
        let points = [[0.0, 0.0], [-1.0, 0.5], [2.0, -3.0], [0.3, 0.9]];
        let log_density = |point: [f64; 2]| {
            parts.iter().map(|(weight, part)| weight * part.log_density(point).exp()).sum::<f64>().ln()
        };
        let found = MixtureDensity::new(&OpenDevice::Cpu, &parts, points.len()).unwrap().at(&points).unwrap();
        for (point, [value, dx, dy]) in points.into_iter().zip(found) {
            assert!((value - log_density(point)).abs() < 1e-5 * (1.0 + value.abs()), "{point:?}: {value}");
            let h = 1e-5;
            let slope = |x: f64, y: f64| {
                let ends = [1.0, -1.0].map(|s| log_density([point[0] + s * x, point[1] + s * y]));
                (ends[0] - ends[1]) / (2.0 * h)
            };
            for (found, expected) in [(dx, slope(h, 0.0)), (dy, slope(0.0, h))] {
                assert!((found - expected).abs() < 2e-5 * (1.0 + expected.abs()), "{found} {expected}");
            }
        }
    }

    /// The mean of n squares of a normal deviates by √(2/n): 0.01 is more than five deviations.
    #[test]
    fn draws_have_the_moments_of_the_gaussian() {
        let gaussian = Gaussian::new([1.0, -2.0], [1.0, -0.8, 1.0]);
        let draws = draws(&OpenDevice::Cpu, &gaussian, 1 << 19, 3, 0).unwrap();
        let n = draws.len() as f64;
        let mean = |of: &dyn Fn(&[f64; 2]) -> f64| draws.iter().map(of).sum::<f64>() / n;
        for (found, expected) in [
            (mean(&|p| p[0]), 1.0),
            (mean(&|p| p[1]), -2.0),
            (mean(&|p| (p[0] - 1.0).powi(2)), 1.0),
            (mean(&|p| (p[1] + 2.0).powi(2)), 1.0),
            (mean(&|p| (p[0] - 1.0) * (p[1] + 2.0)), -0.8),
        ] {
            assert!((found - expected).abs() < 0.01, "{found} {expected}");
        }
    }
}
