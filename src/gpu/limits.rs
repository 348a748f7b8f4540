//! Refuses a plan that a device cannot hold or run, before anything is allocated.

use super::Limits;
use crate::kernels;
use crate::plan::{Dispatch, Plan};
use crate::{Error, Result};

/// Check every buffer and every dispatch of `plan`, which is valid ([`Plan::validate`]), against `limits` of `device`.
///
/// # Errors
/// [`Error::Limit`] for a buffer or binding that is too large, [`Error::Device`] for a dispatch that the device cannot
/// run, [`Error::Internal`] for a binding whose offset the device does not allow.
pub(crate) fn check(plan: &Plan, limits: &Limits, device: &str) -> Result<()> {
    let refuse = |tensor: &str, needed: u64, limit: u64, limit_name: &'static str| Error::Limit {
        tensor: tensor.to_string(),
        needed,
        device: device.to_string(),
        limit,
        limit_name,
        batch: None,
        others: Box::default(),
    };
    for buffer in &plan.buffers {
        if buffer.bytes() > limits.max_buffer_size {
            return Err(refuse(&buffer.name, buffer.bytes(), limits.max_buffer_size, "maxBufferSize"));
        }
    }
    for dispatch in &plan.dispatches {
        for binding in &dispatch.bindings {
            let buffer = &plan.buffers[binding.buffer.0];
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
            if !(binding.offset as u64 * 4).is_multiple_of(alignment) {
                let problem = format!(
                    "'{}' is bound from element {} of '{}' on; offsets are multiples of {}",
                    binding.variable,
                    binding.offset,
                    buffer.name,
                    alignment / 4
                );
                return Err(Error::Internal(format!("dispatch '{}': {problem}", dispatch.label)));
            }
        }
        check_size(dispatch, limits, device)?;
    }
    Ok(())
}

/// The workgroups, and how many there are of them.
fn check_size(dispatch: &Dispatch, limits: &Limits, device: &str) -> Result<()> {
    let kernel = kernels::kernel(&dispatch.kernel);
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
