//! Penalties that disentangling objectives add to the ELBO in training.

use super::{Inferred, ObjectiveKind};
use crate::graph::{Activation, Graph, Loss, Sampling, ValueId, Weight};
use crate::{Error, Result};

/// The group of a discriminator's parameters.
pub const DISCRIMINATOR: &str = "discriminator";

/// What an objective adds to the ELBO, times the number `penalty` of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Penalty {
    /// The total correlation of the latents, by a discriminator of `layers` hidden layers of `units` units, which learns to tell
    /// latents from latents whose dimensions were permuted each for itself (Kim and Mnih, arXiv 1802.05983).
    Discriminator {
        /// Hidden layers.
        layers: usize,
        /// Units of each.
        units: usize,
    },
    /// The total correlation, estimated from the densities of all pairs in a minibatch (Chen et al., arXiv 1802.04942).
    TotalCorrelation(Sampling),
    /// The distance of the latents' covariance from the identity matrix (Kumar et al., arXiv 1711.00848).
    Covariance {
        /// Weight of the diagonal, relative to that of the other elements.
        diagonal: f64,
        /// Whether the posteriors' variances count: DIP-VAE-II.
        variances: bool,
    },
    /// The maximum mean discrepancy between latents and prior (Tolstikhin et al., arXiv 1711.01558; Zhao et al., arXiv
    /// 1706.02262).
    Discrepancy,
}

impl Penalty {
    /// The group of parameters that it has beside the model's.
    pub fn group(self) -> Option<&'static str> {
        matches!(self, Self::Discriminator { .. }).then_some(DISCRIMINATOR)
    }

    /// The name of its metric.
    pub fn metric(self) -> &'static str {
        match self {
            Self::Discriminator { .. } | Self::TotalCorrelation(_) => "total_correlation",
            Self::Covariance { .. } => "covariance_penalty",
            Self::Discrepancy => "discrepancy",
        }
    }

    /// Append the losses of the penalty in training, on the one sample of each image.
    ///
    /// # Errors
    /// [`Error::Shape`] if the model has several groups of latents, or an image several samples.
    pub(super) fn losses(
        self,
        graph: &mut Graph,
        inferred: &Inferred,
        kind: ObjectiveKind,
    ) -> Result<Vec<Loss>> {
        let [group] = &inferred.groups[..] else {
            return Err(Error::shape("latent", format!("{kind} takes one layer of latents")));
        };
        let (posterior, drawn) = (group.posterior, group.drawn);
        let weight = Weight::Step("penalty");
        Ok(match self {
            Self::Discriminator { layers, units } => {
                let network = Discriminator { layers, units };
                let ratio = graph.with_constant_parameters(|graph| network.append(graph, drawn.z))?;
                let ratio = graph.contrast(ratio)?;
                vec![graph.loss(self.metric(), ratio, 1, weight), network.loss(graph, drawn.z)?]
            }
            Self::TotalCorrelation(sampling) => {
                let terms = graph.decompose_kl(drawn, sampling)?;
                graph.metric("mutual_information", terms.information, 1);
                graph.metric("dimension_kl", terms.dimensions, 1);
                vec![graph.loss(self.metric(), terms.correlation, 1, weight)]
            }
            Self::Covariance { diagonal, variances } => {
                let penalty = graph.covariance_penalty(posterior, diagonal, variances)?;
                vec![graph.loss(self.metric(), penalty, 1, weight)]
            }
            Self::Discrepancy => {
                let discrepancy = graph.kernel_discrepancy(drawn.z)?;
                vec![graph.loss(self.metric(), discrepancy, 1, weight)]
            }
        })
    }

    /// Add the parameters to the graph's table, so that checkpoints of training fit a plan that does not train.
    ///
    /// # Errors
    /// [`Error::Shape`] if they are there with other shapes.
    pub(super) fn declare(self, graph: &mut Graph, z: ValueId) -> Result<()> {
        if let Self::Discriminator { layers, units } = self {
            Discriminator { layers, units }.append(graph, z)?;
        }
        Ok(())
    }
}

/// A network from latents to two logits: that they are latents as they were drawn, and that they were permuted.
struct Discriminator {
    layers: usize,
    units: usize,
}

impl Discriminator {
    fn append(&self, graph: &mut Graph, z: ValueId) -> Result<ValueId> {
        graph.tensors().group(DISCRIMINATOR);
        let mut x = z;
        for layer in 0..self.layers {
            let name = format!("discriminator.{layer}");
            x = graph.linear(&[&name], x, self.units)?;
            x = graph.activate(&format!("{name}.leaky-relu"), x, Activation::SteepLeakyRelu);
        }
        graph.linear(&["discriminator.output"], x, 2)
    }

