//! One kernel as a plan.

use super::Content;
use crate::kernels;
use crate::plan::{Access, Binding, Buffer, BufferId, Dispatch, Grid, Name, Plan, Program, Role};
use std::collections::BTreeMap;

/// The program of [`single`].
pub(crate) const ONCE: &str = "once";

/// A plan whose only dispatch is `kernel`, run by the program [`ONCE`]. `contents` gives the size of every storage
/// variable; each buffer has its variable's name.
pub(crate) fn single(
    kernel: &'static str,
    constants: BTreeMap<&'static str, f64>,
    contents: &[(&str, Content<'_>)],
    grid: Grid,
) -> Plan {
    let mut plan = Plan::default();
    append(&mut plan, "", kernel, constants, contents, grid);
    plan.programs.push(Program { name: ONCE.into(), dispatches: vec![0], ..Program::default() });
    plan
}

/// Append a dispatch of `kernel` to `plan`, as [`single`]; the names of its label and its buffers begin with `prefix`.
/// Operations and bytes are not counted.
pub(crate) fn append(
    plan: &mut Plan,
    prefix: &str,
    kernel: &'static str,
    constants: BTreeMap<&'static str, f64>,
    contents: &[(&str, Content<'_>)],
    grid: Grid,
) {
    let description = kernels::kernel(kernel);
    let mut bindings = Vec::new();
    for (variable, access) in description.storage() {
        // An executor refuses a plan in which one is missing. An operand that is read both as vec4 and element by element
        // is one buffer.
        let whole = variable.name.trim_end_matches("_elements");
        let bound = bindings.iter().find(|binding: &&Binding| binding.variable == whole);
        if let (Some(bound), Access::Read) = (bound, access) {
            bindings.push(Binding { variable: variable.name.clone(), ..bound.clone() });
            continue;
        }
        let Some((_, content)) = contents.iter().find(|(name, _)| *name == variable.name) else { continue };
        let (length, buffer) = (content.length(), BufferId(plan.buffers.len()));
        plan.buffers.push(Buffer {
            name: format!("{prefix}{}", variable.name),
            shape: vec![length],
            length,
            element: content.element(),
            role: Role::Activation,
        });
        bindings.push(Binding { variable: variable.name.clone(), buffer, offset: 0, length, access });
    }
    let (label, grid) = (format!("{prefix}{kernel}"), grid.workgroups(description));
    let constants = constants.into_iter().map(|(name, value)| (Name::from(name), value)).collect();
    let kernel = Name::from(kernel);
    plan.dispatches.push(Dispatch { label, kernel, constants, bindings, grid, flops: 0, bytes: 0 });
}
