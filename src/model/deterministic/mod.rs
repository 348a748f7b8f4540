//! Deterministic autoencoders: an encoder gives each image one code, without noise, and the loss is the reconstruction, to
//! which a kind may add a penalty.

use super::{Built, DrawPosterior, Head, Inferred, LatentModel, Latents, Task};
use crate::graph::{
    Activation, Drawn, Graph, Loss, Mode, ProgramSpec, Source, Target, Tensors, ValueId, Weight,
};
use crate::optimizer::Optimizers;
use crate::{Error, Result};

pub use crate::graph::Corruption;

/// The decoder's last layer.
const OUTPUT: &str = "decoder.output";

/// What a deterministic autoencoder adds to its reconstruction.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum CodePenalty {
    /// Nothing.
    #[default]
    None,
    /// `weight` KL(`target` || r) of each unit, where r is its mean over the minibatch. Units are sigmoids.
    Sparse {
        /// The mean that is wanted.
        target: f64,
        /// Weight of the penalty.
        weight: f64,
    },
    /// `weight` times the squared Frobenius norm of the codes' Jacobian. Codes are sigmoids of one layer.
    Contractive {
        /// Weight of the penalty.
        weight: f64,
    },
    /// `codes` |z|^2 / 2 and `decoder` |w|^2, with w the weights of the decoder.
    Squares {
        /// Weight of the squares of codes.
        codes: f64,
        /// Weight of the squares of the decoder's weights.
        decoder: f64,
    },
}

/// Which units of a code count.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Units {
    /// All.
    #[default]
    All,
    /// This number of the largest, the others being 0 (Makhzani and Frey, arXiv 1312.5663).
    Largest(usize),
    /// The same, of those above 0, in a sparse autoencoder (Gao et al., arXiv 2406.04093, section 2): the decoder's bias is
    /// subtracted from the images, and the columns of its weight have length 1.
    TopK {
        /// Units of a code.
        keep: usize,
        /// What units that have died are trained by.
        auxiliary: Auxiliary,
    },
}

/// The auxiliary loss of dead units (Gao et al., arXiv 2406.04093, appendix A.2): the largest of them are to reconstruct what the
/// reconstruction lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Auxiliary {
    /// Dead units of a code; half of all units where not given.
    pub units: Option<usize>,
    /// Weight of the squared error in that of the reconstruction; at 0 there is no such loss.
    pub weight: f64,
    /// Steps in which a unit is 0 for all images until it counts as dead.
    pub dead_after: usize,
}

/// How a deterministic autoencoder makes codes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Codes {
    /// What is added to the reconstruction.
    pub penalty: CodePenalty,
    /// Which units count.
    pub units: Units,
    /// What becomes of the images that the encoder sees; the decoder is compared with the images as they are.
    pub corruption: Option<Corruption>,
    /// How much of it: the probability that a pixel is changed, or the standard deviation of its noise.
    pub noise_level: f64,
}

/// Draws codes.
struct DrawCodes {
    codes: Codes,
    /// The units before some are chosen, and after.
    drawn: Option<[ValueId; 2]>,
}

impl DrawPosterior for DrawCodes {
    fn head(&self) -> Head {
        Head::Code
    }

    fn draw(
        &mut self,
        graph: &mut Graph,
        _: usize,
        input: ValueId,
        network: &dyn Fn(&mut Graph, ValueId) -> Result<ValueId>,
    ) -> Result<Latents> {
        let mut code = network(graph, input)?;
        if let CodePenalty::Sparse { .. } | CodePenalty::Contractive { .. } = self.codes.penalty {
            code = graph.activate("encoder.code.sigmoid", code, Activation::Sigmoid);
        }
        let all = code;
        match self.codes.units {
            Units::All => {}
            Units::Largest(keep) => code = graph.keep_largest("code.largest", code, keep)?,
            Units::TopK { keep, .. } => {
                let largest = graph.keep_largest("code.largest", code, keep)?;
                code = graph.activate("code.relu", largest, Activation::Relu);
            }
        }
        self.drawn = Some([all, code]);
        Ok(Latents { posterior: code, drawn: Drawn { posterior: code, z: code, noise: code }, prior: None })
    }
}

