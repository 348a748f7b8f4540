//! Long short-term memory (Hochreiter and Schmidhuber 1997) over whole sequences: a scan, not a node a step.

use super::linear::add_weight_gradient;
use crate::graph::shape::padded;
use crate::graph::{Gradients, Graph, Init, Lowering, Node, Operation, Shape, Tensor, ValueId};
use crate::plan::{Grid, constants};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::ops::Range;

/// Steps of a dispatch: few enough that no driver takes it for hung.
const WINDOW: usize = 32;
/// Sequences of a workgroup.
const SEQUENCES: usize = 4;
/// The most units: workgroups hold two numbers of each, for each of their sequences.
const MOST: usize = 512;

/// A long short-term memory's sizes, and where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lstm {
    /// Units.
    pub hidden: usize,
    /// Steps of each sequence.
    pub steps: usize,
    /// h and c before the first step, `[batch, 2, hidden]`; without them zeros. No gradient reaches them.
    pub carry: Option<ValueId>,
}

/// What a long short-term memory gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LstmOutput {
    /// h after each step, `[batch * steps, hidden]`.
    pub h: ValueId,
    /// h and c after the last step, `[batch, 2, hidden]`: a constant for gradients.
    pub carry: ValueId,
}

/// The sizes that kernels ask for.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    batch: usize,
    steps: usize,
    hidden: usize,
    carry: bool,
}

impl Sizes {
    fn constants(self, window: &Range<usize>) -> BTreeMap<&'static str, f64> {
        constants! {
            BATCH: self.batch, STEPS: self.steps, BEGIN: window.start, END: window.end, HIDDEN: self.hidden,
            STRIDE: padded(self.hidden), CARRY: self.carry,
        }
    }

    /// Steps of each dispatch, in order.
    fn windows(self) -> impl DoubleEndedIterator<Item = Range<usize>> {
        let steps = self.steps;
        (0..steps.div_ceil(WINDOW)).map(move |window| window * WINDOW..steps.min((window + 1) * WINDOW))
    }

    fn grid(self) -> Grid {
        Grid::Workgroups(self.batch.div_ceil(SEQUENCES))
    }

    /// Operations of a window.
    fn flops(self, window: &Range<usize>) -> usize {
        self.batch * window.len() * self.hidden * (8 * self.hidden + 30)
    }
}

/// Inputs: the gates' arguments without the recurrent product, recurrent weight, and the carry where there is one. Outputs: h,
/// the carry after the last step, cells, activated gates in the place of their arguments, h before each step, and the weight
/// in another order.
#[derive(Debug)]
struct LstmScan(Sizes);

const H: usize = 0;
const CARRY: usize = 1;
const CELLS: usize = 2;
const GATES: usize = 3;
const BEFORE: usize = 4;
const PACKED: usize = 5;

impl Operation for LstmScan {
    fn carries(&self, input: usize, output: usize) -> bool {
        input < 2 && output == H
    }

    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[H]) else { return Ok(()) };
        let [arguments, weight, ref carry @ ..] = node.inputs[..] else { return Ok(()) };
        let name = gradients.name(node.outputs[H]).to_string();
        let part = gradients.part_or_unused(arguments);
        let carried =
            gradients.temporary(format!("{name}.carried"), Shape::matrix(self.0.batch, self.0.hidden));
        let inputs = [upstream, weight, node.outputs[GATES], node.outputs[CELLS]];
        let inputs: Vec<ValueId> = inputs.into_iter().chain(carry.iter().copied()).collect();
        let label = format!("gradient of the gates of {name}");
        gradients.push(label, LstmGradient(self.0), &inputs, &[part, carried]);
        // Before anything is added to the part in place.
        add_weight_gradient(gradients, weight, [part, node.outputs[BEFORE]]);
        gradients.add(arguments, part, part);
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let (hidden, packed, weight) = (self.0.hidden, node.outputs[PACKED], node.inputs[1]);
        lowering.dispatch(
            node,
            "lstm_pack",
            constants! { HIDDEN: hidden, STRIDE: padded(hidden) },
            &[("weight", weight), ("packing", packed)],
            Grid::Elements(hidden * padded(hidden)),
            0,
        )?;
        let values = [
            ("packed", packed),
            // Without a carry nothing is read of it.
            ("start", node.inputs.get(2).copied().unwrap_or(weight)),
            ("gates", node.outputs[GATES]),
            ("hidden", node.outputs[H]),
            ("cells", node.outputs[CELLS]),
            ("before", node.outputs[BEFORE]),
            ("last", node.outputs[CARRY]),
        ];
        for window in self.0.windows() {
            let (constants, flops) = (self.0.constants(&window), self.0.flops(&window));
            lowering.dispatch(node, "lstm", constants, &values, self.0.grid(), flops)?;
        }
        Ok(())
    }
}

