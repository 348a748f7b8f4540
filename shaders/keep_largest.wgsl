// Which numbers of a row are among its KEEP largest (Makhzani and Frey, arXiv 1312.5663): of equal ones those further left.
//
//   keep_largest   kept = 1 for the KEEP largest of `code` in each row, else 0
//
// A workgroup computes a row. Numbers are compared as words in the same order; the KEEP-th largest is found bit by bit from the
// highest one on.
//
// import: step

override ROWS: u32;
override COLUMNS: u32; // vec4 in a row
override WIDTH: u32; // real columns
override KEEP: u32;

@group(0) @binding(1) var<storage, read> code: array<f32>; // [ROWS, 4 COLUMNS]
@group(0) @binding(2) var<storage, read_write> kept: array<f32>; // [ROWS, 4 COLUMNS]

const LANES = 64u;
var<workgroup> counts: array<u32, 64>;

// A word for each number, in the order of the numbers; one for both zeros.
fn word_of(value: f32) -> u32 {
    let bits = bitcast<u32>(value);
    if value == 0.0 {
        return 0x80000000u;
    }
    if (bits >> 31u) == 1u {
        return ~bits;
    }
    return bits | 0x80000000u;
}

// The sum of `own` over the first `many` lanes.
fn sum_of_lanes(lane: u32, own: u32, many: u32) -> u32 {
    workgroupBarrier();
    counts[lane] = own;
    workgroupBarrier();
    var sum = 0u;
    for (var i = 0u; i < many; i++) {
        sum += counts[i];
    }
    return sum;
}

@compute @workgroup_size(64)
fn keep_largest(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let row = workgroup.y * workgroups.x + workgroup.x;
    let begin = min(row, ROWS - 1u) * 4u * COLUMNS;
    let share = (WIDTH + LANES - 1u) / LANES;
    let first = min(lane * share, WIDTH);
    let end = min(first + share, WIDTH);
    // The largest word that KEEP numbers reach.
    var limit = 0u;
    for (var bit = 0u; bit < 32u; bit++) {
        let next = limit | (0x80000000u >> bit);
        var own = 0u;
        for (var i = first; i < end; i++) {
            if word_of(code[begin + i]) >= next {
                own++;
            }
        }
        if sum_of_lanes(lane, own, LANES) >= KEEP {
            limit = next;
        }
    }
    var above = 0u;
    var equal = 0u;
    for (var i = first; i < end; i++) {
        let word = word_of(code[begin + i]);
        if word > limit {
            above++;
        } else if word == limit {
            equal++;
        }
    }
    let all_above = sum_of_lanes(lane, above, LANES);
    var before = sum_of_lanes(lane, equal, lane);
    if row < ROWS {
        for (var i = first; i < end; i++) {
            let word = word_of(code[begin + i]);
            var one = 0.0;
            if word > limit {
                one = 1.0;
            } else if word == limit {
                if all_above + before < KEEP {
                    one = 1.0;
                }
                before++;
            }
            kept[begin + i] = one;
        }
        if lane == 0u {
            for (var i = WIDTH; i < 4u * COLUMNS; i++) {
                kept[begin + i] = 0.0;
            }
        }
    }
}
