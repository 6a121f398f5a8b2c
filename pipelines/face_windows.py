"""Windows and rooms of a study of façades: read, placed, counted together, judged, written as tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.config import FacesStudySettings
from pipelines.config_faces import WindowsSettings
from pipelines.face_outputs import FacesFound
from pipelines.face_rows import ROUNDING_H, sky_columns
from pipelines.face_rules import Rules
from pipelines.studyrun import StudyRun
from twin.errors import InputError
from twin.io.point_layers import PointFeature, read_points
from twin.model.scene import Scene
from twin.study.areas import day_error_h
from twin.study.compare import Row
from twin.study.facades import FaceSamples, FaceSun
from twin.study.rules import level_of
from twin.study.suns import SunlightSettings
from twin.study.windows import Opening, Placed, RoomSun, place_openings, rooms_sun, window_samples

ROOM_METHOD = (
    "a room is lit while at least one of its windows is: hours of several windows are added where they are not "
    "simultaneous; windows count by their middle on the outer plane of the façade"
)


@dataclass(frozen=True, slots=True)
class WindowTables:
    """Rows of windows.csv and rooms.csv."""

    windows: list[Row]
    rooms: list[Row]


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """Windows that stand in the same states, with their samples and sun in each."""

    placed: tuple[Placed, ...]
    samples: FaceSamples
    before: FaceSun | None
    after: FaceSun | None


def read_openings(run: StudyRun, settings: WindowsSettings) -> tuple[list[Opening], list[Placed]]:
    """The windows of a study, and those that cannot be used with their reasons.

    Raises
    ------
    InputError
        No such file, layer or field, no window at all.
    """
    frame, where = run.base.scene.frame, f"{run.site.folder / 'studies'}: key 'windows"
    openings: list[Opening] = []
    failed: list[Placed] = []
    for k, point in enumerate(settings.points):
        x, y = frame.to_local(np.array([[point.east, point.north]]))[0]
        above = point.above_ground_m is not None
        height = point.above_ground_m if point.above_ground_m is not None else point.height_m
        name = point.id or f"window-{k + 1}"
        openings.append(Opening(name, point.room, float(x), float(y), float(height or 0.0), above))
    if settings.file is not None:
        path = run.site.path(settings.file)
        if not path.is_file():
            raise InputError(f"{where}.file': no such file: {path}")
        accuracy = run.site.settings.site.accepted_accuracy_m
        points = read_points(
            path, frame, layer=settings.layer, crs_text=settings.crs, accepted_accuracy_m=accuracy
        )
        fields = dict.fromkeys(name for point in points for name in point.attributes)
        for key in ("label", "id", "height"):
            name_ = getattr(settings, key)
            if points and name_ is not None and name_ not in fields:
                raise InputError(
                    f"{where}.{key}': {path} has no field {name_!r}; it has: {', '.join(fields) or 'no fields'}"
                )
        for point_ in points:
            made = _opening(point_, settings)
            (failed if isinstance(made, Placed) else openings).append(made)  # type: ignore[arg-type]
    if not openings and not failed:
        raise InputError(f"{where}.file': {run.site.path(settings.file or '')} holds no point")
    names = [o.id for o in openings]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{where}.id': two windows are named {twice[0]!r}")
    return openings, failed


def _opening(point: PointFeature, settings: WindowsSettings) -> Opening | Placed:
    values = point.attributes
    name = str(values[settings.id]) if settings.id and values.get(settings.id) is not None else ""
    room = values.get(settings.label)
    height = point.z if settings.height is None else values.get(settings.height)
    made = Opening(
        name or f"feature-{point.fid}",
        "" if room is None else str(room),
        point.x,
        point.y,
        float(height) if isinstance(height, int | float) else 0.0,
        settings.height is not None,
    )
    if point.problem:
        return Placed(made, reason=point.problem)
    if not made.room:
        return Placed(made, reason=f"field {settings.label} is empty")
    if not isinstance(height, int | float):
        what = (
            f"field {settings.height} holds no number"
            if settings.height
            else "has no z, and no field of heights"
        )
        return Placed(made, reason=what)
    return made


def window_tables(
    run: StudyRun,
    settings: FacesStudySettings,
    found: FacesFound,
    solved: Callable[[Scene, FaceSamples], FaceSun],
    asked: SunlightSettings,
    rules: Rules,
) -> WindowTables | None:
    """Windows and rooms of a study before and after; None where it names no windows."""
    if settings.windows is None:
        return None
    openings, failed = read_openings(run, settings.windows)
    groups, bad = _grouped(run, settings.windows, found, openings, solved)
    windows = [row for group in groups for row in _window_rows(found, group, rules)]
    blank = dict.fromkeys(windows[0] if windows else ())
    windows += [{**blank, **_where(found.scene, p, None), "reason": p.reason} for p in (*failed, *bad)]
    suns: list[dict[str, dict[str, RoomSun]]] = []
    for state, scene in (("before", found.base), ("after", found.scene)):
        parts = [group for group in groups if getattr(group, state) is not None]
        names = [p.opening.room for group in parts for p in group.placed]
        samples = _joined([group.samples for group in parts])
        sun = rooms_sun(scene, samples, names, asked, run.device, run.threads) if samples else {}
        suns.append({room: dict(by_span) for room, by_span in sun.items()})
    return WindowTables(windows, _room_rows(settings, groups, [*failed, *bad], (suns[0], suns[1]), found))


def _grouped(
    run: StudyRun,
    settings: WindowsSettings,
    found: FacesFound,
    openings: Sequence[Opening],
    solved: Callable[[Scene, FaceSamples], FaceSun],
) -> tuple[list[_Group], list[Placed]]:
    """Windows on what stays, on what goes and on what comes, solved; and those without a façade."""
    two = found.after is not None
    gone = set(found.scene.removed)
    samples, placed = window_samples(
        found.base, place_openings(found.base, openings, settings.max_distance_m), run.device, run.threads
    )
    good = [p for p in placed if not p.reason]
    groups, bad = [], [p for p in placed if p.reason]
    removed = np.array([p.surface is not None and p.surface.building in gone for p in good], dtype=bool)
    for mask, after in ((~removed, two), (removed, False)):
        if mask.any():
            part = samples.only(mask)
            own = tuple(p for p, kept in zip(good, mask, strict=True) if kept)
            states = solved(found.base, part), solved(found.scene, part) if after else None
            groups.append(_Group(own, part, *states))
    if two and found.scene.proposed and bad:
        again = place_openings(found.scene, [p.opening for p in bad], settings.max_distance_m)
        new_samples, again = window_samples(found.scene, again, run.device, run.threads)
        new = [p for p in again if not p.reason]
        if new:
            groups.append(_Group(tuple(new), new_samples, None, solved(found.scene, new_samples)))
        bad = [p for p in again if p.reason]
    return groups, bad


def _joined(parts: Sequence[FaceSamples]) -> FaceSamples | None:
    """Samples of several groups as one, without their surfaces."""
    if not parts:
        return None
    points, normals = (np.concatenate([getattr(p, k) for p in parts]) for k in ("points", "normals"))
    count = len(points)
    none = np.zeros(count)
    return FaceSamples((), none.astype(np.int32), points, normals, none, none, (None,) * count)


def _where(scene: Scene, placed: Placed, normal: NDArray[np.float64] | None) -> Row:
    """What the table says of a window's place."""
    opening, surface, point = placed.opening, placed.surface, placed.point
    at = (opening.x, opening.y) if point is None else point[:2]
    east, north = scene.frame.to_world(np.array([at]))[0]
    azimuth = None if normal is None or surface is None else surface.azimuth_grid_deg
    return {
        "window": opening.id,
        "room": opening.room,
        "building": None if surface is None else surface.building,
        "azimuth_true_deg": None if azimuth is None else scene.frame.azimuth_true(azimuth),
        "east_m": float(east),
        "north_m": float(north),
        "height_m": None if point is None else point[2],
        "moved_m": placed.moved_m,
    }


