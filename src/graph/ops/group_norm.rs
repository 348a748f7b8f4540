//! Group normalisation (Wu and He, arXiv 1803.08494) as PyTorch's `GroupNorm`.

use super::batch_norm::scale;
use super::blocks::{add_blocks, blocks};
use crate::graph::{Activation, Gradients, Graph, Lowering, Node, Operation, Shape, ValueId};
use crate::plan::{Grid, constants};
use crate::{Error, Result};
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug)]
struct Groups {
    shape: Shape,
    groups: usize,
}

impl Groups {
    fn constants(self) -> BTreeMap<&'static str, f64> {
        constants! {
            ITEMS: self.shape.items(), SPACE: self.shape.pixels(), CHANNELS: self.shape.columns,
            STRIDE: self.shape.stride(), GROUPS: self.groups,
        }
    }

    /// The same for kernels that can apply an activation. Only a fusion pass chooses one.
    fn with_activation(self) -> BTreeMap<&'static str, f64> {
        let mut constants = self.constants();
        constants.extend(constants! { ACTIVATION: Activation::Identity.number() });
        constants
    }

    /// One for each item.
    fn count(self) -> usize {
        self.shape.items() * self.groups
    }

    fn values(self) -> usize {
        self.shape.rows * self.shape.columns
    }

    /// Two numbers of each group of each item.
    fn pairs(self) -> Shape {
        Shape::with_sections(self.shape.items(), self.groups, 2)
    }
}

/// Input: x. Output: the mean of each group of each item, and 1 over its standard deviation.
#[derive(Debug)]
struct GroupMoments {
    groups: Groups,
    epsilon: f64,
}

impl Operation for GroupMoments {
    /// The derivative rule of [`GroupNorm`] goes through the moments too.
    fn carries(&self, _: usize, _: usize) -> bool {
        false
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let mut constants = self.groups.constants();
        constants.extend(constants! { EPSILON: self.epsilon });
        lowering.dispatch(
            node,
            "group_moments",
            constants,
            &[("x", node.inputs[0]), ("moments", node.outputs[0])],
            Grid::Workgroups(self.groups.count()),
            5 * self.groups.values(),
        )
    }
}

/// Inputs: x, moments, scale (weight and bias). Output: y.
#[derive(Debug)]
struct GroupNorm(Groups);

impl Operation for GroupNorm {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let [x, moments, scale] = node.inputs[..] else { return Ok(()) };
        if let Some(target) = gradients.target(scale) {
            let label = format!("gradient of {}", gradients.name(scale));
            let rows = blocks("group_norm_scale", self.0.shape.rows);
            let shape = Shape { rows, ..gradients.shape(scale) };
            let partial = gradients.temporary(format!("{label}.partial"), shape);
            gradients.push(label.clone(), ScaleGradient(self.0), &[x, upstream, moments, scale], &[partial]);
            add_blocks(gradients, &label, partial, target);
        }
        if let Some(target) = gradients.target(x) {
            let label = format!("gradient of {}", gradients.name(x));
            let sums = gradients.temporary(format!("{label}.sums"), self.0.pairs());
            let inputs = [x, upstream, moments, scale];
            gradients.push(label.clone(), Sums(self.0), &inputs, &[sums]);
            let operation = InputGradient { groups: self.0, accumulate: target.1 };
            gradients.push_into(label, operation, &[x, upstream, moments, scale, sums], target);
        }
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        lowering.dispatch(
            node,
            "group_norm",
            self.0.with_activation(),
            &[
                ("x", node.inputs[0]),
                ("saved", node.inputs[1]),
                ("scale", node.inputs[2]),
                ("y", node.outputs[0]),
            ],
            Grid::Elements(self.0.shape.length()),
            4 * self.0.values(),
        )
    }
}

/// Inputs: x, dy, moments, scale. Output: sums over blocks of rows of dy * normalised and of dy.
#[derive(Debug)]
struct ScaleGradient(Groups);

impl Operation for ScaleGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let blocks = lowering.shape(node.outputs[0]).rows;
        lowering.dispatch(
            node,
            "group_norm_scale",
            self.0.with_activation(),
            &[
                ("x", node.inputs[0]),
                ("y_gradient", node.inputs[1]),
                ("saved", node.inputs[2]),
                ("scale", node.inputs[3]),
                ("partial", node.outputs[0]),
            ],
            Grid::Elements(blocks * self.0.shape.stride()),
            5 * self.0.values(),
        )
    }
}

/// Inputs: x, dy, moments, scale. Output: the means of dy * weight and of dy * weight * normalised over each group.
#[derive(Debug)]
struct Sums(Groups);

impl Operation for Sums {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        lowering.dispatch(
            node,
            "group_norm_sums",
            self.0.with_activation(),
            &[
                ("x", node.inputs[0]),
                ("y_gradient", node.inputs[1]),
                ("saved", node.inputs[2]),
                ("scale", node.inputs[3]),
                ("sums", node.outputs[0]),
            ],
            Grid::Workgroups(self.0.count()),
            6 * self.0.values(),
        )
    }
}

/// Inputs: x, dy, moments, scale, both means. Output: dx.
#[derive(Debug)]
struct InputGradient {
    groups: Groups,
    accumulate: bool,
}

impl Operation for InputGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let mut constants = self.groups.with_activation();
        constants.extend(constants! { ACCUMULATE: self.accumulate });
        lowering.dispatch(
            node,
            "group_norm_gradient",
            constants,
            &[
                ("x", node.inputs[0]),
                ("y_gradient", node.inputs[1]),
                ("saved", node.inputs[2]),
                ("scale", node.inputs[3]),
                ("means", node.inputs[4]),
                ("x_gradient", node.outputs[0]),
            ],
            Grid::Elements(self.groups.shape.length()),
            7 * self.groups.values(),
        )
    }
}

impl Graph {
    /// Group normalisation of `x`, a matrix or maps: the channels of an item form `groups` groups, and each group has the
    /// mean and variance of its values over all pixels of the item, y = (x - mean) / sqrt(variance + epsilon) * weight +
    /// bias, as PyTorch's `GroupNorm`. One group is layer normalisation. The tensors are `NAME.weight` and `NAME.bias`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` has sections, `groups` do not divide its channels or have too many numbers, or the table holds a layer of this name and
    /// another size.
    pub fn group_norm(&mut self, name: &str, x: ValueId, groups: usize, epsilon: f64) -> Result<ValueId> {
        let shape = self.shape(x);
        if shape.sections != 1 || groups == 0 || !shape.columns.is_multiple_of(groups) {
            return Err(Error::shape(
                name,
                format!("no group normalisation of {shape} with {groups} groups"),
            ));
        }
        /// The most numbers of a group: a lane of a workgroup may add 32,000 of them, twice.
        const MOST: usize = 256 * 32_000;
        let count = shape.pixels() * shape.columns / groups;
        if count > MOST {
            let problem =
                format!("a group of {shape} has {count} numbers, and may have {MOST}; use more groups");
            return Err(Error::shape(name, problem));
        }
        let scale = scale(self, name, shape.columns)?;
        let groups = Groups { shape, groups };
        let moments = format!("{name}.moments");
        let moments = self.apply(moments, GroupMoments { groups, epsilon }, &[x], groups.pairs());
        Ok(self.apply(name, GroupNorm(groups), &[x, moments, scale], shape))
    }
}
