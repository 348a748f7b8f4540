//! A linear support vector machine of one feature: what `LinearSVC` of scikit-learn fits, with squared hinge loss, balanced
//! classes and a penalised intercept, one class against the rest.

/// Weight of the losses.
const C: f64 = 0.01;
/// Newton's steps at most; a handful reaches the minimum.
const STEPS: usize = 100;

/// Slope and intercept of each class.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Svm {
    classes: Vec<u32>,
    pub(super) lines: Vec<[f64; 2]>,
}

impl Svm {
    /// Fit `labels` from one feature.
    pub(super) fn fit(feature: &[f64], labels: &[u32]) -> Self {
        let mut classes = labels.to_vec();
        classes.sort_unstable();
        classes.dedup();
        let balanced = |class: u32| {
            let own = labels.iter().filter(|&&label| label == class).count();
            C * labels.len() as f64 / (classes.len() * own) as f64
        };
        let line = |&class: &u32| {
            let target = |label: &u32| if *label == class { 1.0 } else { -1.0 };
            // liblinear weighs the rest by its class where there are two, else by 1.
            let rest = match classes.len() {
                2 => balanced(classes[usize::from(class == classes[0])]),
                _ => C,
            };
            let own = balanced(class);
            let weighed =
                |(&x, label): (&f64, &u32)| (x, target(label), if *label == class { own } else { rest });
            minimum(&feature.iter().zip(labels).map(weighed).collect::<Vec<_>>())
        };
        let lines = classes.iter().map(line).collect();
        Self { classes, lines }
    }

    /// The share of items whose class is the one with the highest line.
    pub(super) fn accuracy(&self, feature: &[f64], labels: &[u32]) -> f64 {
        let highest = |x: f64| {
            let mut best = (f64::NEG_INFINITY, None);
            for (line, class) in self.lines.iter().zip(&self.classes) {
                let height = line[0] * x + line[1];
                if height > best.0 {
                    best = (height, Some(*class));
                }
            }
            best.1
        };
        let right = feature.iter().zip(labels).filter(|(x, label)| highest(**x) == Some(**label)).count();
        right as f64 / labels.len().max(1) as f64
    }
}

/// The line w x + b that minimises (w^2 + b^2) / 2 + sum of c max(0, 1 - y (w x + b))^2 over points (x, y, c), by Newton's
/// method with halved steps.
fn minimum(points: &[(f64, f64, f64)]) -> [f64; 2] {
    let value = |[w, b]: [f64; 2]| {
        let loss = |&(x, y, c): &(f64, f64, f64)| c * (1.0 - y * (w * x + b)).max(0.0).powi(2);
        0.5 * (w * w + b * b) + points.iter().map(loss).sum::<f64>()
    };
    let mut line = [0.0; 2];
    let mut height = value(line);
    for _ in 0..STEPS {
        let mut gradient = line;
        // Second derivatives: of w, of both, of b.
        let mut second = [1.0, 0.0, 1.0];
        for &(x, y, c) in points {
            let short = 1.0 - y * (line[0] * x + line[1]);
            if short > 0.0 {
                gradient[0] -= 2.0 * c * y * x * short;
                gradient[1] -= 2.0 * c * y * short;
                second[0] += 2.0 * c * x * x;
                second[1] += 2.0 * c * x;
                second[2] += 2.0 * c;
            }
        }
        let determinant = second[0] * second[2] - second[1] * second[1];
        let step = [
            (second[2] * gradient[0] - second[1] * gradient[1]) / determinant,
            (second[0] * gradient[1] - second[1] * gradient[0]) / determinant,
        ];
        let mut share = 1.0;
        let next = loop {
            let next = [line[0] - share * step[0], line[1] - share * step[1]];
            let lower = value(next);
            if lower < height {
                height = lower;
                break Some(next);
            }
            share *= 0.5;
            if share < 1e-10 {
                break None;
            }
        };
        let Some(next) = next else { break };
        line = next;
    }
    line
}
