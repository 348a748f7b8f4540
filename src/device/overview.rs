//! All that is known of this machine's devices, for `vae devices`.

use super::{Chosen, Listing, Outcome, drivers, listing, outcome, pick};

/// The devices of this machine.
#[derive(Clone, Debug)]
pub struct Overview {
    /// What the drivers offer.
    pub listing: Listing,
    /// The outcome of each adapter's start-up check; `None` for one that cannot be used.
    pub outcomes: Vec<Option<Outcome>>,
    /// The adapter that `auto` takes; `None` for the processor.
    pub auto: Option<usize>,
    /// Drivers that this machine seems to lack, a line each.
    pub missing: Vec<String>,
}

/// List the adapters, those of GL too if `gl` says so, and check them. An adapter that has failed before is checked again.
pub fn overview(gl: bool) -> Overview {
    let listing = listing(gl);
    let check = |info| outcome(info, true);
    let outcomes: Vec<Option<Outcome>> =
        listing.adapters.iter().map(|info| info.unusable.is_none().then(|| check(info))).collect();
    let mut known = |info: &crate::gpu::AdapterInfo| outcomes[info.index].clone().unwrap_or(Outcome::Passed);
    let auto = match pick::automatic(&listing.adapters, &mut known).chosen {
        Chosen::Cpu => None,
        Chosen::Gpu(info) => Some(info.index),
    };
    let missing = drivers::missing_here(&listing.adapters);
    Overview { listing, outcomes, auto, missing }
}
