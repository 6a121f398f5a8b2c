"""Heights of triangles and rasters at points, and triangles burnt into a raster."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.jit import njit
from twin.model.mesh import TriangleMesh
from twin.model.raster import Grid, Raster

EDGE_SLACK_M = 1e-7
"""A point this near to an edge counts as on the triangle, so that none falls between two neighbours [m]."""

MIN_HEIGHT_M = 1e-6
"""A triangle narrower than this in plan is a vertical face and has no height of its own [m]."""


@njit
def _plane(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]) -> Any:
    """Slopes dz/dx, dz/dy and whether the triangle has an area in plan."""
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    double_area = ux * vy - uy * vx
    longest = max(ux * ux + uy * uy, vx * vx + vy * vy, (ux - vx) ** 2 + (uy - vy) ** 2)
    if abs(double_area) <= MIN_HEIGHT_M * np.sqrt(longest):
        return 0.0, 0.0, False
    return (uz * vy - uy * vz) / double_area, (ux * vz - uz * vx) / double_area, True


@njit
def _inside(p: NDArray[np.float64], q: NDArray[np.float64], x: float, y: float, turn: float) -> bool:
    """Whether x, y lies left of p to q (right of it for turn < 0), within the slack."""
    dx, dy = q[0] - p[0], q[1] - p[1]
    side = turn * (dx * (y - p[1]) - dy * (x - p[0]))
    return bool(side >= -EDGE_SLACK_M * np.sqrt(dx * dx + dy * dy))


@njit
def height_on(
    a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64], x: float, y: float
) -> float:
    """Height of one triangle at x, y; NaN beside it or where it stands upright (numba)."""
    sx, sy, lies = _plane(a, b, c)
    if not lies:
        return np.nan
    turn = 1.0 if (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) > 0 else -1.0
    if not (_inside(a, b, x, y, turn) and _inside(b, c, x, y, turn) and _inside(c, a, x, y, turn)):
        return np.nan
    z = a[2] + sx * (x - a[0]) + sy * (y - a[1])
    lowest, highest = min(a[2], b[2], c[2]), max(a[2], b[2], c[2])
    return float(min(max(z, lowest), highest))


@njit
def row_span(
    a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64], y: float
) -> tuple[float, float]:
    """West and east end of a triangle along the line y, within the slack; west > east where none (numba)."""
    west, east = np.inf, -np.inf
    for k in range(3):
        p, q = (a, b) if k == 0 else ((b, c) if k == 1 else (c, a))
        low, high = min(p[1], q[1]), max(p[1], q[1])
        if y < low - EDGE_SLACK_M or y > high + EDGE_SLACK_M:
            continue
        if high - low <= 2 * EDGE_SLACK_M:
            west, east = min(west, p[0], q[0]), max(east, p[0], q[0])
        else:
            share = min(max((y - p[1]) / (q[1] - p[1]), 0.0), 1.0)
            x = p[0] + share * (q[0] - p[0])
            west, east = min(west, x), max(east, x)
    return west - EDGE_SLACK_M, east + EDGE_SLACK_M


@njit
def cells_between(low: float, high: float, start: float, cell: float, count: int) -> tuple[int, int]:
    """First and one past the last index whose centre start + (i + 0.5) cell lies in [low, high] (numba)."""
    first = int(np.ceil(max((low - start) / cell - 0.5, 0.0)))
    last = int(np.floor(min((high - start) / cell - 0.5, count - 1.0)))
    return first, last + 1


@njit
def _burn(
    vertices: NDArray[np.float64],
    faces: NDArray[np.int32],
    place: tuple[float, float, float],
    out: NDArray[np.float64],
) -> None:
    west, north, cell = place
    rows, cols = out.shape
    for f in range(len(faces)):
        a, b, c = vertices[faces[f, 0]], vertices[faces[f, 1]], vertices[faces[f, 2]]
        sx, sy, lies = _plane(a, b, c)
        if not lies:
            continue
        lowest, highest = min(a[2], b[2], c[2]), max(a[2], b[2], c[2])
        top = north - max(a[1], b[1], c[1]) - EDGE_SLACK_M
        bottom = north - min(a[1], b[1], c[1]) + EDGE_SLACK_M
        r0, r1 = cells_between(top, bottom, 0.0, cell, rows)
        for row in range(r0, r1):
            y = north - (row + 0.5) * cell
            x0, x1 = row_span(a, b, c, y)
            c0, c1 = cells_between(x0, x1, west, cell, cols)
            for col in range(c0, c1):
                x = west + (col + 0.5) * cell
                z = min(max(a[2] + sx * (x - a[0]) + sy * (y - a[1]), lowest), highest)
                if not out[row, col] >= z:
                    out[row, col] = z


def rasterise(mesh: TriangleMesh, grid: Grid) -> Raster:
    """Highest surface of a mesh at each cell centre.

    Vertical faces add nothing; a centre on an edge belongs to both triangles.

    Parameters
    ----------
    mesh
        Any triangles, local space [m].
    grid
        Cells in the same frame.

    Returns
    -------
    Raster
        float64 heights [m]; NaN where no triangle lies over or under the centre.
    """
    grid.frame.require_same(mesh.frame, "a mesh to be rasterised")
    out = np.full(grid.shape, np.nan)
    _burn(mesh.vertices, mesh.faces, (grid.west, grid.north, grid.cell_size), out)
    out.flags.writeable = False
    return Raster(grid, out)


@njit
def largest_error(
    vertices: NDArray[np.float64],
    faces: NDArray[np.int32],
    place: tuple[float, float, float],
    z: NDArray[Any],
) -> float:
    """Largest distance from a cell centre to the triangles over or under it [m] (numba)."""
    west, north, cell = place
    rows, cols = z.shape
    worst = 0.0
    for f in range(len(faces)):
        a, b, c = vertices[faces[f, 0]], vertices[faces[f, 1]], vertices[faces[f, 2]]
        sx, sy, lies = _plane(a, b, c)
        if not lies:
            continue
        top = north - max(a[1], b[1], c[1]) - EDGE_SLACK_M
        bottom = north - min(a[1], b[1], c[1]) + EDGE_SLACK_M
        r0, r1 = cells_between(top, bottom, 0.0, cell, rows)
        for row in range(r0, r1):
            y = north - (row + 0.5) * cell
            x0, x1 = row_span(a, b, c, y)
            c0, c1 = cells_between(x0, x1, west, cell, cols)
            for col in range(c0, c1):
                off = abs(a[2] + sx * (west + (col + 0.5) * cell - a[0]) + sy * (y - a[1]) - z[row, col])
                if off > worst:
                    worst = off
    return worst


@njit
def _bin_range(low: float, high: float, start: float, size: float, count: int) -> tuple[int, int]:
    first = int(np.floor((low - EDGE_SLACK_M - start) / size))
    last = int(np.floor((high + EDGE_SLACK_M - start) / size))
    return min(max(first, 0), count - 1), min(max(last, 0), count - 1)


@njit
def _fill_bins(
    vertices: NDArray[np.float64],
    faces: NDArray[np.int32],
    place: tuple[float, float, float, int, int],
    ends: NDArray[np.int64],
    members: NDArray[np.int32],
) -> None:
    """Count each bin's faces into ``ends`` (members empty), or list them (``ends`` = next free place)."""
    x0, y0, size, across, up = place
    for f in range(len(faces)):
        a, b, c = vertices[faces[f, 0]], vertices[faces[f, 1]], vertices[faces[f, 2]]
        if not _plane(a, b, c)[2]:
            continue
        j0, j1 = _bin_range(min(a[1], b[1], c[1]), max(a[1], b[1], c[1]), y0, size, up)
        i0, i1 = _bin_range(min(a[0], b[0], c[0]), max(a[0], b[0], c[0]), x0, size, across)
        for j in range(j0, j1 + 1):
            for i in range(i0, i1 + 1):
                k = j * across + i
                if len(members) > 0:
                    members[ends[k]] = f
                ends[k] += 1


