"""Sun positions: places, grid axes, times that cannot be used."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from twin.errors import InputError
from twin.frame import Frame
from twin.sun.position import Place, direction_local, sun_direction_local, sun_instants, sun_positions

MORNING = dt.datetime(2026, 3, 21, 9, tzinfo=dt.UTC)


def test_grid_azimuth_is_true_azimuth_less_convergence(frame: Frame) -> None:
    (sun,) = sun_instants(frame, [MORNING])
    assert frame.convergence_deg > 0.5
    assert sun.azimuth_grid_deg == pytest.approx(sun.azimuth_true_deg - frame.convergence_deg)
    direction = sun_direction_local(sun)
    assert np.linalg.norm(direction) == pytest.approx(1.0)
    assert np.degrees(np.arctan2(direction[0], direction[1])) == pytest.approx(sun.azimuth_grid_deg)
    assert np.degrees(np.arcsin(direction[2])) == pytest.approx(sun.altitude_deg)


def test_morning_sun_stands_in_the_south_east(frame: Frame) -> None:
    x, y, z = sun_direction_local(sun_instants(frame, [MORNING])[0])
    assert x > 0 > y
    assert z > 0


@pytest.mark.parametrize(
    ("azimuth", "expected"), [(0, (0, 1, 0)), (90, (1, 0, 0)), (180, (0, -1, 0)), (270, (-1, 0, 0))]
)
def test_directions_of_the_compass(azimuth: float, expected: tuple[float, float, float]) -> None:
    assert direction_local(azimuth, 0.0) == pytest.approx(expected, abs=1e-15)
    assert direction_local(azimuth, 90.0) == pytest.approx((0, 0, 1), abs=1e-15)


def test_apparent_altitude_is_kept_apart_and_lies_higher() -> None:
    low = sun_positions(Place(50.6, 5.5), [dt.datetime(2026, 12, 21, 15, tzinfo=dt.UTC).timestamp()])
    assert low.altitude_deg[0] == pytest.approx(3.40, abs=0.01)
    assert low.altitude_apparent_deg[0] == pytest.approx(3.61, abs=0.01)


def test_zones_of_one_instant_agree(frame: Frame) -> None:
    east = MORNING.astimezone(dt.timezone(dt.timedelta(hours=5, minutes=30)))
    a, b = sun_instants(frame, [MORNING, east])
    assert (a.altitude_deg, a.azimuth_grid_deg, a.utc) == (b.altitude_deg, b.azimuth_grid_deg, b.utc)


def test_one_by_one_is_the_same_as_all_at_once(frame: Frame) -> None:
    times = [MORNING + dt.timedelta(minutes=7 * k) for k in range(40)]
    assert sun_instants(frame, times) == tuple(sun_instants(frame, [t])[0] for t in times)


def test_no_times_give_no_suns(frame: Frame) -> None:
    assert sun_instants(frame, []) == ()


def test_naive_time_is_refused(frame: Frame) -> None:
    with pytest.raises(InputError, match="no UTC offset"):
        sun_instants(frame, [dt.datetime(2026, 3, 21, 9)])


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e11])
def test_impossible_seconds_are_refused(bad: float) -> None:
    with pytest.raises(InputError, match="1678"):
        sun_positions(Place(50.6, 5.5), [bad])


def test_impossible_place_is_refused() -> None:
    with pytest.raises(InputError, match="latitude"):
        Place(91.0, 5.5)
