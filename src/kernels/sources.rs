//! The WGSL files and the shared parts each is concatenated with.

/// A WGSL file with kernels.
pub(super) struct File {
    /// Name in `shaders/`.
    pub(super) name: &'static str,
    shared: &'static [&'static str],
    text: &'static str,
}

impl File {
    /// The shared parts, then the file itself: what is given to the compiler.
    pub(super) fn wgsl(&self) -> String {
        let mut text = String::new();
        for part in self.shared {
            text.push_str(part);
            text.push('\n');
        }
        text.push_str(self.text);
        text
    }
}

const STEP: &str = include_str!("../../shaders/shared/step.wgsl");
const PHILOX: &str = include_str!("../../shaders/shared/philox.wgsl");
const LAYOUT: &str = include_str!("../../shaders/shared/layout.wgsl");
const ACTIVATION: &str = include_str!("../../shaders/shared/activation.wgsl");

/// Every file with kernels. A new kernel file is one entry here.
pub(super) const FILES: &[File] = &[
    File {
        name: "activation.wgsl",
        shared: &[STEP, LAYOUT, ACTIVATION],
        text: include_str!("../../shaders/activation.wgsl"),
    },
    File { name: "bench.wgsl", shared: &[STEP], text: include_str!("../../shaders/bench.wgsl") },
    File {
        name: "distributions.wgsl",
        shared: &[STEP, PHILOX],
        text: include_str!("../../shaders/distributions.wgsl"),
    },
    File { name: "gather.wgsl", shared: &[STEP, PHILOX], text: include_str!("../../shaders/gather.wgsl") },
    File {
        name: "latent.wgsl",
        shared: &[STEP, PHILOX, LAYOUT],
        text: include_str!("../../shaders/latent.wgsl"),
    },
    File {
        name: "likelihood.wgsl",
        shared: &[STEP, LAYOUT, ACTIVATION],
        text: include_str!("../../shaders/likelihood.wgsl"),
    },
    File {
        name: "matmul.wgsl",
        shared: &[STEP, LAYOUT, ACTIVATION],
        text: include_str!("../../shaders/matmul.wgsl"),
    },
    File { name: "optimizer.wgsl", shared: &[STEP], text: include_str!("../../shaders/optimizer.wgsl") },
    File { name: "sum.wgsl", shared: &[STEP], text: include_str!("../../shaders/sum.wgsl") },
    // For tests of the executors alone.
    #[cfg(test)]
    File {
        name: "tests/record.wgsl",
        shared: &[STEP],
        text: include_str!("../../shaders/tests/record.wgsl"),
    },
];
