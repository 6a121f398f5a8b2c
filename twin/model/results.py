"""What studies give back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

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
class SunlightResult:
    """Sunlight on the ground of one scene.

    Parameters
    ----------
    scene_hash, scenario
        Which scene.
    hours
        Per date (ISO text) the hours of sun [h]; NaN inside buildings and outside the ground.
    plates
        Instant masks: 1.0 lit, 0.0 in shadow, NaN no ground.
    method
        Time step, sample height, minimum altitude, engine, tolerance, ... for the manifest.
    """

    scene_hash: str
    scenario: str
    hours: Mapping[str, Raster]
    plates: tuple[tuple[SunInstant, Raster], ...]
    method: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class ViewshedResult:
    """What an observer sees of the ground: 1.0 visible, 0.0 hidden, NaN no ground."""

    scene_hash: str
    scenario: str
    visible: Raster
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
