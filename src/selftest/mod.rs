//! Every WGSL kernel against its twin in f64, on shapes that divide by nothing.
//!
//! `vae selftest` runs this on the user's adapter, the tests on every adapter they find.

mod cases;

use crate::cpu::CpuExecutor;
use crate::device::OpenDevice;
use crate::plan::{Access, BufferId, Executor, Plan, Program};
use crate::probe::{append, error_ratio};
use crate::{Error, Result};
use cases::Case;
use std::collections::BTreeMap;

/// The seed of the cases' random content.
const SEED: u64 = 11;

/// How a kernel fared, over all its cases.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KernelReport {
    /// Cases run.
    pub cases: usize,
    /// Numbers compared.
    pub values: usize,
    /// Largest difference to the twin in f64.
    pub largest_error: f64,
    /// Largest difference as a share of what is tolerated; above 1 is a failure.
    pub worst_ratio: f64,
    /// Numbers that differ by more than is tolerated, or are not finite where f32 can hold them.
    pub failures: usize,
    /// The worst failure in words: case, variable, element and both values.
    pub worst_failure: Option<String>,
}

/// Cases whose results are fetched at once.
const TOGETHER: usize = 64;

/// Run all cases on `device`, a kernel's report under its name.
///
/// # Errors
/// If the device refuses a kernel or fails.
pub fn run(device: &OpenDevice) -> Result<BTreeMap<&'static str, KernelReport>> {
    run_on(|plan| device.executor(plan, 1), |_, _| true)
}

/// Run the cases that `wanted` takes, given a kernel's name and which of its cases it is, on the executor that `make` makes
/// for their plan.
///
/// # Errors
/// If the executor refuses a kernel or fails.
pub fn run_on<'a>(
    make: impl FnOnce(&Plan) -> Result<Box<dyn Executor + 'a>>,
    wanted: impl Fn(&str, usize) -> bool,
) -> Result<BTreeMap<&'static str, KernelReport>> {
    let mut counts = BTreeMap::<_, usize>::new();
    let mut take = |case: &Case| {
        let count = counts.entry(case.kernel).or_default();
        *count += 1;
        wanted(case.kernel, *count - 1)
    };
    let cases: Vec<_> = cases::all().into_iter().enumerate().filter(|(_, case)| take(case)).collect();
    let plan = plan(&cases);
    let mut subject = make(&plan)?;
    let mut oracle = CpuExecutor::<f64>::new(&plan, 1)?;
    let mut reports: BTreeMap<&'static str, KernelReport> = BTreeMap::new();
    let numbered: Vec<_> = cases.iter().zip(&plan.dispatches).collect();
    for some in numbered.chunks(TOGETHER) {
        for ((number, case), _) in some {
            for (variable, content) in &case.contents {
                let id = buffer(&plan, *number, variable)?;
                let words = content.words(SEED, item(*number, variable));
                subject.write(id, 0, &words)?;
                oracle.write(id, 0, &words)?;
            }
            let name = program(*number);
            subject.submit(&name, &[case.step])?;
            oracle.submit(&name, &[case.step])?;
        }
        subject.receive(0)?;
        for ((_, case), dispatch) in some {
            let report = reports.entry(case.kernel).or_default();
            report.cases += 1;
            for binding in dispatch.bindings.iter().filter(|b| b.access == Access::ReadWrite) {
                let actual = subject.read(binding.buffer, 0, binding.length)?;
                for (i, (word, expected)) in actual.iter().zip(oracle.real(binding.buffer)).enumerate() {
                    report.compare(case, &binding.variable, i, f64::from(f32::from_bits(*word)), *expected);
                }
            }
        }
    }
    Ok(reports)
}

