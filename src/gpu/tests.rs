//! The executor, on small plans made by hand.

use super::*;
use crate::kernels;
use crate::plan::{Binding, Buffer, BufferId, Dispatch, Element, Executor, Plan, Program, Role, Step};
use std::collections::BTreeMap;

/// The preferred adapter of this machine; `None` (and a visible note) where there is none.
fn gpu() -> Option<Gpu> {
    match adapters().iter().find(|info| info.unusable.is_none()) {
        Some(info) => Some(Gpu::open(info).unwrap()),
        None if std::env::var("VAE_REQUIRE_GPU").is_ok_and(|it| it == "1") => panic!("no adapter"),
        None => {
            println!("SKIPPED: no adapter");
            None
        }
    }
}

fn buffer(name: &str, length: usize, element: Element, role: Role) -> Buffer {
    Buffer { name: name.to_string(), shape: vec![length], length, element, role }
}

/// A dispatch whose bindings are all of each buffer.
fn dispatch(
    kernel: &'static str,
    constants: &[(&'static str, f64)],
    plan: &Plan,
    bound: &[usize],
) -> Dispatch {
    let bindings =
        kernels::kernel(kernel).storage().zip(bound).map(|((variable, access), &buffer)| Binding {
            variable: variable.name.clone(),
            buffer: BufferId(buffer),
            offset: 0,
            length: plan.buffers[buffer].length,
            access,
        });
    Dispatch {
        label: format!("{kernel} {bound:?}"),
        kernel: kernel.into(),
        constants: constants.iter().map(|&(name, value)| (name.into(), value)).collect(),
        bindings: bindings.collect(),
        grid: [1, 1, 1],
        flops: 0,
        bytes: 0,
    }
}

const VALUES: BufferId = BufferId(0);
const TOTAL: BufferId = BufferId(1);
const HISTORY: BufferId = BufferId(3);
const STEPS: usize = 8;

/// `both` sums `values` and records the step; `sum` and `record` do one of these.
fn plan(length: usize) -> Plan {
    let mut plan = Plan {
        buffers: vec![
            buffer("values", length, Element::Real, Role::Activation),
            buffer("total", 1, Element::Real, Role::Activation),
            buffer("metrics", 4 * STEPS, Element::Real, Role::Metric),
            buffer("history", 1, Element::Word, Role::Activation),
        ],
        metrics: ["slot", "scaled", "rows", "half"].map(String::from).to_vec(),
        ..Plan::default()
    };
    let sum = dispatch("sum", &[("LENGTH", length as f64)], &plan, &[0, 1]);
    let record = dispatch("record", &[("SCALE", 0.5)], &plan, &[2, 3]);
    plan.dispatches = vec![sum, record];
    plan.programs = vec![
        Program { name: "both".into(), dispatches: vec![0, 1], ..Program::default() },
        Program { name: "sum".into(), dispatches: vec![0], ..Program::default() },
        Program { name: "record".into(), dispatches: vec![1], ..Program::default() },
    ];
    plan
}

fn steps(count: usize, first: usize) -> Vec<Step> {
    let step = |slot: usize| Step {
        slot: slot as u32,
        rows: (first + slot) as u32,
        numbers: std::array::from_fn(|i| if i == 0 { slot as f32 } else { 0.25 }),
        ..Step::default()
    };
    (0..count).map(step).collect()
}

fn words(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Expected content of `history` after `record` ran steps with these numbers of rows.
fn history(rows: impl IntoIterator<Item = usize>) -> u32 {
    rows.into_iter().fold(0u32, |history, rows| history.wrapping_mul(3).wrapping_add(rows as u32))
}

#[test]
fn sums_of_ragged_lengths_are_right() {
    let Some(gpu) = gpu() else { return };
    for length in [1, 255, 256, 257, 1757] {
        let mut executor = GpuExecutor::new(&gpu, &plan(length), STEPS).unwrap();
        let values: Vec<f32> = (0..length).map(|i| (i % 7) as f32).collect();
        executor.write(VALUES, 0, &words(&values)).unwrap();
        executor.submit("sum", &steps(1, 0)).unwrap();
        let total = executor.read(TOTAL, 0, 1).unwrap();
        assert_eq!(f32::from_bits(total[0]), values.iter().sum::<f32>(), "{length} values");
    }
}

#[test]
fn buffers_start_as_zeros_and_keep_what_is_written() {
    let Some(gpu) = gpu() else { return };
    let mut executor = GpuExecutor::new(&gpu, &plan(1000), STEPS).unwrap();
    assert_eq!(executor.read(VALUES, 0, 1000).unwrap(), vec![0; 1000]);
    executor.write(VALUES, 17, &[1, 2, 3]).unwrap();
    executor.write(VALUES, 18, &[9]).unwrap();
    executor.write(VALUES, 999, &[7]).unwrap();
    executor.write(VALUES, 1000, &[]).unwrap();
    assert_eq!(executor.read(VALUES, 16, 5).unwrap(), [0, 1, 9, 3, 0]);
    assert_eq!(executor.read(VALUES, 999, 1).unwrap(), [7]);
    assert!(executor.read(VALUES, 0, 0).unwrap().is_empty());
    let error = executor.write(VALUES, 999, &[1, 2]).unwrap_err().to_string();
    assert!(error.contains("2 elements from 999 on are outside of 'values', which has 1000"), "{error}");
    assert!(executor.read(VALUES, usize::MAX, 2).is_err());
    assert!(executor.read(BufferId(99), 0, 1).is_err());
}

#[test]
fn steps_read_their_own_records_in_order() {
    let Some(gpu) = gpu() else { return };
    let mut executor = GpuExecutor::new(&gpu, &plan(3), STEPS).unwrap();
    executor.submit("both", &steps(STEPS, 1)).unwrap();
    let received = executor.receive(0).unwrap();
    assert_eq!(received.len(), 1);
    for (slot, row) in received[0].rows().enumerate() {
        assert_eq!(row, [slot as f32, 0.25, (slot + 1) as f32, 0.5]);
    }
    assert_eq!(executor.read(HISTORY, 0, 1).unwrap(), [history(1..=STEPS)]);
}

#[test]
fn submits_are_received_in_order() {
    let Some(gpu) = gpu() else { return };
    let mut executor = GpuExecutor::new(&gpu, &plan(3), STEPS).unwrap();
    let mut received = Vec::new();
    // More submits than the ring has slots, and programs that alternate.
    for number in 0..20 {
        let name = if number % 2 == 0 { "record" } else { "both" };
        executor.submit(name, &steps(1 + number % 3, 100 * number)).unwrap();
        if number % 7 == 0 {
            received.extend(executor.receive(1).unwrap());
        }
    }
    received.extend(executor.receive(0).unwrap());
    assert!(executor.receive(0).unwrap().is_empty());
    let rows = |number: usize| (0..1 + number % 3).map(move |slot| 100 * number + slot);
    assert_eq!(received.len(), 20);
    for (number, metrics) in received.iter().enumerate() {
        let got: Vec<usize> = metrics.rows().map(|row| row[2] as usize).collect();
        assert_eq!(got, rows(number).collect::<Vec<_>>());
    }
    assert_eq!(executor.read(HISTORY, 0, 1).unwrap(), [history((0..20).flat_map(rows))]);
}

#[test]
fn writes_are_ordered_with_submits() {
    let Some(gpu) = gpu() else { return };
    let mut executor = GpuExecutor::new(&gpu, &plan(3), STEPS).unwrap();
    executor.write(HISTORY, 0, &[1]).unwrap();
    executor.submit("record", &steps(2, 0)).unwrap(); // (1 * 3 + 0) * 3 + 1
    assert_eq!(executor.read(HISTORY, 0, 1).unwrap(), [10]);
    executor.submit("record", &steps(1, 0)).unwrap();
    executor.write(HISTORY, 0, &[5]).unwrap();
    executor.submit("record", &steps(1, 2)).unwrap();
    assert_eq!(executor.read(HISTORY, 0, 1).unwrap(), [17]);
}

#[test]
fn a_plan_without_metrics_gives_empty_rows() {
    let Some(gpu) = gpu() else { return };
    let mut plan = plan(3);
    plan.buffers[2].role = Role::Activation;
    let mut executor = GpuExecutor::new(&gpu, &plan, STEPS).unwrap();
    executor.submit("both", &steps(2, 0)).unwrap();
    executor.submit("both", &[]).unwrap();
    assert!(executor.receive(0).unwrap().iter().all(|rows| rows.values.is_empty()));
}

#[test]
fn equal_kernels_share_a_pipeline() {
    let Some(gpu) = gpu() else { return };
    let mut plan = plan(64);
    plan.buffers.push(buffer("other", 1, Element::Real, Role::Activation));
    plan.dispatches.push(dispatch("sum", &[("LENGTH", 64.0)], &plan, &[0, 4]));
    plan.dispatches.push(dispatch("sum", &[("LENGTH", 63.0)], &plan, &[0, 4]));
    let executor = GpuExecutor::new(&gpu, &plan, STEPS).unwrap();
    assert_eq!(executor.pipelines.list.len(), 3);
}

#[test]
fn tensors_over_a_limit_are_refused_by_name() {
    let limits = Limits { max_storage_buffer_binding_size: 400, ..Limits::REQUIRED };
    let error = limits::check(&plan(101), &limits, "Card (Vulkan)").unwrap_err().to_string();
    assert!(
        error.starts_with(
            "tensor 'values' needs 404 bytes, but Card (Vulkan) allows at most 400 (maxStorageBufferBindingSize)"
        ),
        "{error}"
    );
    limits::check(&plan(100), &limits, "Card (Vulkan)").unwrap();
    let limits = Limits { max_buffer_size: 400, ..Limits::REQUIRED };
    let error = limits::check(&plan(101), &limits, "Card (Vulkan)").unwrap_err().to_string();
    assert!(error.contains("404 bytes") && error.contains("(maxBufferSize)"), "{error}");
}

#[test]
fn a_tensor_larger_than_the_adapter_is_refused_before_it_is_allocated() {
    let Some(gpu) = gpu() else { return };
    let length = (gpu.info().limits.max_buffer_size / 4 + 1) as usize;
    let mut plan = plan(1);
    plan.buffers[0].length = length;
    let error = GpuExecutor::new(&gpu, &plan, STEPS).unwrap_err();
    assert!(matches!(&error, Error::Limit { tensor, .. } if tensor == "values"), "{error}");
}

#[test]
fn dispatches_that_do_not_fit_are_refused() {
    let refused = |change: &dyn Fn(&mut Plan), expected: &str| {
        let mut plan = plan(100);
        change(&mut plan);
        let checked = plan.validate().and_then(|()| limits::check(&plan, &Limits::REQUIRED, "Card"));
        let error = checked.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    refused(
        &|plan| plan.dispatches[0].constants = BTreeMap::from([("LENGHT".into(), 3.0)]),
        "'sum [0, 1]' of kernel sum: no value for the constant LENGTH",
    );
    refused(
        &|plan| {
            plan.dispatches[0].constants.insert("WIDTH".into(), 1.0);
        },
        "no constant WIDTH",
    );
    refused(
        &|plan| plan.dispatches[0].grid = [1, 65_536, 1],
        "needs 65536 workgroups along y, but the device allows 65535 (maxComputeWorkgroupsPerDimension)",
    );
    refused(&|plan| plan.dispatches[0].bindings.swap(0, 1), "are bound");
    refused(
        &|plan| plan.dispatches[0].bindings[0].length = 101,
        "101 elements from 0 on of 'values', which has 100",
    );
    refused(
        &|plan| (plan.dispatches[0].bindings[0].offset, plan.dispatches[0].bindings[0].length) = (3, 90),
        "offsets are multiples of 64",
    );
    refused(
        &|plan| plan.dispatches[0].bindings[0].buffer = TOTAL,
        "100 elements from 0 on of 'total', which has 1",
    );
    refused(
        &|plan| {
            plan.dispatches[0].bindings[1].buffer = VALUES;
        },
        "'values' is written, and its memory is bound twice",
    );
    let limits = Limits { max_compute_invocations_per_workgroup: 128, ..Limits::REQUIRED };
    let error = limits::check(&plan(9), &limits, "Card").unwrap_err().to_string();
    assert!(error.contains("needs workgroups of 256, but the device allows 128"), "{error}");
}

#[test]
fn wrong_calls_are_errors() {
    let Some(gpu) = gpu() else { return };
    assert!(GpuExecutor::new(&gpu, &plan(3), STEPS + 1).is_err());
    assert!(GpuExecutor::new(&gpu, &plan(3), 0).is_err());
    let mut executor = GpuExecutor::new(&gpu, &plan(3), STEPS).unwrap();
    assert!(executor.submit("decode", &steps(1, 0)).is_err());
    assert!(executor.submit("both", &steps(STEPS + 1, 0)).is_err());
    let mut wrong_slot = steps(2, 0);
    wrong_slot[1].slot = 0;
    assert!(executor.submit("both", &wrong_slot).is_err());
    // None of this harmed the device.
    executor.submit("both", &steps(1, 0)).unwrap();
    assert_eq!(executor.receive(0).unwrap().len(), 1);
}

#[test]
fn a_pipeline_that_cannot_be_made_is_an_error_with_the_kernels_name() {
    let Some(gpu) = gpu() else { return };
    let mut plan = plan(3);
    plan.dispatches[0].constants.insert("LENGTH".into(), -1.0);
    let error = GpuExecutor::new(&gpu, &plan, STEPS).unwrap_err().to_string();
    assert!(error.contains("kernel sum") && error.contains("LENGTH"), "{error}");
    assert!(gpu.check().is_ok());
}

#[test]
fn a_lost_device_is_an_error_in_every_call() {
    let Some(gpu) = gpu() else { return };
    let plan = plan(3);
    let mut executor = GpuExecutor::new(&gpu, &plan, STEPS).unwrap();
    executor.submit("both", &steps(1, 0)).unwrap();
    gpu.device.destroy();
    // The loss may come to light only in the second call.
    let _ = executor.submit("both", &steps(1, 0));
    for error in [
        executor.receive(0).unwrap_err(),
        executor.submit("both", &steps(1, 0)).unwrap_err(),
        executor.read(VALUES, 0, 1).unwrap_err(),
        executor.write(VALUES, 0, &[1]).unwrap_err(),
        GpuExecutor::new(&gpu, &plan, STEPS).unwrap_err(),
    ] {
        assert!(matches!(error, Error::Device { .. }), "{error}");
    }
}

#[test]
fn dispatches_can_be_timed() {
    let Some(gpu) = gpu() else { return };
    let mut executor = GpuExecutor::new(&gpu, &plan(100_000), STEPS).unwrap();
    let timed = executor.profile("both", steps(1, 4)[0]);
    if !gpu.info().timestamps {
        assert!(timed.is_err());
        return;
    }
    let times = timed.unwrap();
    assert_eq!(times.iter().map(|time| time.0).collect::<Vec<_>>(), [0, 1]);
    assert!(times.iter().all(|time| time.1.is_finite() && time.1 < 1e10), "{times:?}");
    assert_eq!(executor.read(HISTORY, 0, 1).unwrap(), [4]);
}
