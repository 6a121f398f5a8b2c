"""Studies from a standpoint: protected views, lines of sight, skylines; with tables, plates and a manifest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from pipelines.config_views import (
    PointStudySettings,
    ProtectedViewStudySettings,
    SightlineStudySettings,
    SkylineStudySettings,
)
from pipelines.console import Ticker
from pipelines.places import eye_place, warn_indoors
from pipelines.provenance import Step
from pipelines.sheets import (
    Sheet,
    SheetContext,
    curvature_text,
    draw_sheets,
    eye_text,
    ramp_entries,
    sheet_info,
    trees_text,
)
from pipelines.site import EXISTING
from pipelines.studyrun import StudyRun, record_of
from pipelines.tables import write_csv
from twin.errors import InputError
from twin.io.atomic import write_json
from twin.io.geotiff import write_cog
from twin.io.vector import VectorFeature, write_gpkg
from twin.model.raster import Grid, Raster
from twin.model.scene import Scene
from twin.region import Region
from twin.study.occluders import face_table
from twin.study.protected import ProtectedView, clearances
from twin.study.sight import curvature_record
from twin.study.sightline import LEAST_M, Sightline, sightlines
from twin.study.skyline import Skyline, sky_taken, skyline
from twin.terrain.sampler import aligned
from viewers import palette
from viewers.chart import Chart, Curve, Fill, write_chart
from viewers.plate import Legend, Panel
from viewers.words import number

Made = tuple[list[Path], list[dict[str, Any]], dict[str, Any]]
"""Files, table, and what the manifest says of the method."""
GROUND, OLD, NEW, LINE = (150, 132, 104), (110, 110, 116), (178, 24, 43), (20, 90, 160)


def point_study(
    run: StudyRun, settings: PointStudySettings, scene: Scene, folder: Path, made: Step, tick: Ticker
) -> list[Path]:
    """Solve and write one study from a standpoint for a scenario; gives the files."""
    context = SheetContext(run.site, run.base, scene, run.device.label, folder.parent.name, settings)
    warn_indoors(run, scene, _eyes_of(run, settings))
    states = {"existing": run.base.scene} | ({} if scene.scenario == EXISTING else {"proposed": scene})
    if isinstance(settings, ProtectedViewStudySettings):
        files, table, method = _protected(run, settings, context, states, (folder, made, tick))
    elif isinstance(settings, SightlineStudySettings):
        files, table, method = _sightlines(run, settings, context, states, folder)
    else:
        files, table, method = _skylines(run, settings, context, states, folder)
    write_csv(folder / "table.csv", list(table))
    files.append(folder / "table.csv")
    about = {"method": method | _common(settings) | {"device": run.device.label}, "table": table}
    record = record_of(run, settings, states, made, about, (folder, files))
    write_json(folder / "manifest.json", record)
    return [*files, folder / "manifest.json"]


def _eyes_of(run: StudyRun, settings: PointStudySettings) -> dict[str, tuple[float, float, float]]:
    """The standpoints of a study, by their keys."""
    if isinstance(settings, SightlineStudySettings):
        return {
            f"line {line.name!r}": eye_place(run, line.eye, f"lines: {line.name}: eye")
            for line in settings.lines
        }
    return {"key 'observer'": eye_place(run, settings.observer)}


def _common(settings: PointStudySettings) -> dict[str, Any]:
    trees = "opaque crowns" if settings.trees else "left out"
    return {"curvature": curvature_record(_k(settings)), "trees": trees, "grazing": "visible"}


def _words(context: SheetContext, settings: PointStudySettings, *more: str) -> tuple[str, ...]:
    return (*more, curvature_text(context, _k(settings)), trees_text(context), context.say("grazing"))


def _k(settings: PointStudySettings) -> float | None:
    return settings.refraction_k if settings.curvature else None


def file_stem(name: str, number_: int) -> str:
    """A name that is safe as a file name: a number, and letters and digits of the user's."""
    return f"{number_:02d}-" + (re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:40] or "line")


# --- protected views


