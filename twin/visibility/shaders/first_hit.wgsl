// What each ray meets first. Follows bvh.wgsl.

struct Hit {
    distance: f32,
    face: u32,
}

const NO_FACE: u32 = 0xffffffffu;

@group(0) @binding(5) var<storage, read_write> hits: array<Hit>;

fn nearest(ray: Ray, reach: f32) -> Hit {
    var best = Hit(reach, NO_FACE);
    var stack: array<u32, STACK>;
    var waiting = 0u;
    var node = nodes[0];
    loop {
        if (node.count > 0u) {
            for (var i = 0u; i < node.count; i++) {
                let face = faces[node.first + i];
                let t = meet(ray, face, best.distance);
                // Of equal distances the lowest number, whatever the order of the boxes.
                if (t < best.distance || (t == best.distance && face.id < best.face)) {
                    best = Hit(t, face.id);
                }
            }
        } else {
            let left = enter(ray, nodes[node.first], best.distance);
            let right = enter(ray, nodes[node.first + 1u], best.distance);
            let nearer = select(node.first + 1u, node.first, left <= right);
            if (left < MISS && right < MISS) {
                stack[waiting] = 2u * node.first + 1u - nearer;
                waiting++;
            }
            if (left < MISS || right < MISS) {
                node = nodes[nearer];
                continue;
            }
        }
        if (waiting == 0u) {
            break;
        }
        waiting--;
        node = nodes[stack[waiting]];
    }
    return best;
}

@compute @workgroup_size(64)
fn first_hit(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if (i >= call.rays) {
        return;
    }
    var before = Hit(origins[i].w, NO_FACE);
    if (call.go_on == 1u) {
        before = hits[i];
    }
    let start = origins[i];
    let towards = directions[select(i, 0u, call.one_direction == 1u)];
    if (start.w >= 0.0) {
        let found = nearest(make_ray(start.xyz, towards.xyz), before.distance);
        if (found.face != NO_FACE && (found.distance < before.distance || found.face < before.face)) {
            before = found;
        }
    }
    hits[i] = before;
}
