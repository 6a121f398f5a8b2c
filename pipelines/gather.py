"""Ground, surface, canopy and roof heights of a site, gathered from its inputs, file by file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.inputs import Inputs, stated_ref
from pipelines.site import Site
from pipelines.workers import map_tasks
from twin.buildings.collect import RoofPointCollector
from twin.classify.tables import ClassTable, PointClass, parse_class
from twin.errors import InputError
from twin.frame import Frame
from twin.io.cityjson import CityModel
from twin.io.crs import SpatialRef
from twin.io.las import LasInfo, iter_clouds
from twin.model.geometry import Geometry
from twin.model.mesh import TriangleMesh
from twin.model.objects import Building, Footprint
from twin.model.pointcloud import PointCloud
from twin.model.raster import Grid, Raster
from twin.model.surface import Surface
from twin.model.terrain import Terrain
from twin.region import Region
from twin.terrain.accumulate import SurfaceAccumulator

CHUNK = 1_000_000
"""Points read at a time; a file never sits in memory whole."""

Tick = Callable[[float, float], None]


@dataclass(slots=True)
class Ground:
    """What the inputs say about the ground.

    Parameters
    ----------
    source
        One phrase for people.
    ground
        Height of the bare ground [m], NaN where unknown.
    dsm, canopy
        Surface and vegetation heights [m], where known.
    tin
        Ready triangles, which then are the terrain.
    points
        Number of points read.
    seen
        What fell into each cell (``twin.terrain.water.SEEN_*``), where points did.
    bridges
        (n, 3) points of the bridge class, local space [m].
    """

    source: str
    ground: Raster
    dsm: Raster | None = None
    canopy: Raster | None = None
    tin: TriangleMesh | None = None
    points: int = 0
    notes: list[str] = field(default_factory=list)
    seen: Raster | None = None
    bridges: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 3)))


@dataclass(frozen=True, slots=True)
class CloudReader:
    """How to read the clouds of a site; travels to other processes."""

    frame: Frame
    table: ClassTable
    ref: SpatialRef | None
    extra: dict[int, PointClass]
    accepted_accuracy_m: float | None
    grids: str | None

    def chunks(self, info: LasInfo) -> Iterable[PointCloud]:
        """The points of one file, chunk by chunk, local space."""
        if self.grids:
            from pathlib import Path

            from twin.io.crs import use_grid_folder

            use_grid_folder(Path(self.grids))
        return iter_clouds(
            info,
            self.table,
            self.frame,
            ref=self.ref,
            extra=self.extra,
            accepted_accuracy_m=self.accepted_accuracy_m,
            chunk=CHUNK,
        )


def cloud_reader(site: Site, inputs: Inputs) -> CloudReader:
    """The reader of a site's clouds."""
    settings, place = site.settings.inputs, site.settings.site
    if inputs.table is None:
        raise InputError("no class table: the site has no points")
    ref = stated_ref(settings.points_crs, inputs.frame.vertical)
    extra: dict[int, PointClass] = {}
    where = f"{site.folder / 'twin.toml'}: key 'inputs.extra_classes'"
    for code, name in settings.extra_classes.items():
        if not code.isdigit() or not 0 <= int(code) <= 255:
            raise InputError(f"{where}: a class code is 0 to 255, got {code!r}")
        extra[int(code)] = parse_class(name, where)
    grids = str(site.path(place.grids)) if place.grids else None
    return CloudReader(inputs.frame, inputs.table, ref, extra, place.accepted_accuracy_m, grids)


def from_points(site: Site, inputs: Inputs, grid: Grid, workers: int, tick: Tick) -> Ground:
    """Accumulate every file; cells add up to the same values in any order.

    Raises
    ------
    InputError
        No ground class among the points of the site.
    """
    reader = cloud_reader(site, inputs)
    total = SurfaceAccumulator(grid)
    task = partial(_accumulate, reader, grid)
    for part in map_tasks(task, inputs.clouds, workers, tick):
        if part is not None:
            total.merge(part)
    names = ", ".join(sorted({info.path.name for info in inputs.clouds})[:5])
    if not total.points_inside:
        raise InputError(f"none of the points in {names} lies in the site's area")
    if not total.ground_count:
        raise InputError(
            f"{names}: no ground points: class table {reader.table.name!r} finds no ground among them. "
            "A ground filter is not part of this version: have the cloud classified, choose another table "
            "(--classes), or give a terrain raster (--dtm)"
        )
    canopy = total.canopy()
    known = bool(np.isfinite(canopy.values).any())
    return Ground(
        f"{total.points_inside} points, ground class of {reader.table.name}",
        total.ground(),
        total.surface(),
        canopy if known else None,
        points=total.points_inside,
        notes=[f"{total.points_outside} points outside the area were left out"]
        if total.points_outside
        else [],
        seen=total.seen(),
        bridges=total.bridge_points(),
    )


def _accumulate(reader: CloudReader, grid: Grid, info: LasInfo) -> SurfaceAccumulator | None:
    """One file into the part of the grid that it can reach."""
    part: SurfaceAccumulator | None = None
    for cloud in reader.chunks(info):
        if part is None:
            window = _window(grid, reader.frame, info, cloud)
            if window is None:
                return None
            part = SurfaceAccumulator(window)
        part.add(cloud)
    return part


