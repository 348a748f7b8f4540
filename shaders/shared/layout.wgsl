// Matrices are stored row by row in vec4, rows padded to whole vec4. Padding is always zero: whoever writes a
// matrix writes zeros there, so that sums and products over whole rows need no edge cases.

// 1 where element i of the vec4 at position `column` (within a section) is a real column, 0 in the padding.
fn column_mask(column: u32, width: u32) -> vec4<f32> {
    return select(vec4<f32>(0.0), vec4<f32>(1.0), vec4<u32>(4u * column) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(width));
}
