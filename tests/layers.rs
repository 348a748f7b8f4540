//! The order of the modules of `src/`: each uses only those below it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The modules of the library from the bottom to the top, each with those directly below it. A module may use all that
/// are below it. The program, `cli`, is another crate above them.
const LAYERS: [(&str, &str); 33] = [
    ("text", ""),
    ("error", ""),
    ("checks", "error"),
    ("random", ""),
    ("pace", ""),
    ("disentangle", "error random"),
    ("files", "error"),
    ("data", "text random files"),
    ("report", "data"),
    ("kernels", "text random files"),
    ("activation", ""),
    ("likelihood", "activation kernels"),
    ("scene", ""),
    ("plan", "likelihood scene"),
    // To run a plan.
    ("cpu", "plan"),
    ("gpu", "plan"),
    ("device", "cpu gpu"),
    ("probe", "device pace"),
    ("tuning", "probe"),
    // To describe a model.
    ("graph", "plan"),
    ("optimizer", "graph"),
    ("model", "optimizer data checks"),
    // A model on a device.
    ("session", "model tuning"),
    ("config", "session"),
    ("run", "config"),
    ("eval", "run report disentangle"),
    ("train", "eval"),
    ("web", "train"),
    // What the program offers beside training: none of these uses another.
    ("reproduce", "train"),
    ("deck", "web"),
    ("bench", "train"),
    ("selftest", "train"),
    ("world", "train"),
];

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All Rust files under `folder`, without those that hold tests only.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let nested = entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] });
    nested.filter(|path| !path.file_stem().unwrap().to_str().unwrap().ends_with("tests")).collect()
}

/// The text of `path` without comments and without a test module at its end.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let own = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    own.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The modules that `code` names after `crate::`; `{Error, Result}` is `error`.
fn named(code: &str) -> BTreeSet<String> {
    let paths = code.split("crate::").skip(1).map(|rest| match rest.strip_prefix('{') {
        Some(group) => group.split('}').next().unwrap(),
        None => rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap(),
    });
    let roots = paths.flat_map(|path| path.split(',')).map(|path| path.split("::").next().unwrap().trim());
    roots.map(|root| if ["Error", "Result"].contains(&root) { "error" } else { root }.to_string()).collect()
}

/// Uses of a module that is not below: files, relative to `src/`, each with the module it names.
fn against_the_order() -> BTreeSet<(String, String)> {
    let mut below: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (module, direct) in LAYERS {
        let mut all: BTreeSet<&str> = direct.split_whitespace().collect();
        for name in direct.split_whitespace() {
            all.extend(&below[name]);
        }
        below.insert(module, all);
    }
    let mut found = BTreeSet::new();
    for path in files(&src()) {
        let file = path.strip_prefix(src()).unwrap().to_str().unwrap().replace('\\', "/");
        let module = file.split('/').next().unwrap().trim_end_matches(".rs");
        if ["lib", "main", "cli"].contains(&module) {
            continue;
        }
        let below = below.get(module).unwrap_or_else(|| panic!("{module} is missing in LAYERS"));
        let others = named(&code(&path)).into_iter().filter(|name| name != module);
        found.extend(others.filter(|name| !below.contains(&**name)).map(|name| (file.clone(), name)));
    }
    found
}

#[test]
fn modules_use_only_those_below_them() {
    let found = against_the_order();
    assert!(found.is_empty(), "these modules are not below the files that use them: {found:?}");
}

/// What the code embeds is in the package that others build.
#[test]
fn the_package_holds_what_the_program_embeds() {
    let manifest = std::fs::read_to_string(src().with_file_name("Cargo.toml")).unwrap();
    let list = manifest.split("include = [").nth(1).unwrap().split(']').next().unwrap();
    let packed: Vec<&str> = list.split('"').filter(|entry| entry.starts_with('/')).collect();
    let mut embedded = 0;
    for path in files(&src()) {
        let code = code(&path);
        for macros in ["include_str!(", "include_bytes!("] {
            for rest in code.split(macros).skip(1) {
                let file = rest.split('"').nth(1).unwrap().trim_start_matches("../");
                let known = packed.iter().any(|entry| format!("/{file}").starts_with(entry));
                assert!(known, "{}: {file} is not in the package", path.display());
                embedded += 1;
            }
        }
    }
    assert!(embedded > 10, "{embedded}");
}
