"""What some buildings take of the view of an eye, and what stood there: rays in all directions in which they may be."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.model.surface import Surface
from twin.study.hanging import faces_of
from twin.study.occluders import FaceTable
from twin.study.targets import Targets
from twin.visibility.caster import Caster, Device, make_caster

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


def views_taken(
    table: FaceTable,
    behind: FaceTable,
    targets: Targets,
    eyes: NDArray[np.float64],
    where: tuple[Device, int],
) -> list[Taken]:
    """How much of the view of each eye some buildings take, and what they hide; over a flat earth.

    Parameters
    ----------
    table
        The faces of the scene with the buildings.
    behind
        Those of the scene that it is compared with; the buildings are left out of it too.
    targets
        On the buildings.
    eyes
        (n, 3) local space [m].
    where
        Device and threads.
    """
    if not len(targets):
        return [Taken(0.0, ())] * len(eyes)
    mine = np.array([name in targets.ids for name in table.ids])
    behind = faces_of(behind, np.array([name not in targets.ids for name in behind.ids]))
    now, old = make_caster(table.triangles(), *where), make_caster(behind.triangles(), *where)
    out = []
    try:
        for eye in np.asarray(eyes, dtype=np.float64):
            rays, weight = _fan(targets, eye)
            took = _hits(now, eye, rays)
            seen = (took >= 0) & mine[table.objects[took]]
            if not seen.any():
                out.append(Taken(0.0, ()))
                continue
            total: dict[tuple[str, str], float] = defaultdict(float)
            for face, angle in zip(_hits(old, eye, rays[seen]), weight[seen], strict=True):
                total[_named(behind, int(face))] += float(angle)
            order = sorted(total.items(), key=lambda item: (-item[1], item[0]))
            hides = tuple((kind, name, angle) for (kind, name), angle in order)
            out.append(Taken(float(weight[seen].sum()), hides))
    finally:
        now.close()
        old.close()
    return out


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


def _hits(caster: Caster, eye: NDArray[np.float64], rays: NDArray[np.float64]) -> NDArray[np.int32]:
    return caster.first_hit(np.broadcast_to(eye, rays.shape), rays).face


def _named(table: FaceTable, face: int) -> tuple[str, str]:
    """Kind and id of what a face belongs to; trees and the ground have no name."""
    if face < 0:
        return "sky", ""
    number = int(table.objects[face])
    layer = table.layers[number]
    if int(table.semantics[face]) == Surface.WATER:
        return "water", ""
    return layer, "" if layer in ("terrain", "trees") else table.ids[number]
