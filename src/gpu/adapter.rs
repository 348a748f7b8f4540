//! What is known of an adapter, and its limits.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What kind of hardware an adapter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AdapterKind {
    /// A GPU with its own memory.
    Discrete,
    /// A GPU that shares the processor's memory.
    Integrated,
    /// A GPU seen through a virtual machine.
    Virtual,
    /// A GPU of which the driver says nothing more.
    Other,
    /// No GPU: a driver that runs shaders on the processor (lavapipe, SwiftShader, WARP).
    Software,
}

impl fmt::Display for AdapterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Discrete => "discrete GPU",
            Self::Integrated => "integrated GPU",
            Self::Virtual => "virtual GPU",
            Self::Other => "GPU",
            Self::Software => "software",
        })
    }
}

/// The limits that decide whether a plan fits, named as WebGPU names them. Sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Largest buffer.
    pub max_buffer_size: u64,
    /// Largest range of a buffer that a kernel can see.
    pub max_storage_buffer_binding_size: u64,
    /// Most storage buffers of one kernel.
    pub max_storage_buffers_per_shader_stage: u32,
    /// Most invocations of one workgroup.
    pub max_compute_invocations_per_workgroup: u32,
    /// Most invocations of one workgroup along x, y and z.
    pub max_compute_workgroup_size: [u32; 3],
    /// Workgroup memory.
    pub max_compute_workgroup_storage_size: u32,
    /// Most workgroups of one dispatch along a dimension.
    pub max_compute_workgroups_per_dimension: u32,
    /// A bound range of a storage buffer starts at a multiple of this.
    pub min_storage_buffer_offset_alignment: u32,
    /// A step's uniform record starts at a multiple of this.
    pub min_uniform_buffer_offset_alignment: u32,
}

impl Limits {
    /// The limits that every kernel of this crate relies on: the default limits of WebGPU 1.0, which all browsers offer.
    pub const REQUIRED: Self = Self {
        max_buffer_size: 128 << 20,
        max_storage_buffer_binding_size: 128 << 20,
        max_storage_buffers_per_shader_stage: 8,
        max_compute_invocations_per_workgroup: 256,
        max_compute_workgroup_size: [256, 256, 64],
        max_compute_workgroup_storage_size: 16 << 10,
        max_compute_workgroups_per_dimension: 65_535,
        min_storage_buffer_offset_alignment: 256,
        min_uniform_buffer_offset_alignment: 256,
    };

    pub(super) fn of(limits: &wgpu::Limits) -> Self {
        Self {
            max_buffer_size: limits.max_buffer_size,
            max_storage_buffer_binding_size: limits.max_storage_buffer_binding_size,
            max_storage_buffers_per_shader_stage: limits.max_storage_buffers_per_shader_stage,
            max_compute_invocations_per_workgroup: limits.max_compute_invocations_per_workgroup,
            max_compute_workgroup_size: [
                limits.max_compute_workgroup_size_x,
                limits.max_compute_workgroup_size_y,
                limits.max_compute_workgroup_size_z,
            ],
            max_compute_workgroup_storage_size: limits.max_compute_workgroup_storage_size,
            max_compute_workgroups_per_dimension: limits.max_compute_workgroups_per_dimension,
            min_storage_buffer_offset_alignment: limits.min_storage_buffer_offset_alignment,
            min_uniform_buffer_offset_alignment: limits.min_uniform_buffer_offset_alignment,
        }
    }

    /// The first limit that is worse than [`Limits::REQUIRED`], as a reason for people.
    pub(super) fn shortfall(&self) -> Option<String> {
        let required = Self::REQUIRED;
        let least = [
            ("maxBufferSize", self.max_buffer_size, required.max_buffer_size),
            (
                "maxStorageBufferBindingSize",
                self.max_storage_buffer_binding_size,
                required.max_storage_buffer_binding_size,
            ),
            (
                "maxStorageBuffersPerShaderStage",
                self.max_storage_buffers_per_shader_stage.into(),
                required.max_storage_buffers_per_shader_stage.into(),
            ),
            (
                "maxComputeInvocationsPerWorkgroup",
                self.max_compute_invocations_per_workgroup.into(),
                required.max_compute_invocations_per_workgroup.into(),
            ),
            (
                "maxComputeWorkgroupSizeX",
                self.max_compute_workgroup_size[0].into(),
                required.max_compute_workgroup_size[0].into(),
            ),
            (
                "maxComputeWorkgroupStorageSize",
                self.max_compute_workgroup_storage_size.into(),
                required.max_compute_workgroup_storage_size.into(),
            ),
            (
                "maxComputeWorkgroupsPerDimension",
                self.max_compute_workgroups_per_dimension.into(),
                required.max_compute_workgroups_per_dimension.into(),
            ),
        ];
        least
            .into_iter()
            .find(|(_, has, needs)| has < needs)
            .map(|(name, has, needs)| format!("its {name} is {has}, and {needs} is needed"))
    }
}

/// An adapter of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdapterInfo {
    /// Position in the list that it stands in.
    pub index: usize,
    /// Position among the adapters of its backend, as the drivers give them: two equal cards differ in nothing else.
    pub place: usize,
    /// The name its driver gives.
    pub name: String,
    /// `Vulkan`, `Metal`, `DX12` or `GL`.
    pub backend: String,
    /// The driver and its version.
    pub driver: String,
    /// What kind of hardware it is.
    pub kind: AdapterKind,
    /// Its limits.
    pub limits: Limits,
    /// Smallest and largest subgroup, in invocations.
    pub subgroup_size: [u32; 2],
    /// Whether single dispatches can be timed ([`super::GpuExecutor::profile`]).
    pub timestamps: bool,
    /// Whether its driver can save compiled kernels.
    pub pipeline_cache: bool,
    /// Index of the adapter, earlier in the list, that is the same device through a better backend.
    pub same_as: Option<usize>,
    /// Why it cannot be used, if it cannot.
    pub unusable: Option<String>,
}

impl AdapterInfo {
    /// Whether shaders run on the processor.
    pub fn is_software(&self) -> bool {
        self.kind == AdapterKind::Software
    }

    /// Sort key, better adapters first: usable, hardware, a discrete GPU.
    pub(super) fn rank(&self) -> (bool, bool, AdapterKind, bool) {
        (
            self.unusable.is_some(),
            self.is_software(),
            self.kind,
            // DX12 compiles slowly without DXC, so Vulkan goes before it.
            self.backend == "DX12",
        )
    }
}

impl fmt::Display for AdapterInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.backend)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An adapter as [`adapters`] lists it.
    pub(crate) fn info(index: usize, name: &str, backend: &str, kind: AdapterKind) -> AdapterInfo {
        AdapterInfo {
            index,
            place: index,
            name: name.to_string(),
            backend: backend.to_string(),
            driver: String::new(),
            kind,
            limits: Limits::REQUIRED,
            subgroup_size: [8, 8],
            timestamps: false,
            pipeline_cache: false,
            same_as: None,
            unusable: None,
        }
    }

    #[test]
    fn a_low_limit_is_named() {
        let limits = Limits { max_storage_buffers_per_shader_stage: 4, ..Limits::REQUIRED };
        let reason = limits.shortfall().unwrap();
        assert_eq!(reason, "its maxStorageBuffersPerShaderStage is 4, and 8 is needed");
        assert_eq!(Limits::REQUIRED.shortfall(), None);
    }
}
