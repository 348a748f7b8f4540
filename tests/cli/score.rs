//! `vae encode`, `decode`, `score` and `sample` on the pictures of people, and `reconstruct --input`.

use crate::moved::{draw, save, train_on};
use crate::{Place, assert_picture, text, vae};
use predicates::prelude::*;
use predicates::str::contains;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The rows of a table, without its head.
fn rows(path: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().skip(1).map(|line| line.split(',').map(str::to_string).collect()).collect()
}

/// A run whose pixels are drawn black or white, anew each time, and a folder of other pictures.
fn run_and_pictures(place: &Place) -> (PathBuf, PathBuf) {
    let (own, run, others) = (place.path("own"), place.path("run"), place.path("others"));
    draw(&own, 24);
    train_on(&own, &run, &["--binarize", "dynamic", "--latent", "3"]);
    std::fs::remove_dir_all(own).unwrap();
    std::fs::create_dir(&others).unwrap();
    (0..12).for_each(|number| save(&others.join(format!("{number}.png")), 40 + number));
    (run, others)
}

#[test]
fn a_score_depends_on_the_picture_alone() {
    let place = Place::new();
    let (run, others) = run_and_pictures(&place);
    let out = place.path("scores.csv");
    let score = |arguments: &[&str]| -> Vec<(String, f64)> {
        let mut command = vae(&["score", text(&run)]);
        command.args(arguments).args(["--out", text(&out)]).assert().success().stdout(contains("lowest"));
        let name = |row: &[String]| row[0].rsplit('/').next().unwrap().to_string();
        rows(&out).iter().map(|row| (name(row), row[1].parse().unwrap())).collect()
    };
    for more in [&["--samples", "8"][..], &["--importance-samples", "6"]] {
        let all = score(&[&[text(&others)], more].concat());
        assert_eq!(all.len(), 12);
        let by_name: BTreeMap<&str, f64> = all.iter().map(|(name, score)| (name.as_str(), *score)).collect();
        assert!(by_name.values().all(|score| *score < 0.0), "{by_name:?}");
        let file = |number: usize| others.join(format!("{number}.png"));
        let (seven, three) = (file(7), file(3));
        for list in [&[&seven][..], &[&seven, &three, &seven], &[&three, &seven]] {
            let files: Vec<&str> = list.iter().map(|path| text(path)).collect();
            let found = score(&[&files[..], more].concat());
            assert_eq!(found.len(), list.len());
            for (name, score) in found {
                assert_eq!(score.to_bits(), by_name[name.as_str()].to_bits(), "{name} {more:?}");
            }
        }
    }
    // More samples tell more: the bounds are near one another.
    let bound = score(&[text(&others), "--importance-samples", "64"]);
    let elbo = score(&[text(&others), "--samples", "64"]);
    assert!(bound.iter().zip(&elbo).all(|(bound, elbo)| bound.1 > elbo.1 - 1.0 && bound.1 < elbo.1 + 20.0));

    vae(&["score", text(&run)]).assert().code(1).stderr(contains("there are no pictures"));
    vae(&["score", text(&run), text(&others), "--part", "val"]).assert().code(2);
    vae(&["score", text(&run), text(&others), "--out", "scores.txt"])
        .assert()
        .code(1)
        .stderr(contains(".csv"));
    vae(&["score", text(&run), "--part", "val"]).assert().code(1).stderr(contains("--dataset"));
    let numbered = score(&["--dataset", text(&others), "--part", "train", "--samples", "1"]);
    assert_eq!(numbered.len(), 8);
}

#[test]
fn pictures_become_latents_and_latents_pictures() {
    let place = Place::new();
    let (run, others) = run_and_pictures(&place);
    let file = |name: &str| place.path(name);
    let command = |arguments: &[&str]| vae(&[&arguments[..1], &[text(&run)], &arguments[1..]].concat());
    for name in ["z.npz", "z.csv", "z.npy"] {
        command(&["encode", text(&others), "--out", text(&file(name))]).assert().success();
    }
    let table = rows(&file("z.csv"));
    assert_eq!((table.len(), table[0].len()), (12, 7));
    assert!(
        table[2][0].ends_with("others/10.png") || table[2][0].ends_with("others/2.png"),
        "{:?}",
        table[2]
    );
    // A picture has the same row alone.
    command(&["encode", text(&others.join("7.png")), "--out", text(&file("one.csv"))]).assert().success();
    let seven = table.iter().find(|row| row[0].ends_with("/7.png")).unwrap();
    assert_eq!(rows(&file("one.csv")), std::slice::from_ref(seven));

    for name in ["z.npz", "z.csv", "z.npy"] {
        let folder = file(&format!("{name} pictures"));
        command(&["decode", text(&file(name)), "--out", text(&folder)]).assert().success();
        let mut found: Vec<String> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        found.sort();
        let first = if name == "z.npy" { "0001.png" } else { "0.png" };
        assert_eq!((found.len(), found[0].as_str()), (12, first));
        let picture = image::open(folder.join(&found[0])).unwrap();
        assert_eq!((picture.width(), picture.height()), (12, 9));
    }
    command(&["decode", text(&file("z.npz")), "--out", text(&file("z.npz images.npy"))]).assert().success();
    let array = std::fs::read(file("z.npz images.npy")).unwrap();
    assert!(String::from_utf8_lossy(&array[..128]).contains("'<f4'"));
    assert!(String::from_utf8_lossy(&array[..128]).contains("(12, 9, 12, 1, )"));
    command(&["decode", text(&file("z.npz")), "--out", text(&others)])
        .assert()
        .code(1)
        .stderr(contains("it exists, and would be replaced"));
    std::fs::write(file("narrow.csv"), "a,b\n1,2\n").unwrap();
    command(&["decode", text(&file("narrow.csv")), "--out", text(&file("x.npy"))])
        .assert()
        .code(1)
        .stderr(contains("its rows have 2 numbers, and the model has 3 latent dimensions"));

    command(&["sample", "--count", "3", "--npy", text(&file("new.npy")), "--individual", text(&file("new"))])
        .assert()
        .success()
        .stdout(contains("new.npy").and(contains("samples.png").not()));
    assert_eq!(std::fs::metadata(file("new.npy")).unwrap().len(), 128 + 3 * 4 * 12 * 9);
    assert!(file("new/0003.png").is_file());
    let picture = file("reconstructed.png");
    let input = [text(&others.join("7.png")).to_string(), text(&others).to_string()];
    command(&["reconstruct", "--input", &input[0], &input[1], "--out", text(&picture)]).assert().success();
    assert_picture(&picture);
}
