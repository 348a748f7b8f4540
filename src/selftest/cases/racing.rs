//! The cases of `shaders/racing.wgsl`: a round track seen from close, from far and by a camera with one sample a pixel; and
//! quadrilaterals of any shape.

use super::Case;
use super::Content::{Given, Room};
use crate::plan::{Grid, constants};
use crate::scene::{
    ABSENT, CAMERA_WORDS, FRAME, FRAME_VALUES, LIST_WORDS, QUAD_WORDS, ROAD_HEAD, ROAD_WORDS, ROWS,
    SCENE_WORDS, TILE_WORDS, TOUCHED, WINDOW,
};

const CARS: usize = 3;
/// Cosine and sine, zoom, place, width and height, samples.
const CAMERAS: [[f32; CAMERA_WORDS]; CARS] = [
    [0.8, 0.6, 16.2, 149.3, 1.7, 1000.0, 800.0, 4.0],
    [-0.6, 0.8, 0.912, 140.1, 50.2, 1000.0, 800.0, 4.0],
    [0.28, -0.96, 32.4, 150.9, -2.2, 2400.0, 2000.0, 1.0],
];
const TILES: [usize; CARS] = [270, 512, 301];

/// A whole number below `bound` that looks random.
fn scrambled(i: usize, bound: usize) -> usize {
    ((i.wrapping_mul(2_654_435_761) >> 7) ^ (i.wrapping_mul(40_503) >> 3)) % bound
}

fn scene_word(i: usize) -> f32 {
    let (car, word) = (i / SCENE_WORDS, i % SCENE_WORDS);
    match word {
        0..CAMERA_WORDS => CAMERAS[car][word],
        CAMERA_WORDS..TOUCHED => quad_word((word - CAMERA_WORDS) / QUAD_WORDS, word - CAMERA_WORDS),
        _ => scrambled(i, 1 << 16) as f32,
    }
}

/// Word `word` of quadrilaterals in a window of 1000 points: number `quad`, some of them absent.
fn quad_word(quad: usize, word: usize) -> f32 {
    if word % QUAD_WORDS == QUAD_WORDS - 1 {
        return if quad % 5 == 4 { ABSENT } else { ((quad * 0x04_0b_11) & 0xff_ff_ff) as f32 };
    }
    let centre = scrambled(2 * quad + word % QUAD_WORDS % 2, 1100) as f32 - 50.0;
    centre + scrambled(7 * word + quad, 160) as f32 - 80.0
}

fn road_word(i: usize) -> f32 {
    let (car, word) = (i / ROAD_WORDS, i % ROAD_WORDS);
    if word < ROAD_HEAD {
        return if word == 0 { TILES[car] as f32 } else { 0.0 };
    }
    let (tile, word) = ((word - ROAD_HEAD) / TILE_WORDS, (word - ROAD_HEAD) % TILE_WORDS);
    match word {
        0..16 => {
            let corner = word / 2 % 4;
            let radius = match (word < 8, corner == 0 || corner == 3) {
                (true, true) => 143.3,
                (false, false) => 158.0,
                _ => 156.7,
            };
            let angle = (tile + usize::from(corner < 2)) as f32 * 0.0234;
            radius * if word % 2 == 0 { angle.cos() } else { angle.sin() }
        }
        16 => (0x66_66_66 + tile % 3 * 0x02_02_02) as f32,
        17 if tile % 7 < 3 => (0xff_ff_ff - tile % 2 * 0xff_ff) as f32,
        17 => ABSENT,
        _ => 0.0,
    }
}

/// More quadrilaterals than a workgroup has lanes, and for the second car none.
fn list_word(i: usize) -> f32 {
    let (car, word) = (i / LIST_WORDS, i % LIST_WORDS);
    match word {
        0 => [431.0, 0.0, 250.0][car],
        _ if (word - 1) % QUAD_WORDS == QUAD_WORDS - 1 => {
            quad_word((word - 1) / QUAD_WORDS % 100, word - 1).max(0.0)
        }
        _ => quad_word((word - 1) / QUAD_WORDS + car, word - 1) * [1.0, 1.0, 2.0][car],
    }
}

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for cars in [1, CARS] {
        let scene = ("scene", Given(cars * SCENE_WORDS, scene_word));
        let sizes = || constants! { CARS: cars };
        let road = ("road", Given(cars * ROAD_WORDS, road_word));
        let contents = [scene, road, ("list", Room(cars * LIST_WORDS))];
        let mut list = Case::new("racing_list", sizes()).buffers(&contents).grid(Grid::Workgroups(cars));
        // A corner next to a whole point may lose its fraction on either side of it.
        list.tolerance = 1.0;
        let list_used = ("list_used", Given(cars * LIST_WORDS, list_word));
        let contents = [scene, list_used, ("picture", Room(cars * ROWS * WINDOW))];
        let picture = Case::new("racing_picture", sizes()).buffers(&contents);
        let colours = Given(cars * ROWS * WINDOW, |i| scrambled(i, 1 << 24) as f32);
        let contents = [("picture_used", colours), ("frame", Room(cars * FRAME_VALUES))];
        let frame = Case::new("racing_frame", sizes()).buffers(&contents);
        cases.extend([
            list,
            picture.grid(Grid::Workgroups(cars * 42)),
            frame.grid(Grid::Elements(cars * FRAME * FRAME)),
        ]);
    }
    cases
}
