"""A study of what is seen of a proposal: zone of visibility, visual exposure, named and most exposed standpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from pipelines.areas import NamedAreas, named_polygons
from pipelines.config_views import ExposureStudySettings
from pipelines.exposure_sheets import write_exposure_sheets
from pipelines.keeper import Keeper
from pipelines.places import eye_place, study_grid, warn_indoors
from pipelines.provenance import Step
from pipelines.sheets import SheetContext
from pipelines.site import EXISTING
from pipelines.studyrun import StudyRun, record_of
from pipelines.tables import write_csv
from twin.errors import InputError
from twin.io.atomic import write_json
from twin.io.geotiff import write_cog
from twin.io.vector import VectorFeature, write_gpkg
from twin.model.raster import Grid, Raster
from twin.model.results import ExposureResult, difference
from twin.model.scene import Scene
from twin.study.exposure import (
    FRAME_SR,
    ExposureSettings,
    Seen,
    exposure,
    hidden_up_to,
    seen_from,
)
from twin.study.hidden import Taken, views_taken
from twin.study.occluders import face_table
from twin.study.targets import Targets, targets_of
from twin.terrain.sampler import TinSampler

STATES = ("existing", "proposed")
UNITS = {"targets_seen": "", "lowest_seen": "m", "solid_angle": "sr"}
BANDS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Bands of the share of the targets that the table gives areas of."""


@dataclass(frozen=True, slots=True)
class Place:
    """A standpoint: its name, who named it, its eye in local space [m]."""

    name: str
    source: str
    eye: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Answer:
    """One state: the scene, the targets, and by product (``screened``, ``bare_ground``) what is seen of them."""

    scene: Scene
    targets: Targets
    products: Mapping[str, ExposureResult]


def exposure_study(
    run: StudyRun, settings: ExposureStudySettings, scene: Scene, folder: Path, made: Step, keeper: Keeper
) -> list[Path]:
    """Solve and write one study of exposure for a scenario; gives the files.

    Raises
    ------
    InputError
        Nothing is built in the scenario and none is named, a standpoint outside the terrain, an unusable file.
    """
    base = run.base.scene
    grid, mask, _ = study_grid(run, settings.area, settings.cell_size_m, scene)
    public = None if settings.public is None else named_polygons(run, "public", settings.public, scene.frame)
    named = [
        Place(v.name, "named", np.array(eye_place(run, v.eye, f"viewpoints: {v.name}")))
        for v in settings.viewpoints
    ]
    warn_indoors(run, scene, {f"viewpoint {p.name!r}": tuple(map(float, p.eye)) for p in named})
    wanted = asked_buildings(run, settings, scene)
    answers = {
        state: solved(run, settings, one, wanted[state], (grid, mask), keeper)
        for state, one in (("existing", base), ("proposed", scene))
        if state == "existing" or scene.scenario != EXISTING
    }
    last = answers["proposed" if "proposed" in answers else "existing"]
    places = [*named, *most_exposed(settings, last, public)]
    rows, hides = place_rows(run, settings, answers, places)
    files = write_rasters(folder, answers, made, run.device.label)
    tables = {"table.csv": table_rows(answers), "viewpoints.csv": rows, "hides.csv": hides}
    for name, table in tables.items():
        write_csv(folder / name, list(table))
        files.append(folder / name)
    if places:
        points = [
            VectorFeature(
                place.name, shapely.Point(*place.eye), {k: v for k, v in row.items() if k != "viewpoint"}
            )
            for place, row in zip(places, rows, strict=True)
        ]
        write_gpkg(folder / "viewpoints.gpkg", {"viewpoints": points}, scene.frame)
        files.append(folder / "viewpoints.gpkg")
    context = SheetContext(
        run.site,
        run.base,
        scene,
        run.device.label,
        folder.parent.name,
        settings,
        {} if public is None else public.outlines,
        {place.name: (float(place.eye[0]), float(place.eye[1])) for place in places},
    )
    seen = {state: (answer.targets, answer.products) for state, answer in answers.items()}
    files += write_exposure_sheets(context, seen, rows, folder, run, keeper.tick)
    about = about_of(settings, answers, public, (tables["table.csv"], rows))
    scenes = {state: answer.scene for state, answer in answers.items()}
    record = record_of(run, settings, scenes, made, about, (folder, files))
    write_json(folder / "manifest.json", record)
    return [*files, folder / "manifest.json"]


