"""Days and hours of a study: the legal day of the site, interval centres, solar hours, legal hours."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from twin.errors import InputError
from twin.frame import Frame
from twin.model.results import SunInstant
from twin.sun.position import FIRST_YEAR, LAST_YEAR, Place, sun_instants, sun_positions


@dataclass(frozen=True, slots=True)
class DaySamples:
    """The suns of one legal day.

    Parameters
    ----------
    date
        The day.
    step_min
        Length of an interval [min].
    intervals
        Number of intervals from legal midnight to legal midnight (a 23 h or 25 h day has fewer or more).
    instants
        Centres of the intervals whose sun stands higher than the lowest altitude; empty on a day without sun.
    """

    date: dt.date
    step_min: float
    intervals: int
    instants: tuple[SunInstant, ...]

    @property
    def longest_h(self) -> float:
        """Hours of sun of a place that nothing shades [h]."""
        return len(self.instants) * self.step_min / 60.0


def time_zone(name: str) -> ZoneInfo:
    """The IANA time zone of a name; InputError where there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(
            f"no time zone is called {name!r}; expected an IANA name such as 'Europe/Brussels' "
            "(on Windows the package tzdata holds them)"
        ) from None


def day_bounds(date: dt.date, zone: ZoneInfo) -> tuple[dt.datetime, dt.datetime]:
    """UTC of the legal midnights that begin and end a day."""
    if not FIRST_YEAR <= date.year <= LAST_YEAR:
        raise InputError(f"{date}: the sun is computed for the years {FIRST_YEAR} to {LAST_YEAR}")
    midnight = dt.time(0)
    start = dt.datetime.combine(date, midnight, zone).astimezone(dt.UTC)
    end = dt.datetime.combine(date + dt.timedelta(days=1), midnight, zone).astimezone(dt.UTC)
    return start, end


def day_samples(
    date: dt.date, step_min: float, timezone: str, where: Frame | Place, min_altitude_deg: float = 0.0
) -> DaySamples:
    """The suns at the interval centres of a legal day that stand higher than an altitude.

    Parameters
    ----------
    date
        Day in the legal time of the site.
    step_min
        Length of an interval [min]; it must divide the day (23, 24 or 25 h) into whole intervals.
    timezone
        IANA name.
    where
        Frame of the site, or a place.
    min_altitude_deg
        Suns at or below this true altitude are left out [degree]; never below the horizon.

    Raises
    ------
    InputError
        A step that is not positive or does not divide the day, an unknown time zone, an altitude outside
        0 to 90.
    """
    if not 0.0 <= min_altitude_deg < 90.0:
        raise InputError(f"the lowest sun altitude lies in 0 to 90 degrees; got {min_altitude_deg}")
    zone = time_zone(timezone)
    start, end = day_bounds(date, zone)
    # Whole milliseconds: no rounding of a fraction of a minute decides whether a step divides the day.
    length_ms = round((end - start).total_seconds() * 1000)
    step_ms = round(step_min * 60_000) if np.isfinite(step_min) else 0
    if step_ms <= 0 or abs(step_ms - step_min * 60_000) > 1e-6 or length_ms % step_ms:
        raise InputError(
            f"{date}: a time step of {step_min} min does not divide a day of {length_ms / 3_600_000:g} h "
            "into whole intervals; use e.g. 1, 2, 5, 6, 10, 15, 30 or 60 min"
        )
    count = length_ms // step_ms
    centres = [start + dt.timedelta(milliseconds=step_ms * (k + 0.5)) for k in range(count)]
    suns = sun_instants(where, centres, zone)
    up = tuple(sun for sun in suns if sun.altitude_deg > min_altitude_deg)
    return DaySamples(date, step_min, count, up)


def day_instants(
    date: dt.date, timezone: str, step_min: float, min_altitude_deg: float, frame: Frame | Place
) -> tuple[SunInstant, ...]:
    """The instants of ``day_samples``; empty on a day without sun."""
    return day_samples(date, step_min, timezone, frame, min_altitude_deg).instants


def instant_at_solar_hour(date: dt.date, solar_h: float, timezone: str, frame: Frame | Place) -> SunInstant:
    """The sun at an hour of local apparent solar time: at 12 h it stands on the meridian.

    Parameters
    ----------
    date
        The solar day (around its noon it is the legal day's date almost everywhere).
    solar_h
        Local apparent solar time, 0 to 24 [h].
    timezone
        IANA name, for the legal time of the result.
    frame
        Frame of the site, or a place.

    Returns
    -------
    SunInstant
        At the nearest whole second.

    Raises
    ------
    InputError
        An hour outside 0 to 24, an unknown time zone.
    """
    if not 0.0 <= solar_h <= 24.0:
        raise InputError(f"a solar hour lies in 0 to 24; got {solar_h}")
    zone = time_zone(timezone)
    day_bounds(date, zone)
    place = Place.of(frame) if isinstance(frame, Frame) else frame
    midnight = dt.datetime.combine(date, dt.time(0), dt.UTC)
    mean = midnight.timestamp() + 3600.0 * (solar_h - place.longitude_deg / 15.0)
    unix = mean
    # The equation of time changes by 30 s a day at most: the second round is exact to a millisecond.
    for _ in range(3):
        unix = mean - 60.0 * float(sun_positions(place, [unix]).equation_of_time_min[0])
    utc = midnight + dt.timedelta(seconds=round(unix - midnight.timestamp()))
    return sun_instants(place, [utc], zone)[0]


def instant_at_legal_time(date: dt.date, time: dt.time, timezone: str, frame: Frame | Place) -> SunInstant:
    """The sun at an hour of the clock.

    Raises
    ------
    InputError
        The hour does not exist or exists twice on that day (change of the clocks), the time has its own
        zone, or the time zone is unknown.
    """
    zone = time_zone(timezone)
    day_bounds(date, zone)
    if time.tzinfo is not None:
        raise InputError(f"{time.isoformat()}: a legal time is given without offset; the zone is {timezone}")
    early, late = (
        dt.datetime.combine(date, time.replace(fold=fold), zone).astimezone(dt.UTC) for fold in (0, 1)
    )
    if early != late:
        exists = early.astimezone(zone).replace(tzinfo=None) == dt.datetime.combine(date, time)
        raise InputError(
            f"{date} {time.isoformat('minutes')} "
            + ("exists twice" if exists else "does not exist")
            + f" in {timezone}: the clocks change that night; choose another hour, or give a solar hour"
        )
    return sun_instants(frame, [early], zone)[0]
