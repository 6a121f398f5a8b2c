// Any hit: does anything block each ray? A walk through the hierarchy without a stack.
// Nodes stand in depth-first order; a missed box (or a finished leaf) goes on at its skip.

struct Node {
    low: vec3<f32>,
    skip: u32,
    high: vec3<f32>,
    leaf: u32,          // first triangle * 8 + count; 0 inside the tree
}

struct Ray {
    origin: vec3<f32>,
    reach: f32,         // length from the origin [m]
    way: vec3<f32>,
    pad: f32,
}

struct Counts {
    nodes: u32,
    rays: u32,
    width: u32,         // invocations along x
    pad: u32,
}

@group(0) @binding(0) var<uniform> counts: Counts;
@group(0) @binding(1) var<storage, read> nodes: array<Node>;
@group(0) @binding(2) var<storage, read> corners: array<vec4<f32>>;   // three per triangle, in leaf order
@group(0) @binding(3) var<storage, read> rays: array<Ray>;
@group(0) @binding(4) var<storage, read_write> blocked: array<u32>;

// Boxes are widened by this share, so that rounding never loses a triangle that lies on their side.
const WIDEN: f32 = 1.0000008;

fn meets_box(node: Node, origin: vec3<f32>, inverse: vec3<f32>, reach: f32) -> bool {
    let a = (node.low - origin) * inverse;
    let b = (node.high - origin) * inverse;
    let near = min(a, b);
    let far = max(a, b);
    let enter = max(max(near.x, near.y), max(near.z, 0.0));
    let leave = min(min(far.x, far.y), min(far.z, reach)) * WIDEN;
    return enter <= leave;
}

// Watertight along shared edges: the signs of the three scaled triple products (Woop, Benthin, Wald 2013).
fn meets_triangle(first: u32, origin: vec3<f32>, way: vec3<f32>, reach: f32) -> bool {
    let a = corners[first].xyz - origin;
    let b = corners[first + 1u].xyz - origin;
    let c = corners[first + 2u].xyz - origin;
    let u = dot(way, cross(c, b));
    let v = dot(way, cross(a, c));
    let w = dot(way, cross(b, a));
    let all_in = (u >= 0.0 && v >= 0.0 && w >= 0.0) || (u <= 0.0 && v <= 0.0 && w <= 0.0);
    let sum = u + v + w;
    if (!all_in || sum == 0.0) {
        return false;
    }
    let normal = cross(b - a, c - a);
    let along = dot(normal, way);
    if (along == 0.0) {
        return false;
    }
    let t = dot(normal, a) / along;
    return t >= 0.0 && t <= reach;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let index = id.y * counts.width + id.x;
    if (index >= counts.rays) {
        return;
    }
    let origin = rays[index].origin;
    let way = rays[index].way;
    let reach = rays[index].reach;
    // A zero component would make 0 * inf: a very small one stands in for it.
    let tiny = vec3<f32>(1e-20);
    let safe = select(way, tiny, abs(way) < tiny);
    let inverse = 1.0 / safe;
    var node = 0u;
    var hit = 0u;
    loop {
        if (node >= counts.nodes) {
            break;
        }
        let current = nodes[node];
        if (!meets_box(current, origin, inverse, reach)) {
            node = current.skip;
            continue;
        }
        if (current.leaf == 0u) {
            node = node + 1u;
            continue;
        }
        let first = current.leaf >> 3u;
        let last = first + (current.leaf & 7u);
        for (var k = first; k < last; k = k + 1u) {
            if (meets_triangle(k * 3u, origin, way, reach)) {
                hit = 1u;
                break;
            }
        }
        if (hit == 1u) {
            break;
        }
        node = current.skip;
    }
    blocked[index] = hit;
}
