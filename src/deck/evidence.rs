//! The evidence by quadrature, beside the evidence lower bound: equations (10) to (15) in numbers.

use super::{Block, Context, Figure, Section, table};
use crate::Result;
use crate::report::frame::{Frame, LABEL, heading, label, legend, scientific};
use crate::report::scene::{Anchor, Colour, Scene, Type};
use crate::session::Session;
use rayon::prelude::*;
use std::f64::consts::PI;

/// Where the grid of all images ends: the prior has 1e-6 of its mass outside.
const REACH: f64 = 5.25;
/// Nats below the largest joint density at which an image's own grid ends.
const DEPTH: f64 = 30.0;
/// Nodes of a Gauss-Hermite rule along an axis.
const HERMITE: usize = 20;

/// An image in black and white, as the numbers of its white pixels.
pub(super) struct Ink(Vec<usize>);

impl Ink {
    /// As the model sees it that takes 128 as the threshold.
    pub(super) fn of(image: &[u8]) -> Self {
        Self(image.iter().enumerate().filter(|(_, value)| **value >= 128).map(|(pixel, _)| pixel).collect())
    }

    /// White pixels.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// log p(x|z) of every image at every latent (`[count, 2]`), `[images][count]`, under a Bernoulli decoder: the grid is
/// decoded on the device, the sums over pixels are made here, in f64.
pub(super) fn log_likelihoods(
    session: &mut Session,
    images: &[Ink],
    latents: &[f32],
) -> Result<Vec<Vec<f64>>> {
    let pixels = session.shape().pixels();
    let mut all = vec![Vec::with_capacity(latents.len() / 2); images.len()];
    for part in latents.chunks(2 * 4096) {
        let decoded = session.decode(part)?;
        let rows: Vec<Vec<f64>> = decoded
            .par_chunks(pixels)
            .map(|probabilities| {
                // A probability in f32 may be 1, or 0, where the logit was large: half a unit in the last place is left.
                let black = |p: &f32| (1.0 - f64::from(*p)).max(3e-8).ln();
                let base: f64 = probabilities.iter().map(black).sum();
                let logits: Vec<f64> =
                    probabilities.iter().map(|p| f64::from(*p).max(1e-38).ln() - black(p)).collect();
                images
                    .iter()
                    .map(|ink| base + ink.0.iter().map(|&pixel| logits[pixel]).sum::<f64>())
                    .collect()
            })
            .collect();
        for row in rows {
            for (values, value) in all.iter_mut().zip(row) {
                values.push(value);
            }
        }
    }
    Ok(all)
}

/// A square grid of latents.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    pub(super) x: (f64, f64),
    pub(super) y: (f64, f64),
    /// Points along a side; odd, so that every other one is a grid too.
    pub(super) side: usize,
}

impl Grid {
    /// All points, row by row, x running fastest.
    pub(super) fn points(&self) -> Vec<[f64; 2]> {
        let at =
            |range: (f64, f64), i: usize| range.0 + (range.1 - range.0) * i as f64 / (self.side - 1) as f64;
        (0..self.side * self.side).map(|i| [at(self.x, i % self.side), at(self.y, i / self.side)]).collect()
    }

    fn floats(points: &[[f64; 2]]) -> Vec<f32> {
        points.iter().flat_map(|point| point.map(|z| z as f32)).collect()
    }

    /// log of the integral of exp(values) over the grid by the trapezoidal rule, whose ends do not count here; with
    /// `every` 2, by every other point.
    fn log_integral(&self, values: &[f64], every: usize) -> f64 {
        let step = |range: (f64, f64)| (range.1 - range.0) / (self.side - 1) as f64 * every as f64;
        let chosen = (0..values.len())
            .filter(|i| (i % self.side).is_multiple_of(every) && (i / self.side).is_multiple_of(every));
        let largest = chosen.clone().map(|i| values[i]).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = chosen.map(|i| (values[i] - largest).exp()).sum();
        largest + sum.ln() + (step(self.x) * step(self.y)).ln()
    }
}

/// log N(z; 0, I) in two dimensions.
fn log_prior([x, y]: [f64; 2]) -> f64 {
    -(2.0 * PI).ln() - 0.5 * (x * x + y * y)
}

