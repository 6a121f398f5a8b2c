"""Points into cells: the same bytes for any order, chunk and worker."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

from twin.classify.tables import PointClass
from twin.errors import FrameMismatchError, InputError
from twin.frame import Frame
from twin.model.pointcloud import PointCloud
from twin.model.raster import Grid
from twin.terrain.accumulate import SurfaceAccumulator

FRAME = Frame(CRS.from_epsg(3812), "EPSG:5710", (732446, 643915))
GRID = Grid(FRAME, -3.0, 11.0, 0.5, 20, 30)
CODES = np.array([0, 1, 2, 4, 5, 6, 7, 9, 14, 17, 18, 64, 65, 66], dtype=np.uint8)


def cloud_of(rows):
    rows = np.array(rows, dtype=float)
    return PointCloud(FRAME, rows[:, :3], rows[:, 3].astype(np.uint8))


def filled(*clouds):
    accumulator = SurfaceAccumulator(GRID)
    for cloud in clouds:
        accumulator.add(cloud)
    return accumulator


def bytes_of(accumulator):
    canopy = accumulator.canopy()
    rasters = (accumulator.ground(), accumulator.surface(), canopy.top, canopy.low, canopy.returns)
    return tuple(raster.values.tobytes() for raster in rasters)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), cuts=st.integers(1, 7))
def test_order_chunks_and_workers_never_matter(seed, cuts):
    rng = np.random.default_rng(seed)
    xyz = np.c_[rng.uniform(-5, 14, 400), rng.uniform(-1, 13, 400), rng.uniform(-20, 300, 400)]
    classes = rng.choice(CODES, 400)
    whole = filled(PointCloud(FRAME, xyz, classes))
    mixed = rng.permutation(400)
    pieces = [PointCloud(FRAME, xyz[i], classes[i]) for i in np.array_split(mixed, cuts)]
    assert bytes_of(filled(*pieces)) == bytes_of(whole)
    merged = SurfaceAccumulator(GRID)
    for piece in pieces:
        merged.merge(filled(piece))
    assert bytes_of(merged) == bytes_of(whole)
    assert merged.points_inside + merged.points_outside == 400
    assert merged.ground_count == whole.ground_count


def test_mean_ground_highest_surface_highest_canopy():
    x, y = -2.9, 10.9
    accumulator = filled(
        cloud_of(
            [
                [x, y, 60.001, PointClass.GROUND],
                [x, y, 60.004, PointClass.GROUND],
                [x, y, 75.5, PointClass.ABOVE_GROUND],
                [x, y, 71.25, PointClass.HIGH_VEGETATION],
                [x, y, 63.5, PointClass.VEGETATION],
                [x, y, 99.0, PointClass.WIRE],
                [x, y, 400.0, PointClass.NOISE],
                [x, y, -80.0, PointClass.NOISE],
            ]
        )
    )
    assert accumulator.ground().values[0, 0] == np.float32(60.0025)
    assert accumulator.surface().values[0, 0] == np.float32(75.5)
    canopy = accumulator.canopy()
    assert canopy.top.values[0, 0] == np.float32(71.25) and canopy.low.values[0, 0] == np.float32(63.5)
    assert canopy.returns.values[0, 0] == canopy.returns.values.sum() == 2
    assert np.isnan(accumulator.ground().values).sum() == 599


def test_without_a_class_vegetation_is_what_let_its_pulse_on():
    xyz = np.array([[0, 5, 70.0], [0, 5, 68], [0, 5, 75], [0, 5, 60], [0, 5, 80]])
    classes = np.array([1, 1, 1, 2, 6], np.uint8)
    several = np.array([3, 2, 1, 3, 2], np.uint8)
    accumulator = SurfaceAccumulator(GRID, {PointClass.UNCLASSIFIED})
    accumulator.add(PointCloud(FRAME, xyz, classes, np.ones(5, np.uint8), several))
    canopy = accumulator.canopy()
    assert (np.nanmax(canopy.top.values), np.nanmin(canopy.low.values), canopy.returns.values.sum()) == (
        70,
        68,
        2,
    )
    plain = SurfaceAccumulator(GRID)
    plain.add(PointCloud(FRAME, xyz, classes, np.ones(5, np.uint8), several))
    assert plain.canopy().is_empty


def test_water_is_ground_and_a_bridge_is_surface_only():
    accumulator = filled(cloud_of([[0, 5, 58, PointClass.WATER], [0, 5, 66, PointClass.BRIDGE]]))
    (row,), (col,) = GRID.rows_cols(np.array([0.0]), np.array([5.0]))
    assert accumulator.ground().values[row, col] == 58
    assert accumulator.surface().values[row, col] == 66


def test_a_point_on_a_shared_edge_is_in_one_cell_and_the_outer_ones_are_counted():
    accumulator = filled(cloud_of([[-2.5, 10.5, 5, 2], [12.0, 5, 5, 2], [0, 1.0, 5, 2], [-3.0, 11.0, 7, 2]]))
    ground = accumulator.ground().values
    assert ground[1, 1] == 5
    assert ground[0, 0] == 7
    assert (accumulator.points_inside, accumulator.points_outside) == (2, 2)


def test_what_cannot_be_is_refused():
    other = Frame(FRAME.crs, "unknown", FRAME.origin)
    with pytest.raises(FrameMismatchError):
        SurfaceAccumulator(GRID).add(PointCloud(other, np.zeros((1, 3)), np.array([2], np.uint8)))
    with pytest.raises(InputError, match="metres"):
        filled(cloud_of([[0, 5, 3e6, 2]]))
    with pytest.raises(FrameMismatchError):
        SurfaceAccumulator(GRID).merge(SurfaceAccumulator(Grid(FRAME, -3.0, 11.0, 0.5, 20, 31)))


def test_what_was_seen_and_bridge_points_do_not_depend_on_order_or_parts(frame):
    rng = np.random.default_rng(8)
    xyz = np.column_stack([rng.uniform(-5, 25, (4000, 2)), rng.uniform(50, 70, 4000)])
    classes = rng.choice([2, 5, 9, 17, 6, 7], 4000).astype(np.uint8)
    grid = Grid(frame, 0.0, 20.0, 0.5, 40, 40)
    whole, parts = SurfaceAccumulator(grid), SurfaceAccumulator(grid)
    whole.add(PointCloud(frame, xyz, classes))
    for chunk in np.array_split(rng.permutation(4000), 7):
        part = SurfaceAccumulator(grid)
        part.add(PointCloud(frame, xyz[chunk], classes[chunk]))
        parts.merge(part)
    assert (whole.seen().values == parts.seen().values).all()
    assert (whole.bridge_points() == parts.bridge_points()).all()
    inside = (xyz[:, 0] >= 0) & (xyz[:, 0] < 20) & (xyz[:, 1] > 0) & (xyz[:, 1] <= 20)
    assert len(whole.bridge_points()) == int((inside & (classes == 17)).sum())
    row, col = grid.rows_cols(xyz[inside, 0], xyz[inside, 1])
    water = np.zeros(grid.shape, bool)
    water[row[classes[inside] == 9], col[classes[inside] == 9]] = True
    assert (((whole.seen().values & 1) > 0) == water).all()
