//! Hierarchies of linear layers, whose evidence is known.

use crate::common::spec::{Spec, layer, small};
use vae::data::{ImageShape, Part};
use vae::eval::density::Weights;
use vae::graph::{Activation, Likelihood, LikelihoodKind};

pub(crate) const PIXELS: usize = 7;
/// p(x|h1) = N(W h1 + B, SIGMA^2 I), p(hk|hk+1) = N(A h + C, S^2) with numbers of each step, p(hN) = N(0, 1); one
/// dimension each.
pub(crate) const SIGMA: f64 = 0.5;
const W: [f64; PIXELS] = [0.6, 0.5, -0.4, 0.0, 0.3, -0.2, 0.1];
const B: [f64; PIXELS] = [0.4, 0.6, 0.5, 0.3, 0.5, 0.2, 0.7];

/// One step down the hierarchy.
#[derive(Clone, Copy, Debug)]
struct Down {
    a: f64,
    c: f64,
    s: f64,
}

/// Steps from the second layer to the first, from the third to the second, ..
const STEPS: [Down; 3] =
    [Down { a: 0.8, c: -0.3, s: 0.7 }, Down { a: -0.6, c: 0.4, s: 0.9 }, Down { a: 1.1, c: 0.2, s: 0.5 }];

/// A hierarchy of so many layers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linear {
    pub(crate) layers: usize,
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Linear {
    pub(crate) fn spec(self) -> Spec {
        Spec {
            batch: 4,
            pixels: PIXELS,
            layers: vec![layer(&[], 1); self.layers],
            activation: Activation::Identity,
            likelihood: Likelihood {
                kind: LikelihoodKind::Gaussian,
                sigma: SIGMA,
                mean_activation: Activation::Identity,
            },
            ..small()
        }
    }

    /// Mean and variance of layer `layer`, counted from 0, with those above it integrated out.
    fn marginal(self, layer: usize) -> (f64, f64) {
        if layer + 1 == self.layers {
            return (0.0, 1.0);
        }
        let ((mean, variance), Down { a, c, s }) = (self.marginal(layer + 1), STEPS[layer]);
        (a * mean + c, a * a * variance + s * s)
    }

    /// The variance of p(h1|x), and of p(hk+1|hk) for `layer` k.
    fn posterior_variance(self, layer: usize) -> f64 {
        let precision = match layer {
            0 => dot(&W, &W) / (SIGMA * SIGMA),
            layer => (STEPS[layer - 1].a / STEPS[layer - 1].s).powi(2),
        };
        1.0 / (1.0 / self.marginal(layer).1 + precision)
    }

    /// The model's parameters, and encoders that give the exact posteriors p(h1|x) and p(hk+1|hk), the means of all moved by
    /// `shift` of their deviation.
    pub(crate) fn weights(self, shift: f64) -> Weights {
        let tensors = self.spec().tensors();
        let mut flat = vec![0.0_f32; tensors.length()];
        for tensor in tensors.all() {
            let layer =
                (2..=self.layers).find(|n| tensor.name.contains(&format!(".layer{n}."))).unwrap_or(1) - 1;
            let name = tensor.name.replace(&format!(".layer{}.", layer + 1), ".");
            let (mean, variance) = self.marginal(layer);
            let exact = self.posterior_variance(layer);
            let down = STEPS[layer.max(1) - 1];
            let values: Vec<f64> = match name.as_str() {
                "decoder.output.weight" => W.to_vec(),
                "decoder.output.bias" => B.to_vec(),
                "decoder.mean.weight" => vec![down.a],
                "decoder.mean.bias" => vec![down.c],
                "decoder.log_variance.bias" => vec![2.0 * down.s.ln()],
                "encoder.mean.weight" if layer == 0 => W.map(|w| exact * w / (SIGMA * SIGMA)).to_vec(),
                "encoder.mean.weight" => vec![exact * down.a / (down.s * down.s)],
                "encoder.mean.bias" => {
                    let away = match layer {
                        0 => dot(&W, &B) / (SIGMA * SIGMA),
                        _ => down.a * down.c / (down.s * down.s),
                    };
                    vec![exact * (mean / variance - away) + shift * exact.sqrt()]
                }
                "encoder.log_variance.bias" => vec![exact.ln()],
                "encoder.log_variance.weight" | "decoder.log_variance.weight" => vec![0.0; tensor.count()],
                other => panic!("a tensor called {other}"),
            };
            tensor.put(&mut flat, &values.into_iter().map(|value| value as f32).collect::<Vec<_>>());
        }
        Weights { tensors, flat, states: Default::default() }
    }

    /// log N(x; m W + B, v W Wᵀ + SIGMA^2 I) of image `number`, with the mean m and the variance v of the first layer.
    pub(crate) fn evidence(self, number: usize) -> f64 {
        let images = images();
        let (mean, variance) = self.marginal(0);
        let bytes = images.image(number);
        let d: Vec<f64> = bytes
            .iter()
            .zip(W.iter().zip(B))
            .map(|(&x, (w, b))| f64::from(x) / 255.0 - b - mean * w)
            .collect();
        let (noise, norm, along) = (SIGMA * SIGMA, variance * dot(&W, &W), dot(&W, &d));
        let quadratic = dot(&d, &d) / noise - variance * along * along / (noise * (norm + noise));
        let log_determinant = PIXELS as f64 * noise.ln() + ((norm + noise) / noise).ln();
        -0.5 * (PIXELS as f64 * std::f64::consts::TAU.ln() + log_determinant + quadratic)
    }
}

pub(crate) fn images() -> Part {
    let pixels: Vec<u8> = (0..11 * PIXELS).map(|i| (i * i * 37 % 251) as u8).collect();
    Part::of_images(pixels, ImageShape { width: PIXELS, height: 1, channels: 1 })
}
