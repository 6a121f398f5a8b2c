"""Outlines from points alone."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import shapely
from pyproj import CRS

from twin.buildings.outlines import HighPointCollector, derive_outlines, regularised
from twin.errors import InputError
from twin.frame import Frame
from twin.model.pointcloud import PointCloud
from twin.model.raster import Grid, Raster
from twin.region import Region

FRAME = Frame(CRS.from_epsg(3812), "EPSG:5710", (732446, 643915))
AREA = Region(-120.0, -90.0, 140.0, 110.0)
DTM = Raster(Grid.over(FRAME, AREA, 1.0), np.full(Grid.over(FRAME, AREA, 1.0).shape, 61.0, np.float32))


def house(east, north, width, depth, degree):
    box = shapely.box(-width / 2, -depth / 2, width / 2, depth / 2)
    return shapely.affinity.translate(shapely.affinity.rotate(box, degree), east, north)


L_SHAPE = shapely.union_all([shapely.box(0, 0, 24, 9), shapely.box(0, 0, 8, 22)])
TRUE = [
    house(-60, 20, 14, 9, 17),
    house(40, -40, 30, 20, -35),
    house(-2, -5, 11, 11, 62),  # across the corner of four squares
    shapely.affinity.translate(shapely.affinity.rotate(L_SHAPE, 28, origin=(0, 0)), 60, 40),
]


def cloud(density, seed=1):
    rng = np.random.default_rng(seed)
    n = int(AREA.width * AREA.height * density)
    xy = rng.uniform((AREA.west, AREA.south), (AREA.east, AREA.north), (n, 2))
    z = np.full(n, 61.0)
    for shape in TRUE:
        z[shapely.contains_xy(shape, xy[:, 0], xy[:, 1])] = 68.0
    xyz = np.c_[xy, z + rng.normal(0, 0.03, n)]
    crowns = np.c_[rng.normal((-20, 60), 2.5, (300, 2)), rng.uniform(64, 74, 300)]
    many = np.r_[np.ones(n), np.full(300, 3)].astype(np.uint8)
    every = np.r_[xyz, crowns]
    return PointCloud(FRAME, every, np.full(len(every), 64, np.uint8), np.ones(len(every), np.uint8), many)


def collected(*clouds):
    collector = HighPointCollector(DTM, (64,), min_height_m=2.0)
    for each in clouds:
        collector.add(each)
    return collector


@pytest.mark.parametrize("density", [2.0, 6.8, 20.0])
def test_each_house_is_found_where_it_stands(density):
    found = [f.polygon for f in derive_outlines(collected(cloud(density)), DTM.grid)]
    assert len(found) == len(TRUE)
    for shape in TRUE:
        best = max(found, key=lambda f: f.intersection(shape).area)
        assert best.is_valid
        assert best.intersection(shape).area / best.union(shape).area > (0.8 if density == 2.0 else 0.85)
        assert len(best.exterior.coords) <= (9 if shape is not TRUE[3] else 13)


def test_order_and_parts_change_nothing_and_ids_come_from_the_place():
    points = cloud(6.8)
    whole = derive_outlines(collected(points), DTM.grid)
    total = collected()
    for part in np.array_split(np.random.default_rng(3).permutation(len(points)), 4):
        total.merge(pickle.loads(pickle.dumps(collected(points.part(part)))))
    again = derive_outlines(total, DTM.grid)
    assert [f.id for f in again] == [f.id for f in whole]
    assert all(a.polygon.equals_exact(b.polygon, 0.0) for a, b in zip(whole, again, strict=True))
    assert f"outline-{732446 - 60}-{643915 + 20}" in {f.id for f in whole}
    with pytest.raises(InputError, match="merged"):
        pickle.loads(pickle.dumps(total)).add(points)


@pytest.mark.parametrize("count", [0, 1, 3, 30])
def test_too_few_points_give_no_outline(count):
    points = cloud(6.8)
    few = points.part(np.flatnonzero(points.xyz[:, 2] > 66)[:: max(1, 5000 // (count + 1))][:count])
    found = derive_outlines(collected(few), DTM.grid)
    assert all(f.polygon.is_valid for f in found)
    assert len(found) <= (1 if count == 30 else 0), "only the largest roof still shows with 30 points"


def test_a_court_stays_open_and_sides_are_at_right_angles():
    ring = shapely.affinity.rotate(shapely.box(0, 0, 40, 30) - shapely.box(10, 9, 28, 20), 33)
    cells = [
        shapely.box(x, y, x + 0.5, y + 0.5)
        for x in np.arange(-20, 60, 0.5)
        for y in np.arange(-20, 60, 0.5)
        if ring.contains(shapely.Point(x + 0.25, y + 0.25))
    ]
    got = regularised(shapely.union_all(cells), 0.5)
    assert len(got.interiors) == 1 and got.is_valid
    assert got.intersection(ring).area / got.union(ring).area > 0.93
    sides = np.diff(np.asarray(got.exterior.coords), axis=0)
    turn = np.degrees(np.arctan2(sides[:, 1], sides[:, 0])) % 90
    assert np.abs(turn - np.median(turn)).max() < 0.5
