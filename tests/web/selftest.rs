//! Every kernel on every runtime of the page, within WebGPU's default limits, against its twin in f64.
//!
//! Of each kernel one case runs, and none of the tiled variants, which software adapters compile for minutes and pages use
//! on hardware alone. With VAE_EVERY_CASE=1 all run.

use crate::START;
use crate::chromium::Chromium;
use crate::firefox::Firefox;
use crate::process::find;
use crate::remote::Remote;
use crate::server::Server;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;
use vae::kernels;
use vae::selftest::KernelReport;

/// Whether a case runs on a software adapter in a browser: case number `number` of `kernel`.
fn chosen(kernel: &str, number: usize) -> bool {
    let every = std::env::var_os("VAE_EVERY_CASE").is_some_and(|value| value == "1");
    every || (number == 0 && !is_tiled(kernel))
}

/// Run the cases that `wanted` takes on the page that lends its runtime to `remote`.
fn check(remote: &Remote, name: &str, wanted: impl Fn(&str, usize) -> bool) {
    let started = Instant::now();
    let reports = vae::selftest::run_on(|plan| Ok(Box::new(remote.executor(plan, 1)?)), wanted).unwrap();
    hold(&reports, name, started);
}

fn hold(reports: &BTreeMap<&str, KernelReport>, name: &str, started: Instant) {
    for (kernel, report) in reports {
        println!("{name}: {kernel:32} {:8.1e} {:5.2}", report.largest_error, report.worst_ratio);
        assert_eq!(report.failures, 0, "{name}: {kernel}: {:?}", report.worst_failure);
        assert!(report.values > 0, "{kernel} was not compared");
    }
    println!("{name}: {} kernels in {:.1} s", reports.len(), started.elapsed().as_secs_f64());
}

#[test]
fn webgpu_in_chromium() {
    let server = Server::start();
    let Some(browser) = Chromium::get() else { return };
    let remote = Remote::new(&server, "chromium");
    let tab = browser.open(&server.url(&Remote::path("chromium", "webgpu")));
    check(&remote, "Chromium", chosen);
    assert_eq!(tab.messages(), Vec::<String>::new());
}

#[test]
fn webgpu_in_firefox() {
    let server = Server::start();
    let remote = Remote::new(&server, "firefox");
    let Some(_browser) = Firefox::start(&server.url(&Remote::path("firefox", "webgpu"))) else { return };
    check(&remote, "Firefox", chosen);
}

/// All cases of the kernels that pages have without WebGPU: in Chromium, else in Node.
#[test]
fn wasm_and_javascript() {
    let server = Server::start();
    for kind in ["wasm", "javascript"] {
        let remote = Remote::new(&server, kind);
        if let Some(browser) = Chromium::get() {
            let _tab = browser.open(&server.url(&Remote::path(kind, kind)));
            check_cpu(&remote, kind);
        } else if let Some(node) = find(&["node"]) {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/web/remote.mjs");
            let mut command = Command::new(node);
            command.args([script, &server.url(&format!("/line/{kind}")), kind]).stdin(Stdio::null());
            let mut child = command.spawn().unwrap();
            check_cpu(&remote, kind);
            child.kill().unwrap();
            child.wait().unwrap();
        } else {
            println!("SKIPPED: no Node");
        }
    }
}

fn check_cpu(remote: &Remote, kind: &str) {
    let missing = remote.missing();
    let lacks = |name: &str| missing.iter().any(|missing| missing == name);
    let more: Vec<_> =
        missing.iter().filter(|name| !is_tiled(name) && !LACKING.contains(&name.as_str())).collect();
    let fewer: Vec<_> = LACKING.iter().filter(|name| !lacks(name)).collect();
    assert!(more.is_empty() && fewer.is_empty(), "{kind}: add {more:?} to the list and remove {fewer:?}");
    check(remote, kind, |kernel, _| !lacks(kernel));
}

/// Whether a kernel is a variant of another one for GPUs.
fn is_tiled(kernel: &str) -> bool {
    kernel.contains("_tiled_")
}

/// The compilers of both browsers have nothing to say about any WGSL file.
#[test]
fn both_browsers_compile_every_file() {
    let server = Server::start();
    let modules: serde_json::Map<String, Value> =
        kernels::files().map(|file| (file.into(), kernels::source(file).into())).collect();
    let count = modules.len();
    server.text("/modules.json", Value::from(modules).to_string());
    let tested = |name: &str| {
        let posted = server.posted(name, START).unwrap_or_else(|| panic!("{name} does not answer"));
        let found: Value = serde_json::from_slice(&posted).unwrap();
        assert_eq!(found["messages"], Value::Array(Vec::new()), "{name}");
        assert_eq!(found["count"], count, "{name}");
    };
    if let Some(browser) = Chromium::get() {
        let _tab = browser.open(&server.url("/tests/web/compile.html?chromium"));
        tested("chromium");
    }
    if let Some(_browser) = Firefox::start(&server.url("/tests/web/compile.html?firefox")) {
        tested("firefox");
    }
}

/// The kernels that pages lack without WebGPU, beside tiled variants, which are for GPUs: no model of a page has them.
const LACKING: &[&str] = &[
    "add_up",
    "controller",
    "copy",
    "hmc_accept",
    "hmc_leap",
    "hmc_reset",
    "hmc_start",
    "lstm",
    "lstm_gradient",
    "lstm_pack",
    "mixture_draw",
    "mixture_negative_log_likelihood",
    "mixture_negative_log_likelihood_gradient",
    "multiply_add",
    "racing_frame",
    "racing_list",
    "racing_picture",
];

/// Chromium's software adapter serves other programs too: it comes with the browser as a Vulkan driver.
#[test]
fn swiftshader_as_an_adapter() {
    const FOLDERS: [&str; 4] = [
        "/usr/lib/chromium",
        "/usr/lib/chromium-browser",
        "/usr/lib64/chromium-browser",
        "/opt/google/chrome",
    ];
    let drivers = FOLDERS.map(|folder| Path::new(folder).join("vk_swiftshader_icd.json"));
    let Some(driver) = drivers.iter().find(|driver| driver.is_file()) else {
        let required = std::env::var_os("VAE_REQUIRE_BROWSER").is_some_and(|value| value == "1");
        assert!(!required, "no driver of SwiftShader, but VAE_REQUIRE_BROWSER=1");
        println!("SKIPPED: no driver of SwiftShader");
        return;
    };
    // The loader reads the variable when it starts: in a process of its own.
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "selftest::on_the_only_adapter", "--ignored", "--nocapture"]);
    command.env("VK_DRIVER_FILES", driver).env("VK_ICD_FILENAMES", driver);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("SwiftShader"), "another adapter was used");
}

#[test]
#[ignore = "run by swiftshader_as_an_adapter, in a process that has no other adapter"]
fn on_the_only_adapter() {
    let list = vae::gpu::adapters();
    let info = list.iter().find(|info| info.unusable.is_none()).unwrap_or_else(|| panic!("{list:?}"));
    let device = vae::OpenDevice::Gpu(Box::new(vae::gpu::Gpu::open(info).unwrap()));
    let started = Instant::now();
    let reports = vae::selftest::run_on(|plan| device.executor(plan, 1), chosen).unwrap();
    hold(&reports, &device.name(), started);
}
