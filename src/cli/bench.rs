//! `vae bench`.

use super::output;
use clap::Args;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use vae::Result;
use vae::bench::{Bench as Benchmarks, Ceilings, DeviceDescription, KernelRow, MatmulRow, Options, Report};
use vae::bench::{Spread, StepRow};
use vae::device::{DeviceChoice, OpenDevice};
use vae::text::{human_bytes, table, thousands};

/// Measure a device: its ceilings, the share of them that each kernel reaches, and the speed of training. Every result is
/// checked before it is timed.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  vae bench\n  vae bench --device cpu --quick\n  vae bench --filter 'train_step 784-500-20' --json -"
)]
pub(crate) struct Bench {
    /// auto, cpu, software, or an adapter's number or name (see 'vae devices')
    #[arg(long, value_name = "DEVICE", default_value = "auto", value_parser = super::settings::device)]
    device: DeviceChoice,
    /// Measure only what has all words of TEXT in its name, such as ceilings, kernels/adam, matmul/nt/128x500x784 or
    /// train_step/784-500-20-tanh/128
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    filter: String,
    /// Write the numbers as JSON to FILE, or to standard output for -
    #[arg(long, value_name = "FILE|-")]
    json: Option<PathBuf>,
    /// Fewer shapes and shorter measurements
    #[arg(long)]
    quick: bool,
}

