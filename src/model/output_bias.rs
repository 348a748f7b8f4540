//! Where the decoder's output begins.

use crate::data::Part;
use crate::graph::{Binarize, Likelihood, Tensors};
use serde::{Deserialize, Serialize};

/// The first bias of the decoder's output layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum OutputBias {
    /// Drawn as all parameters are.
    #[default]
    Drawn,
    /// The decoder's output under which the mean training image is expected, as in the code of Burda et al. (2016): the
    /// latents need not carry what all images share, and fewer of them collapse before they carry anything else.
    MeanImage,
}

/// The layer that computes the decoder's output: the means or logits of pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutputLayer {
    /// Its name: that of its tensors without `.weight` and `.bias`.
    pub name: &'static str,
    /// The distribution of a pixel.
    pub likelihood: Likelihood,
    /// Whether pixels go from -1 to 1 in it: (y + 1) / 2 is what the likelihood takes.
    pub centred: bool,
}

impl OutputLayer {
    /// The layer that every family but one has.
    pub fn of(likelihood: Likelihood) -> Self {
        Self { name: likelihood.kind.outputs()[0], likelihood, centred: false }
    }

    /// The output under which a pixel's expectation is `mean`, a value from 0 to 1, ends excluded.
    fn output_for(self, mean: f64) -> f64 {
        let output = self.likelihood.output_for(mean);
        if self.centred { 2.0 * output - 1.0 } else { output }
    }
}

impl OutputBias {
    /// Set the bias in `parameters`, the flat buffer of `tensors`. A mean pixel is taken from 0.001 to 0.999, so that one
    /// that is black in all images may still be white in another.
    pub fn apply(
        self,
        parameters: &mut [f32],
        tensors: &Tensors,
        images: &Part,
        layer: OutputLayer,
        binarize: Binarize,
    ) {
        let Self::MeanImage = self else { return };
        if let Some(tensor) = tensors.find(&format!("{}.bias", layer.name)) {
            let outputs: Vec<f64> = mean_image(images, binarize)
                .into_iter()
                .map(|mean| layer.output_for(mean.clamp(1e-3, 1.0 - 1e-3)))
                .collect();
            // A convolution has one bias for each channel: the mean over pixels.
            let channels = tensor.count();
            let pixels = outputs.len() / channels.max(1);
            let sum = |channel: usize| outputs.iter().skip(channel).step_by(channels).sum::<f64>();
            let biases: Vec<f32> =
                (0..channels).map(|channel| (sum(channel) / pixels as f64) as f32).collect();
            tensor.put(parameters, &biases);
        }
    }
}

/// The mean of each value of an image, from 0 to 1; black or white by draws has the mean of the grey it is drawn from.
pub(crate) fn mean_image(images: &Part, binarize: Binarize) -> Vec<f64> {
    let share = |sums: Vec<u64>, most: f64| {
        sums.into_iter().map(|sum| sum as f64 / (most * images.count.max(1) as f64)).collect()
    };
    if let Some(bits) = images.bits() {
        return share(bits.counts(images.image_size()), 1.0);
    }
    let mut sums = vec![0_u64; images.image_size()];
    for image in (0..images.count).map(|index| images.image(index)) {
        for (sum, &byte) in sums.iter_mut().zip(&*image) {
            *sum += match binarize {
                Binarize::Threshold => 255 * u64::from(byte >= 128),
                Binarize::None | Binarize::Static | Binarize::Dynamic => u64::from(byte),
            };
        }
    }
    share(sums, 255.0)
}
