//! Pen strokes: the embedded skeletons, and random handwriting made from them.

use crate::random::Philox;
use crate::{Error, Result};
use rand::RngExt;
use serde::Deserialize;
use std::f32::consts::TAU;

/// Number of straight pieces that approximate the curve between two points of a skeleton.
const PIECES: usize = 6;

/// Range of the mixtures of poses: 1 ends at the poses themselves, more goes a little beyond them.
const REACH: f32 = 1.25;
/// Standard deviation of the random shift of each skeleton point, in skeleton units.
const JITTER: f32 = 1.6;

/// A place on the paper, `[x, y]`.
pub(super) type Point = [f32; 2];

/// The line of one pen stroke.
pub(super) type Line = Vec<Point>;

/// `assets/digits.toml` as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asset {
    family: Vec<Family>,
}

/// One way to write a digit.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Family {
    digit: usize,
    name: String,
    weight: f32,
    poses: Vec<Vec<Line>>,
}

/// The skeletons of all ten digits.
pub(super) struct Skeletons {
    digits: [Vec<Family>; 10],
}

impl Skeletons {
    /// The embedded skeletons.
    pub(super) fn embedded() -> Result<Self> {
        Self::parse(include_str!("../../../assets/digits.toml"))
            .map_err(|problem| Error::Internal(format!("assets/digits.toml: {problem}")))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let asset: Asset = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut digits: [Vec<Family>; 10] = Default::default();
        for family in asset.family {
            let label = format!("digit {}, '{}'", family.digit, family.name);
            family.check().map_err(|problem| format!("{label}: {problem}"))?;
            digits
                .get_mut(family.digit)
                .ok_or_else(|| format!("{label}: digits run from 0 to 9"))?
                .push(family);
        }
        match digits.iter().position(Vec::is_empty) {
            Some(digit) => Err(format!("digit {digit} has no family")),
            None => Ok(Self { digits }),
        }
    }

    /// The pen lines of a fresh `digit` (0 to 9), in skeleton units: about 100 tall, anywhere.
    pub(super) fn write(&self, digit: usize, random: &mut Philox) -> Vec<Line> {
        let families = &self.digits[digit];
        let total: f32 = families.iter().map(|family| family.weight).sum();
        let mut ticket = random.random::<f32>() * total;
        let mut chosen = &families[0];
        for family in families {
            chosen = family;
            ticket -= family.weight;
            if ticket < 0.0 {
                break;
            }
        }
        let wobble = Wobble::draw(random);
        narrow(chosen.mixture(random).iter().map(|stroke| wobble.apply(curve(stroke))).collect())
    }
}

impl Family {
    /// Returns an error that says why the family is unusable, if it is.
    fn check(&self) -> Result<(), String> {
        let Some(first) = self.poses.first() else {
            return Err("no pose".into());
        };
        if !(self.weight > 0.0 && self.weight.is_finite()) {
            return Err(format!("weight {} is not above 0", self.weight));
        }
        for pose in &self.poses {
            if pose.is_empty() || pose.iter().any(|stroke| stroke.len() < 2) {
                return Err("a stroke needs two points, a pose one stroke".into());
            }
            if pose.iter().flatten().flatten().any(|value| !(-50.0..=150.0).contains(value)) {
                return Err("a point lies far off the grid".into());
            }
            if !pose.iter().map(|stroke| corners(stroke)).eq(first.iter().map(|stroke| corners(stroke))) {
                return Err("its poses differ in strokes, points or corners".into());
            }
        }
        Ok(())
    }

