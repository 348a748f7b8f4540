//! Which driver is missing where a machine has a GPU, and no driver offers it.

use crate::gpu::AdapterInfo;
use std::path::{Path, PathBuf};

/// Folders of libraries, relative to the root.
const LIBRARIES: [&str; 9] = [
    "usr/lib/x86_64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
    "lib/x86_64-linux-gnu",
    "lib/aarch64-linux-gnu",
    "usr/lib64",
    "usr/lib",
    "lib64",
    "lib",
    "usr/local/lib",
];

/// Where Vulkan drivers announce themselves.
const ANNOUNCED: [&str; 3] = ["etc/vulkan/icd.d", "usr/share/vulkan/icd.d", "usr/local/share/vulkan/icd.d"];

/// Drivers that this machine, whose adapters are `list`, seems to lack: a line each, with what to install. Empty where a GPU
/// is listed, where there is no sign of one, and on systems other than Linux.
pub(super) fn missing_here(list: &[AdapterInfo]) -> Vec<String> {
    let has_gpu = list.iter().any(|info| info.unusable.is_none() && !info.is_software());
    if has_gpu || !cfg!(target_os = "linux") { Vec::new() } else { missing(Path::new("/")) }
}

/// The same by the files under `root`, for a machine without a GPU in its list.
fn missing(root: &Path) -> Vec<String> {
    let version = std::fs::read_to_string(root.join("proc/version")).unwrap_or_default().to_lowercase();
    if version.contains("microsoft") {
        return vec![wsl(root)];
    }
    let mut lines = Vec::new();
    if first_named(&root.join("dev"), "nvidia").is_some() {
        lines.push(nvidia(root));
    }
    if let Some(node) = first_named(&root.join("dev/dri"), "renderD") {
        lines.extend(mesa(root, &node));
    }
    lines
}

/// WSL shows GPUs through Direct3D 12 only.
fn wsl(root: &Path) -> String {
    if !root.join("dev/dxg").exists() {
        return "WSL shows no GPU (there is no /dev/dxg): update WSL ('wsl --update') and the GPU's driver in Windows"
            .into();
    }
    if announced(root, "dzn") {
        return "WSL shows the GPU through Mesa's Vulkan driver dzn, which wgpu hides as it is not conformant: set \
                WGPU_ALLOW_UNDERLYING_NONCOMPLIANT_ADAPTER=1"
            .into();
    }
    "WSL has no Vulkan driver for the GPU: install Mesa's driver dzn (Fedora: mesa-vulkan-drivers, Arch: vulkan-dzn; Debian's \
     mesa-vulkan-drivers lacks it) and set WGPU_ALLOW_UNDERLYING_NONCOMPLIANT_ADAPTER=1; or try --device gl:d3d12, or the \
     program built for Windows"
        .into()
}

fn nvidia(root: &Path) -> String {
    let seen = "there is an NVIDIA GPU (/dev/nvidia*), but no driver offers it";
    if !has_library(root, "libvulkan.so.1") {
        return format!(
            "{seen}: install the Vulkan loader (Debian, Ubuntu: libvulkan1; Fedora: vulkan-loader)"
        );
    }
    let container = root.join(".dockerenv").exists() || root.join("run/.containerenv").exists();
    if !announced(root, "nvidia") || !has_library(root, "libGLX_nvidia.so.0") {
        return if container {
            format!(
                "{seen}: start the container with NVIDIA_DRIVER_CAPABILITIES=all (or graphics,compute,utility), which brings \
                 nvidia_icd.json and libGLX_nvidia.so.0"
            )
        } else {
            format!(
                "{seen}: install NVIDIA's Vulkan driver (Debian: nvidia-vulkan-icd; Ubuntu: libnvidia-gl of the driver's \
                 version), which brings nvidia_icd.json and libGLX_nvidia.so.0"
            )
        };
    }
    let lacking = ["libX11.so.6", "libXext.so.6"].map(|name| (name, has_library(root, name)));
    if let Some((name, _)) = lacking.iter().find(|(_, there)| !there) {
        return format!("{seen}: its driver needs {name} (Debian, Ubuntu: libx11-6 and libxext6)");
    }
    format!("{seen}, although one is installed: nvidia-smi shows whether it fits the kernel's module")
}