    /// The loss that its own parameters are trained by: the mean cross-entropy of both classes.
    fn loss(&self, graph: &mut Graph, z: ValueId) -> Result<Loss> {
        let drawn = graph.detach(z);
        let logits = self.append(graph, drawn)?;
        let drawn = graph.cross_entropy(logits, 0)?;
        let permuted = graph.permute_columns(z)?;
        let logits = self.append(graph, permuted)?;
        let permuted = graph.cross_entropy(logits, 1)?;
        let both = graph.add_scaled("cross_entropies", drawn, permuted, 1.0)?;
        Ok(graph.loss("discriminator", both, 2, Weight::Constant(1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::CpuExecutor;
    use crate::graph::{Mode, ProgramSpec, Setting, Shape, Target, Tensors, lower};
    use crate::model::Initialisation;
    use crate::optimizer::{Optimizer, OptimizerKind};
    use crate::plan::{Executor, Step};
    use crate::random::Philox;

    const ROWS: usize = 256;
    const STEPS: u64 = 1500;
    const RHO: f64 = 0.9;

    /// Pairs of standard normal numbers with the correlation [`RHO`], as rows of four numbers.
    fn correlated(random: &mut Philox) -> Vec<u32> {
        let pair = |random: &mut Philox| {
            let [x, y] = [random.normal(), random.normal()];
            [x, RHO * x + (1.0 - RHO * RHO).sqrt() * y, 0.0, 0.0].map(|number| (number as f32).to_bits())
        };
        (0..ROWS).flat_map(|_| pair(random)).collect()
    }

    /// Of two normal numbers of correlation rho the total correlation is -log(1 - rho^2) / 2: the mean of the logarithm of the
    /// density ratio, which the best discriminator gives.
    #[test]
    fn the_discriminator_finds_the_total_correlation() {
        let tensors = Tensors::default();
        let mut graph = Graph::new(&tensors, Mode::Train);
        let z = graph.input("z", Shape::matrix(ROWS, 2));
        let network = Discriminator { layers: 2, units: 32 };
        let loss = network.loss(&mut graph, z).unwrap();
        let logits = network.append(&mut graph, z).unwrap();
        let ratio = graph.contrast(logits).unwrap();
        graph.metric("total_correlation", ratio, 1);
        let group = tensors.group(DISCRIMINATOR);
        graph.differentiate(&[loss], &[Target::Group(group)]).unwrap();
        let optimizer = Optimizer { beta_1: 0.5, beta_2: 0.9, ..Optimizer::new(OptimizerKind::Adam) };
        graph.step(group, &optimizer).unwrap();
        let setting = Setting { train_images: 1, test_images: 1, max_steps: 1, streamed: false };
        let plan = lower(&graph, &[ProgramSpec::new("train", &[z], &graph.training())], setting).unwrap();
        let mut executor = CpuExecutor::<f32>::new(&plan, 1).unwrap();
        let start: Vec<u32> =
            Initialisation::FanIn.values(&tensors, 1).into_iter().map(f32::to_bits).collect();
        executor.write(plan.buffer("parameters").unwrap(), 0, &start).unwrap();
        let mut random = Philox::new(1, 1, 0);
        let columns = ["total_correlation", "discriminator"].map(|name| plan.metric(name).unwrap());
        let (mut sums, last) = ([0.0; 2], 400);
        for t in 0..STEPS {
            executor.write(plan.buffer("z").unwrap(), 0, &correlated(&mut random)).unwrap();
            let mut step = Step { rows: ROWS as u32, ..Step::seeded(1, 0) }.at(t);
            let rate = 3e-3 * (1.0 - t as f64 / STEPS as f64);
            optimizer.prepare(t + 1, rate, 0, &mut step);
            executor.submit("train", &[step]).unwrap();
            executor.receive(0).unwrap();
            if t >= STEPS - last {
                let metrics = executor.real(plan.buffer("metrics").unwrap());
                columns.iter().zip(&mut sums).for_each(|(&column, sum)| *sum += f64::from(metrics[column]));
            }
        }
        let [correlation, loss] = sums.map(|sum| sum / last as f64);
        let exact = -0.5 * (1.0 - RHO * RHO).ln();
        assert!((exact - 0.830).abs() < 5e-4 && (correlation - exact).abs() < 0.06, "{correlation}, {exact}");
        assert!(loss < 0.6, "{loss}, where ln 2 is the loss of one that knows nothing");
    }
}
