//! `vae selftest`.

use super::output;
use clap::Args;
use std::process::ExitCode;
use std::time::Instant;
use vae::Result;
use vae::device::{DeviceChoice, OpenDevice};
use vae::selftest;
use vae::text::{table, thousands};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  vae selftest\n  vae selftest --device software\n  vae train --dataset pictures --device 1       # on a device that passed"
)]
pub(crate) struct Selftest {
    /// auto, cpu, software, or an adapter's number or name (see 'vae devices')
    #[arg(long, value_name = "DEVICE", default_value = "auto", value_parser = super::settings::device)]
    device: DeviceChoice,
}

impl Selftest {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let device = OpenDevice::open(&self.device)?;
        let started = Instant::now();
        let reports = selftest::run(&device)?;
        let name = device.name();
        let rows: Vec<[String; 6]> = reports
            .iter()
            .map(|(kernel, report)| {
                [
                    (*kernel).to_string(),
                    report.cases.to_string(),
                    thousands(report.values),
                    format!("{:.1e}", report.largest_error),
                    format!("{:.0}%", 100.0 * report.worst_ratio),
                    if report.failures == 0 { "ok" } else { "FAILED" }.to_string(),
                ]
            })
            .collect();
        let mut text =
            table(["kernel", ">cases", ">values", ">largest error", ">of tolerance", "result"], &rows);
        text.push('\n');
        for failure in reports.values().filter_map(|report| report.worst_failure.as_ref()) {
            text += &format!("{failure}\n");
        }
        let failed = reports.values().filter(|report| report.failures > 0).count();
        let seconds = started.elapsed().as_secs_f64();
        text += &match failed {
            0 => format!("{name}: all {} kernels are right ({seconds:.1} s)\n", reports.len()),
            _ => {
                format!("{name}: {failed} of {} kernels FAILED; do not train on this device\n", reports.len())
            }
        };
        output::print(&text)?;
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