/// Inputs: dh, recurrent weight, activated gates, cells, and the carry where there is one. Outputs: the gradient of the gates'
/// arguments, and that of the cells on its way back.
#[derive(Debug)]
struct LstmGradient(Sizes);

impl Operation for LstmGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let weight = node.inputs[1];
        let values = [
            ("hidden_gradient", node.inputs[0]),
            ("weight_rows", weight),
            ("saved", node.inputs[2]),
            ("saved_cells", node.inputs[3]),
            ("start", node.inputs.get(4).copied().unwrap_or(weight)),
            ("gates_gradient", node.outputs[0]),
            ("carried", node.outputs[1]),
        ];
        for window in self.0.windows().rev() {
            let (constants, flops) = (self.0.constants(&window), self.0.flops(&window));
            lowering.dispatch(node, "lstm_gradient", constants, &values, self.0.grid(), flops)?;
        }
        Ok(())
    }
}

/// The four gates' rows of a tensor whose elements are `width` numbers each.
fn tensor(name: String, hidden: usize, width: Option<(usize, usize)>, bound: f64) -> Tensor {
    let stride = width.map_or(1, |(_, stride)| stride);
    let rows = [(4, padded(hidden) * stride), (hidden, stride)];
    Tensor {
        name,
        shape: [4 * hidden].into_iter().chain(width.map(|(columns, _)| columns)).collect(),
        dimensions: rows.into_iter().chain(width.map(|(columns, _)| (columns, 1))).collect(),
        offset: 0,
        init: Init::Uniform(bound),
    }
}

impl Graph {
    /// A long short-term memory over the sequences `x`, `[batch * steps, inputs]`, whose steps follow each other. The tensors
    /// are `NAME.input.weight` `[4 * hidden, inputs]`, `NAME.recurrent.weight` `[4 * hidden, hidden]` and `NAME.bias`
    /// `[4 * hidden]`, with gates in PyTorch's order: input, forget, cell, output. In the cell 1 is added to the argument of the
    /// forget gate, as in Ha and Schmidhuber (arXiv 1803.10122); first values are theirs too.
    ///
    /// # Errors
    /// [`Error::Shape`] if the rows of `x` are not whole sequences, the carry is not `[batch, 2, hidden]`, there are more than 512
    /// units, a size is zero, or the table holds a layer of this name and another size.
    pub fn lstm(&mut self, name: &str, x: ValueId, how: Lstm) -> Result<LstmOutput> {
        let (shape, Lstm { hidden, steps, carry }) = (self.shape(x), how);
        let refuse = |problem: String| Err(Error::shape(name, problem));
        if !(1..=MOST).contains(&hidden) {
            return refuse(format!("it has {hidden} units, and not between 1 and {MOST}"));
        }
        let whole = steps > 0 && shape.rows.is_multiple_of(steps);
        if shape.sections != 1 || shape.pixels() != 1 || shape.length() == 0 || !whole {
            return refuse(format!("{shape} are not sequences of {steps} steps"));
        }
        let batch = shape.rows / steps;
        let ends = Shape::with_sections(batch, 2, hidden);
        if let Some(given) = carry.map(|carry| self.shape(carry)).filter(|given| *given != ends) {
            return refuse(format!("the carry is {given}, and not {ends}"));
        }
        // Glorot and Bengio's bound for input and recurrent weights as one matrix, and for a bias of equal fans.
        let bound = (6.0 / (shape.columns + 5 * hidden) as f64).sqrt();
        let bias_bound = (3.0 / (4 * hidden) as f64).sqrt();
        let rows = 4 * padded(hidden);
        let [input, recurrent] = [("input", shape.columns), ("recurrent", hidden)].map(|(part, columns)| {
            let name = format!("{name}.{part}.weight");
            let of = tensor(name.clone(), hidden, Some((columns, padded(columns))), bound);
            self.parameter(&name, Shape::matrix(rows, columns), vec![of])
        });
        let bias_name = format!("{name}.bias");
        let of = tensor(bias_name.clone(), hidden, None, bias_bound);
        let bias = self.parameter(&bias_name, Shape::with_sections(1, 4, hidden), vec![of])?;
        let arguments = self.linear_with(&format!("{name}.gates"), x, [input?, bias])?;
        let inputs: Vec<ValueId> = [arguments, recurrent?].into_iter().chain(carry).collect();
        let mut value = |part: &str, shape: Shape| self.add_value(format!("{name}{part}"), shape);
        let all = Shape::matrix(shape.rows, hidden);
        let [h, cells, before] = ["", ".cells", ".before"].map(|part| value(part, all));
        let after = value(".carry", ends);
        let packed = value(".packed", Shape::matrix(hidden, rows));
        let gates = self.alias(&format!("{name}.gates.activated"), arguments);
        let sizes = Sizes { batch, steps, hidden, carry: carry.is_some() };
        self.push(name, LstmScan(sizes), &inputs, &[h, after, cells, gates, before, packed]);
        Ok(LstmOutput { h, carry: after })
    }
}
