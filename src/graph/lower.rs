//! From a graph to a plan: every node becomes dispatches, every value a buffer or a part of one.

use super::order::Changed;
use super::{Graph, GroupId, Node, Shape, Storage, ValueId};
use crate::kernels;
use crate::plan::fusion::{self, Values};
use crate::plan::{
    Access, Binding, Buffer, BufferId, Dispatch, Element, Grid, Name, Plan, Port, Program, Role,
    split_long_sums,
};
use crate::{Error, Result};
use std::collections::{BTreeMap, HashMap, HashSet};

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

/// Which part of the dataset a program gathers its minibatches from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The training images.
    Train,
    /// The held-out images.
    Test,
}

impl Source {
    fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
        }
    }
}

/// A program as a model asks for it: the operations that compute what is wanted from what is given.
#[derive(Clone, Debug)]
pub struct ProgramSpec {
    /// `train`, `evaluate`, `encode`, ..
    pub name: Name,
    /// Where minibatches come from, if the program gathers any.
    pub source: Option<Source>,
    /// Values that the host writes, or that an earlier program has left.
    pub given: Vec<ValueId>,
    /// Values to compute.
    pub wanted: Vec<ValueId>,
}

impl ProgramSpec {
    /// A program without a source.
    pub fn new(name: impl Into<Name>, given: &[ValueId], wanted: &[ValueId]) -> Self {
        Self { name: name.into(), source: None, given: given.to_vec(), wanted: wanted.to_vec() }
    }

    /// The same with minibatches from `source`.
    #[must_use]
    pub fn from_source(self, source: Source) -> Self {
        Self { source: Some(source), ..self }
    }
}

/// A plan in the making.
#[derive(Debug)]
pub(crate) struct Lowering<'a> {
    graph: &'a Graph,
    setting: Setting,
    buffers: Vec<Buffer>,
    buffer_of: HashMap<ValueId, BufferId>,
    /// Of the program that is lowered.
    source: Option<Source>,
    dispatches: Vec<Dispatch>,
}

/// Lower `graph` to a plan with these programs.
///
/// # Errors
/// [`Error::Internal`] for a program that wants what no operation computes, gathers images from nowhere, or reads a value
/// after an operation in place has changed it.
pub fn lower(graph: &Graph, programs: &[ProgramSpec], setting: Setting) -> Result<Plan> {
    lower_with(graph, programs, setting, &fusion::PASSES)
}

/// The same without fusion: a dispatch for each operation, as the graph has them.
///
/// # Errors
/// See [`lower`].
pub fn lower_unfused(graph: &Graph, programs: &[ProgramSpec], setting: Setting) -> Result<Plan> {
    lower_with(graph, programs, setting, &[])
}

fn lower_with(
    graph: &Graph,
    programs: &[ProgramSpec],
    setting: Setting,
    passes: &[fusion::Pass],
) -> Result<Plan> {
    let mut lowering = Lowering {
        graph,
        setting,
        buffers: Vec::new(),
        buffer_of: HashMap::new(),
        source: None,
        dispatches: Vec::new(),
    };
    lowering.add_flat_buffers();
    let mut plan = Plan::default();
    for program in programs {
        lowering.source = program.source;
        let mut changed = Changed::default();
        for node in needed(graph, program)? {
            changed.check(graph, node)?;
            let before = lowering.dispatches.len();
            node.operation.lower(node, &mut lowering)?;
            changed.note(graph, node, lowering.dispatches.len() > before);
        }
        let mut dispatches = std::mem::take(&mut lowering.dispatches);
        let given = lowering.ports(&program.given)?;
        let wanted = lowering.ports(&program.wanted)?;
        let kept: Vec<BufferId> = wanted.iter().map(|port| port.buffer).collect();
        for pass in passes {
            pass(&mut dispatches, &Values { buffers: &lowering.buffers, wanted: &kept });
        }
        split_long_sums(&mut dispatches, &mut lowering.buffers);
        // Programs share dispatches, and so pipelines.
        let numbers = dispatches
            .into_iter()
            .map(|dispatch| match plan.dispatches.iter().position(|known| *known == dispatch) {
                Some(number) => number,
                None => {
                    plan.dispatches.push(dispatch);
                    plan.dispatches.len() - 1
                }
            })
            .collect();
        plan.programs.push(Program { name: program.name.clone(), dispatches: numbers, given, wanted });
    }
    plan.buffers = lowering.buffers;
    plan.metrics = graph.metrics().to_vec();
    plan.numbers = graph.numbers().to_vec();
    plan.groups = graph.tensors.groups().into_iter().map(|(_, name)| name).collect();
    plan.drop_unused_buffers();
    plan.name_kernels();
    plan.validate()?;
    Ok(plan)
}

