//! Weights whose columns have length 1.

use crate::graph::{Graph, Lowering, Node, Operation, Storage, ValueId};
use crate::plan::{Grid, constants};
use crate::{Error, Result};

/// Inputs: the gradient of a weight, the weight. Output: the gradient, changed in place.
#[derive(Debug)]
struct ProjectColumns;

impl Operation for ProjectColumns {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let shape = lowering.shape(node.inputs[1]);
        lowering.dispatch(
            node,
            "project_columns",
            constants! { ROWS: shape.rows, COLUMNS: shape.stride() / 4 },
            &[("gradient", node.outputs[0]), ("saved", node.inputs[1])],
            Grid::Elements(shape.stride() / 4),
            7 * shape.length(),
        )
    }
}

/// Input: the parameters of a group, of which this is one. Output: these, changed in place.
#[derive(Debug)]
struct UnitColumns(ValueId);

impl Operation for UnitColumns {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let shape = lowering.shape(self.0);
        lowering.dispatch(
            node,
            "unit_columns",
            constants! { ROWS: shape.rows, COLUMNS: shape.stride() / 4 },
            &[("weight", self.0)],
            Grid::Elements(shape.stride() / 4),
            3 * shape.length(),
        )
    }
}

impl Graph {
    /// Take from the gradient of the parameter `weight`, `[out, in]`, the part along each column: for weights whose columns
    /// keep their length. Between [`Graph::differentiate`] and [`Graph::step`].
    ///
    /// # Errors
    /// [`Error::Internal`] if it is no parameter with a gradient.
    pub fn project_columns(&mut self, weight: ValueId) -> Result<()> {
        let missing = || Error::Internal("a weight to project on has no gradient".into());
        let Storage::Parameter(block) = self.value(weight).storage else { return Err(missing()) };
        let gradient = self.gradients.get(&block).copied().ok_or_else(missing)?;
        let name = format!("{}.projected", self.value(gradient).name);
        let projected = self.alias(&name, gradient);
        self.push(name, ProjectColumns, &[gradient, weight], &[projected]);
        self.gradients.insert(block, projected);
        Ok(())
    }

    /// Divide each column of the parameter `weight`, `[out, in]`, by its length, after [`Graph::step`] has moved its group.
    ///
    /// # Errors
    /// [`Error::Internal`] if nothing has moved it.
    pub fn unit_columns(&mut self, weight: ValueId) -> Result<()> {
        let missing = || Error::Internal("a weight of unit columns is not trained".into());
        let Storage::Parameter(block) = self.value(weight).storage else { return Err(missing()) };
        let group = Storage::Group(self.tensors.group_of(block));
        let moved = self.updates.iter().rev().find(|&&value| self.value(self.root(value)).storage == group);
        let moved = *moved.ok_or_else(missing)?;
        let name = format!("{}.unit", self.value(weight).name);
        let unit = self.alias(&name, moved);
        self.push(name, UnitColumns(weight), &[moved], &[unit]);
        self.add_update(unit);
        Ok(())
    }
}
