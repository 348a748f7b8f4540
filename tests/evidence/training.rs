//! Training a linear VAE reaches the maximum of the likelihood that probabilistic PCA gives in closed form.

use crate::common::spec::{Spec, layer, small};
use crate::linear::{LinearGaussian, Matrix, best_log_likelihood};
use vae::data::{Dataset, ImageShape, Part};
use vae::device::OpenDevice;
use vae::eval::density::Weights;
use vae::graph::{Activation, Likelihood, LikelihoodKind};
use vae::model::Initialisation;
use vae::optimizer::{Optimizer, OptimizerKind};
use vae::plan::Step;
use vae::random::Philox;
use vae::session::{Session, Which};

const IMAGES: usize = 256;
const PIXELS: usize = 9;
const LATENT: usize = 2;
const STEPS: usize = 3072;

/// Images of three factors, one more than the model has, and noise.
fn dataset() -> Dataset {
    let mut random = Philox::new(3, 77, 0);
    let factors: Vec<f64> = (0..3 * PIXELS).map(|_| random.normal()).collect();
    let mut pixels = Vec::new();
    for _ in 0..IMAGES {
        let z = [random.normal(), random.normal(), 0.3 * random.normal()];
        for p in 0..PIXELS {
            let value: f64 = (0..3).map(|k| 0.1 * factors[3 * p + k] * z[k]).sum();
            pixels.push((255.0 * (0.5 + value + 0.08 * random.normal())).round().clamp(0.0, 255.0) as u8);
        }
    }
    let shape = ImageShape { width: 3, height: 3, channels: 1 };
    let part = Part::of_images(pixels, shape);
    Dataset::new("factors", shape, part.clone(), part)
}

pub(crate) fn linear(latent: usize, pixels: usize, batch: usize) -> Spec {
    Spec {
        batch,
        pixels,
        layers: vec![layer(&[], latent)],
        activation: Activation::Identity,
        likelihood: Likelihood {
            kind: LikelihoodKind::GaussianShared,
            sigma: 0.1,
            mean_activation: Activation::Identity,
        },
        samples: 4,
        ..small()
    }
}

/// The model whose parameters these are.
fn closed_form(weights: &Weights, latent: usize) -> LinearGaussian {
    let get = |name: &str| weights.get(name).unwrap().iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
    LinearGaussian {
        weight: get("decoder.output.weight"),
        bias: get("decoder.output.bias"),
        variance: get("decoder.log_variance")[0].exp(),
        latent,
    }
}

#[test]
fn reaches_probabilistic_pca() {
    let (dataset, spec) = (dataset(), linear(LATENT, PIXELS, IMAGES));
    let optimizer = Optimizer::new(OptimizerKind::Adam);
    let mut session =
        Session::open(OpenDevice::Cpu, &spec.task(), Some(&optimizer.into()), &dataset).unwrap();
    let start = Initialisation::FanIn.values(session.table(), 3);
    session.write_flat("parameters", &start).unwrap();
    let all: Vec<u32> = (0..IMAGES as u32).collect();
    let steps: Vec<Step> = (0..STEPS)
        .map(|t| {
            // The rate falls along half a cosine: what is left of the gradients' noise falls with it.
            let rate = 0.02 * (1.0 + (std::f64::consts::PI * t as f64 / STEPS as f64).cos());
            let mut step = Step::seeded(5, 0).at(t as u64);
            session.plan().set_number(&mut step, "beta", 1.0);
            optimizer.prepare(t as u64 + 1, rate, 0, &mut step);
            step
        })
        .collect();
    for steps in steps.chunks(64) {
        session.submit("train", Which::Train, &vec![all.as_slice(); steps.len()], steps.to_vec()).unwrap();
        session.receive(0).unwrap();
    }
    let images: Vec<Vec<f32>> = (0..IMAGES)
        .map(|i| dataset.train.image(i).iter().map(|&byte| f32::from(byte) / 255.0).collect())
        .collect();
    let mean: Vec<f64> =
        (0..PIXELS).map(|p| images.iter().map(|x| f64::from(x[p])).sum::<f64>() / IMAGES as f64).collect();
    let covariance = Matrix::new(PIXELS, |i, j| {
        let product = |x: &Vec<f32>| (f64::from(x[i]) - mean[i]) * (f64::from(x[j]) - mean[j]);
        images.iter().map(product).sum::<f64>() / IMAGES as f64
    });
    let best = best_log_likelihood(&covariance, LATENT);
    let model = closed_form(&Weights::of(&mut session).unwrap(), LATENT);
    let reached = images.iter().map(|x| model.log_evidence(x)).sum::<f64>() / IMAGES as f64;
    let elbo = session.evaluate(IMAGES, 64).unwrap().elbo();
    println!("best {best:.4}, reached {reached:.4}, ELBO {elbo:.4}");
    assert!(reached < best + 1e-6, "better than the best: {reached} {best}");
    assert!(best - reached < 0.05, "{reached} is too far below {best}");
    // At the optimum the posterior is a diagonal Gaussian, so that the ELBO is tight (Lucas et al. 2019). Its estimate
    // from 64 samples of 256 images has a standard error of about 0.02, twice which is let pass as well.
    assert!((best - elbo).abs() < 0.05 + 2.0 * 0.02, "{elbo} is too far below {best}");
}