/// What equation (13) has for an image, in nats.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    /// log p(x), by quadrature.
    pub(super) evidence: f64,
    /// By how much the same with half the points along each axis differs.
    pub(super) grid_error: f64,
    /// The evidence lower bound: E_q log p(x|z) by a Gauss-Hermite rule around q's mean, and KL(q || p(z)) by its
    /// formula.
    pub(super) elbo: f64,
    /// KL(q || p(z|x)), on the grid.
    pub(super) gap: f64,
    /// The image's own grid.
    pub(super) grid: Grid,
    /// log p(x, z) on it.
    pub(super) log_joint: Vec<f64>,
    /// Mean and standard deviations of q.
    pub(super) q: ([f64; 2], [f64; 2]),
}

impl Terms {
    /// What is left of equation (13).
    pub(super) fn residual(&self) -> f64 {
        self.evidence - self.elbo - self.gap
    }
}

/// The terms of equation (13) of the images numbered from 0, which `session` holds and `images` repeats. `side` is the
/// number of points along an axis of an image's own grid, which encloses its posterior as a coarse grid over the prior
/// shows it, and q.
pub(super) fn terms(session: &mut Session, images: &[Ink], side: usize) -> Result<Vec<Terms>> {
    let numbers: Vec<u32> = (0..images.len() as u32).collect();
    let posteriors = session.encode(&numbers)?;
    let coarse = Grid { x: (-REACH, REACH), y: (-REACH, REACH), side: 85 };
    let points = coarse.points();
    let likelihoods = log_likelihoods(session, images, &Grid::floats(&points))?;
    let rule = gauss_hermite(HERMITE);
    let mut all = Vec::new();
    for (number, ink) in images.iter().enumerate() {
        let pair = |values: &[f32]| [f64::from(values[2 * number]), f64::from(values[2 * number + 1])];
        let (mean, log_variance) = (pair(&posteriors.means), pair(&posteriors.log_variances));
        let deviation = log_variance.map(|v| (0.5 * v).exp());
        let joint: Vec<f64> =
            points.iter().zip(&likelihoods[number]).map(|(z, value)| log_prior(*z) + value).collect();
        let grid = own_grid(&coarse, &points, &joint, (mean, deviation), side);
        let own = grid.points();
        let values = log_likelihoods(session, std::slice::from_ref(ink), &Grid::floats(&own))?.swap_remove(0);
        let log_joint: Vec<f64> = own.iter().zip(&values).map(|(z, value)| log_prior(*z) + value).collect();
        let evidence = grid.log_integral(&log_joint, 1);

        let nodes: Vec<[f64; 2]> = rule
            .iter()
            .flat_map(|(a, _)| rule.iter().map(move |(b, _)| [*a, *b]))
            .map(|[a, b]| [mean[0] + deviation[0] * a, mean[1] + deviation[1] * b])
            .collect();
        let values =
            log_likelihoods(session, std::slice::from_ref(ink), &Grid::floats(&nodes))?.swap_remove(0);
        let weights = rule.iter().flat_map(|(_, a)| rule.iter().map(move |(_, b)| a * b));
        let reconstruction: f64 = weights.zip(&values).map(|(weight, value)| weight * value).sum();
        let divergence: f64 =
            (0..2).map(|i| 0.5 * (mean[i].powi(2) + log_variance[i].exp() - 1.0 - log_variance[i])).sum();
        all.push(Terms {
            evidence,
            grid_error: (evidence - grid.log_integral(&log_joint, 2)).abs(),
            elbo: reconstruction - divergence,
            gap: divergence_on(&grid, &own, &log_joint, evidence, (mean, deviation)),
            grid,
            log_joint,
            q: (mean, deviation),
        });
    }
    Ok(all)
}

/// The grid that encloses all points of the coarse one with a density worth counting, and q.
fn own_grid(
    coarse: &Grid,
    points: &[[f64; 2]],
    joint: &[f64],
    (mean, deviation): ([f64; 2], [f64; 2]),
    side: usize,
) -> Grid {
    let largest = joint.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let step = (coarse.x.1 - coarse.x.0) / (coarse.side - 1) as f64;
    let range = |axis: usize| {
        let mut range = (mean[axis] - 6.0 * deviation[axis], mean[axis] + 6.0 * deviation[axis]);
        for (point, _) in points.iter().zip(joint).filter(|(_, value)| **value > largest - DEPTH) {
            range = (range.0.min(point[axis] - step), range.1.max(point[axis] + step));
        }
        range
    };
    Grid { x: range(0), y: range(1), side }
}

