//! Bayes' rule on the trained model: prior, likelihood and posterior of one image.

use super::evidence::{Grid, Terms, black_and_white, density, log_likelihood, terms};
use super::latent_space::tiles;
use super::{Block, Context, Figure, Section};
use crate::Result;
use crate::report::frame::{Frame, ellipse, heading, legend, shade};
use crate::report::scene::{Anchor, Colour, Scene};

/// The picture of log p(x|z) shows values down to this many nats below the largest.
const SHOWN: f64 = 400.0;

pub(super) fn section(context: &mut Context<'_>) -> Result<Section> {
    let picture = context.options.dataset.test.image(0).to_vec();
    let device = &context.options.device;
    let image = black_and_white(&picture);
    let mut session =
        context.trained.examine(context.options, std::slice::from_ref(&picture), 256, 1, None)?;
    if let Some(last) = context.trained.snapshots.last() {
        session.write_flat("parameters", &last.parameters)?;
    }
    let side = context.choose(101, 41);
    let found = terms(device, &mut session, std::slice::from_ref(&image), side)?.swap_remove(0);
    // The square holds most of the prior, and the whole close-up of the posterior.
    let (x, y) = close_up(&found);
    let half = [x.0, x.1, y.0, y.1].into_iter().map(|end| end.abs() + 0.3).fold(3.5, f64::max);
    let wide = Grid { x: (-half, half), y: (-half, half), side };
    let points = wide.points();
    let mut density = density(device, &mut session)?;
    density.set_images(&image)?;
    let likelihood = log_likelihood(&mut density, &points)?;
    let shape = context.options.dataset.shape;
    let scene = draw(&found, &wide, &points, &likelihood, |scene| {
        let height = 120.0 * shape.height as f64 / shape.width as f64;
        scene.picture((20.0, 130.0), (120.0, height), tiles(&image, shape.width, shape.height, 1), false);
    });
    let (mean, deviation) = found.q;
    let caption = [
        "The prior p(z) is broad; the likelihood p(x|z) of one held-out image x (shown by its logarithm) singles out \
         the codes that decode to it; their product, divided by the evidence p(x), is the posterior p(z|x), here \
         in the square of the picture before."
            .to_string(),
        format!(
            "The integral that equation (2) calls intractable is a sum over a grid in two dimensions: log p(x) = \
             {:.3} nats. The encoder's q(z|x) = N(({:.2}, {:.2}), diag({:.3}², {:.3}²)) approximates the posterior \
             with a divergence of {:.3} nats.",
            found.evidence, mean[0], mean[1], deviation[0], deviation[1], found.gap
        ),
    ];
    Ok(Section {
        heading: "Bayesian approach",
        blocks: vec![
            Block::Equation(r"p(z|x) = \frac{p(x|z) p(z)}{p(x)}", "1, 4"),
            Block::Equation(
                r"p(z|x) = \frac{p(x, z)}{p(x)} = \frac{p(x|z) p(z)}{p(x)} = \frac{p(x|z) p(z)}{\int p(x|z) p(z) dz}",
                "2",
            ),
            Block::Text(
                "x is the data, z the latent code; p(z) is the prior, p(x|z) the likelihood, p(x) the evidence and \
                 p(z|x) the posterior."
                    .into(),
            ),
            Block::Figure(Figure {
                name: "bayes-rule",
                title: "Prior, likelihood and posterior of one image".into(),
                caption,
                scene,
            }),
        ],
    })
}

/// The square that shows the posterior, down to e^-6 of its largest density, and three deviations of q.
fn close_up(found: &Terms) -> ((f64, f64), (f64, f64)) {
    let largest = found.log_joint.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (mean, deviation) = found.q;
    let mut low = [0, 1].map(|i| mean[i] - 3.2 * deviation[i]);
    let mut high = [0, 1].map(|i| mean[i] + 3.2 * deviation[i]);
    for (point, _) in
        found.grid.points().iter().zip(&found.log_joint).filter(|(_, value)| **value > largest - 6.0)
    {
        for i in 0..2 {
            (low[i], high[i]) = (low[i].min(point[i]), high[i].max(point[i]));
        }
    }
    let half = 0.55 * (high[0] - low[0]).max(high[1] - low[1]);
    let range = |i: usize| ((low[i] + high[i]) / 2.0 - half, (low[i] + high[i]) / 2.0 + half);
    (range(0), range(1))
}

