//! Likelihoods p(x|z): negative logarithms and their gradients.

use crate::graph::loss::Factor;
use crate::graph::{Gradients, Graph, Init, Likelihood, Lowering, Node, Operation, Shape, Tensor, ValueId};
use crate::kernels::kernel;
use crate::likelihood::{LogVariance, Picture};
use crate::plan::{Grid, WITHOUT_NUMBER, constants};
use crate::{Error, Result};

/// Inputs: decoder output, images, and the log-variance where it is a value: shared or optimal.
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
    ) -> Result<()> {
        let vec4 = self.pixels.div_ceil(4);
        let rows = self.samples * self.batch;
        let mut constants =
            constants! { BATCH: self.batch, SAMPLES: self.samples, COLUMNS: vec4, WIDTH: self.pixels };
        if !self.likelihood.kind.takes_logits() {
            constants.insert("MEAN_ACTIVATION", f64::from(self.likelihood.mean_activation.number()));
        }
        match self.likelihood.kind.log_variance() {
            LogVariance::Fixed => {
                constants.insert("LOG_VARIANCE", 2.0 * self.likelihood.sigma.ln());
            }
            LogVariance::Scale => {
                constants.insert("SCALE", self.likelihood.sigma);
            }
            LogVariance::None | LogVariance::Shared | LogVariance::Optimal => {}
        }
        let flops = rows * self.pixels * 8;
        let grid = Grid::Elements(self.chunks().rows * self.chunks().columns);
        lowering.dispatch(node, kernel, constants, values, grid, flops)
    }

    /// vec4 that one invocation of the kernel adds.
    fn chunk(&self) -> usize {
        kernel(self.likelihood.kind.kernels().value).constant("CHUNK") as usize
    }

    /// One sum for each chunk of a row.
    fn chunks(&self) -> Shape {
        Shape::matrix(self.samples * self.batch, self.pixels.div_ceil(4).div_ceil(self.chunk()))
    }
}

impl Operation for NegativeLogLikelihood {
    fn carries(&self, input: usize, _: usize) -> bool {
        // Images are data.
        input != 1
    }

    /// The kernel counts each row as 1 / (samples * images): the gradient of a mean. Other weights multiply it.
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let (decoded, value) = (node.inputs[0], node.outputs[0]);
        let mean = Some(Factor { weight: 1.0, number: WITHOUT_NUMBER });
        let upstream = match gradients.loss_if(value, self.samples, mean) {
            true => None,
            false => match gradients.upstream(value) {
                None => return Ok(()),
                upstream => upstream,
            },
        };
        let label = format!("gradient of {}", gradients.name(decoded));
        let shape = gradients.shape(decoded);
        let part = gradients.part_or_unused(decoded);
        let mut outputs = vec![part];
        if self.likelihood.kind.log_variance() == LogVariance::Shared {
            outputs.push(gradients.temporary("gradient.log_variance.terms".into(), self.terms_shape()));
        }
        gradients.push(label, LikelihoodGradient(*self), &node.inputs, &outputs);
        let weighed: Vec<ValueId> = outputs
            .into_iter()
            .zip([self.decoded_weights(shape), self.term_weights()])
            .map(|(values, operation)| match upstream {
                None => values,
                Some(upstream) => {
                    let label = format!("{} weighed", gradients.name(values));
                    let changed = gradients.alias(&label, values);
                    gradients.push(label, operation, &[upstream, values], &[changed]);
                    changed
                }
            })
            .collect();
        gradients.add(decoded, part, weighed[0]);
        if let (Some(&log_variance), Some(&terms)) = (node.inputs.get(2), weighed.get(1))
            && let Some(part) = gradients.part(log_variance)
        {
            let label = format!("gradient of {}", gradients.name(log_variance));
            gradients.push(label, Sum, &[terms], &[part]);
            gradients.add(log_variance, part, part);
        }
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let mut values =
            vec![("decoded", node.inputs[0]), ("images", node.inputs[1]), ("value", node.outputs[0])];
        if let Some(&log_variance) = node.inputs.get(2) {
            values.push(("log_variance", log_variance));
        }
        self.lower_kernel(node, self.likelihood.kind.kernels().value, &values, lowering)
    }
}

impl NegativeLogLikelihood {
    /// Chunk sums lie without padding: a matrix of one row.
    fn terms_shape(&self) -> Shape {
        let chunks = self.chunks();
        Shape::matrix(1, chunks.rows * chunks.columns)
    }