def _window_rows(found: FacesFound, group: _Group, rules: Rules) -> list[Row]:
    rows: list[Row] = []
    some = group.before or group.after
    if some is None:
        return rows
    for k, placed in enumerate(group.placed):
        which, one = np.array([k]), np.ones(1)
        place = _where(found.scene, placed, group.samples.normals[k])
        azimuth = place["azimuth_true_deg"]
        sky = sky_columns(group.before, group.after, which, one)
        states = (group.before, group.after)
        sky |= rules.columns(states, which, None if azimuth is None else float(azimuth), True)
        for name in some.hours:
            hours: Row = {}
            for key, state in (("existing", group.before), ("proposed", group.after)):
                hours[f"{key}_h"] = None if state is None else float(state.hours[name][k])
            rows.append({**place, "reason": "", "date": name, **hours, **sky})
    return rows


def _room_rows(
    settings: FacesStudySettings,
    groups: Sequence[_Group],
    bad: Sequence[Placed],
    suns: tuple[dict[str, dict[str, RoomSun]], dict[str, dict[str, RoomSun]]],
    found: FacesFound,
) -> list[Row]:
    """One row for each room and date: hours together, longest run, levels, verdict."""
    placed = [p for group in groups for p in group.placed]
    steps = {day.date.isoformat(): day.step_min for day in settings.all_days}
    steps |= {period.name: period.step_min for period in settings.periods}
    levels = dict((settings.limit.levels if settings.limit else None) or {})
    rows: list[Row] = []
    for room in sorted({p.opening.room for p in (*placed, *bad)}):
        own = [p for p in placed if p.opening.room == room]
        out = [f"{p.opening.id}: {p.reason}" for p in bad if p.opening.room == room]
        for date in steps:
            was, now = (state.get(room, {}).get(date) for state in suns)
            if found.after is None:
                now = None
            row: Row = {
                "room": room,
                "date": date,
                "buildings": " ".join(sorted({p.surface.building for p in own if p.surface is not None})),
                "windows": len(own),
                "left_out": "; ".join(out),
                "existing_h": None if was is None else was.hours,
                "proposed_h": None if now is None else now.hours,
                "loss_h": None if was is None or now is None else was.hours - now.hours,
                "longest_existing_h": None if was is None else was.longest,
                "longest_proposed_h": None if now is None else now.longest,
            }
            row |= _judged(settings, was, now, day_error_h(steps[date]))
            for key, sun in (("existing", was), ("proposed", now)):
                if levels:
                    row[f"level_{key}"] = level_of(None if sun is None else sun.least, levels)
            rows.append(row)
    return rows


