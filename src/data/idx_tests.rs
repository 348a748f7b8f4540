//! Tests of [`super`]: what is accepted, and every error message.

use super::*;
use std::path::PathBuf;
use tempfile::TempDir;

fn file(name: &str, bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn idx(magic: u32, sizes: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = magic.to_be_bytes().to_vec();
    sizes.iter().for_each(|size| bytes.extend(size.to_be_bytes()));
    bytes.extend(values);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[track_caller]
fn assert_images_error(bytes: &[u8], parts: &[&str]) {
    let (_folder, path) = file("train-images-idx3-ubyte", bytes);
    let message = read_images(&path).unwrap_err().to_string();
    for part in parts.iter().chain(&["train-images-idx3-ubyte"]) {
        assert!(message.contains(part), "{part:?} is missing in:\n{message}");
    }
}

#[track_caller]
fn assert_labels_error(bytes: &[u8], parts: &[&str]) {
    let (_folder, path) = file("labels", bytes);
    let message = read_labels(&path).unwrap_err().to_string();
    for part in parts {
        assert!(message.contains(part), "{part:?} is missing in:\n{message}");
    }
}

#[test]
fn images_and_labels_come_back_as_written() {
    let folder = tempfile::tempdir().unwrap();
    let pixels: Vec<u8> = (0..60).collect();
    for (name, channels) in [("grey", 1), ("grey.gz", 1), ("rgb", 3), ("rgb.GZ", 3)] {
        let path = folder.path().join(name);
        let shape = ImageShape { width: 5, height: 2, channels };
        write_images(&path, shape, &pixels).unwrap();
        let images = read_images(&path).unwrap();
        assert_eq!((images.shape, images.count()), (shape, 6 / channels));
        assert_eq!(images.pixels, pixels);
        write_labels(&path, &[3, 255, 0]).unwrap();
        assert_eq!(read_labels(&path).unwrap(), [3, 255, 0]);
    }
}

#[test]
fn a_file_has_the_published_layout() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("images");
    write_images(&path, ImageShape { width: 3, height: 2, channels: 1 }, &[1, 2, 3, 4, 5, 6]).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), idx(0x803, &[1, 2, 3], &[1, 2, 3, 4, 5, 6]));
    write_labels(&path, &[7]).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), idx(0x801, &[1], &[7]));
}

#[test]
fn gzip_is_known_by_its_first_bytes() {
    let (_folder, path) = file("no-suffix", &gzip(&idx(0x803, &[1, 1, 2], &[8, 9])));
    assert_eq!(read_images(&path).unwrap().pixels, [8, 9]);
    let (_folder, path) = file("plain.gz", &idx(0x803, &[1, 1, 2], &[8, 9]));
    assert_eq!(read_images(&path).unwrap().pixels, [8, 9]);
}

#[test]
fn four_dimensions_are_channels_last() {
    let (_folder, path) = file("rgb", &idx(0x804, &[1, 1, 2, 3], &[1, 2, 3, 4, 5, 6]));
    let images = read_images(&path).unwrap();
    assert_eq!(images.shape, ImageShape { width: 2, height: 1, channels: 3 });
    assert_images_error(&idx(0x804, &[1, 1, 1, 2], &[0; 2]), &["2 channels", "1 channel (grey) or 3"]);
}

#[test]
fn truncation_says_how_much_is_missing() {
    assert_images_error(&[], &["truncated", "should be 4 bytes", "0 bytes were found"]);
    assert_images_error(&[0, 0, 8], &["truncated", "should be 4 bytes", "3 bytes were found"]);
    assert_images_error(
        &idx(0x803, &[1, 1], &[]),
        &["truncated", "header should be 16 bytes", "12 bytes were found"],
    );
    assert_images_error(
        &idx(0x803, &[2, 2, 2], &[0; 7]),
        &["truncated", "should be 8 bytes", "7 bytes were found", "again"],
    );
    assert_images_error(
        &gzip(&idx(0x803, &[2, 2, 2], &[0; 7])),
        &["truncated", "should be 8 bytes", "7 bytes were found"],
    );
    assert_labels_error(&idx(0x801, &[3], &[0; 2]), &["truncated", "3 bytes", "2 bytes were found"]);
}

