//! A hierarchy of linear layers, whose evidence is known.

use crate::common::{likelihood, small_model};
use vae::data::Part;
use vae::eval::density::Weights;
use vae::graph::LikelihoodKind;
use vae::model::{MlpVae, UpperLayer};

pub(crate) const PIXELS: usize = 7;
/// p(x|h1) = N(W h1 + B, SIGMA^2 I), p(h1|h2) = N(A h2 + C, S^2), p(h2) = N(0, 1); one dimension each.
pub(crate) const SIGMA: f64 = 0.5;
const W: [f64; PIXELS] = [0.6, 0.5, -0.4, 0.0, 0.3, -0.2, 0.1];
const B: [f64; PIXELS] = [0.4, 0.6, 0.5, 0.3, 0.5, 0.2, 0.7];
const A: f64 = 0.8;
const C: f64 = -0.3;
const S: f64 = 0.7;

pub(crate) fn linear() -> MlpVae {
    MlpVae {
        pixels: PIXELS,
        latent: 1,
        upper: Some(UpperLayer { hidden: vec![], latent: 1 }),
        likelihood: likelihood(LikelihoodKind::Gaussian, SIGMA),
        ..small_model()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Mean C and this variance: h1 with h2 integrated out.
fn marginal_variance() -> f64 {
    A * A + S * S
}

/// The model's parameters, and encoders that give the exact q(h1|x) = p(h1|x) and q(h2|h1) = p(h2|h1), the means of both
/// moved by `shift` of their deviation.
pub(crate) fn parameters(shift: f64) -> Vec<f32> {
    let graph = linear().build().unwrap().graph;
    let mut flat = vec![0.0_f32; graph.parameter_length()];
    let variance = 1.0 / (1.0 / marginal_variance() + dot(&W, &W) / (SIGMA * SIGMA));
    let upper_variance = 1.0 / (1.0 + A * A / (S * S));
    for tensor in graph.tensors() {
        let values: Vec<f64> = match tensor.name.as_str() {
            "decoder.output.weight" => W.to_vec(),
            "decoder.output.bias" => B.to_vec(),
            "decoder.upper.mean.weight" => vec![A],
            "decoder.upper.mean.bias" => vec![C],
            "decoder.upper.log_variance.weight" | "encoder.upper.log_variance.weight" => vec![0.0],
            "decoder.upper.log_variance.bias" => vec![2.0 * S.ln()],
            "encoder.mean.weight" => W.map(|w| variance * w / (SIGMA * SIGMA)).to_vec(),
            "encoder.mean.bias" => {
                let mean = variance * (C / marginal_variance() - dot(&W, &B) / (SIGMA * SIGMA));
                vec![mean + shift * variance.sqrt()]
            }
            "encoder.log_variance.weight" => vec![0.0; PIXELS],
            "encoder.log_variance.bias" => vec![variance.ln()],
            "encoder.upper.mean.weight" => vec![upper_variance * A / (S * S)],
            "encoder.upper.mean.bias" => {
                vec![-upper_variance * A * C / (S * S) + shift * upper_variance.sqrt()]
            }
            "encoder.upper.log_variance.bias" => vec![upper_variance.ln()],
            other => panic!("a tensor called {other}"),
        };
        tensor.put(&mut flat, &values.into_iter().map(|value| value as f32).collect::<Vec<_>>());
    }
    flat
}

/// The same by name.
pub(crate) fn weights(shift: f64) -> Weights {
    let (graph, flat) = (linear().build().unwrap().graph, parameters(shift));
    Weights::new(graph.tensors().map(|tensor| (tensor.name.clone(), tensor.take(&flat))).collect())
}

pub(crate) fn images() -> Part {
    let pixels: Vec<u8> = (0..11 * PIXELS).map(|i| (i * i * 37 % 251) as u8).collect();
    Part { count: 11, pixels, labels: None }
}

/// log N(x; C W + B, marginal variance W Wᵀ + SIGMA^2 I) of image `number`.
pub(crate) fn evidence(number: usize) -> f64 {
    let images = images();
    let bytes = images.image(number).iter();
    let d: Vec<f64> =
        bytes.zip(W.iter().zip(B)).map(|(&x, (w, b))| f64::from(x) / 255.0 - b - C * w).collect();
    let (noise, norm, along) = (SIGMA * SIGMA, marginal_variance() * dot(&W, &W), dot(&W, &d));
    let quadratic = dot(&d, &d) / noise - marginal_variance() * along * along / (noise * (norm + noise));
    let log_determinant = PIXELS as f64 * noise.ln() + ((norm + noise) / noise).ln();
    -0.5 * (PIXELS as f64 * std::f64::consts::TAU.ln() + log_determinant + quadratic)
}
