//! Plans: what fusion makes of a model, and that it changes nothing that is computed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use vae::config::{Config, Preset};
use vae::cpu::CpuExecutor;
use vae::data::ImageShape;
use vae::graph::{LikelihoodKind, Setting, Tensor, Tensors, lower, lower_unfused};
use vae::plan::{self, Executor, Plan, Step};
use vae::session::plan_task;

const SETTING: Setting = Setting { train_images: 5, test_images: 5, max_steps: 2, streamed: false };
const SHAPE: ImageShape = ImageShape { width: 5, height: 3, channels: 1 };

fn plans(config: &Config) -> [Plan; 2] {
    let (task, tensors) = (config.task(SHAPE), Tensors::default());
    let built = task.model.build(&tensors, &task, Some(&config.optimizers())).unwrap();
    let fused = lower(&built.graph, &built.programs, SETTING).unwrap();
    [fused, lower_unfused(&built.graph, &built.programs, SETTING).unwrap()]
}

/// Parameters and metrics after three steps in f64.
fn trained(plan: &Plan, rows: u32) -> (Vec<f64>, Vec<f64>) {
    let mut cpu = CpuExecutor::<f64>::new(plan, 2).unwrap();
    let parameters = plan.buffer("parameters").unwrap();
    let images: Vec<u32> = (0..20).map(|i| 0x2f_71_c4_05_u32.rotate_left(3 * i) & 0xff_ffff).collect();
    cpu.write(plan.buffer("dataset.train.images").unwrap(), 0, &images).unwrap();
    cpu.write(plan.buffer("indices").unwrap(), 0, &[4, 1, 3]).unwrap();
    for (i, p) in cpu.real_mut(parameters).iter_mut().enumerate() {
        *p = 0.3 * (i as f64).sin();
    }
    let mut metrics = Vec::new();
    for t in 1..4 {
        let mut step = Step { rows, counter_low: t, ..Step::default() };
        plan.set_number(&mut step, "beta", 0.5);
        plan.set_number(&mut step, "capacity", 2.0);
        step.groups[0] = [0.01, 2.0, 3.0, 0.0];
        cpu.submit("train", &[step]).unwrap();
        metrics.extend(&cpu.real(plan.buffer("metrics").unwrap())[..plan.metrics.len()]);
    }
    (cpu.real(parameters).to_vec(), metrics)
}

fn with(base: &Config, settings: &str) -> Config {
    base.with(settings).unwrap()
}

/// A small model, in minibatches of 3.
fn small() -> Config {
    let settings = "model = { hidden = [6, 5], latent = 3 }\nrun.batch-size = 3\noptimizer.clip-norm = 1.0";
    with(&Config::default(), settings)
}

/// Two stochastic layers, under every objective that gives them gradients of their own.
fn two_layers(base: &Config, hidden: &str) -> Vec<Config> {
    let two = with(base, &format!("model = {{ hidden = {hidden}, latent = [3, 2] }}"));
    let elbo = with(&two, "objective.noise-samples = 2");
    vec![
        with(&two, "objective = { kind = 'iwae', importance-samples = 3 }"),
        with(&two, "objective = { kind = 'dreg', importance-samples = 3 }"),
        with(&elbo, "objective.free-bits = 0.1"),
        with(&elbo, "objective.kl-floor = 0.5"),
        with(&elbo, "objective.capacity = 2.0"),
        elbo,
    ]
}

#[test]
fn fusion_changes_nothing_that_is_computed() {
    let mut configs = two_layers(&small(), "[[6, 5], [4]]");
    configs.extend(
        [
            "",
            "model.activation = 'silu'\nobjective.free-bits = 0.1",
            "model.activation = 'gelu'\nmodel.dropout = 0.2\noptimizer.ema-decay = 0.9",
            "model = { likelihood = 'gaussian', hidden = [] }\nobjective.kl-floor = 0.2",
            "model.likelihood = 'gaussian-shared'\nobjective.noise-samples = 2",
            "objective = { kind = 'dreg', importance-samples = 3 }",
            "model.likelihood = 'discretized-logistic'\nobjective.noise-samples = 2",
            "model.likelihood = 'continuous-bernoulli'",
            "model = { likelihood = 'gaussian-learned', activation = 'identity' }",
        ]
        .map(|settings| with(&small(), settings)),
    );
    for config in configs {
        let [fused, unfused] = plans(&config);
        let steps = |plan: &Plan| plan.program("train").unwrap().dispatches.len();
        assert!(steps(&fused) < steps(&unfused), "{config:?}");
        let (parameters, metrics) = trained(&fused, 3);
        let (expected_parameters, expected_metrics) = trained(&unfused, 3);
        // Padding and gaps between parameters lie at other places in no plan: the two can be compared as they are.
        for (i, (a, b)) in parameters.iter().zip(&expected_parameters).enumerate() {
            assert!((a - b).abs() < 1e-12, "{config:?}: parameter {i}: {a} should be {b}");
        }
        for (a, b) in metrics.iter().zip(&expected_metrics) {
            assert!((a - b).abs() <= 1e-9 * b.abs(), "{config:?}: {a} should be {b}");
        }
    }
}

