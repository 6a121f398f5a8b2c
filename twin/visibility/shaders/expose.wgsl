// What eyes over the cells see of targets on faces; after sight.wgsl, whose eyes are these targets.
//
// See twin/visibility/exposed.py, which this follows. Solid angles are added up in whole numbers of 2^-40 sr, in two
// words with the carry between them: the order of the threads changes no byte, and nothing runs over.

struct Face {
    normal: vec3<f32>,    // 0: looks all round
    area: f32,            // [m2]
    place: u32,           // among the marks, from the highest: 1 and on
    first: u32,           // first of its corners
    corners: u32,
    spare: u32,
}

@group(0) @binding(4) var<storage, read_write> seen: array<atomic<u32>>;   // targets
@group(0) @binding(5) var<storage, read_write> least: array<atomic<u32>>;  // place of the lowest; 0: none is seen
@group(0) @binding(6) var<storage, read_write> low: array<atomic<u32>>;    // [2^-40 sr]
@group(0) @binding(7) var<storage, read_write> high: array<atomic<u32>>;   // [2^-8 sr]
// Two vectors to a target, in their order: bits of normal and area; place, first, corners. Then bits of the corners,
// east, north, up of the target [m].
@group(0) @binding(8) var<storage, read> faces: array<vec4<u32>>;

const NEAR_CELLS: f32 = 8.0;
const HALF_SPACE: f32 = 6.2831853;

fn face_of(number: u32) -> Face {
    let one = faces[2u * number];
    let two = faces[2u * number + 1u];
    return Face(bitcast<vec3<f32>>(one.xyz), bitcast<f32>(one.w), two.x, two.y, two.z, 0u);
}

fn towards(corner: u32, off: vec3<f32>) -> vec3<f32> {
    let ray = bitcast<vec3<f32>>(faces[corner].xyz) - off;
    return ray / max(length(ray), 1.0e-9);
}

// Solid angle of an outline from an eye off its target [sr].
fn outlined(face: Face, off: vec3<f32>) -> f32 {
    let a = towards(face.first, off);
    var b = towards(face.first + 1u, off);
    var total = 0.0;
    for (var k = 2u; k < face.corners; k++) {
        let c = towards(face.first + k, off);
        // The edges from a, as their product loses less to rounding than that of the rays.
        let volume = dot(a, cross(b - a, c - a));
        total += 2.0 * atan2(volume, 1.0 + dot(a, b) + dot(b, c) + dot(c, a));
        b = c;
    }
    return abs(total);
}

fn found(eye: Eye, cell: u32, lowest: f32, off: vec3<f32>) {
    if (lowest > call.asked) {
        return;
    }
    let face = face_of(eye.number);
    let before = dot(off, face.normal);
    if (before <= 0.0 && any(face.normal != vec3<f32>(0.0))) {
        return;
    }
    atomicAdd(&seen[cell], 1u);
    atomicMax(&least[cell], face.place);
    if (face.area <= 0.0) {
        return;
    }
    let distance2 = max(dot(off, off), 1.0e-6);
    var angle = face.area * max(before, 0.0) / (distance2 * sqrt(distance2));
    if (face.corners >= 3u && distance2 < NEAR_CELLS * NEAR_CELLS * face.area) {
        angle = outlined(face, off);
    }
    let coarse = min(angle, HALF_SPACE) * 256.0;
    let fine = u32((coarse - floor(coarse)) * 4294967296.0);
    let before_it = atomicAdd(&low[cell], fine);
    let more = u32(coarse) + select(0u, 1u, before_it + fine < before_it);
    if (more > 0u) {
        atomicAdd(&high[cell], more);
    }
}

@compute @workgroup_size(64)
fn expose(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    carry(eyes[group.z], group.x * 64u + lane);
}
