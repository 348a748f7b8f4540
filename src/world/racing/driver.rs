//! A driver that follows the middle of the road. It knows the track: it is a measure of the environment, and a teacher.

use super::Racing;
use super::track::Tile;

/// Distance to the point that the car steers at: this, and more for each unit a second of speed.
const AHEAD: f64 = 5.0;
const AHEAD_SECONDS: f64 = 0.2;
/// Between the axles.
const WHEELBASE: f64 = 3.24;
/// Sideways acceleration in curves.
const SIDEWAYS: f64 = 65.0;
/// Deceleration before curves.
const BRAKING: f64 = 45.0;
/// Speed on straight road.
const FASTEST: f64 = 62.0;
/// Tiles that are looked at for curves.
const HORIZON: usize = 30;
/// Tiles over which a curve is measured, before and after a point.
const CURVE: usize = 2;

/// A driver that follows the middle of the road, braking before curves.
#[derive(Clone, Debug, Default)]
pub struct Driver {
    /// The tile that the car is nearest to.
    at: usize,
}

impl Driver {
    /// A driver at the start of a track.
    pub fn new() -> Self {
        Self::default()
    }

    /// The action to take in `racing`: steering, gas and brake.
    pub fn act(&mut self, racing: &Racing) -> [f32; 3] {
        let (tiles, hull) = (&racing.track().tiles, racing.car().hull);
        let (x, y) = (f64::from(hull.x), f64::from(hull.y));
        let tile = |i: usize| &tiles[i % tiles.len()];
        let distance = |tile: &Tile| (tile.x - x).hypot(tile.y - y);
        // Only nearby: where the road comes close to itself, the car stays on its part.
        let near = (0..25).map(|step| (self.at + tiles.len() + step - 5) % tiles.len());
        let nearest = near.min_by(|a, b| distance(&tiles[*a]).total_cmp(&distance(&tiles[*b])));
        self.at = nearest.unwrap_or_default();

        let (vx, vy) = (f64::from(hull.vx), f64::from(hull.vy));
        let speed = vx.hypot(vy);
        let reach = AHEAD + AHEAD_SECONDS * speed;
        let ahead = (self.at + 1..self.at + tiles.len()).find(|&i| distance(tile(i)) > reach);
        let target = tile(ahead.unwrap_or(self.at + 1));
        let (sin, cos) = libm::sincos(f64::from(hull.angle));
        let (dx, dy) = (target.x - x, target.y - y);
        let (right, front) = (cos * dx + sin * dy, cos * dy - sin * dx);
        let curvature = 2.0 * right / (dx * dx + dy * dy);
        let bend = if front < 0.0 { right.signum() } else { libm::atan(WHEELBASE * curvature) };
        // A car that already turns as it should is not steered further; a slide is caught.
        let excess = f64::from(hull.angular) + curvature * speed;
        let steer = (bend + 0.03 * excess).clamp(-0.4, 0.4);

        let wanted = (0..HORIZON)
            .map(|step| {
                let i = self.at + tiles.len() + step;
                let turn = angle(tile(i + CURVE).beta - tile(i - CURVE).beta) / (3.5 * 2.0 * CURVE as f64);
                (SIDEWAYS / turn.abs().max(1e-9) + 2.0 * BRAKING * 3.5 * step as f64).sqrt()
            })
            .fold(FASTEST, f64::min);
        let slack = wanted - speed;
        let gas = (0.08 * slack).clamp(0.0, 1.0) * (1.0 - steer.abs());
        let brake = if slack < -2.0 { (-0.05 * slack).clamp(0.0, 0.6) } else { 0.0 };
        [steer as f32, gas as f32, brake as f32]
    }
}

/// The angle between -pi and pi.
fn angle(x: f64) -> f64 {
    x - std::f64::consts::TAU * (x / std::f64::consts::TAU).round()
}
