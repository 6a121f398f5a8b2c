"""Ground, roofs and outlines where Delft's classes are taken away; a cloud whose classes are wrong."""

from __future__ import annotations

from pathlib import Path

import laspy
import numpy as np
import pyogrio
import pytest
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from tests.delft_world import load
from tests.tolerances import (
    DELFT_OUTLINE_AREA,
    DELFT_OUTLINE_PRECISION,
    DELFT_ROOF_PRECISION,
    DELFT_ROOF_RECALL,
    SMRF_TOTAL_ERROR,
)
from twin.buildings.collect import RoofPointCollector
from twin.buildings.inside import PolygonIndex
from twin.buildings.outlines import HighPointCollector, derive_outlines
from twin.buildings.quality import roof_distances, roof_triangles
from twin.buildings.reconstruct import reconstruct
from twin.classify.ground import find_ground
from twin.classify.roofs import roof_mask
from twin.classify.survey import Survey, doubts
from twin.frame import Frame
from twin.model.objects import Footprint
from twin.model.pointcloud import PointCloud
from twin.model.raster import Grid
from twin.region import Region
from twin.terrain.accumulate import SurfaceAccumulator
from twin.terrain.sampler import TinSampler, sample_bilinear
from twin.terrain.voids import fill_voids

UNCLASSIFIED, GROUND, ROOF, WATER, BRIDGE, ABOVE = 1, 2, 6, 9, 26, 64


