//! Pictures of the environment, 64x64 pixels of red, green and blue: what a driver sees.
//!
//! The window of gymnasium, 1000x800, is drawn as pygame draws it (corners at whole points), reduced to 96x96 as pygame's
//! smoothscale does, whose two passes lose up to 1 of 255 each; the indicators below row 84 are cut off, and the rest is resized
//! as PIL does with its bilinear filter. Each of the 96x96 pixels is the average of 4x4 samples.
//!
//! A frame is described by the words of its road and of its scene, which `src/scene.rs` lists. The CPU and the kernels of
//! `shaders/racing.wgsl` draw the same frame from them.

use super::{Racing, Track, Wheel};
use crate::cpu::Painter;
use crate::scene as layout;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Words of a road.
pub const ROAD_WORDS: usize = layout::ROAD_WORDS;
/// Words of a scene.
pub const SCENE_WORDS: usize = layout::SCENE_WORDS;
/// Pixels along each side of a frame.
pub const FRAME: usize = layout::FRAME;
/// Values of a frame.
pub const FRAME_VALUES: usize = layout::FRAME_VALUES;

/// How the world is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Camera {
    /// Along the hull, as in gymnasium: 61.7 by 49.4 units, of which a frame shows the upper 7/8.
    #[default]
    Hull,
    /// Along the velocity of a car faster than half a unit a second, as in gym 0.9.4, with which the paper's figures were
    /// measured: 74.1 by 61.7 units, and one sample at the centre of each of the 96x96 pixels.
    Velocity,
}

/// The scale of lengths of the original, and what it calls zoom.
const SCALE: f64 = 6.0;
const ZOOM: f64 = 2.7;
/// A car faster than this is seen along its velocity, units a second.
const SLOWEST: f32 = 0.5;
/// Points of a corner of the hull, and of a wheel, in units.
const SIZE: f64 = 0.02;
const WHEEL_HALF_WIDTH: f64 = 14.0 * SIZE;
const WHEEL_RADIUS: f64 = 27.0 * SIZE;
/// The stripe of a wheel: radians that it covers.
const STRIPE: f64 = 1.2;

const HULL_COLOUR: u32 = 0xcc_00_00;
const STRIPE_COLOUR: u32 = 0x4d_4d_4d;
const WHITE: u32 = 0xff_ff_ff;
const RED: u32 = 0xff_00_00;

/// The polygons of the hull; that of eight corners in three parts.
const HULL: [[(f64, f64); 4]; 6] = [
    [(-60.0, 130.0), (60.0, 130.0), (60.0, 110.0), (-60.0, 110.0)],
    [(-15.0, 120.0), (15.0, 120.0), (20.0, 20.0), (-20.0, 20.0)],
    [(25.0, 20.0), (50.0, -10.0), (-50.0, -10.0), (-25.0, 20.0)],
    [(50.0, -10.0), (50.0, -40.0), (-50.0, -40.0), (-50.0, -10.0)],
    [(50.0, -40.0), (20.0, -90.0), (-20.0, -90.0), (-50.0, -40.0)],
    [(-50.0, -120.0), (50.0, -120.0), (50.0, -90.0), (-50.0, -90.0)],
];

fn number(value: f64) -> u32 {
    (value as f32).to_bits()
}

/// Write the words of `track` into `into`, [`ROAD_WORDS`] of them: once for each track.
///
/// # Errors
/// [`Error::Internal`] if the track has more than 512 tiles, or `into` another length.
pub fn road(track: &Track, into: &mut [u32]) -> Result<()> {
    let count = track.tiles.len();
    if count > layout::TILES || into.len() != ROAD_WORDS {
        let room = into.len();
        return Err(Error::Internal(format!("{count} tiles for a road of {room} words")));
    }
    into.fill(0);
    into[0] = number(count as f64);
    let words = into[layout::ROAD_HEAD..].chunks_exact_mut(layout::TILE_WORDS);
    for (tile, words) in track.tiles.iter().zip(words) {
        let grey = u32::from(tile.shade) * 0x01_01_01;
        words[16] = number(f64::from(grey));
        words[17] = layout::ABSENT.to_bits();
        put_corners(&tile.quad, &mut words[..8]);
        if let Some(kerb) = &tile.kerb {
            put_corners(&kerb.quad, &mut words[8..16]);
            words[17] = number(f64::from(if kerb.white { WHITE } else { RED }));
        }
    }
    Ok(())
}

fn put_corners(quad: &[[f32; 2]; 4], words: &mut [u32]) {
    words.iter_mut().zip(quad.as_flattened()).for_each(|(word, value)| *word = value.to_bits());
}

