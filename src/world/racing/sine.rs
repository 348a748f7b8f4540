//! Sine and cosine of the bodies' angles, the same on every machine.
//!
//! A car that slides doubles a difference in the last bit every few steps. The polynomials are therefore those by which the C
//! library of most Linux systems, and so gymnasium there, computes `sinf` and `cosf`: of ARM's Optimized Routines (licence:
//! `licenses/ARM-optimized-routines-MIT.txt`). Additions and products of doubles alone make them, in a fixed order.

use std::f64::consts::{FRAC_2_PI, FRAC_PI_2, FRAC_PI_4};

/// What pi / 2 has beyond double precision.
const FRAC_PI_2_REST: f64 = 6.123_233_995_736_766e-17;
/// sin(x) = x + S[0] x^3 + S[1] x^5 + S[2] x^7 for |x| <= pi / 4.
const S: [f64; 3] = [-0.166_666_549_437_010_84, 0.008_332_178_146_138_854, -0.000_195_172_989_813_857_25];
/// cos(x) = 1 + C[0] x^2 + C[1] x^4 + C[2] x^6 + C[3] x^8 for |x| <= pi / 4.
const C: [f64; 4] = [
    -0.499_999_997_251_082_24,
    0.041_666_623_324_344_516,
    -0.001_388_676_379_437_604,
    2.439_045_070_356_454_2e-05,
];

fn sine(x: f64, square: f64) -> f64 {
    let cube = x * square;
    let high = S[1] + square * S[2];
    (x + cube * S[0]) + cube * square * high
}

fn cosine(square: f64) -> f64 {
    let fourth = square * square;
    let high = C[2] + square * C[3];
    ((1.0 + square * C[0]) + fourth * C[1]) + fourth * square * high
}

/// The sine and the cosine of `angle`.
pub(super) fn sin_cos(angle: f32) -> (f32, f32) {
    let x = f64::from(angle);
    let (rest, quarter) = if x.abs() < FRAC_PI_4 {
        (x, 0)
    } else {
        let turns = x * FRAC_2_PI;
        let quarter = (turns + 0.5f64.copysign(turns)) as i64;
        let quarters = quarter as f64;
        ((x - quarters * FRAC_PI_2) - quarters * FRAC_PI_2_REST, quarter)
    };
    let square = rest * rest;
    let (sin, cos) = (sine(rest, square), cosine(square));
    let (sin, cos) = match quarter & 3 {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        _ => (-cos, sin),
    };
    (sin as f32, cos as f32)
}
