//! Twins of `shaders/mixture.wgsl`. Sixteen dimensions are computed side by side, as vector units do.

use super::Real;
use super::call::{Call, by_costly_rows, put};
use super::random::{normals, open_uniform, words};
use super::real::vectorised_by;

/// Dimensions that are computed side by side.
const LANES: usize = 16;
/// Rows that a thread computes at once, with one scratch memory.
const ROWS: usize = 8;
/// Quotients of sums whose product has a logarithm that is taken once: each is at most the number of components.
const TOGETHER: usize = 4;
const HALF_LOG_TAU: f64 = 0.918_938_533_204_672_7;

type Lanes<T> = [T; LANES];

/// Sizes of the rows.
#[derive(Clone, Copy)]
struct Sizes {
    width: usize,
    components: usize,
    /// Elements of a row of parameters and of targets, with padding.
    strides: [usize; 2],
}

impl Sizes {
    fn of<T: Real>(call: &Call<'_, T>) -> Self {
        Self {
            width: call.count("WIDTH"),
            components: call.count("COMPONENTS"),
            strides: ["PARAMETERS", "STRIDE"].map(|name| call.count(name)),
        }
    }
}

/// What [`sums`] finds of each lane.
struct Sums<T> {
    weight: Lanes<T>,
    weights: Lanes<T>,
    term: Lanes<T>,
    terms: Lanes<T>,
}

/// Some dimensions of a row: their parameters, number j of lane i at `[j][i]`, and four more numbers a component, which
/// [`sums`] leaves there.
struct Block<T> {
    parameters: Vec<Lanes<T>>,
    exponential_weight: Vec<Lanes<T>>,
    exponential_term: Vec<Lanes<T>>,
    scale: Vec<Lanes<T>>,
    distance: Vec<Lanes<T>>,
}

impl<T: Real> Block<T> {
    fn new(components: usize) -> Self {
        let room = |count| vec![[T::zero(); LANES]; count];
        Self {
            parameters: room(3 * components),
            exponential_weight: room(components),
            exponential_term: room(components),
            scale: room(components),
            distance: room(components),
        }
    }

    /// Take in the parameters of up to sixteen dimensions; the other lanes keep what they have.
    #[inline(always)]
    fn load(&mut self, parameters: &[T]) {
        let own = self.parameters.len();
        for (lane, dimension) in parameters.chunks_exact(own).enumerate().take(LANES) {
            for (to, &from) in self.parameters.iter_mut().zip(dimension) {
                to[lane] = from;
            }
        }
    }

    #[inline(always)]
    fn sums(&mut self, goals: &Lanes<T>) -> Sums<T> {
        let components = self.scale.len();
        let (weights_in, rest) = self.parameters.split_at(components);
        let (means, deviations) = rest.split_at(components);
        let lowest = [T::of(f64::from(f32::MIN)); LANES];
        let (mut weight, mut term) = (lowest, lowest);
        let half = T::of(0.5);
        for (k, own) in weights_in.iter().enumerate() {
            let (mean, deviation) = (&means[k], &deviations[k]);
            let (scale, distance, kept) =
                (&mut self.scale[k], &mut self.distance[k], &mut self.exponential_term[k]);
            for i in 0..LANES {
                let s = (-deviation[i]).exponential();
                let e = (goals[i] - mean[i]) * s;
                let value = own[i] - half * e * e - deviation[i];
                (scale[i], distance[i], kept[i]) = (s, e, value);
                weight[i] = if own[i] > weight[i] { own[i] } else { weight[i] };
                term[i] = if value > term[i] { value } else { term[i] };
            }
        }
        let (mut weights, mut terms) = ([T::zero(); LANES], [T::zero(); LANES]);
        for (k, own) in weights_in.iter().enumerate() {
            let (of_weight, of_term) = (&mut self.exponential_weight[k], &mut self.exponential_term[k]);
            for i in 0..LANES {
                let w = (own[i] - weight[i]).exponential();
                let t = (of_term[i] - term[i]).exponential();
                (of_weight[i], of_term[i]) = (w, t);
                weights[i] += w;
                terms[i] += t;
            }
        }
        Sums { weight, weights, term, terms }
    }
}