/// Build `model` as a deterministic autoencoder: `train` with `optimizers`, `evaluate`, `encode` (images to codes), `decode`,
/// and, with a corruption, `corrupt` (images to what the encoder sees).
///
/// # Errors
/// [`Error::Shape`] if a size is zero, or the model has several groups of latents.
pub(super) fn build(
    model: &dyn LatentModel,
    tensors: &Tensors,
    task: &Task,
    optimizers: Option<&Optimizers>,
) -> Result<Built> {
    if model.groups().len() != 1 {
        let problem = format!("{} takes one layer of latents", task.objective.kind);
        return Err(Error::shape("latent", problem));
    }
    let mode = if optimizers.is_some() { Mode::Train } else { Mode::Evaluate };
    tensors.group("vae");
    let mut graph = Graph::new(tensors, mode);
    let images = graph.minibatch(task.batch, model.pixels(), task.binarize, task.mirror)?;
    let codes = task.objective.codes;
    let mut draw = DrawCodes { codes, drawn: None };
    let seen = match codes.corruption {
        Some(corruption) => graph.corrupt(images, corruption)?,
        None => images,
    };
    let centred = match codes.units {
        Units::TopK { .. } => graph.subtract_bias("images.centred", seen, OUTPUT)?,
        _ => seen,
    };
    let inferred = model.infer(&mut graph, centred, &mut draw)?;
    let mut losses = losses(&mut graph, model, codes.penalty, (&inferred, images))?;
    let trained = (draw.drawn, inferred.decoded);
    let twice = mode == Mode::Train && (model.depends_on_mode() || model.likelihood().kind.depends_on_mode());
    let evaluated = if twice {
        graph.with_mode(Mode::Evaluate, |graph| {
            let inferred = match model.depends_on_mode() {
                true => model.infer(graph, centred, &mut draw)?,
                false => inferred,
            };
            self::losses(graph, model, codes.penalty, (&inferred, images))?;
            Ok(inferred)
        })?
    } else {
        inferred
    };
    let mut metrics: Vec<ValueId> = graph.reported(if twice { Mode::Evaluate } else { mode }).collect();
    let picture = graph.expected_image(evaluated.decoded, model.likelihood());
    metrics.push(graph.with_mode(Mode::Evaluate, |graph| {
        let difference = graph.squared_error(picture, images)?;
        Ok(graph.metric("squared_error", difference, 1))
    })?);
    let mut programs = Vec::new();
    if let Some(optimizers) = optimizers {
        if let (Units::TopK { auxiliary, .. }, (Some(units), decoded)) = (codes.units, trained) {
            let scale = 0.5 * auxiliary.weight / model.likelihood().sigma.powi(2);
            losses.extend(auxiliary.loss(&mut graph, scale, units, [images, decoded])?);
        }
        let groups = tensors.groups();
        let targets: Vec<Target> = groups.iter().map(|(group, _)| Target::Group(*group)).collect();
        graph.differentiate(&losses, &targets)?;
        let unit = match codes.units {
            Units::TopK { .. } => graph.parameters_named(|name| *name == format!("{OUTPUT}.weight")),
            _ => Vec::new(),
        };
        unit.iter().try_for_each(|&weight| graph.project_columns(weight))?;
        for (group, name) in &groups {
            graph.step(*group, optimizers.of_group(name))?;
        }
        unit.iter().try_for_each(|&weight| graph.unit_columns(weight))?;
        programs.push(ProgramSpec::new("train", &[], &graph.training()).from_source(Source::Train));
    }
    let code = evaluated.groups[0].drawn.z;
    programs.push(ProgramSpec::new("evaluate", &[], &metrics).from_source(Source::Test));
    programs.push(ProgramSpec::new("encode", &[], &[code]).from_source(Source::Test));
    programs.push(ProgramSpec::new("decode", &[code], &[picture]));
    if codes.corruption.is_some() {
        programs.push(ProgramSpec::new("corrupt", &[], &[seen]).from_source(Source::Test));
    }
    Ok(Built { graph, programs })
}

