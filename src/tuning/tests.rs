use super::*;
use crate::config::Config;
use crate::data::ImageShape;
use crate::device::DeviceChoice;
use crate::gpu::AdapterKind;
use crate::gpu::test_adapter as info;
use crate::graph::{Setting, Tensors};
use crate::session::plan_task;

fn product(m: usize, n: usize, k: usize) -> Product {
    Product { kernel: "matmul_nt", m, n, k, parts: 1, window: None }
}

fn plan() -> Plan {
    let settings = "model = { hidden = [37], latent = 3 }\nrun.batch-size = 9";
    let config = Config::default().with(settings).unwrap().resolve().unwrap();
    let shape = ImageShape { width: 5, height: 5, channels: 1 };
    let setting = Setting { train_images: 20, test_images: 10, max_steps: 2, streamed: false };
    plan_task(&config.task(shape), &Tensors::default(), Some(&config.optimizers()), setting).unwrap()
}

#[test]
fn names_are_read_and_written() {
    for text in ["measured", "fixed", "registers", "tiled-128", "split-4"] {
        assert_eq!(text.parse::<Tuning>().unwrap().to_string(), text);
    }
    let error = "tiled-7".parse::<Tuning>().unwrap_err().to_string();
    assert!(error.contains("tiled-64") && error.contains("--matmul"), "{error}");
}

#[test]
fn rules_keep_software_simple_and_gpus_busy() {
    let gpu = info(0, "GPU", "Vulkan", AdapterKind::Discrete);
    let software = info(1, "llvmpipe", "Vulkan", AdapterKind::Software);
    for (size, expected) in [
        (product(4096, 4096, 4096), Variant::Tiled(128)),
        (product(1024, 1024, 1024), Variant::Tiled(64)),
        (product(1024, 784, 500), Variant::Tiled(32)),
        (product(128, 500, 784), Variant::Split(4)),
        (product(128, 40, 500), Variant::Split(4)),
        (product(128, 40, 2048), Variant::Split(16)),
        (product(128, 500, 20), Variant::Tiled(32)),
    ] {
        assert_eq!(by_rule(&gpu, size), expected, "{size}");
        assert!(candidates(&gpu, size).contains(&expected), "{size}");
        assert_eq!(by_rule(&software, size), Variant::Registers);
        assert_eq!(candidates(&software, size), [Variant::Registers]);
    }
}

/// The choice as on a GPU, made on a software adapter: variants are checked and timed, the choice is kept in the file,
/// and read from it the next time.
#[test]
fn choices_are_measured_once_and_kept() {
    let Ok(device) = OpenDevice::open(&DeviceChoice::Software) else {
        assert!(std::env::var("VAE_REQUIRE_GPU").is_err(), "an adapter is required");
        return;
    };
    let OpenDevice::Gpu(gpu) = &device else { unreachable!("a software adapter is one") };
    let (plan, adapter) = (plan(), gpu.info().clone());
    let all = products(&plan);
    assert!(all.len() >= 5, "{all:?}");
    let (&first, &index) = all.iter().next().unwrap();
    let open = [(first, index, vec![Variant::Registers, Variant::Tiled(32), Variant::Split(4)])];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("new").join("matmul.json");
    let measure = |budget, file: Option<&std::path::Path>| {
        let mut results = KnownResults::new();
        let mut time = |index, variant| {
            Ok(time_variant(&device, &plan, index, 9, variant, PATIENCE, &mut results)?
                .map(|spread| spread.ms))
        };
        measured(&adapter, &open, file, budget, &mut time).unwrap()
    };
    let (choices, refused) = measure(Duration::from_secs(60), Some(&file));
    assert_eq!(refused, [], "no variant is wrong");
    assert!(choices.0.contains_key(&first.to_string()));

    // A choice in the file is used without measuring.
    let text = std::fs::read_to_string(&file).unwrap();
    let other = if choices.of(first) == Variant::Registers { "split-4" } else { "registers" };
    std::fs::write(&file, text.replace(&choices.of(first).to_string(), other)).unwrap();
    assert_eq!(measure(Duration::ZERO, Some(&file)).0.of(first).to_string(), other);

    // It is ignored for another driver or other shaders. Without time to measure, the rule then decides.
    std::fs::write(&file, text.replace("driver ", "driver of old, ")).unwrap();
    assert_eq!(measure(Duration::ZERO, Some(&file)).0.of(first), by_rule(&adapter, first));
    std::fs::write(&file, "no JSON").unwrap();
    assert_eq!(measure(Duration::ZERO, Some(&file)).0.of(first), by_rule(&adapter, first));
}

