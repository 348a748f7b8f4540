//! Mutual information of discrete values, from counts, in nats.

use super::{Items, Random};

/// The bin of each value, from 0, of `bins` bins of equal width from the smallest to the largest value. The largest value
/// falls into the last bin (`numpy.digitize` of the lower edges).
pub fn binned(values: &[f64], bins: usize) -> Vec<u32> {
    let (mut low, mut high) =
        values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)));
    if low == high {
        (low, high) = (low - 0.5, high + 0.5);
    }
    let width = (high - low) / bins as f64;
    let edge = |bin: usize| bin as f64 * width + low;
    let place = |&value: &f64| {
        let mut bin = (((value - low) / width) as usize).min(bins - 1);
        // The quotient may be rounded across an edge.
        while bin > 0 && value < edge(bin) {
            bin -= 1;
        }
        while bin + 1 < bins && value >= edge(bin + 1) {
            bin += 1;
        }
        bin as u32
    };
    values.iter().map(place).collect()
}

/// I(a; b), from how often each pair of classes occurs.
pub fn mutual_information(a: &[u32], b: &[u32]) -> f64 {
    let size = |classes: &[u32]| classes.iter().max().map_or(0, |&largest| largest as usize + 1);
    let (rows, columns) = (size(a), size(b));
    let (mut joint, mut of_a, mut of_b) =
        (vec![0_u32; rows * columns], vec![0_u32; rows], vec![0_u32; columns]);
    for (&a, &b) in a.iter().zip(b) {
        let (a, b) = (a as usize, b as usize);
        joint[a * columns + b] += 1;
        of_a[a] += 1;
        of_b[b] += 1;
    }
    let total = a.len().max(1) as f64;
    let term = |(place, &count): (usize, &u32)| {
        let (a, b) = (of_a[place / columns], of_b[place % columns]);
        let both = f64::from(count);
        both / total * (both * total / (f64::from(a) * f64::from(b))).ln()
    };
    joint.iter().enumerate().filter(|(_, count)| **count > 0).map(term).sum::<f64>().max(0.0)
}

/// Of each code, in bins, the factor of whose entropy it knows the largest share, and this share. Counts overestimate
/// information, most of all that of factors of many values: what a code knows of the factor's values in random order is taken
/// off.
pub fn best_factors(items: &Items, bins: usize) -> Vec<(usize, f64)> {
    const ORDERS: usize = 4;
    let mut random = Random::new(0, 6);
    let orders: Vec<Vec<usize>> = (0..ORDERS).map(|_| random.some(items.count(), items.count())).collect();
    let factors: Vec<Vec<u32>> = (0..items.factors()).map(|factor| items.labels(factor)).collect();
    let share = |code: &[u32], factor: &[u32]| {
        let mixed = |order: &Vec<usize>| order.iter().map(|&item| factor[item]).collect::<Vec<u32>>();
        let chance: f64 = orders.iter().map(|order| mutual_information(code, &mixed(order))).sum();
        let known = mutual_information(code, factor) - chance / ORDERS as f64;
        known / entropy(factor).max(f64::MIN_POSITIVE)
    };
    let best = |column: Vec<f64>| {
        let code = binned(&column, bins);
        let shares = factors.iter().map(|factor| share(&code, factor)).enumerate();
        shares.fold((0, 0.0), |best, next| if next.1 > best.1 { next } else { best })
    };
    items.columns().into_iter().map(best).collect()
}

/// H(a), from how often each class occurs.
pub fn entropy(a: &[u32]) -> f64 {
    mutual_information(a, a)
}

/// I(code; factor) of every code, in bins, and every factor: `[codes][factors]`.
pub fn matrix(items: &Items, bins: usize) -> Vec<Vec<f64>> {
    let factors: Vec<Vec<u32>> = (0..items.factors()).map(|factor| items.labels(factor)).collect();
    let row = |column: usize| {
        let code = binned(&items.column(column), bins);
        factors.iter().map(|factor| mutual_information(&code, factor)).collect()
    };
    (0..items.width()).map(row).collect()
}

/// The average of I(code; other code) over all pairs of two codes, in bins. `None` of one code.
pub fn mean_pairwise(items: &Items, bins: usize) -> Option<f64> {
    let codes: Vec<Vec<u32>> = items.columns().iter().map(|column| binned(column, bins)).collect();
    let pairs = (0..codes.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
    let all: Vec<f64> = pairs.map(|(a, b)| mutual_information(&codes[a], &codes[b])).collect();
    (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
}
