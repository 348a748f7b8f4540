//! Asks the drivers of this machine for their adapters.

use super::{AdapterInfo, AdapterKind, Limits};
use crate::{Error, Result};

/// The backends that are opened without being named: all but [`GL`].
pub const NATIVE: [&str; 3] = ["Vulkan", "Metal", "DX12"];
/// The backend that is opened only when it is named, or where no other has an adapter: its drivers can end the program.
pub const GL: &str = "GL";

/// The adapters of the native backends, the preferred ones first; empty where no driver is installed.
///
/// The order is the same from call to call, so that an index keeps its meaning.
pub fn adapters() -> Vec<AdapterInfo> {
    in_order(list(&NATIVE))
}

/// The adapters of `backends`, as the drivers give them. This loads the drivers into the process: some end it, or hang.
pub fn list(backends: &[&str]) -> Vec<AdapterInfo> {
    found(backends).into_iter().map(|(info, _)| info).collect()
}

/// `list`, the preferred adapters first and those of GL last, with their numbers.
pub fn in_order(mut list: Vec<AdapterInfo>) -> Vec<AdapterInfo> {
    list.sort_by_key(|info| (info.backend == GL, info.rank()));
    for index in 0..list.len() {
        list[index].index = index;
        list[index].same_as = (0..index).find(|&earlier| same_device(&list[earlier], &list[index]));
    }
    list
}

/// The backends among `names` that this program is built with: each can be asked alone.
pub(crate) fn built_in<'a>(names: &[&'a str]) -> Vec<&'a str> {
    let built = wgpu::Instance::enabled_backend_features();
    names.iter().copied().filter(|name| built.intersects(backend(name))).collect()
}

/// The adapter that `wanted` describes.
///
/// # Errors
/// [`Error::Device`] if its backend offers it no more.
pub(super) fn find(wanted: &AdapterInfo) -> Result<wgpu::Adapter> {
    let mut found = found(&[&wanted.backend]);
    let is_it = |info: &AdapterInfo| info.name == wanted.name && info.kind == wanted.kind;
    let at_its_place = found.iter().position(|(info, _)| is_it(info) && info.place == wanted.place);
    match at_its_place.or_else(|| found.iter().position(|(info, _)| is_it(info))) {
        Some(number) => Ok(found.swap_remove(number).1),
        None => Err(Error::device(
            wanted.to_string(),
            "its driver does not offer it any more",
            "'vae devices' lists what there is; --device cpu always works",
        )),
    }
}

fn backend(name: &str) -> wgpu::Backends {
    match name {
        "Vulkan" => wgpu::Backends::VULKAN,
        "Metal" => wgpu::Backends::METAL,
        "DX12" => wgpu::Backends::DX12,
        GL => wgpu::Backends::GL,
        _ => wgpu::Backends::empty(),
    }
}

fn found(backends: &[&str]) -> Vec<(AdapterInfo, wgpu::Adapter)> {
    let wanted: wgpu::Backends = backends.iter().map(|name| backend(name)).collect();
    // `WGPU_BACKEND` may leave some out.
    let wanted = wanted & wgpu::Backends::all().with_env();
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        // By default a debug build asks for the drivers' validation layers, which slow every call.
        flags: wgpu::InstanceFlags::empty().with_env(),
        backends: wanted,
        ..wgpu::InstanceDescriptor::new_without_display_handle_from_env()
    });
    let mut list: Vec<(AdapterInfo, wgpu::Adapter)> = Vec::new();
    for adapter in pollster::block_on(instance.enumerate_adapters(wanted)) {
        let info = describe(&adapter);
        let place = list.iter().filter(|(other, _)| other.backend == info.backend).count();
        list.push((AdapterInfo { place, ..info }, adapter));
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
        place: 0,
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
mod tests {
    use super::super::test_adapter as info;
    use super::*;

    #[test]
    fn hardware_and_native_backends_go_first() {
        let list = vec![
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
        let order: Vec<usize> = in_order(list).iter().map(|info| info.place).collect();
        assert_eq!(order, [4, 3, 2, 0, 5, 1]);
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
    fn numbers_stay_when_gl_is_added() {
        let card = info(0, "RTX", "Vulkan", AdapterKind::Discrete);
        let software = info(0, "llvmpipe", "Vulkan", AdapterKind::Software);
        let gl = info(0, "RTX/PCIe/SSE2", "GL", AdapterKind::Other);
        let names = |list: Vec<AdapterInfo>| {
            let list = in_order(list);
            list.iter().map(|it| (it.index, it.to_string(), it.same_as)).collect::<Vec<_>>()
        };
        let native = names(vec![software.clone(), card.clone()]);
        let all = names(vec![gl, software, card]);
        assert_eq!(all[..2], native);
        assert_eq!(all[2], (2, "RTX/PCIe/SSE2 (GL)".to_string(), Some(0)));
    }

    #[test]
    fn the_list_is_indexed_and_can_be_written_as_json() {
        let list = adapters();
        for (index, info) in list.iter().enumerate() {
            assert_eq!(info.index, index);
            assert!(info.same_as.is_none_or(|earlier| earlier < index));
        }
        serde_json::to_string(&list).unwrap();
    }

    #[test]
    fn a_description_survives_being_written() {
        let mut info = info(3, "UHD", "Vulkan", AdapterKind::Integrated);
        info.unusable = Some("old".to_string());
        let text = serde_json::to_string(&info).unwrap();
        assert_eq!(serde_json::from_str::<AdapterInfo>(&text).unwrap(), info);
    }

    #[test]
    fn an_adapter_that_is_gone_is_named() {
        let error = find(&info(0, "no such card", "Vulkan", AdapterKind::Discrete)).unwrap_err().to_string();
        assert!(error.contains("no such card (Vulkan)") && error.contains("vae devices"), "{error}");
    }
}
