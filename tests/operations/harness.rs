//! The harness: a small graph of one operation, its gradients, and the finite differences that these must equal.

use crate::values::{Place, Values, places, waves};
use vae::cpu::CpuExecutor;
use vae::graph::{Graph, Tensor};
use vae::graph::{
    GroupId, Loss, Mode, ProgramSpec, Setting, Shape, Target, Tensors, ValueId, lower, lower_unfused,
};
use vae::plan::{BufferId, Executor, Plan, Role, Step};
use vae::random::stream;

const SETTING: Setting = Setting { train_images: 1, test_images: 1, max_steps: 1, streamed: false };

/// Distance of finite differences: their error, of fourth order, is then below that of the additions.
const DISTANCE: f64 = 1e-3;
/// The most by which a gradient may differ from finite differences, relative to itself, and to the largest one.
const TOLERANCE: f64 = 1e-8;
const TOLERANCE_OF_LARGEST: f64 = 1e-9;

/// Finite differences against the gradients of a graph with one operation.
pub(crate) struct Check<'a> {
    operation: &'a str,
    shapes: &'a [Shape],
    rows: usize,
    numbers: Vec<(&'a str, f64)>,
    constant: Vec<usize>,
    unreached: Vec<usize>,
    separately: bool,
    contents: Box<dyn Fn(usize, usize, usize) -> f64 + 'a>,
}

/// What `build` makes of a graph: values of which the objective is a function, and losses.
struct Built {
    outputs: Vec<ValueId>,
    losses: Vec<Loss>,
}

/// The objective is the sum of all outputs, each multiplied by its seed: a pull-back has its gradient.
type Objective<'a> = Option<&'a dyn Fn(&Values) -> f64>;

impl<'a> Check<'a> {
    /// A check of `operation` (the name of its type) on inputs of these shapes.
    pub(crate) fn of(operation: &'a str, shapes: &'a [Shape]) -> Self {
        Self {
            operation,
            shapes,
            rows: shapes[0].items(),
            numbers: Vec::new(),
            constant: Vec::new(),
            unreached: Vec::new(),
            separately: false,
            contents: Box::new(waves),
        }
    }

    /// With a minibatch of `rows` images; otherwise it has the items of the first input.
    pub(crate) fn rows(self, rows: usize) -> Self {
        Self { rows, ..self }
    }

    /// With this number in each step. It must be one that f32 can hold.
    pub(crate) fn number(mut self, name: &'a str, value: f64) -> Self {
        self.numbers.push((name, value));
        self
    }

    /// Input number `input` is data: it gets no gradient.
    pub(crate) fn constant(mut self, input: usize) -> Self {
        self.constant.push(input);
        self
    }

    /// Input number `input` asks for a gradient, but there must be none.
    pub(crate) fn unreached(mut self, input: usize) -> Self {
        self.unreached.push(input);
        self
    }

    /// Differentiate each loss by a call for itself: the gradients of parameters add up.
    pub(crate) fn separately(self) -> Self {
        Self { separately: true, ..self }
    }

    /// With other contents than [`waves`], by input, row and column.
    pub(crate) fn contents(self, contents: impl Fn(usize, usize, usize) -> f64 + 'a) -> Self {
        Self { contents: Box::new(contents), ..self }
    }

    /// Check the pull-back of seeds of all outputs that `build` gives.
    pub(crate) fn pull_back(&self, build: impl Fn(&mut Graph, &[ValueId]) -> vae::Result<Vec<ValueId>>) {
        let built = |graph: &mut Graph, inputs: &[ValueId]| {
            Ok(Built { outputs: build(graph, inputs)?, losses: Vec::new() })
        };
        self.run(&built, None);
    }

    /// Check the pull-back of seeds of all outputs that `build` gives, where it is that of `objective`, another function of
    /// the values.
    pub(crate) fn pull_back_as(
        &self,
        build: impl Fn(&mut Graph, &[ValueId]) -> vae::Result<Vec<ValueId>>,
        objective: impl Fn(&Values) -> f64,
    ) {
        let built = |graph: &mut Graph, inputs: &[ValueId]| {
            Ok(Built { outputs: build(graph, inputs)?, losses: Vec::new() })
        };
        self.run(&built, Some(&objective));
    }

