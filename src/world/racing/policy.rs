//! The random policy by which the paper's data was collected.

use crate::random::{Philox, stream};

/// Values of the noise.
const NOISE: usize = 32;

/// The paper's random policy: `a = tanh(W e + b)`, with `e ~ N(0, I)` of 32 dimensions anew for each frame. W and b are drawn
/// for each episode: Cauchy numbers times s, `s ~ U(0, 0.01)`. Gas is `(a_1 + 1) / 2`, brake `max(a_2, 0)`.
///
/// It is noise around half gas. The original draws random networks, whose codes and states are about 0 because their weights
/// are divided by 10,000; only the sampling noise of its codes is left, which is e here.
#[derive(Clone, Debug)]
pub struct RandomPolicy {
    random: Philox,
    weights: [[f64; NOISE]; 3],
    biases: [f64; 3],
}

impl RandomPolicy {
    /// The policy of an episode.
    pub fn new(seed: u64) -> Self {
        let mut random = Philox::new(seed, stream::RANDOM_POLICY, 0);
        let mut uniform = || (f64::from(random.next_word()) + 0.5) / 4_294_967_296.0;
        let scale = 0.01 * uniform();
        let mut cauchy = || scale * (std::f64::consts::PI * (uniform() - 0.5)).tan();
        let biases = std::array::from_fn(|_| cauchy());
        let weights = std::array::from_fn(|_| std::array::from_fn(|_| cauchy()));
        Self { random, weights, biases }
    }

    /// The next action: steering from -1 to 1, gas and brake from 0 to 1.
    pub fn act(&mut self) -> [f32; 3] {
        let noise: [f64; NOISE] = std::array::from_fn(|_| self.random.normal());
        let [steer, gas, brake] = std::array::from_fn(|i| {
            let sum: f64 = self.weights[i].iter().zip(&noise).map(|(weight, e)| weight * e).sum();
            (sum + self.biases[i]).tanh()
        });
        [steer as f32, ((gas + 1.0) / 2.0) as f32, brake.max(0.0) as f32]
    }
}
