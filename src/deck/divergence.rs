//! KL(q||p) against KL(p||q): one Gaussian fitted to a target of two modes by either.

use super::evidence::Grid as Lattice;
use super::gaussians::{Gaussian, MixtureDensity, draws};
use super::{Block, Context, Figure, Section, table};
use crate::Result;
use crate::report::frame::{Frame, ellipse, heading, legend, shade};
use crate::report::scene::{Anchor, Colour, Scene};

/// Weights and components of the target.
fn target() -> [(f64, Gaussian); 2] {
    [
        (0.6, Gaussian::new([-1.5, -1.0], [0.45, 0.2, 0.35])),
        (0.4, Gaussian::new([1.7, 1.3], [0.3, -0.12, 0.4])),
    ]
}

/// The parameters of q: mean, log a, b and log c of its factor [[a, 0], [b, c]].
type Parameters = [f64; 5];

fn gaussian(p: &Parameters) -> Gaussian {
    Gaussian { mean: [p[0], p[1]], factor: [p[2].exp(), p[3], p[4].exp()] }
}

/// Adam (Kingma and Ba 2015), with a learning rate that falls to 0.
fn minimise(
    mut at: Parameters,
    steps: usize,
    mut objective: impl FnMut(&Parameters) -> Result<(f64, Parameters)>,
) -> Result<(Parameters, Vec<f64>)> {
    let (mut first, mut second, mut values) = ([0.0; 5], [0.0; 5], Vec::new());
    for t in 1..=steps {
        let (value, gradient) = objective(&at)?;
        values.push(value);
        let rate = 0.08 * (1.0 - t as f64 / steps as f64);
        for i in 0..5 {
            first[i] = 0.9 * first[i] + 0.1 * gradient[i];
            second[i] = 0.99 * second[i] + 0.01 * gradient[i] * gradient[i];
            let (m, v) =
                (first[i] / (1.0 - 0.9f64.powi(t as i32)), second[i] / (1.0 - 0.99f64.powi(t as i32)));
            at[i] -= rate * m / (v.sqrt() + 1e-9);
        }
    }
    Ok((at, values))
}

/// KL(q||p) and its gradient, with the reparametrized draws m + L ε of fixed ε; log p comes from the device.
fn reverse(p: &Parameters, noise: &[[f64; 2]], density: &mut MixtureDensity) -> Result<(f64, Parameters)> {
    let q = gaussian(p);
    let [a, b, c] = q.factor;
    let points: Vec<[f64; 2]> =
        noise.iter().map(|e| [q.mean[0] + a * e[0], q.mean[1] + b * e[0] + c * e[1]]).collect();
    let n = noise.len() as f64;
    let (mut value, mut gradient) = (0.0, [0.0, 0.0, -1.0, 0.0, -1.0]);
    for ((e, point), [log_p, dx, dy]) in noise.iter().zip(&points).zip(density.at(&points)?) {
        value += (q.log_density(*point) - log_p) / n;
        for (sum, part) in gradient.iter_mut().zip([dx, dy, dx * a * e[0], dy * e[0], dy * c * e[1]]) {
            *sum -= part / n;
        }
    }
    Ok((value, gradient))
}

/// KL(p||q) and its gradient, over draws of p with their log p.
fn forward(p: &Parameters, samples: &[([f64; 2], f64)]) -> (f64, Parameters) {
    let q = gaussian(p);
    let [a, b, c] = q.factor;
    let n = samples.len() as f64;
    let (mut value, mut gradient) = (0.0, [0.0, 0.0, 1.0, 0.0, 1.0]);
    for (point, log_p) in samples {
        value += (log_p - q.log_density(*point)) / n;
        let first = (point[0] - q.mean[0]) / a;
        let second = (point[1] - q.mean[1] - b * first) / c;
        let parts = [
            (-first + second * b / c) / a,
            -second / c,
            -first * first + second * b * first / c,
            -second * first / c,
            -second * second,
        ];
        for (sum, part) in gradient.iter_mut().zip(parts) {
            *sum += part / n;
        }
    }
    (value, gradient)
}

/// The Gaussian with the mean and covariance of the target, which minimises KL(p||q).
fn moments() -> Gaussian {
    let parts = target();
    let mean = [0, 1].map(|i| parts.iter().map(|(weight, part)| weight * part.mean[i]).sum::<f64>());
    let mut covariance = [0.0; 3];
    for (weight, part) in parts {
        let own = part.covariance();
        let d = [part.mean[0] - mean[0], part.mean[1] - mean[1]];
        for (sum, value) in
            covariance.iter_mut().zip([own[0] + d[0] * d[0], own[1] + d[0] * d[1], own[2] + d[1] * d[1]])
        {
            *sum += weight * value;
        }
    }
    Gaussian::new(mean, covariance)
}

