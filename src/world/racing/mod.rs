//! The racing environment: a car on a random track, seen from above.
//!
//! It is CarRacing-v3 of gymnasium 1.4.0, rebuilt from its rules and from the formulas of Box2D 2.3, on which that stands: the
//! same seed gives the same track, and the same actions the same rewards and, within rounding, the same positions. No physics
//! library is needed, because nothing in it collides: five bodies, four joints and tiles that only feel wheels.
//!
//! Lengths are in units of the world (the road is 13.3 wide), angles in radians, times in seconds; a step is 0.02 s.
//!
//! [`scene`] and [`road`] describe a frame, [`Pictures`] draws it.
//!
//! The notices of the originals are in `licenses/`: `gymnasium-MIT.txt` and `Box2D-zlib.txt`.

mod body;
mod car;
mod check;
mod driver;
mod joint;
mod picture;
#[cfg(test)]
mod picture_tests;
mod policy;
mod random;
mod recording;
mod sine;
#[cfg(test)]
mod tests;
mod touch;
mod track;

pub use car::{Car, Hull, Wheel};
pub use check::{BOUNDS, MEASURES, Replay, check};
pub use driver::Driver;
pub use picture::{Camera, FRAME, FRAME_VALUES, Pictures, ROAD_WORDS, SCENE_WORDS, road, scene};
pub use policy::RandomPolicy;
pub use random::Pcg64;
pub use recording::{COLUMNS, Episode, Recording, State};
pub use track::{FIELD, KERB_WIDTH, Kerb, ROAD_HALF_WIDTH, ROAD_SHADE, Tile, Track};

use car::Vehicle;
use touch::Grid;

/// Seconds of a step.
pub const STEP_SECONDS: f64 = 1.0 / 50.0;
/// Steps after which gymnasium ends an episode. [`Racing`] leaves that to its caller.
pub const STEP_LIMIT: usize = 1000;

/// What a step brought.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// -0.1 and 1000 / tiles for each tile touched for the first time; -100 where the car left the field.
    pub reward: f64,
    /// All tiles are visited, or the car is outside the field. Further steps are possible.
    pub terminated: bool,
}

/// One car on one track.
#[derive(Clone, Debug)]
pub struct Racing {
    random: Pcg64,
    track: Track,
    grid: Grid,
    vehicle: Vehicle,
    visited: Vec<bool>,
    visits: usize,
    /// The sum of rewards, as of this step and as of the one before.
    total: f64,
    paid: f64,
    time: f64,
}

impl Racing {
    /// The car at the start of the first track of `seed`, as after gymnasium's `reset(seed=seed)`.
    pub fn new(seed: u64) -> Self {
        let mut random = Pcg64::new(seed);
        let track = Track::draw(&mut random);
        let mut racing = Self {
            random,
            grid: Grid::default(),
            vehicle: Vehicle::new(0.0, 0.0, 0.0),
            visited: Vec::new(),
            visits: 0,
            track,
            total: 0.0,
            paid: 0.0,
            time: 0.0,
        };
        racing.start();
        racing
    }

    /// Go on with the next track of the same stream of random numbers, as gymnasium's `reset()`.
    pub fn reset(&mut self) {
        self.track = Track::draw(&mut self.random);
        self.start();
    }

    /// Go on with the first track of `seed`, as gymnasium's `reset(seed=seed)`.
    pub fn reset_with(&mut self, seed: u64) {
        self.random = Pcg64::new(seed);
        self.reset();
    }

    /// Place the car, and take the first step, which has no action.
    fn start(&mut self) {
        let start = &self.track.tiles[0];
        self.grid = Grid::new(&self.track);
        self.vehicle = Vehicle::new(start.beta, start.x, start.y);
        self.visited.clear();
        self.visited.resize(self.track.tiles.len(), false);
        self.visits = 0;
        self.total = 0.0;
        self.paid = 0.0;
        self.time = 0.0;
        self.advance();
    }

    /// One step of the physics.
    fn advance(&mut self) {
        let worth = 1000.0 / self.track.tiles.len() as f64;
        let Self { vehicle, grid, visited, visits, total, .. } = self;
        vehicle.step(grid, |tile| {
            if !std::mem::replace(&mut visited[tile], true) {
                *visits += 1;
                *total += worth;
            }
        });
        self.time += STEP_SECONDS;
    }

    /// One step of 0.02 seconds under `action`: steering from -1 (left) to 1 (right), gas from 0 to 1, brake from 0 to 1. The
    /// first step's reward includes the tiles under the car at the start.
    pub fn step(&mut self, action: [f32; 3]) -> Outcome {
        self.step_with(action.map(f64::from))
    }

    /// [`Racing::step`] with an action in double precision.
    pub fn step_with(&mut self, action: [f64; 3]) -> Outcome {
        self.vehicle.control(action);
        self.advance();
        self.total -= 0.1;
        let reward = self.total - self.paid;
        self.paid = self.total;
        let (x, y) = self.vehicle.position();
        if x.abs() > FIELD || y.abs() > FIELD {
            return Outcome { reward: -100.0, terminated: true };
        }
        Outcome { reward, terminated: self.visits == self.visited.len() }
    }

    /// The track.
    pub fn track(&self) -> &Track {
        &self.track
    }

    /// For each tile of the track, whether a wheel has touched it.
    pub fn visited(&self) -> &[bool] {
        &self.visited
    }

    /// The number of tiles that a wheel has touched.
    pub fn visits(&self) -> usize {
        self.visits
    }

    /// Pose and velocity of the car.
    pub fn car(&self) -> Car {
        self.vehicle.view()
    }

    /// Seconds since the reset; 0.02 right after it.
    pub fn time(&self) -> f64 {
        self.time
    }
}
