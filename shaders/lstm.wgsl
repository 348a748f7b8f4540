// The recurrence of a long short-term memory (Hochreiter and Schmidhuber 1997; Gers et al. 2000 for the forget gate), whose
// input products are computed before for all steps at once.
//
//   (i, f, g, o) = gates[t] + h[t-1] W^T
//   c[t] = sigmoid(f + 1) c[t-1] + sigmoid(i) tanh(g),   h[t] = sigmoid(o) tanh(c[t])
//
//   lstm_pack      packing[k, unit] = W[(i, f, g, o), unit, k]: what a unit reads together lies together
//   lstm           h, c, and `before` = h[t-1] of the steps BEGIN to END; gates are replaced by their activations; after the
//                  last step `last` = h, c
//   lstm_gradient  the gradient of the gates' arguments, from that of h, of the steps END - 1 down to BEGIN; `carried` is the
//                  gradient of the cells that the steps before BEGIN take over
//
// A workgroup walks the steps of a window of SEQUENCES sequences, which share what is read of the weights; windows follow
// each other as dispatches. h and c before the first step are `start` with CARRY, else 0; nothing is read of `start` then.
// The rows of a sequence follow each other. In the padding everything is 0.
//
// import: step, activation

override BATCH: u32; // sequences
override STEPS: u32; // of a sequence
override BEGIN: u32; // first step of the window
override END: u32; // the step after its last one
override HIDDEN: u32; // units, at most MOST
override STRIDE: u32; // the same with padding
override CARRY: bool;

const LANES = 256u;
const SEQUENCES = 4u;
const MOST = 512u;

@group(0) @binding(1) var<storage, read> weight: array<f32>; // [4, STRIDE, STRIDE]: gate, unit, unit it reads
@group(0) @binding(2) var<storage, read_write> packing: array<vec4<f32>>; // [HIDDEN, STRIDE]
@group(0) @binding(3) var<storage, read> packed: array<vec4<f32>>; // the same
@group(0) @binding(4) var<storage, read> start: array<f32>; // [BATCH, 2, STRIDE]: h, c
@group(0) @binding(5) var<storage, read_write> gates: array<f32>; // [BATCH, STEPS, 4, STRIDE]
@group(0) @binding(6) var<storage, read_write> hidden: array<f32>; // [BATCH, STEPS, STRIDE]
@group(0) @binding(7) var<storage, read_write> cells: array<f32>; // [BATCH, STEPS, STRIDE]
@group(0) @binding(8) var<storage, read_write> before: array<f32>; // [BATCH, STEPS, STRIDE]
@group(0) @binding(9) var<storage, read_write> last: array<f32>; // [BATCH, 2, STRIDE]: h, c
@group(0) @binding(10) var<storage, read> saved: array<f32>; // [BATCH, STEPS, 4, STRIDE]: activated gates
@group(0) @binding(11) var<storage, read> saved_cells: array<f32>; // [BATCH, STEPS, STRIDE]
@group(0) @binding(12) var<storage, read> hidden_gradient: array<f32>; // [BATCH, STEPS, STRIDE]
@group(0) @binding(13) var<storage, read_write> carried: array<f32>; // [BATCH, STRIDE]
@group(0) @binding(14) var<storage, read_write> gates_gradient: array<f32>; // [BATCH, STEPS, 4, STRIDE]
@group(0) @binding(15) var<storage, read> weight_rows: array<vec4<f32>>; // `weight` as [4, STRIDE, STRIDE / 4]

// Of four sequences: h before and after a step; in lstm_gradient one gate's gradient, and that of h.
var<workgroup> shared_units: array<vec4<f32>, 1024>; // [2, MOST]

@compute @workgroup_size(64)
fn lstm_pack(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let i = flat_index(id, workgroups, 64u);
    if i >= HIDDEN * STRIDE {
        return;
    }
    let at = i % STRIDE * STRIDE + i / STRIDE;
    let gate = STRIDE * STRIDE;
    packing[i] = vec4<f32>(weight[at], weight[at + gate], weight[at + 2u * gate], weight[at + 3u * gate]);
}

// The sequences of a workgroup; beyond the last one its numbers again.
fn sequences_from(first: u32) -> vec4<u32> {
    return min(vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(BATCH - 1u));
}

