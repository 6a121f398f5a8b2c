"""Isolated points."""

from __future__ import annotations

import numpy as np
import pytest
from pyproj import CRS

from twin.classify.noise import VoxelCounter
from twin.errors import InputError
from twin.frame import Frame
from twin.model.pointcloud import PointCloud

FRAME = Frame(CRS.from_epsg(3812), "EPSG:5710", (732446, 643915))


def plain(n=20_000, seed=1):
    rng = np.random.default_rng(seed)
    return np.c_[rng.uniform(-60, 40, (n, 2)), rng.normal(61, 0.1, n)]


def counted(xyz):
    counter = VoxelCounter()
    counter.add(xyz)
    return counter


def test_birds_and_echoes_below_go_and_nothing_else():
    strays = np.array([[0.0, 0, 120], [0.5, 0, 120], [-30, 20, 20], [300, 300, 61]])
    filter_ = counted(np.r_[plain(), strays]).finish()
    assert filter_.points == 4 and filter_.isolated(strays).all()
    assert not filter_.isolated(plain()).any()
    cloud = PointCloud(FRAME, np.r_[plain(), strays], np.zeros(20_004, np.uint8))
    assert len(filter_.kept(cloud)) == 20_000


def test_a_mast_of_many_points_stays():
    mast = np.c_[np.zeros((60, 2)), np.linspace(62, 100, 60)]
    assert not counted(np.r_[plain(), mast]).finish().isolated(mast).any()


def test_parts_and_order_change_nothing():
    xyz = np.r_[plain(), plain(30, 5) + np.array([0, 0, 90])]
    whole = counted(xyz).finish()
    total = VoxelCounter()
    for part in np.array_split(np.random.default_rng(2).permutation(len(xyz)), 6):
        total.merge(counted(xyz[part]))
    assert total.finish().voxels.tobytes() == whole.voxels.tobytes()


@pytest.mark.parametrize("count", [0, 1, 3, 40])
def test_a_sparse_cloud_is_left_alone(count):
    xyz = np.random.default_rng(3).uniform(-900, 900, (count, 3))
    filter_ = counted(xyz).finish()
    assert not filter_.isolated(xyz).any()
    assert ("sparse" in filter_.note) == (count > 0)


def test_a_point_off_the_earth_is_refused():
    with pytest.raises(InputError, match="origin"):
        counted(np.array([[1e7, 0, 0]]))
