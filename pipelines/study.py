"""Studies of a site: existing, proposed and difference, as rasters, tables, plates and a manifest."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines import sheets
from pipelines.areas import ByArea, judge, partly_studied, read_areas, write_areas
from pipelines.build import load
from pipelines.config import (
    FacesStudySettings,
    SkyStudySettings,
    StudySettings,
    SunlightStudySettings,
    read_toml,
)
from pipelines.config_views import (
    ExposureStudySettings,
    PictureStudySettings,
    PointStudySettings,
    ViewshedStudySettings,
)
from pipelines.console import Reporter, Ticker
from pipelines.exposure import exposure_study
from pipelines.faces import faces_study, sun_days, weather_of
from pipelines.keeper import Keeper
from pipelines.pictures import picture_study, views_input
from pipelines.places import eye_place, eyes_within, inside_buildings, study_grid
from pipelines.points import point_study
from pipelines.profiles import about, profile_path
from pipelines.propose import scene_of
from pipelines.provenance import Step, forget, is_done, mark_done, step, versions
from pipelines.render import chosen_views, photo_input
from pipelines.sight_sheets import sight_sheets, write_observers
from pipelines.site import EXISTING, Site
from pipelines.studyrun import StudyRun
from pipelines.tables import write_csv
from twin.errors import InputError
from twin.io.atomic import plain, replacing, sha256_file, write_json
from twin.io.geotiff import write_cog
from twin.model.raster import Raster
from twin.model.results import SkyResult, SunlightResult, ViewshedResult
from twin.model.scene import Scene
from twin.study.change import proposed_sun
from twin.study.compare import Comparison, compare, sky_table, sunlight_table, viewshed_table
from twin.study.picture import Picture
from twin.study.sky import SkySettings, sky_on_ground
from twin.study.sunlight import GroundSun
from twin.study.suns import SunlightSettings, plate_instants, spans_of
from twin.study.viewshed import ViewshedSettings, viewshed
from twin.study.watch import Progress
from twin.visibility.caster import DeviceChoice, choose_device
from viewers.animation import find_ffmpeg
from viewers.words import word

GroundSettings = SunlightStudySettings | ViewshedStudySettings | SkyStudySettings
OWN_FORM = FacesStudySettings | ExposureStudySettings | PointStudySettings | PictureStudySettings
"""Studies that write their results themselves."""
STATES = ("existing", "proposed", "difference")


def run_studies(
    site: Site,
    study_ids: list[str] | None,
    reporter: Reporter,
    device: DeviceChoice = "auto",
    workers: int = 1,
) -> list[Path]:
    """Run the named studies (all where None) for their scenarios; those already up to date are left.

    Returns
    -------
    The folders of results.

    Raises
    ------
    InputError
        Unknown study or scenario, a standpoint outside the terrain, a date that cannot be used.
    """
    ids = study_ids or list(site.study_files())
    if not ids:
        raise InputError(f"{site.folder / 'studies'}: no study there; `twin init` writes a first one")
    settings = {name: site.study(name) for name in ids}
    run = StudyRun(site, load(site), choose_device(device), workers, reporter)
    for name in ids:
        check_means(replace(run, study_id=name), settings[name])
    folders = []
    for name in ids:
        folders.extend(run_study(run, name, settings[name]))
    return folders


def check_means(run: StudyRun, settings: StudySettings) -> None:
    """What a study needs on the way must be there at its start: files, steps that fit, ffmpeg, weather of this place.

    Raises
    ------
    MissingDependencyError
        MP4 is asked for and there is no ffmpeg on the path.
    InputError
        Days that cannot be sampled so, a weather file that cannot be used; names the study's file.
    """
    if isinstance(settings, SunlightStudySettings) and settings.animation == "mp4":
        find_ffmpeg()
    if isinstance(settings, PictureStudySettings):
        for name, view in chosen_views(run.site, settings.views).items():
            photo_input(run.site, name, view)
            if view.walk is not None and view.walk.animation == "mp4":
                find_ffmpeg()
    for key in ("areas", "public", "windows"):
        named = getattr(getattr(settings, key, None), "file", None)
        if named and not run.site.path(named).is_file():
            raise InputError(f"{run.file}: key '{key}.file': no such file: {run.site.path(named)}")
    key = ""
    try:
        if isinstance(settings, SunlightStudySettings | FacesStudySettings):
            spans_of(sun_days(run.site, settings), run.base.scene.frame)
        if isinstance(settings, FacesStudySettings):
            key = "key 'irradiation': "
            weather_of(run, settings)
    except InputError as error:
        raise InputError(f"{run.file}: {key}{error}") from None


def run_study(run: StudyRun, study_id: str, settings: StudySettings) -> list[Path]:
    """One study for each of its scenarios; for the existing state alone where it names none."""
    run = replace(run, study_id=study_id)
    scenarios = list(dict.fromkeys(settings.scenarios)) or [EXISTING]
    folders, known = [], Known()
    for scenario_id in scenarios:
        folder = run.site.out / "studies" / study_id / scenario_id
        folders.append(folder)
        scene = scene_of(run.site, run.base.scene, scenario_id)
        made = study_step(run, study_id, scenario_id, settings, scene)
        if is_done(run.site.out, made):
            run.reporter.say(f"study {study_id} / {scenario_id}: up to date")
            continue
        forget(run.site.out, made.name)
        keeper = Keeper(run.site.out / "studies" / ".unfinished", Ticker())
        with replacing(folder) as fresh:
            files = write_one(run, settings, scene, (fresh, made, keeper), known)
        mark_done(run.site.out, made, [folder / file.relative_to(fresh) for file in files])
        keeper.drop()
    return folders


def write_one(
    run: StudyRun,
    settings: StudySettings,
    scene: Scene,
    out: tuple[Path, Step, Keeper],
    known: Known,
) -> list[Path]:
    """One study of one scenario, into a folder of its own; gives the files."""
    folder, made, keeper = out
    title = f"Study {run.study_id}, {scene.scenario}"
    if isinstance(settings, OWN_FORM):
        with run.reporter.step(title) as tick:
            keeper.tick = tick
            if isinstance(settings, FacesStudySettings):
                return faces_study(run, settings, scene, folder, made, keeper)
            if isinstance(settings, ExposureStudySettings):
                return exposure_study(run, settings, scene, folder, made, keeper)
            if isinstance(settings, PictureStudySettings):
                return picture_study(run, settings, scene, (folder, made, tick), known.pictures)
            return point_study(run, settings, scene, folder, made, tick)
    areas, by_area = read_areas(run, settings, scene.frame), None
    with run.reporter.step(title) as tick:
        keeper.tick = tick
        comparison = solve(run, settings, scene, known, keeper)
    if isinstance(settings, SunlightStudySettings):
        for day in sunless_days(comparison):
            limit = f"{settings.min_altitude_deg:g} degrees"
            run.reporter.warn(f"{run.file}: {day}: the sun never stands above {limit}, all hours are 0")
    if areas is not None and isinstance(settings, SunlightStudySettings) and settings.areas is not None:
        by_area = judge(areas, settings.areas, comparison, known.covers)
        for name in partly_studied(by_area):
            run.reporter.warn(f"area {name}: reaches beyond the study, no verdict")
    with run.reporter.step(f"Plates of {run.study_id}, {scene.scenario}") as tick:
        return write_study(run, settings, scene, (comparison, by_area), folder, made, tick)


def sunless_days(comparison: Comparison) -> list[str]:
    """Days and periods in which no sun counts: polar night, or a least altitude that the sun never reaches."""
    result = comparison.existing
    if not isinstance(result, SunlightResult):
        return []
    return [name for name, day in result.method["days"].items() if not float(day["longest_h"]) > 0]


def study_step(run: StudyRun, study_id: str, scenario_id: str, settings: StudySettings, scene: Scene) -> Step:
    """What a study's results depend on."""
    inputs = {"base": run.base.scene.hash, "scenario": scene.hash}
    area = getattr(settings, "area", None)
    if area is not None and isinstance(area.ring, str):
        path = run.site.folder / area.ring.partition("#")[0]
        inputs["area"] = sha256_file(path) if path.is_file() else "missing"
    within = getattr(settings, "within", None)
    if within is not None and isinstance(within.ring, str):
        path = run.site.folder / within.ring.partition("#")[0]
        inputs["within"] = sha256_file(path) if path.is_file() else "missing"
    if isinstance(settings, SunlightStudySettings) and settings.areas is not None:
        path = run.site.path(settings.areas.file)
        inputs["areas"] = sha256_file(path) if path.is_file() else "missing"
    if isinstance(settings, ExposureStudySettings) and settings.public is not None:
        path = run.site.path(settings.public.file)
        inputs["public"] = sha256_file(path) if path.is_file() else "missing"
    profile = getattr(settings, "profile", None)
    if profile is not None:
        inputs["profile"] = sha256_file(profile_path(profile, run.site.folder))
    if isinstance(settings, FacesStudySettings) and settings.irradiation not in (None, "clear-sky"):
        path = run.site.path(str(settings.irradiation))
        inputs["weather"] = sha256_file(path) if path.is_file() else "missing"
    if isinstance(settings, FacesStudySettings) and settings.windows is not None and settings.windows.file:
        path = run.site.path(settings.windows.file)
        inputs["windows"] = sha256_file(path) if path.is_file() else "missing"
    site = run.site.settings.site.model_dump(mode="json", include=SHEET_KEYS)
    values = {"study": settings.model_dump(mode="json"), "site": site}
    if isinstance(settings, PictureStudySettings):
        values["views"] = views_input(run.site, settings)
    return step(f"study-{study_id}-{scenario_id}", inputs, values, run.device.label)


