//! The track: a closed road of quadrilaterals, drawn from a stream of random numbers.
//!
//! Lengths are in units of the world: the field is a square from -333.3 to 333.3, the road is 13.3 wide.

use super::random::Pcg64;
use std::f64::consts::{PI, TAU};

/// Half the width of the road.
pub const ROAD_HALF_WIDTH: f64 = 40.0 / SCALE;
/// The width of a kerb.
pub const KERB_WIDTH: f64 = 8.0 / SCALE;
/// The episode ends where the car's x or y is further from 0 than this.
pub const FIELD: f64 = 2000.0 / SCALE;
/// The grey of road that a wheel has touched, of 255, and the darkest of a [`Tile::shade`].
pub const ROAD_SHADE: u8 = 102;

const SCALE: f64 = 6.0;
const RADIUS: f64 = 900.0 / SCALE;
const STEP: f64 = 21.0 / SCALE;
const TURN: f64 = 0.31;
const CHECKPOINTS: usize = 12;
/// Points of the walk, of which the track is one lap.
const WALK: usize = 2500;
/// Successive turns to one side that make a curve worth a kerb.
const KERB_TURNS: usize = 4;

/// A track: its tiles in driving order. The car starts at the first.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// The tiles, in driving order and in drawing order. Tile `i` joins point `i` of the middle line to point `i - 1`.
    pub tiles: Vec<Tile>,
}

/// One quadrilateral of the road, 13.3 wide and up to 3.5 long.
#[derive(Clone, Debug, PartialEq)]
pub struct Tile {
    /// Angle of the point around the origin, from the x axis, in radians.
    pub alpha: f64,
    /// Direction across the road, in radians from the x axis; the road runs 90 degrees to the left of it.
    pub beta: f64,
    /// The point of the middle line.
    pub x: f64,
    /// The point of the middle line.
    pub y: f64,
    /// Corners `[x, y]`: left and right of the point, right and left of the point before it.
    pub quad: [[f32; 2]; 4],
    /// Grey of the tile until a wheel has touched it, of 255; then it is [`ROAD_SHADE`].
    pub shade: u8,
    /// The kerb outside this tile, in a sharp curve.
    pub kerb: Option<Kerb>,
}

/// A strip along one side of a tile, outside the road; white and red ones alternate.
#[derive(Clone, Debug, PartialEq)]
pub struct Kerb {
    /// Corners `[x, y]`.
    pub quad: [[f32; 2]; 4],
    /// White, otherwise red.
    pub white: bool,
}

/// A point of the walk.
#[derive(Clone, Copy)]
struct Point {
    alpha: f64,
    beta: f64,
    x: f64,
    y: f64,
}

impl Point {
    /// The point `distance` to the right of this one.
    fn right(&self, distance: f64) -> [f32; 2] {
        let (sin, cos) = libm::sincos(self.beta);
        [(self.x + distance * cos) as f32, (self.y + distance * sin) as f32]
    }
}

impl Track {
    /// The next track of `random`. Walks that do not close are thrown away.
    pub fn draw(random: &mut Pcg64) -> Self {
        loop {
            if let Some(lap) = lap(&walk(&checkpoints(random))) {
                return Self::along(&lap);
            }
        }
    }

    /// The track whose middle line goes through `points`.
    fn along(points: &[Point]) -> Self {
        let kerbs = kerbs(points);
        let tile = |(i, kerb): (usize, bool)| {
            let (here, before) = (points[i], points[(i + points.len() - 1) % points.len()]);
            let strip = |inner: f64, outer: f64| {
                [here.right(inner), here.right(outer), before.right(outer), before.right(inner)]
            };
            let side = sign(before.beta - here.beta);
            Tile {
                alpha: here.alpha,
                beta: here.beta,
                x: here.x,
                y: here.y,
                quad: strip(-ROAD_HALF_WIDTH, ROAD_HALF_WIDTH),
                shade: ROAD_SHADE + (2.55 * (i % 3) as f64) as u8,
                kerb: kerb.then(|| Kerb {
                    quad: strip(side * ROAD_HALF_WIDTH, side * (ROAD_HALF_WIDTH + KERB_WIDTH)),
                    white: i % 2 == 0,
                }),
            }
        };
        Self { tiles: kerbs.into_iter().enumerate().map(tile).collect() }
    }
}

