//! The adapters of this machine, as the program shows and counts them.

use super::helper::{self, Silence};
use crate::gpu::{self, AdapterInfo, GL, NATIVE};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long drivers may take to list their adapters. A cold driver of a server takes some seconds.
const LIMIT: Duration = Duration::from_secs(20);

/// What the drivers offer.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The adapters, the preferred ones first and those of GL last. An adapter's number is its place here.
    pub adapters: Vec<AdapterInfo>,
    /// Backends that could not be asked, with the reason.
    pub problems: Vec<String>,
    /// Whether GL was opened.
    pub gl: bool,
}

type Answer = Result<Vec<AdapterInfo>, Silence>;
/// Asks one process for the adapters of some backends.
type Ask<'a> = &'a mut dyn FnMut(&[&str]) -> Answer;

/// The listings of this process, without GL named and with it. Drivers are asked once.
static KNOWN: Mutex<[Option<Listing>; 2]> = Mutex::new([None, None]);

/// The adapters of this machine; those of GL too if `gl` says so, or if no other backend has any.
pub fn listing(gl: bool) -> Listing {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let slot = &mut known[usize::from(gl)];
    slot.get_or_insert_with(|| {
        let native = gpu::built_in(&NATIVE);
        gather(&native, gl, &mut |backends| helper::list(backends, LIMIT))
    })
    .clone()
}

/// The adapters that this process knows of. Asks no driver.
pub(super) fn known() -> Vec<AdapterInfo> {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.iter().flatten().last().map(|listing| listing.adapters.clone()).unwrap_or_default()
}

fn gather(native: &[&str], gl: bool, ask: Ask<'_>) -> Listing {
    let (mut adapters, mut problems) = (Vec::new(), Vec::new());
    match ask(native) {
        Ok(list) => adapters = list,
        // A program that uses the library: GL is opened where it is named only.
        Err(Silence::NoProgram) => {
            let backends = [native, if gl { &[GL] } else { &[] }].concat();
            return Listing { adapters: gpu::in_order(gpu::list(&backends)), problems, gl };
        }
        Err(Silence::Failed(problem)) => match native {
            [only] => problems.push(format!("{only}: its driver {problem}")),
            several => {
                for backend in several {
                    extend(&mut adapters, &mut problems, backend, ask);
                }
            }
        },
    }
    let gl = gl || !adapters.iter().any(|info| info.unusable.is_none());
    if gl {
        extend(&mut adapters, &mut problems, GL, ask);
    }
    Listing { adapters: gpu::in_order(adapters), problems, gl }
}

/// Ask one backend.
fn extend(adapters: &mut Vec<AdapterInfo>, problems: &mut Vec<String>, backend: &str, ask: Ask<'_>) {
    match ask(&[backend]) {
        Ok(list) => adapters.extend(list),
        Err(Silence::Failed(problem)) => problems.push(format!("{backend}: its driver {problem}")),
        Err(Silence::NoProgram) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::{AdapterKind, test_adapter as info};

    /// What a machine lists, and the requests it takes.
    fn listed(native: &[&str], gl: bool, answer: &dyn Fn(&[&str]) -> Answer) -> (Listing, Vec<String>) {
        let mut asked = Vec::new();
        let listing = gather(native, gl, &mut |backends| {
            asked.push(backends.join(" "));
            answer(backends)
        });
        (listing, asked)
    }

    fn offer(backends: &[&str]) -> Answer {
        let of = |name: &&str| info(0, "card", name, AdapterKind::Discrete);
        Ok(backends.iter().map(of).collect())
    }

    #[test]
    fn gl_is_opened_by_name_or_where_nothing_else_is() {
        let (listing, asked) = listed(&["Vulkan"], false, &offer);
        assert_eq!((listing.adapters.len(), listing.gl, asked), (1, false, vec!["Vulkan".to_string()]));
        let (listing, asked) = listed(&["Vulkan"], true, &offer);
        assert_eq!((listing.adapters.len(), listing.gl, asked.len()), (2, true, 2));
        assert_eq!(listing.adapters[1].backend, "GL");
        let only_gl = |backends: &[&str]| if backends == ["GL"] { offer(backends) } else { Ok(Vec::new()) };
        let (listing, _) = listed(&["Vulkan"], false, &only_gl);
        assert_eq!((listing.adapters.len(), listing.gl), (1, true));
    }

    #[test]
    fn a_driver_that_fails_takes_no_other_with_it() {
        let answer = |backends: &[&str]| {
            if backends.contains(&"DX12") || backends == ["GL"] {
                return Err(Silence::Failed("did not answer within 20 s".into()));
            }
            offer(backends)
        };
        let (listing, asked) = listed(&["Vulkan", "DX12"], true, &answer);
        assert_eq!(asked, ["Vulkan DX12", "Vulkan", "DX12", "GL"]);
        assert_eq!(listing.adapters.len(), 1);
        assert_eq!(
            listing.problems,
            ["DX12: its driver did not answer within 20 s", "GL: its driver did not answer within 20 s"]
        );
    }

    #[test]
    fn the_library_alone_asks_in_its_own_process() {
        let (listing, asked) = listed(&["Vulkan"], false, &|_| Err(Silence::NoProgram));
        assert_eq!(asked.len(), 1);
        assert!(!listing.gl && listing.adapters.iter().all(|info| info.backend != "GL"));
    }
}
