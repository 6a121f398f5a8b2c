"""Which suns a sunlight study asks about: days, periods, instants, and how it looks at them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from twin.errors import InputError
from twin.frame import Frame
from twin.model.results import SunInstant
from twin.study.horizon import METHOD as FAR_METHOD
from twin.study.occluders import COVERINGS
from twin.study.readers import Engine
from twin.study.tally import Span, spans_named
from twin.sun.dates import (
    day_bounds,
    day_samples,
    instant_at_legal_time,
    instant_at_solar_hour,
    time_zone,
)
from twin.sun.position import METHOD, sun_instants
from twin.visibility.caster import Device

FIELD_ERROR: Mapping[str, Any] = MappingProxyType(
    {
        "measured_on": "synthetic sample site with trees and a bridge, cells of 0.5 m, 21 March at 10 minutes",
        "against": "rays against triangles",
        "bias_percent": 0.13,
        "p95_min": 20,
        "p99_min": 40,
    }
)
"""Error of the fast engine; ``tests/parity/test_field_of_the_sample.py`` holds it to these figures."""


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a study: the date in legal time and the time step [min]."""

    date: dt.date
    step_min: float = 10.0

    @property
    def name(self) -> str:
        """Key of its results."""
        return self.date.isoformat()


@dataclass(frozen=True, slots=True)
class Period:
    """Days from the first to the last, both counted, with one time step [min].

    With ``daily`` the hours of each day are kept too: the least of them, and what a rule for every day asks.
    """

    name: str
    first: dt.date
    last: dt.date
    step_min: float = 60.0
    daily: bool = False

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise InputError(f"period {self.name!r} ends on {self.last}, before it begins ({self.first})")
        if (self.last - self.first).days > 3660:
            raise InputError(f"period {self.name!r} is longer than ten years")

    @property
    def dates(self) -> tuple[dt.date, ...]:
        """Its days."""
        return tuple(self.first + dt.timedelta(days=k) for k in range((self.last - self.first).days + 1))


@dataclass(frozen=True, slots=True)
class Foliage:
    """What crowns let through, by season.

    Parameters
    ----------
    leaf_on, leaf_off
        Share of the direct sun that passes a crown in leaf and bare. The defaults are those of UMEP's SOLWEIG,
        for deciduous trees.
    first, last
        Days of the year of the leaves, both counted; first later than last for the southern half of the earth.
    """

    leaf_on: float = 0.03
    leaf_off: float = 0.5
    first: int = 100
    last: int = 300

    def __post_init__(self) -> None:
        if not (0.0 <= self.leaf_on <= 1.0 and 0.0 <= self.leaf_off <= 1.0):
            raise InputError(
                f"the transmissivity of crowns lies in 0 to 1; got {self.leaf_on}, {self.leaf_off}"
            )
        if not (1 <= self.first <= 366 and 1 <= self.last <= 366):
            raise InputError(f"days of the year lie in 1 to 366; got {self.first}, {self.last}")

    def share(self, date: dt.date) -> float:
        """Share of the sun that passes a crown on a day."""
        day = date.timetuple().tm_yday
        if self.first <= self.last:
            green = self.first <= day <= self.last
        else:
            green = day >= self.first or day <= self.last
        return self.leaf_on if green else self.leaf_off

    def words(self) -> str:
        """For the record of a method."""
        return (
            f"crowns let {100 * self.leaf_on:g} % of the sun through in leaf (days {self.first} to {self.last} of the "
            f"year) and {100 * self.leaf_off:g} % bare; longest runs count the unshaded sun alone"
        )


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
        Whether trees cast shadow.
    engine
        ``triangles``: rays against every face, exact. ``heightfield``: one sweep over the highest surface for each
        sun, some fifty times as fast; its error is part of the method.
    plates_every_min
        More instant masks at multiples of this legal time through each day, while the sun is up [min]; 0 for none.
    runs
        Whether the longest run and the first and last sun of each day are kept too.
    periods
        Periods, each with a total of its own.
    foliage
        What crowns let through; None: they are opaque.
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
    periods: tuple[Period, ...] = ()
    foliage: Foliage | None = None
    plates_every_min: float = 0.0

    def __post_init__(self) -> None:
        if self.plates_every_min and not 1.0 <= self.plates_every_min <= 240.0:
            raise InputError(f"plates stand 1 to 240 minutes apart; got {self.plates_every_min}")
        dates = [day.date for day in self.days]
        if not dates and not self.periods:
            raise InputError("a sunlight study needs at least one day or period")
        if len(set(dates)) != len(dates):
            raise InputError(f"a day stands twice in a sunlight study: {', '.join(map(str, sorted(dates)))}")
        names = [*(day.name for day in self.days), *(period.name for period in self.periods)]
        if len(set(names)) != len(names):
            raise InputError(f"two days or periods of a sunlight study have one name: {', '.join(names)}")

    @property
    def translucent(self) -> bool:
        """Whether crowns let a part of the sun through."""
        return self.trees and self.foliage is not None

    @property
    def share(self) -> Callable[[dt.date], float] | None:
        """Share of the sun that a crown lets through on a day; None where crowns are opaque or left out."""
        return self.foliage.share if self.trees and self.foliage is not None else None


