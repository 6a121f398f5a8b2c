"""Edges of volumes that come and go, for the pictures of a study of façades."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from twin.model.scene import Layer, Scene
from twin.study.occluders import face_table
from twin.study.picture import ParallelCamera

FLAT_COS = 0.94
"""Faces that meet at a smaller angle than this cosine's (20 degrees) make no edge."""


def edges_of_change(
    base: Scene, scene: Scene, camera: ParallelCamera
) -> tuple[tuple[str, NDArray[np.float64]], ...]:
    """Edges of what is proposed (those on the far side apart) and of what is removed, as picture points."""
    gone = set(scene.removed)
    bare = replace(base, buildings=tuple(b for b in base.buildings if b.id in gone), trees=(), proposed=())
    out = [(kind, line) for kind, line in _edges(replace(scene, trees=()), "proposals", camera)]
    out += [("removed", line) for kind, line in _edges(bare, "buildings", camera) if kind != "hidden"]
    return tuple(out)


def _edges(scene: Scene, layer: Layer, camera: ParallelCamera) -> list[tuple[str, NDArray[np.float64]]]:
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
        found.append((kind, camera.project(scene.frame, corners[[low, high]])))
    return found
