//! Minibatches of images.

use crate::Result;
use crate::graph::{Graph, Lowering, Node, Operation, Shape, ValueId};
use crate::plan::{Grid, constants};
use serde::{Deserialize, Serialize};

/// What becomes of grey pixels before a model sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Binarize {
    /// Numbers from 0 to 1. A Bernoulli likelihood of grey pixels is not a likelihood of anything.
    None,
    /// 1 from byte 128 on, else 0.
    Threshold,
    /// Each pixel drawn once, 1 with probability byte / 255.
    Static,
    /// The same, drawn afresh each time an image is used.
    Dynamic,
}

impl std::fmt::Display for Binarize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Threshold => "threshold",
            Self::Static => "static",
            Self::Dynamic => "dynamic",
        })
    }
}

/// No inputs; reads the images of the program's source.
#[derive(Debug)]
struct Gather(Binarize);

impl Operation for Gather {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let shape = lowering.shape(node.outputs[0]);
        let [images, indices] = lowering.dataset(shape)?.map(|buffer| lowering.bind_buffer(buffer));
        let batch = lowering.bind(node.outputs[0])?;
        let constants = constants! {
            BATCH: shape.rows, COLUMNS: shape.stride() / 4, BINARIZE: self.0 as u32, STREAMED: lowering.streamed(),
        };
        let bindings = [("images", images), ("indices", indices), ("batch", batch)];
        let grid = Grid::Elements(shape.length() / 4);
        lowering.add(node.label.clone(), "gather", constants, &bindings, grid, shape.length())
    }
}

impl Graph {
    /// A minibatch of images, `[batch, pixels]`, gathered from the part of the dataset that the program's source names.
    pub fn minibatch(&mut self, batch: usize, pixels: usize, binarize: Binarize) -> ValueId {
        self.apply("images", Gather(binarize), &[], Shape::matrix(batch, pixels))
    }
}
