//! Matrix products: all layouts, all variants, square and as thin as a layer's.

use super::{Bench, Ceilings, Progress};
use crate::Result;
use crate::device::OpenDevice;
use crate::kernels;
use crate::plan::{Grid, Product, Variant, constants};
use crate::probe::{Case, Spread};
use crate::tuning::{self, Matmul};
use serde::Serialize;

/// How the operands of `output[m, n] = sum over k` lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// `a[m, k] b[n, k]`: a layer's output.
    Nt,
    /// `a[m, k] b[k, n]`: the gradient of its input.
    Nn,
    /// `a[k, m] b[k, n]`: the gradient of its weights.
    Tn,
}

impl Layout {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Nt, Self::Nn, Self::Tn];

    /// `nt`, `nn` or `tn`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nt => "nt",
            Self::Nn => "nn",
            Self::Tn => "tn",
        }
    }

    /// The kernel that computes a product of this layout, and is lowered to.
    fn kernel(self) -> &'static str {
        match self {
            Self::Nt => "matmul_nt",
            Self::Nn => "matmul_nn",
            Self::Tn => "matmul_tn",
        }
    }

    /// The product's m, n and k in a layer of `inputs` and `outputs`.
    fn of_layer(self, [batch, inputs, outputs]: [usize; 3]) -> [usize; 3] {
        match self {
            Self::Nt => [batch, outputs, inputs],
            Self::Nn => [batch, inputs, outputs],
            Self::Tn => [outputs, inputs, batch],
        }
    }
}

/// One matrix product in one variant.
#[derive(Clone, Debug, Serialize)]
pub struct MatmulRow {
    /// Rows of the output.
    pub m: usize,
    /// Columns of the output.
    pub n: usize,
    /// Length of the sums.
    pub k: usize,
    /// How the operands lie.
    pub layout: Layout,
    /// The way it is computed.
    pub variant: Variant,
    /// Whether it is the one that a plan uses.
    pub chosen: bool,
    /// Billions of operations a second, a multiply-add counted as two.
    pub gflops: Option<f64>,
    /// Share of the ceiling that is nearer.
    pub share: Option<f64>,
    /// Time of a run.
    #[serde(flatten)]
    pub time: Option<Spread>,
    /// Why it was not timed although it was run: its result is wrong.
    pub problem: Option<String>,
    /// Why it was not run.
    pub skipped: Option<String>,
}

/// Sides of the square ones.
const SQUARES: [usize; 5] = [256, 512, 1024, 2048, 4096];
/// Layers of the model 784-500-20, inputs and outputs; the encoder's last has means and log-variances.
const LAYERS: [[usize; 3]; 4] = [[128, 784, 500], [128, 500, 40], [128, 20, 500], [128, 500, 784]];

/// A product of this size in the variant that plans are lowered to. Constants and variables are those that the kernel declares, whatever they are
/// of what the family has.
pub(super) fn case(layout: Layout, [m, n, k]: [usize; 3]) -> Case {
    let name = layout.kernel();
    let kernel = kernels::kernel(name);
    // Columns lie in vec4: of the output, and of the operands as stored.
    let columns = n.div_ceil(4);
    let (rows, inner) = match layout {
        Layout::Nt | Layout::Nn => (m, k.div_ceil(4)),
        Layout::Tn => (m.next_multiple_of(4), k),
    };
    let mut constants = constants! {
        ROWS: rows, COLUMNS: columns, INNER: inner, ACTIVATION: 0, SECTION: columns, WIDTH: n, ACCUMULATE: false,
    };
    constants.retain(|name, _| kernel.overrides.iter().any(|declared| declared == name));
    let (a, b) = match layout {
        Layout::Nt => (4 * rows * inner, 16 * columns * inner),
        Layout::Nn => (4 * rows * inner, 16 * inner * columns),
        Layout::Tn => (rows * inner, 4 * inner * columns),
    };
    let output = 4 * rows * columns;
    let lengths = [
        ("a", a),
        ("a_elements", a),
        ("b", b),
        ("b_elements", b),
        ("bias", 4 * columns),
        ("saved", output),
        ("output", output),
    ];
    let grid = Grid::Tiles { rows, columns };
    Case::new(name, constants, &lengths, grid, 2 * (m * n * k) as u64)
}

