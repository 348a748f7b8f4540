//! Frames of the racing environment.

use crate::graph::{Graph, Lowering, Node, Operation, Shape, ValueId};
use crate::plan::{Grid, constants};
use crate::scene::{FRAME, FRAME_VALUES, LIST_WORDS, QUADS, ROAD_WORDS, ROWS, SCENE_WORDS, WINDOW};
use crate::{Error, Result};

/// Workgroups of a picture.
const BLOCKS: usize = 42;
/// Samples of a picture, times the operations for one edge of the quadrilaterals near it.
const PICTURE_WORK: usize = 16 * ROWS * WINDOW * 40;

/// Inputs: scene and road. Outputs: the quadrilaterals in view, the picture of the window, and the frame.
#[derive(Debug)]
struct RacingPictures {
    cars: usize,
}

impl Operation for RacingPictures {
    fn carries(&self, _: usize, _: usize) -> bool {
        false
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let cars = self.cars;
        let (scene, road) = (("scene", node.inputs[0]), ("road", node.inputs[1]));
        let [list, picture, frame] = [node.outputs[0], node.outputs[1], node.outputs[2]];
        let sizes = || constants! { CARS: cars };
        let values = [scene, road, ("list", list)];
        lowering.dispatch(
            node,
            "racing_list",
            sizes(),
            &values,
            Grid::Workgroups(cars),
            cars * QUADS * 50,
        )?;
        let values = [scene, ("list_used", list), ("picture", picture)];
        let grid = Grid::Workgroups(cars * BLOCKS);
        lowering.dispatch(node, "racing_picture", sizes(), &values, grid, cars * PICTURE_WORK)?;
        let values = [("picture_used", picture), ("frame", frame)];
        let grid = Grid::Elements(cars * FRAME * FRAME);
        lowering.dispatch(node, "racing_frame", sizes(), &values, grid, cars * FRAME_VALUES * 24)
    }
}

impl Graph {
    /// What cameras see of `cars` cars, `[cars, 64 * 64 * 3]`: height, width, channels, from 0 to 1 in steps of 1/255. `scene` and
    /// `road` hold the words that `world::racing` writes for each car. No gradient goes through.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are other numbers of cars or of words.
    pub fn racing_pictures(&mut self, scene: ValueId, road: ValueId, cars: usize) -> Result<ValueId> {
        for (value, words) in [(scene, SCENE_WORDS), (road, ROAD_WORDS)] {
            let shape = self.shape(value);
            if cars == 0 || shape != Shape::matrix(cars, words) {
                let name = &self.value(value).name;
                return Err(Error::shape(name, format!("{shape}, for {cars} cars of {words} words")));
            }
        }
        let sizes = [("list", LIST_WORDS), ("picture", ROWS * WINDOW), ("frame", FRAME_VALUES)];
        let outputs =
            sizes.map(|(name, size)| self.add_value(format!("racing.{name}"), Shape::matrix(cars, size)));
        self.push("frames of the racing environment", RacingPictures { cars }, &[scene, road], &outputs);
        Ok(outputs[2])
    }
}
