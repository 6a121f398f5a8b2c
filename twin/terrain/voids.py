"""Voids of a height raster: cells that no point fell into, under buildings, trees and water.

Two steps, both exact on planes. Narrow gaps, which lie between most laser points, are bridged along rows,
columns and diagonals. What is left is closed by the Delaunay triangles over the cells around it, and outside
their hull by the nearest known cell.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.jit import njit
from twin.model.mesh import TriangleMesh
from twin.model.raster import Grid, Raster
from twin.terrain.sampler import rasterise

NARROW_GAP_CELLS = 8
"""Longest distance, in steps along the row, column or diagonal, between two known cells bridged directly."""


@njit
def _bridge(values: NDArray[np.float32], reach: int, out: NDArray[np.float32]) -> int:
    """Fill narrow gaps of ``values`` into ``out``; return how many cells stay empty.

    A cell gets the mean of the straight lines through it, from known cell to known cell, weighted with
    the inverse square of their length.
    """
    rows, cols = values.shape
    left = 0
    for row in range(rows):
        for col in range(cols):
            out[row, col] = values[row, col]
            if not np.isnan(values[row, col]):
                continue
            total, weights = 0.0, 0.0
            for k in range(4):
                dr, dc = (0, 1, 1, 1)[k], (1, 0, 1, -1)[k]
                before, after = 0, 0
                for step in range(1, reach):
                    r, c = row - step * dr, col - step * dc
                    if r < 0 or r >= rows or c < 0 or c >= cols:
                        break
                    if not np.isnan(values[r, c]):
                        before = step
                        break
                if before == 0:
                    continue
                for step in range(1, reach - before + 1):
                    r, c = row + step * dr, col + step * dc
                    if r < 0 or r >= rows or c < 0 or c >= cols:
                        break
                    if not np.isnan(values[r, c]):
                        after = step
                        break
                if after == 0:
                    continue
                low = values[row - before * dr, col - before * dc]
                high = values[row + after * dr, col + after * dc]
                weight = 1.0 / ((before + after) ** 2 * (dr * dr + dc * dc))
                total += weight * (low * after + high * before) / (before + after)
                weights += weight
            if weights > 0:
                out[row, col] = total / weights
            else:
                left += 1
    return left


@njit
def _rim(values: NDArray[np.float32], rim: NDArray[np.bool_]) -> None:
    """Mark the known cells that touch an unknown one, by a side or a corner."""
    rows, cols = values.shape
    for row in range(rows):
        for col in range(cols):
            if not np.isnan(values[row, col]):
                continue
            for r in range(max(row - 1, 0), min(row + 2, rows)):
                for c in range(max(col - 1, 0), min(col + 2, cols)):
                    if not np.isnan(values[r, c]):
                        rim[r, c] = True


def _triangles(grid: Grid, points: NDArray[np.float64]) -> TriangleMesh | None:
    """Delaunay triangles over points; None where they span no area."""
    from scipy.spatial import Delaunay, QhullError

    if len(points) < 3:
        return None
    try:
        found = Delaunay(points[:, :2])
    except QhullError:
        return None
    faces = np.asarray(found.simplices, dtype=np.int32)
    return TriangleMesh(grid.frame, points, faces, np.zeros(len(faces), np.uint8))


def _close(grid: Grid, values: NDArray[np.float32]) -> None:
    """Fill every unknown cell of ``values`` in place: triangles over the rim, then the nearest rim cell."""
    from scipy.spatial import cKDTree

    rim = np.zeros(grid.shape, dtype=np.bool_)
    _rim(values, rim)
    row, col = np.nonzero(rim)
    # Whole numbers of cells: Qhull then sees an exact lattice, whatever the origin of the grid.
    points = np.column_stack([col, -row, values[rim]]).astype(np.float64)
    cells = Grid(grid.frame, -0.5, 0.5, 1.0, grid.rows, grid.cols)
    empty = np.isnan(values)
    mesh = _triangles(cells, points)
    if mesh is not None:
        values[empty] = rasterise(mesh, cells).values[empty]
        empty = np.isnan(values)
    if empty.any():
        r, c = np.nonzero(empty)
        _, nearest = cKDTree(points[:, :2]).query(np.column_stack([c, -r]).astype(np.float64))
        values[empty] = points[nearest, 2]


def fill_voids(raster: Raster) -> tuple[Raster, Raster]:
    """Heights without voids, and a bool mask of the cells that were filled.

    Every void is filled, however large; the mask says where no measurement stands behind a height.

    Parameters
    ----------
    raster
        Heights [m] with NaN where unknown.

    Returns
    -------
    tuple
        Heights (float32) and mask, on the raster's grid.

    Raises
    ------
    InputError
        No cell has a height.
    """
    grid = raster.grid
    known = np.ascontiguousarray(raster.values, dtype=np.float32)
    mask = np.isnan(known)
    if mask.all():
        raise InputError(
            "the ground is unknown everywhere: no ground point (class 2) fell into the site's area; "
            "check the area, the CRS of the cloud and its class table"
        )
    out = np.empty_like(known)
    if _bridge(known, NARROW_GAP_CELLS, out):
        _close(grid, out)
    mask.flags.writeable = False
    out.flags.writeable = False
    return Raster(grid, out), Raster(grid, mask)


def largest_void(filled: Raster) -> float:
    """Area of the largest connected patch of filled cells [m2]; what touches by a corner is connected."""
    from scipy.ndimage import label

    labels, count = label(filled.values, structure=np.ones((3, 3)))
    if not count:
        return 0.0
    return float(np.bincount(labels.ravel())[1:].max()) * filled.grid.cell_size**2
