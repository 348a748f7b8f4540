//! Minibatches of the dataset's columns.

use crate::graph::{Graph, Lowering, Node, Operation, Shape, ValueId};
use crate::plan::{Element, Grid, constants};
use crate::{Error, Result};
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

/// What a column of the dataset holds, and how a model sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnKind {
    /// Bytes: as numbers from 0 to 1, or as 0 and 1.
    Bytes(Binarize),
    /// Reals, as they are.
    Reals,
    /// Words, as numbers: exact up to 2^24.
    Words,
}

/// The images of a minibatch that are mirrored left to right, each with probability 1/2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// Pixels in a row of an image.
    pub width: usize,
    /// Values of a pixel.
    pub channels: usize,
}

/// No inputs; reads a column of the program's source.
#[derive(Debug)]
struct Gather {
    column: String,
    kind: ColumnKind,
    /// In training only.
    mirror: Option<Mirror>,
}

impl Operation for Gather {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let shape = lowering.shape(node.outputs[0]);
        let mirror = self.mirror.filter(|_| lowering.trains());
        let (kernel, variable, element) = match self.kind {
            ColumnKind::Bytes(_) if mirror.is_some() => ("gather_mirrored", "images", Element::Bytes),
            ColumnKind::Bytes(_) => ("gather", "images", Element::Bytes),
            ColumnKind::Reals => ("gather_reals", "reals", Element::Real),
            ColumnKind::Words => ("gather_words", "words", Element::Word),
        };
        let [column, indices] =
            lowering.dataset(&self.column, element, shape)?.map(|buffer| lowering.bind_buffer(buffer));
        let batch = lowering.bind(node.outputs[0])?;
        let mut constants =
            constants! { BATCH: shape.rows, COLUMNS: shape.stride() / 4, STREAMED: lowering.streamed() };
        if let ColumnKind::Bytes(binarize) = self.kind {
            constants.extend(constants! { BINARIZE: binarize as u32 });
        }
        if let Some(Mirror { width, channels }) = mirror {
            constants.extend(constants! {
                MIRROR_WIDTH: width, MIRROR_CHANNELS: channels, MIRROR_LENGTH: shape.columns,
            });
        }
        let bindings = [(variable, column), ("indices", indices), ("batch", batch)];
        let grid = Grid::Elements(shape.length() / 4);
        lowering.add(node.label.clone(), kernel, constants, &bindings, grid, shape.length())
    }
}

impl Graph {
    /// A minibatch of the dataset's column `name`, `[batch, columns]`: an item a row, gathered from the part of the
    /// dataset that the program's source names. All columns of a program are gathered by the same list of indices.
    pub fn column(&mut self, name: &str, batch: usize, columns: usize, kind: ColumnKind) -> ValueId {
        self.apply(
            name,
            Gather { column: name.into(), kind, mirror: None },
            &[],
            Shape::matrix(batch, columns),
        )
    }

    /// A minibatch of images, `[batch, pixels]`: the column `images`. Programs that gather training images mirror some of
    /// them.
    ///
    /// # Errors
    /// [`Error::Shape`] if images to mirror have no whole rows.
    pub fn minibatch(
        &mut self,
        batch: usize,
        pixels: usize,
        binarize: Binarize,
        mirror: Option<Mirror>,
    ) -> Result<ValueId> {
        if let Some(Mirror { width, channels }) = mirror
            && (width * channels == 0 || !pixels.is_multiple_of(width * channels))
        {
            let problem =
                format!("{pixels} values are not rows of {width} pixels with {channels} values each");
            return Err(Error::shape("images", problem));
        }
        let gather = Gather { column: "images".into(), kind: ColumnKind::Bytes(binarize), mirror };
        Ok(self.apply("images", gather, &[], Shape::matrix(batch, pixels)))
    }
}
