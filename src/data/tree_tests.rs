//! Tests of [`super`] and of `layout`, `archive` and `file`: the same pictures in a folder, a zip and a tar archive.

use super::super::folder::is_picture;
use super::super::layout::{self, Role};
use super::super::{HeldOut, Options, archive, open, zip};
use super::*;
use std::io::Write;

/// A tree of files with these names; names that end in `/` are folders.
fn named(names: &[&str]) -> Tree {
    let place = |name: &&str| (name.to_string(), Some(Place::Memory(Vec::new().into())));
    of_archive(Path::new("set.zip"), names.iter().map(place).collect())
}

/// The items as `role class name`.
fn items(names: &[&str]) -> Vec<String> {
    let role = |role| match role {
        Role::Whole => "",
        Role::Train => "train",
        Role::Validation => "val",
        Role::Test => "test",
    };
    let items = layout::of(&named(names), is_picture).items;
    items
        .iter()
        .map(|item| {
            format!("{} {} {}", role(item.role), item.class.as_deref().unwrap_or("-"), item.file.name)
        })
        .collect()
}

#[test]
fn parts_and_classes_follow_from_names() {
    for (names, expected) in [
        (&["a.png", "b.PNG", "c.txt"][..], &[" - a.png", " - b.PNG"][..]),
        (
            &["cat/1.png", "dog/x/2.png", "dog/x/y/3.png"],
            &[" cat cat/1.png", " dog dog/x/2.png", " dog dog/x/y/3.png"],
        ),
        // What lies around everything is no class.
        (&["set/cat/1.png", "set/dog/2.png"], &[" cat cat/1.png", " dog dog/2.png"]),
        (&["list.csv", "a/b/1.png", "a/b/2.png"], &[" - a/b/1.png", " - a/b/2.png"]),
        (&["Train/1.png", "VALID/2.png"], &["train - Train/1.png", "val - VALID/2.png"]),
        (
            &["set/train/a/1.png", "set/val/a/2.png", "set/test/3.png", "set/other/4.png"],
            &["test - test/3.png", "train a train/a/1.png", "val a val/a/2.png"],
        ),
        (
            &["x.csv", "i/train/1.png", "i/validation/2.png"],
            &["train - i/train/1.png", "val - i/validation/2.png"],
        ),
        (&["train/1.png", "car/2.png"], &[" car car/2.png", " train train/1.png"]),
        (&["test/1.png", "val/2.png"], &[" test test/1.png", " val val/2.png"]),
        (&["train/b/1.png", "train/a/2.png"], &[" a train/a/2.png", " b train/b/1.png"]),
    ] {
        assert_eq!(items(names), expected, "{names:?}");
    }
}

#[test]
fn one_of_two_parts_is_held_out() {
    let names = ["train/a/1.png", "valid/a/2.png", "test/3.png"];
    let tree = named(&names);
    let parts = |held_out| layout::of(&tree, is_picture).parts(&tree, held_out).unwrap();
    let (found, _, notes) = parts(HeldOut::Validation);
    assert_eq!(found.test.as_ref().unwrap()[0].file.name, "valid/a/2.png");
    assert_eq!(found.train[0].class.as_deref(), Some("a"));
    assert_eq!(
        notes,
        ["The folder train is the part to train on, valid the part held out; test is left for `vae eval`."]
    );
    let (found, _, notes) = parts(HeldOut::Test);
    assert_eq!(found.test.as_ref().unwrap()[0].file.name, "test/3.png");
    // The test part has no classes.
    assert_eq!((found.train[0].class.as_deref(), notes.len()), (None, 2));
    assert!(notes[0].contains("valid, held out in training, is not read"), "{notes:?}");
    assert!(notes[1].contains("(train/a/1.png)") && notes[1].contains("(test/3.png)"), "{notes:?}");

    let tree = named(&["train/1.png", "test/", "val/2.png"]);
    let parts = |held_out| layout::of(&tree, is_picture).parts(&tree, held_out);
    assert!(parts(HeldOut::Validation).is_ok());
    let problem = parts(HeldOut::Test).unwrap_err().to_string();
    assert!(problem.contains("set.zip/test: there are no pictures"), "{problem}");
}

#[test]
fn litter_is_passed_over() {
    let tree = named(&[
        "__MACOSX/cat/._1.png",
        "cat/._1.png",
        "cat/1.png",
        "a\\2.png",
        ".x/3.png",
        "/",
        "cat/1.png",
    ]);
    let files: Vec<_> = tree.files.iter().map(|file| &*file.name).collect();
    assert_eq!(files, ["a/2.png", "cat/1.png"]);
    let passed: Vec<_> = tree.passed_over.iter().map(|it| (&*it.name, &*it.why)).collect();
    assert_eq!(
        passed,
        [(".x", "hidden"), ("__MACOSX", "written by macOS"), ("cat/._1.png", "written by macOS")]
    );
}

