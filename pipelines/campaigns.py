"""Two flights of different dates: the newer wins where it covers, the older fills the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.ndimage import binary_closing

from pipelines.workers import map_tasks
from twin.classify.tables import ClassTable
from twin.io.las import LasInfo
from twin.model.pointcloud import PointCloud
from twin.model.raster import Grid, Raster

Read = Callable[[LasInfo], Iterable[PointCloud]]
"""Gives the points of a file, chunk by chunk."""
CELL_M = 5.0
"""Cell in which a flight covers the ground or does not [m]."""
CLOSED_CELLS = 2
"""Gaps narrower than twice this many cells are covered too: wet roofs and water give no returns."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """The files of an earlier flight.

    Parameters
    ----------
    files, table
        Which they are, and their class table.
    covered
        Cells that the newer flight covers, 1 or 0.
    """

    files: frozenset[Path]
    table: ClassTable
    covered: Raster

    def beyond(self, cloud: PointCloud) -> PointCloud:
        """The points of an earlier cloud where the newer flight does not reach."""
        kept = ~_within(self.covered, cloud.xyz)
        return cloud if kept.all() else cloud.part(kept)

    def shows(self, outline: Any) -> bool:
        """Whether less than half of an outline is covered by the newer flight."""
        grid = self.covered.grid
        west, south, east, north = outline.bounds
        step = grid.cell_size / 10
        x, y = np.meshgrid(np.arange(west + step / 2, east, step), np.arange(south + step / 2, north, step))
        inside = np.column_stack([x.ravel(), y.ravel()])[shapely.contains_xy(outline, x, y).ravel()]
        if not len(inside):
            inside = np.array([[outline.centroid.x, outline.centroid.y]])
        return bool(_within(self.covered, inside).mean() < 0.5)


def _cells(
    grid: Grid, xy: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
    """Which points (n,) lie in the grid, and the rows and columns of those."""
    rows, cols = grid.rows_cols(xy[:, 0], xy[:, 1])
    fits = (rows >= 0) & (rows < grid.rows) & (cols >= 0) & (cols < grid.cols)
    return fits, rows[fits], cols[fits]


def _within(covered: Raster, xy: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points (n,) lie in cells that are marked."""
    found = np.zeros(len(xy), dtype=bool)
    fits, rows, cols = _cells(covered.grid, xy)
    found[fits] = covered.values[rows, cols] > 0
    return found


def find_covered(read: Read, newest: Sequence[LasInfo], grid: Grid, workers: int, tick: Any) -> Raster:
    """Cells of ``CELL_M`` over a grid that the files of the newer flight cover, 1 or 0."""
    cells = Grid.over(grid.frame, grid.region, CELL_M)
    hit = np.zeros(cells.shape, dtype=bool)
    for part in map_tasks(partial(_hit, read, cells), newest, workers, tick):
        hit |= part
    # The border is not eaten: what lies beyond the site counts as covered while gaps are closed.
    wide = np.pad(hit, CLOSED_CELLS, mode="edge")
    closed = binary_closing(wide, np.ones((3, 3), bool), iterations=CLOSED_CELLS)
    inner = closed[CLOSED_CELLS:-CLOSED_CELLS, CLOSED_CELLS:-CLOSED_CELLS] | hit
    return Raster(cells, inner.astype(np.float32))


def _hit(read: Read, cells: Grid, info: LasInfo) -> NDArray[np.bool_]:
    hit = np.zeros(cells.shape, dtype=bool)
    for cloud in read(info):
        _, rows, cols = _cells(cells, cloud.xyz)
        hit[rows, cols] = True
    return hit
