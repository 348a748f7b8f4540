//! Tests of [`super::open`] and [`Dataset::validate`], and of the real files where they exist.

use super::*;

/// The folder `name` of real data: in `VAE_DATA`, or in `shared/data` beside the project.
pub(super) fn real(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let roots = [std::env::var_os("VAE_DATA").map(PathBuf::from), Some(beside)];
    let found = roots.into_iter().flatten().map(|root| root.join(name)).find(|folder| folder.is_dir());
    if found.is_none() {
        assert!(
            std::env::var_os("VAE_REQUIRE_DATA").is_none_or(|v| v != "1"),
            "VAE_REQUIRE_DATA=1, but no {name}"
        );
        println!("SKIPPED: no folder {name}; set VAE_DATA to the folder that holds it");
    }
    found
}

fn sum(part: &Part) -> u64 {
    part.pixels().iter().map(|&pixel| u64::from(pixel)).sum()
}

/// Expected sums: `sum(gzip.open(file).read()[16:])` in Python.
#[test]
fn real_mnist() {
    let Some(folder) = real("mnist") else { return };
    let roots = Roots { environment: folder.parent().map(Path::to_path_buf), ..Roots::default() };
    let dataset = open_from("mnist", &Options::default(), &roots).unwrap();
    assert_eq!((dataset.name.as_str(), dataset.classes.len()), ("mnist", 10));
    assert_eq!(dataset.shape, ImageShape { width: 28, height: 28, channels: 1 });
    assert_eq!((dataset.train.count, dataset.test.count), (60_000, 10_000));
    assert_eq!((sum(&dataset.train), sum(&dataset.test)), (1_567_298_545, 264_923_200));
    let labels = [&dataset.train, &dataset.test].map(|part| part.labels().unwrap().to_vec());
    assert_eq!((&labels[0][..3], &labels[1][..3]), (&[5, 0, 4][..], &[7, 2, 1][..]));
    assert_eq!(labels.map(|labels| labels.iter().sum::<u32>()), [267_236, 44_434]);

    let small = Options { image_size: Some((14, 10)), fit: Fit::Stretch, ..Options::default() };
    let small = open_from(folder.to_str().unwrap(), &small, &Roots::default()).unwrap();
    assert_eq!((small.shape.width, small.shape.height, small.test.pixels().len()), (14, 10, 1_400_000));
    // Shrinking keeps the mean.
    let means = [&dataset, &small].map(|set| sum(&set.test) as f64 / set.test.pixels().len() as f64);
    assert!((means[0] - means[1]).abs() < 0.5, "{means:?}");
}

#[test]
fn real_frey_faces() {
    let Some(folder) = real("freyface") else { return };
    let dataset = open(folder.to_str().unwrap(), &Options::default()).unwrap();
    assert_eq!(dataset.shape, ImageShape { width: 20, height: 28, channels: 1 });
    assert_eq!((dataset.train.count, dataset.test.count), (1768, 197));
    assert_eq!(sum(&dataset.train) + sum(&dataset.test), 169_968_741);
    assert_eq!((dataset.name.as_str(), dataset.train.labels()), ("freyface", None));
}

fn message(dataset: &str, options: &Options) -> String {
    open_from(dataset, options, &Roots::default()).unwrap_err().to_string()
}

#[test]
fn what_cannot_be_opened_is_explained() {
    let options = Options::default();
    let text = message("mnits", &options);
    assert!(text.contains("--dataset mnits") && text.contains("did you mean 'mnist'?"), "{text}");
    let text = message("no/such/folder", &options);
    assert!(text.contains("no file or folder has this path") && text.contains("known names"), "{text}");
    let text = message("kmnist", &options);
    assert!(text.contains("none of these folders"), "{text}");

    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("cat.JPG");
    std::fs::write(&picture, "").unwrap();
    let text = message(picture.to_str().unwrap(), &options);
    assert!(text.contains("single picture") && text.contains("give the folder"), "{text}");
    let notes = folder.path().join("notes.txt");
    std::fs::write(&notes, "hello").unwrap();
    let text = message(notes.to_str().unwrap(), &options);
    assert!(text.contains("notes.txt: this is not an IDX file"), "{text}");
}

