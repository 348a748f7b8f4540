//! Pixels of held-out images, as a model gets them.

use crate::data::Dataset;
use crate::graph::{Binarize, LikelihoodKind};
use crate::random::{philox4x32, stream};

/// Pixels of held-out image `number` as the model gets them. Pixels binarised at random, `static` or `dynamic`, are drawn
/// once under a fixed seed, as `vae eval` does for `static`: an image must stay the same while its evidence is computed.
pub fn observed(dataset: &Dataset, number: usize, binarize: Binarize) -> Vec<f32> {
    let bytes = dataset.test.image(number);
    let pixel = |(i, &byte): (usize, &u8)| match binarize {
        Binarize::None => f32::from(byte) * (1.0 / 255.0),
        Binarize::Threshold => f32::from(u8::from(byte >= 128)),
        Binarize::Static | Binarize::Dynamic => {
            let stream = stream::EVALUATION_NOISE + stream::BINARIZE;
            let word = philox4x32([i as u32 / 4, number as u32, 0, stream], [0, 0])[i % 4];
            f32::from(u8::from((word >> 8) * 255 < u32::from(byte) << 24))
        }
    };
    bytes.iter().enumerate().map(pixel).collect()
}

/// How pixels enter the likelihood: reports print it beside every log p(x), since only numbers under one rule compare.
pub fn pixel_rule(likelihood: LikelihoodKind, binarize: Binarize) -> &'static str {
    match (likelihood, binarize) {
        (LikelihoodKind::Bernoulli, Binarize::None) => "grey pixels: this is not a likelihood",
        (LikelihoodKind::DiscretizedLogistic, _) => "256 grey levels",
        (_, Binarize::None) => "grey pixels, a density",
        (_, Binarize::Threshold) => "black or white by threshold",
        (_, Binarize::Static) => "black or white, drawn once (seed 0)",
        (_, Binarize::Dynamic) => "dynamic binarisation, one draw per image (seed 0)",
    }
}
