// The hierarchy of boxes, and the tests of a ray against a box and a face; any_hit.wgsl and first_hit.wgsl build on it.

struct Node {
    low: vec3<f32>,
    first: u32,   // first face of a leaf, else the first of the two children
    high: vec3<f32>,
    count: u32,   // faces of a leaf, 0 for an inner node
}

struct Face {
    a: vec3<f32>,
    id: u32,
    b: vec3<f32>,
    spare_b: u32,
    c: vec3<f32>,
    spare_c: u32,
}

struct Call {
    rays: u32,
    one_direction: u32,   // 1: the first direction serves all rays
    go_on: u32,           // 1: another part of the scene has already written its answers
    spare: u32,
}

@group(0) @binding(0) var<storage, read> nodes: array<Node>;
@group(0) @binding(1) var<storage, read> faces: array<Face>;
@group(0) @binding(2) var<storage, read> origins: array<vec4<f32>>;      // x, y, z, reach
@group(0) @binding(3) var<storage, read> directions: array<vec4<f32>>;
@group(0) @binding(4) var<uniform> call: Call;

const MISS: f32 = 3.0e38;
const TINY: f32 = 1.0e-18;
const ROUNDING: f32 = 4.8e-7;   // four units in the last place of 1
const STACK: u32 = 64u;

// The ray sheared so that it runs along one axis (Woop, Benthin, Wald, Watertight ray/triangle intersection, 2013).
struct Ray {
    origin: vec3<f32>,
    inverse: vec3<f32>,
    x: u32,
    y: u32,
    z: u32,
    shear: vec3<f32>,
}

fn away_from_zero(value: f32) -> f32 {
    // No infinities: shaders may assume that there are none.
    return select(value, select(TINY, -TINY, value < 0.0), abs(value) < TINY);
}

fn make_ray(origin: vec3<f32>, direction: vec3<f32>) -> Ray {
    let size = abs(direction);
    var z = 2u;
    if (size.x >= size.y && size.x >= size.z) {
        z = 0u;
    } else if (size.y >= size.z) {
        z = 1u;
    }
    let x = (z + 1u) % 3u;
    let y = (z + 2u) % 3u;
    let safe = vec3<f32>(away_from_zero(direction.x), away_from_zero(direction.y), away_from_zero(direction.z));
    let shear = vec3<f32>(direction[x] / direction[z], direction[y] / direction[z], 1.0 / direction[z]);
    return Ray(origin, 1.0 / safe, x, y, z, shear);
}

// Distance at which the ray enters a box, MISS where it does not within reach.
fn enter(ray: Ray, node: Node, reach: f32) -> f32 {
    let a = (node.low - ray.origin) * ray.inverse;
    let b = (node.high - ray.origin) * ray.inverse;
    let lower = min(a, b);
    let upper = max(a, b);
    let near = max(max(lower.x, lower.y), max(lower.z, 0.0));
    let far = min(min(upper.x, upper.y), min(upper.z, reach));
    // Wider by the rounding of three operations (Ize, Robust BVH ray traversal, 2013).
    return select(MISS, near, near <= far * 1.000004);
}

// Distance to a face, MISS where the ray does not meet it within reach. Edges belong to the face, with the rounding of
// their test, so that no ray slips between two faces; a ray in the plane of a face does not meet it.
fn meet(ray: Ray, face: Face, reach: f32) -> f32 {
    let a = face.a - ray.origin;
    let b = face.b - ray.origin;
    let c = face.c - ray.origin;
    let ax = a[ray.x] - ray.shear.x * a[ray.z];
    let ay = a[ray.y] - ray.shear.y * a[ray.z];
    let bx = b[ray.x] - ray.shear.x * b[ray.z];
    let by = b[ray.y] - ray.shear.y * b[ray.z];
    let cx = c[ray.x] - ray.shear.x * c[ray.z];
    let cy = c[ray.y] - ray.shear.y * c[ray.z];
    let u = cx * by - cy * bx;
    let v = ax * cy - ay * cx;
    let w = bx * ay - by * ax;
    let eu = ROUNDING * (abs(cx * by) + abs(cy * bx));
    let ev = ROUNDING * (abs(ax * cy) + abs(ay * cx));
    let ew = ROUNDING * (abs(bx * ay) + abs(by * ax));
    let left = u >= -eu && v >= -ev && w >= -ew;
    let right = u <= eu && v <= ev && w <= ew;
    let area = u + v + w;
    if (!(left || right) || abs(area) <= eu + ev + ew) {
        return MISS;
    }
    let t = ray.shear.z * (u * a[ray.z] + v * b[ray.z] + w * c[ray.z]) / area;
    return select(MISS, t, t >= 0.0 && t <= reach);
}
