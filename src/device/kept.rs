//! Outcomes of the start-up check on disk, by adapter, driver and version of the program.

use super::check::{self, Outcome};
use crate::files::write_atomically;
use crate::gpu::AdapterInfo;
use std::collections::BTreeMap;
use std::path::Path;

fn key(adapter: &AdapterInfo) -> String {
    format!("{adapter}, driver {}, {}", adapter.driver, check::version())
}

fn read(file: &Path) -> BTreeMap<String, Outcome> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// The outcome for `adapter` in `file`.
pub(super) fn load(file: &Path, adapter: &AdapterInfo) -> Option<Outcome> {
    read(file).remove(&key(adapter))
}

/// Keep `outcome` in `file`. If that fails, the adapter is checked anew.
pub(super) fn save(file: &Path, adapter: &AdapterInfo, outcome: &Outcome) {
    let mut table = read(file);
    table.insert(key(adapter), outcome.clone());
    let saved = serde_json::to_vec_pretty(&table).map_err(|problem| problem.to_string()).and_then(|text| {
        let folder = file.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(|problem| problem.to_string())?;
        write_atomically(file, &text).map_err(|problem| problem.to_string())
    });
    if let Err(problem) = saved {
        log::debug!("the outcome of the start-up check cannot be kept: {problem}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::{AdapterKind, test_adapter};

    #[test]
    fn outcomes_are_kept_by_adapter_and_driver() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cache").join("checks.json");
        let first = test_adapter(0, "RTX", "Vulkan", AdapterKind::Discrete);
        let second = test_adapter(1, "UHD", "Vulkan", AdapterKind::Integrated);
        let newer = AdapterInfo { driver: "2".into(), ..first.clone() };
        let failed = Outcome::Failed("tanh is wrong".into());
        save(&file, &first, &failed);
        save(&file, &second, &Outcome::Passed);
        assert_eq!(load(&file, &first), Some(failed));
        assert_eq!(load(&file, &second), Some(Outcome::Passed));
        assert_eq!(load(&file, &newer), None);
        std::fs::write(&file, "{").unwrap();
        assert_eq!(load(&file, &first), None);
        save(&file, &first, &Outcome::Passed);
        assert_eq!(load(&file, &first), Some(Outcome::Passed));
    }
}