def _protected(
    run: StudyRun,
    settings: ProtectedViewStudySettings,
    context: SheetContext,
    states: Mapping[str, Scene],
    out: tuple[Path, Step, Ticker],
) -> Made:
    folder, made, tick = out
    view = _view_of(run, settings)
    base = run.base.scene
    frame, mark = base.frame, settings.landmark
    rows: list[dict[str, Any]] = []
    for state, scene in states.items():
        fresh = {building.id for building in scene.proposed}
        for one in clearances(view, face_table(scene, trees=False), "buildings", "proposals"):
            east, north = frame.to_world(np.array([one.place[:2]]))[0]
            rows.append(
                {
                    "state": state,
                    "object": one.id,
                    "proposed": one.id in fresh,
                    "clearance_m": one.clearance_m,
                    "verdict": one.verdict(settings.error_m),
                    "east": float(east),
                    "north": float(north),
                    "height_m": one.place[2],
                    "limit_m": one.place[2] + one.clearance_m,
                }
            )
    grid, limit, allowed = _limits(run, settings, view)
    files = [folder / "limit.tif", folder / "allowed-height.tif"]
    tags = {"TWIN_STEP": made.key, "TWIN_SCENE": base.hash, "TWIN_DEVICE": run.device.label}
    write_cog(files[0], limit, tags=tags, description="height of the plane above the datum", unit="m")
    write_cog(files[1], allowed, tags=tags, description="height of the plane above the ground", unit="m")
    outline = shapely.Polygon(view.outline())
    points = [
        VectorFeature(
            f"{row['state']} {row['object']}",
            shapely.Point(frame.to_local(np.array([[row["east"], row["north"]]]))[0]),
            {key: row[key] for key in ("state", "object", "clearance_m", "verdict", "limit_m")},
        )
        for row in rows
    ]
    layers = {"view": [VectorFeature(mark.name, outline, {"landmark": mark.name})]}
    write_gpkg(folder / "view.gpkg", layers | ({"clearances": points} if points else {}), frame)
    files.append(folder / "view.gpkg")
    sheet = _limit_sheet(context, settings, view, allowed, rows)
    files += draw_sheets(
        _with_view(context, settings, view, outline), [sheet], folder / "plates", tick, run.threads
    )
    method = {
        "quantity": "plane through the eye and both ends of the landmark's threshold; clearance: the least height of "
        "the plane above an object within the view; met where it is positive",
        "operator": "> 0",
        "error_m": settings.error_m,
        "too_close_to_call": "the clearance lies within the stated error of heights",
        "observer_local_m": list(view.eye),
        "cell_size_m": grid.cell_size,
    }
    return files, rows, method


def _view_of(run: StudyRun, settings: ProtectedViewStudySettings) -> ProtectedView:
    mark, frame = settings.landmark, run.base.scene.frame
    eye = eye_place(run, settings.observer)
    left, right = frame.to_local(np.array([mark.left, mark.right]))
    high = mark.height_m if mark.right_height_m is None else mark.right_height_m
    try:
        return ProtectedView(
            eye,
            (float(left[0]), float(left[1]), mark.height_m),
            (float(right[0]), float(right[1]), high),
            settings.behind_m,
            settings.curvature,
            settings.refraction_k,
        )
    except InputError as error:
        raise InputError(f"{run.file}: key 'landmark': {error}") from None


def _limits(
    run: StudyRun, settings: ProtectedViewStudySettings, view: ProtectedView
) -> tuple[Grid, Raster, Raster]:
    """Grid over the part of the view in the model; height of the plane above the datum and above the ground."""
    terrain = run.base.scene.terrain.dtm
    low, high = view.outline().min(axis=0), view.outline().max(axis=0)
    common = Region(*low.tolist(), *high.tolist()).intersection(terrain.grid.region)
    if common is None:
        raise InputError(f"{run.file}: key 'landmark': the view does not cross the model")
    grid = Grid.over(terrain.grid.frame, common, settings.cell_size_m)
    limit = view.raster(grid)
    return grid, limit, Raster(grid, limit.values - aligned(terrain, grid).values)


def _with_view(
    context: SheetContext, settings: ProtectedViewStudySettings, view: ProtectedView, outline: Any
) -> SheetContext:
    eye = (view.eye[0], view.eye[1])
    return SheetContext(
        context.site,
        context.base,
        context.scene,
        context.device,
        context.study_id,
        settings,
        {settings.landmark.name: outline},
        {context.say("observer"): eye},
    )


