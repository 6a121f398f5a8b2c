"""The oracle: plain NumPy in float64, slow and obviously right.

Triangles are tested one by one (Moller and Trumbore 1997). Height fields are tested at every crossing of a
ray with a row or a column of cell centres, where the height is linear between the two neighbouring centres.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.visibility.occluders import HeightField, Occluders, Triangles
from twin.visibility.rays import Device, Hits, ray_arrays
from twin.visibility.tolerances import GRAZE_TOLERANCE_M

PAIRS = 4_000_000
"""Ray-triangle pairs that are tested at a time: bounds the memory."""


class ReferenceCaster:
    """Casts rays by brute force.

    Parameters
    ----------
    occluders
        Triangles or a height field.
    device
        What to call itself.
    """

    def __init__(self, occluders: Occluders, device: Device | None = None) -> None:
        self.device = device or Device("cpu", "reference", "NumPy float64")
        self._occluders = occluders

    def occluded(
        self,
        origins: NDArray[Any],
        directions: NDArray[Any],
        max_distance: NDArray[Any] | float | None = None,
    ) -> NDArray[np.bool_]:
        """Whether anything blocks each ray; see ``twin.visibility.rays.Caster``."""
        start, way, limit = ray_arrays(origins, directions, max_distance)
        lifted = start + np.array([0.0, 0.0, GRAZE_TOLERANCE_M])
        if isinstance(self._occluders, HeightField):
            return heightfield_occluded(self._occluders, lifted, way, limit)
        blocked: NDArray[np.bool_] = nearest_triangle(self._occluders, lifted, way, limit).face >= 0
        return blocked

    def first_hit(
        self,
        origins: NDArray[Any],
        directions: NDArray[Any],
        max_distance: NDArray[Any] | float | None = None,
    ) -> Hits:
        """The nearest face along each ray; triangles only."""
        if isinstance(self._occluders, HeightField):
            raise InputError("the reference gives first hits for triangles; triangulate the height field")
        start, way, limit = ray_arrays(origins, directions, max_distance)
        return nearest_triangle(self._occluders, start, way, limit)

    def close(self) -> None:
        """Nothing to give back."""


def nearest_triangle(
    triangles: Triangles,
    start: NDArray[np.float64],
    way: NDArray[np.float64],
    limit: NDArray[np.float64],
) -> Hits:
    """First hits (n,) by testing every triangle, either side, between the tolerance and the limit less it."""
    count = len(start)
    distance, face = np.full(count, np.inf), np.full(count, -1, dtype=np.int32)
    if not len(triangles.faces):
        return Hits(distance, face)
    a, b, c = (triangles.vertices[triangles.faces[:, k]] for k in range(3))
    step = max(1, PAIRS // len(a))
    for first in range(0, count, step):
        part = np.s_[first : first + step]
        t = _distances(start[part], way[part], (a, b, c))
        t[(t < GRAZE_TOLERANCE_M) | (t > (limit[part] - GRAZE_TOLERANCE_M)[:, None])] = np.inf
        nearest = t.argmin(axis=1)
        found = t[np.arange(len(t)), nearest]
        distance[part] = found
        face[part] = np.where(np.isfinite(found), nearest, -1)
    return Hits(distance, face)


def _distances(
    start: NDArray[np.float64], way: NDArray[np.float64], corners: tuple[NDArray[np.float64], ...]
) -> NDArray[np.float64]:
    """Distance along each ray to each triangle (rays, triangles), inf where missed."""
    a, b, c = corners
    e1, e2 = b - a, c - a
    p = np.cross(way[:, None, :], e2[None])
    det = np.einsum("rtk,tk->rt", p, e1)
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = 1.0 / det
        s = start[:, None, :] - a[None]
        u = np.einsum("rtk,rtk->rt", s, p) * inverse
        q = np.cross(s, e1[None])
        v = np.einsum("rk,rtk->rt", way, q) * inverse
        t: NDArray[np.float64] = np.einsum("rtk,tk->rt", q, e2) * inverse
        inside = (u >= 0) & (v >= 0) & (u + v <= 1) & np.isfinite(t)
    return np.where(inside, t, np.inf)


def heightfield_occluded(
    field: HeightField,
    start: NDArray[np.float64],
    way: NDArray[np.float64],
    limit: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Whether each ray (n,) passes below the field at any crossing of a row or column of centres.

    Heights are linear between neighbouring centres along rows and columns; outside the outermost centres and
    beside unknown cells nothing blocks. A crossing nearer to either end than the tolerance does not count.
    """
    # In steps of the grid: column i to the east, row j to the south.
    col = (start[:, 0] - field.x0) / field.dx
    row = (field.y0 - start[:, 1]) / field.dy
    dcol, drow = way[:, 0] / field.dx, -way[:, 1] / field.dy
    blocked = np.zeros(len(start), dtype=bool)
    top = np.nanmax(field.heights) if np.isfinite(field.heights).any() else -np.inf
    rows, cols = field.heights.shape
    for along_rows, (u, du, v, dv, size) in (
        (False, (col, dcol, row, drow, cols)),
        (True, (row, drow, col, dcol, rows)),
    ):
        _scan(field, (u, du, v, dv), along_rows, size, (start[:, 2], way[:, 2], limit, float(top)), blocked)
    return blocked


