"""Studies of façades and roofs: tables by surface and building, samples, coloured models, before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from pipelines.config import FacesStudySettings, SunDays, read_toml
from pipelines.console import Ticker
from pipelines.inputs import area_polygon
from pipelines.profiles import about
from pipelines.provenance import Step, versions
from pipelines.site import EXISTING, Site
from pipelines.studyrun import StudyRun
from pipelines.tables import write_csv
from twin.buildings.outline import building_footprint
from twin.errors import InputError
from twin.io.atomic import plain, sha256_file, write_json
from twin.io.cityjson_write import write_city
from twin.io.meshes import Placement, write_painted_glb
from twin.io.vector import VectorFeature, write_gpkg
from twin.model.scene import Scene
from twin.model.triangulate import triangulate_surface
from twin.study.areas import AreaRule
from twin.study.compare import Row
from twin.study.facades import FaceAsk, FaceSamples, FaceSun, outside, sample_faces, sun_on_faces
from twin.study.occluders import face_table
from twin.study.probable import Sunshine, sunshine_of
from twin.study.suns import Day, Foliage, Period, SunlightSettings, spans_of, sun_method
from twin.sun.weather import Weather, clear_sky_year, read_epw
from twin.visibility.caster import make_caster
from viewers import palette

ROUNDING_H = 1e-4
"""Hours are whole steps in single precision; a limit forgives this much [h]."""


def sun_days(site: Site, settings: SunDays) -> SunlightSettings:
    """Days, periods and trees of a study as the library takes them."""
    return SunlightSettings(
        days=tuple(Day(day.date, day.step_min) for day in settings.all_days),
        timezone=site.settings.site.timezone,
        min_altitude_deg=settings.min_altitude_deg,
        trees=settings.trees,
        periods=tuple(Period(p.name, p.first, p.last, p.step_min, p.daily) for p in settings.periods),
        foliage=None if settings.foliage is None else Foliage(**settings.foliage.model_dump()),
    )


def faces_study(
    run: StudyRun, settings: FacesStudySettings, scene: Scene, folder: Path, made: Step, tick: Ticker
) -> list[Path]:
    """Solve and write one study of façades and roofs for a scenario; gives the files."""
    base, asked = run.base.scene, sun_days(run.site, settings)
    ask = FaceAsk(settings.sky_directions, weather_of(run, settings), shining(run, settings))
    ids = neighbours(run, settings, scene)
    kinds = [kind for kind, wanted in (("wall", settings.walls), ("roof", settings.roofs)) if wanted]
    if not kinds:
        raise InputError(f"{run.site.folder / 'studies'}: key 'walls': neither walls nor roofs are asked for")

    def samples_of(state: Scene, names: Sequence[str]) -> FaceSamples:
        found = sample_faces(state, names, settings.spacing_m, settings.window_lines_m, kinds)
        table = face_table(state, trees=False, coverings=False)
        caster = make_caster(table.triangles(), run.device, run.threads)
        try:
            return outside(found, table, caster)
        finally:
            caster.close()

    def solved(state: Scene, samples: FaceSamples) -> FaceSun:
        return sun_on_faces(state, samples, asked, run.device, run.threads, ask, tick)

    samples = samples_of(base, ids)
    before = solved(base, samples)
    after = solved(scene, samples) if scene.scenario != EXISTING else None
    new_ids = [thing.id for thing in scene.proposed]
    new = samples_of(scene, new_ids) if new_ids else None
    new_sun = solved(scene, new) if new is not None else None
    rows = surface_rows(scene, samples, before, after, settings)
    if new is not None and new_sun is not None:
        rows += surface_rows(scene, new, None, new_sun, settings)
    files = [folder / "surfaces.csv", folder / "buildings.csv"]
    write_csv(files[0], list(rows))
    by_building = building_rows(rows)
    write_csv(files[1], list(by_building))
    files += _layers(folder, scene, base, (samples, before, after), by_building)
    files.append(_city(folder / "buildings.city.json", run, scene, by_building))
    files += _models(folder, run, scene, (samples, before, after), (new, new_sun))
    spans = spans_of(asked, scene.frame)
    error_h = {span.name: span.step_min / 120.0 for span in spans}
    record = {
        "kind": settings.kind,
        "site": run.site.settings.site.name,
        "synthetic": run.site.settings.site.synthetic,
        "scenario": scene.scenario,
        "scene_hash": {"existing": base.hash, "proposed": scene.hash},
        "settings": settings.model_dump(mode="json"),
        "method": {
            **sun_method(asked, spans, run.device, base.terrain.far is not None),
            **before.method,
        },
        "error_h": error_h,
        "profile": about(settings.profile, run.site.folder, read_toml),
        "limit": None if settings.limit is None else limit_words(settings),
        "table": by_building,
        "files": {f.relative_to(folder).as_posix(): sha256_file(f) for f in sorted(files)},
        "provenance": {"step": made.key, "inputs": plain(made.record)["inputs"], "versions": versions()},
    }
    write_json(folder / "manifest.json", plain(record))
    return [*files, folder / "manifest.json"]


def weather_of(run: StudyRun, settings: FacesStudySettings) -> Weather | None:
    """Radiation of the year of a study; None where it asks for no energy."""
    frame, zone = run.base.scene.frame, run.site.settings.site.timezone
    if settings.irradiation is None:
        return None
    if settings.irradiation == "clear-sky":
        return clear_sky_year(settings.irradiation_year, frame, zone)
    return read_epw(run.site.path(settings.irradiation), frame, zone)


def shining(run: StudyRun, settings: FacesStudySettings) -> Sunshine | None:
    """Suns of a year with the user's probabilities; None where the study gives none."""
    months = settings.sunshine_probability
    if months is None:
        return None
    frame, zone = run.base.scene.frame, run.site.settings.site.timezone
    return sunshine_of(settings.irradiation_year, tuple(months), frame, zone)


