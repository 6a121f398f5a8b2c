"""Grids: alignment, windows, transforms."""

from __future__ import annotations

import numpy as np
import pytest

from twin.errors import FrameMismatchError, InputError
from twin.frame import Frame
from twin.model.raster import Grid, Raster
from twin.region import Region


def test_grid_covers_and_is_aligned_in_the_world(frame: Frame) -> None:
    grid = Grid.over(frame, Region(10.2, -3.3, 20.9, 8.1), 0.5)
    region = grid.region
    assert region.west <= 10.2 and region.east >= 20.9 and region.south <= -3.3 and region.north >= 8.1
    assert (region.west + frame.origin[0]) % 0.5 == pytest.approx(0)
    assert (region.north + frame.origin[1]) % 0.5 == pytest.approx(0)


def test_row_zero_is_north_and_centres_find_their_cells(frame: Frame) -> None:
    grid = Grid(frame, -5.0, 7.0, 2.0, 3, 4)
    assert grid.y_centres()[0] == 6.0 and grid.x_centres()[0] == -4.0
    centres = grid.centres()
    rows, cols = grid.rows_cols(centres[:, 0], centres[:, 1])
    assert (rows * 4 + cols == np.arange(12)).all()


def test_window_is_placed_back(frame: Frame) -> None:
    grid = Grid(frame, 0.0, 100.0, 0.5, 200, 300)
    part = grid.window(Region(20.1, 30.2, 41.7, 55.0))
    assert part is not None
    row, col = grid.place_of(part)
    assert (part.x_centres() == grid.x_centres()[col : col + part.cols]).all()
    assert (part.y_centres() == grid.y_centres()[row : row + part.rows]).all()
    assert grid.window(Region(-50, -50, -10, -10)) is None
    with pytest.raises(FrameMismatchError):
        part.place_of(grid)


def test_rasters_are_read_only_and_fit(frame: Frame) -> None:
    grid = Grid(frame, 0.0, 1.0, 0.5, 2, 2)
    values = np.zeros((2, 2), np.float32)
    raster = Raster(grid, values)
    values[0, 0] = 9.0
    assert raster.values[0, 0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        raster.values[0, 0] = 1.0
    with pytest.raises(InputError, match="does not fit"):
        Raster(grid, np.zeros((3, 2)))
    with pytest.raises(InputError, match="positive"):
        Grid(frame, 0.0, 1.0, 0.0, 2, 2)
