// The sun over a height field: lines from the sun are carried from row to row, through one band of rows.
//
// A thread carries three lines over the surface for one sun, and nobody else's: neighbours carry two of them too. At each
// row it tests the one cell between two of its lines, then lets the lines meet the surface. Columns are counted in
// halves: line k stands at half-column k + shift, shift = whole + part; thread p has the lines 2p to 2p + 2. See
// twin/visibility/sweep.py, which this follows.

struct Call {
    rows: u32,      // of the band
    wide: u32,      // columns of the surface, with a border on either side
    ring: u32,      // threads for whose lines a sun has room
    across: u32,    // workgroups along x
    flipped: u32,   // 1: rows are met from the last to the first
    spare_a: u32,
    spare_b: u32,
    spare_c: u32,
}

struct Sun {
    low: i32,         // first thread of the band
    count: u32,       // threads of the band
    slot: u32,        // place of the first thread's lines in the ring
    was_low: i32,     // the same of the band before, which left its lines
    was_count: u32,
    drop: f32,        // fall of a ray from row to row [m]
    spare_a: u32,
    spare_b: u32,
}

struct Shift {
    whole: i32,
    part: f32,
}

@group(0) @binding(0) var<storage, read> heights: array<f32>;              // (rows, wide) [m]
@group(0) @binding(1) var<storage, read> targets: array<f32>;              // (rows, wide - 2) [m]
@group(0) @binding(2) var<storage, read_write> counts: array<atomic<u32>>; // (rows, wide - 2)
@group(0) @binding(3) var<storage, read_write> lines: array<f32>;          // (suns, ring, 3) [m]
@group(0) @binding(4) var<storage, read> shifts: array<Shift>;             // (suns, rows)
@group(0) @binding(5) var<storage, read> suns: array<Sun>;
@group(0) @binding(6) var<uniform> call: Call;

const EMPTY: f32 = -1.0e30;   // a line that has met nothing yet

@compute @workgroup_size(64)
fn sweep(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let x = (group.y * call.across + group.x) * 64u + lane;
    let sun = suns[group.z];
    if (x >= sun.count) {
        return;
    }
    let p = sun.low + i32(x);
    let place = 3u * (group.z * call.ring + (sun.slot + x) % call.ring);
    var line = vec3<f32>(EMPTY, EMPTY, EMPTY);
    let before = p - sun.was_low;
    if (before >= 0 && before < i32(sun.was_count)) {
        line = vec3<f32>(lines[place], lines[place + 1u], lines[place + 2u]);
    }
    let last = i32(call.wide) - 1;
    for (var r = 0u; r < call.rows; r++) {
        let shift = shifts[group.z * call.rows + r];
        let column = p + 1 + (shift.whole >> 1u);
        if (column < 0 || column > last) {
            continue;
        }
        let row = select(r, call.rows - 1u - r, call.flipped == 1u);
        let start = row * call.wide;
        let here = heights[start + u32(column)];
        let part = shift.part;
        let even = (shift.whole & 1) == 0;
        if (column > 0 && column < last) {
            let lower = select(line.x, line.y, even);
            let upper = select(line.y, line.z, even);
            let carried = part * lower + (1.0 - part) * upper - sun.drop;
            let cell = row * (call.wide - 2u) + u32(column) - 1u;
            if (targets[cell] >= carried) {
                atomicAdd(&counts[cell], 1u);
            }
        }
        // Even: two lines between the column before and this one; odd: one. The others up to the next column.
        let on = 0.5 * part;
        let between = 0.5 + 0.5 * part;
        let kept = line - sun.drop;
        if (column > 0) {
            let west = heights[start + u32(column) - 1u];
            if (even) {
                line.x = max((1.0 - on) * west + on * here, kept.x);
                line.y = max((1.0 - between) * west + between * here, kept.y);
            } else {
                line.x = max((1.0 - between) * west + between * here, kept.x);
            }
        }
        if (column < last) {
            let east = heights[start + u32(column) + 1u];
            if (even) {
                line.z = max((1.0 - on) * here + on * east, kept.z);
            } else {
                line.y = max((1.0 - on) * here + on * east, kept.y);
                line.z = max((1.0 - between) * here + between * east, kept.z);
            }
        }
    }
    lines[place] = line.x;
    lines[place + 1u] = line.y;
    lines[place + 2u] = line.z;
}