@njit
def _look_up(
    xy: NDArray[np.float64],
    vertices: NDArray[np.float64],
    faces: NDArray[np.int32],
    place: tuple[float, float, float, int, int],
    bins: tuple[NDArray[np.int64], NDArray[np.int32]],
    out: NDArray[np.float64],
) -> None:
    x0, y0, size, across, up = place
    starts, members = bins
    for p in range(len(xy)):
        x, y = xy[p, 0], xy[p, 1]
        best = np.nan
        i, j = np.floor((x - x0) / size), np.floor((y - y0) / size)
        # A bin beyond the last one by rounding still belongs to the last one.
        if -1 <= i <= across and -1 <= j <= up:
            k = min(max(int(j), 0), up - 1) * across + min(max(int(i), 0), across - 1)
            for m in range(starts[k], starts[k + 1]):
                f = members[m]
                z = height_on(vertices[faces[f, 0]], vertices[faces[f, 1]], vertices[faces[f, 2]], x, y)
                if not (np.isnan(z) or best >= z):
                    best = z
        out[p] = best


class TinSampler:
    """Heights of a mesh at any points; the triangles are sorted once into square bins.

    Parameters
    ----------
    mesh
        Terrain or any triangles, local space [m]. Where several lie over one point, the highest counts.
    """

    def __init__(self, mesh: TriangleMesh) -> None:
        self.mesh = mesh
        self.frame = mesh.frame
        if not len(mesh.faces):
            raise InputError("there is no height to sample: the mesh has no triangles")
        region = mesh.region
        faces = len(mesh.faces)
        size = max(np.sqrt(region.width * region.height / faces), max(region.width, region.height) / 4096)
        size = float(size) or 1.0
        across = max(1, int(np.ceil(region.width / size)))
        up = max(1, int(np.ceil(region.height / size)))
        self._place = (region.west, region.south, size, across, up)
        starts = np.zeros(across * up + 1, dtype=np.int64)
        nothing = np.empty(0, dtype=np.int32)
        _fill_bins(mesh.vertices, mesh.faces, self._place, starts[1:], nothing)
        np.cumsum(starts, out=starts)
        members = np.empty(max(1, int(starts[-1])), dtype=np.int32)
        _fill_bins(mesh.vertices, mesh.faces, self._place, starts[:-1].copy(), members)
        self._bins = (starts, members)

    def heights(self, xy: NDArray[Any]) -> NDArray[np.float64]:
        """Heights (n,) [m] at local points (n, 2) [m]; NaN outside the mesh."""
        points = np.ascontiguousarray(np.reshape(xy, (-1, 2)), dtype=np.float64)
        out = np.empty(len(points))
        _look_up(points, self.mesh.vertices, self.mesh.faces, self._place, self._bins, out)
        return out


