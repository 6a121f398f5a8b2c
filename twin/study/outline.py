"""Where a proposal stands in a picture: the part that is seen, and the whole of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twin.model.scene import Scene
from twin.study.hanging import faces_of
from twin.study.occluders import FaceTable, face_table
from twin.study.picture import BAND, Camera
from twin.visibility.caster import Device, make_caster


def proposal_masks(
    scene: Scene, camera: Camera, engine: tuple[Device, int]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Pixels (height, width) whose middle shows a proposed object, and those that would if nothing else stood.

    Parameters
    ----------
    scene
        The scene with the proposal.
    camera
        Where from.
    engine
        Device and threads.
    """
    table = face_table(scene)
    mine = np.array([status == "proposed" for status in table.statuses])
    face = _first(table, camera, engine)
    seen = (face >= 0) & mine[table.objects[face]]
    if not mine.any():
        return seen, seen
    return seen, _first(faces_of(table, mine), camera, engine) >= 0


def _first(table: FaceTable, camera: Camera, engine: tuple[Device, int]) -> NDArray[np.int32]:
    """The face (height, width) that the middle of each pixel meets; -1 for none."""
    count = camera.width * camera.height
    out = np.full(count, -1, dtype=np.int32)
    eye = np.array(camera.eye, dtype=np.float64)
    caster = make_caster(table.triangles(), *engine)
    try:
        for start in range(0, count, BAND):
            y, x = np.divmod(np.arange(start, min(count, start + BAND)), camera.width)
            rays = camera.directions(table.frame, x + 0.5, y + 0.5)
            out[start : start + len(rays)] = caster.first_hit(np.broadcast_to(eye, rays.shape), rays).face
    finally:
        caster.close()
    return out.reshape(camera.height, camera.width)
