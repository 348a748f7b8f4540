//! The two-dimensional latent space of the model, and the manifold it has learned.

use super::{Block, Context, Figure, Section};
use crate::Result;
use crate::data::Dataset;
use crate::report::frame::{Frame, heading, label};
use crate::report::manifold_axis;
use crate::report::scene::{Anchor, Colour, Point, Scene};
use crate::text::thousands;
use image::{Rgba, RgbaImage};

pub(super) fn section(context: &mut Context<'_>) -> Result<Section> {
    let dataset = context.options.dataset;
    let count = dataset.test.count.min(context.choose(10_000, 300));
    let numbers: Vec<u32> = (0..count as u32).collect();
    let posteriors = context.trained.session.encode(&numbers)?;
    let evaluation = context.trained.session.evaluate(dataset.test.count, 1)?;

    let mut scene = Scene::new(760.0, 640.0);
    let means: Vec<Point> =
        posteriors.means.chunks_exact(2).map(|mean| (f64::from(mean[0]), f64::from(mean[1]))).collect();
    let mut distances: Vec<f64> = means.iter().map(|(x, y)| x.abs().max(y.abs())).collect();
    distances.sort_by(f64::total_cmp);
    // The frame shows all but one in 200 points.
    let reach = distances.get((0.995 * count as f64) as usize).copied().unwrap_or(0.0).max(3.0) * 1.04;
    let outside = distances.iter().filter(|distance| **distance > reach).count();
    let frame = Frame::new((64.0, 24.0), (560.0, 560.0), (-reach, reach), (-reach, reach));
    frame.axes(&mut scene, "", ["z1", "z2"], [9, 9]);
    if outside > 0 {
        scene.text((642.0, 574.0), format!("{outside} outside"), label(Colour::Soft, Anchor::Start));
    }
    let radius = if count > 4000 { 1.7 } else { 2.6 };
    coloured(&mut scene, &frame, &means, dataset, radius);
    if dataset.test.labels().is_some() && dataset.classes.len() <= 10 {
        for (class, name) in dataset.classes.iter().enumerate() {
            let y = 40.0 + 26.0 * class as f64;
            scene.dots(vec![(654.0, y)], 6.0, Colour::Series(class), 1.0);
            scene.text((670.0, y), name.clone(), label(Colour::Ink, Anchor::Start));
        }
    }
    let inside = means.iter().filter(|(x, y)| x.hypot(*y) < 2.0).count() as f64 / count.max(1) as f64;
    Ok(Section {
        heading: "Latent space",
        blocks: vec![Block::Figure(Figure {
            name: "latent-space",
            title: format!("The latent space of {}", dataset.name),
            caption: [
                format!(
                    "Each of {} held-out images is a point, the mean of its posterior q(z|x), coloured by its class, \
                     which the model has not seen.",
                    thousands(count)
                ),
                format!(
                    "{:.0} of 100 means lie within distance 2 of the origin, where the prior has 86 of 100 draws. The \
                     held-out ELBO is {:.2} nats per image.",
                    100.0 * inside,
                    evaluation.elbo()
                ),
            ],
            scene,
        })],
    })
}

/// The latents of held-out images as dots, in the colours of at most ten classes.
pub(super) fn coloured(scene: &mut Scene, frame: &Frame, latents: &[Point], dataset: &Dataset, radius: f64) {
    let Some(labels) = dataset.test.labels().filter(|_| dataset.classes.len() <= 10) else {
        return frame.dots(scene, latents, radius, Colour::Series(0), 0.8);
    };
    // Draw a few points of each class at a time, so that no class covers the others.
    for part in 0..8 {
        for class in 0..dataset.classes.len() {
            let members = latents.iter().zip(labels).enumerate();
            let shown: Vec<Point> = members
                .filter(|(i, (_, label))| i % 8 == part && **label as usize == class)
                .map(|(_, (latent, _))| *latent)
                .collect();
            frame.dots(scene, &shown, radius, Colour::Series(class), 0.8);
        }
    }
}

/// `images` of `shape`, `columns` in a row, as one picture.
pub(super) fn tiles(images: &[f32], width: usize, height: usize, columns: usize) -> RgbaImage {
    let count = images.len() / (width * height).max(1);
    let rows = count.div_ceil(columns.max(1));
    RgbaImage::from_fn((columns * width) as u32, (rows * height) as u32, |x, y| {
        let (column, row) = (x as usize / width, y as usize / height);
        let pixel =
            (row * columns + column) * width * height + y as usize % height * width + x as usize % width;
        let value = (images.get(pixel).copied().unwrap_or(0.0).clamp(0.0, 1.0) * 255.0).round() as u8;
        Rgba([value, value, value, 255])
    })
}

/// The decoder over the unit square, through the inverse of the normal distribution function.
pub(super) fn manifold(context: &mut Context<'_>) -> Result<Section> {
    let side = context.choose(20, 8);
    let axis = manifold_axis(side);
    let latents: Vec<f32> =
        axis.iter().rev().flat_map(|&z2| axis.iter().flat_map(move |&z1| [z1 as f32, z2 as f32])).collect();
    let images = context.trained.session.decode(&latents)?;
    let shape = context.options.dataset.shape;
    let aspect = shape.height as f64 / shape.width as f64;
    let mut scene = Scene::new(700.0, 600.0 * aspect + 56.0);
    let size = (600.0, 600.0 * aspect);
    scene.picture((64.0, 20.0), size, tiles(&images, shape.width, shape.height, side), true);
    let (end, middle) = (axis.last().copied().unwrap_or(0.0), (364.0, 20.0 + size.1 / 2.0));
    let half = 0.5 / side as f64;
    for (place, z) in [(half, -end), (0.5, 0.0), (1.0 - half, end)] {
        let text = format!("{z:.2}").replace('-', "−");
        let x = 64.0 + size.0 * place;
        scene.text((x, 20.0 + size.1 + 14.0), text.clone(), label(Colour::Soft, Anchor::Middle));
        scene.text((56.0, 20.0 + size.1 * (1.0 - place)), text, label(Colour::Soft, Anchor::End));
    }
    scene.text((middle.0 + 60.0, 20.0 + size.1 + 14.0), "z1", heading(Anchor::Middle));
    scene.text((40.0, middle.1 - 60.0), "z2", heading(Anchor::Middle));
    Ok(Section {
        heading: "Learned manifold",
        blocks: vec![Block::Figure(Figure {
            name: "manifold",
            title: format!("The learned manifold of {}", context.options.dataset.name),
            caption: [
                format!(
                    "{side} × {side} points of the unit square, mapped to the latent space by the inverse of the normal \
                     distribution function, and decoded. Every image stands for the same share of the prior.",
                ),
                "Neighbours differ little: the decoder is a smooth surface in the space of images, on which one kind \
                 of image changes gradually into another."
                    .into(),
            ],
            scene,
        })],
    })
}
