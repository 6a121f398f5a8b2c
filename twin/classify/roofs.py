"""Roof points among everything that stands in an outline: roofs are smooth in patches, cars, wires and twigs are not.

For clouds whose buildings share a class with all that is above ground. Neighbourhoods are fitted with planes;
smooth ones whose planes go through each other grow into patches; patches with enough points are roof, and so is
what lies on them at their edges. Walls, dormers and chimneys stop the pulse beside or shortly above a patch; twigs
let it pass, wires and cranes hang higher. Nothing depends on the order of the points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.jit import njit

NEIGHBOURS = 10
"""Points of a neighbourhood, itself with them."""
FEWEST = 6
"""Fewer points than this show no shape: they are taken as they are."""

LINE_RATIO = 0.03
"""Middle over largest variance of a neighbourhood below which it is a line."""


@dataclass(frozen=True, slots=True)
class RoofSettings:
    """What counts as roof; distances hold for 10 points a square metre and grow with the spacing.

    Parameters
    ----------
    min_height_m
        Least height above the ground [m].
    roughness_m
        Largest spread about the plane of a smooth neighbourhood [m].
    on_plane_m
        Largest distance of a point from the plane of a neighbour that it belongs with [m].
    steepest
        Least vertical part of a normal: steeper is wall.
    patch_points
        Least number of smooth points of a patch.
    patch_m2
        Least area of a patch [m2]; where points are dense, more are needed.
    above_m
        How far a chimney or a dormer may stand over the patches around it [m].
    beside_m
        How far from a patch a wall or a chimney may be, in plan [m].
    touch_m
        Nearer to roof than this, anything belongs to it: gutters, edges that a part of the pulse passes [m].
    """

    min_height_m: float = 1.5
    roughness_m: float = 0.15
    on_plane_m: float = 0.25
    steepest: float = 0.20
    patch_points: int = 8
    patch_m2: float = 1.0
    above_m: float = 1.5
    beside_m: float = 2.0
    touch_m: float = 1.0


@njit
def _normal(c: NDArray[np.float64], out: NDArray[np.float64]) -> float:
    """Unit vector, facing up, of the least spread of a covariance (xx, xy, xz, yy, yz, zz), and that variance.

    The variance is endless where the points lie on a line (wires): they have no plane.
    """
    xx, xy, xz, yy, yz, zz = c[0], c[1], c[2], c[3], c[4], c[5]
    mean = (xx + yy + zz) / 3.0
    off = xy * xy + xz * xz + yz * yz
    spread = np.sqrt(((xx - mean) ** 2 + (yy - mean) ** 2 + (zz - mean) ** 2 + 2.0 * off) / 6.0)
    out[0], out[1], out[2] = 0.0, 0.0, 1.0
    if spread < 1e-12:
        return float(mean)
    a, b, d = (xx - mean) / spread, (yy - mean) / spread, (zz - mean) / spread
    p, q, r = xy / spread, xz / spread, yz / spread
    half = (a * (b * d - r * r) - p * (p * d - r * q) + q * (p * r - b * q)) / 2.0
    angle = np.arccos(min(1.0, max(-1.0, half))) / 3.0
    least = mean + 2.0 * spread * np.cos(angle + 2.0943951023931953)
    most = mean + 2.0 * spread * np.cos(angle)
    if 3.0 * mean - least - most < LINE_RATIO * most:
        return np.inf
    rows = ((xx - least, xy, xz), (xy, yy - least, yz), (xz, yz, zz - least))
    best = 0.0
    for i, j in ((0, 1), (0, 2), (1, 2)):
        u, v = rows[i], rows[j]
        x, y, z = u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]
        size = x * x + y * y + z * z
        if size > best:
            best = size
            length = np.sqrt(size) if z >= 0 else -np.sqrt(size)
            out[0], out[1], out[2] = x / length, y / length, z / length
    return float(max(least, 0.0))


@njit
def _fit(
    xyz: NDArray[np.float64],
    near: NDArray[np.int64],
    normals: NDArray[np.float64],
    rough: NDArray[np.float64],
) -> None:
    """Plane of each neighbourhood: normal, and spread about it [m]; absent neighbours have number n."""
    n, k = near.shape
    c = np.empty(6)
    for i in range(n):
        mx, my, mz, count = 0.0, 0.0, 0.0, 0
        for m in range(k):
            j = near[i, m]
            if j < n:
                mx, my, mz, count = mx + xyz[j, 0], my + xyz[j, 1], mz + xyz[j, 2], count + 1
        mx, my, mz = mx / count, my / count, mz / count
        c[:] = 0.0
        for m in range(k):
            j = near[i, m]
            if j < n:
                x, y, z = xyz[j, 0] - mx, xyz[j, 1] - my, xyz[j, 2] - mz
                c += np.array((x * x, x * y, x * z, y * y, y * z, z * z))
        c /= count
        rough[i] = np.sqrt(_normal(c, normals[i])) if count >= 4 else np.inf


@njit
def _off(xyz: NDArray[np.float64], normals: NDArray[np.float64], i: int, j: int) -> float:
    """Distance of point j from the plane through point i."""
    d = normals[i, 0] * (xyz[j, 0] - xyz[i, 0]) + normals[i, 1] * (xyz[j, 1] - xyz[i, 1])
    distance: float = abs(d + normals[i, 2] * (xyz[j, 2] - xyz[i, 2]))
    return distance


@njit
def _root(parent: NDArray[np.int64], i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit
def _patches(
    xyz: NDArray[np.float64],
    near: NDArray[np.int64],
    normals: NDArray[np.float64],
    smooth: NDArray[np.bool_],
    on_plane: float,
) -> NDArray[np.int64]:
    """Patch of each smooth point, by the number of its first point; -1 for the others."""
    n, k = near.shape
    parent = np.arange(n)
    for i in range(n):
        if not smooth[i]:
            continue
        for m in range(1, k):
            j = near[i, m]
            if j >= n or not smooth[j]:
                continue
            if _off(xyz, normals, i, j) <= on_plane and _off(xyz, normals, j, i) <= on_plane:
                a, b = _root(parent, i), _root(parent, j)
                parent[max(a, b)] = min(a, b)
    patch = np.full(n, -1)
    for i in range(n):
        if smooth[i]:
            patch[i] = _root(parent, i)
    return patch


@njit
def _attach(
    xyz: NDArray[np.float64],
    near: NDArray[np.int64],
    normals: NDArray[np.float64],
    roof: NDArray[np.bool_],
    on_plane: float,
) -> NDArray[np.bool_]:
    """Points that lie on the plane of a roof point beside them."""
    n, k = near.shape
    out = roof.copy()
    for i in range(n):
        if roof[i]:
            continue
        for m in range(1, k):
            j = near[i, m]
            if j < n and roof[j] and _off(xyz, normals, j, i) <= on_plane:
                out[i] = True
                break
    return out


def _spacing(distances: NDArray[np.float64]) -> float:
    """Distance between points [m] from the distance to the fifth neighbour (plane, Poisson)."""
    column = distances[:, min(5, distances.shape[1] - 1)]
    known = column[np.isfinite(column)]
    return float(np.median(known)) / 1.26 if len(known) else 1.0


def _distinct(xyz: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Places to the millimetre, sorted, each once, and the number of its place for every point."""
    millimetres = np.rint(xyz * 1000.0)
    order = np.lexsort(millimetres.T[::-1])
    rows = millimetres[order]
    first = np.ones(len(rows), dtype=np.bool_)
    first[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    which = np.empty(len(rows), dtype=np.int64)
    which[order] = np.cumsum(first) - 1
    return rows[first] / 1000.0, which


def _beside(
    points: NDArray[np.float64], roof: NDArray[np.bool_], last: NDArray[np.bool_], settings: RoofSettings
) -> NDArray[np.bool_]:
    """Roof, with what stops its pulse close to it in plan and not far above, and what all but touches either."""
    from scipy.spatial import cKDTree

    out = roof.copy()
    ask = np.flatnonzero(last & ~roof)
    if roof.any() and len(ask):
        tops = points[roof]
        count = min(4, len(tops))
        _, near = cKDTree(tops[:, :2]).query(points[ask, :2], k=count, distance_upper_bound=settings.beside_m)
        heights = np.append(tops[:, 2], -np.inf)[np.reshape(near, (len(ask), count))].max(axis=1)
        out[ask] = points[ask, 2] <= heights + settings.above_m
    ask = np.flatnonzero(~out)
    if out.any() and len(ask):
        away, _ = cKDTree(points[out]).query(points[ask], distance_upper_bound=settings.touch_m)
        out[ask] = np.isfinite(away)
    return out


def roof_mask(
    xyz: NDArray[Any],
    height_above_ground: NDArray[Any],
    return_number: NDArray[Any] | None = None,
    number_of_returns: NDArray[Any] | None = None,
    settings: RoofSettings | None = None,
) -> NDArray[np.bool_]:
    """Which points in an outline belong to the roof.

    Parameters
    ----------
    xyz
        (n, 3) local space [m].
    height_above_ground
        (n,) [m].
    return_number, number_of_returns
        (n,) as in LAS; a return with others after it starts no patch (twigs, wires, edges).
    settings
        What counts as roof.

    Returns
    -------
    ndarray
        (n,) bool; the same for each point in whatever order they come.
    """
    from scipy.spatial import cKDTree

    chosen = settings or RoofSettings()
    place = np.reshape(np.asarray(xyz, dtype=np.float64), (-1, 3))
    result = np.asarray(height_above_ground, dtype=np.float64) >= chosen.min_height_m
    high = np.flatnonzero(result)
    # Doubled points would be each other's only neighbours, and sorting makes the order of no account.
    points, which = _distinct(place[high])
    if len(points) < FEWEST:
        return result
    distances, near = cKDTree(points).query(points, k=min(NEIGHBOURS, len(points)))
    distances, near = np.asarray(distances), np.asarray(near)
    spacing = _spacing(distances)
    scale = float(np.clip(spacing / 0.32, 0.8, 2.5))
    near = np.where(distances <= max(1.5, 5.0 * spacing), near, len(points)).astype(np.int64)
    normals, rough = np.empty((len(points), 3)), np.empty(len(points))
    _fit(points, near, normals, rough)
    smooth = (rough <= chosen.roughness_m * scale) & (normals[:, 2] >= chosen.steepest)
    last = np.ones(len(points), dtype=np.bool_)
    if return_number is not None and number_of_returns is not None:
        ends = np.asarray(return_number)[high] >= np.asarray(number_of_returns)[high]
        last = np.bincount(which, ends, len(points)) > 0
        smooth &= last
    on_plane = chosen.on_plane_m * scale
    patch = _patches(points, near, normals, smooth, on_plane)
    sizes = np.bincount(patch[smooth], minlength=len(points))
    needed = max(chosen.patch_points, round(chosen.patch_m2 / spacing**2))
    roof = smooth & (sizes[patch] >= needed)
    for _ in range(3):
        roof = _attach(points, near, normals, roof, on_plane)
    if return_number is not None:
        roof = _beside(points, roof, last, chosen)
    result[high] = roof[which]
    return result
