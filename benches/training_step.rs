//! The training step of 784-500-20 tanh, on the processor and on the first adapter, for `cargo bench`.
#![allow(missing_docs, clippy::unwrap_used, reason = "criterion's macros; a benchmark fails by panicking")]

mod common;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use vae::bench::{MODELS, TrainingStep};

fn training_step(criterion: &mut Criterion) {
    let model = &MODELS[0];
    for (name, device) in common::devices() {
        let mut group = criterion.benchmark_group(format!("training step/{name}"));
        for batch in [128, 1024] {
            let mut steps = TrainingStep::open(&device, model, batch).unwrap();
            assert_eq!(steps.check(model).unwrap(), None);
            steps.warm_up().unwrap();
            group.throughput(Throughput::Elements(batch as u64));
            group.bench_function(format!("{}/{batch}", model.name), |bencher| {
                bencher.iter_custom(|count| steps.run(count as usize).unwrap());
            });
        }
    }
}

criterion_group! { name = benches; config = common::brief(); targets = training_step }
criterion_main!(benches);
