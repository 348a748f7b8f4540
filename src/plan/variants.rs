//! Variants of a matrix product: the kernels that compute the same by other means.
//!
//! A plan is lowered to the variant that runs well on everything, [`Variant::Registers`]; [`Plan::with_variants`]
//! replaces it, product by product, by what suits a device (see [`crate::tuning`]).

use super::{Access, Binding, Buffer, BufferId, Dispatch, Element, Grid, Name, Plan, Role, constants};
use crate::kernels;
use crate::text::text_serde;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A way to compute a matrix product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Variant {
    /// `registers`: operands come through the cache (`shaders/matmul.wgsl`). What software adapters want.
    Registers,
    /// `tiled-32`, `tiled-64`, `tiled-128`: operands come through tiles in workgroup memory, of so many rows and
    /// columns (`shaders/shared/matmul_tiled.wgsl`). What GPUs want.
    Tiled(u32),
    /// `split-4`, `split-16`: as `tiled-32`, with the sum over k split into so many parts, which workgroups of their
    /// own compute and a second dispatch adds in order. For products too small to keep a GPU busy.
    Split(u32),
}

impl Variant {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Registers,
        Self::Tiled(32),
        Self::Tiled(64),
        Self::Tiled(128),
        Self::Split(4),
        Self::Split(16),
    ];
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registers => f.write_str("registers"),
            Self::Tiled(side) => write!(f, "tiled-{side}"),
            Self::Split(parts) => write!(f, "split-{parts}"),
        }
    }
}

impl FromStr for Variant {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|variant| variant.to_string() == text).ok_or_else(|| {
            let names = Self::ALL.map(|variant| variant.to_string()).join(", ");
            Error::setting(
                "--matmul",
                format!("no variant is called '{text}'"),
                format!("use one of {names}"),
            )
        })
    }
}

text_serde!(Variant);

/// A matrix product in a plan: what it computes, and how large it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Product {
    /// `matmul_nt`, `matmul_nn`, `matmul_nn_derivative`, `matmul_tn` or `matmul_tn_bias`.
    pub kernel: &'static str,
    /// Rows of the output.
    pub m: usize,
    /// Columns of the output, padding included.
    pub n: usize,
    /// Length of the sums, padding included.
    pub k: usize,
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}x{}x{}", self.kernel, self.m, self.n, self.k)
    }
}

const PRODUCTS: [&str; 5] = ["matmul_nt", "matmul_nn", "matmul_nn_derivative", "matmul_tn", "matmul_tn_bias"];

impl Product {
    /// What `dispatch` computes, if that is a matrix product in the variant that plans are lowered to.
    pub fn of(dispatch: &Dispatch) -> Option<Self> {
        let count = |name| dispatch.constants.get(name).map_or(0, |&value: &f64| value as usize);
        let kernel = *PRODUCTS.iter().find(|kernel| dispatch.kernel == **kernel)?;
        let k = if kernel.starts_with("matmul_tn") { count("INNER") } else { 4 * count("INNER") };
        Some(Self { kernel, m: count("ROWS"), n: 4 * count("COLUMNS"), k })
    }

    /// The kernels of the two halves of a split sum.
    fn halves(self) -> (&'static str, &'static str) {
        match self.kernel {
            "matmul_nt" => ("partial_nt_tiled_32", "finish_nt"),
            "matmul_nn" => ("partial_nn_tiled_32", "finish_nn"),
            "matmul_nn_derivative" => ("partial_nn_tiled_32", "finish_nn_derivative"),
            "matmul_tn" => ("partial_tn_tiled_32", "finish_tn"),
            _ => ("partial_tn_tiled_32", "finish_tn_bias"),
        }
    }

    /// Elements of one part of the output: with the sums of a's columns, where the weights' gradient is computed.
    fn part_length(self) -> usize {
        let sums = if self.kernel.starts_with("matmul_tn") { self.m } else { 0 };
        self.m * self.n + sums
    }
}