def limit_words(settings: FacesStudySettings) -> dict[str, Any]:
    """The rule as it was applied."""
    limit = settings.limit
    if limit is None:
        return {}
    asked = {key: value for key, value in limit.model_dump().items() if value is not None}
    if limit.at_least_h is None:
        return {
            **asked,
            "operator": "<=",
            "tie": "shadow equal to the limit, to 0.0001 h, is within it",
            "counts": "existing - proposed hours of each day, of the sample with the most; a gain counts as 0",
            "too_close_to_call": "half a time step on a day, times the root of the number of days over the period",
        }
    return {
        **asked,
        "operator": ">=",
        "tie": "a sample that reaches the limit to 0.0001 h has reached it",
        "too_close_to_call": "half a time step on the hours of each sample may turn the share",
        "periods": "of a period with daily = true the day with the least sun counts, else its total",
    }


def neighbours(run: StudyRun, settings: FacesStudySettings, scene: Scene) -> list[str]:
    """Buildings that stand in both states: in the area, or around what changes, or all.

    Raises
    ------
    InputError
        None is left.
    """
    base = run.base.scene
    gone = set(scene.removed)
    stay = {b.id: building_footprint(b) for b in base.buildings if b.id not in gone}
    where = f"{run.site.folder / 'studies'}: key 'area.ring'"
    if settings.area is not None:
        accuracy = run.site.settings.site.accepted_accuracy_m
        wanted = area_polygon(settings.area.ring, run.site.folder, scene.frame, where, accuracy)
    elif scene.scenario != EXISTING:
        changed = [
            building_footprint(b) for b in (*scene.proposed, *(b for b in base.buildings if b.id in gone))
        ]
        wanted = shapely.buffer(shapely.union_all([c for c in changed if c is not None]), settings.around_m)
    else:
        wanted = None
    found = [
        name
        for name, shape in stay.items()
        if shape is not None and (wanted is None or wanted.intersects(shape))
    ]
    if not found and not scene.proposed:
        raise InputError(f"{where}: no building lies there")
    return found


