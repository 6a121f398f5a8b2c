"""Hours of sun on the ground, and shadows at single instants."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.model.raster import Grid
from twin.model.results import SunInstant, SunlightResult, SunRuns
from twin.model.scene import Scene
from twin.study.occluders import COVERINGS, FaceTable, face_table
from twin.study.receptors import Receptors, ground_receptors, surface_lift
from twin.study.surface import scene_field
from twin.sun.dates import DaySamples, day_samples, instant_at_legal_time, instant_at_solar_hour
from twin.sun.position import METHOD, sun_direction_local
from twin.visibility.caster import Caster, Device, make_caster
from twin.visibility.sweep import SunSweep

Engine = Literal["triangles", "heightfield"]
FIELD_ENGINE = "sweep over the height field of the scene's highest surface, numba, two lines for each cell"
FIELD_ERROR: Mapping[str, Any] = MappingProxyType(
    {
        "measured_on": "synthetic sample site without trees, cells of 0.5 m, 21 March at 10 minutes",
        "against": "rays against triangles",
        "bias_percent": 0.34,
        "p95_min": 20,
        "p99_min": 60,
    }
)
"""Error of the fast engine; ``tests/parity/test_field_of_the_sample.py`` holds it to these figures."""

Progress = Callable[[float, float, str], None]
"""Called with (done, total, text)."""

TOGETHER = 24
"""Suns that are counted between two words of progress."""
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
    engine
        ``triangles``: rays against every face, exact. ``heightfield``: one sweep over the highest surface for each
        sun, some fifty times as fast; its error is part of the method.
    runs
        Whether the longest run and the first and last sun of each day are kept too.
    """

    days: tuple[Day, ...]
    timezone: str
    min_altitude_deg: float = 0.0
    sample_height_m: float = 0.0
    plates_solar_h: tuple[float, ...] = ()
    plates_legal: tuple[dt.time, ...] = ()
    trees: bool = True
    engine: Engine = "triangles"
    runs: bool = False

    def __post_init__(self) -> None:
        dates = [day.date for day in self.days]
        if not dates:
            raise InputError("a sunlight study needs at least one day")
        if len(set(dates)) != len(dates):
            raise InputError(f"a day stands twice in a sunlight study: {', '.join(map(str, sorted(dates)))}")
        if self.engine == "heightfield" and self.trees:
            raise InputError(
                "engine = 'heightfield' would read crowns as massive down to the ground and lose 6 % of the sun: "
                "set trees = false, or engine = 'triangles'"
            )


