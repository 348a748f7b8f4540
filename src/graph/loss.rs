//! Losses and metrics: what training minimises, and what it reports.

use super::{Graph, Lowering, Node, Operation, Shape, Storage, ValueId};
use crate::Result;
use crate::plan::{Grid, WITHOUT_NUMBER, constants};

/// By what a loss is multiplied in the objective.
#[derive(Clone, Debug, PartialEq)]
pub enum Weight {
    /// A constant.
    Constant(f64),
    /// A number that each step carries, such as `beta`.
    Step(&'static str),
}

/// A part of an objective.
#[derive(Clone, Debug)]
pub struct Loss {
    /// The value whose sum, divided by the images of the minibatch and by `samples`, is the loss.
    pub(crate) value: ValueId,
    /// Samples of each image that it is an average over.
    pub(crate) samples: usize,
    pub(crate) weight: Weight,
}

/// A weight as kernels take it: a factor, and the index of a number of the step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Factor {
    pub(crate) weight: f64,
    pub(crate) number: usize,
}

impl Weight {
    pub(crate) fn factor(&self, graph: &mut Graph) -> Result<Factor> {
        Ok(match self {
            Self::Constant(weight) => Factor { weight: *weight, number: WITHOUT_NUMBER },
            Self::Step(name) => Factor { weight: 1.0, number: graph.number(name)? },
        })
    }
}

/// Input: a loss. Output: a column of the metrics.
#[derive(Debug)]
struct Report {
    scale: f64,
    column: usize,
}

impl Operation for Report {
    fn carries(&self, _: usize, _: usize) -> bool {
        false
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let length = lowering.shape(node.inputs[0]).extent();
        lowering.dispatch(
            node,
            "sum_metric",
            constants! { LENGTH: length, SCALE: self.scale, TERM: self.column, TERMS: lowering.metric_columns() },
            &[("values", node.inputs[0]), ("metrics", node.outputs[0])],
            Grid::Workgroups(1),
            length,
        )
    }
}

impl Graph {
    /// Report `value`, summed and divided by the images of the minibatch and by `samples`, under `name`. Returns the metric.
    pub fn metric(&mut self, name: &str, value: ValueId, samples: usize) -> ValueId {
        let (column, metric) = self.metric_value(name);
        let operation = Report { scale: 1.0 / samples as f64, column };
        self.push(format!("{name} of the minibatch"), operation, &[value], &[metric]);
        metric
    }

    /// A column of the metrics, and its value. Where a graph holds a network for training and for evaluation, both write the
    /// column of the same name.
    pub(crate) fn metric_value(&mut self, name: &str) -> (usize, ValueId) {
        let column = self.metrics.iter().position(|own| own == name).unwrap_or_else(|| {
            self.metrics.push(name.into());
            self.metrics.len() - 1
        });
        let value = self.add_stored(format!("metric.{name}"), Shape::matrix(1, 1), Storage::Metric(column));
        self.reported.push((value, self.mode));
        (column, value)
    }

    /// `value` as a loss of weight 1 that is not reported: the mean over `samples` samples of each image.
    pub fn mean(&mut self, value: ValueId, samples: usize) -> Loss {
        Loss { value, samples, weight: Weight::Constant(1.0) }
    }

    /// `value` as a loss with a weight, also reported under `name`: the mean over `samples` samples of each image of the
    /// minibatch, in nats. Rows past the minibatch must be 0.
    pub fn loss(&mut self, name: &str, value: ValueId, samples: usize, weight: Weight) -> Loss {
        self.metric(name, value, samples);
        Loss { value, samples, weight }
    }
}