fn name(layout: Layout, [m, n, k]: [usize; 3], variant: Variant) -> String {
    format!("matmul/{}/{m}x{n}x{k}/{variant}", layout.name())
}

impl Bench {
    /// Sizes and layouts in the order of the table, each size with the same number of operations in all layouts.
    fn products(&self) -> Vec<(Layout, [usize; 3])> {
        let squares = SQUARES.map(|side| [side; 3]);
        let squares = if self.options.quick { &squares[1..3] } else { &squares[..] };
        let layers =
            LAYERS.iter().flat_map(|&layer| Layout::ALL.map(|layout| (layout, layout.of_layer(layer))));
        layers.chain(squares.iter().flat_map(|&size| Layout::ALL.map(|layout| (layout, size)))).collect()
    }

    /// The variants that the device can run; the processor has the GEMM of a library.
    fn variants(&self) -> &'static [Variant] {
        match self.device {
            OpenDevice::Cpu => &Variant::ALL[..1],
            OpenDevice::Gpu(_) => &Variant::ALL,
        }
    }

    pub(super) fn matmul_names(&self) -> Vec<String> {
        let names = self.products().into_iter().flat_map(|(layout, size)| {
            self.variants().iter().map(move |&variant| name(layout, size, variant))
        });
        names.filter(|name| self.options.wants(name)).collect()
    }

    /// Check and time matrix products.
    ///
    /// # Errors
    /// If the device fails.
    pub fn matmul(&self, ceilings: Option<&Ceilings>, progress: Progress<'_>) -> Result<Vec<MatmulRow>> {
        // Sizes whose runs take longer, in seconds, are skipped.
        let limit = if self.options.quick { 0.15 } else { 1.0 };
        let mut rows: Vec<MatmulRow> = Vec::new();
        for (layout, size) in self.products() {
            let wanted: Vec<Variant> = (self.variants().iter().copied())
                .filter(|&variant| self.options.wants(&name(layout, size, variant)))
                .collect();
            if wanted.is_empty() {
                continue;
            }
            let case = case(layout, size);
            let binding = case_bytes(size);
            let fits = self.device.binding_limit().is_none_or(|most| binding <= most);
            let chosen = match Product::of(case.dispatch()) {
                Some(product) if fits => {
                    let matmul = Matmul::default();
                    tuning::choose(&self.device, &matmul, &case.plan, case.rows)?.of(product)
                }
                _ => Variant::Registers,
            };
            for variant in wanted {
                let name = name(layout, size, variant);
                let [m, n, k] = size;
                let operations = 2 * (m * n * k) as u64;
                // The largest before it says how long this one will take.
                let before = rows.iter().rev().find(|row| row.layout == layout && row.variant == variant);
                let expected = before.and_then(|row| Some(operations as f64 * 1e-9 / row.gflops?));
                let skipped = match expected {
                    _ if !fits => Some("an operand is larger than the device's largest buffer".to_string()),
                    Some(seconds) if seconds > limit => {
                        Some(format!("would take about {seconds:.1} s a run on this device"))
                    }
                    None if before.is_some_and(|row| row.skipped.is_some()) => {
                        Some("smaller ones were slow already".to_string())
                    }
                    _ => None,
                };
                let mut row = MatmulRow {
                    m,
                    n,
                    k,
                    layout,
                    variant,
                    chosen: variant == chosen,
                    gflops: None,
                    share: None,
                    time: None,
                    problem: None,
                    skipped,
                };
                if row.skipped.is_none() {
                    progress(&name);
                    let case = case.clone().with_variant(variant);
                    match self.measure(&case)? {
                        Ok(time) => {
                            row.gflops = time.billions_per_second(operations);
                            let bytes = case.bytes();
                            row.share = ceilings
                                .and_then(|ceilings| ceilings.share(operations, bytes, &time))
                                .map(|share| share.0);
                            row.time = Some(time);
                        }
                        Err(problem) => row.problem = Some(problem),
                    }
                }
                rows.push(row);
            }
        }
        Ok(rows)
    }
}

/// Bytes of the largest matrix of a product.
fn case_bytes([m, n, k]: [usize; 3]) -> u64 {
    4 * (m * n).max(m * k).max(n * k) as u64
}