/// Options are checked even for a dataset that does not use them.
#[test]
fn options_are_checked_first() {
    let text = message("mnist", &Options { test_fraction: 1.5, ..Options::default() });
    assert!(text.contains("--test-fraction: 1.5"), "{text}");
    let text = message("mnist", &Options { image_size: Some((0, 28)), ..Options::default() });
    assert!(text.contains("--image-size: 0x28"), "{text}");
}

#[test]
fn idx_images_are_converted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some-images-idx3-ubyte");
    idx::write_images(&path, ImageShape { width: 2, height: 4, channels: 1 }, &[77; 16]).unwrap();
    let options = Options { image_size: Some((3, 5)), colour: Some(Colour::Rgb), ..Options::default() };
    let dataset = open(path.to_str().unwrap(), &options).unwrap();
    assert_eq!(dataset.shape, ImageShape { width: 3, height: 5, channels: 3 });
    assert_eq!(*dataset.train.pixels(), [77; 45]);
    assert_eq!(dataset.name, "some");
}

#[test]
fn folders_have_names() {
    let folder = tempfile::tempdir().unwrap();
    let faces = folder.path().join("faces");
    std::fs::create_dir(&faces).unwrap();
    assert_eq!(folder_name(&faces), "faces");
    assert_eq!(folder_name(&faces.join(".")), "faces");
    assert_eq!(folder_name(Path::new("gone/too")), "too");
    assert_eq!(folder_name(Path::new("/")), "dataset");
}

#[test]
fn validation_finds_each_fault() {
    let shape = ImageShape { width: 2, height: 1, channels: 1 };
    let weights = Column::new("weights", &[3], Values::Reals(vec![0.5; 6]));
    let part = Part::of_images(vec![0; 4], shape).with_labels(vec![0, 1]).with(weights);
    let classes = vec!["a".to_string(), "b".to_string()];
    let good = Dataset::new("toy", shape, part.clone(), part).with_classes(classes);
    good.validate().unwrap();
    let check = |spoil: fn(&mut Dataset), expected: &str| {
        let mut bad = good.clone();
        spoil(&mut bad);
        let message = bad.validate().unwrap_err().to_string();
        assert!(message.contains("'toy'") && message.contains(expected), "{expected}: {message}");
    };
    check(|set| set.shape.width = 0, "images of 0x1 grey are bytes of shape [1, 0, 1]");
    check(|set| set.test.remove(LABELS), "column 'labels' of the train part is not in the other part");
    check(|set| set.train.remove("weights"), "column 'weights' of the test part is not in the other part");
    check(|set| set.test.count = 0, "the test part is empty");
    check(
        |set| set.train.columns[0].values = Values::Bytes(vec![0; 3]),
        "column 'images' of the train part has 3 bytes for 2 items",
    );
    check(|set| set.train.columns[1].values = Values::Words(vec![0]), "has 1 words for 2 items");
    check(|set| set.test.columns[2].values = Values::Reals(vec![0.0; 5]), "has 5 reals for 2 items");
    check(|set| set.test.columns[2].shape = vec![2], "column 'weights' of the test part has 6 reals");
    check(
        |set| set.test.columns[2] = Column::new("weights", &[1], Values::Words(vec![0; 2])),
        "column 'weights' of the train part is not in the other part",
    );
    check(|set| set.train.columns[2].name = IMAGES.into(), "column 'images' of the train part holds reals");
    check(
        |set| set.train.columns.push(set.train.columns[2].clone()),
        "'weights' of the train part is there twice",
    );
    check(|set| set.classes.truncate(1), "has the label 1, but there are 1 classes");
}

#[test]
fn a_part_is_cut_in_every_column() {
    let shape = ImageShape { width: 2, height: 1, channels: 1 };
    let weights = |values: &[f32]| Column::new("weights", &[1], Values::Reals(values.to_vec()));
    let mut part =
        Part::of_images(vec![1, 2, 3, 4], shape).with_labels(vec![5, 6]).with(weights(&[0.5, 0.25]));
    part.truncate(2);
    assert_eq!(part.count, 2);
    part.truncate(1);
    assert_eq!(part, Part::of_images(vec![1, 2], shape).with_labels(vec![5]).with(weights(&[0.5])));
}
