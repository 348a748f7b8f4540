//! Frames of the racing environment, one at a time, and the twins of `shaders/racing.wgsl`.

mod paint;
mod project;
mod shrink;

use super::Real;
use super::call::Call;
use crate::scene::{FRAME, FRAME_VALUES, LIST_WORDS, ROAD_WORDS, ROWS, SCENE_WORDS, WINDOW};
use paint::{Canvas, quads};
use project::project;
use rayon::prelude::*;
use shrink::Shrinker;

/// Draws frames; keeps its memory from one to the next.
#[derive(Clone, Debug)]
pub(crate) struct Painter {
    list: Vec<f32>,
    canvas: Canvas,
    shrinker: Shrinker,
}

impl Default for Painter {
    fn default() -> Self {
        Self { list: vec![0.0; LIST_WORDS], canvas: Canvas::default(), shrinker: Shrinker::default() }
    }
}

impl Painter {
    /// Draw `scene` on `road` ([`crate::scene`]) as a frame of 64x64 pixels of red, green and blue.
    pub(crate) fn draw(&mut self, scene: &[f32], road: &[f32], frame: &mut [u8]) {
        project(scene, road, &mut self.list);
        let Self { list, canvas, shrinker } = self;
        canvas.paint(window(scene), quads(list), |index, colour| shrinker.put(index, colour));
        shrinker.shrink(|row, line| frame[row * 3 * FRAME..][..3 * FRAME].copy_from_slice(line));
    }
}

/// Width and height of the scene's window in points, and samples along each side of a pixel.
fn window<T: num_traits::Float>(scene: &[T]) -> [usize; 3] {
    [5, 6, 7].map(|word| scene[word].to_usize().unwrap_or(0).max(1))
}

pub(super) fn racing_list<T: Real>(call: &mut Call<'_, T>) {
    let (cars, scenes, roads) = (call.count("CARS"), call.read("scene"), call.read("road"));
    let lists = call.write("list")[..cars * LIST_WORDS].par_chunks_mut(LIST_WORDS);
    let scenes = scenes.par_chunks(SCENE_WORDS).zip(roads.par_chunks(ROAD_WORDS));
    lists.zip(scenes).for_each(|(list, (scene, road))| project(scene, road, list));
}

pub(super) fn racing_picture<T: Real>(call: &mut Call<'_, T>) {
    let (cars, scenes, lists) = (call.count("CARS"), call.read("scene"), call.read("list_used"));
    let pictures = call.write("picture")[..cars * ROWS * WINDOW].par_chunks_mut(ROWS * WINDOW);
    let scenes = scenes.par_chunks(SCENE_WORDS).zip(lists.par_chunks(LIST_WORDS));
    pictures.zip(scenes).for_each_init(Canvas::default, |canvas, (picture, (scene, list))| {
        canvas.paint(window(scene), quads(list), |index, colour| picture[index] = T::of(f64::from(colour)));
    });
}

pub(super) fn racing_frame<T: Real>(call: &mut Call<'_, T>) {
    let (cars, pictures) = (call.count("CARS"), call.read("picture_used"));
    let frames = call.write("frame")[..cars * FRAME_VALUES].par_chunks_mut(FRAME_VALUES);
    let pictures = pictures.par_chunks(ROWS * WINDOW);
    frames.zip(pictures).for_each_init(Shrinker::default, |shrinker, (frame, picture)| {
        for (index, colour) in picture.iter().enumerate() {
            shrinker.put(index, colour.to_u32().unwrap_or(0));
        }
        shrinker.shrink(|row, line| {
            for (value, &byte) in frame[row * 3 * FRAME..].iter_mut().zip(line) {
                *value = T::of(f64::from(byte) / 255.0);
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use crate::scene::*;

    #[test]
    fn the_shader_has_the_same_layout() {
        let kernel = crate::kernels::kernel("racing_list");
        let sizes = [
            ("TILES", TILES),
            ("TILE_WORDS", TILE_WORDS),
            ("ROAD_HEAD", ROAD_HEAD),
            ("ROAD_WORDS", ROAD_WORDS),
            ("QUAD_WORDS", QUAD_WORDS),
            ("CAMERA_WORDS", CAMERA_WORDS),
            ("CAR_QUADS", CAR_QUADS),
            ("TOUCHED", TOUCHED),
            ("SCENE_WORDS", SCENE_WORDS),
            ("SQUARES", SQUARES),
            ("QUADS", QUADS),
            ("LIST_WORDS", LIST_WORDS),
            ("GRASS", GRASS as usize),
            ("LIGHT_GRASS", LIGHT_GRASS as usize),
            ("ROAD", ROAD as usize),
            ("WINDOW", WINDOW),
            ("ROWS", ROWS),
            ("FRAME", FRAME),
        ];
        for (name, size) in sizes {
            assert_eq!(kernel.find_constant(name), Some(size as u32), "{name}");
        }
        assert_eq!(SCENE_WORDS % 4 + ROAD_WORDS % 4 + LIST_WORDS % 4, 0);
    }
}
