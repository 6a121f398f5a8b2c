"""Right-triangulated irregular network (RTIN) of a height raster, within a stated vertical error.

The hierarchy of Evans, Kirkpatrick and Townsend (2001): a square is cut along its diagonal, and each right
triangle at the middle of its longest side, again and again. Here a triangle is split as soon as *any* cell
centre in it is too far from its plane, not only the middle one, so the bound holds for every cell.

The square that the hierarchy needs is larger than the raster; triangles across the border are cut at it.
All sides run along rows, columns or diagonals, so that the cuts fall on cell centres.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.jit import njit
from twin.model.mesh import TriangleMesh
from twin.model.raster import Grid, Raster
from twin.model.surface import Surface
from twin.terrain.sampler import EDGE_SLACK_M, _plane, cells_between, row_span

ROUNDING_M = 1e-9
"""Kept back from the stated error, for the rounding between two ways to compute one plane [m]."""


@njit
def _beyond(at_edge: float, inner: float, far: int, distance: int) -> float:
    """Straight on past the edge, at the slope between the edge and a cell ``far`` inside."""
    return at_edge + (at_edge - inner) * distance / far if far > 0 else at_edge


@njit
def _node(z: NDArray[Any], row: int, col: int) -> float:
    """Height of a node of the square; outside the raster mirrored through its edge, so planes stay planes."""
    last_row, last_col = z.shape[0] - 1, z.shape[1] - 1
    r, c = min(row, last_row), min(col, last_col)
    over_r, over_c = row - r, col - c
    far_r, far_c = min(over_r, last_row), min(over_c, last_col)
    here = _beyond(float(z[r, c]), float(z[r, c - far_c]), far_c, over_c)
    if over_r == 0:
        return here
    inner = _beyond(float(z[r - far_r, c]), float(z[r - far_r, c - far_c]), far_c, over_c)
    return _beyond(here, inner, far_r, over_r)


@njit
def _too_far(z: NDArray[Any], limit: float, abc: tuple[int, int, int, int, int, int]) -> bool:
    """Whether a triangle (longest side a b, right angle c) lacks a height or is off beyond the limit."""
    ar, ac, br, bc, cr, cc = abc
    rows, cols = z.shape
    if min(ar, br, cr) >= rows - 1 or min(ac, bc, cc) >= cols - 1:
        return False
    za, zb, zc = _node(z, ar, ac), _node(z, br, bc), _node(z, cr, cc)
    if not np.isfinite(za + zb + zc):
        return True
    mr, mc = (ar + br) // 2, (ac + bc) // 2
    if mr < rows and mc < cols and not abs(0.5 * (za + zb) - z[mr, mc]) <= limit:
        return True
    # z = zc + s (along c to a) + t (along c to b): the legs are perpendicular and equally long.
    ur, uc, vr, vc = ar - cr, ac - cc, br - cr, bc - cc
    square = float(ur * ur + uc * uc)
    slope_r = ((za - zc) * ur + (zb - zc) * vr) / square
    slope_c = ((za - zc) * uc + (zb - zc) * vc) / square
    for row in range(max(min(ar, br, cr), 0), min(max(ar, br, cr), rows - 1) + 1):
        first, last = _columns(row, ar, ac, br, bc, cr, cc)
        for col in range(first, min(last, cols - 1) + 1):
            plane = zc + slope_r * (row - cr) + slope_c * (col - cc)
            if not abs(plane - z[row, col]) <= limit:
                return True
    return False


@njit
def _columns(row: int, ar: int, ac: int, br: int, bc: int, cr: int, cc: int) -> tuple[int, int]:
    """First and last column of a triangle in a row; exact, as all slopes are 0, 1 or upright."""
    first, last = 1 << 30, -1
    for k in range(3):
        pr, pc = (ar, br, cr)[k], (ac, bc, cc)[k]
        qr, qc = (br, cr, ar)[k], (bc, cc, ac)[k]
        if row < min(pr, qr) or row > max(pr, qr):
            continue
        if pr == qr:
            first, last = min(first, pc, qc), max(last, pc, qc)
        else:
            col = pc + (qc - pc) * (row - pr) // (qr - pr)
            first, last = min(first, col), max(last, col)
    return first, last


@njit
def _judge(
    z: NDArray[Any], limit: float, split: NDArray[np.uint8], abc: tuple[int, int, int, int, int, int]
) -> None:
    """Set ``split`` at the middle of the longest side if the triangle or one of its halves must be cut."""
    ar, ac, br, bc, cr, cc = abc
    mr, mc = (ar + br) // 2, (ac + bc) // 2
    if split[mr, mc]:
        return
    # The halves have the legs as their longest sides; the smallest ones have no node in the middle.
    cut = False
    if (ar + cr) % 2 == 0 and (ac + cc) % 2 == 0:
        cut = split[(ar + cr) // 2, (ac + cc) // 2] or split[(br + cr) // 2, (bc + cc) // 2]
    if cut or _too_far(z, limit, abc):
        split[mr, mc] = 1


@njit
def _mark(z: NDArray[Any], limit: float, side: int, split: NDArray[np.uint8]) -> None:
    """Set ``split`` at the middle of each longest side that must be cut, from the smallest triangles up."""
    rows, cols = z.shape
    s = 2
    while s <= side:
        # First the triangles with a side of a square as longest, then those with a diagonal: their parents.
        for diagonal in range(2):
            for r in range(0, min(side, rows - 1), s):
                for c in range(0, min(side, cols - 1), s):
                    turn = (r // s + c // s) % 2
                    for k in range(2 if diagonal else 4):
                        i = (turn + 2 * k) % 4 if diagonal else k
                        j = (i + 2) % 4 if diagonal else (i + 1) % 4
                        right = (i + 1) % 4
                        ar, ac = r + s * (0, 0, 1, 1)[i], c + s * (0, 1, 1, 0)[i]
                        br, bc = r + s * (0, 0, 1, 1)[j], c + s * (0, 1, 1, 0)[j]
                        cr, cc = r + s // 2, c + s // 2
                        if diagonal:
                            cr, cc = r + s * (0, 0, 1, 1)[right], c + s * (0, 1, 1, 0)[right]
                        _judge(z, limit, split, (ar, ac, br, bc, cr, cc))
        s *= 2


@njit
def _leaves(shape: tuple[int, int], side: int, split: NDArray[np.uint8], out: NDArray[np.int32]) -> int:
    """Walk the hierarchy; write triangles (row, column of a, b, c) that reach into the raster; count them.

    ``out`` may be empty, to count only. a b is the longest side, c the right angle; the turn a, b, c is
    counter-clockwise seen from above (rows run south).
    """
    rows, cols = shape
    stack = np.empty((256, 6), dtype=np.int32)
    stack[0] = np.array([side, side, 0, 0, side, 0], dtype=np.int32)
    stack[1] = np.array([0, 0, side, side, 0, side], dtype=np.int32)
    depth, count = 2, 0
    while depth > 0:
        depth -= 1
        ar, ac, br = stack[depth, 0], stack[depth, 1], stack[depth, 2]
        bc, cr, cc = stack[depth, 3], stack[depth, 4], stack[depth, 5]
        if min(ar, br, cr) >= rows - 1 or min(ac, bc, cc) >= cols - 1:
            continue
        mr, mc = (ar + br) // 2, (ac + bc) // 2
        if abs(ar - cr) + abs(ac - cc) > 1 and split[mr, mc]:
            stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3] = cr, cc, ar, ac
            stack[depth, 4], stack[depth, 5] = mr, mc
            stack[depth + 1, 0], stack[depth + 1, 1], stack[depth + 1, 2], stack[depth + 1, 3] = (
                br,
                bc,
                cr,
                cc,
            )
            stack[depth + 1, 4], stack[depth + 1, 5] = mr, mc
            depth += 2
            continue
        if len(out) > 0:
            out[count, 0], out[count, 1], out[count, 2] = ar, ac, br
            out[count, 3], out[count, 4], out[count, 5] = bc, cr, cc
        count += 1
    return count


@njit
def _cut(polygon: NDArray[np.float64], count: int, axis: int, limit: float, out: NDArray[np.float64]) -> int:
    """Keep the part of a polygon (row, column, z) with coordinate ``axis`` up to ``limit``."""
    kept = 0
    for i in range(count):
        p, q = polygon[i], polygon[(i + 1) % count]
        if p[axis] <= limit:
            out[kept] = p
            kept += 1
        if (p[axis] < limit and q[axis] > limit) or (p[axis] > limit and q[axis] < limit):
            # From the inner end, so that both triangles at this side get the same bits.
            inner, outer = (p, q) if p[axis] < limit else (q, p)
            share = (limit - inner[axis]) / (outer[axis] - inner[axis])
            other = 1 - axis
            out[kept, axis] = limit
            out[kept, other] = np.rint(inner[other] + share * (outer[other] - inner[other]))
            out[kept, 2] = inner[2] + share * (outer[2] - inner[2])
            kept += 1
    return kept


@njit
def _corners(
    z: NDArray[Any], leaves: NDArray[np.int32], keys: NDArray[np.int64], heights: NDArray[np.float64]
) -> int:
    """Cut the leaves at the raster's edge; write node number and height of each corner; count the faces."""
    rows, cols = z.shape
    polygon, half, whole = np.empty((8, 3)), np.empty((8, 3)), np.empty((8, 3))
    faces = 0
    for i in range(len(leaves)):
        for k in range(3):
            polygon[k, 0], polygon[k, 1] = leaves[i, 2 * k], leaves[i, 2 * k + 1]
            polygon[k, 2] = _node(z, leaves[i, 2 * k], leaves[i, 2 * k + 1])
        if not np.isfinite(polygon[0, 2] + polygon[1, 2] + polygon[2, 2]):
            continue
        count = _cut(polygon, 3, 0, rows - 1.0, half)
        count = _cut(half, count, 1, cols - 1.0, whole)
        for k in range(1, count - 1):
            area = (whole[k, 0] - whole[0, 0]) * (whole[k + 1, 1] - whole[0, 1])
            area -= (whole[k, 1] - whole[0, 1]) * (whole[k + 1, 0] - whole[0, 0])
            if area == 0.0:
                continue
            for m in range(3):
                corner = whole[0] if m == 0 else whole[k + m - 1]
                keys[3 * faces + m] = int(corner[0]) * cols + int(corner[1])
                heights[3 * faces + m] = corner[2]
            faces += 1
    return faces


