// Convolutions of feature maps, and their gradients. A window slides over the large maps L; the small maps S have one pixel
// for each position of it, and W one row for each channel of S.
//
//   conv_nt              S[(i, y, x), o] = activation(sum_ky,kx,c L[i, y STRIDE_Y + ky - TOP, x STRIDE_X + kx - LEFT, c]
//                                                     W[o, (ky, kx, c)] + bias[o])
//   conv_nt_gradient     the same without bias and activation: the gradient of the input of a transposed convolution
//   conv_nt_derivative   the same, times activation'(saved)
//   conv_nn              L[(i, y, x), c] = sum_ky,kx,o S[i, (y + TOP - ky) / STRIDE_Y, (x + LEFT - kx) / STRIDE_X, o]
//                                          W[o, (ky, kx, c)] where both quotients are whole: the gradient of the input
//   conv_nn_derivative   the same, times activation'(saved)
//   conv_nn_bias         activation(the same + bias[c]): a transposed convolution
//   conv_tn              W[o, (ky, kx, c)] = sum_i,y,x S[i, y, x, o] L[i, y STRIDE_Y + ky - TOP, x STRIDE_X + kx - LEFT, c]
//   .._packed            the same with packed output: pixels of an item follow each other without padding
//
// L is [items, LARGE_HEIGHT, LARGE_WIDTH, LARGE_PIXEL], S is [items, SMALL_HEIGHT, SMALL_WIDTH, SMALL_PIXEL]; an item starts
// each LARGE_ITEM and SMALL_ITEM elements. A row of W is [KERNEL_HEIGHT, KERNEL_WIDTH, LARGE_PIXEL], padded to whole vec4.
//
// import: layout, activation

override ROWS: u32; // nt: pixels of S; nn: pixels of L; tn: channels of S, padded
override COLUMNS: u32; // vec4 of channels of S (nt), of L (nn), in a row of W (tn)
override INNER: u32; // vec4 in a row of W (nt), of channels of S (nn), pixels of S (tn)
override ACTIVATION: u32;
override WIDTH: u32; // channels of the output without padding
override ACCUMULATE: bool; // add to the output instead of replacing it
override LARGE_HEIGHT: u32;
override LARGE_WIDTH: u32;
override LARGE_PIXEL: u32;
override LARGE_ITEM: u32;
override SMALL_HEIGHT: u32;
override SMALL_WIDTH: u32;
override SMALL_PIXEL: u32;
override SMALL_ITEM: u32;
override KERNEL_HEIGHT: u32;
override KERNEL_WIDTH: u32;
override STRIDE_Y: u32;
override STRIDE_X: u32;
override PADDING_TOP: u32;
override PADDING_LEFT: u32;

@group(0) @binding(1) var<storage, read> a_elements: array<f32>; // nt: L; nn, tn: S
@group(0) @binding(2) var<storage, read> b_elements: array<f32>; // nt, nn: W; tn: L
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>; // [COLUMNS]
@group(0) @binding(4) var<storage, read> saved: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(5) var<storage, read_write> output: array<vec4<f32>>; // [ROWS, COLUMNS]
@group(0) @binding(6) var<storage, read_write> output_elements: array<f32>; // packed S or L

const TILE_ROWS = 1u; // rows an invocation computes
const TILE_COLUMNS = 1u; // vec4 columns an invocation computes

fn row_of_weights() -> u32 {
    return (KERNEL_HEIGHT * KERNEL_WIDTH * LARGE_PIXEL + 3u) / 4u * 4u;
}

