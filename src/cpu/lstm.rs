//! Twins of `shaders/lstm.wgsl`.

use super::Real;
use super::activation::sigmoid;
use super::call::{Call, by_rows};
use super::panel::{ROWS, WIDTH};
use super::real::vectorised_by;
use super::scratch::with_scratch;
use rayon::prelude::*;

/// Units that are computed side by side.
const LANES: usize = 16;

pub(super) fn lstm_pack<T: Real>(call: &mut Call<'_, T>) {
    let (stride, weight) = (call.count("STRIDE"), call.read("weight"));
    let packing = &mut call.write("packing")[..call.count("HIDDEN") * 4 * stride];
    by_rows(packing, 4 * stride, |k, row| {
        for (unit, gates) in row.chunks_exact_mut(4).enumerate() {
            for (gate, value) in gates.iter_mut().enumerate() {
                *value = weight[(gate * stride + unit) * stride + k];
            }
        }
    });
}

#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    steps: usize,
    begin: usize,
    end: usize,
    hidden: usize,
    stride: usize,
    carry: bool,
}

impl Sizes {
    fn of<T: Real>(call: &Call<'_, T>) -> Self {
        Self {
            batch: call.count("BATCH"),
            steps: call.count("STEPS"),
            begin: call.count("BEGIN"),
            end: call.count("END"),
            hidden: call.count("HIDDEN"),
            stride: call.count("STRIDE"),
            carry: call.flag("CARRY"),
        }
    }

    /// Elements that a sequence has in the rows of all steps.
    fn sequence(self) -> usize {
        self.steps * self.stride
    }

    /// Sequences of a thread.
    fn share(self) -> usize {
        self.batch.div_ceil(rayon::current_num_threads()).next_multiple_of(ROWS)
    }
}

/// Numbers of some units, zeros where there are fewer than `LANES`.
#[inline(always)]
fn lanes<T: Real>(values: &[T], count: usize) -> [T; LANES] {
    let mut own = [T::zero(); LANES];
    own[..count].copy_from_slice(&values[..count]);
    own
}

/// Write the first `count` of them.
#[inline(always)]
fn store<T: Real>(to: &mut [T], values: &[T; LANES], count: usize) {
    to[..count].copy_from_slice(&values[..count]);
}

/// Of the units of a block that begins at unit `from`: how many lie in memory, and how many are real. Where all do, numbers
/// that the compiler knows make copies no calls.
#[inline(always)]
fn counts<const FULL: bool>(Sizes { hidden, stride, .. }: Sizes, from: usize) -> [usize; 2] {
    if FULL { [LANES; 2] } else { [stride, hidden].map(|end| LANES.min(end - from)) }
}

/// `ROWS` rows from `first` on, of `rows`: past the end the last one again.
#[inline(always)]
fn together(first: usize, rows: usize) -> [usize; ROWS] {
    std::array::from_fn(|r| (first + r).min(rows - 1))
}

/// A window of steps of some sequences.
struct Forward<'a, T> {
    sizes: Sizes,
    /// `[blocks of units, HIDDEN, gate, LANES]`.
    panels: &'a [T],
    /// h and c before the first step of the window, `[sequences, 2, STRIDE]`; c is moved on.
    state: &'a mut [T],
    /// h after a step, `[sequences, STRIDE]`.
    next: &'a mut [T],
    gates: &'a mut [T],
    hidden: &'a mut [T],
    cells: &'a mut [T],
    before: &'a mut [T],
    last: &'a mut [T],
}

impl<T: Real> Forward<'_, T> {
    /// One step of the units of a block, of a sequence.
    #[inline(always)]
    fn cell<const FULL: bool>(&mut self, [row, step, from]: [usize; 3], sums: &[T; WIDTH]) {
        let Sizes { steps, stride, .. } = self.sizes;
        let [count, real] = counts::<FULL>(self.sizes, from);
        let (at, own) = (((row * steps + step) * stride) + from, 2 * row * stride + from);
        let gates = &mut self.gates[4 * (row * steps + step) * stride + from..];
        let (mut i, mut f) = (lanes(gates, count), lanes(&gates[stride..], count));
        let (mut g, mut o) = (lanes(&gates[2 * stride..], count), lanes(&gates[3 * stride..], count));
        let mut c = lanes(&self.state[own + stride..], count);
        let mut h = [T::zero(); LANES];
        for lane in 0..LANES {
            i[lane] = sigmoid(i[lane] + sums[lane]);
            f[lane] = sigmoid(f[lane] + sums[LANES + lane] + T::one());
            g[lane] = (g[lane] + sums[2 * LANES + lane]).hyperbolic_tangent();
            o[lane] = sigmoid(o[lane] + sums[3 * LANES + lane]);
            c[lane] = f[lane] * c[lane] + i[lane] * g[lane];
            h[lane] = o[lane] * c[lane].hyperbolic_tangent();
        }
        if real < LANES {
            for values in [&mut i, &mut f, &mut g, &mut o, &mut c, &mut h] {
                values[real..].fill(T::zero());
            }
        }
        store(gates, &i, count);
        store(&mut gates[stride..], &f, count);
        store(&mut gates[2 * stride..], &g, count);
        store(&mut gates[3 * stride..], &o, count);
        store(&mut self.before[at..], &lanes(&self.state[own..], count), count);
        store(&mut self.state[own + stride..], &c, count);
        store(&mut self.next[row * stride + from..], &h, count);
        store(&mut self.hidden[at..], &h, count);
        store(&mut self.cells[at..], &c, count);
        if step + 1 == steps {
            store(&mut self.last[own..], &h, count);
            store(&mut self.last[own + stride..], &c, count);
        }
    }
}

