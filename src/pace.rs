//! How many steps make one submit to a device.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A submit should take about this long, where nothing else is wanted.
pub(crate) const SUBMIT: Duration = Duration::from_millis(200);

/// The number of steps that make a submit of about a wanted length: long enough that submitting costs nothing, short
/// enough that an interrupt is answered at once and that no operating system takes the device for hung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    wanted: Duration,
    most: usize,
    steps: usize,
    limit: Option<Duration>,
    /// Submits whose steps took longer than the limit, one by one.
    slow: u8,
}

impl Pace {
    /// Begin with one step; later submits take about `wanted`, and have `most` steps at most.
    pub(crate) fn new(wanted: Duration, most: usize) -> Self {
        Self { wanted, most: most.max(1), steps: 1, limit: None, slow: 0 }
    }

    /// The same, with a warning if single steps take longer than `limit`.
    pub(crate) fn below(self, limit: Option<Duration>) -> Self {
        Self { limit, ..self }
    }

    /// Steps of the next submit.
    pub(crate) fn steps(self) -> usize {
        self.steps
    }

    /// Learn that `steps` steps took `time`. The next submit has at most twice as many as the one before, since a first
    /// measurement may be far off.
    pub(crate) fn learn(&mut self, steps: usize, time: Duration) {
        let each = time.as_secs_f64() / steps.max(1) as f64;
        let fitting = (self.wanted.as_secs_f64() / each.max(1e-6)) as usize;
        self.steps = fitting.clamp(1, (2 * self.steps).min(self.most));
        if self.limit.is_some_and(|limit| each > limit.as_secs_f64()) {
            self.slow = self.slow.saturating_add(1);
            if self.is_slow() {
                warn(each);
            }
        }
    }

    /// Whether single steps take longer than the limit. The first does not count: it waits for data that is sent.
    fn is_slow(self) -> bool {
        self.slow > 1
    }

    /// Submit through `run`, which is given a number of steps and returns their time, until the number grows no more.
    /// Returns the time of one step.
    pub(crate) fn settle<E>(
        &mut self,
        mut run: impl FnMut(usize) -> Result<Duration, E>,
    ) -> Result<Duration, E> {
        loop {
            let steps = self.steps;
            let time = run(steps)?;
            self.learn(steps, time);
            if self.steps <= steps {
                return Ok(time / steps as u32);
            }
        }
    }
}

/// Say, once, that a step alone takes `seconds`.
fn warn(seconds: f64) {
    static WARNED: AtomicBool = AtomicBool::new(false);
    if !WARNED.swap(true, Ordering::Relaxed) {
        log::warn!(
            "one step takes {seconds:.1} s on this device; Windows ends a device's work after 2 s, other systems later. \
             A smaller --batch-size makes steps shorter"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_beyond_the_limit_are_noticed() {
        let slow = |limit: Option<u64>, seconds: &[u64]| {
            let mut pace = Pace::new(SUBMIT, 64).below(limit.map(Duration::from_secs));
            seconds.iter().for_each(|&seconds| pace.learn(1, Duration::from_secs(seconds)));
            pace.is_slow()
        };
        assert!(slow(Some(1), &[3, 3]));
        assert!(!slow(Some(1), &[3]));
        assert!(!slow(Some(1), &[3, 0, 1]));
        assert!(!slow(None, &[3, 3, 3]));
    }

    #[test]
    fn submits_grow_to_the_wanted_length() {
        let mut pace = Pace::new(Duration::from_millis(200), 64);
        let mut submits = Vec::new();
        let mut run = |steps| {
            submits.push(steps);
            Ok::<_, ()>(Duration::from_millis(10) * steps as u32)
        };
        assert_eq!(pace.settle(&mut run), Ok(Duration::from_millis(10)));
        assert_eq!(submits, [1, 2, 4, 8, 16, 20]);
        assert_eq!(pace.settle(|_| Err("lost")), Err("lost"));
        assert_eq!(pace.steps(), 20);
        pace.learn(20, Duration::from_secs(2));
        assert_eq!(pace.steps(), 2);
        pace.learn(1, Duration::from_secs(9));
        assert_eq!(pace.steps(), 1);
    }

    #[test]
    fn submits_stay_below_the_most_a_device_takes() {
        let mut pace = Pace::new(Duration::from_millis(200), 3);
        for _ in 0..5 {
            pace.learn(pace.steps(), Duration::ZERO);
        }
        assert_eq!(pace.steps(), 3);
        assert_eq!(Pace::new(Duration::ZERO, 0).steps(), 1);
    }
}
