//! Tests of [`super`] and of `pictures`: layouts, colours, sizes, and every error message.

use super::super::open;
use super::*;
use crate::data::folder_name;
use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage};
use tempfile::TempDir;

pub(in crate::data) fn grey(width: u32, height: u32, value: u8) -> DynamicImage {
    DynamicImage::ImageLuma8(GrayImage::from_pixel(width, height, Luma([value])))
}

fn red(width: u32, height: u32) -> DynamicImage {
    DynamicImage::ImageRgb8(RgbImage::from_pixel(width, height, Rgb([250, 0, 0])))
}

/// A folder of these pictures, in the subfolders that their names contain.
pub(in crate::data) fn folder_of(pictures: &[(&str, DynamicImage)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, picture) in pictures {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        picture.save(path).unwrap();
    }
    folder
}

pub(in crate::data) fn open_with(folder: &TempDir, options: &Options) -> Result<Dataset> {
    open(folder.path().to_str().unwrap(), options)
}

pub(in crate::data) fn opened(folder: &TempDir) -> Dataset {
    open_with(folder, &Options::default()).unwrap()
}

#[track_caller]
fn assert_error(folder: &TempDir, parts: &[&str]) {
    let message = open_with(folder, &Options::default()).unwrap_err().to_string();
    for part in parts {
        assert!(message.contains(part), "{part:?} is missing in:\n{message}");
    }
}

#[test]
fn a_flat_folder_is_split() {
    let names: Vec<String> = (0..20).map(|i| format!("{i:02}.png")).collect();
    let pictures: Vec<_> = names.iter().zip(0..).map(|(name, i)| (name.as_str(), grey(3, 2, i))).collect();
    let folder = folder_of(&pictures);
    let dataset = opened(&folder);
    assert_eq!((dataset.shape.width, dataset.shape.height, dataset.shape.channels), (3, 2, 1));
    assert_eq!((dataset.train.count, dataset.test.count), (18, 2));
    assert_eq!((dataset.train.labels().is_none(), dataset.classes.len()), (true, 0));
    assert!(dataset.train.pixels().is_sorted() && dataset.test.pixels().is_sorted());
    assert_eq!(dataset.name, folder_name(folder.path()));
}

#[test]
fn subfolders_are_classes_in_the_order_of_their_names() {
    let folder = folder_of(&[
        ("dog/b.png", grey(1, 1, 3)),
        ("dog/a.PNG", grey(1, 1, 2)),
        ("cat/z.JPeG", grey(1, 1, 1)),
        ("owl/y.jpg", grey(1, 1, 4)),
    ]);
    let dataset = opened(&folder);
    assert_eq!(dataset.classes, ["cat", "dog", "owl"]);
    let mut labelled = Vec::new();
    for part in [&dataset.train, &dataset.test] {
        labelled.extend(part.labels().unwrap().iter().zip(&*part.pixels()).map(|(l, p)| (*p, *l)));
    }
    labelled.sort_unstable();
    assert_eq!(labelled, [(1, 0), (2, 1), (3, 1), (4, 2)]);
}

#[test]
fn train_and_test_folders_are_the_parts() {
    let folder = folder_of(&[
        ("Train/a/1.png", grey(1, 1, 1)),
        ("Train/c/2.png", grey(1, 1, 2)),
        ("test/b/3.png", grey(1, 1, 3)),
        ("elsewhere/4.png", grey(1, 1, 4)),
    ]);
    let dataset = opened(&folder);
    assert_eq!((&*dataset.train.pixels(), dataset.train.labels()), (&[1, 2][..], Some(&[0, 2][..])));
    assert_eq!((&*dataset.test.pixels(), dataset.test.labels()), (&[3][..], Some(&[1][..])));
    assert_eq!(dataset.classes, ["a", "b", "c"]);

    let flat = folder_of(&[("train/1.png", grey(1, 1, 1)), ("test/2.png", grey(1, 1, 2))]);
    let dataset = opened(&flat);
    assert_eq!((&*dataset.train.pixels(), &*dataset.test.pixels()), (&[1][..], &[2][..]));
    assert!(dataset.train.labels().is_none() && dataset.classes.is_empty());

    let half = folder_of(&[("train/a/1.png", grey(1, 1, 1)), ("test/2.png", grey(1, 1, 2))]);
    let dataset = opened(&half);
    assert!(dataset.train.labels().is_none() && dataset.classes.is_empty());

    let only_train = folder_of(&[("train/a/1.png", grey(1, 1, 1)), ("train/b/2.png", grey(1, 1, 2))]);
    let dataset = opened(&only_train);
    assert_eq!((dataset.train.count, dataset.test.count, dataset.classes.len()), (1, 1, 2));
}

