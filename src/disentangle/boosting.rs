//! Gradient boosting of classes: what `GradientBoostingClassifier` of scikit-learn fits with its defaults (Friedman, "Greedy
//! function approximation: a gradient boosting machine", 2001), without its order of equally good features.
//!
//! A stage grows one tree for each class (one for two classes) on 1[y = k] - p_k. Its leaves have the value (K-1)/K sum r /
//! sum p (1 - p). All splits are exact: every value of every feature is tried. The trees of a stage are grown by several
//! threads, each by one, so that the result is the same on any number of them.

use super::tree::{NODES, Sorted, Tree, grow};
use super::{Items, Random};
use rayon::prelude::*;

/// Share of a tree in the sum.
const RATE: f64 = 0.1;
/// The smallest share of a class at the start.
const RAREST: f64 = 1.192_092_9e-7;

/// Codes as features, sorted once for the classifiers of all factors.
#[derive(Debug)]
pub struct Features(Sorted);

impl Features {
    /// The codes of `items`.
    pub fn of(items: &Items) -> Self {
        Self(Sorted::new(items.columns()))
    }
}

/// A fitted classifier.
#[derive(Clone, Debug, PartialEq)]
pub struct Boosting {
    /// The classes that occurred, in order.
    classes: Vec<u32>,
    start: Vec<f64>,
    /// `[stages][trees]`
    stages: Vec<Vec<Tree>>,
    /// How much each feature's splits decrease the squared error, as shares of 1; zeros if no tree has a split.
    pub importance: Vec<f64>,
}

/// What one class needs in every stage.
struct Class {
    /// The sum of the trees so far, and the residual, of each item.
    sum: Vec<f64>,
    residual: Vec<f64>,
    nodes: Vec<u8>,
}

impl Boosting {
    /// Fit `labels`, one an item, by `stages` stages; scikit-learn has 100. `seed` decides the order of the features, which
    /// matters where two split equally well.
    pub fn fit(features: &Features, labels: &[u32], stages: usize, seed: u64) -> Self {
        let sorted = &features.0;
        let mut classes = labels.to_vec();
        classes.sort_unstable();
        classes.dedup();
        let targets: Vec<u32> =
            labels.iter().map(|label| classes.partition_point(|class| class < label) as u32).collect();
        let count = classes.len();
        let share = |class: usize| {
            let own = targets.iter().filter(|&&target| target as usize == class).count();
            (own as f64 / targets.len().max(1) as f64).clamp(RAREST, 1.0 - RAREST)
        };
        let start: Vec<f64> = match count {
            0 | 1 => Vec::new(),
            2 => vec![(share(1) / share(0)).ln()],
            _ => (0..count).map(|class| share(class).ln()).collect(),
        };
        let of = |&start: &f64| Class {
            sum: vec![start; sorted.count()],
            residual: vec![0.0; sorted.count()],
            nodes: vec![0; sorted.count()],
        };
        let mut state: Vec<Class> = start.iter().map(of).collect();
        let stages: Vec<Vec<Tree>> = (0..if start.is_empty() { 0 } else { stages })
            .map(|stage| {
                let norms = log_norms(&state, sorted.count());
                let tree = |(number, class): (usize, &mut Class)| {
                    let draw = (stage * start.len() + number) as u64;
                    let order =
                        Random::new(seed, (1 << 32) + draw).some(sorted.columns.len(), sorted.columns.len());
                    let own = if start.len() == 1 { 1 } else { number as u32 };
                    class.step(sorted, (&targets, own), &norms, &order, count)
                };
                state.par_iter_mut().enumerate().map(tree).collect()
            })
            .collect();
        let importance = importance(&stages, sorted.columns.len());
        Self { classes, start, stages, importance }
    }

    /// The share of items whose likeliest class is the one in `labels`.
    pub fn accuracy(&self, items: &Items, labels: &[u32]) -> f64 {
        let right = |item: usize| self.likeliest(items.code(item)) == Some(labels[item]);
        let count = (0..items.count()).into_par_iter().filter(|&item| right(item)).count();
        count as f64 / items.count().max(1) as f64
    }

