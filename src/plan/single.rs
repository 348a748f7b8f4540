//! One kernel as a part of a plan.

use super::{Access, Binding, Buffer, BufferId, Dispatch, Element, Grid, Name, Plan, Role};
use crate::kernels;
use std::collections::BTreeMap;

/// Append a dispatch of `kernel` to `plan`; the names of its label and its buffers begin with `prefix`. `sizes` gives the
/// elements of every storage variable. Operations and bytes are not counted.
pub(crate) fn append(
    plan: &mut Plan,
    prefix: &str,
    kernel: &'static str,
    constants: BTreeMap<&'static str, f64>,
    sizes: &[(&str, usize, Element)],
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
        let Some(&(_, length, element)) = sizes.iter().find(|(name, ..)| *name == variable.name) else {
            continue;
        };
        let buffer = BufferId(plan.buffers.len());
        plan.buffers.push(Buffer {
            name: format!("{prefix}{}", variable.name),
            shape: vec![length],
            length,
            element,
            role: Role::Activation,
        });
        bindings.push(Binding { variable: variable.name.clone(), buffer, offset: 0, length, access });
    }
    let (label, grid) = (format!("{prefix}{kernel}"), grid.workgroups(description));
    let constants = constants.into_iter().map(|(name, value)| (Name::from(name), value)).collect();
    let kernel = Name::from(kernel);
    plan.dispatches.push(Dispatch { label, kernel, constants, bindings, grid, flops: 0, bytes: 0 });
}