/// -1, 0 or 1.
pub(super) fn sign(x: f64) -> f64 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        0.0
    }
}

/// Points `(angle, x, y)` that the walk heads for, one after the other.
fn checkpoints(random: &mut Pcg64) -> [(f64, f64, f64); CHECKPOINTS] {
    std::array::from_fn(|i| {
        let noise = random.uniform(0.0, TAU / CHECKPOINTS as f64);
        let radius = random.uniform(RADIUS / 3.0, RADIUS);
        let turn = TAU * i as f64 / CHECKPOINTS as f64;
        let (alpha, radius) = match i {
            0 => (0.0, 1.5 * RADIUS),
            i if i == CHECKPOINTS - 1 => (turn, 1.5 * RADIUS),
            _ => (turn + noise, radius),
        };
        let (sin, cos) = libm::sincos(alpha);
        (alpha, radius * cos, radius * sin)
    })
}

/// Some five laps around the origin, from checkpoint to checkpoint with a limited turn at each step.
fn walk(checkpoints: &[(f64, f64, f64); CHECKPOINTS]) -> Vec<Point> {
    let (mut x, mut y, mut beta) = (1.5 * RADIUS, 0.0, 0.0f64);
    let (mut next, mut laps, mut other_side) = (0, 0, false);
    let mut points = Vec::with_capacity(WALK);
    while points.len() < WALK && laps <= 4 {
        let mut alpha = libm::atan2(y, x);
        if other_side && alpha > 0.0 {
            laps += 1;
            other_side = false;
        }
        if alpha < 0.0 {
            other_side = true;
            alpha += TAU;
        }
        while alpha > checkpoints[next].0 {
            next = (next + 1) % CHECKPOINTS;
            if next == 0 {
                alpha -= TAU;
            }
        }
        let (_, target_x, target_y) = checkpoints[next];
        let (sin, cos) = libm::sincos(beta);
        while beta - alpha > 1.5 * PI {
            beta -= TAU;
        }
        while beta - alpha < -1.5 * PI {
            beta += TAU;
        }
        let before = beta;
        let aside = (cos * (target_x - x) + sin * (target_y - y)) * SCALE;
        if aside > 0.3 {
            beta -= TURN.min((0.001 * aside).abs());
        }
        if aside < -0.3 {
            beta += TURN.min((0.001 * aside).abs());
        }
        x += -sin * STEP;
        y += cos * STEP;
        points.push(Point { alpha, beta: before * 0.5 + beta * 0.5, x, y });
    }
    points
}

/// The last whole lap of a walk from start line to start line, if its ends meet.
fn lap(walk: &[Point]) -> Option<Vec<Point>> {
    let start = -PI / CHECKPOINTS as f64;
    let mut crossings =
        (1..walk.len()).rev().filter(|&i| walk[i].alpha > start && walk[i - 1].alpha <= start);
    let last = crossings.next()?;
    let first = crossings.next()?;
    let lap = &walk[first..last - 1];
    let (head, tail) = (lap.first()?, lap.last()?);
    let (sin, cos) = libm::sincos(head.beta);
    let gap = libm::sqrt((cos * (head.x - tail.x)).powi(2) + (sin * (head.y - tail.y)).powi(2));
    (gap <= STEP).then(|| lap.to_vec())
}

/// Which tiles have a kerb: those at the end of four sharp turns to one side, and the three before them.
fn kerbs(points: &[Point]) -> Vec<bool> {
    let count = points.len();
    let before = |i: usize, steps: usize| (i + count - steps) % count;
    let curved = |i: usize| {
        let turns = (0..KERB_TURNS).map(|k| points[before(i, k)].beta - points[before(i, k + 1)].beta);
        let (mut sharp, mut sides) = (true, 0.0);
        for turn in turns {
            sharp &= turn.abs() > TURN * 0.2;
            sides += sign(turn);
        }
        sharp && sides.abs() == KERB_TURNS as f64
    };
    let mut kerbs: Vec<bool> = (0..count).map(curved).collect();
    // In place and in this order: a kerb that the first tiles give to the last ones is handed on by those.
    for i in 0..count {
        for k in 0..KERB_TURNS {
            kerbs[before(i, k)] |= kerbs[i];
        }
    }
    kerbs
}
