//! Fusion: passes over a program's dispatches that let one kernel do the work of two.
//!
//! Two shapes of pair occur. A *chain*: the first dispatch writes a whole buffer that nobody but the second reads, which
//! then is never written at all. *Siblings*: two dispatches read the same values, or add to the same, and can do so
//! together.

mod norm;

use super::{Access, Binding, Buffer, BufferId, Dispatch, Role};
use crate::kernels;
use crate::likelihood::{Kernels, LikelihoodKind};

/// A pass over the dispatches of one program. It may remove a value only if that is [`Values::temporary`].
pub(crate) type Pass = fn(&mut Vec<Dispatch>, &Values<'_>);

/// All passes, in the order in which they are run.
pub(crate) const PASSES: [Pass; 8] = [
    norm::fuse_norm_activation,
    fuse_activation,
    fuse_activation_derivative,
    fuse_bias_gradient,
    fuse_samples_and_divergence,
    fuse_latent_gradients,
    fuse_likelihood,
    fuse_metrics,
];

/// The values that the dispatches of a program read and write.
pub(crate) struct Values<'a> {
    pub(crate) buffers: &'a [Buffer],
    /// Those that the program leaves for the host.
    pub(crate) wanted: &'a [BufferId],
}

impl Values<'_> {
    /// Whether nothing outside the program can see the value.
    fn temporary(&self, buffer: BufferId) -> bool {
        self.buffers[buffer.0].role == Role::Activation && !self.wanted.contains(&buffer)
    }
}

/// Layer + activation: the product applies the activation to what it stores.
fn fuse_activation(dispatches: &mut Vec<Dispatch>, values: &Values<'_>) {
    for (layer, output) in [
        ("matmul_nt", "output"),
        ("conv_nt", "output"),
        ("conv_nt_packed", "output_elements"),
        ("conv_nn_bias", "output"),
        ("conv_nn_bias_packed", "output_elements"),
    ] {
        fuse_chains(dispatches, values, (layer, output), "activate", |product, activate| {
            product.constants.insert("ACTIVATION".into(), activate.constants["ACTIVATION"]);
            if let (Some(own), Some(result)) = (range_mut(product, output), range(&activate, "output")) {
                (own.buffer, own.offset, own.length) = (result.buffer, result.offset, result.length);
            }
            product.label.clone_from(&activate.label);
            product.flops += activate.flops;
        });
    }
}

/// Input gradient + activation derivative: the product is multiplied before it is stored.
fn fuse_activation_derivative(dispatches: &mut Vec<Dispatch>, values: &Values<'_>) {
    for (plain, with_derivative) in [
        ("matmul_nn", "matmul_nn_derivative"),
        ("conv_nn", "conv_nn_derivative"),
        ("conv_nt_gradient", "conv_nt_derivative"),
    ] {
        fuse_chains(dispatches, values, (plain, "output"), "activate_gradient", |product, derivative| {
            product.kernel = with_derivative.into();
            for name in ["ACTIVATION", "ACCUMULATE"] {
                product.constants.insert(name.into(), derivative.constants[name]);
            }
            take_bindings(product, &derivative, &["saved", "output"]);
            product.label.clone_from(&derivative.label);
            product.flops += derivative.flops;
        });
    }
}

/// Weight gradient + bias gradient: both sum over the minibatch. A layer's bias follows its weights in the buffer of
/// gradients, so that one binding covers both.
fn fuse_bias_gradient(dispatches: &mut Vec<Dispatch>, _: &Values<'_>) {
    fuse_siblings(dispatches, "matmul_tn", "column_sum", &["a"], |product, sums| {
        let (Some(weight), Some(bias)) = (range(&product, "output"), range(&sums, "output")) else {
            return None;
        };
        let same = product.constants["ACCUMULATE"] == sums.constants["ACCUMULATE"];
        if !same || weight.buffer != bias.buffer || bias.offset < weight.offset + weight.length {
            return None;
        }
        let (start, end) = (bias.offset - weight.offset, bias.offset + bias.length);
        let whole = Binding { length: end - weight.offset, ..weight.clone() };
        let mut fused =
            Dispatch { kernel: "matmul_tn_bias".into(), flops: product.flops + sums.flops, ..product };
        fused.constants.insert("BIAS_START".into(), (start / 4) as f64);
        fused.bindings.retain(|binding| binding.variable != "output");
        fused.bindings.push(whole);
        Some(Fused { dispatch: fused, at: At::First })
    });
}

