"""How well a model fits its points: distances to the roof, and what the points leave open."""

from __future__ import annotations

import math

import numpy as np
import shapely
from numpy.typing import NDArray

from twin.jit import njit
from twin.model.geometry import Geometry
from twin.model.surface import Surface
from twin.model.triangulate import triangulate_surface

CELL_M = 1.0
"""Cells in which coverage is counted, at 4 points a square metre or more [m]."""


def roof_triangles(geometry: Geometry) -> NDArray[np.float64]:
    """Corners (m, 3, 3) of the triangles of the roof faces, local space [m]."""
    middle = geometry.vertices.mean(axis=0)
    shifted = geometry.vertices - middle
    faces = [
        triangulate_surface(shifted, rings)
        for rings, code in zip(geometry.surfaces, geometry.semantics, strict=True)
        if code == Surface.ROOF
    ]
    corners: NDArray[np.float64] = geometry.vertices[np.concatenate(faces)] if faces else np.zeros((0, 3, 3))
    return corners


def roof_distances(
    triangles: NDArray[np.float64], points: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance of points (n, 3) to the nearest triangle, and their height above the highest one over or under them.

    Returns
    -------
    (n,) distance [m]; (n,) height [m], NaN where no triangle lies on the point's upright line.
    """
    near, above = np.full(len(points), np.inf), np.full(len(points), np.nan)
    if len(points) and len(triangles):
        origin = triangles.reshape(-1, 3).mean(axis=0)
        _distances(triangles - origin, points - origin, near, above)
    return near, above


@njit
def _distances(
    triangles: NDArray[np.float64],
    points: NDArray[np.float64],
    near: NDArray[np.float64],
    above: NDArray[np.float64],
) -> None:
    """Exact distance to triangles: to the plane inside, else to the edges (Eberly 1999)."""
    for t in range(len(triangles)):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        e0x, e0y, e0z = b[0] - a[0], b[1] - a[1], b[2] - a[2]
        e1x, e1y, e1z = c[0] - a[0], c[1] - a[1], c[2] - a[2]
        aa = e0x * e0x + e0y * e0y + e0z * e0z
        ab = e0x * e1x + e0y * e1y + e0z * e1z
        bb = e1x * e1x + e1y * e1y + e1z * e1z
        det = aa * bb - ab * ab
        flat = e0x * e1y - e0y * e1x
        if det <= 0.0:
            continue
        for i in range(len(points)):
            dx, dy, dz = points[i, 0] - a[0], points[i, 1] - a[1], points[i, 2] - a[2]
            if abs(flat) > 1e-12:
                u = (dx * e1y - dy * e1x) / flat
                v = (e0x * dy - e0y * dx) / flat
                if u >= -1e-9 and v >= -1e-9 and u + v <= 1.0 + 1e-9:
                    off = dz - u * e0z - v * e1z
                    if not above[i] <= off:
                        above[i] = off
            p, q = e0x * dx + e0y * dy + e0z * dz, e1x * dx + e1y * dy + e1z * dz
            s, r = (bb * p - ab * q) / det, (aa * q - ab * p) / det
            if s >= 0.0 and r >= 0.0 and s + r <= 1.0:
                x, y, z = dx - s * e0x - r * e1x, dy - s * e0y - r * e1y, dz - s * e0z - r * e1z
                best = x * x + y * y + z * z
            else:
                best = np.inf
                for k in range(3):
                    if k == 0:
                        fx, fy, fz, gx, gy, gz, length = dx, dy, dz, e0x, e0y, e0z, aa
                    elif k == 1:
                        fx, fy, fz, gx, gy, gz, length = dx, dy, dz, e1x, e1y, e1z, bb
                    else:
                        fx, fy, fz = dx - e0x, dy - e0y, dz - e0z
                        gx, gy, gz = e1x - e0x, e1y - e0y, e1z - e0z
                        length = gx * gx + gy * gy + gz * gz
                    w = min(1.0, max(0.0, (fx * gx + fy * gy + fz * gz) / length)) if length > 0 else 0.0
                    x, y, z = fx - w * gx, fy - w * gy, fz - w * gz
                    best = min(best, x * x + y * y + z * z)
            near[i] = min(near[i], math.sqrt(best))


def nmad(values: NDArray[np.float64]) -> float:
    """Normalised median absolute deviation: 1.4826 times the median distance from the median."""
    known = values[np.isfinite(values)]
    return float(1.4826 * np.median(np.abs(known - np.median(known)))) if len(known) else math.nan


def coverage(polygon: shapely.Polygon, xy: NDArray[np.float64]) -> tuple[float, float]:
    """Share of an outline without points, and the density of the points on the rest.

    Parameters
    ----------
    polygon
        The outline [m].
    xy
        (n, 2) points inside [m].

    Returns
    -------
    Share of cells without a point, 0 to 1; points for each square metre of covered cells.
    """
    if not len(xy):
        return 1.0, 0.0
    side = max(CELL_M, 2.0 / math.sqrt(len(xy) / polygon.area))
    west, south, east, north = polygon.bounds
    x, y = np.meshgrid(np.arange(west + side / 2, east, side), np.arange(south + side / 2, north, side))
    inside = shapely.contains_xy(polygon, x, y)
    cols = ((xy[:, 0] - west) / side).astype(np.int64)
    rows = ((xy[:, 1] - south) / side).astype(np.int64)
    count = np.zeros(x.shape, dtype=np.int64)
    fits = (rows >= 0) & (rows < count.shape[0]) & (cols >= 0) & (cols < count.shape[1])
    np.add.at(count, (rows[fits], cols[fits]), 1)
    cells = int(inside.sum())
    if not cells:
        return 0.0, len(xy) / polygon.area
    covered = int((count[inside] > 0).sum())
    if not covered:
        return 1.0, len(xy) / polygon.area
    return 1.0 - covered / cells, float(count[inside].sum()) / (covered * side * side)
