//! A few main kernels, on the processor and on the first adapter, for `cargo bench`: to see a change, where
//! `vae bench` gives the whole picture.
#![allow(missing_docs, clippy::unwrap_used, reason = "criterion's macros; a benchmark fails by panicking")]

mod common;

use criterion::{Criterion, criterion_group, criterion_main};
use vae::bench::Runner;

/// Of the training step of 784-500-20 tanh at batch 128.
const KERNELS: [&str; 6] = ["matmul_nt", "matmul_nn", "matmul_tn", "bernoulli_gradient", "gather", "adam"];

fn kernels(criterion: &mut Criterion) {
    for (name, device) in common::devices() {
        let mut group = criterion.benchmark_group(format!("kernels/{name}"));
        for kernel in KERNELS {
            let mut runner = Runner::for_kernel(&device, kernel).unwrap();
            group.bench_function(kernel, |bencher| bencher.iter_custom(|count| runner.run(count).unwrap()));
        }
    }
}

criterion_group! { name = benches; config = common::brief(); targets = kernels }
criterion_main!(benches);
