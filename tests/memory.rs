//! Memory over a long run. One test alone in its program: what others allocate would be counted too.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it skips"
)]

mod common;

use vae::config::Config;
use vae::data::digits::digits;
use vae::device::OpenDevice;
use vae::plan::Step;
use vae::session::{Session, Which};

/// Memory of this process that is in use, in bytes.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[test]
fn memory_stays_as_it_is_over_many_submits() {
    let dataset = digits(64, 16, 1).unwrap();
    let config = Config::default().with("model.hidden = [64]\nrun.batch-size = 16").unwrap();
    let mut devices = common::adapters();
    devices.push(("CPU".into(), OpenDevice::Cpu));
    for (name, device) in devices {
        let task = config.task(dataset.shape);
        let mut session = Session::open(device, &task, Some(&config.optimizers()), &dataset).unwrap();
        let batch: Vec<u32> = (0..16).collect();
        let mut train = |submits: u32| {
            for submit in 0..submits {
                let step = Step { counter_low: submit, ..Step::default() };
                session.submit("train", Which::Train, &[&batch, &batch], vec![step; 2]).unwrap();
                session.receive(1).unwrap();
            }
            session.receive(0).unwrap();
        };
        train(100);
        let before = resident();
        train(1000);
        let grown = resident().saturating_sub(before);
        // A leak of one step's record a step alone would come to 500 KB, of one minibatch to 24 MB.
        assert!(grown < 400 << 10, "{name}: {grown} bytes more after 1,000 submits");
    }
}
