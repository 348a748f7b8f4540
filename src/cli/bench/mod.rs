//! `vae bench`.

mod report;
mod tables;

use super::output;
use clap::Args;
use report::{About, Record, Selftest};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tables::Section;
use vae::Result;
use vae::bench::{Bench as Benchmarks, Options, Report};
use vae::device::{DeviceChoice, OpenDevice};

/// Measure a device: its ceilings, the share of them that each kernel reaches, and the speed of training. Every result is
/// checked before it is timed.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  vae bench\n  vae bench --report my-gpu\n  vae bench --device cpu --quick\n  vae bench --filter 'train_step 784-500-20' --json -\n  vae train --dataset pictures --device cpu     # where that is the fastest device"
)]
pub(crate) struct Bench {
    /// auto, cpu, software, or an adapter's number or name (see 'vae devices')
    #[arg(long, value_name = "DEVICE", default_value = "auto", value_parser = super::settings::device)]
    device: DeviceChoice,
    /// Measure only what has all words of TEXT in its name, such as ceilings, kernels/adam, matmul/nt/128x500x784,
    /// convolution/nt or train_step/784-500-20-tanh/128
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    filter: String,
    /// Write the numbers as JSON to FILE, or to standard output for -
    #[arg(long, value_name = "FILE|-")]
    json: Option<PathBuf>,
    /// Run the self-test too, and write a report into FOLDER: a Markdown page and a JSON file, with the names of device,
    /// driver, processor and system
    #[arg(long, value_name = "FOLDER")]
    report: Option<PathBuf>,
    /// Fewer shapes and shorter measurements
    #[arg(long)]
    quick: bool,
}

impl Bench {
    pub(crate) fn run(self) -> Result<ExitCode> {
        output::check_json(self.json.as_deref())?;
        let about = About::new(self.command());
        let options = Options { filter: self.filter.clone(), quick: self.quick };
        let device = OpenDevice::open(&self.device)?;
        let bench = Benchmarks::new(device.clone(), options)?;
        if let Some(folder) = &self.report {
            report::check(folder)?;
        }
        let tables = self.json.as_deref() != Some(Path::new("-"));
        let show = |text: String| if tables { output::print(&text) } else { Ok(()) };
        let show_all = |sections: &[Section]| show(sections.iter().map(Section::text).collect());
        let terminal = std::io::stderr().is_terminal();
        let mut progress = |name: &str| {
            if terminal {
                // Replaced by the next one, and wiped before a table. A terminal that is gone is no problem.
                let _ = write!(std::io::stderr(), "\r\x1b[Kmeasuring {name}\r");
            }
        };
        let wipe = || {
            if terminal {
                let _ = write!(std::io::stderr(), "\r\x1b[K");
            }
        };
        // A table is shown as soon as it is complete.
        let description = bench.describe();
        let facts = tables::device(&description);
        show(facts.iter().map(|[name, value]| format!("{name:<10}{value}\n")).collect())?;
        let selftest = self.report.as_ref().map(|_| Selftest::of(&device)).transpose()?;
        if let Some(selftest) = &selftest {
            show(format!("selftest  {}\n", selftest.text()))?;
        }
        let mut ceilings = bench.ceilings(&mut progress)?;
        let first = ceilings.as_ref().map(tables::ceilings).unwrap_or_default();
        wipe();
        show_all(&first)?;
        let kernels = bench.kernels(ceilings.as_mut(), &mut progress)?;
        wipe();
        show_all(tables::kernels(&kernels).as_slice())?;
        let matmul = bench.matmul(ceilings.as_mut(), &mut progress)?;
        wipe();
        show_all(tables::products(&matmul).as_slice())?;
        let convolution = bench.convolutions(ceilings.as_mut(), &mut progress)?;
        wipe();
        show_all(tables::convolutions(&convolution).as_slice())?;
        let train_step = bench.training_steps(&mut progress)?;
        wipe();
        show_all(tables::steps(&train_step).as_slice())?;
        let last = ceilings.as_ref().map(tables::ceilings).unwrap_or_default();
        if last.iter().map(Section::text).ne(first.iter().map(Section::text)) {
            show("\nA row came above its ceiling, and the ceilings were measured again.\n".to_string())?;
            show_all(&last)?;
        }
        let mut report = Report { device: description, ceilings, kernels, matmul, convolution, train_step };
        report.settle();
        if let Some(path) = &self.json {
            output::write_json(&report, path)?;
        }
        let of_selftest = selftest.as_ref().map(|selftest| selftest.failures().to_vec()).unwrap_or_default();
        if let (Some(folder), Some(selftest)) = (&self.report, selftest) {
            let names = Record { about, selftest, report: &report }.write(folder)?;
            for name in names {
                output::say(&format!("wrote {}", folder.join(name).display()));
            }
        }
        let failures: Vec<&str> = of_selftest.iter().map(String::as_str).chain(report.failures()).collect();
        for failure in &failures {
            output::say(&format!("error: {failure}"));
        }
        Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// The command that asks for the same, without paths.
    fn command(&self) -> String {
        let mut command = format!("vae bench --device '{}'", self.device);
        if !self.filter.is_empty() {
            command += &format!(" --filter '{}'", self.filter);
        }
        if self.quick {
            command += " --quick";
        }
        if self.report.is_some() {
            command += " --report FOLDER";
        }
        command
    }
}
