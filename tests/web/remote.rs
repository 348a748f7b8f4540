//! A runtime of a page as an executor: commands travel to `remote.js`, many in one message, and arrays come back.

use crate::server::{Line, Server};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use vae::kernels::{self, VariableKind};
use vae::plan::{Access, BufferId, Executor, MetricRows, Plan, Role, Step};
use vae::{Error, Result};

/// How long a page may take to load, and to answer one message. Software adapters compile for long.
const PATIENCE: Duration = Duration::from_secs(200);

/// A message of more words than this is sent before a reader waits.
const MANY_WORDS: usize = 1 << 22;

/// A page that lends its runtime.
pub(crate) struct Remote {
    line: Line,
    name: String,
}

impl Remote {
    /// The page that serves line `name`. Open `Remote::path(name, kind)` in a browser.
    pub(crate) fn new(server: &Server, name: &str) -> Self {
        Self { line: server.line(name), name: name.into() }
    }

    /// The path of the page that serves line `name` with a runtime of `kind`: webgpu, wasm or javascript.
    pub(crate) fn path(name: &str, kind: &str) -> String {
        format!("/tests/web/remote.html?{name},{kind}")
    }

    /// Send commands with the words of their arrays; the answer's header and words.
    fn call(&self, commands: &[Value], words: &[u32]) -> Result<(Value, Vec<u32>)> {
        let mut header = json!({ "commands": commands }).to_string();
        while !header.len().is_multiple_of(4) {
            header.push(' ');
        }
        let mut message = (header.len() as u32).to_le_bytes().to_vec();
        message.extend(header.as_bytes());
        message.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        self.line.send(message);
        let answer = self.line.answer(PATIENCE).ok_or_else(|| self.problem("does not answer"))?;
        let word = |bytes: &[u8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let (header, words) = answer[4..].split_at(word(&answer) as usize);
        let header: Value = serde_json::from_slice(header).unwrap();
        match header["error"].as_str() {
            Some(error) => Err(self.problem(error)),
            None => Ok((header, words.chunks_exact(4).map(word).collect())),
        }
    }

    fn problem(&self, problem: &str) -> Error {
        Error::Device { device: self.name.clone(), problem: problem.into(), hint: String::new() }
    }

    /// Those of all kernels that the runtime lacks.
    pub(crate) fn missing(&self) -> Vec<String> {
        let names: Vec<&String> = kernels::all().map(|kernel| &kernel.name).collect();
        let (header, _) = self.call(&[json!({"op": "missing", "kernels": names})], &[]).unwrap();
        serde_json::from_value(header["missing"].clone()).unwrap()
    }

    /// `plan` on the page.
    pub(crate) fn executor(&self, plan: &Plan, max_steps: usize) -> Result<RemoteExecutor<'_>> {
        let open = json!({"op": "open", "plan": plan, "manifest": manifest(plan)});
        let (header, _) = self.call(&[open], &[])?;
        Ok(RemoteExecutor {
            remote: self,
            name: header["name"].as_str().unwrap_or_default().into(),
            plan: plan.clone(),
            max_steps,
            commands: Vec::new(),
            words: Vec::new(),
            wanted: Vec::new(),
            known: BTreeMap::new(),
            metrics: VecDeque::new(),
        })
    }
}

/// What a runtime needs of a bundle's manifest beside the plan.
fn manifest(plan: &Plan) -> Value {
    let (mut modules, mut list) = (Map::new(), Map::new());
    for name in plan.dispatches.iter().map(|dispatch| &dispatch.kernel).collect::<BTreeSet<_>>() {
        let kernel = kernels::kernel(name);
        modules.insert(kernel.file.into(), kernels::source(kernel.file).into());
        let bindings: Map<String, Value> =
            kernel.storage().map(|(variable, _)| (variable.name.clone(), variable.binding.into())).collect();
        let step = kernel.variables.iter().any(|variable| variable.kind == VariableKind::Step);
        let part = json!({
            "file": kernel.file, "entry": kernel.entry, "imports": [], "step": step, "bindings": bindings,
        });
        list.insert(name.to_string(), part);
    }
    json!({"step": {"size": size_of::<Step>()}, "modules": modules, "kernels": list})
}

