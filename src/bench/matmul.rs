//! Matrix products, square and as thin as a layer's, and the convolutions of the presets: all layouts, all variants.

use super::convolution;
use super::{Bench, Ceilings, Measurement, Progress};
use crate::Result;
use crate::device::OpenDevice;
use crate::kernels;
use crate::plan::{Grid, Product, Variant, Window, constants};
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

/// One matrix product or convolution in one variant.
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
    /// Of a convolution: `64x16x16x32-32x32x32-4x4` for 64 items of small maps of 16x16 pixels and 32 channels, large maps of
    /// 32x32 pixels and 32 channels, and a window of 4x4.
    pub window: Option<String>,
    /// Of a convolution: the preset.
    pub model: Option<&'static str>,
    /// The way it is computed.
    pub variant: Variant,
    /// Whether it is the one that a plan uses.
    pub chosen: bool,
    /// Floating-point operations, a multiply-add counted as two.
    pub flops: u64,
    /// Bytes read and written at least, each operand counted once.
    pub bytes: u64,
    /// Billions of operations a second, a multiply-add counted as two.
    pub gflops: Option<f64>,
    /// Share of the nearer ceiling.
    pub share: Option<f64>,
    /// Time of a run.
    #[serde(flatten)]
    pub time: Option<Spread>,
    /// Its result is wrong, and so it was not timed; or its share of a ceiling cannot be.
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

/// A product to measure.
struct Measured {
    layout: Layout,
    /// m, n and k.
    size: [usize; 3],
    /// Of a convolution.
    convolution: Option<Convolution>,
}

/// A convolution of a preset.
#[derive(Clone, Copy, Debug)]
struct Convolution {
    model: &'static str,
    items: usize,
    window: Window,
}

impl Measured {
    fn name(&self, variant: Variant) -> String {
        let ([m, n, k], layout) = (self.size, self.layout.name());
        match &self.convolution {
            None => format!("matmul/{layout}/{m}x{n}x{k}/{variant}"),
            Some(own) => format!("convolution/{layout}/{}/{variant}", text(own)),
        }
    }

    fn case(&self) -> Case {
        match &self.convolution {
            None => case(self.layout, self.size),
            Some(own) => convolution::case(self.layout, own.items, &own.window),
        }
    }
}

/// `64x16x16x32-32x32x32-4x4`: items, small maps, large maps, window.
fn text(convolution: &Convolution) -> String {
    let Window { small: [h, w, o], large: [height, width, c], kernel: [down, across], .. } =
        convolution.window;
    format!("{}x{h}x{w}x{o}-{height}x{width}x{c}-{down}x{across}", convolution.items)
}

impl Bench {
    /// Matrix products in the order of the table: sizes and layouts, each size with the same number of operations in all
    /// layouts.
    fn products(&self) -> Vec<Measured> {
        let squares = SQUARES.map(|side| [side; 3]);
        let squares = if self.options.quick { &squares[1..3] } else { &squares[..] };
        let layers =
            LAYERS.iter().flat_map(|&layer| Layout::ALL.map(|layout| (layout, layout.of_layer(layer))));
        layers
            .chain(squares.iter().flat_map(|&size| Layout::ALL.map(|layout| (layout, size))))
            .map(|(layout, size)| Measured { layout, size, convolution: None })
            .collect()
    }

    /// Convolutions likewise.
    fn convolved(&self) -> Vec<Measured> {
        let items = self.items();
        let windows = convolution::windows(self.options.quick);
        let convolutions = windows.into_iter().flat_map(|(model, window)| {
            Layout::ALL.map(|layout| {
                let pixels = items * window.small[0] * window.small[1];
                let taps = window.kernel[0] * window.kernel[1] * window.large[2];
                let size = layout.of_layer([pixels, taps, window.small[2]]);
                Measured { layout, size, convolution: Some(Convolution { model, items, window }) }
            })
        });
        convolutions.collect()
    }

