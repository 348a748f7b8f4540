// Depthwise convolution (PyTorch's Conv2d with as many groups as channels) of maps with one row a pixel: each channel has
// one window. The large maps are those that the window slides over; the small maps have a pixel for each position.
//
//   depthwise         small[i, y, x, c] = sum over (ky, kx) of weight[ky, kx, c]
//                                         * large[i, y * STRIDE_Y + ky - PADDING_TOP, x * STRIDE_X + kx - PADDING_LEFT, c]
//   depthwise_input   large_gradient: the transpose of that map; with ACCUMULATE it is added
//   depthwise_weight  partial[k, ky, kx, c] = the gradient of weight over block k of BLOCK pixels of the small maps
//
// Pixels outside of the large maps are 0. Sums of partial gradients follow in blocks.wgsl.
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
override PADDING_TOP: u32;
override PADDING_LEFT: u32;
override ACCUMULATE: bool;

const BLOCK = 256u; // pixels of a block

@group(0) @binding(1) var<storage, read> large: array<vec4<f32>>; // [ITEMS, LARGE_HEIGHT, LARGE_WIDTH, COLUMNS]
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>; // [KERNEL_HEIGHT, KERNEL_WIDTH, COLUMNS]
@group(0) @binding(3) var<storage, read_write> small: array<vec4<f32>>; // [ITEMS, SMALL_HEIGHT, SMALL_WIDTH, COLUMNS]
@group(0) @binding(4) var<storage, read> small_gradient: array<vec4<f32>>; // the same
@group(0) @binding(5) var<storage, read_write> large_gradient: array<vec4<f32>>; // as large
@group(0) @binding(6) var<storage, read_write> partial: array<vec4<f32>>; // [blocks, KERNEL_HEIGHT, KERNEL_WIDTH, COLUMNS]

@compute @workgroup_size(64)
fn depthwise(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= ITEMS * SMALL_HEIGHT * SMALL_WIDTH * COLUMNS {
        return;
    }
    let column = i % COLUMNS;
    let pixel = i / COLUMNS;
    let item = pixel / (SMALL_HEIGHT * SMALL_WIDTH);
    // Above and left of the maps these wrap around to numbers larger than any size.
    let top = pixel / SMALL_WIDTH % SMALL_HEIGHT * STRIDE_Y - PADDING_TOP;
    let left = pixel % SMALL_WIDTH * STRIDE_X - PADDING_LEFT;
    var sum = vec4<f32>(0.0);
    for (var ky = 0u; ky < KERNEL_HEIGHT; ky += 1u) {
        let y = top + ky;
        if y < LARGE_HEIGHT {
            let line = (item * LARGE_HEIGHT + y) * LARGE_WIDTH;
            for (var kx = 0u; kx < KERNEL_WIDTH; kx += 1u) {
                let x = left + kx;
                if x < LARGE_WIDTH {
                    let factor = weight[(ky * KERNEL_WIDTH + kx) * COLUMNS + column];
                    sum = fma(factor, large[(line + x) * COLUMNS + column], sum);
                }
            }
        }
    }
    small[i] = sum;
}

@compute @workgroup_size(64)
fn depthwise_input(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= ITEMS * LARGE_HEIGHT * LARGE_WIDTH * COLUMNS {
        return;
    }
    let column = i % COLUMNS;
    let pixel = i / COLUMNS;
    let item = pixel / (LARGE_HEIGHT * LARGE_WIDTH);
    let y = pixel / LARGE_WIDTH % LARGE_HEIGHT + PADDING_TOP;
    let x = pixel % LARGE_WIDTH + PADDING_LEFT;
    var sum = vec4<f32>(0.0);
    for (var ky = 0u; ky < KERNEL_HEIGHT; ky += 1u) {
        // The position of the window whose row ky lies on this pixel, if there is one.
        if y >= ky && (y - ky) % STRIDE_Y == 0u && (y - ky) / STRIDE_Y < SMALL_HEIGHT {
            let line = (item * SMALL_HEIGHT + (y - ky) / STRIDE_Y) * SMALL_WIDTH;
            for (var kx = 0u; kx < KERNEL_WIDTH; kx += 1u) {
                if x >= kx && (x - kx) % STRIDE_X == 0u && (x - kx) / STRIDE_X < SMALL_WIDTH {
                    let factor = weight[(ky * KERNEL_WIDTH + kx) * COLUMNS + column];
                    sum = fma(factor, small_gradient[(line + (x - kx) / STRIDE_X) * COLUMNS + column], sum);
                }
            }
        }
    }
    if ACCUMULATE {
        sum += large_gradient[i];
    }
    large_gradient[i] = sum;
}

@compute @workgroup_size(64)
fn depthwise_weight(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    let pixels = ITEMS * SMALL_HEIGHT * SMALL_WIDTH;
    let blocks = (pixels + BLOCK - 1u) / BLOCK;
    if i >= blocks * KERNEL_HEIGHT * KERNEL_WIDTH * COLUMNS {
        return;
    }
    let column = i % COLUMNS;
    let kx = i / COLUMNS % KERNEL_WIDTH;
    let ky = i / COLUMNS / KERNEL_WIDTH % KERNEL_HEIGHT;
    let begin = i / (COLUMNS * KERNEL_WIDTH * KERNEL_HEIGHT) * BLOCK;
    var sum = vec4<f32>(0.0);
    for (var pixel = begin; pixel < min(begin + BLOCK, pixels); pixel += 1u) {
        let item = pixel / (SMALL_HEIGHT * SMALL_WIDTH);
        let y = pixel / SMALL_WIDTH % SMALL_HEIGHT * STRIDE_Y + ky - PADDING_TOP;
        let x = pixel % SMALL_WIDTH * STRIDE_X + kx - PADDING_LEFT;
        if y < LARGE_HEIGHT && x < LARGE_WIDTH {
            let at = ((item * LARGE_HEIGHT + y) * LARGE_WIDTH + x) * COLUMNS + column;
            sum = fma(small_gradient[pixel * COLUMNS + column], large[at], sum);
        }
    }
    partial[i] = sum;
}
