//! `vae bench --report`.

use super::{Place, text, vae};
use serde_json::Value;

#[test]
fn a_report_is_a_page_and_numbers_without_paths() {
    let place = Place::new();
    let folder = place.path("my report");
    let filter = "train_step/784-500-2-tanh/128";
    let flags = ["bench", "--device", "cpu", "--quick", "--filter", filter, "--report", text(&folder)];
    vae(&flags).assert().success();
    let entries = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.collect();
    files.sort();
    let [json, page] = &files[..] else { panic!("{files:?}") };
    assert!(page.extension().is_some_and(|ending| ending == "md"), "{files:?}");
    assert_eq!(page.file_stem(), json.file_stem());
    assert!(page.file_stem().unwrap().to_str().unwrap().starts_with("cpu-"), "{files:?}");
    let (page, json) = (std::fs::read_to_string(page).unwrap(), std::fs::read_to_string(json).unwrap());
    let record: Value = serde_json::from_str(&json).unwrap();
    for key in ["date", "command", "version", "commit", "system", "processor", "cores"] {
        assert!(record["about"].get(key).is_some(), "{key}");
    }
    assert_eq!(record["selftest"]["failures"], Value::Array(Vec::new()));
    assert!(record["train_step"][0]["images_per_second"].as_f64().unwrap() > 0.0);
    for expected in ["## Training steps", "| selftest | all ", "--report FOLDER"] {
        assert!(page.contains(expected), "{page}");
    }
    // A second report of the same minute takes another name.
    let filter = "train_step/784-500-2-tanh/128";
    vae(&["bench", "--device", "cpu", "--quick", "--filter", filter, "--report", text(&folder)])
        .assert()
        .success();
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 4);
    // What cannot be written is refused before anything is measured.
    let file = place.path("my report/file");
    std::fs::write(&file, "").unwrap();
    vae(&["bench", "--device", "cpu", "--report", text(&file)])
        .assert()
        .code(1)
        .stderr(predicates::str::contains("--report: nothing can be written into"));
    for private in [text(&folder), "my report", env!("CARGO_MANIFEST_DIR")] {
        assert!(!page.contains(private) && !json.contains(private), "{private}");
    }
}
