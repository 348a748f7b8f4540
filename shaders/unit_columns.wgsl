// Columns of length 1, as the decoder of a sparse autoencoder has them (Gao et al., arXiv 2406.04093, appendix A).
//
//   unit_columns      weight[:, j] /= its length; a column of zeros stays
//   project_columns   g[:, j] -= (g[:, j] . w[:, j]) / (w[:, j] . w[:, j]) w[:, j], of the gradient g: what would change only
//                     the length
//
// An invocation has a vec4 of columns.
//
// import: step

override ROWS: u32;
override COLUMNS: u32; // vec4 in a row

@group(0) @binding(1) var<storage, read_write> weight: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(2) var<storage, read> saved: array<vec4<f32>>; // [ROWS, COLUMNS]: w
@group(0) @binding(3) var<storage, read_write> gradient: array<vec4<f32>>; // [ROWS, COLUMNS]

@compute @workgroup_size(64)
fn unit_columns(@builtin(global_invocation_id) id: vec3<u32>) {
    let column = id.x;
    if column >= COLUMNS {
        return;
    }
    var sum = vec4<f32>(0.0);
    for (var i = column; i < ROWS * COLUMNS; i += COLUMNS) {
        sum += weight[i] * weight[i];
    }
    var length = sqrt(sum);
    for (var lane = 0u; lane < 4u; lane++) {
        if length[lane] == 0.0 {
            length[lane] = 1.0;
        }
    }
    for (var i = column; i < ROWS * COLUMNS; i += COLUMNS) {
        weight[i] /= length;
    }
}

@compute @workgroup_size(64)
fn project_columns(@builtin(global_invocation_id) id: vec3<u32>) {
    let column = id.x;
    if column >= COLUMNS {
        return;
    }
    var product = vec4<f32>(0.0);
    var square = vec4<f32>(0.0);
    for (var i = column; i < ROWS * COLUMNS; i += COLUMNS) {
        product += gradient[i] * saved[i];
        square += saved[i] * saved[i];
    }
    for (var lane = 0u; lane < 4u; lane++) {
        if square[lane] == 0.0 {
            square[lane] = 1.0;
        }
    }
    for (var i = column; i < ROWS * COLUMNS; i += COLUMNS) {
        gradient[i] -= product / square * saved[i];
    }
}
