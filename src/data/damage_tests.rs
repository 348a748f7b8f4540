//! Damaged files of every format: whatever is in them, reading ends soon, with a dataset or an error, and never panics.
//!
//! Each valid file is changed in a few places 300 times, or as often as the variable `PROPTEST_CASES` says.

use super::npy::tests::array;
use super::{Options, open, zip};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any};
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::cell::Cell;
use std::io::{Cursor, Write};
use std::time::{Duration, Instant};

/// One change of a file: what, where, and a number for it.
type Change = (u8, Index, u32);

/// What numbers in text are made of.
const SIGNS: &[u8] = b"0123456789,.;-eE\n\r\"# ";

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for &(kind, place, number) in changes {
        if bytes.is_empty() {
            break;
        }
        let at = place.index(bytes.len());
        let many = |limit: usize| (number as usize % limit).min(bytes.len() - at);
        match kind {
            0 => bytes[at] = number as u8,
            1 => bytes[at] ^= 1 << (number % 8),
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..at + many(64))),
            4 => {
                let copy = bytes[at..at + many(600)].to_vec();
                bytes.splice(at..at, copy);
            }
            // Numbers that sizes and offsets are likely to be wrong by.
            5 => {
                let values = [0, 1, 0x7f, 0xff, 0x7fff_ffff, u32::MAX, number];
                let value = values[number as usize % values.len()].to_le_bytes();
                let length = bytes.len().min(at + 4) - at;
                bytes[at..at + length].copy_from_slice(&value[..length]);
            }
            _ => bytes[at] = SIGNS[number as usize % SIGNS.len()],
        }
    }
    bytes
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    vec((0_u8..7, any::<Index>(), any::<u32>()), 1..6)
}

/// Opens the file `name` with changes of `bytes`.
fn survives(name: &str, bytes: &[u8]) {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 100, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    open(path.to_str().unwrap(), &Options::default()).unwrap();
    let opened = Cell::new(0);
    let read = runner.run(&changes(), |changes| {
        std::fs::write(&path, changed(bytes.to_vec(), &changes)).unwrap();
        let begin = Instant::now();
        let read = open(path.to_str().unwrap(), &Options::default());
        assert!(begin.elapsed() < Duration::from_secs(20), "{changes:?} took {:?}", begin.elapsed());
        if let Err(error) = &read {
            let text = error.to_string();
            assert!(!text.starts_with("internal error"), "{text}");
        }
        opened.set(opened.get() + u32::from(read.is_ok()));
        Ok(())
    });
    read.unwrap();
    println!("{name}: {cases} changes, {} of which could be read", opened.get());
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn pictures() -> Vec<(&'static str, Vec<u8>)> {
    let picture = |value| {
        let mut bytes = Cursor::new(Vec::new());
        let picture = image::GrayImage::from_pixel(4, 4, image::Luma([value]));
        picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    };
    vec![("train/a/1.png", picture(1)), ("train/b/2.png", picture(2)), ("val/a/3.png", picture(3))]
}

fn tar(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, name, &content[..]).unwrap();
    }
    archive.into_inner().unwrap()
}

fn numbers(count: usize) -> Vec<u8> {
    (0..count).map(|i| (i * 37 % 251) as u8).collect()
}

fn idx() -> Vec<u8> {
    let header = [0, 0, 8, 3, 0, 0, 0, 6, 0, 0, 0, 4, 0, 0, 0, 4];
    [&header[..], &numbers(96)].concat()
}

#[test]
fn zip_of_pictures() {
    survives("it.zip", &zip::tests::archive(&pictures(), false));
}

#[test]
fn wide_zip_of_pictures() {
    survives("it.zip", &zip::tests::archive(&pictures(), true));
}

#[test]
fn tar_of_pictures() {
    survives("it.tar", &tar(&pictures()));
}

#[test]
fn packed_tar_of_pictures() {
    survives("it.tgz", &gzip(&tar(&pictures())));
}

#[test]
fn table() {
    let rows = |i: usize| format!("{},{},7,255,0\n", i % 3, i * 20);
    let text: String = (0..8).map(rows).collect();
    survives("it.csv", format!("label,a,b,c,d\n{text}").as_bytes());
}

#[test]
fn table_of_fractions() {
    let rows = |i: usize| format!("0.{i},1e-1,0,1.0\n");
    survives("it.csv", (0..8).map(rows).collect::<String>().as_bytes());
}

#[test]
fn packed_table() {
    survives("it.csv.gz", &gzip(b"1,2,3,4\n5,6,7,8\n9,10,11,12\n"));
}

#[test]
fn npy() {
    survives("it.npy", &array("|u1", false, &[6, 4, 4], &numbers(96)));
}

#[test]
fn npy_of_floats() {
    let values: Vec<u8> = (0..96).flat_map(|i| (i as f64 / 95.0).to_be_bytes()).collect();
    survives("it.npy", &array(">f8", true, &[6, 4, 4], &values));
}

#[test]
fn npz() {
    let images = array("|u1", false, &[6, 4, 4], &numbers(96));
    let labels = array("<i8", false, &[6], &(0..6_i64).flat_map(i64::to_le_bytes).collect::<Vec<_>>());
    survives("it.npz", &zip::tests::archive(&[("x.npy", images), ("y.npy", labels)], false));
}

#[test]
fn idx_images() {
    survives("train-images-idx3-ubyte", &idx());
}

#[test]
fn packed_idx_images() {
    survives("train-images-idx3-ubyte.gz", &gzip(&idx()));
}

#[test]
fn batches_of_cifar() {
    let records = [vec![3], numbers(3072), vec![9], numbers(3072)].concat();
    survives("it.tar", &tar(&[("data_batch_1.bin", records)]));
}