/// A grey picture of one pixel.
fn picture(value: u8) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let picture = image::GrayImage::from_pixel(1, 1, image::Luma([value]));
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Names and contents: three pictures of two classes, under one folder that also holds litter.
fn pictures() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("set/cat/1.png", picture(1)),
        ("set/cat/deeper/2.png", picture(2)),
        ("set/dog/3.png", picture(3)),
        ("set/dog/notes.txt", b"text".to_vec()),
        ("set/dog/._3.png", b"litter".to_vec()),
    ]
}

fn tar_of(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, &content[..]).unwrap();
    }
    archive.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn folders_and_archives_hold_the_same_dataset() {
    let place = tempfile::tempdir().unwrap();
    let files = pictures();
    for (name, content) in &files {
        let path = place.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let folder = open(place.path().join("set").to_str().unwrap(), &Options::default()).unwrap();
    assert_eq!((folder.train.count, folder.test.count, folder.found.files), (2, 1, 3));
    assert_eq!((&*folder.name, &folder.classes[..]), ("set", &["cat".to_string(), "dog".into()][..]));
    assert_eq!(folder.found.passed_over.len(), 2);
    for (name, bytes) in [
        ("set.zip", zip::tests::archive(&files, false)),
        ("set.tar", tar_of(&files)),
        ("set.tar.gz", gzip(&tar_of(&files))),
        ("set.tgz", gzip(&tar_of(&files))),
    ] {
        let path = place.path().join(name);
        std::fs::write(&path, &bytes).unwrap();
        let packed = open(path.to_str().unwrap(), &Options::default()).unwrap();
        assert_eq!((&packed.name, &packed.classes), (&folder.name, &folder.classes), "{name}");
        assert_eq!((&packed.train, &packed.test), (&folder.train, &folder.test), "{name}");
        assert_eq!(packed.found, folder.found, "{name}");
        // A part of an archive is no archive, or names what is wrong.
        for length in [0, 4, 100, 511, 600, bytes.len() / 2 + 3] {
            if length >= bytes.len() {
                continue;
            }
            std::fs::write(&path, &bytes[..length]).unwrap();
            let problem = open(path.to_str().unwrap(), &Options::default()).unwrap_err().to_string();
            assert!(problem.contains(name), "{name}, {length}: {problem}");
        }
    }
    // A damaged picture is called by its name in the archive.
    let mut files = files;
    files[0].1 = b"none".to_vec();
    let path = place.path().join("set.tar");
    std::fs::write(&path, tar_of(&files)).unwrap();
    let problem = open(path.to_str().unwrap(), &Options::default()).unwrap_err().to_string();
    assert!(problem.contains("set.tar") && problem.contains("cat/1.png"), "{problem}");
}

#[test]
fn names_that_are_not_utf_8_stay_different() {
    assert_eq!(text(b"a\xff\xfe.png"), "a\\xFF\\xFE.png");
    assert_eq!(text("ünï 图.png".as_bytes()), "ünï 图.png");
}

#[cfg(target_os = "linux")]
#[test]
fn odd_names_and_links() {
    use std::os::unix::{ffi::OsStrExt, fs::symlink};
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for name in [&b"\xff.png"[..], b"\xfe.png", b"c.png"] {
        std::fs::write(root.join(std::ffi::OsStr::from_bytes(name)), picture(7)).unwrap();
    }
    symlink(".", root.join("self")).unwrap();
    std::fs::create_dir(root.join("sub")).unwrap();
    symlink("../sub", root.join("sub/again")).unwrap();
    symlink("c.png", root.join("d.png")).unwrap();
    let dataset = open(root.to_str().unwrap(), &Options::default()).unwrap();
    assert_eq!((dataset.train.count + dataset.test.count, dataset.classes.len()), (4, 0));
    let passed: Vec<_> = dataset.found.passed_over.iter().map(|it| &*it.name).collect();
    assert_eq!(passed, ["self", "sub/again"]);
    assert!(dataset.found.passed_over[0].why.contains("the folder that it is in"));

    // Folders that link to one another have many paths.
    let many = tempfile::tempdir().unwrap();
    for folder in 0..6 {
        std::fs::create_dir(many.path().join(folder.to_string())).unwrap();
        std::fs::write(many.path().join(format!("{folder}/1.png")), picture(7)).unwrap();
        for other in (0..6).filter(|other| *other != folder) {
            symlink(format!("../{other}"), many.path().join(format!("{folder}/to {other}"))).unwrap();
        }
    }
    let tree = of_folder(many.path()).unwrap();
    assert_eq!((tree.files.len(), tree.passed_over.is_empty()), (6 * (1 + 5 + 5 * 4 + 5 * 4 * 3), false));

    symlink("nowhere.png", root.join("broken.png")).unwrap();
    let problem = open(root.to_str().unwrap(), &Options::default()).unwrap_err().to_string();
    assert!(
        problem.contains(
            "broken.png: the picture cannot be read: this is a link to nowhere.png, which does not exist"
        ),
        "{problem}"
    );
}

#[test]
fn entries_that_are_no_files_are_passed_over() {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    archive.append_link(&mut header, "link.png", "1.png").unwrap();
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("links.tar");
    std::fs::write(&path, archive.into_inner().unwrap()).unwrap();
    let tree = archive::of(&path).unwrap().unwrap();
    assert!(tree.files.is_empty());
    assert_eq!(tree.passed_over[0].name, "link.png");
}

/// Bytes of an IDX file of 1x1 images.
fn idx_of(pixels: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 3, 0, 0, 0, pixels.len() as u8, 0, 0, 0, 1, 0, 0, 0, 1];
    bytes.extend(pixels);
    bytes
}