def surface_rows(
    scene: Scene,
    samples: FaceSamples,
    before: FaceSun | None,
    after: FaceSun | None,
    settings: FacesStudySettings,
) -> list[Row]:
    """One row for each surface, or window line of one, and date or period."""
    rows: list[Row] = []
    some = before or after
    if some is None:
        return rows
    steps = {day.date.isoformat(): day.step_min for day in settings.all_days}
    steps |= {period.name: period.step_min for period in settings.periods}
    lines = np.nan_to_num(samples.line, nan=-1.0)
    for number, surface in enumerate(samples.surfaces):
        own = samples.of == number
        for line in sorted(set(lines[own].tolist())):
            which = np.flatnonzero(own & (lines == line))
            weights = samples.area[which] if line < 0 else np.ones(len(which))
            azimuth = surface.azimuth_grid_deg
            common: Row = {
                "building": surface.building,
                "surface": f"{surface.kind}-{surface.number}",
                "line_m": None if line < 0 else line,
                "azimuth_true_deg": None if np.isnan(azimuth) else scene.frame.azimuth_true(azimuth),
                "tilt_deg": surface.tilt_deg,
                "area_m2": float(samples.area[which].sum()),
                "samples": len(which),
            }
            sky = _sky_columns(before, after, which, weights)
            for name in some.hours:
                sun = _sun_columns(before, after, name, which, weights, settings, steps[name] / 120.0)
                rows.append(common | {"date": name} | sun | sky)
    return rows


def _mean(values: NDArray[np.floating] | None, weights: NDArray[np.float64]) -> float | None:
    if values is None or not len(values):
        return None
    return float(np.average(values.astype(np.float64), weights=weights))


def _sun_columns(
    before: FaceSun | None,
    after: FaceSun | None,
    name: str,
    which: NDArray[np.int64],
    weights: NDArray[np.float64],
    settings: FacesStudySettings,
    error_h: float,
) -> Row:
    old = before.hours[name][which] if before else None
    new = after.hours[name][which] if after else None
    was, now = _mean(old, weights), _mean(new, weights)
    out: Row = {
        "mean_existing_h": was,
        "mean_proposed_h": now,
        "mean_change_h": None if was is None or now is None else now - was,
        "largest_loss_h": None if old is None or new is None else float(max(0.0, (old - new).max())),
    }
    if before and after and name in before.daily:
        out |= _added_shadow(before.daily[name][:, which], after.daily[name][:, which], settings, error_h)
    if settings.limit is None or settings.limit.at_least_h is None:
        return out
    rule = AreaRule(settings.limit.at_least_h, settings.limit.share, settings.limit.kept)

    def shares(state: FaceSun | None) -> tuple[float, float, float] | None:
        if state is None:
            return None
        judged = state.least.get(name, state.hours[name])[which]
        return tuple(  # type: ignore[return-value]
            float(np.average(judged >= rule.at_least_h + off - ROUNDING_H, weights=weights))
            for off in (error_h, 0.0, -error_h)
        )

    first, last = shares(before), shares(after)
    decides = last or first
    out |= {"share_existing": first and first[1], "share_proposed": last and last[1]}
    if decides is not None:
        former = (first[0], first[2]) if first and last else None
        out["verdict"] = rule.verdict(former, (decides[0], decides[2]))
    return out


def _added_shadow(
    before: NDArray[np.float32], after: NDArray[np.float32], settings: FacesStudySettings, error_h: float
) -> Row:
    """Shadow that the worst sample gets more over a period and on one day, and whether that is too much."""
    added = np.maximum(0.0, before - after)
    total, day = float(added.sum(axis=0).max()), float(added.max())
    out: Row = {"most_added_shadow_h": total, "most_added_shadow_day_min": day * 60.0}
    limit = settings.limit
    if limit is None or limit.at_least_h is not None:
        return out
    days = int((added > 0).sum(axis=0).max())
    pairs = [
        (total, limit.most_shadow_h, error_h * np.sqrt(max(1, days))),
        (day, None if limit.most_shadow_day_min is None else limit.most_shadow_day_min / 60.0, error_h),
    ]
    ends = [
        [found + off * error <= most + ROUNDING_H for found, most, error in pairs if most is not None]
        for off in (1, -1)
    ]
    out["verdict"] = "met" if all(ends[0]) else "too close to call" if all(ends[1]) else "not met"
    return out


