"""Hours of sun on the ground, and shadows at single instants."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.model.raster import Grid
from twin.model.results import SunInstant, SunlightResult
from twin.model.scene import Scene
from twin.study.occluders import COVERINGS, face_table
from twin.study.receptors import Receptors, ground_receptors, surface_lift
from twin.sun.dates import DaySamples, day_samples, instant_at_legal_time, instant_at_solar_hour
from twin.sun.position import METHOD, sun_direction_local
from twin.visibility.caster import Caster, Device, make_caster

Progress = Callable[[float, float, str], None]
"""Called with (done, total, text)."""

CHUNK = 1 << 18
"""Points that are asked about together: bounds the memory, changes no result."""


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a study: the date in legal time and the time step [min]."""

    date: dt.date
    step_min: float = 10.0


@dataclass(frozen=True, slots=True)
class SunlightSettings:
    """What a sunlight study asks.

    Parameters
    ----------
    days
        Days with their time steps, no date twice.
    timezone
        IANA name of the site's legal time.
    min_altitude_deg
        Suns at or below this true altitude are left out [degree].
    sample_height_m
        Height of the samples above the ground [m].
    plates_solar_h
        Hours of local apparent solar time of the instant masks, on each day [h].
    plates_legal
        Hours of legal time of more instant masks, on each day.
    trees
        Whether trees cast shadow, as opaque crowns.
    """

    days: tuple[Day, ...]
    timezone: str
    min_altitude_deg: float = 0.0
    sample_height_m: float = 0.0
    plates_solar_h: tuple[float, ...] = ()
    plates_legal: tuple[dt.time, ...] = ()
    trees: bool = True

    def __post_init__(self) -> None:
        dates = [day.date for day in self.days]
        if not dates:
            raise InputError("a sunlight study needs at least one day")
        if len(set(dates)) != len(dates):
            raise InputError(f"a day stands twice in a sunlight study: {', '.join(map(str, sorted(dates)))}")


def sunlight(
    scene: Scene,
    grid: Grid,
    settings: SunlightSettings,
    device: Device,
    threads: int = 1,
    mask: NDArray[np.bool_] | None = None,
    progress: Progress | None = None,
) -> SunlightResult:
    """Hours of sun on the ground of a scene, by rays against its triangles.

    A sample stands for its whole interval; it is lit where the ray from the point to the centre of the sun
    meets nothing (grazing counts as lit). Counts are whole numbers, so any number of threads gives the same
    bytes.

    Parameters
    ----------
    scene
        The scene.
    grid
        Cells of the result, in the scene's frame.
    settings
        Days, steps, heights.
    device
        Where rays are cast (``twin.visibility.caster.choose_device``).
    threads
        Threads of the engine.
    mask
        (rows, cols) bool, the cells that count; all where None.
    progress
        Told how far it is.

    Returns
    -------
    SunlightResult
        Hours per date [h], masks per instant (by date, then in the order of the settings), and the method.

    Raises
    ------
    InputError
        A step that does not divide its day, an unknown time zone, a mask of another shape.
    FrameMismatchError
        The grid lies in another frame.
    """
    scene.frame.require_same(grid.frame, "the grid of a sunlight study")
    days = [
        day_samples(d.date, d.step_min, settings.timezone, scene.frame, settings.min_altitude_deg)
        for d in settings.days
    ]
    instants = plate_instants(scene, settings)
    table = face_table(scene, settings.trees, coverings=False)
    receptors = ground_receptors(table, grid, settings.sample_height_m, mask)
    counts = np.zeros((len(days), len(receptors)), dtype=np.int32)
    masks = np.zeros((len(instants), len(receptors)), dtype=bool)
    caster = make_caster(table.triangles(), device, threads)
    try:
        tick = _Ticker(progress, len(receptors), sum(len(day.instants) for day in days) + len(instants))
        for part in _parts(len(receptors)):
            points = receptors.xyz[part]
            for row, day in enumerate(days):
                for sun in day.instants:
                    counts[row, part] += lit(caster, points, sun)
                    tick.add(len(points), str(day.date))
            for row, sun in enumerate(instants):
                masks[row, part] = lit(caster, points, sun)
                tick.add(len(points), f"{sun.utc:%Y-%m-%d %H:%M}Z")
    finally:
        caster.close()
    hours = {
        day.date.isoformat(): receptors.raster((count * (day.step_min / 60.0)).astype(np.float32))
        for day, count in zip(days, counts, strict=True)
    }
    plates = tuple((sun, receptors.raster(row)) for sun, row in zip(instants, masks, strict=True))
    method = sunlight_method(settings, days, receptors, surface_lift(table), device.label)
    return SunlightResult(scene.hash, scene.scenario, hours, plates, method)


def lit(caster: Caster, points: NDArray[np.float64], sun: SunInstant) -> NDArray[np.bool_]:
    """Which points (n,) the centre of the sun shines on; none where it stands at or below the horizon."""
    if sun.altitude_deg <= 0.0:
        return np.zeros(len(points), dtype=bool)
    free: NDArray[np.bool_] = ~caster.occluded(points, sun_direction_local(sun))
    return free


def plate_instants(scene: Scene, settings: SunlightSettings) -> list[SunInstant]:
    """The suns of the instant masks, day by day, each instant once."""
    found: dict[dt.datetime, SunInstant] = {}
    for day in settings.days:
        for hour in settings.plates_solar_h:
            sun = instant_at_solar_hour(day.date, hour, settings.timezone, scene.frame)
            found.setdefault(sun.utc, sun)
        for time in settings.plates_legal:
            sun = instant_at_legal_time(day.date, time, settings.timezone, scene.frame)
            found.setdefault(sun.utc, sun)
    return list(found.values())


def sunlight_method(
    settings: SunlightSettings,
    days: Sequence[DaySamples],
    receptors: Receptors,
    lift_m: float,
    engine: str,
) -> Mapping[str, Any]:
    """How the result was made, for the manifest and the sheets."""
    return {
        "quantity": "hours of direct sun on the ground, clear sky, centre of the sun",
        "sun": METHOD,
        "sun_altitude": "true (unrefracted)",
        "min_altitude_deg": settings.min_altitude_deg,
        "timezone": settings.timezone,
        "sampling": "centres of equal intervals from legal midnight to legal midnight",
        "days": {
            day.date.isoformat(): {
                "step_min": day.step_min,
                "intervals": day.intervals,
                "suns": len(day.instants),
                "longest_h": round(day.longest_h, 4),
            }
            for day in days
        },
        "sample_height_m": settings.sample_height_m,
        "surface_lift_m": lift_m,
        "cell_size_m": receptors.grid.cell_size,
        "cells": len(receptors),
        "left_out": "cells with their centre inside a building or outside the ground or area",
        "trees": "opaque crowns" if settings.trees else "left out",
        "coverings": COVERINGS,
        "grazing": "lit",
        "engine": f"rays against triangles, {engine}",
    }


def _parts(count: int) -> Iterator[slice]:
    for start in range(0, count, CHUNK):
        yield slice(start, min(count, start + CHUNK))


class _Ticker:
    """Counts rays and tells the caller."""

    def __init__(self, progress: Progress | None, points: int, suns: int) -> None:
        self.progress = progress
        self.total = float(points * suns)
        self.done = 0.0

    def add(self, rays: int, text: str) -> None:
        self.done += rays
        if self.progress is not None:
            self.progress(self.done, self.total, text)
