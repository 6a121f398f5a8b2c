"""Adding up suns: hours of a day or a period, runs, first and last sun, hours of each day of a period."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.model.results import DailySun, SunInstant, SunRuns
from twin.study.readers import TOGETHER, Reader
from twin.study.receptors import Receptors
from twin.sun.dates import DaySamples

MOST_DAILY = 1 << 30
"""Bytes that the hours of each day of a period may take."""


@dataclass(frozen=True, slots=True)
class Span:
    """A day, or the days of a period, with one time step.

    Parameters
    ----------
    name
        Key of the results: the ISO date of a day, or the period's name.
    days
        The suns of each day, in order.
    daily
        Whether the hours of each day are kept too.
    """

    name: str
    days: tuple[DaySamples, ...]
    daily: bool = False

    @property
    def step_min(self) -> float:
        """Time step [min]."""
        return self.days[0].step_min

    @property
    def instants(self) -> tuple[SunInstant, ...]:
        """All suns, in order."""
        return tuple(sun for day in self.days for sun in day.instants)

    @property
    def longest_h(self) -> float:
        """Hours of sun of a place that nothing shades [h]."""
        return sum(day.longest_h for day in self.days)

    def record(self) -> dict[str, Any]:
        """What a manifest says of it."""
        whole = {
            "step_min": self.step_min,
            "intervals": sum(day.intervals for day in self.days),
            "suns": sum(len(day.instants) for day in self.days),
            "longest_h": round(self.longest_h, 4),
        }
        if len(self.days) == 1:
            return whole
        dates = {"from": self.days[0].date.isoformat(), "to": self.days[-1].date.isoformat()}
        return {**dates, "days": len(self.days), **whole}


class Tally:
    """Adds up the suns of one span.

    Parameters
    ----------
    span
        The suns, in order.
    points
        Number of receptors.
    runs
        Whether the runs of a day are followed too (of a single day alone).
    shares
        Whether what shines may be a part of the sun (behind crowns that let some light through).

    Raises
    ------
    InputError
        The hours of each day would take more than ``MOST_DAILY`` bytes.
    """

    def __init__(self, span: Span, points: int, runs: bool = False, shares: bool = False) -> None:
        self.span = span
        kind: Any = np.float32 if shares else np.int32
        self._count = np.zeros(points, dtype=kind)
        self._follow = runs and len(span.days) == 1
        kept = points if self._follow else 0
        self._run, self._longest = np.zeros(kept, dtype=np.int32), np.zeros(kept, dtype=np.int32)
        self._first, self._last = np.full(kept, -1, dtype=np.int32), np.full(kept, -1, dtype=np.int32)
        self._suns = span.instants
        step = dt.timedelta(minutes=span.step_min * 1.001)
        utc = [sun.utc for sun in self._suns]
        self._follows = [k > 0 and utc[k] - utc[k - 1] <= step for k in range(len(utc))]
        size = (len(span.days), points) if span.daily else (0, points)
        if size[0] * size[1] * 4 > MOST_DAILY:
            raise InputError(
                f"period {span.name!r}: the hours of each of {size[0]} days for {points:,} points do not fit into "
                f"{MOST_DAILY >> 30} GiB: take a smaller area, larger cells, or leave daily out"
            )
        self._daily = np.zeros(size, dtype=np.float32)

    def jobs(self, together: int = TOGETHER) -> Iterator[tuple[int, int, int]]:
        """Day, begin and end of the suns that are counted together."""
        begin, end = 0, 0
        for number, day in enumerate(self.span.days):
            end += len(day.instants)
            last = number == len(self.span.days) - 1
            while begin < end and (self.span.daily or last or end - begin >= together):
                stop = min(end, begin + together)
                yield number, begin, stop
                begin = stop

    def add(self, part: slice, job: tuple[int, int, int], reader: Reader) -> None:
        """The suns of one job for some of the receptors; jobs come in order for each receptor."""
        number, begin, end = job
        if self._follow:
            for sun in range(begin, end):
                self.add_lit(part, sun, reader.lit(self._suns[sun]))
            return
        found = reader.count(self._suns[begin:end])
        self._count[part] += found
        if self.span.daily:
            self._daily[number, part] += found

    def add_lit(self, part: slice, number: int, shone: NDArray[Any]) -> None:
        """One sun for some of the receptors, with its runs; a sun behind crowns breaks a run."""
        self._count[part] += shone
        whole = shone >= 1
        run = self._run[part]
        if not self._follows[number]:
            run[:] = 0
        run += 1
        run *= whole
        np.maximum(self._longest[part], run, out=self._longest[part])
        first = self._first[part]
        first[whole & (first < 0)] = number
        self._last[part][whole] = number

    def count(self) -> NDArray[Any]:
        """Suns of each receptor."""
        return self._count

    def hours(self) -> NDArray[np.float32]:
        """Hours of sun of each receptor [h]."""
        return (self._count * (self.span.step_min / 60.0)).astype(np.float32)

    def daily(self) -> NDArray[np.float32]:
        """Hours of sun of each day and receptor (days, n) [h]."""
        return self._daily * np.float32(self.span.step_min / 60.0)

    def daily_sun(self, receptors: Receptors) -> DailySun:
        """The same with the place of the receptors."""
        return DailySun(tuple(day.date for day in self.span.days), receptors.index, self.daily())

    def runs(self, receptors: Receptors) -> SunRuns:
        """Longest run [h], first and last sun in legal time [h]; NaN for the last two where there is no sun."""
        half = self.span.step_min / 120.0
        clock = np.array([*(legal_hour(sun) for sun in self._suns), np.nan])
        return SunRuns(
            receptors.raster((self._longest * (self.span.step_min / 60.0)).astype(np.float32)),
            receptors.raster((clock[self._first] - half).astype(np.float32)),
            receptors.raster((clock[self._last] + half).astype(np.float32)),
        )

    @property
    def follows(self) -> bool:
        """Whether runs are followed."""
        return self._follow

    def state(self) -> dict[str, NDArray[Any]]:
        """What has been added up so far, to go on from later."""
        names = ("_count", "_run", "_longest", "_first", "_last", "_daily")
        return {name.strip("_"): getattr(self, name) for name in names if getattr(self, name).size}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a state."""
        for name, values in state.items():
            getattr(self, f"_{name}")[...] = values


def legal_hour(sun: SunInstant) -> float:
    """Legal clock time of an instant as hours since midnight [h]."""
    return (
        sun.legal.hour + sun.legal.minute / 60.0 + sun.legal.second / 3600.0 + sun.legal.microsecond / 3.6e9
    )


def least_of(daily: NDArray[np.float32]) -> NDArray[np.float32]:
    """Hours of the day with the least sun of each receptor [h]."""
    least: NDArray[np.float32] = daily.min(axis=0)
    return least


def spans_named(spans: Sequence[Span]) -> dict[str, Span]:
    """Spans by name; InputError where two have one name."""
    found = {span.name: span for span in spans}
    if len(found) != len(spans):
        raise InputError("two days or periods of a study have one name")
    return found
