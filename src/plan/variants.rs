//! Variants of a matrix product or a convolution: the kernels that compute the same by other means.
//!
//! A plan is lowered to the variant that runs well on everything, [`Variant::Registers`]; [`Plan::with_variants`]
//! replaces it, product by product, by what suits a device (see [`crate::tuning`]).

use super::{
    Access, Binding, Buffer, BufferId, Dispatch, Element, Grid, Name, Plan, Product, Role, constants,
};
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
    /// `registers`: operands come through the cache (`shaders/matmul.wgsl`, `shaders/conv_nt.wgsl` and others). What software
    /// adapters want.
    Registers,
    /// `tiled-32`, `tiled-64`, `tiled-128`: operands come through tiles in workgroup memory, of so many rows and
    /// columns (`shaders/shared/tiles.wgsl`). What GPUs want.
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
                Some((product, Variant::Tiled(side))) if !product.has_tiles(side) => {
                    plan.dispatches.push(dispatch);
                }
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

fn bytes(bindings: &[Binding]) -> u64 {
    bindings.iter().map(|binding| binding.length as u64 * 4).sum()
}

/// `bindings` under the names of `kernel`: what one variant reads as single elements, another reads as vec4, or as both.
fn bindings(kernel: &kernels::Kernel, bindings: &[Binding]) -> Vec<Binding> {
    let own = |variable: &str| variable.trim_end_matches("_elements").to_string();
    let storage = kernel.storage();
    storage
        .filter_map(|(variable, access)| {
            let known = bindings.iter().find(|it| own(&it.variable) == own(&variable.name))?;
            Some(Binding { variable: variable.name.clone(), access, ..known.clone() })
        })
        .collect()
}

/// The values of the constants that `kernel` declares: those of `dispatch`, those that its window has beside them, and `more`.
fn declared(
    kernel: &kernels::Kernel,
    dispatch: &Dispatch,
    product: Product,
    more: BTreeMap<&'static str, f64>,
) -> BTreeMap<Name, f64> {
    let named = |(name, value): (&'static str, f64)| (Name::from(name), value);
    let window = product.window.map(|window| window.constants()).unwrap_or_default();
    let mut constants: BTreeMap<Name, f64> = window.into_iter().map(named).collect();
    constants.extend(dispatch.constants.clone());
    constants.extend(more.into_iter().map(named));
    constants.retain(|name, _| kernel.overrides.iter().any(|declared| declared == name.as_ref()));
    constants
}

fn tiled(dispatch: Dispatch, product: Product, side: u32) -> Dispatch {
    let kernel = kernels::kernel(&product.tiled(side));
    Dispatch {
        kernel: kernel.name.as_str().into(),
        constants: declared(kernel, &dispatch, product, BTreeMap::new()),
        bindings: bindings(kernel, &dispatch.bindings),
        grid: product.grid(kernel).workgroups(kernel),
        ..dispatch
    }
}

/// `dispatch` with its sum in parts of `part` terms: the kernel `first` computes these, and the kernel `second` adds them.
pub(super) fn halves(
    dispatch: Dispatch,
    product: Product,
    (first, second): (&str, &str),
    part: usize,
    buffers: &mut Vec<Buffer>,
) -> [Dispatch; 2] {
    let (first, second) = (kernels::kernel(first), kernels::kernel(second));
    let parts = product.range().div_ceil(part);
    let length = parts * product.part_length();
    let name = format!("parts of {}", dispatch.label);
    // Programs that compute the same share dispatches, and so the buffer between them.
    let known = buffers.iter().position(|buffer| buffer.name == name && buffer.length == length);
    let index = known.unwrap_or_else(|| {
        let shape = vec![parts, product.part_length()];
        buffers.push(Buffer { name, shape, length, element: Element::Real, role: Role::Activation });
        buffers.len() - 1
    });
    let buffer = BufferId(index);
    let between = Binding { variable: "parts".into(), buffer, offset: 0, length, access: Access::ReadWrite };
    let all: Vec<Binding> = dispatch.bindings.iter().cloned().chain([between]).collect();
    let make = |kernel: &'static kernels::Kernel, label, more, grid: Grid, flops| {
        let bindings = bindings(kernel, &all);
        Dispatch {
            label,
            kernel: kernel.name.as_str().into(),
            constants: declared(kernel, &dispatch, product, more),
            grid: grid.workgroups(kernel),
            flops,
            bytes: bytes(&bindings),
            bindings,
        }
    };
    [
        make(
            first,
            format!("{}, in parts", dispatch.label),
            constants! { PART: part },
            Product { parts, ..product }.grid(first),
            dispatch.flops,
        ),
        make(
            second,
            dispatch.label.clone(),
            constants! { PARTS: parts },
            Grid::Elements(product.part_length() / 4),
            length as u64,
        ),
    ]
}

fn split(dispatch: Dispatch, product: Product, parts: usize, buffers: &mut Vec<Buffer>) -> Vec<Dispatch> {
    let Some((first, second)) = product.halves() else { return vec![tiled(dispatch, product, 32)] };
    let first = format!("{first}_tiled_32");
    // A part is a whole number of tiles.
    let tile = kernels::kernel(&first).constant("TILE_INNER") as usize;
    let part = product.range().div_ceil(parts).next_multiple_of(tile);
    if product.range().div_ceil(part) < 2 {
        return vec![tiled(dispatch, product, 32)];
    }
    halves(dispatch, product, (&first, second), part, buffers).into()
}
