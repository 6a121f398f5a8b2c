"""A scene as one height field: what the fast engine sees of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from twin.model.raster import Grid
from twin.region import Region
from twin.study.occluders import FaceTable
from twin.terrain.sampler import rasterise
from twin.visibility.occluders import HeightField


def scene_field(table: FaceTable, grid: Grid) -> tuple[HeightField, Grid]:
    """The highest surface of a scene at the centres of cells that go on those of a study's grid.

    Whatever hangs over the ground would be massive down to it (so ``twin.study.hanging`` takes it out), and walls
    lean over half a cell on either side: that is what a height field can hold.

    Parameters
    ----------
    table
        Faces of the scene.
    grid
        The study's cells.

    Returns
    -------
    The field, which covers the whole scene and the grid, and the cells that it stands on.
    """
    used = np.zeros(len(table.vertices), dtype=bool)
    used[table.faces.ravel()] = True
    low, high = table.vertices[used].min(axis=0), table.vertices[used].max(axis=0)
    whole = cells_over(grid, [Region(float(low[0]), float(low[1]), float(high[0]), float(high[1]))])
    heights = rasterise(table.mesh(np.ones(len(table.faces), dtype=bool)), whole).values
    cell = grid.cell_size
    return HeightField(heights, cell, cell, whole.west + cell / 2, whole.north - cell / 2), whole


def cells_over(grid: Grid, regions: Sequence[Region]) -> Grid:
    """The cells of a grid, gone on with until they cover some regions too."""
    around = Region.around([*regions, grid.region])
    cell = grid.cell_size
    cols_west = int(np.ceil((grid.region.west - around.west) / cell - 1e-6))
    rows_north = int(np.ceil((around.north - grid.region.north) / cell - 1e-6))
    cols_east = int(np.ceil((around.east - grid.region.east) / cell - 1e-6))
    rows_south = int(np.ceil((grid.region.south - around.south) / cell - 1e-6))
    return Grid(
        grid.frame,
        grid.west - cols_west * cell,
        grid.north + rows_north * cell,
        cell,
        grid.rows + rows_north + rows_south,
        grid.cols + cols_west + cols_east,
    )
