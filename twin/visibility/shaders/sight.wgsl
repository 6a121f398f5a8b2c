// Sight over a height field: rays from an eye are carried from row to row, away from it.
//
// A thread carries three rays of one eye, and nobody else's: neighbours carry one of them too. At each row it meets the
// column that a ray crosses on the way, reads the one cell that may lie between its rays, then meets the row itself. See
// twin/visibility/sight_sweep.py, which this follows. Cells belong to the pair of rays that their place gives, worked out
// alike by every thread: none is read twice or left out. What is done with a cell stands in tally.wgsl or expose.wgsl:
// fn found(eye: Eye, cell: u32, lowest: f32, off: vec3<f32>), with the cell's place in the results, the least height
// that is seen there [m], and the point asked over the cell from the eye: east, north, up [m].

struct Call {
    rows: u32,        // of the side
    cols: u32,
    sign: i32,        // 1: rows are met upwards, -1: downwards
    closed: u32,      // 1: rows run south and cells on the diagonal belong to the side; 0: rows run east
    row_step: u32,    // from a cell to the one in the next row, in the results
    col_step: u32,
    high: f32,        // size of a cell [m]
    wide: f32,
    reach: f32,       // farthest target [m]
    bend: f32,        // fall of the ground with the square of the distance [1/m]
    asked: f32,       // height of the targets that are counted [m]
    graze: f32,       // what is let off a target [m]
    near: f32,        // what is nearer hides nothing [m]
    spare_a: u32,
    spare_b: u32,
    spare_c: u32,
}

struct Eye {
    first: i32,       // first row
    steps: u32,       // rows
    row: i32,         // row of the eye: whole and part
    row_part: f32,
    col: i32,         // its column
    part: f32,
    z: f32,           // height [m]
    slope: f32,       // of the first ray [columns per row]
    step: f32,        // from ray to ray
    rays: u32,
    own_row: i32,     // the cell that the eye stands over: seen, and not asked here
    own_col: i32,
    number: u32,      // of the eye among all
}

@group(0) @binding(0) var<storage, read> heights: array<f32>;  // (rows, cols) [m]
@group(0) @binding(1) var<storage, read> feet: array<f32>;     // (rows, cols) [m]
@group(0) @binding(2) var<storage, read> eyes: array<Eye>;
@group(0) @binding(3) var<uniform> call: Call;

const NOTHING: f32 = -1.0e30;  // a ray that has met nothing yet
const HOLE: f32 = -1.0e29;     // heights below are holes
const NOBODY: f32 = 1.0e30;    // feet above are none
const ON_RAY: f32 = 1.0e-5;
const ROUNDED: f32 = 2.0e-7;   // share of a row's length that a place on it is rounded by

fn height(row: u32, column: i32) -> f32 {
    return heights[row * call.cols + u32(column)];
}

// The steeper of a horizon and a height that a ray meets at some length.
fn met(horizon: f32, z: f32, eye: Eye, length: f32) -> f32 {
    if (length < call.near) {
        return horizon;
    }
    return max(horizon, (z - eye.z) / length - call.bend * length);
}

// The column that a ray crosses between two rows, the one before first.
fn crossed(horizon: f32, eye: Eye, slope: f32, along: f32, away: f32, rows: vec2<u32>) -> f32 {
    let a = eye.part + slope * (away - 1.0);
    let b = eye.part + slope * away;
    let mark = floor(max(a, b));
    let column = eye.col + i32(mark);
    if (mark <= min(a, b) || column < 0 || column >= i32(call.cols) || slope == 0.0) {
        return horizon;
    }
    let t = (mark - eye.part) / slope;
    let f = t - (away - 1.0);
    if (t <= 0.0 || f <= 0.0 || f >= 1.0) {
        return horizon;
    }
    let low = height(rows.x, column);
    let high = height(rows.y, column);
    if (low < HOLE || high < HOLE) {
        return horizon;
    }
    return met(horizon, low * (1.0 - f) + high * f, eye, t * along);
}