/// The targets of up to sixteen dimensions; 0 in the other lanes.
#[inline(always)]
fn goals<T: Real>(targets: &[T]) -> Lanes<T> {
    let mut goals = [T::zero(); LANES];
    goals.iter_mut().zip(targets).for_each(|(to, &from)| *to = from);
    goals
}

/// The negative log-likelihood of some rows.
struct Nats<'a, T> {
    sizes: Sizes,
    parameters: &'a [T],
    targets: &'a [T],
}

impl<T: Real> pulp::WithSimd for Nats<'_, T> {
    type Output = T;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> T {
        let Sizes { width, components, strides } = self.sizes;
        let mut block = Block::new(components);
        let rows = self.parameters.chunks_exact(strides[0]).zip(self.targets.chunks_exact(strides[1]));
        let (mut total, mut logarithms) = (T::zero(), T::zero());
        let (mut sums, mut product, mut factors) = ([T::zero(); LANES], [T::one(); LANES], 0);
        for (parameters, targets) in rows {
            for first in (0..width).step_by(LANES) {
                let lanes = LANES.min(width - first);
                block.load(&parameters[3 * components * first..3 * components * (first + lanes)]);
                let found = block.sums(&goals(&targets[first..first + lanes]));
                for i in 0..LANES {
                    let inside = i < lanes;
                    let quotient = found.weights[i] / found.terms[i];
                    sums[i] += if inside { found.weight[i] - found.term[i] } else { T::zero() };
                    product[i] *= if inside { quotient } else { T::one() };
                }
                factors += 1;
                if factors == TOGETHER {
                    logarithms += product.iter().map(|value| value.ln()).sum::<T>();
                    (product, factors) = ([T::one(); LANES], 0);
                }
            }
            // Sums over a row are short; those over rows have few roundings.
            total += std::mem::replace(&mut sums, [T::zero(); LANES]).into_iter().sum::<T>()
                + T::of(HALF_LOG_TAU * width as f64);
        }
        total + logarithms + product.iter().map(|value| value.ln()).sum::<T>()
    }
}

pub(super) fn mixture_negative_log_likelihood<T: Real>(call: &mut Call<'_, T>) {
    let (batch, steps, rows) = (call.count("BATCH"), call.count("STEPS"), call.rows());
    let (sizes, parameters, targets) = (Sizes::of(call), call.read("parameters"), call.read("target_rows"));
    let cost = 8 * steps * sizes.strides[0];
    by_costly_rows(&mut call.write("nats")[..batch], 1, cost, |item, nats| {
        nats[0] = T::zero();
        if item < rows {
            let [parameters, targets] = [(parameters, sizes.strides[0]), (targets, sizes.strides[1])]
                .map(|(values, stride)| &values[item * steps * stride..(item + 1) * steps * stride]);
            nats[0] = vectorised_by(Nats { sizes, parameters, targets });
        }
    });
}

/// The gradient of some rows.
struct Gradient<'a, T> {
    sizes: Sizes,
    parameters: &'a [T],
    targets: &'a [T],
    /// Upstream gradient of each row; 0 past the minibatch.
    upstream: &'a [Option<T>],
    gradient: &'a mut [T],
    accumulate: bool,
}

