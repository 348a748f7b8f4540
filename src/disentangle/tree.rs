//! A regression tree of depth three, grown by exact splits: `DecisionTreeRegressor` of scikit-learn with the criterion
//! `friedman_mse`, as gradient boosting uses it.

/// Splits on the way to a leaf, at most.
const DEPTH: usize = 3;
/// Nodes as in a heap: the root is 1, and the children of node i are 2 i and 2 i + 1.
pub(super) const NODES: usize = 1 << (DEPTH + 1);
/// Values nearer than this are equal.
const EQUAL: f64 = 1e-7;
/// A node whose variance is not above this is a leaf.
const PURE: f64 = f64::EPSILON;

/// The columns of the features, sorted once for all trees.
#[derive(Debug)]
pub(super) struct Sorted {
    /// Of each feature, the values item by item.
    pub(super) columns: Vec<Vec<f64>>,
    /// Of each feature, the items in ascending order of it and the values in this order.
    order: Vec<(Vec<u32>, Vec<f64>)>,
    /// 1 / i; not a number at 0.
    inverse: Vec<f64>,
}

impl Sorted {
    pub(super) fn new(columns: Vec<Vec<f64>>) -> Self {
        let count = columns.first().map_or(0, Vec::len);
        let sorted = |column: &Vec<f64>| {
            let mut order: Vec<u32> = (0..count as u32).collect();
            order.sort_by(|&a, &b| column[a as usize].total_cmp(&column[b as usize]));
            let values = order.iter().map(|&item| column[item as usize]).collect();
            (order, values)
        };
        let order = columns.iter().map(sorted).collect();
        let inverse = (0..=count).map(|i| if i == 0 { f64::NAN } else { 1.0 / i as f64 }).collect();
        Self { columns, order, inverse }
    }

    pub(super) fn count(&self) -> usize {
        self.inverse.len() - 1
    }
}

/// The split of a node: items with `columns[feature] <= threshold` go left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Split {
    pub(super) feature: usize,
    pub(super) threshold: f64,
    /// The decrease of the sum of squared errors.
    pub(super) gain: f64,
}

/// A tree.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tree {
    pub(super) splits: [Option<Split>; NODES / 2],
    pub(super) values: [f64; NODES],
}

impl Tree {
    /// The leaf that a code falls into, as a node.
    pub(super) fn leaf(&self, feature: impl Fn(usize) -> f64) -> usize {
        let mut node = 1;
        while let Some(Some(split)) = self.splits.get(node) {
            node = 2 * node + usize::from(feature(split.feature) > split.threshold);
        }
        node
    }
}

/// The sums of a node, and the best split of it so far.
#[derive(Clone, Copy, Debug, Default)]
struct Node {
    count: usize,
    sum: f64,
    squares: f64,
}

#[derive(Clone, Copy, Debug)]
struct Scan {
    /// Of the items so far: how many, their sum, the last value.
    below: usize,
    sum: f64,
    last: f64,
    /// Of the node.
    count: usize,
    total: f64,
    /// The best split so far.
    best: f64,
    feature: usize,
    threshold: f64,
}

/// Grow a tree on `targets`. `nodes` receives the leaf of each item. Where features split equally well, the first in
/// `features` is taken.
pub(super) fn grow(sorted: &Sorted, targets: &[f64], features: &[usize], nodes: &mut [u8]) -> Tree {
    let mut tree = Tree::default();
    nodes.fill(1);
    let mut known = [Node::default(); NODES];
    for &target in targets {
        known[1].count += 1;
        known[1].sum += target;
        known[1].squares += target * target;
    }
    for level in 0..DEPTH {
        let those = 1 << level..2 << level;
        let mut scans = [Scan::leaf(); NODES];
        for node in those.clone() {
            scans[node] = Scan::of(&known[node]);
        }
        if scans.iter().all(|scan| scan.best == f64::INFINITY) {
            break;
        }
        for &feature in features {
            scan(sorted, targets, feature, nodes, &mut scans);
        }
        for node in those.clone().filter(|&node| scans[node].best.is_finite() && scans[node].best >= 0.0) {
            let Scan { feature, threshold, best, count, .. } = scans[node];
            tree.splits[node] = Some(Split { feature, threshold, gain: best / count as f64 });
        }
        for (item, (node, &target)) in nodes.iter_mut().zip(targets).enumerate() {
            let at = usize::from(*node);
            let Some(Some(split)) = tree.splits.get(at) else { continue };
            // A split of an earlier level has been followed already.
            let next = 2 * at + usize::from(sorted.columns[split.feature][item] > split.threshold);
            *node = next as u8;
            known[next].count += 1;
            known[next].sum += target;
            known[next].squares += target * target;
        }
    }
    tree
}

impl Scan {
    /// No split is better.
    fn leaf() -> Self {
        Self {
            below: 0,
            sum: 0.0,
            last: f64::INFINITY,
            count: 0,
            total: 0.0,
            best: f64::INFINITY,
            feature: 0,
            threshold: 0.0,
        }
    }

    fn of(node: &Node) -> Self {
        let count = node.count as f64;
        let variance = node.squares / count - (node.sum / count).powi(2);
        if node.count < 2 || variance <= PURE {
            return Self::leaf();
        }
        Self { count: node.count, total: node.sum, best: -1.0, ..Self::leaf() }
    }
}

/// Look for better splits by one feature, of all nodes at once: one walk over the items in the feature's order.
fn scan(sorted: &Sorted, targets: &[f64], feature: usize, nodes: &[u8], scans: &mut [Scan; NODES]) {
    for scan in scans.iter_mut() {
        (scan.below, scan.sum, scan.last) = (0, 0.0, f64::INFINITY);
    }
    let (order, values) = &sorted.order[feature];
    for (&item, &value) in order.iter().zip(values) {
        let item = item as usize;
        let scan = &mut scans[usize::from(nodes[item]) % NODES];
        if value > scan.last + EQUAL {
            // (wr sl - wl sr)^2 / (wl wr), with wr sl - wl sr = w sl - wl s.
            let (below, above) = (scan.below, scan.count.wrapping_sub(scan.below));
            let difference = scan.count as f64 * scan.sum - below as f64 * scan.total;
            if let (Some(left), Some(right)) = (sorted.inverse.get(below), sorted.inverse.get(above)) {
                let gain = difference * difference * (left * right);
                if gain > scan.best {
                    let middle = value / 2.0 + scan.last / 2.0;
                    scan.threshold = if middle == value { scan.last } else { middle };
                    (scan.best, scan.feature) = (gain, feature);
                }
            }
        }
        scan.below += 1;
        scan.sum += targets[item];
        scan.last = value;
    }
}