SHEET_KEYS = {"name", "timezone", "language", "attribution", "synthetic"}
"""Settings of the site that a sheet shows."""


@dataclass(slots=True)
class Known:
    """The existing state of a study, kept for its next scenario."""

    sun: GroundSun | None = None
    sight: tuple[ViewshedSettings, ViewshedResult] | None = None
    sky: SkyResult | None = None
    pictures: dict[str, Picture] = field(default_factory=dict)
    covers: Any = None
    """What the study covers in plan, local space."""


def solve(run: StudyRun, settings: GroundSettings, scene: Scene, known: Known, tick: Progress) -> Comparison:
    """Existing, proposed and difference of one study."""
    grid, mask, known.covers = study_grid(run, settings.area, settings.cell_size_m, scene)
    base = run.base.scene
    after = None if scene.scenario == EXISTING else scene
    if isinstance(settings, SunlightStudySettings):
        if known.sun is None:
            asked = sunlight_settings(run.site, settings)
            known.sun = GroundSun(base, grid, asked, run.device, run.threads, mask, tick)
        study = known.sun
        study.progress = tick
        return compare(lambda state: proposed_sun(study, state), base, after, study.existing)
    if isinstance(settings, SkyStudySettings):
        asked_sky = SkySettings(
            settings.engine, settings.trees, settings.directions, settings.sample_height_m
        )

        def solve_sky(state: Scene) -> SkyResult:
            return sky_on_ground(state, grid, asked_sky, run.device, run.threads, mask, tick)

        seen = compare(solve_sky, base, after, known.sky)
        known.sky = seen.existing if isinstance(seen.existing, SkyResult) else None
        return seen
    sight_settings = viewshed_settings(run, settings, scene)

    def solve_sight(state: Scene) -> ViewshedResult:
        return viewshed(
            state, grid, sight_settings, device=run.device, threads=run.threads, mask=mask, progress=tick
        )

    # Standpoints that a scenario builds upon are none in either of its states.
    same = known.sight[1] if known.sight is not None and known.sight[0] == sight_settings else None
    found = compare(solve_sight, base, after, same)
    if isinstance(found.existing, ViewshedResult):
        known.sight = (sight_settings, found.existing)
    return found


