//! A trained model as a density of its latents: the layers and the likelihood of [`MlpVae`], with images and latents
//! that the host writes, differentiated with respect to the latents only.

use super::MlpVae;
use crate::graph::{Graph, Hmc, Shape, Stage, ValueId};
use crate::plan::{self, Plan, Program, Setting};
use crate::{Error, Result};

/// Most transitions in one submit.
pub(crate) const MAX_TRANSITIONS: usize = 64;

/// A model's graph for densities; rows of latents: row `l * images + r` is number `l` of image `r`.
#[derive(Clone, Debug)]
pub struct DensityModel {
    /// All operations.
    pub graph: Graph,
    /// `[images, pixels]`, written by the host.
    pub images: ValueId,
    /// Means and log-variances, `[images, 2, latent]`.
    pub posterior: ValueId,
    /// `[rows, latent]`, written by the host or moved by a chain.
    pub latent: ValueId,
    /// Gradient of the negative log-likelihood with respect to the latents, divided by the number of rows.
    pub latent_gradient: ValueId,
    /// The decoder's output, `[rows, (sections,) pixels]`.
    pub decoded: ValueId,
    /// Expected images, likewise.
    pub picture: ValueId,
    /// log p(x|z) and log p(z), `[rows, 4]`.
    pub density: ValueId,
    /// State of the chains.
    pub hmc: Hmc,
}

impl DensityModel {
    /// The density of `rows` latents for each of `images` images under `spec` (whose minibatch does not matter).
    ///
    /// # Errors
    /// [`Error::Shape`] if a size is zero, [`Error::Setting`] if `spec` has two stochastic layers.
    pub fn build(spec: &MlpVae, images: usize, rows: usize) -> Result<Self> {
        spec.check_single_layer("density of latents")?;
        let mut graph = Graph::default();
        graph.freeze();
        let x = graph.input("images", Shape::matrix(images, spec.pixels), false);
        let latent = graph.input("latent", Shape::matrix(images * rows, spec.latent), true);
        graph.begin(Stage::Encode);
        let posterior = spec.encoder(&mut graph, x)?;
        graph.begin(Stage::Decode);
        let decoded = spec.decoder(&mut graph, latent)?;
        graph.begin(Stage::Objective);
        let likelihood = graph.negative_log_likelihood(decoded, x, spec.likelihood)?;
        graph.differentiate()?;
        // The sum over all rows is asked for by nobody.
        graph.terms.clear();
        let latent_gradient = graph
            .find("gradient.latent")
            .ok_or_else(|| Error::Internal("the latents of a density have no gradient".into()))?;
        graph.begin(Stage::Objective);
        let density = graph.log_density(likelihood, latent, images)?;
        graph.begin(Stage::Picture);
        let picture = graph.expected_image(decoded, spec.likelihood);
        let hmc = graph.hmc(latent, latent_gradient, density, images, MAX_TRANSITIONS)?;
        Ok(Self { graph, images: x, posterior, latent, latent_gradient, decoded, picture, density, hmc })
    }

    /// Its plan, with the programs `encode`, `decode`, `density`, `gradient` (and density), `begin` (chains are where
    /// the latents are) and `transition` (HMC of `leapfrog` steps).
    ///
    /// # Errors
    /// [`Error::Setting`] if `leapfrog` is 0.
    pub fn plan(&self, leapfrog: usize) -> Result<Plan> {
        if leapfrog == 0 {
            return Err(Error::setting("--leapfrog", "0 is too few", "give 1 or more"));
        }
        let setting =
            Setting { train_images: 0, test_images: 0, max_steps: MAX_TRANSITIONS, streamed: false };
        let parts: [(&'static str, &[Stage]); 8] = [
            ("encode", &[Stage::Encode]),
            ("decode", &[Stage::Decode, Stage::Picture]),
            ("density", &[Stage::Decode, Stage::Objective]),
            ("gradient", &[Stage::Decode, Stage::Objective, Stage::Backward]),
            ("reset", &[Stage::Reset]),
            ("start", &[Stage::Start]),
            ("leap", &[Stage::Leap]),
            ("accept", &[Stage::Accept]),
        ];
        let mut plan = plan::lower(&self.graph, None, &parts, setting);
        let part = |name: &str| plan.program(name).map(|it| it.dispatches.clone()).unwrap_or_default();
        let [gradient, reset, start, leap, accept] =
            ["gradient", "reset", "start", "leap", "accept"].map(part);
        let step = [gradient.clone(), leap].concat();
        let transition = [start, step.repeat(leapfrog - 1), gradient.clone(), accept].concat();
        plan.programs.retain(|program| !["reset", "start", "leap", "accept"].contains(&program.name));
        plan.programs.push(Program { name: "begin", dispatches: [gradient, reset].concat() });
        plan.programs.push(Program { name: "transition", dispatches: transition });
        Ok(plan)
    }
}
