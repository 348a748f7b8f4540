//! Minibatches of images.

use super::{Graph, Node, Operation, Shape, Stage, ValueId};
use crate::plan::{Grid, Lowering, constants};
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

/// No inputs; reads the buffers `dataset.train` or `dataset.test` and `indices`.
#[derive(Debug)]
struct Gather(Binarize);

impl Operation for Gather {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
        let shape = lowering.shape(node.outputs[0]);
        let dataset = if node.stage == Stage::TrainInput { "dataset.train" } else { "dataset.test" };
        let streamed = lowering.streamed();
        lowering.dispatch_named(
            node,
            "gather",
            constants! {
                BATCH: shape.rows, COLUMNS: shape.stride() / 4, BINARIZE: self.0 as u32, STREAMED: streamed,
            },
            &[("images", dataset), ("indices", "indices")],
            &[("batch", node.outputs[0])],
            Grid::Elements(shape.length() / 4),
            shape.length(),
        );
    }
}

impl Graph {
    /// A minibatch of images, `[batch, pixels]`, gathered from the training or the held-out part as the program
    /// asks.
    pub fn minibatch(&mut self, batch: usize, pixels: usize, binarize: Binarize) -> ValueId {
        let images = self.add_value("images".into(), Shape::matrix(batch, pixels), false);
        for (stage, label) in [(Stage::TrainInput, "training images"), (Stage::TestInput, "held-out images")]
        {
            self.begin(stage);
            self.push(label, Gather(binarize), &[], &[images]);
        }
        images
    }
}