def about_of(
    settings: ExposureStudySettings,
    answers: Mapping[str, Answer],
    public: NamedAreas | None,
    tables: tuple[list[dict[str, Any]], list[dict[str, Any]]],
) -> dict[str, Any]:
    """What the manifest says of the method, and the tables."""
    return {
        "method": {
            state: {name: dict(result.method) for name, result in answer.products.items()}
            for state, answer in answers.items()
        },
        "public": None if public is None else {"areas": list(public.outlines), "left_out": public.left_out},
        "most_exposed": "cells of the public ground by the solid angle of what is built, the largest first, "
        f"each at least {settings.apart_m:g} m from those before it and {settings.from_m:g} m from the buildings",
        "hides": "rays every twentieth of a degree or finer: what stood where the buildings are seen now, over a "
        "flat earth",
        "table": tables[0],
        "viewpoints": tables[1],
    }


def asked_buildings(
    run: StudyRun, settings: ExposureStudySettings, scene: Scene
) -> dict[str, tuple[str, ...]]:
    """Ids of what is looked at, by state: what the study names, or what the scenario takes away and builds."""
    before = {building.id for building in run.base.scene.buildings}
    after = {building.id for building in (*scene.buildings, *scene.proposed)}
    if settings.of:
        strange = [name for name in settings.of if name not in before | after]
        if strange:
            raise InputError(f"{run.file}: key 'of': no building {strange[0]!r} in {scene.scenario!r}")
        return {
            "existing": tuple(name for name in settings.of if name in before),
            "proposed": tuple(name for name in settings.of if name in after),
        }
    new = tuple(building.id for building in scene.proposed)
    gone = tuple(name for name in scene.removed if name in before)
    if not new and not gone:
        raise InputError(
            f"{run.file}: scenario {scene.scenario!r} builds nothing: name one that does (key 'scenarios'), "
            "or the buildings to look at (key 'of')"
        )
    return {"existing": gone, "proposed": new}


def library_settings(settings: ExposureStudySettings, bare: bool = False) -> ExposureSettings:
    """The study's settings as the library takes them."""
    return ExposureSettings(
        settings.eye_height_m,
        settings.max_distance_m,
        settings.curvature,
        settings.refraction_k,
        settings.trees,
        bare,
        settings.engine,
    )


def solved(
    run: StudyRun,
    settings: ExposureStudySettings,
    scene: Scene,
    ids: tuple[str, ...],
    where: tuple[Grid, NDArray[np.bool_] | None],
    keeper: Keeper,
) -> Answer:
    """What the ground sees in one state."""
    targets = targets_of(scene, ids, settings.spacing_m, run.device, run.threads)
    grid, mask = where
    products = {}
    for bare in (False, True) if settings.with_bare_ground else (False,):
        asked = library_settings(settings, bare)
        name = "bare_ground" if bare else "screened"
        products[name] = exposure(scene, targets, grid, asked, (run.device, run.threads), mask, keeper)
    return Answer(scene, targets, products)


def most_exposed(settings: ExposureStudySettings, answer: Answer, public: NamedAreas | None) -> list[Place]:
    """The cells of the public ground with the largest solid angle, well apart."""
    if not len(answer.targets):
        return []
    angle = answer.products["screened"].rasters["solid_angle"]
    values, centres = angle.values.ravel(), angle.grid.centres()
    allowed, owner = np.isfinite(values) & (values > 0), np.full(len(values), "", dtype=object)
    if public is not None:
        of_area = np.zeros(len(values), dtype=bool)
        for name, shape in public.outlines.items():
            inside = shapely.contains_xy(shape, centres[:, 0], centres[:, 1])
            owner[inside & ~of_area] = name
            of_area |= inside
        allowed &= of_area
    near, _ = cKDTree(answer.targets.points[:, :2]).query(centres, distance_upper_bound=settings.from_m)
    order = np.flatnonzero(allowed & ~np.isfinite(near))
    order = order[np.argsort(-values[order], kind="stable")]
    found: list[Place] = []
    ground = TinSampler(answer.scene.terrain.tin)
    while len(order) and len(found) < settings.worst:
        at = centres[order[0]]
        z = float(ground.heights(at[None])[0]) + settings.eye_height_m
        name = f"{len(found) + 1}" + (f" {owner[order[0]]}" if owner[order[0]] else "")
        found.append(Place(name, "most exposed", np.array([at[0], at[1], z])))
        apart = np.hypot(*(centres[order] - at).T) >= settings.apart_m
        order = order[apart]
    return found


