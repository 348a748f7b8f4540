// Philox4x32-10 (Salmon et al., SC 2011): four random words from a counter and a key. The same integers as
// src/random.rs.

// High 32 bits of a * b; WGSL has no 64-bit integers.
fn multiply_high(a: u32, b: u32) -> u32 {
    let a_low = a & 0xffffu;
    let a_high = a >> 16u;
    let b_low = b & 0xffffu;
    let b_high = b >> 16u;
    let middle = a_high * b_low + ((a_low * b_low) >> 16u);
    let carry = a_low * b_high + (middle & 0xffffu);
    return a_high * b_high + (middle >> 16u) + (carry >> 16u);
}

fn philox_round(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    return vec4<u32>(
        multiply_high(counter.z, 0xCD9E8D57u) ^ counter.y ^ key.x,
        counter.z * 0xCD9E8D57u,
        multiply_high(counter.x, 0xD2511F53u) ^ counter.w ^ key.y,
        counter.x * 0xD2511F53u,
    );
}

fn philox(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    let bump = vec2<u32>(0x9E3779B9u, 0xBB67AE85u);
    var c = philox_round(counter, key);
    c = philox_round(c, key + bump);
    c = philox_round(c, key + 2u * bump);
    c = philox_round(c, key + 3u * bump);
    c = philox_round(c, key + 4u * bump);
    c = philox_round(c, key + 5u * bump);
    c = philox_round(c, key + 6u * bump);
    c = philox_round(c, key + 7u * bump);
    c = philox_round(c, key + 8u * bump);
    return philox_round(c, key + 9u * bump);
}

// Uniform in (0, 1), never at an end: 23 bits and a half, which f32 holds exactly.
fn open_uniform(words: vec2<u32>) -> vec2<f32> {
    return (vec2<f32>(words >> vec2<u32>(9u)) + 0.5) * 0x1p-23;
}

// (cos, sin) of 2 pi u for u in [0, 1), by Taylor polynomials on an eighth of a turn. WGSL promises of its own
// sin and cos no more than 11 bits.
fn cos_sin_turn(u: vec2<f32>) -> vec4<f32> {
    let quarter = floor(4.0 * u + 0.5);
    let angle = (u - 0.25 * quarter) * 6.283185307179586;
    let square = angle * angle;
    let sine = angle * (1.0 + square * (-0.16666667 + square * (0.008333334 + square * (-0.00019841270 + square * 2.7557319e-6))));
    let cosine = 1.0 + square * (-0.5 + square * (0.041666668 + square * (-0.0013888889 + square * (2.4801587e-5 - square * 2.7557319e-7))));
    let turns = vec2<u32>(quarter) & vec2<u32>(3u);
    let swap = (turns & vec2<u32>(1u)) == vec2<u32>(1u);
    let cos_negative = (turns == vec2<u32>(1u)) | (turns == vec2<u32>(2u));
    let sin_negative = turns >= vec2<u32>(2u);
    let c = select(cosine, sine, swap);
    let s = select(sine, cosine, swap);
    return vec4<f32>(select(c, -c, cos_negative), select(s, -s, sin_negative));
}

// Four standard normal numbers from four words: Box and Muller (1958). Nothing lies past 5.8 deviations. The logarithm of a
// number next to 1 may come out above 0 on a device, and its root would be NaN.
fn normals(words: vec4<u32>) -> vec4<f32> {
    let radius = sqrt(max(-2.0 * log(open_uniform(words.xy)), vec2<f32>(0.0)));
    return vec4<f32>(radius, radius) * cos_sin_turn(open_uniform(words.zw));
}
