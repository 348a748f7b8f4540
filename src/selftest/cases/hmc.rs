//! The cases of `shaders/hmc.wgsl`.

use super::Case;
use super::Content::{Hundredth, Normal};
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
        cases.push(
            Case::new("log_density", with(&[("WIDTH", width), ("CHUNKS", chunks)]))
                .buffers(&[("value", Normal(chains * chunks)), ("latent", rows), ("density", records)])
                .grid(grid)
                .rows(batch)
                .reduces(chunks + 4 * columns),
        );
        let names = ["latent", "latent_gradient", "density", "position", "position_gradient", "state"];
        cases.push(Case::new("hmc_reset", sizes.clone()).buffers(&of(&names)).grid(grid).rows(batch));
        let names = ["latent", "position", "position_gradient", "momentum", "state", "sizes"];
        let constants = with(&[("BATCH", batch), ("WIDTH", width), ("BETA", 0), ("CHANGE", 2)]);
        cases.push(
            Case::new("hmc_start", constants).buffers(&of(&names)).grid(grid).rows(batch).reduces(4 * scale),
        );
        let names = ["latent", "latent_gradient", "momentum", "sizes"];
        cases.push(
            Case::new("hmc_leap", with(&[("BATCH", batch), ("BETA", 0)]))
                .buffers(&of(&names))
                .grid(grid)
                .rows(batch)
                .reduces(scale),
        );
        let all_names = all.map(|(name, _)| name);
        // Some of these random ends are accepted, some are not.
        cases.push(
            Case::new("hmc_accept", with(&[("BATCH", batch), ("BETA", 0)]))
                .buffers(&of(&all_names))
                .grid(grid)
                .rows(batch)
                .reduces(4 * scale),
        );
    }
    cases
}
