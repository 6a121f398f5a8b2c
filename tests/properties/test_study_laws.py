"""Laws that every sun and sight study obeys, on synthetic worlds drawn by hypothesis."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.study_worlds import box, flat, local_grid, scene_of, sun_at, terrain_of
from twin.model.scene import Scene
from twin.model.terrain import Terrain
from twin.study.occluders import face_table
from twin.study.readers import lit
from twin.study.receptors import ground_receptors
from twin.study.sight import sees
from twin.study.sunlight import sunlight
from twin.study.suns import Day, SunlightSettings
from twin.study.viewshed import ViewshedSettings, viewshed
from twin.visibility.caster import choose_device, make_caster

DEVICE = choose_device("cpu")
DAY = SunlightSettings((Day(dt.date(2026, 3, 21), 60.0),), "Europe/Brussels")
GRID = local_grid(60.0, 3.0)
FEW = settings(max_examples=12, deadline=None, derandomize=True)
AZIMUTH = st.floats(0, 360)


def hills() -> Terrain:
    return terrain_of(lambda x, y: 8 * np.sin(x / 25) * np.cos(y / 31), 150.0, 60)


def lit_map(scene: Scene, azimuth: float, altitude: float) -> np.ndarray:
    table = face_table(scene)
    receptors = ground_receptors(table, GRID)
    caster = make_caster(table.triangles(), DEVICE, 1)
    try:
        return receptors.raster(lit(caster, receptors.xyz, sun_at(azimuth, altitude))).values
    finally:
        caster.close()


@FEW
@given(AZIMUTH, st.floats(-90, 0))
def test_sun_below_the_horizon_lights_nothing(azimuth: float, altitude: float) -> None:
    assert np.nanmax(lit_map(scene_of(flat(100.0)), azimuth, altitude)) == 0.0


@FEW
@given(AZIMUTH, st.floats(4, 80), st.floats(3, 30), st.floats(0.5, 30), st.floats(0, 90))
def test_taller_casts_no_less(
    azimuth: float, altitude: float, height: float, more: float, turn: float
) -> None:
    low = lit_map(scene_of(hills(), (box("b", (3, -5), (14, 9, height), turn, -8.0),)), azimuth, altitude)
    high = lit_map(
        scene_of(hills(), (box("b", (3, -5), (14, 9, height + more), turn, -8.0),)), azimuth, altitude
    )
    both = np.isfinite(low) & np.isfinite(high)
    assert (high[both] <= low[both]).all()


@FEW
@given(st.tuples(st.floats(-40, 40), st.floats(-40, 40)), st.floats(4, 60), st.floats(0, 90))
def test_an_added_volume_takes_sun_and_gives_none(
    place: tuple[float, float], height: float, turn: float
) -> None:
    old = (box("old", (-15, 20), (12, 12, 10), 10.0, -8.0),)
    new = (box("p/new", place, (16, 10, height), turn, -8.0),)
    before = sunlight(scene_of(hills(), old), GRID, DAY, DEVICE).hours["2026-03-21"].values
    after = sunlight(scene_of(hills(), old, new), GRID, DAY, DEVICE).hours["2026-03-21"].values
    both = np.isfinite(before) & np.isfinite(after)
    assert (after[both] <= before[both]).all()
    assert (np.isfinite(after) <= np.isfinite(before)).all()


def test_sight_is_mutual() -> None:
    """10,000 pairs of points above hills and houses: as many see there as see back."""
    rng = np.random.default_rng(7)
    houses = tuple(
        box(f"b{k}", tuple(rng.uniform(-100, 100, 2)), (12, 8, 9), rng.uniform(0, 90), -6.0)
        for k in range(40)
    )
    table = face_table(scene_of(hills(), houses))
    a, b = (
        np.column_stack([rng.uniform(-140, 140, (10_000, 2)), rng.uniform(-4, 25, 10_000)]) for _ in range(2)
    )
    caster = make_caster(table.triangles(), DEVICE, 1)
    there, back = sees(caster, a, b), sees(caster, b, a)
    caster.close()
    assert (there == back).all()
    assert 3_000 <= there.sum() <= 9_000


@FEW
@given(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), st.floats(0.5, 8), st.floats(1, 20))
def test_higher_targets_are_seen_no_less(place: tuple[float, float], low: float, more: float) -> None:
    scene = scene_of(hills(), (box("b", (3, -5), (14, 9, 12), 20.0, -8.0),))
    eye = (*place, 25.0)
    seen = [
        viewshed(
            scene, GRID, ViewshedSettings(eye, target_height_m=h, curvature=False), DEVICE
        ).visible.values
        for h in (low, low + more)
    ]
    both = np.isfinite(seen[0])
    assert (seen[1][both] >= seen[0][both]).all()


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_no_bit(threads: int) -> None:
    scene = scene_of(hills(), (box("b", (3, -5), (14, 9, 25), 20.0, -8.0),))
    grid = local_grid(130.0, 0.8)
    one = sunlight(scene, grid, DAY, DEVICE, threads=1)
    many = sunlight(scene, grid, DAY, DEVICE, threads=threads)
    for date, raster in one.hours.items():
        assert raster.values.tobytes() == many.hours[date].values.tobytes()
