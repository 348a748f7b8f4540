//! Likelihoods p(x|z): distributions of a pixel, given the decoder's output.
//!
//! A likelihood is a WGSL file in `shaders/likelihood`, a file here with all that the host must know of it, one line in the
//! list below, and a twin in `src/cpu/likelihood`.

mod bernoulli;
mod continuous_bernoulli;
mod discretized_logistic;
mod gaussian;
mod gaussian_learned;
mod gaussian_shared;
mod laplace;

use crate::activation::Activation;
use serde::{Deserialize, Serialize};

macro_rules! likelihoods {
    ($($(#[$attribute:meta])* $kind:ident: $file:ident),* $(,)?) => {
        /// The distribution of a pixel given the decoder's output.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
        #[serde(rename_all = "kebab-case")]
        pub enum LikelihoodKind {
            $($(#[$attribute])* $kind,)*
        }

        /// The likelihood in settings: a distribution, or the choice of one by the data.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
        #[serde(rename_all = "kebab-case")]
        pub enum LikelihoodChoice {
            /// Bernoulli where most pixels are black or white, else Gaussian with the optimal standard deviation.
            Auto,
            $($(#[$attribute])* $kind,)*
        }

        impl LikelihoodChoice {
            /// The distribution; none where the data decides.
            pub fn kind(self) -> Option<LikelihoodKind> {
                match self {
                    Self::Auto => None,
                    $(Self::$kind => Some(LikelihoodKind::$kind),)*
                }
            }
        }

        impl From<LikelihoodKind> for LikelihoodChoice {
            fn from(kind: LikelihoodKind) -> Self {
                match kind {
                    $(LikelihoodKind::$kind => Self::$kind,)*
                }
            }
        }

        impl LikelihoodKind {
            /// All of them.
            pub const ALL: [Self; [$(Self::$kind),*].len()] = [$(Self::$kind),*];

            fn distribution(self) -> &'static dyn Distribution {
                match self {
                    $(Self::$kind => &$file::$kind,)*
                }
            }
        }
    };
}

// The list of likelihoods.
likelihoods! {
    /// Bernoulli; the decoder gives logits. Its negative logarithm is the binary cross-entropy.
    Bernoulli: bernoulli,
    /// Gaussian with one fixed standard deviation; the decoder gives means. Squared error, up to constants.
    Gaussian: gaussian,
    /// Gaussian with one learned standard deviation.
    GaussianShared: gaussian_shared,
    /// Gaussian with a standard deviation per pixel, given by the decoder.
    GaussianLearned: gaussian_learned,
    /// The mass of a logistic distribution on each of 256 grey levels; the decoder gives its mean and scale per pixel.
    DiscretizedLogistic: discretized_logistic,
    /// Continuous Bernoulli, a density of grey pixels; the decoder gives logits.
    ContinuousBernoulli: continuous_bernoulli,
    /// Laplace with one fixed scale; the decoder gives means. Absolute error, up to constants.
    Laplace: laplace,
}

/// What the host must know of a likelihood.
trait Distribution {
    /// The kernels of its WGSL file.
    fn kernels(&self) -> Kernels;

    /// Names of the decoder's last layers: one number a pixel, or two.
    fn outputs(&self) -> &'static [&'static str] {
        &["decoder.output"]
    }

    /// Whether the decoder gives logits, not means.
    fn takes_logits(&self) -> bool {
        false
    }

    /// Whether all pixels have one log-variance, and who sets it.
    fn log_variance(&self) -> LogVariance {
        LogVariance::None
    }

    /// The decoder's output under which a pixel's expectation is `mean`, a value from 0 to 1, ends excluded. `activation`
    /// turns the output into a mean.
    fn output_for(&self, mean: f64, activation: Activation) -> f64 {
        activation.inverse(mean)
    }

    /// How expected pixels follow from the decoder's output.
    fn picture(&self, activation: Activation) -> Picture {
        Picture::Activation(activation)
    }

    /// The section of the decoder's output that a draw needs beside the expected pixel.
    fn drawn_section(&self) -> Option<usize> {
        None
    }

    /// A pixel drawn from the distribution.
    fn draw(&self, pixel: Pixel, random: &mut Random<'_>) -> f64;
}

/// The kernels of a likelihood.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kernels {
    /// -log p(x).
    pub(crate) value: &'static str,
    /// Its gradient.
    pub(crate) gradient: &'static str,
    /// Both at once.
    pub(crate) with_gradient: &'static str,
}

macro_rules! kernels {
    ($name:literal) => {
        $crate::likelihood::Kernels {
            value: $name,
            gradient: concat!($name, "_gradient"),
            with_gradient: concat!($name, "_with_gradient"),
        }
    };
}
use kernels;

/// The log-variance that all pixels have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogVariance {
    /// There is none.
    None,
    /// A setting.
    Fixed,
    /// A setting, of a distribution that has a scale in place of a deviation.
    Scale,
    /// A parameter.
    Shared,
}

/// How expected pixels follow from the decoder's output.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Picture {
    /// By an activation function of the first section.
    Activation(Activation),
    /// By this kernel, from `decoded` to `expected`.
    Kernel(&'static str),
}

/// The distribution of one pixel, as the decoder gives it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pixel {
    /// The pixel of the picture.
    pub(crate) expected: f64,
    /// The decoder's output in the section [`LikelihoodKind::drawn_section`].
    pub(crate) raw: f64,
    /// The log-variance that all pixels have in common; twice the logarithm of a scale.
    pub(crate) log_variance: f64,
}

impl Pixel {
    /// A draw from a Gaussian distribution with the expected pixel as its mean.
    fn gaussian(self, log_variance: f64, random: &mut Random<'_>) -> f64 {
        self.expected + (0.5 * log_variance).exp() * (random.normal)()
    }
}

/// Where draws come from.
pub(crate) struct Random<'a> {
    /// Uniform numbers from 0 to 1.
    pub(crate) uniform: &'a mut dyn FnMut() -> f64,
    /// Standard normal numbers.
    pub(crate) normal: &'a mut dyn FnMut() -> f64,
}

/// `floor` and a softplus above it: how the decoder's raw numbers become log-variances and log-scales.
fn above(raw: f64, floor: f64) -> f64 {
    let excess = raw - floor;
    floor + excess.max(0.0) + (-excess.abs()).exp().ln_1p()
}

impl LikelihoodKind {
    /// Names of the decoder's last layers: one number a pixel, or two.
    pub fn outputs(self) -> &'static [&'static str] {
        self.distribution().outputs()
    }

    /// Whether the decoder gives logits, not means.
    pub fn takes_logits(self) -> bool {
        self.distribution().takes_logits()
    }

    /// The kernels that compute it.
    pub(crate) fn kernels(self) -> Kernels {
        self.distribution().kernels()
    }

    /// Whether all pixels have one log-variance, and who sets it.
    pub(crate) fn log_variance(self) -> LogVariance {
        self.distribution().log_variance()
    }

    /// The section of the decoder's output that [`LikelihoodKind::draw`] needs beside the expected pixel.
    pub(crate) fn drawn_section(self) -> Option<usize> {
        self.distribution().drawn_section()
    }

    /// A pixel drawn from the distribution.
    pub(crate) fn draw(self, pixel: Pixel, random: &mut Random<'_>) -> f64 {
        self.distribution().draw(pixel, random)
    }
}

