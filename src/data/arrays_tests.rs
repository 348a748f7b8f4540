use super::*;
use crate::data::npy::tests::array;
use crate::data::{Colour, open};

/// Write an archive of these arrays.
fn archive(path: &Path, arrays: &[(&str, Vec<u8>)]) {
    let names: Vec<String> = arrays.iter().map(|(key, _)| format!("{key}.npy")).collect();
    let files: Vec<(&str, Vec<u8>)> =
        names.iter().zip(arrays).map(|(name, (_, bytes))| (name.as_str(), bytes.clone())).collect();
    std::fs::write(path, zip::tests::archive(&files, arrays.len() == 2)).unwrap();
}

/// Ten images of 2x3 pixels: those of image i are 20 i + 0, 1, ..
fn bytes(channels: usize) -> Vec<u8> {
    (0..10).flat_map(|i| (0..6 * channels as u8).map(move |j| 20 * i + j)).collect()
}

fn labels() -> Vec<u8> {
    array("<i8", false, &[10], &(0..10_i64).flat_map(|i| (i % 3).to_le_bytes()).collect::<Vec<_>>())
}

/// The images of a dataset in their order before a part was held out.
fn images(dataset: &Dataset) -> Vec<Vec<u8>> {
    let parts = [&dataset.train, &dataset.test];
    let mut all: Vec<Vec<u8>> =
        parts.iter().flat_map(|part| (0..part.count).map(|i| part.image(i).to_vec())).collect();
    all.sort_unstable();
    all
}

fn opened(dataset: &str) -> Result<Dataset> {
    open(dataset, &Options::default())
}

#[test]
fn layouts_are_told_apart_by_their_sizes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.npy");
    let text = path.to_str().unwrap();
    let save =
        |shape: &[usize], values: &[u8]| std::fs::write(&path, array("|u1", false, shape, values)).unwrap();

    save(&[10, 2, 3], &bytes(1));
    let grey = opened(text).unwrap();
    assert_eq!((grey.shape, grey.name.as_str()), (ImageShape { width: 3, height: 2, channels: 1 }, "it"));
    assert_eq!((grey.train.count, grey.test.count), (9, 1));
    let rows: Vec<Vec<u8>> = bytes(1).chunks(6).map(<[u8]>::to_vec).collect();
    assert_eq!(images(&grey), rows);
    save(&[10, 2, 3, 1], &bytes(1));
    assert_eq!(images(&opened(text).unwrap()), rows);
    save(&[10, 1, 2, 3], &bytes(1));
    // The last size comes first: one row of two pixels with three channels.
    assert_eq!(opened(text).unwrap().shape, ImageShape { width: 2, height: 1, channels: 3 });

    let colours: Vec<u8> = (0..10 * 2 * 5 * 3).map(|i| (i % 251) as u8).collect();
    save(&[10, 2, 5, 3], &colours);
    let last = opened(text).unwrap();
    assert_eq!(last.shape, ImageShape { width: 5, height: 2, channels: 3 });
    let planes: Vec<u8> = colours
        .chunks(30)
        .flat_map(|image| (0..3).flat_map(move |channel| image.iter().skip(channel).step_by(3).copied()))
        .collect();
    save(&[10, 3, 2, 5], &planes);
    assert_eq!(images(&opened(text).unwrap()), images(&last));

    save(&[10, 2, 3, 4], &[200; 240]);
    let dataset = opened(text).unwrap();
    assert_eq!((dataset.shape.channels, images(&dataset)[0][0]), (3, 157));
    save(&[10, 2, 5, 7], &[0; 700]);
    let problem = opened(text).unwrap_err().to_string();
    assert!(problem.contains("it.npy") && problem.contains("no images of 1, 3 or 4 channels"), "{problem}");
}

#[test]
fn size_and_colour_are_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.npy");
    std::fs::write(&path, array("|u1", false, &[10, 2, 3], &bytes(1))).unwrap();
    let options = Options { image_size: Some((5, 4)), colour: Some(Colour::Rgb), ..Options::default() };
    let dataset = open(path.to_str().unwrap(), &options).unwrap();
    assert_eq!(dataset.shape, ImageShape { width: 5, height: 4, channels: 3 });
}

