"""Sunlight, viewshed and comparison on small worlds."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pytest
from pyproj import CRS

from tests.study_worlds import box, flat, local_grid, scene_of
from twin.errors import FrameMismatchError, InputError
from twin.frame import Frame
from twin.model.objects import Tree
from twin.model.raster import Raster
from twin.model.results import SunlightResult
from twin.model.scene import Scene
from twin.study.compare import compare, sunlight_table, viewshed_table
from twin.study.sunlight import sunlight
from twin.study.suns import Day, Period, SunlightSettings, spans_of
from twin.study.viewshed import ViewshedSettings, viewshed
from twin.visibility.caster import choose_device

DEVICE = choose_device("cpu")
EQUINOX, WINTER = dt.date(2026, 3, 21), dt.date(2026, 12, 21)
GRID = local_grid(60.0, 2.0)
TOWER = box("p/tower", (5, 3), (14, 10, 30), 15.0)


def solve(scene: Scene, **changes: object) -> SunlightResult:
    values = {"days": (Day(EQUINOX, 30.0),), "timezone": "Europe/Brussels"} | changes
    return sunlight(scene, GRID, SunlightSettings(**values), DEVICE)


def test_open_ground_has_all_the_sun_of_the_day() -> None:
    result = solve(scene_of(flat(200.0)), days=(Day(EQUINOX, 30.0), Day(WINTER, 10.0)))
    for date, raster in result.hours.items():
        assert raster.values.dtype == np.float32
        assert np.unique(raster.values).tolist() == [
            pytest.approx(result.method["days"][date]["longest_h"], abs=1e-4)
        ]
    assert list(result.hours) == ["2026-03-21", "2026-12-21"]


def test_tower_shades_the_north_and_never_the_south() -> None:
    hours = solve(scene_of(flat(200.0), (TOWER,))).hours["2026-03-21"].values
    south, north = hours[-10:], hours[:25]
    assert np.nanmin(south) == pytest.approx(np.nanmax(hours))
    assert np.nanmin(north) < np.nanmax(hours) - 3
    assert np.isnan(hours[28, 32])


def test_lowest_altitude_and_polar_night() -> None:
    day = (Day(EQUINOX, 10.0),)
    high = solve(scene_of(flat(200.0)), days=day, min_altitude_deg=10.0).hours["2026-03-21"].values
    everything = solve(scene_of(flat(200.0)), days=day).hours["2026-03-21"].values
    # 723 and 596 minutes of the reference, in steps of ten.
    assert everything[0, 0] - high[0, 0] == pytest.approx(127 / 60, abs=2 * 10 / 60)
    none = solve(scene_of(flat(200.0)), days=(Day(WINTER, 30.0),), min_altitude_deg=40.0)
    assert (none.hours["2026-12-21"].values == 0).all()


def test_plates_by_solar_and_legal_hour() -> None:
    result = solve(
        scene_of(flat(200.0), (TOWER,)), plates_solar_h=(9.0, 12.0, 3.0), plates_legal=(dt.time(16),)
    )
    solar = [round(sun.solar_hour, 2) for sun, _ in result.plates[:3]]
    assert solar == [9.0, 12.0, 3.0]
    assert result.plates[3][0].legal.hour == 16
    assert np.nanmax(result.plates[2][1].values) == 0.0
    noon = result.plates[1][1].values
    assert set(np.unique(noon[np.isfinite(noon)])) == {0.0, 1.0}
    # At noon the shadow of a 30 m tower falls 36 m to the north.
    assert (noon[15:20, 32] == 0).all()
    assert (noon[40:, :] == 1).all()


def test_trees_in_and_out() -> None:
    tree = Tree("t", GRID.frame, 0.0, 0.0, 0.0, 15.0, 5.0, 3.0)
    scene = scene_of(flat(200.0), trees=(tree,))
    assert np.nanmin(solve(scene).hours["2026-03-21"].values) < 12
    bare = solve(scene, trees=False)
    assert np.ptp(bare.hours["2026-03-21"].values) == 0.0
    assert bare.method["trees"] == "left out"


def test_progress_ends_at_its_total() -> None:
    seen: list[tuple[float, float]] = []
    settings = SunlightSettings((Day(EQUINOX, 60.0),), "Europe/Brussels", plates_solar_h=(12.0,))
    sunlight(
        scene_of(flat(200.0)),
        GRID,
        settings,
        DEVICE,
        progress=lambda done, total, _: seen.append((done, total)),
    )
    assert seen[-1][0] == seen[-1][1] > 0
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_method_is_plain_and_complete() -> None:
    method = solve(scene_of(flat(200.0))).method
    text = json.dumps(method)
    for key in ("min_altitude_deg", "sample_height_m", "surface_lift_m", "timezone", "engine", "grazing"):
        assert key in text


def test_settings_that_cannot_be() -> None:
    with pytest.raises(InputError, match="at least one day"):
        SunlightSettings((), "Europe/Brussels")
    with pytest.raises(InputError, match="twice"):
        SunlightSettings((Day(EQUINOX), Day(EQUINOX, 5.0)), "Europe/Brussels")
    with pytest.raises(InputError, match="does not divide"):
        solve(scene_of(flat(200.0)), days=(Day(EQUINOX, 7.0),))
    with pytest.raises(InputError, match="finite"):
        ViewshedSettings((0.0, float("nan"), 0.0))
    with pytest.raises(InputError, match="farthest"):
        ViewshedSettings((0.0, 0.0, 2.0), max_distance_m=0.0)


def test_comparison_of_sun() -> None:
    before, after = scene_of(flat(200.0)), scene_of(flat(200.0), proposed=(TOWER,))
    result = compare(lambda s: solve(s, plates_solar_h=(12.0,)), before, after)
    assert next(iter(result.difference)) == "hours-2026-03-21"
    assert any(name.startswith("sun-2026-03-21T11") for name in result.difference)
    change = result.difference["hours-2026-03-21"].values
    assert np.isnan(change[28, 32])
    assert np.nanmax(change) == 0.0
    (row,) = sunlight_table(result)
    counted = np.count_nonzero(change < -1.0001) * 4.0
    assert row["area_losing_over_1h_m2"] == counted > 0
    assert row["area_in_one_state_m2"] == np.count_nonzero(np.isnan(change)) * 4.0
    assert row["mean_change_h"] == pytest.approx(np.nanmean(change), abs=1e-5)
    assert row["area_m2"] == np.count_nonzero(np.isfinite(change)) * 4.0
    assert row["area_gaining_m2"] == 0.0


def test_the_table_of_a_period_asks_of_its_mean_day() -> None:
    """Limits of a day never stand against the sum of a year."""
    week = Period("week", dt.date(2026, 3, 18), dt.date(2026, 3, 24), 60.0)
    before, after = scene_of(flat(200.0)), scene_of(flat(200.0), proposed=(TOWER,))
    result = compare(lambda s: solve(s, periods=(week,)), before, after)
    day, period = sunlight_table(result)
    assert list(day) == list(period)
    assert period["area_2h_existing_m2"] is None and day["area_2h_a_day_existing_m2"] is None
    change = result.difference["hours-week"].values
    assert period["area_losing_over_1h_a_day_m2"] == np.count_nonzero(change < -7.0001) * 4.0 > 0
    assert period["area_losing_over_1h_a_day_m2"] < np.count_nonzero(change < -1.0001) * 4.0
    assert period["mean_existing_h_a_day"] == pytest.approx(period["mean_existing_h"] / 7)
    new = result.proposed.hours["week"].values[np.isfinite(change)]
    assert period["area_2h_a_day_proposed_m2"] == np.count_nonzero(new >= 14.0 - 1e-3) * 4.0


def test_a_leap_year_and_the_change_of_the_clocks() -> None:
    """366 days, each of its own length; no interval of a day of 23 or 25 hours is lost or counted twice."""
    year = Period("2028", dt.date(2028, 1, 1), dt.date(2028, 12, 31), 60.0)
    settings = SunlightSettings((), "Europe/Brussels", periods=(year,))
    (span,) = spans_of(settings, GRID.frame)
    assert span.record()["days"] == 366 and span.record()["intervals"] == 366 * 24
    utc = [sun.utc for sun in span.instants]
    assert len(set(utc)) == len(utc) and utc == sorted(utc)
    assert 366 * 24 * 0.49 < len(utc) < 366 * 24 * 0.52
    two = Period("2026", dt.date(2026, 1, 1), dt.date(2026, 12, 31), 60.0)
    (span,) = spans_of(SunlightSettings((), "Europe/Brussels", periods=(two,)), GRID.frame)
    lengths = {day.date: day.intervals for day in span.days if day.intervals != 24}
    assert lengths == {dt.date(2026, 3, 29): 23, dt.date(2026, 10, 25): 25}


def test_polar_night_and_midnight_sun() -> None:
    """At 70 degrees north: no hour and no first sun in December; all of the day in June, from midnight on."""
    frame = Frame(CRS.from_epsg(32633), "unknown", (500000, 7765000))
    grid = local_grid(10.0, 5.0, frame)
    night, day = dt.date(2026, 12, 21), dt.date(2026, 6, 21)
    settings = SunlightSettings((Day(night, 30.0), Day(day, 30.0)), "Europe/Oslo", runs=True)
    found = sunlight(scene_of(flat(50.0, 0.0, frame)), grid, settings, DEVICE)
    assert (found.hours["2026-12-21"].values == 0.0).all() and (
        found.hours["2026-06-21"].values == 24.0
    ).all()
    dark, light = found.runs["2026-12-21"], found.runs["2026-06-21"]
    assert np.isnan(dark.first.values).all() and np.isnan(dark.last.values).all()
    assert (dark.longest.values == 0.0).all() and (light.longest.values == 24.0).all()
    assert (light.first.values == 0.0).all() and np.allclose(light.last.values, 24.0)


def test_existing_alone_and_known_results() -> None:
    scene = scene_of(flat(200.0))
    alone = compare(solve, scene, None)
    assert alone.proposed is None
    assert not alone.difference
    (row,) = sunlight_table(alone)
    assert row["mean_proposed_h"] is None
    assert isinstance(alone.existing, SunlightResult)
    asked: list[Scene] = []
    again = compare(
        lambda s: asked.append(s) or solve(s), scene, scene_of(flat(200.0), proposed=(TOWER,)), alone.existing
    )
    assert len(asked) == 1
    assert again.existing is alone.existing


def test_different_grids_do_not_compare() -> None:
    grids = iter([GRID, local_grid(40.0, 2.0)])
    settings = SunlightSettings((Day(EQUINOX, 60.0),), "Europe/Brussels")
    with pytest.raises(FrameMismatchError):
        compare(
            lambda s: sunlight(s, next(grids), settings, DEVICE), scene_of(flat(200.0)), scene_of(flat(200.0))
        )


def test_viewshed_and_its_table() -> None:
    settings = ViewshedSettings((0.0, -50.0, 1.6), max_distance_m=90.0)
    before, after = scene_of(flat(200.0)), scene_of(flat(200.0), proposed=(TOWER,))
    result = compare(lambda s: viewshed(s, GRID, settings, DEVICE), before, after)
    seen = result.existing.visible.values
    distance = np.hypot(GRID.x_centres()[None, :], GRID.y_centres()[:, None] + 50)
    np.testing.assert_array_equal(np.isfinite(seen), distance <= 90.0)
    assert np.nanmin(seen) == 1.0
    change = result.difference["visible"].values
    assert set(np.unique(change[np.isfinite(change)])) == {-1.0, 0.0}
    # What is lost lies behind the tower, north of it.
    rows, _ = np.nonzero(change == -1)
    assert rows.max() < 30
    (row,) = viewshed_table(result)
    assert row["lost_m2"] == len(rows) * 4.0
    assert row["gained_m2"] == 0.0
    assert row["visible_existing_percent"] == 100.0
    assert result.existing.method["curvature"]["refraction_k"] == 0.13


def test_tables_want_their_own_study() -> None:
    sun = compare(solve, scene_of(flat(200.0)), None)
    with pytest.raises(InputError, match="viewshed"):
        viewshed_table(sun)
    assert isinstance(sun.existing.hours["2026-03-21"], Raster)
