//! Frames against those of gymnasium, and what they show.

use super::*;
use crate::cpu::CpuExecutor;
use crate::data::Arrays;
use crate::graph::{Graph, Mode, ProgramSpec, Setting, Shape, Tensors, lower};
use crate::plan::{Executor, Step};
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

/// The operation of a graph draws the same bytes.
#[test]
fn a_graph_draws_the_same_frames() {
    const CARS: usize = 2;
    let mut graph = Graph::new(&Tensors::default(), Mode::Evaluate);
    let [words, tiles] = [("scene", SCENE_WORDS), ("road", ROAD_WORDS)]
        .map(|(name, words)| graph.input(name, Shape::matrix(CARS, words)));
    let frames = graph.racing_pictures(words, tiles, CARS).unwrap();
    assert!(
        graph.racing_pictures(words, tiles, 3).is_err() && graph.racing_pictures(tiles, words, 2).is_err()
    );
    let setting = Setting { train_images: 1, test_images: 1, max_steps: 1, streamed: false };
    let plan = lower(&graph, &[ProgramSpec::new("draw", &[words, tiles], &[frames])], setting).unwrap();
    let mut cpu = CpuExecutor::<f32>::new(&plan, 1).unwrap();
    let program = plan.program("draw").unwrap();
    let mut artist = Artist::default();
    let mut expected = Vec::new();
    for (car, camera) in [Camera::Hull, Camera::Velocity].into_iter().enumerate() {
        let mut racing = Racing::new(car as u64);
        drive(&mut racing, 30 + 70 * car, [-0.3, 0.8, 0.0]);
        expected.extend(artist.draw(&racing, camera));
        let (mut tiles, mut words) = (vec![0; ROAD_WORDS], vec![0; SCENE_WORDS]);
        road(racing.track(), &mut tiles).unwrap();
        scene(&racing, camera, &mut words).unwrap();
        for (port, words) in program.given.iter().zip([words, tiles]) {
            cpu.write(port.buffer, car * words.len(), &words).unwrap();
        }
    }
    cpu.submit("draw", &[Step::default()]).unwrap();
    let drawn = cpu.read(program.wanted[0].buffer, 0, CARS * FRAME_VALUES).unwrap();
    let bytes = drawn.into_iter().map(|word| f32::from_bits(word) * 255.0);
    assert!(bytes.zip(expected).all(|(value, byte)| (value - f32::from(byte)).abs() < 1e-3));
}

#[test]
fn wrong_lengths_are_refused() {
    let racing = Racing::new(0);
    assert!(scene(&racing, Camera::Hull, &mut [0; 5]).is_err());
    assert!(road(racing.track(), &mut [0; 5]).is_err());
    assert!(Pictures::default().draw(&[0; 5], &[0; 5], &mut [0; 5]).is_err());
}
