"""The oracle: plain NumPy in float64, slow and obviously right.

Triangles are tested one by one; height fields at every crossing of a row or a column of cell centres.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.errors import InputError
from twin.visibility.caster import Device, Hits
from twin.visibility.heightfield import heightfield_to_triangles
from twin.visibility.occluders import HeightField, Occluders, Triangles
from twin.visibility.rays import Rays, occlusion_rays, sight_rays, slices
from twin.visibility.tolerances import GRAZE_TOLERANCE_M

PAIRS = 1 << 17
"""Pairs of ray and face, or crossings, that are tested together: bounds the memory, changes no result."""

EDGE_SLACK = 1e-12
"""Barycentric slack: a ray through the edge that two faces share meets at least one of them in float64."""

PARALLEL = 1e-12
"""Sine of the angle to a face below which a ray runs in its plane and does not meet it."""

CROSSING_SLACK = 1e-9
"""Share of a cell within which a ray that starts or ends on a row or column counts as crossing it."""


class ReferenceCaster:
    """Brute force over triangles or over the crossings of a height field; one thread.

    Parameters
    ----------
    occluders
        What blocks. First hits of a height field are those of its triangles.
    device
        From ``choose_device``.
    """

    batch = 1 << 16

    def __init__(self, occluders: Occluders, device: Device) -> None:
        self._occluders = occluders
        self._device = device

    @property
    def device(self) -> Device:
        """Where it runs."""
        return self._device

    def occluded(
        self, origins: ArrayLike, directions: ArrayLike, max_distance: ArrayLike | None = None
    ) -> NDArray[np.bool_]:
        """Whether something blocks each ray; see ``Caster.occluded``."""
        rays = occlusion_rays(origins, directions, max_distance)
        if isinstance(self._occluders, HeightField):
            return _under_heights(self._occluders, rays)
        return _first_hits(self._occluders, rays).face >= 0

    def first_hit(
        self, origins: ArrayLike, directions: ArrayLike, max_distance: ArrayLike | None = None
    ) -> Hits:
        """What each ray meets first; see ``Caster.first_hit``."""
        rays = sight_rays(origins, directions, max_distance)
        if isinstance(self._occluders, HeightField):
            return _first_hits(heightfield_to_triangles(self._occluders), rays)
        return _first_hits(self._occluders, rays)

    def close(self) -> None:
        """Nothing is held."""


def _first_hits(triangles: Triangles, rays: Rays) -> Hits:
    """Each ray against each face; of equal distances the face with the lowest number."""
    distance, face = np.full(len(rays), np.inf), np.full(len(rays), -1, dtype=np.int32)
    corners = triangles.vertices[triangles.faces]
    for faces in slices(len(corners), 1024):
        for some in slices(len(rays), max(1, PAIRS // 1024)):
            t = _moller_trumbore(rays.part(some), corners[faces])
            best = t.argmin(axis=1)
            least = t[np.arange(len(t)), best]
            nearer = least < distance[some]
            distance[some] = np.where(nearer, least, distance[some])
            face[some] = np.where(nearer, best + faces.start, face[some])
    return Hits(distance + rays.skipped, face)


def _moller_trumbore(rays: Rays, corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances (rays, faces); infinite where they do not meet.

    Moeller and Trumbore, Fast, minimum storage ray/triangle intersection, 1997.
    """
    a, b, c = (corners[None, :, k] for k in range(3))
    e1, e2 = b - a, c - a
    towards = np.broadcast_to(rays.directions, rays.origins.shape)[:, None]
    start = rays.origins[:, None]
    p = np.cross(towards, e2)
    det = np.einsum("...j,...j->...", e1, p)
    size = np.linalg.norm(np.cross(e1, e2), axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        s = start - a
        u = np.einsum("...j,...j->...", s, p) / det
        q = np.cross(s, e1)
        v = np.einsum("...j,...j->...", np.broadcast_to(towards, q.shape), q) / det
        t = np.einsum("...j,...j->...", e2, q) / det
        inside = (u >= -EDGE_SLACK) & (v >= -EDGE_SLACK) & (u + v <= 1 + EDGE_SLACK)
        met = inside & (np.abs(det) > PARALLEL * size) & (t >= 0) & (t <= rays.reach[:, None])
    return np.where(met, t, np.inf)


def line_of_sight(field: HeightField, a: ArrayLike, b: ArrayLike) -> NDArray[np.bool_]:
    """Whether points see each other over a height field.

    Parameters
    ----------
    field
        The heights.
    a, b
        (n, 3), or (3,) for all, local space [m].

    Returns
    -------
    (n,) bool, or () for two single points; points that touch the surface see along it.
    """
    a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    start, line = np.atleast_2d(a), np.atleast_2d(b - a)
    length = np.linalg.norm(line, axis=1)
    # A point sees itself; its line has no direction, any will do.
    towards = (
        np.where(length[:, None] > 0, line, [0.0, 0.0, 1.0]) / np.where(length > 0, length, 1.0)[:, None]
    )
    visible: NDArray[np.bool_] = ~_under_heights(field, occlusion_rays(start, towards, length))
    return visible.reshape(a.shape[:-1])


def _under_heights(field: HeightField, rays: Rays) -> NDArray[np.bool_]:
    """Which rays (n,) run below the surface at a crossing of a row or column, or at one of their own ends."""
    blocked = np.zeros(len(rays), dtype=bool)
    for some in slices(len(rays), max(1, PAIRS // sum(field.shape))):
        blocked[some] = _Profile(field, rays.part(some)).below()
    return blocked


class _Profile:
    """Rays in units of the grid: column u and row v from the centre of cell [0, 0], height z."""

    def __init__(self, field: HeightField, rays: Rays) -> None:
        towards = np.broadcast_to(rays.directions, rays.origins.shape)
        self.heights = field.heights
        self.start = np.column_stack(
            [
                (rays.origins[:, 0] - field.x0) / field.dx,
                (field.y0 - rays.origins[:, 1]) / field.dy,
                rays.origins[:, 2],
            ]
        )
        self.step = towards * [1 / field.dx, -1 / field.dy, 1.0]
        self.first, self.last = self._within(field, rays.reach)

    def _within(
        self, field: HeightField, reach: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Distances (n,) between which each ray is over the grid and not above its highest point; the first is
        the greater where it never is."""
        rows, cols = field.shape
        first, last = np.zeros(len(reach)), reach.copy()
        bounds = [(0.0, cols - 1.0), (0.0, rows - 1.0), (-np.inf, field.highest)]
        for axis, (low, high) in enumerate(bounds):
            at, by = self.start[:, axis], self.step[:, axis]
            with np.errstate(divide="ignore", invalid="ignore"):
                a, b = (low - at) / by, (high - at) / by
            moving = by != 0
            outside = ~moving & ((at < low) | (at > high))
            first = np.where(moving, np.maximum(first, np.minimum(a, b)), first)
            last = np.where(moving, np.minimum(last, np.maximum(a, b)), last)
            last = np.where(outside, -1.0, last)
        return first, last

    def below(self) -> NDArray[np.bool_]:
        """Which rays (n,) are below the surface somewhere."""
        every = np.arange(len(self.first))
        blocked = np.zeros(len(self.first), dtype=bool)
        for ray, t in (self._crossings(0), self._crossings(1), (every, self.first), (every, self.last)):
            blocked[ray[self._is_below(ray, t)]] = True
        return blocked & (self.first <= self.last)

    def _crossings(self, axis: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Ray numbers and distances of all crossings of columns (axis 0) or rows (axis 1)."""
        at, by = self.start[:, axis], self.step[:, axis]
        moving = (by != 0) & (self.first <= self.last)
        speed = np.where(moving, by, 1.0)
        ends = np.where(moving, at + by * np.stack([self.first, np.where(moving, self.last, 0.0)]), 0.0)
        low = np.ceil(ends.min(axis=0) - CROSSING_SLACK).astype(np.int64)
        high = np.floor(ends.max(axis=0) + CROSSING_SLACK).astype(np.int64)
        counts = np.where(moving, np.maximum(high - low + 1, 0), 0)
        ray = np.repeat(np.arange(len(at)), counts)
        line = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + low[ray]
        t = (line - at[ray]) / speed[ray]
        return ray, np.clip(t, self.first[ray], self.last[ray])

    def _is_below(self, ray: NDArray[np.int64], t: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether rays are below the surface at distances t."""
        # 0 times infinity: a plumb line that nothing ends.
        with np.errstate(invalid="ignore"):
            moved = np.where(self.step[ray] == 0, 0.0, t[:, None] * self.step[ray])
        u, v, z = (self.start[ray] + moved).T
        below: NDArray[np.bool_] = read_linearly(self.heights, u, v) > z
        return below


def read_linearly(
    heights: NDArray[np.float64], u: NDArray[np.float64], v: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Bilinear heights at columns u and rows v (fractions; 0 is the centre of the first cell).

    On a row or column this is the linear reading between two neighbours. A neighbour without weight does not
    count, so that a NaN beside does no harm.

    Returns
    -------
    Heights of the shape of u [m]; NaN outside the centres of the outermost cells or beside a NaN.
    """
    rows, cols = heights.shape
    slack = CROSSING_SLACK
    outside = ~((u >= -slack) & (u <= cols - 1 + slack) & (v >= -slack) & (v <= rows - 1 + slack))
    u, v = (_snap(np.where(outside, 0.0, w), n) for w, n in ((u, cols), (v, rows)))
    left, top = np.floor(u).astype(np.int64), np.floor(v).astype(np.int64)
    right, bottom = np.minimum(left + 1, cols - 1), np.minimum(top + 1, rows - 1)
    fu, fv = u - left, v - top
    total = np.zeros(np.shape(u))
    for row, col, weight in (
        (top, left, (1 - fu) * (1 - fv)),
        (top, right, fu * (1 - fv)),
        (bottom, left, (1 - fu) * fv),
        (bottom, right, fu * fv),
    ):
        total += np.where(weight > 0, weight * heights[row, col], 0.0)
    return np.where(outside, np.nan, total)


def _snap(w: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Values within the slack of a whole number set to it, and kept within the grid."""
    whole = np.round(w)
    snapped: NDArray[np.float64] = np.clip(
        np.where(np.abs(w - whole) <= CROSSING_SLACK, whole, w), 0, count - 1
    )
    return snapped


def shaded_cells(field: HeightField, towards_sun: ArrayLike) -> NDArray[np.bool_]:
    """Which cells of a height field lie in the shadow of another, for one sun: all cells march at once.

    From the centre of each cell, at its height, the line to the sun is tested at every crossing of a row or
    column, to the border of the grid or until it is above the highest cell. The same as asking the reference
    caster ray by ray, and some hundred times faster.

    Parameters
    ----------
    field
        The heights.
    towards_sun
        (3,) unit vector towards the sun, x east, y north, z up.

    Returns
    -------
    (rows, cols) bool; a NaN cell is not shaded. A sun at or below the horizon leaves no cell in light.

    Raises
    ------
    InputError
        A direction that is not a unit vector.
    """
    sun = np.asarray(towards_sun, dtype=np.float64)
    if sun.shape != (3,) or not abs(float(np.linalg.norm(sun)) - 1.0) <= 1e-6:
        raise InputError(f"a sun's direction is a unit vector (3,); got {sun}")
    if sun[2] <= 0:
        return ~np.isnan(field.heights)
    shaded = np.zeros(field.shape, dtype=bool)
    along = np.array([sun[0] / field.dx, -sun[1] / field.dy])
    _march(field.heights, shaded, (along[0], along[1], sun[2]))
    # The same march on the transposed grid crosses the rows.
    _march(field.heights.T, shaded.T, (along[1], along[0], sun[2]))
    return shaded


def _march(heights: NDArray[np.float64], shaded: NDArray[np.bool_], step: tuple[float, float, float]) -> None:
    """Mark cells whose line is below the surface at a crossing of a column; the step is in columns, rows and
    metres for each metre of the line."""
    by_col, by_row, rise = step
    rows, cols = heights.shape
    if by_col == 0 or np.isnan(heights).all():
        return
    relief = float(np.nanmax(heights) - np.nanmin(heights))
    for k in range(1, cols):
        t = k / abs(by_col)
        if t * rise > relief:
            return
        here_cols, there_cols = _shifted(cols, k if by_col > 0 else -k)
        shift = by_row * t
        shift = round(shift) if abs(shift - round(shift)) <= CROSSING_SLACK else shift
        whole = int(np.floor(shift))
        share = shift - whole
        if abs(whole) >= rows:
            return
        here, upper = _shifted(rows, whole)
        surface = heights[upper, there_cols]
        if share > 0:
            below = np.full_like(surface, np.nan)
            under = heights[upper.start + 1 : upper.stop + 1, there_cols]
            below[: len(under)] = under
            surface = (1 - share) * surface + share * below
        line = heights[here, here_cols] + (GRAZE_TOLERANCE_M + rise * t)
        shaded[here, here_cols] |= surface > line


def _shifted(count: int, by: int) -> tuple[slice, slice]:
    """Slices of places i and i + by that both lie within count."""
    return slice(max(0, -by), count - max(0, by)), slice(max(0, by), count - max(0, -by))
