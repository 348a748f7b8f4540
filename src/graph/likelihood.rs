//! Likelihoods p(x|z): negative logarithms and their gradients.

use super::importance::WeighRows;
use super::parameters::{Tensor, TensorKind};
use super::{Gradients, Graph, Likelihood, Node, Operation, Shape, ValueId};
use crate::kernels::kernel;
use crate::likelihood::{LogVariance, Picture};
use crate::plan::{Grid, Lowering, constants};
use crate::{Error, Result};

/// Inputs: decoder output, images, and the log-variance where it is shared.
#[derive(Clone, Copy, Debug)]
struct NegativeLogLikelihood {
    likelihood: Likelihood,
    batch: usize,
    samples: usize,
    pixels: usize,
}

impl NegativeLogLikelihood {
    fn lower_kernel(
        &self,
        node: &Node,
        kernel: &'static str,
        values: &[(&str, ValueId)],
        lowering: &mut Lowering<'_>,
    ) {
        let vec4 = self.pixels.div_ceil(4);
        let rows = self.samples * self.batch;
        let mut constants =
            constants! { BATCH: self.batch, SAMPLES: self.samples, COLUMNS: vec4, WIDTH: self.pixels };
        if !self.likelihood.kind.takes_logits() {
            constants.insert("MEAN_ACTIVATION", f64::from(self.likelihood.mean_activation.number()));
        }
        if self.likelihood.kind.log_variance() == LogVariance::Fixed {
            constants.insert("LOG_VARIANCE", 2.0 * self.likelihood.sigma.ln());
        }
        let flops = rows * self.pixels * 8;
        lowering.dispatch(
            node,
            kernel,
            constants,
            values,
            Grid::Elements(self.chunks().rows * self.chunks().columns),
            flops,
        );
    }

    /// One sum for each CHUNK vec4 of a row.
    fn chunks(&self) -> Shape {
        let chunk = kernel(self.likelihood.kind.kernels().value).constant("CHUNK") as usize;
        Shape::matrix(self.samples * self.batch, self.pixels.div_ceil(4).div_ceil(chunk))
    }
}

impl Operation for NegativeLogLikelihood {
    /// `upstream` are the weights of the rows, where they have any; else each counts as 1 / (samples * images).
    fn gradient(&self, node: &Node, upstream: Option<ValueId>, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some((target, false)) = gradients.target(node.inputs[0]) else {
            return Err(Error::Internal("a decoder's output has two likelihoods".into()));
        };
        let label = format!("gradient of {}", gradients.name(node.inputs[0]));
        let mut inputs = node.inputs.clone();
        inputs.truncate(3);
        if let Some(&log_variance) = node.inputs.get(2) {
            let terms = gradients.temporary("gradient.log_variance.terms".into(), self.terms_shape());
            gradients.push(label, LikelihoodGradient(*self), &inputs, &[target, terms]);
            if let Some(weights) = upstream {
                let label = format!("{} weighed", gradients.name(terms));
                gradients.push(label, self.weigh(self.chunks().columns), &[weights], &[terms]);
            }
            if let Some((total, _)) = gradients.target(log_variance) {
                let label = format!("gradient of {}", gradients.name(log_variance));
                gradients.push(label, Sum, &[terms], &[total]);
            }
        } else {
            gradients.push(label, LikelihoodGradient(*self), &inputs, &[target]);
        }
        if let Some(weights) = upstream {
            let label = format!("{} weighed", gradients.name(target));
            gradients.push(label, self.weigh(gradients.shape(target).stride()), &[weights], &[target]);
        }
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
        let mut values =
            vec![("decoded", node.inputs[0]), ("images", node.inputs[1]), ("value", node.outputs[0])];
        if let Some(&log_variance) = node.inputs.get(2) {
            values.push(("log_variance", log_variance));
        }
        self.lower_kernel(node, self.likelihood.kind.kernels().value, &values, lowering);
    }
}

impl NegativeLogLikelihood {
    /// Rows of the gradient, made as if all counted alike, to what they weigh.
    fn weigh(&self, row: usize) -> WeighRows {
        WeighRows { row, rows: self.samples * self.batch, factor: self.samples as f64 }
    }

