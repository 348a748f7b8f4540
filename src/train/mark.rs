//! The mark that a model must pass: the bound of a decoder that knows no more than the mean training image.

use crate::data::{Dataset, Part};
use crate::graph::{Binarize, Likelihood};
use crate::likelihood::{LogVariance, optimal_log_variance};
use crate::model::mean_image;
use rayon::prelude::*;

/// The ELBO of the held-out images, nats per image, of a decoder that gives the mean training image whatever the latents are,
/// with a KL divergence of 0. Pixels that are drawn black or white count with their expectation. Where the likelihood has a
/// deviation that is learned or chosen, that of the training images from their mean stands for it, one for all pixels.
pub(super) fn mean_image_bound(likelihood: Likelihood, binarize: Binarize, dataset: &Dataset) -> f64 {
    // As where the decoder begins at the mean image: no pixel is certain.
    let means: Vec<f64> =
        mean_image(&dataset.train, binarize).into_iter().map(|mean| mean.clamp(1e-3, 1.0 - 1e-3)).collect();
    let kind = likelihood.kind;
    let log_variance = match kind.log_variance() {
        LogVariance::Fixed | LogVariance::Scale => 2.0 * likelihood.sigma.ln(),
        LogVariance::None | LogVariance::Shared | LogVariance::Optimal => {
            let squares = average(&dataset.train, binarize, &|pixel, x| (x - means[pixel]).powi(2));
            optimal_log_variance(squares / means.len().max(1) as f64)
        }
    };
    if !kind.takes_logits() {
        return -average(&dataset.test, binarize, &|pixel, x| {
            kind.negative_log(x, means[pixel], log_variance)
        });
    }
    // Linear in x, and costly: two values of each pixel are enough.
    let ends =
        |x: f64| -> Vec<f64> { means.iter().map(|&mean| kind.negative_log(x, mean, log_variance)).collect() };
    let (black, white) = (ends(0.0), ends(1.0));
    -average(&dataset.test, binarize, &|pixel, x| black[pixel] + x * (white[pixel] - black[pixel]))
}

/// The mean over the images of `part` of a sum over their values: `term` of a pixel's number and its value, from 0 to 1.
fn average(part: &Part, binarize: Binarize, term: &(dyn Fn(usize, f64) -> f64 + Sync)) -> f64 {
    let of = |pixel: usize, byte: u8| {
        let grey = f64::from(byte) / 255.0;
        match binarize {
            Binarize::None => term(pixel, grey),
            Binarize::Threshold => term(pixel, f64::from(u8::from(byte >= 128))),
            Binarize::Static | Binarize::Dynamic => grey * term(pixel, 1.0) + (1.0 - grey) * term(pixel, 0.0),
        }
    };
    // Added in order: equal calls give equal bits.
    let sums: Vec<f64> = (0..part.count)
        .into_par_iter()
        .map(|index| part.image(index).iter().enumerate().map(|(pixel, &byte)| of(pixel, byte)).sum())
        .collect();
    sums.iter().sum::<f64>() / part.count.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::data::digits::digits;
    use crate::device::OpenDevice;
    use crate::graph::LikelihoodKind;
    use crate::session::Session;

    /// A model whose decoder gives the mean image, and the deviation of the mark where it learns one, has the mark's bound.
    #[test]
    fn the_mark_is_the_bound_of_the_mean_image() {
        let dataset = digits(60, 20, 4).unwrap();
        for kind in LikelihoodKind::ALL {
            let binarize = match kind {
                LikelihoodKind::Bernoulli => "threshold",
                _ => "none",
            };
            let text = format!(
                "model = {{ hidden = [3], likelihood = '{kind}' }}\ndata.binarize = '{binarize}'\n\
                 optimizer = {{ init = 'normal:0', output-bias = 'mean-image' }}\nrun.batch-size = 8"
            );
            let config = Config::default().with(&text).unwrap().resolve().unwrap();
            let (likelihood, binarize) = (config.model.likelihood(), config.binarization());
            let mark = mean_image_bound(likelihood, binarize, &dataset);
            let mut session =
                Session::open(OpenDevice::Cpu, &config.task(dataset.shape), None, &dataset).unwrap();
            let means = mean_image(&dataset.train, binarize);
            let squares = average(&dataset.train, binarize, &|pixel, x| {
                (x - means[pixel].clamp(1e-3, 1.0 - 1e-3)).powi(2)
            });
            let log_variance = optimal_log_variance(squares / means.len() as f64);
            // The decoder's raw numbers go through a softplus above a floor.
            let raw = |value: f64, floor: f64| floor + (value - floor).exp_m1().ln();
            let log_scale = 0.5 * log_variance + (3.0_f64.sqrt() / std::f64::consts::PI).ln();
            let mut parameters = config.first_parameters(session.table(), &dataset.train);
            for (name, value) in [
                ("decoder.log_variance", log_variance),
                ("decoder.log_variance.bias", raw(log_variance, (1.0_f64 / 65_025.0).ln())),
                ("decoder.log_scale.bias", raw(log_scale, -7.0)),
            ] {
                if let Some(tensor) = session.table().find(name) {
                    tensor.put(&mut parameters, &vec![value as f32; tensor.count()]);
                }
            }
            session.write_flat("parameters", &parameters).unwrap();
            if kind == LikelihoodKind::GaussianOptimal {
                let variance = log_variance.exp() as f32;
                session.write_state("decoder.residuals", &[0.0, 0.0, variance, 60.0]).unwrap();
            }
            let found = session.evaluate(20, 1).unwrap();
            assert_eq!(found.kl, 0.0);
            assert!(
                (found.elbo() - mark).abs() < 1e-4 * mark.abs(),
                "{kind}: {} is not {mark}",
                found.elbo()
            );
        }
    }

    #[test]
    fn drawn_pixels_count_with_their_expectation() {
        let dataset = digits(60, 20, 4).unwrap();
        let likelihood = Config::default().model.likelihood();
        let [grey, drawn] = [Binarize::None, Binarize::Dynamic]
            .map(|binarize| mean_image_bound(likelihood, binarize, &dataset));
        // The cross-entropy is linear in the pixel.
        assert!((grey - drawn).abs() < 1e-9 * grey.abs());
        assert!(grey < -150.0 && grey > -350.0, "{grey}");
    }
}
