//! `vae devices`.

use super::output;
use clap::Args;
use serde::Serialize;
use std::path::Path;
use std::process::ExitCode;
use vae::Result;
use vae::device::{Outcome, Overview, overview};
use vae::gpu::AdapterInfo;
use vae::text::{human_bytes, table, thousands};

#[derive(Debug, Args)]
#[command(after_help = "\
--device takes a number of this list, a part of a name, or cpu. Each adapter is checked once, by four kernels with \
known answers, and again after it has failed; auto takes the first GPU that passes. Sizes are the largest buffer an adapter has, \
and the largest part of one that a kernel can see: larger datasets are streamed.

Examples:
  vae devices
  vae devices --json
  vae train --dataset pictures --device 1")]
pub(crate) struct Devices {
    /// Write the list as JSON to standard output
    #[arg(long)]
    json: bool,
    /// Open GL too, and list its adapters after the others. Some of its drivers end the process that opens them
    #[arg(long)]
    gl: bool,
}

/// An adapter and how it fared in the check.
#[derive(Debug, Serialize)]
struct Adapter {
    #[serde(flatten)]
    info: AdapterInfo,
    check: Option<Outcome>,
}

#[derive(Debug, Serialize)]
struct List {
    /// What `--device auto` means: an adapter's index, or `cpu`.
    auto: String,
    adapters: Vec<Adapter>,
    cpu_threads: usize,
    /// What else there is to know, a line each.
    notes: Vec<String>,
}

impl Devices {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let list = List::of(overview(self.gl));
        if self.json {
            output::write_json(&list, Path::new("-"))?;
        } else {
            output::print(&list.text())?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl List {
    fn of(Overview { listing, outcomes, auto, missing }: Overview) -> Self {
        let mut notes = listing.problems;
        if !listing.gl {
            notes.push(
                "GL was not opened: vae devices --gl lists its adapters, --device gl:NAME takes one".into(),
            );
        }
        notes.extend(missing);
        let adapters =
            listing.adapters.into_iter().zip(outcomes).map(|(info, check)| Adapter { info, check });
        Self {
            auto: auto.map_or("cpu".to_string(), |index| index.to_string()),
            adapters: adapters.collect(),
            cpu_threads: rayon::current_num_threads(),
            notes,
        }
    }

    fn text(&self) -> String {
        let mark = |name: &str| if self.auto == name { "auto" } else { "" }.to_string();
        let mut rows: Vec<[String; 8]> = self
            .adapters
            .iter()
            .map(|Adapter { info, .. }| {
                let index = info.index.to_string();
                let limits = &info.limits;
                [
                    index.clone(),
                    mark(&index),
                    info.name.clone(),
                    info.backend.clone(),
                    info.kind.to_string(),
                    info.driver.clone(),
                    human_bytes(limits.max_buffer_size),
                    human_bytes(limits.max_storage_buffer_binding_size),
                ]
            })
            .collect();
        let threads = format!("{} threads", thousands(self.cpu_threads));
        rows.push([
            "cpu".into(),
            mark("cpu"),
            threads,
            String::new(),
            "processor".into(),
            String::new(),
            String::new(),
            String::new(),
        ]);
        let head = ["--device", "", "name", "backend", "kind", "driver", ">buffer", ">binding"];
        let mut text = table(head, &rows);
        for Adapter { info, check } in &self.adapters {
            if let Some(reason) = &info.unusable {
                text += &format!("{}: cannot be used: {reason}\n", info.index);
                continue;
            }
            let [least, most] = info.subgroup_size;
            let subgroups = if least == most { least.to_string() } else { format!("{least} to {most}") };
            let uses = [("timestamps", info.timestamps), ("pipeline cache", info.pipeline_cache)];
            let uses: Vec<&str> = uses.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect();
            let same = info.same_as.map(|first| format!("; the same device as {first}")).unwrap_or_default();
            let check = match check {
                Some(Outcome::Passed) => "passed the start-up check".to_string(),
                Some(Outcome::Failed(problem)) => format!("FAILED the start-up check: {problem}"),
                Some(Outcome::Unknown(problem)) => format!("not checked: {problem}"),
                None => String::new(),
            };
            text += &format!(
                "{}: {check}; subgroups of {subgroups}, {} of workgroup memory; uses {}{same}\n",
                info.index,
                human_bytes(info.limits.max_compute_workgroup_storage_size.into()),
                if uses.is_empty() { "no optional feature".to_string() } else { uses.join(", ") },
            );
        }
        for note in &self.notes {
            text += &format!("{note}\n");
        }
        text
    }
}