/// The losses, each reported under its name: `reconstruction`, `penalty`, and `decoder_penalty`.
fn losses(
    graph: &mut Graph,
    model: &dyn LatentModel,
    penalty: CodePenalty,
    (inferred, images): (&Inferred, ValueId),
) -> Result<Vec<Loss>> {
    let terms = graph.negative_log_likelihood(inferred.decoded, images, model.likelihood())?;
    let mut all = vec![("reconstruction", terms)];
    let code = inferred.groups[0].drawn.z;
    match penalty {
        CodePenalty::None => {}
        CodePenalty::Sparse { target, weight } => {
            all.push(("penalty", graph.sparsity(code, target, weight)?));
        }
        CodePenalty::Contractive { weight } => {
            let layers =
                graph.parameters_named(|name| name.starts_with("encoder.") && name.ends_with(".weight"));
            let [layer] = layers[..] else {
                let problem = "the Jacobian is known for one layer between image and code";
                return Err(Error::shape("contractive", problem.to_string()));
            };
            all.push(("penalty", graph.contraction(code, layer, weight)?));
        }
        CodePenalty::Squares { codes, decoder } => {
            all.push(("penalty", graph.code_squares(code, codes / 2.0)));
            let weights =
                graph.parameters_named(|name| name.starts_with("decoder.") && name.ends_with(".weight"));
            all.extend(graph.square_sum(&weights, decoder).map(|sum| ("decoder_penalty", sum)));
        }
    }
    Ok(all.into_iter().map(|(name, value)| graph.loss(name, value, 1, Weight::Constant(1.0))).collect())
}

impl Auxiliary {
    /// `scale` times the squared distance of what `decoded` lacks of `images` from the decoder's image, without bias, of the
    /// largest dead units; these are given before some were chosen, and after. `None` without a weight.
    fn loss(
        self,
        graph: &mut Graph,
        scale: f64,
        [all, code]: [ValueId; 2],
        [images, decoded]: [ValueId; 2],
    ) -> Result<Option<Loss>> {
        if self.weight == 0.0 {
            return Ok(None);
        }
        let parameter = |graph: &Graph, name: &str| match graph.parameters_named(|own| own == name)[..] {
            [found] => Ok(found),
            _ => Err(Error::Internal(format!("the model has no parameter {name}"))),
        };
        let weight = parameter(graph, &format!("{OUTPUT}.weight"))?;
        let bias = parameter(graph, &format!("{OUTPUT}.bias"))?;
        let units = graph.value(all).shape.columns;
        let keep = self.units.unwrap_or(units / 2).clamp(1, units);
        let idle = graph.count_idle("code.idle", code)?;
        // Units that are not dead are 0 here, and below all that count.
        let dead = graph.idle_only("code.dead", all, idle, self.dead_after)?;
        let largest = graph.keep_largest("code.dead.largest", dead, keep)?;
        let code = graph.activate("code.dead.relu", largest, Activation::Relu);
        let constant = graph.detach(bias);
        let image = graph.linear_with("auxiliary.image", code, [weight, constant])?;
        // Bias and image stand on both sides: images - decoded = (image - bias) + rest.
        let lacking = graph.add_scaled("auxiliary.lacking", images, decoded, -1.0)?;
        let lacking = graph.detach(lacking);
        let without = graph
            .with_constant_parameters(|graph| graph.subtract_bias("auxiliary.without_bias", image, OUTPUT))?;
        let rest = graph.add_scaled("auxiliary.rest", lacking, without, -1.0)?;
        let squares = graph.code_squares(rest, scale);
        Ok(Some(graph.loss("auxiliary", squares, 1, Weight::Constant(1.0))))
    }
}