def _judged(settings: FacesStudySettings, was: RoomSun | None, now: RoomSun | None, error_h: float) -> Row:
    """The verdict of a room by the hours that the study asks for."""
    limit = settings.limit
    if limit is None or limit.at_least_h is None:
        return {}
    sun = now or was
    if sun is None:
        return {"verdict": None}
    most = limit.at_least_h - ROUNDING_H
    if sun.least - error_h >= most:
        return {"verdict": "met"}
    return {"verdict": "too close to call" if sun.least + error_h >= most else "not met"}


def window_words(settings: FacesStudySettings, tables: WindowTables | None) -> dict[str, Any] | None:
    """What the manifest says of windows and rooms."""
    if settings.windows is None or tables is None:
        return None
    limit = settings.limit
    return {
        "method": ROOM_METHOD,
        "max_distance_m": settings.windows.max_distance_m,
        "rooms": len({row["room"] for row in tables.rooms}),
        "windows": len({row["window"] for row in tables.windows}),
        "left_out": [f"{row['window']}: {row['reason']}" for row in tables.windows if row["reason"]],
        "levels": None if limit is None else limit.levels,
        "operator": ">=",
        "tie": "hours that reach the limit to 0.0001 h have reached it",
        "too_close_to_call": "a time step, half of it at each end of a stretch of sun, either way turns the verdict",
        "table": tables.rooms,
    }
