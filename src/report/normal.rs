//! The standard normal distribution's quantiles, and the latent grid made of them.

/// The standard normal quantile: the `x` with `P(Z <= x) = p`.
///
/// Algorithm AS 241 (PPND16) of M. J. Wichura, "The Percentage Points of the Normal Distribution", Applied
/// Statistics 37 (1988), 477-484; relative error about 1e-16. Gives an infinity at 0 and 1, and NaN outside
/// `[0, 1]`.
#[allow(clippy::excessive_precision, reason = "the constants are quoted as published")]
pub fn inverse_normal_cdf(p: f64) -> f64 {
    const CENTRE: ([f64; 8], [f64; 8]) = (
        [
            3.387_132_872_796_366_608_0,
            1.331_416_678_917_843_774_5e2,
            1.971_590_950_306_551_442_7e3,
            1.373_169_376_550_946_112_5e4,
            4.592_195_393_154_987_145_7e4,
            6.726_577_092_700_870_085_3e4,
            3.343_057_558_358_812_810_5e4,
            2.509_080_928_730_122_672_7e3,
        ],
        [
            1.0,
            4.231_333_070_160_091_125_2e1,
            6.871_870_074_920_579_083_0e2,
            5.394_196_021_424_751_107_7e3,
            2.121_379_430_158_659_586_7e4,
            3.930_789_580_009_271_061_0e4,
            2.872_908_573_572_194_267_4e4,
            5.226_495_278_852_854_561_0e3,
        ],
    );
    const MIDDLE: ([f64; 8], [f64; 8]) = (
        [
            1.423_437_110_749_683_577_34,
            4.630_337_846_156_545_295_90,
            5.769_497_221_460_691_405_50,
            3.647_848_324_763_204_605_04,
            1.270_458_252_452_368_382_58,
            2.417_807_251_774_506_117_70e-1,
            2.272_384_498_926_918_458_33e-2,
            7.745_450_142_783_414_076_40e-4,
        ],
        [
            1.0,
            2.053_191_626_637_758_821_87,
            1.676_384_830_183_803_849_40,
            6.897_673_349_851_000_045_50e-1,
            1.481_039_764_274_800_745_90e-1,
            1.519_866_656_361_645_719_66e-2,
            5.475_938_084_995_344_946_00e-4,
            1.050_750_071_644_416_843_24e-9,
        ],
    );
    const TAIL: ([f64; 8], [f64; 8]) = (
        [
            6.657_904_643_501_103_777_20,
            5.463_784_911_164_114_369_90,
            1.784_826_539_917_291_335_80,
            2.965_605_718_285_048_912_30e-1,
            2.653_218_952_657_612_309_30e-2,
            1.242_660_947_388_078_438_60e-3,
            2.711_555_568_743_487_578_15e-5,
            2.010_334_399_292_288_132_65e-7,
        ],
        [
            1.0,
            5.998_322_065_558_879_376_90e-1,
            1.369_298_809_227_358_053_10e-1,
            1.487_536_129_085_061_485_25e-2,
            7.868_691_311_456_132_591_00e-4,
            1.846_318_317_510_054_681_80e-5,
            1.421_511_758_316_445_888_70e-7,
            2.044_263_103_389_939_785_64e-15,
        ],
    );
    fn ratio(coefficients: &([f64; 8], [f64; 8]), r: f64) -> f64 {
        let polynomial = |c: &[f64; 8]| c.iter().rev().fold(0.0, |sum, c| sum * r + c);
        polynomial(&coefficients.0) / polynomial(&coefficients.1)
    }

    let q = p - 0.5;
    if q.abs() <= 0.425 {
        return q * ratio(&CENTRE, 0.180625 - q * q);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    if tail == 0.0 {
        return f64::INFINITY.copysign(q);
    }
    // The logarithm of a negative number is NaN, and so is everything after it.
    let r = (-tail.ln()).sqrt();
    let size = if r <= 5.0 { ratio(&MIDDLE, r - 1.6) } else { ratio(&TAIL, r - 5.0) };
    if q < 0.0 { -size } else { size }
}

/// The `side` latent coordinates, ascending, that cut the standard normal into cells of equal probability:
/// the quantiles of `(i + 0.5) / side`.
pub fn manifold_axis(side: usize) -> Vec<f64> {
    (0..side).map(|i| inverse_normal_cdf((i as f64 + 0.5) / side as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_quantiles() {
        // scipy.stats.norm.ppf; each branch of the approximation has one.
        for (p, expected) in [
            (0.5, 0.0),
            (0.75, 0.674_489_750_196_081_7),
            (0.9, 1.281_551_565_544_600_4),
            (0.975, 1.959_963_984_540_054),
            (0.99, 2.326_347_874_040_840_8),
            (0.999, 3.090_232_306_167_813_5),
            (1e-6, -4.753_424_308_822_899),
            (1e-12, -7.034_483_825_301_131),
            (1e-20, -9.262_340_089_798_408),
        ] {
            let found = inverse_normal_cdf(p);
            assert!((found - expected).abs() < 1e-9, "p {p}: {found} instead of {expected}");
            if p > 1e-3 {
                let mirrored = inverse_normal_cdf(1.0 - p);
                assert!((mirrored + expected).abs() < 1e-9, "p {}: {mirrored}", 1.0 - p);
            }
        }
    }

    #[test]
    fn the_ends() {
        assert_eq!(inverse_normal_cdf(0.0), f64::NEG_INFINITY);
        assert_eq!(inverse_normal_cdf(1.0), f64::INFINITY);
        for p in [-0.1, 1.1, f64::NAN] {
            assert!(inverse_normal_cdf(p).is_nan(), "{p}");
        }
    }

    #[test]
    fn the_axis_is_symmetric_and_ascends() {
        assert!(manifold_axis(0).is_empty());
        assert_eq!(manifold_axis(1), [0.0]);
        let axis = manifold_axis(20);
        assert!((axis[19] - 1.959_963_984_540_054).abs() < 1e-9);
        for (i, pair) in axis.windows(2).enumerate() {
            assert!(pair[0] < pair[1]);
            assert!((axis[i] + axis[19 - i]).abs() < 1e-12);
        }
    }
}