def spans_of(settings: SunlightSettings, frame: Frame) -> tuple[Span, ...]:
    """Days and periods of a study with their suns.

    Raises
    ------
    InputError
        A step that does not divide a day, an unknown time zone.
    """

    def one(date: dt.date, step_min: float) -> Any:
        return day_samples(date, step_min, settings.timezone, frame, settings.min_altitude_deg)

    days = [Span(day.name, (one(day.date, day.step_min),)) for day in settings.days]
    periods = [
        Span(p.name, tuple(one(date, p.step_min) for date in p.dates), p.daily) for p in settings.periods
    ]
    return tuple(spans_named([*days, *periods]).values())


def plate_instants(frame: Frame, settings: SunlightSettings) -> list[SunInstant]:
    """The suns of the instant masks, day by day, each instant once."""
    found: dict[dt.datetime, SunInstant] = {}
    for day in settings.days:
        for hour in settings.plates_solar_h:
            sun = instant_at_solar_hour(day.date, hour, settings.timezone, frame)
            found.setdefault(sun.utc, sun)
        for time in settings.plates_legal:
            sun = instant_at_legal_time(day.date, time, settings.timezone, frame)
            found.setdefault(sun.utc, sun)
        if settings.plates_every_min:
            for sun in _through(day.date, settings, frame):
                found.setdefault(sun.utc, sun)
    return list(found.values())


def _through(date: dt.date, settings: SunlightSettings, frame: Frame) -> list[SunInstant]:
    """The suns of a day at whole steps from its legal midnight that stand higher than the lowest altitude."""
    zone = time_zone(settings.timezone)
    start, end = day_bounds(date, zone)
    step = dt.timedelta(minutes=settings.plates_every_min)
    times = [start + k * step for k in range(int((end - start) / step))]
    return [s for s in sun_instants(frame, times, zone) if s.altitude_deg > settings.min_altitude_deg]


def sun_method(
    settings: SunlightSettings, spans: Sequence[Span], device: Device, far: bool = False
) -> dict[str, Any]:
    """What the records of all sunlight studies have in common."""
    exact = settings.engine == "triangles"
    return {
        "sun": METHOD,
        "sun_altitude": "true (unrefracted)",
        "min_altitude_deg": settings.min_altitude_deg,
        "timezone": settings.timezone,
        "sampling": "centres of equal intervals from legal midnight to legal midnight",
        "days": {span.name: span.record() for span in spans},
        "trees": trees_words(settings),
        "coverings": COVERINGS,
        "far_terrain": FAR_METHOD if far else "none: nothing beyond the site casts shadow",
        "grazing": "lit",
        "engine": f"rays against triangles, {device.label}" if exact else field_engine(device),
        **({} if exact else {"error": FIELD_ERROR}),
    }


def field_engine(device: Device) -> str:
    """How the fast engine reads a scene, and where it runs."""
    where = device.label if device.engine == "wgsl" else "numba"
    return (
        f"sweep over the height field of what stands on the ground, {where}, two lines for each cell; rays against "
        f"the triangles of what hangs over it (trees, and objects with an underside 2 m or more above the ground); "
        f"{device.label}"
    )


def trees_words(settings: SunlightSettings) -> str:
    """How trees are taken."""
    if not settings.trees:
        return "left out"
    return settings.foliage.words() if settings.foliage is not None else "opaque crowns"
