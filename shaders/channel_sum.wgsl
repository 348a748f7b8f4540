// Sums of packed feature maps over their pixels: the first stage of the gradient of a bias.
//
//   channel_sum   sums[(item, part), c] = sum over the pixels of part number `part` of maps[item, pixel, c]
//
// A part is PART pixels of an item, so that no invocation loops over a whole image.
//
// import: step

override ROWS: u32; // rows of `sums`
override COLUMNS: u32; // vec4 in a row of `sums`
override PARTS: u32; // parts of an item
override PIXELS: u32; // pixels of an item
override PIXEL: u32; // channels
override ITEM: u32; // elements from one item to the next

@group(0) @binding(1) var<storage, read> maps: array<f32>; // [items, ITEM]
@group(0) @binding(2) var<storage, read_write> sums: array<vec4<f32>>; // [ROWS, COLUMNS]

const PART = 256u; // pixels that are added by one invocation

@compute @workgroup_size(64)
fn channel_sum(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= ROWS * COLUMNS {
        return;
    }
    let row = i / COLUMNS;
    let channel = i % COLUMNS * 4u;
    let first = row % PARTS * PART;
    let item = row / PARTS * ITEM + channel;
    var total = vec4<f32>(0.0);
    for (var pixel = first; pixel < min(first + PART, PIXELS); pixel++) {
        for (var c = 0u; c < min(4u, PIXEL - channel); c++) {
            total[c] += maps[item + pixel * PIXEL + c];
        }
    }
    sums[i] = total;
}