def sunlight_settings(site: Site, settings: SunlightStudySettings) -> SunlightSettings:
    """The study's settings as the library takes them."""
    return replace(
        sun_days(site, settings),
        sample_height_m=settings.sample_height_m,
        plates_solar_h=tuple(settings.plates_solar_h),
        plates_legal=tuple(settings.plates_legal),
        plates_every_min=0.0 if settings.animation == "none" else settings.animation_every_min,
        trees=settings.trees,
        engine=settings.engine,
        runs=settings.runs,
    )


def viewshed_settings(run: StudyRun, settings: ViewshedStudySettings, scene: Scene) -> ViewshedSettings:
    """The study's settings as the library takes them, with the observers in local space.

    Of the eyes all over an area, those in buildings of either state are left out; others are warned of.
    """
    eyes = [eye_place(run, eye, f"observer {k + 1}") for k, eye in enumerate(settings.eyes)]
    for number in np.flatnonzero(_built_on(run, scene, eyes)):
        run.reporter.warn(
            f"{run.file}: observer {number + 1} stands in a building, existing or of {scene.scenario}"
        )
    if settings.within is not None:
        places = [eye_place(run, eye, "within") for eye in eyes_within(run, settings.within)[0]]
        free = [place for place, off in zip(places, _built_on(run, scene, places), strict=True) if not off]
        if not free and not eyes:
            raise InputError(f"{run.file}: key 'within': all of {len(places)} eyes stand in buildings")
        eyes += free
    frame = run.base.scene.frame
    sector = settings.sector_true_deg
    return ViewshedSettings(
        observer=eyes[0],
        sector=None if sector is None else (frame.azimuth_grid(sector[0]), frame.azimuth_grid(sector[1])),
        bare=settings.bare_ground,
        target_height_m=settings.target_height_m,
        max_distance_m=settings.max_distance_m,
        curvature=settings.curvature,
        refraction_k=settings.refraction_k,
        trees=settings.trees,
        more=tuple(eyes[1:]),
        engine=settings.engine,
        near_m=settings.near_m,
        crowns=settings.crowns,
    )