// A pixel of S, four of its channels.
fn sum_nt(row: u32, column: u32) -> vec4<f32> {
    let pixel = row % (SMALL_HEIGHT * SMALL_WIDTH);
    let item = row / (SMALL_HEIGHT * SMALL_WIDTH) * LARGE_ITEM;
    let top = i32(pixel / SMALL_WIDTH * STRIDE_Y) - i32(PADDING_TOP);
    let left = i32(pixel % SMALL_WIDTH * STRIDE_X) - i32(PADDING_LEFT);
    let stride = 4u * INNER;
    let start = (vec4<u32>(4u * column) + vec4<u32>(0u, 1u, 2u, 3u)) * stride;
    var total = vec4<f32>(0.0);
    for (var ky = 0u; ky < KERNEL_HEIGHT; ky++) {
        let y = top + i32(ky);
        for (var kx = 0u; kx < KERNEL_WIDTH; kx++) {
            let x = left + i32(kx);
            if y >= 0 && y < i32(LARGE_HEIGHT) && x >= 0 && x < i32(LARGE_WIDTH) {
                let a = item + (u32(y) * LARGE_WIDTH + u32(x)) * LARGE_PIXEL;
                let b = start + (ky * KERNEL_WIDTH + kx) * LARGE_PIXEL;
                for (var c = 0u; c < LARGE_PIXEL; c++) {
                    let w = vec4<f32>(b_elements[b.x + c], b_elements[b.y + c], b_elements[b.z + c], b_elements[b.w + c]);
                    total = fma(vec4<f32>(a_elements[a + c]), w, total);
                }
            }
        }
    }
    return total;
}

// A pixel of L, four of its channels.
fn sum_nn(row: u32, column: u32) -> vec4<f32> {
    let pixel = row % (LARGE_HEIGHT * LARGE_WIDTH);
    let item = row / (LARGE_HEIGHT * LARGE_WIDTH) * SMALL_ITEM;
    let bottom = pixel / LARGE_WIDTH + PADDING_TOP;
    let right = pixel % LARGE_WIDTH + PADDING_LEFT;
    let last = LARGE_PIXEL - 1u;
    let channel = min(vec4<u32>(4u * column) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(last));
    var total = vec4<f32>(0.0);
    for (var ky = 0u; ky < KERNEL_HEIGHT; ky++) {
        if ky <= bottom && (bottom - ky) % STRIDE_Y == 0u && (bottom - ky) / STRIDE_Y < SMALL_HEIGHT {
            let y = (bottom - ky) / STRIDE_Y;
            for (var kx = 0u; kx < KERNEL_WIDTH; kx++) {
                if kx <= right && (right - kx) % STRIDE_X == 0u && (right - kx) / STRIDE_X < SMALL_WIDTH {
                    let x = (right - kx) / STRIDE_X;
                    let a = item + (y * SMALL_WIDTH + x) * SMALL_PIXEL;
                    for (var o = 0u; o < SMALL_PIXEL; o++) {
                        let b = channel + o * row_of_weights() + (ky * KERNEL_WIDTH + kx) * LARGE_PIXEL;
                        let w = vec4<f32>(b_elements[b.x], b_elements[b.y], b_elements[b.z], b_elements[b.w]);
                        total = fma(vec4<f32>(a_elements[a + o]), w, total);
                    }
                }
            }
        }
    }
    return total;
}

fn store(row: u32, column: u32, value: vec4<f32>) {
    let at = row * COLUMNS + column;
    if ACCUMULATE {
        output[at] += value;
    } else {
        output[at] = value;
    }
}

fn finish(column: u32, total: vec4<f32>) -> vec4<f32> {
    return activation(ACTIVATION, total + bias[column]) * column_mask(column, WIDTH);
}

@compute @workgroup_size(8, 8)
fn conv_nt(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.y < ROWS && id.x < COLUMNS {
        output[id.y * COLUMNS + id.x] = finish(id.x, sum_nt(id.y, id.x));
    }
}

@compute @workgroup_size(8, 8)
fn conv_nt_packed(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.y >= ROWS || id.x >= COLUMNS {
        return;
    }
    let pixels = SMALL_HEIGHT * SMALL_WIDTH;
    let item = id.y / pixels * SMALL_ITEM;
    let at = item + id.y % pixels * SMALL_PIXEL;
    let value = finish(id.x, sum_nt(id.y, id.x));
    for (var i = 0u; i < min(4u, SMALL_PIXEL - 4u * id.x); i++) {
        output_elements[at + 4u * id.x + i] = value[i];
    }
    if id.y % pixels == 0u && id.x == 0u {
        for (var i = pixels * SMALL_PIXEL; i < SMALL_ITEM; i++) {
            output_elements[item + i] = 0.0;
        }
    }
}

