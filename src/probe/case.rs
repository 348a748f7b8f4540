//! One dispatch of a plan, with buffers that no other uses.

use super::{Content, ONCE, single};
use crate::plan::{
    Access, Binding, Buffer, BufferId, Dispatch, Element, Grid, Plan, Program, Role, Variant, split_long_sums,
};
use std::collections::BTreeMap;

/// Images in a dataset that is bound to a kernel, and a bound of their numbers.
pub(crate) const IMAGES: usize = 2048;

/// Dispatches in the program [`MANY`].
pub(super) const REPEATS: usize = 16;
/// The program that runs a case's dispatch [`REPEATS`] times; [`ONCE`] runs it once.
pub(super) const MANY: &str = "many";

/// Random numbers repeat after this many: drawing takes longer than copying.
const PERIOD: usize = 65_521;

/// Random content for `length` elements bound to `variable`.
fn content(variable: &str, element: Element, length: usize) -> Content<'static> {
    match (element, variable) {
        (Element::Word, "indices") => Content::Below(length, IMAGES as u32),
        (Element::Word | Element::Bytes, _) => Content::AnyWords(length),
        (
            Element::Real,
            "second" | "norm" | "average" | "variance" | "images" | "values" | "input" | "saved",
        ) => Content::Unit(length),
        (Element::Real, _) => Content::Normal(length),
    }
}

/// A dispatch, as a plan that holds nothing else.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) plan: Plan,
    /// Its floating-point operations, however many dispatches they take.
    pub(crate) flops: u64,
    /// Bytes that it reads and writes at least, however many dispatches it takes.
    pub(crate) bytes: u64,
    /// Images in the minibatch.
    pub(crate) rows: usize,
}

impl Case {
    /// Dispatch number `index` of `plan`, with copies of the ranges that are bound.
    pub(crate) fn from_plan(plan: &Plan, index: usize, rows: usize) -> Self {
        let mut dispatch = plan.dispatches[index].clone();
        let bytes = touched(plan, &dispatch, rows);
        let mut buffers = Vec::new();
        let mut bound: Vec<(Binding, BufferId)> = Vec::new();
        for binding in &mut dispatch.bindings {
            let Buffer { element, .. } = plan.buffers[binding.buffer.0];
            let same = |(other, _): &&(Binding, BufferId)| {
                (other.buffer, other.offset, other.length) == (binding.buffer, binding.offset, binding.length)
            };
            let whole = binding.clone();
            // What is read in two ways is one buffer.
            *binding = match bound.iter().find(same) {
                Some((_, buffer)) => Binding { buffer: *buffer, offset: 0, ..whole.clone() },
                None => bind(&mut buffers, binding, element),
            };
            bound.push((whole, binding.buffer));
        }
        let case = Self::of(Plan { buffers, dispatches: vec![dispatch], ..Plan::default() }, rows);
        Self { bytes, ..case }
    }

    /// `kernel` on real numbers; `lengths` are those of all its storage variables.
    pub(crate) fn new(
        kernel: &'static str,
        constants: BTreeMap<&'static str, f64>,
        lengths: &[(&str, usize)],
        grid: Grid,
        flops: u64,
    ) -> Self {
        let contents: Vec<_> = lengths.iter().map(|&(name, length)| (name, Content::Room(length))).collect();
        let mut plan = single(kernel, constants, &contents, grid);
        for dispatch in &mut plan.dispatches {
            dispatch.flops = flops;
        }
        let bytes = plan.dispatches.iter().map(|dispatch| touched(&plan, dispatch, 1)).sum();
        // As in every plan.
        split_long_sums(&mut plan.dispatches, &mut plan.buffers);
        let case = Self::of(plan, 1);
        Self { flops, bytes, ..case }
    }

    /// The dispatches of `plan`, once and many times.
    fn of(mut plan: Plan, rows: usize) -> Self {
        let once: Vec<usize> = (0..plan.dispatches.len()).collect();
        let many = once.repeat(REPEATS);
        plan.programs = vec![
            Program { name: ONCE.into(), dispatches: once, ..Program::default() },
            Program { name: MANY.into(), dispatches: many, ..Program::default() },
        ];
        let flops = plan.dispatches.iter().map(|dispatch| dispatch.flops).sum();
        Self { plan, flops, bytes: 0, rows }
    }

    /// The same product in `variant`; anything else stays as it is.
    pub(crate) fn with_variant(self, variant: Variant) -> Self {
        Self { plan: self.plan.with_variants(|_| variant), ..self }
    }

    /// The dispatch, the last of them where the result is computed in two.
    pub(crate) fn dispatch(&self) -> &Dispatch {
        &self.plan.dispatches[self.plan.dispatches.len() - 1]
    }

    /// Dispatches it takes.
    pub(crate) fn dispatches(&self) -> usize {
        self.plan.dispatches.len()
    }

    /// Bytes of the largest range that is bound.
    pub(crate) fn largest_binding(&self) -> u64 {
        let bindings = self.plan.dispatches.iter().flat_map(|dispatch| &dispatch.bindings);
        bindings.map(|binding| binding.length as u64 * 4).max().unwrap_or(0)
    }

    /// The words of buffer number `index`, the same each time.
    pub(crate) fn words(&self, index: usize) -> Vec<u32> {
        let buffer = &self.plan.buffers[index];
        let period = content(&buffer.name, buffer.element, buffer.length.min(PERIOD)).words(12, index as u64);
        period.iter().copied().cycle().take(buffer.length).collect()
    }

    /// The absolute difference that is tolerated. Roundings of a sum of n terms of size 1 grow with the square root
    /// of n, and kernels do about one operation (products: two) a term.
    pub(crate) fn tolerance(&self) -> f64 {
        let written = self.dispatch().bindings.iter().filter(|it| it.access == Access::ReadWrite);
        let written: usize = written.map(|binding| binding.length).sum();
        let terms = self.flops as f64 / written.max(1) as f64;
        4e-6 * terms.max(16.0).sqrt()
    }
}

/// Bytes that dispatch `dispatch` of `plan` reads and writes at least, each operand counted once, of the images and of their
/// numbers those of a minibatch of `rows`.
fn touched(plan: &Plan, dispatch: &Dispatch, rows: usize) -> u64 {
    let written = dispatch.bindings.iter().filter(|it| it.access == Access::ReadWrite);
    let written: usize = written.map(|binding| binding.length).sum();
    let (mut total, mut seen) = (0, Vec::new());
    for binding in &dispatch.bindings {
        let range = (binding.buffer, binding.offset, binding.length);
        if !seen.contains(&range) {
            seen.push(range);
            let Buffer { role, element, .. } = plan.buffers[binding.buffer.0];
            let most = match (role, element) {
                (Role::Dataset, Element::Bytes) => written / 4,
                (Role::Dataset, _) => written,
                _ if binding.variable == "indices" => rows,
                _ => binding.length,
            };
            total += 4 * binding.length.min(most) as u64;
        }
    }
    total
}

/// A buffer for what `binding` binds.
fn bind(buffers: &mut Vec<Buffer>, binding: &Binding, element: Element) -> Binding {
    let (name, length) = (binding.variable.clone(), binding.length);
    buffers.push(Buffer { name, shape: vec![length], length, element, role: Role::Activation });
    Binding { buffer: BufferId(buffers.len() - 1), offset: 0, ..binding.clone() }
}
