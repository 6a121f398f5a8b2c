"""Days and hours: interval centres, change of the clocks, solar and legal hours."""

from __future__ import annotations

import datetime as dt

import pytest

from twin.errors import InputError
from twin.frame import Frame
from twin.sun.dates import (
    day_instants,
    day_samples,
    instant_at_legal_time,
    instant_at_solar_hour,
    time_zone,
)
from twin.sun.position import Place

BRUSSELS = "Europe/Brussels"
EQUINOX = dt.date(2026, 3, 21)


def test_samples_are_interval_centres_of_the_legal_day(frame: Frame) -> None:
    day = day_samples(EQUINOX, 10.0, BRUSSELS, frame)
    assert day.intervals == 144
    for sun in day.instants:
        assert (sun.legal.minute * 60 + sun.legal.second) % 600 == 300
        assert sun.legal.date() == EQUINOX
        assert sun.altitude_deg > 0
    gaps = {b.utc - a.utc for a, b in zip(day.instants, day.instants[1:], strict=False)}
    assert gaps == {dt.timedelta(minutes=10)}
    assert day.longest_h == pytest.approx(len(day.instants) / 6)


@pytest.mark.parametrize(
    ("date", "hours"), [(dt.date(2026, 3, 29), 23), (dt.date(2026, 10, 25), 25), (EQUINOX, 24)]
)
def test_days_of_23_and_25_hours(date: dt.date, hours: int, frame: Frame) -> None:
    assert day_samples(date, 30.0, BRUSSELS, frame).intervals == 2 * hours


@pytest.mark.parametrize("step", [0.0, -5.0, 7.0, float("nan"), float("inf"), 1e-9])
def test_steps_that_do_not_divide_the_day(step: float, frame: Frame) -> None:
    with pytest.raises(InputError, match="does not divide"):
        day_samples(EQUINOX, step, BRUSSELS, frame)


def test_step_that_divides_a_day_but_not_the_short_one(frame: Frame) -> None:
    assert day_samples(EQUINOX, 120.0, BRUSSELS, frame).intervals == 12
    with pytest.raises(InputError, match="23 h"):
        day_samples(dt.date(2026, 3, 29), 120.0, BRUSSELS, frame)


def test_half_minutes_divide(frame: Frame) -> None:
    assert day_samples(EQUINOX, 0.5, BRUSSELS, frame).intervals == 2880


def test_lowest_altitude_leaves_suns_out(frame: Frame) -> None:
    every = day_instants(EQUINOX, BRUSSELS, 10.0, 0.0, frame)
    high = day_instants(EQUINOX, BRUSSELS, 10.0, 10.0, frame)
    assert set(high) == {sun for sun in every if sun.altitude_deg > 10.0}
    with pytest.raises(InputError, match="0 to 90"):
        day_instants(EQUINOX, BRUSSELS, 10.0, -1.0, frame)


def test_polar_night_has_no_sun_and_polar_day_all_of_it() -> None:
    tromso = Place(69.65, 18.95)
    assert day_samples(dt.date(2026, 12, 21), 10.0, "Europe/Oslo", tromso).instants == ()
    assert day_samples(dt.date(2026, 12, 21), 10.0, "Europe/Oslo", tromso).longest_h == 0.0
    assert day_samples(dt.date(2026, 6, 21), 10.0, "Europe/Oslo", tromso).longest_h == 24.0


@pytest.mark.parametrize("hour", [6.0, 9.0, 12.0, 15.0, 17.5])
@pytest.mark.parametrize("date", [EQUINOX, dt.date(2026, 6, 21), dt.date(2026, 11, 3)])
def test_solar_hours(date: dt.date, hour: float, frame: Frame) -> None:
    sun = instant_at_solar_hour(date, hour, BRUSSELS, frame)
    assert sun.solar_hour == pytest.approx(hour, abs=1 / 3600)
    assert sun.utc.microsecond == 0
    assert sun.legal.date() == date


def test_solar_noon_is_on_the_meridian_east_and_west() -> None:
    for longitude in (-179.0, -105.0, 0.0, 5.5, 120.0, 179.0):
        sun = instant_at_solar_hour(EQUINOX, 12.0, "UTC", Place(50.6, longitude))
        assert sun.azimuth_true_deg == pytest.approx(180.0, abs=0.02)


def test_legal_hours(frame: Frame) -> None:
    winter = instant_at_legal_time(EQUINOX, dt.time(12), BRUSSELS, frame)
    summer = instant_at_legal_time(dt.date(2026, 6, 21), dt.time(12), BRUSSELS, frame)
    assert (winter.utc.hour, summer.utc.hour) == (11, 10)


def test_legal_hours_at_the_change_of_the_clocks(frame: Frame) -> None:
    with pytest.raises(InputError, match="does not exist"):
        instant_at_legal_time(dt.date(2026, 3, 29), dt.time(2, 30), BRUSSELS, frame)
    with pytest.raises(InputError, match="exists twice"):
        instant_at_legal_time(dt.date(2026, 10, 25), dt.time(2, 30), BRUSSELS, frame)
    with pytest.raises(InputError, match="without offset"):
        instant_at_legal_time(EQUINOX, dt.time(12, tzinfo=dt.UTC), BRUSSELS, frame)


def test_unknown_zone_and_impossible_hours(frame: Frame) -> None:
    with pytest.raises(InputError, match="Europe/Brussels"):
        time_zone("Europe/Seraing")
    with pytest.raises(InputError, match="Europe/Brussels"):
        time_zone("../etc/passwd")
    with pytest.raises(InputError, match="0 to 24"):
        instant_at_solar_hour(EQUINOX, 25.0, BRUSSELS, frame)
    with pytest.raises(InputError, match="1678"):
        day_samples(dt.date(9999, 12, 31), 10.0, BRUSSELS, frame)