def place_rows(
    run: StudyRun, settings: ExposureStudySettings, answers: Mapping[str, Answer], places: Sequence[Place]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """One row per standpoint with what it sees before and after; and one per thing that the buildings hide from it."""
    if not places:
        return [], []
    frame, where = run.base.scene.frame, (run.device, run.threads)
    asked = replace(library_settings(settings), engine="triangles")
    eyes = np.array([place.eye for place in places])
    behind = face_table(run.base.scene, settings.trees)
    seen, taken = {}, {}
    for state, answer in answers.items():
        table = face_table(answer.scene, settings.trees, coverings=False)
        seen[state] = seen_from(table, answer.targets, eyes, asked, where)
        shown = face_table(answer.scene, settings.trees)
        taken[state] = views_taken(shown, behind, answer.targets, eyes, where)
    last = "proposed" if "proposed" in answers else "existing"
    targets = answers[last].targets
    hidden = hidden_up_to(table, targets, eyes, asked, where) if len(targets) else None
    rows: list[dict[str, Any]] = []
    hides: list[dict[str, Any]] = []
    world = frame.to_world(eyes[:, :2])
    for k, place in enumerate(places):
        row: dict[str, Any] = {"viewpoint": place.name, "source": place.source}
        row |= {"east": float(world[k, 0]), "north": float(world[k, 1]), "eye_height_m": float(place.eye[2])}
        if len(targets):
            off = targets.middle - place.eye
            row["distance_m"] = float(np.hypot(off[0], off[1]))
            azimuth = float(np.degrees(np.arctan2(off[0], off[1])) % 360.0)
            row["bearing_true_deg"] = frame.azimuth_true(azimuth)
        for state, answer in answers.items():
            row |= seen_row(state, seen[state], k, len(answer.targets), taken[state][k].solid_angle)
        hides += hidden_rows(place, taken[last][k])
        if hidden is not None:
            row["hidden_up_to_m"] = float(hidden[k]) if np.isfinite(hidden[k]) else None
        rows.append(row)
    return rows, hides


def hidden_rows(place: Place, taken: Taken) -> list[dict[str, Any]]:
    """What is hidden from a standpoint, from a thousandth of what hides it on."""
    return [
        {
            "viewpoint": place.name,
            "hides": kind,
            "object": name,
            "solid_angle_msr": 1000.0 * angle,
            "share_percent": 100.0 * angle / taken.solid_angle,
        }
        for kind, name, angle in taken.hides
        if angle >= 0.001 * taken.solid_angle
    ]


def seen_row(state: str, found: Seen, k: int, targets: int, angle: float) -> dict[str, Any]:
    """What one standpoint sees in one state."""
    lowest = float(found.lowest[k])
    return {
        f"targets_{state}": targets,
        f"targets_seen_{state}": int(found.count[k]),
        f"lowest_seen_{state}_m": lowest if np.isfinite(lowest) else None,
        f"solid_angle_{state}_msr": 1000.0 * angle,
        f"frame_50mm_{state}_percent": 100.0 * angle / FRAME_SR,
    }


def write_rasters(folder: Path, answers: Mapping[str, Answer], made: Step, device: str) -> list[Path]:
    """Every raster of both states and their difference as a COG."""
    files = []
    both = {state: named_rasters(answer) for state, answer in answers.items()}
    if len(both) == 2:
        old, new = both["existing"], both["proposed"]
        both["difference"] = {name: difference(new[name], old[name]) for name in new if name in old}
    hashes = [answer.scene.hash for answer in answers.values()]
    for state, rasters in both.items():
        scene = hashes[STATES.index(state)] if state in STATES else f"{hashes[1]} - {hashes[0]}"
        tags = {"TWIN_STEP": made.key, "TWIN_SCENE": scene, "TWIN_DEVICE": device}
        for name, raster in rasters.items():
            path = folder / state / f"{name.replace('_', '-')}.tif"
            unit = next(unit for key, unit in UNITS.items() if name.startswith(key))
            write_cog(path, raster, tags=tags, description=name.replace("_", " "), unit=unit)
            files.append(path)
    return files


def named_rasters(answer: Answer) -> dict[str, Raster]:
    """Rasters of a state by file name; those of the bare ground with an ending of their own."""
    return {
        name + ("" if product == "screened" else f"_{product}"): raster
        for product, result in answer.products.items()
        for name, raster in result.rasters.items()
    }


def table_rows(answers: Mapping[str, Answer]) -> list[dict[str, Any]]:
    """One row per state and product: ground by the share of the targets that it sees, and the largest solid angle."""
    rows = []
    for state, answer in answers.items():
        for product, result in answer.products.items():
            count = result.rasters["targets_seen"]
            values = count.values[np.isfinite(count.values)].astype(np.float64)
            cell = count.grid.cell_size**2
            share = values / max(1, result.targets)
            row: dict[str, Any] = {"state": state, "product": product, "targets": result.targets}
            row |= {"area_m2": cell * len(values), "seen_m2": cell * int((values > 0).sum())}
            for low, high in pairwise(BANDS):
                inside = (share > low) & (share <= high)
                row[f"seen_{100 * low:g}_to_{100 * high:g}_percent_m2"] = cell * int(inside.sum())
            angle = result.rasters["solid_angle"].values
            most = float(np.nanmax(angle)) if np.isfinite(angle).any() else 0.0
            row |= {"largest_msr": 1000.0 * most, "largest_frame_50mm_percent": 100.0 * most / FRAME_SR}
            rows.append(row)
    return rows
