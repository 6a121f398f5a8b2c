"""Probable sunlight hours: which part of the sunshine of a year, weighted by how likely it is, reaches a sample."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.frame import Frame
from twin.model.results import SunInstant
from twin.study.readers import Reader
from twin.study.watch import Ticker
from twin.sun.dates import day_samples

STEP_MIN = 30.0
METHOD = (
    "probable sunlight hours: suns of a year each half hour, weighted by the month's probability of sunshine, in "
    "percent of those of open level ground; winter from 21 September to 21 March"
)


@dataclass(frozen=True, slots=True)
class Sunshine:
    """Suns of a year and how likely each shines.

    Parameters
    ----------
    suns
        All that are up.
    weights
        Probability of each.
    """

    suns: tuple[SunInstant, ...]
    weights: tuple[float, ...]


def sunshine_of(
    year: int, months: tuple[float, ...], frame: Frame, timezone: str, step_min: float = STEP_MIN
) -> Sunshine:
    """The suns of a year with the probability of sunshine of their months.

    Parameters
    ----------
    year
        Calendar year in legal time.
    months
        For each month hours of sunshine over hours of sun above the horizon, 0 to 1.
    step_min
        Time between suns [min].

    Raises
    ------
    InputError
        Not twelve probabilities, or all of them zero.
    """
    if len(months) != 12 or not all(0.0 <= p <= 1.0 for p in months) or not any(months):
        raise InputError(
            "the probability of sunshine has twelve values from 0 to 1, January first, not all zero"
        )
    first = dt.date(year, 1, 1)
    days = [first + dt.timedelta(days=k) for k in range((dt.date(year + 1, 1, 1) - first).days)]
    suns = tuple(sun for day in days for sun in day_samples(day, step_min, timezone, frame).instants)
    return Sunshine(suns, tuple(float(months[sun.legal.month - 1]) for sun in suns))


def is_winter(date: dt.date) -> bool:
    """From 21 September to 21 March, both counted (BR 209)."""
    return (date.month, date.day) >= (9, 21) or (date.month, date.day) <= (3, 21)


def probable_sun(
    reader: Reader, points: int, sunshine: Sunshine, tick: Ticker | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Annual and winter probable sunlight hours (n,) of each sample [percent of the year's].

    Parameters
    ----------
    reader
        Says which suns shine on the samples.
    points
        Number of samples.
    sunshine
        From ``sunshine_of``.
    """
    year, winter = np.zeros(points), np.zeros(points)
    state = {"year": year, "winter": winter}
    for k in (tick or Ticker(None, 1.0)).steps("probable sun", len(sunshine.suns), points, state):
        sun = sunshine.suns[k]
        shone = sunshine.weights[k] * reader.lit(sun)
        year += shone
        if is_winter(sun.legal.date()):
            winter += shone
    scale = 100.0 / sum(sunshine.weights)
    return (year * scale).astype(np.float32), (winter * scale).astype(np.float32)