    /// Chunk sums lie without padding: a matrix of one row.
    fn terms_shape(&self) -> Shape {
        let chunks = self.chunks();
        Shape::matrix(1, chunks.rows * chunks.columns)
    }
}

/// Outputs: gradient of the decoder's output, and chunk terms of the shared log-variance.
#[derive(Debug)]
struct LikelihoodGradient(NegativeLogLikelihood);

impl Operation for LikelihoodGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
        let mut values = vec![
            ("decoded", node.inputs[0]),
            ("images", node.inputs[1]),
            ("decoded_gradient", node.outputs[0]),
        ];
        if let (Some(&log_variance), Some(&terms)) = (node.inputs.get(2), node.outputs.get(1)) {
            values.push(("log_variance", log_variance));
            values.push(("log_variance_terms", terms));
        }
        self.0.lower_kernel(node, self.0.likelihood.kind.kernels().gradient, &values, lowering);
    }
}

/// Input: the decoder's output. Output: expected pixels, by the likelihood's kernel.
#[derive(Debug)]
struct ExpectedImage(&'static str);

impl Operation for ExpectedImage {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
        let shape = lowering.shape(node.outputs[0]);
        let vec4 = shape.stride() / 4;
        lowering.dispatch(
            node,
            self.0,
            constants! { BATCH: shape.rows, SAMPLES: 1, COLUMNS: vec4, WIDTH: shape.columns },
            &[("decoded", node.inputs[0]), ("expected", node.outputs[0])],
            Grid::Elements(shape.rows * vec4),
            10 * shape.length(),
        );
    }
}

/// Sum of all elements, to one number.
#[derive(Debug)]
struct Sum;

impl Operation for Sum {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
        let length = lowering.shape(node.inputs[0]).extent();
        lowering.dispatch(
            node,
            "sum",
            constants! { LENGTH: length },
            &[("values", node.inputs[0]), ("total", node.outputs[0])],
            Grid::Workgroups(1),
            length,
        );
    }
}

impl Graph {
    /// Expected images (of discretized logistics the locations, which the tails beyond black and white leave out) under the
    /// decoder's output, `[rows, pixels]`: in the first section, where it has two.
    pub fn expected_image(&mut self, decoded: ValueId, likelihood: Likelihood) -> ValueId {
        match likelihood.picture() {
            Picture::Activation(kind) => self.activate("picture", decoded, kind),
            Picture::Kernel(name) => {
                let shape = self.shape(decoded);
                self.apply("picture", ExpectedImage(name), &[decoded], shape)
            }
        }
    }

    /// The negative log-likelihood of `images` `[batch, pixels]` under `decoded`
    /// `[samples * batch, (sections,) pixels]`, as a term of the objective: averaged over samples and images, in
    /// nats (Kingma and Welling 2014, appendix C).
    ///
    /// # Errors
    /// [`Error::Shape`] if the two do not fit.
    pub fn negative_log_likelihood(
        &mut self,
        decoded: ValueId,
        images: ValueId,
        likelihood: Likelihood,
    ) -> Result<ValueId> {
        let (d, x) = (self.shape(decoded), self.shape(images));
        let sections = likelihood.kind.outputs().len();
        if d.columns != x.columns || d.sections != sections || x.rows == 0 || d.rows % x.rows != 0 {
            let problem = format!("decoder output {d} does not fit images {x}");
            return Err(Error::shape("likelihood", problem));
        }
        let samples = d.rows / x.rows;
        let operation = NegativeLogLikelihood { likelihood, batch: x.rows, samples, pixels: x.columns };
        let mut inputs = vec![decoded, images];
        if likelihood.kind.log_variance() == LogVariance::Shared {
            let tensor = Tensor {
                name: "decoder.log_variance".into(),
                kind: TensorKind::LogVariance,
                shape: vec![1],
                offset: 0,
                stride: 1,
                fan_in: 1,
                fan_out: 1,
            };
            inputs.push(self.parameter("decoder.log_variance".into(), Shape::matrix(1, 1), vec![tensor]));
        }
        let shape = operation.terms_shape();
        let value = self.apply("reconstruction", operation, &inputs, shape);
        self.add_term(value, 0, 1.0 / samples as f64);
        Ok(value)
    }
}
