//! A page as files.

use super::assets::{self, FILES};
use super::bundle::Bundle;
use crate::{Error, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

/// The manifest's file. Every page has it.
const MANIFEST: &str = "bundle/manifest.json.gz";
/// The modules that begin the page and its worker.
const PAGE: &str = "page.js";
const WORKER: &str = "worker.js";

/// All files of a page, by their paths in its folder.
///
/// # Errors
/// [`Error::Internal`] if the manifest cannot be written as JSON.
pub(super) fn files(bundle: &Bundle) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files: BTreeMap<String, Vec<u8>> =
        FILES.iter().map(|(name, bytes)| (name.to_string(), bytes.to_vec())).collect();
    files.insert(MANIFEST.into(), bundle.manifest_bytes()?);
    for (name, bytes) in &bundle.files {
        files.insert(format!("bundle/{name}.gz"), bytes.clone());
    }
    Ok(files)
}

/// Refuse a folder that holds something other than a page.
///
/// # Errors
/// [`Error::Setting`] for `--out`.
pub fn check_folder(folder: &Path) -> Result<()> {
    let refuse = |problem: String| Err(Error::setting("--out", problem, "name a new folder"));
    if folder.is_file() {
        return refuse(format!("{} is a file", folder.display()));
    }
    let filled = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if filled && !folder.join(MANIFEST).is_file() {
        return refuse(format!("{} is not empty, and holds no page of this program", folder.display()));
    }
    Ok(())
}

/// Write the page to `folder`; an older page there is replaced.
///
/// # Errors
/// See [`check_folder`]; [`Error::Io`] if a file cannot be written.
pub fn write_folder(bundle: &Bundle, folder: &Path) -> Result<u64> {
    check_folder(folder)?;
    let old = folder.join("bundle");
    if old.is_dir() {
        std::fs::remove_dir_all(&old).map_err(|error| Error::io(&old, error))?;
    }
    let mut bytes = 0;
    // The manifest comes last: a folder that has one is whole.
    let mut files = files(bundle)?;
    let manifest = files.remove_entry(MANIFEST);
    for (name, content) in files.into_iter().chain(manifest) {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| Error::io(parent, error))?;
        }
        std::fs::write(&path, &content).map_err(|error| Error::io(&path, error))?;
        bytes += content.len() as u64;
    }
    Ok(bytes)
}

/// Write the page as one HTML file, which opens without a server.
///
/// # Errors
/// [`Error::Io`] if it cannot be written.
pub fn write_single(bundle: &Bundle, path: &Path) -> Result<u64> {
    let html = single(bundle)?;
    crate::files::write_atomically(path, html.as_bytes())?;
    Ok(html.len() as u64)
}

/// The page with all that it needs in one text. Scripts and styles are allowed by their digests.
fn single(bundle: &Bundle) -> Result<String> {
    let html = text("index.html")?;
    let (style, script, worker) = (text("style.css")?, concatenated(PAGE)?, concatenated(WORKER)?);
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}' 'wasm-unsafe-eval' blob:; style-src 'sha256-{}'; img-src blob: \
         data:; worker-src blob:",
        digest(&script),
        digest(style)
    );
    let mut data = String::new();
    // Elements that are no scripts hold the files.
    let mut element = |name: &str, bytes: &[u8]| {
        let _ = writeln!(
            data,
            "<script type=\"application/octet-stream\" id=\"{name}\">{}</script>",
            BASE64_STANDARD.encode(bytes)
        );
    };
    element(MANIFEST, &bundle.manifest_bytes()?);
    for (name, bytes) in &bundle.files {
        element(&format!("bundle/{name}.gz"), bytes);
    }
    for (name, bytes) in FILES.iter().filter(|(name, _)| name.ends_with(".wasm")) {
        element(name, bytes);
    }
    let _ = writeln!(data, "<script type=\"text/plain\" id=\"worker-source\">{worker}</script>");
    let replaced = [
        ("<link rel=\"stylesheet\" href=\"style.css\">", format!("<style>{style}</style>")),
        (
            "<script type=\"module\" src=\"page.js\"></script>",
            format!("{data}<script type=\"module\">{script}</script>"),
        ),
    ];
    let mut page = with_policy(html, &policy)?;
    for (from, to) in replaced {
        if page.matches(from).count() != 1 {
            return Err(Error::Internal(format!("web/index.html does not hold {from} once")));
        }
        page = page.replacen(from, &to, 1);
    }
    Ok(page)
}

