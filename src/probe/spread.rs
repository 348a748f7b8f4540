//! How long something took, over many runs.

use serde::Serialize;

/// The median of some times and its quartiles, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Median.
    pub ms: f64,
    /// First quartile: a quarter of the samples is faster.
    pub ms_low: f64,
    /// Third quartile: a quarter of the samples is slower.
    pub ms_high: f64,
    /// Samples taken.
    pub samples: usize,
}

impl Spread {
    /// Of times in seconds, at least one.
    pub(crate) fn of(mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = share * (seconds.len().max(1) - 1) as f64;
            let (low, high) = (place.floor() as usize, place.ceil() as usize);
            let value = |i: usize| seconds.get(i).copied().unwrap_or(0.0);
            1e3 * (value(low) + (value(high) - value(low)) * place.fract())
        };
        Self { ms: at(0.5), ms_low: at(0.25), ms_high: at(0.75), samples: seconds.len() }
    }

    /// `amount` a run, as billions a second; `None` for what was too fast for the clock.
    pub(crate) fn billions_per_second(&self, amount: u64) -> Option<f64> {
        (self.ms > 0.0).then(|| amount as f64 / self.ms * 1e-6)
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn medians_and_quartiles() {
        let spread = Spread::of(vec![0.005, 0.001, 0.002, 0.003, 0.004]);
        assert_eq!((spread.ms, spread.ms_low, spread.ms_high, spread.samples), (3.0, 2.0, 4.0, 5));
        assert_eq!(Spread::of(vec![0.001, 0.002]).ms, 1.5);
        assert_eq!(spread.billions_per_second(3_000_000), Some(1.0));
        assert_eq!(Spread::of(vec![0.0]).billions_per_second(1), None);
    }
}
