//! Variance of two gradient estimators with the same mean: the reparametrized gradient and the score function's.

use super::graphs::{arrow, node};
use super::{Block, Context, Figure, Section};
use crate::graph::LikelihoodKind;
use crate::optimizer::{Optimizer, OptimizerKind};
use crate::plan::Step;
use crate::random::stream;
use crate::report::frame::{Frame, heading, label, legend};
use crate::report::scene::{Anchor, Colour, Scene};
use crate::session::{Session, Which};
use crate::text::thousands;
use crate::{Error, Result};

/// One sample of E_q log p(x|z) at z = mean + deviation ε, in two dimensions.
struct Sample {
    /// ε
    noise: [f64; 2],
    /// log p(x|z)
    value: f64,
    /// Its gradient in z.
    gradient: [f64; 2],
}

/// Mean and deviation of q.
struct Posterior {
    deviation: [f64; 2],
}

/// `rounds` times as many samples as the session draws of its only image, with the gradient that its training step sends
/// back to the latents. The parameters stay as they are: the rate is 0.
fn samples(session: &mut Session, rounds: u32, seed: u64) -> Result<(Posterior, Vec<Sample>)> {
    let posterior = session.encode(&[0])?;
    let count = session.task().objective.samples;
    let mut all = Vec::new();
    let missing = |name: &str| Error::Internal(format!("the plan keeps no '{name}'"));
    for round in 0..rounds {
        // No weight of the divergence, and no learning rate.
        let step = Step::seeded(seed, stream::GRADIENTS).at(u64::from(round));
        session.submit("train", Which::Train, &[&[0]], vec![step])?;
        session.receive(0)?;
        let mut read = |name: &str| session.read_flat(name)?.ok_or_else(|| missing(name));
        let (noise, gradient) = (read("noise")?, read("gradient.latent")?);
        let losses = read("reconstruction")?;
        let chunks = losses.len() / count;
        for i in 0..count {
            let value: f64 = losses[i * chunks..(i + 1) * chunks].iter().map(|&loss| -f64::from(loss)).sum();
            // Rows are padded to four; the gradient is that of the loss, averaged over the samples.
            let pair = |values: &[f32]| [f64::from(values[4 * i]), f64::from(values[4 * i + 1])];
            let gradient = pair(&gradient).map(|g| -g * count as f64);
            all.push(Sample { noise: pair(&noise), value, gradient });
        }
    }
    let deviation = [0, 1].map(|i| (0.5 * f64::from(posterior.log_variances[i])).exp());
    Ok((Posterior { deviation }, all))
}

/// The two dimensions' mean of an estimator of d E_q log p(x|z) / d mean, and the sum of the two variances of a sample.
struct Spread {
    mean: [f64; 2],
    variance: f64,
}

fn spread(estimates: &[[f64; 2]]) -> Spread {
    let n = estimates.len() as f64;
    let mean = [0, 1].map(|i| estimates.iter().map(|e| e[i]).sum::<f64>() / n);
    let square = |e: &[f64; 2]| (e[0] - mean[0]).powi(2) + (e[1] - mean[1]).powi(2);
    Spread { mean, variance: estimates.iter().map(square).sum::<f64>() / (n - 1.0) }
}

/// Estimates by groups of `size` samples: reparametrized, by the score function, and by the score function with the
/// mean of the group's other samples as a baseline (none in groups of one).
fn estimates(posterior: &Posterior, samples: &[Sample], size: usize) -> [Vec<[f64; 2]>; 3] {
    let mut all = [Vec::new(), Vec::new(), Vec::new()];
    for group in samples.chunks_exact(size) {
        let n = size as f64;
        let total: f64 = group.iter().map(|sample| sample.value).sum();
        let mean = |of: &dyn Fn(&Sample, usize) -> f64| {
            [0, 1].map(|i| group.iter().map(|sample| of(sample, i)).sum::<f64>() / n)
        };
        // d log q / d mean = ε / deviation.
        let score = |sample: &Sample, i: usize| sample.noise[i] / posterior.deviation[i];
        all[0].push(mean(&|sample, i| sample.gradient[i]));
        all[1].push(mean(&|sample, i| sample.value * score(sample, i)));
        if size > 1 {
            let others = |sample: &Sample| (total - sample.value) / (n - 1.0);
            all[2].push(mean(&|sample, i| (sample.value - others(sample)) * score(sample, i)));
        }
    }
    all
}

/// Variances by number of samples, of the three estimators.
type Curves = [Vec<(f64, f64)>; 3];