impl<T: Real> pulp::WithSimd for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(mut self, simd: S) {
        let Sizes { begin, end, hidden, stride, .. } = self.sizes;
        let (rows, panels) = (self.next.len() / stride, self.panels);
        let mut sums = [[T::zero(); WIDTH]; ROWS];
        for step in begin..end {
            for (block, panel) in panels.chunks_exact(hidden * WIDTH).enumerate() {
                for first in (0..rows).step_by(ROWS) {
                    let state = &*self.state;
                    let own = together(first, rows).map(|row| &state[2 * row * stride..]);
                    T::panel_products(simd, own, panel, &mut sums);
                    for (row, sums) in (first..rows).zip(&sums) {
                        let from = block * LANES;
                        if from + LANES <= hidden {
                            self.cell::<true>([row, step, from], sums);
                        } else {
                            self.cell::<false>([row, step, from], sums);
                        }
                    }
                }
            }
            for (state, next) in self.state.chunks_exact_mut(2 * stride).zip(self.next.chunks_exact(stride)) {
                state[..stride].copy_from_slice(next);
            }
        }
    }
}

pub(super) fn lstm<T: Real>(call: &mut Call<'_, T>) {
    let (sizes, packed, start) = (Sizes::of(call), call.read("packed"), call.read("start"));
    let Sizes { batch, steps, begin, hidden, stride, .. } = sizes;
    let mut panels = vec![T::zero(); hidden.div_ceil(LANES) * hidden * WIDTH];
    by_rows(&mut panels, WIDTH, |row, panel| {
        let (block, k) = (row / hidden, row % hidden);
        let units = packed[4 * (k * stride + block * LANES)..4 * (k + 1) * stride].chunks_exact(4);
        for (lane, gates) in units.take(LANES).enumerate() {
            for (gate, &weight) in gates.iter().enumerate() {
                panel[gate * LANES + lane] = weight;
            }
        }
    });
    let (share, sequence) = (sizes.share(), sizes.sequence());
    let mut of = |name: &str| &mut call.write(name)[..batch * sequence];
    let [hidden, cells, before] =
        ["hidden", "cells", "before"].map(|name| of(name).par_chunks_mut(share * sequence));
    let gates = call.write("gates")[..4 * batch * sequence].par_chunks_mut(4 * share * sequence);
    let last = call.write("last")[..2 * batch * stride].par_chunks_mut(2 * share * stride);
    let chunks = gates.zip(hidden).zip(cells.zip(before)).zip(last).enumerate();
    chunks.for_each(|(chunk, (((gates, hidden), (cells, before)), last))| {
        let rows = last.len() / (2 * stride);
        with_scratch(3 * rows * stride, |memory: &mut [T]| {
            let (state, next) = memory.split_at_mut(2 * rows * stride);
            for (row, state) in state.chunks_exact_mut(2 * stride).enumerate() {
                if begin > 0 {
                    let at = (row * steps + begin - 1) * stride;
                    state[..stride].copy_from_slice(&hidden[at..][..stride]);
                    state[stride..].copy_from_slice(&cells[at..][..stride]);
                } else if sizes.carry {
                    state.copy_from_slice(&start[2 * (chunk * share + row) * stride..][..2 * stride]);
                } else {
                    state.fill(T::zero());
                }
                for values in state.chunks_exact_mut(stride) {
                    values[sizes.hidden..].fill(T::zero());
                }
            }
            vectorised_by(Forward {
                sizes,
                panels: &panels,
                state,
                next,
                gates,
                hidden,
                cells,
                before,
                last,
            });
        });
    });
}

/// The way back through a window of steps of some sequences.
struct Backward<'a, T> {
    sizes: Sizes,
    /// `[blocks of WIDTH units, gates' units, WIDTH]`.
    panels: &'a [T],
    /// c before the first step, `[sequences, 2, STRIDE]`, behind h.
    start: Option<&'a [T]>,
    saved: &'a [T],
    cells: &'a [T],
    hidden_gradient: &'a [T],
    carried: &'a mut [T],
    gates_gradient: &'a mut [T],
}

