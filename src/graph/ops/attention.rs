//! Attention over the positions of maps, and the products of each item's matrices that it is made of.

use crate::graph::{Gradients, Graph, Lowering, Node, Operation, Shape, ValueId};
use crate::plan::{Grid, constants};
use crate::{Error, Result};

/// Which operand's rows the sum runs along: see `shaders/products.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    Nt,
    Nn,
    Tn,
}

/// Inputs: a, b. Output: SCALE times the product of both matrices of each item.
#[derive(Debug)]
struct ItemProduct {
    layout: Layout,
    scale: f64,
}

impl Operation for ItemProduct {
    /// Of C = s A Bᵀ: dA = s dC B, dB = s dCᵀ A. Of C = s A B: dA = s dC Bᵀ, dB = s Aᵀ dC.
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let [a, b] = node.inputs[..] else { return Ok(()) };
        let transposed = self.layout == Layout::Nt;
        let of_a = (a, if transposed { Layout::Nn } else { Layout::Nt }, [upstream, b]);
        let of_b = (b, Layout::Tn, if transposed { [upstream, a] } else { [a, upstream] });
        for (value, layout, operands) in [of_a, of_b] {
            if let Some(target) = gradients.target(value) {
                let label = format!("gradient of {}", gradients.name(value));
                let operation = ItemProductGradient { layout, scale: self.scale, accumulate: target.1 };
                gradients.push_into(label, operation, &operands, target);
            }
        }
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        multiply(node, lowering, self.layout, self.scale, false)
    }
}

/// The same, added to the output where `accumulate` is set.
#[derive(Debug)]
struct ItemProductGradient {
    layout: Layout,
    scale: f64,
    accumulate: bool,
}

impl Operation for ItemProductGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        multiply(node, lowering, self.layout, self.scale, self.accumulate)
    }
}

fn multiply(
    node: &Node,
    lowering: &mut Lowering<'_>,
    layout: Layout,
    scale: f64,
    accumulate: bool,
) -> Result<()> {
    let (a, output) = (lowering.shape(node.inputs[0]), lowering.shape(node.outputs[0]));
    let (kernel, operands, inner) = match layout {
        Layout::Nt => ("products_nt", ["a_elements", "b_elements"], a.columns),
        Layout::Nn => ("products_nn", ["a_elements", "b"], a.columns),
        Layout::Tn => ("products_tn", ["a", "b"], a.pixels()),
    };
    let (items, rows, columns) = (output.items(), output.pixels(), output.stride() / 4);
    lowering.dispatch(
        node,
        kernel,
        constants! {
            ROWS: rows, COLUMNS: columns, WIDTH: output.columns, INNER: inner, SCALE: scale, ACCUMULATE: accumulate,
        },
        &[(operands[0], node.inputs[0]), (operands[1], node.inputs[1]), ("output", node.outputs[0])],
        Grid::ItemTiles { items, rows, columns },
        2 * output.rows * output.columns * inner,
    )
}

impl Graph {
    /// Attention over positions, with one head: softmax(q kᵀ / √c) v of each item, whose matrices q, k and v have a row of `c`
    /// channels for each pixel. Every pixel of the output is a mean of `v` over all pixels of its item.
    ///
    /// # Errors
    /// [`Error::Shape`] if the three are not maps of equal shape, or have too many pixels or channels.
    pub fn attention(&mut self, name: &str, q: ValueId, k: ValueId, v: ValueId) -> Result<ValueId> {
        /// The most terms of a sum: some drivers end a loop after 65,535 turns.
        const MOST: usize = 32_000;
        let shape = self.shape(q);
        if shape.sections != 1
            || shape.length() == 0
            || [k, v].iter().any(|&value| self.shape(value) != shape)
        {
            let (k, v) = (self.shape(k), self.shape(v));
            return Err(Error::shape(
                name,
                format!("queries {shape}, keys {k} and values {v} do not fit together"),
            ));
        }
        if shape.pixels().max(shape.columns) > MOST {
            let problem = format!("{shape} has more than {MOST} pixels or channels");
            return Err(Error::shape(name, problem));
        }
        let all = Shape { columns: shape.pixels(), ..shape };
        let scale = 1.0 / (shape.columns as f64).sqrt();
        let scores =
            self.apply(format!("{name}.scores"), ItemProduct { layout: Layout::Nt, scale }, &[q, k], all);
        let weights = self.softmax(&format!("{name}.weights"), scores)?;
        Ok(self.apply(name, ItemProduct { layout: Layout::Nn, scale: 1.0 }, &[weights, v], shape))
    }
}
