"""Ground, surface, canopy and roof heights of a site, gathered from its inputs, file by file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.campaigns import Earlier, find_covered
from pipelines.classify import Classified, CloudReader, classify, reach
from pipelines.inputs import Inputs, stated_ref
from pipelines.site import Site
from pipelines.workers import map_tasks
from twin.buildings.collect import RoofPointCollector
from twin.buildings.outlines import HighPointCollector, derive_outlines
from twin.classify.roofs import roof_mask
from twin.classify.tables import PointClass, parse_class
from twin.errors import InputError
from twin.io.cityjson import CityModel
from twin.io.las import LasInfo
from twin.model.canopy import Canopy
from twin.model.geometry import Geometry
from twin.model.mesh import TriangleMesh
from twin.model.objects import Building, Footprint
from twin.model.pointcloud import PointCloud
from twin.model.raster import Grid, Raster
from twin.model.surface import Surface
from twin.model.terrain import Terrain
from twin.region import Region
from twin.terrain.accumulate import SurfaceAccumulator
from twin.terrain.sampler import sample_bilinear

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
    dsm
        Surface heights [m], where known.
    canopy
        Vegetation by cell, where points show it.
    tin
        Ready triangles, which then are the terrain.
    points
        Number of points read.
    classified
        How the points were read, where there are any.
    seen
        What fell into each cell (``twin.terrain.water.SEEN_*``), where points did.
    bridges
        (n, 3) points of the bridge class, local space [m].
    """

    source: str
    ground: Raster
    dsm: Raster | None = None
    canopy: Canopy | None = None
    tin: TriangleMesh | None = None
    points: int = 0
    classified: Classified | None = None
    notes: list[str] = field(default_factory=list)
    seen: Raster | None = None
    bridges: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 3)))


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
    covered = None
    if inputs.older and inputs.older_table is not None:
        covered = find_covered(reader.chunks, inputs.newest, grid, workers, tick)
        reader = replace(reader, earlier=Earlier(inputs.older, inputs.older_table, covered))
    done = classify(site, inputs, reader, workers, tick)
    total = SurfaceAccumulator(grid, done.loose)
    task = partial(_accumulate, done, grid)
    for part in map_tasks(task, inputs.clouds, workers, tick):
        if part is not None:
            total.merge(part)
    names = ", ".join(sorted({info.path.name for info in inputs.clouds})[:5])
    if not total.points_inside:
        raise InputError(f"none of the points in {names} lies in the site's area")
    if not total.ground_count:
        raise InputError(
            f"{names}: no ground points: class table {done.reader.table.name!r} finds no ground among them. "
            'Let the ground be found ([classify] ground = "smrf"), choose another table (--classes), '
            "or give a terrain raster (--dtm)"
        )
    canopy = total.canopy()
    outside = total.points_outside
    left_out = [f"{outside} points outside the area were left out"] if outside else []
    return Ground(
        f"{total.points_inside} points, {done.ground}",
        total.ground(),
        total.surface(),
        None if canopy.is_empty else canopy,
        points=total.points_inside,
        classified=done,
        notes=[*left_out, *_campaigns(inputs, covered), *done.notes],
        seen=total.seen(),
        bridges=total.bridge_points(),
    )


def _campaigns(inputs: Inputs, covered: Raster | None) -> list[str]:
    if covered is None:
        return []
    share = 100.0 * float(covered.values.mean())
    return [
        f"two flights: the newer covers {share:.0f} % of the site, {len(inputs.older)} older files fill the rest"
    ]


def _accumulate(done: Classified, grid: Grid, info: LasInfo) -> SurfaceAccumulator | None:
    """One file into the part of the grid that it can reach."""
    part: SurfaceAccumulator | None = None
    for cloud in done.reader.chunks(info):
        if part is None:
            window = reach(grid, done.reader.frame, info, cloud)
            if window is None:
                return None
            part = SurfaceAccumulator(window, done.loose)
        part.add(cloud)
    return part


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


@dataclass(frozen=True, slots=True)
class RoofPoints:
    """Roof points by footprint, told by their shape where their class holds other things too."""

    collector: RoofPointCollector
    dtm: Raster
    shared: bool

    def points(self, i: int) -> NDArray[np.float64]:
        """Roof points (n, 3) of footprint ``i``, local space [m], sorted."""
        xyz = self.collector.points(i)
        if not self.shared:
            return xyz
        returns = self.collector.returns(i)
        above = xyz[:, 2] - sample_bilinear(self.dtm, xyz[:, :2])
        return xyz[roof_mask(xyz, above, returns[:, 0], returns[:, 1])]

    def heights(self, i: int) -> NDArray[np.float32]:
        """Their heights above the datum, rising [m]."""
        if not self.shared:
            return self.collector.heights(i)
        return np.sort(self.points(i)[:, 2]).astype(np.float32)


def roof_points(
    site: Site,
    inputs: Inputs,
    ground: Ground,
    terrain: Terrain,
    footprints: Sequence[Footprint],
    workers: int,
    tick: Tick,
) -> RoofPoints:
    """The roof points of each footprint, from the clouds or from a DSM."""
    done = ground.classified
    make = partial(
        RoofPointCollector,
        tuple(footprints),
        terrain.dtm,
        done.roof_classes if done else frozenset({PointClass.ABOVE_GROUND}),
        min_height_m=site.settings.buildings.min_height_m,
    )
    total = make()
    if done is not None:
        task = partial(_collect, done.reader, make)
        for part in map_tasks(task, inputs.clouds, workers, tick):
            total.merge(part)
    elif inputs.clouds:
        raise InputError("points that were not classified give no roofs")
    elif ground.dsm is not None:
        total.add(raster_cloud(ground.dsm))
    else:
        raise InputError(
            "footprints, but nothing that shows how high the roofs are: give points or a DSM (--dsm), "
            "or a city model with the buildings"
        )
    return RoofPoints(total, terrain.dtm, done is not None and done.shared)


def outlines(
    site: Site, inputs: Inputs, ground: Ground, terrain: Terrain, workers: int, tick: Tick
) -> list[Footprint]:
    """Outlines of buildings that the points show, inside the stated area."""
    done = ground.classified
    if done is None:
        raise InputError("outlines are derived from points, and there are none")
    make = partial(
        HighPointCollector,
        terrain.dtm,
        done.roof_classes,
        min_height_m=site.settings.buildings.min_height_m,
    )
    total = make()
    for part in map_tasks(partial(_collect_high, done.reader, make), inputs.clouds, workers, tick):
        total.merge(part)
    found = derive_outlines(total, terrain.dtm.grid)
    if inputs.area is None:
        return found
    return [f for f in found if inputs.area.contains(f.polygon.centroid)]


def _collect_high(
    reader: CloudReader, make: Callable[[], HighPointCollector], info: LasInfo
) -> HighPointCollector:
    part = make()
    for cloud in reader.chunks(info):
        part.add(cloud)
    return part


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