#[test]
fn damaged_gzip_is_named() {
    let whole = gzip(&idx(0x803, &[1, 8, 8], &(0..64).collect::<Vec<u8>>()));
    assert_images_error(&whole[..whole.len() / 2], &["truncated", "gzip stream ends early", "again"]);
    let mut flipped = whole.clone();
    let checksum = whole.len() - 6;
    flipped[checksum] ^= 0xff;
    assert_images_error(&flipped, &["gzip stream is damaged", "again"]);
}

#[test]
fn trailing_bytes_are_counted() {
    assert_images_error(&idx(0x803, &[1, 2, 2], &[0; 9]), &["5 trailing bytes", "4 bytes"]);
    assert_labels_error(&idx(0x801, &[1], &[0; 2]), &["1 trailing bytes"]);
}

#[test]
fn swapped_files_are_told() {
    assert_images_error(
        &idx(0x801, &[1], &[0]),
        &["this is a label file", "where images are expected", "swapped or renamed"],
    );
    for magic in [0x803, 0x804] {
        assert_labels_error(
            &idx(magic, &[1, 1, 1, 1], &[0]),
            &["this is an image file", "where labels are expected", "swapped or renamed"],
        );
    }
}

#[test]
fn other_types_and_ranks_are_refused() {
    assert_images_error(&idx(0xD03, &[1, 1, 1], &[0; 4]), &["type 0x0d", "32-bit floats", "unsigned bytes"]);
    assert_labels_error(&idx(0xC01, &[1], &[0; 4]), &["type 0x0c", "32-bit integers"]);
    assert_images_error(&idx(0x4203, &[1, 1, 1], &[0]), &["type 0x42", "unknown"]);
    assert_images_error(&idx(0x802, &[1, 1], &[0]), &["2 dimensions", "[count, height, width]"]);
    assert_labels_error(&idx(0x802, &[1, 1], &[0]), &["2 dimensions"]);
    assert_images_error(
        b"PK\x03\x04zip",
        &["not an IDX file", "0x504b0304", "0x00000803", "packed by gzip or zip"],
    );
}

#[test]
fn empty_images_are_refused() {
    assert_images_error(&idx(0x803, &[0, 2, 2], &[]), &["zero images"]);
    assert_images_error(&idx(0x803, &[1, 0, 2], &[]), &["2x0 pixels"]);
    assert_images_error(&idx(0x803, &[1, 2, 0], &[]), &["0x2 pixels"]);
    assert_labels_error(&idx(0x801, &[0], &[]), &["zero labels"]);
}

/// Were the header believed, these would allocate gigabytes or overflow.
#[test]
fn false_headers_allocate_nothing() {
    let four_billion = idx(0x803, &[u32::MAX, 28, 28], &[0; 100]);
    assert_images_error(&four_billion, &["truncated", "3367254359280 bytes", "100 bytes were found"]);
    assert_images_error(&gzip(&four_billion), &["truncated", "3367254359280 bytes", "100 bytes were found"]);
    assert_images_error(&idx(0x803, &[u32::MAX; 3], &[0]), &["impossible sizes"]);
    assert_images_error(&idx(0x803, &[1 << 20, 32, 32], &[0]), &["truncated", "1073741824 bytes", "1 bytes"]);
}

#[test]
fn writers_refuse_what_the_format_cannot_hold() {
    let path = Path::new("unused");
    let shape = ImageShape { width: 2, height: 2, channels: 1 };
    let message = write_images(path, shape, &[0; 5]).unwrap_err().to_string();
    assert!(message.contains("5 bytes are not a whole number of images of 2x2 grey"), "{message}");
    let message = write_labels(path, &[1, 256]).unwrap_err().to_string();
    assert!(message.contains("label 256 does not fit"), "{message}");
}

#[test]
fn a_missing_file_is_an_io_error_with_its_path() {
    let message = read_images(Path::new("no/such/file")).unwrap_err().to_string();
    assert!(message.starts_with("no/such/file: "), "{message}");
}