#[test]
fn the_array_is_found_or_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.npz");
    let text = path.to_str().unwrap();
    let frames = || array("|u1", false, &[10, 2, 3], &bytes(1));
    let others = array("|u1", false, &[10, 1, 1], &[9; 10]);
    archive(&path, &[("episode", labels()), ("frames", frames())]);
    let only = opened(text).unwrap();
    assert_eq!((only.shape.width, only.train.labels()), (3, None));

    archive(&path, &[("frames", frames()), ("labels", labels()), ("masks", others.clone())]);
    let problem = opened(text).unwrap_err().to_string();
    for part in ["it.npz: several arrays", "frames: [10, 2, 3]", "masks: [10, 1, 1]", "it.npz:frames"] {
        assert!(problem.contains(part), "{part}: {problem}");
    }
    let named = opened(&format!("{text}:frames")).unwrap();
    assert_eq!((named.shape.width, named.classes.len()), (3, 3));
    for (image, label) in
        (0..named.train.count).map(|i| named.train.image(i)).zip(named.train.labels().unwrap())
    {
        assert_eq!(u32::from(image[0] / 20) % 3, *label);
    }
    assert_eq!(opened(&format!("{text}:masks")).unwrap().shape.width, 1);
    for (key, expected) in
        [("labels", "'labels' holds no images"), ("x", "there is no array 'x'; there are:")]
    {
        let problem = opened(&format!("{text}:{key}")).unwrap_err().to_string();
        assert!(problem.contains(expected), "{problem}");
    }
    archive(&path, &[("masks", others), ("X", frames()), ("y", labels())]);
    assert_eq!(opened(text).unwrap().shape.width, 3);
    archive(&path, &[("labels", labels())]);
    assert!(opened(text).unwrap_err().to_string().contains("no array holds images"));
}

#[test]
fn parts_and_labels_are_known_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.npz");
    let test = array("|u1", false, &[2, 2, 3], &[7; 12]);
    let test_labels = array("|u1", false, &[2, 1], &[4, 0]);
    let train = array("|u1", false, &[10, 2, 3], &bytes(1));
    archive(
        &path,
        &[("x_test", test), ("y_test", test_labels), ("x_train", train.clone()), ("y_train", labels())],
    );
    let dataset = opened(path.to_str().unwrap()).unwrap();
    assert_eq!((dataset.train.count, dataset.test.count, dataset.classes.len()), (10, 2, 5));
    assert_eq!(dataset.test.labels(), Some(&[4, 0][..]));
    // Labels beside a single array stand in a second file. Labels of other images are left out.
    let path = folder.path().join("x.npy");
    std::fs::write(&path, train).unwrap();
    std::fs::write(folder.path().join("x_labels.npy"), labels()).unwrap();
    assert!(opened(path.to_str().unwrap()).unwrap().train.labels().is_some());
    std::fs::write(folder.path().join("x_labels.npy"), array("|u1", false, &[3], &[0; 3])).unwrap();
    assert_eq!(opened(path.to_str().unwrap()).unwrap().train.labels(), None);
}

#[test]
fn a_damaged_archive_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.npz");
    archive(&path, &[("frames", labels()), ("images", array("|u1", false, &[10, 2, 3], &bytes(1)))]);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let problem = opened(path.to_str().unwrap()).unwrap_err().to_string();
    assert!(problem.contains("it.npz") && problem.contains("cannot be read"), "{problem}");
    assert_eq!(array_of("a/b.npz:frames"), Some((Path::new("a/b.npz"), "frames")));
    assert_eq!((array_of("b.npz"), array_of("c:b.npz"), array_of("b.npz:")), (None, None, None));
}

#[test]
fn rows_bits_and_labels_of_other_types() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.npz");
    let text = path.to_str().unwrap();
    let values: Vec<u8> = (0..40).collect();
    let floats = |values: &[f64]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>();
    // Rows of four values, classes as floats.
    let classes = array("<f8", false, &[10], &floats(&[0.0, 1.0, 2.0, 0.0, 1.0, 2.0, 0.0, 1.0, 2.0, 0.0]));
    archive(&path, &[("x", array("|u1", false, &[10, 4], &values)), ("y", classes)]);
    let dataset = opened(text).unwrap();
    assert_eq!((dataset.shape.width, dataset.shape.height, dataset.classes.len()), (2, 2, 3));
    let wide = Options { image_size: Some((4, 1)), ..Options::default() };
    assert_eq!(open(text, &wide).unwrap().shape, ImageShape { width: 4, height: 1, channels: 1 });
    // Bits, and classes of which one is 1 in each row.
    let bits = array("<i4", false, &[2, 1, 2], &[0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    archive(&path, &[("imgs", bits), ("labels", array("|b1", false, &[2, 3], &[0, 0, 1, 0, 1, 0]))]);
    let dataset = opened(text).unwrap();
    assert_eq!(images(&dataset), [[0, 255], [255, 0]]);
    assert_eq!((dataset.found.notes.len(), dataset.classes.len(), dataset.found.files), (1, 3, 1));
    // What is no label is said.
    let frames = || array("|u1", false, &[10, 2, 3], &bytes(1));
    archive(&path, &[("x", frames()), ("y", array("<U4", false, &[10], &[0; 160]))]);
    let dataset = opened(text).unwrap();
    assert_eq!(dataset.train.labels(), None);
    assert!(
        dataset.found.notes[0].starts_with("y, [10] of the type 'U4', holds no labels"),
        "{:?}",
        dataset.found
    );
    archive(&path, &[("meta", array("|O", false, &[1], &[])), ("z", array("<f4", false, &[7], &[0; 28]))]);
    let problem = opened(text).unwrap_err().to_string();
    assert!(problem.contains("meta: no array of numbers") && problem.contains("z: [7]"), "{problem}");
}
