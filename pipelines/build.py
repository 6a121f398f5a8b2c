"""The first half of the road: ground, terrain, buildings, trees, and the model on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from pipelines import gather, warm
from pipelines.console import Reporter
from pipelines.inputs import Inputs, read_inputs
from pipelines.provenance import HashCache, Step, forget, is_done, mark_done, step, versions
from pipelines.site import EXISTING, Site
from pipelines.waters import crossings, read_layer, water_of
from pipelines.workers import map_tasks
from twin.buildings.measures import shared_wall_areas
from twin.buildings.outline import building_footprint
from twin.buildings.reconstruct import reconstruct
from twin.buildings.rings import clean_polygon
from twin.errors import InputError
from twin.frame import Frame
from twin.io.atomic import plain, remove, sha256_file, sha256_json, write_json
from twin.io.cityjson import CityModel, read_city, read_citymodel
from twin.io.cityjson_write import write_city
from twin.io.geotiff import raster_info, read_raster, write_cog
from twin.io.vector import FootprintLayer, read_footprints
from twin.model.mesh import TriangleMesh
from twin.model.objects import Building, CityObject, Failure, Footprint, Tree
from twin.model.raster import Grid, Raster
from twin.model.scene import Scene
from twin.model.terrain import Terrain
from twin.region import Region
from twin.terrain.make import terrain_from_rasters, terrain_from_tin
from twin.terrain.sampler import TinSampler, aligned
from twin.terrain.water import Waters, marked, outlines_of_objects
from twin.vegetation.trees import detect_trees
from twin.vegetation.woods import find_woods

ROOF_EDGE_M = 1.0
"""Where vegetation is told by its returns alone, it keeps this far from outlines: roof edges part pulses, too [m]."""

CITY = "city.city.jsonl"
"""File name of the model."""


@dataclass(slots=True)
class Built:
    """The base model and what happened on the way."""

    scene: Scene
    failures: list[Failure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)


def build(site: Site, reporter: Reporter, workers: int = 1) -> Built:
    """Build the model of a site, or read it back where nothing has changed.

    Raises
    ------
    InputError
        Inputs that cannot give a model: no ground class, no footprints, contradicting CRSs, ...
    """
    inputs = read_inputs(site)
    made = build_step(site, inputs)
    if is_done(site.out, made):
        reporter.say("model: up to date")
        return load(site)
    forget(site.out, made.name)
    compiling = warm.start()
    city = read_base_model(site, inputs, reporter)
    ground = read_ground(site, inputs, city, reporter, workers)
    layer = read_outlines(site, inputs)
    waters = water_of(site, inputs, ground)
    edges = [*outlines_of(layer, city), *(read_layer(site, inputs, "breaklines", "lines") or ())]
    terrain = make_terrain(site, ground, (edges, waters), reporter)
    crossing, unmade = crossings(site, ground, terrain, waters)
    warm.wait(compiling)
    buildings, failures = make_buildings(site, inputs, ground, terrain, (layer, city), reporter, workers)
    trees = make_trees(site, ground, terrain, buildings, reporter)
    woods = find_woods(trees, terrain.tin)
    made_of = (buildings, trees, [*failures, *unmade], (crossing, woods))
    built = collect(site, inputs, ground, terrain, made_of, city)
    files = write_model(site, built, made)
    mark_done(site.out, made, files)
    report_counts(built, reporter)
    return load(site)


def build_step(site: Site, inputs: Inputs) -> Step:
    """What the model depends on."""
    cache = HashCache.load(site.out / ".steps" / "hashes.json")
    hashes = {str(path): cache.sha256(path) for path in inputs.files()}
    names = {f"{Path(path).name}:{digest[:12]}": digest for path, digest in hashes.items()}
    for name, table in (("class table", inputs.table), ("older class table", inputs.older_table)):
        if table is not None:
            names[name] = sha256_json([table.name, plain(dict(table.codes))])
    settings = site.settings.model_dump(mode="json")
    for irrelevant in ("name", "language", "attribution", "timezone", "synthetic"):
        settings["site"].pop(irrelevant)
    settings["area"] = inputs.area.wkt if inputs.area is not None else None
    return step("build", names, settings)


def read_base_model(site: Site, inputs: Inputs, reporter: Reporter) -> CityModel | None:
    """The CityJSON input, where there is one."""
    if inputs.citymodel is None:
        return None
    with reporter.step("City model"):
        place = site.settings.site
        return read_citymodel(
            inputs.citymodel,
            inputs.frame,
            crs_text=place.crs,
            heights=place.heights,
            accepted_accuracy_m=place.accepted_accuracy_m,
        )


def read_ground(
    site: Site, inputs: Inputs, city: CityModel | None, reporter: Reporter, workers: int
) -> gather.Ground:
    """Ground, surface and canopy as rasters, from points, from rasters, or from the city model."""
    grid = Grid.over(inputs.frame, inputs.region, site.settings.terrain.cell_size_m)
    if inputs.clouds:
        with reporter.step("Points") as tick:
            return gather.from_points(site, inputs, grid, workers, tick)
    if inputs.dtm is not None:
        with reporter.step("Rasters"):
            return rasters_ground(site, inputs)
    if city is None:
        raise InputError("no ground: neither points, nor a DTM, nor a city model")
    return gather.from_city(city, grid)


def rasters_ground(site: Site, inputs: Inputs) -> gather.Ground:
    """Ground from a DTM file and, where given, surface from a DSM file."""
    crs = site.settings.inputs.raster_crs
    assert_dtm = inputs.dtm
    if assert_dtm is None:
        raise InputError("no DTM")
    read = partial(
        read_raster,
        frame=inputs.frame,
        region=inputs.region,
        crs_text=crs,
        accepted_accuracy_m=site.settings.site.accepted_accuracy_m,
    )
    dtm = read(assert_dtm, what="dtm")
    dsm = aligned(read(inputs.dsm, what="dsm"), dtm.grid) if inputs.dsm is not None else None
    return gather.Ground(source="DTM raster", ground=dtm, dsm=dsm)


def outlines_of(layer: FootprintLayer | None, city: CityModel | None) -> list[shapely.Geometry]:
    """Outlines whose walls meet the terrain: of the footprints, else of the city model's buildings."""
    if layer is not None:
        clean = [clean_polygon(footprint.polygon) for footprint in layer.footprints]
        return [polygon for polygon in clean if polygon is not None]
    found = [building_footprint(b) for b in city.buildings] if city is not None else []
    return [outline for outline in found if outline is not None]


