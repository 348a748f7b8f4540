//! The WGSL files and the shared parts each is concatenated with.

/// A WGSL file with kernels.
pub(super) struct File {
    /// Name in `shaders/`.
    pub(super) name: &'static str,
    /// Added to the names of its entry points, where files share these: `_tiled_64`.
    pub(super) suffix: &'static str,
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
const MATMUL_TILED: &str = include_str!("../../shaders/shared/matmul_tiled.wgsl");
const MATMUL_PARTIAL: &str = include_str!("../../shaders/shared/matmul_partial.wgsl");
const REGISTERS_4X4: &str = include_str!("../../shaders/shared/registers_4x4.wgsl");
const REGISTERS_8X8: &str = include_str!("../../shaders/shared/registers_8x8.wgsl");

/// Every file with kernels. A new kernel file is one entry here.
pub(super) const FILES: &[File] = &[
    File {
        name: "activation.wgsl",
        suffix: "",
        shared: &[STEP, LAYOUT, ACTIVATION],
        text: include_str!("../../shaders/activation.wgsl"),
    },
    File { name: "bench.wgsl", suffix: "", shared: &[STEP], text: include_str!("../../shaders/bench.wgsl") },
    File {
        name: "distributions.wgsl",
        suffix: "",
        shared: &[STEP, PHILOX],
        text: include_str!("../../shaders/distributions.wgsl"),
    },
    File {
        name: "gate.wgsl",
        suffix: "",
        shared: &[STEP, LAYOUT],
        text: include_str!("../../shaders/gate.wgsl"),
    },
    File {
        name: "gather.wgsl",
        suffix: "",
        shared: &[STEP, PHILOX],
        text: include_str!("../../shaders/gather.wgsl"),
    },
    File {
        name: "hierarchy.wgsl",
        suffix: "",
        shared: &[STEP, LAYOUT],
        text: include_str!("../../shaders/hierarchy.wgsl"),
    },
    File {
        name: "hmc.wgsl",
        suffix: "",
        shared: &[STEP, PHILOX, LAYOUT],
        text: include_str!("../../shaders/hmc.wgsl"),
    },
    File {
        name: "importance.wgsl",
        suffix: "",
        shared: &[STEP, LAYOUT],
        text: include_str!("../../shaders/importance.wgsl"),
    },
    File {
        name: "latent.wgsl",
        suffix: "",
        shared: &[STEP, PHILOX, LAYOUT],
        text: include_str!("../../shaders/latent.wgsl"),
    },
    File {
        name: "likelihood.wgsl",
        suffix: "",
        shared: &[STEP, LAYOUT, ACTIVATION],
        text: include_str!("../../shaders/likelihood.wgsl"),
    },
    File {
        name: "matmul.wgsl",
        suffix: "",
        shared: &[STEP, LAYOUT, ACTIVATION],
        text: include_str!("../../shaders/matmul.wgsl"),
    },
    File {
        name: "matmul_tiled_32.wgsl",
        suffix: "_tiled_32",
        shared: &[LAYOUT, ACTIVATION, REGISTERS_4X4, MATMUL_TILED, MATMUL_PARTIAL],
        text: include_str!("../../shaders/matmul_tiled_32.wgsl"),
    },
    File {
        name: "matmul_tiled_64.wgsl",
        suffix: "_tiled_64",
        shared: &[LAYOUT, ACTIVATION, REGISTERS_8X8, MATMUL_TILED],
        text: include_str!("../../shaders/matmul_tiled_64.wgsl"),
    },
    File {
        name: "matmul_tiled_128.wgsl",
        suffix: "_tiled_128",
        shared: &[LAYOUT, ACTIVATION, REGISTERS_8X8, MATMUL_TILED],
        text: include_str!("../../shaders/matmul_tiled_128.wgsl"),
    },
    File {
        name: "matmul_finish.wgsl",
        suffix: "",
        shared: &[STEP, LAYOUT, ACTIVATION],
        text: include_str!("../../shaders/matmul_finish.wgsl"),
    },
    File {
        name: "noncentred.wgsl",
        suffix: "",
        shared: &[STEP],
        text: include_str!("../../shaders/noncentred.wgsl"),
    },
    File {
        name: "optimizer.wgsl",
        suffix: "",
        shared: &[STEP],
        text: include_str!("../../shaders/optimizer.wgsl"),
    },
    File { name: "sum.wgsl", suffix: "", shared: &[STEP], text: include_str!("../../shaders/sum.wgsl") },
    // For tests of the executors alone.
    #[cfg(test)]
    File {
        name: "tests/record.wgsl",
        suffix: "",
        shared: &[STEP],
        text: include_str!("../../shaders/tests/record.wgsl"),
    },
];
