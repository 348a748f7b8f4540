//! The line from the autoencoder to the beta-VAE: four models of one size, side by side.

use super::latent_space::{coloured, tiles};
use super::training::Training;
use super::{Block, Context, Figure, Section, table};
use crate::Result;
use crate::config::Config;
use crate::random::{Philox, stream};
use crate::report::frame::{Frame, heading, label};
use crate::report::scene::{Anchor, Colour, Point, Scene};
use std::f64::consts::TAU;

/// Passes over the images.
const EPOCHS: f64 = 8.0;
/// Images of each model that are reconstructed and drawn: rows and columns.
const GRID: (usize, usize) = (3, 8);
/// The radius of the circle within which 86 of 100 draws from the prior lie.
const RADIUS: f64 = 2.0;
/// Width of a model's pictures and of the gap beside them, and the left edge of the first.
const PANEL: (f64, f64, f64) = (250.0, 44.0, 40.0);

/// A step on the line: its name and its objective.
const MODELS: [(&str, &str); 4] = [
    ("autoencoder", "kind = 'autoencoder'"),
    ("denoising autoencoder", "kind = 'denoising'\ncorruption = 'masking'\nnoise-level = 0.25"),
    ("VAE", "beta = 1.0"),
    ("VAE with β = 4", "beta = 4.0"),
];

/// What a trained model shows.
struct Shown {
    name: &'static str,
    /// Reconstructions of the first held-out images, and images of latents drawn from the prior, `[images, pixels]`.
    pictures: [Vec<f32>; 2],
    /// Posterior means, or codes, of held-out images.
    latents: Vec<Point>,
    /// Cross-entropy and KL divergence, nats per image; squared error of a pixel.
    numbers: [f64; 3],
}

impl Shown {
    /// Share of the latents within [`RADIUS`] of the origin.
    fn near(&self) -> f64 {
        self.latents.iter().filter(|(x, y)| x.hypot(*y) < RADIUS).count() as f64
            / self.latents.len().max(1) as f64
    }
}

/// Train one of the models.
fn trained(context: &Context<'_>, (name, objective): (&'static str, &str)) -> Result<Shown> {
    let dataset = context.options.dataset;
    let mut config = Config::default().with(&format!(
        "model = {{ hidden = [{}], latent = 2 }}\n[objective]\n{objective}",
        context.choose(128, 16),
    ))?;
    config.run.batch_size = Some(64.min(dataset.train.count));
    config.run.seed = context.options.seed;
    let config = config.resolve()?;
    let mut training = Training::start(&context.options.device, &config, dataset)?;
    // A part of a large dataset is enough.
    let share = (10_000.0 / dataset.train.count as f64).min(1.0);
    training.until(context.choose(EPOCHS, 1.0) * share.max(0.25))?;
    let session = &mut training.session;
    let count = dataset.test.count.min(context.choose(2000, 100));
    let means = session.encode(&(0..count as u32).collect::<Vec<u32>>())?.means;
    let shown = (GRID.0 * GRID.1).min(count);
    let reconstructions = session.decode(&means[..2 * shown])?;
    let mut random = Philox::new(context.options.seed, stream::FIGURES, 7);
    let draws: Vec<f32> = (0..2 * GRID.0 * GRID.1).map(|_| random.normal() as f32).collect();
    let samples = session.decode(&draws)?;
    let evaluation = session.evaluate(dataset.test.count, 1)?;
    let error = evaluation.squared_error.unwrap_or_default() / dataset.shape.pixels() as f64;
    let latents = means.chunks_exact(2).map(|mean| (f64::from(mean[0]), f64::from(mean[1]))).collect();
    let numbers = [evaluation.reconstruction, evaluation.kl, error];
    Ok(Shown { name, pictures: [reconstructions, samples], latents, numbers })
}

/// The latents with the prior's circle, in a frame that holds all but one in 100 points.
fn latents(scene: &mut Scene, context: &Context<'_>, shown: &Shown, corner: Point) {
    let mut distances: Vec<f64> = shown.latents.iter().map(|(x, y)| x.abs().max(y.abs())).collect();
    distances.sort_by(f64::total_cmp);
    let reach =
        distances.get((0.99 * distances.len() as f64) as usize).copied().unwrap_or(0.0).max(3.0) * 1.04;
    let frame = Frame::new(corner, (PANEL.0, PANEL.0), (-reach, reach), (-reach, reach));
    frame.axes(scene, "", ["", ""], [5, 5]);
    coloured(scene, &frame, &shown.latents, context.options.dataset, 2.2);
    let circle: Vec<Point> =
        (0..=72).map(|i| TAU * f64::from(i) / 72.0).map(|t| (RADIUS * t.cos(), RADIUS * t.sin())).collect();
    frame.line(scene, &circle, Colour::Ink, 2.0);
}

