//! `vae data`.

use crate::{Place, assert_picture, text, vae};
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use std::path::Path;

/// A folder of `count` grey pictures; picture `i` is half `i` and half 250.
fn pictures(folder: &Path, count: u8) {
    std::fs::create_dir_all(folder).unwrap();
    for index in 0..count {
        let picture = image::GrayImage::from_fn(4, 2, |x, _| image::Luma([if x < 2 { index } else { 250 }]));
        picture.save(folder.join(format!("{index:02}.png"))).unwrap();
    }
}

#[test]
fn a_folder_is_described() {
    let place = Place::new();
    let folder = place.path("greys");
    pictures(&folder, 20);
    std::fs::write(folder.join("notes.txt"), "text").unwrap();
    std::fs::copy(folder.join("00.png"), folder.join("copy.png")).unwrap();
    let described = vae(&["data", text(&folder)]).assert().success();
    described.stdout(
        contains("19 to train on, 2 held out")
            .and(contains("4x2 grey"))
            .and(contains("0 to 250"))
            .and(contains("copies")),
    );
    vae(&["data", text(&folder), "--dataset", "mnist"]).assert().failure().stderr(contains("named twice"));
    vae(&["data", "gone"]).assert().failure().stderr(contains("no file or folder has this path"));
}

#[test]
fn archives_parts_and_files_that_are_not_read() {
    let place = Place::new();
    let folder = place.path("set");
    pictures(&folder.join("Train").join("a"), 8);
    pictures(&folder.join("Train").join("b"), 4);
    pictures(&folder.join("valid").join("a"), 3);
    pictures(&folder.join("test"), 2);
    std::fs::write(folder.join("list.csv"), "a,b\n").unwrap();
    let archive = place.path("set.tar");
    let mut builder = tar::Builder::new(std::fs::File::create(&archive).unwrap());
    builder.append_dir_all("set", &folder).unwrap();
    builder.into_inner().unwrap();
    for dataset in [&folder, &archive] {
        let described = vae(&["data", text(dataset)]).assert().success();
        described.stdout(
            contains("12 to train on, 3 held out")
                .and(contains("The folder Train is the part to train on, valid the part held out"))
                .and(contains("list.csv: no picture")),
        );
    }
    let other = place.path("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("images.h5"), b"\x89HDF\r\n\x1a\n").unwrap();
    let refused = vae(&["data", text(&other)]).assert().failure();
    refused.stderr(contains("images.h5: this is an HDF5 file").and(contains("numpy.savez")));
}

#[test]
fn data_without_content_is_warned_of() {
    let place = Place::new();
    for (name, value, expected) in [("black", 0, "every pixel of every image is 0"), ("grey", 90, "is 90")] {
        let folder = place.path(name);
        std::fs::create_dir(&folder).unwrap();
        for index in 0..3 {
            let picture = image::GrayImage::from_pixel(4, 4, image::Luma([value]));
            picture.save(folder.join(format!("{index}.png"))).unwrap();
        }
        vae(&["data", text(&folder)]).assert().success().stdout(contains("warning").and(contains(expected)));
        let train = ["train", "--dataset", text(&folder), "--steps", "1", "--device", "cpu", "--out"];
        let run = place.path("run").join(name);
        vae(&train).arg(&run).assert().success().stderr(contains("warning").and(contains(expected)));
    }
}

#[test]
fn images_are_written_in_the_order_given() {
    let place = Place::new();
    let folder = place.path("greys");
    pictures(&folder, 20);
    let (out, sheet) = (place.path("some.npy"), place.path("sheet.png"));
    let flags = ["--npy", text(&out), "--indices", "3,0,17-19,3", "--sheet", text(&sheet)];
    vae(&["data", text(&folder)]).args(flags).assert().success().stdout(contains("some.npy"));
    let bytes = std::fs::read(&out).unwrap();
    let head = String::from_utf8_lossy(&bytes[..128]);
    assert!(head.contains("'|u1'") && head.contains("(6, 2, 4, 1, )"), "{head}");
    let firsts: Vec<u8> = bytes[128..].chunks(8).map(|image| image[0]).collect();
    assert_eq!(firsts, [3, 0, 17, 18, 19, 3]);
    assert_picture(&sheet);
    vae(&["data", text(&folder), "--npy", text(&out), "--indices", "20"])
        .assert()
        .failure()
        .stderr(contains("there is no image 20").and(contains("0 to 19")));
}

/// Black ink in the opacity of a picture, which is `size` pixels wide and high.
fn ink(size: u32) -> image::RgbaImage {
    image::RgbaImage::from_fn(size, size, |x, y| image::Rgba([0, 0, 0, if x < y { 255 } else { 0 }]))
}

#[test]
fn what_was_chosen_for_pictures_is_kept() {
    let place = Place::new();
    let folder = place.path("logos");
    std::fs::create_dir(&folder).unwrap();
    for size in 4..9 {
        ink(size).save(folder.join(format!("{size}.png"))).unwrap();
    }
    std::fs::write(folder.join("empty.png"), "").unwrap();
    vae(&["data", text(&folder)])
        .assert()
        .failure()
        .stderr(contains("empty.png").and(contains("it is empty")));
    vae(&["data", text(&folder), "--skip-unreadable"]).assert().success().stdout(
        contains("from 4x4 to 8x8, and are read as 4x4; --image-size changes it")
            .and(contains("laid over white; --background changes it"))
            .and(contains("1 of 6 pictures cannot be read, and is passed over")),
    );
    let run = place.path("run");
    let train = ["train", "--dataset", text(&folder), "--skip-unreadable", "--steps", "1", "--device", "cpu"];
    vae(&train).args(["--out", text(&run)]).assert().success().stderr(contains("laid over white"));
    let config = std::fs::read_to_string(run.join("config.toml")).unwrap();
    for line in ["image-size = [4, 4]", "color = \"grey\"", "background = \"white\"", "fit = \"crop\""] {
        assert!(config.replace(",\n", ",").contains(line), "{line} is missing in {config}");
    }
}

#[test]
fn what_is_read_is_not_replaced() {
    let place = Place::new();
    let folder = place.path("greys");
    pictures(&folder, 4);
    let picture = folder.join("00.png");
    let before = std::fs::read(&picture).unwrap();
    for flags in [["--sheet", text(&picture)], ["--npy", text(&picture)]] {
        vae(&["data", text(&folder)]).args(flags).assert().failure().stderr(contains("would be replaced"));
    }
    vae(&["data", text(&folder), "--npy", text(&place.path("x.png"))])
        .assert()
        .failure()
        .stderr(contains("ends in .npy"));
    assert_eq!(std::fs::read(&picture).unwrap(), before);
}

#[test]
fn runs_in_the_folder_of_a_dataset_are_no_pictures() {
    let place = Place::new();
    let folder = place.path("greys");
    pictures(&folder, 4);
    let train = |out: &Path| {
        let mut command = vae(&["train", "--dataset", text(&folder), "--steps", "1", "--device", "cpu"]);
        command.args(["--hidden", "4", "--out", text(out)]);
        command
    };
    train(&folder).assert().failure().stderr(contains("it is the folder of the dataset"));
    train(&folder.join("run")).assert().success();
    vae(&["data", text(&folder)])
        .assert()
        .success()
        .stdout(contains("run: the folder of a run").and(contains("3 to train on, 1 held out")));
    // Another dataset without parts is encoded whole.
    let other = place.path("others");
    pictures(&other, 7);
    let out = place.path("z.npy");
    vae(&["encode", text(&folder.join("run")), "--dataset", text(&other), "--out", text(&out)])
        .assert()
        .success();
    let head = std::fs::read(&out).unwrap();
    assert!(String::from_utf8_lossy(&head[..128]).contains("(7, 2, )"), "not seven rows");
}

#[test]
fn pictures_outside_the_parts_are_counted() {
    let place = Place::new();
    let folder = place.path("set");
    for (part, count) in [("train", 5), ("val", 2), ("extra", 3)] {
        pictures(&folder.join(part), count);
    }
    let expected = "3 pictures are in none of the parts, and not read";
    vae(&["data", text(&folder)]).assert().success().stdout(contains(expected));
}

#[test]
fn sprites_are_drawn() {
    let place = Place::new();
    let some = ["--images", "40"];
    let described = vae(&["data", "dsprites"]).args(some).assert().success();
    described.stdout(
        contains("40 to train on, 4 held out")
            .and(contains("64x64 grey"))
            .and(contains("orientation: 40 values"))
            .and(contains("heart"))
            .and(contains("-4x4x32-10-4x4x32-"))
            .and(contains("warning").not()),
    );
    for (wrong, said) in [("--image-size=32x32", "64x64"), ("--color=rgb", "drawn in grey")] {
        vae(&["data", "dsprites", wrong]).args(some).assert().failure().stderr(contains(said));
    }
    let run = place.path("run");
    let train =
        ["train", "--dataset", "dsprites", "--hidden", "4", "--steps", "2", "--device", "cpu", "--out"];
    vae(&train).arg(&run).args(some).assert().success().stderr(contains("cross-entropy").not());
    vae(&["eval", text(&run), "--device", "cpu"]).assert().success();
    assert_picture(&run.join("reconstructions.png"));
    vae(&["plan", "--dataset", "dsprites"]).assert().success().stdout(contains("502,005 parameters"));
}
