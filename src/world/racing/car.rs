//! The car: a hull, four wheels that are pinned to it, and the forces of engine, brakes and tyres.

use super::body::{Body, HULL, Motion, Rotation, Vector, WHEEL};
use super::joint::{Impulses, Joint, TIME_STEP};
use super::touch::Grid;
use super::track::sign;

/// Seconds of a step, as the forces use it.
const SECONDS: f64 = 1.0 / 50.0;
/// Where the wheels are at the hull: front left, front right, rear left, rear right.
const WHEELS: [(f64, f64); 4] = [(-1.1, 1.6), (1.1, 1.6), (-1.1, -82.0 * 0.02), (1.1, -82.0 * 0.02)];
const FRONT: usize = 2;
const ENGINE_POWER: f64 = 40_000.0;
const WHEEL_INERTIA: f64 = 1.6;
const WHEEL_RADIUS: f64 = 0.54;
/// Largest force between a wheel and the road.
const ROAD_GRIP: f64 = 400.0;
/// Largest force between a wheel and the grass.
const GRASS_GRIP: f64 = 240.0;
/// Force for each unit of speed that a wheel slips.
const SLIP: f64 = 82.0;
const VELOCITY_ITERATIONS: usize = 180;
const POSITION_ITERATIONS: usize = 60;
/// Greatest distance and greatest angle of a step.
const LONGEST: f32 = 2.0;
const WIDEST: f32 = 0.5 * std::f32::consts::PI;
/// A car slower than this for half a second is stopped: units and radians a second.
const SLOW: f32 = 0.01;
const SLOW_SPIN: f32 = 2.0 / 180.0 * std::f32::consts::PI;

/// What a driver and a picture may know of the car.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Car {
    /// The hull.
    pub hull: Hull,
    /// Front left, front right, rear left, rear right.
    pub wheels: [Wheel; 4],
}

/// Pose and velocity of the hull.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hull {
    /// The origin of the hull's axes; its y axis points ahead.
    pub x: f32,
    /// The origin of the hull's axes.
    pub y: f32,
    /// Radians from the x axis of the world to that of the hull, over any number of turns.
    pub angle: f32,
    /// Velocity of the centre of mass, units a second.
    pub vx: f32,
    /// Velocity of the centre of mass, units a second.
    pub vy: f32,
    /// Radians a second.
    pub angular: f32,
}

/// Pose and rotation of a wheel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wheel {
    /// The centre.
    pub x: f32,
    /// The centre.
    pub y: f32,
    /// Radians from the x axis of the world to that of the wheel.
    pub angle: f32,
    /// Radians a second around the axle.
    pub omega: f64,
    /// Radians around the axle.
    pub phase: f64,
    /// Whether it touched the road in the last step.
    pub on_road: bool,
}

/// The controls and the rotation of a wheel.
#[derive(Clone, Copy, Debug, Default)]
struct Drive {
    steer: f64,
    gas: f64,
    brake: f64,
    omega: f64,
    phase: f64,
    on_road: bool,
}

/// Velocities and impulses, which the iterations of a step change.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct State {
    hull: Motion,
    wheels: [Motion; 4],
    impulses: [Impulses; 4],
}

/// The car as it is simulated.
#[derive(Clone, Debug)]
pub(super) struct Vehicle {
    hull: Body,
    wheels: [Body; 4],
    joints: [Joint; 4],
    drives: [Drive; 4],
    state: State,
}

impl Vehicle {
    /// A car at rest at (`x`, `y`), turned by `angle`.
    pub(super) fn new(angle: f64, x: f64, y: f64) -> Self {
        let at = |x: f64, y: f64| Vector { x: x as f32, y: y as f32 };
        Self {
            hull: Body::new(&HULL, at(x, y), angle as f32),
            // Not turned with the hull: the joints pull them to their places in the first step.
            wheels: WHEELS.map(|(right, ahead)| Body::new(&WHEEL, at(x + right, y + ahead), angle as f32)),
            joints: WHEELS.map(|(right, ahead)| Joint::new(at(right, ahead) - HULL.local)),
            drives: [Drive::default(); 4],
            state: State::default(),
        }
    }

    /// Steer (-1 left to 1 right), gas (0 to 1) and brake (0 to 1).
    pub(super) fn control(&mut self, [steer, gas, brake]: [f64; 3]) {
        let gas = gas.clamp(0.0, 1.0);
        for drive in &mut self.drives[..FRONT] {
            drive.steer = -steer;
        }
        for drive in &mut self.drives[FRONT..] {
            drive.gas += (gas - drive.gas).min(0.1);
        }
        for drive in &mut self.drives {
            drive.brake = brake;
        }
    }

    /// One step of 0.02 seconds; `found` is called for each tile that a wheel touches.
    pub(super) fn step(&mut self, grid: &Grid, mut found: impl FnMut(usize)) {
        let forces: [Vector; 4] = std::array::from_fn(|i| self.drive(i));
        for (wheel, drive) in self.wheels.iter().zip(&mut self.drives) {
            drive.on_road = false;
            grid.touched(wheel, |tile| {
                drive.on_road = true;
                found(tile);
            });
        }
        for (motion, force) in self.state.wheels.iter_mut().zip(forces) {
            motion.velocity = motion.velocity + force * WHEEL.mass * TIME_STEP;
        }
        self.solve_velocities();
        advance(&mut self.hull, &mut self.state.hull);
        for (wheel, motion) in self.wheels.iter_mut().zip(&mut self.state.wheels) {
            advance(wheel, motion);
        }
        let settled = self.solve_positions();
        self.finish(settled);
    }