impl<T: Real> pulp::WithSimd for Gradient<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Sizes { width, components, strides } = self.sizes;
        let mut block = Block::new(components);
        let mut own = vec![[T::zero(); LANES]; 3 * components];
        let rows = self.parameters.chunks_exact(strides[0]).zip(self.targets.chunks_exact(strides[1]));
        let outputs = self.gradient.chunks_exact_mut(strides[0]).zip(self.upstream);
        for ((parameters, targets), (gradient, upstream)) in rows.zip(outputs) {
            let (inside, padding) = gradient.split_at_mut(3 * components * width);
            padding.iter_mut().for_each(|value| put(value, T::zero(), self.accumulate));
            let Some(upstream) = *upstream else {
                inside.iter_mut().for_each(|value| put(value, T::zero(), self.accumulate));
                continue;
            };
            for first in (0..width).step_by(LANES) {
                let lanes = LANES.min(width - first);
                let range = 3 * components * first..3 * components * (first + lanes);
                block.load(&parameters[range.clone()]);
                let found = block.sums(&goals(&targets[first..first + lanes]));
                let (mut of_weights, mut of_terms) = ([T::zero(); LANES], [T::zero(); LANES]);
                for i in 0..LANES {
                    (of_weights[i], of_terms[i]) = (upstream / found.weights[i], upstream / found.terms[i]);
                }
                for k in 0..components {
                    let (weight, term) = (&block.exponential_weight[k], &block.exponential_term[k]);
                    let (scale, distance) = (&block.scale[k], &block.distance[k]);
                    for i in 0..LANES {
                        let (share, e) = (term[i] * of_terms[i], distance[i]);
                        own[k][i] = weight[i] * of_weights[i] - share;
                        own[components + k][i] = -share * e * scale[i];
                        own[2 * components + k][i] = share * (T::one() - e * e);
                    }
                }
                for (lane, dimension) in inside[range].chunks_exact_mut(3 * components).enumerate() {
                    for (to, from) in dimension.iter_mut().zip(&own) {
                        put(to, from[lane], self.accumulate);
                    }
                }
            }
        }
    }
}

pub(super) fn mixture_negative_log_likelihood_gradient<T: Real>(call: &mut Call<'_, T>) {
    let (batch, steps, rows) = (call.count("BATCH"), call.count("STEPS"), call.rows());
    let (sizes, parameters, targets) = (Sizes::of(call), call.read("parameters"), call.read("target_rows"));
    let (upstream, accumulate) = (call.read("upstream"), call.flag("ACCUMULATE"));
    let [stride, target_stride] = sizes.strides;
    let gradient = &mut call.write("parameters_gradient")[..batch * steps * stride];
    by_costly_rows(gradient, ROWS * stride, 8 * ROWS * stride, |group, gradient| {
        let first = group * ROWS;
        let count = gradient.len() / stride;
        let upstream: Vec<Option<T>> =
            (first..first + count).map(|row| (row / steps < rows).then(|| upstream[row / steps])).collect();
        vectorised_by(Gradient {
            sizes,
            parameters: &parameters[first * stride..(first + count) * stride],
            targets: &targets[first * target_stride..(first + count) * target_stride],
            upstream: &upstream,
            gradient,
            accumulate,
        });
    });
}

pub(super) fn mixture_draw<T: Real>(call: &mut Call<'_, T>) {
    let (rows, stream) = (call.count("ROWS"), call.count("STREAM") as u32);
    let Sizes { width, components, strides: [parameter_stride, stride] } = Sizes::of(call);
    let (parameters, temperature, step) = (call.read("parameters"), call.step_number("NUMBER"), call.step);
    by_costly_rows(&mut call.write("draws")[..rows * stride], stride, 8 * parameter_stride, |row, draws| {
        let (draws, padding) = draws.split_at_mut(width);
        padding.fill(T::zero());
        let dimensions = parameters[row * parameter_stride..].chunks_exact(3 * components);
        for (d, (draw, parameters)) in draws.iter_mut().zip(dimensions).enumerate() {
            let (weights, rest) = parameters.split_at(components);
            let largest = weights.iter().copied().fold(T::neg_infinity(), T::max);
            let weight = |&weight: &T| ((weight - largest) / temperature).exponential();
            let sum: T = weights.iter().map(weight).sum();
            let words = words(step, row * width + d, stream);
            let wanted = open_uniform::<T>(words[0]) * sum;
            let (mut chosen, mut reached) = (0, T::zero());
            for (k, own) in weights[..components - 1].iter().enumerate() {
                reached += weight(own);
                if reached < wanted {
                    chosen = k + 1;
                }
            }
            let [_, noise, ..] = normals::<T>(words);
            *draw = rest[chosen] + rest[components + chosen].exponential() * temperature.sqrt() * noise;
        }
    });
}
