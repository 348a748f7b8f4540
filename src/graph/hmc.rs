//! The density of latents, and Hamiltonian Monte Carlo (HMC) on it: many chains at once, all on the device.
//!
//! A chain explores p(z) p(x|z)^beta for one image x and one inverse temperature beta, with unit mass matrix (Neal,
//! "MCMC using Hamiltonian dynamics", 2011). The gradient of log p(x|z) comes from the graph as any other does.

use super::{Graph, LatentShape, Node, Operation, Shape, Stage, ValueId};
use crate::plan::{Grid, Lowering, constants};
use crate::{Error, Result};

/// Numbers of a chain in each half of [`Hmc::state`], and in the density: one vec4.
const RECORD: usize = 4;

/// What a set of chains keeps between transitions. Row `l * batch + r` is chain `l` of image `r`.
#[derive(Clone, Copy, Debug)]
pub struct Hmc {
    /// Where the chains are, `[chains, latent]`.
    pub position: ValueId,
    /// `[chains, 2, 4]`: log p(x|z), log p(z), logarithm of the importance weight, its rounding error; and kinetic
    /// energy at the start of the transition, probability that its end was accepted, sum of these probabilities, number
    /// of transitions.
    pub state: ValueId,
    /// Leapfrog step of each image's chains in each transition of a submit, `[1, transitions * images]`, written by
    /// the host.
    pub sizes: ValueId,
}

/// Which of the steps of a transition, and the sizes.
#[derive(Clone, Copy, Debug)]
enum Part {
    Reset,
    Start,
    Leap,
    Accept,
}

/// Inputs: chunk sums of the negative log-likelihood, latents. Output: log p(x|z) and log p(z) of each row.
#[derive(Debug)]
struct LogDensity(LatentShape);

impl LatentShape {
    fn chains(&self) -> usize {
        self.batch * self.samples
    }
}

impl Operation for LogDensity {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
        let chains = self.0.chains();
        let chunks = lowering.shape(node.inputs[0]).columns / chains;
        lowering.dispatch(
            node,
            "log_density",
            constants! { CHAINS: chains, COLUMNS: self.0.vec4(), WIDTH: self.0.width, CHUNKS: chunks },
            &[("value", node.inputs[0]), ("latent", node.inputs[1]), ("density", node.outputs[0])],
            Grid::Elements(chains),
            chains * (4 * chunks + 2 * self.0.width),
        );
    }
}

/// Inputs: latents, their gradient, density, step sizes. Outputs: position, its gradient, momentum, state. Every part of
/// a transition names those it uses.
#[derive(Debug)]
struct Move(LatentShape, Part);

impl Operation for Move {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) {
        let chains = self.0.chains();
        let [latent, latent_gradient, density, sizes] =
            [("latent", 0), ("latent_gradient", 1), ("density", 2), ("sizes", 3)]
                .map(|(name, i)| (name, node.inputs[i]));
        let [position, position_gradient, momentum, state] =
            [("position", 0), ("position_gradient", 1), ("momentum", 2), ("state", 3)]
                .map(|(name, i)| (name, node.outputs[i]));
        let mut constants = constants! { CHAINS: chains, COLUMNS: self.0.vec4() };
        if !matches!(self.1, Part::Reset) {
            constants.insert("BATCH", self.0.batch as f64);
        }
        if matches!(self.1, Part::Start) {
            constants.insert("WIDTH", self.0.width as f64);
        }
        // Box-Muller counts ten a number, a kick and a drift some six.
        let (kernel, values, flops) = match self.1 {
            Part::Reset => {
                ("hmc_reset", vec![latent, latent_gradient, density, position, position_gradient, state], 0)
            }
            Part::Start => {
                ("hmc_start", vec![latent, position, position_gradient, momentum, state, sizes], 18)
            }
            Part::Leap => ("hmc_leap", vec![latent, latent_gradient, momentum, sizes], 6),
            Part::Accept => (
                "hmc_accept",
                vec![latent, latent_gradient, density, position, position_gradient, momentum, state, sizes],
                8,
            ),
        };
        let flops = flops * chains * self.0.width;
        lowering.dispatch(node, kernel, constants, &values, Grid::Elements(chains), flops);
    }
}

impl Graph {
    fn chains(&self, latent: ValueId, batch: usize) -> Result<LatentShape> {
        let shape = self.shape(latent);
        if shape.sections != 1 || batch == 0 || shape.rows == 0 || !shape.rows.is_multiple_of(batch) {
            let problem = format!("latents of shape {shape} for {batch} images");
            return Err(Error::shape("chains", problem));
        }
        Ok(LatentShape { batch, samples: shape.rows / batch, width: shape.columns })
    }

    /// log p(x|z) and log p(z) of each row of `latent`, `[rows, 4]` of which two columns are used; `likelihood` is
    /// what [`Graph::negative_log_likelihood`] gave for `batch` images.
    ///
    /// # Errors
    /// [`Error::Shape`] if the two do not fit.
    pub fn log_density(&mut self, likelihood: ValueId, latent: ValueId, batch: usize) -> Result<ValueId> {
        let chains = self.chains(latent, batch)?;
        if !self.shape(likelihood).columns.is_multiple_of(chains.chains()) {
            let problem = format!("{} and {}", self.shape(likelihood), self.shape(latent));
            return Err(Error::shape("log density", problem));
        }
        let shape = Shape::matrix(chains.chains(), RECORD);
        Ok(self.apply("density", LogDensity(chains), &[likelihood, latent], shape))
    }

    /// The parts of an HMC transition, each a stage of its own, to be put in order by the programs of a plan:
    /// [`Stage::Reset`] once where `latent` was set; then, for each transition, [`Stage::Start`], as often as wanted
    /// decoding, gradient and [`Stage::Leap`], and decoding, gradient and [`Stage::Accept`].
    ///
    /// `latent_gradient` is the gradient of the negative log-likelihood averaged over all rows, `density` what
    /// [`Graph::log_density`] gave; a submit has up to `transitions` transitions.
    ///
    /// # Errors
    /// [`Error::Shape`] if they do not fit.
    pub fn hmc(
        &mut self,
        latent: ValueId,
        latent_gradient: ValueId,
        density: ValueId,
        batch: usize,
        transitions: usize,
    ) -> Result<Hmc> {
        let chains = self.chains(latent, batch)?;
        let shape = self.shape(latent);
        let record = Shape { rows: chains.chains(), sections: 2, columns: RECORD };
        let sizes = self.input("chain.sizes", Shape::matrix(1, transitions * batch), false);
        let names = [
            ("chain.position", shape),
            ("chain.gradient", shape),
            ("chain.momentum", shape),
            ("chain.state", record),
        ];
        let outputs = names.map(|(name, shape)| self.add_value(name.into(), shape, false));
        for (stage, part, label) in [
            (Stage::Reset, Part::Reset, "chains begin"),
            (Stage::Start, Part::Start, "momentum, half a kick, drift"),
            (Stage::Leap, Part::Leap, "kick, drift"),
            (Stage::Accept, Part::Accept, "half a kick, accept or reject"),
        ] {
            self.begin(stage);
            self.push(label, Move(chains, part), &[latent, latent_gradient, density, sizes], &outputs);
        }
        let [position, _, _, state] = outputs;
        Ok(Hmc { position, state, sizes })
    }
}
