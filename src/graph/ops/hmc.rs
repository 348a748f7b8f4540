//! The density of latents, and Hamiltonian Monte Carlo (HMC) on it: many chains at once, all on the device.
//!
//! A chain explores p(z) p(x|z)^beta for one image x and one inverse temperature beta, with unit mass matrix (Neal,
//! "MCMC using Hamiltonian dynamics", 2011). The gradient of log p(x|z) comes from the graph as any other does.

use super::gaussian::LatentShape;
use crate::graph::{Graph, Lowering, Node, Operation, Shape, ValueId};
use crate::plan::{Grid, constants};
use crate::{Error, Result};

/// Numbers of a chain in each half of [`Hmc::state`], and in the density: one vec4.
const RECORD: usize = 4;

/// Chains on a density. Row `l * batch + r` is chain `l` of image `r`.
#[derive(Clone, Debug)]
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
    /// What the parts of a transition are given: latents, their gradient, density, and what chains keep between parts.
    pub given: Vec<ValueId>,
    /// What each part leaves: the chains begin, a transition starts, a leapfrog step, accept or reject.
    pub parts: [Vec<ValueId>; 4],
}

/// Which of the steps of a transition.
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
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let chains = self.0.chains();
        let chunks = lowering.shape(node.inputs[0]).columns / chains;
        lowering.dispatch(
            node,
            "log_density",
            constants! { CHAINS: chains, COLUMNS: self.0.vec4(), WIDTH: self.0.width, CHUNKS: chunks },
            &[("value", node.inputs[0]), ("latent", node.inputs[1]), ("density", node.outputs[0])],
            Grid::Elements(chains),
            chains * (4 * chunks + 2 * self.0.width),
        )
    }
}

/// Inputs: latents, their gradient, density, step sizes, position, its gradient, momentum, state. Outputs: the latents,
/// position, its gradient, momentum and state that the part changes.
#[derive(Debug)]
struct Move {
    shape: LatentShape,
    part: Part,
    /// Indices of the step's inverse temperature, and of its change.
    beta: usize,
    change: usize,
}

impl Operation for Move {
    fn carries(&self, _: usize, _: usize) -> bool {
        false
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let chains = self.shape.chains();
        let [latent, latent_gradient, density, sizes, position, position_gradient, momentum, state] = [
            "latent",
            "latent_gradient",
            "density",
            "sizes",
            "position",
            "position_gradient",
            "momentum",
            "state",
        ];
        let names = [latent, latent_gradient, density, sizes, position, position_gradient, momentum, state];
        let mut constants = constants! { CHAINS: chains, COLUMNS: self.shape.vec4() };
        if !matches!(self.part, Part::Reset) {
            constants.extend(constants! { BATCH: self.shape.batch, BETA: self.beta });
        }
        if matches!(self.part, Part::Start) {
            constants.extend(constants! { WIDTH: self.shape.width, CHANGE: self.change });
        }
        // Box-Muller counts ten a number, a kick and a drift some six.
        let (kernel, flops) = match self.part {
            Part::Reset => ("hmc_reset", 0),
            Part::Start => ("hmc_start", 18),
            Part::Leap => ("hmc_leap", 6),
            Part::Accept => ("hmc_accept", 8),
        };
        let values: Vec<(&str, ValueId)> = names.into_iter().zip(node.inputs.iter().copied()).collect();
        let flops = flops * chains * self.shape.width;
        lowering.dispatch(node, kernel, constants, &values, Grid::Elements(chains), flops)
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

    /// The parts of an HMC transition, to be put in order by the programs of a plan: [`Hmc::parts`] 0 once where `latent`
    /// was set; then, for each transition, part 1, as often as wanted decoding, gradient and part 2, and decoding, gradient
    /// and part 3. Each works in place.
    ///
    /// `latent_gradient` is the gradient of the negative log-likelihood averaged over all rows, `density` what
    /// [`Graph::log_density`] gave; a submit has up to `transitions` transitions. The step's number `beta` is the inverse
    /// temperature, `change` its difference to that of the transition before.
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
        let shape = self.chains(latent, batch)?;
        let record = Shape::with_sections(shape.chains(), 2, RECORD);
        let sizes = self.input("chain.sizes", Shape::matrix(1, transitions * batch));
        let like_latent = self.shape(latent);
        let [position, position_gradient, momentum] =
            ["chain.position", "chain.gradient", "chain.momentum"].map(|name| self.input(name, like_latent));
        let state = self.input("chain.state", record);
        let given =
            vec![latent, latent_gradient, density, sizes, position, position_gradient, momentum, state];
        let (beta, change) = (self.number("beta")?, self.number("change")?);
        let parts = [
            (Part::Reset, "chains begin", vec![position, position_gradient, state]),
            (Part::Start, "momentum, half a kick, drift", vec![latent, momentum, state]),
            (Part::Leap, "kick, drift", vec![latent, momentum]),
            (
                Part::Accept,
                "half a kick, accept or reject",
                vec![position, position_gradient, momentum, state],
            ),
        ]
        .map(|(part, label, changed)| {
            let outputs: Vec<ValueId> = changed
                .into_iter()
                .map(|of| {
                    let name = format!("{} after {part:?}", self.value(of).name).to_lowercase();
                    self.alias(&name, of)
                })
                .collect();
            self.push(label, Move { shape, part, beta, change }, &given, &outputs);
            outputs
        });
        Ok(Hmc { position, state, sizes, given, parts })
    }
}
