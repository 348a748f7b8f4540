//! A trained model as a density of its latents, with images and latents that the host writes.
//!
//! Where there are several groups of latents, the density is that of standard normal noise, from which all of them follow
//! ([`Graph::conditional_sample`]): a row holds the noise of the first group, then of the second, and so on.

use super::{DrawPosterior, DrawPrior, Generated, LatentModel, Latents};
use crate::graph::{Drawn, Graph, Hmc, Mode, ProgramSpec, Setting, Shape, Target, Tensors, ValueId, lower};
use crate::plan::Plan;
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
    /// Each group of latents, the one nearest to the image first.
    pub groups: Vec<GroupDensity>,
    /// `[rows, latent]`, written by the host or moved by a chain; the noise of all groups, where there are several.
    pub latent: ValueId,
    /// Gradient of the negative log-likelihood with respect to `latent`, divided by the number of rows.
    pub latent_gradient: ValueId,
    /// The decoder's output, `[rows, (sections,) pixels]`.
    pub decoded: ValueId,
    /// Expected images, likewise.
    pub picture: ValueId,
    /// log p(x|z) and log p(z), `[rows, 4]`.
    pub density: ValueId,
    /// The chains.
    pub hmc: Hmc,
}

/// A group of latents in a density.
#[derive(Clone, Copy, Debug)]
pub struct GroupDensity {
    /// Latent dimensions.
    pub width: usize,
    /// What the posterior of the next group is computed from: latents `[rows, latent]`, written by the host.
    pub given: ValueId,
    /// Posterior, computed from the images or the latents given of the group before: means and log-variances.
    pub posterior: ValueId,
    /// The latents that follow from the noise, `[rows, latent]`.
    pub drawn: ValueId,
    /// The prior, `[rows, 2, latent]`, computed from the latents drawn of the next group; none for the last.
    pub prior: Option<ValueId>,
}

/// Latents that the host writes.
struct HostLatents {
    widths: Vec<usize>,
    rows: usize,
}

impl DrawPosterior for HostLatents {
    fn draw(
        &mut self,
        graph: &mut Graph,
        group: usize,
        input: ValueId,
        network: &dyn Fn(&mut Graph, ValueId) -> Result<ValueId>,
    ) -> Result<Latents> {
        let posterior = network(graph, input)?;
        let shape = Shape::matrix(self.rows, self.widths[group]);
        let z = graph.input(&format!("given.layer{}", group + 1), shape);
        Ok(Latents { posterior, drawn: Drawn { posterior, z, noise: z }, prior: None })
    }
}

/// Latents that follow from columns of noise.
struct NonCentred {
    noise: ValueId,
    widths: Vec<usize>,
}

impl DrawPrior for NonCentred {
    fn draw(
        &mut self,
        graph: &mut Graph,
        group: usize,
        width: usize,
        prior: Option<ValueId>,
    ) -> Result<ValueId> {
        if self.widths.len() == 1 {
            return Ok(self.noise);
        }
        let from = self.widths[..group].iter().sum();
        let number = group + 1;
        match prior {
            None => graph.take_columns(&format!("latent.layer{number}"), self.noise, from, width),
            Some(prior) => {
                let noise = graph.take_columns(&format!("noise.layer{number}"), self.noise, from, width)?;
                graph.conditional_sample(&format!("latent.layer{number}"), prior, noise)
            }
        }
    }
}

impl DensityModel {
    /// The density of `rows` latents for each of `images` images under `model`, with the parameters of `tensors`.
    ///
    /// # Errors
    /// [`Error::Shape`] if a size is zero.
    pub fn build(model: &dyn LatentModel, tensors: &Tensors, images: usize, rows: usize) -> Result<Self> {
        let mut graph = Graph::new(tensors, Mode::Evaluate);
        let widths: Vec<usize> = model.groups().iter().map(|group| group.width).collect();
        let x = graph.input("images", Shape::matrix(images, model.pixels()));
        let joint = widths.iter().sum();
        let latent = graph.input("latent", Shape::matrix(images * rows, joint));
        let mut host = HostLatents { widths: widths.clone(), rows: images * rows };
        let inferred = model.infer(&mut graph, x, &mut host)?;
        let mut noise = NonCentred { noise: latent, widths: widths.clone() };
        let Generated { latents, priors, decoded } = model.generate(&mut graph, &mut noise)?;
        let terms = graph.negative_log_likelihood(decoded, x, model.likelihood())?;
        let loss = graph.mean(terms, rows);
        let latent_gradient = graph.differentiate(&[loss], &[Target::Value(latent)])?.of(latent)?;
        let density = graph.log_density(terms, latent, images)?;
        let picture = graph.expected_image(decoded, model.likelihood());
        let hmc = graph.hmc(latent, latent_gradient, density, images, MAX_TRANSITIONS)?;
        let groups = inferred.groups.iter().zip(widths).zip(latents.into_iter().zip(priors));
        let groups = groups
            .map(|((of, width), (drawn, prior))| GroupDensity {
                width,
                given: of.drawn.z,
                posterior: of.posterior,
                drawn,
                prior,
            })
            .collect();
        Ok(Self { graph, images: x, groups, latent, latent_gradient, decoded, picture, density, hmc })
    }

    /// Its plan, with the programs `encode` and `encode.layerN`, `prior.layerN`, `decode`, `density`, `gradient` (and
    /// density), `begin` (chains are where the latents are) and `transition` (HMC of `leapfrog` steps).
    ///
    /// # Errors
    /// [`Error::Setting`] if `leapfrog` is 0.
    pub fn plan(&self, leapfrog: usize) -> Result<Plan> {
        if leapfrog == 0 {
            return Err(Error::setting("--leapfrog", "0 is too few", "give 1 or more"));
        }
        let setting =
            Setting { train_images: 0, test_images: 0, max_steps: MAX_TRANSITIONS, streamed: false };
        let mut programs = vec![
            ProgramSpec::new("encode", &[self.images], &[self.groups[0].posterior]),
            ProgramSpec::new("decode", &[self.latent], &[self.picture, self.decoded]),
            ProgramSpec::new("density", &[self.images, self.latent], &[self.density]),
            ProgramSpec::new("gradient", &[self.images, self.latent], &[self.latent_gradient, self.density]),
        ];
        for (number, pair) in (1..).zip(self.groups.windows(2)) {
            let encode = format!("encode.layer{}", number + 1);
            programs.push(ProgramSpec::new(encode, &[pair[0].given], &[pair[1].posterior]));
            if let Some(prior) = pair[0].prior {
                programs.push(ProgramSpec::new(format!("prior.layer{number}"), &[pair[1].drawn], &[prior]));
            }
        }
        for (name, wanted) in ["reset", "start", "leap", "accept"].into_iter().zip(&self.hmc.parts) {
            programs.push(ProgramSpec::new(name, &self.hmc.given, wanted));
        }
        let mut plan = lower(&self.graph, &programs, setting)?;
        plan.compose("begin", &[("gradient", 1), ("reset", 1)])?;
        plan.compose("step", &[("gradient", 1), ("leap", 1)])?;
        plan.compose("transition", &[("start", 1), ("step", leapfrog - 1), ("gradient", 1), ("accept", 1)])?;
        let parts = ["reset", "start", "leap", "accept", "step"];
        plan.programs.retain(|program| !parts.contains(&program.name.as_ref()));
        Ok(plan)
    }
}
