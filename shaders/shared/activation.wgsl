// Activation functions and their derivatives, four values at a time.
// The numbers are those of `Activation` in src/activation.rs.

const IDENTITY = 0u;
const TANH = 1u;
const RELU = 2u;
const LEAKY_RELU = 3u; // slope 0.01
const ELU = 4u; // alpha 1
const SOFTPLUS = 5u;
const SIGMOID = 6u;
const SILU = 7u;
const GELU = 8u;
const STEEP_LEAKY_RELU = 9u; // slope 0.2

// 1 / (1 + exp(-x)) with an exponent that is never positive.
fn sigmoid(x: vec4<f32>) -> vec4<f32> {
    let e = exp(-abs(x));
    return select(e, vec4<f32>(1.0), x >= vec4<f32>(0.0)) / (1.0 + e);
}

// The square root of the sigmoid, which is not 0 before exp(x / 2) is.
fn sigmoid_root(x: vec4<f32>) -> vec4<f32> {
    return exp(0.5 * min(x, vec4<f32>(0.0))) / sqrt(1.0 + exp(-abs(x)));
}

// log(1 + exp(x)) without overflow.
fn softplus(x: vec4<f32>) -> vec4<f32> {
    return max(x, vec4<f32>(0.0)) + log(1.0 + exp(-abs(x)));
}

// The probability that a standard normal number is below x: half the complementary error function of |x| / sqrt(2), or
// 1 less that. Its relative error is 1.2e-7. Source: Press et al., "Numerical Recipes in C" (1992), section 6.2.
fn normal_distribution(x: vec4<f32>) -> vec4<f32> {
    // From 20 on the tail is 0 in f32.
    let z = min(abs(x), vec4<f32>(20.0)) * 0.70710678;
    let t = 1.0 / (1.0 + 0.5 * z);
    let p = 0.09678418 + t * (-0.18628806 + t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223
        + t * 0.17087277)))));
    let tail = 0.5 * t * exp(-1.26551223 + t * (1.00002368 + t * (0.37409196 + t * p)) - z * z);
    return select(tail, 1.0 - tail, x > vec4<f32>(0.0));
}

// Kernels call these two in loops, with a constant of the pipeline as `kind`. There is no `switch` in them: compilers as weak
// as FXC fail on a `switch` inside a loop (gfx-rs/wgpu#5656), and each function has one end for the same reason.
fn activation(kind: u32, x: vec4<f32>) -> vec4<f32> {
    var y = x;
    if kind == TANH {
        // Some Metal drivers return NaN for the tanh of large numbers (tracel-ai/burn#520).
        y = tanh(clamp(x, vec4<f32>(-15.0), vec4<f32>(15.0)));
    } else if kind == RELU {
        y = max(x, vec4<f32>(0.0));
    } else if kind == LEAKY_RELU {
        y = max(x, 0.01 * x);
    } else if kind == STEEP_LEAKY_RELU {
        y = max(x, 0.2 * x);
    } else if kind == ELU {
        y = select(exp(min(x, vec4<f32>(0.0))) - 1.0, x, x > vec4<f32>(0.0));
    } else if kind == SOFTPLUS {
        y = softplus(x);
    } else if kind == SIGMOID {
        y = sigmoid(x);
    } else if kind == SILU {
        y = x * sigmoid(x);
    } else if kind == GELU {
        y = x * normal_distribution(x);
    }
    return y;
}

// The derivative, from the argument.
fn activation_slope(kind: u32, x: vec4<f32>) -> vec4<f32> {
    var y = x;
    if kind != SILU && kind != GELU {
        y = activation(kind, x);
    }
    return activation_derivative(kind, y);
}

// The derivative, from the function's value `y`; from its argument for SILU and GELU, whose values do
// not tell.
fn activation_derivative(kind: u32, y: vec4<f32>) -> vec4<f32> {
    var slope = vec4<f32>(1.0);
    if kind == TANH {
        slope = 1.0 - y * y;
    } else if kind == RELU {
        slope = select(vec4<f32>(0.0), vec4<f32>(1.0), y > vec4<f32>(0.0));
    } else if kind == LEAKY_RELU {
        slope = select(vec4<f32>(0.01), vec4<f32>(1.0), y > vec4<f32>(0.0));
    } else if kind == STEEP_LEAKY_RELU {
        slope = select(vec4<f32>(0.2), vec4<f32>(1.0), y > vec4<f32>(0.0));
    } else if kind == ELU {
        slope = select(y + 1.0, vec4<f32>(1.0), y > vec4<f32>(0.0));
    } else if kind == SOFTPLUS {
        slope = 1.0 - exp(-y);
    } else if kind == SIGMOID {
        slope = y * (1.0 - y);
    } else if kind == SILU {
        let s = sigmoid(y);
        slope = s * (1.0 + y * (1.0 - s));
    } else if kind == GELU {
        let near = clamp(y, vec4<f32>(-20.0), vec4<f32>(20.0));
        slope = normal_distribution(y) + y * exp(-0.5 * near * near) * 0.39894228;
    }
    return slope;
}
