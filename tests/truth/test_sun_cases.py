"""The sun against reference values: the SPA report, and pvlib's SPA at 50.6 N 5.5 E in 2026."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pytest

from tests.tolerances import SUN_DEG, SUN_TIME_S
from twin.sun.dates import instant_at_solar_hour
from twin.sun.position import Place, sun_instants, sun_positions

SERAING = Place(50.6, 5.5, altitude_m=70.0)
GOLDEN = Place(39.742476, -105.1786, altitude_m=1830.14, pressure_pa=82_000.0, temperature_c=11.0)
DISC_DEG = -50 / 60 - 8.794 / 3600
"""Altitude of the centre at rise and set: refraction of 34 minutes of arc, the half disc of 16, and the sun's
parallax of 8.8 seconds of arc, since the reference counts from the middle of the earth."""


def unix(text: str) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()


def test_table_of_the_spa_report() -> None:
    sun = sun_positions(GOLDEN, [unix("2003-10-17T19:30:30")], delta_t_s=67.0)
    assert 90 - sun.altitude_apparent_deg[0] == pytest.approx(50.11162, abs=SUN_DEG)
    assert 90 - sun.altitude_deg[0] == pytest.approx(50.127954, abs=SUN_DEG)
    assert sun.azimuth_true_deg[0] == pytest.approx(194.34024, abs=SUN_DEG)


@pytest.mark.parametrize(
    ("day", "noon", "altitude"),
    [
        ("2026-03-21", "11:45:08", 39.7439),
        ("2026-06-21", "11:39:48", 62.8368),
        ("2026-09-21", "11:31:05", 39.9907),
        ("2026-12-21", "11:36:03", 15.9607),
        ("2026-02-01", "11:51:32", 22.3801),
    ],
)
def test_transit_and_noon_altitude(day: str, noon: str, altitude: float) -> None:
    sun = instant_at_solar_hour(dt.date.fromisoformat(day), 12.0, "Europe/Brussels", SERAING)
    assert sun.utc.timestamp() == pytest.approx(unix(f"{day}T{noon}"), abs=SUN_TIME_S)
    assert sun.altitude_deg == pytest.approx(altitude, abs=SUN_DEG)
    assert sun.azimuth_true_deg == pytest.approx(180.0, abs=0.01)


@pytest.mark.parametrize(
    ("day", "rise", "set_"),
    [
        ("2026-03-21", "05:38:46", "17:52:29"),
        ("2026-06-21", "03:25:30", "19:54:06"),
        ("2026-12-21", "07:36:42", "15:35:23"),
    ],
)
def test_rise_and_set(day: str, rise: str, set_: str) -> None:
    for time, rising in ((rise, True), (set_, False)):
        low, high = unix(f"{day}T{time}") - 600, unix(f"{day}T{time}") + 600
        for _ in range(14):
            middle = (low + high) / 2
            above = sun_positions(SERAING, [middle]).altitude_deg[0] > DISC_DEG
            low, high = (low, middle) if above == rising else (middle, high)
        assert (low + high) / 2 == pytest.approx(unix(f"{day}T{time}"), abs=SUN_TIME_S)


@pytest.mark.parametrize(
    ("time", "altitude", "azimuth", "shadow_m"),
    [
        ("2026-03-21T09:00:00", 28.7444, 131.1765, 18.232),
        ("2026-03-21T13:00:00", 37.3052, 203.7939, 13.124),
        ("2026-03-21T17:00:00", 7.4597, 261.5196, 76.373),
        ("2026-12-21T09:00:00", 8.3486, 144.2960, 68.143),
        ("2026-12-21T15:00:00", 3.4025, 225.5589, 168.198),
    ],
)
def test_positions_and_shadow_of_a_pole(time: str, altitude: float, azimuth: float, shadow_m: float) -> None:
    sun = sun_positions(SERAING, [unix(time)])
    assert sun.altitude_deg[0] == pytest.approx(altitude, abs=SUN_DEG)
    assert sun.azimuth_true_deg[0] == pytest.approx(azimuth, abs=SUN_DEG)
    # Half a millimetre of print, and what 3e-4 degree are near the horizon.
    reach = 0.0005 + 10 * np.radians(SUN_DEG) / np.sin(np.radians(altitude)) ** 2
    assert 10 / np.tan(np.radians(sun.altitude_deg[0])) == pytest.approx(shadow_m, abs=reach)


@pytest.mark.parametrize(
    ("step_s", "offset_s", "suns"),
    [(3600, 0, 4406), (600, 0, 26_423), (3600, 1800, 4389), (600, 300, 26_439)],
    ids=["hourly starts", "ten-minute starts", "hourly centres", "ten-minute centres"],
)
def test_suns_above_the_horizon_in_a_year(step_s: int, offset_s: int, suns: int) -> None:
    times = unix("2026-01-01T00:00:00") + offset_s + np.arange(365 * 86_400 // step_s) * step_s
    assert np.count_nonzero(sun_positions(SERAING, times).altitude_deg > 0) == suns


def test_minutes_above_the_horizon_in_a_year() -> None:
    times = unix("2026-01-01T00:00:00") + np.arange(365 * 1440) * 60.0
    assert np.count_nonzero(sun_positions(SERAING, times).altitude_deg > 0) == 264_310


def test_minutes_of_the_equinox() -> None:
    times = unix("2026-03-21T00:00:00") + np.arange(1440) * 60.0
    altitude = sun_positions(SERAING, times).altitude_deg
    assert [np.count_nonzero(altitude > limit) for limit in (0, 10, 13)] == [723, 596, 558]
    hourly = unix("2026-01-01T00:00:00") + np.arange(8760) * 3600.0
    assert np.count_nonzero(sun_positions(SERAING, hourly).altitude_deg > 10) == 3523


def test_file_of_reference_positions(test_data: Path) -> None:
    table = json.loads((test_data / "sun" / "spa_reference.json").read_text(encoding="utf-8"))
    for row in table["solar_position"]:
        place = Place(row["lat"], row["lon"], 0.0, row["alt_m"], row["pressure_Pa"], row["temp_C"])
        time = dt.datetime.fromisoformat(row["time"])
        sun = sun_positions(place, [time.timestamp()], row["delta_t_s"])
        assert sun.altitude_deg[0] == pytest.approx(row["elevation_true"], abs=SUN_DEG)
        assert sun.altitude_apparent_deg[0] == pytest.approx(row["apparent_elevation"], abs=SUN_DEG)
        assert sun.azimuth_true_deg[0] == pytest.approx(row["azimuth_from_north"], abs=SUN_DEG)
        (instant,) = sun_instants(place, [time])
        assert instant.utc == time
    for row in table["rise_set_transit_spa"]:
        place = Place(row["lat"], row["lon"])
        transit = dt.datetime.fromisoformat(row["transit"])
        noon = instant_at_solar_hour(dt.date.fromisoformat(row["date"]), 12.0, "UTC", place)
        assert noon.utc.timestamp() == pytest.approx(transit.timestamp(), abs=2 * SUN_TIME_S)