/// Samples + KL divergence: both read the posterior.
fn fuse_samples_and_divergence(dispatches: &mut Vec<Dispatch>, _: &Values<'_>) {
    fuse_siblings(dispatches, "reparametrize", "gaussian_kl", &["posterior"], |samples, divergence| {
        let mut fused = Dispatch {
            kernel: "reparametrize_kl".into(),
            label: format!("{} and {}", samples.label, divergence.label),
            flops: samples.flops + divergence.flops,
            ..samples
        };
        take_bindings(&mut fused, &divergence, &["divergence"]);
        Some(Fused { dispatch: fused, at: At::First })
    });
}

/// Their gradients: both go to the posterior's.
fn fuse_latent_gradients(dispatches: &mut Vec<Dispatch>, _: &Values<'_>) {
    let shared = ["posterior", "posterior_gradient"];
    fuse_siblings(
        dispatches,
        "gaussian_kl_gradient",
        "reparametrize_gradient",
        &shared,
        |divergence, samples| {
            if samples.constants["ACCUMULATE"] == 0.0 {
                return None;
            }
            let mut fused = Dispatch {
                kernel: "reparametrize_kl_gradient".into(),
                label: samples.label.replace(" through samples", ""),
                flops: samples.flops + divergence.flops,
                ..samples
            };
            for name in ["ACCUMULATE", "WEIGHT", "NUMBER"] {
                fused.constants.insert(name.into(), divergence.constants[name]);
            }
            Some(Fused { dispatch: fused, at: At::Second })
        },
    );
}

/// Likelihood + its gradient: both read the decoder's output and the images, and share its exponentials.
fn fuse_likelihood(dispatches: &mut Vec<Dispatch>, _: &Values<'_>) {
    for kind in LikelihoodKind::ALL {
        let Kernels { value, gradient, with_gradient } = kind.kernels();
        fuse_siblings(dispatches, value, gradient, &["decoded", "images"], |value, gradient| {
            let mut fused = Dispatch {
                kernel: with_gradient.into(),
                label: format!("{} and {}", value.label, gradient.label),
                flops: value.flops + gradient.flops,
                ..value
            };
            take_bindings(&mut fused, &gradient, &["decoded_gradient", "log_variance_terms"]);
            Some(Fused { dispatch: fused, at: At::First })
        });
    }
}

/// Sums of two loss terms: a workgroup each.
fn fuse_metrics(dispatches: &mut Vec<Dispatch>, _: &Values<'_>) {
    fuse_siblings(dispatches, "sum_metric", "sum_metric", &["metrics"], |first, second| {
        let mut fused = Dispatch {
            kernel: "sum_two_metrics".into(),
            label: format!("{} and {}", first.label, second.label),
            flops: first.flops + second.flops,
            grid: [2, 1, 1],
            ..first
        };
        for (name, from) in [("SECOND_LENGTH", "LENGTH"), ("SECOND_SCALE", "SCALE"), ("SECOND_TERM", "TERM")]
        {
            fused.constants.insert(name.into(), second.constants[from]);
        }
        let values = range(&second, "values")?;
        fused.bindings.push(Binding { variable: "second_values".into(), ..values.clone() });
        Some(Fused { dispatch: fused, at: At::Second })
    });
}

/// Where a fused dispatch stands in the list.
#[derive(Clone, Copy, PartialEq)]
enum At {
    First,
    Second,
}

struct Fused {
    dispatch: Dispatch,
    at: At,
}

fn range<'a>(dispatch: &'a Dispatch, variable: &str) -> Option<&'a Binding> {
    dispatch.bindings.iter().find(|binding| binding.variable == variable)
}

fn range_mut<'a>(dispatch: &'a mut Dispatch, variable: &str) -> Option<&'a mut Binding> {
    dispatch.bindings.iter_mut().find(|binding| binding.variable == variable)
}

/// Bind `variables` of `to` as `from` binds them.
fn take_bindings(to: &mut Dispatch, from: &Dispatch, variables: &[&str]) {
    for variable in variables {
        if let Some(binding) = range(from, variable).cloned() {
            to.bindings.retain(|own| own.variable != *variable);
            to.bindings.push(binding);
        }
    }
}

