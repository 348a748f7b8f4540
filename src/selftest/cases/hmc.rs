//! The cases of `shaders/hmc.wgsl`.

use super::Content::{Hundredth, Normal};
use super::{Case, case};
use crate::plan::{Grid, constants};

/// (images, chains of an image, latent dimensions, chunks): one, ragged, a workgroup and one more.
const SHAPES: [(usize, usize, usize, usize); 4] =
    [(1, 1, 1, 1), (3, 5, 2, 7), (5, 13, 10, 49), (43, 3, 33, 2)];

pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (batch, samples, width, chunks) in SHAPES {
        let (chains, columns) = (batch * samples, usize::div_ceil(width, 4));
        let grid = Grid::Elements(chains);
        let (rows, records) = (Normal(4 * chains * columns), Normal(4 * chains));
        let sizes = constants! { CHAINS: chains, COLUMNS: columns };
        let with = |more: &[(&'static str, usize)]| {
            let mut constants = sizes.clone();
            constants.extend(more.iter().map(|&(name, value)| (name, value as f64)));
            constants
        };
        let all = [
            ("latent", rows),
            ("latent_gradient", rows),
            ("density", records),
            ("position", rows),
            ("position_gradient", rows),
            ("momentum", rows),
            ("state", Normal(8 * chains)),
            // Steps of a hundredth: random numbers themselves would be far too large.
            ("sizes", Hundredth(batch)),
        ];
        let of =
            |names: &[&str]| all.into_iter().filter(|(name, _)| names.contains(name)).collect::<Vec<_>>();
        // Gradients are multiplied by the number of chains, which makes large numbers of random ones.
        let scale = batch * samples * columns;
        cases.push(case(
            "log_density",
            with(&[("WIDTH", width), ("CHUNKS", chunks)]),
            &[("value", Normal(chains * chunks)), ("latent", rows), ("density", records)],
            grid,
            batch,
            chunks + 4 * columns,
        ));
        let names = ["latent", "latent_gradient", "density", "position", "position_gradient", "state"];
        cases.push(case("hmc_reset", sizes.clone(), &of(&names), grid, batch, 1));
        let names = ["latent", "position", "position_gradient", "momentum", "state", "sizes"];
        let constants = with(&[("BATCH", batch), ("WIDTH", width), ("BETA", 0), ("CHANGE", 2)]);
        cases.push(case("hmc_start", constants, &of(&names), grid, batch, 4 * scale));
        let names = ["latent", "latent_gradient", "momentum", "sizes"];
        cases.push(case("hmc_leap", with(&[("BATCH", batch), ("BETA", 0)]), &of(&names), grid, batch, scale));
        let all_names = all.map(|(name, _)| name);
        // Some of these random ends are accepted, some are not.
        cases.push(case(
            "hmc_accept",
            with(&[("BATCH", batch), ("BETA", 0)]),
            &of(&all_names),
            grid,
            batch,
            4 * scale,
        ));
    }
    cases
}
