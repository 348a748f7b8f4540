//! Sums over the rows of a matrix by fixed blocks, for the gradients of parameters that every row uses.

use crate::Result;
use crate::graph::{Gradients, Lowering, Node, Operation, Shape, ValueId};
use crate::kernels::kernel;
use crate::plan::{Grid, constants};

/// The most rows that one invocation adds.
const MOST: usize = 128;

/// Blocks of rows in which the kernel called `of` adds.
pub(super) fn blocks(of: &str, rows: usize) -> usize {
    rows.div_ceil(kernel(of).constant("BLOCK") as usize)
}

/// Inputs: a matrix, and another whose elements are factors, where `products` is set. Output: sums over blocks of rows.
#[derive(Debug)]
struct BlockSums {
    products: bool,
}

impl Operation for BlockSums {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let (values, partial) = (lowering.shape(node.inputs[0]), lowering.shape(node.outputs[0]));
        let mut bindings = vec![("values", node.inputs[0]), ("partial", node.outputs[0])];
        if self.products {
            bindings.push(("factors", node.inputs[1]));
        }
        lowering.dispatch(
            node,
            if self.products { "block_products" } else { "block_sums" },
            constants! { ROWS: values.length() / partial.stride(), COLUMNS: partial.stride() / 4 },
            &bindings,
            Grid::Elements(partial.length() / 4),
            values.length() * if self.products { 2 } else { 1 },
        )
    }
}

/// Inputs: sums over blocks, and the output where they are added to that. Outputs: the sum over all rows, and sums of ever
/// larger blocks on the way to it.
#[derive(Debug)]
struct AddBlocks {
    accumulate: bool,
}

impl Operation for AddBlocks {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let mut from = node.inputs[0];
        for &next in &node.outputs[1..] {
            let (values, partial) = (lowering.shape(from), lowering.shape(next));
            lowering.dispatch(
                node,
                "block_sums",
                constants! { ROWS: values.rows, COLUMNS: values.stride() / 4 },
                &[("values", from), ("partial", next)],
                Grid::Elements(partial.length() / 4),
                values.length(),
            )?;
            from = next;
        }
        let values = lowering.shape(from);
        lowering.dispatch(
            node,
            "add_blocks",
            constants! { ROWS: values.rows, COLUMNS: values.stride() / 4, ACCUMULATE: self.accumulate },
            &[("values", from), ("total", node.outputs[0])],
            Grid::Elements(values.stride() / 4),
            values.length(),
        )
    }
}

/// Add the rows of `partial`, one for each block, to `target`, which is as long as a row.
pub(super) fn add_blocks(
    gradients: &mut Gradients<'_>,
    label: &str,
    partial: ValueId,
    (target, accumulate): (ValueId, bool),
) {
    let shape = gradients.shape(partial);
    let (mut rows, mut outputs) = (shape.rows, vec![target]);
    while rows > MOST {
        rows = blocks("block_sums", rows);
        outputs.push(gradients.temporary(format!("{label}.blocks"), Shape { rows, ..shape }));
    }
    let inputs: Vec<ValueId> = [partial].into_iter().chain(accumulate.then_some(target)).collect();
    gradients.push(label.into(), AddBlocks { accumulate }, &inputs, &outputs);
}

/// Add the columns of `values`, each element times that of `factors` if there are any, to `target`: `values` lies in memory
/// as rows that are as long as `target`.
pub(super) fn add_rows(
    gradients: &mut Gradients<'_>,
    label: &str,
    (values, factors): (ValueId, Option<ValueId>),
    target: (ValueId, bool),
) {
    let (length, row) = (gradients.shape(values).length(), gradients.shape(target.0).length());
    let shape = Shape::matrix(blocks("block_sums", length / row), row);
    let partial = gradients.temporary(format!("{label}.partial"), shape);
    let inputs: Vec<ValueId> = [values].into_iter().chain(factors).collect();
    gradients.push(label.into(), BlockSums { products: factors.is_some() }, &inputs, &[partial]);
    add_blocks(gradients, label, partial, target);
}