def make_terrain(
    site: Site,
    ground: gather.Ground,
    lines: tuple[list[shapely.Geometry], Waters | None],
    reporter: Reporter,
) -> Terrain:
    """Fill the voids, flag them, and lay the triangles, outlines of buildings and water among their edges."""
    edges, waters = lines
    settings = site.settings.terrain
    with reporter.step("Terrain"):
        if ground.tin is not None:
            return terrain_from_tin(ground.tin, settings.cell_size_m, dsm=ground.dsm)
        return terrain_from_rasters(
            ground.ground, ground.dsm, max_error_m=settings.max_error_m, edges=edges, waters=waters
        )


def read_outlines(site: Site, inputs: Inputs) -> FootprintLayer | None:
    """The footprints of the site, None where the city model has the buildings."""
    if inputs.footprints is None:
        return None
    outlines = site.settings.inputs.footprints
    return read_footprints(
        inputs.footprints,
        inputs.frame,
        layer=outlines.layer if outlines else None,
        id_field=outlines.id if outlines else None,
        crs_text=outlines.crs if outlines else None,
        area=inputs.area,
        accepted_accuracy_m=site.settings.site.accepted_accuracy_m,
    )


def make_buildings(
    site: Site,
    inputs: Inputs,
    ground: gather.Ground,
    terrain: Terrain,
    known: tuple[FootprintLayer | None, CityModel | None],
    reporter: Reporter,
    workers: int,
) -> tuple[list[Building], list[Failure]]:
    """Solids from footprints and points; or the buildings of the city model."""
    layer, city = known
    if layer is None and city is not None:
        return list(city.buildings), list(city.failures)
    if layer is None:
        layer = derived_outlines(site, inputs, ground, terrain, reporter, workers)
    ground.notes.extend(layer.notes)
    with reporter.step("Roof points") as tick:
        roofs = gather.roof_points(site, inputs, ground, terrain, layer.footprints, workers, tick)
        points = [roofs.points(k) for k in range(len(layer.footprints))]
    with reporter.step("Buildings") as tick:
        jobs, order = building_jobs(layer.footprints, points, terrain.tin)
        parts = map_tasks(build_batch, jobs, workers if len(jobs) > FEW_BATCHES else 1, tick)
    found = [building for part in parts for building in part]
    done = [found[k] for k in np.argsort(order)]
    done = with_dates(with_shared_walls(done), site, ground)
    return done, [*layer.failures, *(b.failure for b in done if b.failure is not None)]


