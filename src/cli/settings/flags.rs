//! The flags of settings. Each is a shortcut that sets one key of the configuration: this is the one list of them.

use super::parsers::{hidden, image_size, latent, number, one_of, text, typed, warmup};
use clap::builder::ValueParser;
use vae::data::{Background, Colour, Fit};
use vae::device::DeviceChoice;
use vae::graph::{Activation, Binarize, Corruption, LikelihoodChoice, Sampling};
use vae::model::{Initialisation, ObjectiveKind, OutputBias};
use vae::optimizer::{LearningRateSchedule, OptimizerKind};
use vae::tuning::Tuning;

/// A flag, and the key it sets.
#[derive(Debug)]
pub(crate) struct Flag {
    /// Its name, without the dashes.
    pub(crate) name: &'static str,
    /// The key path.
    pub(crate) path: &'static str,
    /// How the value is called in the help.
    pub(super) value_name: &'static str,
    pub(super) takes: Takes,
    /// Who has it.
    pub(super) of: Of,
    pub(super) help: &'static str,
}

/// What stands behind a flag.
#[derive(Clone, Copy, Debug)]
pub(super) enum Takes {
    /// A value, which the parser turns into a TOML value.
    Value(fn() -> ValueParser),
    /// `=true` or `=false`; true where it is left out.
    Switch,
    /// Nothing: the flag stands for this string.
    Nothing(&'static str),
}

/// The commands that have a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// `vae train` and `vae plan`: it decides the plan.
    Plan,
    /// `vae train`: it decides the course of training.
    Training,
}

use Of::{Plan, Training};
use Takes::{Nothing, Switch, Value};

