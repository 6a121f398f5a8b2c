"""Two flights of different dates: the newer wins where it covers, the older fills the rest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.ndimage import binary_closing

from pipelines.workers import map_tasks
from twin.classify.tables import ClassTable
from twin.io.las import LasInfo
from twin.model.pointcloud import PointCloud
from twin.model.raster import Grid, Raster

if TYPE_CHECKING:
    from pipelines.classify import CloudReader
    from pipelines.inputs import Inputs

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


def _within(covered: Raster, xy: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points (n,) lie in cells that are marked."""
    grid = covered.grid
    rows = np.floor((grid.north - xy[:, 1]) / grid.cell_size).astype(np.int64)
    cols = np.floor((xy[:, 0] - grid.west) / grid.cell_size).astype(np.int64)
    fits = (rows >= 0) & (rows < grid.rows) & (cols >= 0) & (cols < grid.cols)
    found = np.zeros(len(xy), dtype=bool)
    found[fits] = covered.values[rows[fits], cols[fits]] > 0
    return found


def find_covered(reader: CloudReader, grid: Grid, inputs: Inputs, workers: int, tick: Any) -> Raster | None:
    """Cells that the newer flight covers; None where there is one flight only."""
    if not inputs.older:
        return None
    cells = Grid.over(grid.frame, grid.region, CELL_M)
    hit = np.zeros(cells.shape, dtype=bool)
    for part in map_tasks(partial(_hit, reader, cells), list(inputs.newest), workers, tick):
        hit |= part
    # The border is not eaten: what lies beyond the site counts as covered while gaps are closed.
    wide = np.pad(hit, CLOSED_CELLS, mode="edge")
    closed = binary_closing(wide, np.ones((3, 3), bool), iterations=CLOSED_CELLS)
    inner = closed[CLOSED_CELLS:-CLOSED_CELLS, CLOSED_CELLS:-CLOSED_CELLS] | hit
    return Raster(cells, inner.astype(np.float32))


def _hit(reader: CloudReader, cells: Grid, info: LasInfo) -> NDArray[np.bool_]:
    hit = np.zeros(cells.shape, dtype=bool)
    for cloud in reader.chunks(info):
        rows = np.floor((cells.north - cloud.xyz[:, 1]) / cells.cell_size).astype(np.int64)
        cols = np.floor((cloud.xyz[:, 0] - cells.west) / cells.cell_size).astype(np.int64)
        fits = (rows >= 0) & (rows < cells.rows) & (cols >= 0) & (cols < cells.cols)
        hit[rows[fits], cols[fits]] = True
    return hit
