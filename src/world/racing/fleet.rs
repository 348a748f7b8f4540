//! Many cars at once, on all threads of the processor.

use super::{Outcome, Racing};
use rayon::prelude::*;

/// Fewest cars that a thread takes at a time: a step of 16 cars takes about 0.15 ms.
const SHARE: usize = 16;

/// Cars that are stepped together, each on a track of its seed. Results do not depend on the number of threads.
#[derive(Clone, Debug)]
pub struct Fleet {
    cars: Vec<Racing>,
}

impl Fleet {
    /// One car for each seed, at the start of its first track.
    pub fn new(seeds: &[u64]) -> Self {
        Self { cars: seeds.par_iter().map(|seed| Racing::new(*seed)).collect() }
    }

    /// Number of cars.
    pub fn len(&self) -> usize {
        self.cars.len()
    }

    /// There are no cars.
    pub fn is_empty(&self) -> bool {
        self.cars.is_empty()
    }

    /// The cars, in the order of the seeds.
    pub fn cars(&self) -> &[Racing] {
        &self.cars
    }

    /// The cars, to reset some.
    pub fn cars_mut(&mut self) -> &mut [Racing] {
        &mut self.cars
    }

    /// Step every car by its action (steering, gas, brake), and write what that brought.
    ///
    /// # Panics
    /// If `actions` or `outcomes` is not as long as the fleet.
    pub fn step(&mut self, actions: &[[f32; 3]], outcomes: &mut [Outcome]) {
        self.step_where(|_| true, actions, outcomes);
    }

    /// [`Fleet::step`] for the cars whose number `wanted` takes; the others stay as they are, and so do their outcomes.
    ///
    /// # Panics
    /// If `actions` or `outcomes` is not as long as the fleet.
    pub fn step_where(
        &mut self,
        wanted: impl Fn(usize) -> bool + Sync,
        actions: &[[f32; 3]],
        outcomes: &mut [Outcome],
    ) {
        assert_eq!((actions.len(), outcomes.len()), (self.cars.len(), self.cars.len()), "one for each car");
        let cars = self.cars.par_iter_mut().with_min_len(SHARE);
        cars.zip(actions).zip(outcomes).enumerate().for_each(|(i, ((car, action), outcome))| {
            if wanted(i) {
                *outcome = car.step(*action);
            }
        });
    }
}
