//! Which device to train on: an adapter, or the processor.

use crate::cpu::CpuExecutor;
use crate::gpu::{AdapterInfo, Gpu, GpuExecutor, adapters};
use crate::plan::{Executor, Plan};
use crate::text::text_serde;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What the user asks for with `--device`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DeviceChoice {
    /// `auto`: a GPU if there is one, else the processor. A software adapter is taken only when it is named: it is several
    /// times slower than the processor's own kernels.
    #[default]
    Auto,
    /// `cpu`: this program's own kernels for the processor; needs no driver.
    Cpu,
    /// `software`: a driver that runs shaders on the processor.
    Software,
    /// A number: the adapter at this index of the list.
    Index(usize),
    /// Anything else: a part of an adapter's name, or `backend:name`, in any case.
    Name(String),
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        match text.to_lowercase().as_str() {
            "" => Err(Error::setting(
                "--device",
                "no device is named",
                "use auto, cpu, software, an adapter's number, or a part of its name",
            )),
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "software" => Ok(Self::Software),
            other => Ok(other.parse().map_or_else(|_| Self::Name(text.to_string()), Self::Index)),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Software => f.write_str("software"),
            Self::Index(index) => write!(f, "{index}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

text_serde!(DeviceChoice);

/// The device that a [`DeviceChoice`] means on this machine.
#[derive(Clone, Debug)]
pub enum Chosen {
    /// The processor.
    Cpu,
    /// An adapter: its index for [`crate::gpu::Gpu::open`], and what it is.
    Gpu(usize, Box<AdapterInfo>),
}

/// A device that is open and holds no plan yet.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "a program holds one or two of them")]
pub enum OpenDevice {
    /// The processor.
    Cpu,
    /// An adapter.
    Gpu(Box<Gpu>),
}

impl OpenDevice {
    /// Choose a device and open it.
    ///
    /// # Errors
    /// If `choice` fits none or several devices, or the device cannot be opened.
    pub fn open(choice: &DeviceChoice) -> Result<Self> {
        Ok(match choose(choice)? {
            Chosen::Cpu => Self::Cpu,
            Chosen::Gpu(index, _) => Self::Gpu(Box::new(Gpu::open(index)?)),
        })
    }

    /// Bytes of the largest buffer a kernel can see; `None` for no limit but memory.
    pub fn binding_limit(&self) -> Option<u64> {
        match self {
            Self::Cpu => None,
            Self::Gpu(gpu) => {
                let limits = &gpu.info().limits;
                Some(limits.max_storage_buffer_binding_size.min(limits.max_buffer_size))
            }
        }
    }

    /// Allocate `plan`'s buffers and prepare its kernels.
    ///
    /// # Errors
    /// [`Error::Limit`] if a tensor is larger than the device allows; else if the device fails.
    pub fn executor(&self, plan: &Plan, max_steps: usize) -> Result<Box<dyn Executor>> {
        Ok(match self {
            Self::Cpu => Box::new(CpuExecutor::<f32>::new(plan, max_steps)?),
            Self::Gpu(gpu) => Box::new(GpuExecutor::new(gpu, plan, max_steps)?),
        })
    }
}

/// Find the device that `choice` means.
///
/// # Errors
/// [`Error::Setting`] for `--device`, with a list of what there is, if nothing or more than one device fits.
pub fn choose(choice: &DeviceChoice) -> Result<Chosen> {
    match choice {
        // No driver is touched for this one.
        DeviceChoice::Cpu => Ok(Chosen::Cpu),
        choice => pick(choice, &adapters()?),
    }
}

/// What [`DeviceChoice::Auto`] means among the adapters of `list`: the first GPU, else the processor.
pub fn automatic(list: &[AdapterInfo]) -> Chosen {
    usable(list, false).unwrap_or(Chosen::Cpu)
}

fn usable(list: &[AdapterInfo], software: bool) -> Option<Chosen> {
    list.iter().find(|info| info.unusable.is_none() && info.is_software() == software).map(chosen)
}

fn pick(choice: &DeviceChoice, list: &[AdapterInfo]) -> Result<Chosen> {
    match choice {
        DeviceChoice::Cpu => Ok(Chosen::Cpu),
        DeviceChoice::Auto => {
            let chosen = automatic(list);
            if matches!(chosen, Chosen::Cpu) {
                log::info!("no GPU was found; using the CPU");
            }
            Ok(chosen)
        }
        DeviceChoice::Software => usable(list, true).ok_or_else(|| {
            Error::setting(
                "--device",
                "there is no software adapter",
                format!(
                    "install a Vulkan software driver, such as Mesa's lavapipe (on Debian and Ubuntu the package \
                     mesa-vulkan-drivers), or use --device cpu\n  {}",
                    listing(list)
                ),
            )
        }),
        DeviceChoice::Index(index) => match list.get(*index) {
            Some(info) => usable_or_reason(info, list),
            None => Err(Error::setting("--device", format!("there is no adapter {index}"), listing(list))),
        },
        DeviceChoice::Name(name) => by_name(name, list),
    }
}

fn by_name(name: &str, list: &[AdapterInfo]) -> Result<Chosen> {
    let wanted = name.to_lowercase();
    let fits: Vec<&AdapterInfo> = list
        .iter()
        .filter(|info| {
            let own = info.name.to_lowercase();
            let by_backend = wanted.split_once(':').is_some_and(|(backend, name)| {
                backend.trim() == info.backend.to_lowercase() && own.contains(name.trim())
            });
            by_backend || own.contains(&wanted)
        })
        .collect();
    // One device that two backends offer is no ambiguity: the better backend is meant.
    let distinct: Vec<&AdapterInfo> = fits
        .iter()
        .copied()
        .filter(|info| !info.same_as.is_some_and(|first| fits.iter().any(|other| other.index == first)))
        .collect();
    match distinct.as_slice() {
        [] => {
            let problem = format!("no adapter is called '{name}'");
            Err(Error::setting("--device", problem, listing(list)))
        }
        [only] => usable_or_reason(only, list),
        _ => {
            let problem = format!("'{name}' fits {} adapters; use a number", distinct.len());
            Err(Error::setting("--device", problem, listing(list)))
        }
    }
}

fn chosen(info: &AdapterInfo) -> Chosen {
    Chosen::Gpu(info.index, Box::new(info.clone()))
}

fn usable_or_reason(info: &AdapterInfo, list: &[AdapterInfo]) -> Result<Chosen> {
    match &info.unusable {
        None => Ok(chosen(info)),
        Some(reason) => {
            Err(Error::setting("--device", format!("{info} cannot be used: {reason}"), listing(list)))
        }
    }
}

/// What there is, for the end of an error: `0: NAME (Vulkan)`.
fn listing(list: &[AdapterInfo]) -> String {
    if list.is_empty() {
        return "no adapter was found on this machine; --device cpu always works".to_string();
    }
    let entries: Vec<String> = list
        .iter()
        .map(|info| {
            let unusable = if info.unusable.is_some() { ", cannot be used" } else { "" };
            format!("{}: {info}{unusable}", info.index)
        })
        .collect();
    format!("there are {}; and cpu", entries.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::AdapterKind;
    use crate::gpu::test_adapter as info;

    fn machine() -> Vec<AdapterInfo> {
        let mut gl = info(2, "GeForce RTX 3080/PCIe/SSE2", "GL", AdapterKind::Other);
        gl.same_as = Some(0);
        let mut old = info(4, "Old Card", "GL", AdapterKind::Other);
        old.unusable = Some("it has no compute shaders".to_string());
        vec![
            info(0, "GeForce RTX 3080", "Vulkan", AdapterKind::Discrete),
            info(1, "Intel UHD", "Vulkan", AdapterKind::Integrated),
            gl,
            info(3, "llvmpipe (LLVM 19)", "Vulkan", AdapterKind::Software),
            old,
        ]
    }

    fn index(choice: &str, list: &[AdapterInfo]) -> Option<usize> {
        match pick(&choice.parse().unwrap(), list).unwrap() {
            Chosen::Cpu => None,
            Chosen::Gpu(index, info) => {
                assert_eq!(index, info.index);
                Some(index)
            }
        }
    }

    fn problem(choice: &str, list: &[AdapterInfo]) -> String {
        pick(&choice.parse().unwrap(), list).unwrap_err().to_string()
    }

    #[test]
    fn choices_are_read_and_written_as_text() {
        for (text, choice) in [
            ("auto", DeviceChoice::Auto),
            ("cpu", DeviceChoice::Cpu),
            ("software", DeviceChoice::Software),
            ("3", DeviceChoice::Index(3)),
            ("vulkan:RTX", DeviceChoice::Name("vulkan:RTX".to_string())),
        ] {
            assert_eq!(text.parse::<DeviceChoice>().unwrap(), choice);
            assert_eq!(choice.to_string(), text);
            let json = serde_json::to_string(&choice).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<DeviceChoice>(&json).unwrap(), choice);
        }
        assert_eq!(" CPU ".parse::<DeviceChoice>().unwrap(), DeviceChoice::Cpu);
        assert!(" ".parse::<DeviceChoice>().unwrap_err().to_string().starts_with("--device: "));
    }

    #[test]
    fn auto_takes_hardware_then_the_cpu() {
        let list = machine();
        assert_eq!(index("auto", &list), Some(0));
        assert_eq!(index("auto", &list[3..]), None);
        assert_eq!(index("auto", &list[4..]), None);
        assert_eq!(index("auto", &[]), None);
        assert_eq!(index("cpu", &list), None);
        assert_eq!(index("software", &list), Some(3));
    }

    #[test]
    fn names_match_parts_in_any_case() {
        let list = machine();
        assert_eq!(index("rtx", &list), Some(0));
        assert_eq!(index("gl:rtx", &list), Some(2));
        assert_eq!(index("VULKAN:uhd", &list), Some(1));
        assert_eq!(index("1", &list), Some(1));
    }

    #[test]
    fn errors_list_what_there_is() {
        let list = machine();
        let ambiguous = problem("vulkan:", &list);
        assert!(ambiguous.contains("fits 3 adapters"), "{ambiguous}");
        let unknown = problem("radeon", &list);
        assert!(unknown.contains("no adapter is called 'radeon'"), "{unknown}");
        assert!(unknown.contains("1: Intel UHD (Vulkan)"), "{unknown}");
        assert!(problem("9", &list).contains("there is no adapter 9"));
        assert!(problem("old", &list).contains("it has no compute shaders"));
        assert!(problem("software", &list[..1]).contains("mesa-vulkan-drivers"));
        assert!(problem("radeon", &[]).contains("--device cpu always works"));
    }

    #[test]
    fn this_machine_has_a_device() {
        choose(&DeviceChoice::Auto).unwrap();
        assert!(matches!(choose(&DeviceChoice::Cpu), Ok(Chosen::Cpu)));
    }
}