@pytest.fixture(scope="module")
def cloud(test_data) -> PointCloud:
    files = [laspy.read(p) for p in sorted((test_data / "lidar/3dfier_delft/ahn3").glob("*.laz"))]
    world = np.concatenate([np.asarray(f.xyz) for f in files])
    fields = (
        np.concatenate([np.asarray(f[name], dtype=np.uint8) for f in files])
        for name in ("classification", "return_number", "number_of_returns")
    )
    west, south = (int(v // 100 * 100) for v in world[:, :2].min(axis=0))
    frame = Frame(CRS.from_epsg(28992), "EPSG:5709", (west, south))
    return PointCloud(frame, frame.to_local(world), *fields)


@pytest.fixture(scope="module")
def outlines(test_data, cloud) -> list[shapely.Polygon]:
    path = test_data / "lidar/3dfier_delft/bgt/bgt_pand.sqlite"
    _, _, wkb, _ = pyogrio.raw.read(path, layer="buildingpart")
    shapes = [shapely.get_parts(shapely.force_2d(s))[0] for s in shapely.from_wkb(wkb)]
    return [shapely.transform(s, cloud.frame.to_local) for s in shapes]


def surveyed(cloud: PointCloud, cell: float = 1.0) -> Survey:
    low, high = cloud.xyz[:, :2].min(axis=0), cloud.xyz[:, :2].max(axis=0)
    survey = Survey(Grid.over(cloud.frame, Region(*low, *high), cell))
    survey.add(cloud)
    return survey


@pytest.fixture(scope="module")
def stripped(cloud) -> PointCloud:
    """Buildings and the rest share one class, as in the Walloon clouds."""
    codes = np.where(np.isin(cloud.classification, (UNCLASSIFIED, ROOF)), ABOVE, cloud.classification)
    return cloud.classed(codes.astype(np.uint8))


@pytest.fixture(scope="module")
def dtm(cloud):
    low, high = cloud.xyz[:, :2].min(axis=0), cloud.xyz[:, :2].max(axis=0)
    cells = SurfaceAccumulator(Grid.over(cloud.frame, Region(*low, *high), 0.5))
    cells.add(cloud)
    return fill_voids(cells.ground())[0]


def test_the_filter_agrees_with_the_vendor_about_the_ground(cloud):
    survey = surveyed(cloud)
    model = find_ground(survey.lowest())
    asked = ~np.isin(cloud.classification, (WATER, BRIDGE))
    truth, got = (cloud.classification == GROUND)[asked], model.is_ground(cloud.xyz)[asked]
    lost, gained = (truth & ~got).sum() / truth.sum(), (got & ~truth).sum() / (~truth).sum()
    total = (truth != got).mean()
    print(f"SMRF Delft against class 2: type I {lost:.4f}, type II {gained:.4f}, total {total:.4f}")
    assert total <= SMRF_TOTAL_ERROR and lost <= 0.01
    assert doubts(survey, model) == ""


@pytest.fixture(scope="module")
def roofs(cloud, stripped, outlines, dtm) -> list[NDArray[np.float64]]:
    """The points taken for the roof of each outline, without their class."""
    footprints = [Footprint(str(k), cloud.frame, shape) for k, shape in enumerate(outlines)]
    collector = RoofPointCollector(footprints, dtm, (ABOVE,), min_height_m=1.5)
    collector.add(stripped)
    found = []
    for k in range(len(outlines)):
        xyz, returns = collector.points(k), collector.returns(k)
        above = xyz[:, 2] - sample_bilinear(dtm, xyz[:, :2])
        found.append(xyz[roof_mask(xyz, above, returns[:, 0], returns[:, 1])])
    return found


def test_roof_points_are_found_without_their_class(cloud, roofs, outlines):
    found = {tuple(row) for xyz in roofs for row in np.rint(xyz * 1000).astype(np.int64).tolist()}
    points, _ = PolygonIndex(outlines).hits(cloud.xyz[:, :2])
    points = np.unique(points)
    places = [tuple(row) for row in np.rint(cloud.xyz[points] * 1000).astype(np.int64).tolist()]
    got = np.array([place in found for place in places])
    roof = cloud.classification[points] == ROOF
    recall, precision = (got & roof).sum() / roof.sum(), (got & roof).sum() / got.sum()
    other = cloud.classification[points] == UNCLASSIFIED
    print(
        f"roof points of Delft without class 6: recall {recall:.4f}, precision {precision:.4f}; "
        f"{(got & other).sum()} of {other.sum()} other points taken"
    )
    assert recall >= DELFT_ROOF_RECALL and precision >= DELFT_ROOF_PRECISION


def test_the_model_without_classes_is_as_close_to_the_roofs(test_data, roofs):
    """Against the points of class 6 away from the edges, as the ruler of roofs has it, building by building."""
    delft = load(test_data / "lidar" / "3dfier_delft")
    sampler = TinSampler(delft.terrain.tin)
    rmse: list[list[float]] = []
    levels = []
    for footprint, truth, found in zip(delft.footprints, delft.points, roofs, strict=True):
        inner = shapely.distance(shapely.points(truth[:, :2]), footprint.polygon.boundary) > 0.5
        if inner.sum() <= 3:
            continue
        row = []
        for points in (truth, found):
            solid = reconstruct(footprint, points, sampler).geometries[-1]
            near, _ = roof_distances(roof_triangles(solid), truth[inner])
            row.append(float(np.sqrt(np.mean(near**2))))
        rmse.append(row)
        levels.append(solid.lod)
    with_class, without = np.array(rmse).T
    ratios = [np.median(without) / np.median(with_class)]
    ratios.append(np.percentile(without, 90) / np.percentile(with_class, 90))
    print(
        f"RMSE with class 6: median {np.median(with_class):.3f}, p90 {np.percentile(with_class, 90):.3f} m; without: "
        f"{np.median(without):.3f}, {np.percentile(without, 90):.3f} m; LoD 2.2: {levels.count('2.2')} of {len(levels)}"
    )
    assert max(ratios) <= 1.10 and levels.count("2.2") >= 0.98 * len(levels)


def test_outlines_are_found_without_a_map(cloud, stripped, outlines, dtm):
    collector = HighPointCollector(dtm, (ABOVE,), min_height_m=2.0)
    collector.add(stripped)
    found = shapely.union_all([f.polygon for f in derive_outlines(collector, dtm.grid)])
    mapped = shapely.union_all(outlines)
    covered = found.intersection(mapped).area / mapped.area
    xyz = cloud.xyz[cloud.classification == ROOF]
    cells = np.zeros(dtm.grid.shape, bool)
    rows, cols = dtm.grid.rows_cols(xyz[:, 0], xyz[:, 1])
    inside = (rows >= 0) & (rows < dtm.grid.rows) & (cols >= 0) & (cols < dtm.grid.cols)
    for dr in (-1, 0, 1):
        for dc in (-1, 0, 1):
            r, c = (
                np.clip(rows[inside] + dr, 0, dtm.grid.rows - 1),
                np.clip(cols[inside] + dc, 0, dtm.grid.cols - 1),
            )
            cells[r, c] = True
    ours = shapely.contains_xy(found, *dtm.grid.centres().T).reshape(dtm.grid.shape)
    precision = (ours & cells).sum() / ours.sum()
    print(
        f"outlines of Delft from points: recall {covered:.3f} of bgt_pand, precision {precision:.3f} by class 6"
    )
    assert covered >= DELFT_OUTLINE_AREA and precision >= DELFT_OUTLINE_PRECISION


@pytest.mark.parametrize(("name", "wrong"), [("autzen_class.las", True), ("autzen_trim_7.las", False)])
def test_wrong_classes_are_noticed(test_data: Path, name: str, wrong: bool):
    file = laspy.read(test_data / "lidar/pdal_test" / name)
    frame = Frame(CRS.from_epsg(28992), "EPSG:5709", (85000, 447000))
    xyz = np.asarray(file.xyz) * 0.3048
    xyz[:, :2] -= xyz[:, :2].min(axis=0)
    cloud = PointCloud(frame, xyz, np.asarray(file.classification, dtype=np.uint8))
    survey = surveyed(cloud)
    assert bool(doubts(survey, find_ground(survey.lowest()))) == wrong
