"""A line of sight from point to point: whether it is free, what stops it first, and the profile below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.model.scene import Scene
from twin.study.occluders import FaceTable, face_table
from twin.study.sight import bend_of, bend_vertices, sees
from twin.terrain.sampler import TinSampler
from twin.visibility.caster import Caster, Device, make_caster

LEAST_M = 1.0
"""The ends of a line are as far apart at least [m]."""
SKY_M = 5000.0
"""Where the rays start that look down for the highest surface [m]."""


@dataclass(frozen=True, slots=True, eq=False)
class Sightline:
    """A line of sight and what lies below it.

    Parameters
    ----------
    visible
        Whether the target is seen; grazing is seen.
    obstacle, layer
        Id and layer of what stops it first; empty where nothing does.
    at_m
        Distance of that from the eye in plan [m]; NaN where nothing does.
    distance
        (n,) from the eye in plan [m].
    line, ground, surface
        (n,) heights of the line of sight (with the earth's curve, so bent), of the terrain and of the highest of all
        that stands [m]; NaN off the terrain.
    """

    visible: bool
    obstacle: str
    layer: str
    at_m: float
    distance: NDArray[np.float64]
    line: NDArray[np.float64]
    ground: NDArray[np.float64]
    surface: NDArray[np.float64]

    @property
    def clearance_m(self) -> float:
        """Least height of the line above the surface between its ends [m]; NaN where there is no ground."""
        gap = (self.line - self.surface)[1:-1]
        return float(np.nanmin(gap)) if np.isfinite(gap).any() else float("nan")


End = NDArray[np.float64]
"""x, y, z, local space [m]."""


def sightlines(
    scene: Scene,
    lines: Sequence[tuple[End, End]],
    refraction_k: float | None,
    trees: bool,
    where: tuple[Device, int],
    step_m: float = 1.0,
) -> list[Sightline]:
    """The lines of sight between pairs of points.

    Parameters
    ----------
    scene
        What hides.
    lines
        Eye and target of each.
    refraction_k
        Refraction coefficient; None leaves the earth flat.
    trees
        Whether trees hide, as opaque crowns.
    where
        Device and threads.
    step_m
        Distance of the points of the profile [m].

    Raises
    ------
    InputError
        Ends nearer than a metre, or not finite.
    """
    for eye, target in lines:
        if not np.isfinite([*eye, *target]).all() or np.linalg.norm(np.subtract(target, eye)) < LEAST_M:
            raise InputError("a line of sight has two finite ends, at least a metre apart")
    if not lines:
        return []
    table = face_table(scene, trees, coverings=False)
    middle = (float(lines[0][0][0]), float(lines[0][0][1]))

    def lowered(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return points if refraction_k is None else bend_vertices(points, middle, refraction_k)

    ground = TinSampler(scene.terrain.tin)
    straight = make_caster(table.triangles(), *where)
    low = make_caster(table.with_vertices(lowered(table.vertices)).triangles(), *where)
    bend = 0.0 if refraction_k is None else bend_of(refraction_k)
    out = []
    try:
        for eye, target in lines:
            length = float(np.hypot(*(target - eye)[:2]))
            share = np.linspace(0.0, 1.0, max(2, int(np.ceil(length / step_m)) + 1))
            xy = eye[:2] + share[:, None] * (target - eye)[:2]
            # Seen from the eye the ground falls away: the line bends by the drop and ends at the target.
            drop = bend * (share * length) ** 2
            line = eye[2] + share * (target[2] - drop[-1] - eye[2]) + drop
            found = _first(low, table, lowered(np.array([eye, target], dtype=np.float64)))
            surface = _highest(straight, xy)
            out.append(Sightline(*found, share * length, line, ground.heights(xy), surface))
    finally:
        straight.close()
        low.close()
    return out


def _first(caster: Caster, table: FaceTable, ends: NDArray[np.float64]) -> tuple[bool, str, str, float]:
    """Whether a line is free; id and layer of what stops it first, and its distance in plan [m]."""
    eye, target = ends
    if sees(caster, target[None], eye)[0]:
        return True, "", "", float("nan")
    length = float(np.linalg.norm(target - eye))
    way = (target - eye) / length
    hit = caster.first_hit(eye[None], way[None], np.array([length]))
    if hit.face[0] < 0:
        return False, "", "", float("nan")
    number = int(table.objects[hit.face[0]])
    at_m = float(hit.distance[0] * np.hypot(way[0], way[1]))
    return False, table.ids[number], table.layers[number], at_m


def _highest(caster: Caster, xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Height (n,) of the highest face at places (n, 2) [m]; NaN where there is none."""
    start = np.column_stack([xy, np.full(len(xy), SKY_M)])
    hits = caster.first_hit(start, np.array([0.0, 0.0, -1.0]))
    return np.where(hits.face >= 0, SKY_M - hits.distance, np.nan)
