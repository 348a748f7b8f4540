//! Tests of [`super`]: shapes, classes, ranges, and every error message.

use super::super::open;
use super::*;
use std::io::Write;

fn open_with(path: &Path, options: &Options) -> Result<Dataset> {
    open(path.to_str().unwrap(), options)
}

/// What a table with this text becomes.
fn read_text(text: &str, options: &Options) -> Result<Dataset> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.csv");
    std::fs::write(&path, text).unwrap();
    open_with(&path, options)
}

/// The images of a dataset with their labels, sorted.
fn rows(dataset: &Dataset) -> Vec<(Vec<u8>, Option<String>)> {
    let parts = [&dataset.train, &dataset.test];
    let mut all: Vec<_> = parts
        .iter()
        .flat_map(|part| {
            (0..part.count).map(|i| {
                let label = part.labels().map(|labels| dataset.classes[labels[i] as usize].clone());
                (part.image(i).to_vec(), label)
            })
        })
        .collect();
    all.sort();
    all
}

fn shape(dataset: &Dataset) -> (usize, usize, usize) {
    (dataset.shape.width, dataset.shape.height, dataset.shape.channels)
}

#[test]
fn columns_say_shape_and_class() {
    let options = Options::default();
    let sized = |width, height| Options { image_size: Some((width, height)), ..Options::default() };
    let of =
        |values: &[u8], label: &str| (values.to_vec(), Some(label.to_string()).filter(|it| !it.is_empty()));
    for (text, options, expected_shape, expected) in [
        ("1,2,3,4\n5,6,7,8\n", &options, (2, 2, 1), [of(&[1, 2, 3, 4], ""), of(&[5, 6, 7, 8], "")]),
        ("7,1,2,3,4\n0,5,6,7,8\n", &options, (2, 2, 1), [of(&[1, 2, 3, 4], "7"), of(&[5, 6, 7, 8], "0")]),
        // Names of columns, spaces, a mark at the beginning, and classes with names.
        (
            "\u{feff}a,b,c,d,label\r\n1, 2,3,4,\"cat\"\r\n5,6,7,8,dog\r\n",
            &options,
            (2, 2, 1),
            [of(&[1, 2, 3, 4], "cat"), of(&[5, 6, 7, 8], "dog")],
        ),
        ("a;b;c;d\n1;2;3;4\n5;6;7;8", &options, (2, 2, 1), [of(&[1, 2, 3, 4], ""), of(&[5, 6, 7, 8], "")]),
        (
            "# saved\n1.0e0 2 3 4\n5 6 7 8\n\n",
            &options,
            (2, 2, 1),
            [of(&[1, 2, 3, 4], ""), of(&[5, 6, 7, 8], "")],
        ),
        ("cat\t1\t2\t3\nowl\t5\t6\t7\n", &options, (1, 1, 3), [of(&[1, 2, 3], "cat"), of(&[5, 6, 7], "owl")]),
        (
            "1,2,3,4,5,6\n2,2,3,4,5,6\n",
            &sized(2, 3),
            (2, 3, 1),
            [of(&[1, 2, 3, 4, 5, 6], ""), of(&[2, 2, 3, 4, 5, 6], "")],
        ),
        // Names that are numbers.
        (
            "0,1,2,3,4,5,6,7,8,9,10,11\n1,1,1,1,1,1,1,1,1,1,1,1\n2,2,2,2,2,2,2,2,2,2,2,2\n",
            &options,
            (2, 2, 3),
            [of(&[1; 12], ""), of(&[2; 12], "")],
        ),
        // All columns could be a square, but for the size that is asked for.
        ("9,1,2,3\n8,5,6,7\n", &sized(3, 1), (3, 1, 1), [of(&[1, 2, 3], "9"), of(&[5, 6, 7], "8")]),
    ] {
        let dataset = read_text(text, options).unwrap();
        assert_eq!((shape(&dataset), rows(&dataset)), (expected_shape, expected.to_vec()), "{text}");
        assert_eq!((&*dataset.name, dataset.found.files), ("it", 1));
    }
}

#[test]
fn fractions_and_bits_become_bytes() {
    let pixels = |text| read_text(text, &Options::default()).map(|it| (rows(&it), it.found.notes.len()));
    let of = |values: [[u8; 4]; 2], notes| (values.map(|it| (it.to_vec(), None)).to_vec(), notes);
    assert_eq!(pixels("0,1,0,1\n1,0.5,0,1\n").unwrap(), of([[0, 255, 0, 255], [255, 128, 0, 255]], 0));
    assert_eq!(pixels("0,1,0,1\n1,1,0,1\n").unwrap(), of([[0, 255, 0, 255], [255, 255, 0, 255]], 1));
    assert_eq!(pixels("0,1,0,1\n1,1,0,2\n").unwrap(), of([[0, 1, 0, 1], [1, 1, 0, 2]], 0));
}

