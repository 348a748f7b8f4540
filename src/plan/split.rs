//! Sums that are too long for one invocation, split whatever the variant.
//!
//! A software adapter (lavapipe) ends all loops of an invocation in silence after 65,535 iterations. And the gradients of weights
//! and biases sum over all pixels of all images of a minibatch, for outputs so small that a few invocations would do all
//! the work. So a long sum is computed in two stages: parts of a fixed length, then their sum in order.

use super::variants::halves;
use super::{Access, Binding, Buffer, BufferId, Dispatch, Element, Grid, Product, Role, constants};
use crate::kernels;

/// Longest sum over rows of maps that stays whole.
const LONGEST: usize = 8192;
/// Terms of a part of such a sum.
const PART: usize = 2048;
/// Longest sum of the other products: their outputs are large.
const LONGEST_ALONG_ROWS: usize = 16_384;

/// Split the sums of `dispatches` that are too long.
pub(crate) fn split_long_sums(dispatches: &mut Vec<Dispatch>, buffers: &mut Vec<Buffer>) {
    let split = |dispatch: Dispatch| -> Vec<Dispatch> {
        if dispatch.kernel == "column_sum" && dispatch.constants["INNER"] as usize > LONGEST {
            return split_column_sum(dispatch, buffers);
        }
        match Product::of(&dispatch).map(|product| (product, product.halves())) {
            Some((product, Some(kernels))) => match part_of(product) {
                Some(part) => halves(dispatch, product, kernels, part, buffers).into(),
                None => vec![dispatch],
            },
            _ => vec![dispatch],
        }
    };
    *dispatches = std::mem::take(dispatches).into_iter().flat_map(split).collect();
}

/// The length of a part of the product's sums, if they are too long. Parts are whole numbers of tiles.
fn part_of(product: Product) -> Option<usize> {
    if product.kernel.contains("tn") {
        return (product.k > LONGEST).then_some(PART);
    }
    // Of each tap, where a sum goes through several.
    let part = (LONGEST_ALONG_ROWS / product.terms(1) / 32 * 32).max(32);
    (product.k > LONGEST_ALONG_ROWS && part < product.range()).then_some(part)
}

/// A sum of columns as two: of the rows of each part, then of the parts. Parts are as long as there are parts, about.
fn split_column_sum(dispatch: Dispatch, buffers: &mut Vec<Buffer>) -> Vec<Dispatch> {
    let count = |name: &str| dispatch.constants[name] as usize;
    let (columns, rows) = (count("COLUMNS"), count("INNER"));
    let part = rows.isqrt().next_multiple_of(32).min(LONGEST);
    let parts = rows.div_ceil(part);
    let (name, length) = (format!("parts of {}", dispatch.label), 4 * columns * parts);
    let known = buffers.iter().position(|buffer| buffer.name == name && buffer.length == length);
    let index = known.unwrap_or_else(|| {
        let shape = vec![parts, 4 * columns];
        buffers.push(Buffer { name, shape, length, element: Element::Real, role: Role::Activation });
        buffers.len() - 1
    });
    let binding = |variable: &str, access| Binding {
        variable: variable.into(),
        buffer: BufferId(index),
        offset: 0,
        length,
        access,
    };
    let kernel = kernels::kernel("partial_column_sum");
    let a: Vec<Binding> =
        dispatch.bindings.iter().filter(|binding| binding.variable == "a").cloned().collect();
    let bytes = |bindings: &[Binding]| bindings.iter().map(|binding| binding.length as u64 * 4).sum();
    let bindings: Vec<Binding> = a.into_iter().chain([binding("parts", Access::ReadWrite)]).collect();
    let constants = constants! { COLUMNS: columns, INNER: rows, PART: part };
    let first = Dispatch {
        label: format!("{}, in parts", dispatch.label),
        kernel: "partial_column_sum".into(),
        constants: constants.into_iter().map(|(name, value)| (name.into(), value)).collect(),
        bytes: bytes(&bindings),
        bindings,
        grid: Grid::Elements(columns * parts).workgroups(kernel),
        flops: dispatch.flops,
    };
    let mut second = Dispatch { flops: length as u64, ..dispatch };
    second.constants.insert("INNER".into(), parts as f64);
    for own in &mut second.bindings {
        if own.variable == "a" {
            *own = binding("a", Access::Read);
        }
    }
    second.bytes = bytes(&second.bindings);
    vec![first, second]
}