    /// A random mixture of the poses, its points moved a little.
    fn mixture(&self, random: &mut Philox) -> Vec<Line> {
        // Normalised powers of exponential draws: often near one pose, sometimes in the middle of all.
        let mut weights: Vec<f32> =
            self.poses.iter().map(|_| (1.0 - random.random::<f32>()).ln().abs().powi(3) + 1e-3).collect();
        let total: f32 = weights.iter().sum();
        let even = 1.0 / weights.len() as f32;
        weights.iter_mut().for_each(|weight| *weight = even + REACH * (*weight / total - even));
        let mut strokes = self.poses[0].clone();
        for (s, stroke) in strokes.iter_mut().enumerate() {
            // Neighbouring points move by similar amounts, else curves would become polygons.
            let mut moved = [0.0; 2];
            for p in 0..stroke.len() {
                // A corner is one point written twice: both copies move as one.
                if p > 0 && self.poses[0][s][p] == self.poses[0][s][p - 1] {
                    stroke[p] = stroke[p - 1];
                    continue;
                }
                for axis in 0..2 {
                    let blend: f32 =
                        self.poses.iter().zip(&weights).map(|(pose, weight)| pose[s][p][axis] * weight).sum();
                    moved[axis] = 0.7 * moved[axis] + JITTER * random.normal() as f32;
                    stroke[p][axis] = blend + moved[axis];
                }
            }
        }
        strokes
    }
}

/// Which points of a stroke repeat the one before them.
fn corners(stroke: &[Point]) -> Vec<bool> {
    (0..stroke.len()).map(|p| p > 0 && stroke[p] == stroke[p - 1]).collect()
}

/// The smooth line through the points of a stroke: a Hermite curve between neighbours, broken at corners.
fn curve(stroke: &[Point]) -> Line {
    let mut line = vec![stroke[0]];
    for run in stroke.chunk_by(|a, b| a != b) {
        let last = run.len() - 1;
        // Unit direction of the curve where it passes an inner point; none at the ends of a run.
        let direction = |p: usize| {
            (p > 0 && p < last).then(|| {
                let [x, y] = [run[p + 1][0] - run[p - 1][0], run[p + 1][1] - run[p - 1][1]];
                let length = x.hypot(y).max(1e-6);
                [x / length, y / length]
            })
        };
        for p in 0..last {
            let (from, to) = (run[p], run[p + 1]);
            let chord = [to[0] - from[0], to[1] - from[1]];
            let length = chord[0].hypot(chord[1]);
            let scaled = |unit: Point| [unit[0] * length, unit[1] * length];
            // A free end takes the direction that bends the curve least.
            let free = |other: Point| [0, 1].map(|axis| 1.5 * chord[axis] - 0.5 * other[axis]);
            let (start, end) = match (direction(p).map(scaled), direction(p + 1).map(scaled)) {
                (Some(start), Some(end)) => (start, end),
                (Some(start), None) => (start, free(start)),
                (None, Some(end)) => (free(end), end),
                (None, None) => (chord, chord),
            };
            for piece in 1..=PIECES {
                let t = piece as f32 / PIECES as f32;
                let (t2, t3) = (t * t, t * t * t);
                line.push([0, 1].map(|axis| {
                    from[axis] * (2.0 * t3 - 3.0 * t2 + 1.0)
                        + to[axis] * (3.0 * t2 - 2.0 * t3)
                        + start[axis] * (t3 - 2.0 * t2 + t)
                        + end[axis] * (t3 - t2)
                }));
            }
        }
    }
    line
}

/// Squeezes a digit that is wider than it is usually written: past `WIDE` of its height, width counts a third.
fn narrow(mut lines: Vec<Line>) -> Vec<Line> {
    const WIDE: f32 = 0.75;
    let extent = [0, 1].map(|axis| {
        let (low, high) = bounds(&lines, axis);
        (high - low).max(1e-6)
    });
    let ratio = extent[0] / extent[1];
    if ratio > WIDE {
        let squeeze = (WIDE + (ratio - WIDE) / 3.0) / ratio;
        lines.iter_mut().flatten().for_each(|point| point[0] *= squeeze);
    }
    lines
}

/// The least and the greatest coordinate of `lines` along `axis` (0 for x, 1 for y).
pub(super) fn bounds(lines: &[Line], axis: usize) -> (f32, f32) {
    lines.iter().flatten().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), point| {
        (low.min(point[axis]), high.max(point[axis]))
    })
}

