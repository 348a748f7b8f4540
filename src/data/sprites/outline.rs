//! Outlines of sprites, and the pixels inside them.
//!
//! The geometry was fitted to pictures of the data set: a pixel is white where its centre is inside the outline.

use super::SIDE;
use std::f64::consts::TAU;

/// Half the side of the square at scale 1, in pixels.
const SQUARE: f64 = 9.5967;
/// Points and semi-axes of the ellipse at scale 1.
const ELLIPSE: (usize, [f64; 2]) = (84, [12.77, 7.2175]);
/// Points of the heart.
const HEART: usize = 150;
/// The place of the centre, in pixels from the left or the upper edge, at positions 0 and 1.
const PLACES: [f64; 2] = [16.0, 48.0];

/// The points of a closed line around the origin, in pixels: x to the right, y down.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outline(Vec<[f64; 2]>);

impl Outline {
    /// The outline of shape 0 (square), 1 (ellipse) or 2 (heart) at scale 1, not turned.
    fn of(shape: usize) -> Self {
        let around = |points: usize, at: &dyn Fn(f64) -> [f64; 2]| {
            (0..points).map(|point| at(TAU * point as f64 / points as f64)).collect()
        };
        Self(match shape {
            0 => [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]
                .map(|at| at.map(|it: f64| it * SQUARE))
                .to_vec(),
            1 => around(ELLIPSE.0, &|t| [ELLIPSE.1[0] * t.cos(), ELLIPSE.1[1] * t.sin()]),
            _ => around(HEART, &|t| {
                let height = 13.0 * t.cos() - 5.0 * (2.0 * t).cos() - 2.0 * (3.0 * t).cos() - (4.0 * t).cos();
                [9.6 * t.sin().powi(3), -1.44 - 0.6622 * height]
            }),
        })
    }

    /// The outline of a shape with this scale, turned counter-clockwise by `orientation`, in radians.
    pub(super) fn new(shape: usize, scale: f64, orientation: f64) -> Self {
        let (sin, cos) = orientation.sin_cos();
        let turned = |[x, y]: [f64; 2]| [scale * (x * cos + y * sin), scale * (y * cos - x * sin)];
        Self(Self::of(shape).0.into_iter().map(turned).collect())
    }

    /// The rows of the picture with the outline at `x` and `y`, each from 0 to 1: bit `i` is pixel `i` from the left.
    ///
    /// A pixel is inside where an odd number of edges is left of its centre in its row (the even-odd rule). So each edge
    /// inverts, in every row that it crosses, all pixels to its right.
    pub(super) fn draw(&self, x: f64, y: f64) -> [u64; SIDE] {
        let [x, y] = [x, y].map(|position| PLACES[0] + (PLACES[1] - PLACES[0]) * position);
        let mut rows = [0; SIDE];
        let Some(&last) = self.0.last() else { return rows };
        // The first row whose centre is not above a height.
        let row = |height: f64| (height + y - 0.5).ceil().clamp(0.0, SIDE as f64) as usize;
        let (mut before, mut row_before) = (last, row(last[1]));
        for &point in &self.0 {
            let row_here = row(point[1]);
            let (first, end) = (row_before.min(row_here), row_before.max(row_here));
            if first < end {
                let slope = (point[0] - before[0]) / (point[1] - before[1]);
                for (number, bits) in rows.iter_mut().enumerate().take(end).skip(first) {
                    let crossing = x + before[0] + slope * (number as f64 + 0.5 - y - before[1]);
                    let pixel = (crossing - 0.5).ceil().clamp(0.0, SIDE as f64) as u32;
                    *bits ^= u64::MAX.checked_shl(pixel).unwrap_or(0);
                }
            }
            (before, row_before) = (point, row_here);
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(rows: &[u64]) -> u32 {
        rows.iter().map(|row| row.count_ones()).sum()
    }

    #[test]
    fn areas_are_those_of_the_outlines() {
        let ellipse = std::f64::consts::PI * ELLIPSE.1[0] * ELLIPSE.1[1];
        for (shape, expected) in [(0, (2.0 * SQUARE).powi(2)), (1, ellipse)] {
            for scale in [0.5, 1.0] {
                let found: u32 = (0..40)
                    .map(|turn| area(&Outline::new(shape, scale, 0.1 * f64::from(turn)).draw(0.5, 0.4)))
                    .sum();
                let expected = 40.0 * expected * scale * scale;
                assert!((f64::from(found) / expected - 1.0).abs() < 0.01, "{shape}: {found}, not {expected}");
            }
        }
    }

    #[test]
    fn shapes_stand_as_in_the_data_set() {
        // The ellipse is wide, and the heart has its tip below.
        let rows = Outline::new(1, 1.0, 0.0).draw(0.5, 0.5);
        assert_eq!((rows.iter().filter(|row| **row != 0).count(), rows[32].count_ones()), (14, 26));
        let rows = Outline::new(2, 1.0, 0.0).draw(0.5, 0.5);
        let used: Vec<u64> = rows.into_iter().filter(|row| *row != 0).collect();
        assert!(used[used.len() - 1].count_ones() <= 2 && used[4].count_ones() > 14, "{used:?}");
        // Positions move it by half the side; x to the right and y down.
        let [left, right] = [0.0, 1.0].map(|x| Outline::new(0, 0.5, 0.3).draw(x, 0.0));
        assert!(left.iter().zip(right).all(|(left, right)| left << 32 == right));
        let below = Outline::new(0, 0.5, 0.3).draw(0.0, 1.0);
        assert_eq!(left[..32], below[32..]);
    }
}
