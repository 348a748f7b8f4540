//! `vae devices`.

use super::output;
use clap::Args;
use serde::Serialize;
use std::path::Path;
use std::process::ExitCode;
use vae::Result;
use vae::device::{Chosen, automatic};
use vae::gpu::{AdapterInfo, adapters};
use vae::text::{human_bytes, table, thousands};

#[derive(Debug, Args)]
#[command(after_help = "\
--device takes a number of this list, a part of a name, or cpu. Sizes are the largest buffer an adapter has, \
and the largest part of one that a kernel can see: larger datasets are streamed.

Examples:
  vae devices
  vae devices --json
  vae train --dataset pictures --device 1")]
pub(crate) struct Devices {
    /// Write the list as JSON to standard output
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct List {
    /// What `--device auto` means: an adapter's index, or `cpu`.
    auto: String,
    adapters: Vec<AdapterInfo>,
    cpu_threads: usize,
}

impl Devices {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let adapters = adapters()?;
        let auto = match automatic(&adapters) {
            Chosen::Gpu(index, _) => index.to_string(),
            Chosen::Cpu => "cpu".to_string(),
        };
        let list = List { auto, adapters, cpu_threads: rayon::current_num_threads() };
        if self.json {
            output::write_json(&list, Path::new("-"))?;
        } else {
            output::print(&list.text())?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl List {
    fn text(&self) -> String {
        let mark = |name: &str| if self.auto == name { "auto" } else { "" }.to_string();
        let mut rows: Vec<[String; 8]> = self
            .adapters
            .iter()
            .map(|info| {
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
        for info in &self.adapters {
            if let Some(reason) = &info.unusable {
                text += &format!("{}: cannot be used: {reason}\n", info.index);
                continue;
            }
            let [least, most] = info.subgroup_size;
            let subgroups = if least == most { least.to_string() } else { format!("{least} to {most}") };
            let uses = [("timestamps", info.timestamps), ("pipeline cache", info.pipeline_cache)];
            let uses: Vec<&str> = uses.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect();
            let same = info.same_as.map(|first| format!("; the same device as {first}")).unwrap_or_default();
            text += &format!(
                "{}: subgroups of {subgroups}, {} of workgroup memory; uses {}{same}\n",
                info.index,
                human_bytes(info.limits.max_compute_workgroup_storage_size.into()),
                if uses.is_empty() { "no optional feature".to_string() } else { uses.join(", ") },
            );
        }
        text
    }
}