@njit
def _bilinear(
    xy: NDArray[np.float64],
    values: NDArray[Any],
    place: tuple[float, float, float],
    out: NDArray[np.float64],
) -> None:
    west, north, cell = place
    rows, cols = values.shape
    for p in range(len(xy)):
        u, v = (xy[p, 0] - west) / cell, (north - xy[p, 1]) / cell
        out[p] = np.nan
        if not (0.0 <= u <= cols and 0.0 <= v <= rows):
            continue
        u, v = min(max(u - 0.5, 0.0), cols - 1.0), min(max(v - 0.5, 0.0), rows - 1.0)
        col, row = min(int(u), max(cols - 2, 0)), min(int(v), max(rows - 2, 0))
        fu, fv = u - col, v - row
        # A weight of rounding size is none: a missing neighbour must not blank a point on a centre.
        fu = 0.0 if fu < 1e-9 else (1.0 if fu > 1 - 1e-9 else fu)
        fv = 0.0 if fv < 1e-9 else (1.0 if fv > 1 - 1e-9 else fv)
        height = 0.0
        for k in range(4):
            i, j = k // 2, k % 2
            weight = (fv if i else 1.0 - fv) * (fu if j else 1.0 - fu)
            if weight > 0.0:
                height += weight * values[row + i, col + j]
        out[p] = height


def sample_bilinear(raster: Raster, xy: NDArray[Any]) -> NDArray[np.float64]:
    """Heights of a raster at local points, linear between cell centres.

    Parameters
    ----------
    raster
        Heights with NaN as nodata.
    xy
        (n, 2) local space [m].

    Returns
    -------
    (n,) float64 [m]; NaN outside the outer rectangle and where a needed neighbour is NaN. In the outer half
    cell the height of the edge centres holds.
    """
    points = np.ascontiguousarray(np.reshape(xy, (-1, 2)), dtype=np.float64)
    out = np.empty(len(points))
    grid = raster.grid
    _bilinear(points, raster.values, (grid.west, grid.north, grid.cell_size), out)
    return out


def aligned(raster: Raster, grid: Grid) -> Raster:
    """A raster of heights on another grid of the same frame, linear between cell centres.

    Raises
    ------
    FrameMismatchError
        The grid lies in another frame.
    """
    grid.frame.require_same(raster.grid.frame, "a raster to be aligned")
    if raster.grid == grid:
        return raster
    out = np.empty(grid.shape, dtype=raster.values.dtype)
    x = grid.x_centres()
    for row, y in enumerate(grid.y_centres()):
        out[row] = sample_bilinear(raster, np.column_stack([x, np.full_like(x, y)]))
    out.flags.writeable = False
    return Raster(grid, out)
