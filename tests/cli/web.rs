//! `vae web`: what a page's folder and its single file hold.

use super::*;
use base64::prelude::{BASE64_STANDARD, Engine};
use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Read;

fn unzipped(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    GzDecoder::new(fs::File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
    bytes
}

fn manifest(page: &Path) -> Value {
    serde_json::from_slice(&unzipped(&page.join("bundle/manifest.json.gz"))).unwrap()
}

/// Every file of numbers has the length that the manifest gives, and the parameters are those of the checkpoint.
#[test]
fn a_page_holds_the_run() {
    let place = Place::new();
    let run = place.train("run", &["--steps", "8"]);
    let page = place.path("page");
    vae(&["web", text(&run), "--out", text(&page), "--images", "120"]).assert().success();
    let manifest = manifest(&page);
    assert_eq!((&manifest["format"], &manifest["run"]["step"]), (&1.into(), &8.into()));
    assert_eq!(manifest["dataset"]["train"], 120);
    for (name, part) in manifest["files"].as_object().unwrap() {
        let bytes = unzipped(&page.join(format!("bundle/{name}.gz")));
        assert_eq!(bytes.len() as u64, 4 * part["length"].as_u64().unwrap(), "{name}");
    }
    // A parameter that is in no padding: the first weight of the encoder.
    let tensor = manifest["tensors"].as_array().unwrap().iter().find(|it| it["name"] == "encoder.0.weight");
    let offset = 4 * tensor.unwrap()["offset"].as_u64().unwrap() as usize;
    let parameters = unzipped(&page.join("bundle/parameters.gz"));
    let saved = &tensors(&run.join("checkpoint.safetensors"))["encoder.0.weight"];
    assert_eq!(parameters[offset..offset + 4], saved[..4]);
    // Every kernel of every plan has its WGSL.
    for plan in manifest["plans"].as_object().unwrap().values() {
        for dispatch in
            ["registers", "tiled"].iter().flat_map(|it| plan[it]["dispatches"].as_array().unwrap())
        {
            let kernel = &manifest["kernels"][dispatch["kernel"].as_str().unwrap()];
            let files = kernel["imports"].as_array().unwrap().iter().chain([&kernel["file"]]);
            assert!(files.into_iter().all(|file| manifest["modules"][file.as_str().unwrap()].is_string()));
        }
    }
    // An older page is replaced; a folder of something else is not.
    vae(&["web", text(&run), "--out", text(&page), "--images", "0"]).assert().success();
    assert!(!page.join("bundle/dataset.train.images.gz").exists());
    for (folder, says) in [(&run, "no page of this program"), (&run.join("config.toml"), "is a file")] {
        let output = vae(&["web", text(&run), "--out", text(folder)]).assert().failure();
        assert!(String::from_utf8_lossy(&output.get_output().stderr).contains(says));
    }
    vae(&["web", text(&run), "--out", text(&page), "--images", "7"]).assert().failure();
}

/// The policy of the single file allows its own script and style, by their digests, and nothing else.
#[test]
fn a_single_file_allows_what_it_holds() {
    let place = Place::new();
    let run = place.train("run", &["--steps", "2"]);
    let file = place.path("page.html");
    vae(&["web", text(&run), "--single", text(&file)]).assert().success();
    let html = fs::read_to_string(&file).unwrap();
    let policy =
        html.split("Content-Security-Policy\" content=\"").nth(1).unwrap().split('"').next().unwrap();
    for (open, close, directive) in
        [("<script type=\"module\">", "</script>", "script-src"), ("<style>", "</style>", "style-src")]
    {
        let own = html.split(open).nth(1).unwrap().split(close).next().unwrap();
        let digest = format!("{directive} 'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(own)));
        assert!(policy.contains(&digest), "{policy}");
    }
    assert!(policy.starts_with("default-src 'none'") && policy.contains("worker-src blob:"), "{policy}");
    assert!(!html.contains("href=\"style.css\"") && !html.contains("src=\"page.js\""));
    vae(&["web", text(&run), "--single", text(&place.path("page.txt"))]).assert().failure();
}

/// Without images the page has none, and its parameters are in half precision. Where the dataset is gone, the pictures that
/// the run keeps are taken, and the program says so.
#[test]
fn a_page_without_images() {
    let place = Place::new();
    let data = place.path("data");
    fs::create_dir(&data).unwrap();
    for i in 0..40_u8 {
        let picture =
            image::GrayImage::from_fn(8, 8, |x, y| image::Luma([(x as u8 * y as u8 * 3).wrapping_add(i)]));
        picture.save(data.join(format!("{i}.png"))).unwrap();
    }
    let run = place.path("run");
    let flags =
        ["--device", "cpu", "--hidden", "8", "--batch-size", "10", "--steps", "2", "--dataset", text(&data)];
    vae(&["train", "--out", text(&run)]).args(flags).assert().success();
    let page = place.path("page");
    vae(&["web", text(&run), "--out", text(&page), "--no-train"]).assert().success();
    let bare = manifest(&page);
    let names: Vec<_> = bare["files"].as_object().unwrap().keys().collect();
    assert!(names.iter().all(|name| *name == "parameters" || name.starts_with("states")), "{names:?}");
    assert_eq!((&bare["files"]["parameters"]["element"], &bare["training"]), (&"f16".into(), &false.into()));
    fs::remove_dir_all(&data).unwrap();
    let output = vae(&["web", text(&run), "--out", text(&page)]).assert().success();
    let said = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(said.contains("that the run keeps"), "{said}");
    let kept = manifest(&page);
    assert_eq!((&kept["training"], &kept["dataset"]["train"]), (&false.into(), &0.into()));
    assert!(kept["dataset"]["test"].as_u64().unwrap() > 0);
    assert!(kept["whyNotTraining"].as_str().unwrap().contains("not at hand"));
}
