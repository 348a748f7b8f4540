//! The student network of Koller and Friedman, "Probabilistic graphical models" (2009), figure 3.4: its joint
//! distribution as a product of conditional ones, sampled on the device and enumerated exactly.

use super::graphs::{arrow, node};
use super::kernel::{Content, KernelRun};
use super::{Block, Context, Figure, Section, table};
use crate::Result;
use crate::device::OpenDevice;
use crate::plan::{Grid, constants};
use crate::report::frame::{Frame, heading, legend, scientific};
use crate::report::scene::{Anchor, Colour, Scene};
use crate::text::thousands;

/// No parent, for the kernel.
const NONE: u32 = 8;

/// A variable with its values, its parents' numbers, and P(variable | parents), a row for each of their values.
struct Variable {
    name: &'static str,
    meaning: &'static str,
    values: &'static [&'static str],
    parents: &'static [usize],
    rows: &'static [&'static [f64]],
}

/// In an order in which parents come first.
const NETWORK: [Variable; 5] = [
    Variable {
        name: "I",
        meaning: "Intelligence",
        values: &["low", "high"],
        parents: &[],
        rows: &[&[0.7, 0.3]],
    },
    Variable {
        name: "D",
        meaning: "Difficulty",
        values: &["easy", "hard"],
        parents: &[],
        rows: &[&[0.6, 0.4]],
    },
    Variable {
        name: "G",
        meaning: "Grade",
        values: &["A", "B", "C"],
        parents: &[0, 1],
        rows: &[&[0.3, 0.4, 0.3], &[0.05, 0.25, 0.7], &[0.9, 0.08, 0.02], &[0.5, 0.3, 0.2]],
    },
    Variable {
        name: "S",
        meaning: "SAT",
        values: &["low", "high"],
        parents: &[0],
        rows: &[&[0.95, 0.05], &[0.2, 0.8]],
    },
    Variable {
        name: "L",
        meaning: "Letter",
        values: &["weak", "strong"],
        parents: &[2],
        rows: &[&[0.1, 0.9], &[0.4, 0.6], &[0.99, 0.01]],
    },
];

/// The values of all variables, from a sample's number: the first variable is its highest digit.
fn decoded(mut code: usize) -> [usize; NETWORK.len()] {
    let mut values = [0; NETWORK.len()];
    for (value, variable) in values.iter_mut().zip(&NETWORK).rev() {
        *value = code % variable.values.len();
        code /= variable.values.len();
    }
    values
}

fn outcomes() -> usize {
    NETWORK.iter().map(|variable| variable.values.len()).product()
}

/// P(I) P(D) P(G | I, D) P(S | I) P(L | G) of every outcome.
fn joint() -> Vec<f64> {
    let probability = |values: [usize; NETWORK.len()]| -> f64 {
        NETWORK
            .iter()
            .zip(values)
            .map(|(variable, value)| {
                let row = variable
                    .parents
                    .iter()
                    .fold(0, |row, &parent| row * NETWORK[parent].values.len() + values[parent]);
                variable.rows[row][value]
            })
            .product()
    };
    (0..outcomes()).map(|code| probability(decoded(code))).collect()
}

/// A variable, and a value of it.
type Pair = (usize, usize);

/// P(variable = value | evidence), of a distribution over outcomes (or of counts).
fn conditional(joint: &[f64], query: Pair, evidence: &[Pair]) -> f64 {
    let fits = |code: usize, pairs: &[Pair]| {
        let values = decoded(code);
        pairs.iter().all(|&(variable, value)| values[variable] == value)
    };
    let given: f64 = (0..joint.len()).filter(|&code| fits(code, evidence)).map(|code| joint[code]).sum();
    let both: f64 = (0..joint.len())
        .filter(|&code| fits(code, evidence) && fits(code, &[query]))
        .map(|code| joint[code])
        .sum();
    both / given
}

/// Number of the network's draws: no Gaussian of the other figures has it.
const DRAW: u32 = 1000;

/// `count` samples of the network, drawn on the device, as outcomes' numbers.
fn sample(device: &OpenDevice, count: usize, seed: u64) -> Result<Vec<usize>> {
    let (mut nodes, mut cumulative) = (Vec::new(), Vec::<f32>::new());
    for variable in &NETWORK {
        let parent = |i: usize| variable.parents.get(i).map_or(NONE, |&parent| parent as u32);
        // With one parent it is the second, whose value counts in ones.
        let parents = if variable.parents.len() == 2 { [parent(0), parent(1)] } else { [NONE, parent(0)] };
        nodes.extend([variable.values.len() as u32, parents[0], parents[1], cumulative.len() as u32]);
        for row in variable.rows {
            let mut sum = 0.0;
            cumulative.extend(row.iter().map(|p| {
                sum += p;
                sum as f32
            }));
        }
    }
    let mut run = KernelRun::new(
        device,
        "network_samples",
        constants! { COUNT: count, NODES: NETWORK.len() },
        &[
            ("nodes", Content::Words(&nodes)),
            ("cumulative", Content::Reals(&cumulative)),
            ("outcome", Content::Room(count)),
        ],
        Grid::Elements(count),
    )?;
    Ok(run.run("outcome", seed, DRAW)?.into_iter().map(|code| code as usize).collect())
}

