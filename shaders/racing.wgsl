// Frames of the racing environment from the words of a scene and of its road (src/scene.rs): a thread a pixel, by inverse
// transform.
//
//   racing_list     the quadrilaterals in view, in drawing order: corners in whole points of the window, and a colour
//   racing_picture  the upper 84 rows of the window at 96x96 pixels: each pixel from 4x4 samples, or from one
//   racing_frame    these resized to 64x64, as PIL's bilinear filter does: in fixed-point numbers, rows first
//
// A sample (x, y) is within the edge from (x1, y1) to (x2, y2) of a quadrilateral that turns left where
//   2 (a (x - x1) + b (y - y1)) + max(|a|, |b|) >= 0,  a = y1 - y2,  b = x2 - x1:
// up to half a point outside, as pygame fills polygons and smooths their edges; without the maximum where a pixel has one sample.
// pygame's smoothscale averages rows, then columns, and loses up to 1 of 255 each time. From the list on all numbers are whole,
// so that every device draws the same frame.
//
// import: step

override CARS: u32;

@group(0) @binding(1) var<storage, read> scene: array<f32>; // [CARS, SCENE_WORDS]
@group(0) @binding(2) var<storage, read> road: array<f32>; // [CARS, ROAD_WORDS]
@group(0) @binding(3) var<storage, read_write> list: array<f32>; // [CARS, LIST_WORDS]
@group(0) @binding(4) var<storage, read> list_used: array<f32>; // the same
@group(0) @binding(5) var<storage, read_write> picture: array<f32>; // [CARS, ROWS, WINDOW], colours as 0xrrggbb
@group(0) @binding(6) var<storage, read> picture_used: array<f32>; // the same
@group(0) @binding(7) var<storage, read_write> frame: array<f32>; // [CARS, FRAME, FRAME, 3], from 0 to 1

// As in src/scene.rs; a test compares them.
const TILES = 512u;
const TILE_WORDS = 20u;
const ROAD_HEAD = 4u;
const ROAD_WORDS = 10244u;
const QUAD_WORDS = 9u;
const CAMERA_WORDS = 8u;
const CAR_QUADS = 14u;
const TOUCHED = 134u;
const SCENE_WORDS = 168u;
const SQUARES = 20u;
const QUADS = 1439u;
const LIST_WORDS = 12952u;
const GRASS = 6736998u;
const LIGHT_GRASS = 6743654u;
const ROAD = 6710886u;
const WINDOW = 96u;
const ROWS = 84u;
const FRAME = 64u;

const FIELD = 333.33334;
const BEFORE_TILES = 1u + SQUARES * SQUARES;
const BEFORE_CAR = BEFORE_TILES + 2u * TILES;

// Corners (x, y) 0 and 1, then 2 and 3; a negative colour for an absent one.
struct Quad {
    near: vec4<f32>,
    far: vec4<f32>,
    colour: f32,
}

// The point of the window that shows (x, y), without its fraction.
fn point(at: u32, x: f32, y: f32) -> vec2<f32> {
    let dx = x - scene[at + 3u];
    let dy = y - scene[at + 4u];
    let across = (scene[at] * dx - scene[at + 1u] * dy) * scene[at + 2u] + scene[at + 5u] * 0.5;
    let up = (scene[at + 1u] * dx + scene[at] * dy) * scene[at + 2u] + scene[at + 6u] * 0.25;
    return vec2<f32>(trunc(across), trunc(up));
}

fn rectangle(at: u32, x: f32, y: f32, side: f32, colour: f32) -> Quad {
    let near = vec4<f32>(point(at, x + side, y), point(at, x, y));
    return Quad(near, vec4<f32>(point(at, x, y + side), point(at, x + side, y + side)), colour);
}

fn from_road(at: u32, begin: u32, colour: f32) -> Quad {
    let near = vec4<f32>(point(at, road[begin], road[begin + 1u]), point(at, road[begin + 2u], road[begin + 3u]));
    let far = vec4<f32>(point(at, road[begin + 4u], road[begin + 5u]), point(at, road[begin + 6u], road[begin + 7u]));
    return Quad(near, far, colour);
}

