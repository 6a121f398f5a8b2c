"""Trees from a canopy of known crowns."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from tests.building_worlds import CENTRE, FRAME, ramp
from tests.tolerances import TREE_HEIGHT_M, TREE_PLACE_M, TREE_RADIUS_SHARE
from twin.errors import FrameMismatchError, InputError
from twin.model.canopy import Canopy
from twin.model.raster import Grid, Raster
from twin.vegetation.trees import detect_trees

TREES = {
    (-20.0, 12.0): (18.0, 4.0),
    (-6.0, 14.0): (9.0, 2.5),
    (10.0, -16.0): (24.0, 5.0),
    (18.0, 9.0): (5.0, 1.5),
}


def world(crowns=TREES, holes=0.0, cell=0.5):
    """Canopy and DTM: paraboloid crowns on a ramp, a share of the cells without a return."""
    n = int(60 / cell)
    grid = Grid(FRAME, CENTRE[0] - 30, CENTRE[1] + 30, cell, n, n)
    x, y = np.meshgrid(grid.x_centres(), grid.y_centres())
    ground = ramp(x, y)
    height = np.zeros(grid.shape)
    for (dx, dy), (top, radius) in crowns.items():
        away = ((x - CENTRE[0] - dx) ** 2 + (y - CENTRE[1] - dy) ** 2) / radius**2
        # Crowns stand upright on the slope.
        rise = float(ramp(np.array(CENTRE[0] + dx), np.array(CENTRE[1] + dy))) - ground
        height = np.maximum(height, np.where(away < 1, rise + top * (1 - 0.5 * away), 0))
    missing = (height == 0) | (np.random.default_rng(4).random(grid.shape) < holes)
    return canopy_of(grid, np.where(missing, np.nan, ground + height)), Raster(
        grid, ground.astype(np.float32)
    )


def canopy_of(grid, top):
    """One return in each cell that has any."""
    raster = Raster(grid, top.astype(np.float32))
    return Canopy(raster, raster, Raster(grid, np.isfinite(top).astype(np.uint16)))


@pytest.mark.parametrize("holes", [0.0, 0.35])
def test_known_trees_are_found(holes):
    canopy, dtm = world(holes=holes)
    found = detect_trees(canopy, dtm)
    assert len(found) == len(TREES)
    for (dx, dy), (top, radius) in TREES.items():
        tree = min(found, key=lambda t: np.hypot(t.x - CENTRE[0] - dx, t.y - CENTRE[1] - dy))
        assert np.hypot(tree.x - CENTRE[0] - dx, tree.y - CENTRE[1] - dy) < TREE_PLACE_M
        assert tree.height == pytest.approx(top, abs=TREE_HEIGHT_M)
        assert tree.crown_radius == pytest.approx(radius, rel=TREE_RADIUS_SHARE)
        # The ground is that of the stem's cell.
        assert tree.ground == pytest.approx(float(ramp(np.array(tree.x), np.array(tree.y))), abs=0.1)
        assert tree.crown_returns > 5
        assert holes or tree.crown_cover > 0.7


def test_ids_are_places_in_decimetres_of_the_world():
    canopy, dtm = world()
    for tree in detect_trees(canopy, dtm):
        east, north = FRAME.to_world(np.array([[tree.x, tree.y]]))[0]
        assert tree.id == f"t-{round(east * 10)}-{round(north * 10)}"
    assert [t.id for t in detect_trees(canopy, dtm)] == sorted(t.id for t in detect_trees(canopy, dtm))


def test_a_building_keeps_its_trees_away():
    canopy, dtm = world()
    cover = shapely.box(CENTRE[0] - 26, CENTRE[1] + 6, CENTRE[0] - 14, CENTRE[1] + 18)
    found = detect_trees(canopy, dtm, [cover])
    assert len(found) == len(TREES) - 1
    assert not any(cover.contains(shapely.Point(t.x, t.y)) for t in found)


def test_low_green_and_nothing_give_no_trees():
    canopy, dtm = world({(0.0, 0.0): (2.6, 3.0)})
    assert detect_trees(canopy, dtm) == ()
    assert len(detect_trees(canopy, dtm, min_height_m=2.0)) == 1
    nothing = np.full(canopy.grid.shape, np.nan, np.float32)
    empty = canopy_of(canopy.grid, nothing)
    assert empty.is_empty and not canopy.is_empty
    assert detect_trees(empty, dtm) == ()
    assert detect_trees(canopy, Raster(canopy.grid, nothing)) == ()


def test_a_pole_is_no_tree():
    canopy, dtm = world({(0.3, 0.3): (8.0, 0.4)})
    assert detect_trees(canopy, dtm) == ()


def test_a_wire_and_a_mast_are_no_trees():
    canopy, dtm = world({})
    wire, top = np.full(canopy.grid.shape, np.nan), dtm.values.astype(np.float64)
    wire[40, :] = top[40, :] + 14.0 + 0.001 * np.abs(np.arange(canopy.grid.cols) - 60)
    assert detect_trees(canopy_of(canopy.grid, wire), dtm) == ()
    assert detect_trees(*world({(0.0, 0.0): (75.0, 3.0)})) == ()


def test_equal_tops_in_one_window_are_one_tree():
    canopy, dtm = world({(0.0, 0.0): (12.0, 2.0), (1.5, 0.0): (12.0, 2.0)})
    assert len(detect_trees(canopy, dtm)) == 1


def test_misuse_is_refused():
    canopy, dtm = world()
    other, _ = world(cell=1.0)
    with pytest.raises(FrameMismatchError):
        detect_trees(other, dtm)
    with pytest.raises(InputError, match="least height"):
        detect_trees(canopy, dtm, min_height_m=float("nan"))
