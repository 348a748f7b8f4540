//! Binary cross-entropy and squared error, seen as two likelihoods.

use super::kernel::{Content, KernelRun};
use super::latent_space::tiles;
use super::training::Training;
use super::{Block, Context, Figure, Section};
use crate::Result;
use crate::config::Config;
use crate::device::OpenDevice;
use crate::graph::{Activation, Binarize, LikelihoodKind};
use crate::plan::{Grid, constants};
use crate::report::frame::{Frame, heading, label, legend};
use crate::report::scene::{Anchor, Colour, Point, Scene};
use std::f64::consts::TAU;

/// The deviation of the Gaussian curves.
const SIGMA: f64 = 0.3;

/// -log p(x|output) of one pixel, and its derivative, for each of `outputs`, by the kernels that train the models.
fn loss(device: &OpenDevice, kind: LikelihoodKind, x: f32, outputs: &[f32]) -> Result<(Vec<f64>, Vec<f64>)> {
    let count = outputs.len();
    let decoded: Vec<f32> = outputs.iter().flat_map(|&value| [value, 0.0, 0.0, 0.0]).collect();
    let kernel = match kind {
        LikelihoodKind::Bernoulli => "bernoulli_with_gradient",
        _ => "gaussian_with_gradient",
    };
    // One image of one pixel, and a sample for each output.
    let mut constants = constants! { BATCH: 1usize, SAMPLES: count, COLUMNS: 1usize, WIDTH: 1usize };
    if kind != LikelihoodKind::Bernoulli {
        constants.insert("MEAN_ACTIVATION", f64::from(Activation::Identity.number()));
        constants.insert("LOG_VARIANCE", 2.0 * SIGMA.ln());
    }
    let mut run = KernelRun::new(
        device,
        kernel,
        constants,
        &[
            ("decoded", Content::Reals(&decoded)),
            ("images", Content::Reals(&[x, 0.0, 0.0, 0.0])),
            ("value", Content::Room(count)),
            ("decoded_gradient", Content::Room(4 * count)),
        ],
        Grid::Elements(count),
    )?;
    let values = run.run("value", 0, 0)?.into_iter().map(f64::from).collect();
    // The kernel returns the gradient of the mean over samples.
    let gradient = run.run("decoded_gradient", 0, 0)?;
    Ok((values, gradient.iter().step_by(4).map(|g| f64::from(*g) * count as f64).collect()))
}

/// A small model of grey pixels with `kind` of likelihood, and its reconstructions of the first `count` held-out images.
fn reconstructions(
    context: &Context<'_>,
    kind: LikelihoodKind,
    sigma: f64,
    count: usize,
) -> Result<(Vec<f32>, f64)> {
    let dataset = context.options.dataset;
    let means = if kind == LikelihoodKind::Gaussian { "sigmoid" } else { "identity" };
    let mut config = Config::default().with(&format!(
        "[model]\nhidden = [{}]\nlatent = {}\nlikelihood = '{kind}'\nsigma = {sigma}\nmean-activation = '{means}'",
        context.choose(200, 32),
        context.choose(8, 2),
    ))?;
    config.data.binarize = Some(Binarize::None);
    config.run.epochs = Some(context.choose(8, 2));
    config.run.batch_size = Some(64.min(dataset.train.count));
    config.run.seed = context.options.seed;
    let config = config.resolve()?;
    let mut training = Training::start(&context.options.device, &config, dataset)?;
    // A part of a large dataset is enough: the number of steps is that of the digits.
    let share = (10_000.0 / dataset.train.count as f64).min(1.0);
    training.until(config.run.epochs() as f64 * share.max(0.25))?;
    let numbers: Vec<u32> = (0..count as u32).collect();
    let means = training.session.encode(&numbers)?.means;
    let images = training.session.decode(&means)?;
    let originals = numbers.iter().flat_map(|&number| dataset.test.image(number as usize).into_owned());
    let error =
        originals.zip(&images).map(|(x, y)| (f64::from(x) / 255.0 - f64::from(*y)).powi(2)).sum::<f64>();
    Ok((images.clone(), error / images.len() as f64))
}

