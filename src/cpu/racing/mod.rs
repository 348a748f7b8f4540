//! Frames of the racing environment.

mod paint;
mod project;
mod shrink;

use crate::scene::{FRAME, LIST_WORDS};
use paint::{Canvas, quads};
use project::project;
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
