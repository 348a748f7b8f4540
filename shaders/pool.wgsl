// Pooling and resizing of maps with one row a pixel. The large maps are those that a window slides over without padding; the
// small maps have a pixel for each position.
//
//   window_sum      small[i, y, x, c] = SCALE * sum over (ky, kx) of large[i, y * STRIDE_Y + ky, x * STRIDE_X + kx, c]
//   window_spread   large = the transpose of that map: each pixel of the small maps goes to all pixels of its window
//   space_to_depth  small[i, y, x, (c * F + fy) * F + fx] = large[i, y * F + fy, x * F + fx, c]: PyTorch's pixel_unshuffle
//   depth_to_space  the same from small to large: PyTorch's pixel_shuffle
//
// With ACCUMULATE the result is added. Average pooling is window_sum with SCALE = 1 / (KERNEL_HEIGHT * KERNEL_WIDTH), nearest
// upsampling is window_spread with SCALE = 1; the gradient of each is the other kernel.
//
// import: step

override ITEMS: u32;
override COLUMNS: u32; // vec4 in a pixel
override LARGE_HEIGHT: u32;
override LARGE_WIDTH: u32;
override SMALL_HEIGHT: u32;
override SMALL_WIDTH: u32;
override KERNEL_HEIGHT: u32;
override KERNEL_WIDTH: u32;
override STRIDE_Y: u32;
override STRIDE_X: u32;
override SCALE: f32;
override FACTOR: u32; // F
override CHANNELS: u32; // of the large maps
override ACCUMULATE: bool;

@group(0) @binding(1) var<storage, read> large: array<vec4<f32>>; // [ITEMS, LARGE_HEIGHT, LARGE_WIDTH, COLUMNS]
@group(0) @binding(2) var<storage, read_write> small_output: array<vec4<f32>>; // [ITEMS, SMALL_HEIGHT, SMALL_WIDTH, COLUMNS]
@group(0) @binding(3) var<storage, read> small: array<vec4<f32>>; // the same
@group(0) @binding(4) var<storage, read_write> large_output: array<vec4<f32>>; // as large
@group(0) @binding(5) var<storage, read> input: array<f32>; // maps of either size, by elements
@group(0) @binding(6) var<storage, read_write> output: array<f32>; // those of the other

@compute @workgroup_size(64)
fn window_sum(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= ITEMS * SMALL_HEIGHT * SMALL_WIDTH * COLUMNS {
        return;
    }
    let pixel = i / COLUMNS;
    let item = pixel / (SMALL_HEIGHT * SMALL_WIDTH);
    let top = item * LARGE_HEIGHT + pixel / SMALL_WIDTH % SMALL_HEIGHT * STRIDE_Y;
    let left = pixel % SMALL_WIDTH * STRIDE_X;
    var sum = vec4<f32>(0.0);
    for (var ky = 0u; ky < KERNEL_HEIGHT; ky += 1u) {
        for (var kx = 0u; kx < KERNEL_WIDTH; kx += 1u) {
            sum += large[((top + ky) * LARGE_WIDTH + left + kx) * COLUMNS + i % COLUMNS];
        }
    }
    sum *= SCALE;
    if ACCUMULATE {
        sum += small_output[i];
    }
    small_output[i] = sum;
}

@compute @workgroup_size(64)
fn window_spread(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= ITEMS * LARGE_HEIGHT * LARGE_WIDTH * COLUMNS {
        return;
    }
    let pixel = i / COLUMNS;
    let item = pixel / (LARGE_HEIGHT * LARGE_WIDTH);
    let y = pixel / LARGE_WIDTH % LARGE_HEIGHT;
    let x = pixel % LARGE_WIDTH;
    // Of the positions whose window holds the pixel, the last ones.
    let last_y = min(y / STRIDE_Y, SMALL_HEIGHT - 1u);
    let last_x = min(x / STRIDE_X, SMALL_WIDTH - 1u);
    var sum = vec4<f32>(0.0);
    for (var sy = last_y + 1u; sy > 0u && y - (sy - 1u) * STRIDE_Y < KERNEL_HEIGHT; sy -= 1u) {
        for (var sx = last_x + 1u; sx > 0u && x - (sx - 1u) * STRIDE_X < KERNEL_WIDTH; sx -= 1u) {
            sum += small[((item * SMALL_HEIGHT + sy - 1u) * SMALL_WIDTH + sx - 1u) * COLUMNS + i % COLUMNS];
        }
    }
    sum *= SCALE;
    if ACCUMULATE {
        sum += large_output[i];
    }
    large_output[i] = sum;
}

fn padded(channels: u32) -> u32 {
    return (channels + 3u) / 4u * 4u;
}

fn store(i: u32, value: f32) {
    if ACCUMULATE {
        output[i] += value;
    } else {
        output[i] = value;
    }
}

@compute @workgroup_size(64)
fn space_to_depth(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let deep = CHANNELS * FACTOR * FACTOR;
    if i >= ITEMS * SMALL_HEIGHT * SMALL_WIDTH * padded(deep) {
        return;
    }
    let pixel = i / padded(deep);
    let channel = i % padded(deep);
    var value = 0.0;
    if channel < deep {
        // An item has SMALL_HEIGHT * FACTOR lines, so that lines of all items are counted through.
        let y = pixel / SMALL_WIDTH * FACTOR + channel / FACTOR % FACTOR;
        let x = pixel % SMALL_WIDTH * FACTOR + channel % FACTOR;
        value = input[(y * SMALL_WIDTH * FACTOR + x) * padded(CHANNELS) + channel / (FACTOR * FACTOR)];
    }
    store(i, value);
}

@compute @workgroup_size(64)
fn depth_to_space(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let width = SMALL_WIDTH * FACTOR;
    if i >= ITEMS * SMALL_HEIGHT * FACTOR * width * padded(CHANNELS) {
        return;
    }
    let pixel = i / padded(CHANNELS);
    let channel = i % padded(CHANNELS);
    var value = 0.0;
    if channel < CHANNELS {
        let y = pixel / width;
        let x = pixel % width;
        let deep = (channel * FACTOR + y % FACTOR) * FACTOR + x % FACTOR;
        value = input[(y / FACTOR * SMALL_WIDTH + x / FACTOR) * padded(CHANNELS * FACTOR * FACTOR) + deep];
    }
    store(i, value);
}
