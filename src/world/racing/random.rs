//! The random numbers of NumPy, by which the tracks of a seed are those of gymnasium.
//!
//! PCG64 is the XSL-RR output of a 128-bit linear congruential generator (M. O'Neill, "PCG: a family of simple fast
//! space-efficient statistically good algorithms for random number generation", 2014). Its state comes from NumPy's
//! `SeedSequence`, which hashes the words of a seed into a pool of four.

const POOL: usize = 4;
const MULTIPLIER: u128 = 0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645;

/// A hash of one word, whose constants change at each call.
struct Hash {
    constant: u32,
    multiplier: u32,
}

impl Hash {
    fn of(&mut self, word: u32) -> u32 {
        let word = word ^ self.constant;
        self.constant = self.constant.wrapping_mul(self.multiplier);
        let word = word.wrapping_mul(self.constant);
        word ^ (word >> 16)
    }
}

/// The first eight words of `SeedSequence(seed)`.
fn seed_sequence(seed: u64) -> [u32; 8] {
    let mut hash = Hash { constant: 0x43b0_d7e5, multiplier: 0x931e_8875 };
    let mut pool = [seed as u32, (seed >> 32) as u32, 0, 0].map(|word| hash.of(word));
    for source in 0..POOL {
        for target in (0..POOL).filter(|target| *target != source) {
            let hashed = hash.of(pool[source]);
            let mixed = pool[target].wrapping_mul(0xca01_f9dd).wrapping_sub(hashed.wrapping_mul(0x4973_f715));
            pool[target] = mixed ^ (mixed >> 16);
        }
    }
    let mut hash = Hash { constant: 0x8b51_f9dd, multiplier: 0x58f3_8ded };
    std::array::from_fn(|i| hash.of(pool[i % POOL]))
}

/// The generator `numpy.random.Generator(numpy.random.PCG64(seed))`.
#[derive(Clone, Debug)]
pub struct Pcg64 {
    state: u128,
    increment: u128,
}

impl Pcg64 {
    /// The generator of `seed`.
    pub fn new(seed: u64) -> Self {
        let words = seed_sequence(seed);
        let long = |i: usize| u128::from(words[i]) | u128::from(words[i + 1]) << 32;
        let state = long(0) << 64 | long(2);
        let increment = (long(4) << 64 | long(6)) << 1 | 1;
        let mut generator = Self { state: 0, increment };
        generator.advance();
        generator.state = generator.state.wrapping_add(state);
        generator.advance();
        generator
    }

    fn advance(&mut self) {
        self.state = self.state.wrapping_mul(MULTIPLIER).wrapping_add(self.increment);
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.advance();
        ((self.state >> 64) as u64 ^ self.state as u64).rotate_right((self.state >> 122) as u32)
    }

    /// A number drawn uniformly from `[low, high)`, with 53 random bits.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * ((self.next_u64() >> 11) as f64 / (1u64 << 53) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `numpy.random.PCG64(numpy.random.SeedSequence(seed)).random_raw(3)` of NumPy 2.4.6, then two draws of
    /// `Generator.uniform(50, 150)` from the same seed.
    #[test]
    fn numbers_are_those_of_numpy() {
        let known = [
            (
                0,
                [0xa30f_ebcf_d9c2_825f, 0x4510_bdf8_82d9_d721, 0x0a7d_3da9_4ecd_e8b8],
                [113.696_168_732_145_42, 76.978_671_376_387_03],
            ),
            (
                1,
                [0x8306_bdf3_7922_e4ff, 0xf351_96bb_c152_a866, 0x24e7_a4f6_08ec_18cd],
                [101.182_162_470_025_67, 145.046_369_632_593_52],
            ),
            (
                12_345,
                [0x3a32_b18d_b2ff_c19d, 0x5117_1315_c9e4_c4de, 0xcc20_2482_3444_efd9],
                [72.733_602_246_716_97, 81.675_833_970_975_29],
            ),
            (
                (1 << 40) + 7,
                [0xd46e_9e20_34de_21aa, 0x415b_adc9_9c08_7675, 0x275e_d40f_045a_cb84],
                [132.981_289_182_941_28, 75.530_515_834_910_42],
            ),
        ];
        for (seed, words, uniforms) in known {
            let mut generator = Pcg64::new(seed);
            assert_eq!(words.map(|_| generator.next_u64()), words, "seed {seed}");
            let mut generator = Pcg64::new(seed);
            assert_eq!(uniforms.map(|_: f64| generator.uniform(50.0, 150.0)), uniforms, "seed {seed}");
        }
    }
}