    /// Turn wheel `i` by engine, brakes and ground. The force of the ground on it.
    fn drive(&mut self, i: usize) -> Vector {
        let (body, drive) = (&self.wheels[i], &mut self.drives[i]);
        let turn = drive.steer - f64::from(body.angle - self.hull.angle);
        self.joints[i].motor_speed = (sign(turn) * (50.0 * turn.abs()).min(3.0)) as f32;

        let side = (f64::from(body.rotation.cos), f64::from(body.rotation.sin));
        let ahead = (-side.1, side.0);
        let velocity = self.state.wheels[i].velocity;
        let (vx, vy) = (f64::from(velocity.x), f64::from(velocity.y));
        drive.omega += SECONDS * ENGINE_POWER * drive.gas / WHEEL_INERTIA / (drive.omega.abs() + 5.0);
        if drive.brake >= 0.9 {
            drive.omega = 0.0;
        } else if drive.brake > 0.0 {
            drive.omega -= sign(drive.omega) * (15.0 * drive.brake).min(drive.omega.abs());
        }
        drive.phase += drive.omega * SECONDS;

        let mut along = (drive.omega * WHEEL_RADIUS - (ahead.0 * vx + ahead.1 * vy)) * SLIP;
        let mut across = -(side.0 * vx + side.1 * vy) * SLIP;
        let force = (along * along + across * across).sqrt();
        let grip = if drive.on_road { ROAD_GRIP } else { GRASS_GRIP };
        if force > grip {
            along = along / force * grip;
            across = across / force * grip;
        }
        drive.omega -= SECONDS * along * WHEEL_RADIUS / WHEEL_INERTIA;
        Vector {
            x: (across * side.0 + along * ahead.0) as f32,
            y: (across * side.1 + along * ahead.1) as f32,
        }
    }

    /// Make the velocities agree with the joints.
    fn solve_velocities(&mut self) {
        let mut state = self.state;
        // Last first, the order in which Box2D meets the joints.
        for i in (0..4).rev() {
            self.joints[i].prepare(&self.hull, &self.wheels[i], &mut state.impulses[i]);
            self.joints[i].warm_start(&mut state.hull, &mut state.wheels[i], &state.impulses[i]);
        }
        for _ in 0..VELOCITY_ITERATIONS {
            let before = state;
            for i in (0..4).rev() {
                self.joints[i].solve_velocity(&mut state.hull, &mut state.wheels[i], &mut state.impulses[i]);
            }
            if state == before {
                break;
            }
        }
        self.state = state;
    }

    /// Undo the drift of the joints. True where it is small enough.
    fn solve_positions(&mut self) -> bool {
        for _ in 0..POSITION_ITERATIONS {
            let mut settled = true;
            for i in (0..4).rev() {
                settled &= self.joints[i].solve_position(&mut self.hull, &mut self.wheels[i]);
            }
            if settled {
                return true;
            }
        }
        false
    }

    /// Bring the rotations up to date, and stop a car that has hardly moved for half a second.
    fn finish(&mut self, settled: bool) {
        let motions = std::iter::once(&mut self.state.hull).chain(&mut self.state.wheels);
        let bodies = std::iter::once(&mut self.hull).chain(&mut self.wheels);
        let mut rest = f32::INFINITY;
        for (body, motion) in bodies.zip(motions) {
            body.rotation = Rotation::of(body.angle);
            let moves =
                motion.spin * motion.spin > SLOW_SPIN * SLOW_SPIN || motion.velocity.squared() > SLOW * SLOW;
            body.rest = if moves { 0.0 } else { body.rest + TIME_STEP };
            rest = rest.min(body.rest);
        }
        if rest >= 0.5 && settled {
            self.state.hull = Motion::default();
            self.state.wheels = [Motion::default(); 4];
            self.hull.rest = 0.0;
            for wheel in &mut self.wheels {
                wheel.rest = 0.0;
            }
        }
    }

    /// What a driver and a picture may know.
    pub(super) fn view(&self) -> Car {
        let Vector { x, y } = self.hull.origin(&HULL);
        let Motion { velocity, spin } = self.state.hull;
        let hull = Hull { x, y, angle: self.hull.angle, vx: velocity.x, vy: velocity.y, angular: spin };
        let wheel = |i: usize| {
            let (body, drive) = (&self.wheels[i], &self.drives[i]);
            let Vector { x, y } = body.centre;
            Wheel { x, y, angle: body.angle, omega: drive.omega, phase: drive.phase, on_road: drive.on_road }
        };
        Car { hull, wheels: std::array::from_fn(wheel) }
    }

    /// The origin of the hull's axes.
    pub(super) fn position(&self) -> (f64, f64) {
        let Vector { x, y } = self.hull.origin(&HULL);
        (f64::from(x), f64::from(y))
    }
}

/// Move a body by its velocity, which is limited first.
fn advance(body: &mut Body, motion: &mut Motion) {
    let shift = motion.velocity * TIME_STEP;
    if shift.squared() > LONGEST * LONGEST {
        motion.velocity = motion.velocity * (LONGEST / shift.squared().sqrt());
    }
    let turn = motion.spin * TIME_STEP;
    if turn * turn > WIDEST * WIDEST {
        motion.spin *= WIDEST / turn.abs();
    }
    body.centre = body.centre + motion.velocity * TIME_STEP;
    body.angle += motion.spin * TIME_STEP;
}