def _window(grid: Grid, frame: Frame, info: LasInfo, cloud: PointCloud) -> Grid | None:
    """The part of the grid under a file: by its header where that is in the site's CRS, else all of it."""
    local = info.region_world.shifted(-frame.origin[0], -frame.origin[1])
    inside = (
        local.west - 1 <= cloud.xyz[:, 0].min()
        and cloud.xyz[:, 0].max() <= local.east + 1
        and local.south - 1 <= cloud.xyz[:, 1].min()
        and cloud.xyz[:, 1].max() <= local.north + 1
    )
    if not inside:
        return grid
    return grid.window(local.buffered(grid.cell_size))


def from_city(city: CityModel, grid: Grid) -> Ground:
    """Ground of a city model alone: its TINRelief, else the feet of its objects.

    Raises
    ------
    InputError
        The model has neither.
    """
    if city.terrain_mesh is not None and len(city.terrain_mesh.faces):
        return Ground("TINRelief of the city model", _empty(grid), tin=city.terrain_mesh)
    feet = [_foot(b) for b in city.buildings]
    feet += [g.vertices for thing in city.others if thing.type in ON_GROUND for g in thing.geometries]
    points = [p for p in feet if p is not None and len(p)]
    if not points:
        raise InputError(
            "the city model has no terrain and no object that shows where the ground is; give --dtm"
        )
    xyz = np.concatenate(points)
    cloud = PointCloud(city.frame, xyz, np.full(len(xyz), PointClass.GROUND, np.uint8))
    cells = SurfaceAccumulator(grid)
    cells.add(cloud)
    note = (
        "the city model has no terrain: the ground is drawn between the feet of its objects "
        "and is only a guess elsewhere; give --dtm or --points for the real one"
    )
    return Ground("feet of the city model's objects", cells.ground(), notes=[note])


ON_GROUND = frozenset({"Road", "Railway", "TransportSquare", "Waterway", "LandUse", "WaterBody"})
"""Types whose surfaces lie on the ground."""


def _foot(building: Building) -> NDArray[np.float64] | None:
    """Feet of a building and its parts: vertices of its ground faces, else its lowest 0.5 m.

    An outline (LoD 0) counts only where there is no more: national models draw it at height 0, or at the eaves.
    """
    everything = _geometries(building)
    rows = []
    for geometry in [g for g in everything if g.lod >= "1"] or everything:
        marked = {
            index
            for rings, code in zip(geometry.surfaces, geometry.semantics, strict=True)
            if code == Surface.GROUND
            for ring in rings
            for index in ring
        }
        points = geometry.vertices[sorted(marked)] if marked else geometry.vertices
        if len(points):
            rows.append(points[points[:, 2] <= points[:, 2].min() + 0.5])
    return np.concatenate(rows) if rows else None


def _geometries(building: Building) -> list[Geometry]:
    return [*building.geometries, *(g for part in building.parts for g in _geometries(part))]


def _empty(grid: Grid) -> Raster:
    return Raster(grid, np.full(grid.shape, np.nan, np.float32))


def roof_points(
    site: Site,
    inputs: Inputs,
    ground: Ground,
    terrain: Terrain,
    footprints: Sequence[Footprint],
    workers: int,
    tick: Tick,
) -> list[NDArray[np.float64]]:
    """Roof points (n, 3) of each footprint, local space, sorted [m]."""
    roofs = inputs.table.roof_classes if inputs.table else frozenset({PointClass.ABOVE_GROUND})
    make = partial(
        RoofPointCollector,
        tuple(footprints),
        terrain.dtm,
        roofs,
        min_height_m=site.settings.buildings.min_height_m,
    )
    total = make()
    if inputs.clouds:
        task = partial(_collect, cloud_reader(site, inputs), make)
        for part in map_tasks(task, inputs.clouds, workers, tick):
            total.merge(part)
    elif ground.dsm is not None:
        total.add(raster_cloud(ground.dsm))
    else:
        raise InputError(
            "footprints, but nothing that shows how high the roofs are: give points or a DSM (--dsm), "
            "or a city model with the buildings"
        )
    return [total.points(i) for i in range(len(footprints))]


def _collect(
    reader: CloudReader, make: Callable[[], RoofPointCollector], info: LasInfo
) -> RoofPointCollector:
    part = make()
    for cloud in reader.chunks(info):
        part.add(cloud)
    return part


def raster_cloud(dsm: Raster) -> PointCloud:
    """The cells of a DSM as points above ground."""
    known = np.isfinite(dsm.values)
    xy = dsm.grid.centres()[known.ravel()]
    xyz = np.column_stack([xy, dsm.values[known].astype(np.float64)])
    return PointCloud(dsm.grid.frame, xyz, np.full(len(xyz), PointClass.ABOVE_GROUND, np.uint8))


def region_of(cloud: PointCloud) -> Region:
    """Plan rectangle of a cloud."""
    low, high = cloud.xyz[:, :2].min(axis=0), cloud.xyz[:, :2].max(axis=0)
    return Region(float(low[0]), float(low[1]), float(high[0]), float(high[1]))


__all__: list[Any] = ["Ground", "from_city", "from_points", "raster_cloud", "roof_points"]
