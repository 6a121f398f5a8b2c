"""Runs, first and last sun of a day, from masks that are known."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from pyproj import CRS

from twin.frame import Frame
from twin.model.raster import Grid
from twin.model.results import SunRuns
from twin.study.receptors import Receptors
from twin.study.tally import Span, Tally
from twin.sun.dates import DaySamples, day_samples

FRAME = Frame(CRS.from_epsg(3812), "EPSG:5710", (732_000, 643_000))


def receptors(count: int) -> Receptors:
    grid = Grid(FRAME, 0.0, 0.0, 1.0, 1, count)
    return Receptors(grid, np.zeros(count), np.arange(count))


def tally(day: DaySamples, masks: np.ndarray) -> tuple[np.ndarray, SunRuns]:
    """Adds up masks (suns, points), in two parts."""
    points = masks.shape[1]
    adding = Tally(Span("day", (day,)), points, runs=True)
    for part in (slice(0, points // 2), slice(points // 2, points)):
        for number, row in enumerate(masks):
            adding.add_lit(part, number, row[part])
    return adding.hours(), adding.runs(receptors(points))


def test_runs_are_counted_by_hand() -> None:
    day = day_samples(dt.date(2026, 6, 21), 60.0, "Europe/Brussels", FRAME)
    suns = len(day.instants)
    masks = np.zeros((suns, 4), dtype=bool)
    masks[2:5, 0] = masks[7:9, 0] = True  # three hours, a break, two hours
    masks[:, 1] = True
    masks[4, 2] = True
    hours, runs = tally(day, masks)
    assert hours.tolist() == [5, suns, 1, 0]
    assert runs.longest.values[0].tolist() == [3, suns, 1, 0]
    begin = day.instants[2].legal
    assert runs.first.values[0, 0] == pytest.approx(begin.hour + begin.minute / 60 - 0.5, abs=1e-3)
    end = day.instants[8].legal
    assert runs.last.values[0, 0] == pytest.approx(end.hour + end.minute / 60 + 0.5, abs=1e-3)
    assert runs.last.values[0, 2] - runs.first.values[0, 2] == pytest.approx(1.0)
    assert np.isnan(runs.first.values[0, 3]) and np.isnan(runs.last.values[0, 3])


def test_the_night_breaks_a_run() -> None:
    """North of the polar circle the sun may be up at midnight and gone around noon of a legal day: never one run."""
    day = day_samples(dt.date(2026, 3, 21), 30.0, "Europe/Brussels", FRAME)
    instants = (*day.instants[:4], *day.instants[8:])
    broken = DaySamples(day.date, day.step_min, day.intervals, instants)
    hours, runs = tally(broken, np.ones((len(instants), 2), dtype=bool))
    assert hours[0] == len(instants) / 2
    assert runs.longest.values[0, 0] == (len(instants) - 4) / 2


def test_a_day_without_sun() -> None:
    none = DaySamples(dt.date(2026, 12, 21), 30.0, 48, ())
    hours, runs = tally(none, np.zeros((0, 3), dtype=bool))
    assert hours.tolist() == [0, 0, 0] and np.isnan(runs.first.values).all()
    assert runs.longest.values.tolist() == [[0, 0, 0]]
