//! What the processor can do at most: multiply-adds that stay in registers, and bytes copied and read. No kernel runs.

use pulp::{Simd, WithSimd};
use std::hint::black_box;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Rounds, the fastest of which counts: other programs disturb some of them.
const ROUNDS: usize = 40;
/// Seconds of a round.
const ROUND: f64 = 5e-4;

static ARCH: LazyLock<pulp::Arch> = LazyLock::new(pulp::Arch::new);

/// Single-precision operations a second on all threads, a multiply-add counted as two, in billions.
pub(crate) fn multiply_adds() -> f64 {
    // Latency times width of the multiply-add units is 8 vectors or more. Twelve chains and their two constants fit 16
    // registers; processors that need more chains have 32.
    chains::<12>().max(chains::<24>())
}

/// N independent chains x <- x * factor + offset.
struct Chains<const N: usize> {
    links: usize,
    factor: f32,
    offset: f32,
}

/// The sum of the ends of the chains, and the operations that it took.
impl<const N: usize> WithSimd for Chains<N> {
    type Output = (f32, usize);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let (factor, offset) = (simd.splat_f32s(self.factor), simd.splat_f32s(self.offset));
        let mut chains = [simd.splat_f32s(1.0); N];
        // No closures: they would be compiled for any processor of this family.
        for _ in 0..self.links {
            for x in &mut chains {
                *x = simd.mul_add_e_f32s(*x, factor, offset);
            }
        }
        let mut sum = 0.0;
        for x in chains {
            sum += simd.reduce_sum_f32s(x);
        }
        (sum, 2 * N * self.links * S::F32_LANES)
    }
}

fn chains<const N: usize>() -> f64 {
    fastest(
        1 << 14,
        || (),
        |(), links| {
            // At most a half: chains stay bounded.
            let (sum, operations) =
                ARCH.dispatch(Chains::<N> { links, factor: black_box(0.5), offset: black_box(1.0) });
            black_box(sum);
            operations
        },
    )
}

/// Billions of bytes a second that all threads together read and write when they copy buffers of `bytes` in all, half of
/// them sources.
pub(crate) fn copied(bytes: usize) -> f64 {
    let half = (bytes / threads() / 8).max(1);
    let buffers = || (vec![1.0_f32; half], vec![2.0_f32; half]);
    fastest(1, buffers, |(from, to), times| {
        for _ in 0..times {
            black_box(&mut *to).copy_from_slice(black_box(from));
        }
        8 * half * times
    })
}

/// Billions of bytes a second that all threads together read when they add up buffers of `bytes` in all.
pub(crate) fn read(bytes: usize) -> f64 {
    let length = (bytes / threads() / 4).max(1);
    let buffer = || vec![1.0_f32; length];
    fastest(1, buffer, |buffer, times| {
        for _ in 0..times {
            black_box(ARCH.dispatch(Sum(black_box(buffer))));
        }
        4 * length * times
    })
}

/// The sum of numbers, without the few that fill no block of vectors.
struct Sum<'a>(&'a [f32]);

impl WithSimd for Sum<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let mut sums = [simd.splat_f32s(0.0); 8];
        let (blocks, _) = S::as_simd_f32s(self.0).0.as_chunks::<8>();
        for block in blocks {
            for i in 0..8 {
                sums[i] = simd.add_f32s(sums[i], block[i]);
            }
        }
        let mut sum = 0.0;
        for part in sums {
            sum += simd.reduce_sum_f32s(part);
        }
        sum
    }
}

fn threads() -> usize {
    rayon::current_num_threads()
}

/// Billions a second of the amounts that `work` returns, all threads together, in the fastest of [`ROUNDS`] rounds. `work` is
/// given what `prepare` made for its thread, and a number of times that makes a round long enough; `first` is tried first.
fn fastest<T>(
    first: usize,
    prepare: impl Fn() -> T + Sync,
    work: impl Fn(&mut T, usize) -> usize + Sync,
) -> f64 {
    let (arrived, longest) = (AtomicUsize::new(0), AtomicUsize::new(first));
    // All threads go on together. They do not sleep, since to be woken takes a part of a round.
    let gather = |number: usize| {
        arrived.fetch_add(1, Ordering::AcqRel);
        while arrived.load(Ordering::Acquire) < threads() * (number + 1) {
            std::thread::yield_now();
        }
    };
    // New threads: those of the pool may be busy, and the others would wait for them.
    let thread = || {
        let (mut own, mut times) = (prepare(), first);
        loop {
            let start = Instant::now();
            work(&mut own, times);
            if start.elapsed().as_secs_f64() >= ROUND / 2.0 {
                break;
            }
            times *= 2;
        }
        longest.fetch_max(times, Ordering::AcqRel);
        gather(0);
        let times = longest.load(Ordering::Acquire);
        let rounds = (0..ROUNDS).map(|round| {
            gather(round + 1);
            let start = Instant::now();
            (work(&mut own, times), start, Instant::now())
        });
        rounds.collect::<Vec<_>>()
    };
    let done: Vec<Vec<_>> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads()).map(|_| scope.spawn(thread)).collect();
        running.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let rate = |round: usize| {
        let of_round = || done.iter().map(|rounds| &rounds[round]);
        let amount: usize = of_round().map(|(amount, ..)| amount).sum();
        let start = of_round().map(|(_, start, _)| start).min();
        let seconds =
            of_round().map(|(.., end)| end).max().zip(start).map(|(end, start)| end.duration_since(*start));
        seconds.map_or(0.0, |seconds| amount as f64 / seconds.as_secs_f64())
    };
    (0..ROUNDS).map(rate).fold(0.0, f64::max) * 1e-9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceilings_are_positive_and_finite() {
        for rate in [multiply_adds(), copied(1 << 16), read(1 << 16)] {
            assert!(rate > 0.0 && rate.is_finite(), "{rate}");
        }
    }

    #[test]
    fn chains_and_sums_are_right() {
        let (sum, operations) = ARCH.dispatch(Chains::<12> { links: 100, factor: 0.5, offset: 1.0 });
        // Each component of each chain ends at 2.
        assert!(operations > 0 && (sum - operations as f32 / 100.0).abs() < 1e-3, "{sum} {operations}");
        assert_eq!(ARCH.dispatch(Sum(&[1.0; 1024])), 1024.0);
    }
}