    /// Check the gradient of the losses that `build` gives, beside values of which `objective` is a function: what the
    /// losses are to minimise.
    pub(crate) fn losses(
        &self,
        build: impl Fn(&mut Graph, &[ValueId]) -> vae::Result<(Vec<ValueId>, Vec<Loss>)>,
        objective: impl Fn(&Values) -> f64,
    ) {
        let built = |graph: &mut Graph, inputs: &[ValueId]| {
            build(graph, inputs).map(|(outputs, losses)| Built { outputs, losses })
        };
        self.run(&built, Some(&objective));
    }

    fn run(&self, build: &dyn Fn(&mut Graph, &[ValueId]) -> vae::Result<Built>, objective: Objective<'_>) {
        let tensors = Tensors::default();
        let mut graph = Graph::new(&tensors, Mode::Train);
        let shapes = self.shapes.iter().enumerate();
        let inputs: Vec<ValueId> =
            shapes.map(|(i, shape)| graph.input(&format!("input.{i}"), *shape)).collect();
        let Built { outputs, losses } = build(&mut graph, &inputs).unwrap();
        self.holds_the_operation(&graph);

        let groups: Vec<GroupId> = tensors.groups().into_iter().map(|(group, _)| group).collect();
        let reached: Vec<ValueId> =
            (0..inputs.len()).filter(|i| !self.constant.contains(i)).map(|i| inputs[i]).collect();
        let targets: Vec<Target> = reached
            .iter()
            .map(|&value| Target::Value(value))
            .chain(groups.iter().map(|&g| Target::Group(g)))
            .collect();
        let (mut given, mut seeds) = (inputs.clone(), Vec::new());
        let derivatives = if losses.is_empty() {
            for (i, &output) in outputs.iter().enumerate() {
                let seed = graph.input(&format!("seed.{i}"), graph.value(output).shape);
                seeds.push((output, seed));
                given.push(seed);
            }
            graph.pull_back(&seeds, &targets).unwrap()
        } else if self.separately {
            let each =
                losses.iter().map(|loss| graph.differentiate(std::slice::from_ref(loss), &targets).unwrap());
            each.last().unwrap()
        } else {
            graph.differentiate(&losses, &targets).unwrap()
        };
        for &i in &self.unreached {
            assert!(derivatives.of(inputs[i]).is_err(), "{}: input {i} has a gradient", self.operation);
        }
        let differentiable: Vec<usize> =
            (0..inputs.len()).filter(|i| !self.constant.contains(i) && !self.unreached.contains(i)).collect();
        let gradients: Vec<ValueId> =
            differentiable.iter().map(|&i| derivatives.of(inputs[i]).unwrap()).collect();
        let of_parameters: Vec<ValueId> =
            groups.iter().flat_map(|&group| graph.gradients_of(group)).collect();

        let join = |lists: &[&[ValueId]]| lists.concat();
        let programs = [
            ProgramSpec::new("values", &given, &outputs),
            ProgramSpec::new("gradients", &given, &join(&[&gradients, &of_parameters])),
            ProgramSpec::new("all", &given, &join(&[&outputs, &gradients, &of_parameters])),
        ];
        let plain = lower_unfused(&graph, &programs, SETTING).unwrap();
        let fused = lower(&graph, &programs, SETTING).unwrap();
        let shared = fused.clone().with_shared_memory();
        let (all, moved) = (tensors.all(), !of_parameters.is_empty());
        let states = tensors.first_states();
        for (name, plan) in [("unfused", &plain), ("fused", &fused), ("memory shared", &shared)] {
            let mut run = Run::new(self, format!("{} {name}", self.operation), plan, (&all, moved));
            for (name, values) in &states {
                // A state that no program reads has no buffer.
                let Some(buffer) = plan.buffer(name) else { continue };
                let state = run.cpu.real_mut(buffer);
                state.iter_mut().zip(values).for_each(|(to, &value)| *to = f64::from(value));
            }
            run.fill();
            run.compare(&differentiable, objective);
        }
    }