pub(super) fn section(context: &mut Context<'_>) -> Result<Section> {
    let dataset = context.options.dataset;
    let shape = dataset.shape;
    let models = MODELS.into_iter().map(|model| trained(context, model)).collect::<Result<Vec<_>>>()?;
    let mut scene = Scene::new(1200.0, 0.0);
    let count = (GRID.0 * GRID.1).min(dataset.test.count);
    let height =
        |rows: usize| PANEL.0 / GRID.1 as f64 * shape.height as f64 / shape.width as f64 * rows as f64;
    let tiled = |images: &[f32]| tiles(images, shape.width, shape.height, GRID.1);
    let originals: Vec<f32> = (0..count)
        .flat_map(|index| dataset.test.image(index).into_owned())
        .map(|value| f32::from(value) / 255.0)
        .collect();
    let rows = [70.0, 96.0 + height(GRID.0), 122.0 + 2.0 * height(GRID.0)];
    let below = rows[2] + PANEL.0 + 52.0;
    for (number, shown) in models.iter().enumerate() {
        let left = PANEL.2 + (PANEL.0 + PANEL.1) * number as f64;
        scene.text((left + PANEL.0 / 2.0, 20.0), shown.name, heading(Anchor::Middle));
        let lines = [
            (rows[0], "held-out images", &originals[..]),
            (rows[1], "reconstructed", &shown.pictures[0][..]),
            (below, "decoded from draws of N(0, 1)", &shown.pictures[1][..]),
        ];
        for (y, name, images) in lines {
            scene.text((left, y - 12.0), name, label(Colour::Soft, Anchor::Start));
            scene.picture((left, y), (PANEL.0, height(GRID.0)), tiled(images), true);
        }
        scene.text((left, rows[2] - 12.0), "latents", label(Colour::Soft, Anchor::Start));
        latents(&mut scene, context, shown, (left, rows[2]));
    }
    scene.height = below + height(GRID.0) + 10.0;
    let numbers = models.iter().map(|shown| {
        let [reconstruction, kl, error] = shown.numbers;
        let near = format!("{:.0}", 100.0 * shown.near());
        [
            shown.name.to_string(),
            format!("{reconstruction:.1}"),
            format!("{kl:.2}"),
            format!("{error:.4}"),
            near,
        ]
    });
    let head = ["", "cross-entropy, nats", "KL, nats", "squared error of a pixel", "latents within 2, %"];
    let numbers = table(head, numbers.collect());
    let [plain, _, vae, strong] = &models[..] else {
        return Err(crate::Error::Internal("four models".into()));
    };
    Ok(Section {
        heading: "From autoencoder to β-VAE",
        blocks: vec![
            Block::Equation(r"L_{\beta} = - E_{q(z|x)} log p(x|z) + \beta KL(q(z|x) || p(z))", "β-VAE"),
            Block::Figure(Figure {
                name: "autoencoders",
                title: "What the KL divergence buys".into(),
                caption: [
                    format!(
                        "Four models of one size, trained alike on {}. An autoencoder may put its codes anywhere: {:.0} of \
                         100 lie within distance 2 of the origin (the circle), where the prior has 86 of 100 draws, and {:.0} \
                         of 100 of the VAE's. A denoising autoencoder sees images of which a quarter of the pixels are black.",
                        dataset.name,
                        100.0 * plain.near(),
                        100.0 * vae.near(),
                    ),
                    format!(
                        "So draws of N(0, 1) fall where an autoencoder's decoder has seen little, and the VAE's decoder knows \
                         what to make of them. It pays with {:.1} nats of reconstruction, and with β = 4 another {:.1}.",
                        vae.numbers[0] - plain.numbers[0],
                        strong.numbers[0] - vae.numbers[0],
                    ),
                ],
                scene,
            }),
            numbers,
        ],
    })
}
