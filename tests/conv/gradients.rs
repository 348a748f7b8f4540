//! Gradients of whole convolutional models by finite differences, in double precision.

use super::config;
use vae::cpu::CpuExecutor;
use vae::data::ImageShape;
use vae::graph::{ProgramSpec, Setting, Source, Tensors, lower};
use vae::model::Initialisation;
use vae::plan::{Executor, Step};

const SHAPE: ImageShape = ImageShape { width: 7, height: 6, channels: 3 };
const BATCH: usize = 4;

/// The gradient of the loss by some parameters of every tensor.
pub(super) fn check(settings: &str, shape: ImageShape) {
    let config = config(&format!("run.batch-size = {BATCH}\noptimizer.kind = 'sgd'\n{settings}"), shape);
    let (task, tensors) = (config.task(shape), Tensors::default());
    let built = task.model.build(&tensors, &task, Some(&config.optimizers())).unwrap();
    let group = tensors.groups()[0].0;
    let gradients = built.graph.gradients_of(group);
    let metrics: Vec<_> = built.graph.reported(vae::graph::Mode::Train).collect();
    let wanted = [gradients, metrics].concat();
    let program = ProgramSpec::new("loss", &[], &wanted).from_source(Source::Train);
    let setting = Setting { train_images: BATCH, test_images: 1, max_steps: 1, streamed: false };
    let plan = lower(&built.graph, &[program], setting).unwrap();
    let mut cpu = CpuExecutor::<f64>::new(&plan, 1).unwrap();
    let words: Vec<u32> =
        (0..BATCH * shape.pixels().div_ceil(4)).map(|i| (i as u32).wrapping_mul(0x9e37_79b9)).collect();
    cpu.write(plan.buffer("dataset.train.images").unwrap(), 0, &words).unwrap();
    cpu.write(plan.buffer("indices").unwrap(), 0, &(0..BATCH as u32).collect::<Vec<_>>()).unwrap();
    let parameters = plan.buffer("parameters").unwrap();
    let start: Vec<f64> = Initialisation::Glorot.values(&tensors, 5).into_iter().map(f64::from).collect();
    cpu.real_mut(parameters).copy_from_slice(&start);
    // One image fewer than there is room for.
    let mut step = Step { rows: BATCH as u32 - 1, ..Step::seeded(3, 0) };
    plan.set_number(&mut step, "beta", 0.5);
    let column = |name| plan.metric(name).unwrap();
    let (reconstruction, kl) = (column("reconstruction"), column("kl"));
    let loss = |cpu: &mut CpuExecutor<f64>| {
        cpu.submit("loss", &[step]).unwrap();
        let row = cpu.real(plan.buffer("metrics").unwrap());
        row[reconstruction] + 0.5 * row[kl]
    };
    loss(&mut cpu);
    let gradient = cpu.real(plan.buffer("gradients").unwrap()).to_vec();
    let distance = 1e-4;
    let mut checked = 0;
    for tensor in tensors.all() {
        let positions: Vec<usize> = tensor.positions().collect();
        for &at in positions.iter().step_by((positions.len() / 3).max(1)) {
            let mut moved = |by: f64| {
                cpu.real_mut(parameters)[at] = start[at] + by;
                let value = loss(&mut cpu);
                cpu.real_mut(parameters)[at] = start[at];
                value
            };
            let near = moved(distance) - moved(-distance);
            let far = moved(2.0 * distance) - moved(-2.0 * distance);
            let expected = (8.0 * near - far) / (12.0 * distance);
            let found = gradient[at];
            let limit = 1e-6 + 1e-6 * expected.abs();
            assert!(
                (found - expected).abs() < limit,
                "{settings}: {} [{at}]: {found}, not {expected}",
                tensor.name
            );
            checked += 1;
        }
    }
    assert!(checked > 30, "{checked}");
}

#[test]
fn gradients_of_whole_models_are_right() {
    for settings in [
        "model = { latent = 2, dense = [5], activation = 'elu', levels = [{ channels = 3, kernel = 4, stride = 2 }, { channels = 5, kernel = 3, stride = 2 }] }",
        "model = { latent = 2, dense = [], activation = 'silu', norm = 'batch', block-kernel = 3, block-expansion = 2, \
         levels = [{ channels = 3, kernel = 3, stride = 2, blocks = 1 }], likelihood = 'gaussian-learned', mean-activation = 'sigmoid' }",
        "model = { latent = 2, dense = [5], activation = 'tanh', norm = 'group', norm-groups = 2, upsampling = 'nearest', output-kernel = 3, \
         levels = [{ channels = 4, kernel = 3, stride = 2 }] }",
    ] {
        check(settings, SHAPE);
    }
}