// Quadrilateral `number` of QUADS: field, squares, tiles each with its kerb, car.
fn candidate(car: u32, number: u32) -> Quad {
    let at = car * SCENE_WORDS;
    if number == 0u {
        return rectangle(at, -FIELD, -FIELD, 2.0 * FIELD, f32(GRASS));
    }
    if number < BEFORE_TILES {
        let side = FIELD / f32(SQUARES);
        let x = 2.0 * side * f32((number - 1u) / SQUARES) - FIELD;
        return rectangle(at, x, 2.0 * side * f32((number - 1u) % SQUARES) - FIELD, side, f32(LIGHT_GRASS));
    }
    if number < BEFORE_CAR {
        let tile = (number - BEFORE_TILES) / 2u;
        let begin = car * ROAD_WORDS + ROAD_HEAD + tile * TILE_WORDS;
        if tile >= u32(road[car * ROAD_WORDS]) {
            return Quad(vec4<f32>(0.0), vec4<f32>(0.0), -1.0);
        }
        if (number - BEFORE_TILES) % 2u == 1u {
            return from_road(at, begin + 8u, road[begin + 17u]);
        }
        let touched = (u32(scene[at + TOUCHED + tile / 16u]) >> (tile % 16u)) & 1u;
        if touched == 1u {
            return from_road(at, begin, f32(ROAD));
        }
        return from_road(at, begin, road[begin + 16u]);
    }
    if number < QUADS {
        let begin = at + CAMERA_WORDS + (number - BEFORE_CAR) * QUAD_WORDS;
        let near = vec4<f32>(scene[begin], scene[begin + 1u], scene[begin + 2u], scene[begin + 3u]);
        let far = vec4<f32>(scene[begin + 4u], scene[begin + 5u], scene[begin + 6u], scene[begin + 7u]);
        return Quad(near, far, scene[begin + 8u]);
    }
    return Quad(vec4<f32>(0.0), vec4<f32>(0.0), -1.0);
}

var<workgroup> masks: array<atomic<u32>, 8>;

// Of the lanes of a workgroup that wanted a place, those before `lane`, and all of them.
fn places(lane: u32) -> vec2<u32> {
    var before = 0u;
    var total = 0u;
    for (var word = 0u; word < 8u; word++) {
        let bits = atomicLoad(&masks[word]);
        total += countOneBits(bits);
        if word < lane / 32u {
            before += countOneBits(bits);
        } else if word == lane / 32u {
            before += countOneBits(bits & ((1u << (lane % 32u)) - 1u));
        }
    }
    return vec2<u32>(before, total);
}

@compute @workgroup_size(256)
fn racing_list(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let row = workgroup.y * workgroups.x + workgroup.x;
    let car = min(row, CARS - 1u);
    let size = vec2<f32>(scene[car * SCENE_WORDS + 5u], scene[car * SCENE_WORDS + 6u]);
    var count = 0u;
    for (var begin = 0u; begin < QUADS; begin += 256u) {
        if lane < 8u {
            atomicStore(&masks[lane], 0u);
        }
        workgroupBarrier();
        let quad = candidate(car, begin + lane);
        let low = min(min(quad.near.xy, quad.near.zw), min(quad.far.xy, quad.far.zw));
        let high = max(max(quad.near.xy, quad.near.zw), max(quad.far.xy, quad.far.zw));
        let shown = quad.colour >= 0.0 && all(high >= vec2<f32>(-1.0)) && all(low <= size);
        if shown {
            atomicOr(&masks[lane / 32u], 1u << (lane % 32u));
        }
        workgroupBarrier();
        let found = places(lane);
        if shown && row < CARS {
            let at = car * LIST_WORDS + 1u + (count + found.x) * QUAD_WORDS;
            list[at] = quad.near.x;
            list[at + 1u] = quad.near.y;
            list[at + 2u] = quad.near.z;
            list[at + 3u] = quad.near.w;
            list[at + 4u] = quad.far.x;
            list[at + 5u] = quad.far.y;
            list[at + 6u] = quad.far.z;
            list[at + 7u] = quad.far.w;
            list[at + 8u] = quad.colour;
        }
        count += found.y;
        workgroupBarrier();
    }
    if lane == 0u && row < CARS {
        list[car * LIST_WORDS] = f32(count);
    }
}

// Pixels of a workgroup.
const BLOCK_COLUMNS = 16u;
const BLOCK_ROWS = 12u;
const LANES = 192u;
const BLOCKS_ACROSS = 6u;
const BLOCKS = 42u; // of a picture

// The quadrilaterals that a block may show: corners, least and greatest x and y with a margin, colours.
var<workgroup> near_corners: array<vec4<i32>, 192>;
var<workgroup> far_corners: array<vec4<i32>, 192>;
var<workgroup> bounds: array<vec4<i32>, 192>;
var<workgroup> colours: array<u32, 192>;

// Points of samples 0 to 3 of pixel `number` along a side of `points` points.
fn sample_places(number: u32, points: u32, side: u32) -> vec4<i32> {
    var first = vec4<u32>(number * side);
    if side == 4u {
        first += vec4<u32>(0u, 1u, 2u, 3u);
    }
    return vec4<i32>((2u * first + 1u) * points / (2u * WINDOW * side));
}

