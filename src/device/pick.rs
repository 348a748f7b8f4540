//! Which adapter of a list is meant.

use super::{Chosen, DeviceChoice, Listing, Outcome};
use crate::gpu::AdapterInfo;
use crate::{Error, Result};

/// What `auto` means.
#[derive(Debug)]
pub(super) struct Automatic {
    pub(super) chosen: Chosen,
    /// A line for each GPU that was passed over.
    pub(super) passed_over: Vec<String>,
}

/// What [`DeviceChoice::Auto`] means among the adapters of `list`: the first GPU that passes the start-up check, else the
/// processor.
pub(super) fn automatic(list: &[AdapterInfo], check: &mut dyn FnMut(&AdapterInfo) -> Outcome) -> Automatic {
    let mut passed_over = Vec::new();
    let is_gpu = |info: &&AdapterInfo| info.unusable.is_none() && !info.is_software();
    for info in list.iter().filter(is_gpu) {
        match check(info) {
            Outcome::Passed => {
                return Automatic { chosen: Chosen::Gpu(Box::new(info.clone())), passed_over };
            }
            Outcome::Failed(problem) => passed_over.push(format!(
                "{info} failed the start-up check and is passed over: {problem}. 'vae devices' checks it again, and \
                 --device {} takes it nevertheless",
                info.index
            )),
            Outcome::Unknown(problem) => {
                passed_over.push(format!("{info} could not be checked and is passed over: {problem}"));
            }
        }
    }
    Automatic { chosen: Chosen::Cpu, passed_over }
}

/// The adapter that `choice` names.
///
/// # Errors
/// [`Error::Setting`] for `--device`, with a list of what there is, if none or more than one fits.
pub(super) fn named(choice: &DeviceChoice, listing: &Listing) -> Result<AdapterInfo> {
    let list = &listing.adapters;
    match choice {
        DeviceChoice::Software => {
            let first = list.iter().find(|info| info.unusable.is_none() && info.is_software());
            first.cloned().ok_or_else(|| {
                Error::setting(
                    "--device",
                    "there is no software adapter",
                    format!(
                        "install a Vulkan software driver, such as Mesa's lavapipe (on Debian and Ubuntu the package \
                         mesa-vulkan-drivers), or use --device cpu\n  {}",
                        there_is(listing)
                    ),
                )
            })
        }
        DeviceChoice::Index(index) => match list.get(*index) {
            Some(info) => usable_or_reason(info, listing),
            None => {
                Err(Error::setting("--device", format!("there is no adapter {index}"), there_is(listing)))
            }
        },
        DeviceChoice::Name(name) => by_name(name, listing),
        DeviceChoice::Auto | DeviceChoice::Cpu => Err(Error::Internal(format!("{choice} names no adapter"))),
    }
}

fn by_name(name: &str, listing: &Listing) -> Result<AdapterInfo> {
    let wanted = name.to_lowercase();
    let fits: Vec<&AdapterInfo> = listing
        .adapters
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
            Err(Error::setting("--device", problem, there_is(listing)))
        }
        [only] => usable_or_reason(only, listing),
        _ => {
            let problem = format!("'{name}' fits {} adapters; use a number", distinct.len());
            Err(Error::setting("--device", problem, there_is(listing)))
        }
    }
}

fn usable_or_reason(info: &AdapterInfo, listing: &Listing) -> Result<AdapterInfo> {
    match &info.unusable {
        None => Ok(info.clone()),
        Some(reason) => {
            Err(Error::setting("--device", format!("{info} cannot be used: {reason}"), there_is(listing)))
        }
    }
}

