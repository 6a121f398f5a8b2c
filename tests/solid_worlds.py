"""Boxes and their relations, broken in one way each, as boundaries anywhere in the world."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twin.model.geometry import Kind
from twin.validation.boundaries import Boundaries, starts

CORNERS = np.array(
    [[0, 0, 0], [4, 0, 0], [4, 3, 0], [0, 3, 0], [0, 0, 2], [4, 0, 2], [4, 3, 2], [0, 3, 2]], dtype=float
)
SIDES: tuple[tuple[tuple[int, ...], ...], ...] = (
    ((0, 3, 2, 1),),
    ((0, 1, 5, 4),),
    ((1, 2, 6, 5),),
    ((2, 3, 7, 6),),
    ((3, 0, 4, 7),),
    ((4, 5, 6, 7),),
)
Surfaces = Sequence[Sequence[Sequence[int]]]
Points = NDArray[np.float64]


def turned(points: Points, angle_deg: float = 23.0, tilt_deg: float = 11.0) -> Points:
    """Turned about the vertical, then tilted, and set down in Lambert 2008: nothing lies along an axis."""
    a, t = np.deg2rad([angle_deg, tilt_deg])
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(t), -np.sin(t)], [0, np.sin(t), np.cos(t)]])
    return points @ (about_x @ about_z).T + [732446.3, 643915.7, 66.0]


def moved(points: Points, x: float, y: float, z: float) -> Points:
    return points + np.array([x, y, z])


PLACES = {
    "plain": lambda points: points,
    "turned": turned,
    "belgium": lambda points: moved(points, 230_000.25, 640_000.5, 66.0),
}
"""Where a world stands."""


def reverse(surfaces: Surfaces) -> tuple[tuple[tuple[int, ...], ...], ...]:
    return tuple(tuple(tuple(ring[::-1]) for ring in rings) for rings in surfaces)


def shift(surfaces: Surfaces, by: int) -> tuple[tuple[tuple[int, ...], ...], ...]:
    return tuple(tuple(tuple(i + by for i in ring) for ring in rings) for rings in surfaces)


def boundaries(
    points: Points,
    surfaces: Surfaces,
    kind: Kind = "Solid",
    shells: Sequence[tuple[int, int]] | None = None,
) -> Boundaries:
    """Surfaces of rings of vertex numbers; one shell where none are given."""
    rings = [ring for surface in surfaces for ring in surface]
    return Boundaries(
        kind,
        "2.2",
        np.asarray(points, dtype=float),
        np.array([i for ring in rings for i in ring], dtype=np.int64),
        starts([len(ring) for ring in rings]),
        starts([len(surface) for surface in surfaces]),
        np.array(shells or [(0, 0)] * len(surfaces), dtype=np.int64).reshape(-1, 2),
    )


def several(
    parts: Sequence[tuple[Points, Surfaces]], numbers: Sequence[tuple[int, int]], kind: Kind = "Solid"
) -> tuple[Points, list[tuple[tuple[int, ...], ...]], list[tuple[int, int]]]:
    """Points, surfaces and shell numbers of several bodies."""
    points: list[Points] = []
    surfaces: list[tuple[tuple[int, ...], ...]] = []
    shells: list[tuple[int, int]] = []
    start = 0
    for (xyz, sides), number in zip(parts, numbers, strict=True):
        surfaces += shift(sides, start)
        shells += [number] * len(sides)
        points.append(xyz)
        start += len(xyz)
    return np.concatenate(points), surfaces, shells


def prism(ring: Points, bottom: float, top: float) -> tuple[Points, list[tuple[tuple[int, ...], ...]]]:
    """An upright prism over a ring (n, 2) that turns left."""
    n = len(ring)
    low = np.column_stack([ring, np.full(n, bottom)])
    high = np.column_stack([ring, np.full(n, top)])
    sides = [((k, (k + 1) % n, n + (k + 1) % n, n + k),) for k in range(n)]
    floor, roof = (tuple(range(n - 1, -1, -1)),), (tuple(range(n, 2 * n)),)
    return np.concatenate([low, high]), [floor, *sides, roof]
