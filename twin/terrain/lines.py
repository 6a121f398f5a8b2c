"""Lines that the terrain's triangles keep as edges: outlines, shores, walls; on the ground and without crossings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray

from twin.model.raster import Raster
from twin.terrain.delaunay import STEP_M
from twin.terrain.sampler import sample_bilinear


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Straight pieces that meet at their ends only.

    Parameters
    ----------
    x, y
        (n,) int64 points [steps of 0.1 mm, local space].
    z
        (n,) float64 ground at the points [m].
    ends
        (m, 2) int64 first and last point of each piece.
    """

    x: NDArray[np.int64]
    y: NDArray[np.int64]
    z: NDArray[np.float64]
    ends: NDArray[np.int64]


NO_LINES = Lines(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty((0, 2), np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class Shores:
    """Outlines that lie on the water's level, not between it and the bank.

    Parameters
    ----------
    outlines
        Polygons, local space.
    levels
        Level of the water [m] within and at least two cells around them, NaN elsewhere.
    """

    outlines: tuple[shapely.Polygon, ...]
    levels: Raster


def lines_on(
    dtm: Raster, edges: Iterable[shapely.Geometry], bend_m: float, shores: Shores | None = None
) -> Lines:
    """Lines and outlines as pieces on the ground.

    They are cut at the hull of the cell centres, get points where the ground under them bends by more than
    ``bend_m``, and are noded on whole steps (snap rounding), so that no two cross.

    Parameters
    ----------
    dtm
        Heights [m].
    edges
        Any shapely lines or polygons, local space [m].
    bend_m
        Largest distance between the ground and a straight piece, at steps of a cell [m].
    shores
        Outlines of water, which are lines too; all points on them have the water's level.
    """
    grid = dtm.grid
    x, y = grid.x_centres(), grid.y_centres()
    hull = shapely.box(x[0], y[-1], x[-1], y[0])
    bent = [_bent(dtm, part, bend_m) for part in _within(hull, edges)]
    if shores is not None:
        bent += [_bent(shores.levels, part, bend_m) for part in _within(hull, shores.outlines)]
    if not bent:
        return NO_LINES
    noded = shapely.union_all([*bent, shapely.boundary(hull)], grid_size=STEP_M)
    coords, of = shapely.get_coordinates(shapely.get_parts(noded), return_index=True)
    at = np.rint(coords / STEP_M).astype(np.int64)
    first = np.flatnonzero(of[:-1] == of[1:])
    points, number = np.unique(at, axis=0, return_inverse=True)
    number = number.reshape(-1)
    ends = np.unique(np.sort(np.column_stack([number[first], number[first + 1]]), axis=1), axis=0)
    ends = ends[ends[:, 0] != ends[:, 1]]
    return _sorted(points, ends, _heights(dtm, np.asarray(points * STEP_M, np.float64), shores))


def _within(hull: shapely.Polygon, edges: Iterable[shapely.Geometry]) -> list[shapely.LineString]:
    wanted = [_plain_lines(shape) for shape in edges]
    strings = [s for s in wanted if shapely.intersects(s, hull)]
    if not strings:
        return []
    cut = shapely.get_parts(shapely.intersection(strings, hull))
    return [p for p in shapely.get_parts(cut) if isinstance(p, shapely.LineString) and p.length > 0]


def _heights(dtm: Raster, points: NDArray[np.float64], shores: Shores | None) -> NDArray[np.float64]:
    """The ground at points (n, 2), on shores the water's level [m]."""
    z = sample_bilinear(dtm, points)
    if shores is not None and shores.outlines:
        water = shapely.union_all(list(shores.outlines))
        shapely.prepare(water)
        wet = shapely.dwithin(water, shapely.points(points), 2 * STEP_M)
        level = sample_bilinear(shores.levels, points[wet])
        z[wet] = np.where(np.isnan(level), z[wet], level)
    return z


def _plain_lines(shape: shapely.Geometry) -> shapely.Geometry:
    flat = shapely.force_2d(shape)
    polygonal = shapely.get_dimensions(flat) == 2
    return shapely.boundary(flat) if polygonal else flat


def _bent(dtm: Raster, line: shapely.LineString, bend_m: float) -> shapely.LineString:
    """The line with more points, where the ground between its points is not straight."""
    corners = shapely.get_coordinates(line)
    out = [corners[:1]]
    for a, b in pairwise(corners):
        # From the lesser end, so that two outlines with a common wall get the same points.
        back = tuple(b) < tuple(a)
        p, q = (b, a) if back else (a, b)
        inner = _inner(dtm, p, q, bend_m)
        out += [inner[::-1] if back else inner, b[None, :]]
    return shapely.LineString(np.concatenate(out))


def _inner(dtm: Raster, a: NDArray[np.float64], b: NDArray[np.float64], bend_m: float) -> NDArray[np.float64]:
    count = int(np.ceil(np.hypot(*(b - a)) / dtm.grid.cell_size))
    if count < 2:
        return np.empty((0, 2))
    share = np.arange(count + 1) / count
    points = a + share[:, None] * (b - a)
    z = sample_bilinear(dtm, points)
    keep = np.zeros(count + 1, dtype=bool)
    stack = [(0, count)]
    while stack:
        i, j = stack.pop()
        inner = np.arange(i + 1, j)
        if not len(inner):
            continue
        off = np.abs(z[inner] - (z[i] + (share[inner] - share[i]) / (share[j] - share[i]) * (z[j] - z[i])))
        worst = int(np.argmax(off))
        if off[worst] > bend_m:
            keep[inner[worst]] = True
            stack += [(i, int(inner[worst])), (int(inner[worst]), j)]
    return points[keep]


def _sorted(points: NDArray[np.int64], ends: NDArray[np.int64], z: NDArray[np.float64]) -> Lines:
    """Points in strips of equal width, so that each lies near the one before."""
    wide = max(1, int(np.sqrt(len(points)) / 2))
    low, high = points.min(axis=0), points.max(axis=0)
    strip = ((points[:, 0] - low[0]) * wide) // max(1, int(high[0] - low[0]) + 1)
    along = np.where(strip % 2 == 0, points[:, 1], -points[:, 1])
    order = np.lexsort((points[:, 0], along, strip))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order), dtype=np.int64)
    points = points[order]
    return Lines(points[:, 0].copy(), points[:, 1].copy(), z[order], place[ends].astype(np.int64))