#[test]
fn other_files_are_skipped_and_counted() {
    let folder =
        folder_of(&[("a.png", grey(1, 1, 1)), ("b.png", grey(1, 1, 2)), (".hidden.png", grey(9, 9, 0))]);
    std::fs::write(folder.path().join("notes.txt"), "not a picture").unwrap();
    std::fs::write(folder.path().join("Thumbs.db"), "not a picture").unwrap();
    std::fs::create_dir(folder.path().join(".git")).unwrap();
    let dataset = opened(&folder);
    assert_eq!((dataset.train.count, dataset.test.count, dataset.found.files), (1, 1, 2));
    let passed: Vec<_> = dataset.found.passed_over.iter().map(|it| (&*it.name, &*it.why)).collect();
    assert_eq!(
        passed,
        [
            (".git", "hidden"),
            (".hidden.png", "hidden"),
            ("Thumbs.db", "written by Windows"),
            ("notes.txt", "no picture")
        ]
    );
}

/// A camera that was held upright writes a wide picture and "turn it right" into its metadata.
#[test]
fn the_orientation_of_a_camera_is_applied() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.jpg", "b.jpg"] {
        let mut wide = GrayImage::from_pixel(32, 16, Luma([250]));
        wide.enumerate_pixels_mut().filter(|(x, _, _)| *x < 16).for_each(|(_, _, pixel)| pixel.0 = [5]);
        let mut jpeg = std::io::Cursor::new(Vec::new());
        wide.write_to(&mut jpeg, image::ImageFormat::Jpeg).unwrap();
        // Behind the start marker: an APP1 segment whose one Exif entry is orientation 6.
        let exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        let mut bytes = jpeg.get_ref()[..2].to_vec();
        bytes.extend([0xff, 0xe1, 0, exif.len() as u8 + 2]);
        bytes.extend(exif);
        bytes.extend(&jpeg.get_ref()[2..]);
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let dataset = opened(&folder);
    assert_eq!((dataset.shape.width, dataset.shape.height), (16, 32));
    // The dark left half has become the top.
    assert!(dataset.train.pixels()[..16 * 8].iter().all(|&pixel| pixel < 30));
    assert!(dataset.train.pixels()[16 * 24..].iter().all(|&pixel| pixel > 220));
}

/// A header that announces 30000x30000 pixels is refused before anything is decoded.
#[test]
fn a_huge_picture_is_refused() {
    let folder = folder_of(&[("a.png", grey(8, 8, 1))]);
    let path = folder.path().join("a.png");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[16..20].copy_from_slice(&30_000u32.to_be_bytes());
    bytes[20..24].copy_from_slice(&30_000u32.to_be_bytes());
    let mut checksum = flate2::Crc::new();
    checksum.update(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&checksum.sum().to_be_bytes());
    std::fs::write(&path, bytes).unwrap();
    assert_error(&folder, &["a.png: ", "30000x30000 pixels are more than"]);
}

#[test]
fn too_many_bytes_are_refused() {
    let folder = folder_of(&[("a.png", grey(1, 1, 1)), ("b.png", red(1, 1))]);
    let options = Options { image_size: Some((60_000, 60_000)), ..Options::default() };
    let message = open_with(&folder, &options).unwrap_err().to_string();
    assert!(message.contains("21600000000 bytes of pixels"), "{message}");
}

#[test]
fn parts_without_pictures_are_refused() {
    let empty_test = folder_of(&[("train/a.png", grey(1, 1, 1))]);
    std::fs::create_dir(empty_test.path().join("test")).unwrap();
    assert_error(&empty_test, &["test: there are no pictures in this folder", "put pictures into it"]);
    let single = folder_of(&[("a.png", grey(1, 1, 1))]);
    assert_error(&single, &["has 1 image", "at least two"]);
}

#[test]
fn a_folder_without_pictures_says_what_was_looked_for() {
    let parts = ["neither IDX files nor pictures", "train-images-idx3-ubyte.gz", "png, jpeg, webp"];
    assert_error(&tempfile::tempdir().unwrap(), &parts);
    let folder = tempfile::tempdir().unwrap();
    for name in ["train", "test"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    std::fs::write(folder.path().join("notes.txt"), "nothing").unwrap();
    assert_error(&folder, &parts);
}