def _built_on(run: StudyRun, scene: Scene, eyes: list[tuple[float, float, float]]) -> NDArray[np.bool_]:
    """Which eyes stand in a building of the existing state or of the scenario's."""
    places = np.array(eyes, dtype=np.float64).reshape(-1, 3)
    return inside_buildings(run.base.scene, places) | inside_buildings(scene, places)


def write_study(
    run: StudyRun,
    settings: StudySettings,
    scene: Scene,
    found: tuple[Comparison, ByArea | None],
    folder: Path,
    made: Step,
    tick: Ticker,
) -> list[Path]:
    """Rasters, tables, plates and manifest of one study and scenario; gives the files."""
    comparison, by_area = found
    existing, proposed = run.base.scene.hash, scene.hash
    scenes = {"existing": existing, "proposed": proposed, "difference": f"{proposed} - {existing}"}
    files: list[Path] = []
    frames = frames_only(run, settings)
    for state in STATES:
        tags = {"TWIN_STEP": made.key, "TWIN_SCENE": scenes[state], "TWIN_DEVICE": run.device.label}
        for name, (raster, unit, text) in rasters_of(comparison, state).items():
            if name in frames:
                continue
            path = folder / state / f"{name}.tif"
            write_cog(path, raster, tags=tags, description=text, unit=unit)
            files.append(path)
    rows = table_rows(comparison)
    table = folder / "table.csv"
    write_csv(table, rows)
    files.append(table)
    if by_area is not None:
        files.extend(write_areas(folder, by_area, scene.frame))
    outlines = {} if by_area is None else dict(by_area.areas.outlines)
    if isinstance(settings, ViewshedStudySettings) and settings.within is not None:
        outlines[word("standpoints", run.site.settings.site.language)] = eyes_within(run, settings.within)[1]
    context = sheets.SheetContext(
        run.site, run.base, scene, run.device.label, run.study_id, settings, outlines
    )
    plates = folder / "plates"
    with tempfile.TemporaryDirectory() as temporary:
        film = sheets.Frames(frames, Path(temporary))
        if isinstance(settings, ViewshedStudySettings):
            files.append(write_observers(folder / "observers.gpkg", comparison, scene.frame))
            seen = sight_sheets(context, comparison)
            files.extend(sheets.draw_sheets(context, seen, plates, tick, run.threads, film))
        else:
            files.extend(sheets.write_sheets(context, comparison, plates, tick, run.threads, film))
        if isinstance(settings, SunlightStudySettings) and settings.animation != "none":
            files.extend(sheets.write_animations(comparison, plates, film, settings.animation))
    manifest = folder / "manifest.json"
    record = manifest_of(run, settings, scene, comparison, made, (folder, files))
    if by_area is not None:
        record["areas"] = {
            "rows": plain(by_area.rows),
            "left_out": by_area.areas.left_out,
            "error_h": by_area.error_h,
            "rule": rule_words(settings),
        }
    write_json(manifest, record)
    return [*files, manifest]


def frames_only(run: StudyRun, settings: StudySettings) -> frozenset[str]:
    """Names of the instants that a moving picture asks for and no plate."""
    if not isinstance(settings, SunlightStudySettings) or settings.animation == "none":
        return frozenset()
    asked = sunlight_settings(run.site, settings)
    frame = run.base.scene.frame
    every = {sheets.instant_name(sun) for sun in plate_instants(frame, asked)}
    plates = {sheets.instant_name(sun) for sun in plate_instants(frame, replace(asked, plates_every_min=0.0))}
    return frozenset(every - plates)


def rule_words(settings: StudySettings) -> dict[str, Any]:
    """The rule of named areas as it was applied."""
    if not isinstance(settings, SunlightStudySettings) or settings.areas is None:
        return {}
    rule = settings.areas.model_dump(include={"at_least_h", "share", "kept"})
    return {
        **rule,
        "operator": ">=",
        "tie": "a cell that reaches the limit to 0.0001 h has reached it",
        "too_close_to_call": "the stated error of the hours of each cell may turn the share",
    }