def derived_outlines(
    site: Site, inputs: Inputs, ground: gather.Ground, terrain: Terrain, reporter: Reporter, workers: int
) -> FootprintLayer:
    """Outlines from the points, where there is no map."""
    if ground.classified is None:
        raise InputError(
            f"{site.folder / 'twin.toml'}: no building footprints: [inputs.footprints] file = ... "
            "(PICC CONSTR_BATIEMPRISE in Wallonia) or citymodel = ...; without points outlines "
            "cannot be derived"
        )
    with reporter.step("Outlines") as tick:
        found = gather.outlines(site, inputs, ground, terrain, workers, tick)
    note = f"no footprints: {len(found)} outlines were derived from the points; houses that share a wall come as one"
    return FootprintLayer(
        tuple(found), (), (note,), None, "", "", features=len(found), used=len(found), outside=0
    )


BATCH = 64
"""Buildings of one job; the same for any number of workers, so that the bytes are."""
FEW_BATCHES = 3
"""So few are done sooner than other processes start."""
AROUND_M = 2.0
"""Terrain around the outlines of a job that goes with it [m]."""

Job = tuple[list[Footprint], list[NDArray[np.float64]], TriangleMesh]


def building_jobs(
    footprints: Sequence[Footprint], points: Sequence[NDArray[np.float64]], tin: TriangleMesh
) -> tuple[list[Job], list[int]]:
    """Footprints in batches of neighbours with their points and the terrain under them, and the place of each."""
    order = neighbours_first(np.array([f.polygon.bounds for f in footprints]).reshape(-1, 4)[:, :2])
    corners = tin.vertices[tin.faces][:, :, :2]
    low, high = corners.min(axis=1), corners.max(axis=1)
    jobs: list[Job] = []
    for start in range(0, len(order), BATCH):
        own = order[start : start + BATCH]
        boxes = np.array([footprints[k].polygon.bounds for k in own])
        first, last = boxes[:, :2].min(axis=0) - AROUND_M, boxes[:, 2:].max(axis=0) + AROUND_M
        near = ((high >= first) & (low <= last)).all(axis=1)
        jobs.append(([footprints[k] for k in own], [points[k] for k in own], part_of(tin, near)))
    return jobs, order


def neighbours_first(xy: NDArray[np.float64]) -> list[int]:
    """Places along a Morton curve: what lies together comes together; the first is the most south-western."""
    if not len(xy):
        return []
    steps = np.minimum((xy - xy.min(axis=0)) / 4.0, 65535).astype(np.int64)
    key = np.zeros(len(xy), dtype=np.int64)
    for bit in range(16):
        key |= ((steps[:, 0] >> bit) & 1) << (2 * bit) | ((steps[:, 1] >> bit) & 1) << (2 * bit + 1)
    return [int(k) for k in np.lexsort((np.arange(len(xy)), key))]