/// KL(q || p(z|x)), equation (6), as a sum over the grid.
fn divergence_on(
    grid: &Grid,
    points: &[[f64; 2]],
    log_joint: &[f64],
    evidence: f64,
    (mean, deviation): ([f64; 2], [f64; 2]),
) -> f64 {
    let step = |range: (f64, f64)| (range.1 - range.0) / (grid.side - 1) as f64;
    let cell = step(grid.x) * step(grid.y);
    let log_q = |z: &[f64; 2]| -> f64 {
        (0..2)
            .map(|i| {
                let distance = (z[i] - mean[i]) / deviation[i];
                -0.5 * distance * distance - deviation[i].ln() - 0.5 * (2.0 * PI).ln()
            })
            .sum()
    };
    points
        .iter()
        .zip(log_joint)
        .map(|(z, joint)| {
            let log_q = log_q(z);
            cell * log_q.exp() * (log_q - (joint - evidence))
        })
        .sum()
}

/// Nodes and weights with which the mean of a polynomial of degree up to 2 n - 1 under N(0, 1) is a weighted sum: the
/// roots of the Hermite polynomial He_n, by Newton's method from above, deflating.
pub(super) fn gauss_hermite(n: usize) -> Vec<(f64, f64)> {
    // He_n(x) and its derivative n He_{n-1}(x), in the orthonormal scale.
    let evaluate = |x: f64| {
        let (mut before, mut value) = (0.0, 1.0);
        for k in 0..n {
            let next = (x * value - (k as f64).sqrt() * before) / ((k + 1) as f64).sqrt();
            (before, value) = (value, next);
        }
        (value, (n as f64).sqrt() * before)
    };
    let mut roots: Vec<f64> = Vec::new();
    for i in 0..n {
        // All roots are below 2 sqrt(n); deflated Newton from above finds the largest that is left.
        let mut x = roots.last().copied().unwrap_or(2.0 * (n as f64).sqrt());
        if i > 0 {
            x -= 1e-3;
        }
        for _ in 0..200 {
            let (value, slope) = evaluate(x);
            let known: f64 = roots.iter().map(|root| 1.0 / (x - root)).sum();
            let change = value / (slope - value * known);
            x -= change;
            if change.abs() < 1e-15 * (1.0 + x.abs()) {
                break;
            }
        }
        roots.push(x);
    }
    roots
        .into_iter()
        .map(|x| {
            // Weight: 1 / (n he_{n-1}(x)^2) for orthonormal he.
            let (_, slope) = evaluate(x);
            (x, 1.0 / (slope * slope))
        })
        .collect()
}