fn counts(samples: &[usize]) -> Vec<f64> {
    let mut counts = vec![0.0; outcomes()];
    for &code in samples {
        counts[code] += 1.0;
    }
    counts
}

pub(super) fn section(context: &mut Context<'_>) -> Result<Section> {
    let exact = joint();
    let count = context.choose(1 << 20, 1 << 14);
    let samples = sample(&context.options.device, count, context.options.seed)?;
    let counted = counts(&samples);

    let mut scene = Scene::new(1100.0, 420.0);
    draw_network(&mut scene);
    draw_marginals(&mut scene, &exact, &counted);
    let last = draw_errors(&mut scene, &exact, &samples);

    let (high, c_and_high) = ((0, 1), [(2, 2), (3, 1)]);
    let (query, estimate) =
        (conditional(&exact, high, &c_and_high), conditional(&counted, high, &c_and_high));
    let accepted = counted
        .iter()
        .enumerate()
        .filter(|(code, _)| decoded(*code)[2] == 2 && decoded(*code)[3] == 1)
        .map(|(_, count)| count)
        .sum::<f64>();
    let error = (estimate * (1.0 - estimate) / accepted.max(1.0)).sqrt();
    let caption = [
        format!(
            "{} ancestral samples, every variable drawn after its parents on the device, give all {} joint \
             probabilities with a root mean square error of {}, where {} is to be expected.",
            thousands(count),
            outcomes(),
            scientific(last[0]),
            scientific(last[1])
        ),
        format!(
            "A query: a student with a C and a high SAT score is intelligent with P(I = high | G = C, S = high) = \
             {query:.4} by enumeration, and {estimate:.4} ± {error:.4} among the {} samples that have both.",
            thousands(accepted as usize)
        ),
    ];
    let queries: [(&str, Pair, &[Pair]); 5] = [
        ("P(L = strong)", (4, 1), &[]),
        ("P(L = strong | I = low)", (4, 1), &[(0, 0)]),
        ("P(L = strong | I = low, D = easy)", (4, 1), &[(0, 0), (1, 0)]),
        ("P(I = high | G = C)", (0, 1), &[(2, 2)]),
        ("P(I = high | G = C, S = high)", (0, 1), &[(2, 2), (3, 1)]),
    ];
    let rows = queries
        .map(|(name, query, evidence)| {
            let numbers = [&exact, &counted].map(|joint| conditional(joint, query, evidence));
            [name.to_string(), format!("{:.4}", numbers[0]), format!("{:.4}", numbers[1])]
        })
        .to_vec();
    Ok(Section {
        heading: "Bayesian networks",
        blocks: vec![
            Block::Equation("P(I, D, G, S, L) = P(I) P(D) P(G | I, D) P(S | I) P(L | G)", ""),
            Block::Figure(Figure {
                name: "student-network",
                title: "The student network: exact and sampled".into(),
                caption,
                scene,
            }),
            table(["probability", "exact", "sampled"], rows),
            Block::Text(
                "The tables are those of Koller and Friedman, Probabilistic graphical models (2009), figure 3.4.".into(),
            ),
        ],
    })
}

/// Of a variable's circle.
const RADIUS: f64 = 43.0;

fn draw_network(scene: &mut Scene) {
    let places = [(250.0, 98.0), (90.0, 98.0), (170.0, 223.0), (320.0, 223.0), (170.0, 348.0)];
    scene.text((200.0, 24.0), "The network", heading(Anchor::Middle));
    for (number, variable) in NETWORK.iter().enumerate() {
        for &parent in variable.parents {
            arrow(scene, places[parent], places[number], RADIUS, false);
        }
    }
    for (place, variable) in places.into_iter().zip(&NETWORK) {
        node(scene, place, RADIUS, variable.meaning, false);
    }
}

