//! Items with their codes and factors, and draws of them.

use crate::random::{Philox, stream};
use crate::{Error, Result};

/// Draws of one metric.
#[derive(Debug)]
pub struct Random(Philox);

impl Random {
    /// Those of `metric`, a number, under `seed`.
    pub fn new(seed: u64, metric: u64) -> Self {
        Self(Philox::new(seed, stream::DISENTANGLE, metric))
    }

    /// A whole number below `bound`, uniformly.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u64::from(self.0.next_word()) * bound as u64) >> 32) as usize
    }

    /// A standard normal number.
    pub fn normal(&mut self) -> f64 {
        self.0.normal()
    }

    /// `count` of the numbers below `bound`, each once, in random order; all of them where `count` is larger.
    pub fn some(&mut self, count: usize, bound: usize) -> Vec<usize> {
        let count = count.min(bound);
        let mut all: Vec<usize> = (0..bound).collect();
        for place in 0..count {
            let other = place + self.below(bound - place);
            all.swap(place, other);
        }
        all.truncate(count);
        all
    }
}

/// Codes and factor classes of some items.
#[derive(Clone, Debug, PartialEq)]
pub struct Items {
    codes: Vec<f64>,
    width: usize,
    classes: Vec<u32>,
    sizes: Vec<usize>,
}

impl Items {
    /// `codes` is `[items, width]`; `classes` is `[items, factors]`, each class below its factor's entry in `sizes`.
    ///
    /// # Errors
    /// [`Error::Internal`] if the sizes do not fit, or a class is too large.
    pub fn new(codes: Vec<f64>, width: usize, classes: Vec<u32>, sizes: Vec<usize>) -> Result<Self> {
        let (width, factors) = (width.max(1), sizes.len().max(1));
        let fits = codes.len().is_multiple_of(width) && codes.len() / width * factors == classes.len();
        let below = |row: &[u32]| row.iter().zip(&sizes).all(|(&class, &size)| (class as usize) < size);
        if !fits || sizes.is_empty() || !classes.chunks(factors).all(below) {
            return Err(Error::Internal("codes and factor classes do not fit each other".into()));
        }
        Ok(Self { codes, width, classes, sizes })
    }

    /// How many items.
    pub fn count(&self) -> usize {
        self.codes.len() / self.width
    }

    /// Columns of the codes.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many factors.
    pub fn factors(&self) -> usize {
        self.sizes.len()
    }

    /// Classes of each factor.
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// The code of an item.
    pub fn code(&self, item: usize) -> &[f64] {
        &self.codes[item * self.width..(item + 1) * self.width]
    }

    /// The class of an item's factor.
    pub fn class(&self, item: usize, factor: usize) -> u32 {
        self.classes[item * self.sizes.len() + factor]
    }

    /// One column of the codes.
    pub fn column(&self, column: usize) -> Vec<f64> {
        self.codes.iter().skip(column).step_by(self.width).copied().collect()
    }

    /// All columns of the codes.
    pub fn columns(&self) -> Vec<Vec<f64>> {
        (0..self.width).map(|column| self.column(column)).collect()
    }

    /// The classes of one factor.
    pub fn labels(&self, factor: usize) -> Vec<u32> {
        self.classes.iter().skip(factor).step_by(self.sizes.len()).copied().collect()
    }

    /// The items with these numbers.
    #[must_use]
    pub fn select(&self, items: &[usize]) -> Self {
        Self {
            codes: items.iter().flat_map(|&item| self.code(item)).copied().collect(),
            width: self.width,
            classes: items
                .iter()
                .flat_map(|&item| (0..self.factors()).map(move |factor| self.class(item, factor)))
                .collect(),
            sizes: self.sizes.clone(),
        }
    }

    /// The same items with these factors alone.
    #[must_use]
    pub fn with_factors(&self, factors: &[usize]) -> Self {
        let rows = 0..self.count();
        Self {
            codes: self.codes.clone(),
            width: self.width,
            classes: rows.flat_map(|item| factors.iter().map(move |&f| self.class(item, f))).collect(),
            sizes: factors.iter().map(|&factor| self.sizes[factor]).collect(),
        }
    }

    /// Up to `train` items to learn from and up to `test` others. Of fewer items than both ask for, a third is for the test:
    /// no item is in both.
    pub fn split(&self, train: usize, test: usize, random: &mut Random) -> [Self; 2] {
        let wanted = train + test;
        let chosen = random.some(wanted, self.count());
        let first = if chosen.len() < wanted { chosen.len() * train / wanted } else { train };
        [self.select(&chosen[..first]), self.select(&chosen[first..])]
    }

    /// The variance of each column over these items, with the divisor n - 1; 0 of one item.
    pub(super) fn variances(&self, items: &[usize]) -> Vec<f64> {
        let count = items.len() as f64;
        let mut means = vec![0.0; self.width];
        for &item in items {
            means.iter_mut().zip(self.code(item)).for_each(|(mean, code)| *mean += code / count);
        }
        let mut variances = vec![0.0; self.width];
        for &item in items {
            for ((variance, code), mean) in variances.iter_mut().zip(self.code(item)).zip(&means) {
                *variance += (code - mean).powi(2) / (count - 1.0).max(1.0);
            }
        }
        variances
    }

    /// The items of each class of each factor.
    pub(super) fn by_class(&self) -> ByClass {
        let of = |factor: usize| {
            let mut all = vec![Vec::new(); self.sizes[factor]];
            (0..self.count()).for_each(|item| all[self.class(item, factor) as usize].push(item as u32));
            all
        };
        ByClass((0..self.factors()).map(of).collect())
    }
}

/// The items of each class of each factor, to draw items that share a class. On a full grid of factors this equals drawing
/// all other factors uniformly.
#[derive(Debug)]
pub(super) struct ByClass(Vec<Vec<Vec<u32>>>);

impl ByClass {
    /// A random item with this class of `factor`. There must be one.
    pub(super) fn draw(&self, factor: usize, class: u32, random: &mut Random) -> usize {
        let those = &self.0[factor][class as usize];
        those[random.below(those.len())] as usize
    }
}