pub(super) fn section(context: &mut Context<'_>) -> Result<Section> {
    let count = context.choose(12, 3).min(context.options.dataset.test.count);
    let pictures: Vec<Vec<u8>> = (0..count).map(|i| context.options.dataset.test.image(i).to_vec()).collect();
    let images: Vec<Ink> = pictures.iter().map(|image| Ink::of(image)).collect();
    let mut session = context.trained.examine(context.options, &pictures, 256, 1, None)?;
    let side = context.choose(65, 41);
    let mut stages = Vec::new();
    for snapshot in &context.trained.snapshots {
        session.write_flat("parameters", &snapshot.parameters)?;
        stages.push((snapshot.epochs, terms(&mut session, &images, side)?));
    }
    let mean =
        |terms: &[Terms], of: fn(&Terms) -> f64| terms.iter().map(of).sum::<f64>() / terms.len() as f64;
    let worst =
        |terms: &[Terms], of: fn(&Terms) -> f64| terms.iter().map(|t| of(t).abs()).fold(0.0, f64::max);
    let bars: Vec<(f64, [f64; 3])> = stages
        .iter()
        .map(|(epochs, terms)| {
            (*epochs, [mean(terms, |t| t.evidence), mean(terms, |t| t.elbo), mean(terms, |t| t.gap)])
        })
        .collect();
    let scene = draw(&bars);
    let residual = stages.iter().map(|(_, terms)| worst(terms, Terms::residual)).fold(0.0, f64::max);
    let grid = stages.iter().map(|(_, terms)| worst(terms, |t| t.grid_error)).fold(0.0, f64::max);
    let (residual, grid) = (scientific(residual), scientific(grid));
    let last = bars.last().map_or([0.0; 3], |bar| bar.1);
    let caption = [
        format!(
            "While the model trains, log p(x) of {count} held-out images, made black and white at 128, rises (by \
             quadrature over the latent space), \
             and the ELBO below it; at the end the mean evidence is {:.2} nats, the bound {:.2}, and the gap between \
             them, KL(q(z|x) || p(z|x)), {:.2}.",
            last[0], last[1], last[2]
        ),
        format!(
            "The three are computed apart (a grid, a Gauss-Hermite rule with the analytic KL to the prior, and a sum \
             of q against the normalised grid), so what is left of equation (13) is a check: at most {residual} \
             nats for any image at any time, where a grid of half the points changes log p(x) by {grid} at \
             most."
        ),
    ];
    let rows = stages
        .iter()
        .zip(&bars)
        .map(|((epochs, terms), (_, [evidence, elbo, gap]))| {
            [
                passes(*epochs),
                format!("{evidence:.3}"),
                format!("{elbo:.3}"),
                format!("{gap:.3}"),
                scientific(worst(terms, Terms::residual)),
                scientific(worst(terms, |t| t.grid_error)),
            ]
        })
        .collect();
    Ok(Section {
        heading: "The evidence and its lower bound",
        blocks: vec![
            Block::Equation(r"KL(q(z|x) || p(z|x)) = -\int q(z|x) log \frac{p(z|x)}{q(z|x)} dz", "6"),
            Block::Equation(r"= -\int q(z|x) log (\frac{p(x, z)}{q(z|x) p(x)}) dz", "7"),
            Block::Equation(r"= -\int q(z|x) [log \frac{p(x, z)}{q(z|x)} - log p(x)] dz", "8"),
            Block::Equation(
                r"= -\int q(z|x) log \frac{p(x, z)}{q(z|x)} dz + \int q(z|x) log p(x) dz",
                "9, 10",
            ),
            Block::Equation(r"= -\int q(z|x) log \frac{p(x, z)}{q(z|x)} dz + log p(x) \int q(z|x) dz", "11"),
            Block::Equation(r"= -\int q(z|x) log \frac{p(x, z)}{q(z|x)} dz + log p(x)", "12"),
            Block::Equation(
                r"log p(x) = \under{KL(q(z|x) || p(z|x))}{falls} + \under{\int q(z|x) log \frac{p(x, z)}{q(z|x)} dz}{rises: the ELBO}",
                "13, 14, 15",
            ),
            Block::Figure(Figure {
                name: "evidence",
                title: "Evidence, lower bound and gap while a model trains".into(),
                caption,
                scene,
            }),
            table(
                ["passes", "log p(x)", "ELBO", "KL(q(z|x) || p(z|x))", "largest residual", "grid error"],
                rows,
            ),
        ],
    })
}

/// `0`, `¼`, `2`.
fn passes(epochs: f64) -> String {
    match epochs {
        0.25 => "¼".into(),
        0.5 => "½".into(),
        other => format!("{other}"),
    }
}

