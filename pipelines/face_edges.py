"""Edges of volumes that come and go, for the pictures of a study of façades."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from twin.model.scene import Layer, Scene
from twin.study.camera import ParallelCamera
from twin.study.occluders import face_table
from twin.visibility.caster import Device, make_caster

FLAT_COS = 0.94
"""Faces that meet at a smaller angle than this cosine's (20 degrees) make no edge."""
PIECES = 32
"""Parts of an edge, each in sight as a whole or not."""
NEARER_M = 0.1
"""How far before an edge its points are looked from [m]."""


def edges_of_change(
    base: Scene, scene: Scene, camera: ParallelCamera
) -> tuple[tuple[str, NDArray[np.float64]], ...]:
    """Edges of what is proposed (those on the far side apart) and of what is removed, as picture points."""
    gone = set(scene.removed)
    bare = replace(base, buildings=tuple(b for b in base.buildings if b.id in gone), trees=(), proposed=())
    out = [(kind, line) for kind, line in _edges(replace(scene, trees=()), "proposals", camera)]
    out += [("removed", line) for kind, line in _edges(bare, "buildings", camera) if kind != "hidden"]
    return tuple(out)


def edges_in_sight(
    scene: Scene, camera: ParallelCamera, device: Device, threads: int = 1
) -> tuple[tuple[str, NDArray[np.float64]], ...]:
    """The pieces of the edges of proposed volumes that nothing hides, as picture points."""
    lines = [line for kind, line in _corners(scene, "proposals", camera) if kind == "proposed"]
    if not lines:
        return ()
    forward = camera.axes(scene.frame)[2]
    share = np.linspace(0.0, 1.0, PIECES + 1)[:, None]
    caster = make_caster(face_table(scene, trees=False).triangles(), device, threads)
    out: list[tuple[str, NDArray[np.float64]]] = []
    try:
        for one, other in lines:
            points = one + share * (other - one)
            middle = 0.5 * (points[1:] + points[:-1]) - NEARER_M * forward
            free = ~caster.occluded(middle, -forward)
            flat = camera.project(scene.frame, points)
            for run in np.split(np.arange(PIECES), np.flatnonzero(np.diff(free)) + 1):
                if free[run[0]]:
                    out.append(("proposed", flat[run[0] : run[-1] + 2]))
    finally:
        caster.close()
    return tuple(out)


def _edges(scene: Scene, layer: Layer, camera: ParallelCamera) -> list[tuple[str, NDArray[np.float64]]]:
    return [(kind, camera.project(scene.frame, line)) for kind, line in _corners(scene, layer, camera)]


def _corners(scene: Scene, layer: Layer, camera: ParallelCamera) -> list[tuple[str, NDArray[np.float64]]]:
    """Edges at which the faces of a layer turn: ``proposed``, or ``hidden`` where both look away."""
    table = face_table(scene, trees=False, coverings=False)
    own = table.in_layers(layer)
    if not own.any():
        return []
    # Faces meet in corners of one place, whatever their numbers; objects do not meet.
    _, merged = np.unique(np.round(table.vertices, 3), axis=0, return_inverse=True)
    merged = np.reshape(merged, -1)
    corners = np.zeros((int(merged.max()) + 1, 3))
    corners[merged] = table.vertices
    faces = merged[table.faces[own]]
    a, b, c = (corners[faces[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    seen = normals @ camera.axes(scene.frame)[2] < 0.0
    sides: dict[tuple[int, int, int], list[int]] = {}
    for k, (face, thing) in enumerate(zip(faces.tolist(), table.objects[own].tolist(), strict=True)):
        for one, other in ((0, 1), (1, 2), (2, 0)):
            low, high = sorted((face[one], face[other]))
            sides.setdefault((thing, low, high), []).append(k)
    found = []
    for (_, low, high), near in sorted(sides.items()):
        if len(near) == 2 and float(normals[near[0]] @ normals[near[1]]) > FLAT_COS:
            continue
        kind = "proposed" if seen[near].any() else "hidden"
        found.append((kind, corners[[low, high]]))
    return found