@compute @workgroup_size(8, 8)
fn conv_nt_gradient(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.y < ROWS && id.x < COLUMNS {
        store(id.y, id.x, sum_nt(id.y, id.x));
    }
}

@compute @workgroup_size(8, 8)
fn conv_nt_derivative(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.y < ROWS && id.x < COLUMNS {
        let derivative = activation_derivative(ACTIVATION, saved[id.y * COLUMNS + id.x]);
        store(id.y, id.x, sum_nt(id.y, id.x) * derivative);
    }
}

@compute @workgroup_size(8, 8)
fn conv_nn(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.y < ROWS && id.x < COLUMNS {
        store(id.y, id.x, sum_nn(id.y, id.x));
    }
}

@compute @workgroup_size(8, 8)
fn conv_nn_derivative(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.y < ROWS && id.x < COLUMNS {
        let derivative = activation_derivative(ACTIVATION, saved[id.y * COLUMNS + id.x]);
        store(id.y, id.x, sum_nn(id.y, id.x) * derivative);
    }
}

@compute @workgroup_size(8, 8)
fn conv_nn_bias(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.y < ROWS && id.x < COLUMNS {
        output[id.y * COLUMNS + id.x] = finish(id.x, sum_nn(id.y, id.x));
    }
}

fn store_large_packed(row: u32, column: u32, value: vec4<f32>, accumulate: bool) {
    let pixels = LARGE_HEIGHT * LARGE_WIDTH;
    let item = row / pixels * LARGE_ITEM;
    let at = item + row % pixels * LARGE_PIXEL + 4u * column;
    for (var i = 0u; i < min(4u, LARGE_PIXEL - 4u * column); i++) {
        if accumulate {
            output_elements[at + i] += value[i];
        } else {
            output_elements[at + i] = value[i];
        }
    }
    if row % pixels == 0u && column == 0u {
        for (var i = pixels * LARGE_PIXEL; i < LARGE_ITEM; i++) {
            output_elements[item + i] = 0.0;
        }
    }
}

@compute @workgroup_size(8, 8)
fn conv_nn_bias_packed(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.y < ROWS && id.x < COLUMNS {
        store_large_packed(id.y, id.x, finish(id.x, sum_nn(id.y, id.x)), false);
    }
}

@compute @workgroup_size(8, 8)
fn conv_nn_packed(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.y < ROWS && id.x < COLUMNS {
        store_large_packed(id.y, id.x, sum_nn(id.y, id.x), ACCUMULATE);
    }
}

// One weight: the sum over all positions of the window.
fn sum_tn(o: u32, k: u32) -> f32 {
    if o >= SMALL_PIXEL || k >= KERNEL_HEIGHT * KERNEL_WIDTH * LARGE_PIXEL {
        return 0.0;
    }
    let tap = k / LARGE_PIXEL;
    let ky = i32(tap / KERNEL_WIDTH) - i32(PADDING_TOP);
    let kx = i32(tap % KERNEL_WIDTH) - i32(PADDING_LEFT);
    let pixels = SMALL_HEIGHT * SMALL_WIDTH;
    var total = 0.0;
    for (var row = 0u; row < INNER; row++) {
        let pixel = row % pixels;
        let item = row / pixels;
        let y = i32(pixel / SMALL_WIDTH * STRIDE_Y) + ky;
        let x = i32(pixel % SMALL_WIDTH * STRIDE_X) + kx;
        if y >= 0 && y < i32(LARGE_HEIGHT) && x >= 0 && x < i32(LARGE_WIDTH) {
            let a = item * SMALL_ITEM + pixel * SMALL_PIXEL + o;
            let b = item * LARGE_ITEM + (u32(y) * LARGE_WIDTH + u32(x)) * LARGE_PIXEL + k % LARGE_PIXEL;
            total = fma(a_elements[a], b_elements[b], total);
        }
    }
    return total;
}

@compute @workgroup_size(8, 8)
fn conv_tn(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.y < ROWS && id.x < COLUMNS {
        let k = 4u * id.x;
        store(id.y, id.x, vec4<f32>(sum_tn(id.y, k), sum_tn(id.y, k + 1u), sum_tn(id.y, k + 2u), sum_tn(id.y, k + 3u)));
    }
}