fn curves(posterior: &Posterior, samples: &[Sample]) -> (Curves, [Spread; 3]) {
    let mut curves: Curves = Default::default();
    let mut size = 1;
    // Use at least 64 groups, which give their variance to within a fifth.
    while samples.len() / size >= 64 {
        for (curve, estimates) in curves.iter_mut().zip(estimates(posterior, samples, size)) {
            if !estimates.is_empty() {
                curve.push((size as f64, spread(&estimates).variance));
            }
        }
        size *= 4;
    }
    let pairs = estimates(posterior, samples, 2).map(|estimates| spread(&estimates));
    (curves, pairs)
}

pub(super) fn section(context: &mut Context<'_>) -> Result<Section> {
    let picture = context.options.dataset.test.image(0).to_vec();
    debug_assert_eq!(context.trained.config.model.likelihood().kind, LikelihoodKind::Bernoulli);
    let (count, rounds) = context.choose((1024, 64), (256, 8));
    let still = Optimizer::new(OptimizerKind::Sgd);
    let images = std::slice::from_ref(&picture);
    let mut session = context.trained.examine(context.options, images, 1, count, Some(&still.into()))?;
    let snapshots = &context.trained.snapshots;
    let stages = [&snapshots[1.min(snapshots.len() - 1)], &snapshots[snapshots.len() - 1]];
    let mut scene = Scene::new(1120.0, 400.0);
    draw_graphs(&mut scene);
    let (mut ratios, mut left) = (Vec::new(), Vec::new());
    let mut agreement = 0.0f64;
    for (panel, snapshot) in stages.into_iter().enumerate() {
        session.write_flat("parameters", &snapshot.parameters)?;
        let (posterior, samples) = samples(&mut session, rounds, context.options.seed)?;
        let (curves, pairs) = curves(&posterior, &samples);
        ratios.push(curves[1][0].1 / curves[0][0].1);
        if let (Some(baseline), Some(reparametrized)) = (curves[2].last(), curves[0].last()) {
            left.push(baseline.1 / reparametrized.1);
        }
        // Difference of the two best means, in standard errors.
        let groups = samples.len() as f64 / 2.0;
        let error = ((pairs[0].variance + pairs[2].variance) / groups).sqrt();
        let distance = (pairs[0].mean[0] - pairs[2].mean[0]).hypot(pairs[0].mean[1] - pairs[2].mean[1]);
        agreement = agreement.max(distance / error);
        let title = match snapshot.epochs {
            epochs if epochs < 1.0 => format!("after {epochs} of a pass"),
            epochs => format!("after {epochs} passes"),
        };
        draw_curves(&mut scene, panel, &title, &curves);
    }
    let white = picture.iter().filter(|value| **value >= 128).count();
    Ok(Section {
        heading: "Reparametrization trick",
        blocks: vec![
            Block::Text(
                "z is sampled from q(z|x), and no gradient passes through a random draw. Written as z = μ + σ ε, with \
                 ε drawn from N(0, I), z is a differentiable function of μ and σ. The score function is the other way \
                 to differentiate an expectation."
                    .into(),
            ),
            Block::Equation(r"z = \mu + \sigma \epsilon , \epsilon ~ N(0, I)", ""),
            Block::Equation(
                r"\nabla_{\mu} E_q log p(x|z) = E_{\epsilon} \nabla_z log p(x|z) = E_q [log p(x|z) \nabla_{\mu} log q(z|x)]",
                "",
            ),
            Block::Figure(Figure {
                name: "gradient-variance",
                title: "Variance of two gradient estimators".into(),
                caption: [
                    format!(
                        "Variance of the gradient of E log p(x|z) with respect to the posterior's mean, for one \
                         held-out image of {} white pixels, over {} samples. With one sample, the variance of the \
                         score function is {} times that of the reparametrized gradient early in training, and {} \
                         times at its end.",
                        white,
                        thousands(count * rounds as usize),
                        rounded(ratios[0]),
                        rounded(ratios[1])
                    ),
                    format!(
                        "All of them estimate the same gradient (means of pairs agree within {agreement:.1} standard \
                         errors), and their variances fall as 1/n. A baseline, the mean of the group's other samples, \
                         reduces the ratio to {:.0} and {:.0}.",
                        left.first().unwrap_or(&f64::NAN),
                        left.last().unwrap_or(&f64::NAN)
                    ),
                ],
                scene,
            }),
        ],
    })
}

/// A number rounded to two significant digits: `1,200,000`.
fn rounded(value: f64) -> String {
    let power = 10f64.powf((value.abs().max(1.0)).log10().floor() - 1.0).max(1.0);
    thousands(((value / power).round() * power) as usize)
}

