"""Roof points of footprints."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import shapely

from tests.building_worlds import CENTRE, FRAME, block, court, ramp, terrain
from twin.buildings.collect import RoofPointCollector
from twin.buildings.inside import PolygonIndex
from twin.errors import FrameMismatchError, InputError
from twin.frame import Frame
from twin.model.objects import Footprint
from twin.model.pointcloud import PointCloud

ROOF = (6, 64)


@pytest.fixture(scope="module")
def land():
    return terrain(ramp)


def footprints(*polygons):
    return tuple(Footprint(f"f{k}", FRAME, p) for k, p in enumerate(polygons))


def cloud(n=20_000, seed=3):
    """Points of all classes and heights around the middle."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(-25, 25, (n, 2)) + CENTRE
    z = ramp(xy[:, 0], xy[:, 1]) + rng.uniform(-1, 8, n)
    classes = rng.choice([2, 5, 6, 64], n).astype(np.uint8)
    count = rng.integers(1, 4, n).astype(np.uint8)
    return PointCloud(FRAME, np.c_[xy, z], classes, rng.integers(1, count + 1).astype(np.uint8), count)


def test_the_index_agrees_with_shapely():
    shapes = [block(9, 5), court(), block(4, 4, (10, 10), 45.0), shapely.MultiPolygon([block(2, 2, (-9, 9))])]
    xy = cloud().xyz[:, :2]
    points, polygons = PolygonIndex(shapes).hits(xy)
    for number, shape in enumerate(shapes):
        inside = np.zeros(len(xy), bool)
        inside[points[polygons == number]] = True
        assert (inside == shapely.contains_xy(shape, xy[:, 0], xy[:, 1])).all()
    assert not PolygonIndex([]).contains(xy).any()


def test_only_roof_classes_higher_than_two_metres_inside_count(land):
    polygon = court()
    points = cloud()
    collector = RoofPointCollector(footprints(polygon), land.dtm, ROOF)
    collector.add(points)
    xyz = points.xyz
    wanted = np.isin(points.classification, ROOF)
    wanted &= shapely.contains_xy(polygon, xyz[:, 0], xyz[:, 1])
    wanted &= xyz[:, 2] - ramp(xyz[:, 0], xyz[:, 1]) > 2.0
    millimetres = np.rint(xyz[wanted] * 1000)
    assert np.array_equal(collector.heights(0), (np.sort(millimetres[:, 2]) / 1000).astype(np.float32))
    order = np.lexsort(millimetres.T[::-1])
    assert np.array_equal(collector.points(0), millimetres[order] / 1000)
    returns = np.column_stack([points.return_number, points.number_of_returns])[wanted]
    assert np.array_equal(collector.returns(0), returns[order])
    assert collector.counts().tolist() == [wanted.sum()]


def test_order_chunks_and_processes_do_not_matter(land):
    shapes = footprints(block(9, 5), court(), block(6, 6, (4, 4)))
    points = cloud()
    whole = RoofPointCollector(shapes, land.dtm, ROOF)
    whole.add(points)
    order = np.random.default_rng(8).permutation(len(points))
    total = RoofPointCollector(shapes, land.dtm, ROOF)
    for part in np.array_split(order, 7):
        other = RoofPointCollector(shapes, land.dtm, ROOF)
        other.add(points.part(part))
        total.merge(pickle.loads(pickle.dumps(other)))
    for k in range(3):
        for name in ("points", "returns", "heights"):
            assert getattr(whole, name)(k).tobytes() == getattr(total, name)(k).tobytes()


def test_a_point_counts_for_each_footprint_that_holds_it(land):
    same = footprints(block(9, 5), block(9, 5), block(3, 3, (20, 20)))
    collector = RoofPointCollector(same, land.dtm, ROOF)
    collector.add(cloud())
    assert np.array_equal(collector.heights(0), collector.heights(1))
    assert collector.counts()[0] > 0


def test_no_points_and_points_off_the_terrain(land):
    collector = RoofPointCollector(footprints(block(5, 5, (500, 0))), land.dtm, ROOF)
    assert len(collector.heights(0)) == 0
    at = np.array([[CENTRE[0] + 500, CENTRE[1], 90.0]])
    collector.add(PointCloud(FRAME, at, np.array([6], np.uint8)))
    assert collector.counts().tolist() == [0]
    nothing = RoofPointCollector((), land.dtm, ROOF)
    nothing.add(cloud())
    assert nothing.counts().tolist() == []


def test_misuse_is_refused(land):
    collector = RoofPointCollector(footprints(block(5, 5)), land.dtm, ROOF)
    elsewhere = Frame(FRAME.crs, FRAME.vertical, (FRAME.origin[0] + 100, FRAME.origin[1]))
    with pytest.raises(FrameMismatchError):
        collector.add(PointCloud(elsewhere, np.zeros((1, 3)), np.array([6], np.uint8)))
    with pytest.raises(InputError, match="merged"):
        pickle.loads(pickle.dumps(collector)).add(cloud(10))
    with pytest.raises(InputError, match="1 and of 2"):
        collector.merge(RoofPointCollector(footprints(block(5, 5), block(2, 2)), land.dtm, ROOF))