/// KL(q||p) and KL(p||q) by quadrature, with log p on the lattice.
fn divergences(q: &Gaussian, lattice: &Lattice, log_p: &[[f64; 3]]) -> [f64; 2] {
    let step = (lattice.x.1 - lattice.x.0) / (lattice.side - 1) as f64;
    lattice.points().iter().zip(log_p).fold([0.0; 2], |[to, from], (point, [log_p, ..])| {
        let log_q = q.log_density(*point);
        [to + step * step * log_q.exp() * (log_q - log_p), from + step * step * log_p.exp() * (log_p - log_q)]
    })
}

/// A fit: its name, its Gaussian, and its divergence after each step.
struct Fit {
    name: &'static str,
    q: Gaussian,
    values: Vec<f64>,
    colour: Colour,
}

pub(super) fn section(context: &mut Context<'_>) -> Result<Section> {
    let (device, seed) = (&context.options.device, context.options.seed);
    let (count, steps) = context.choose((4096, 400), (512, 250));
    let parts = target();
    let unit = Gaussian::new([0.0, 0.0], [1.0, 0.0, 1.0]);
    let noise = draws(device, &unit, count, seed, 100)?;
    let mut density = MixtureDensity::new(device, &parts, count)?;
    // The number of draws of each component is proportional to its weight.
    let mut points = Vec::new();
    for (i, (weight, part)) in parts.iter().enumerate() {
        let own = if i == 0 { (weight * count as f64).round() as usize } else { count - points.len() };
        points.extend(draws(device, part, own, seed, 101 + i as u32)?);
    }
    let log_p = density.at(&points)?;
    let samples: Vec<([f64; 2], f64)> =
        points.into_iter().zip(log_p).map(|(point, p)| (point, p[0])).collect();

    let mut fits = Vec::new();
    for (name, start, colour) in [
        ("KL(q||p), from the left", [-2.0, 0.5], Colour::Series(1)),
        ("KL(q||p), from the right", [2.4, 0.3], Colour::Series(4)),
    ] {
        let start = [start[0], start[1], -0.4, 0.0, -0.4];
        let (found, values) = minimise(start, steps, |p| reverse(p, &noise, &mut density))?;
        fits.push(Fit { name, q: gaussian(&found), values, colour });
    }
    let (found, values) = minimise([-2.0, 0.5, -0.4, 0.0, -0.4], steps, |p| Ok(forward(p, &samples)))?;
    fits.push(Fit { name: "KL(p||q)", q: gaussian(&found), values, colour: Colour::Series(2) });

    let lattice = Lattice { x: (-8.0, 8.0), y: (-8.0, 8.0), side: 321 };
    let log_p = MixtureDensity::new(device, &parts, lattice.side * lattice.side)?.at(&lattice.points())?;
    let numbers: Vec<[f64; 2]> = fits.iter().map(|fit| divergences(&fit.q, &lattice, &log_p)).collect();
    let exact = divergences(&moments(), &lattice, &log_p)[1];
    let scene = draw(&fits, context.choose(121, 61), &mut |lattice| {
        let density =
            MixtureDensity::new(device, &parts, lattice.side * lattice.side)?.at(&lattice.points())?;
        Ok(density.into_iter().map(|p| p[0].exp()).collect())
    })?;
    let rows = fits
        .iter()
        .zip(&numbers)
        .map(|(fit, [to, from])| {
            let [x, y] = fit.q.mean;
            [
                fit.name.to_string(),
                format!("({x:.2}, {y:.2})").replace('-', "−"),
                format!("{to:.3}"),
                format!("{from:.3}"),
            ]
        })
        .collect();
    Ok(Section {
        heading: "Kullback-Leibler divergence",
        blocks: vec![
            Block::Equation(
                r"KL(q||p) = \int q(x) log \frac{q(x)}{p(x)} dx = -\int q(x) log \frac{p(x)}{q(x)} dx",
                "3, 5",
            ),
            Block::Text(
                "It measures how close two distributions are: KL(q||p) ≥ 0, and 0 only where they are equal. It is not \
                 symmetric."
                    .into(),
            ),
            Block::Figure(Figure {
                name: "divergences",
                title: "Two divergences, two fits".into(),
                caption: [
                    format!(
                        "KL(q||p) is small only if p is large wherever q is large. Minimised by gradient descent on \
                         reparametrized draws, it settles on one of the two modes, at {:.3} and {:.3} nats; the start \
                         decides which.",
                        numbers[0][0], numbers[1][0]
                    ),
                    format!(
                        "KL(p||q) makes q cover all of p, also the empty middle. It ends at {:.3} nats; the exact \
                         minimiser, the Gaussian with p's mean and covariance, has {exact:.3}.",
                        numbers[2][1]
                    ),
                ],
                scene,
            }),
            table(["fit by", "mean of q", "KL(q||p)", "KL(p||q)"], rows),
        ],
    })
}

