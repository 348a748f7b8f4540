//! Fusion: passes over the list of dispatches that let one kernel do the work of two.
//!
//! A pair is fused when the first writes a whole buffer that nobody but the second reads.

use super::{Access, Buffer, BufferId, Dispatch, Role};
use crate::graph::Stage;
use crate::kernels;

type Staged = (Stage, Dispatch);

/// Run all passes.
pub(super) fn fuse(dispatches: &mut Vec<Staged>, buffers: &[Buffer]) {
    fuse_activation(dispatches, buffers);
    fuse_activation_derivative(dispatches, buffers);
}

/// linear + activation: the matrix product applies the activation to what it stores.
fn fuse_activation(dispatches: &mut Vec<Staged>, buffers: &[Buffer]) {
    fuse_pairs(dispatches, buffers, "matmul_nt", "activate", |product, activate| {
        product.constants.insert("ACTIVATION", activate.constants["ACTIVATION"]);
        replace_output(product, &activate);
        product.label = activate.label;
    });
}

/// Input gradient + activation derivative: the product is multiplied before it is stored.
fn fuse_activation_derivative(dispatches: &mut Vec<Staged>, buffers: &[Buffer]) {
    fuse_pairs(dispatches, buffers, "matmul_nn", "activate_gradient", |product, derivative| {
        product.kernel = "matmul_nn_derivative";
        for name in ["ACTIVATION", "ACCUMULATE"] {
            product.constants.insert(name, derivative.constants[name]);
        }
        let saved = derivative.bindings.iter().find(|binding| binding.variable == "saved").cloned();
        product.bindings.extend(saved);
        replace_output(product, &derivative);
        // Bindings stand in the order of the WGSL.
        let order: Vec<&str> =
            kernels::kernel(product.kernel).storage().map(|(variable, _)| variable.name.as_str()).collect();
        product.bindings.sort_by_key(|binding| order.iter().position(|name| *name == binding.variable));
        product.label = derivative.label;
    });
}

fn replace_output(product: &mut Dispatch, second: &Dispatch) {
    let output = second.bindings.iter().find(|binding| binding.variable == "output").cloned();
    product.bindings.retain(|binding| binding.variable != "output");
    product.bindings.extend(output);
    product.flops += second.flops;
    product.bytes = product.bindings.iter().map(|binding| binding.length as u64 * 4).sum();
}

/// Where `first` is followed by its only reader `second`, let `merge` put the second's work into the first.
fn fuse_pairs(
    dispatches: &mut Vec<Staged>,
    buffers: &[Buffer],
    first: &str,
    second: &str,
    merge: impl Fn(&mut Dispatch, Dispatch),
) {
    let mut i = 0;
    while i < dispatches.len() {
        if dispatches[i].1.kernel == first
            && dispatches[i].1.constants.get("ACCUMULATE").is_none_or(|accumulate| *accumulate == 0.0)
            && let Some(intermediate) = output(&dispatches[i].1)
            && buffers[intermediate.0].role == Role::Activation
            && let Some(j) = only_reader(dispatches, i, intermediate)
            && dispatches[j].1.kernel == second
            && dispatches[j].1.bindings.iter().any(|b| b.variable == "input" && b.buffer == intermediate)
            && dispatches[j].0 == dispatches[i].0
        {
            let (_, consumer) = dispatches.remove(j);
            merge(&mut dispatches[i].1, consumer);
        }
        i += 1;
    }
}

fn output(dispatch: &Dispatch) -> Option<BufferId> {
    dispatch.bindings.iter().find(|binding| binding.variable == "output").map(|binding| binding.buffer)
}

/// The one dispatch besides number `writer` that touches `buffer`, if there is exactly one and it only reads.
fn only_reader(dispatches: &[Staged], writer: usize, buffer: BufferId) -> Option<usize> {
    let mut users = dispatches
        .iter()
        .enumerate()
        .filter(|(i, (_, dispatch))| *i != writer && dispatch.bindings.iter().any(|b| b.buffer == buffer));
    let (reader, (_, dispatch)) = users.next()?;
    let reads = dispatch.bindings.iter().all(|b| b.buffer != buffer || b.access == Access::Read);
    (users.next().is_none() && reads && reader > writer).then_some(reader)
}
