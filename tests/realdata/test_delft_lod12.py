"""160 buildings of Delft (AHN3 points, BGT footprints) against the block model that 3dfier made of them."""

from __future__ import annotations

import json
from pathlib import Path

import laspy
import numpy as np
import pyogrio
import pytest
import shapely
from pyproj import CRS

from tests.building_worlds import feet
from tests.tolerances import DELFT_ROOF_M, DELFT_ROOF_SHARE, FOOT_M
from twin.buildings.collect import RoofPointCollector
from twin.buildings.lod12 import reconstruct_lod12
from twin.frame import Frame
from twin.model.objects import Footprint
from twin.model.pointcloud import PointCloud
from twin.model.raster import Grid, Raster
from twin.region import Region
from twin.terrain.make import terrain_from_rasters
from twin.terrain.sampler import TinSampler
from twin.validation.validate import validate_geometry
from twin.validation.volumes import solid_volume

GROUND, ROOF, WATER = 2, 6, 9
FOOTPRINTS = 160


@pytest.fixture(scope="module")
def folder(test_data) -> Path:
    return test_data / "lidar" / "3dfier_delft"


@pytest.fixture(scope="module")
def cloud(folder) -> PointCloud:
    files = [laspy.read(path) for path in sorted((folder / "ahn3").glob("*.laz"))]
    world = np.concatenate([np.asarray(f.xyz) for f in files])
    classes = np.concatenate([np.asarray(f.classification) for f in files])
    west, south = (int(v // 100 * 100) for v in world[:, :2].min(axis=0))
    frame = Frame(CRS.from_epsg(28992), "EPSG:5709", (west, south))
    return PointCloud(frame, frame.to_local(world), classes)


@pytest.fixture(scope="module")
def terrain(cloud):
    low, high = cloud.xyz[:, :2].min(axis=0), cloud.xyz[:, :2].max(axis=0)
    grid = Grid.over(cloud.frame, Region(*low, *high), 0.5)
    ground = cloud.xyz[np.isin(cloud.classification, (GROUND, WATER))]
    rows, cols = grid.rows_cols(ground[:, 0], ground[:, 1])
    place, size = rows * grid.cols + cols, grid.rows * grid.cols
    count = np.bincount(place, minlength=size)
    total = np.bincount(place, ground[:, 2], size)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan).reshape(grid.shape)
    return terrain_from_rasters(Raster(grid, mean.astype(np.float32)))


@pytest.fixture(scope="module")
def buildings(folder, cloud, terrain):
    frame = cloud.frame
    meta, _, wkb, fields = pyogrio.raw.read(folder / "bgt" / "bgt_pand.sqlite", layer="buildingpart")
    ids = fields[list(meta["fields"]).index("gml_id")]
    shapes = [shapely.get_parts(shapely.force_2d(shape)) for shape in shapely.from_wkb(wkb)]
    assert len(shapes) == FOOTPRINTS and all(len(parts) == 1 for parts in shapes)
    local = [shapely.transform(parts[0], frame.to_local) for parts in shapes]
    footprints = [Footprint(str(name), frame, shape) for name, shape in zip(ids, local, strict=True)]
    collector = RoofPointCollector(footprints, terrain.dtm, (ROOF,))
    for part in np.array_split(np.arange(len(cloud)), 5):
        collector.add(PointCloud(frame, cloud.xyz[part], cloud.classification[part]))
    sampler = TinSampler(terrain.tin)
    return [reconstruct_lod12(f, collector.heights(i), sampler) for i, f in enumerate(footprints)]


def test_every_footprint_ends_as_a_valid_solid_or_with_a_reason(buildings):
    assert len(buildings) == FOOTPRINTS
    for building in buildings:
        assert (building.failure is None) == (len(building.geometries) == 1)
        for geometry in building.geometries:
            assert validate_geometry(geometry) == () and solid_volume(geometry) > 0
    assert sum(b.failure is None for b in buildings) >= 0.97 * FOOTPRINTS


def test_roofs_agree_with_the_block_model(buildings, folder):
    model = json.loads((folder / "output" / "testarea.json").read_text(encoding="utf-8"))
    heights = np.array(model["vertices"], dtype=np.float64)[:, 2]
    if "transform" in model:
        heights = heights * model["transform"]["scale"][2] + model["transform"]["translate"][2]

    def top(name: str) -> float:
        flat = [v for g in model["CityObjects"][name]["geometry"] for v in _leaves(g["boundaries"])]
        return float(heights[flat].max())

    near = [
        abs(b.attributes["h_roof_p90"] - top(b.id)) <= DELFT_ROOF_M
        for b in buildings
        if b.failure is None and b.id in model["CityObjects"]
    ]
    assert sum(near) >= DELFT_ROOF_SHARE * FOOTPRINTS


def test_walls_stand_on_the_terrain(buildings, terrain):
    sampler = TinSampler(terrain.tin)
    for building in buildings:
        for geometry in building.geometries:
            low = feet(geometry)
            buried = geometry.vertices[:, 2].max() - 0.1
            ground = np.minimum(sampler.heights(low[:, :2]), buried)
            assert np.abs(low[:, 2] - ground).max() < FOOT_M, building.id


def _leaves(tree) -> list[int]:
    return [tree] if isinstance(tree, int) else [leaf for part in tree for leaf in _leaves(part)]