// Which samples of a row of four are within an edge: a (x - x1) is `across`, the rest `along`.
fn within(across: vec4<i32>, along: i32) -> u32 {
    return dot(select(vec4<u32>(0u), vec4<u32>(1u, 2u, 4u, 8u), across + vec4<i32>(along) >= vec4<i32>(0)), vec4<u32>(1u));
}

// The same for all four rows, for the edge between two corners.
fn edge(begin: vec2<i32>, end: vec2<i32>, turn: i32, grows: i32, x: vec4<i32>, y: vec4<i32>) -> vec4<u32> {
    let a = turn * (begin.y - end.y);
    let b = turn * (end.x - begin.x);
    let across = 2 * a * (x - vec4<i32>(begin.x));
    let along = 2 * b * (y - vec4<i32>(begin.y)) + vec4<i32>(grows * max(abs(a), abs(b)));
    return vec4<u32>(within(across, along.x), within(across, along.y), within(across, along.z), within(across, along.w));
}

// The samples, a row of four bits each, that quadrilateral `i` of the workgroup covers.
fn covered(i: u32, grows: i32, x: vec4<i32>, y: vec4<i32>) -> vec4<u32> {
    let box = bounds[i];
    if x.w < box.x || y.w < box.y || x.x > box.z || y.x > box.w {
        return vec4<u32>(0u);
    }
    let near = near_corners[i];
    let far = far_corners[i];
    let one = far.xy - near.xy;
    let other = far.zw - near.zw;
    let area = one.x * other.y - one.y * other.x;
    if area == 0 {
        return vec4<u32>(0u);
    }
    var turn = 1;
    if area < 0 {
        turn = -1;
    }
    var bits = edge(near.xy, near.zw, turn, grows, x, y) & edge(near.zw, far.xy, turn, grows, x, y);
    bits &= edge(far.xy, far.zw, turn, grows, x, y) & edge(far.zw, near.xy, turn, grows, x, y);
    // No sample beyond the bounds, however sharp a corner is.
    bits &= vec4<u32>(within(x - vec4<i32>(box.x), 0) & within(vec4<i32>(box.z) - x, 0));
    return select(vec4<u32>(0u), bits, (y >= vec4<i32>(box.y)) & (y <= vec4<i32>(box.w)));
}

// A channel of a pixel from the sums of each row of its four samples.
fn reduced(sums: vec4<u32>, side: u32) -> u32 {
    if side != 4u {
        return (sums.x + sums.y + sums.z + sums.w) / 16u;
    }
    let means = (max(sums, vec4<u32>(1u)) - vec4<u32>(1u)) / 4u;
    return (max(means.x + means.y + means.z + means.w, 1u) - 1u) / 4u;
}