/// All of them, in the order of the help.
pub(crate) const FLAGS: &[Flag] = &[
    Flag {
        name: "dataset",
        path: "data.dataset",
        value_name: "NAME|PATH",
        takes: Value(text),
        of: Plan,
        help: "Dataset: digits and dsprites (drawn by the program), mnist, fashion-mnist, kmnist, emnist, cifar10, or the \
               path of a folder or archive (zip, tar, tar.gz) of pictures or of IDX files, or of an IDX, .npy, \
               .npz or .csv file; FILE.npz:NAME names an array [default: digits]",
    },
    Flag {
        name: "data-dir",
        path: "data.data-dir",
        value_name: "FOLDER",
        takes: Value(text),
        of: Plan,
        help: "Folder with the files of named datasets [default: the variable VAE_DATA, then the user's data \
               folder]",
    },
    Flag {
        name: "images",
        path: "data.images",
        value_name: "N",
        takes: Value(number::<usize>),
        of: Plan,
        help: "Number of training images to use; of dsprites, drawn under --seed [default: all; 10000 digits]",
    },
    Flag {
        name: "image-size",
        path: "data.image-size",
        value_name: "WxH",
        takes: Value(image_size),
        of: Plan,
        help: "Resize pictures to this many pixels, such as 28x28 [default: the pictures' size; of several or \
               large ones a square of a power of two, at most 64x64]",
    },
    Flag {
        name: "color",
        path: "data.color",
        value_name: "COLOR",
        takes: Value(one_of::<Colour>),
        of: Plan,
        help: "Read pictures in grey or in colour [default: grey if every pixel is]",
    },
    Flag {
        name: "fit",
        path: "data.fit",
        value_name: "HOW",
        takes: Value(one_of::<Fit>),
        of: Plan,
        help: "Bring pictures of another shape to the size: crop cuts what stands over, stretch changes the \
               shape, pad fills with the background [default: crop]",
    },
    Flag {
        name: "background",
        path: "data.background",
        value_name: "COLOR",
        takes: Value(typed::<Background>),
        of: Plan,
        help: "Colour under transparent parts and beside padded pictures: white, black or #rrggbb [default: \
               white under dark ink, black under light ink]",
    },
    Flag {
        name: "stretch",
        path: "data.stretch",
        value_name: "BOOL",
        takes: Switch,
        of: Plan,
        help: "Spread the values found over black to white, by one factor for all pictures [default: false]",
    },
    Flag {
        name: "skip-unreadable",
        path: "data.skip-unreadable",
        value_name: "BOOL",
        takes: Switch,
        of: Plan,
        help: "Go on without pictures that cannot be read [default: false]",
    },
    Flag {
        name: "test-fraction",
        path: "data.test-fraction",
        value_name: "FRACTION",
        takes: Value(number::<f64>),
        of: Plan,
        help: "Fraction of the images to hold out if the dataset has no test part [default: 0.1]",
    },
    Flag {
        name: "binarize",
        path: "data.binarize",
        value_name: "HOW",
        takes: Value(one_of::<Binarize>),
        of: Plan,
        help: "How grey pixels become black or white: by threshold 128, by one draw (static), or by a new \
               draw each time (dynamic) [default: dynamic for bernoulli, else none]",
    },
    Flag {
        name: "flip",
        path: "data.flip",
        value_name: "BOOL",
        takes: Switch,
        of: Plan,
        help: "Mirror training images left to right, each with probability 1/2 each time it is used [default: \
               false]",
    },
    Flag {
        name: "hidden",
        path: "model.hidden",
        value_name: "SIZES",
        takes: Value(hidden),
        of: Plan,
        help: "Layer sizes of the encoder, such as 500,250; the decoder mirrors them; none for a linear \
               model. With several stochastic layers: one list for all of them, or one for each, such as \
               200,200/100,100 [default: 500]",
    },
    Flag {
        name: "latent",
        path: "model.latent",
        value_name: "N",
        takes: Value(latent),
        of: Plan,
        help: "Latent dimensions. For several stochastic layers: one number each, that nearest to the image \
               first, such as 100,50. Of autoencoder-kl the channels of the latent maps [default: 2; 32 for conv; \
               4 for autoencoder-kl]",
    },
    Flag {
        name: "activation",
        path: "model.activation",
        value_name: "FUNCTION",
        takes: Value(one_of::<Activation>),
        of: Plan,
        help: "Activation function of the hidden layers [default: tanh]",
    },
    Flag {
        name: "likelihood",
        path: "model.likelihood",
        value_name: "DISTRIBUTION",
        takes: Value(one_of::<LikelihoodChoice>),
        of: Plan,
        help: "Distribution of a pixel. The standard deviation is fixed (gaussian), learned (gaussian-shared), \
               the best for all pixels of a minibatch (gaussian-optimal) or predicted for each pixel \
               (gaussian-learned); discretized-logistic has 256 grey levels, \
               continuous-bernoulli a density, laplace one of a fixed scale. auto is bernoulli for digits, mnist, \
               kmnist, emnist and wherever 80 % of the pixels are black or white, else gaussian-optimal [default: \
               auto; bernoulli with --binarize, --sigma, --scale, --mean-activation or --config]",
    },
    Flag {
        name: "sigma",
        path: "model.sigma",
        value_name: "DEVIATION",
        takes: Value(number::<f64>),
        of: Plan,
        help: "Standard deviation of gaussian, initial one of gaussian-shared, in pixel values from 0 to 1 \
               [default: 1]",
    },
    Flag {
        name: "scale",
        path: "model.scale",
        value_name: "SCALE",
        takes: Value(number::<f64>),
        of: Plan,
        help: "Scale of laplace, in pixel values from 0 to 1 [default: 1]",
    },
    Flag {
        name: "mean-activation",
        path: "model.mean-activation",
        value_name: "FUNCTION",
        takes: Value(one_of::<Activation>),
        of: Plan,
        help: "Activation function of Gaussian, Laplace and logistic means [default: identity]",
    },
    Flag {
        name: "objective",
        path: "objective.kind",
        value_name: "BOUND",
        takes: Value(one_of::<ObjectiveKind>),
        of: Plan,
        help: "Bound to maximise: the ELBO, the importance-weighted bound iwae, or dreg, which is iwae with \
               less noise in the encoder's gradient; or the loss of an autoencoder without noise in its \
               latents; or the ELBO with a penalty that disentangles; see Objectives in docs/models.md [default: elbo]",
    },
    Flag {
        name: "importance-samples",
        path: "objective.importance-samples",
        value_name: "K",
        takes: Value(number::<usize>),
        of: Plan,
        help: "Importance samples per image [default: 50 for iwae and dreg]",
    },
    Flag {
        name: "noise-samples",
        path: "objective.noise-samples",
        value_name: "N",
        takes: Value(number::<usize>),
        of: Plan,
        help: "Latent samples per image in a training step of elbo [default: 1]",
    },
    Flag {
        name: "beta",
        path: "objective.beta",
        value_name: "WEIGHT",
        takes: Value(number::<f64>),
        of: Training,
        help: "KL divergence weight; 1 gives the ELBO [default: 1; 1e-6 for autoencoder-kl]",
    },
    Flag {
        name: "kl-warmup",
        path: "objective.kl-warmup",
        value_name: "EPOCHS",
        takes: Value(warmup),
        of: Training,
        help: "Epochs over which the KL divergence weight rises from 0, or steps, such as '10000 steps' \
               [default: 0]",
    },
    Flag {
        name: "kl-cycle",
        path: "objective.kl-cycle",
        value_name: "EPOCHS",
        takes: Value(number::<f64>),
        of: Training,
        help: "Epochs after which the KL divergence weight starts from 0 again; 0 for never [default: 0]",
    },
    Flag {
        name: "capacity",
        path: "objective.capacity",
        value_name: "NATS",
        takes: Value(number::<f64>),
        of: Plan,
        help: "Target KL in nats: minimise beta * abs(KL - NATS) instead of beta * KL",
    },
    Flag {
        name: "capacity-epochs",
        path: "objective.capacity-epochs",
        value_name: "EPOCHS",
        takes: Value(number::<f64>),
        of: Training,
        help: "Epochs over which the target KL rises from 0 to --capacity [default: 0]",
    },
    Flag {
        name: "free-bits",
        path: "objective.free-bits",
        value_name: "NATS",
        takes: Value(number::<f64>),
        of: Plan,
        help: "KL divergence per latent dimension, in nats, below which it is not reduced further [default: \
               0]",
    },
    Flag {
        name: "kl-floor",
        path: "objective.kl-floor",
        value_name: "NATS",
        takes: Value(number::<f64>),
        of: Plan,
        help: "KL divergence per image, in nats, below which it is not reduced further [default: 0]",
    },
    // Deterministic autoencoders.
    Flag {
        name: "corruption",
        path: "objective.corruption",
        value_name: "KIND",
        takes: Value(one_of::<Corruption>),
        of: Plan,
        help: "Corruption of the images that the encoder of denoising sees [default: masking for denoising]",
    },
    Flag {
        name: "noise-level",
        path: "objective.noise-level",
        value_name: "LEVEL",
        takes: Value(number::<f64>),
        of: Training,
        help: "Probability that the corruption changes a pixel; the standard deviation of gaussian noise \
               [default: 0.3 for denoising]",
    },
    // Penalties beside the ELBO.
    Flag {
        name: "penalty",
        path: "objective.penalty",
        value_name: "WEIGHT",
        takes: Value(number::<f64>),
        of: Plan,
        help: "Weight of the penalty that the objective adds to the ELBO, or to the reconstruction [default: 6.4 for \
               factor, 5 for tc, 10 for dip-1, dip-2 and wae, 99 for infovae, 3 for sparse, 0.1 for contractive, \
               1e-4 for rae]",
    },
    Flag {
        name: "penalty-warmup",
        path: "objective.penalty-warmup",
        value_name: "EPOCHS",
        takes: Value(warmup),
        of: Training,
        help: "Epochs, or steps such as '10000 steps', over which that weight rises from 0 [default: 0]",
    },
    Flag {
        name: "sampling",
        path: "objective.sampling",
        value_name: "HOW",
        takes: Value(one_of::<Sampling>),
        of: Plan,
        help: "How tc estimates the density of all latents from a minibatch [default: stratified for tc]",
    },
    Flag {
        name: "diagonal-penalty",
        path: "objective.diagonal-penalty",
        value_name: "WEIGHT",
        takes: Value(number::<f64>),
        of: Plan,
        help: "Weight of the variances' distance from 1 [default: 10 times --penalty for dip-1, --penalty for \
               dip-2]",
    },
    Flag {
        name: "discriminator-layers",
        path: "objective.discriminator-layers",
        value_name: "N",
        takes: Value(number::<usize>),
        of: Plan,
        help: "Hidden layers of the discriminator of factor [default: 6 for factor]",
    },
    Flag {
        name: "discriminator-units",
        path: "objective.discriminator-units",
        value_name: "N",
        takes: Value(number::<usize>),
        of: Plan,
        help: "Units of each of these layers [default: 1000 for factor]",
    },
    Flag {
        name: "sparsity",
        path: "objective.sparsity",
        value_name: "MEAN",
        takes: Value(number::<f64>),
        of: Plan,
        help: "Mean over images that each unit of sparse is to have [default: 0.05 for sparse]",
    },
    Flag {
        name: "active-units",
        path: "objective.active-units",
        value_name: "N",
        takes: Value(number::<usize>),
        of: Plan,
        help: "Units of each code that k-sparse and topk keep, the largest",
    },
    Flag {
        name: "auxiliary-units",
        path: "objective.auxiliary-units",
        value_name: "N",
        takes: Value(number::<usize>),
        of: Plan,
        help: "Dead units of each code that the auxiliary loss of topk trains [default: half of the units]",
    },
    Flag {
        name: "auxiliary-weight",
        path: "objective.auxiliary-weight",
        value_name: "WEIGHT",
        takes: Value(number::<f64>),
        of: Plan,
        help: "Weight of the auxiliary loss of topk; 0 for none [default: 1/32 for topk]",
    },
    Flag {
        name: "dead-after",
        path: "objective.dead-after",
        value_name: "STEPS",
        takes: Value(number::<usize>),
        of: Plan,
        help: "Steps after which a unit of topk that is 0 for all images counts as dead [default: 200 for topk]",
    },
    Flag {
        name: "decoder-penalty",
        path: "objective.decoder-penalty",
        value_name: "WEIGHT",
        takes: Value(number::<f64>),
        of: Plan,
        help: "Weight of the squares of the decoder's weights of rae [default: 1e-7 for rae]",
    },
    Flag {
        name: "optimizer",
        path: "optimizer.kind",
        value_name: "OPTIMIZER",
        takes: Value(one_of::<OptimizerKind>),
        of: Plan,
        help: "Optimizer [default: adam]",
    },
    Flag {
        name: "learning-rate",
        path: "optimizer.learning-rate",
        value_name: "RATE",
        takes: Value(number::<f64>),
        of: Training,
        help: "Learning rate [default: 0.002 for adam and adamax, 0.001 for rmsprop, 0.01 for adagrad, 0.0001 \
               for sgd]",
    },
    Flag {
        name: "learning-rate-schedule",
        path: "optimizer.learning-rate-schedule",
        value_name: "SCHEDULE",
        takes: Value(typed::<LearningRateSchedule>),
        of: Training,
        help: "Learning rate over the epochs: constant; iwae for the eight stages of Burda et al., stage i of \
               3^i epochs at 10^(-i/7) times the rate, i from 0 to 7; steps:0.5@100,150 to halve it after 100 \
               and 150 epochs [default: constant]",
    },
    Flag {
        name: "adam-epsilon",
        path: "optimizer.adam-epsilon",
        value_name: "EPSILON",
        takes: Value(number::<f64>),
        of: Plan,
        help: "Epsilon in the denominators of adam and adamax [default: 1e-8]",
    },
    Flag {
        name: "adam-beta-1",
        path: "optimizer.adam-beta-1",
        value_name: "BETA",
        takes: Value(number::<f64>),
        of: Plan,
        help: "Decay rate of the mean of gradients in adam and adamax [default: 0.9 for adam]",
    },
    Flag {
        name: "adam-beta-2",
        path: "optimizer.adam-beta-2",
        value_name: "BETA",
        takes: Value(number::<f64>),
        of: Plan,
        help: "Decay rate of the mean of squared gradients in adam and adamax [default: 0.999 for adam]",
    },
    Flag {
        name: "weight-decay",
        path: "optimizer.weight-decay",
        value_name: "FACTOR",
        takes: Value(number::<f64>),
        of: Plan,
        help: "L2 penalty: this factor times a parameter is added to its gradient [default: 0]",
    },
    Flag {
        name: "clip-norm",
        path: "optimizer.clip-norm",
        value_name: "NORM",
        takes: Value(number::<f64>),
        of: Plan,
        help: "Largest gradient norm: larger gradients are scaled down to it; 0 for no limit [default: 0]",
    },
    Flag {
        name: "clip-value",
        path: "optimizer.clip-value",
        value_name: "LIMIT",
        takes: Value(number::<f64>),
        of: Plan,
        help: "Largest size of each number of a gradient, before --clip-norm: larger ones become this; 0 for no limit \
               [default: 0]",
    },
    Flag {
        name: "ema-decay",
        path: "optimizer.ema-decay",
        value_name: "DECAY",
        takes: Value(number::<f64>),
        of: Plan,
        help: "Keep exponential moving averages of the parameters with this decay, such as 0.999, and evaluate \
               and draw with them; 0 for none [default: 0]",
    },
    Flag {
        name: "init",
        path: "optimizer.init",
        value_name: "RULE",
        takes: Value(typed::<Initialisation>),
        of: Training,
        help: "Initial parameters: fan-in, glorot, kaiming, or normal:DEVIATION [default: fan-in]",
    },
    Flag {
        name: "output-bias",
        path: "optimizer.output-bias",
        value_name: "BIAS",
        takes: Value(one_of::<OutputBias>),
        of: Training,
        help: "Initial bias of the decoder's output layer: drawn as --init says, or such that the decoder \
               starts at the mean training image [default: drawn]",
    },
    Flag {
        name: "batch-size",
        path: "run.batch-size",
        value_name: "N",
        takes: Value(number::<usize>),
        of: Plan,
        help: "Images in a minibatch [default: 64, or all training images where they are fewer]",
    },
    Flag {
        name: "epochs",
        path: "run.epochs",
        value_name: "N",
        takes: Value(number::<u64>),
        of: Training,
        help: "Passes over the training images [default: 16, or as many as take 2,500 steps]",
    },
    Flag {
        name: "steps",
        path: "run.steps",
        value_name: "N",
        takes: Value(number::<u64>),
        of: Training,
        help: "Training steps, instead of --epochs; each takes one minibatch",
    },
    Flag {
        name: "evaluate-every",
        path: "run.evaluate-every",
        value_name: "EPOCHS",
        takes: Value(number::<u64>),
        of: Training,
        help: "Epochs from one evaluation, with its line, its row of metrics.csv and its checkpoint, to the next \
               [default: 1; more where --epochs is not given and rises]",
    },
    Flag {
        name: "disentangle-every",
        path: "run.disentangle-every",
        value_name: "EPOCHS",
        takes: Value(number::<u64>),
        of: Training,
        help: "Epochs from one measurement of MIG and the score of FactorVAE to the next, on data with factors; 0 for \
               none [default: 5]",
    },
    Flag {
        name: "seed",
        path: "run.seed",
        value_name: "N",
        takes: Value(number::<u64>),
        of: Training,
        help: "Seed of all random numbers: the same seed on the same device gives the same bits [default: 1]",
    },
    Flag {
        name: "order",
        path: "run.order",
        value_name: "N",
        takes: Value(number::<u32>),
        of: Training,
        help: "Algorithm that shuffles the images of an epoch; 1 is that of older versions [default: 2]",
    },
    Flag {
        name: "keep-pictures",
        path: "run.keep-pictures",
        value_name: "N",
        takes: Value(number::<usize>),
        of: Training,
        help: "Held-out pictures to keep in the run's folder, to look at where the dataset is not; 0 for none \
               [default: 64]",
    },
    Flag {
        name: "log-steps",
        path: "run.log-steps",
        value_name: "BOOL",
        takes: Switch,
        of: Training,
        help: "Write the metrics of every training step to the run's steps.csv [default: false]",
    },
    Flag {
        name: "from",
        path: "run.from",
        value_name: "FILE|RUN",
        takes: Value(text),
        of: Training,
        help: "Begin with the weights of a .safetensors file or of another run, by name and shape; what does \
               not fit is listed. Without --model the model is that of the run",
    },
    Flag {
        name: "device",
        path: "run.device",
        value_name: "DEVICE",
        takes: Value(typed::<DeviceChoice>),
        of: Training,
        help: "Device: auto, cpu, software, or an adapter's number or name (see 'vae devices') [default: \
               auto]",
    },
    Flag {
        name: "matmul",
        path: "run.matmul",
        value_name: "HOW",
        takes: Value(typed::<Tuning>),
        of: Training,
        help: "Kernels of matrix products on an adapter: measured (the fastest), fixed (by a rule), or one \
               variant for all (see 'vae bench') [default: measured]",
    },
    Flag {
        name: "no-tune",
        path: "run.matmul",
        value_name: "",
        takes: Nothing("fixed"),
        of: Training,
        help: "Measure no kernels: the same as --matmul fixed",
    },
];