/// Two images of three: what is stale in shared memory must not be taken for a third image's.
#[test]
fn sharing_memory_changes_no_bit() {
    let mut configs = two_layers(&small(), "[[6, 5], [4]]");
    configs.extend(
        [
            "",
            "model.hidden = []\nobjective.free-bits = 0.1",
            "model.likelihood = 'gaussian-shared'\nobjective.noise-samples = 2",
            "objective = { kind = 'dreg', importance-samples = 3 }",
            "model.likelihood = 'gaussian-learned'",
        ]
        .map(|settings| with(&small(), settings)),
    );
    for config in configs {
        for plan in plans(&config) {
            let shared = plan.clone().with_shared_memory();
            assert!(shared.memory_bytes() < plan.memory_bytes(), "{config:?}");
            assert!(shared.blocks().len() < plan.blocks().len(), "{config:?}");
            for rows in [3, 2] {
                let bits = |(parameters, metrics): (Vec<f64>, Vec<f64>)| -> Vec<u64> {
                    parameters.iter().chain(&metrics).map(|value| value.to_bits()).collect()
                };
                assert!(bits(trained(&shared, rows)) == bits(trained(&plan, rows)), "{config:?}");
            }
        }
    }
}

/// Without gradients other values share memory: wide layers with loss terms that do not fill whole vec4.
#[test]
fn sharing_memory_changes_no_bit_of_an_evaluation() {
    let base = with(&Config::default(), "model = { hidden = [60], latent = 3 }\nrun.batch-size = 3");
    let mut configs = two_layers(&base, "[[60], [4]]");
    configs.extend(LikelihoodKind::ALL.map(|kind| with(&base, &format!("model.likelihood = '{kind}'"))));
    for config in configs {
        let task = config.task(SHAPE).for_evaluation();
        let shared = plan_task(&task, &Tensors::default(), None, SETTING).unwrap();
        let mut apart = shared.clone();
        apart.memory.clear();
        assert!(shared.memory_bytes() < apart.memory_bytes(), "{config:?}");
        let [a, b] = [&shared, &apart].map(|plan| {
            let mut cpu = CpuExecutor::<f64>::new(plan, 2).unwrap();
            let images: Vec<u32> =
                (0..20).map(|i| 0x2f_71_c4_05_u32.rotate_left(3 * i) & 0xff_ffff).collect();
            cpu.write(plan.buffer("dataset.test.images").unwrap(), 0, &images).unwrap();
            cpu.write(plan.buffer("indices").unwrap(), 0, &[4, 1, 3]).unwrap();
            let parameters = cpu.real_mut(plan.buffer("parameters").unwrap());
            parameters.iter_mut().enumerate().for_each(|(i, p)| *p = 0.3 * (i as f64).sin());
            let mut all = Vec::new();
            for rows in [3, 2] {
                let mut step = Step { rows, ..Step::default() };
                plan.set_number(&mut step, "beta", 1.0);
                // Twice: what the first pass has left behind is there in the second.
                for _ in 0..2 {
                    cpu.submit("evaluate", &[step]).unwrap();
                    let metrics = &cpu.real(plan.buffer("metrics").unwrap())[..plan.metrics.len()];
                    all.extend(metrics.iter().map(|value| value.to_bits()));
                }
            }
            all
        });
        assert_eq!(a, b, "{config:?}");
    }
}

#[test]
fn a_training_step_of_one_hidden_layer_takes_seventeen_dispatches() {
    let config = with(&Config::default(), "model.latent = 20");
    let shape = ImageShape { width: 28, height: 28, channels: 1 };
    let plan =
        plan_task(&config.task(shape), &Tensors::default(), Some(&config.optimizers()), SETTING).unwrap();
    let train = plan.program("train").unwrap();
    let kernels: Vec<&str> = train.dispatches.iter().map(|&i| plan.dispatches[i].kernel.as_ref()).collect();
    assert_eq!(kernels.len(), 17, "{kernels:?}");
    for gone in
        ["activate", "activate_gradient", "column_sum", "gaussian_kl", "bernoulli_gradient", "sum_metric"]
    {
        assert!(!kernels.contains(&gone), "{gone} was not fused: {kernels:?}");
    }
}

