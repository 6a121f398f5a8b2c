"""A line of sight from point to point: whether it is free, what stops it first, and the profile below it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.model.scene import Scene
from twin.study.occluders import face_table
from twin.study.sight import bend_of, bend_vertices, sees
from twin.terrain.sampler import TinSampler
from twin.visibility.caster import Caster, Device, make_caster

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


def sightline(
    scene: Scene,
    ends: tuple[NDArray[np.float64], NDArray[np.float64]],
    refraction_k: float | None,
    trees: bool,
    where: tuple[Device, int],
    step_m: float = 1.0,
) -> Sightline:
    """The line of sight between two points.

    Parameters
    ----------
    scene
        What hides.
    ends
        Eye and target, x, y, z, local space [m].
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
    eye, target = (np.asarray(end, dtype=np.float64) for end in ends)
    length = float(np.hypot(*(target - eye)[:2]))
    if not np.isfinite(np.concatenate([eye, target])).all() or np.linalg.norm(target - eye) < 1.0:
        raise InputError("a line of sight has two finite ends, at least a metre apart")
    table = face_table(scene, trees, coverings=False)
    share = np.linspace(0.0, 1.0, max(2, int(np.ceil(length / step_m)) + 1))
    xy = eye[:2] + share[:, None] * (target - eye)[:2]
    bend = 0.0 if refraction_k is None else bend_of(refraction_k)
    drop = bend * (share * length) ** 2
    low = target - np.array([0.0, 0.0, drop[-1]])
    straight = make_caster(table.triangles(), *where)
    try:
        surface = _highest(straight, xy)
    finally:
        straight.close()
    bent = (
        table
        if refraction_k is None
        else table.with_vertices(bend_vertices(table.vertices, (float(eye[0]), float(eye[1])), refraction_k))
    )
    caster = make_caster(bent.triangles(), *where)
    try:
        visible = bool(sees(caster, low[None], eye)[0])
        obstacle, layer, at_m = "", "", float("nan")
        if not visible:
            way = (low - eye) / np.linalg.norm(low - eye)
            hit = caster.first_hit(eye[None], way[None], np.array([np.linalg.norm(low - eye)]))
            if hit.face[0] >= 0:
                number = int(table.objects[hit.face[0]])
                obstacle, layer = table.ids[number], table.layers[number]
                at_m = float(hit.distance[0] * np.hypot(way[0], way[1]))
    finally:
        caster.close()
    line = eye[2] + share * (low[2] - eye[2]) + drop
    ground = TinSampler(scene.terrain.tin).heights(xy)
    return Sightline(visible, obstacle, layer, at_m, share * length, line, ground, surface)


def _highest(caster: Caster, xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Height (n,) of the highest face at places (n, 2) [m]; NaN where there is none."""
    start = np.column_stack([xy, np.full(len(xy), SKY_M)])
    hits = caster.first_hit(start, np.array([0.0, 0.0, -1.0]))
    return np.where(hits.face >= 0, SKY_M - hits.distance, np.nan)