/// Put bindings in the order of the WGSL and count their bytes anew, after the kernel has changed.
fn settle(dispatch: &mut Dispatch) {
    let order: Vec<&str> =
        kernels::kernel(&dispatch.kernel).storage().map(|(variable, _)| variable.name.as_str()).collect();
    dispatch.bindings.sort_by_key(|binding| order.iter().position(|name| *name == binding.variable));
    dispatch.bytes = dispatch.bindings.iter().map(|binding| binding.length as u64 * 4).sum();
}

/// Where `first`, which writes `output`, is followed by its only reader `second`, let `merge` put the second's work into the
/// first.
fn fuse_chains(
    dispatches: &mut Vec<Dispatch>,
    values: &Values<'_>,
    (first, output): (&str, &str),
    second: &str,
    merge: impl Fn(&mut Dispatch, Dispatch),
) {
    let mut i = 0;
    while i < dispatches.len() {
        if dispatches[i].kernel == first
            && dispatches[i].constants.get("ACCUMULATE").is_none_or(|accumulate| *accumulate == 0.0)
            && let Some(intermediate) = range(&dispatches[i], output).map(|binding| binding.buffer)
            && values.temporary(intermediate)
            && let Some(j) = only_reader(dispatches, i, intermediate)
            && dispatches[j].kernel == second
            && range(&dispatches[j], "input").is_some_and(|binding| binding.buffer == intermediate)
        {
            let consumer = dispatches.remove(j);
            merge(&mut dispatches[i], consumer);
            settle(&mut dispatches[i]);
        }
        i += 1;
    }
}

/// The one dispatch besides number `writer` that touches `buffer`, if there is exactly one and it only reads.
fn only_reader(dispatches: &[Dispatch], writer: usize, buffer: BufferId) -> Option<usize> {
    let mut users = dispatches
        .iter()
        .enumerate()
        .filter(|(i, dispatch)| *i != writer && dispatch.bindings.iter().any(|b| b.buffer == buffer));
    let (reader, dispatch) = users.next()?;
    let reads = dispatch.bindings.iter().all(|b| b.buffer != buffer || b.access == Access::Read);
    (users.next().is_none() && reads && reader > writer).then_some(reader)
}

/// Where a `first` and a later `second` bind the variables `shared` to the same ranges, let `merge` make one dispatch
/// of them, unless what stands between forbids that they move together.
fn fuse_siblings(
    dispatches: &mut Vec<Dispatch>,
    first: &str,
    second: &str,
    shared: &[&str],
    merge: impl Fn(Dispatch, Dispatch) -> Option<Fused>,
) {
    let mut i = 0;
    while i < dispatches.len() {
        let fits = |j: &usize| {
            let (a, b) = (&dispatches[i], &dispatches[*j]);
            b.kernel == second
                && shared.iter().all(|variable| match (range(a, variable), range(b, variable)) {
                    (Some(a), Some(b)) => (a.buffer, a.offset, a.length) == (b.buffer, b.offset, b.length),
                    _ => false,
                })
        };
        if dispatches[i].kernel == first
            && let Some(j) = (i + 1..dispatches.len()).find(fits)
            && let Some(mut fused) = merge(dispatches[i].clone(), dispatches[j].clone())
            && dispatches[i + 1..j].iter().all(|between| {
                !conflict(between, if fused.at == At::First { &dispatches[j] } else { &dispatches[i] })
            })
        {
            settle(&mut fused.dispatch);
            let (keep, drop) = if fused.at == At::First { (i, j) } else { (j, i) };
            dispatches[keep] = fused.dispatch;
            dispatches.remove(drop);
        }
        i += 1;
    }
}

/// Whether two dispatches must keep their order: one writes what the other touches.
fn conflict(a: &Dispatch, b: &Dispatch) -> bool {
    let overlap = |x: &Binding, y: &Binding| {
        x.buffer == y.buffer && x.offset < y.offset + y.length && y.offset < x.offset + x.length
    };
    a.bindings.iter().any(|x| {
        b.bindings
            .iter()
            .any(|y| (x.access == Access::ReadWrite || y.access == Access::ReadWrite) && overlap(x, y))
    })
}
