//! What the program chooses where nothing is asked for, and what it says of a run that learns nothing.

use super::*;
use predicates::prelude::*;
use predicates::str::contains;

/// Pictures of soft spots in colour, of which few pixels are black or white.
fn photographs(folder: &Path, count: u32) {
    std::fs::create_dir_all(folder).unwrap();
    for number in 0..count {
        let picture = image::RgbImage::from_fn(8, 8, |x, y| {
            let spot = |at: u32| 60 + (120 / (1 + (x + y + number).abs_diff(at))) as u8;
            image::Rgb([spot(4 + number % 5), spot(9), spot(12)])
        });
        picture.save(folder.join(format!("{number}.png"))).unwrap();
    }
}

#[test]
fn a_few_photographs_train_resume_and_are_evaluated_without_flags() {
    let place = Place::new();
    let data = place.path("photographs");
    photographs(&data, 12);
    let train = |name: &str, steps: &str| {
        let run = place.path(name);
        vae(&["train", "--dataset", text(&data), "--out", text(&run), "--device", "cpu", "--steps", steps])
            .assert()
            .success()
            .stderr(
                contains("gaussian-optimal")
                    .and(contains("a minibatch is all 11 training images"))
                    .and(contains("11 to train on, 1 held out")),
            );
        run
    };
    let (whole, parts) = (train("whole", "7"), train("parts", "3"));
    let config = std::fs::read_to_string(whole.join("config.toml")).unwrap();
    for line in ["likelihood = \"gaussian-optimal\"", "batch-size = 11", "binarize = \"none\"", "epochs = 16"]
    {
        assert!(config.contains(line), "{line}: {config}");
    }
    vae(&["train", "--resume", text(&parts), "--steps", "7"]).assert().success();
    assert_same_tensors(&whole, &parts);
    // One number for everything: that of the last epoch's residuals.
    let found = eval(&whole, &["--importance-samples", "20"]);
    assert!(found["elbo"].as_f64().unwrap().is_finite(), "{found}");
    assert_eq!(found["likelihood"], "gaussian-optimal");
    vae(&["sample", text(&whole)]).assert().success();
    vae(&["train", "--dataset", text(&data), "--batch-size", "12", "--out", text(&place.path("none"))])
        .assert()
        .code(1)
        .stderr(contains("--batch-size: 12 is more than the 11 training images"));
}

#[test]
fn a_run_that_blows_up_is_not_kept_as_best() {
    let place = Place::new();
    let run = place.path("run");
    train(&run, &["--epochs", "2", "--optimizer", "sgd", "--learning-rate", "1"])
        .assert()
        .success()
        .stderr(contains("below that of the mean training image").count(1))
        .stdout(contains("there is no best.safetensors"));
    assert!(!run.join("best.safetensors").exists());
    vae(&["eval", text(&run), "--best"])
        .assert()
        .code(1)
        .stderr(contains("no epoch reached").and(contains("without --best")));
    eval(&run, &[]);
}

#[test]
fn a_deviation_far_from_the_residuals_is_said() {
    let place = Place::new();
    let said = "train with --sigma 0.";
    train(&place.path("one"), &["--epochs", "1", "--likelihood", "gaussian"])
        .assert()
        .success()
        .stdout(contains("--sigma 1:").and(contains(said)));
    train(&place.path("near"), &["--epochs", "1", "--likelihood", "gaussian", "--sigma", "0.25"])
        .assert()
        .success()
        .stdout(contains(said).not());
}