impl<T: Real> Backward<'_, T> {
    /// One step of `LANES` units of a sequence, given what the next step gives back.
    #[inline(always)]
    fn cell<const FULL: bool>(&mut self, [row, step, from]: [usize; 3], back: &[T]) {
        let Sizes { steps, stride, .. } = self.sizes;
        let [count, real] = counts::<FULL>(self.sizes, from);
        let at = (row * steps + step) * stride + from;
        let saved = &self.saved[4 * (row * steps + step) * stride + from..];
        let (i, f) = (lanes(saved, count), lanes(&saved[stride..], count));
        let (g, o) = (lanes(&saved[2 * stride..], count), lanes(&saved[3 * stride..], count));
        let (c, upstream) = (lanes(&self.cells[at..], count), lanes(&self.hidden_gradient[at..], count));
        let c_before = match self.start {
            _ if step > 0 => lanes(&self.cells[at - stride..], count),
            Some(start) => lanes(&start[(2 * row + 1) * stride + from..], count),
            None => [T::zero(); LANES],
        };
        let own = &mut self.carried[row * stride + from..][..count];
        let mut dc = if step + 1 < steps { lanes(own, count) } else { [T::zero(); LANES] };
        let [mut di, mut df, mut dg, mut d_o] = [[T::zero(); LANES]; 4];
        let one = T::one();
        for lane in 0..LANES {
            let (i, f, g, o) = (i[lane], f[lane], g[lane], o[lane]);
            let dh = upstream[lane] + back[lane];
            let squashed = c[lane].hyperbolic_tangent();
            let change = dc[lane] + dh * o * (one - squashed * squashed);
            di[lane] = change * g * i * (one - i);
            df[lane] = change * c_before[lane] * f * (one - f);
            dg[lane] = change * i * (one - g * g);
            d_o[lane] = dh * squashed * o * (one - o);
            dc[lane] = change * f;
        }
        if real < LANES {
            for values in [&mut di, &mut df, &mut dg, &mut d_o, &mut dc] {
                values[real..].fill(T::zero());
            }
        }
        store(own, &dc, count);
        let gradient = &mut self.gates_gradient[4 * (row * steps + step) * stride + from..];
        store(gradient, &di, count);
        store(&mut gradient[stride..], &df, count);
        store(&mut gradient[2 * stride..], &dg, count);
        store(&mut gradient[3 * stride..], &d_o, count);
    }
}

impl<T: Real> pulp::WithSimd for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(mut self, simd: S) {
        let Sizes { steps, begin, end, hidden, stride, .. } = self.sizes;
        let (rows, panels) = (self.carried.len() / stride, self.panels);
        let mut sums = [[T::zero(); WIDTH]; ROWS];
        for step in (begin..end).rev() {
            for (wide, panel) in panels.chunks_exact(4 * stride * WIDTH).enumerate() {
                for first in (0..rows).step_by(ROWS) {
                    if step + 1 < steps {
                        let next = |row: usize| &self.gates_gradient[4 * (row * steps + step + 1) * stride..];
                        T::panel_products(simd, together(first, rows).map(next), panel, &mut sums);
                    }
                    for (row, sums) in (first..rows).zip(&sums) {
                        for (block, sums) in sums.chunks_exact(LANES).enumerate() {
                            let from = wide * WIDTH + block * LANES;
                            if from + LANES <= hidden {
                                self.cell::<true>([row, step, from], sums);
                            } else if from < hidden {
                                self.cell::<false>([row, step, from], sums);
                            }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn lstm_gradient<T: Real>(call: &mut Call<'_, T>) {
    let sizes = Sizes::of(call);
    let Sizes { batch, stride, hidden, .. } = sizes;
    let (weight, start) = (call.read("weight"), call.read("start"));
    let mut panels = vec![T::zero(); hidden.div_ceil(WIDTH) * 4 * stride * WIDTH];
    by_rows(&mut panels, WIDTH, |row, panel| {
        let (wide, k) = (row / (4 * stride), row % (4 * stride));
        if k % stride >= hidden {
            return;
        }
        let from = &weight[k * stride + wide * WIDTH..(k + 1) * stride];
        for (to, &weight) in panel.iter_mut().zip(from) {
            *to = weight;
        }
    });
    let (share, sequence) = (sizes.share(), sizes.sequence());
    let (saved, cells, upstream) =
        (call.read("saved"), call.read("saved_cells"), call.read("hidden_gradient"));
    let carried = call.write("carried")[..batch * stride].par_chunks_mut(share * stride);
    let gradient = call.write("gates_gradient")[..4 * batch * sequence].par_chunks_mut(4 * share * sequence);
    carried.zip(gradient).enumerate().for_each(|(chunk, (carried, gates_gradient))| {
        let first = chunk * share;
        vectorised_by(Backward {
            sizes,
            panels: &panels,
            start: sizes.carry.then(|| &start[2 * first * stride..]),
            saved: &saved[4 * first * sequence..],
            cells: &cells[first * sequence..],
            hidden_gradient: &upstream[first * sequence..],
            carried,
            gates_gradient,
        });
    });
}