def _limit_sheet(
    context: SheetContext,
    settings: ProtectedViewStudySettings,
    view: ProtectedView,
    allowed: Raster,
    rows: list[dict[str, Any]],
) -> Sheet:
    language = context.language
    values = np.maximum(allowed.values, 0.0)
    most = float(np.nanmax(values)) if np.isfinite(values).any() else 1.0
    ramp = palette.percent_ramp(max(1.0, most)) if most <= 120 else palette.hours_ramp(most)
    state = "proposed" if any(row["state"] == "proposed" for row in rows) else "existing"
    facts = [
        f"{row['object']}: {context.say('clearance')} {number(row['clearance_m'], 2, language)} m, "
        f"{context.say(row['verdict'])}"
        for row in rows
        if row["state"] == state and (row["proposed"] or row["clearance_m"] <= settings.error_m)
    ][:10]
    mark = settings.landmark
    words = _words(
        context,
        settings,
        f"{context.say('landmark')} {mark.name}, {number(mark.height_m, 2, language)} m",
        f"{context.say('cell')} {number(settings.cell_size_m, 2, language)} m",
    )
    legend = Legend(context.say("height_limit"), ramp_entries(ramp, context, "m"))
    title = settings.title or f"{context.say('protected_view')}: {mark.name}"
    info = sheet_info(
        context,
        title,
        eye_text(context, settings.observer),
        tuple(facts or [context.say("nothing_in_view")]),
        words,
    )
    panel = Panel(
        context.scene.scenario,
        ramp.paint(values),
        allowed.grid,
        True,
    )
    return Sheet("height-limit", (panel,), legend, info)


# --- lines of sight


def _sightlines(
    run: StudyRun,
    settings: SightlineStudySettings,
    context: SheetContext,
    states: Mapping[str, Scene],
    folder: Path,
) -> Made:
    files: list[Path] = []
    rows: list[dict[str, Any]] = []
    where = (run.device, run.threads)
    lines = [
        (
            np.array(eye_place(run, line.eye, f"lines: {line.name}: eye")),
            np.array(eye_place(run, line.target, f"lines: {line.name}: target")),
        )
        for line in settings.lines
    ]
    for line, (eye, target) in zip(settings.lines, lines, strict=True):
        if np.linalg.norm(target - eye) < LEAST_M:
            raise InputError(f"{run.file}: line {line.name!r}: its ends are less than a metre apart")
    solved = {
        state: sightlines(scene, lines, _k(settings), settings.trees, where, settings.step_m)
        for state, scene in states.items()
    }
    for count, line in enumerate(settings.lines):
        found = {state: some[count] for state, some in solved.items()}
        for state, one in found.items():
            rows.append(
                {
                    "line": line.name,
                    "state": state,
                    "visible": one.visible,
                    "length_m": float(one.distance[-1]),
                    "obstacle": one.obstacle,
                    "obstacle_layer": one.layer,
                    "obstacle_at_m": None if one.visible else one.at_m,
                    "least_clearance_m": one.clearance_m,
                }
            )
        stem = file_stem(line.name, count + 1)
        write_csv(folder / f"profile-{stem}.csv", _profile(found))
        files.append(folder / f"profile-{stem}.csv")
        files += write_chart(
            folder / "plates" / stem, _line_chart(context, found), _line_info(context, settings, line, found)
        )
    method = {
        "quantity": "whether the target is seen from the eye; the profile gives the highest of all that stands at each "
        "point, so a line may pass under a deck or a crown that lies above it there",
        "profile_step_m": settings.step_m,
    }
    return files, rows, method


def _profile(found: Mapping[str, Sightline]) -> list[Mapping[str, Any]]:
    first = next(iter(found.values()))
    return [
        {
            "distance_m": float(first.distance[k]),
            "line_m": float(first.line[k]),
            "ground_m": float(first.ground[k]),
            **{f"surface_{state}_m": float(one.surface[k]) for state, one in found.items()},
        }
        for k in range(len(first.distance))
    ]


def _line_chart(context: SheetContext, found: Mapping[str, Sightline]) -> Chart:
    old = found["existing"]
    x = old.distance
    curves = [Curve(context.say("sightline"), x, old.line, LINE, 1.4)]
    fills = [Fill(context.say("surface_existing"), x, old.ground, old.surface, (196, 196, 200))]
    if "proposed" in found:
        new = found["proposed"].surface
        fills.append(Fill(context.say("surface_proposed"), x, old.surface, new, (244, 165, 130)))
        fills.append(Fill(context.say("removed_building"), x, new, old.surface, (166, 206, 227)))
    curves.append(Curve(context.say("ground_line"), x, old.ground, GROUND, 1.6))
    last = list(found.values())[-1]
    marks: tuple[tuple[float, float, str], ...] = ()
    if not last.visible and np.isfinite(last.at_m):
        height = float(np.interp(last.at_m, x, last.line))
        name = context.say("the_terrain") if last.layer == "terrain" else last.obstacle
        marks = ((last.at_m, height, name),)
    return Chart(context.say("distance_m"), context.say("height_m"), tuple(curves), tuple(fills), marks)