/// GPUs of AMD, Intel and others have their drivers in Mesa.
fn mesa(root: &Path, node: &Path) -> Option<String> {
    let name = node.file_name()?.to_string_lossy().into_owned();
    if !has_library(root, "libvulkan.so.1") || ANNOUNCED.iter().all(|folder| is_empty(&root.join(folder))) {
        return Some(format!(
            "there is a GPU (/dev/dri/{name}), but no Vulkan driver: install one (Debian, Ubuntu: mesa-vulkan-drivers and \
             libvulkan1; Fedora: mesa-vulkan-drivers and vulkan-loader)"
        ));
    }
    let denied = std::fs::File::open(node)
        .is_err_and(|problem| problem.kind() == std::io::ErrorKind::PermissionDenied);
    denied.then(|| {
        format!("there is a GPU (/dev/dri/{name}), which this user may not open: add the user to the group 'render'")
    })
}

/// The first entry of `folder` whose name begins with `start`.
fn first_named(folder: &Path, start: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    entries
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start)))
        .min()
}

fn is_empty(folder: &Path) -> bool {
    first_named(folder, "").is_none()
}

/// Whether a Vulkan driver whose name begins with `start` is announced.
fn announced(root: &Path, start: &str) -> bool {
    ANNOUNCED.iter().any(|folder| first_named(&root.join(folder), start).is_some())
}

fn has_library(root: &Path, name: &str) -> bool {
    LIBRARIES.iter().any(|folder| root.join(folder).join(name).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is missing on a machine that has these files.
    fn lines(files: &[&str]) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let (path, content) = file.split_once('=').unwrap_or((file, ""));
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        missing(root.path())
    }

    fn line(files: &[&str]) -> String {
        let lines = lines(files);
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines[0].clone()
    }

    const LOADER: &str = "usr/lib/x86_64-linux-gnu/libvulkan.so.1";

    #[test]
    fn machines_without_a_sign_of_a_gpu_lack_nothing() {
        assert!(lines(&[]).is_empty());
        assert!(
            lines(&["proc/version=Linux version 6.1", LOADER, "usr/share/vulkan/icd.d/lvp_icd.json"])
                .is_empty()
        );
    }

    #[test]
    fn wsl_needs_a_driver_over_direct3d() {
        let version = "proc/version=Linux version 5.15.90.1-microsoft-standard-WSL2";
        assert!(line(&[version]).contains("wsl --update"));
        assert!(line(&[version, "dev/dxg"]).contains("vulkan-dzn"));
        let hidden = line(&[version, "dev/dxg", "usr/share/vulkan/icd.d/dzn_icd.x86_64.json"]);
        assert!(hidden.contains("WGPU_ALLOW_UNDERLYING_NONCOMPLIANT_ADAPTER=1"), "{hidden}");
    }

    #[test]
    fn nvidia_needs_loader_driver_and_libraries() {
        let mut files = vec!["dev/nvidiactl", "dev/nvidia0", "proc/version=Linux version 6.1"];
        assert!(line(&files).contains("libvulkan1"));
        files.push(LOADER);
        assert!(line(&files).contains("nvidia-vulkan-icd"));
        files.push(".dockerenv");
        assert!(line(&files).contains("NVIDIA_DRIVER_CAPABILITIES=all"));
        files.push("etc/vulkan/icd.d/nvidia_icd.json");
        assert!(line(&files).contains("libGLX_nvidia.so.0"));
        files.push("usr/lib/x86_64-linux-gnu/libGLX_nvidia.so.0");
        assert!(line(&files).contains("libx11-6"));
        files.extend(["usr/lib64/libX11.so.6", "usr/lib64/libXext.so.6"]);
        assert!(line(&files).contains("nvidia-smi"));
    }

    #[test]
    fn other_gpus_need_mesa() {
        assert!(line(&["dev/dri/renderD128"]).contains("mesa-vulkan-drivers"));
        let installed = ["dev/dri/renderD128", LOADER, "usr/share/vulkan/icd.d/radeon_icd.x86_64.json"];
        assert!(lines(&installed).is_empty());
    }
}