impl KernelReport {
    fn compare(&mut self, case: &Case, variable: &str, element: usize, actual: f64, expected: f64) {
        self.values += 1;
        if expected.abs() > f64::from(f32::MAX) && actual == f64::INFINITY.copysign(expected) {
            // Beyond the range of f32.
            return;
        }
        let ratio = error_ratio(actual, expected, case.tolerance);
        self.failures += usize::from(ratio > 1.0);
        self.largest_error = self.largest_error.max((actual - expected).abs());
        if !actual.is_finite() {
            self.largest_error = f64::INFINITY;
        }
        if ratio > self.worst_ratio {
            self.worst_ratio = ratio;
            if ratio > 1.0 {
                self.worst_failure = Some(format!(
                    "{} {:?}: {variable}[{element}] is {actual:e}, should be {expected:e}",
                    case.kernel, case.constants
                ));
            }
        }
    }
}

/// The item of the random numbers of `variable` in case `number`: the same each time.
fn item(number: usize, variable: &str) -> u64 {
    variable.bytes().fold(number as u64, |hash, byte| hash.wrapping_mul(131) + u64::from(byte))
}

fn buffer(plan: &Plan, number: usize, variable: &str) -> Result<BufferId> {
    plan.buffer(&format!("{number}.{variable}"))
        .ok_or_else(|| Error::Internal(format!("self-test case {number} has no buffer {variable}")))
}

/// The name of the program of case `number`.
fn program(number: usize) -> String {
    format!("case-{number}")
}

/// One plan with a program for each case, so that a device prepares all kernels at once.
fn plan(cases: &[(usize, Case)]) -> Plan {
    let mut plan = Plan::default();
    for (index, (number, case)) in cases.iter().enumerate() {
        let prefix = format!("{number}.");
        append(&mut plan, &prefix, case.kernel, case.constants.clone(), &case.contents, case.grid);
        let name = program(*number).into();
        plan.programs.push(Program { name, dispatches: vec![index], ..Program::default() });
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels;

    #[test]
    fn every_kernel_has_a_case() {
        let cases = cases::all();
        let missing: Vec<_> = kernels::all()
            .filter(|kernel| !kernel.file.starts_with("tests/"))
            .filter(|kernel| !cases.iter().any(|case| case.kernel == kernel.name))
            .map(|kernel| &kernel.name)
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn every_case_binds_and_sets_all_its_kernel_declares() {
        for case in cases::all() {
            let kernel = kernels::kernel(case.kernel);
            for (variable, _) in kernel.storage() {
                let whole = variable.name.trim_end_matches("_elements");
                assert!(
                    case.contents.iter().any(|(name, _)| [&variable.name, whole].contains(name)),
                    "{case:?} {variable:?}"
                );
            }
            for name in &kernel.overrides {
                assert!(case.constants.contains_key(name.as_str()), "{case:?} lacks {name}");
            }
            assert_eq!(kernel.overrides.len(), case.constants.len(), "{case:?} {:?}", kernel.overrides);
        }
    }

    #[test]
    fn numbers_beyond_the_range_of_f32_are_infinite() {
        let case = cases::all().remove(0);
        let failures = |actual: f64, expected: f64| {
            let mut report = KernelReport::default();
            report.compare(&case, "output", 0, actual, expected);
            report.failures
        };
        assert_eq!(failures(f64::INFINITY, 1e39), 0);
        assert_eq!(failures(f64::NEG_INFINITY, -1e39), 0);
        for (actual, expected) in
            [(f64::INFINITY, -1e39), (f64::INFINITY, 3e38), (f64::NAN, 1e39), (3e38, 1e39)]
        {
            assert_eq!(failures(actual, expected), 1, "{actual} {expected}");
        }
    }

    /// The CPU in f32 is a subject too: what it gives differs from f64 by roundings only.
    #[test]
    fn the_cpu_passes_its_own_test() {
        for (kernel, report) in run(&OpenDevice::Cpu).unwrap() {
            assert_eq!(report.failures, 0, "{kernel}: {:?}", report.worst_failure);
        }
    }
}
