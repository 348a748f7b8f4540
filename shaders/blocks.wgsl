// Sums over the rows of a matrix, however many there are: first over blocks of BLOCK rows, then over the blocks. Which
// numbers are added, and in which order, follows from the shape alone.
//
//   block_sums       partial[k, c] = sum of values[r, c] over the rows r of block k
//   block_products   partial[k, c] = sum of values[r, c] * factors[r, c]
//   add_blocks       total[c] = sum of values[r, c] over all rows; with ACCUMULATE total[c] += that
//
// import: step

override ROWS: u32;
override COLUMNS: u32; // vec4 in a row
override ACCUMULATE: bool;

const BLOCK = 64u; // rows of a block

@group(0) @binding(1) var<storage, read> values: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(2) var<storage, read> factors: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(3) var<storage, read_write> partial: array<vec4<f32>>; // [ceil(ROWS / BLOCK), COLUMNS]
@group(0) @binding(4) var<storage, read_write> total: array<vec4<f32>>; // [COLUMNS]

fn blocks() -> u32 {
    return (ROWS + BLOCK - 1u) / BLOCK;
}

@compute @workgroup_size(64)
fn block_sums(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= blocks() * COLUMNS {
        return;
    }
    let begin = i / COLUMNS * BLOCK;
    var sum = vec4<f32>(0.0);
    for (var row = begin; row < min(begin + BLOCK, ROWS); row += 1u) {
        sum += values[row * COLUMNS + i % COLUMNS];
    }
    partial[i] = sum;
}

@compute @workgroup_size(64)
fn block_products(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= blocks() * COLUMNS {
        return;
    }
    let begin = i / COLUMNS * BLOCK;
    var sum = vec4<f32>(0.0);
    for (var row = begin; row < min(begin + BLOCK, ROWS); row += 1u) {
        let at = row * COLUMNS + i % COLUMNS;
        sum = fma(values[at], factors[at], sum);
    }
    partial[i] = sum;
}

@compute @workgroup_size(64)
fn add_blocks(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let column = flat_index(id, workgroups, 64u);
    if column >= COLUMNS {
        return;
    }
    var sum = vec4<f32>(0.0);
    for (var row = 0u; row < ROWS; row += 1u) {
        sum += values[row * COLUMNS + column];
    }
    if ACCUMULATE {
        sum += total[column];
    }
    total[column] = sum;
}
