//! The evidence by quadrature, beside the evidence lower bound: equations (10) to (15) in numbers.

use super::{Block, Context, Figure, Section, table};
use crate::Result;
use crate::device::OpenDevice;
use crate::eval::density::{Density, Weights};
use crate::eval::gaussian::gauss_hermite;
use crate::report::frame::{Frame, LABEL, heading, label, legend, scientific};
use crate::report::scene::{Anchor, Colour, Scene, Type};
use crate::session::Session;
use std::f64::consts::PI;

/// Half the side of the grid for all images; the prior has 3e-7 of its mass outside.
const REACH: f64 = 5.25;
/// An image's own grid ends where the joint density is this many nats below its largest value.
const DEPTH: f64 = 30.0;
/// Nodes of a Gauss-Hermite rule along an axis.
const HERMITE: usize = 20;

/// Latents in one run of the program.
const PASS: usize = 512;

/// An image in black (0) and white (1), with the threshold 128 that the model uses.
pub(super) fn black_and_white(image: &[u8]) -> Vec<f32> {
    image.iter().map(|&value| if value >= 128 { 1.0 } else { 0.0 }).collect()
}

/// The model that `session` holds as a density of its latents, for one image at a time.
pub(super) fn density(device: &OpenDevice, session: &mut Session) -> Result<Density> {
    let (weights, task) = (Weights::of(session)?, session.task().clone());
    let rows = Density::rows_for(task.density("vae deck")?, PASS);
    Density::open(device, &task, &weights, (1, rows), 1, 0)
}

/// log p(x|z) of the density's image at every latent.
pub(super) fn log_likelihood(density: &mut Density, latents: &[[f64; 2]]) -> Result<Vec<f64>> {
    let flat: Vec<f32> = latents.iter().flatten().map(|&z| z as f32).collect();
    density.log_likelihood(&flat)
}

/// A square grid of latents.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    pub(super) x: (f64, f64),
    pub(super) y: (f64, f64),
    /// Points along a side; odd, so that every other point also forms a grid.
    pub(super) side: usize,
}