/// Rows of a grid from the largest y down, as pictures have them.
fn flipped(values: &[f64], side: usize) -> Vec<f64> {
    values.chunks(side).rev().flatten().copied().collect()
}

fn draw(
    found: &Terms,
    wide: &Grid,
    points: &[[f64; 2]],
    likelihood: &[f64],
    image: impl FnOnce(&mut Scene),
) -> Scene {
    let mut scene = Scene::new(1100.0, 390.0);
    scene.text((80.0, 24.0), "x", heading(Anchor::Middle));
    image(&mut scene);
    let prior: Vec<f64> = points.iter().map(|z| (-0.5 * (z[0] * z[0] + z[1] * z[1])).exp()).collect();
    let largest = likelihood.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let logarithm: Vec<f64> =
        likelihood.iter().map(|value| (1.0 + (value - largest) / SHOWN).max(0.0)).collect();
    let posterior: Vec<f64> = found.log_joint.iter().map(|value| (value - found.evidence).exp()).collect();
    let panels = [
        ("p(z)", wide, &prior, Colour::Series(0)),
        ("log p(x|z)", wide, &logarithm, Colour::Series(2)),
        ("p(z|x)", &found.grid, &posterior, Colour::Series(1)),
    ];
    for (i, (title, grid, values, colour)) in panels.into_iter().enumerate() {
        let mut frame = Frame::new((206.0 + [0.0, 295.0, 630.0][i], 60.0), (250.0, 250.0), grid.x, grid.y);
        let image = shade(&flipped(values, grid.side), grid.side, colour);
        if i == 2 {
            let (x, y) = close_up(found);
            frame = Frame::new(frame.corner, frame.size, x, y);
            frame.axes(&mut scene, "", ["z1", "z2"], [5, 5]);
            // The part of the image's grid that lies in the frame.
            let pixel = |value: f64, range: (f64, f64)| {
                let share = (value - range.0) / (range.1 - range.0);
                (share * grid.side as f64).round().clamp(0.0, grid.side as f64 - 1.0) as u32
            };
            let (left, right) = (pixel(x.0, grid.x), pixel(x.1, grid.x));
            let (top, bottom) = (pixel(-y.1, (-grid.y.1, -grid.y.0)), pixel(-y.0, (-grid.y.1, -grid.y.0)));
            let part = image::imageops::crop_imm(&image, left, top, right - left + 1, bottom - top + 1);
            // A pixel extends half a grid step to all sides of its point.
            let step = |range: (f64, f64)| (range.1 - range.0) / (grid.side - 1) as f64;
            let edge =
                |pixel: u32, half: f64, range: (f64, f64)| range.0 + (f64::from(pixel) + half) * step(range);
            let from = frame.at((edge(left, -0.5, grid.x), -edge(top, -0.5, (-grid.y.1, -grid.y.0))));
            let to = frame.at((edge(right, 0.5, grid.x), -edge(bottom, 0.5, (-grid.y.1, -grid.y.0))));
            scene.picture(from, (to.0 - from.0, to.1 - from.1), part.to_image(), true);
            let (mean, deviation) = found.q;
            for radius in [1.0, 2.0, 3.0] {
                let line = ellipse(mean, [deviation[0], 0.0, deviation[1]], radius);
                frame.line(&mut scene, &line, Colour::Series(0), 1.5);
            }
            legend(
                &mut scene,
                (frame.corner.0 + 8.0, 376.0),
                &[("p(z|x)", Colour::Series(1)), ("q(z|x), 1 to 3 σ", Colour::Series(0))],
            );
        } else {
            frame.axes(&mut scene, "", ["z1", if i == 0 { "z2" } else { "" }], [5, 5]);
            frame.picture(&mut scene, image, true);
            let (x, y) = close_up(found);
            let corners = [(x.0, y.0), (x.1, y.0), (x.1, y.1), (x.0, y.1), (x.0, y.0)];
            if i == 1 {
                frame.line(&mut scene, &corners, Colour::Series(1), 1.5);
            }
        }
        scene.text((frame.corner.0 + 125.0, 24.0), title, heading(Anchor::Middle));
    }
    scene
}