def part_of(tin: TriangleMesh, faces: NDArray[np.bool_]) -> TriangleMesh:
    """Some faces of a mesh with their vertices; its first face where there is none."""
    chosen = np.flatnonzero(faces) if faces.any() else np.array([0])
    used, numbers = np.unique(tin.faces[chosen], return_inverse=True)
    new = numbers.reshape(-1, 3).astype(np.int32)
    return TriangleMesh(tin.frame, tin.vertices[used], new, tin.semantics[chosen])


def build_batch(job: Job) -> list[Building]:
    """The buildings of one job."""
    footprints, points, tin = job
    sampler = TinSampler(tin)
    return [one_building(f, xyz, sampler) for f, xyz in zip(footprints, points, strict=True)]


def one_building(footprint: Footprint, xyz: np.ndarray, sampler: TinSampler) -> Building:
    """One building; whatever goes wrong inside becomes its recorded failure and stops nothing else."""
    import logging

    try:
        return reconstruct(footprint, xyz, sampler)
    except Exception as error:
        logging.getLogger("twin").exception("building %s", footprint.id)
        failure = Failure(footprint.id, "internal_error", f"{type(error).__name__}: {error}")
        return Building(footprint.id, footprint.frame, attributes=footprint.attributes, failure=failure)


def with_dates(buildings: list[Building], site: Site, ground: gather.Ground) -> list[Building]:
    """Buildings that know on which day they were flown, where the site says the days."""
    settings = site.settings.inputs
    if ground.classified is None or (settings.points_date is None and settings.older_points_date is None):
        return buildings
    earlier = ground.classified.reader.earlier
    out = []
    for building in buildings:
        outline = building_footprint(building)
        if outline is None:
            out.append(building)
            continue
        old = earlier is not None and earlier.shows(outline)
        day = settings.older_points_date if old else settings.points_date
        dated = {} if day is None else {"source_date": day.isoformat()}
        out.append(replace(building, attributes={**building.attributes, **dated}))
    return out


def with_shared_walls(buildings: list[Building]) -> list[Building]:
    """Buildings that know how much of their walls stands against neighbours."""
    shared = shared_wall_areas(buildings)
    out = []
    for building, area in zip(buildings, shared, strict=True):
        whole = building.attributes.get("area_wall_m2")
        if building.failure is not None or whole is None:
            out.append(building)
            continue
        split = {
            "area_wall_shared_m2": round(float(area), 3),
            "area_wall_outer_m2": round(max(0.0, float(whole) - float(area)), 3),
        }
        out.append(replace(building, attributes={**building.attributes, **split}))
    return out


def make_trees(
    site: Site,
    ground: gather.Ground,
    terrain: Terrain,
    buildings: list[Building],
    reporter: Reporter,
) -> tuple[Tree, ...]:
    """Simple crowns from the canopy, where the points show vegetation."""
    if not site.settings.trees.detect or ground.canopy is None:
        return ()
    with reporter.step("Trees"):
        outlines = [f for f in map(building_footprint, buildings) if f is not None]
        if ground.classified is not None and ground.classified.loose:
            outlines = [outline.buffer(ROOF_EDGE_M) for outline in outlines]
        return detect_trees(
            ground.canopy,
            terrain.dtm,
            outlines,
            min_height_m=site.settings.trees.min_height_m,
        )


def collect(
    site: Site,
    inputs: Inputs,
    ground: gather.Ground,
    terrain: Terrain,
    made: tuple[list[Building], tuple[Tree, ...], list[Failure], tuple[tuple[CityObject, ...], ...]],
    city: CityModel | None,
) -> Built:
    """Everything in one value, counted."""
    buildings, trees, failures, (crossing, woods) = made
    # A city model has its own water and bridges.
    others = (*(city.others if city is not None else crossing), *woods)
    extra_trees = city.trees if city is not None else ()
    scene = Scene(EXISTING, "", terrain, tuple(buildings), (), (*trees, *extra_trees), others)
    counts = {
        "buildings": sum(1 for b in buildings if b.failure is None),
        "failures": len(failures),
        "trees": len(scene.trees),
        "others": len(others),
        "bridges": sum(1 for thing in others if thing.type == "Bridge"),
        "water_bodies": sum(1 for thing in others if thing.type == "WaterBody"),
        "woods": len(woods),
        "points": ground.points,
        **(ground.classified.counts if ground.classified else {}),
        "filled_cells": int(terrain.filled.values.sum()) if terrain.filled is not None else 0,
    }
    notes = [*inputs.notes, *ground.notes, *(city.notes if city is not None else ())]
    sources = {"ground": ground.source, **{p.name: p.suffix.lstrip(".") for p in inputs.files()}}
    return Built(scene, failures, notes, counts, sources)


