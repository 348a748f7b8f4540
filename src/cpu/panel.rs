//! Products of a few rows with a panel of a matrix, in vector registers.

use pulp::Simd;

/// Rows that share what is read of a panel.
pub(super) const ROWS: usize = 5;
/// Elements of a row of a panel.
pub(super) const WIDTH: usize = 64;

/// `$name(simd, rows, panel, sums)`: the sums over k of `rows[r][k] * panel[k][column]`, each added up in the order of k.
macro_rules! products {
    ($name:ident, $part:ident, $type:ty, $vector:ident, $lanes:ident, $view:ident, $view_mut:ident, $splat:ident, $add:ident) => {
        #[inline(always)]
        pub(super) fn $name<S: Simd>(
            simd: S,
            rows: [&[$type]; ROWS],
            panel: &[$type],
            sums: &mut [[$type; WIDTH]; ROWS],
        ) {
            // As many sums as there are vector registers for.
            match S::$lanes {
                16 => $part::<S, 4>(simd, rows, panel, sums),
                8 if size_of::<$type>() == 8 => $part::<S, 4>(simd, rows, panel, sums),
                _ => $part::<S, 2>(simd, rows, panel, sums),
            }
        }

        /// `N` vectors of columns at a time.
        #[inline(always)]
        fn $part<S: Simd, const N: usize>(
            simd: S,
            rows: [&[$type]; ROWS],
            panel: &[$type],
            output: &mut [[$type; WIDTH]; ROWS],
        ) {
            let length = panel.len() / WIDTH;
            let rows = rows.map(|row| &row[..length]);
            for from in (0..WIDTH / S::$lanes).step_by(N) {
                let mut sums = [[simd.$splat(0.0); N]; ROWS];
                for (k, weights) in panel.chunks_exact(WIDTH).enumerate() {
                    let (weights, _) = S::$view(weights);
                    let weights: &[S::$vector] = &weights[from..from + N];
                    for (sums, row) in sums.iter_mut().zip(rows) {
                        let value = simd.$splat(row[k]);
                        for (sum, &weight) in sums.iter_mut().zip(weights) {
                            *sum = simd.$add(value, weight, *sum);
                        }
                    }
                }
                for (output, sums) in output.iter_mut().zip(sums) {
                    let (output, _) = S::$view_mut(output);
                    output[from..from + N].copy_from_slice(&sums);
                }
            }
        }
    };
}

products!(
    of_singles,
    part_of_singles,
    f32,
    f32s,
    F32_LANES,
    as_simd_f32s,
    as_mut_simd_f32s,
    splat_f32s,
    mul_add_e_f32s
);
products!(
    of_doubles,
    part_of_doubles,
    f64,
    f64s,
    F64_LANES,
    as_simd_f64s,
    as_mut_simd_f64s,
    splat_f64s,
    mul_add_e_f64s
);
