//! A trained model as a density of its latents: the layers and the likelihood of [`MlpVae`], with images and latents
//! that the host writes, differentiated with respect to the latents only.
//!
//! With two stochastic layers the latents are standard normal noise (e1, e2), from which both layers follow:
//! h2 = e2, h1 = mean + deviation * e1 by p(h1|h2).

use super::MlpVae;
use crate::graph::{Graph, Hmc, Receivers, Shape, Stage, ValueId};
use crate::plan::{self, Plan, Program, Setting};
use crate::session::UPPER_PROGRAMS;
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
    /// `[rows, latent]`, written by the host or moved by a chain; noise of both layers, where there are two.
    pub latent: ValueId,
    /// The second stochastic layer, if there is one.
    pub upper: Option<UpperDensity>,
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

/// What the encoder says of two stochastic layers.
#[derive(Clone, Copy, Debug)]
pub struct UpperDensity {
    /// Latents h1, `[rows, latent]`, written by the host.
    pub lower: ValueId,
    /// q(h2|h1) of these: means and log-variances, `[rows, 2, upper latent]`.
    pub posterior: ValueId,
    /// p(h1|h2), of the noise in [`DensityModel::latent`], `[rows, 2, latent]`.
    pub prior: ValueId,
}

impl DensityModel {
    /// The density of `rows` latents for each of `images` images under `spec` (whose minibatch does not matter).
    ///
    /// # Errors
    /// [`Error::Shape`] if a size is zero.
    pub fn build(spec: &MlpVae, images: usize, rows: usize) -> Result<Self> {
        let mut graph = Graph::default();
        graph.freeze();
        let x = graph.input("images", Shape::matrix(images, spec.pixels), false);
        let latent = graph.input("latent", Shape::matrix(images * rows, spec.joint_latent()), true);
        graph.begin(Stage::Encode);
        let posterior = spec.encoder(&mut graph, x)?;
        let (lowest, upper) = Self::layers(spec, &mut graph, latent)?;
        graph.begin(Stage::Decode);
        let decoded = spec.decoder(&mut graph, lowest)?;
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
        Ok(Self {
            graph,
            images: x,
            posterior,
            latent,
            upper,
            latent_gradient,
            decoded,
            picture,
            density,
            hmc,
        })
    }

    /// The latents that are decoded to images, and what the encoder says of the layer above, if there is one.
    fn layers(spec: &MlpVae, graph: &mut Graph, latent: ValueId) -> Result<(ValueId, Option<UpperDensity>)> {
        let Some(upper) = &spec.upper else { return Ok((latent, None)) };
        let rows = graph.value(latent).shape.rows;
        graph.begin(Stage::Upper);
        let lower = graph.input("latent.lower", Shape::matrix(rows, spec.latent), false);
        let posterior = spec.upper_encoder(graph, Receivers::All, upper, lower)?;
        graph.begin(Stage::Prior);
        let top = graph.take_columns("latent.upper", latent, spec.latent, upper.latent)?;
        let prior = spec.upper_decoder(graph, upper, top)?;
        let noise = graph.take_columns("noise.lower", latent, 0, spec.latent)?;
        let lowest = graph.conditional_sample("latent.drawn", prior, noise)?;
        Ok((lowest, Some(UpperDensity { lower, posterior, prior })))
    }

    /// Its plan, with the programs `encode`, `decode`, `density`, `gradient` (and density), `begin` (chains are where
    /// the latents are) and `transition` (HMC of `leapfrog` steps); with two stochastic layers also `encode-upper` and
    /// `prior`.
    ///
    /// # Errors
    /// [`Error::Setting`] if `leapfrog` is 0.
    pub fn plan(&self, leapfrog: usize) -> Result<Plan> {
        if leapfrog == 0 {
            return Err(Error::setting("--leapfrog", "0 is too few", "give 1 or more"));
        }
        let setting =
            Setting { train_images: 0, test_images: 0, max_steps: MAX_TRANSITIONS, streamed: false };
        let mut parts: Vec<(&'static str, &[Stage])> = vec![
            ("encode", &[Stage::Encode]),
            ("decode", &[Stage::Prior, Stage::Decode, Stage::Picture]),
            ("density", &[Stage::Prior, Stage::Decode, Stage::Objective]),
            ("gradient", &[Stage::Prior, Stage::Decode, Stage::Objective, Stage::Backward]),
            ("reset", &[Stage::Reset]),
            ("start", &[Stage::Start]),
            ("leap", &[Stage::Leap]),
            ("accept", &[Stage::Accept]),
        ];
        if self.upper.is_some() {
            parts.extend(UPPER_PROGRAMS);
        }
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
