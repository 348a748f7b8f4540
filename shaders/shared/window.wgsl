// How the window of a convolution slides over feature maps.
//
// Large maps [items, LARGE_HEIGHT, LARGE_WIDTH, channels] are those that the window slides over; small maps [items,
// SMALL_HEIGHT, SMALL_WIDTH, channels] have one pixel for each position of the window. Weights are one row for each
// channel of the small maps: [small channels, KERNEL_HEIGHT, KERNEL_WIDTH, large channels].
//
// Small pixel (y, x) and tap (ky, kx) of the window belong to large pixel (y * STRIDE_Y + ky - PADDING_TOP,
// x * STRIDE_X + kx - PADDING_LEFT), where there is one. Coordinates left or above of the maps wrap around to large
// numbers, so that one comparison finds all that lie outside.
//
// The taps of a row of the window lie side by side in the large maps, and in a row of weights: a *run* of elements.

override LARGE_HEIGHT: u32;
override LARGE_WIDTH: u32;
override LARGE_PIXEL: u32; // elements from a pixel to the next: its channels, padded to whole vec4 unless they are packed
override LARGE_ITEM: u32; // elements from an item to the next
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

// Elements of a run.
fn run_length() -> u32 {
    return KERNEL_WIDTH * LARGE_PIXEL;
}

// Whether some window reaches beyond the large maps.
fn reaches_out() -> bool {
    return PADDING_TOP + PADDING_LEFT > 0u
        || (SMALL_HEIGHT - 1u) * STRIDE_Y + KERNEL_HEIGHT > LARGE_HEIGHT
        || (SMALL_WIDTH - 1u) * STRIDE_X + KERNEL_WIDTH > LARGE_WIDTH;
}
