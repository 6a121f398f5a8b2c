"""Closed solids of the true buildings: roof, walls and base sewn along shared plan points."""

from __future__ import annotations

import numpy as np

from pipelines.sample.shapes import Shape
from pipelines.sample.things import TrueBuilding
from twin.model.geometry import Geometry, solid
from twin.model.surface import Surface

Edge = tuple[int, int]
Node = tuple[int, float]
SAME_M = 1e-6
"""Two heights at one plan point closer than this are one vertex."""


def true_solid(building: TrueBuilding, lod: str = "2.2") -> Geometry:
    """The building as one closed solid with a flat base, local space.

    Every wall carries all heights that occur along its upright edges, so neighbours share whole edges.
    """
    shape = building.shape
    sides = {edge: face for face in range(len(shape.faces)) for edge in _edges(shape, face)}
    levels = _levels(shape, building.bottom)
    surfaces: list[tuple[tuple[Node, ...], ...]] = []
    kinds: list[int] = []
    for corners in shape.faces:
        surfaces.append((tuple((k, _level(levels[k], z)) for k, z in corners),))
        kinds.append(Surface.ROOF)
    for (p, q), face in sides.items():
        other = sides.get((q, p))
        low = dict(shape.faces[other]) if other is not None else {p: building.bottom, q: building.bottom}
        high = dict(shape.faces[face])
        ring = _wall(levels, p, q, (low[p], low[q], high[p], high[q]))
        if ring:
            surfaces.append((ring,))
            kinds.append(Surface.WALL)
    base = [tuple((k, levels[k][0]) for k in reversed(ring)) for ring in outline_rings(shape)]
    surfaces.append(tuple(base))
    kinds.append(Surface.GROUND)
    return _indexed(lod, shape, surfaces, kinds)


def _edges(shape: Shape, face: int) -> list[Edge]:
    ring = [k for k, _ in shape.faces[face]]
    return list(zip(ring, ring[1:] + ring[:1], strict=True))


def _levels(shape: Shape, bottom: float) -> dict[int, list[float]]:
    """All heights that occur at each plan point, rising, the base first."""
    found: dict[int, list[float]] = {}
    for face in shape.faces:
        for k, z in face:
            known = found.setdefault(k, [bottom])
            if all(abs(z - other) > SAME_M for other in known):
                known.append(z)
    return {k: sorted(z) for k, z in found.items()}


def _level(levels: list[float], z: float) -> float:
    return min(levels, key=lambda other: abs(other - z))


def _wall(
    levels: dict[int, list[float]], p: int, q: int, z: tuple[float, float, float, float]
) -> tuple[Node, ...]:
    """The wall above a lower neighbour along p -> q, counter-clockwise from outside; () where none."""
    low_p, low_q, high_p, high_q = z
    if high_p - low_p < SAME_M and high_q - low_q < SAME_M:
        return ()
    up = [(q, h) for h in levels[q] if low_q - SAME_M < h < high_q + SAME_M]
    down = [(p, h) for h in reversed(levels[p]) if low_p - SAME_M < h < high_p + SAME_M]
    return tuple(up + down)


def outline_rings(shape: Shape) -> list[list[int]]:
    """Plan points of the outline: the outer ring counter-clockwise first, courts clockwise after it."""
    edges = {edge for face in range(len(shape.faces)) for edge in _edges(shape, face)}
    following = {p: q for p, q in edges if (q, p) not in edges}
    rings = []
    while following:
        start = min(following)
        ring = [start]
        k = following.pop(start)
        while k != start:
            ring.append(k)
            k = following.pop(k)
        rings.append(ring)
    return sorted(rings, key=lambda ring: -_area(shape, ring))


def _area(shape: Shape, ring: list[int]) -> float:
    x, y = shape.points[ring].T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def _indexed(
    lod: str, shape: Shape, surfaces: list[tuple[tuple[Node, ...], ...]], kinds: list[int]
) -> Geometry:
    numbers: dict[Node, int] = {}
    faces = [
        tuple(tuple(numbers.setdefault(node, len(numbers)) for node in ring) for ring in rings)
        for rings in surfaces
    ]
    vertices = np.array([[*shape.points[k], z] for k, z in numbers])
    return solid(lod, vertices, faces, kinds)