pub(super) fn section(context: &mut Context<'_>) -> Result<Section> {
    let mut scene = Scene::new(1120.0, 640.0);
    let device = &context.options.device;
    let panels = [
        (LikelihoodKind::Bernoulli, (-6.0, 6.0), "decoder output s (a logit)", "Bernoulli: cross-entropy"),
        (
            LikelihoodKind::Gaussian,
            (-0.5, 1.5),
            "decoder output m (a mean)",
            "Gaussian, σ = 0.3: squared error",
        ),
    ];
    for (i, (kind, range, name, title)) in panels.into_iter().enumerate() {
        let outputs: Vec<f32> =
            (0..=240).map(|i| (range.0 + (range.1 - range.0) * f64::from(i) / 240.0) as f32).collect();
        let y = if i == 0 { (-1.5, 6.5) } else { (-8.0, 13.0) };
        let frame = Frame::new((76.0 + 550.0 * i as f64, 72.0), (470.0, 250.0), range, y);
        frame.axes(&mut scene, "", [name, if i == 0 { "nats" } else { "" }], [7, 7]);
        scene.text((frame.corner.0 + 235.0, 22.0), title, heading(Anchor::Middle));
        for (x, colour) in [(0.0, Colour::Series(0)), (1.0, Colour::Series(1))] {
            let (values, gradient) = loss(device, kind, x, &outputs)?;
            let pairs = |values: &[f64]| -> Vec<Point> {
                outputs.iter().map(|&output| f64::from(output)).zip(values.iter().copied()).collect()
            };
            frame.line(&mut scene, &pairs(&values), colour, 2.4);
            frame.dashes(&mut scene, &pairs(&gradient), colour, 1.6);
        }
        let end = legend(
            &mut scene,
            (frame.corner.0 + 20.0, 50.0),
            &[("x = 0", Colour::Series(0)), ("x = 1", Colour::Series(1))],
        );
        scene.text(
            (end, 50.0),
            "solid: −log p(x|z); dashed: its derivative",
            label(Colour::Soft, Anchor::Start),
        );
    }
    let dataset = context.options.dataset;
    let shape = dataset.shape;
    let count = 20.min(dataset.test.count);
    let originals: Vec<f32> = (0..count)
        .flat_map(|i| dataset.test.image(i).into_owned())
        .map(|value| f32::from(value) / 255.0)
        .collect();
    let (bernoulli, bernoulli_error) = reconstructions(context, LikelihoodKind::Bernoulli, 1.0, count)?;
    let (gaussian, gaussian_error) = reconstructions(context, LikelihoodKind::Gaussian, SIGMA, count)?;
    let side = 46.0;
    let height = side * shape.height as f64 / shape.width as f64;
    let rows = [("original", &originals), ("Bernoulli", &bernoulli), ("Gaussian", &gaussian)];
    scene.text(
        (560.0, 402.0),
        "Two small models of grey pixels, and what they reconstruct",
        heading(Anchor::Middle),
    );
    for (i, (name, images)) in rows.into_iter().enumerate() {
        let y = 424.0 + (height + 6.0) * i as f64;
        let picture = tiles(images, shape.width, shape.height, count);
        scene.picture((120.0, y), (side * count as f64, height), picture, true);
        scene.text((110.0, y + height / 2.0), name, label(Colour::Soft, Anchor::End));
    }
    scene.height = 424.0 + 3.0 * (height + 6.0) + 10.0;
    let constant = 0.5 * (TAU * SIGMA * SIGMA).ln();
    Ok(Section {
        heading: "Two likelihoods",
        blocks: vec![
            Block::Equation(
                r"\int q(z|x) log \frac{p(x, z)}{q(z|x)} dz = \int q(z|x) log \frac{p(x|z) p(z)}{q(z|x)} dz",
                "16",
            ),
            Block::Equation(r"= \int q(z|x) log p(x|z) dz + \int q(z|x) log \frac{p(z)}{q(z|x)} dz", "17"),
            Block::Equation(r"= E_{q(z|x)} log p(x|z) - KL(q(z|x) || p(z))", "18"),
            Block::Equation(
                r"-log p(x|z) = -x log \pi - (1 - x) log (1 - \pi) , \pi = \frac{1}{1 + e^{-s}}",
                "Bernoulli",
            ),
            Block::Equation(
                r"-log p(x|z) = \frac{(x - m)^2}{2 \sigma^2} + \frac{1}{2} log (2 \pi \sigma^2)",
                "Gaussian",
            ),
            Block::Figure(Figure {
                name: "likelihoods",
                title: "Cross-entropy and squared error".into(),
                caption: [
                    format!(
                        "A Bernoulli pixel makes −log p(x|z) the binary cross-entropy, whose derivative (dashed) in \
                         the logit, π − x, never exceeds 1 in size. A Gaussian pixel of fixed σ makes it the squared error \
                         over 2σ² plus a constant, {constant:.3} here, with a derivative that grows with the error."
                    ),
                    format!(
                        "Both curves come from the kernels that train the models. Trained on the same grey pixels, both \
                         reconstruct with a mean squared error of {bernoulli_error:.4} and {gaussian_error:.4}. But \
                         their losses cannot be compared: only the Gaussian one is a density of grey values."
                    ),
                ],
                scene,
            }),
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_the_formulas_of_the_page() {
        let outputs = [-3.0f32, 0.0, 0.4, 2.5];
        for x in [0.0f32, 1.0] {
            let (values, gradient) = loss(&OpenDevice::Cpu, LikelihoodKind::Bernoulli, x, &outputs).unwrap();
            for ((s, value), slope) in outputs.iter().zip(values).zip(gradient) {
                let pi = 1.0 / (1.0 + f64::from(-s).exp());
                let x = f64::from(x);
                let expected = -x * pi.ln() - (1.0 - x) * (1.0 - pi).ln();
                assert!(
                    (value - expected).abs() < 1e-5 && (slope - (pi - x)).abs() < 1e-5,
                    "{value} {expected}"
                );
            }
            let (values, gradient) = loss(&OpenDevice::Cpu, LikelihoodKind::Gaussian, x, &outputs).unwrap();
            for ((m, value), slope) in outputs.iter().zip(values).zip(gradient) {
                let (d, s) = (f64::from(x - m), SIGMA * SIGMA);
                let expected = d * d / (2.0 * s) + 0.5 * (TAU * s).ln();
                assert!(
                    (value - expected).abs() < 1e-4 && (slope + d / s).abs() < 1e-4,
                    "{value} {expected}"
                );
            }
        }
    }
}
