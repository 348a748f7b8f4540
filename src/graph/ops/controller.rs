//! Controllers: a small network for each row, whose weights a search finds.

use crate::graph::{Graph, Lowering, Node, Operation, Shape, ValueId};
use crate::plan::{Grid, constants};
use crate::{Error, Result};

/// Actions of a controller.
const ACTIONS: usize = 3;

/// Inputs: features, weights. Output: actions.
#[derive(Debug)]
struct Controller {
    /// Units of the hidden layer; 0 for none.
    hidden: usize,
}

impl Operation for Controller {
    fn carries(&self, _: usize, _: usize) -> bool {
        false
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let [features, weights] = [0, 1].map(|input| lowering.shape(node.inputs[input]));
        let actions = lowering.shape(node.outputs[0]);
        lowering.dispatch(
            node,
            "controller",
            constants! {
                CARS: actions.rows, FEATURES: features.columns, FEATURE_STRIDE: features.stride(),
                WEIGHT_STRIDE: weights.stride(), HIDDEN: self.hidden, ACTIONS: ACTIONS,
                ACTION_STRIDE: actions.stride(),
            },
            &[("features", node.inputs[0]), ("weights", node.inputs[1]), ("actions", node.outputs[0])],
            Grid::Elements(actions.length()),
            2 * weights.length(),
        )
    }
}

/// Weights of a controller of `features` numbers: 3 + 3 features without a hidden layer; with one of n units
/// n + n features and 3 + 3 n.
pub fn controller_weights(features: usize, hidden: Option<usize>) -> usize {
    match hidden {
        None => ACTIONS * (features + 1),
        Some(hidden) => hidden * (features + 1) + ACTIONS * (hidden + 1),
    }
}

impl Graph {
    /// The three actions of each car, `[cars, 3]`, each from -1 to 1: tanh(b + f W) of its `features` f, `[cars, f]`, with weights of
    /// its own, `[cars, w]`: the biases b, then W row by row, `[f, 3]` (Ha and Schmidhuber 2018, arXiv 1803.10122). With `hidden` units
    /// in between these come first: their biases and their weights, `[f, hidden]`; then the biases of the actions and their weights,
    /// `[hidden, 3]`. [`controller_weights`] gives w. There are no gradients: the weights are searched.
    ///
    /// # Errors
    /// [`Error::Shape`] if the weights are not as many, or not of as many cars.
    pub fn controller(
        &mut self,
        features: ValueId,
        weights: ValueId,
        hidden: Option<usize>,
    ) -> Result<ValueId> {
        let (f, w) = (self.shape(features), self.shape(weights));
        let wanted = Shape::matrix(f.rows, controller_weights(f.columns, hidden));
        if w != wanted || hidden == Some(0) || f.sections != 1 {
            let problem = format!("a controller of features {f} has weights {wanted}, not {w}");
            return Err(Error::shape("controller", problem));
        }
        let operation = Controller { hidden: hidden.unwrap_or(0) };
        Ok(self.apply("actions", operation, &[features, weights], Shape::matrix(f.rows, ACTIONS)))
    }
}
