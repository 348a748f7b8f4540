//! Refuses a plan that a device cannot hold or run, before anything is allocated.

use super::Limits;
use crate::kernels::{self, VariableKind};
use crate::plan::{Access, Dispatch, Plan};
use crate::{Error, Result};
use std::collections::BTreeSet;

/// Check every buffer and every dispatch of `plan` against `limits` of `device`.
///
/// # Errors
/// [`Error::Limit`] for a buffer or binding that is too large, [`Error::Device`] for a dispatch that the
/// device cannot run, [`Error::Internal`] for a dispatch that does not fit its kernel.
pub(super) fn check(plan: &Plan, limits: &Limits, device: &str) -> Result<()> {
    let refuse = |tensor: &str, needed: u64, limit: u64, limit_name: &str| Error::Limit {
        tensor: tensor.to_string(),
        needed,
        device: device.to_string(),
        limit,
        limit_name: limit_name.to_string(),
    };
    for buffer in &plan.buffers {
        if buffer.bytes() > limits.max_buffer_size {
            return Err(refuse(&buffer.name, buffer.bytes(), limits.max_buffer_size, "maxBufferSize"));
        }
    }
    for dispatch in &plan.dispatches {
        check_kernel(dispatch)?;
        for binding in &dispatch.bindings {
            let Some(buffer) = plan.buffers.get(binding.buffer.0) else {
                return Err(wrong(dispatch, format!("'{}' is bound to no buffer", binding.variable)));
            };
            let bytes = binding.length as u64 * 4;
            if bytes > limits.max_storage_buffer_binding_size {
                return Err(refuse(
                    &buffer.name,
                    bytes,
                    limits.max_storage_buffer_binding_size,
                    "maxStorageBufferBindingSize",
                ));
            }
            let alignment = u64::from(limits.min_storage_buffer_offset_alignment);
            if binding.length == 0
                || binding.offset + binding.length > buffer.length
                || !(binding.offset as u64 * 4).is_multiple_of(alignment)
            {
                return Err(wrong(
                    dispatch,
                    format!(
                        "'{}' is bound to elements {}..{} of '{}', which has {}; offsets are multiples of {}",
                        binding.variable,
                        binding.offset,
                        binding.offset + binding.length,
                        buffer.name,
                        buffer.length,
                        alignment / 4
                    ),
                ));
            }
        }
        check_aliases(plan, dispatch)?;
        check_size(dispatch, limits, device)?;
    }
    Ok(())
}

/// The dispatch's constants and bindings are those of its kernel, no more and no less.
fn check_kernel(dispatch: &Dispatch) -> Result<()> {
    let kernel = kernels::kernel(dispatch.kernel);
    if let Some(missing) =
        kernel.overrides.iter().find(|name| !dispatch.constants.contains_key(name.as_str()))
    {
        return Err(wrong(dispatch, format!("no value for the constant {missing}")));
    }
    if let Some(unknown) =
        dispatch.constants.keys().find(|name| !kernel.overrides.iter().any(|own| own == *name))
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

/// WebGPU tracks whole buffers: one that a dispatch writes may not be bound a second time, unless to write.
fn check_aliases(plan: &Plan, dispatch: &Dispatch) -> Result<()> {
    let with = |access| -> BTreeSet<usize> {
        let bindings = dispatch.bindings.iter().filter(|binding| binding.access == access);
        bindings.map(|binding| binding.buffer.0).collect()
    };
    match with(Access::Read).intersection(&with(Access::ReadWrite)).next() {
        Some(&both) => {
            Err(wrong(dispatch, format!("'{}' is both read and written", plan.buffers[both].name)))
        }
        None => Ok(()),
    }
}

/// The workgroups, and how many there are of them.
fn check_size(dispatch: &Dispatch, limits: &Limits, device: &str) -> Result<()> {
    let kernel = kernels::kernel(dispatch.kernel);
    let refuse = |what: String, limit: u32, name: &str| {
        Err(Error::device(
            device,
            format!(
                "'{}' (kernel {}) needs {what}, but the device allows {limit} ({name})",
                dispatch.label, dispatch.kernel
            ),
            "use a smaller --batch-size, --hidden or image size, or --device cpu",
        ))
    };
    let invocations = kernel.workgroup_size.iter().product::<u32>();
    if invocations > limits.max_compute_invocations_per_workgroup {
        let limit = limits.max_compute_invocations_per_workgroup;
        return refuse(format!("workgroups of {invocations}"), limit, "maxComputeInvocationsPerWorkgroup");
    }
    if dispatch.bindings.len() > limits.max_storage_buffers_per_shader_stage as usize {
        let limit = limits.max_storage_buffers_per_shader_stage;
        let what = format!("{} storage buffers", dispatch.bindings.len());
        return refuse(what, limit, "maxStorageBuffersPerShaderStage");
    }
    for (axis, name) in ["X", "Y", "Z"].into_iter().enumerate() {
        let size = kernel.workgroup_size[axis];
        if size > limits.max_compute_workgroup_size[axis] {
            let limit = limits.max_compute_workgroup_size[axis];
            let what = format!("workgroups of {size} along {}", name.to_lowercase());
            return refuse(what, limit, &format!("maxComputeWorkgroupSize{name}"));
        }
        let count = dispatch.grid[axis];
        if count > limits.max_compute_workgroups_per_dimension {
            let limit = limits.max_compute_workgroups_per_dimension;
            let what = format!("{count} workgroups along {}", name.to_lowercase());
            return refuse(what, limit, "maxComputeWorkgroupsPerDimension");
        }
    }
    Ok(())
}

fn wrong(dispatch: &Dispatch, problem: String) -> Error {
    Error::Internal(format!("dispatch '{}' of kernel {}: {problem}", dispatch.label, dispatch.kernel))
}
