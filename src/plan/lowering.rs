//! From a graph to a plan: every node becomes dispatches, every value a buffer or a part of one.

use super::fusion;
use super::{Access, Binding, Buffer, BufferId, Dispatch, Element, Plan, Program, Role};
use crate::graph::{Graph, Node, Shape, Stage, Storage, ValueId};
use crate::kernels::{self, Kernel};
use crate::train::Optimizer;
use std::collections::BTreeMap;

/// Most workgroups along one dimension that WebGPU guarantees.
const MOST_WORKGROUPS: u32 = 65_535;

/// Numbers for a kernel's `override` constants, by name.
macro_rules! constants {
    ($($name:ident: $value:expr),* $(,)?) => {
        std::collections::BTreeMap::from([$((stringify!($name), $crate::plan::Constant::from($value).0)),*])
    };
}
pub(crate) use constants;

/// A number on its way to an `override` constant: counts, flags and floats all travel as `f64`.
pub(crate) struct Constant(pub(crate) f64);

impl From<usize> for Constant {
    fn from(value: usize) -> Self {
        Self(value as f64)
    }
}
impl From<u32> for Constant {
    fn from(value: u32) -> Self {
        Self(f64::from(value))
    }
}
impl From<i32> for Constant {
    fn from(value: i32) -> Self {
        Self(f64::from(value))
    }
}
impl From<bool> for Constant {
    fn from(value: bool) -> Self {
        Self(f64::from(u8::from(value)))
    }
}
impl From<f64> for Constant {
    fn from(value: f64) -> Self {
        Self(value)
    }
}

/// How many invocations a kernel needs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Grid {
    /// One for each of so many elements, in workgroups of one dimension.
    Elements(usize),
    /// One for each tile of `TILE_ROWS` rows by `TILE_COLUMNS` vec4 columns.
    Tiles { rows: usize, columns: usize },
    /// The same, where a workgroup has one such tile, so many times over.
    WorkgroupTiles { rows: usize, columns: usize, parts: usize },
    /// So many workgroups.
    Workgroups(usize),
}

impl Grid {
    pub(crate) fn workgroups(self, kernel: &Kernel) -> [u32; 3] {
        let [x, y, _] = kernel.workgroup_size;
        match self {
            Self::Elements(count) => fold(count.div_ceil(x as usize)),
            Self::Workgroups(count) => fold(count),
            Self::Tiles { rows, columns } => [
                (columns as u32).div_ceil(x * kernel.constant("TILE_COLUMNS")),
                (rows as u32).div_ceil(y * kernel.constant("TILE_ROWS")),
                1,
            ],
            Self::WorkgroupTiles { rows, columns, parts } => [
                (columns as u32).div_ceil(kernel.constant("TILE_COLUMNS")),
                (rows as u32).div_ceil(kernel.constant("TILE_ROWS")),
                parts as u32,
            ],
        }
    }
}

/// So many workgroups, in two dimensions where one does not take them. The last row may be partly idle.
fn fold(count: usize) -> [u32; 3] {
    let rows = count.div_ceil(MOST_WORKGROUPS as usize).max(1);
    [count.div_ceil(rows).max(1) as u32, rows as u32, 1]
}

/// Sizes that the graph does not know.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Training images on the device.
    pub train_images: usize,
    /// Held-out images on the device.
    pub test_images: usize,
    /// Most steps in one submit: rows of `metrics`.
    pub max_steps: usize,
    /// The dataset buffers hold the minibatches of one submit, in order, and not the whole dataset.
    pub streamed: bool,
}

/// A plan in the making.
#[derive(Debug)]
pub(crate) struct Lowering<'a> {
    graph: &'a Graph,
    setting: Setting,
    buffers: Vec<Buffer>,
    buffer_of: BTreeMap<ValueId, usize>,
    dispatches: Vec<(Stage, Dispatch)>,
}

