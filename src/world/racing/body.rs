//! A rigid body in the plane, in single precision.

use super::sine::sin_cos;
use std::ops::{Add, Mul, Neg, Sub};

/// A vector of the plane.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Vector {
    pub(super) x: f32,
    pub(super) y: f32,
}

impl Vector {
    /// The third component of the cross product with `other`.
    #[inline(always)]
    pub(super) fn cross(self, other: Self) -> f32 {
        self.x * other.y - self.y * other.x
    }

    /// The velocity of a point at `self` from the axis of a rotation of `spin` radians a second.
    #[inline(always)]
    pub(super) fn across(self, spin: f32) -> Self {
        Self { x: -spin * self.y, y: spin * self.x }
    }

    pub(super) fn squared(self) -> f32 {
        self.x * self.x + self.y * self.y
    }
}

impl Add for Vector {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self { x: self.x + other.x, y: self.y + other.y }
    }
}

impl Sub for Vector {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self { x: self.x - other.x, y: self.y - other.y }
    }
}

impl Mul<f32> for Vector {
    type Output = Self;
    #[inline(always)]
    fn mul(self, factor: f32) -> Self {
        Self { x: self.x * factor, y: self.y * factor }
    }
}

impl Neg for Vector {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self { x: -self.x, y: -self.y }
    }
}

/// The sine and the cosine of an angle, the same on every machine.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rotation {
    pub(super) sin: f32,
    pub(super) cos: f32,
}

impl Rotation {
    pub(super) fn of(angle: f32) -> Self {
        let (sin, cos) = sin_cos(angle);
        Self { sin, cos }
    }

    /// `vector` turned by the angle.
    pub(super) fn turn(self, vector: Vector) -> Vector {
        Vector { x: self.cos * vector.x - self.sin * vector.y, y: self.sin * vector.x + self.cos * vector.y }
    }
}

/// What resists forces: 1 / mass and 1 / moment of inertia about the centre of mass, and that centre in the body's axes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inertia {
    pub(super) mass: f32,
    pub(super) inertia: f32,
    pub(super) local: Vector,
}

impl Inertia {
    /// A body of `mass`; `inertia` is about the origin of its axes, `local` the centre of mass in them.
    const fn new(mass: f32, inertia: f32, local: Vector) -> Self {
        let squared = local.x * local.x + local.y * local.y;
        Self { mass: 1.0 / mass, inertia: 1.0 / (inertia - mass * squared), local }
    }
}

/// The hull: four polygons of density 1.
pub(super) const HULL: Inertia =
    Inertia::new(7.06, 18.260_365, Vector { x: 1.477_452_4e-9, y: -0.082_530_886 });
/// A wheel: a box of density 0.1.
pub(super) const WHEEL: Inertia = Inertia::new(0.060_480_006, 0.007_459_201, Vector { x: 0.0, y: 0.0 });

/// How a body moves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Motion {
    /// Velocity of the centre of mass.
    pub(super) velocity: Vector,
    /// Radians a second.
    pub(super) spin: f32,
}

/// Where a body is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body {
    /// The centre of mass.
    pub(super) centre: Vector,
    /// Radians from the x axis, over any number of turns.
    pub(super) angle: f32,
    /// Rotation by `angle` at the end of the last step.
    pub(super) rotation: Rotation,
    /// Seconds without movement.
    pub(super) rest: f32,
}

impl Body {
    /// A body whose origin is at `origin`.
    pub(super) fn new(inertia: &Inertia, origin: Vector, angle: f32) -> Self {
        let rotation = Rotation::of(angle);
        Self { centre: rotation.turn(inertia.local) + origin, angle, rotation, rest: 0.0 }
    }

    /// The origin of the body's axes.
    pub(super) fn origin(&self, inertia: &Inertia) -> Vector {
        self.centre - self.rotation.turn(inertia.local)
    }
}
