//! The program, as users run it.

use assert_cmd::Command;
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// The program with `arguments`, free of this machine's settings.
pub(crate) fn vae(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("vae").unwrap();
    command.args(arguments).env_remove("RUST_LOG").env_remove("VAE_DATA").timeout(Duration::from_secs(600));
    command
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The tensors of a checkpoint as bytes: parameters, moments, and the optimizer's step.
pub(crate) fn tensors(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.iter().map(|(name, view)| (name.to_string(), view.data().to_vec())).collect()
}