def _scan(
    field: HeightField,
    plan: tuple[NDArray[np.float64], ...],
    along_rows: bool,
    size: int,
    depth: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float],
    blocked: NDArray[np.bool_],
) -> None:
    """Step every ray over the lines u = whole number and test the height there."""
    u, du, v, dv = plan
    z, dz, limit, top = depth
    moving = np.abs(du) > 1e-12
    sign = np.where(du > 0, 1.0, -1.0)
    line = np.where(du > 0, np.ceil(u), np.floor(u))
    # Rays that start outside jump to the first line of the field.
    line = np.where(du > 0, np.maximum(line, 0.0), np.minimum(line, size - 1.0))
    active = np.flatnonzero(moving & ~blocked)
    while len(active):
        k = line[active]
        t = (k - u[active]) / du[active]
        height = z[active] + t * dz[active]
        leaving = (k < 0) | (k > size - 1) | (t > limit[active] - GRAZE_TOLERANCE_M)
        leaving |= (height > top) & (dz[active] >= 0)
        here = v[active] + t * dv[active]
        under = ~leaving & (t > GRAZE_TOLERANCE_M) & (height < _linear(field, k, here, along_rows))
        blocked[active[under]] = True
        line[active] += sign[active]
        active = active[~(leaving | under)]


def _linear(
    field: HeightField, line: NDArray[np.float64], at: NDArray[np.float64], along_rows: bool
) -> NDArray[np.float64]:
    """Height on a row (or column) of centres at a fractional place; -inf outside and beside unknown cells."""
    heights = field.heights if along_rows else field.heights.T
    size = heights.shape[1]
    near = np.abs(at - np.round(at)) < 1e-9
    at = np.where(near, np.round(at), at)
    low = np.clip(np.floor(at), 0, size - 1).astype(np.int64)
    high = np.minimum(low + 1, size - 1)
    share = np.clip(at - low, 0.0, 1.0)
    index = np.clip(line, 0, heights.shape[0] - 1).astype(np.int64)
    a, b = heights[index, low], heights[index, high]
    value = np.where(share == 0.0, a, a * (1 - share) + b * share)
    outside = (at < 0) | (at > size - 1) | ~np.isfinite(value)
    return np.where(outside, -np.inf, value)


def line_of_sight(field: HeightField, eye: NDArray[Any], targets: NDArray[Any]) -> NDArray[np.bool_]:
    """Which targets (n, 3) an eye (3,) sees over a height field; grazing counts as seen.

    Parameters
    ----------
    field
        Heights [m].
    eye, targets
        Local space [m].
    """
    goal = np.atleast_2d(np.asarray(targets, dtype=np.float64))
    way = goal - np.asarray(eye, dtype=np.float64)
    length = np.linalg.norm(way, axis=1)
    unit = np.divide(way, length[:, None], out=np.zeros_like(way), where=length[:, None] > 0)
    start = np.broadcast_to(np.asarray(eye, dtype=np.float64), goal.shape)
    seen: NDArray[np.bool_] = ~ReferenceCaster(field).occluded(start, unit, length)
    return seen