    /// The weights of the decoder's gradient: each chunk of a row, in every section, has that of its term.
    fn decoded_weights(&self, decoded: Shape) -> WeighChunks {
        let chunks = self.chunks();
        WeighChunks {
            rows: chunks.rows,
            row: decoded.stride(),
            section: decoded.section_stride(),
            chunk: 4 * self.chunk(),
            chunks: chunks.columns,
            factor: self.samples,
        }
    }

    /// The weights of one number a chunk.
    fn term_weights(&self) -> WeighChunks {
        let chunks = self.chunks();
        WeighChunks {
            rows: chunks.rows,
            row: chunks.columns,
            section: chunks.columns,
            chunk: 1,
            chunks: chunks.columns,
            factor: self.samples,
        }
    }
}

/// Inputs: the gradient of the terms, values. Output: the values, each multiplied by the gradient of its term, in place.
#[derive(Debug)]
struct WeighChunks {
    /// Rows of values, and elements in a row, in a section of a row, and in a chunk.
    rows: usize,
    row: usize,
    section: usize,
    chunk: usize,
    /// Terms of a row.
    chunks: usize,
    /// Multiplies too, as do the images of the minibatch.
    factor: usize,
}

impl Operation for WeighChunks {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let length = self.rows * self.row;
        lowering.dispatch(
            node,
            "weigh_chunks",
            constants! {
                ROW: self.row, SECTION: self.section, CHUNK: self.chunk, CHUNKS: self.chunks, LENGTH: length,
                FACTOR: self.factor,
            },
            &[("upstream", node.inputs[0]), ("values", node.outputs[0])],
            Grid::Elements(length),
            length,
        )
    }
}

/// Outputs: gradient of the decoder's output, and chunk terms of the shared log-variance.
#[derive(Debug)]
struct LikelihoodGradient(NegativeLogLikelihood);

impl Operation for LikelihoodGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let mut values = vec![
            ("decoded", node.inputs[0]),
            ("images", node.inputs[1]),
            ("decoded_gradient", node.outputs[0]),
        ];
        if let Some(&log_variance) = node.inputs.get(2) {
            values.push(("log_variance", log_variance));
        }
        if let Some(&terms) = node.outputs.get(1) {
            values.push(("log_variance_terms", terms));
        }
        self.0.lower_kernel(node, self.0.likelihood.kind.kernels().gradient, &values, lowering)
    }
}

/// Input: the decoder's output. Output: expected pixels, by the likelihood's kernel.
#[derive(Debug)]
struct ExpectedImage(&'static str);

impl Operation for ExpectedImage {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let shape = lowering.shape(node.outputs[0]);
        let vec4 = shape.stride() / 4;
        lowering.dispatch(
            node,
            self.0,
            constants! { BATCH: shape.rows, SAMPLES: 1, COLUMNS: vec4, WIDTH: shape.columns },
            &[("decoded", node.inputs[0]), ("expected", node.outputs[0])],
            Grid::Elements(shape.rows * vec4),
            10 * shape.length(),
        )
    }
}

/// Sum of all elements, to one number.
#[derive(Debug)]
struct Sum;

impl Operation for Sum {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let length = lowering.shape(node.inputs[0]).extent();
        lowering.dispatch(
            node,
            "sum",
            constants! { LENGTH: length },
            &[("values", node.inputs[0]), ("total", node.outputs[0])],
            Grid::Workgroups(1),
            length,
        )
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

    /// The negative log-likelihood of `images` `[batch, pixels]` under `decoded` `[samples * batch, (sections,) pixels]`, in
    /// nats (Kingma and Welling 2014, appendix C): sums over chunks of pixels, `[1, samples * batch * chunks]`.
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
        if likelihood.kind.log_variance() == LogVariance::Optimal {
            inputs.push(self.optimal_log_variance(decoded, images, likelihood)?);
        }
        if likelihood.kind.log_variance() == LogVariance::Shared {
            let name = "decoder.log_variance";
            let tensor = Tensor {
                name: name.into(),
                shape: vec![1],
                dimensions: vec![(1, 1)],
                offset: 0,
                init: Init::Constant(2.0 * likelihood.sigma.ln()),
            };
            inputs.push(self.parameter(name, Shape::matrix(1, 1), vec![tensor])?);
        }
        let shape = operation.terms_shape();
        Ok(self.apply("reconstruction", operation, &inputs, shape))
    }
}
