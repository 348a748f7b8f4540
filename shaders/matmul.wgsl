// Matrix products of a linear layer y = x W^T + b and of its gradients.
//
//   matmul_nt              output[m, n] = activation(sum_k a[m, k] b[n, k] + bias[n])
//   matmul_nn              output[m, n] = sum_k a[m, k] b[k, n]
//   matmul_nn_derivative   the same, times activation'(saved[m, n])
//   matmul_tn              output[m, n] = sum_k a[k, m] b[k, n]
//   matmul_tn_bias         the same, and output[BIAS_START + m] = sum_k a[k, m]: a layer's weights and bias at once
//   column_sum             output[n]    = sum_k a[k, n]
//
// Every matrix is row-major in vec4 (shared/layout.wgsl). An invocation computes 8 rows by 2 vec4 of the output in
// registers (shared/matmul_registers.wgsl).
//
// import: step, layout, activation, matmul_registers

override ACTIVATION: u32;
override SECTION: u32; // vec4 in a section of a row: a layer's output may hold several matrices side by side
override WIDTH: u32; // real columns in a section; the rest is padding
override BIAS_START: u32; // vec4 from the start of `output` to the bias
override ACCUMULATE: bool; // add to `output` instead of replacing it

@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>; // [COLUMNS]
@group(0) @binding(4) var<storage, read> saved: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(7) var<storage, read_write> output: array<vec4<f32>>; // [ROWS, COLUMNS]

fn store(row: u32, column: u32, value: vec4<f32>) {
    let at = row * COLUMNS + column;
    if ACCUMULATE {
        output[at] += value;
    } else {
        output[at] = value;
    }
}

fn finish_nt(row: u32, column: u32, sum: vec4<f32>) {
    output[row * COLUMNS + column] =
        activation(ACTIVATION, sum + bias[column]) * column_mask(column % SECTION, WIDTH);
}

fn finish_derivative(row: u32, column: u32, sum: vec4<f32>) {
    store(row, column, sum * activation_derivative(ACTIVATION, saved[row * COLUMNS + column]));
}

@compute @workgroup_size(8, 8)
fn matmul_nt(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y * TILE_ROWS;
    let left = id.x * TILE_COLUMNS;
    if row >= ROWS || left >= COLUMNS {
        return;
    }
    let t = product_nt(row, left, 0u, 4u * INNER);
    var values = in_order(t);
    for (var c = 0u; c < min(TILE_COLUMNS, COLUMNS - left); c++) {
        for (var r = 0u; r < min(TILE_ROWS, ROWS - row); r++) {
            finish_nt(row + r, left + c, values[TILE_ROWS * c + r]);
        }
    }
}

fn store_tile(row: u32, left: u32, t: Tile) {
    var values = in_order(t);
    for (var c = 0u; c < min(TILE_COLUMNS, COLUMNS - left); c++) {
        for (var r = 0u; r < min(TILE_ROWS, ROWS - row); r++) {
            store(row + r, left + c, values[TILE_ROWS * c + r]);
        }
    }
}

@compute @workgroup_size(8, 8)
fn matmul_nn(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y * TILE_ROWS;
    let left = id.x * TILE_COLUMNS;
    if row < ROWS && left < COLUMNS {
        store_tile(row, left, product_nn(row, left, 0u, 4u * INNER));
    }
}

@compute @workgroup_size(8, 8)
fn matmul_nn_derivative(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y * TILE_ROWS;
    let left = id.x * TILE_COLUMNS;
    if row >= ROWS || left >= COLUMNS {
        return;
    }
    let t = product_nn(row, left, 0u, 4u * INNER);
    var values = in_order(t);
    for (var c = 0u; c < min(TILE_COLUMNS, COLUMNS - left); c++) {
        for (var r = 0u; r < min(TILE_ROWS, ROWS - row); r++) {
            finish_derivative(row + r, left + c, values[TILE_ROWS * c + r]);
        }
    }
}

@compute @workgroup_size(8, 8)
fn matmul_tn(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y * TILE_ROWS;
    let left = id.x * TILE_COLUMNS;
    if row < ROWS && left < COLUMNS {
        store_tile(row, left, product_tn(row, left, 0u, INNER));
    }
}

// Column `column` of a, summed, to vec4 number `at` of the output.
fn store_column_sum(column: u32, stride: u32, at: u32) {
    let sum = sum_of_column(column, stride, 0u, INNER);
    if ACCUMULATE {
        output[at] += sum;
    } else {
        output[at] = sum;
    }
}

@compute @workgroup_size(8, 8)
fn matmul_tn_bias(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y * TILE_ROWS;
    let left = id.x * TILE_COLUMNS;
    if row >= ROWS || left >= COLUMNS {
        return;
    }
    store_tile(row, left, product_tn(row, left, 0u, INNER));
    // Each invocation at the left edge sums its few rows of a.
    if left == 0u {
        for (var column = row / 4u; column < min(row + TILE_ROWS, ROWS) / 4u; column++) {
            store_column_sum(column, ROWS / 4u, BIAS_START + column);
        }
    }
}

@compute @workgroup_size(64)
fn column_sum(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < COLUMNS {
        store_column_sum(id.x, COLUMNS, id.x);
    }
}