fn of_start(sequences: vec4<u32>, part: u32, unit: u32) -> vec4<f32> {
    let at = (2u * sequences + part) * STRIDE + unit;
    return vec4<f32>(start[at.x], start[at.y], start[at.z], start[at.w]);
}

fn of_cells(rows: vec4<u32>, unit: u32) -> vec4<f32> {
    let at = rows * STRIDE + unit;
    return vec4<f32>(cells[at.x], cells[at.y], cells[at.z], cells[at.w]);
}

fn gate_of(rows: vec4<u32>, gate: u32, unit: u32) -> vec4<f32> {
    let at = (4u * rows + gate) * STRIDE + unit;
    return vec4<f32>(gates[at.x], gates[at.y], gates[at.z], gates[at.w]);
}

@compute @workgroup_size(256)
fn lstm(
    @builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>, @builtin(local_invocation_index) lane: u32,
) {
    let first = (group.y * workgroups.x + group.x) * SEQUENCES;
    if first >= BATCH {
        return;
    }
    let sequences = sequences_from(first);
    for (var unit = lane; unit < HIDDEN; unit += LANES) {
        var h = vec4<f32>(0.0);
        if BEGIN > 0u {
            let at = (sequences * STEPS + BEGIN - 1u) * STRIDE + unit;
            h = vec4<f32>(hidden[at.x], hidden[at.y], hidden[at.z], hidden[at.w]);
        } else if CARRY {
            h = of_start(sequences, 0u, unit);
        }
        shared_units[unit] = h;
    }
    for (var step_of = BEGIN; step_of < END; step_of++) {
        workgroupBarrier();
        let old = (step_of - BEGIN) % 2u * MOST;
        let rows = sequences * STEPS + step_of;
        for (var unit = lane; unit < STRIDE; unit += LANES) {
            var h_before = vec4<f32>(0.0);
            var i = vec4<f32>(0.0);
            var f = vec4<f32>(0.0);
            var g = vec4<f32>(0.0);
            var o = vec4<f32>(0.0);
            var c = vec4<f32>(0.0);
            var h = vec4<f32>(0.0);
            if unit < HIDDEN {
                for (var k = 0u; k < HIDDEN; k++) {
                    let w = packed[k * STRIDE + unit];
                    let h_k = shared_units[old + k];
                    i = fma(vec4<f32>(w.x), h_k, i);
                    f = fma(vec4<f32>(w.y), h_k, f);
                    g = fma(vec4<f32>(w.z), h_k, g);
                    o = fma(vec4<f32>(w.w), h_k, o);
                }
                i = sigmoid(i + gate_of(rows, 0u, unit));
                f = sigmoid(f + gate_of(rows, 1u, unit) + 1.0);
                g = activation(TANH, g + gate_of(rows, 2u, unit));
                o = sigmoid(o + gate_of(rows, 3u, unit));
                if step_of > 0u {
                    c = of_cells(rows - 1u, unit);
                } else if CARRY {
                    c = of_start(sequences, 1u, unit);
                }
                c = f * c + i * g;
                h = o * activation(TANH, c);
                h_before = shared_units[old + unit];
                shared_units[MOST - old + unit] = h;
            }
            for (var s = 0u; s < min(SEQUENCES, BATCH - first); s++) {
                let at = rows[s] * STRIDE + unit;
                let gate = 4u * rows[s] * STRIDE + unit;
                gates[gate] = i[s];
                gates[gate + STRIDE] = f[s];
                gates[gate + 2u * STRIDE] = g[s];
                gates[gate + 3u * STRIDE] = o[s];
                cells[at] = c[s];
                hidden[at] = h[s];
                before[at] = h_before[s];
                if step_of + 1u == STEPS {
                    let end = 2u * sequences[s] * STRIDE + unit;
                    last[end] = h[s];
                    last[end + STRIDE] = c[s];
                }
            }
        }
    }
}

fn saved_gate(rows: vec4<u32>, gate: u32, unit: u32) -> vec4<f32> {
    let at = (4u * rows + gate) * STRIDE + unit;
    return vec4<f32>(saved[at.x], saved[at.y], saved[at.z], saved[at.w]);
}

fn saved_cell(rows: vec4<u32>, unit: u32) -> vec4<f32> {
    let at = rows * STRIDE + unit;
    return vec4<f32>(saved_cells[at.x], saved_cells[at.y], saved_cells[at.z], saved_cells[at.w]);
}

