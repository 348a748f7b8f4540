//! How many steps make one submit to a device.

use std::time::Duration;

/// The number of steps that make a submit of about a wanted length: long enough that submitting costs nothing, short
/// enough that an interrupt is answered at once and that no operating system takes the device for hung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    wanted: Duration,
    most: usize,
    steps: usize,
}

impl Pace {
    /// Begin with one step; later submits take about `wanted`, and have `most` steps at most.
    pub(crate) fn new(wanted: Duration, most: usize) -> Self {
        Self { wanted, most: most.max(1), steps: 1 }
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

#[cfg(test)]
mod tests {
    use super::*;

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