impl std::fmt::Display for LikelihoodKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.kernels().value.replace('_', "-"))
    }
}

/// A likelihood with its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Likelihood {
    /// The distribution.
    pub kind: LikelihoodKind,
    /// Standard deviation of [`LikelihoodKind::Gaussian`], the initial one of `GaussianShared`; scale of `Laplace`.
    pub sigma: f64,
    /// Applied to the decoder's output to give means, or the locations of discretized logistics.
    pub mean_activation: Activation,
}

impl Likelihood {
    /// The decoder's output under which a pixel's expectation (of a discretized logistic the location) is `mean`, a value
    /// from 0 to 1, ends excluded.
    pub fn output_for(self, mean: f64) -> f64 {
        self.kind.distribution().output_for(mean, self.mean_activation)
    }

    /// How expected pixels follow from the decoder's output.
    pub(crate) fn picture(self) -> Picture {
        self.kind.distribution().picture(self.mean_activation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn a_likelihood_has_one_name_everywhere() {
        for kind in LikelihoodKind::ALL {
            let name = kind.to_string();
            assert_eq!(kind.to_possible_value().unwrap().get_name(), name);
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{name}\""));
            let file = format!("likelihood/{}.wgsl", name.replace('-', "_"));
            assert_eq!(crate::kernels::kernel(kind.kernels().with_gradient).file, file);
        }
    }

    #[test]
    fn raw_numbers_stay_above_their_floor() {
        assert_eq!(above(-1e3, -7.0), -7.0);
        assert!((above(5.0, -7.0) - 5.0).abs() < 1e-5);
    }
}