/// The fastest variant of all may be wrong: it is reported, never chosen and never kept.
#[test]
fn wrong_variants_are_refused() {
    let gpu = info(0, "GPU", "Vulkan", AdapterKind::Discrete);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("matmul.json");
    let size = product(128, 40, 500);
    let open =
        [(size, 7, vec![Variant::Registers, Variant::Tiled(32), Variant::Split(4), Variant::Split(16)])];
    let mut tried = Vec::new();
    let mut time = |index, variant| {
        tried.push((index, variant));
        Ok(match variant {
            Variant::Registers => Ok(2.0),
            Variant::Tiled(_) => Err("output[3] is 1, should be 2".to_string()),
            Variant::Split(4) => Ok(1.0),
            // Faster, but by less than the noise.
            Variant::Split(_) => Ok(0.99),
        })
    };
    let (choices, refused) = measured(&gpu, &open, Some(&file), BUDGET, &mut time).unwrap();
    assert_eq!(choices.of(size), Variant::Split(4));
    assert_eq!(refused.iter().map(|it| it.variant).collect::<Vec<_>>(), [Variant::Tiled(32)]);
    assert_eq!(tried.len(), 4);
    assert!(tried.iter().all(|(index, _)| *index == 7));
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(kept.contains("split-4") && !kept.contains("tiled-32"), "{kept}");

    let mut wrong = |_, _| Ok(Err("all wrong".to_string()));
    let error = measured(&gpu, &open, None, BUDGET, &mut wrong).unwrap_err().to_string();
    assert!(error.contains("no variant of matmul_nt 128x40x500"), "{error}");
}

/// A resumed run keeps its own choices, whatever was measured since; on another driver they are ignored.
#[test]
fn a_run_keeps_its_choices() {
    let Ok(OpenDevice::Gpu(gpu)) = OpenDevice::open(&DeviceChoice::Software) else {
        assert!(std::env::var("VAE_REQUIRE_GPU").is_err(), "an adapter is required");
        return;
    };
    let plan = plan();
    let chosen =
        Choices(products(&plan).keys().map(|product| (product.to_string(), Variant::Tiled(64))).collect());
    let record = Record::of(&OpenDevice::Gpu(gpu.clone()), &chosen).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("matmul.json");
    assert_eq!(Record::read(&file).unwrap(), None);
    record.write(&file).unwrap();
    assert_eq!(Record::read(&file).unwrap().unwrap(), record);
    let resumed = |record| {
        let matmul = Matmul { record: Some(record), ..Matmul::default() };
        choose(&OpenDevice::Gpu(gpu.clone()), &matmul, &plan, 9).unwrap()
    };
    assert_eq!(resumed(record.clone()), chosen);
    assert_ne!(resumed(Record { adapter: "another".into(), ..record }), chosen);
    std::fs::write(&file, "{}").unwrap();
    assert!(Record::read(&file).unwrap_err().to_string().contains("delete it"));
    assert_eq!(Record::of(&OpenDevice::Cpu, &chosen), None);
}

/// Every variant of a plan computes what the plan computes.
#[test]
fn variants_change_nothing_but_roundings() {
    use crate::cpu::CpuExecutor;
    use crate::plan::{Executor, Step};
    let plan = plan();
    let train = |plan: &Plan| {
        let mut cpu = CpuExecutor::<f64>::new(plan, 2).unwrap();
        let id = plan.buffer("parameters").unwrap();
        for (i, value) in cpu.real_mut(id).iter_mut().enumerate() {
            *value = ((i * 7919) % 997) as f64 / 4000.0 - 0.125;
        }
        let images: Vec<u32> = (0..plan.buffers[plan.buffer("dataset.train.images").unwrap().0].length
            as u32)
            .map(|i| i.wrapping_mul(2_654_435_761))
            .collect();
        cpu.write(plan.buffer("dataset.train.images").unwrap(), 0, &images).unwrap();
        for t in 1..4 {
            let mut step = Step { rows: 7, counter_low: t, ..Step::default() };
            plan.set_number(&mut step, "beta", 1.0);
            step.groups[0] = [1e-3, 1.0, 1.0, 0.0];
            cpu.submit("train", &[step]).unwrap();
        }
        cpu.real(id).to_vec()
    };
    let expected = train(&plan);
    for variant in Variant::ALL {
        let changed = plan.clone().with_variants(|_| variant).with_shared_memory();
        assert_eq!(changed.dispatches == plan.dispatches, variant == Variant::Registers, "{variant}");
        for (i, (a, b)) in train(&changed).iter().zip(&expected).enumerate() {
            assert!((a - b).abs() < 1e-9, "{variant}: parameter {i}: {a} should be {b}");
        }
    }
}
