//! Saves the pipelines that a driver has compiled for the next run of the program, where the driver supports that.

use super::AdapterInfo;
use crate::files::{cache_folder, write_atomically};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A driver's pipeline cache, and the file that holds it between runs.
#[derive(Clone, Debug)]
pub(super) struct KeptPipelines {
    cache: wgpu::PipelineCache,
    file: PathBuf,
    /// Length of the data in the file. A cache never shrinks, so an equal length means that nothing is new.
    saved: Arc<AtomicUsize>,
}

impl KeptPipelines {
    /// The cache of `device`, with the pipelines of earlier runs; `None` if the driver or the system does not support it.
    pub(super) fn open(device: &wgpu::Device, adapter: &AdapterInfo) -> Option<Self> {
        if !device.features().contains(wgpu::Features::PIPELINE_CACHE) {
            return None;
        }
        let name: String = format!("{adapter} {}", adapter.driver)
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' })
            .collect();
        let file = cache_folder()?.join("pipelines").join(name + ".bin");
        let data = read(&file);
        let descriptor = wgpu::PipelineCacheDescriptor {
            label: Some("vae"),
            data: data.as_deref(),
            // Ignore data of another driver, and begin with an empty cache.
            fallback: true,
        };
        // SAFETY: the data comes from `PipelineCache::get_data` of an earlier run: the file is in the user's own cache
        // folder, is replaced only as a whole, and carries a checksum that `read` has compared. wgpu itself refuses
        // data of another adapter or driver.
        #[allow(unsafe_code, reason = "the one way to give a driver its cache back")]
        let cache = unsafe { device.create_pipeline_cache(&descriptor) };
        let saved = Arc::new(AtomicUsize::new(data.map_or(0, |data| data.len())));
        Some(Self { cache, file, saved })
    }

    /// The cache to compile with.
    pub(super) fn cache(&self) -> &wgpu::PipelineCache {
        &self.cache
    }

    /// Write the newly compiled pipelines. If that fails, the next run compiles them again.
    pub(super) fn save(&self) {
        let Some(data) = self.cache.get_data() else { return };
        if data.len() == self.saved.swap(data.len(), Ordering::Relaxed) {
            return;
        }
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let written = std::fs::create_dir_all(folder).map_err(|problem| problem.to_string()).and_then(|()| {
            write_atomically(&self.file, &sealed(data)).map_err(|problem| problem.to_string())
        });
        if let Err(problem) = written {
            log::debug!("compiled kernels cannot be kept: {problem}");
        }
    }
}

fn checksum(data: &[u8]) -> [u8; 4] {
    let mut crc = flate2::Crc::new();
    crc.update(data);
    crc.sum().to_le_bytes()
}

/// `data` followed by its checksum.
fn sealed(mut data: Vec<u8>) -> Vec<u8> {
    let sum = checksum(&data);
    data.extend(sum);
    data
}

/// The data of a file, if its checksum is right.
fn read(file: &Path) -> Option<Vec<u8>> {
    let mut data = std::fs::read(file).ok()?;
    let sum = data.split_off(data.len().checked_sub(4)?);
    (sum == checksum(&data)).then_some(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_files_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pipelines.bin");
        let whole = sealed(vec![1, 2, 3, 4, 5]);
        for (bytes, expected) in [
            (whole.clone(), Some(vec![1, 2, 3, 4, 5])),
            (whole[..6].to_vec(), None),
            (whole.iter().map(|byte| byte ^ 1).collect(), None),
            (vec![7], None),
        ] {
            std::fs::write(&file, bytes).unwrap();
            assert_eq!(read(&file), expected);
        }
        assert_eq!(read(&folder.path().join("missing")), None);
    }
}
