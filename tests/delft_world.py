"""Delft: AHN3 points, BGT footprints, and the terrain under them, as the folder of real data has them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import laspy
import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from twin.buildings.collect import RoofPointCollector
from twin.frame import Frame
from twin.model.objects import Footprint
from twin.model.pointcloud import PointCloud
from twin.model.raster import Grid, Raster
from twin.model.terrain import Terrain
from twin.region import Region
from twin.terrain.make import terrain_from_rasters

GROUND, ROOF, WATER = 2, 6, 9
FOOTPRINTS = 160


@dataclass(frozen=True)
class Delft:
    """Footprints, their points of class 6, terrain."""

    footprints: list[Footprint]
    points: list[NDArray[np.float64]]
    terrain: Terrain


def load(folder: Path) -> Delft:
    files = [laspy.read(path) for path in sorted((folder / "ahn3").glob("*.laz"))]
    world = np.concatenate([np.asarray(f.xyz) for f in files])
    classes = np.concatenate([np.asarray(f.classification) for f in files])
    west, south = (int(v // 100 * 100) for v in world[:, :2].min(axis=0))
    frame = Frame(CRS.from_epsg(28992), "EPSG:5709", (west, south))
    cloud = PointCloud(frame, frame.to_local(world), classes)
    ground = terrain(cloud)
    outlines = footprints(folder, frame)
    # Every point of the class counts, as the ruler of roofs has it: facades and chimneys too.
    collector = RoofPointCollector(outlines, ground.dtm, (ROOF,), min_height_m=-1000.0)
    for part in np.array_split(np.arange(len(cloud)), 5):
        collector.add(PointCloud(frame, cloud.xyz[part], cloud.classification[part]))
    return Delft(outlines, [collector.points(i) for i in range(len(outlines))], ground)


def terrain(cloud: PointCloud) -> Terrain:
    low, high = cloud.xyz[:, :2].min(axis=0), cloud.xyz[:, :2].max(axis=0)
    grid = Grid.over(cloud.frame, Region(*low, *high), 0.5)
    ground = cloud.xyz[np.isin(cloud.classification, (GROUND, WATER))]
    rows, cols = grid.rows_cols(ground[:, 0], ground[:, 1])
    place, size = rows * grid.cols + cols, grid.rows * grid.cols
    count = np.bincount(place, minlength=size)
    total = np.bincount(place, ground[:, 2], size)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan).reshape(grid.shape)
    return terrain_from_rasters(Raster(grid, mean.astype(np.float32)))


def footprints(folder: Path, frame: Frame) -> list[Footprint]:
    meta, _, wkb, fields = pyogrio.raw.read(folder / "bgt" / "bgt_pand.sqlite", layer="buildingpart")
    ids = fields[list(meta["fields"]).index("gml_id")]
    shapes = [shapely.get_parts(shapely.force_2d(shape)) for shape in shapely.from_wkb(wkb)]
    assert len(shapes) == FOOTPRINTS and all(len(parts) == 1 for parts in shapes)
    local = [shapely.transform(parts[0], frame.to_local) for parts in shapes]
    return [Footprint(str(name), frame, shape) for name, shape in zip(ids, local, strict=True)]
