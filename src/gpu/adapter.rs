//! The adapters of this machine and their limits.

use crate::{Error, Result};
use serde::Serialize;
use std::fmt;

/// What kind of hardware an adapter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
    fn shortfall(&self) -> Option<String> {
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
#[derive(Clone, Debug, Serialize)]
pub struct AdapterInfo {
    /// Position in the list of [`adapters`]: what [`super::Gpu::open`] takes.
    pub index: usize,
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

    /// Sort key, better adapters first: usable, hardware, a native backend, a discrete GPU.
    fn rank(&self) -> (bool, bool, bool, AdapterKind, bool) {
        (
            self.unusable.is_some(),
            self.is_software(),
            self.backend == "GL",
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

/// All adapters of this machine, the preferred ones first; empty where no driver is installed.
///
/// The order is the same from call to call, so that an index keeps its meaning.
pub fn adapters() -> Result<Vec<AdapterInfo>> {
    Ok(enumerate().into_iter().map(|(info, _)| info).collect())
}

/// The adapter with this index, or an error that says which exist.
pub(super) fn adapter(index: usize) -> Result<(AdapterInfo, wgpu::Adapter)> {
    let mut found = enumerate();
    if index < found.len() {
        return Ok(found.swap_remove(index));
    }
    let hint = match found.len() {
        0 => "no adapter was found; install a driver, or use --device cpu".to_string(),
        count => format!("there are {count} adapters, counted from 0"),
    };
    Err(Error::setting("--device", format!("there is no adapter {index}"), hint))
}

fn enumerate() -> Vec<(AdapterInfo, wgpu::Adapter)> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        // By default a debug build asks for the drivers' validation layers, which slow every call.
        flags: wgpu::InstanceFlags::empty().with_env(),
        ..wgpu::InstanceDescriptor::new_without_display_handle_from_env()
    });
    let found = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    let mut list: Vec<_> = found.into_iter().map(|adapter| (describe(&adapter), adapter)).collect();
    list.sort_by_key(|(info, _)| info.rank());
    for index in 0..list.len() {
        list[index].0.index = index;
        list[index].0.same_as = (0..index).find(|&earlier| same_device(&list[earlier].0, &list[index].0));
    }
    list
}

fn describe(adapter: &wgpu::Adapter) -> AdapterInfo {
    let info = adapter.get_info();
    let features = adapter.features();
    let limits = Limits::of(&adapter.limits());
    let computes = adapter.get_downlevel_capabilities().flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS);
    let unusable = if computes { limits.shortfall() } else { Some("it has no compute shaders".to_string()) };
    AdapterInfo {
        index: 0,
        name: info.name.trim().to_string(),
        backend: match info.backend {
            wgpu::Backend::Vulkan => "Vulkan".to_string(),
            wgpu::Backend::Metal => "Metal".to_string(),
            wgpu::Backend::Dx12 => "DX12".to_string(),
            wgpu::Backend::Gl => "GL".to_string(),
            other => format!("{other:?}"),
        },
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_string(),
        kind: match info.device_type {
            wgpu::DeviceType::DiscreteGpu => AdapterKind::Discrete,
            wgpu::DeviceType::IntegratedGpu => AdapterKind::Integrated,
            wgpu::DeviceType::VirtualGpu => AdapterKind::Virtual,
            wgpu::DeviceType::Other => AdapterKind::Other,
            wgpu::DeviceType::Cpu => AdapterKind::Software,
        },
        limits,
        subgroup_size: [info.subgroup_min_size, info.subgroup_max_size],
        timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
        pipeline_cache: features.contains(wgpu::Features::PIPELINE_CACHE),
        same_as: None,
        unusable,
    }
}

/// Whether two entries are one device seen through two backends. GL drivers decorate the name
/// (`Mesa Intel(R) UHD Graphics`, `GeForce RTX 3080/PCIe/SSE2`), so one name inside the other is enough.
fn same_device(one: &AdapterInfo, other: &AdapterInfo) -> bool {
    let (a, b) = (one.name.to_lowercase(), other.name.to_lowercase());
    one.backend != other.backend && !a.is_empty() && !b.is_empty() && (a.contains(&b) || b.contains(&a))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An adapter as [`adapters`] lists it.
    pub(crate) fn info(index: usize, name: &str, backend: &str, kind: AdapterKind) -> AdapterInfo {
        AdapterInfo {
            index,
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
    fn hardware_and_native_backends_go_first() {
        let mut list = [
            info(0, "llvmpipe", "Vulkan", AdapterKind::Software),
            info(1, "RTX/PCIe/SSE2", "GL", AdapterKind::Other),
            info(2, "UHD", "Vulkan", AdapterKind::Integrated),
            info(3, "RTX", "DX12", AdapterKind::Discrete),
            info(4, "RTX", "Vulkan", AdapterKind::Discrete),
            AdapterInfo {
                unusable: Some("old".to_string()),
                ..info(5, "GTX", "Vulkan", AdapterKind::Discrete)
            },
        ];
        list.sort_by_key(AdapterInfo::rank);
        assert_eq!(list.map(|info| info.index), [4, 3, 2, 1, 0, 5]);
    }

    #[test]
    fn one_device_through_two_backends_is_recognised() {
        let vulkan = info(0, "GeForce RTX 3080", "Vulkan", AdapterKind::Discrete);
        let gl = info(1, "GeForce RTX 3080/PCIe/SSE2", "GL", AdapterKind::Other);
        assert!(same_device(&vulkan, &gl));
        // Two equal cards in one machine are two devices.
        assert!(!same_device(&vulkan, &vulkan.clone()));
    }

    #[test]
    fn a_low_limit_is_named() {
        let limits = Limits { max_storage_buffers_per_shader_stage: 4, ..Limits::REQUIRED };
        let reason = limits.shortfall().unwrap();
        assert_eq!(reason, "its maxStorageBuffersPerShaderStage is 4, and 8 is needed");
        assert_eq!(Limits::REQUIRED.shortfall(), None);
    }

    #[test]
    fn the_list_is_indexed_and_can_be_written_as_json() {
        let list = adapters().unwrap();
        for (index, info) in list.iter().enumerate() {
            assert_eq!(info.index, index);
            assert!(info.same_as.is_none_or(|earlier| earlier < index));
        }
        serde_json::to_string(&list).unwrap();
    }
}
