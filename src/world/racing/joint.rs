//! The joint that holds a wheel at the hull: a pin with a motor that steers, and a stop at either side.
//!
//! A sequential-impulse solver in single precision, with the formulas and the order of Box2D 2.3 (E. Catto): impulses of the
//! step before are applied first (warm starting), then each call of [`Joint::solve_velocity`] corrects the motor, the stop
//! and the pin, and each call of [`Joint::solve_position`] moves the bodies to undo drift.

use super::body::{Body, HULL, Motion, Rotation, Vector, WHEEL};

/// Seconds of a step.
pub(super) const TIME_STEP: f32 = 1.0 / 50.0;
/// Steering angle at the stops, radians.
const STOP: f32 = 0.4;
/// Largest impulse of the motor in a step; its largest torque is 64.8.
const MOTOR_IMPULSE: f32 = TIME_STEP * 64.8;
/// Distance at which the two sides of a pin count as joined.
const LINEAR_SLOP: f32 = 0.005;
/// Angle beyond a stop that counts as within it, radians.
const ANGULAR_SLOP: f32 = 2.0 / 180.0 * std::f32::consts::PI;
/// Largest angle that one position iteration corrects, radians.
const ANGULAR_CORRECTION: f32 = 8.0 / 180.0 * std::f32::consts::PI;

/// Where a joint's angle is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Limit {
    Between,
    AtLower,
    AtUpper,
}

/// The impulses that a joint has applied in this step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Impulses {
    /// At the pin, on the wheel.
    pin: Vector,
    /// Of the stop, on the wheel.
    stop: f32,
    /// Of the motor, on the wheel.
    motor: f32,
}

/// 1 / the inertia that the motor turns.
const MOTOR_MASS: f32 = 1.0 / (HULL.inertia + WHEEL.inertia);

/// A joint between the hull and one wheel, at the wheel's centre.
#[derive(Clone, Debug)]
pub(super) struct Joint {
    /// From the hull's centre of mass to the pin, in the hull's axes.
    anchor: Vector,
    /// Speed at which the motor should turn the wheel against the hull, radians a second.
    pub(super) motor_speed: f32,
    limit: Limit,
    // What stays the same during the iterations of a step:
    /// From the hull's centre of mass to the pin.
    arm: Vector,
    /// The effective mass of pin and stop: the columns of a symmetric matrix of three rows.
    columns: [[f32; 3]; 3],
    /// The second column times the third, as a cross product.
    crossed: [f32; 3],
    /// 1 / determinant of the matrix.
    inverse3: f32,
    /// 1 / determinant of its upper left two by two.
    inverse2: f32,
}