def _sky_columns(
    before: FaceSun | None, after: FaceSun | None, which: NDArray[np.int64], weights: NDArray[np.float64]
) -> Row:
    out: Row = {}
    some = before or after
    if some is not None and some.energy is not None:
        for key, state in (("existing", before), ("proposed", after)):
            energy = state.energy if state is not None else None
            out[f"irradiation_{key}_kwh_m2"] = None if energy is None else _mean(energy[which], weights)
    if some is not None and some.probable is not None:
        for k, name in enumerate(("apsh", "wpsh")):
            for key, state in (("existing", before), ("proposed", after)):
                hours = state.probable[k] if state is not None and state.probable is not None else None
                out[f"{name}_{key}_percent"] = None if hours is None else _mean(hours[which], weights)
    if some is None or some.sky is None:
        return out
    for name in ("vsc", "svf_cosine", "svf_solid_angle", "obstruction_angle_deg"):
        ends = [
            _mean(getattr(state.sky, name)[which], weights)
            if state is not None and state.sky is not None
            else None
            for state in (before, after)
        ]
        unit = "_percent" if name == "vsc" else ""
        out[f"{name}_existing{unit}"], out[f"{name}_proposed{unit}"] = ends
        if name == "vsc":
            was, now = ends
            out["vsc_ratio"] = now / was if was and now is not None else None
    return out


def building_rows(rows: Sequence[Row]) -> list[Row]:
    """One row for each building and date: its walls, its roofs, its best façade and its largest loss."""
    out: list[Row] = []
    for building, date in dict.fromkeys((row["building"], row["date"]) for row in rows):
        own = [r for r in rows if r["building"] == building and r["date"] == date]
        row: Row = {"building": building, "date": date}
        for kind in ("wall", "roof"):
            some = [r for r in own if str(r["surface"]).startswith(kind) and r["line_m"] is None]
            area = sum(float(r["area_m2"] or 0.0) for r in some)
            row[f"{kind}s_m2"] = area
            for state in ("existing", "proposed"):
                values = [(r[f"mean_{state}_h"], float(r["area_m2"] or 0.0)) for r in some]
                known = [(float(v), a) for v, a in values if v is not None]
                row[f"{kind}s_{state}_h"] = sum(v * a for v, a in known) / area if known and area else None
        for state in ("existing", "proposed"):
            walls = [r[f"mean_{state}_h"] for r in own if str(r["surface"]).startswith("wall")]
            known_walls = [float(v) for v in walls if v is not None]
            row[f"best_facade_{state}_h"] = max(known_walls) if known_walls else None
        losses = [float(r["largest_loss_h"]) for r in own if r["largest_loss_h"] is not None]
        row["largest_loss_h"] = max(losses) if losses else None
        verdicts = [
            str(r["verdict"]) for r in own if r.get("verdict") and str(r["surface"]).startswith("wall")
        ]
        if any("verdict" in r for r in own):
            order = ("met", "too close to call", "not met")
            row["verdict_of_best_facade"] = min(verdicts, key=order.index) if verdicts else None
        out.append(row)
    return out


def _layers(
    folder: Path,
    scene: Scene,
    base: Scene,
    found: tuple[FaceSamples, FaceSun, FaceSun | None],
    by_building: Sequence[Row],
) -> list[Path]:
    """A GeoPackage: buildings by date with their row, and all samples as points with heights."""
    outlines = {b.id: building_footprint(b) for b in (*base.buildings, *scene.proposed)}
    layers: dict[str, list[VectorFeature]] = {}
    for row in by_building:
        shape = outlines.get(str(row["building"]))
        if shape is not None:
            values = {k: v for k, v in row.items() if k not in ("building", "date")}
            layers.setdefault(f"buildings-{row['date']}", []).append(
                VectorFeature(str(row["building"]), shape, values)
            )
    samples, before, after = found
    points = []
    for k in range(len(samples)):
        values = {"surface": samples.surfaces[samples.of[k]].kind, "area_m2": float(samples.area[k])}
        for name, hours in before.hours.items():
            values[f"h_{name}_existing"] = float(hours[k])
            if after is not None:
                values[f"h_{name}_proposed"] = float(after.hours[name][k])
        points.append(
            VectorFeature(samples.surfaces[samples.of[k]].building, shapely.Point(samples.points[k]), values)
        )
    if points:
        layers["samples"] = points
    if not layers:
        return []
    write_gpkg(folder / "faces.gpkg", layers, scene.frame)
    return [folder / "faces.gpkg"]