/// Each activation of these models follows a normalisation, and becomes a part of it.
#[test]
fn no_activation_is_left_beside_a_normalisation() {
    for (norm, activation) in [("batch", "silu"), ("group", "relu"), ("group", "silu")] {
        let preset = Preset::find("residual").unwrap().unwrap();
        let preset = Config::from_table(&preset.over(toml::Table::new())).unwrap();
        let settings =
            format!("model.norm = '{norm}'\nmodel.norm-groups = 4\nmodel.activation = '{activation}'");
        let shape = ImageShape { width: 32, height: 32, channels: 3 };
        let config = with(&preset, &settings).for_images(shape).unwrap();
        let optimizers = config.optimizers();
        let plan = plan_task(&config.task(shape), &Tensors::default(), Some(&optimizers), SETTING).unwrap();
        let train = plan.program("train").unwrap();
        let kernels: Vec<&str> =
            train.dispatches.iter().map(|&i| plan.dispatches[i].kernel.as_ref()).collect();
        assert!(kernels.contains(&format!("{norm}_norm").as_str()), "{kernels:?}");
        assert!(!kernels.iter().any(|kernel| kernel.starts_with("activate")), "{kernels:?}");
    }
}

#[test]
fn training_drops_units_of_hidden_layers_and_nothing_else_does() {
    let dropped = |config: &Config, program: &str| {
        let [plan, _] = plans(config);
        let dispatches =
            plan.program(program).unwrap().dispatches.iter().map(|&number| &plan.dispatches[number]);
        dispatches.filter(|dispatch| dispatch.kernel == "drop_values").count()
    };
    let mlp = with(&small(), "model.dropout = 0.2");
    let conv = with(
        &Config::default(),
        "model = { family = 'conv', latent = 2, dense = [5, 4], dropout = 0.2, levels = [{ channels = 3, kernel = 3 }] }",
    );
    for config in [mlp, conv] {
        // Two layers up and two layers down, each forward and back.
        assert_eq!(dropped(&config, "train"), 8);
        for program in ["evaluate", "encode", "decode"] {
            assert_eq!(dropped(&config, program), 0, "{program}");
        }
    }
    assert_eq!(dropped(&small(), "train"), 0);
}

#[test]
fn every_likelihood_is_fused_with_its_gradient() {
    for likelihood in LikelihoodKind::ALL {
        let [plan, _] = plans(&with(&small(), &format!("model.likelihood = '{likelihood}'")));
        let train = plan.program("train").unwrap();
        let kernels: Vec<&str> =
            train.dispatches.iter().map(|&i| plan.dispatches[i].kernel.as_ref()).collect();
        let name = likelihood.to_string().replace('-', "_");
        assert!(kernels.contains(&format!("{name}_with_gradient").as_str()), "{likelihood}: {kernels:?}");
        assert!(!kernels.contains(&name.as_str()), "{likelihood}: {kernels:?}");
    }
}

#[test]
fn no_buffer_is_read_and_written_in_one_dispatch() {
    for plan in plans(&small()) {
        let plan = plan.with_shared_memory();
        for dispatch in &plan.dispatches {
            for (i, a) in dispatch.bindings.iter().enumerate() {
                for b in &dispatch.bindings[i + 1..] {
                    let apart = plan.block(a.buffer) != plan.block(b.buffer);
                    let both_read = a.access == plan::Access::Read && b.access == plan::Access::Read;
                    assert!(apart || both_read, "{}", dispatch.label);
                }
            }
            assert!(dispatch.bindings.iter().all(|binding| binding.offset % 64 == 0), "{}", dispatch.label);
        }
    }
}

/// What another runtime needs stands in the file: programs with their ports, and where each kernel's WGSL is.
#[test]
fn plans_are_written_as_json_and_read_back() {
    let [plan, _] = plans(&small());
    let text = serde_json::to_string(&plan).unwrap();
    let read: Plan = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
    read.validate().unwrap();
    assert_eq!(trained(&read, 3), trained(&plan, 3));
    let decode = read.program("decode").unwrap();
    let ([given], [wanted]) = (&decode.given[..], &decode.wanted[..]) else { panic!("{decode:?}") };
    assert_eq!((given.name.as_str(), given.shape, given.strides), ("latent", [3, 1, 3], [4, 4]));
    assert_eq!((wanted.name.as_str(), wanted.shape), ("picture", [3, 1, 15]));
    let product = &read.kernels["matmul_nt"];
    assert_eq!((product.file.as_ref(), product.entry.as_str()), ("matmul.wgsl", "matmul_nt"));
    assert!(product.imports.iter().any(|name| name == "step"), "{product:?}");
    assert!(read.dispatches.iter().all(|dispatch| read.kernels.contains_key(&dispatch.kernel)));
}

