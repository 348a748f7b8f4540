//! The arguments of a twin: the dispatch's constants, the step, and its buffers by name.

use super::Real;
use super::real::vectorised;
use crate::plan::{Name, Step};
use std::collections::BTreeMap;

/// A bound range of a buffer.
#[derive(Debug)]
pub(super) enum Slot<'a, T> {
    Read(&'a [T]),
    Write(&'a mut [T]),
    Words(&'a [u32]),
}

/// One run of a twin.
#[derive(Debug)]
pub(super) struct Call<'a, T> {
    pub(super) constants: &'a BTreeMap<Name, f64>,
    pub(super) step: &'a Step,
    pub(super) slots: Vec<(&'a str, Slot<'a, T>)>,
}

/// Twins ask for the names their WGSL declares; a plan that does not bind them is a bug its lowering has caught.
#[allow(clippy::panic, reason = "see above")]
impl<'a, T: Real> Call<'a, T> {
    fn constant(&self, name: &str) -> f64 {
        *self.constants.get(name).unwrap_or_else(|| panic!("no constant {name}"))
    }

    pub(super) fn count(&self, name: &str) -> usize {
        self.constant(name) as usize
    }

    /// The elements of a pixel, for which kernels need no constant where they are the columns of the output.
    pub(super) fn pixel(&self, name: &str) -> usize {
        self.constants.get(name).map_or_else(|| 4 * self.count("COLUMNS"), |&value| value as usize)
    }

    pub(super) fn number(&self, name: &str) -> T {
        T::of(self.constant(name))
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.constant(name) != 0.0
    }

    pub(super) fn read(&self, name: &str) -> &'a [T] {
        match self.slots.iter().find(|slot| slot.0 == name) {
            Some((_, Slot::Read(values))) => values,
            other => panic!("{name} is not bound for reading: {other:?}"),
        }
    }

    /// A matrix that variants of a kernel bind as `NAME`, of vec4, or as `NAME_elements`.
    pub(super) fn operand(&self, name: &str) -> &'a [T] {
        let bound = self.slots.iter().find(|slot| slot.0.trim_end_matches("_elements") == name);
        self.read(bound.map_or(name, |slot| slot.0))
    }

    pub(super) fn words(&self, name: &str) -> &'a [u32] {
        match self.slots.iter().find(|slot| slot.0 == name) {
            Some((_, Slot::Words(words))) => words,
            other => panic!("{name} is not bound as words: {other:?}"),
        }
    }

    /// The buffer to write; it can be taken once.
    pub(super) fn write(&mut self, name: &str) -> &'a mut [T] {
        match self.slots.iter_mut().find(|slot| slot.0 == name) {
            Some((_, Slot::Write(values))) => std::mem::take(values),
            other => panic!("{name} is not bound for writing: {other:?}"),
        }
    }

    /// The number of the step whose index the constant `name` gives; 1 for none.
    pub(super) fn step_number(&self, name: &str) -> T {
        self.step.numbers.get(self.count(name)).map_or(T::one(), |&value| T::of(f64::from(value)))
    }

    /// The buffer to write, where the kernel has one of this name; it can be taken once.
    pub(super) fn write_bound(&mut self, name: &str) -> Option<&'a mut [T]> {
        match self.slots.iter_mut().find(|slot| slot.0 == name) {
            Some((_, Slot::Write(values))) => Some(std::mem::take(values)),
            _ => None,
        }
    }

    /// Images in this minibatch.
    pub(super) fn rows(&self) -> usize {
        self.step.rows as usize
    }
}

/// Smallest number of elements for which a second thread pays.
pub(super) const GRAIN: usize = 4096;

/// Run `work(row, values)` for each row of `row` elements of `output`, in vector code, on all cores when there is enough
/// to do.
pub(super) fn by_rows<T: Send>(output: &mut [T], row: usize, work: impl Fn(usize, &mut [T]) + Sync + Send) {
    by_costly_rows(output, row, row, work);
}

/// The same where a row takes as long as `cost` elements.
pub(super) fn by_costly_rows<T: Send>(
    output: &mut [T],
    row: usize,
    cost: usize,
    work: impl Fn(usize, &mut [T]) + Sync + Send,
) {
    use rayon::prelude::*;
    let rows_a_chunk = GRAIN.div_ceil(cost.max(1)).max(1);
    let run = |(c, chunk): (usize, &mut [T])| {
        vectorised(|| {
            for (i, one) in chunk.chunks_mut(row).enumerate() {
                work(c * rows_a_chunk + i, one);
            }
        });
    };
    if output.len() <= rows_a_chunk * row {
        run((0, output));
    } else {
        output.par_chunks_mut(rows_a_chunk * row).enumerate().for_each(run);
    }
}

/// The same for two outputs with equal numbers of rows; each output comes with its row length.
pub(super) fn by_rows_of_two<T: Send>(
    (first, first_row): (&mut [T], usize),
    (second, second_row): (&mut [T], usize),
    work: impl Fn(usize, &mut [T], &mut [T]) + Sync + Send,
) {
    use rayon::prelude::*;
    let rows_a_chunk = GRAIN.div_ceil(first_row.max(1)).max(1);
    first
        .par_chunks_mut(rows_a_chunk * first_row)
        .zip(second.par_chunks_mut(rows_a_chunk * second_row))
        .enumerate()
        .for_each(|(c, (first, second))| {
            vectorised(|| {
                let rows = first.chunks_mut(first_row).zip(second.chunks_mut(second_row));
                for (i, (first, second)) in rows.enumerate() {
                    work(c * rows_a_chunk + i, first, second);
                }
            });
        });
}

/// Write `value`, or add it.
pub(super) fn put<T: Real>(target: &mut T, value: T, accumulate: bool) {
    *target = if accumulate { *target + value } else { value };
}

/// `to += from`.
pub(super) fn add_to<T: Real>(to: &mut [T], from: &[T]) {
    vectorised(|| to.iter_mut().zip(from).for_each(|(to, &from)| *to += from));
}

/// Sums that are added side by side, as vector units do.
const LANES: usize = 16;

/// The sum of `term` over the elements of slices of equal length: in sixteen sums, whose roundings are those of short sums.
#[inline(always)]
pub(super) fn add_up<T: Real, const K: usize>(slices: [&[T]; K], term: impl Fn([T; K]) -> T) -> T {
    let mut sums = [T::zero(); LANES];
    let whole = slices[0].len() / LANES * LANES;
    for start in (0..whole).step_by(LANES) {
        let parts = slices.map(|slice| &slice[start..start + LANES]);
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum += term(parts.map(|part| part[lane]));
        }
    }
    for i in whole..slices[0].len() {
        sums[i - whole] += term(slices.map(|slice| slice[i]));
    }
    sums.into_iter().sum()
}

/// The largest of some numbers, likewise.
#[inline(always)]
pub(super) fn largest<T: Real>(values: &[T]) -> T {
    let mut lanes = [T::neg_infinity(); LANES];
    let parts = values.chunks_exact(LANES);
    let rest = parts.remainder();
    let more = |lanes: &mut [T; LANES], part: &[T]| {
        lanes.iter_mut().zip(part).for_each(|(largest, &value)| *largest = largest.max(value));
    };
    parts.for_each(|part| more(&mut lanes, part));
    more(&mut lanes, rest);
    lanes.into_iter().fold(T::neg_infinity(), T::max)
}