def _city(path: Path, run: StudyRun, scene: Scene, by_building: Sequence[Row]) -> Path:
    """The studied buildings of the scene as CityJSON, each with its row as attributes."""
    found: dict[str, dict[str, Any]] = {}
    for row in by_building:
        values = found.setdefault(str(row["building"]), {})
        for key, value in row.items():
            if key not in ("building", "date") and value is not None:
                values[f"sun_{row['date']}_{key}"] = round(value, 4) if isinstance(value, float) else value
    place = run.site.settings.site
    write_city(
        path,
        frame=scene.frame,
        buildings=[
            replace(thing, attributes={**thing.attributes, **found[thing.id]})
            for thing in (*scene.buildings, *scene.proposed)
            if thing.id in found
        ],
        metadata={"title": place.name, "synthetic": place.synthetic},
    )
    return path


def _models(
    folder: Path,
    run: StudyRun,
    scene: Scene,
    found: tuple[FaceSamples, FaceSun, FaceSun | None],
    new: tuple[FaceSamples | None, FaceSun | None],
) -> list[Path]:
    """The cells in the colours of their hours, for each date and state, as GLB."""
    samples, before, after = found
    files: list[Path] = []
    place = run.site.settings.site
    longest = {name: float(max(hours.max(initial=0.0), 1.0)) for name, hours in before.hours.items()}
    for name in before.hours:
        ramp = palette.hours_ramp(longest[name])
        change = palette.change_ramp(palette.class_width(longest[name]))
        states: dict[str, list[tuple[FaceSamples, NDArray[np.float32]]]] = {
            "existing": [(samples, before.hours[name])]
        }
        if after is not None:
            states["proposed"] = [(samples, after.hours[name])]
            if new[0] is not None and new[1] is not None:
                states["proposed"].append((new[0], new[1].hours[name]))
            states["difference"] = [(samples, after.hours[name] - before.hours[name])]
        for state, parts in states.items():
            paint = change if state == "difference" else ramp
            classes = [
                {"from_h": low, "colour": "#{:02x}{:02x}{:02x}".format(*colour)}
                for low, colour in zip(paint.limits, paint.colours, strict=True)
            ]
            about = {
                "site": place.name,
                "scenario": scene.scenario,
                "scene_hash": scene.hash,
                "quantity": f"hours of sun, {name}, {state}",
                "classes": classes,
                "attribution": place.attribution,
                "synthetic": place.synthetic,
            }
            vertices, faces, colours = painted(parts, paint)
            if len(faces):
                path = folder / state / f"hours-{name}.glb"
                files += write_painted_glb(path, vertices, faces, colours, Placement(scene.frame, about))
    return files


def painted(
    parts: Sequence[tuple[FaceSamples, NDArray[np.float32]]], ramp: palette.Ramp
) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.uint8]]:
    """Cells as triangles with the colour of their value: vertices, faces, RGBA of each vertex."""
    vertices: list[NDArray[np.float64]] = []
    faces: list[NDArray[np.int32]] = []
    colours: list[NDArray[np.uint8]] = []
    count = 0
    for samples, values in parts:
        rgba = ramp.paint(values[None, :])[0]
        for k, cell in enumerate(samples.cells):
            if cell is None:
                continue
            triangles = triangulate_surface(cell, (tuple(range(len(cell))),))
            vertices.append(cell)
            faces.append(triangles + count)
            colours.append(np.broadcast_to(rgba[k], (len(cell), 4)))
            count += len(cell)
    if not faces:
        return np.zeros((0, 3)), np.zeros((0, 3), np.int32), np.zeros((0, 4), np.uint8)
    return np.concatenate(vertices), np.concatenate(faces).astype(np.int32), np.concatenate(colours)
