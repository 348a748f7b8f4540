//! Every derivative rule has a test.

use std::fs;
use std::path::{Path, PathBuf};

fn texts(folder: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_rust = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    files.filter(is_rust).map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// Names of the types in `text` that implement `Operation`, and whether they have a derivative rule.
fn operations(text: &str) -> Vec<(&str, bool)> {
    text.split("\nimpl Operation for ")
        .skip(1)
        .map(|rest| {
            let name = rest.split_whitespace().next().unwrap();
            let body = rest.split("\n}").next().unwrap();
            (name, body.contains("fn gradient("))
        })
        .collect()
}

#[test]
fn every_derivative_rule_has_a_test() {
    let sources: Vec<String> =
        ["src/graph", "src/graph/ops", "src/optimizer", "src/model"].into_iter().flat_map(texts).collect();
    let tests = texts("tests/operations");
    let all: Vec<(&str, bool)> = sources.iter().flat_map(|text| operations(text)).collect();
    let with_rule: Vec<&str> = all.iter().filter(|(_, rule)| *rule).map(|(name, _)| *name).collect();
    assert!(with_rule.len() > 8 && with_rule.len() < all.len(), "{all:?}");
    let tested = |name: &str| {
        // The harness refuses a check whose graph lacks the operation.
        let call = format!("Check::of(\"{name}\",");
        tests.iter().any(|text| text.contains(&call))
    };
    let missing: Vec<&str> = with_rule.into_iter().filter(|name| !tested(name)).collect();
    assert!(missing.is_empty(), "no Check::of in tests/operations: {missing:?}");
}

#[test]
fn operations_without_a_rule_are_told_apart() {
    let text = "\nimpl Operation for A {\n    fn gradient(\n}\n\nimpl Operation for B {\n    fn lower(\n}\n";
    assert_eq!(operations(text), [("A", true), ("B", false)]);
}
