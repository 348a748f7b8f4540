//! Tests of [`super`]: names, pairing, splits, and every error message.

use super::super::idx::{read_images, write_images, write_labels};
use super::super::open;
use super::*;
use tempfile::TempDir;

/// Writes `count` images of 1x1, numbered from `first`, or as many labels of class `first`.
fn put(folder: &Path, name: &str, count: usize, first: u8) {
    let path = folder.join(name);
    if name.contains("labels") {
        write_labels(&path, &vec![u32::from(first); count]).unwrap();
    } else {
        let pixels: Vec<u8> = (0..count as u8).map(|i| first + i).collect();
        write_images(&path, ImageShape { width: 1, height: 1, channels: 1 }, &pixels).unwrap();
    }
}

/// A folder of training images 10.. (4), test images 50.. (2), labels 1 and 2, under these names.
fn folder_of(names: [&str; 4]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, count, first) in [(names[0], 4, 10), (names[1], 2, 50), (names[2], 4, 1), (names[3], 2, 2)] {
        put(folder.path(), name, count, first);
    }
    folder
}

fn open_path(path: &Path) -> Result<Dataset> {
    open(path.to_str().unwrap(), &Options::default())
}

#[track_caller]
fn assert_error(path: &Path, parts: &[&str]) {
    let message = open_path(path).unwrap_err().to_string();
    for part in parts {
        assert!(message.contains(part), "{part:?} is missing in:\n{message}");
    }
}

#[test]
fn every_usual_name_is_found_with_its_labels() {
    for names in [
        [
            "train-images-idx3-ubyte",
            "t10k-images-idx3-ubyte",
            "train-labels-idx1-ubyte",
            "t10k-labels-idx1-ubyte",
        ],
        [
            "train-images.idx3-ubyte",
            "t10k-images.idx3-ubyte",
            "train-labels.idx1-ubyte",
            "t10k-labels.idx1-ubyte",
        ],
        [
            "train-images-idx3-ubyte.gz",
            "t10k-images-idx3-ubyte.gz",
            "train-labels-idx1-ubyte.gz",
            "t10k-labels-idx1-ubyte.gz",
        ],
        [
            "emnist-digits-train-images-idx3-ubyte.gz",
            "emnist-digits-test-images-idx3-ubyte.gz",
            "emnist-digits-train-labels-idx1-ubyte.gz",
            "emnist-digits-test-labels-idx1-ubyte.gz",
        ],
        ["my_train_images.idx", "my_test_images.idx", "my_train_labels.idx", "my_test_labels.idx"],
        // Names that share only the words that matter.
        ["60k-TRAIN-images", "test_images.bin", "classes-labels-train.gz", "the.test.labels"],
    ] {
        let folder = folder_of(names);
        std::fs::write(folder.path().join("readme.txt"), "about the images to train on").unwrap();
        std::fs::write(folder.path().join("train-images.png"), "a picture of them").unwrap();
        std::fs::write(folder.path().join("._train-images-idx3-ubyte"), "left by another system").unwrap();
        let dataset = open_path(folder.path()).unwrap();
        assert_eq!(*dataset.train.pixels(), [10, 11, 12, 13], "{names:?}");
        assert_eq!(*dataset.test.pixels(), [50, 51], "{names:?}");
        assert_eq!(dataset.train.labels(), Some(&[1; 4][..]), "{names:?}");
        assert_eq!(dataset.test.labels(), Some(&[2; 2][..]), "{names:?}");
        assert_eq!(dataset.classes, ["0", "1", "2"], "{names:?}");
        assert_eq!(dataset.name, folder_name(folder.path()));
    }
}

#[test]
fn the_plain_file_comes_before_the_gzipped() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "images-idx3-ubyte.gz", 3, 0);
    put(folder.path(), "images-idx3-ubyte", 3, 100);
    let dataset = open_path(folder.path()).unwrap();
    assert!(dataset.train.pixels().iter().all(|&pixel| pixel >= 100));
}

#[test]
fn one_file_is_split() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "frey-images-idx3-ubyte.gz", 20, 0);
    for path in [folder.path().to_path_buf(), folder.path().join("frey-images-idx3-ubyte.gz")] {
        let dataset = open_path(&path).unwrap();
        assert_eq!((dataset.train.count, dataset.test.count), (18, 2));
        assert_eq!((dataset.train.labels(), dataset.classes.len()), (None, 0));
    }
    put(folder.path(), "frey-labels-idx1-ubyte", 20, 3);
    let dataset = open_path(folder.path()).unwrap();
    assert_eq!((dataset.test.labels(), dataset.classes.len()), (Some(&[3; 2][..]), 4));
    let half = Options { test_fraction: 0.5, seed: 9, ..Options::default() };
    assert_eq!(open(folder.path().to_str().unwrap(), &half).unwrap().test.count, 10);
}

