//! Drawn graphs: the parts they are made of, and the graphical model of a variational autoencoder.

use super::{Block, Figure, Section};
use crate::report::frame::{heading, label};
use crate::report::scene::{Anchor, Colour, Point, Scene, Type};

/// A circle with a name in it; shaded where its value is observed.
pub(super) fn node(scene: &mut Scene, at: Point, radius: f64, name: &str, observed: bool) {
    let circle: Vec<Point> = (0..72)
        .map(|i| {
            let (sin, cos) = (std::f64::consts::TAU * f64::from(i) / 72.0).sin_cos();
            (at.0 + radius * cos, at.1 + radius * sin)
        })
        .collect();
    let fill = if observed { (Colour::Series(0), 0.25) } else { (Colour::Paper, 1.0) };
    scene.area(&circle, fill, Some((Colour::Ink, 1.6)));
    // Words stand in a circle of 43, symbols in smaller ones.
    let size = match name.chars().count() {
        1 => 22,
        _ if radius > 30.0 => 13,
        _ => 12,
    };
    let look = Type { size, ..label(Colour::Ink, Anchor::Middle) };
    scene.text(at, name, look);
}

/// An arrow from the circle around one point to that around another.
pub(super) fn arrow(scene: &mut Scene, from: Point, to: Point, radius: f64, dashed: bool) {
    let length = (to.0 - from.0).hypot(to.1 - from.1);
    let (x, y) = ((to.0 - from.0) / length, (to.1 - from.1) / length);
    let along = |distance: f64| (from.0 + distance * x, from.1 + distance * y);
    curve(scene, &[along(radius), along(length - radius)], dashed);
}

/// Length of an arrow's head.
const HEAD: f64 = 11.0;

/// A line with a head at its end.
fn curve(scene: &mut Scene, points: &[Point], dashed: bool) {
    let [.., before, end] = points else { return };
    let length = (end.0 - before.0).hypot(end.1 - before.1).max(1e-9);
    let (x, y) = ((end.0 - before.0) / length, (end.1 - before.1) / length);
    let base = (end.0 - HEAD * x, end.1 - HEAD * y);
    // The points of an arc are closer together than the head is long, so the line ends where the head begins.
    let mut line: Vec<Point> =
        points.iter().copied().filter(|point| (end.0 - point.0).hypot(end.1 - point.1) > HEAD).collect();
    line.push(base);
    if dashed {
        scene.dashes(&line, Colour::Ink, 1.6);
    } else {
        scene.line(&line, Colour::Ink, 1.6);
    }
    let head = [*end, (base.0 - 4.5 * y, base.1 + 4.5 * x), (base.0 + 4.5 * y, base.1 - 4.5 * x)];
    scene.area(&head, (Colour::Ink, 1.0), None);
}

/// An arc from one point to another that passes `side` pixels beside the straight line.
fn arc(from: Point, to: Point, side: f64) -> Vec<Point> {
    let middle = ((from.0 + to.0) / 2.0, (from.1 + to.1) / 2.0);
    let length = (to.0 - from.0).hypot(to.1 - from.1);
    let control =
        (middle.0 - 2.0 * side * (to.1 - from.1) / length, middle.1 + 2.0 * side * (to.0 - from.0) / length);
    (0..=24)
        .map(|i| {
            let t = f64::from(i) / 24.0;
            let mix =
                |a: f64, b: f64, c: f64| (1.0 - t) * (1.0 - t) * a + 2.0 * t * (1.0 - t) * b + t * t * c;
            (mix(from.0, control.0, to.0), mix(from.1, control.1, to.1))
        })
        .collect()
}

pub(super) fn section() -> Section {
    let mut scene = Scene::new(560.0, 330.0);
    let (phi, z, theta, x) = ((90.0, 100.0), (280.0, 100.0), (470.0, 100.0), (280.0, 240.0));
    scene.outline(&[(200.0, 44.0), (360.0, 44.0), (360.0, 300.0), (200.0, 300.0)], Colour::Frame, 1.5);
    scene.text((350.0, 284.0), "N", label(Colour::Soft, Anchor::End));
    let radius = 32.0;
    arrow(&mut scene, phi, z, radius, true);
    let (right, left) = ((x.0 + 18.0, x.1 - 26.5), (x.0 - 18.0, x.1 - 26.5));
    curve(&mut scene, &arc((z.0 + 18.0, z.1 + 26.5), right, -9.0), false);
    curve(&mut scene, &arc(left, (z.0 - 18.0, z.1 + 26.5), -9.0), true);
    arrow(&mut scene, theta, x, radius, false);
    for (place, name, observed) in [(phi, "φ", false), (z, "z", false), (theta, "θ", false), (x, "x", true)]
    {
        node(&mut scene, place, radius, name, observed);
    }
    scene.text((90.0, 24.0), "encoder q(z|x)", heading(Anchor::Middle));
    scene.text((470.0, 24.0), "decoder p(x|z)", heading(Anchor::Middle));
    Section {
        heading: "Graphical model of the variational autoencoder",
        blocks: vec![Block::Figure(Figure {
            name: "graphical-model",
            title: "The graphical model".into(),
            caption: [
                "Solid arrows are the generative model: each of N images x is drawn from p(x|z), whose parameters a \
                 decoder with weights θ computes from a latent code z drawn from the prior p(z)."
                    .into(),
                "Dashed arrows are the approximate posterior q(z|x), which an encoder with weights φ computes from \
                 the image, the only variable that is observed."
                    .into(),
            ],
            scene,
        })],
    }
}