impl Plan {
    /// The same plan with every matrix product computed as `choose` says.
    pub fn with_variants(self, choose: impl Fn(Product) -> Variant) -> Self {
        let mut plan = Self {
            buffers: self.buffers,
            metrics: self.metrics,
            numbers: self.numbers,
            groups: self.groups,
            ..Self::default()
        };
        let mut places = Vec::with_capacity(self.dispatches.len());
        for dispatch in self.dispatches {
            let first = plan.dispatches.len();
            match Product::of(&dispatch).map(|product| (product, choose(product))) {
                None | Some((_, Variant::Registers)) => plan.dispatches.push(dispatch),
                Some((product, Variant::Tiled(side))) => {
                    plan.dispatches.push(tiled(dispatch, product, side));
                }
                Some((product, Variant::Split(parts))) => {
                    let halves = split(dispatch, product, parts as usize, &mut plan.buffers);
                    plan.dispatches.extend(halves);
                }
            }
            places.push(first..plan.dispatches.len());
        }
        for mut program in self.programs {
            program.dispatches = program.dispatches.iter().flat_map(|&index| places[index].clone()).collect();
            plan.programs.push(program);
        }
        plan.name_kernels();
        plan
    }
}

fn tiles(product: Product, parts: usize) -> Grid {
    Grid::WorkgroupTiles { rows: product.m, columns: product.n / 4, parts }
}

/// `bindings` under the names of `kernel`: what one variant reads as single elements, another reads as vec4.
fn bindings(kernel: &kernels::Kernel, bindings: &[Binding]) -> Vec<Binding> {
    let storage = kernel.storage();
    storage
        .filter_map(|(variable, access)| {
            let known =
                bindings.iter().find(|it| it.variable.trim_end_matches("_elements") == variable.name)?;
            Some(Binding { variable: variable.name.clone(), access, ..known.clone() })
        })
        .collect()
}

fn bytes(bindings: &[Binding]) -> u64 {
    bindings.iter().map(|binding| binding.length as u64 * 4).sum()
}

fn tiled(dispatch: Dispatch, product: Product, side: u32) -> Dispatch {
    let kernel = kernels::kernel(&format!("{}_tiled_{side}", product.kernel));
    Dispatch {
        kernel: kernel.name.as_str().into(),
        bindings: bindings(kernel, &dispatch.bindings),
        grid: tiles(product, 1).workgroups(kernel),
        ..dispatch
    }
}

fn split(dispatch: Dispatch, product: Product, parts: usize, buffers: &mut Vec<Buffer>) -> Vec<Dispatch> {
    let (first, second) = product.halves();
    let (first, second) = (kernels::kernel(first), kernels::kernel(second));
    // A part is a whole number of tiles.
    let part = product.k.div_ceil(parts).next_multiple_of(first.constant("TILE_INNER") as usize);
    let parts = product.k.div_ceil(part);
    if parts < 2 {
        return vec![tiled(dispatch, product, 32)];
    }
    let length = parts * product.part_length();
    buffers.push(Buffer {
        name: format!("parts of {}", dispatch.label),
        shape: vec![parts, product.part_length()],
        length,
        element: Element::Real,
        role: Role::Activation,
    });
    let buffer = BufferId(buffers.len() - 1);
    let between = Binding { variable: "parts".into(), buffer, offset: 0, length, access: Access::ReadWrite };
    let all: Vec<Binding> = dispatch.bindings.iter().cloned().chain([between]).collect();
    let constants = |kernel: &kernels::Kernel, more: BTreeMap<&'static str, f64>| {
        let mut constants = dispatch.constants.clone();
        constants.extend(more.into_iter().map(|(name, value)| (Name::from(name), value)));
        constants.retain(|name, _| kernel.overrides.iter().any(|declared| declared == name.as_ref()));
        constants
    };
    let make = |kernel: &'static kernels::Kernel, label, constants, grid: Grid, flops| {
        let grid = grid.workgroups(kernel);
        let bindings = bindings(kernel, &all);
        let bytes = bytes(&bindings);
        Dispatch { label, kernel: kernel.name.as_str().into(), constants, bindings, grid, flops, bytes }
    };
    let elements = product.part_length() / 4;
    vec![
        make(
            first,
            format!("{}, in parts", dispatch.label),
            constants(first, constants! { PART: part }),
            tiles(product, parts),
            dispatch.flops,
        ),
        make(
            second,
            dispatch.label.clone(),
            constants(second, constants! { PARTS: parts }),
            Grid::Elements(elements),
            (parts * product.part_length()) as u64,
        ),
    ]
}
