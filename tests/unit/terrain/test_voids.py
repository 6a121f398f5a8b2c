"""Voids: exact on planes, measured cells untouched, all of it flagged."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import rotate

from tests.tolerances import FILLED_PLANE_M
from twin.errors import InputError
from twin.model.raster import Grid, Raster
from twin.terrain.voids import fill_voids, largest_void


def plane(frame, rows=90, cols=120):
    grid = Grid(frame, -41.0, 23.5, 0.5, rows, cols)
    z = 61.5 + 0.3 * grid.x_centres()[None, :] - 0.17 * grid.y_centres()[:, None]
    return Raster(grid, z.astype(np.float32))


def holed(raster, where):
    values = raster.values.copy()
    values[where] = np.nan
    return Raster(raster.grid, values)


def scattered(shape):
    return np.random.default_rng(3).random(shape) < 0.5


def building(shape):
    """A turned rectangle with a courtyard."""
    box = np.zeros(shape)
    box[25:65, 30:85] = 1
    box[40:50, 50:65] = 0
    return rotate(box, 27, reshape=False, order=0) > 0


@pytest.mark.parametrize("where", [scattered, building, lambda s: scattered(s) | building(s)])
def test_a_plane_is_closed_exactly(frame, where):
    whole = plane(frame)
    holes = where(whole.grid.shape)
    # The hull's rim stays known: outside the hull the nearest cell is taken, which is no plane.
    holes[[0, -1], :] = holes[:, [0, -1]] = False
    filled, mask = fill_voids(holed(whole, holes))
    assert np.abs(filled.values - whole.values).max() < FILLED_PLANE_M
    assert (mask.values == holes).all()
    assert filled.values.dtype == np.float32


def test_known_cells_keep_their_bits_and_filled_ones_stay_between_their_neighbours(frame):
    rng = np.random.default_rng(8)
    grid = Grid(frame, 0.0, 0.0, 1.0, 60, 60)
    rough = Raster(grid, rng.normal(50, 2, grid.shape).astype(np.float32))
    holes = scattered(grid.shape)
    holes[20:45, 10:50] = True
    filled, _ = fill_voids(holed(rough, holes))
    assert (filled.values[~holes] == rough.values[~holes]).all()
    known = rough.values[~holes]
    assert known.min() <= filled.values.min() and filled.values.max() <= known.max()


def test_outside_the_hull_the_nearest_cell_holds(frame):
    grid = Grid(frame, 0.0, 30.0, 1.0, 30, 40)
    values = np.full(grid.shape, np.nan, np.float32)
    values[10:12, 15:17] = [[1.0, 2.0], [3.0, 4.0]]
    filled, mask = fill_voids(Raster(grid, values))
    assert not np.isnan(filled.values).any()
    corners = filled.values[0, 0], filled.values[0, -1], filled.values[-1, 0], filled.values[-1, -1]
    assert corners == (1.0, 2.0, 3.0, 4.0)
    assert mask.values.sum() == 30 * 40 - 4


@pytest.mark.parametrize("known", [[(5, 5)], [(5, 5), (9, 20)], [(2, 2), (12, 12), (22, 22)]])
def test_a_few_cells_in_a_point_or_line_still_fill_everything(frame, known):
    values = np.full((30, 40), np.nan, np.float32)
    for k, (row, col) in enumerate(known):
        values[row, col] = 50 + k
    filled, _ = fill_voids(Raster(Grid(frame, 0.0, 0.0, 1.0, 30, 40), values))
    assert np.isfinite(filled.values).all()


def test_nothing_missing_changes_nothing_and_nothing_known_is_an_error(frame):
    whole = plane(frame)
    filled, mask = fill_voids(whole)
    assert filled.values.tobytes() == whole.values.tobytes()
    assert not mask.values.any()
    assert largest_void(mask) == 0.0
    with pytest.raises(InputError, match="no ground point"):
        fill_voids(Raster(whole.grid, np.full(whole.grid.shape, np.nan)))


def test_the_largest_void_is_measured(frame):
    mask = np.zeros((20, 20), bool)
    mask[2:5, 2:6] = True
    mask[5, 6] = True
    mask[10, 10] = True
    assert largest_void(Raster(Grid(frame, 0.0, 0.0, 0.5, 20, 20), mask)) == 13 * 0.25