/// A range of a buffer: buffer, first element, elements.
type Range = (BufferId, usize, usize);

/// A plan on a page.
///
/// What a program writes is fetched with its submit, in the same message: a reader who asks for it does not wait again.
pub(crate) struct RemoteExecutor<'a> {
    remote: &'a Remote,
    name: String,
    plan: Plan,
    max_steps: usize,
    /// The message in the making.
    commands: Vec<Value>,
    words: Vec<u32>,
    /// What its answer will hold: ranges, or the metrics of a submit.
    wanted: Vec<(Range, bool)>,
    /// Ranges that were not written since they were fetched.
    known: BTreeMap<Range, Vec<u32>>,
    metrics: VecDeque<MetricRows>,
}

impl RemoteExecutor<'_> {
    fn want(&mut self, range: Range, metrics: bool) {
        let (buffer, offset, length) = range;
        self.commands.push(json!({"op": "read", "buffer": buffer, "offset": offset, "length": length}));
        self.wanted.push((range, metrics));
    }

    /// Forget what was fetched of the memory of `buffer`.
    fn forget(&mut self, buffer: BufferId) {
        let block = self.plan.block(buffer);
        self.known.retain(|(known, ..), _| self.plan.block(*known) != block);
    }

    fn flush(&mut self) -> Result<()> {
        if self.commands.is_empty() {
            return Ok(());
        }
        let (_, words) =
            self.remote.call(&std::mem::take(&mut self.commands), &std::mem::take(&mut self.words))?;
        let mut words = words.as_slice();
        for (range, metrics) in std::mem::take(&mut self.wanted) {
            let (own, rest) = words.split_at(range.2);
            words = rest;
            if metrics {
                let values = own.iter().map(|word| f32::from_bits(*word)).collect();
                self.metrics.push_back(MetricRows { columns: self.plan.metrics.len(), values });
            } else {
                self.known.insert(range, own.to_vec());
            }
        }
        Ok(())
    }
}

impl Executor for RemoteExecutor<'_> {
    fn device_name(&self) -> String {
        self.name.clone()
    }

    fn max_steps(&self) -> usize {
        self.max_steps
    }

    fn write(&mut self, buffer: BufferId, offset: usize, words: &[u32]) -> Result<()> {
        self.forget(buffer);
        let length = words.len();
        self.commands.push(json!({"op": "write", "buffer": buffer, "offset": offset, "length": length}));
        self.words.extend(words);
        Ok(())
    }

    fn read(&mut self, buffer: BufferId, offset: usize, length: usize) -> Result<Vec<u32>> {
        let range = (buffer, offset, length);
        self.flush()?;
        if !self.known.contains_key(&range) {
            self.want(range, false);
            self.flush()?;
        }
        Ok(self.known[&range].clone())
    }

    fn submit(&mut self, name: &str, steps: &[Step]) -> Result<()> {
        let program = self.plan.program(name).unwrap().clone();
        let bindings =
            program.dispatches.iter().flat_map(|index| self.plan.dispatches[*index].bindings.clone());
        let written: Vec<_> = bindings.filter(|binding| binding.access == Access::ReadWrite).collect();
        for binding in &written {
            self.forget(binding.buffer);
        }
        let words: &[u32] = bytemuck::cast_slice(steps);
        self.commands.push(json!({"op": "submit", "program": name, "length": words.len()}));
        self.words.extend(words);
        match self.plan.buffers.iter().position(|buffer| buffer.role == Role::Metric) {
            Some(metrics) => {
                let length = steps.len() * self.plan.metrics.len();
                self.want((BufferId(metrics), 0, length), true);
            }
            None => {
                for binding in written {
                    self.want((binding.buffer, 0, binding.length), false);
                }
            }
        }
        if self.words.len() > MANY_WORDS {
            self.flush()?;
        }
        Ok(())
    }

    fn receive(&mut self, _pending: usize) -> Result<Vec<MetricRows>> {
        self.flush()?;
        Ok(self.metrics.drain(..).collect())
    }
}