#[test]
fn what_is_wrong_names_the_line() {
    for (text, parts) in [
        ("", &["it.csv", "no rows of numbers"][..]),
        ("a,b,c,d\n", &["it.csv", "no rows of numbers"]),
        ("1,2,3,4\n1,2,3\n", &["it.csv: line 2 has 3 columns, but the first has 4"]),
        ("1,2,3,4\n1,x,3,4\n", &["line 2, column 2: 'x' is no number"]),
        ("1,2,3,4\n1,,3,4\n", &["line 2, column 2: '' is no number"]),
        ("a,b,c,d\n1,2,3,4\n1,2,3,NaN\n", &["line 3, column 4: 'NaN' is not from 0 to 255"]),
        ("1,2,3,4\n1,2,256,4\n", &["line 2, column 3: '256' is not from 0 to 255"]),
        ("1,2,3,4\n1,2,-1,4\n", &["'-1' is not from 0 to 255"]),
        ("1,2,3,4\n1,2,0.5,4\n", &["'0.5' is a fraction, but values before it are above 1"]),
        ("1,0.5,0,0\n1,2,0.5,4\n", &["'2' is above 1, but values before it are fractions"]),
        (
            "1,2,3,4,5,6\n1,2,3,4,5,6",
            &["6 columns are no square", "--image-size WIDTHxHEIGHT", "index=False"],
        ),
        ("1,2,3,4\n", &["has 1 image", "at least two"]),
    ] {
        let problem = read_text(text, &Options::default()).unwrap_err().to_string();
        parts.iter().for_each(|part| assert!(problem.contains(part), "{part:?} is missing in:\n{problem}"));
    }
}

#[test]
fn a_folder_of_tables_has_parts() {
    let folder = tempfile::tempdir().unwrap();
    let save = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    save("mnist_train.csv", "3,1,0,0,0\n1,0,1,0,0\n");
    let only = open_with(folder.path(), &Options::default()).unwrap();
    assert_eq!((only.train.count, only.test.count), (1, 1));
    save("mnist_test.csv", "0,0,0,0,1\n");
    let dataset = open_with(folder.path(), &Options::default()).unwrap();
    assert_eq!((dataset.train.count, dataset.test.count, dataset.classes.len()), (2, 1, 4));
    assert_eq!(*dataset.test.pixels(), [0, 0, 0, 255]);
    assert!(dataset.found.notes[0].contains("mnist_train.csv is the part to train on"));
    // One range for both.
    save("mnist_test.csv", "0,0,0,0,9\n");
    let dataset = open_with(folder.path(), &Options::default()).unwrap();
    assert_eq!(
        (&*dataset.train.pixels(), &*dataset.test.pixels()),
        (&[1, 0, 0, 0, 0, 1, 0, 0][..], &[0, 0, 0, 9][..])
    );
    // The class is not in the other table.
    save("mnist_test.csv", "0,0,0,9\n");
    let dataset = open_with(folder.path(), &Options::default()).unwrap();
    assert_eq!((dataset.train.labels(), dataset.found.notes.len()), (None, 3));
    assert!(dataset.found.notes[1].contains("The first column is taken for the class"));
    save("mnist_test.csv", "0,0,0.5,1\n");
    save("mnist_train.csv", "3,1,0,0,7\n1,0,1,0,0\n");
    let problem = open_with(folder.path(), &Options::default()).unwrap_err().to_string();
    assert!(problem.contains("mnist_test.csv") && problem.contains("one range"), "{problem}");
    save("more.csv", "0,0,0,9\n");
    std::fs::remove_file(folder.path().join("mnist_test.csv")).unwrap();
    let problem = open_with(folder.path(), &Options::default()).unwrap_err().to_string();
    assert!(problem.contains("several files") && problem.contains("--dataset"), "{problem}");
}

#[test]
fn a_gzipped_table_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.csv.gz");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"1,2,3,4\n5,6,7,8\n").unwrap();
    let bytes = encoder.finish().unwrap();
    std::fs::write(&path, &bytes).unwrap();
    let dataset = open_with(&path, &Options::default()).unwrap();
    assert_eq!((dataset.train.count, &*dataset.name), (1, "it"));
    std::fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
    let problem = open_with(&path, &Options::default()).unwrap_err().to_string();
    assert!(problem.contains("it.csv.gz: the table cannot be read"), "{problem}");
}

#[test]
fn long_lines_are_refused() {
    let mut lines = Lines { from: io::repeat(b'0'), length: 0 };
    let problem = io::copy(&mut lines, &mut io::sink()).unwrap_err().to_string();
    assert!(problem.contains("a line is longer than"), "{problem}");
}