    /// The variants that the device can run; the processor has the GEMM of a library.
    fn variants(&self) -> &'static [Variant] {
        match self.device {
            OpenDevice::Cpu => &Variant::ALL[..1],
            // Software adapters never choose the others, which take long there.
            OpenDevice::Gpu(ref gpu) if self.options.quick && gpu.info().is_software() => &Variant::ALL[..1],
            OpenDevice::Gpu(_) => &Variant::ALL,
        }
    }

    pub(super) fn matmul_names(&self) -> Vec<String> {
        let products: Vec<Measured> = self.products().into_iter().chain(self.convolved()).collect();
        let names =
            products.iter().flat_map(|product| self.variants().iter().map(|&variant| product.name(variant)));
        names.filter(|name| self.options.wants(name)).collect()
    }

    /// Check and time matrix products.
    ///
    /// # Errors
    /// If the device fails.
    pub fn matmul(&self, ceilings: Option<&mut Ceilings>, progress: Progress<'_>) -> Result<Vec<MatmulRow>> {
        self.all_variants(&self.products(), ceilings, progress)
    }

    /// Check and time the convolutions of the presets.
    ///
    /// # Errors
    /// If the device fails.
    pub fn convolutions(
        &self,
        ceilings: Option<&mut Ceilings>,
        progress: Progress<'_>,
    ) -> Result<Vec<MatmulRow>> {
        self.all_variants(&self.convolved(), ceilings, progress)
    }

    fn all_variants(
        &self,
        products: &[Measured],
        mut ceilings: Option<&mut Ceilings>,
        progress: Progress<'_>,
    ) -> Result<Vec<MatmulRow>> {
        let mut rows: Vec<MatmulRow> = Vec::new();
        for product in products {
            let wanted: Vec<Variant> = (self.variants().iter().copied())
                .filter(|&variant| self.options.wants(&product.name(variant)))
                .collect();
            if wanted.is_empty() {
                continue;
            }
            let case = product.case();
            let fits = self.device.binding_limit().is_none_or(|most| case.largest_binding() <= most);
            // Of a sum that is split in any case, the half that computes the parts has variants.
            let part = case.plan.dispatches.iter().find_map(Product::of);
            let chosen = match part {
                Some(part) if fits => {
                    tuning::choose(&self.device, &Matmul::default(), &case.plan, case.rows)?.of(part)
                }
                _ => Variant::Registers,
            };
            for variant in wanted {
                let other = part.is_none_or(|part| !part.has_variant(variant));
                if other && variant != Variant::Registers {
                    continue;
                }
                let row = self.row(product, &case, variant, (fits, variant == chosen), &rows);
                rows.push(self.timed(row, product, &case, ceilings.as_deref_mut(), progress)?);
            }
        }
        Ok(rows)
    }

    /// A row without its time. Sizes whose runs take too long are skipped: the largest before it says how long this one will
    /// take.
    fn row(
        &self,
        product: &Measured,
        case: &Case,
        variant: Variant,
        (fits, chosen): (bool, bool),
        rows: &[MatmulRow],
    ) -> MatmulRow {
        let limit = if self.options.quick { 0.15 } else { 1.0 };
        let before = rows.iter().rev().find(|row| row.layout == product.layout && row.variant == variant);
        let expected = before.and_then(|row| Some(case.flops as f64 * 1e-9 / row.gflops?));
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
        let [m, n, k] = product.size;
        MatmulRow {
            m,
            n,
            k,
            layout: product.layout,
            window: product.convolution.as_ref().map(text),
            model: product.convolution.map(|own| own.model),
            variant,
            chosen,
            flops: case.flops,
            bytes: case.bytes,
            gflops: None,
            share: None,
            time: None,
            problem: None,
            skipped,
        }
    }

    /// The row with its time, unless it is skipped.
    fn timed(
        &self,
        row: MatmulRow,
        product: &Measured,
        case: &Case,
        ceilings: Option<&mut Ceilings>,
        progress: Progress<'_>,
    ) -> Result<MatmulRow> {
        if row.skipped.is_some() {
            return Ok(row);
        }
        let case = case.clone().with_variant(row.variant);
        let Measurement { time, share, problem } =
            self.measure(&product.name(row.variant), &case, ceilings, progress)?;
        let gflops = time.and_then(|time| time.billions_per_second(case.flops));
        Ok(MatmulRow { gflops, share: share.map(|share| share.0), time, problem, ..row })
    }
}
