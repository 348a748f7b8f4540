//! `vae encode`.

use crate::{text, vae};
use predicates::str::contains;
use std::path::{Path, PathBuf};

/// The rows of an array of 32-bit floats with two dimensions.
fn rows(path: &Path, width: usize) -> Vec<Vec<f32>> {
    let bytes = std::fs::read(path).unwrap();
    let head = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let values: Vec<f32> =
        bytes[head..].chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    let shape = format!("'shape': ({}, {width}, )", values.len() / width);
    assert!(String::from_utf8_lossy(&bytes[..head]).contains(&shape), "{shape}");
    values.chunks(width).map(<[f32]>::to_vec).collect()
}

#[test]
fn pictures_are_encoded_in_their_order() {
    let place = tempfile::tempdir().unwrap();
    let run = place.path().join("run");
    let train = ["--images", "100", "--hidden", "8", "--latent", "3", "--batch-size", "20", "--epochs", "1"];
    vae(&["train", "--out", text(&run), "--device", "cpu", "--binarize", "threshold"])
        .args(train)
        .assert()
        .success();
    let picture = |name: &str, size: u32, grey: u8| -> PathBuf {
        let path = place.path().join(name);
        image::RgbImage::from_fn(size, size, |x, y| image::Rgb([if x < y { grey } else { 0 }; 3]))
            .save(&path)
            .unwrap();
        path
    };
    let (one, two, large) =
        (picture("one.png", 28, 250), picture("two.png", 28, 0), picture("large.jpg", 56, 250));
    let out = place.path().join("z.npy");
    let encode = |files: &[&PathBuf]| -> Vec<Vec<f32>> {
        let mut command = vae(&["encode", text(&run)]);
        command.args(files).args(["--out", text(&out)]).assert().success().stdout(contains("z.npy"));
        rows(&out, 3)
    };
    let means = encode(&[&one, &two, &large]);
    assert_eq!(means.len(), 3);
    assert_ne!(means[0], means[1]);
    assert_eq!(encode(&[&two, &one]), [means[1].clone(), means[0].clone()]);
    // More pictures than a minibatch.
    assert_eq!(encode(&[&two; 21]), vec![means[1].clone(); 21]);

    let text_file = place.path().join("no-picture.png");
    std::fs::write(&text_file, "text").unwrap();
    let refused = |files: &[&Path], out: &Path, expected: &str| {
        let mut command = vae(&["encode", text(&run)]);
        command.args(files).args(["--out", text(out)]).assert().failure().stderr(contains(expected));
    };
    refused(&[&one, &text_file], &out, "no-picture.png: the picture cannot be read");
    refused(&[&one, &place.path().join("gone.png")], &out, "gone.png");
    refused(&[&one], &place.path().join("z.txt"), "--out");
}
