//! The WGSL files and the shared parts that each imports.
//!
//! Comment lines at the head of a file, before its first line that is not a comment, hold instructions. They are plain
//! text, so that any runtime (this one, the tests, JavaScript) can assemble the same shader:
//!
//! * `// import: step, layout`: the file needs `shaders/shared/step.wgsl` and `shaders/shared/layout.wgsl`. Shared parts
//!   may import others. The shader is the text of all parts, imports first, each part once, then the file.
//! * `// kernels: likelihood = bernoulli`: shared parts declare entry points for several files. The kernel that stands
//!   at the entry point `likelihood_gradient` is called `bernoulli_gradient`, and so on: in the names of the file's
//!   kernels the word on the left stands for the words on the right. Entry points keep their names.

/// A WGSL file with kernels.
pub(super) struct File {
    /// Path in `shaders/`.
    pub(super) name: &'static str,
    text: &'static str,
}

macro_rules! files {
    ($($(#[$attribute:meta])* $name:literal),* $(,)?) => {
        &[$($(#[$attribute])* File {
            name: concat!($name, ".wgsl"),
            text: include_str!(concat!("../../shaders/", $name, ".wgsl")),
        }),*]
    };
}

/// Every file with kernels. A new kernel file is one entry here.
pub(super) const FILES: &[File] = files![
    "accumulate",
    "activation",
    "affine",
    "average",
    "batch_norm",
    "bench",
    "blocks",
    "channel_sum",
    "clamp",
    "clip",
    "codes",
    "controller",
    "conv_nn",
    "conv_nn_packed",
    "conv_nt",
    "conv_tiled_32",
    "conv_tiled_64",
    "conv_tn",
    "covariance",
    "cross_entropy",
    "corrupt",
    "depthwise",
    "discrepancy",
    "distributions",
    "dropout",
    "gate",
    "gather",
    "group_norm",
    "hmc",
    "idle",
    "importance",
    "keep_largest",
    "latent",
    "layer_norm",
    "likelihood/bernoulli",
    "likelihood/continuous_bernoulli",
    "likelihood/discretized_logistic",
    "likelihood/gaussian",
    "likelihood/gaussian_learned",
    "likelihood/gaussian_optimal",
    "likelihood/gaussian_shared",
    "likelihood/laplace",
    "lstm",
    "mask",
    "matmul",
    "matmul_finish",
    "matmul_partial",
    "matmul_tiled_128",
    "matmul_tiled_32",
    "matmul_tiled_64",
    "mixture",
    "noncentred",
    "optimal_variance",
    "optimizer",
    "permute",
    "pool",
    "products",
    "racing",
    "reshape",
    "residual",
    "sampled_kl",
    "selftest",
    "softmax",
    "squared_error",
    "sum",
    "total_correlation",
    "unit_columns",
    // For tests of the executors alone.
    #[cfg(test)]
    "tests/record",
];

/// Every part that files import.
const SHARED: &[File] = files![
    "shared/activation",
    "shared/conv_partial",
    "shared/conv_tile",
    "shared/conv_tiled",
    "shared/gaussian",
    "shared/layout",
    "shared/likelihood",
    "shared/likelihood_entries",
    "shared/matmul_partial",
    "shared/matmul_partial_tn",
    "shared/matmul_registers",
    "shared/matmul_tiled",
    "shared/operands_matrix",
    "shared/operands_window",
    "shared/philox",
    "shared/registers_4x4",
    "shared/registers_8x8",
    "shared/step",
    "shared/tile",
    "shared/tiles",
    "shared/window",
];

/// The text of the file or shared part called `name`.
pub(super) fn part(name: &str) -> Option<&'static str> {
    FILES.iter().chain(SHARED).find(|file| file.name == name).map(|file| file.text)
}

impl File {
    /// Names of the parts it imports, directly or through others, in the order of their text.
    pub(super) fn imports(&self) -> Vec<&'static str> {
        let mut parts = Vec::new();
        self.collect(&mut parts);
        parts.pop();
        let name_of = |text: &&str| SHARED.iter().find(|file| file.text == *text).map(|file| file.name);
        let stem = |name: &'static str| name.trim_start_matches("shared/").trim_end_matches(".wgsl");
        parts.iter().filter_map(name_of).map(stem).collect()
    }

    /// The imported parts, then the file itself: the text for the compiler.
    ///
    /// # Panics
    /// If an imported part does not exist: a bug that every test of the file's kernels shows.
    pub(super) fn wgsl(&self) -> String {
        let mut parts = Vec::new();
        self.collect(&mut parts);
        parts.concat()
    }

    fn collect(&self, parts: &mut Vec<&'static str>) {
        if parts.contains(&self.text) {
            return;
        }
        for part in self.instructions("import").flat_map(|names| names.split(", ")) {
            let path = format!("shared/{part}.wgsl");
            let shared = SHARED.iter().find(|file| file.name == path);
            shared
                .unwrap_or_else(|| panic!("{} imports {path}, which does not exist", self.name))
                .collect(parts);
        }
        parts.push(self.text);
    }

    /// The kernel's name for an entry point of this file.
    pub(super) fn kernel(&self, entry: &str) -> String {
        let names = self.instructions("kernels").filter_map(|names| names.split_once(" = "));
        names.fold(entry.to_string(), |name, (word, replacement)| name.replacen(word, replacement, 1))
    }

    /// What follows `// KEY: ` on the lines at the head of the file.
    fn instructions(&self, key: &str) -> impl Iterator<Item = &'static str> {
        let head = self.text.lines().map_while(|line| line.strip_prefix("//"));
        head.filter_map(move |line| line.trim().strip_prefix(key)?.strip_prefix(": "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_come_first_and_once() {
        let file = |name: &str| FILES.iter().find(|file| file.name == name).unwrap();
        let tiled = file("matmul_tiled_32.wgsl");
        // Three of its parts import others; two of them the same one.
        let text = tiled.wgsl();
        assert_eq!(text.matches("fn column_mask(").count(), 1);
        let at = |what: &str| text.find(what).unwrap();
        assert!(
            at("fn column_mask(") < at("fn matmul_nt_tiled(")
                && at("fn matmul_nt_tiled(") < at("fn partial_nt_tiled(")
        );
        assert!(text.ends_with(tiled.text));
        assert_eq!(tiled.kernel("partial_nt_tiled"), "partial_nt_tiled_32");
        assert_eq!(file("sum.wgsl").kernel("sum"), "sum");
    }
}
