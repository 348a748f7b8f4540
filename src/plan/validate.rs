//! Refuses a plan that no device could run: a mistake in this program, or in a file the plan was read from.

use super::{Access, Dispatch, Plan};
use crate::kernels::{self, VariableKind};
use crate::{Error, Result};
use std::collections::BTreeMap;

impl Plan {
    /// Check that every dispatch fits its kernel, that every binding lies in its buffer, that no buffer is both read and
    /// written in one dispatch, and that programs run dispatches that exist.
    ///
    /// # Errors
    /// [`Error::Internal`] naming the dispatch.
    pub fn validate(&self) -> Result<()> {
        for dispatch in &self.dispatches {
            check_kernel(dispatch)?;
            check_ranges(self, dispatch)?;
            check_aliases(self, dispatch)?;
        }
        let missing = |program: &&super::Program| {
            program.dispatches.iter().any(|&index| index >= self.dispatches.len())
        };
        match self.programs.iter().find(missing) {
            None => Ok(()),
            Some(program) => {
                let problem = format!("program '{}' has a dispatch that does not exist", program.name);
                Err(Error::Internal(problem))
            }
        }
    }
}

fn check_ranges(plan: &Plan, dispatch: &Dispatch) -> Result<()> {
    for binding in &dispatch.bindings {
        let Some(buffer) = plan.buffers.get(binding.buffer.0) else {
            return Err(wrong(dispatch, format!("'{}' is bound to no buffer", binding.variable)));
        };
        let end = binding.offset.checked_add(binding.length);
        if binding.length == 0 || end.is_none_or(|end| end > buffer.length) {
            let problem = format!(
                "'{}' is bound to {} elements from {} on of '{}', which has {}",
                binding.variable, binding.length, binding.offset, buffer.name, buffer.length
            );
            return Err(wrong(dispatch, problem));
        }
    }
    Ok(())
}

/// The dispatch's constants and bindings are those of its kernel, no more and no less.
fn check_kernel(dispatch: &Dispatch) -> Result<()> {
    let kernel = kernels::find(&dispatch.kernel)
        .ok_or_else(|| wrong(dispatch, "there is no such kernel".to_string()))?;
    if let Some(missing) =
        kernel.overrides.iter().find(|name| !dispatch.constants.contains_key(name.as_str()))
    {
        return Err(wrong(dispatch, format!("no value for the constant {missing}")));
    }
    if let Some(unknown) =
        dispatch.constants.keys().find(|name| !kernel.overrides.iter().any(|own| own == name.as_ref()))
    {
        return Err(wrong(dispatch, format!("the kernel has no constant {unknown}")));
    }
    let own: Vec<(&str, Access)> =
        kernel.storage().map(|(variable, access)| (variable.name.as_str(), access)).collect();
    let given: Vec<(&str, Access)> =
        dispatch.bindings.iter().map(|binding| (binding.variable.as_str(), binding.access)).collect();
    if own != given {
        return Err(wrong(dispatch, format!("the kernel has variables {own:?}, but {given:?} are bound")));
    }
    if kernel.variables.iter().any(|variable| variable.kind == VariableKind::Step && variable.binding != 0) {
        return Err(wrong(dispatch, "`step` is not at binding 0".to_string()));
    }
    Ok(())
}

/// A buffer that a dispatch writes is bound once: WebGPU tracks whole buffers, and the CPU takes them whole.
fn check_aliases(plan: &Plan, dispatch: &Dispatch) -> Result<()> {
    let mut bound = BTreeMap::new();
    for binding in &dispatch.bindings {
        let block = plan.block(binding.buffer);
        let before = bound.insert(block, binding.access);
        if before.is_some_and(|before| before == Access::ReadWrite || binding.access == Access::ReadWrite) {
            let name = &plan.buffers[binding.buffer.0].name;
            return Err(wrong(dispatch, format!("'{name}' is written, and its memory is bound twice")));
        }
    }
    Ok(())
}

fn wrong(dispatch: &Dispatch, problem: String) -> Error {
    Error::Internal(format!("dispatch '{}' of kernel {}: {problem}", dispatch.label, dispatch.kernel))
}
