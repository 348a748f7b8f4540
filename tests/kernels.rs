//! Every WGSL kernel on every adapter against its twin in f64.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a test fails by panicking, and says what it skips"
)]

mod common;

#[test]
fn kernels_agree_with_their_twins_on_every_adapter() {
    for (name, device) in common::adapters() {
        for (kernel, report) in vae::selftest::run(&device).unwrap() {
            println!("{name}: {kernel:32} {:8.1e} {:5.2}", report.largest_error, report.worst_ratio);
            assert_eq!(report.failures, 0, "{name}: {kernel}: {:?}", report.worst_failure);
            assert!(report.values > 0, "{kernel} was not compared");
        }
    }
}
