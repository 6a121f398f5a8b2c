"""Volumes of shells and solids by the divergence theorem."""

from __future__ import annotations

import numpy as np

from twin.model.geometry import Geometry


def shell_volumes(geometry: Geometry) -> dict[tuple[int, int], float]:
    """Signed volume of each (solid, shell) [m3]; voids count negative.

    Each ring is fanned from its first corner: for flat faces the signed sum is exact, concave or with holes.
    """
    if not geometry.surfaces:
        return {}
    flat = [(number, ring) for number, rings in enumerate(geometry.surfaces) for ring in rings]
    count = np.array([len(ring) for _, ring in flat], dtype=np.int64)
    index = np.array([i for _, ring in flat for i in ring], dtype=np.int64)
    first = np.repeat(np.cumsum(count) - count, count)
    after = np.arange(1, len(index) + 1)
    after[np.cumsum(count) - 1] = np.cumsum(count) - count
    points = (geometry.vertices - geometry.vertices.mean(axis=0))[index]
    surface = np.repeat(np.array([number for number, _ in flat], dtype=np.int64), count)
    parts = np.einsum("ij,ij->i", points[first], np.cross(points, points[after]))
    sixfold = np.bincount(surface, parts, len(geometry.surfaces))
    keys, which = np.unique(geometry.shells, axis=0, return_inverse=True)
    totals = np.bincount(which.reshape(-1), sixfold) / 6.0
    return {(int(key[0]), int(key[1])): float(total) for key, total in zip(keys, totals, strict=True)}


def solid_volume(geometry: Geometry) -> float:
    """Volume of all solids of a geometry less their voids [m3]; meaningful where it is valid."""
    return sum(shell_volumes(geometry).values())
