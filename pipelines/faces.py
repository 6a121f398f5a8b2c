"""Studies of façades and roofs: tables by surface and building, samples, coloured models, before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import shapely

from pipelines.config import FacesStudySettings, SunDays, read_toml
from pipelines.face_outputs import FacesFound, write_buildings, write_layers, write_models
from pipelines.face_rows import building_rows, surface_rows
from pipelines.face_rules import Rules, asked_rules, limit_words
from pipelines.face_sheets import write_face_sheets
from pipelines.face_windows import window_tables, window_words
from pipelines.inputs import area_polygon
from pipelines.keeper import Keeper
from pipelines.profiles import about
from pipelines.provenance import Step, versions
from pipelines.sheets import SheetContext
from pipelines.site import EXISTING, Site
from pipelines.studyrun import StudyRun
from pipelines.tables import write_csv
from twin.buildings.outline import building_footprint
from twin.errors import InputError
from twin.io.atomic import plain, sha256_file, write_json
from twin.model.scene import Scene
from twin.study.areas import day_error_h
from twin.study.facades import FaceAsk, FaceSamples, FaceSun, outside, sample_faces, sun_on_faces
from twin.study.occluders import face_table
from twin.study.precision import FINER_STEP_MIN, sky_precision, sun_precision
from twin.study.probable import Sunshine, sunshine_of
from twin.study.suns import Day, Foliage, Period, SunlightSettings, spans_of, sun_method
from twin.study.watch import Progress
from twin.sun.weather import Weather, clear_sky_year, read_epw
from twin.visibility.caster import make_caster


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


@dataclass(frozen=True, slots=True)
class _Solver:
    """Samples and answers of one study."""

    run: StudyRun
    settings: FacesStudySettings
    asked: SunlightSettings
    ask: FaceAsk
    tick: Progress

    def samples_of(self, state: Scene, names: Sequence[str]) -> FaceSamples:
        """Samples of some buildings that do not lie inside another solid."""
        settings = self.settings
        kinds = [kind for kind, wanted in (("wall", settings.walls), ("roof", settings.roofs)) if wanted]
        found = sample_faces(state, names, settings.spacing_m, settings.window_lines_m, kinds)
        table = face_table(state, trees=False, coverings=False)
        caster = make_caster(table.triangles(), self.run.device, self.run.threads)
        try:
            return outside(found, table, caster)
        finally:
            caster.close()

    def solved(self, state: Scene, samples: FaceSamples) -> FaceSun:
        """Sun and sky of samples in a state."""
        run = self.run
        return sun_on_faces(state, samples, self.asked, run.device, run.threads, self.ask, self.tick)

    def found(self, scene: Scene) -> FacesFound:
        """Before, after, and what is new."""
        base = self.run.base.scene
        samples = self.samples_of(base, neighbours(self.run, self.settings, scene))
        before = self.solved(base, samples)
        after = self.solved(scene, samples) if scene.scenario != EXISTING else None
        new_ids = [thing.id for thing in scene.proposed]
        new = self.samples_of(scene, new_ids) if new_ids else None
        new_sun = self.solved(scene, new) if new is not None else None
        return FacesFound(base, scene, samples, before, after, new, new_sun)

    def rules(self, samples: FaceSamples) -> Rules:
        """The rules that apply, with the errors of their metrics as measured on some samples."""
        rules, skipped = asked_rules(self.settings, samples)
        error: dict[str, float] = {}
        run, base = self.run, self.run.base.scene
        if "vsc" in rules:
            count, trees = self.settings.sky_directions, self.settings.trees
            error["vsc"] = sky_precision(base, samples, count, trees, run.device, run.threads)
        months = self.settings.sunshine_probability
        if self.ask.sunshine is not None and months is not None and {"apsh", "wpsh"} & set(rules):
            zone = run.site.settings.site.timezone
            fine = sunshine_of(
                self.settings.irradiation_year, tuple(months), base.frame, zone, FINER_STEP_MIN
            )
            suns = (self.ask.sunshine, fine)
            year, winter = sun_precision(base, samples, self.asked, suns, run.device, run.threads)
            error |= {"apsh": year, "wpsh": winter}
        south = {
            name: rule.within_south_deg
            for name, rule in (("apsh", self.settings.apsh), ("wpsh", self.settings.wpsh))
            if rule is not None and name in rules
        }
        return Rules(rules, error, south, skipped)


def faces_study(
    run: StudyRun, settings: FacesStudySettings, scene: Scene, folder: Path, made: Step, tick: Keeper
) -> list[Path]:
    """Solve and write one study of façades and roofs for a scenario; gives the files."""
    if not (settings.walls or settings.roofs):
        raise InputError(f"{run.site.folder / 'studies'}: key 'walls': neither walls nor roofs are asked for")
    asked = sun_days(run.site, settings)
    ask = FaceAsk(
        settings.sky_directions, weather_of(run, settings), shining(run, settings), settings.diffuse
    )
    solver = _Solver(run, settings, asked, ask, tick)
    found = solver.found(scene)
    rules = solver.rules(found.samples)
    tables = window_tables(run, settings, found, solver.solved, asked, rules)
    rows = surface_rows(scene, found.samples, found.before, found.after, settings, rules)
    if found.new is not None and found.new_sun is not None:
        rows += surface_rows(scene, found.new, None, found.new_sun, settings, rules)
    by_building = building_rows(rows)
    files = [folder / "surfaces.csv", folder / "buildings.csv"]
    write_csv(files[0], list(rows))
    write_csv(files[1], list(by_building))
    if tables is not None:
        files += [folder / "windows.csv", folder / "rooms.csv"]
        write_csv(files[2], list(tables.windows))
        write_csv(files[3], list(tables.rooms))
    files += write_layers(folder, found, by_building)
    files.append(write_buildings(folder / "buildings.city.json", run, scene, by_building))
    files += write_models(folder, run, found)
    spans = spans_of(asked, scene.frame)
    far = found.base.terrain.far is not None
    method = {**sun_method(asked, spans, run.device, far), **found.before.method}
    context = SheetContext(run.site, run.base, scene, run.device.label, folder.parent.name, settings)
    files += write_face_sheets(context, found, method, folder / "plates", run, tick.tick, rows)
    record = {
        "kind": settings.kind,
        "site": run.site.settings.site.name,
        "synthetic": run.site.settings.site.synthetic,
        "scenario": scene.scenario,
        "scene_hash": {"existing": found.base.hash, "proposed": scene.hash},
        "settings": settings.model_dump(mode="json"),
        "method": method,
        "error_h": {span.name: day_error_h(span.step_min) for span in spans},
        "profile": about(settings.profile, run.site.folder, read_toml),
        "limit": None if settings.limit is None else limit_words(settings),
        "rules": rules.words(),
        "windows": window_words(settings, tables),
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
    where = f"{run.file}: key 'area.ring'"
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