def rasters_of(comparison: Comparison, state: str) -> dict[str, tuple[Raster, str, str]]:
    """Rasters of one state by file name: values, unit, description."""
    found: dict[str, tuple[Raster, str, str]] = {}
    if state == "difference":
        for name, raster in comparison.difference.items():
            found[name.replace("_", "-")] = (raster, unit_of(name), f"proposed - existing: {name}")
        return found
    result = getattr(comparison, state)
    if isinstance(result, SunlightResult):
        for date, raster in result.hours.items():
            found[f"hours-{date}"] = (raster, "h", f"hours of sun, {date}")
        for name, raster in result.least.items():
            found[f"least-{name}"] = (raster, "h", f"hours of sun of the day with the least, {name}")
        for date, runs in result.runs.items():
            found[f"longest-{date}"] = (runs.longest, "h", f"longest time of sun without a break on {date}")
            found[f"first-{date}"] = (runs.first, "h", f"first sun on {date}, legal time")
            found[f"last-{date}"] = (runs.last, "h", f"last sun on {date}, legal time")
        for instant, raster in result.plates:
            found[f"sun-{instant.utc:%Y-%m-%dT%H%MZ}"] = (raster, "", "1 lit, 0 in shadow")
    elif isinstance(result, SkyResult):
        for name, raster in result.factors.items():
            found[name.replace("_", "-")] = (raster, "", f"{name}: share of the sky that is seen, 0 to 1")
    elif isinstance(result, ViewshedResult):
        found["visible"] = (result.visible, "", "1 visible, 0 hidden")
        if result.seen_by is not None:
            found["seen-by"] = (result.seen_by, "", "number of observers that see the cell")
        if result.through is not None:
            found["through-crowns"] = (
                result.through,
                "",
                "share of sight that passes the crowns before it, 0 to 1",
            )
        if result.least is not None:
            found["least-height"] = (
                result.least,
                "m",
                "least height above ground at which something is seen",
            )
    return found


def unit_of(name: str) -> str:
    """Unit of a result by its name."""
    if name == "least_height":
        return "m"
    return "h" if name.startswith(("hours-", "longest-", "first-", "last-", "least-")) else ""


def table_rows(comparison: Comparison) -> list[Mapping[str, Any]]:
    """Statistics of a study, one row per date or observer."""
    if isinstance(comparison.existing, SunlightResult):
        return list(sunlight_table(comparison))
    if isinstance(comparison.existing, SkyResult):
        return list(sky_table(comparison))
    return list(viewshed_table(comparison))


def manifest_of(
    run: StudyRun,
    settings: StudySettings,
    scene: Scene,
    comparison: Comparison,
    made: Step,
    written: tuple[Path, list[Path]],
) -> dict[str, Any]:
    """The record of a study: method, provenance, results and the hashes of the files in its folder."""
    folder, files = written
    frame = scene.frame
    states = {s: getattr(comparison, s) for s in ("existing", "proposed")}
    plates = []
    if isinstance(comparison.existing, SunlightResult):
        for instant, _ in comparison.existing.plates:
            plates.append(
                {
                    "utc": f"{instant.utc:%Y-%m-%dT%H:%M:%SZ}",
                    "legal": instant.legal.isoformat(timespec="seconds"),
                    "solar_h": round(instant.solar_hour, 4),
                    "altitude_true_deg": round(instant.altitude_deg, 4),
                    "azimuth_true_deg": round(instant.azimuth_true_deg, 4),
                    "azimuth_grid_deg": round(instant.azimuth_grid_deg, 4),
                }
            )
    value = {
        "study": run.study_id,
        "kind": settings.kind,
        "site": run.site.settings.site.name,
        "synthetic": run.site.settings.site.synthetic,
        "scenario": scene.scenario,
        "scene_hash": {"existing": run.base.scene.hash, "proposed": scene.hash},
        "frame": {
            "crs": frame.crs_name,
            "heights": frame.vertical,
            "convergence_deg": round(frame.convergence_deg, 6),
        },
        "settings": settings.model_dump(mode="json"),
        "profile": about(getattr(settings, "profile", None), run.site.folder, read_toml),
        "method": {s: plain(dict(r.method)) for s, r in states.items() if r is not None},
        "device": run.device.label,
        "plates": plates,
        "table": [plain(dict(row)) for row in table_rows(comparison)],
        "files": {f.relative_to(folder).as_posix(): sha256_file(f) for f in sorted(files)},
        "provenance": {"step": made.key, "inputs": plain(made.record)["inputs"], "versions": versions()},
    }
    checked: dict[str, Any] = plain(value)
    return checked
