// Whether anything blocks each ray. Follows bvh.wgsl.

@group(0) @binding(5) var<storage, read_write> blocked: array<u32>;

fn is_blocked(ray: Ray, reach: f32) -> bool {
    var stack: array<u32, STACK>;
    var waiting = 0u;
    var node = nodes[0];
    loop {
        if (node.count > 0u) {
            for (var i = 0u; i < node.count; i++) {
                if (meet(ray, faces[node.first + i], reach) < MISS) {
                    return true;
                }
            }
        } else {
            let left = enter(ray, nodes[node.first], reach);
            let right = enter(ray, nodes[node.first + 1u], reach);
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
            return false;
        }
        waiting--;
        node = nodes[stack[waiting]];
    }
    return false;
}

@compute @workgroup_size(64)
fn any_hit(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if (i >= call.rays) {
        return;
    }
    if (call.go_on == 1u && blocked[i] == 1u) {
        return;
    }
    let start = origins[i];
    let towards = directions[select(i, 0u, call.one_direction == 1u)];
    var answer = 0u;
    if (start.w >= 0.0 && is_blocked(make_ray(start.xyz, towards.xyz), start.w)) {
        answer = 1u;
    }
    blocked[i] = answer;
}
