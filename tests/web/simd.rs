//! The page's SIMD module: the committed bytes are its source, assembled, without the names of its functions and locals.
//!
//! `VAE_WRITE_SIMD=1 cargo test --test web simd` writes them after a change of `web/simd.wat`.

use std::path::Path;

#[test]
fn simd_is_assembled() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
    let bytes = without_custom_sections(&wat::parse_file(folder.join("simd.wat")).unwrap());
    let file = folder.join("simd.wasm");
    if std::env::var_os("VAE_WRITE_SIMD").is_some() {
        std::fs::write(&file, &bytes).unwrap();
    }
    assert!(
        std::fs::read(file).unwrap() == bytes,
        "web/simd.wasm is not web/simd.wat, assembled: see this test"
    );
}

/// A module without its sections of kind 0, which no engine needs. A section is its kind, its length and its content.
fn without_custom_sections(module: &[u8]) -> Vec<u8> {
    let (header, mut rest) = module.split_at(8);
    let mut kept = header.to_vec();
    while !rest.is_empty() {
        let digits = 1 + rest[1..].iter().position(|byte| byte & 0x80 == 0).unwrap();
        let length = rest[1..=digits].iter().rev().fold(0, |sum, byte| (sum << 7) | usize::from(byte & 0x7f));
        let (section, others) = rest.split_at(1 + digits + length);
        if section[0] != 0 {
            kept.extend(section);
        }
        rest = others;
    }
    kept
}