def write_model(site: Site, built: Built, made: Step) -> list[Path]:
    """Write the model files; each appears whole."""
    scene, folder = built.scene, site.model
    terrain = scene.terrain
    city, report = folder / CITY, folder / "report.json"
    metadata = {"title": site.settings.site.name, "synthetic": site.settings.site.synthetic}
    write_city(
        city,
        frame=scene.frame,
        buildings=scene.buildings,
        terrain=terrain.tin,
        trees=scene.trees,
        others=scene.others,
        metadata=metadata,
    )
    files = [city, folder / "terrain" / "dtm.tif"]
    tags = {"TWIN_STEP": made.key, "TWIN_VERTICAL_DATUM": scene.frame.vertical}
    write_cog(files[1], terrain.dtm, tags=tags, description="DTM: bare ground", unit="metre")
    for name, raster, text in (
        ("dsm", terrain.dsm, "DSM: surface with roofs and trees"),
        ("filled", terrain.filled, "1 where the DTM was interpolated"),
    ):
        path = folder / "terrain" / f"{name}.tif"
        if raster is None:
            remove(path)
            continue
        write_cog(path, raster, tags=tags, description=text, unit="metre" if name == "dsm" else "")
        files.append(path)
    write_json(report, report_of(site, built, made))
    return [*files, report]


def report_of(site: Site, built: Built, made: Step) -> dict[str, Any]:
    """The build report: counts, reasons, notes, provenance."""
    scene = built.scene
    reasons: dict[str, int] = {}
    for failure in built.failures:
        reasons[failure.reason] = reasons.get(failure.reason, 0) + 1
    region = scene.terrain.dtm.grid.region.shifted(*scene.frame.origin)
    value = {
        "site": site.settings.site.name,
        "synthetic": site.settings.site.synthetic,
        "frame": {
            "crs": scene.frame.crs_name,
            "heights": scene.frame.vertical,
            "origin": list(scene.frame.origin),
            "convergence_deg": round(scene.frame.convergence_deg, 6),
            "extent_world_m": [region.west, region.south, region.east, region.north],
        },
        "counts": built.counts,
        "reasons": dict(sorted(reasons.items())),
        "failures": [{"id": f.object_id, "reason": f.reason, "detail": f.detail} for f in built.failures],
        "terrain": {
            "source": built.sources.get("ground", ""),
            "tin_max_error_m": round(scene.terrain.tin_max_error, 4),
            "tin_triangles": len(scene.terrain.tin.faces),
        },
        "notes": built.notes,
        "provenance": {"step": made.key, "record": plain(made.record), "versions": versions()},
    }
    checked: dict[str, Any] = plain(value)
    return checked


def report_counts(built: Built, reporter: Reporter) -> None:
    """Say what came out, failures by reason included."""
    for note in built.notes:
        reporter.say(f"  note: {note}")
    counts = built.counts
    reporter.say(
        f"  {counts['buildings']} buildings, {counts['trees']} trees, {counts['others']} other objects, "
        f"{counts['failures']} recorded failures"
    )
    reasons: dict[str, list[str]] = {}
    for failure in built.failures:
        reasons.setdefault(failure.reason, []).append(failure.object_id)
    for reason, ids in sorted(reasons.items()):
        shown = ", ".join(ids[:4]) + (" ..." if len(ids) > 4 else "")
        reporter.warn(f"{reason}: {len(ids)} ({shown})")


