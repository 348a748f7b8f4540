//! Choices on disk, by adapter, driver and shaders.

use crate::files::write_atomically;
use crate::gpu::AdapterInfo;
use crate::kernels;
use crate::plan::Variant;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The file: for each adapter with its driver and shaders, the variants of its products by name and size.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Table(BTreeMap<String, BTreeMap<String, Variant>>);

/// The known choices for one adapter.
#[derive(Debug)]
pub(super) struct Cache {
    file: Option<PathBuf>,
    key: String,
    known: BTreeMap<String, Variant>,
    changed: bool,
}

/// Key of a choice, beside the product: adapter, driver and shaders.
pub(super) fn key(adapter: &AdapterInfo) -> String {
    let mut crc = flate2::Crc::new();
    for file in kernels::files().filter(|name| name.starts_with("matmul")) {
        crc.update(kernels::source(file).as_bytes());
    }
    format!("{adapter}, driver {}, shaders {:08x}", adapter.driver, crc.sum())
}

fn read(file: &Path) -> Option<Table> {
    let text = std::fs::read_to_string(file).ok()?;
    serde_json::from_str(&text)
        .map_err(|problem| log::debug!("{}: {problem}; measuring anew", file.display()))
        .ok()
}

impl Cache {
    /// The choices in `file` for `adapter`; empty if the file is missing or cannot be parsed.
    pub(super) fn load(file: Option<&Path>, adapter: &AdapterInfo) -> Self {
        let key = key(adapter);
        let known = file.and_then(read).and_then(|mut table| table.0.remove(&key)).unwrap_or_default();
        Self { file: file.map(Path::to_path_buf), key, known, changed: false }
    }

    pub(super) fn get(&self, product: &str) -> Option<Variant> {
        self.known.get(product).copied()
    }

    pub(super) fn insert(&mut self, product: String, variant: Variant) {
        self.known.insert(product, variant);
        self.changed = true;
    }

    /// Write the choices to the file. If another program has written to it in the meantime, its choices stay, except
    /// those for the same adapter and the same products.
    pub(super) fn save(&self) {
        let Some(file) = self.file.as_deref().filter(|_| self.changed) else { return };
        let mut table = read(file).unwrap_or_default();
        table.0.entry(self.key.clone()).or_default().extend(self.known.clone());
        let saved =
            serde_json::to_vec_pretty(&table).map_err(|problem| problem.to_string()).and_then(|text| {
                let folder = file.parent().unwrap_or(Path::new("."));
                std::fs::create_dir_all(folder).map_err(|problem| problem.to_string())?;
                write_atomically(file, &text).map_err(|problem| problem.to_string())
            });
        match saved {
            Ok(()) => log::debug!("choices kept in {}", file.display()),
            Err(problem) => log::info!("choices cannot be kept, and will be made anew: {problem}"),
        }
    }
}