/// A file may hold anything: what no device could run is refused, and nothing panics.
#[test]
fn plans_that_cannot_be_run_are_refused() {
    let [plan, _] = plans(&small());
    let broken = |change: &dyn Fn(&mut Plan)| {
        let mut plan = plan.clone();
        change(&mut plan);
        CpuExecutor::<f64>::new(&plan, 2).unwrap_err().to_string()
    };
    for (problem, expected) in [
        (broken(&|plan| plan.dispatches[0].kernel = "no_such_kernel".into()), "there is no such kernel"),
        (broken(&|plan| plan.dispatches[0].bindings[0].length = usize::MAX), "elements from"),
        (broken(&|plan| plan.dispatches[0].bindings[0].buffer.0 = 999), "no buffer"),
        (broken(&|plan| plan.programs[0].dispatches.push(999)), "does not exist"),
        (broken(&|plan| drop(plan.dispatches[0].constants.pop_first())), "no value for the constant"),
    ] {
        assert!(problem.contains(expected), "{problem}");
    }
}

/// Slicing must not lose an input: with all that a program is not given set to NaN, it computes what it did.
#[test]
fn programs_read_only_what_they_are_given() {
    let base = with(&small(), "model.latent = 3\noptimizer.clip-norm = 1.0");
    let mut configs = two_layers(&base, "[[6], [4]]");
    configs.extend([
        base.clone(),
        with(&base, "model = { latent = [3, 2, 2], hidden = [[6], [4], []] }"),
        with(&base, "objective = { kind = 'dreg', importance-samples = 3 }"),
        with(&base, "model.likelihood = 'gaussian-shared'\nobjective.free-bits = 0.1"),
    ]);
    for config in configs {
        // Gradients of padding are 0 from the start, and nothing writes them.
        let (task, tensors) = (config.task(SHAPE), Tensors::default());
        task.model.build(&tensors, &task, None).unwrap();
        let written: BTreeSet<usize> = tensors.all().iter().flat_map(Tensor::positions).collect();
        for plan in plans(&config) {
            for program in &plan.programs {
                let run = |stale: f64| {
                    let mut cpu = CpuExecutor::<f64>::new(&plan, 2).unwrap();
                    for (index, buffer) in plan.buffers.iter().enumerate() {
                        let id = plan::BufferId(index);
                        let given = program.given.iter().any(|port| port.buffer == id);
                        let value = |i: usize| match buffer.role {
                            plan::Role::Activation if !given => stale,
                            plan::Role::Gradient if written.contains(&i) => stale,
                            plan::Role::Gradient => 0.0,
                            _ => 0.2 + 0.1 * (i as f64).sin(),
                        };
                        cpu.real_mut(id).iter_mut().enumerate().for_each(|(i, it)| *it = value(i));
                    }
                    for name in ["dataset.train.images", "dataset.test.images"] {
                        cpu.write(plan.buffer(name).unwrap(), 0, &[0x2f_71_c4_05; 12]).unwrap();
                    }
                    cpu.write(plan.buffer("indices").unwrap(), 0, &[2, 1, 0]).unwrap();
                    let mut step = Step { rows: 3, ..Step::default() };
                    plan.set_number(&mut step, "beta", 0.5);
                    plan.set_number(&mut step, "capacity", 2.0);
                    step.groups[0] = [0.01, 2.0, 3.0, 0.0];
                    cpu.submit(&program.name, &[step]).unwrap();
                    let wanted = program.wanted.iter().map(|port| port.buffer);
                    let flat = ["metrics", "parameters"].map(|name| plan.buffer(name).unwrap());
                    let all = wanted.chain(flat).flat_map(|id| cpu.real(id).to_vec());
                    all.map(f64::to_bits).collect::<Vec<u64>>()
                };
                let found = run(f64::NAN);
                assert!(
                    found.iter().all(|bits| f64::from_bits(*bits).is_finite()),
                    "{} {config:?}",
                    program.name
                );
                assert!(found == run(0.0), "{} {config:?}", program.name);
            }
        }
    }
}