/// The window of a camera.
struct View {
    cos: f64,
    sin: f64,
    zoom: f64,
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl View {
    fn of(racing: &Racing, camera: Camera) -> Self {
        let hull = racing.car().hull;
        let time = racing.time();
        // Points of the finer window of gym 0.9.4 are half as long: its corners keep a fraction there.
        let (angle, points, width, height) = match camera {
            Camera::Hull => (-hull.angle, 1.0, 1000.0, 800.0),
            Camera::Velocity if hull.vx.hypot(hull.vy) > SLOWEST => {
                (libm::atan2f(hull.vx, hull.vy), 2.0, 2400.0, 2000.0)
            }
            Camera::Velocity => (-hull.angle, 2.0, 2400.0, 2000.0),
        };
        let (sin, cos) = libm::sincos(f64::from(angle));
        // The first second comes closer.
        let zoom = 0.1 * SCALE * (1.0 - time).max(0.0) + ZOOM * SCALE * time.min(1.0);
        let (x, y) = (f64::from(hull.x), f64::from(hull.y));
        Self { cos, sin, zoom: points * zoom, x, y, width, height }
    }

    /// The place of a body's point (`right`, `ahead`) in the window.
    fn place(&self, body: &Pose, right: f64, ahead: f64) -> [f64; 2] {
        let x = body.x + body.cos * right - body.sin * ahead - self.x;
        let y = body.y + body.sin * right + body.cos * ahead - self.y;
        let across = (self.cos * x - self.sin * y) * self.zoom + 0.5 * self.width;
        let up = (self.sin * x + self.cos * y) * self.zoom + 0.25 * self.height;
        [across.trunc(), up.trunc()]
    }
}

/// Place and angle of a part of the car.
struct Pose {
    x: f64,
    y: f64,
    cos: f64,
    sin: f64,
}

impl Pose {
    fn new(x: f32, y: f32, angle: f32) -> Self {
        let (sin, cos) = libm::sincos(f64::from(angle));
        Self { x: f64::from(x), y: f64::from(y), cos, sin }
    }
}

/// The lengths along a wheel between which its stripe is seen: none where it is below.
fn stripe(wheel: &Wheel) -> Option<[f64; 2]> {
    let ends = [wheel.phase, wheel.phase + STRIPE].map(libm::sincos);
    let hidden = ends.map(|(sin, _)| sin > 0.0);
    if hidden == [true, true] {
        return None;
    }
    // An end that is below is at the nearer edge.
    Some(ends.map(|(sin, cos)| WHEEL_RADIUS * if sin > 0.0 { 1f64.copysign(cos) } else { cos }))
}

/// Write the words of what `camera` sees of `racing` into `into`, [`SCENE_WORDS`] of them: once for each frame.
///
/// # Errors
/// [`Error::Internal`] if `into` has another length.
pub fn scene(racing: &Racing, camera: Camera, into: &mut [u32]) -> Result<()> {
    if into.len() != SCENE_WORDS {
        return Err(Error::Internal(format!("{} words for a scene", into.len())));
    }
    let view = View::of(racing, camera);
    let samples = if camera == Camera::Hull { 4.0 } else { 1.0 };
    let head = [view.cos, view.sin, view.zoom, view.x, view.y, view.width, view.height, samples];
    into[..layout::CAMERA_WORDS].iter_mut().zip(head).for_each(|(word, value)| *word = number(value));
    let car = racing.car();
    let mut quads = into[layout::CAMERA_WORDS..layout::TOUCHED].chunks_exact_mut(layout::QUAD_WORDS);
    let mut put = |body: &Pose, corners: [(f64, f64); 4], colour: f64| {
        if let Some(words) = quads.next() {
            let places = corners.map(|(right, ahead)| view.place(body, right, ahead));
            words.iter_mut().zip(places.as_flattened()).for_each(|(word, &value)| *word = number(value));
            words[8] = number(colour);
        }
    };
    for wheel in &car.wheels {
        let body = Pose::new(wheel.x, wheel.y, wheel.angle);
        let box_from = |low: f64, high: f64| {
            let side = WHEEL_HALF_WIDTH;
            [(-side, low), (side, low), (side, high), (-side, high)]
        };
        put(&body, box_from(-WHEEL_RADIUS, WHEEL_RADIUS), 0.0);
        match stripe(wheel) {
            Some([low, high]) => put(&body, box_from(low, high), f64::from(STRIPE_COLOUR)),
            None => put(&body, box_from(0.0, 0.0), f64::from(layout::ABSENT)),
        }
    }
    let body = Pose::new(car.hull.x, car.hull.y, car.hull.angle);
    for corners in HULL {
        put(&body, corners.map(|(x, y)| (SIZE * x, SIZE * y)), f64::from(HULL_COLOUR));
    }
    into[layout::TOUCHED..].fill(0);
    let touched = racing.visited().chunks(layout::TILES_A_WORD);
    for (word, tiles) in into[layout::TOUCHED..].iter_mut().zip(touched) {
        let bits = tiles.iter().rev().fold(0u32, |bits, &own| (bits << 1) | u32::from(own));
        *word = number(f64::from(bits));
    }
    Ok(())
}

/// Draws frames on the CPU; keeps its memory from one to the next.
#[derive(Clone, Debug, Default)]
pub struct Pictures(Painter);

impl Pictures {
    /// Draw a frame of 64x64 pixels of red, green and blue, [`FRAME_VALUES`] bytes, from the words of its scene and of its road.
    ///
    /// # Errors
    /// [`Error::Internal`] if a length is wrong.
    pub fn draw(&mut self, scene: &[u32], road: &[u32], frame: &mut [u8]) -> Result<()> {
        let lengths = [scene.len(), road.len(), frame.len()];
        if lengths != [SCENE_WORDS, ROAD_WORDS, FRAME_VALUES] {
            return Err(Error::Internal(format!("{lengths:?} words and values for a frame")));
        }
        self.0.draw(bytemuck::cast_slice(scene), bytemuck::cast_slice(road), frame);
        Ok(())
    }
}