def load(site: Site) -> Built:
    """The built model, read back from disk; InputError says to run ``twin build`` where there is none."""
    import json

    folder = site.model
    city, report_path = folder / CITY, folder / "report.json"
    if not (city.is_file() and report_path.is_file()):
        raise InputError(f"{site.folder}: not built yet; run `twin build {site.folder}`")
    report = json.loads(report_path.read_text(encoding="utf-8"))
    frame_info = report["frame"]
    from twin.io.crs import parse_crs

    crs, heights = parse_crs(site.settings.site.crs, frame_info["heights"])

    frame = Frame(crs, heights, (int(frame_info["origin"][0]), int(frame_info["origin"][1])))
    model = read_city(city, frame)
    dtm = read_raster(folder / "terrain" / "dtm.tif", frame, what="dtm")
    dsm_path, filled_path = folder / "terrain" / "dsm.tif", folder / "terrain" / "filled.tif"
    dsm = read_raster(dsm_path, frame, what="dsm") if dsm_path.exists() else None
    filled = None
    if filled_path.exists():
        mask = read_raster(filled_path, frame, what="mask")
        filled = Raster(mask.grid, np.nan_to_num(mask.values) > 0)
    if model.terrain_mesh is None:
        raise InputError(f"{city}: holds no terrain; run `twin build {site.folder}` again")
    far, far_file = surroundings(site, frame, dtm.grid.region)
    error_m = float(report["terrain"]["tin_max_error_m"])
    tin = marked(model.terrain_mesh, outlines_of_objects(model.others))
    terrain = Terrain(dtm, tin, error_m, dsm, filled, far)
    sources = [city, folder / "terrain" / "dtm.tif", *far_file]
    digest = sha256_json([sha256_file(path) for path in sources])
    scene = Scene(EXISTING, digest, terrain, model.buildings, (), model.trees, model.others)
    failures = [Failure(f["id"], f["reason"], f["detail"]) for f in report["failures"]]
    return Built(scene, failures, report["notes"], report["counts"], {"ground": report["terrain"]["source"]})


FAR_REACH_M = 15_000.0
"""How far around a site its surroundings are read [m]."""
FAR_MOST_CELLS = 60_000_000
"""Cells of the surroundings beyond which a coarser file is asked for."""


def surroundings(site: Site, frame: Frame, region: Region) -> tuple[Raster | None, list[Path]]:
    """Heights around a site from ``inputs.far_dtm``, and the file; neither where the key is not set.

    Raises
    ------
    InputError
        No such file, one that does not reach the site, one of more cells than a coarse horizon needs.
    """
    name = site.settings.inputs.far_dtm
    if name is None:
        return None, []
    where, path = f"{site.folder / 'twin.toml'}: key 'inputs.far_dtm'", site.path(name)
    if not path.is_file():
        raise InputError(f"{where}: no such file: {path}")
    around = Region(
        region.west - FAR_REACH_M,
        region.south - FAR_REACH_M,
        region.east + FAR_REACH_M,
        region.north + FAR_REACH_M,
    )
    info = raster_info(path)
    cell = info.cell_width
    metric = info.crs is None or info.crs.is_projected
    if metric and around.width * around.height / max(cell, 1e-9) ** 2 > FAR_MOST_CELLS:
        raise InputError(
            f"{where}: cells of {cell:g} m are finer than a far horizon needs: resample the file to 5 m or more "
            f"(gdalwarp -tr 10 10 -r max {path.name} coarse.tif)"
        )
    settings = site.settings
    far = read_raster(
        path,
        frame,
        region=around,
        crs_text=settings.inputs.raster_crs,
        accepted_accuracy_m=settings.site.accepted_accuracy_m,
    )
    return far, [path]


def region_polygon(region: Region) -> shapely.Polygon:
    """A region as a polygon."""
    return shapely.box(region.west, region.south, region.east, region.north)