/// What there is, for the end of an error: `0: NAME (Vulkan)`.
fn there_is(listing: &Listing) -> String {
    let entries = listing.adapters.iter().map(|info| {
        let unusable = if info.unusable.is_some() { ", cannot be used" } else { "" };
        format!("{}: {info}{unusable}", info.index)
    });
    let entries: Vec<String> = entries.collect();
    let mut text = match entries.as_slice() {
        [] => "no adapter was found on this machine; --device cpu always works".to_string(),
        entries => format!("there are {}; and cpu", entries.join("; ")),
    };
    if !listing.gl {
        text += "; GL was not opened, --device gl:NAME does that";
    }
    for problem in &listing.problems {
        text += &format!("\n  {problem}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::AdapterKind;
    use crate::gpu::test_adapter as info;

    fn listing(adapters: Vec<AdapterInfo>) -> Listing {
        Listing { adapters, ..Listing::default() }
    }

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

    /// The adapter that `auto` takes, with the lines about others, if `failing` fail the check.
    fn auto(list: &[AdapterInfo], failing: &[&str]) -> (Option<usize>, Vec<String>) {
        let mut check = |info: &AdapterInfo| match failing.contains(&info.name.as_str()) {
            true => Outcome::Failed("tanh is wrong".into()),
            false => Outcome::Passed,
        };
        let found = automatic(list, &mut check);
        let chosen = match found.chosen {
            Chosen::Cpu => None,
            Chosen::Gpu(info) => Some(info.index),
        };
        (chosen, found.passed_over)
    }

    fn index(choice: &str, list: &[AdapterInfo]) -> usize {
        named(&choice.parse().unwrap(), &listing(list.to_vec())).unwrap().index
    }

    fn problem(choice: &str, list: &[AdapterInfo]) -> String {
        named(&choice.parse().unwrap(), &listing(list.to_vec())).unwrap_err().to_string()
    }

    #[test]
    fn auto_takes_hardware_then_the_cpu() {
        let list = machine();
        assert_eq!(auto(&list, &[]), (Some(0), Vec::new()));
        assert_eq!(auto(&list[3..], &[]), (None, Vec::new()));
        assert_eq!(auto(&[], &[]), (None, Vec::new()));
        assert_eq!(index("software", &list), 3);
    }

    #[test]
    fn auto_passes_over_what_fails_the_check() {
        let list = machine();
        let (chosen, lines) = auto(&list, &["GeForce RTX 3080"]);
        assert_eq!((chosen, lines.len()), (Some(1), 1));
        assert!(lines[0].contains("GeForce RTX 3080 (Vulkan) failed the start-up check"), "{lines:?}");
        assert!(lines[0].contains("tanh is wrong") && lines[0].contains("--device 0"), "{lines:?}");
        let all = ["GeForce RTX 3080", "Intel UHD", "GeForce RTX 3080/PCIe/SSE2"];
        let (chosen, lines) = auto(&list, &all);
        assert_eq!((chosen, lines.len()), (None, 3));
        let mut unknown = |_: &AdapterInfo| Outcome::Unknown("it could not be opened".into());
        let found = automatic(&list[..1], &mut unknown);
        assert!(matches!(found.chosen, Chosen::Cpu) && found.passed_over[0].contains("could not be opened"));
    }

    #[test]
    fn names_match_parts_in_any_case() {
        let list = machine();
        assert_eq!(index("rtx", &list), 0);
        assert_eq!(index("gl:rtx", &list), 2);
        assert_eq!(index("VULKAN:uhd", &list), 1);
        assert_eq!(index("1", &list), 1);
    }

    #[test]
    fn errors_list_what_there_is() {
        let list = machine();
        let ambiguous = problem("vulkan:", &list);
        assert!(ambiguous.contains("fits 3 adapters"), "{ambiguous}");
        let unknown = problem("radeon", &list);
        assert!(unknown.contains("no adapter is called 'radeon'"), "{unknown}");
        assert!(unknown.contains("1: Intel UHD (Vulkan)"), "{unknown}");
        assert!(unknown.contains("--device gl:NAME"), "{unknown}");
        assert!(problem("9", &list).contains("there is no adapter 9"));
        assert!(problem("old", &list).contains("it has no compute shaders"));
        assert!(problem("software", &list[..1]).contains("mesa-vulkan-drivers"));
        assert!(problem("radeon", &[]).contains("--device cpu always works"));
        let failed = Listing { problems: vec!["Vulkan: its driver hangs".into()], ..Listing::default() };
        let error = named(&DeviceChoice::Index(0), &failed).unwrap_err().to_string();
        assert!(error.ends_with("Vulkan: its driver hangs"), "{error}");
    }
}
