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

/// Every file with kernels. A new kernel file is one entry here.
pub(super) const FILES: &[File] = &[
    File { name: "sum.wgsl", shared: &[STEP], text: include_str!("../../shaders/sum.wgsl") },
    // For tests of the executors alone.
    #[cfg(test)]
    File {
        name: "tests/record.wgsl",
        shared: &[STEP],
        text: include_str!("../../shaders/tests/record.wgsl"),
    },
];