def sunlight(
    scene: Scene,
    grid: Grid,
    settings: SunlightSettings,
    device: Device,
    threads: int = 1,
    mask: NDArray[np.bool_] | None = None,
    progress: Progress | None = None,
) -> SunlightResult:
    """Hours of sun on the ground of a scene.

    A sample stands for its whole interval; it is lit where the line from the point to the centre of the sun
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
    tallies = [DayTally(day, len(receptors), settings.runs) for day in days]
    masks = np.zeros((len(instants), len(receptors)), dtype=bool)
    tick = _Ticker(progress, len(receptors), sum(len(day.instants) for day in days) + len(instants))
    for part, reader in _readers(settings.engine, table, receptors, device, threads):
        points = part.stop - part.start
        for tally in tallies:
            text = str(tally.day.date)
            if settings.runs:
                for number, sun in enumerate(tally.day.instants):
                    tally.add(part, number, reader.lit(sun))
                    tick.add(points, text)
            else:
                for suns in batched(tally.day.instants, TOGETHER):
                    tally.add_count(part, reader.count(suns))
                    tick.add(points * len(suns), text)
        for row, sun in enumerate(instants):
            masks[row, part] = reader.lit(sun)
            tick.add(points, f"{sun.utc:%Y-%m-%d %H:%M}Z")
    plates = tuple((sun, receptors.raster(row)) for sun, row in zip(instants, masks, strict=True))
    method = sunlight_method(settings, days, receptors, surface_lift(table), device.label)
    found = {tally.day.date.isoformat(): tally for tally in tallies}
    runs = {date: tally.runs(receptors) for date, tally in found.items()} if settings.runs else {}
    hours = {date: receptors.raster(tally.hours()) for date, tally in found.items()}
    return SunlightResult(scene.hash, scene.scenario, hours, plates, method, runs)


class Reader(Protocol):
    """Answers for some receptors."""

    def lit(self, sun: SunInstant) -> NDArray[np.bool_]:
        """Which of them (n,) the centre of a sun shines on."""

    def count(self, suns: Sequence[SunInstant]) -> NDArray[np.integer]:
        """How many of the suns shine on each (n,)."""


def _readers(
    engine: Engine, table: FaceTable, receptors: Receptors, device: Device, threads: int
) -> Iterator[tuple[slice, Reader]]:
    """Parts of the receptors, and who answers for them."""
    if engine == "heightfield":
        yield slice(0, len(receptors)), FieldReader(table, receptors, threads)
        return
    caster = make_caster(table.triangles(), device, threads)
    try:
        for part in _parts(len(receptors)):
            yield part, RayReader(caster, receptors.xyz[part])
    finally:
        caster.close()


@dataclass(frozen=True, slots=True)
class RayReader:
    """Rays from points (n, 3)."""

    caster: Caster
    points: NDArray[np.float64]

    def lit(self, sun: SunInstant) -> NDArray[np.bool_]:
        """See ``Reader``."""
        return lit(self.caster, self.points, sun)

    def count(self, suns: Sequence[SunInstant]) -> NDArray[np.integer]:
        """See ``Reader``."""
        total = np.zeros(len(self.points), dtype=np.int32)
        for sun in suns:
            total += self.lit(sun)
        return total


class FieldReader:
    """Sweeps over the highest surface of a scene."""

    def __init__(self, table: FaceTable, receptors: Receptors, threads: int = 1) -> None:
        field, whole = scene_field(table, receptors.grid)
        row, col = whole.place_of(receptors.grid)
        rows, cols = np.divmod(receptors.index, receptors.grid.cols)
        self._place = (rows + row) * whole.cols + cols + col
        targets = np.full(whole.rows * whole.cols, np.nan, dtype=np.float32)
        targets[self._place] = receptors.xyz[:, 2]
        self._sweep = SunSweep(field, targets.reshape(whole.shape), threads=threads)

    def lit(self, sun: SunInstant) -> NDArray[np.bool_]:
        """See ``Reader``."""
        return self.count([sun]).astype(bool)

    def count(self, suns: Sequence[SunInstant]) -> NDArray[np.integer]:
        """See ``Reader``."""
        up = [sun_direction_local(sun) for sun in suns if sun.altitude_deg > 0.0]
        total: NDArray[np.integer] = self._sweep.count(up).ravel()[self._place]
        return total


class DayTally:
    """Adds up the suns of one day.

    Parameters
    ----------
    day
        The suns, in order.
    points
        Number of receptors.
    runs
        Whether runs are followed too.
    """

    def __init__(self, day: DaySamples, points: int, runs: bool = False) -> None:
        self.day = day
        self._count = np.zeros(points, dtype=np.int32)
        self._follow = runs
        kept = points if runs else 0
        self._run, self._longest = np.zeros(kept, dtype=np.int32), np.zeros(kept, dtype=np.int32)
        self._first, self._last = np.full(kept, -1, dtype=np.int32), np.full(kept, -1, dtype=np.int32)
        step = dt.timedelta(minutes=day.step_min * 1.001)
        utc = [sun.utc for sun in day.instants]
        self._follows = [k > 0 and utc[k] - utc[k - 1] <= step for k in range(len(utc))]

    def add(self, part: slice, number: int, shone: NDArray[np.bool_]) -> None:
        """One sun for some of the receptors; suns come in order for each receptor."""
        self._count[part] += shone
        if not self._follow:
            return
        run = self._run[part]
        if not self._follows[number]:
            run[:] = 0
        run += 1
        run *= shone
        np.maximum(self._longest[part], run, out=self._longest[part])
        first = self._first[part]
        first[shone & (first < 0)] = number
        self._last[part][shone] = number

    def add_count(self, part: slice, shone: NDArray[np.integer]) -> None:
        """Suns that are counted already, where no runs are followed."""
        self._count[part] += shone

    def hours(self) -> NDArray[np.float32]:
        """Hours of sun of each receptor [h]."""
        return (self._count * (self.day.step_min / 60.0)).astype(np.float32)

    def runs(self, receptors: Receptors) -> SunRuns:
        """Longest run [h], first and last sun in legal time [h]; NaN for the last two where there is no sun."""
        half = self.day.step_min / 120.0
        clock = np.array([*(legal_hour(sun) for sun in self.day.instants), np.nan])
        return SunRuns(
            receptors.raster((self._longest * (self.day.step_min / 60.0)).astype(np.float32)),
            receptors.raster((clock[self._first] - half).astype(np.float32)),
            receptors.raster((clock[self._last] + half).astype(np.float32)),
        )


def legal_hour(sun: SunInstant) -> float:
    """Legal clock time of an instant as hours since midnight [h]."""
    return (
        sun.legal.hour + sun.legal.minute / 60.0 + sun.legal.second / 3600.0 + sun.legal.microsecond / 3.6e9
    )


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
        "engine": f"rays against triangles, {engine}" if settings.engine == "triangles" else FIELD_ENGINE,
        **({"error": FIELD_ERROR} if settings.engine == "heightfield" else {}),
    }


def batched(suns: Sequence[SunInstant], size: int) -> Iterator[Sequence[SunInstant]]:
    """The suns in order, some at a time."""
    for start in range(0, len(suns), size):
        yield suns[start : start + size]


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