/// The sampling step drawn twice: as a random node, and as a function of a random node.
fn draw_graphs(scene: &mut Scene) {
    scene.text((144.0, 22.0), "a draw, and a function of one", heading(Anchor::Middle));
    let radius = 22.0;
    let (mean, z, f) = ((74.0, 110.0), (74.0, 210.0), (74.0, 310.0));
    arrow(scene, mean, z, radius, true);
    arrow(scene, z, f, radius, false);
    for (place, name) in [(mean, "μ, σ"), (z, "z"), (f, "log p")] {
        node(scene, place, radius, name, name == "z");
    }
    let (mean, noise, z, f) = ((174.0, 110.0), (244.0, 110.0), (209.0, 210.0), (209.0, 310.0));
    arrow(scene, mean, z, radius, false);
    arrow(scene, noise, z, radius, false);
    arrow(scene, z, f, radius, false);
    for (place, name) in [(mean, "μ, σ"), (noise, "ε"), (z, "z"), (f, "log p")] {
        node(scene, place, radius, name, name == "ε");
    }
    scene.text((74.0, 356.0), "z ~ q", label(Colour::Soft, Anchor::Middle));
    scene.text((209.0, 356.0), "z = μ + σ ε", label(Colour::Soft, Anchor::Middle));
    scene.text((144.0, 382.0), "shaded: drawn; no gradient passes", label(Colour::Soft, Anchor::Middle));
}

fn draw_curves(scene: &mut Scene, panel: usize, title: &str, curves: &Curves) {
    let all = || curves.iter().flatten();
    let largest = all().map(|point| point.1).fold(f64::MIN_POSITIVE, f64::max);
    let smallest =
        all().map(|point| point.1).filter(|v| *v > 0.0).fold(f64::INFINITY, f64::min).min(largest / 10.0);
    let last = all().map(|point| point.0).fold(4.0, f64::max);
    let mut frame = Frame::new(
        (364.0 + 390.0 * panel as f64, 70.0),
        (340.0, 270.0),
        (0.8, 1.25 * last),
        (smallest / 3.0, largest * 3.0),
    );
    (frame.log_x, frame.log_y) = (true, true);
    frame.axes(scene, "", ["samples", if panel == 0 { "variance of the gradient" } else { "" }], [5, 7]);
    scene.text((frame.corner.0 + 170.0, 22.0), title, heading(Anchor::Middle));
    let names = [
        ("score function", 1, Colour::Series(1)),
        ("with baseline", 2, Colour::Series(4)),
        ("reparametrized", 0, Colour::Series(0)),
    ];
    if panel == 0 {
        let entries: Vec<(&str, Colour)> = names.iter().map(|(name, _, colour)| (*name, *colour)).collect();
        legend(scene, (540.0, 50.0), &entries);
    }
    for (_, index, colour) in names {
        frame.line(scene, &curves[index], colour, 2.0);
        frame.dots(scene, &curves[index], 4.0, colour, 1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Philox;

    /// For log p = -z'z/2 the answers are known: the gradient in the mean is -mean, and the reparametrized estimator has
    /// the variance of z.
    #[test]
    fn both_estimators_have_the_same_mean() {
        let (mean, deviation) = ([0.7, -0.2], [0.5, 0.8]);
        let mut random = Philox::new(3, stream::FIGURES, 0);
        let samples: Vec<Sample> = (0..200_000)
            .map(|_| {
                let noise = [random.normal(), random.normal()];
                let z = [0, 1].map(|i| mean[i] + deviation[i] * noise[i]);
                Sample { noise, value: -0.5 * (z[0] * z[0] + z[1] * z[1]), gradient: z.map(|z| -z) }
            })
            .collect();
        let posterior = Posterior { deviation };
        let (curves, pairs) = curves(&posterior, &samples);
        for estimator in &pairs {
            let error = (estimator.variance / 100_000.0).sqrt();
            for (found, mean) in estimator.mean.iter().zip(mean) {
                assert!((found + mean).abs() < 5.0 * error, "{:?} {error}", estimator.mean);
            }
        }
        // Variance with one sample: 0.25 + 0.64; with four: a quarter of it.
        assert!((curves[0][0].1 - 0.89).abs() < 0.02, "{:?}", curves[0]);
        assert!((4.0 * curves[0][1].1 - 0.89).abs() < 0.03, "{:?}", curves[0]);
        assert!(curves[1][0].1 > 1.0);
    }
}
