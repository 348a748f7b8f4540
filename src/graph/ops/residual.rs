//! Sums and products of values that are not all of one shape: residual connections, images and gains that are learned, and
//! gates of channels.

use super::blocks::add_rows;
use crate::graph::{Gradients, Graph, Init, Lowering, Node, Operation, Shape, Tensor, ValueId};
use crate::plan::{Grid, constants};
use crate::{Error, Result};

/// Inputs: x, other. Output: x + scale * other.
#[derive(Debug)]
struct AddScaled(f64);

impl Operation for AddScaled {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let [x, other] = node.inputs[..] else { return Ok(()) };
        gradients.share(x, upstream);
        if let Some(target) = gradients.target(other) {
            let label = format!("gradient of {}", gradients.name(other));
            gradients.push_into(label, Scaled { scale: self.0, accumulate: target.1 }, &[upstream], target);
        }
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let length = lowering.shape(node.outputs[0]).length();
        lowering.dispatch(
            node,
            "add_scaled",
            constants! { LENGTH: length / 4, SCALE: self.0 },
            &[("x", node.inputs[0]), ("other", node.inputs[1]), ("y", node.outputs[0])],
            Grid::Elements(length / 4),
            2 * length,
        )
    }
}

/// Input: a value. Output: scale times the value.
#[derive(Debug)]
pub(super) struct Scaled {
    pub(super) scale: f64,
    pub(super) accumulate: bool,
}

impl Operation for Scaled {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let length = lowering.shape(node.outputs[0]).length();
        lowering.dispatch(
            node,
            "scaled",
            constants! { LENGTH: length / 4, SCALE: self.scale, ACCUMULATE: self.accumulate },
            &[("other", node.inputs[0]), ("y", node.outputs[0])],
            Grid::Elements(length / 4),
            length,
        )
    }
}

/// Inputs: x, a parameter with one number for each element of an item. Output: their sum.
#[derive(Debug)]
struct AddImage;

impl Operation for AddImage {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let [x, image] = node.inputs[..] else { return Ok(()) };
        if let Some(target) = gradients.target(image) {
            let label = format!("gradient of {}", gradients.name(image));
            add_rows(gradients, &label, (upstream, None), target);
        }
        gradients.share(x, upstream);
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let (length, row) =
            (lowering.shape(node.outputs[0]).length(), lowering.shape(node.inputs[1]).length());
        lowering.dispatch(
            node,
            "add_row",
            constants! { LENGTH: length / 4, COLUMNS: row / 4 },
            &[("x", node.inputs[0]), ("row", node.inputs[1]), ("y", node.outputs[0])],
            Grid::Elements(length / 4),
            length,
        )
    }
}

/// Inputs: x, a parameter with one number for each channel. Output: their product.
#[derive(Debug)]
struct Gain;

impl Operation for Gain {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let [x, gain] = node.inputs[..] else { return Ok(()) };
        if let Some(target) = gradients.target(gain) {
            let label = format!("gradient of {}", gradients.name(gain));
            add_rows(gradients, &label, (upstream, Some(x)), target);
        }
        if let Some(target) = gradients.target(x) {
            let label = format!("gradient of {}", gradients.name(x));
            gradients.push_into(label, MultiplyRow { accumulate: target.1 }, &[upstream, gain], target);
        }
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        MultiplyRow { accumulate: false }.lower(node, lowering)
    }
}

/// The matrix `x` with each column multiplied by its number in `row`, `[1, columns]`.
pub(super) fn multiply_columns(graph: &mut Graph, name: &str, x: ValueId, row: ValueId) -> ValueId {
    let shape = graph.shape(x);
    graph.apply(name, Gain, &[x, row], shape)
}

/// Inputs: a matrix, a row. Output: the matrix times the row.
#[derive(Debug)]
struct MultiplyRow {
    accumulate: bool,
}

impl Operation for MultiplyRow {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let (length, row) =
            (lowering.shape(node.inputs[0]).length(), lowering.shape(node.inputs[1]).length());
        lowering.dispatch(
            node,
            "multiply_row",
            constants! { LENGTH: length / 4, COLUMNS: row / 4, ACCUMULATE: self.accumulate },
            &[("x", node.inputs[0]), ("row", node.inputs[1]), ("y", node.outputs[0])],
            Grid::Elements(length / 4),
            length,
        )
    }
}

/// Inputs: maps, one factor for each channel of each item. Output: their product.
#[derive(Debug)]
struct GateChannels;

impl Operation for GateChannels {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let [x, gate] = node.inputs[..] else { return Ok(()) };
        if let Some(target) = gradients.target(gate) {
            let label = format!("gradient of {}", gradients.name(gate));
            let operation = ItemProducts { accumulate: target.1 };
            gradients.push_into(label, operation, &[x, upstream], target);
        }
        if let Some(target) = gradients.target(x) {
            let label = format!("gradient of {}", gradients.name(x));
            gradients.push_into(label, MultiplyItems { accumulate: target.1 }, &[upstream, gate], target);
        }
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        MultiplyItems { accumulate: false }.lower(node, lowering)
    }
}

/// Inputs: maps, one factor for each channel of each item. Output: their product.
#[derive(Debug)]
struct MultiplyItems {
    accumulate: bool,
}

impl Operation for MultiplyItems {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let x = lowering.shape(node.inputs[0]);
        lowering.dispatch(
            node,
            "multiply_items",
            constants! {
                LENGTH: x.length() / 4, COLUMNS: x.stride() / 4, SPACE: x.pixels(), ACCUMULATE: self.accumulate,
            },
            &[("x", node.inputs[0]), ("gate", node.inputs[1]), ("y", node.outputs[0])],
            Grid::Elements(x.length() / 4),
            x.length(),
        )
    }
}

