"""Where the sun is: the NREL solar position algorithm, true and apparent altitude, true and grid azimuth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.frame import Frame
from twin.model.arrays import readonly
from twin.model.results import SunInstant

DELTA_T_S = 69.2
"""Terrestrial time less universal time [s], as measured around 2022 to 2026; one fixed value, so that a
result never depends on a table's age. Ten seconds of error move the sun by 0.0001 degree."""

PRESSURE_PA = 101_325.0
TEMPERATURE_C = 12.0
"""Air of the refraction formula; the apparent altitude alone depends on it."""

METHOD = (
    "NREL SPA (Reda and Andreas 2004, 2008) through pvlib, true (unrefracted) altitude of the sun's centre, "
    f"delta T {DELTA_T_S} s"
)
"""One line for manifests and sheets."""

FIRST_YEAR, LAST_YEAR = 1678, 2261
"""Years that a count of nanoseconds since 1970 holds."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place on the earth, good to about 100 m, and its meridian convergence.

    Parameters
    ----------
    latitude_deg, longitude_deg
        Geodetic, north and east positive [degree].
    convergence_deg
        grid azimuth = true azimuth - convergence [degree].
    altitude_m
        Height above sea level [m]; it moves the sun by less than 1e-6 degree.
    pressure_pa, temperature_c
        Air of the refraction formula [Pa, degree Celsius]; the apparent altitude alone depends on them.
    """

    latitude_deg: float
    longitude_deg: float
    convergence_deg: float = 0.0
    altitude_m: float = 0.0
    pressure_pa: float = PRESSURE_PA
    temperature_c: float = TEMPERATURE_C

    def __post_init__(self) -> None:
        if not (abs(self.latitude_deg) <= 90 and abs(self.longitude_deg) <= 360):
            raise InputError(
                f"a place has a latitude within 90 and a longitude within 360 degrees; "
                f"got {self.latitude_deg}, {self.longitude_deg}"
            )

    @staticmethod
    def of(frame: Frame) -> Place:
        """The origin of a frame, at sea level."""
        return Place(frame.latitude_deg, frame.longitude_deg, frame.convergence_deg)


@dataclass(frozen=True, slots=True, eq=False)
class SunPositions:
    """The sun at many instants, each array (n,) float64.

    Parameters
    ----------
    altitude_deg
        True (geometric, unrefracted) altitude of the sun's centre [degree]; what studies use.
    altitude_apparent_deg
        Altitude as seen through the air (refraction added near and above the horizon) [degree].
    azimuth_true_deg
        From true north, clockwise [degree].
    equation_of_time_min
        Apparent less mean solar time [min].
    """

    altitude_deg: NDArray[np.float64]
    altitude_apparent_deg: NDArray[np.float64]
    azimuth_true_deg: NDArray[np.float64]
    equation_of_time_min: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name in self.__slots__:
            object.__setattr__(self, name, readonly(getattr(self, name), np.float64))


def sun_positions(
    place: Place, unix_s: NDArray[np.float64] | Sequence[float], delta_t_s: float = DELTA_T_S
) -> SunPositions:
    """The sun seen from a place.

    Parameters
    ----------
    place
        Where.
    unix_s
        (n,) seconds since 1970-01-01 00:00 UTC, leap seconds not counted.
    delta_t_s
        Terrestrial time less universal time [s].

    Returns
    -------
    SunPositions
        By the algorithm of Reda and Andreas (Solar Energy 76, 2004, 577-589; stated error 0.0003 degree).

    Raises
    ------
    InputError
        A time that is not finite or outside the years 1678 to 2261.
    """
    from pvlib.solarposition import spa_python

    seconds = np.atleast_1d(np.asarray(unix_s, dtype=np.float64))
    if not np.isfinite(seconds).all() or (np.abs(seconds) > 9.2e9).any():
        raise InputError(f"the sun is computed for the years {FIRST_YEAR} to {LAST_YEAR}")
    if not len(seconds):
        none = np.empty(0)
        return SunPositions(none, none, none, none)
    table = spa_python(
        (np.round(seconds * 1e6).astype(np.int64) * 1000).astype("datetime64[ns]"),
        place.latitude_deg,
        place.longitude_deg,
        altitude=place.altitude_m,
        pressure=place.pressure_pa,
        temperature=place.temperature_c,
        delta_t=delta_t_s,
        how="numpy",
    )
    return SunPositions(
        *(
            table[name].to_numpy(np.float64)
            for name in ("elevation", "apparent_elevation", "azimuth", "equation_of_time")
        )
    )


def sun_instants(
    where: Frame | Place, times: Sequence[datetime], timezone: tzinfo = UTC
) -> tuple[SunInstant, ...]:
    """The sun at given instants, as studies, pictures and sheets use it.

    Parameters
    ----------
    where
        Frame of the site (its origin counts) or a place.
    times
        Aware datetimes, any zone.
    timezone
        Zone of ``SunInstant.legal``.

    Raises
    ------
    InputError
        A datetime without zone, or outside the years that can be computed.
    """
    place = Place.of(where) if isinstance(where, Frame) else where
    for time in times:
        if time.utcoffset() is None:
            raise InputError(f"{time.isoformat()} has no UTC offset; give one, e.g. {time.isoformat()}+01:00")
    utc = [time.astimezone(UTC) for time in times]
    unix = np.array([time.timestamp() for time in utc], dtype=np.float64)
    sun = sun_positions(place, unix)
    solar = solar_hours(place, unix, sun.equation_of_time_min)
    return tuple(
        SunInstant(
            utc=time,
            legal=time.astimezone(timezone),
            solar_hour=float(solar[k]),
            altitude_deg=float(sun.altitude_deg[k]),
            azimuth_true_deg=float(sun.azimuth_true_deg[k]),
            azimuth_grid_deg=float((sun.azimuth_true_deg[k] - place.convergence_deg) % 360.0),
        )
        for k, time in enumerate(utc)
    )


def solar_hours(
    place: Place, unix_s: NDArray[np.float64], equation_of_time_min: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Local apparent solar time (n,) in 0 to 24 [h]: UTC + longitude / 15 + equation of time."""
    hours: NDArray[np.float64] = (
        unix_s / 3600.0 + place.longitude_deg / 15.0 + equation_of_time_min / 60.0
    ) % 24.0
    return hours


def sun_direction_local(sun: SunInstant) -> NDArray[np.float64]:
    """Unit vector (3,) towards the sun in the axes of the grid: x east, y grid north, z up."""
    return direction_local(sun.azimuth_grid_deg, sun.altitude_deg)


def direction_local(azimuth_grid_deg: float, altitude_deg: float) -> NDArray[np.float64]:
    """Unit vector (3,) of a grid azimuth (clockwise) and an altitude [degree]: x east, y grid north, z up."""
    azimuth, altitude = np.radians(azimuth_grid_deg), np.radians(altitude_deg)
    flat = np.cos(altitude)
    return np.array([np.sin(azimuth) * flat, np.cos(azimuth) * flat, np.sin(altitude)])