    /// The score of each class, the log of its probability but for a constant; of two classes, the log odds of the second.
    pub fn scores(&self, code: &[f64]) -> Vec<f64> {
        let mut sums = self.start.clone();
        for stage in &self.stages {
            for (sum, tree) in sums.iter_mut().zip(stage) {
                *sum += RATE * tree.values[tree.leaf(|feature| code[feature])];
            }
        }
        sums
    }

    fn likeliest(&self, code: &[f64]) -> Option<u32> {
        let sums = self.scores(code);
        let place = match sums.len() {
            0 => 0,
            1 => usize::from(sums[0] > 0.0),
            _ => (0..sums.len()).max_by(|&a, &b| sums[a].total_cmp(&sums[b]).then(b.cmp(&a)))?,
        };
        self.classes.get(place).copied()
    }
}

impl Class {
    /// Grow one more tree, and add it. `targets` are the classes and the number of this one, `norms` the logs of the sum of
    /// exponentials over classes.
    fn step(
        &mut self,
        sorted: &Sorted,
        (targets, own): (&[u32], u32),
        norms: &[f64],
        order: &[usize],
        classes: usize,
    ) -> Tree {
        let rows = self.residual.iter_mut().zip(&self.sum).zip(norms.iter().zip(targets));
        for ((residual, sum), (norm, &target)) in rows {
            *residual = if target == own { 1.0 } else { 0.0 } - (sum - norm).exp();
        }
        let mut tree = grow(sorted, &self.residual, order, &mut self.nodes);
        let (mut above, mut below) = ([0.0; NODES], [0.0; NODES]);
        for ((&node, &residual), &target) in self.nodes.iter().zip(&self.residual).zip(targets) {
            let probability = if target == own { 1.0 - residual } else { 0.0 - residual };
            above[usize::from(node) % NODES] += residual;
            below[usize::from(node) % NODES] += probability * (1.0 - probability);
        }
        let scale = if classes == 2 { 1.0 } else { (classes - 1) as f64 / classes as f64 };
        for (value, (above, below)) in tree.values.iter_mut().zip(above.iter().zip(below)) {
            *value = if below.abs() < 1e-150 { 0.0 } else { scale * above / below };
        }
        for (sum, &node) in self.sum.iter_mut().zip(&self.nodes) {
            *sum += RATE * tree.values[usize::from(node) % NODES];
        }
        tree
    }
}

/// ln sum exp over classes, of each item; of two classes ln(1 + exp).
fn log_norms(state: &[Class], count: usize) -> Vec<f64> {
    const BLOCK: usize = 256;
    let mut norms = vec![0.0; count];
    norms.par_chunks_mut(BLOCK).enumerate().for_each(|(block, norms)| {
        let first = block * BLOCK;
        let of = |class: &'_ Class, place: usize| class.sum[first + place];
        if let [class] = state {
            for (place, norm) in norms.iter_mut().enumerate() {
                let sum = of(class, place);
                *norm = sum.max(0.0) + (-sum.abs()).exp().ln_1p();
            }
            return;
        }
        let mut largest = [f64::NEG_INFINITY; BLOCK];
        for class in state {
            (0..norms.len()).for_each(|place| largest[place] = largest[place].max(of(class, place)));
        }
        for class in state {
            for (place, norm) in norms.iter_mut().enumerate() {
                *norm += (of(class, place) - largest[place]).exp();
            }
        }
        norms.iter_mut().zip(largest).for_each(|(norm, largest)| *norm = largest + norm.ln());
    });
    norms
}

/// The mean over trees with a split of the gains of each feature, as shares of 1.
fn importance(stages: &[Vec<Tree>], features: usize) -> Vec<f64> {
    let mut gains = vec![0.0; features];
    for split in stages.iter().flatten().flat_map(|tree| tree.splits.iter().flatten()) {
        gains[split.feature] += split.gain;
    }
    let sum: f64 = gains.iter().sum();
    if sum > 0.0 {
        gains.iter_mut().for_each(|gain| *gain /= sum);
    }
    gains
}
