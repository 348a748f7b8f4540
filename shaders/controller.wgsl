// A small network for each car, whose weights a search finds: actions a of features f (Ha and Schmidhuber 2018, arXiv 1803.10122).
//
//   controller   a = tanh(b + f W), ACTIONS numbers; with HIDDEN units in between h = tanh(c + f V), a = tanh(b + h W)
//
// A car's weights are b, then W of FEATURES rows with ACTIONS columns; with hidden units c, V of FEATURES rows with HIDDEN columns, b,
// then W of HIDDEN rows with ACTIONS columns.
//
// import: step

override CARS: u32;
override FEATURES: u32;
override FEATURE_STRIDE: u32; // elements of a row of features, padding included
override WEIGHT_STRIDE: u32; // the same of weights
override HIDDEN: u32; // 0: no hidden layer
override ACTIONS: u32;
override ACTION_STRIDE: u32;

@group(0) @binding(1) var<storage, read> features: array<f32>; // [CARS, FEATURE_STRIDE]
@group(0) @binding(2) var<storage, read> weights: array<f32>; // [CARS, WEIGHT_STRIDE]
@group(0) @binding(3) var<storage, read_write> actions: array<f32>; // [CARS, ACTION_STRIDE]

// Output `column` of `columns` of the layer whose weights begin at `begin`, of the features that begin at `first`. Some Metal drivers
// return NaN for the tanh of large numbers (tracel-ai/burn#520).
fn of_features(first: u32, begin: u32, column: u32, columns: u32) -> f32 {
    var sum = weights[begin + column];
    for (var j = 0u; j < FEATURES; j++) {
        sum += features[first + j] * weights[begin + (j + 1u) * columns + column];
    }
    return tanh(clamp(sum, -15.0, 15.0));
}

@compute @workgroup_size(64)
fn controller(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= CARS * ACTION_STRIDE {
        return;
    }
    let car = i / ACTION_STRIDE;
    let action = i % ACTION_STRIDE;
    let first = car * FEATURE_STRIDE;
    let begin = car * WEIGHT_STRIDE;
    var value = 0.0;
    if action < ACTIONS {
        if HIDDEN == 0u {
            value = of_features(first, begin, action, ACTIONS);
        } else {
            // Each action computes all hidden units again: they are few.
            let second = begin + (FEATURES + 1u) * HIDDEN;
            var sum = weights[second + action];
            for (var unit = 0u; unit < HIDDEN; unit++) {
                sum += of_features(first, begin, unit, HIDDEN) * weights[second + (unit + 1u) * ACTIONS + action];
            }
            value = tanh(clamp(sum, -15.0, 15.0));
        }
    }
    actions[i] = value;
}