/// Inputs: maps, others of the same shape. Output: the sum over pixels of their products.
#[derive(Debug)]
struct ItemProducts {
    accumulate: bool,
}

impl Operation for ItemProducts {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let x = lowering.shape(node.inputs[0]);
        lowering.dispatch(
            node,
            "item_products",
            constants! {
                LENGTH: x.length() / 4, COLUMNS: x.stride() / 4, SPACE: x.pixels(), ACCUMULATE: self.accumulate,
            },
            &[("x", node.inputs[0]), ("other", node.inputs[1]), ("gate_gradient", node.outputs[0])],
            Grid::Workgroups(x.items() * x.stride() / 4),
            2 * x.length(),
        )
    }
}

impl Graph {
    /// x + scale * other, of equal shapes: a residual connection.
    ///
    /// # Errors
    /// [`Error::Shape`] if their shapes differ.
    pub fn add_scaled(&mut self, name: &str, x: ValueId, other: ValueId, scale: f64) -> Result<ValueId> {
        let (shape, of_other) = (self.shape(x), self.shape(other));
        if shape != of_other {
            return Err(Error::shape(name, format!("{shape} and {of_other} cannot be added")));
        }
        Ok(self.apply(name, AddScaled(scale), &[x, other], shape))
    }

    /// `x` with a learned image added to each item (VDVAE's bias of a resolution): the tensor `NAME` is `[channels, height,
    /// width]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` has sections, or the table holds a tensor of this name and another size.
    pub fn add_image(&mut self, name: &str, x: ValueId, init: Init) -> Result<ValueId> {
        let shape = plain(self, name, x)?;
        let ([height, width], row) = (shape.space, shape.stride());
        let tensor = Tensor {
            name: name.into(),
            shape: vec![shape.columns, height, width],
            dimensions: vec![(shape.columns, 1), (height, width * row), (width, row)],
            offset: 0,
            init,
        };
        let image = self.parameter(name, Shape::maps(1, shape.space, shape.columns), vec![tensor])?;
        Ok(self.apply(format!("{name}.sum"), AddImage, &[x, image], shape))
    }

    /// `x`, `[rows, columns]`, less the bias of the layer called `layer`, which has as many outputs: the first step of a sparse
    /// autoencoder, whose decoder adds it again.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` has sections, or the table holds a bias of another size.
    pub fn subtract_bias(&mut self, name: &str, x: ValueId, layer: &str) -> Result<ValueId> {
        let shape = plain(self, name, x)?;
        let bias = format!("{layer}.bias");
        let tensor = Tensor {
            name: bias.clone(),
            shape: vec![shape.columns],
            dimensions: vec![(shape.columns, 1)],
            offset: 0,
            init: Init::Constant(0.0),
        };
        let bias = self.parameter(&bias, Shape::matrix(1, shape.columns), vec![tensor])?;
        let negative = self.affine(&format!("{name}.negative"), x, -1.0, 0.0);
        let sum = self.apply(format!("{name}.sum"), AddImage, &[negative, bias], shape);
        Ok(self.affine(name, sum, -1.0, 0.0))
    }

    /// `x` with a learned number added to each channel: the tensor `NAME` is `[channels]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` has sections, or the table holds a tensor of this name and another size.
    pub fn add_to_channels(&mut self, name: &str, x: ValueId, init: Init) -> Result<ValueId> {
        let shape = plain(self, name, x)?;
        let row = of_channels(self, name, shape.columns, init)?;
        Ok(self.apply(format!("{name}.sum"), AddImage, &[x, row], shape))
    }

    /// `x` with each channel multiplied by a learned number: the tensor `NAME` is `[channels]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` has sections, or the table holds a tensor of this name and another size.
    pub fn multiply_channels(&mut self, name: &str, x: ValueId, init: Init) -> Result<ValueId> {
        let shape = plain(self, name, x)?;
        let row = of_channels(self, name, shape.columns, init)?;
        Ok(self.apply(format!("{name}.product"), Gain, &[x, row], shape))
    }

    /// The maps `x` with each channel of each item multiplied by its number in `gate`, `[items, channels]`: the last step of
    /// squeeze and excitation (Hu, Shen and Sun, arXiv 1709.01507).
    ///
    /// # Errors
    /// [`Error::Shape`] if the two do not fit together.
    pub fn gate_channels(&mut self, name: &str, x: ValueId, gate: ValueId) -> Result<ValueId> {
        let (shape, of_gate) = (plain(self, name, x)?, self.shape(gate));
        if of_gate != Shape::matrix(shape.items(), shape.columns) {
            return Err(Error::shape(name, format!("maps {shape} and gate {of_gate} do not fit together")));
        }
        Ok(self.apply(name, GateChannels, &[x, gate], shape))
    }
}

/// The shape of `x`, which must have no sections.
fn plain(graph: &Graph, name: &str, x: ValueId) -> Result<Shape> {
    let shape = graph.shape(x);
    if shape.sections != 1 {
        return Err(Error::shape(name, format!("{shape} has sections")));
    }
    Ok(shape)
}

/// A parameter with one number for each channel.
fn of_channels(graph: &mut Graph, name: &str, channels: usize, init: Init) -> Result<ValueId> {
    let tensor =
        Tensor { name: name.into(), shape: vec![channels], dimensions: vec![(channels, 1)], offset: 0, init };
    graph.parameter(name, Shape::matrix(1, channels), vec![tensor])
}
