//! Whether the machine has the memory that reading needs.

use crate::{Error, Result};
use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};
use sysinfo::System;

/// Bytes that any machine has: to ask it for fewer is a waste of time.
pub(super) const SMALL: u64 = 64 << 20;

/// Bytes that can be used now: of the machine, or of the limit that a container sets. The largest number where the
/// system does not say. Files that the system caches do not count, as it gives up their memory.
pub(super) fn available() -> u64 {
    let mut system = System::new();
    system.refresh_memory();
    let limit = system.cgroup_limits().map(|limits| limits.total_memory.saturating_sub(limits.rss));
    [Some(system.available_memory()), limit]
        .into_iter()
        .flatten()
        .filter(|&bytes| bytes > 0)
        .min()
        .unwrap_or(u64::MAX)
}

/// Refuse to read from `path` what needs more bytes than there are.
///
/// # Errors
/// [`Error::Data`] with both numbers.
pub(super) fn check(path: &Path, what: &str, needed: u64, available: u64) -> Result<()> {
    if needed <= available { Ok(()) } else { Err(refused(path, what, needed, available)) }
}

/// The error for what needs more bytes than there are.
pub(super) fn refused(path: &Path, what: &str, needed: u64, available: u64) -> Error {
    let problem =
        format!("{what} need {} of memory, and {} are available", amount(needed), amount(available));
    let hint = "use fewer images, or smaller ones (--image-size WIDTHxHEIGHT), or end other programs";
    Error::data(path, problem, hint)
}

/// Bytes as a person reads them.
pub(super) fn amount(bytes: u64) -> String {
    match bytes {
        0..10_000_000 => format!("{} kB", bytes.div_ceil(1000)),
        10_000_000..10_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// Bytes that several threads share: a thread waits until there are enough for it.
pub(super) struct Budget {
    all: u64,
    free: Mutex<u64>,
    returned: Condvar,
}

impl Budget {
    pub(super) fn new(all: u64) -> Self {
        Self { all, free: Mutex::new(all), returned: Condvar::new() }
    }

    /// Call `work` when `bytes` are free, or nothing else is at work.
    pub(super) fn with<T>(&self, bytes: u64, work: impl FnOnce() -> T) -> T {
        let bytes = bytes.min(self.all);
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free =
            self.returned.wait_while(free, |free| *free < bytes).unwrap_or_else(PoisonError::into_inner);
        *free -= bytes;
        drop(free);
        let done = work();
        *self.free.lock().unwrap_or_else(PoisonError::into_inner) += bytes;
        self.returned.notify_all();
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn too_much_is_refused_with_both_numbers() {
        let path = Path::new("here");
        assert!(check(path, "5 pictures", 100, 100).is_ok());
        let message = check(path, "5 pictures", 32 << 30, 2_000_000_000).unwrap_err().to_string();
        for part in ["here: 5 pictures need 34.4 GB of memory, and 2000 MB are available", "--image-size"] {
            assert!(message.contains(part), "{message}");
        }
        assert!(available() > 1_000_000);
    }

    #[test]
    fn a_budget_is_never_overdrawn() {
        let (budget, used, most) = (Budget::new(10), AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for bytes in [4, 3, 8, 99, 1, 10, 5, 0] {
                let (budget, used, most) = (&budget, &used, &most);
                scope.spawn(move || {
                    budget.with(bytes, || {
                        let own = bytes.min(10);
                        most.fetch_max(used.fetch_add(own, Ordering::SeqCst) + own, Ordering::SeqCst);
                        std::thread::yield_now();
                        used.fetch_sub(own, Ordering::SeqCst);
                    });
                });
            }
        });
        assert!(most.into_inner() <= 10);
    }
}