@compute @workgroup_size(192)
fn racing_picture(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let number = workgroup.y * workgroups.x + workgroup.x;
    let car = min(number / BLOCKS, CARS - 1u);
    let block = number % BLOCKS;
    let corner = vec2<u32>(block % BLOCKS_ACROSS * BLOCK_COLUMNS, block / BLOCKS_ACROSS * BLOCK_ROWS);
    let pixel = corner + vec2<u32>(lane % BLOCK_COLUMNS, lane / BLOCK_COLUMNS);
    let width = u32(scene[car * SCENE_WORDS + 5u]);
    let height = u32(scene[car * SCENE_WORDS + 6u]);
    let side = u32(scene[car * SCENE_WORDS + 7u]);
    var grows = 0;
    if side == 4u {
        grows = 1;
    }
    let x = sample_places(pixel.x, width, side);
    // From below: the first row of samples is the highest. Turned round, so that the first is the lowest.
    let down = sample_places(pixel.y, height, side);
    let y = vec4<i32>(i32(height) - 1) - down.wzyx;
    let last = corner + vec2<u32>(BLOCK_COLUMNS, BLOCK_ROWS);
    let left = sample_places(corner.x, width, side).x;
    let right = sample_places(last.x - 1u, width, side).w;
    let top = i32(height) - 1 - sample_places(corner.y, height, side).x;
    let bottom = i32(height) - 1 - sample_places(last.y - 1u, height, side).w;

    var remaining = vec4<u32>(15u);
    var red = vec4<u32>(0u);
    var green = vec4<u32>(0u);
    var blue = vec4<u32>(0u);
    // From the last quadrilateral to the first: a sample has the colour of the last one that covers it.
    let count = u32(list_used[car * LIST_WORDS]);
    let chunks = (count + LANES - 1u) / LANES;
    for (var chunk = 0u; chunk < chunks; chunk++) {
        if lane < 8u {
            atomicStore(&masks[lane], 0u);
        }
        workgroupBarrier();
        let own = chunk * LANES + lane;
        var shown = false;
        var near = vec4<i32>(0);
        var far = vec4<i32>(0);
        var box = vec4<i32>(0);
        var colour = 0u;
        if own < count {
            let at = car * LIST_WORDS + 1u + (count - 1u - own) * QUAD_WORDS;
            near = vec4<i32>(i32(list_used[at]), i32(list_used[at + 1u]), i32(list_used[at + 2u]), i32(list_used[at + 3u]));
            far = vec4<i32>(i32(list_used[at + 4u]), i32(list_used[at + 5u]), i32(list_used[at + 6u]), i32(list_used[at + 7u]));
            colour = u32(list_used[at + 8u]);
            let low = min(min(near.xy, near.zw), min(far.xy, far.zw)) - vec2<i32>(1);
            let high = max(max(near.xy, near.zw), max(far.xy, far.zw)) + vec2<i32>(1);
            box = vec4<i32>(low, high);
            shown = low.x <= right && high.x >= left && low.y <= top && high.y >= bottom;
        }
        if shown {
            atomicOr(&masks[lane / 32u], 1u << (lane % 32u));
        }
        workgroupBarrier();
        let found = places(lane);
        if shown {
            near_corners[found.x] = near;
            far_corners[found.x] = far;
            bounds[found.x] = box;
            colours[found.x] = colour;
        }
        workgroupBarrier();
        for (var i = 0u; i < found.y; i++) {
            if all(remaining == vec4<u32>(0u)) {
                break;
            }
            let bits = covered(i, grows, x, y) & remaining;
            remaining &= ~bits;
            let counts = countOneBits(bits);
            let own_colour = colours[i];
            red += counts * (own_colour >> 16u);
            green += counts * ((own_colour >> 8u) & 255u);
            blue += counts * (own_colour & 255u);
        }
        workgroupBarrier();
    }
    if number / BLOCKS < CARS {
        let mixed = (reduced(red, side) << 16u) | (reduced(green, side) << 8u) | reduced(blue, side);
        picture[(car * ROWS + pixel.y) * WINDOW + pixel.x] = f32(mixed);
    }
}

// The first of the three values, of `size`, that place i of 64 mixes.
fn first_tap(i: u32, size: u32) -> u32 {
    if i == 0u {
        return 0u;
    }
    return min((size * (2u * i - 1u) - 64u) / 128u + 1u, size - 3u);
}

// Their weights, times 2^22: 1 - |d| / s for a distance of d and a scale of s.
fn weights(i: u32, size: u32) -> vec3<u32> {
    let value = vec3<i32>(i32(first_tap(i, size))) + vec3<i32>(0, 1, 2);
    let away = abs(128 * value + vec3<i32>(64 - i32(size * (2u * i + 1u))));
    let own = vec3<u32>(max(vec3<i32>(2 * i32(size)) - away, vec3<i32>(0)));
    let sum = own.x + own.y + own.z;
    return ((own << vec3<u32>(22u)) + vec3<u32>(sum / 2u)) / sum;
}

fn mixed(weights: vec3<u32>, a: vec3<u32>, b: vec3<u32>, c: vec3<u32>) -> vec3<u32> {
    return (weights.x * a + weights.y * b + weights.z * c + vec3<u32>(2097152u)) >> vec3<u32>(22u);
}

fn pixel_of(index: u32) -> vec3<u32> {
    return (vec3<u32>(u32(picture_used[index])) >> vec3<u32>(16u, 8u, 0u)) & vec3<u32>(255u);
}

// Three pixels of a row of the picture, as one.
fn mixed_row(weights: vec3<u32>, first: u32) -> vec3<u32> {
    return mixed(weights, pixel_of(first), pixel_of(first + 1u), pixel_of(first + 2u));
}

@compute @workgroup_size(64)
fn racing_frame(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let index = flat_index(id, workgroups, 64u);
    if index >= CARS * FRAME * FRAME {
        return;
    }
    let x = index % FRAME;
    let y = index / FRAME % FRAME;
    let car = index / (FRAME * FRAME);
    let first = (car * ROWS + first_tap(y, ROWS)) * WINDOW + first_tap(x, WINDOW);
    let across = weights(x, WINDOW);
    let above = mixed_row(across, first);
    let middle = mixed_row(across, first + WINDOW);
    let below = mixed_row(across, first + 2u * WINDOW);
    let colour = vec3<f32>(mixed(weights(y, ROWS), above, middle, below)) / 255.0;
    frame[3u * index] = colour.x;
    frame[3u * index + 1u] = colour.y;
    frame[3u * index + 2u] = colour.z;
}
