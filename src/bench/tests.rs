//! Tests of the whole.

use super::*;
use crate::kernels as registry;
use crate::plan::Variant;

fn bench(filter: &str) -> Bench {
    Bench::new(OpenDevice::Cpu, Options { filter: filter.into(), quick: true }).unwrap()
}

fn run(bench: &Bench) -> Report {
    bench.run(&mut |_| {}).unwrap()
}

#[test]
fn every_kernel_is_measured() {
    // In minibatches that are smaller, batch norm merges nothing.
    let cases = super::kernels::all_cases(100);
    let missing: Vec<_> = registry::all()
        .filter(|kernel| !kernel.file.starts_with("tests/"))
        // Products and convolutions stand in other tables, with all variants.
        .filter(|kernel| !kernel.name.contains("_tiled_"))
        .filter(|kernel| !["partial_", "finish_"].iter().any(|part| kernel.name.starts_with(part)))
        // No training step has these.
        .filter(|kernel| {
            !["bench.wgsl", "distributions.wgsl", "racing.wgsl", "selftest.wgsl"].contains(&kernel.file)
        })
        // No model has the gradient of its images; the table of convolutions has the first.
        .filter(|kernel| !["conv_nn_packed", "fixed_norm_gradient"].contains(&kernel.name.as_str()))
        // The columns of today's models are bytes.
        .filter(|kernel| !["gather_reals", "gather_words"].contains(&kernel.name.as_str()))
        // Every loss has its fused gradient.
        .filter(|kernel| !["gaussian_kl_pull_back", "seed"].contains(&kernel.name.as_str()))
        .filter(|kernel| !cases.iter().any(|(_, case)| case.dispatch().kernel == kernel.name))
        .map(|kernel| &kernel.name)
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_report_has_its_keys() {
    let report = run(&bench("128x500x784"));
    let json: serde_json::Value = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
    for key in ["device", "ceilings", "kernels", "matmul", "convolution", "train_step"] {
        assert!(json.get(key).is_some(), "{key}");
    }
    let product = &json["matmul"][0];
    for key in ["m", "n", "k", "layout", "variant", "chosen", "gflops", "share", "ms", "ms_low", "ms_high"] {
        assert!(!product[key].is_null(), "{key}: {product}");
    }
    assert_eq!((product["m"].as_u64(), product["layout"].as_str()), (Some(128), Some("nt")));
    for (key, value) in json["ceilings"].as_object().unwrap() {
        assert!(value.as_f64().is_none_or(|value| value >= 0.0), "{key}");
    }
    let ceilings = report.ceilings.unwrap();
    assert!(
        ceilings.gflops > 0.0 && ceilings.gigabytes_per_second > 0.0 && ceilings.submit_microseconds > 0.0
    );
}

#[test]
fn the_filter_leaves_what_it_names() {
    let report = run(&bench("TRAIN_step 20-relu/128"));
    assert_eq!(report.train_step.len(), 1);
    assert!(report.ceilings.is_none() && report.kernels.is_empty() && report.matmul.is_empty());
    let row = &report.train_step[0];
    assert_eq!((row.model.as_str(), row.batch), ("784-400-20-relu", 128));
    assert!(row.images_per_second.unwrap() > 0.0 && row.dispatches > 0 && row.device_bytes > 0, "{row:?}");
    let json = serde_json::to_value(row).unwrap();
    for key in ["model", "batch", "images_per_second", "ms", "dispatches"] {
        assert!(!json[key].is_null(), "{key}");
    }
    let options = Options { filter: "no such thing".into(), quick: true };
    assert!(Bench::new(OpenDevice::Cpu, options).unwrap_err().to_string().starts_with("--filter"));
}

#[test]
fn what_is_wrong_is_reported_and_not_timed() {
    let mut bench = bench("kernels/gather_mirrored");
    bench.near = |_, _, _| 2.0;
    let rows = bench.kernels(None, &mut |_| {}).unwrap();
    assert_eq!(rows.len(), 1);
    assert!(rows[0].time.is_none() && rows[0].gflops.is_none(), "{rows:?}");
    assert!(rows[0].problem.as_ref().unwrap().contains("gather_mirrored is wrong"), "{rows:?}");
    bench.options.filter = "matmul/tn/40x500x128".into();
    let rows = bench.matmul(None, &mut |_| {}).unwrap();
    assert!(rows[0].time.is_none() && rows[0].problem.is_some(), "{rows:?}");
}

#[test]
fn ragged_products_are_right_too() {
    let bench = bench("matmul");
    for layout in Layout::ALL {
        for variant in Variant::ALL {
            let case = super::matmul::case(layout, [9, 13, 200]).with_variant(variant);
            let problem = Runner::new(&bench.device, &case).unwrap().check(bench.near).unwrap();
            assert_eq!(problem, None, "{variant}");
        }
    }
}

/// Sums that are too long for a software adapter's loops are split in every plan, and come out the same.
#[test]
fn long_sums_are_split() {
    use crate::cpu::CpuExecutor;
    use crate::plan::{BufferId, Executor, Step};
    let kernels = |case: &Case| -> Vec<String> {
        case.plan.dispatches.iter().map(|dispatch| dispatch.kernel.to_string()).collect()
    };
    // Lengths at which the sums stay whole, and beyond.
    assert_eq!(kernels(&super::matmul::case(Layout::Tn, [8, 12, 8192])), ["matmul_tn"]);
    assert_eq!(kernels(&super::matmul::case(Layout::Nt, [3, 5, 16_384])), ["matmul_nt"]);
    let [m, n, k] = [8, 12, 70_001];
    let case = super::matmul::case(Layout::Tn, [m, n, k]);
    assert_eq!(kernels(&case), ["partial_tn", "finish_tn"]);
    let mut cpu = CpuExecutor::<f64>::new(&case.plan, 1).unwrap();
    for (index, _) in case.plan.buffers.iter().enumerate() {
        cpu.write(BufferId(index), 0, &case.words(index)).unwrap();
    }
    cpu.submit("once", &[Step::default()]).unwrap();
    let values = |name: &str| cpu.real(case.plan.buffer(name).unwrap());
    let (a, b, output) = (values("a"), values("b"), values("output"));
    for (i, output) in output.iter().enumerate() {
        let sum: f64 = (0..k).map(|row| a[row * m + i / n] * b[row * n + i % n]).sum();
        assert!((sum - output).abs() < 1e-9, "{i}: {output}, should be {sum}");
    }
    for (layout, expected) in
        [(Layout::Nt, ["partial_nt", "finish_nt"]), (Layout::Nn, ["partial_nn", "finish_nn"])]
    {
        assert_eq!(kernels(&super::matmul::case(layout, [3, 5, 66_000])), expected);
    }
    let (_, window) = super::convolution::windows(true).remove(0);
    let case = super::convolution::case(Layout::Tn, 100, &window);
    assert_eq!(kernels(&case), ["partial_conv_tn", "finish_tn"]);
    assert!(case.plan.validate().is_ok());
    for variant in Variant::ALL {
        assert!(case.clone().with_variant(variant).plan.validate().is_ok(), "{variant}");
    }
}