/// The distortion of a whole digit by one hand: slant, proportions, a turn, and a smooth warp.
struct Wobble {
    /// How far down the waist moves, in skeleton units, and how much wider than the waist the foot is.
    waist: f32,
    foot: f32,
    /// Rows of the linear map.
    linear: [Point; 2],
    /// Waves of the warp: wave vector, phase, displacement.
    waves: [(Point, f32, Point); 4],
}

impl Wobble {
    fn draw(random: &mut Philox) -> Self {
        let mut normal = || random.normal() as f32;
        let width = (0.2 * normal()).clamp(-0.3, 0.45).exp();
        let slant = (0.2 + 0.29 * normal()).clamp(-0.3, 0.75);
        let (sine, cosine) = (0.09 * normal()).clamp(-0.18, 0.18).sin_cos();
        // y runs down: a positive slant pushes the top (small y) to the right.
        let linear = [[cosine * width, -sine - slant * cosine], [sine * width, cosine - slant * sine]];
        let waves = [(); 4].map(|()| {
            // Wavelengths of 110 to 250 units: the warp bends strokes without crumpling them.
            let wave = [normal(), normal()];
            let length = wave[0].hypot(wave[1]).max(1e-6);
            let frequency = TAU / (110.0 + 140.0 / (1.0 + normal().abs()));
            let amplitude = [3.0 * normal(), 3.0 * normal()];
            (wave.map(|x| x / length * frequency), TAU * normal(), amplitude)
        });
        let (waist, foot) = ((5.0 * normal()).clamp(-10.0, 10.0), (0.12 * normal()).clamp(-0.25, 0.25));
        Self { waist, foot, linear, waves }
    }

    fn apply(&self, mut line: Line) -> Line {
        for point in &mut line {
            // From -1 at the top to 1 at the foot.
            let level = (point[1] - 50.0) / 50.0;
            let mut x = point[0] + (point[0] - 35.0) * self.foot * level;
            let mut y = point[1] + self.waist * (1.0 - level * level);
            for (wave, phase, displacement) in &self.waves {
                let height = (wave[0] * point[0] + wave[1] * point[1] + phase).sin();
                x += displacement[0] * height;
                y += displacement[1] * height;
            }
            *point = self.linear.map(|row| row[0] * x + row[1] * y);
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_skeletons_are_sound_and_offer_variants() {
        let skeletons = Skeletons::embedded().unwrap();
        for (digit, families) in skeletons.digits.iter().enumerate() {
            let poses: usize = families.iter().map(|family| family.poses.len()).sum();
            assert!(families.len() >= 2 && poses >= 4, "digit {digit}: {poses} poses");
        }
    }

    #[test]
    fn a_broken_asset_is_refused_with_a_reason() {
        let family =
            |poses: &str| format!("[[family]]\ndigit = 3\nname = 'x'\nweight = 1\nposes = {poses}\n");
        let cases = [
            ("family = []".to_string(), "digit 0 has no family"),
            (family("[]"), "no pose"),
            (family("[[[[1, 2]]]]"), "two points"),
            (family("[[[[1, 2], [3, 400]]]]"), "off the grid"),
            (family("[[[[1, 2], [3, 4]]], [[[1, 2], [1, 2]]]]"), "poses differ"),
            (family("[[[[1, 2], [3, 4]]]]").replace("= 3", "= 10"), "0 to 9"),
        ];
        for (text, reason) in cases {
            let problem = Skeletons::parse(&text).err().unwrap();
            assert!(problem.contains(reason), "{problem} lacks '{reason}'");
        }
    }

    #[test]
    fn curves_pass_through_their_points_and_keep_corners() {
        let line = curve(&[[0.0, 0.0], [10.0, 0.0], [20.0, 5.0], [20.0, 5.0], [0.0, 5.0]]);
        assert_eq!(line.len(), 1 + 3 * PIECES);
        for (at, point) in [(0, [0.0, 0.0]), (PIECES, [10.0, 0.0]), (2 * PIECES, [20.0, 5.0])] {
            assert_eq!(line[at], point);
        }
        // After the corner the line runs straight to the left.
        assert!(line[2 * PIECES..].iter().all(|point| (point[1] - 5.0).abs() < 1e-4));
    }
}
