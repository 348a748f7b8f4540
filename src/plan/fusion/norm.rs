//! Normalisation + activation.

use super::{Values, range, range_mut, settle};
use crate::plan::{BufferId, Dispatch};

/// Normalisations, each with the kernels that take the gradient of its result.
const NORMS: [(&str, &[&str]); 2] = [
    ("batch_norm", &["batch_norm_sums", "batch_norm_gradient"]),
    ("group_norm", &["group_norm_sums", "group_norm_gradient", "group_norm_scale"]),
];

/// Normalisation + activation: the first applies the second to what it stores. What it would have stored is computed from its
/// input again where the gradients need it, and so is never in memory; neither is its gradient.
pub(super) fn fuse_norm_activation(dispatches: &mut Vec<Dispatch>, values: &Values<'_>) {
    let mut i = 0;
    while i < dispatches.len() {
        let norm = NORMS.iter().find(|(kernel, _)| dispatches[i].kernel == *kernel);
        if let Some((_, gradients)) = norm
            && let Some(pair) = Pair::find(dispatches, values, i, gradients)
        {
            pair.fuse(dispatches);
        }
        i += 1;
    }
}

/// A normalisation, its activation, and the derivatives of the activation with those who take them.
struct Pair {
    norm: usize,
    activate: usize,
    derivatives: Vec<(usize, Vec<usize>)>,
}

impl Pair {
    fn find(dispatches: &[Dispatch], values: &Values<'_>, norm: usize, gradients: &[&str]) -> Option<Self> {
        let (x, y) = (buffer(&dispatches[norm], "x")?, buffer(&dispatches[norm], "y")?);
        let users = users(dispatches, norm, y);
        let activates = |&&i: &&usize| {
            let own = &dispatches[i];
            own.kernel == "activate"
                && buffer(own, "input") == Some(y)
                && own.constants["SECTION"] == own.constants["COLUMNS"]
        };
        let activate = *users.iter().find(activates)?;
        let value = buffer(&dispatches[activate], "output")?;
        let derivatives: Vec<(usize, Vec<usize>)> = (activate + 1..dispatches.len())
            .filter(|&i| {
                let own = &dispatches[i];
                let saved = buffer(own, "saved");
                own.kernel == "activate_gradient"
                    && own.constants["ACCUMULATE"] == 0.0
                    && (saved == Some(y) || saved == Some(value))
            })
            .filter_map(|i| {
                let dy = buffer(&dispatches[i], "output").filter(|&dy| values.temporary(dy))?;
                let takers = self::users(dispatches, i, dy);
                let take = |&taker: &usize| {
                    let own = &dispatches[taker];
                    gradients.contains(&&*own.kernel)
                        && buffer(own, "y_gradient") == Some(dy)
                        && buffer(own, "x") == Some(x)
                };
                takers.iter().all(take).then_some((i, takers))
            })
            .collect();
        let fused = |user: &usize| *user == activate || derivatives.iter().any(|(i, _)| i == user);
        (values.temporary(y) && users.iter().all(fused)).then_some(Self { norm, activate, derivatives })
    }

    fn fuse(self, dispatches: &mut Vec<Dispatch>) {
        let activate = dispatches[self.activate].clone();
        let kind = activate.constants["ACTIVATION"];
        for (derivative, takers) in &self.derivatives {
            let derivative = dispatches[*derivative].clone();
            for &taker in takers {
                let taker = &mut dispatches[taker];
                rebind(taker, "y_gradient", &derivative, "input");
                taker.constants.insert("ACTIVATION".into(), kind);
                taker.flops += activate.flops + derivative.flops;
            }
        }
        let norm = &mut dispatches[self.norm];
        rebind(norm, "y", &activate, "output");
        norm.constants.insert("ACTIVATION".into(), kind);
        norm.label.clone_from(&activate.label);
        norm.flops += activate.flops;
        let mut gone: Vec<usize> = self.derivatives.iter().map(|(i, _)| *i).collect();
        gone.push(self.activate);
        gone.sort_unstable();
        for i in gone.into_iter().rev() {
            dispatches.remove(i);
        }
    }
}

fn buffer(dispatch: &Dispatch, variable: &str) -> Option<BufferId> {
    range(dispatch, variable).map(|binding| binding.buffer)
}

/// Dispatches besides number `writer` that touch `buffer`.
fn users(dispatches: &[Dispatch], writer: usize, buffer: BufferId) -> Vec<usize> {
    let touches = |i: &usize| *i != writer && dispatches[*i].bindings.iter().any(|b| b.buffer == buffer);
    (0..dispatches.len()).filter(touches).collect()
}

/// Bind `variable` of `to` as `other` of `from` is bound.
fn rebind(to: &mut Dispatch, variable: &str, from: &Dispatch, other: &str) {
    if let (Some(own), Some(other)) = (range_mut(to, variable), range(from, other)) {
        (own.buffer, own.offset, own.length) = (other.buffer, other.offset, other.length);
    }
    settle(to);
}
