//! What buffers hold before a kernel runs.

use crate::activation::Activation;
use crate::cpu;
use crate::plan::{self, Element, Grid, Plan, Program};
use crate::random::{Philox, stream};
use rand::RngExt;
use std::collections::BTreeMap;

/// The program of [`single`].
pub(crate) const ONCE: &str = "once";

/// What a storage variable holds before a kernel runs. A `usize` is the number of elements.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content<'a> {
    /// These numbers.
    Reals(&'a [f32]),
    /// These words.
    Words(&'a [u32]),
    /// Zeros, which the kernel replaces.
    Room(usize),
    /// Standard normal numbers.
    Normal(usize),
    /// Numbers from 0 to 1: variances, averages and norms are not negative.
    Unit(usize),
    /// Numbers from 0 to 0.01.
    Hundredth(usize),
    /// Random words.
    AnyWords(usize),
    /// Random words below the second number.
    Below(usize, u32),
    /// The number that the function gives for each index.
    Given(usize, fn(usize) -> f32),
    /// The word that the function gives for each index.
    GivenWords(usize, fn(usize) -> u32),
    /// The activation of the number that the function gives for each index.
    Activated(usize, Activation, fn(usize) -> f32),
}

impl Content<'_> {
    /// Elements.
    pub(crate) fn length(self) -> usize {
        match self {
            Self::Reals(values) => values.len(),
            Self::Words(words) => words.len(),
            Self::Room(length)
            | Self::Normal(length)
            | Self::Unit(length)
            | Self::Hundredth(length)
            | Self::AnyWords(length)
            | Self::Below(length, _)
            | Self::Given(length, _)
            | Self::GivenWords(length, _)
            | Self::Activated(length, ..) => length,
        }
    }

    /// What an element is.
    pub(crate) fn element(self) -> Element {
        match self {
            Self::Words(_) | Self::AnyWords(_) | Self::Below(..) | Self::GivenWords(..) => Element::Word,
            _ => Element::Real,
        }
    }

    /// The buffer's words. Random ones depend on `seed` and `item` only.
    pub(crate) fn words(self, seed: u64, item: u64) -> Vec<u32> {
        let mut random = Philox::new(seed, stream::PRIOR, item);
        let mut words =
            |draw: fn(&mut Philox) -> u32| (0..self.length()).map(|_| draw(&mut random)).collect();
        match self {
            Self::Reals(values) => bytemuck::cast_slice(values).to_vec(),
            Self::Words(words) => words.to_vec(),
            Self::Room(length) => vec![0; length],
            Self::Normal(_) => words(|random| (random.normal() as f32).to_bits()),
            Self::Unit(_) => words(|random| random.random::<f32>().to_bits()),
            Self::Hundredth(_) => words(|random| (0.01 * random.random::<f32>()).to_bits()),
            Self::AnyWords(_) => words(Philox::random),
            Self::Below(length, bound) => (0..length).map(|_| random.random_range(0..bound)).collect(),
            Self::Given(length, number) => (0..length).map(|i| number(i).to_bits()).collect(),
            Self::GivenWords(length, word) => (0..length).map(word).collect(),
            Self::Activated(length, kind, number) => {
                let activated = |i| cpu::activate(kind, f64::from(number(i))) as f32;
                (0..length).map(|i| activated(i).to_bits()).collect()
            }
        }
    }
}

/// A plan whose only dispatch is `kernel`, run by the program [`ONCE`]. `contents` gives the size of every storage
/// variable; each buffer has its variable's name.
pub(crate) fn single(
    kernel: &'static str,
    constants: BTreeMap<&'static str, f64>,
    contents: &[(&str, Content<'_>)],
    grid: Grid,
) -> Plan {
    let mut plan = Plan::default();
    append(&mut plan, "", kernel, constants, contents, grid);
    plan.programs.push(Program { name: ONCE.into(), dispatches: vec![0], ..Program::default() });
    plan
}

/// Append a dispatch of `kernel` to `plan`, as [`single`]; see [`plan::append`].
pub(crate) fn append(
    plan: &mut Plan,
    prefix: &str,
    kernel: &'static str,
    constants: BTreeMap<&'static str, f64>,
    contents: &[(&str, Content<'_>)],
    grid: Grid,
) {
    let sizes: Vec<_> =
        contents.iter().map(|(name, content)| (*name, content.length(), content.element())).collect();
    plan::append(plan, prefix, kernel, constants, &sizes, grid);
}