impl Grid {
    /// All points, row by row, x running fastest.
    pub(super) fn points(&self) -> Vec<[f64; 2]> {
        let at =
            |range: (f64, f64), i: usize| range.0 + (range.1 - range.0) * i as f64 / (self.side - 1) as f64;
        (0..self.side * self.side).map(|i| [at(self.x, i % self.side), at(self.y, i / self.side)]).collect()
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

/// The terms of equation (13) for an image, in nats.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    /// log p(x), by quadrature.
    pub(super) evidence: f64,
    /// Change of log p(x) with half the points along each axis.
    pub(super) grid_error: f64,
    /// The evidence lower bound: E_q log p(x|z) by a Gauss-Hermite rule around q's mean, and KL(q || p(z)) by its
    /// formula.
    pub(super) elbo: f64,
    /// KL(q || p(z|x)) on the grid, with p(x) from every other of its points along each axis. With the same p(x) as
    /// above, an error in p(x) would cancel in the residual.
    pub(super) gap: f64,
    /// The image's own grid.
    pub(super) grid: Grid,
    /// log p(x, z) on it.
    pub(super) log_joint: Vec<f64>,
    /// Mean and standard deviations of q.
    pub(super) q: ([f64; 2], [f64; 2]),
}

impl Terms {
    /// The residual of equation (13).
    pub(super) fn residual(&self) -> f64 {
        self.evidence - self.elbo - self.gap
    }
}

/// The terms of equation (13) for the first images of `session` on `device`; `images` are the same images in black and
/// white. Each image has a grid with `side` points along an axis. It encloses q, and the posterior as found on a coarse
/// grid over the prior.
pub(super) fn terms(
    device: &OpenDevice,
    session: &mut Session,
    images: &[Vec<f32>],
    side: usize,
) -> Result<Vec<Terms>> {
    let numbers: Vec<u32> = (0..images.len() as u32).collect();
    let posteriors = session.encode(&numbers)?;
    let coarse = Grid { x: (-REACH, REACH), y: (-REACH, REACH), side: 85 };
    let points = coarse.points();
    let mut density = density(device, session)?;
    // The rule is for the density exp(-x^2); N(0, 1) has exp(-x^2 / 2).
    let rule: Vec<(f64, f64)> =
        gauss_hermite(HERMITE).into_iter().map(|(x, weight)| (2.0_f64.sqrt() * x, weight)).collect();
    let mut all = Vec::new();
    for (number, image) in images.iter().enumerate() {
        density.set_images(image)?;
        let pair = |values: &[f32]| [f64::from(values[2 * number]), f64::from(values[2 * number + 1])];
        let (mean, log_variance) = (pair(&posteriors.means), pair(&posteriors.log_variances));
        let deviation = log_variance.map(|v| (0.5 * v).exp());
        let mut log_joint_of = |points: &[[f64; 2]]| -> Result<Vec<f64>> {
            let values = log_likelihood(&mut density, points)?;
            Ok(points.iter().zip(values).map(|(z, value)| log_prior(*z) + value).collect())
        };
        let joint = log_joint_of(&points)?;
        let grid = own_grid(&coarse, &points, &joint, (mean, deviation), side);
        let own = grid.points();
        let log_joint = log_joint_of(&own)?;
        let [evidence, by_half] = [1, 2].map(|every| grid.log_integral(&log_joint, every));

        let nodes: Vec<[f64; 2]> = rule
            .iter()
            .flat_map(|(a, _)| rule.iter().map(move |(b, _)| [*a, *b]))
            .map(|[a, b]| [mean[0] + deviation[0] * a, mean[1] + deviation[1] * b])
            .collect();
        let values = log_likelihood(&mut density, &nodes)?;
        let weights = rule.iter().flat_map(|(_, a)| rule.iter().map(move |(_, b)| a * b));
        let reconstruction: f64 = weights.zip(&values).map(|(weight, value)| weight * value).sum();
        let divergence: f64 =
            (0..2).map(|i| 0.5 * (mean[i].powi(2) + log_variance[i].exp() - 1.0 - log_variance[i])).sum();
        all.push(Terms {
            evidence,
            grid_error: (evidence - by_half).abs(),
            elbo: reconstruction - divergence,
            gap: divergence_on(&grid, &own, &log_joint, by_half, (mean, deviation)),
            grid,
            log_joint,
            q: (mean, deviation),
        });
    }
    Ok(all)
}

/// The grid that encloses q, and all points of the coarse grid whose density matters.
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

/// KL(q || p(z|x)), equation (6), as a sum over the grid, where log p(x) is `evidence`.
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

pub(super) fn section(context: &mut Context<'_>) -> Result<Section> {
    let count = context.choose(12, 3).min(context.options.dataset.test.count);
    let pictures: Vec<Vec<u8>> = (0..count).map(|i| context.options.dataset.test.image(i).to_vec()).collect();
    let images: Vec<Vec<f32>> = pictures.iter().map(|image| black_and_white(image)).collect();
    let mut session = context.trained.examine(context.options, &pictures, 256, 1, None)?;
    let side = context.choose(97, 41);
    let mut stages = Vec::new();
    for snapshot in &context.trained.snapshots {
        session.write_flat("parameters", &snapshot.parameters)?;
        stages.push((snapshot.epochs, terms(&context.options.device, &mut session, &images, side)?));
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
             quadrature over the latent space), and so does the ELBO below it. At the end the mean evidence is {:.2} \
             nats, the bound {:.2}, and the gap between them, KL(q(z|x) || p(z|x)), {:.2}.",
            last[0], last[1], last[2]
        ),
        format!(
            "The three are computed separately: on a grid, by a Gauss-Hermite rule with the analytic KL to the prior, \
             and by a sum of q over the grid, normalised by every other of its points. So the residual of equation \
             (13) is a check: it is at most {residual} nats for any image at any time. The coarser grid changes log \
             p(x) by at most {grid}."
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
    // The untrained model lies hundreds of nats below, and would leave no height for the rest.
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
        // The evidence from half the points is as good here; an error in it would be an error of the divergence.
        assert!((grid.log_integral(&joint, 2) - evidence).abs() < 1e-8);
        let off = divergence_on(&grid, &points, &joint, evidence + 0.5, (mean, own));
        assert!((off - expected - 0.5).abs() < 1e-8, "{off}");
    }
}
