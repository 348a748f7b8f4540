//! Images as a denoising autoencoder sees them.

use crate::Result;
use crate::graph::{Graph, Lowering, Node, Operation, ValueId};
use crate::plan::{Grid, constants};
use crate::random::stream;
use serde::{Deserialize, Serialize};

/// How the pixels of images are corrupted; how much, the step's number `corruption` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Corruption {
    /// Each pixel is 0 with this probability (Vincent et al. 2008, section 2.3).
    #[default]
    Masking,
    /// Each pixel gets normal noise of this standard deviation (Vincent et al. 2010, section 3.3).
    Gaussian,
    /// Each pixel becomes 0 or 1, one as often as the other, with this probability (the same).
    SaltAndPepper,
}

impl std::fmt::Display for Corruption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Masking => "masking",
            Self::Gaussian => "gaussian",
            Self::SaltAndPepper => "salt-and-pepper",
        })
    }
}

/// Input: images. Output: the same, corrupted.
#[derive(Debug)]
struct Corrupt {
    kind: Corruption,
    /// Index of the step's number `corruption`.
    number: usize,
}

impl Operation for Corrupt {
    fn carries(&self, _: usize, _: usize) -> bool {
        false
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let shape = lowering.shape(node.outputs[0]);
        lowering.dispatch(
            node,
            "corrupt",
            constants! {
                BATCH: shape.rows, COLUMNS: shape.stride() / 4, WIDTH: shape.columns,
                CORRUPTION: self.kind as u32, NUMBER: self.number, STREAM: stream::CORRUPTION,
            },
            &[("images", node.inputs[0]), ("corrupted", node.outputs[0])],
            Grid::Elements(shape.length() / 4),
            // Ten rounds of Philox are some 100 integer operations, not counted.
            2 * shape.length(),
        )
    }
}

impl Graph {
    /// `images`, `[batch, pixels]`, corrupted: as much as the step's number `corruption` says, anew in each step. At 0 they
    /// are the images, bit for bit.
    ///
    /// # Errors
    /// [`crate::Error::Internal`] if a step has no room for the number.
    pub fn corrupt(&mut self, images: ValueId, kind: Corruption) -> Result<ValueId> {
        let (shape, number) = (self.shape(images), self.number("corruption")?);
        Ok(self.apply("images.corrupted", Corrupt { kind, number }, &[images], shape))
    }
}