// The height of a row where a ray crosses it.
fn on_row(horizon: f32, eye: Eye, slope: f32, along: f32, away: f32, row: u32) -> f32 {
    let place = eye.part + slope * away;
    let last = i32(call.cols) - 1;
    var column = eye.col + i32(floor(place));
    var f = place - floor(place);
    // A ray along the border may have been rounded off the surface.
    let off = ROUNDED * f32(call.cols + 8u);
    if (column == -1 && f > 1.0 - off) {
        column = 0;
        f = 0.0;
    } else if (column == last && f < off) {
        f = 0.0;
    }
    if (column < 0 || column > last || (column == last && f > 0.0)) {
        return horizon;
    }
    var z = height(row, column);
    if (z < HOLE) {
        return horizon;
    }
    if (f > 0.0) {
        let other = height(row, column + 1);
        if (other < HOLE) {
            return horizon;
        }
        z = z * (1.0 - f) + other * f;
    }
    return met(horizon, z, eye, away * along);
}

// The rays of one pair, and the ray between them, from the eye to the border.
fn carry(eye: Eye, pair: u32) {
    if (eye.rays < 2u || 2u * pair + 1u >= eye.rays) {
        return;
    }
    let first = eye.slope + eye.step * f32(2u * pair);
    let slopes = vec3<f32>(first, first + eye.step, first + 2.0 * eye.step);
    // Metres for each row along a ray.
    let along = sqrt(call.high * call.high + slopes * slopes * call.wide * call.wide);
    var horizon = vec3<f32>(NOTHING, NOTHING, NOTHING);
    for (var k = 0u; k < eye.steps; k++) {
        let row = eye.first + call.sign * i32(k);
        let away = f32(call.sign) * (f32(row - eye.row) - eye.row_part);
        let here = u32(row);
        let behind = row - call.sign;
        if (behind >= 0 && behind < i32(call.rows)) {
            let rows = vec2<u32>(u32(behind), here);
            horizon.x = crossed(horizon.x, eye, slopes.x, along.x, away, rows);
            horizon.y = crossed(horizon.y, eye, slopes.y, along.y, away, rows);
            horizon.z = crossed(horizon.z, eye, slopes.z, along.z, away, rows);
        }
        let start = i32(floor(eye.part + slopes.x * away));
        for (var c = start; c <= start + 2; c++) {
            let aside = f32(c) - eye.part;
            let between = (aside - eye.slope * away) / (eye.step * away);
            let ray = floor(between);
            let column = eye.col + c;
            let mine = ray >= 0.0 && u32(max(ray, 0.0)) / 2u == pair && ray < f32(eye.rays) - 1.0;
            // The same two numbers decide in the other sector: a cell belongs to one of them, whatever rounding does.
            let inside = abs(aside) < away || (call.closed == 1u && abs(aside) == away);
            let own = row == eye.own_row && column == eye.own_col;
            if (own || !mine || !inside || column < 0 || column >= i32(call.cols)) {
                continue;
            }
            let foot = feet[here * call.cols + u32(column)];
            let length = length(vec2<f32>(away * call.high, aside * call.wide));
            if (foot > NOBODY || length > call.reach) {
                continue;
            }
            let even = u32(ray) % 2u == 0u;
            let one = select(horizon.y, horizon.x, even);
            let two = select(horizon.z, horizon.y, even);
            let f = between - ray;
            var line = one + f * (two - one);
            if (f < ON_RAY) {
                line = one;
            } else if (f > 1.0 - ON_RAY) {
                line = two;
            } else if (one == NOTHING || two == NOTHING) {
                line = max(one, two);
            }
            var lowest = 0.0;
            if (line != NOTHING) {
                lowest = abs(max(0.0, line * length + eye.z + call.bend * length * length - foot - call.graze));
            }
            let cell = here * call.row_step + u32(column) * call.col_step;
            let ahead = f32(call.sign) * away * call.high;
            let across = aside * call.wide;
            let east_north = select(vec2<f32>(ahead, -across), vec2<f32>(across, -ahead), call.closed == 1u);
            found(eye, cell, lowest, vec3<f32>(east_north, foot + call.asked - eye.z));
        }
        horizon.x = on_row(horizon.x, eye, slopes.x, along.x, away, here);
        horizon.y = on_row(horizon.y, eye, slopes.y, along.y, away, here);
        horizon.z = on_row(horizon.z, eye, slopes.z, along.z, away, here);
    }
}