/// `html` with another policy in its `meta` element.
fn with_policy(html: &str, policy: &str) -> Result<String> {
    let lacks = || Error::Internal("web/index.html has no Content-Security-Policy".into());
    let (before, rest) =
        html.split_once("<meta http-equiv=\"Content-Security-Policy\" content=\"").ok_or_else(lacks)?;
    let (_, after) = rest.split_once('"').ok_or_else(lacks)?;
    Ok(format!("{before}<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\"{after}"))
}

fn text(name: &str) -> Result<&'static str> {
    assets::text(name).ok_or_else(|| Error::Internal(format!("web/{name} is missing")))
}

fn digest(text: &str) -> String {
    BASE64_STANDARD.encode(Sha256::digest(text.as_bytes()))
}

/// The module `name` after all that it imports, as one script: `import` lines and the word `export` are left out. For that
/// every name at the top of a module is used once in `web/` (see the test below).
fn concatenated(name: &str) -> Result<String> {
    let (mut script, mut done) = (String::from("\n"), BTreeSet::new());
    append(name.to_string(), &mut script, &mut done)?;
    // The text stands in an element of HTML.
    if script.contains("</script") {
        return Err(Error::Internal(format!("a module of web/{name} holds an end tag of a script")));
    }
    Ok(script)
}

fn append(name: String, script: &mut String, done: &mut BTreeSet<String>) -> Result<()> {
    if !done.insert(name.clone()) {
        return Ok(());
    }
    let source = text(&name)?;
    for import in source.lines().filter_map(imported) {
        append(resolved(&name, import), script, done)?;
    }
    let _ = writeln!(script, "// {name}");
    for line in source.lines().filter(|line| imported(line).is_none()) {
        script.push_str(line.strip_prefix("export ").unwrap_or(line));
        script.push('\n');
    }
    Ok(())
}

/// The path in a line `import { .. } from "PATH";`.
fn imported(line: &str) -> Option<&str> {
    line.strip_prefix("import ")?.split_once(" from \"")?.1.strip_suffix("\";")
}

/// The module that `path` names in the module `from`.
fn resolved(from: &str, path: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            other => parts.push(other),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn imports_are_found() {
        assert_eq!(imported("import { a, b } from \"./x.js\";"), Some("./x.js"));
        assert_eq!(imported("const a = 1;"), None);
        assert_eq!(resolved("kernels/a.js", "../b.js"), "b.js");
        assert_eq!(resolved("kernels/a.js", "./b.js"), "kernels/b.js");
        assert_eq!(resolved("page.js", "./kernels/b.js"), "kernels/b.js");
    }

    /// What `concatenated` asks of the modules.
    #[test]
    fn modules_can_be_joined() {
        let mut owner: HashMap<&str, &str> = HashMap::new();
        for (name, bytes) in FILES.iter().filter(|(name, _)| name.ends_with(".js")) {
            let source = std::str::from_utf8(bytes).unwrap();
            for (number, line) in (1..).zip(source.lines()) {
                let place = format!("web/{name}:{number}: {line}");
                if line.starts_with("import ") {
                    let path = imported(line).expect(&place);
                    assert!(assets::file(&resolved(name, path)).is_some(), "{place}");
                    assert!(!line.contains(" as ") && !line.contains('*'), "{place}");
                }
                assert!(!line.starts_with("export default") && !line.starts_with("export {"), "{place}");
                assert!(!line.contains("import.meta") && !line.contains("import("), "{place}");
                let own = line.strip_prefix("export ").unwrap_or(line);
                let own = own.strip_prefix("async ").unwrap_or(own);
                let words = ["function* ", "function ", "class ", "const ", "let ", "var "];
                let Some(rest) = words.iter().find_map(|word| own.strip_prefix(word)) else { continue };
                let declared =
                    rest.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').next().unwrap();
                assert!(!declared.is_empty(), "{place}: declare one name a line");
                if let Some(other) = owner.insert(declared, name) {
                    panic!("{place}: {declared} is declared in web/{other} too");
                }
            }
        }
    }
}
