"""Which points lie in which polygons, for many points and many polygons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from twin.jit import njit

BIN_M = 8.0
"""Side of the bins that list the polygons near a point [m]; larger where the area is large."""

MAX_BINS = 4_000_000


@njit
def _fill(
    boxes: NDArray[np.float64],
    place: tuple[float, float, float, int, int],
    ends: NDArray[np.int64],
    members: NDArray[np.int32],
) -> None:
    """Count each bin's polygons into ``ends`` (members empty), or list them (``ends`` = next free place)."""
    west, south, size, across, up = place
    for p in range(len(boxes)):
        i0 = min(max(int((boxes[p, 0] - west) / size), 0), across - 1)
        j0 = min(max(int((boxes[p, 1] - south) / size), 0), up - 1)
        i1 = min(max(int((boxes[p, 2] - west) / size), 0), across - 1)
        j1 = min(max(int((boxes[p, 3] - south) / size), 0), up - 1)
        for j in range(j0, j1 + 1):
            for i in range(i0, i1 + 1):
                k = j * across + i
                if len(members) > 0:
                    members[ends[k]] = p
                ends[k] += 1


@njit
def _within(x: float, y: float, sides: NDArray[np.float64]) -> bool:
    """Even-odd rule over the sides (n, 4) of all rings; a point on a side belongs to one of its two sides."""
    inside = False
    for k in range(len(sides)):
        ay, by = sides[k, 1], sides[k, 3]
        if (ay > y) != (by > y):
            ax, bx = sides[k, 0], sides[k, 2]
            if x < ax + (y - ay) / (by - ay) * (bx - ax):
                inside = not inside
    return inside


@njit
def _hits(
    xy: NDArray[np.float64],
    place: tuple[float, float, float, int, int],
    bins: tuple[NDArray[np.int64], NDArray[np.int32]],
    shapes: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]],
    out: tuple[NDArray[np.int64], NDArray[np.int32]],
) -> int:
    """Write (point, polygon) pairs while there is room; give their full number."""
    west, south, size, across, up = place
    starts, members = bins
    boxes, sides, first = shapes
    points, polygons = out
    found = 0
    for n in range(len(xy)):
        x, y = xy[n, 0], xy[n, 1]
        u, v = (x - west) / size, (y - south) / size
        if not (0.0 <= u <= across and 0.0 <= v <= up):
            continue
        k = min(int(v), up - 1) * across + min(int(u), across - 1)
        for m in range(starts[k], starts[k + 1]):
            p = members[m]
            if x < boxes[p, 0] or x > boxes[p, 2] or y < boxes[p, 1] or y > boxes[p, 3]:
                continue
            if _within(x, y, sides[first[p] : first[p + 1]]):
                if found < len(points):
                    points[found], polygons[found] = n, p
                found += 1
    return found


class PolygonIndex:
    """Polygons sorted into square bins by their boxes; the test inside a box is exact.

    Parameters
    ----------
    polygons
        Polygons or multipolygons with any number of holes, local space [m]; they may overlap.
    """

    def __init__(self, polygons: Sequence[shapely.Polygon | shapely.MultiPolygon]) -> None:
        self.count = len(polygons)
        boxes = np.array([p.bounds for p in polygons], dtype=np.float64).reshape(-1, 4)
        sides = [_sides(p) for p in polygons]
        first = np.cumsum([0] + [len(s) for s in sides]).astype(np.int64)
        every = np.concatenate(sides) if sides else np.empty((0, 4))
        self._shapes = (boxes, np.ascontiguousarray(every, dtype=np.float64), first)
        low = boxes[:, :2].min(axis=0) if self.count else np.zeros(2)
        high = boxes[:, 2:].max(axis=0) if self.count else np.ones(2)
        width, height = (float(v) for v in high - low)
        size = max(BIN_M, float(np.sqrt(max(width * height, 1.0) / MAX_BINS)))
        across, up = max(1, int(np.ceil(width / size))), max(1, int(np.ceil(height / size)))
        self._place = (float(low[0]), float(low[1]), size, across, up)
        starts = np.zeros(across * up + 1, dtype=np.int64)
        _fill(boxes, self._place, starts[1:], np.empty(0, dtype=np.int32))
        np.cumsum(starts, out=starts)
        members = np.empty(max(1, int(starts[-1])), dtype=np.int32)
        _fill(boxes, self._place, starts[:-1].copy(), members)
        self._bins = (starts, members)

    def hits(self, xy: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Pairs of point and polygon number: a point counts once for each polygon that contains it.

        Parameters
        ----------
        xy
            (n, 2) local space [m].

        Returns
        -------
        tuple
            (k,) point numbers, rising, and (k,) polygon numbers.
        """
        plan = np.ascontiguousarray(np.reshape(xy, (-1, 2)), dtype=np.float64)
        room = len(plan)
        while True:
            out = (np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int32))
            found = int(_hits(plan, self._place, self._bins, self._shapes, out)) if self.count else 0
            if found <= room:
                return out[0][:found], out[1][:found]
            room = found

    def contains(self, xy: NDArray[Any]) -> NDArray[np.bool_]:
        """Whether each point (n, 2) lies in any of the polygons."""
        inside = np.zeros(len(np.reshape(xy, (-1, 2))), dtype=np.bool_)
        inside[self.hits(xy)[0]] = True
        return inside


def _sides(shape: shapely.Polygon | shapely.MultiPolygon) -> NDArray[np.float64]:
    """Sides (n, 4) x, y, x, y of all rings."""
    rings = shapely.get_rings(shapely.get_parts(shape))
    coords = [np.asarray(ring.coords, dtype=np.float64)[:, :2] for ring in rings]
    if not coords:
        return np.empty((0, 4))
    return np.concatenate([np.column_stack([c[:-1], c[1:]]) for c in coords])