impl Bench {
    pub(crate) fn run(self) -> Result<ExitCode> {
        output::check_json(self.json.as_deref())?;
        let options = Options { filter: self.filter.clone(), quick: self.quick };
        let bench = Benchmarks::new(OpenDevice::open(&self.device)?, options)?;
        let tables = self.json.as_deref() != Some(Path::new("-"));
        let show = |text: String| if tables { output::print(&text) } else { Ok(()) };
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
        let device = bench.describe();
        show(device_text(&device))?;
        let ceilings = bench.ceilings(&mut progress)?;
        wipe();
        show(ceilings.as_ref().map(ceilings_text).unwrap_or_default())?;
        let kernels = bench.kernels(ceilings.as_ref(), &mut progress)?;
        wipe();
        show(kernels_text(&kernels))?;
        let matmul = bench.matmul(ceilings.as_ref(), &mut progress)?;
        wipe();
        show(matmul_text(&matmul))?;
        let train_step = bench.training_steps(&mut progress)?;
        wipe();
        show(steps_text(&train_step))?;
        let report = Report { device, ceilings, kernels, matmul, train_step };
        if let Some(path) = &self.json {
            output::write_json(&report, path)?;
        }
        let failures: Vec<&str> = report.failures().collect();
        for failure in &failures {
            output::say(&format!("error: {failure}"));
        }
        Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn device_text(device: &DeviceDescription) -> String {
    let mut text = format!("device    {}, {}", device.name, device.kind);
    if !device.driver.is_empty() {
        text += &format!("\ndriver    {}, {}", device.backend, device.driver);
        let [least, most] = device.subgroup_size;
        let subgroups = if least == most { least.to_string() } else { format!("{least} to {most}") };
        let features = device.features.join(", ");
        text += &format!(
            "\nfeatures  {features}{}subgroups of {subgroups}",
            if features.is_empty() { "" } else { ", " }
        );
    }
    text + &format!("\ntiming    kernels by {}, training steps by wall clock\n", device.timing)
}

fn ceilings_text(ceilings: &Ceilings) -> String {
    format!(
        "\nCeilings\n\n\
         multiply-add       {:>10} GFLOP/s  ({})\n\
         copy               {:>10} GB/s     (read and written, {} to {})\n\
         dispatch           {:>10.2} us       (one more in a submit, after the one before)\n\
         submit             {:>10.1} us       (until the host knows that it is done)\n",
        figures(ceilings.gflops),
        ceilings.gflops_of,
        figures(ceilings.gigabytes_per_second),
        human_bytes(ceilings.copied_bytes),
        human_bytes(ceilings.copied_bytes),
        ceilings.dispatch_microseconds,
        ceilings.submit_microseconds,
    )
}

/// Three figures or more.
fn figures(value: f64) -> String {
    match value {
        v if v >= 1000.0 => thousands(v.round() as usize),
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

/// The median and the quartiles, in one unit.
fn time(time: Option<Spread>) -> [String; 2] {
    let Some(spread) = time else { return ["-".into(), String::new()] };
    let (factor, unit) = if spread.ms < 1.0 { (1e3, "us") } else { (1.0, "ms") };
    let [low, high] = [spread.ms_low, spread.ms_high].map(|ms| figures(ms * factor));
    [format!("{} {unit}", figures(spread.ms * factor)), format!("{low} .. {high}")]
}

fn rate(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), figures)
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".into(), |share| format!("{:.0}%", 100.0 * share))
}

fn kernels_text(rows: &[KernelRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let lines: Vec<[String; 8]> = rows
        .iter()
        .map(|row| {
            let [median, quartiles] = time(row.time);
            [
                row.kernel.clone(),
                row.label.clone(),
                median,
                quartiles,
                rate(row.gflops),
                rate(row.gigabytes_per_second),
                percent(row.share),
                if row.problem.is_some() { "WRONG" } else { row.ceiling.unwrap_or("") }.to_string(),
            ]
        })
        .collect();
    let head = ["kernel", "computes", ">time", ">quartiles", ">GFLOP/s", ">GB/s", ">of ceiling", ""];
    format!(
        "\nKernels: a whole training step of 784-500-20-tanh at batch 128, then those that other models use.\n\
         The share is of the nearer ceiling; operands in a cache can exceed that of memory.\n\n{}",
        table(head, &lines)
    )
}

fn matmul_text(rows: &[MatmulRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let lines: Vec<[String; 8]> = rows
        .iter()
        .map(|row| {
            let [median, quartiles] = time(row.time);
            let chosen = if row.chosen { "*" } else { "" };
            [
                row.layout.name().to_string(),
                row.window.clone().unwrap_or_else(|| format!("{}x{}x{}", row.m, row.n, row.k)),
                format!("{}{chosen}", row.variant),
                median,
                quartiles,
                rate(row.gflops),
                percent(row.share),
                match (&row.problem, &row.skipped) {
                    (Some(_), _) => "WRONG".to_string(),
                    (_, Some(reason)) => format!("skipped: {reason}"),
                    _ => String::new(),
                },
            ]
        })
        .collect();
    let head = ["layout", ">m x n x k", "variant", ">time", ">quartiles", ">GFLOP/s", ">of ceiling", ""];
    format!(
        "\nMatrix products, and convolutions (items x small maps - large maps - window), in all variants (* is what a plan \
         uses here)\n\n{}",
        table(head, &lines)
    )
}

fn steps_text(rows: &[StepRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let lines: Vec<[String; 7]> = rows
        .iter()
        .map(|row| {
            let [median, quartiles] = time(row.time);
            let speed = row.images_per_second.map(|speed| thousands(speed.round() as usize));
            [
                row.model.clone(),
                row.batch.to_string(),
                speed.unwrap_or_else(|| "WRONG".into()),
                median,
                quartiles,
                row.dispatches.to_string(),
                human_bytes(row.device_bytes),
            ]
        })
        .collect();
    let head = ["model", ">batch", ">images/s", ">step", ">quartiles", ">dispatches", ">device memory"];
    format!(
        "\nTraining steps (Adam, dynamic binarisation; memory without the images)\n\n{}",
        table(head, &lines)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_few() {
        assert_eq!([0.5, 12.34, 345.6, 12_345.6].map(figures), ["0.50", "12.3", "346", "12,346"]);
        let spread = Spread { ms: 0.5, ms_low: 0.25, ms_high: 2.0, samples: 3 };
        assert_eq!(time(Some(spread)), ["500 us", "250 .. 2,000"].map(String::from));
        assert_eq!(time(None)[0], "-");
    }
}
