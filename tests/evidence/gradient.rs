//! The gradient with respect to the latents, by finite differences in f64.

use crate::common::{likelihood, small_model};
use vae::cpu::CpuExecutor;
use vae::graph::{Activation, LikelihoodKind};
use vae::model::{DensityModel, Initialisation, MlpVae, UpperLayer};
use vae::plan::{Executor, Step};

#[test]
fn of_the_log_likelihood_agrees_with_finite_differences() {
    for kind in [
        LikelihoodKind::Bernoulli,
        LikelihoodKind::Gaussian,
        LikelihoodKind::GaussianShared,
        LikelihoodKind::GaussianLearned,
    ] {
        let upper = |hidden, latent| Some(UpperLayer { hidden, latent });
        for (hidden, activation, upper) in [
            (vec![], Activation::Identity, None),
            (vec![5, 6], Activation::Silu, None),
            (vec![], Activation::Identity, upper(vec![], 1)),
            (vec![5, 6], Activation::Silu, upper(vec![4], 2)),
        ] {
            let spec = MlpVae {
                batch: 1,
                pixels: 7,
                hidden,
                latent: 3,
                activation,
                likelihood: likelihood(kind, 0.7),
                upper,
                ..small_model()
            };
            // Columns of a row of latents, and the same padded.
            let (width, stride) = (spec.joint_latent(), spec.joint_latent().next_multiple_of(4));
            let (images, rows) = (2, 3);
            let model = DensityModel::build(&spec, images, rows).unwrap();
            let plan = model.plan(2).unwrap();
            assert!(plan.buffer("gradients").is_none(), "gradients of parameters are computed");
            let mut cpu = CpuExecutor::<f64>::new(&plan, 1).unwrap();
            let fill = |name: &str, cpu: &mut CpuExecutor<f64>, values: &mut dyn FnMut(usize) -> f64| {
                let buffer = plan.buffer(name).unwrap();
                cpu.real_mut(buffer).iter_mut().enumerate().for_each(|(i, value)| *value = values(i));
            };
            let start = Initialisation::FanIn.values(&model.graph, 5, 0.7);
            fill("parameters", &mut cpu, &mut |i| start.get(i).map_or(0.0, |&value| f64::from(value)));
            // Rows of 7 pixels are padded to 8.
            let wave = |i: usize| 0.5 + 0.4 * (1.7 * i as f64).sin();
            fill("images", &mut cpu, &mut |i| if i % 8 < 7 { wave(i) } else { 0.0 });
            fill("latent", &mut cpu, &mut |i| if i % stride < width { 2.0 * wave(i + 3) - 1.0 } else { 0.0 });
            let step = Step { rows: images as u32, ..Step::default() };
            let [latent, gradient, density] =
                ["latent", "gradient.latent", "density"].map(|name| plan.buffer(name).unwrap());
            cpu.submit("gradient", &[step]).unwrap();
            // Scaled by the number of rows, and of the negative log-likelihood.
            let found: Vec<f64> = cpu.real(gradient).iter().map(|g| -g * (images * rows) as f64).collect();
            let largest = found.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
            assert!(largest > 1e-3, "{kind}: no gradient at all");
            for i in (0..stride * images * rows).filter(|i| i % stride < width) {
                let here = cpu.real(latent)[i];
                let mut at = |z: f64| {
                    cpu.real_mut(latent)[i] = z;
                    cpu.submit("density", &[step]).unwrap();
                    cpu.real(density)[4 * (i / stride)]
                };
                let difference = (at(here + 1e-5) - at(here - 1e-5)) / 2e-5;
                at(here);
                let error = (difference - found[i]).abs() / largest;
                assert!(error < 1e-8, "{kind} {i}: {difference} {}", found[i]);
            }
        }
    }
}
