// Activation functions and their derivatives, four values at a time.
// The numbers are those of `Activation` in src/graph/activation.rs.

const IDENTITY = 0u;
const TANH = 1u;
const RELU = 2u;
const LEAKY_RELU = 3u; // slope 0.01
const ELU = 4u; // alpha 1
const SOFTPLUS = 5u;
const SIGMOID = 6u;
const SILU = 7u;
const GELU = 8u;

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

fn activation(kind: u32, x: vec4<f32>) -> vec4<f32> {
    switch kind {
        // Some Metal drivers return NaN for the tanh of large numbers (tracel-ai/burn#520).
        case TANH: { return tanh(clamp(x, vec4<f32>(-15.0), vec4<f32>(15.0))); }
        case RELU: { return max(x, vec4<f32>(0.0)); }
        case LEAKY_RELU: { return max(x, 0.01 * x); }
        case ELU: { return select(exp(min(x, vec4<f32>(0.0))) - 1.0, x, x > vec4<f32>(0.0)); }
        case SOFTPLUS: { return softplus(x); }
        case SIGMOID: { return sigmoid(x); }
        case SILU: { return x * sigmoid(x); }
        case GELU: { return x * normal_distribution(x); }
        default: { return x; }
    }
}

// The derivative, from the argument.
fn activation_slope(kind: u32, x: vec4<f32>) -> vec4<f32> {
    if kind == IDENTITY || kind == SILU || kind == GELU {
        return activation_derivative(kind, x);
    }
    return activation_derivative(kind, activation(kind, x));
}

// The derivative, from the function's value `y`; from its argument for SILU and GELU, whose values do
// not tell.
fn activation_derivative(kind: u32, y: vec4<f32>) -> vec4<f32> {
    switch kind {
        case TANH: { return 1.0 - y * y; }
        case RELU: { return select(vec4<f32>(0.0), vec4<f32>(1.0), y > vec4<f32>(0.0)); }
        case LEAKY_RELU: { return select(vec4<f32>(0.01), vec4<f32>(1.0), y > vec4<f32>(0.0)); }
        case ELU: { return select(y + 1.0, vec4<f32>(1.0), y > vec4<f32>(0.0)); }
        case SOFTPLUS: { return 1.0 - exp(-y); }
        case SIGMOID: { return y * (1.0 - y); }
        case SILU: {
            let s = sigmoid(y);
            return s * (1.0 + y * (1.0 - s));
        }
        case GELU: {
            let near = clamp(y, vec4<f32>(-20.0), vec4<f32>(20.0));
            return normal_distribution(y) + y * exp(-0.5 * near * near) * 0.39894228;
        }
        default: { return vec4<f32>(1.0); }
    }
}
