//! Small models for tests, and plans of their losses and gradients.

use std::rc::Rc;
use vae::graph::{
    Activation, Binarize, GroupId, KlTarget, Likelihood, LikelihoodKind, ProgramSpec, Setting, Source,
    Tensors, lower,
};
use vae::model::families::mlp::{Layer, Mlp};
use vae::model::{Objective, ObjectiveKind, Task};
use vae::optimizer::{Optimizer, OptimizerKind};
use vae::plan::{Plan, Step};

/// A multilayer perceptron and its task, field by field.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) batch: usize,
    pub(crate) pixels: usize,
    pub(crate) layers: Vec<Layer>,
    pub(crate) activation: Activation,
    pub(crate) likelihood: Likelihood,
    pub(crate) binarize: Binarize,
    pub(crate) samples: usize,
    pub(crate) kind: ObjectiveKind,
    pub(crate) target: KlTarget,
}

/// A stochastic layer.
pub(crate) fn layer(hidden: &[usize], latent: usize) -> Layer {
    Layer { hidden: hidden.to_vec(), latent }
}

/// Images of seven grey pixels, two hidden layers, three latent dimensions.
pub(crate) fn small() -> Spec {
    Spec {
        batch: 3,
        pixels: 7,
        layers: vec![layer(&[5, 6], 3)],
        activation: Activation::Tanh,
        likelihood: Likelihood {
            kind: LikelihoodKind::Bernoulli,
            sigma: 0.7,
            mean_activation: Activation::Identity,
        },
        binarize: Binarize::None,
        samples: 1,
        kind: ObjectiveKind::Elbo,
        target: KlTarget::Zero,
    }
}

/// The program of [`Spec::loss_plan`].
pub(crate) const LOSS: &str = "loss";

impl Spec {
    pub(crate) fn model(&self) -> Mlp {
        Mlp {
            dropout: 0.0,
            pixels: self.pixels,
            layers: self.layers.clone(),
            activation: self.activation,
            likelihood: self.likelihood,
        }
    }

    pub(crate) fn task(&self) -> Task {
        let (kind, samples, target) = (self.kind, self.samples, self.target);
        let objective = Objective { kind, samples, target, ..Objective::default() };
        Task {
            model: Rc::new(self.model()),
            batch: self.batch,
            binarize: self.binarize,
            mirror: None,
            objective,
        }
    }

    /// The model's parameters.
    pub(crate) fn tensors(&self) -> Tensors {
        let (task, tensors) = (self.task(), Tensors::default());
        task.model.build(&tensors, &task, None).unwrap();
        tensors
    }

    /// A plan whose program [`LOSS`] computes the losses of held-out images and the gradients of all parameters, and moves
    /// none of them. `also` names values to keep.
    pub(crate) fn loss_plan(&self, also: &[&str]) -> (Plan, Tensors) {
        let (task, tensors) = (self.task(), Tensors::default());
        let optimizers = Optimizer::new(OptimizerKind::Sgd).into();
        let graph = task.model.build(&tensors, &task, Some(&optimizers)).unwrap().graph;
        let group: GroupId = tensors.groups()[0].0;
        let mut wanted: Vec<_> = graph.reported(graph.mode()).collect();
        wanted.extend(graph.gradients_of(group));
        wanted.extend(also.iter().map(|name| graph.find(name).unwrap_or_else(|| panic!("no {name}"))));
        let program = ProgramSpec::new(LOSS, &[], &wanted).from_source(Source::Test);
        let setting = Setting { train_images: 3, test_images: 3, max_steps: 1, streamed: false };
        (lower(&graph, &[program], setting).unwrap(), tensors)
    }
}

/// A step of `rows` images with these numbers, as far as `plan` has them.
pub(crate) fn step(plan: &Plan, rows: usize, numbers: &[(&str, f64)]) -> Step {
    let mut step = Step { rows: rows as u32, ..Step::default() };
    for (name, value) in numbers {
        plan.set_number(&mut step, name, *value);
    }
    step
}