@compute @workgroup_size(256)
fn lstm_gradient(
    @builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>, @builtin(local_invocation_index) lane: u32,
) {
    let first = (group.y * workgroups.x + group.x) * SEQUENCES;
    if first >= BATCH {
        return;
    }
    let sequences = sequences_from(first);
    let columns = (STRIDE + 3u) / 4u;
    let column = lane % columns;
    let part = lane / columns;
    let parts = min(LANES / columns, 4u);
    for (var back = 0u; back < END - BEGIN; back++) {
        let step_of = END - 1u - back;
        let rows = sequences * STEPS + step_of;
        // What the next step's gates give back.
        for (var unit = lane; unit < STRIDE; unit += LANES) {
            shared_units[MOST + unit] = vec4<f32>(0.0);
        }
        if step_of + 1u < STEPS {
            // A lane adds up a part of the sums of four units: it reads the weights by vec4, and few lanes wait for each other.
            var x = vec4<f32>(0.0);
            var y = vec4<f32>(0.0);
            var z = vec4<f32>(0.0);
            var w = vec4<f32>(0.0);
            for (var gate = 0u; gate < 4u; gate++) {
                for (var unit = lane; unit < HIDDEN; unit += LANES) {
                    let at = (4u * (rows + 1u) + gate) * STRIDE + unit;
                    shared_units[unit] =
                        vec4<f32>(gates_gradient[at.x], gates_gradient[at.y], gates_gradient[at.z], gates_gradient[at.w]);
                }
                workgroupBarrier();
                if part < parts {
                    for (var j = part; j < HIDDEN; j += parts) {
                        let weights = weight_rows[(gate * STRIDE + j) * columns + column];
                        let change = shared_units[j];
                        x = fma(vec4<f32>(weights.x), change, x);
                        y = fma(vec4<f32>(weights.y), change, y);
                        z = fma(vec4<f32>(weights.z), change, z);
                        w = fma(vec4<f32>(weights.w), change, w);
                    }
                }
                workgroupBarrier();
            }
            for (var turn = 0u; turn < parts; turn++) {
                if part == turn {
                    let at = MOST + 4u * column;
                    shared_units[at] += x;
                    shared_units[at + 1u] += y;
                    shared_units[at + 2u] += z;
                    shared_units[at + 3u] += w;
                }
                workgroupBarrier();
            }
        }
        for (var unit = lane; unit < STRIDE; unit += LANES) {
            var di = vec4<f32>(0.0);
            var df = vec4<f32>(0.0);
            var dg = vec4<f32>(0.0);
            var do_ = vec4<f32>(0.0);
            var dc = vec4<f32>(0.0);
            if unit < HIDDEN {
                let at = rows * STRIDE + unit;
                let own = vec4<f32>(hidden_gradient[at.x], hidden_gradient[at.y], hidden_gradient[at.z], hidden_gradient[at.w]);
                let dh = own + shared_units[MOST + unit];
                let i = saved_gate(rows, 0u, unit);
                let f = saved_gate(rows, 1u, unit);
                let g = saved_gate(rows, 2u, unit);
                let o = saved_gate(rows, 3u, unit);
                let squashed = activation(TANH, saved_cell(rows, unit));
                var c = vec4<f32>(0.0);
                if step_of > 0u {
                    c = saved_cell(rows - 1u, unit);
                } else if CARRY {
                    c = of_start(sequences, 1u, unit);
                }
                if step_of + 1u < STEPS {
                    let own = sequences * STRIDE + unit;
                    dc = vec4<f32>(carried[own.x], carried[own.y], carried[own.z], carried[own.w]);
                }
                dc = fma(dh * o, 1.0 - squashed * squashed, dc);
                di = dc * g * i * (1.0 - i);
                df = dc * c * f * (1.0 - f);
                dg = dc * i * (1.0 - g * g);
                do_ = dh * squashed * o * (1.0 - o);
                dc *= f;
            }
            for (var s = 0u; s < min(SEQUENCES, BATCH - first); s++) {
                let gate = 4u * rows[s] * STRIDE + unit;
                gates_gradient[gate] = di[s];
                gates_gradient[gate + STRIDE] = df[s];
                gates_gradient[gate + 2u * STRIDE] = dg[s];
                gates_gradient[gate + 3u * STRIDE] = do_[s];
                carried[sequences[s] * STRIDE + unit] = dc[s];
            }
        }
    }
}