/// P(variable = value) for all of them, exact and sampled.
fn draw_marginals(scene: &mut Scene, exact: &[f64], counted: &[f64]) {
    let bars: Vec<(String, [f64; 2])> = NETWORK
        .iter()
        .enumerate()
        .flat_map(|(number, variable)| {
            variable.values.iter().enumerate().map(move |(value, name)| {
                let marginals = [exact, counted].map(|joint| conditional(joint, (number, value), &[]));
                (format!("{} = {name}", variable.name), marginals)
            })
        })
        .collect();
    let rows = bars.len() as f64;
    let frame = Frame::new((480.0, 64.0), (240.0, 292.0), (0.0, 1.0), (0.0, rows));
    frame.axes(scene, "", ["probability", ""], [5, 0]);
    scene.text((600.0, 24.0), "Every variable by itself", heading(Anchor::Middle));
    legend(scene, (500.0, 48.0), &[("exact", Colour::Series(0)), ("sampled", Colour::Series(1))]);
    for (row, (name, [one, two])) in bars.iter().enumerate() {
        let y = rows - row as f64 - 0.5;
        frame.bar(scene, (0.0, *one), (y, y + 0.36), (Colour::Series(0), 1.0));
        frame.bar(scene, (0.0, *two), (y - 0.36, y), (Colour::Series(1), 1.0));
        let (x, y) = frame.at((0.0, y));
        scene.text((x - 8.0, y), name.clone(), crate::report::frame::label(Colour::Soft, Anchor::End));
    }
}

/// The error of the joint by number of samples, measured and expected; returns the last of both.
fn draw_errors(scene: &mut Scene, exact: &[f64], samples: &[usize]) -> [f64; 2] {
    let mut measured = Vec::new();
    let mut expected = Vec::new();
    let mut count = 64;
    while count <= samples.len() {
        let n = count as f64;
        let counted = counts(&samples[..count]);
        let error = |p: &f64, c: &f64| (c / n - p).powi(2);
        let square = exact.iter().zip(&counted).map(|(p, c)| error(p, c)).sum::<f64>() / exact.len() as f64;
        let variance = exact.iter().map(|p| p * (1.0 - p) / n).sum::<f64>() / exact.len() as f64;
        measured.push((n, square.sqrt()));
        expected.push((n, variance.sqrt()));
        count *= 4;
    }
    let mut frame = Frame::new((820.0, 64.0), (250.0, 292.0), (40.0, 2e6), (3e-5, 0.05));
    (frame.log_x, frame.log_y) = (true, true);
    frame.axes(scene, "", ["samples", "error of a joint probability"], [4, 5]);
    scene.text((945.0, 24.0), "Error by samples", heading(Anchor::Middle));
    legend(scene, (838.0, 48.0), &[("measured", Colour::Series(1)), ("√(p(1−p)/n)", Colour::Series(0))]);
    frame.line(scene, &expected, Colour::Series(0), 2.0);
    frame.dots(scene, &measured, 4.0, Colour::Series(1), 1.0);
    let last = |points: &[(f64, f64)]| points.last().map_or(f64::NAN, |point| point.1);
    [last(&measured), last(&expected)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_distributions() {
        for variable in &NETWORK {
            let rows: usize = variable.parents.iter().map(|&parent| NETWORK[parent].values.len()).product();
            assert_eq!(variable.rows.len(), rows, "{}", variable.name);
            for row in variable.rows {
                assert_eq!(row.len(), variable.values.len());
                assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            }
        }
        assert!((joint().iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    /// Section 3.2.1.2 of the book quotes these, to the digits given here.
    #[test]
    fn queries_agree_with_the_book() {
        let joint = joint();
        for (query, evidence, expected) in [
            ((4, 1), &[][..], 0.502),
            ((4, 1), &[(0, 0)], 0.389),
            ((4, 1), &[(0, 0), (1, 0)], 0.513),
            ((0, 1), &[(2, 2)], 0.079),
            ((1, 1), &[(2, 2)], 0.629),
            ((0, 1), &[(2, 2), (3, 1)], 0.578),
            ((0, 1), &[(4, 0)], 0.14),
        ] {
            let digits = if expected == 0.14 { 5e-3 } else { 5e-4 };
            assert!(
                (conditional(&joint, query, evidence) - expected).abs() <= digits,
                "{query:?} {evidence:?}"
            );
        }
    }

    /// Pearson's statistic of 48 outcomes has mean 47 and deviation 9.7: 90 is more than four deviations off.
    #[test]
    fn samples_follow_the_joint() {
        let count = 100_000;
        let counted = counts(&sample(&OpenDevice::Cpu, count, 5).unwrap());
        let statistic: f64 = joint()
            .iter()
            .zip(&counted)
            .map(|(p, c)| {
                let expected = p * count as f64;
                (c - expected).powi(2) / expected
            })
            .sum();
        assert!(statistic < 90.0, "{statistic}");
        assert!(statistic > 15.0, "too good to be random: {statistic}");
    }
}
