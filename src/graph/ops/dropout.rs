//! Dropout.

use crate::graph::{Gradients, Graph, Lowering, Mode, Node, Operation, ValueId};
use crate::plan::{Grid, constants};
use crate::random::stream;
use crate::{Error, Result};

/// Input: x. Output: x with some values dropped.
#[derive(Clone, Copy, Debug)]
struct Dropout {
    rate: f64,
    /// Added to the step's stream.
    stream: u32,
}

impl Dropout {
    /// Drop the same values of `node`'s input, whichever that is.
    fn drop_values(self, node: &Node, lowering: &mut Lowering<'_>, accumulate: bool) -> Result<()> {
        let length = lowering.shape(node.outputs[0]).length();
        let threshold = (self.rate * 2.0_f64.powi(32)).round().min(f64::from(u32::MAX));
        lowering.dispatch(
            node,
            "drop_values",
            constants! {
                LENGTH: length / 4, THRESHOLD: threshold, SCALE: 1.0 / (1.0 - self.rate), STREAM: self.stream,
                ACCUMULATE: accumulate,
            },
            &[("input", node.inputs[0]), ("output", node.outputs[0])],
            Grid::Elements(length / 4),
            length,
        )
    }
}

impl Operation for Dropout {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let Some(target) = gradients.target(node.inputs[0]) else { return Ok(()) };
        let label = format!("gradient of {}", gradients.name(node.inputs[0]));
        gradients.push_into(label, DropoutGradient(*self, target.1), &[upstream], target);
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        self.drop_values(node, lowering, false)
    }
}

/// Input: the upstream gradient. Output: the gradient of x, from the same draws.
#[derive(Debug)]
struct DropoutGradient(Dropout, bool);

impl Operation for DropoutGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        self.0.drop_values(node, lowering, self.1)
    }
}

impl Graph {
    /// Dropout (Srivastava et al. 2014): in training each value of `x` is 0 with the probability `rate`, and else divided by
    /// 1 - `rate`; each step draws anew. Under [`Mode::Evaluate`] it is `x`. A model that has it depends on the mode.
    ///
    /// # Errors
    /// [`Error::Shape`] if `rate` is not from 0 to 1, the end excluded.
    pub fn dropout(&mut self, name: &str, x: ValueId, rate: f64) -> Result<ValueId> {
        if !(0.0..1.0).contains(&rate) {
            return Err(Error::shape(name, format!("no dropout at a rate of {rate}")));
        }
        if rate == 0.0 || self.mode() == Mode::Evaluate {
            return Ok(x);
        }
        let operation = Dropout { rate, stream: stream::of_dropout(self.next_dropout()) };
        let shape = self.shape(x);
        Ok(self.apply(name, operation, &[x], shape))
    }
}
