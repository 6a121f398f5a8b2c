// How many eyes see a target as high as asked on each cell, and the least height that any of them sees; after sight.wgsl.

@group(0) @binding(4) var<storage, read_write> seen: array<atomic<u32>>;   // eyes
@group(0) @binding(5) var<storage, read_write> least: array<atomic<u32>>;  // bits of a height [m]

fn found(eye: Eye, cell: u32, lowest: f32, off: vec3<f32>) {
    atomicMin(&least[cell], bitcast<u32>(lowest));
    if (lowest <= call.asked) {
        atomicAdd(&seen[cell], 1u);
    }
}

@compute @workgroup_size(64)
fn tally(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    carry(eyes[group.z], group.x * 64u + lane);
}