@njit
def _largest_error(
    vertices: NDArray[np.float64],
    faces: NDArray[np.int32],
    place: tuple[float, float, float],
    z: NDArray[Any],
) -> float:
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


def tin_error(mesh: TriangleMesh, dtm: Raster) -> float:
    """Largest vertical distance from a cell centre to the triangles over or under it [m], measured."""
    dtm.grid.frame.require_same(mesh.frame, "the triangles")
    grid = dtm.grid
    place = (grid.west, grid.north, grid.cell_size)
    return float(_largest_error(mesh.vertices, mesh.faces, place, dtm.values))


def simplify(dtm: Raster, max_error_m: float) -> tuple[TriangleMesh, float]:
    """Triangles through a DTM, off by no more than a stated vertical error at any cell centre.

    Without cracks, facing up, covering the hull of the cell centres; a cell without a height is left out,
    with the triangles that would touch it.

    Parameters
    ----------
    dtm
        Heights [m], NaN where unknown, at least 2 x 2 cells.
    max_error_m
        Largest accepted vertical distance from a cell centre to the triangles [m].

    Returns
    -------
    tuple
        The mesh, all of it ``Surface.TERRAIN``, and the error as measured [m].

    Raises
    ------
    InputError
        The error is not a positive number, the raster is a single row or column, or no three neighbouring
        cells have heights.
    """
    if not (np.isfinite(max_error_m) and max_error_m > 0):
        raise InputError(f"the terrain's max_error_m must be a positive number of metres; got {max_error_m}")
    grid = dtm.grid
    if min(grid.shape) < 2:
        raise InputError(f"a terrain needs at least 2 x 2 cells; got {grid.rows} x {grid.cols}")
    z = dtm.values
    if z.dtype not in (np.float32, np.float64):
        z = z.astype(np.float64)
    side = 1 << int(max(grid.shape) - 2).bit_length()
    split = np.zeros((side + 1, side + 1), dtype=np.uint8)
    _mark(z, max(0.0, max_error_m - ROUNDING_M), side, split)
    leaves = np.empty((_leaves(grid.shape, side, split, np.empty((0, 6), np.int32)), 6), dtype=np.int32)
    _leaves(grid.shape, side, split, leaves)
    del split
    mesh = _mesh(grid, z, leaves)
    if not len(mesh.faces):
        raise InputError("the terrain has no triangles: no three neighbouring cells have a height")
    return mesh, tin_error(mesh, dtm)


def _mesh(grid: Grid, z: NDArray[Any], leaves: NDArray[np.int32]) -> TriangleMesh:
    # A triangle cut at two borders has at most five corners: three faces.
    keys = np.empty(9 * len(leaves), dtype=np.int64)
    heights = np.empty(9 * len(leaves))
    faces = int(_corners(z, leaves, keys, heights))
    nodes, first, corner = np.unique(keys[: 3 * faces], return_index=True, return_inverse=True)
    row, col = np.divmod(nodes, grid.cols)
    vertices = np.column_stack([grid.x_centres()[col], grid.y_centres()[row], heights[first]])
    triangles = corner.reshape(-1, 3).astype(np.int32)
    return TriangleMesh(grid.frame, vertices, triangles, np.full(faces, Surface.TERRAIN, np.uint8))