/// Lower `graph` to a plan with the named `programs`, each a choice of stages. With an `optimizer` the stage
/// [`Stage::Update`] is there too.
pub fn lower(
    graph: &Graph,
    optimizer: Option<&Optimizer>,
    programs: &[(&'static str, &[Stage])],
    setting: Setting,
) -> Plan {
    lower_with(graph, optimizer, programs, setting, &fusion::PASSES)
}

/// The same without fusion: a dispatch for each operation, as the graph has them.
pub fn lower_unfused(
    graph: &Graph,
    optimizer: Option<&Optimizer>,
    programs: &[(&'static str, &[Stage])],
    setting: Setting,
) -> Plan {
    lower_with(graph, optimizer, programs, setting, &[])
}

fn lower_with(
    graph: &Graph,
    optimizer: Option<&Optimizer>,
    programs: &[(&'static str, &[Stage])],
    setting: Setting,
    passes: &[(&str, fusion::Pass)],
) -> Plan {
    let mut lowering =
        Lowering { graph, setting, buffers: Vec::new(), buffer_of: BTreeMap::new(), dispatches: Vec::new() };
    lowering.add_fixed_buffers();
    for node in &graph.nodes {
        node.operation.lower(node, &mut lowering);
    }
    for term in &graph.terms {
        let length = graph.shape(term.value).extent();
        let value = lowering.bind_value(term.value);
        let metrics = lowering.bind_buffer("metrics");
        lowering.add(
            Stage::Objective,
            format!("{} of the minibatch", graph.value(term.value).name),
            "sum_metric",
            constants! { LENGTH: length, SCALE: term.scale, TERM: term.column },
            &[("values", value), ("metrics", metrics)],
            Grid::Workgroups(1),
            length,
        );
    }
    if let Some(optimizer) = optimizer {
        optimizer.lower(&mut lowering);
    }
    assemble(lowering.buffers, &lowering.dispatches, programs, passes)
}

/// Choose each program's dispatches, fuse them, and keep every distinct dispatch once: programs share pipelines.
fn assemble(
    buffers: Vec<Buffer>,
    dispatches: &[(Stage, Dispatch)],
    programs: &[(&'static str, &[Stage])],
    passes: &[(&str, fusion::Pass)],
) -> Plan {
    let mut plan = Plan { buffers, ..Plan::default() };
    for &(name, stages) in programs {
        let mut chosen: Vec<Dispatch> = dispatches
            .iter()
            .filter(|(stage, _)| stages.contains(stage))
            .map(|(_, dispatch)| dispatch.clone())
            .collect();
        for (_, pass) in passes {
            pass(&mut chosen, &plan.buffers);
        }
        let numbers = chosen
            .into_iter()
            .map(|dispatch| match plan.dispatches.iter().position(|known| *known == dispatch) {
                Some(number) => number,
                None => {
                    plan.dispatches.push(dispatch);
                    plan.dispatches.len() - 1
                }
            })
            .collect();
        plan.programs.push(Program { name, dispatches: numbers });
    }
    plan.drop_unused_buffers();
    plan
}

impl Lowering<'_> {
    fn add_fixed_buffers(&mut self) {
        let parameters = self.graph.parameter_length();
        for (name, role) in [
            ("parameters", Role::Parameter),
            ("gradients", Role::Gradient),
            ("moments.first", Role::Moment),
            ("moments.second", Role::Moment),
        ] {
            self.buffer(name, vec![parameters], parameters, Element::Real, role);
        }
        self.buffer("gradient.norm", vec![1], 4, Element::Real, Role::Activation);
        let steps = self.setting.max_steps;
        self.buffer("metrics", vec![steps, 4], 4 * steps, Element::Real, Role::Metric);
        if let Some(images) = self.graph.values.iter().find(|value| value.name == "images") {
            let Shape { rows: batch, columns: pixels, .. } = images.shape;
            let words = images.shape.stride() / 4;
            for (name, count) in [("train", self.setting.train_images), ("test", self.setting.test_images)] {
                let count = if self.setting.streamed { steps * batch } else { count };
                let shape = vec![count, pixels];
                self.buffer(&format!("dataset.{name}"), shape, count * words, Element::Word, Role::Dataset);
            }
            self.buffer("indices", vec![steps, batch], steps * batch, Element::Word, Role::Input);
        }
    }

    pub(crate) fn buffer(
        &mut self,
        name: &str,
        shape: Vec<usize>,
        length: usize,
        element: Element,
        role: Role,
    ) -> usize {
        self.buffers.push(Buffer { name: name.into(), shape, length: length.max(4), element, role });
        self.buffers.len() - 1
    }

    pub(crate) fn shape(&self, value: ValueId) -> Shape {
        self.graph.shape(value)
    }

    pub(crate) fn parameter_length(&self) -> usize {
        self.graph.parameter_length()
    }

    pub(crate) fn streamed(&self) -> bool {
        self.setting.streamed
    }

    /// A whole buffer, by name, as a binding without variable and access.
    pub(crate) fn bind_buffer(&self, name: &str) -> Binding {
        let index = self.buffers.iter().position(|buffer| buffer.name == name).unwrap_or(0);
        self.binding(index, 0, self.buffers[index].length)
    }

    fn binding(&self, index: usize, offset: usize, length: usize) -> Binding {
        Binding { variable: String::new(), buffer: BufferId(index), offset, length, access: Access::Read }
    }

    fn bind_value(&mut self, id: ValueId) -> Binding {
        let value = self.graph.value(id);
        let length = value.shape.length();
        match value.storage {
            Storage::Parameters(offset) => Binding { offset, length, ..self.bind_buffer("parameters") },
            Storage::Gradients(offset) => Binding { offset, length, ..self.bind_buffer("gradients") },
            Storage::Own => {
                let index = match self.buffer_of.get(&id) {
                    Some(&index) => index,
                    None => {
                        let shape = value.shape.dimensions();
                        let name = value.name.clone();
                        let index = self.buffer(&name, shape, length, Element::Real, Role::Activation);
                        self.buffer_of.insert(id, index);
                        index
                    }
                };
                self.binding(index, 0, length)
            }
        }
    }

    /// Append a dispatch for `node` whose storage variables are all values of the graph.
    pub(crate) fn dispatch(
        &mut self,
        node: &Node,
        kernel: &'static str,
        constants: BTreeMap<&'static str, f64>,
        values: &[(&str, ValueId)],
        grid: Grid,
        flops: usize,
    ) {
        self.dispatch_named(node, kernel, constants, &[], values, grid, flops);
    }

    /// The same, with some variables bound to buffers given by name.
    #[allow(clippy::too_many_arguments, reason = "each is one field of the dispatch")]
    pub(crate) fn dispatch_named(
        &mut self,
        node: &Node,
        kernel: &'static str,
        constants: BTreeMap<&'static str, f64>,
        buffers: &[(&str, &str)],
        values: &[(&str, ValueId)],
        grid: Grid,
        flops: usize,
    ) {
        let mut bindings: Vec<(&str, Binding)> =
            buffers.iter().map(|&(variable, name)| (variable, self.bind_buffer(name))).collect();
        for &(variable, value) in values {
            bindings.push((variable, self.bind_value(value)));
        }
        self.add(node.stage, node.label.clone(), kernel, constants, &bindings, grid, flops);
    }

    /// Append a dispatch.
    ///
    /// # Panics
    /// If `bindings` or `constants` do not match what the kernel declares: a bug in the calling operation, which
    /// its tests show.
    #[allow(clippy::too_many_arguments, reason = "each is one field of the dispatch")]
    pub(crate) fn add(
        &mut self,
        stage: Stage,
        label: String,
        kernel: &'static str,
        constants: BTreeMap<&'static str, f64>,
        bindings: &[(&str, Binding)],
        grid: Grid,
        flops: usize,
    ) {
        let description = kernels::kernel(kernel);
        let bindings: Vec<Binding> = description
            .storage()
            .map(|(variable, access)| {
                let (_, binding) = bindings
                    .iter()
                    .find(|(name, _)| *name == variable.name)
                    .unwrap_or_else(|| panic!("{label}: nothing is bound to {kernel}.{}", variable.name));
                Binding { variable: variable.name.clone(), access, ..binding.clone() }
            })
            .collect();
        let mut given: Vec<&str> = constants.keys().copied().collect();
        let mut declared: Vec<&str> = description.overrides.iter().map(String::as_str).collect();
        given.sort_unstable();
        declared.sort_unstable();
        assert_eq!(given, declared, "{label}: constants given to {kernel}, and those it declares");
        let bytes = bindings.iter().map(|binding| binding.length as u64 * 4).sum();
        let grid = grid.workgroups(description);
        let dispatch = Dispatch { label, kernel, constants, bindings, grid, flops: flops as u64, bytes };
        self.dispatches.push((stage, dispatch));
    }
}

impl Plan {
    fn drop_unused_buffers(&mut self) {
        let mut used = vec![false; self.buffers.len()];
        for binding in self.dispatches.iter().flat_map(|dispatch| &dispatch.bindings) {
            used[binding.buffer.0] = true;
        }
        let mut next = 0;
        let renumbered: Vec<BufferId> = used
            .iter()
            .map(|&used| {
                next += usize::from(used);
                BufferId(next.saturating_sub(1))
            })
            .collect();
        let mut index = 0;
        self.buffers.retain(|_| {
            index += 1;
            used[index - 1]
        });
        for binding in self.dispatches.iter_mut().flat_map(|dispatch| &mut dispatch.bindings) {
            binding.buffer = renumbered[binding.buffer.0];
        }
    }
}