#[test]
fn a_file_brings_its_set() {
    let folder = folder_of([
        "emnist-letters-train-images-idx3-ubyte",
        "emnist-letters-test-images-idx3-ubyte",
        "emnist-letters-train-labels-idx1-ubyte",
        "emnist-letters-test-labels-idx1-ubyte",
    ]);
    put(folder.path(), "emnist-digits-train-images-idx3-ubyte", 9, 0);
    put(folder.path(), "numbers", 10, 0);
    for name in ["emnist-letters-train-images-idx3-ubyte", "emnist-letters-test-images-idx3-ubyte"] {
        let dataset = open_path(&folder.path().join(name)).unwrap();
        assert_eq!((dataset.train.count, dataset.test.count, dataset.classes.len()), (4, 2, 3));
        assert_eq!(dataset.name, "emnist-letters");
    }
    // A name without such a word is one file of images.
    let dataset = open_path(&folder.path().join("numbers")).unwrap();
    assert_eq!((dataset.train.count, dataset.test.count, dataset.name.as_str()), (9, 1, "numbers"));
}

#[test]
fn several_sets_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "emnist-letters-train-images-idx3-ubyte", 2, 0);
    put(folder.path(), "emnist-letters-test-images-idx3-ubyte", 2, 0);
    put(folder.path(), "emnist-digits-train-images-idx3-ubyte.gz", 2, 0);
    assert_error(
        folder.path(),
        &[
            "holds 2 sets",
            "emnist-letters-train-images-idx3-ubyte\n",
            "emnist-digits-train-images-idx3-ubyte.gz",
            "name the file",
            "--dataset",
        ],
    );
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "train-images", 2, 0);
    put(folder.path(), "other-images", 2, 0);
    assert_error(folder.path(), &["holds 2 sets", "train-images", "other-images"]);
}

#[test]
fn emnist_is_transposed_back() {
    let folder = tempfile::tempdir().unwrap();
    let shape = ImageShape { width: 3, height: 2, channels: 1 };
    let pixels = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    for (name, width, expected) in [
        ("emnist-x-images-idx3-ubyte", 2, [1, 4, 2, 5, 3, 6]),
        ("x-images-idx3-ubyte", 3, [1, 2, 3, 4, 5, 6]),
    ] {
        let path = folder.path().join(name);
        write_images(&path, shape, &pixels).unwrap();
        let dataset = open_path(&path).unwrap();
        assert_eq!((dataset.shape.width, dataset.shape.height), (width, 5 - width));
        let images = [dataset.train.image(0), dataset.test.image(0)];
        assert!(images.iter().any(|image| **image == expected[..]), "{images:?}");
    }
    let rgb =
        Images { shape: ImageShape { width: 2, height: 1, channels: 3 }, pixels: vec![1, 2, 3, 4, 5, 6] };
    let turned = transpose(&rgb);
    assert_eq!((turned.shape.width, turned.shape.height, turned.pixels), (1, 2, rgb.pixels));
}

#[test]
fn counts_of_images_and_labels_must_agree() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "train-images-idx3-ubyte", 4, 0);
    put(folder.path(), "train-labels-idx1-ubyte", 3, 0);
    let parts =
        ["train-labels-idx1-ubyte: ", "3 labels", "train-images-idx3-ubyte holds 4 images", "label file"];
    assert_error(folder.path(), &parts);
}

#[test]
fn labels_of_one_part_only_are_dropped() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "train-images", 3, 0);
    put(folder.path(), "train-labels", 3, 1);
    put(folder.path(), "test-images", 2, 0);
    let dataset = open_path(folder.path()).unwrap();
    assert_eq!((dataset.train.labels(), dataset.test.labels(), dataset.classes.len()), (None, None, 0));
}

#[test]
fn parts_have_one_size() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "train-images", 3, 0);
    let shape = ImageShape { width: 2, height: 1, channels: 1 };
    write_images(&folder.path().join("test-images"), shape, &[0; 4]).unwrap();
    let parts = ["test-images: ", "2x1 grey", "train-images are 1x1 grey", "--image-size", "--color"];
    assert_error(folder.path(), &parts);
    let options = Options { image_size: Some((4, 3)), ..Options::default() };
    let dataset = open(folder.path().to_str().unwrap(), &options).unwrap();
    assert_eq!((dataset.shape.width, dataset.shape.height, dataset.train.pixels().len()), (4, 3, 36));
}

#[test]
fn swapped_and_single_files_are_told() {
    let folder = tempfile::tempdir().unwrap();
    write_labels(&folder.path().join("train-images-idx3-ubyte"), &[1]).unwrap();
    assert_error(folder.path(), &["this is a label file"]);
    put(folder.path(), "train-labels-idx1-ubyte", 1, 0);
    assert_error(
        &folder.path().join("train-labels-idx1-ubyte"),
        &["this is a label file", "images are expected"],
    );
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "images", 1, 0);
    assert_error(folder.path(), &["has 1 image", "at least two"]);
    assert_eq!(read_images(&folder.path().join("images")).unwrap().count(), 1);
}

#[test]
fn a_folder_of_datasets_names_them() {
    let folder = tempfile::tempdir().unwrap();
    for (name, file) in
        [("faces", "frey-images-idx3-ubyte"), ("notes", "labels.txt"), ("mnist", "train-images-idx3-ubyte")]
    {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        if name == "notes" {
            std::fs::write(folder.path().join(name).join(file), "no images").unwrap();
        } else {
            put(&folder.path().join(name), file, 3, 0);
        }
    }
    let faces = folder.path().join("faces").display().to_string();
    assert_error(folder.path(), &["neither IDX files nor pictures", "name one of them", &faces, "mnist"]);
    assert!(!open_path(folder.path()).unwrap_err().to_string().contains("notes"));
}