    /// A test that names an operation must have it in its graph.
    fn holds_the_operation(&self, graph: &Graph) {
        let text = format!("{graph:?}");
        let mut found = text
            .split("operation: ")
            .skip(1)
            .map(|rest| rest.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default());
        assert!(found.any(|name| name == self.operation), "the graph has no {}", self.operation);
    }
}

/// A plan on the CPU in f64, with its values.
struct Run<'a> {
    check: &'a Check<'a>,
    name: String,
    cpu: CpuExecutor<f64>,
    plan: &'a Plan,
    step: Step,
    tensors: &'a [Tensor],
    /// Whether the tensors have gradients.
    moved: bool,
    given: Vec<Place>,
    outputs: Vec<Place>,
    gradients: Vec<Place>,
}

impl<'a> Run<'a> {
    fn new(
        check: &'a Check<'a>,
        name: String,
        plan: &'a Plan,
        (tensors, moved): (&'a [Tensor], bool),
    ) -> Self {
        let (given, outputs) = places(plan, "values");
        let (_, gradients) = places(plan, "gradients");
        let mut step = Step { rows: check.rows as u32, ..Step::seeded(3, stream::TRAIN_NOISE) };
        for (number, value) in &check.numbers {
            plan.set_number(&mut step, number, *value);
        }
        let cpu = CpuExecutor::new(plan, 1).unwrap();
        Self { check, name, cpu, plan, step, tensors, moved, given, outputs, gradients }
    }

    /// Fill what the host gives; what the program is to compute is filled with NaN.
    fn fill(&mut self) {
        for (index, buffer) in self.plan.buffers.iter().enumerate() {
            if buffer.role == Role::Activation {
                self.cpu.real_mut(BufferId(index)).fill(f64::NAN);
            }
        }
        for (input, place) in self.given.iter().enumerate() {
            let buffer = self.cpu.real_mut(place.buffer);
            buffer.fill(0.0);
            let seed = input >= self.check.shapes.len();
            for (&position, (row, column)) in place.positions.iter().zip(place.coordinates()) {
                let contents = if seed { &waves } else { &*self.check.contents };
                buffer[position] = contents(input, row, column);
            }
        }
        let of_tensor = |i: usize| (0..).map(move |element| 0.8 * waves(i, 3, element));
        for (name, gradient) in [("parameters", false), ("gradients", true)] {
            let Some(id) = self.plan.buffer(name) else { continue };
            let buffer = self.cpu.real_mut(id);
            let mut all: Vec<(usize, f64)> = Vec::new();
            for (i, tensor) in self.tensors.iter().enumerate() {
                all.extend(tensor.positions().zip(of_tensor(i)));
            }
            for (position, value) in all {
                buffer[position] = if gradient { f64::NAN } else { value };
            }
        }
    }

    fn submit(&mut self, program: &str) {
        self.cpu.submit(program, &[self.step]).unwrap();
    }

    fn values(&self) -> (Values, f64) {
        let take = |place: &Place| place.take(self.cpu.real(place.buffer));
        let given: Vec<_> = self.given.iter().map(take).collect();
        let outputs: Vec<_> = self.outputs.iter().map(take).collect();
        let (inputs, seeds) = given.split_at(self.check.shapes.len());
        let sum = outputs.iter().zip(seeds).map(|(output, seed)| output.dot(seed)).sum();
        (Values { inputs: inputs.to_vec(), outputs, seeds: seeds.to_vec() }, sum)
    }

    fn objective(&mut self, objective: Objective<'_>) -> f64 {
        self.submit("values");
        let (values, sum) = self.values();
        objective.map_or(sum, |objective| objective(&values))
    }

    /// The derivative of the objective by one element of a buffer.
    fn difference(&mut self, buffer: BufferId, position: usize, objective: Objective<'_>) -> f64 {
        let start = self.cpu.real(buffer)[position];
        let mut at = |distance: f64| {
            self.cpu.real_mut(buffer)[position] = start + distance;
            self.objective(objective)
        };
        let near = at(DISTANCE) - at(-DISTANCE);
        let far = at(2.0 * DISTANCE) - at(-2.0 * DISTANCE);
        self.cpu.real_mut(buffer)[position] = start;
        (8.0 * near - far) / (12.0 * DISTANCE)
    }

    /// Compare gradients with finite differences: those of a program that computes nothing else, and those of one that
    /// computes values too.
    fn compare(&mut self, differentiable: &[usize], objective: Objective<'_>) {
        self.submit("values");
        let outputs: Vec<_> = self.values().0.outputs;
        for program in ["gradients", "all"] {
            self.fill();
            self.submit(program);
            if program == "all" {
                for (before, now) in outputs.iter().zip(self.values().0.outputs) {
                    assert_eq!(before.elements(), now.elements(), "{}: values", self.name);
                }
            }
            for (index, &input) in differentiable.iter().enumerate() {
                let place = self.gradients[index].clone();
                let gradient = self.cpu.real(place.buffer)[..place.extent].to_vec();
                let given = self.given[input].clone();
                let what = format!("{}, program {program}, input {input}", self.name);
                self.same(&what, (&gradient, &place.positions), (given.buffer, &given.positions), objective);
                self.submit(program);
            }
            self.compare_parameters(program, objective);
        }
    }

    fn compare_parameters(&mut self, program: &str, objective: Objective<'_>) {
        let buffers = (self.plan.buffer("parameters"), self.plan.buffer("gradients"));
        let (Some(parameters), Some(gradients)) = buffers else {
            assert!(!self.moved, "{}: no gradients of parameters", self.name);
            return;
        };
        let gradient = self.cpu.real(gradients).to_vec();
        let mut inside = vec![false; gradient.len()];
        for tensor in self.tensors {
            let positions: Vec<usize> = tensor.positions().collect();
            positions.iter().for_each(|&position| inside[position] = true);
            let own: Vec<f64> = positions.iter().map(|&position| gradient[position]).collect();
            let numbered: Vec<usize> = (0..own.len()).collect();
            let what = format!("{}, program {program}, {}", self.name, tensor.name);
            self.same(&what, (&own, &numbered), (parameters, &positions), objective);
        }
        let padding = (0..gradient.len()).filter(|&i| !inside[i]);
        assert!(padding.into_iter().all(|i| gradient[i] == 0.0), "{}: padding of parameters", self.name);
    }

    /// `gradient` must be the derivatives by the elements of a buffer at these positions, and 0 in its padding.
    fn same(
        &mut self,
        what: &str,
        (gradient, at): (&[f64], &[usize]),
        (buffer, positions): (BufferId, &[usize]),
        objective: Objective<'_>,
    ) {
        let largest = at.iter().fold(0.0, |largest: f64, &i| largest.max(gradient[i].abs()));
        assert!(largest > 1e-3, "{what}: no gradient at all, {gradient:?}");
        assert!(
            (0..gradient.len()).all(|i| gradient[i] == 0.0 || at.contains(&i)),
            "{what}: padding is not zero, {gradient:?}"
        );
        let differences: Vec<f64> =
            positions.iter().map(|&position| self.difference(buffer, position, objective)).collect();
        let right = |i: usize| {
            let (found, expected) = (gradient[at[i]], differences[i]);
            // NaN is never within the limit.
            (found - expected).abs() <= TOLERANCE_OF_LARGEST * largest + TOLERANCE * expected.abs()
        };
        let wrong: Vec<usize> = (0..at.len()).filter(|&i| !right(i)).collect();
        let worst = |&i: &usize| {
            format!("element {i}: gradient {}, finite difference {}", gradient[at[i]], differences[i])
        };
        assert!(
            wrong.is_empty(),
            "{what}: {} of {} differ, such as {}",
            wrong.len(),
            at.len(),
            wrong.first().map_or_else(String::new, worst)
        );
    }
}