def _line_info(
    context: SheetContext, settings: SightlineStudySettings, line: Any, found: Mapping[str, Sightline]
) -> Any:
    facts = []
    for state, one in found.items():
        said = context.say("target_seen")
        if not one.visible:
            name = context.say("the_terrain") if one.layer == "terrain" else one.obstacle
            said = context.say("stopped_by").format(name, number(one.at_m, 1, context.language))
        facts.append(f"{context.say(state)}: {said}")
    title = f"{settings.title or context.say('sightline')}: {line.name}"
    words = _words(
        context, settings, f"{context.say('every')} {number(settings.step_m, 2, context.language)} m"
    )
    return sheet_info(context, title, eye_text(context, line.eye), tuple(facts), words)


# --- skylines


def _skylines(
    run: StudyRun,
    settings: SkylineStudySettings,
    context: SheetContext,
    states: Mapping[str, Scene],
    folder: Path,
) -> Made:
    eye = np.array(eye_place(run, settings.observer))
    sector = (settings.from_true_deg, settings.to_true_deg, settings.step_deg)
    found = {
        state: skyline(scene, eye, sector, _k(settings), settings.trees) for state, scene in states.items()
    }
    first = found["existing"]
    curve = [
        {
            "azimuth_true_deg": float(first.azimuth_true_deg[k]),
            **{
                key: value
                for state, one in found.items()
                for key, value in (
                    (f"altitude_{state}_deg", float(one.altitude_deg[k])),
                    (f"object_{state}", one.objects[k]),
                    (f"distance_{state}_m", float(one.distance_m[k])),
                )
            },
        }
        for k in range(len(first.azimuth_true_deg))
    ]
    write_csv(folder / "skyline.csv", list(curve))
    rows: list[dict[str, Any]] = [{"directions": len(curve), "step_deg": settings.step_deg}]
    if "proposed" in found:
        change = found["proposed"].altitude_deg - first.altitude_deg
        rows[0] |= {
            "sky_taken_msr": 1000.0 * sky_taken(first, found["proposed"]),
            "largest_rise_deg": float(change.max()),
            "directions_raised_deg": float((change > 1e-6).sum() * settings.step_deg),
            "directions_lowered_deg": float((change < -1e-6).sum() * settings.step_deg),
        }
    files = [folder / "skyline.csv"]
    files += write_chart(
        folder / "plates" / "skyline",
        _sky_chart(context, settings, found),
        _sky_info(context, settings, rows[0]),
    )
    method = {
        "quantity": "altitude of the highest sight line that meets something, exact in each direction: from the "
        "edges of all faces; a building that the eye stands under is no skyline",
    }
    return files, rows, method


def _sky_chart(context: SheetContext, settings: SkylineStudySettings, found: Mapping[str, Skyline]) -> Chart:
    old = found["existing"].altitude_deg
    x = settings.from_true_deg + settings.step_deg * np.arange(len(old))
    floor = np.full(
        len(old), min(float(np.maximum(one.altitude_deg, -20).min()) for one in found.values()) - 0.5
    )
    old = np.maximum(old, floor)
    curves, fills = [], [Fill(context.say("existing"), x, floor, old, (214, 214, 218))]
    if "proposed" in found:
        new = np.maximum(found["proposed"].altitude_deg, floor)
        fills.append(Fill(context.say("sky_taken"), x, old, new, (244, 165, 130)))
        fills.append(Fill(context.say("sky_freed"), x, new, old, (166, 206, 227)))
        curves.append(Curve(context.say("proposed"), x, new, NEW, 0.9))
    curves.append(Curve(context.say("existing"), x, old, OLD, 0.7))
    return Chart(
        context.say("direction_deg"), context.say("altitude_deg"), tuple(curves), tuple(fills), round_deg=True
    )


def _sky_info(context: SheetContext, settings: SkylineStudySettings, row: Mapping[str, Any]) -> Any:
    language, facts = context.language, []
    if "sky_taken_msr" in row:
        facts.append(f"{context.say('sky_taken')}: {number(row['sky_taken_msr'], 1, language)} msr")
    title = settings.title or context.say("skyline")
    words = _words(context, settings, f"{context.say('every')} {number(settings.step_deg, 3, language)}°")
    return sheet_info(context, title, eye_text(context, settings.observer), tuple(facts), words)
