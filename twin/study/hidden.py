"""What some buildings take of the view of an eye, and what stood there: rays in all directions in which they may be."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.model.scene import Scene
from twin.model.surface import Surface
from twin.study.hanging import faces_of
from twin.study.occluders import FaceTable, face_table
from twin.study.targets import Targets
from twin.visibility.caster import Device, make_caster

STEP_DEG = 0.05
"""Coarsest step between the rays [degree]."""
MOST_RAYS = 400_000


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """What some buildings take of a view.

    Parameters
    ----------
    solid_angle
        Of what is seen of them [sr].
    hides
        What would be seen there without them: kind (``sky``, ``terrain``, ``water``, ``buildings``, ``trees``, ...), id
        of a building, bridge or such, solid angle [sr]; the largest first.
    """

    solid_angle: float
    hides: tuple[tuple[str, str, float], ...]


def view_taken(
    scene: Scene,
    behind: Scene,
    targets: Targets,
    eye: NDArray[np.float64],
    trees: bool,
    where: tuple[Device, int],
) -> Taken:
    """How much of the view of an eye some buildings take, and what they hide.

    Parameters
    ----------
    scene
        The scene with the buildings.
    behind
        The scene that they are compared with; they are left out of it too.
    targets
        On the buildings.
    eye
        x, y, z, local space [m].
    trees
        Whether trees are in the view.
    where
        Device and threads.
    """
    if not len(targets):
        return Taken(0.0, ())
    rays, weight = _fan(targets, np.asarray(eye, dtype=np.float64))
    now = face_table(scene, trees)
    took = _hits(now, eye, rays, where)
    mine = np.array([name in targets.ids for name in now.ids])
    seen = (took >= 0) & mine[now.objects[took]]
    if not seen.any():
        return Taken(0.0, ())
    old = face_table(behind, trees)
    old = faces_of(old, np.array([name not in targets.ids for name in old.ids]))
    total: dict[tuple[str, str], float] = defaultdict(float)
    for face, angle in zip(_hits(old, eye, rays[seen], where), weight[seen], strict=True):
        total[_named(old, int(face))] += float(angle)
    order = sorted(total.items(), key=lambda item: (-item[1], item[0]))
    return Taken(float(weight[seen].sum()), tuple((kind, name, angle) for (kind, name), angle in order))


def _fan(targets: Targets, eye: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit directions (n, 3) over the box of angles around the targets, and what each stands for (n,) [sr]."""
    corners = [targets.points, *[cell for cell in targets.cells if cell is not None]]
    off = np.concatenate(corners) - eye
    middle = np.arctan2(*(targets.middle - eye)[:2])
    turn = (np.arctan2(off[:, 0], off[:, 1]) - middle + np.pi) % (2 * np.pi) - np.pi
    up = np.arctan2(off[:, 2], np.hypot(off[:, 0], off[:, 1]))
    width, height = np.ptp(turn), np.ptp(up)
    step = np.radians(STEP_DEG)
    step = max(min(step, max(width, height) / 200.0), np.sqrt(max(width * height, 1e-12) / MOST_RAYS))
    across, over = max(1, int(np.ceil(width / step))), max(1, int(np.ceil(height / step)))
    azimuth = middle + turn.min() + (np.arange(across) + 0.5) * width / across
    # Even steps of the sine: every ray stands for the same solid angle.
    low, high = np.sin(up.min()), np.sin(up.max())
    rise = low + (np.arange(over) + 0.5) * (high - low) / over
    a, s = (grid.ravel() for grid in np.meshgrid(azimuth, rise))
    flat = np.sqrt(1.0 - s**2)
    rays = np.column_stack([np.sin(a) * flat, np.cos(a) * flat, s])
    return rays, np.full(len(rays), width / across * (high - low) / over)


def _hits(
    table: FaceTable, eye: NDArray[np.float64], rays: NDArray[np.float64], where: tuple[Device, int]
) -> NDArray[np.int32]:
    caster = make_caster(table.triangles(), *where)
    try:
        return caster.first_hit(np.broadcast_to(np.asarray(eye, dtype=np.float64), rays.shape), rays).face
    finally:
        caster.close()


def _named(table: FaceTable, face: int) -> tuple[str, str]:
    """Kind and id of what a face belongs to; trees and the ground have no name."""
    if face < 0:
        return "sky", ""
    number = int(table.objects[face])
    layer = table.layers[number]
    if int(table.semantics[face]) == Surface.WATER:
        return "water", ""
    return layer, "" if layer in ("terrain", "trees") else table.ids[number]
