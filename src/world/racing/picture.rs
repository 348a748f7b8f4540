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

/// Words of a road.
pub const ROAD_WORDS: usize = layout::ROAD_WORDS;
/// Words of a scene.
pub const SCENE_WORDS: usize = layout::SCENE_WORDS;
/// Pixels along each side of a frame.
pub const FRAME: usize = layout::FRAME;
/// Values of a frame.
pub const FRAME_VALUES: usize = layout::FRAME_VALUES;

/// How the world is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Arrays;
    use std::io::Read;
    use std::path::{Path, PathBuf};

    /// Recorded frames and actions: in `VAE_DATA`, or in `shared/data` beside the project.
    fn recording() -> Option<PathBuf> {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
        let roots = [std::env::var_os("VAE_DATA").map(PathBuf::from), Some(beside)];
        let files = roots.into_iter().flatten().map(|root| root.join("carracing/carracing.npz"));
        let found = files.into_iter().find(|file| file.is_file());
        if found.is_none() {
            assert!(
                std::env::var_os("VAE_REQUIRE_DATA").is_none_or(|v| v != "1"),
                "VAE_REQUIRE_DATA=1, but no carracing/carracing.npz"
            );
            println!("SKIPPED: no carracing/carracing.npz; set VAE_DATA to the folder that holds carracing");
        }
        found
    }

    /// The first frames of the recording: its first entry, of which no more is read.
    fn first_frames(file: &Path, count: usize) -> Vec<u8> {
        let mut file = std::fs::File::open(file).unwrap();
        let mut head = [0; 30];
        file.read_exact(&mut head).unwrap();
        let length = |at: usize| usize::from(u16::from_le_bytes([head[at], head[at + 1]]));
        let mut name = vec![0; length(26) + length(28)];
        file.read_exact(&mut name).unwrap();
        assert!(name.starts_with(b"frames.npy"));
        let mut values = flate2::read::DeflateDecoder::new(file);
        let mut head = [0; 128];
        values.read_exact(&mut head).unwrap();
        let mut frames = vec![0; count * FRAME_VALUES];
        values.read_exact(&mut frames).unwrap();
        frames
    }

    /// Draws cars one after the other.
    #[derive(Default)]
    struct Artist(Pictures);

    impl Artist {
        fn draw(&mut self, racing: &Racing, camera: Camera) -> Vec<u8> {
            let (mut tiles, mut words) = (vec![0; ROAD_WORDS], vec![0; SCENE_WORDS]);
            road(racing.track(), &mut tiles).unwrap();
            scene(racing, camera, &mut words).unwrap();
            let mut frame = vec![0; FRAME_VALUES];
            self.0.draw(&words, &tiles, &mut frame).unwrap();
            frame
        }
    }

    fn drive(racing: &mut Racing, steps: usize, action: [f32; 3]) {
        for _ in 0..steps {
            racing.step(action);
        }
    }

    /// The mean difference of two frames.
    fn difference(a: &[u8], b: &[u8]) -> f64 {
        let sum: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        sum as f64 / a.len() as f64
    }

    /// gymnasium 1.4.0, frames reduced by Pillow. The zoom of the first second, and the first turn.
    #[test]
    fn frames_are_those_of_gymnasium() {
        const COUNT: usize = 120;
        let Some(file) = recording() else { return };
        let frames = first_frames(&file, COUNT);
        let (_, actions) = Arrays::open(&file).unwrap().floats(Some("actions")).unwrap().unwrap();
        let (mut racing, mut artist) = (Racing::new(1000), Artist::default());
        let mut sum = 0.0;
        for (t, frame) in frames.chunks(FRAME_VALUES).enumerate() {
            let apart = difference(&artist.draw(&racing, Camera::Hull), frame);
            assert!(apart < 0.25, "frame {t}: {apart} of 255");
            sum += apart;
            racing.step([actions[3 * t], actions[3 * t + 1], actions[3 * t + 2]]);
        }
        let mean = sum / COUNT as f64;
        assert!(mean < 0.1, "mean difference {mean} of 255");
    }

    fn pixel(frame: &[u8], x: usize, y: usize) -> [u8; 3] {
        std::array::from_fn(|channel| frame[(y * FRAME + x) * 3 + channel])
    }

    /// At rest on the road, seen from close: smoothscale makes every colour darker by 2.
    #[test]
    fn colours_of_a_car_at_rest() {
        let mut racing = Racing::new(3);
        drive(&mut racing, 60, [0.0; 3]);
        let frame = Artist::default().draw(&racing, Camera::Hull);
        // The car is 3.7 pixels wide.
        let hull = pixel(&frame, 31, 55);
        assert!(hull[0] > 180 && hull[1] < 20, "{hull:?}");
        // Three greys alternate along the road.
        let road = pixel(&frame, 31, 40);
        assert!((100..=105).contains(&road[0]) && road == [road[0]; 3], "{road:?}");
        assert!([[100, 202, 100], [100, 228, 100]].contains(&pixel(&frame, 1, 55)), "the grass");
    }

    /// The camera of gym 0.9.4 turns with a car that slides, and sees further.
    #[test]
    fn the_camera_may_follow_the_velocity() {
        let mut racing = Racing::new(3);
        let mut artist = Artist::default();
        drive(&mut racing, 60, [0.0; 3]);
        let frame = artist.draw(&racing, Camera::Velocity);
        let reds = |frame: &[u8]| frame.chunks(3).filter(|pixel| pixel[0] > 150 && pixel[1] < 50).count();
        let near = reds(&artist.draw(&racing, Camera::Hull));
        assert!(reds(&frame) * 5 < near * 4 && reds(&frame) > 5, "{} {near}", reds(&frame));
        let road = pixel(&frame, 31, 40);
        assert!((102..=107).contains(&road[0]), "{road:?}");
        drive(&mut racing, 60, [0.0, 1.0, 0.0]);
        drive(&mut racing, 25, [1.0, 0.3, 0.0]);
        let words = |camera| {
            let mut words = vec![0; SCENE_WORDS];
            scene(&racing, camera, &mut words).unwrap();
            words.into_iter().map(f32::from_bits).collect::<Vec<_>>()
        };
        let (scene, hull) = (words(Camera::Velocity), racing.car().hull);
        assert!(hull.vx.hypot(hull.vy) > 1.0 && words(Camera::Hull)[..2] != scene[..2]);
        // What the velocity points to is up.
        let across = scene[0] * hull.vx - scene[1] * hull.vy;
        let up = scene[1] * hull.vx + scene[0] * hull.vy;
        assert!(across.abs() < 1e-3 * up, "{across} {up}");
    }

    /// Far outside the field all is black, except the car.
    #[test]
    fn outside_is_black() {
        let mut racing = Racing::new(0);
        for _ in 0..1500 {
            if racing.step([0.0, 0.5, 0.0]).terminated {
                break;
            }
        }
        drive(&mut racing, 100, [0.0, 0.5, 0.0]);
        let frame = Artist::default().draw(&racing, Camera::Hull);
        let black = frame.chunks(3).filter(|pixel| **pixel == [0; 3]).count();
        assert!(black > 3900, "{black} of 4096 pixels");
    }

    #[test]
    fn wrong_lengths_are_refused() {
        let racing = Racing::new(0);
        assert!(scene(&racing, Camera::Hull, &mut [0; 5]).is_err());
        assert!(road(racing.track(), &mut [0; 5]).is_err());
        assert!(Pictures::default().draw(&[0; 5], &[0; 5], &mut [0; 5]).is_err());
    }
}
