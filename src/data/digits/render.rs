//! Ink: pen lines placed on a canvas and drawn with soft edges.

use super::strokes::{Line, Point, bounds};
use crate::random::Philox;
use rand::RngExt;
use std::f32::consts::TAU;

/// Half the width of the ramp from white to black at an edge, in pixels of a 28-pixel canvas.
const SOFTNESS: f32 = 0.95;

/// The largest share of the rectangle around a digit's strokes that ink may cover.
const FILL: f32 = 0.67;

/// A canvas size in pixels.
#[derive(Clone, Copy)]
pub(super) struct Canvas {
    pub(super) width: usize,
    pub(super) height: usize,
}

/// A straight piece of ink from `from` to `to`, the pen's radius at both ends.
struct Piece {
    from: Point,
    to: Point,
    radius: [f32; 2],
}

fn distance(a: Point, b: Point) -> f32 {
    (b[0] - a[0]).hypot(b[1] - a[1])
}

impl Canvas {
    /// Pixels for one of a 28-pixel canvas.
    fn scale(self) -> f32 {
        self.width.min(self.height) as f32 / 28.0
    }

    /// Draws `lines` white on black with a random pen, as MNIST places its digits: scaled to a box of 20/28 of the
    /// canvas, the centre of mass in the middle.
    pub(super) fn draw(self, lines: &[Line], random: &mut Philox) -> Vec<u8> {
        let pieces = self.place(lines, random);
        // For each pixel the largest `radius - distance` of any piece, row by row. Edges are where it crosses zero.
        let softness = SOFTNESS * self.scale();
        let mut depth = vec![-softness; self.width * self.height];
        for piece in &pieces {
            let reach = piece.radius[0].max(piece.radius[1]) + softness;
            let span = |axis: usize, limit: usize| {
                let (low, high) =
                    (piece.from[axis].min(piece.to[axis]), piece.from[axis].max(piece.to[axis]));
                // Pixel i is centred on i + 0.5; `as usize` turns a position left of the canvas into 0.
                ((low - reach).floor() as usize).min(limit)..((high + reach).ceil() as usize).min(limit)
            };
            let along = [piece.to[0] - piece.from[0], piece.to[1] - piece.from[1]];
            let inverse = 1.0 / (along[0] * along[0] + along[1] * along[1]).max(1e-12);
            let columns = span(0, self.width);
            for row in span(1, self.height) {
                let y = row as f32 + 0.5 - piece.from[1];
                for column in columns.clone() {
                    let x = column as f32 + 0.5 - piece.from[0];
                    let t = ((x * along[0] + y * along[1]) * inverse).clamp(0.0, 1.0);
                    let (dx, dy) = (x - t * along[0], y - t * along[1]);
                    let radius = piece.radius[0] + t * (piece.radius[1] - piece.radius[0]);
                    let here = &mut depth[row * self.width + column];
                    *here = here.max(radius - (dx * dx + dy * dy).sqrt());
                }
            }
        }
        depth
            .into_iter()
            .map(|depth| {
                let t = (0.5 + 0.5 * depth / softness).clamp(0.0, 1.0);
                (255.0 * t * t * (3.0 - 2.0 * t)).round() as u8
            })
            .collect()
    }

    /// Chooses the pen, and moves the lines to their place on the canvas.
    fn place(self, lines: &[Line], random: &mut Philox) -> Vec<Piece> {
        let scale = self.scale();
        let size = (20.0 - random.random::<f32>()) * scale;
        let bounds = [0, 1].map(|axis| bounds(lines, axis));
        let extent = bounds.map(|(low, high)| (high - low).max(1e-6));
        let longest = extent[0].max(extent[1]);
        // A pen that is too broad for the strokes would fill their loops.
        let length: f32 =
            lines.iter().flat_map(|line| line.windows(2)).map(|ends| distance(ends[0], ends[1])).sum();
        let paper = extent.map(|side| side.max(0.45 * longest));
        let broadest = FILL * paper[0] * paper[1] / (2.0 * length.max(1e-6)) * size / longest;
        let pen = (1.38 * (0.27 * random.normal() as f32).exp()).clamp(0.75, 2.1) * scale;
        let pen = pen.min(broadest);
        let mut pieces = Vec::new();
        for line in lines {
            // Pressure: slow swells along the stroke, lighter at both ends.
            let (phase, swells) = (TAU * random.random::<f32>(), 0.5 + 1.5 * random.random::<f32>());
            let ends = [0.7 + 0.3 * random.random::<f32>(), 0.55 + 0.4 * random.random::<f32>()];
            let last = (line.len() - 1).max(1) as f32;
            let radius = |p: usize| {
                let t = p as f32 / last;
                let taper = |end: f32, distance: f32| end + (1.0 - end) * (distance / 0.15).clamp(0.0, 1.0);
                pen * (1.0 + 0.12 * (phase + TAU * swells * t).sin())
                    * taper(ends[0], t)
                    * taper(ends[1], 1.0 - t)
            };
            pieces.extend(line.windows(2).enumerate().map(|(p, ends)| Piece {
                from: ends[0],
                to: ends[1],
                radius: [radius(p), radius(p + 1)],
            }));
        }
        // The pen adds its radius on every side.
        let zoom = (size - 2.0 * pen).max(0.0) / longest;
        let mut mass = [0.0f32; 3];
        for piece in &pieces {
            let weight = distance(piece.from, piece.to) * (piece.radius[0] + piece.radius[1]);
            mass[0] += weight * 0.5 * (piece.from[0] + piece.to[0]);
            mass[1] += weight * 0.5 * (piece.from[1] + piece.to[1]);
            mass[2] += weight;
        }
        let shift = [(0, self.width), (1, self.height)].map(|(axis, side)| {
            let wanted = 0.5 * side as f32 - zoom * mass[axis] / mass[2].max(1e-12);
            // Keep ink off the border even if the centre of mass is far from the middle.
            let margin = pen + 2.0 * scale;
            let (low, high) = bounds[axis];
            wanted.max(margin - zoom * low).min(side as f32 - margin - zoom * high)
        });
        for piece in &mut pieces {
            for point in [&mut piece.from, &mut piece.to] {
                *point = [zoom * point[0] + shift[0], zoom * point[1] + shift[1]];
            }
        }
        pieces
    }
}
