//! README.md and docs/: links resolve, and every command and flag they name exists.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use assert_cmd::Command;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

/// Longest README that a newcomer reads.
const README_LINES: usize = 200;

/// Root of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// One page, taken apart.
struct Page {
    /// Relative to the repository, such as `docs/models.md`.
    name: String,
    /// Text without code.
    prose: String,
    /// Inline code, and the commands of `sh` blocks without comments; one line each.
    code: Vec<String>,
    /// What links can point at after `#`.
    anchors: BTreeSet<String>,
}

impl Page {
    fn read(path: &Path) -> Self {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
        let (mut text, mut code, mut anchors) = (String::new(), Vec::new(), BTreeSet::new());
        let (mut fence, mut continued) = (None, false);
        for line in read_to_string(path).unwrap().lines() {
            if let Some(language) = line.trim_start().strip_prefix("```") {
                fence = fence.is_none().then(|| language.to_string());
            } else if fence.is_none() {
                text.extend([line, "\n"]);
                if line.starts_with('#') {
                    anchors.insert(anchor(line.trim_start_matches('#')));
                }
            } else if fence.as_deref() == Some("sh") {
                let command = line.split(" #").next().unwrap().trim();
                let part = command.strip_suffix('\\').unwrap_or(command);
                if continued {
                    code.last_mut().map(|last: &mut String| last.push_str(part)).unwrap();
                } else {
                    code.push(part.to_string());
                }
                continued = command.ends_with('\\');
            }
        }
        assert!(fence.is_none(), "{name}: a block of code has no end");
        let parts: Vec<_> = text.split('`').collect();
        assert!(parts.len() % 2 == 1, "{name}: a ` has no partner");
        code.extend(parts.iter().skip(1).step_by(2).map(|code| code.replace('\n', " ")));
        Self { name, prose: parts.iter().step_by(2).copied().collect(), code, anchors }
    }

    /// Targets of links and pictures that are in the repository.
    fn links(&self) -> impl Iterator<Item = &str> {
        let targets = self.prose.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
        targets.filter(|target| !target.contains("://"))
    }
}

/// The anchor of a heading, by GitHub's rule.
fn anchor(heading: &str) -> String {
    let heading = heading.trim().to_lowercase();
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || ['-', '_', ' '].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn pages() -> Vec<Page> {
    let docs = read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = docs.filter(|path| path.extension().is_some_and(|it| it == "md")).collect();
    paths.sort();
    paths.insert(0, root().join("README.md"));
    paths.iter().map(|path| Page::read(path)).collect()
}

/// What `vae ARGUMENTS` prints.
fn printed(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_vae")).args(arguments).output().unwrap();
    assert!(output.status.success(), "vae {arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The flags of each subcommand, as its help lists them.
fn flags() -> BTreeMap<String, BTreeSet<String>> {
    let help = printed(&["--help"]);
    let commands = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let names = commands.take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    // `--flip[=<BOOL>]`
    let plain = |word: &str| word.split('[').next().unwrap_or(word).to_string();
    let mut flags: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for name in names.map(|line| line.split_whitespace().next().unwrap().to_string()) {
        let mut commands = vec![vec![name.clone()]];
        // A command of several: those of `vae world` are known by the flags of all.
        let help = printed(&[&name, "--help"]);
        let nested = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        let nested = nested.take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
        let nested = nested.filter_map(|line| line.split_whitespace().next());
        commands.extend(nested.map(|nested| vec![name.clone(), nested.to_string()]));
        let own = flags.entry(name).or_default();
        for command in commands {
            let words: Vec<&str> = command.iter().map(String::as_str).chain(["--help"]).collect();
            let help = printed(&words);
            let entries = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
            let words = entries.flat_map(|line| line.split_whitespace().take(2));
            own.extend(words.filter(|word| word.starts_with("--")).map(plain));
        }
    }
    flags
}

#[test]
fn the_readme_is_short() {
    let lines = read_to_string(root().join("README.md")).unwrap().lines().count();
    assert!(lines <= README_LINES, "README.md has {lines} lines; move some to docs/");
}

#[test]
fn links_resolve() {
    let pages = pages();
    let mut broken = Vec::new();
    for page in &pages {
        let folder = Path::new(&page.name).parent().unwrap();
        for link in page.links() {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { page.name.clone() } else { join(folder, path) };
            let known = |other: &&Page| other.name == target;
            let exists = root().join(&target).exists();
            if !exists
                || !anchor.is_empty()
                    && !pages.iter().find(known).is_some_and(|it| it.anchors.contains(anchor))
            {
                broken.push(format!("{}: {link}", page.name));
            }
        }
    }
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

/// `path` as seen from `folder`, relative to the repository.
fn join(folder: &Path, path: &str) -> String {
    let mut parts: Vec<_> = folder.iter().map(|part| part.to_str().unwrap()).collect();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn commands_and_flags_exist() {
    let flags = flags();
    assert!(flags.len() > 10, "the subcommands could not be read from vae --help: {flags:?}");
    let any: BTreeSet<_> = flags.values().flatten().cloned().collect();
    let mut unknown = Vec::new();
    for page in pages() {
        for code in &page.code {
            let words: Vec<_> = code.split_whitespace().collect();
            let known = match words[..] {
                // COMMAND stands for any of them.
                ["vae", name, ..] if !name.starts_with('-') && name != "COMMAND" => match flags.get(name) {
                    Some(flags) => flags,
                    None => {
                        unknown.push(format!("{}: vae {name}", page.name));
                        continue;
                    }
                },
                ["vae", ..] => &any,
                [first, ..] if first.starts_with("--") => &any,
                _ => continue,
            };
            for flag in words.iter().filter(|word| word.starts_with("--")) {
                if !known.contains(*flag) {
                    unknown.push(format!("{}: {flag} in `{code}`", page.name));
                }
            }
        }
    }
    assert!(unknown.is_empty(), "not in the program's help:\n{}", unknown.join("\n"));
}

#[test]
fn paths_exist() {
    let mut missing = Vec::new();
    for page in pages() {
        for code in &page.code {
            let ours = ["src/", "tests/", "shaders/", "assets/", "benches/", ".ci/"];
            let path = code.split_whitespace().next().unwrap_or_default();
            if ours.iter().any(|folder| path.starts_with(folder)) && !root().join(path).exists() {
                missing.push(format!("{}: {path}", page.name));
            }
        }
    }
    assert!(missing.is_empty(), "paths that do not exist:\n{}", missing.join("\n"));
}

/// Code of the walk through one operation is that of the file which its section names first.
#[test]
fn quoted_code_stands_in_its_file() {
    let text = read_to_string(root().join("docs/adding-a-layer.md")).unwrap();
    let mut blocks = 0;
    for section in text.split("\n## ") {
        let named = section.split('`').skip(1).step_by(2);
        let file = named.filter(|code| root().join(code).is_file()).map(|path| root().join(path)).next();
        for part in ["```wgsl\n", "```rust\n"].iter().flat_map(|fence| section.split(fence).skip(1)) {
            let code = part.split("```").next().unwrap();
            let heading = section.lines().next().unwrap();
            let file = file.as_ref().unwrap_or_else(|| panic!("{heading}: no file is named"));
            assert!(
                read_to_string(file).unwrap().contains(code),
                "{heading}: not in {}:\n{code}",
                file.display()
            );
            blocks += 1;
        }
    }
    assert!(blocks >= 7, "{blocks} blocks of code");
}