#[test]
fn idx_files_in_folders_of_their_names_and_in_archives() {
    let (train, test) = (idx_of(&[10, 20, 30]), idx_of(&[50, 60]));
    let zipped = |bytes: &[u8]| zip::tests::archive(&[("train-images.idx3-ubyte", bytes.to_vec())], false);
    let nested = "a/train-images-idx3-ubyte/train-images-idx3-ubyte";
    let cases = [
        (
            "folder",
            vec![(nested, train.clone()), ("a/t10k-images-idx3-ubyte/t10k-images-idx3-ubyte", test.clone())],
        ),
        (
            "zipped",
            vec![("train-images-idx3-ubyte.zip", zipped(&train)), ("t10k-images-idx3-ubyte.gz", gzip(&test))],
        ),
        (
            "deep",
            vec![
                ("MNIST/raw/train-images-idx3-ubyte", train.clone()),
                ("MNIST/raw/t10k-images-idx3-ubyte", test.clone()),
            ],
        ),
    ];
    for (name, files) in cases {
        let place = tempfile::tempdir().unwrap();
        for (name, content) in &files {
            let path = place.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let archives = tempfile::tempdir().unwrap();
        let [zip, tar] = ["it.zip", "it.tgz"].map(|name| archives.path().join(name));
        std::fs::write(&zip, zip::tests::archive(&files, false)).unwrap();
        std::fs::write(&tar, gzip(&tar_of(&files))).unwrap();
        for path in [place.path(), &zip, &tar] {
            let dataset = open(path.to_str().unwrap(), &Options::default()).unwrap();
            assert_eq!(*dataset.train.pixels(), [10, 20, 30], "{name}, {}", path.display());
            assert_eq!((&*dataset.test.pixels(), dataset.found.files), (&[50, 60][..], 2), "{name}");
        }
    }
}

#[test]
fn arrays_tables_and_batches_in_archives() {
    use crate::data::npy::tests::array;
    let place = tempfile::tempdir().unwrap();
    let frames = || array("|u1", false, &[4, 2, 2], &(0..16).collect::<Vec<u8>>());
    let batch: Vec<u8> = (0..2 * 3073).map(|i| if i % 3073 == 0 { 3 } else { 77 }).collect();
    for (name, files, expected) in [
        ("a.zip", vec![("readme.txt", b"text".to_vec()), ("frames.npy", frames())], (2, 2, 1)),
        (
            "b.zip",
            vec![("in/x.npz", zip::tests::archive(&[("x.npy", frames())], false)), ("in/b", vec![1])],
            (2, 2, 1),
        ),
        ("c.tar", vec![("in/table.csv", b"1,2,3,4\n5,6,7,8\n".to_vec())], (2, 2, 1)),
        ("d.tgz", vec![("cifar-10-batches-bin/data_batch_1.bin", batch)], (32, 32, 3)),
    ] {
        let path = place.path().join(name);
        let bytes = match name {
            "c.tar" => tar_of(&files),
            "d.tgz" => gzip(&tar_of(&files)),
            _ => zip::tests::archive(&files, false),
        };
        std::fs::write(&path, bytes).unwrap();
        let dataset = open(path.to_str().unwrap(), &Options::default()).unwrap();
        let shape = (dataset.shape.width, dataset.shape.height, dataset.shape.channels);
        assert_eq!((shape, dataset.found.files), (expected, 1), "{name}");
    }
    let several = [("frames.npy", frames()), ("set.npz", zip::tests::archive(&[("x.npy", frames())], false))];
    let folder = place.path().join("several");
    std::fs::create_dir(&folder).unwrap();
    several.iter().for_each(|(name, bytes)| std::fs::write(folder.join(name), bytes).unwrap());
    let problem = open(folder.to_str().unwrap(), &Options::default()).unwrap_err().to_string();
    for part in ["several files could be the images", "frames.npy", "set.npz", "--dataset"] {
        assert!(problem.contains(part), "{problem}");
    }
    std::fs::remove_file(folder.join("set.npz")).unwrap();
    // An archive that was not unpacked.
    let packed = place.path().join("packed");
    std::fs::create_dir(&packed).unwrap();
    for name in ["a.zip", "b.zip"] {
        std::fs::write(packed.join(name), zip::tests::archive(&pictures(), false)).unwrap();
        let read = open(packed.to_str().unwrap(), &Options::default());
        match name {
            "a.zip" => assert_eq!(read.unwrap().found.notes, ["The dataset is the archive a.zip."]),
            _ => assert!(read.unwrap_err().to_string().contains("several archives:\n    a.zip\n    b.zip")),
        }
    }
    assert_eq!(open(folder.to_str().unwrap(), &Options::default()).unwrap().shape.width, 2);
}
