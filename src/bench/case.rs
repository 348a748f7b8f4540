//! One dispatch with buffers of its own.

use crate::kernels;
use crate::plan::{Binding, Buffer};
use crate::plan::{BufferId, Dispatch, Element, Grid, Plan, Program, Role, Variant};
use crate::random::{Philox, stream};
use rand::RngExt;
use std::collections::BTreeMap;

/// Images in a dataset that is bound to a kernel, and a bound of their numbers.
pub(super) const IMAGES: usize = 2048;

/// Dispatches in the program [`MANY`].
pub(super) const REPEATS: usize = 16;
/// The program that runs a case's dispatch once.
pub(super) const ONCE: &str = "once";
/// The program that runs it [`REPEATS`] times.
pub(super) const MANY: &str = "many";

/// Random numbers are drawn so many, and then repeated.
const PERIOD: usize = 65_521;

/// What a buffer holds before the kernel runs.
#[derive(Clone, Copy, Debug)]
enum Content {
    /// Standard normal numbers.
    Normal,
    /// Numbers from 0 to 1: variances, averages and norms are not negative.
    Unit,
    /// Random words.
    Words,
    /// Image numbers.
    Indices,
}

impl Content {
    fn of(variable: &str, element: Element) -> Self {
        match (element, variable) {
            (Element::Word, "indices") => Self::Indices,
            (Element::Word, _) => Self::Words,
            (Element::Real, "second" | "norm" | "average" | "images" | "values" | "input") => Self::Unit,
            (Element::Real, _) => Self::Normal,
        }
    }

    fn word(self, random: &mut Philox) -> u32 {
        match self {
            Self::Normal => (random.normal() as f32).to_bits(),
            Self::Unit => random.random::<f32>().to_bits(),
            Self::Words => random.random(),
            Self::Indices => random.random_range(0..IMAGES as u32),
        }
    }
}

/// A dispatch, as a plan that holds nothing else.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) plan: Plan,
    /// Its floating-point operations, however many dispatches they take.
    pub(super) flops: u64,
    /// Images in the minibatch.
    pub(super) rows: usize,
}

impl Case {
    /// Dispatch number `index` of `plan`, with copies of the ranges that are bound.
    pub(super) fn from_plan(plan: &Plan, index: usize, rows: usize) -> Self {
        let mut dispatch = plan.dispatches[index].clone();
        let mut buffers = Vec::new();
        for binding in &mut dispatch.bindings {
            let Buffer { element, .. } = plan.buffers[binding.buffer.0];
            *binding = bind(&mut buffers, binding, element);
        }
        Self::of(dispatch, buffers, rows)
    }

    /// `kernel` on real numbers; `lengths` are those of all its storage variables.
    pub(super) fn new(
        kernel: &'static str,
        constants: BTreeMap<&'static str, f64>,
        lengths: &[(&str, usize)],
        grid: Grid,
        flops: u64,
    ) -> Self {
        let description = kernels::kernel(kernel);
        let mut buffers = Vec::new();
        let bindings: Vec<Binding> = description
            .storage()
            .filter_map(|(variable, access)| {
                let length = lengths.iter().find(|(name, _)| *name == variable.name)?.1;
                let (buffer, variable) = (BufferId(0), variable.name.clone());
                let binding = Binding { variable, buffer, offset: 0, length, access };
                Some(bind(&mut buffers, &binding, Element::Real))
            })
            .collect();
        let bytes = bindings.iter().map(|binding| binding.length as u64 * 4).sum();
        let (label, grid) = (kernel.to_string(), grid.workgroups(description));
        Self::of(Dispatch { label, kernel, constants, bindings, grid, flops, bytes }, buffers, 1)
    }

    fn of(dispatch: Dispatch, buffers: Vec<Buffer>, rows: usize) -> Self {
        let flops = dispatch.flops;
        let programs = vec![
            Program { name: ONCE, dispatches: vec![0] },
            Program { name: MANY, dispatches: vec![0; REPEATS] },
        ];
        Self { plan: Plan { buffers, dispatches: vec![dispatch], programs, ..Plan::default() }, flops, rows }
    }

    /// The same product in `variant`; anything else stays as it is.
    pub(super) fn with_variant(self, variant: Variant) -> Self {
        Self { plan: self.plan.with_variants(|_| variant), ..self }
    }

    /// The dispatch, the last of them where the product is computed in two.
    pub(super) fn dispatch(&self) -> &Dispatch {
        &self.plan.dispatches[self.plan.dispatches.len() - 1]
    }

    /// Dispatches it takes.
    pub(super) fn dispatches(&self) -> usize {
        self.plan.dispatches.len()
    }

    /// Bytes read and written at least.
    pub(super) fn bytes(&self) -> u64 {
        self.plan.dispatches.iter().map(|dispatch| dispatch.bytes).sum()
    }

    /// The words of buffer number `index`, the same each time.
    pub(super) fn words(&self, index: usize) -> Vec<u32> {
        let buffer = &self.plan.buffers[index];
        let content = Content::of(&buffer.name, buffer.element);
        let mut random = Philox::new(12, stream::PRIOR, index as u64);
        let period: Vec<u32> = (0..buffer.length.min(PERIOD)).map(|_| content.word(&mut random)).collect();
        period.iter().copied().cycle().take(buffer.length).collect()
    }

    /// The absolute difference that is tolerated. Roundings of a sum of n terms of size 1 grow with the square root
    /// of n, and kernels do about one operation (products: two) a term.
    pub(super) fn tolerance(&self) -> f64 {
        let written =
            self.dispatch().bindings.iter().filter(|it| it.access == crate::plan::Access::ReadWrite);
        let written: usize = written.map(|binding| binding.length).sum();
        let terms = self.flops as f64 / written.max(1) as f64;
        4e-6 * terms.max(16.0).sqrt()
    }
}

/// A buffer for what `binding` binds.
fn bind(buffers: &mut Vec<Buffer>, binding: &Binding, element: Element) -> Binding {
    let (name, length) = (binding.variable.clone(), binding.length);
    buffers.push(Buffer { name, shape: vec![length], length, element, role: Role::Activation });
    Binding { buffer: BufferId(buffers.len() - 1), offset: 0, ..binding.clone() }
}