fn cross(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// 1 / x, or 0 where x is 0.
fn inverse(x: f32) -> f32 {
    if x == 0.0 { x } else { 1.0 / x }
}

impl Joint {
    /// A joint at `anchor`, from the hull's centre of mass in the hull's axes.
    pub(super) fn new(anchor: Vector) -> Self {
        Self {
            anchor,
            motor_speed: 0.0,
            limit: Limit::Between,
            arm: anchor,
            columns: [[0.0; 3]; 3],
            crossed: [0.0; 3],
            inverse3: 0.0,
            inverse2: 0.0,
        }
    }

    /// The solution of the three equations for `right`.
    #[inline(always)]
    fn solve3(&self, right: [f32; 3]) -> [f32; 3] {
        let [first, second, third] = self.columns;
        [
            self.inverse3 * dot(right, self.crossed),
            self.inverse3 * dot(first, cross(right, third)),
            self.inverse3 * dot(first, cross(second, right)),
        ]
    }

    /// The solution of the first two equations for `right`.
    #[inline(always)]
    fn solve2(&self, right: Vector) -> Vector {
        let ([a11, a21, _], [a12, a22, _]) = (self.columns[0], self.columns[1]);
        Vector {
            x: self.inverse2 * (a22 * right.x - a12 * right.y),
            y: self.inverse2 * (a11 * right.y - a21 * right.x),
        }
    }

    /// Prepare the iterations of a step.
    pub(super) fn prepare(&mut self, hull: &Body, wheel: &Body, impulses: &mut Impulses) {
        let arm = Rotation::of(hull.angle).turn(self.anchor);
        let mass = HULL.mass + WHEEL.mass;
        // The wheel's end of the pin is its centre: its terms with an arm are zero.
        let coupling = -arm.y * arm.x * HULL.inertia;
        let third = [-arm.y * HULL.inertia, arm.x * HULL.inertia, HULL.inertia + WHEEL.inertia];
        let first = [mass + arm.y * arm.y * HULL.inertia, coupling, third[0]];
        let second = [coupling, mass + arm.x * arm.x * HULL.inertia, third[1]];
        self.arm = arm;
        self.columns = [first, second, third];
        self.crossed = cross(second, third);
        self.inverse3 = inverse(dot(first, self.crossed));
        self.inverse2 = inverse(first[0] * second[1] - second[0] * first[1]);
        let angle = wheel.angle - hull.angle;
        let limit = if angle <= -STOP {
            Limit::AtLower
        } else if angle >= STOP {
            Limit::AtUpper
        } else {
            Limit::Between
        };
        if limit == Limit::Between || limit != self.limit {
            impulses.stop = 0.0;
        }
        self.limit = limit;
    }

    /// Apply the impulses of the step before, which are a good guess at those of this one.
    pub(super) fn warm_start(&self, hull: &mut Motion, wheel: &mut Motion, impulses: &Impulses) {
        let Impulses { pin, stop, motor } = *impulses;
        hull.velocity = hull.velocity - pin * HULL.mass;
        hull.spin -= HULL.inertia * (self.arm.cross(pin) + motor + stop);
        wheel.velocity = wheel.velocity + pin * WHEEL.mass;
        wheel.spin += WHEEL.inertia * (motor + stop);
    }

    /// One iteration over motor, stop and pin: change velocities and impulses.
    #[inline(always)]
    pub(super) fn solve_velocity(&self, hull: &mut Motion, wheel: &mut Motion, impulses: &mut Impulses) {
        let wanted = -MOTOR_MASS * (wheel.spin - hull.spin - self.motor_speed);
        let before = impulses.motor;
        impulses.motor = (before + wanted).clamp(-MOTOR_IMPULSE, MOTOR_IMPULSE);
        let impulse = impulses.motor - before;
        hull.spin -= HULL.inertia * impulse;
        wheel.spin += WHEEL.inertia * impulse;

        let slip = wheel.velocity - hull.velocity - self.arm.across(hull.spin);
        let (pin, stop) = if self.limit == Limit::Between {
            (self.solve2(-slip), 0.0)
        } else {
            self.solve_at_stop(slip, wheel.spin - hull.spin, impulses.stop)
        };
        impulses.pin = impulses.pin + pin;
        impulses.stop += stop;
        hull.velocity = hull.velocity - pin * HULL.mass;
        hull.spin -= HULL.inertia * (self.arm.cross(pin) + stop);
        wheel.velocity = wheel.velocity + pin * WHEEL.mass;
        wheel.spin += WHEEL.inertia * stop;
    }

    /// The impulses of pin and stop where the wheel is at a stop. The stop only pushes away from itself: the sum of its
    /// impulses, `before` this one, never pulls.
    fn solve_at_stop(&self, slip: Vector, turning: f32, before: f32) -> (Vector, f32) {
        let [x, y, stop] = self.solve3([slip.x, slip.y, turning]).map(|value| -value);
        let sum = before + stop;
        let pulls = if self.limit == Limit::AtLower { sum < 0.0 } else { sum > 0.0 };
        if pulls {
            let third = self.columns[2];
            let held = Vector { x: third[0], y: third[1] } * before;
            (self.solve2(held - slip), -before)
        } else {
            (Vector { x, y }, stop)
        }
    }

    /// Move the bodies to undo drift. True where what was left before is within the slops.
    pub(super) fn solve_position(&self, hull: &mut Body, wheel: &mut Body) -> bool {
        let mut beyond = 0.0;
        if self.limit != Limit::Between {
            let angle = wheel.angle - hull.angle;
            let correction = if self.limit == Limit::AtLower {
                let error = angle + STOP;
                beyond = -error;
                (error + ANGULAR_SLOP).clamp(-ANGULAR_CORRECTION, 0.0)
            } else {
                let error = angle - STOP;
                beyond = error;
                (error - ANGULAR_SLOP).clamp(0.0, ANGULAR_CORRECTION)
            };
            let impulse = -MOTOR_MASS * correction;
            hull.angle -= HULL.inertia * impulse;
            wheel.angle += WHEEL.inertia * impulse;
        }
        let arm = Rotation::of(hull.angle).turn(self.anchor);
        let gap = wheel.centre - hull.centre - arm;
        let mass = HULL.mass + WHEEL.mass;
        let (a11, a22) = (mass + HULL.inertia * arm.y * arm.y, mass + HULL.inertia * arm.x * arm.x);
        let a12 = -HULL.inertia * arm.x * arm.y;
        let inverse = inverse(a11 * a22 - a12 * a12);
        let impulse =
            -Vector { x: inverse * (a22 * gap.x - a12 * gap.y), y: inverse * (a11 * gap.y - a12 * gap.x) };
        hull.centre = hull.centre - impulse * HULL.mass;
        hull.angle -= HULL.inertia * arm.cross(impulse);
        wheel.centre = wheel.centre + impulse * WHEEL.mass;
        gap.squared().sqrt() <= LINEAR_SLOP && beyond <= ANGULAR_SLOP
    }
}
