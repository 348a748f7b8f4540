//! Units that have long been 0.

use crate::graph::{Gradients, Graph, Init, Lowering, Node, Operation, Shape, ValueId};
use crate::plan::{Grid, constants};
use crate::{Error, Result};

/// Inputs: codes, steps since each unit was last above 0. Output: these, changed in place.
#[derive(Debug)]
struct CountIdle;

impl Operation for CountIdle {
    fn carries(&self, _: usize, _: usize) -> bool {
        false
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let shape = lowering.shape(node.inputs[0]);
        lowering.dispatch(
            node,
            "count_idle",
            constants! { COLUMNS: shape.stride() / 4 },
            &[("code", node.inputs[0]), ("idle", node.outputs[0])],
            Grid::Elements(shape.stride() / 4),
            shape.length(),
        )
    }
}

/// Inputs: a matrix, steps since each column was last above 0. Output: the columns that have been so for long.
#[derive(Debug)]
struct IdleOnly(usize);

impl Operation for IdleOnly {
    fn carries(&self, input: usize, _: usize) -> bool {
        input == 0
    }

    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let Some(target) = gradients.target(node.inputs[0]) else { return Ok(()) };
        let label = format!("gradient of {} through idle units", gradients.name(node.inputs[0]));
        let operation = IdleOnlyGradient { after: self.0, accumulate: target.1 };
        gradients.push_into(label, operation, &[upstream, node.inputs[1]], target);
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        idle_only(node, lowering, self.0, false)
    }
}

/// Inputs: the upstream gradient, steps. Output: the gradient of the matrix.
#[derive(Debug)]
struct IdleOnlyGradient {
    after: usize,
    accumulate: bool,
}

impl Operation for IdleOnlyGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        idle_only(node, lowering, self.after, self.accumulate)
    }
}

fn idle_only(node: &Node, lowering: &mut Lowering<'_>, after: usize, accumulate: bool) -> Result<()> {
    let shape = lowering.shape(node.outputs[0]);
    lowering.dispatch(
        node,
        "idle_only",
        constants! {
            LENGTH: shape.length() / 4, COLUMNS: shape.stride() / 4, AFTER: after, ACCUMULATE: accumulate,
        },
        &[("input", node.inputs[0]), ("idle_read", node.inputs[1]), ("output", node.outputs[0])],
        Grid::Elements(shape.length() / 4),
        shape.length(),
    )
}

impl Graph {
    /// Count, in training, the steps since each unit of `code`, `[batch, units]`, was last above 0 for an image: the state
    /// `NAME`, which this returns, `[1, units]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the state is there with another size.
    pub fn count_idle(&mut self, name: &str, code: ValueId) -> Result<ValueId> {
        let state = self.state(name, Shape::matrix(1, self.shape(code).columns), Init::Constant(0.0))?;
        let now = self.latest(state);
        let updated = self.alias(&format!("{name}.updated"), now);
        self.push(name, CountIdle, &[code, now], &[updated]);
        self.add_update(updated);
        Ok(updated)
    }

    /// `x`, `[batch, units]`, with 0 in place of units whose number in `idle`, `[1, units]`, is below `after`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the two do not fit together.
    pub fn idle_only(&mut self, name: &str, x: ValueId, idle: ValueId, after: usize) -> Result<ValueId> {
        let (shape, of_idle) = (self.shape(x), self.shape(idle));
        if of_idle != Shape::matrix(1, shape.columns) {
            return Err(Error::shape(name, format!("{shape} and {of_idle} do not fit together")));
        }
        Ok(self.apply(name, IdleOnly(after), &[x, idle], shape))
    }
}