fn draw(fits: &[Fit], side: usize, density: &mut dyn FnMut(&Lattice) -> Result<Vec<f64>>) -> Result<Scene> {
    let mut scene = Scene::new(1120.0, 420.0);
    let lattice = Lattice { x: (-4.0, 4.0), y: (-4.0, 4.0), side };
    let values = density(&lattice)?;
    let flipped: Vec<f64> = values.chunks(side).rev().flatten().copied().collect();
    let panels = [("minimising KL(q||p)", &fits[..2]), ("minimising KL(p||q)", &fits[2..])];
    for (i, (title, fits)) in panels.into_iter().enumerate() {
        let frame = Frame::new((54.0 + 355.0 * i as f64, 70.0), (300.0, 300.0), lattice.x, lattice.y);
        frame.axes(&mut scene, "", ["", ""], [5, 5]);
        frame.picture(&mut scene, shade(&flipped, side, Colour::Series(0)), true);
        for fit in fits {
            for radius in [1.0, 2.0] {
                let line = ellipse(fit.q.mean, fit.q.factor, radius);
                frame.line(&mut scene, &line, fit.colour, 2.2);
            }
        }
        scene.text((frame.corner.0 + 150.0, 22.0), title, heading(Anchor::Middle));
        let mut entries = vec![("p", Colour::Series(0))];
        let names: &[&str] = if i == 0 { &["q from the left", "from the right"] } else { &["q"] };
        entries.extend(names.iter().zip(fits).map(|(name, fit)| (*name, fit.colour)));
        legend(&mut scene, (frame.corner.0 + 4.0, 50.0), &entries);
    }
    let longest = fits.iter().map(|fit| fit.values.len()).max().unwrap_or(1);
    let highest = fits.iter().flat_map(|fit| fit.values.iter().take(1)).fold(0.5, |a: f64, b| a.max(*b));
    let frame =
        Frame::new((812.0, 70.0), (280.0, 300.0), (0.0, longest as f64), (0.0, 1.05 * highest.min(6.0)));
    frame.axes(&mut scene, "", ["step of the optimiser", "divergence, nats"], [5, 7]);
    scene.text((952.0, 22.0), "during the fit", heading(Anchor::Middle));
    for fit in fits {
        let line: Vec<(f64, f64)> = fit.values.iter().enumerate().map(|(i, v)| (i as f64, *v)).collect();
        frame.line(&mut scene, &line, fit.colour, 2.0);
    }
    Ok(scene)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::OpenDevice;

    fn noise() -> Vec<[f64; 2]> {
        draws(&OpenDevice::Cpu, &Gaussian::new([0.0; 2], [1.0, 0.0, 1.0]), 2048, 1, 0).unwrap()
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        let at = [0.4, -0.3, 0.2, 0.35, -0.1];
        let noise = noise();
        // log p in f64 here: differences of f32 would be noise.
        let log_p =
            |x: [f64; 2]| target().iter().map(|(w, part)| w * part.log_density(x).exp()).sum::<f64>().ln();
        let value = |p: &Parameters| {
            let q = gaussian(p);
            let [a, b, c] = q.factor;
            let points = noise.iter().map(|e| [q.mean[0] + a * e[0], q.mean[1] + b * e[0] + c * e[1]]);
            points.map(|x| q.log_density(x) - log_p(x)).sum::<f64>() / noise.len() as f64
        };
        let mut density = MixtureDensity::new(&OpenDevice::Cpu, &target(), noise.len()).unwrap();
        let (found, gradient) = reverse(&at, &noise, &mut density).unwrap();
        assert!((found - value(&at)).abs() < 1e-4);
        let samples: Vec<([f64; 2], f64)> = noise.iter().map(|e| (*e, log_p(*e))).collect();
        let (_, forward_gradient) = forward(&at, &samples);
        for i in 0..5 {
            let moved = |h: f64| {
                let mut moved = at;
                moved[i] += h;
                moved
            };
            let slope = (value(&moved(1e-5)) - value(&moved(-1e-5))) / 2e-5;
            assert!((gradient[i] - slope).abs() < 1e-4 * (1.0 + slope.abs()), "{i}: {} {slope}", gradient[i]);
            let slope = (forward(&moved(1e-5), &samples).0 - forward(&moved(-1e-5), &samples).0) / 2e-5;
            assert!((forward_gradient[i] - slope).abs() < 1e-6 * (1.0 + slope.abs()), "{i}");
        }
    }

    /// Fitted to draws of a Gaussian, KL(p||q) ends at their moments.
    #[test]
    fn the_covering_fit_matches_moments() {
        let samples: Vec<([f64; 2], f64)> =
            noise().into_iter().map(|e| ([e[0] + 1.0, 2.0 * e[1]], 0.0)).collect();
        let (found, _) = minimise([0.0; 5], 600, |p| Ok(forward(p, &samples))).unwrap();
        let n = samples.len() as f64;
        let mean = [0, 1].map(|i| samples.iter().map(|(x, _)| x[i]).sum::<f64>() / n);
        let square = |i: usize, j: usize| {
            samples.iter().map(|(x, _)| (x[i] - mean[i]) * (x[j] - mean[j])).sum::<f64>() / n
        };
        let q = gaussian(&found);
        for (found, expected) in q.mean.into_iter().chain(q.covariance()).zip([
            mean[0],
            mean[1],
            square(0, 0),
            square(0, 1),
            square(1, 1),
        ]) {
            assert!((found - expected).abs() < 1e-3, "{found} {expected}");
        }
    }
}
