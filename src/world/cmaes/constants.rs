//! The constants of CMA-ES: weights of the ranked candidates and learning rates, as pycma 2.2.0 sets them by default.

/// What the dimension and the population decide.
#[derive(Clone, Debug, PartialEq)]
pub struct Constants {
    /// The weight of each candidate, best first: the better half sums to 1, the rest is negative.
    pub weights: Vec<f64>,
    /// How many candidates have a positive weight.
    pub parents: usize,
    /// The effective number of parents, 1 / sum of their squared weights.
    pub effective: f64,
    /// Learning rate of the rank-one update of the covariance.
    pub rank_one: f64,
    /// Learning rate of the rank-mu update of the covariance.
    pub rank_mu: f64,
    /// Rate at which the evolution path of the covariance forgets.
    pub path: f64,
    /// Rate at which the evolution path of the step size forgets.
    pub step_path: f64,
    /// Damping of the step size.
    pub damping: f64,
    /// Expected length of a standard normal vector.
    pub length: f64,
    /// Generations from one eigendecomposition to the next, at the least.
    pub gap: f64,
}

impl Constants {
    /// The defaults for `dimension` parameters and `population` candidates (4 or more).
    ///
    /// Hansen, "The CMA evolution strategy: a tutorial", arXiv:1604.00772, table 1, with the offsets of pycma 2.2.0.
    pub fn new(dimension: usize, population: usize) -> Self {
        let n = dimension as f64;
        let middle = ((population + 1) as f64 / 2.0).ln();
        let mut weights: Vec<f64> = (1..=population).map(|rank| middle - (rank as f64).ln()).collect();
        let parents = weights.iter().filter(|weight| **weight > 0.0).count();
        let positive: f64 = weights[..parents].iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= positive);
        let effective = effective(&weights[..parents]);

        let rank_one = (population as f64 / 6.0).min(1.0) * 2.0 / ((n + 1.3).powi(2) + effective);
        let rank_mu = (2.0 * (0.25 + effective + 1.0 / effective - 2.0) / ((n + 2.0).powi(2) + effective))
            .min(1.0 - rank_one);
        // Their sum makes up for the decay, within what keeps the covariance positive definite and what so few candidates
        // can say.
        let total = (1.0 + rank_one / rank_mu)
            .min((1.0 - rank_one - rank_mu) / (rank_mu * n))
            .min(1.0 + 2.0 * self::effective(&weights[parents..]) / (effective + 2.0));
        let negative: f64 = weights[parents..].iter().sum();
        weights[parents..].iter_mut().for_each(|weight| *weight *= total / -negative);

        let step_path = (effective + 2.0) / (n + effective + 3.0);
        Self {
            parents,
            effective,
            rank_one,
            rank_mu,
            path: (4.0 + effective / n) / (n + 4.0 + 2.0 * effective / n),
            step_path,
            damping: 1.0 + 2.0 * (((effective - 1.0) / (n + 1.0)).sqrt() - 1.0).max(0.0) + step_path,
            length: n.sqrt() * (1.0 - 1.0 / (4.0 * n) + 1.0 / (21.0 * n * n)),
            gap: 1.0 / (10.0 * n * (rank_one + rank_mu)),
            weights,
        }
    }
}

/// How many equal weights average as much as these do.
fn effective(weights: &[f64]) -> f64 {
    weights.iter().sum::<f64>().powi(2) / weights.iter().map(|weight| weight * weight).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Dimension, population, and the values in the order of the test below.
    #[rustfmt::skip]
    const THEIRS: [(usize, usize, [f64; 11]); 4] = [
        (867, 64, [17.621652406855663, -1.06288220471046, 2.6526517818727357e-06, 4.218445892739959e-05, 0.004615542179238161, 0.022105873998961172, 1.0221058739989612, 29.436375148850242, 2.572428328320135, 0.11665680437977725, -0.058986225574956024]),
        (10, 10, [3.1672992814107017, -1.648945714440647, 0.015283824524751714, 0.02355177665041747, 0.29499038303562225, 0.3196142529106334, 1.3196142529106334, 3.0847265651690123, 0.2574956920299673, 0.45627264690340597, -0.5497499176973853]),
        (2, 6, [2.0286114646100617, -2.207323654840602, 0.1548153998964136, 0.08559277942666424, 0.6245545390268264, 0.5731731629916698, 1.5731731629916696, 1.254272742818995, 0.20797961259382275, 0.6370425712412168, -1.1559817781589212]),
        (20, 400, [103.36233792710203, -0.09397803683644042, 0.003590326911547272, 0.34602835786001773, 0.26700997411957134, 0.8338112419848165, 4.249418581478542, 4.416766652699585, 0.014301295147503104, 0.026917133194302504, -0.0008417772417690056]),
    ];

    /// `cma.CMAEvolutionStrategy(N * [0], 0.1, {'popsize': lambda})` of pycma 2.2.0, its `sp` and `adapt_sigma`.
    #[test]
    fn constants_are_those_of_pycma() {
        let close = |ours: f64, theirs: f64| assert!((ours / theirs - 1.0).abs() < 1e-9, "{ours} {theirs}");
        for (dimension, population, theirs) in THEIRS {
            let ours = Constants::new(dimension, population);
            let negative: f64 = ours.weights[ours.parents..].iter().sum();
            let values = [
                ours.effective,
                negative,
                ours.rank_one,
                ours.rank_mu,
                ours.path,
                ours.step_path,
                ours.damping,
                ours.length,
                ours.gap,
                ours.weights[0],
                ours.weights[population - 1],
            ];
            values.into_iter().zip(theirs).for_each(|(ours, theirs)| close(ours, theirs));
        }
    }
}
