// Columns and rows of matrices in another order or width.
//
//   put_columns  whole[r, FROM + c] = part[r, c] for c < WIDTH, and 0 for the other c < COVER: padding, or nothing
//   repack       output = the elements of `input` in their order, in rows of another width; with ACCUMULATE they are added
//
// import: step

override ROWS: u32;
override WIDTH: u32; // columns of `part`; of a row of `output`
override PART: u32; // elements in a row of `part`, padding included
override WHOLE: u32; // elements in a row of `whole`, padding included
override FROM: u32; // the column of `whole` that is the first of `part`
override COVER: u32; // elements of a row of `whole` to write
override INPUT_WIDTH: u32; // columns in a row of `input`
override INPUT_STRIDE: u32; // the same with padding
override STRIDE: u32; // elements in a row of `output`, padding included
override ACCUMULATE: bool;

@group(0) @binding(1) var<storage, read> part: array<f32>; // [ROWS, PART]
@group(0) @binding(2) var<storage, read_write> whole: array<f32>; // [ROWS, WHOLE]
@group(0) @binding(3) var<storage, read> input: array<f32>; // [ROWS * WIDTH / INPUT_WIDTH, INPUT_STRIDE]
@group(0) @binding(4) var<storage, read_write> output: array<f32>; // [ROWS, STRIDE]

@compute @workgroup_size(64)
fn put_columns(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= ROWS * COVER {
        return;
    }
    var value = 0.0;
    if i % COVER < WIDTH {
        value = part[i / COVER * PART + i % COVER];
    }
    whole[i / COVER * WHOLE + FROM + i % COVER] = value;
}

@compute @workgroup_size(64)
fn repack(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= ROWS * STRIDE {
        return;
    }
    var value = 0.0;
    if i % STRIDE < WIDTH {
        let element = i / STRIDE * WIDTH + i % STRIDE;
        value = input[element / INPUT_WIDTH * INPUT_STRIDE + element % INPUT_WIDTH];
    }
    if ACCUMULATE {
        value += output[i];
    }
    output[i] = value;
}
