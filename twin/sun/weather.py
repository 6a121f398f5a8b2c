"""Radiation of a year: a clear sky (pvlib), or an EPW file of measured or typical weather."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.frame import Frame
from twin.model.arrays import readonly
from twin.model.results import SunInstant
from twin.sun.dates import time_zone
from twin.sun.position import Place, sun_instants, sun_positions

FARTHEST_KM = 100.0
"""An EPW file of a station farther from the site than this is of another place [km]."""
CLEAR_SKY = "clear sky of Ineichen and Perez (2002) with monthly Linke turbidity (SoDa), pvlib"


@dataclass(frozen=True, slots=True, eq=False)
class Weather:
    """Radiation at the middle of equal intervals.

    Parameters
    ----------
    suns
        The suns that are up.
    direct_normal, diffuse_horizontal, global_horizontal
        (n,) for these suns [W/m2].
    step_h
        Length of an interval [h].
    source
        One line for the record.
    """

    suns: tuple[SunInstant, ...]
    direct_normal: NDArray[np.float64]
    diffuse_horizontal: NDArray[np.float64]
    global_horizontal: NDArray[np.float64]
    step_h: float
    source: str

    def __post_init__(self) -> None:
        for name in ("direct_normal", "diffuse_horizontal", "global_horizontal"):
            object.__setattr__(self, name, readonly(getattr(self, name), np.float64))


def clear_sky_year(year: int, frame: Frame, timezone: str, step_min: float = 60.0) -> Weather:
    """The clear sky of each interval of a year.

    Parameters
    ----------
    year
        Calendar year in UTC.
    frame
        Frame of the site (its origin counts).
    timezone
        Zone of the suns' legal time.
    step_min
        Length of an interval [min]; it divides a day.
    """
    import pandas
    import pvlib

    place = Place.of(frame)
    start, end = dt.datetime(year, 1, 1, tzinfo=dt.UTC), dt.datetime(year + 1, 1, 1, tzinfo=dt.UTC)
    count = (end - start) / dt.timedelta(minutes=step_min)
    if step_min <= 0 or (24 * 60) % step_min:
        raise InputError(f"a step of {step_min} min does not divide a day")
    step = dt.timedelta(minutes=step_min)
    times = [start + (k + 0.5) * step for k in range(int(count))]
    suns = tuple(s for s in sun_instants(frame, times, time_zone(timezone)) if s.altitude_deg > 0.0)
    index = pandas.DatetimeIndex([sun.utc for sun in suns])
    seen = sun_positions(place, np.array([sun.utc.timestamp() for sun in suns]))
    turbidity = pvlib.clearsky.lookup_linke_turbidity(index, place.latitude_deg, place.longitude_deg)
    zenith = 90.0 - np.asarray(seen.altitude_apparent_deg)
    mass = pvlib.atmosphere.get_relative_airmass(zenith)
    pressure = pvlib.atmosphere.alt2pres(place.altitude_m)
    sky = pvlib.clearsky.ineichen(
        zenith,
        pvlib.atmosphere.get_absolute_airmass(mass, pressure),
        np.asarray(turbidity),
        altitude=place.altitude_m,
        dni_extra=np.asarray(pvlib.irradiance.get_extra_radiation(index)),
    )
    direct, diffuse = (np.nan_to_num(np.asarray(sky[key], dtype=np.float64)) for key in ("dni", "dhi"))
    height = np.sin(np.radians([sun.altitude_deg for sun in suns]))
    return Weather(suns, direct, diffuse, direct * height + diffuse, step_min / 60.0, CLEAR_SKY)


def read_epw(path: Path, frame: Frame, timezone: str) -> Weather:
    """Hours of an EPW file; an hour is named by its end, the sun is that of its middle.

    Raises
    ------
    InputError
        No EPW file, one of a place more than ``FARTHEST_KM`` away, one without whole hours of radiation.
    """
    import pvlib

    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        table, about = pvlib.iotools.read_epw(str(path))
        station = (float(about["latitude"]), float(about["longitude"]))
        columns = [table[key].to_numpy(dtype=np.float64) for key in ("dni", "dhi", "ghi")]
        utc = [time.to_pydatetime().astimezone(dt.UTC) for time in table.index]
    except (OSError, ValueError, KeyError, IndexError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not an EPW weather file: {error}") from error
    place = Place.of(frame)
    away = _distance_km(station, (place.latitude_deg, place.longitude_deg))
    if not away <= FARTHEST_KM:
        raise InputError(
            f"{path}: the weather of {about.get('city', 'a station')} at {station[0]:.2f} N {station[1]:.2f} E, "
            f"{away:,.0f} km from the site; take a file of a station within {FARTHEST_KM:.0f} km"
        )
    if len(utc) < 8760 or any(not np.isfinite(c).all() or c.min() < 0 or c.max() > 1500 for c in columns):
        raise InputError(
            f"{path}: holds no whole year of radiation ({len(utc)} hours; missing or absurd values)"
        )
    # pvlib names an hour by its begin.
    suns = sun_instants(frame, [time + dt.timedelta(minutes=30) for time in utc], time_zone(timezone))
    up = np.array([sun.altitude_deg > 0.0 for sun in suns])
    kept = tuple(sun for sun, above in zip(suns, up, strict=True) if above)
    source = f"EPW, {about.get('city', '?')}, {away:.0f} km from the site"
    direct, diffuse, whole = (column[up] for column in columns)
    return Weather(kept, direct, diffuse, whole, 1.0, source)


def _distance_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    from pyproj import Geod

    return float(Geod(ellps="WGS84").inv(a[1], a[0], b[1], b[0])[2]) / 1000.0