fn draw(bars: &[(f64, [f64; 3])]) -> Scene {
    let mut scene = Scene::new(1080.0, 430.0);
    // Hundreds of nats below, the untrained model would leave no height for the rest.
    let trained = if bars.len() > 2 { &bars[1..] } else { bars };
    let lowest = trained.iter().map(|bar| bar.1[1]).fold(0.0, f64::min);
    let highest = bars.iter().map(|bar| bar.1[0]).fold(f64::NEG_INFINITY, f64::max);
    let x = (-0.6, bars.len() as f64 - 0.4);
    let bottom = lowest - 0.2 * (highest - lowest);
    let whole = Frame::new((86.0, 70.0), (430.0, 290.0), x, (bottom, highest + 0.06 * (highest - lowest)));
    let widest_gap = bars.iter().map(|bar| bar.1[2]).fold(0.1, f64::max);
    let gaps = Frame::new((620.0, 70.0), (430.0, 290.0), x, (0.0, 1.15 * widest_gap));
    for (frame, title) in [(&whole, "log p(x) = ELBO + KL"), (&gaps, "the gap alone: KL(q(z|x) || p(z|x))")] {
        frame.axes(&mut scene, "", ["", "nats per image"], [0, 7]);
        scene.text((frame.corner.0 + 215.0, 22.0), title, heading(Anchor::Middle));
        let under = (frame.corner.0 + 215.0, frame.corner.1 + 327.0);
        scene.text(under, "passes over the training images", label(Colour::Ink, Anchor::Middle));
    }
    legend(
        &mut scene,
        (200.0, 50.0),
        &[("ELBO", Colour::Series(0)), ("KL(q(z|x) || p(z|x))", Colour::Series(1))],
    );
    for (i, (epochs, [evidence, elbo, gap])) in bars.iter().enumerate() {
        let i = i as f64;
        let across = (i - 0.34, i + 0.34);
        let small = Type { size: LABEL - 2, ..label(Colour::Ink, Anchor::Middle) };
        if *elbo > bottom {
            whole.bar(&mut scene, across, (bottom, *elbo), (Colour::Series(0), 1.0));
            whole.bar(&mut scene, across, (*elbo, *evidence), (Colour::Series(1), 1.0));
        } else {
            let (x, y) = whole.at((i, bottom));
            scene.text((x, y - 24.0), "below:", small);
            scene.text((x, y - 10.0), format!("−{:.0}", -elbo), small);
        }
        gaps.bar(&mut scene, across, (0.0, *gap), (Colour::Series(1), 1.0));
        let (x, y) = gaps.at((i, *gap));
        scene.text((x, y - 10.0), format!("{gap:.2}"), small);
        for frame in [&whole, &gaps] {
            let (x, _) = frame.at((i, frame.y.0));
            let below = (x, frame.corner.1 + frame.size.1 + 15.0);
            scene.text(below, passes(*epochs), label(Colour::Soft, Anchor::Middle));
        }
    }
    scene
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Moments of the standard normal distribution: 1, 0, 1, 0, 3, 0, 15.
    #[test]
    fn the_rule_integrates_polynomials() {
        for n in [1, 2, 5, 20] {
            let rule = gauss_hermite(n);
            for (power, moment) in [1.0, 0.0, 1.0, 0.0, 3.0, 0.0, 15.0].into_iter().enumerate().take(2 * n) {
                let sum: f64 = rule.iter().map(|(x, weight)| weight * x.powi(power as i32)).sum();
                assert!((sum - moment).abs() < 1e-11, "{n} nodes, power {power}: {sum}");
            }
        }
    }

    /// A joint density that is a Gaussian times a constant: evidence and divergence have formulas.
    #[test]
    fn quadrature_finds_a_known_integral_and_divergence() {
        let grid = Grid { x: (-2.0, 3.0), y: (-3.5, 2.0), side: 65 };
        let points = grid.points();
        let (centre, deviation) = ([0.5, -0.7], [0.2, 0.3]);
        let log_normal = |z: &[f64; 2]| -> f64 {
            (0..2)
                .map(|i| {
                    -0.5 * ((z[i] - centre[i]) / deviation[i]).powi(2)
                        - f64::ln(deviation[i])
                        - 0.5 * (2.0 * PI).ln()
                })
                .sum()
        };
        let joint: Vec<f64> = points.iter().map(|z| log_normal(z) - 123.0).collect();
        let evidence = grid.log_integral(&joint, 1);
        assert!((evidence + 123.0).abs() < 1e-9, "{evidence}");
        let (mean, own) = ([0.4, -0.5], [0.25, 0.2]);
        let expected: f64 = (0..2)
            .map(|i| {
                let (ratio, shift) = (own[i] / deviation[i], (mean[i] - centre[i]) / deviation[i]);
                0.5 * (ratio * ratio + shift * shift - 1.0) - f64::ln(ratio)
            })
            .sum();
        let found = divergence_on(&grid, &points, &joint, evidence, (mean, own));
        assert!((found - expected).abs() < 1e-8, "{found} {expected}");
    }
}
