"""What studies give back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import FrameMismatchError
from twin.model.raster import Raster


@dataclass(frozen=True, slots=True)
class SunInstant:
    """The sun at one instant, as used.

    Parameters
    ----------
    utc
        Aware datetime in UTC.
    legal
        The same instant in the site's time zone.
    solar_hour
        Local apparent solar time [h].
    altitude_deg
        True (unrefracted) altitude [degree].
    azimuth_true_deg, azimuth_grid_deg
        From true north and from grid north, clockwise [degree].
    """

    utc: datetime
    legal: datetime
    solar_hour: float
    altitude_deg: float
    azimuth_true_deg: float
    azimuth_grid_deg: float


@dataclass(frozen=True, slots=True, eq=False)
class SunRuns:
    """When the sun comes and goes on one day.

    Parameters
    ----------
    longest
        Longest time of sun without a break [h].
    first, last
        Begin of the first and end of the last interval with sun, legal time [h]; NaN where there is none.
    """

    longest: Raster
    first: Raster
    last: Raster


@dataclass(frozen=True, slots=True, eq=False)
class DailySun:
    """Hours of sun of each day of a period.

    Parameters
    ----------
    dates
        The days.
    index
        (n,) int64 place of each point in the grid (or in the list of points), row by row.
    hours
        (days, n) float32 [h].
    """

    dates: tuple[date, ...]
    index: NDArray[np.int64]
    hours: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class SunlightResult:
    """Sunlight on the ground of one scene.

    Parameters
    ----------
    scene_hash, scenario
        Which scene.
    hours
        Per date (ISO text) or name of a period the hours of sun [h]; NaN inside buildings and outside the
        ground.
    plates
        Instant masks: 1.0 lit, 0.0 in shadow (behind crowns what they let through), NaN no ground.
    method
        Time step, sample height, minimum altitude, engine, tolerance, ... for the manifest.
    runs
        Per date, where they were asked for.
    least
        Per period, where asked for: hours of the day with the least sun [h].
    daily
        Per period, where asked for: hours of each day.
    """

    scene_hash: str
    scenario: str
    hours: Mapping[str, Raster]
    plates: tuple[tuple[SunInstant, Raster], ...]
    method: Mapping[str, Any]
    runs: Mapping[str, SunRuns] = field(default_factory=dict)
    least: Mapping[str, Raster] = field(default_factory=dict)
    daily: Mapping[str, DailySun] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class SkyResult:
    """What the ground of one scene sees of the sky.

    Parameters
    ----------
    scene_hash, scenario
        Which scene.
    factors
        ``svf_solid_angle`` and ``svf_cosine``, 0 to 1; NaN inside buildings and outside the ground.
    method
        Directions, engine, trees, ... for the manifest.
    """

    scene_hash: str
    scenario: str
    factors: Mapping[str, Raster]
    method: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class ViewshedResult:
    """What observers see of the ground.

    Parameters
    ----------
    visible
        1.0 seen by any observer, 0.0 hidden, NaN no ground.
    seen_by
        By how many of several observers; None for one.
    least
        Least height above the ground at which something is seen [m]; None where the engine does not say.
    through
        Share of sight that passes the crowns before it, the best of all observers; 0 behind what is solid; None where
        crowns are opaque.
    """

    scene_hash: str
    scenario: str
    visible: Raster
    method: Mapping[str, Any]
    seen_by: Raster | None = None
    least: Raster | None = None
    through: Raster | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ExposureResult:
    """What the ground sees of some buildings.

    Parameters
    ----------
    rasters
        ``targets_seen``: how many targets; ``lowest_seen``: height of the lowest above the foot of the buildings [m],
        NaN where none is seen; ``solid_angle`` [sr]; all NaN inside buildings and outside the ground.
    targets
        How many there are in all.
    """

    scene_hash: str
    scenario: str
    rasters: Mapping[str, Raster]
    targets: int
    method: Mapping[str, Any]


def difference(after: Raster, before: Raster) -> Raster:
    """after - before, cell by cell, NaN where either has no value, on one grid.

    Raises
    ------
    FrameMismatchError
        The rasters lie on different grids.
    """
    if after.grid != before.grid:
        raise FrameMismatchError("existing and proposed results lie on different grids")
    return Raster(after.grid, after.values.astype(np.float32) - before.values.astype(np.float32))