/// The nodes that compute what `program` wants from what it is given, in order.
fn needed<'a>(graph: &'a Graph, program: &ProgramSpec) -> Result<Vec<&'a Node>> {
    let given: HashSet<ValueId> = program.given.iter().copied().collect();
    let mut wanted: HashSet<ValueId> = program.wanted.iter().copied().collect();
    let mut computed: HashSet<ValueId> = given.clone();
    let mut nodes = Vec::new();
    for node in graph.nodes.iter().rev() {
        if node.outputs.iter().any(|output| wanted.contains(output)) {
            wanted.extend(node.inputs.iter().filter(|input| !given.contains(input)));
            computed.extend(&node.outputs);
            nodes.push(node);
        }
    }
    let missing = wanted.iter().find(|value| {
        !computed.contains(value) && matches!(graph.value(**value).storage, Storage::Own | Storage::Alias(_))
    });
    if let Some(missing) = missing {
        let name = &graph.value(*missing).name;
        let problem =
            format!("program '{}' needs '{name}', which it is not given and cannot compute", program.name);
        return Err(Error::Internal(problem));
    }
    nodes.reverse();
    Ok(nodes)
}

impl Lowering<'_> {
    fn add_flat_buffers(&mut self) {
        let parameters = self.graph.tensors.length();
        for (name, role) in [
            ("parameters", Role::Parameter),
            ("gradients", Role::Gradient),
            ("moments.first", Role::Moment),
            ("moments.second", Role::Moment),
            ("averages", Role::Moment),
        ] {
            self.buffer(name, vec![parameters], parameters, Element::Real, role);
        }
        let (steps, columns) = (self.setting.max_steps, self.metric_columns());
        self.buffer("metrics", vec![steps, columns], columns * steps, Element::Real, Role::Metric);
    }

    /// Columns of the metrics.
    pub(crate) fn metric_columns(&self) -> usize {
        self.graph.metrics().len().max(1)
    }

    /// The buffer called `name`. The first call for a name adds the buffer to the plan.
    pub(crate) fn buffer(
        &mut self,
        name: &str,
        shape: Vec<usize>,
        length: usize,
        element: Element,
        role: Role,
    ) -> BufferId {
        if let Some(index) = self.buffers.iter().position(|buffer| buffer.name == name) {
            return BufferId(index);
        }
        self.buffers.push(Buffer { name: name.into(), shape, length: length.max(4), element, role });
        BufferId(self.buffers.len() - 1)
    }

    /// The column called `name` of the program's source and the indices of its minibatches, for minibatches of `shape`.
    ///
    /// # Errors
    /// [`Error::Internal`] if the program has no source; [`Error::Shape`] if the column is gathered with another type or
    /// shape too.
    pub(crate) fn dataset(&mut self, name: &str, element: Element, shape: Shape) -> Result<[BufferId; 2]> {
        let source = self
            .source
            .ok_or_else(|| Error::Internal(format!("a program gathers '{name}', but has no source")))?;
        let Setting { train_images, test_images, max_steps, streamed } = self.setting;
        let items = match source {
            _ if streamed => max_steps * shape.rows,
            Source::Train => train_images,
            Source::Test => test_images,
        };
        let length = match element {
            Element::Bytes => items * shape.stride() / 4,
            Element::Real | Element::Word => items * shape.stride(),
        };
        let dimensions = vec![items, shape.columns];
        let buffer_name = format!("dataset.{}.{name}", source.name());
        let column = self.buffer(&buffer_name, dimensions.clone(), length, element, Role::Dataset);
        let found = &self.buffers[column.0];
        if (found.element, &found.shape) != (element, &dimensions) {
            let problem = "the model reads this column with two types or shapes";
            return Err(Error::shape(format!("column '{name}'"), problem));
        }
        let count = max_steps * shape.rows;
        let indices = self.buffer("indices", vec![max_steps, shape.rows], count, Element::Word, Role::Input);
        Ok([column, indices])
    }

    pub(crate) fn shape(&self, value: ValueId) -> Shape {
        self.graph.shape(value)
    }

    /// Whether the program gathers training images.
    pub(crate) fn trains(&self) -> bool {
        matches!(self.source, Some(Source::Train))
    }

    pub(crate) fn streamed(&self) -> bool {
        self.setting.streamed
    }

    /// A whole buffer as a binding, without variable and access.
    pub(crate) fn bind_buffer(&self, buffer: BufferId) -> Binding {
        self.binding(buffer, 0, self.buffers[buffer.0].length)
    }

    /// The elements of a group of parameters in one of the flat buffers.
    pub(crate) fn bind_group(&self, name: &str, group: GroupId) -> Result<Binding> {
        let range = self.graph.tensors.group_range(group);
        Ok(self.binding(self.named(name)?, range.start, range.len()))
    }

    fn named(&self, name: &str) -> Result<BufferId> {
        let found = self.buffers.iter().position(|buffer| buffer.name == name);
        found.map(BufferId).ok_or_else(|| Error::Internal(format!("the plan has no buffer '{name}'")))
    }

    fn binding(&self, buffer: BufferId, offset: usize, length: usize) -> Binding {
        Binding { variable: String::new(), buffer, offset, length, access: Access::Read }
    }

    /// Where a value lies.
    pub(crate) fn bind(&mut self, id: ValueId) -> Result<Binding> {
        let root = self.graph.root(id);
        let value = self.graph.value(root).clone();
        let length = value.shape.length();
        Ok(match value.storage {
            Storage::Parameter(block) => {
                let offset = self.graph.tensors.range(block).start;
                self.binding(self.named("parameters")?, offset, length)
            }
            Storage::Gradient(block) => {
                let offset = self.graph.tensors.range(block).start;
                self.binding(self.named("gradients")?, offset, length)
            }
            Storage::Group(group) => self.bind_group("parameters", group)?,
            Storage::Metric(_) => self.bind_buffer(self.named("metrics")?),
            Storage::State(_) => {
                let shape = value.shape.dimensions();
                let buffer = self.buffer(&value.name, shape, length, Element::Real, Role::State);
                self.binding(buffer, 0, length)
            }
            Storage::Own | Storage::Alias(_) => {
                let buffer = match self.buffer_of.get(&root) {
                    Some(&buffer) => buffer,
                    None => {
                        let shape = value.shape.dimensions();
                        let buffer = self.buffer(&value.name, shape, length, Element::Real, Role::Activation);
                        self.buffer_of.insert(root, buffer);
                        buffer
                    }
                };
                self.binding(buffer, 0, length)
            }
        })
    }

    /// A port for each of `values` that has its own buffer.
    fn ports(&mut self, values: &[ValueId]) -> Result<Vec<Port>> {
        let mut ports = Vec::new();
        for &id in values {
            let root = self.graph.root(id);
            if self.graph.value(root).storage != Storage::Own {
                continue;
            }
            let (name, shape) = (self.graph.value(id).name.clone(), self.graph.shape(id));
            ports.push(Port {
                name,
                buffer: self.bind(id)?.buffer,
                shape: [shape.rows, shape.sections, shape.columns],
                strides: [shape.stride(), shape.section_stride()],
            });
        }
        Ok(ports)
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
    ) -> Result<()> {
        let mut bindings = Vec::new();
        for &(variable, value) in values {
            bindings.push((variable, self.bind(value)?));
        }
        self.add(node.label.clone(), kernel, constants, &bindings, grid, flops)
    }

    /// Append a dispatch. Bindings that the kernel does not declare are left out.
    ///
    /// # Errors
    /// [`Error::Internal`] if `bindings` lack what the kernel declares, or `constants` are not those it declares.
    pub(crate) fn add(
        &mut self,
        label: String,
        kernel: &'static str,
        constants: BTreeMap<&'static str, f64>,
        bindings: &[(&str, Binding)],
        grid: Grid,
        flops: usize,
    ) -> Result<()> {
        let description = kernels::kernel(kernel);
        let bindings: Vec<Binding> = description
            .storage()
            .map(|(variable, access)| match bindings.iter().find(|(name, _)| *name == variable.name) {
                Some((_, binding)) => {
                    Ok(Binding { variable: variable.name.clone(), access, ..binding.clone() })
                }
                None => {
                    let problem = format!("{label}: nothing is bound to {kernel}.{}", variable.name);
                    Err(Error::Internal(problem))
                }
            })
            .collect::<Result<_>>()?;
        let bytes = bindings.iter().map(|binding| binding.length as u64 * 4).sum();
        let grid = grid.workgroups(description);
        let constants = constants.into_iter().map(|(name, value)| (Name::from(name), value)).collect();
        let kernel = Name::from(kernel);
        self.dispatches.push(Dispatch {
            label,
            kernel,
            constants,
            bindings,
            grid,
            flops: flops as u64,
            bytes,
        });
        Ok(())
    }
}
