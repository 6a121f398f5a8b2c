"""Roads and lawns cover the ground: they shade nothing, however little they stand above the terrain."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from tests.study_worlds import FRAME, flat, local_grid, scene_of
from twin.model.geometry import Geometry
from twin.model.objects import CityObject
from twin.model.scene import Scene
from twin.model.surface import Surface
from twin.study.occluders import COVERING_M, face_table
from twin.study.sunlight import sunlight
from twin.study.suns import Day, SunlightSettings
from twin.study.viewshed import ViewshedSettings, viewshed
from twin.visibility.caster import choose_device

CPU = choose_device("cpu")


def sheet(name: str, west: float, east: float, height: float, kind: str = "Road") -> CityObject:
    """A level sheet 40 m deep, facing up."""
    corners = np.array([(west, -20, height), (east, -20, height), (east, 20, height), (west, 20, height)])
    shape = Geometry(
        "MultiSurface",
        "1",
        corners,
        (((0, 1, 2, 3),),),
        np.array([Surface.TRAFFIC_AREA], np.uint8),
        np.zeros((1, 2), np.int32),
    )
    return CityObject(name, kind, FRAME, (shape,))


def with_others(*others: CityObject) -> Scene:
    bare = scene_of(flat(50.0))
    return Scene(bare.scenario, bare.hash, bare.terrain, others=others)


@pytest.mark.parametrize("height", [-0.3, 0.0, 0.04, 0.4])
def test_ground_under_a_road_has_the_sun_of_open_ground(height: float) -> None:
    """Two sources of one ground differ by centimetres: shadow at noon and all day would be false."""
    day = SunlightSettings(days=(Day(dt.date(2026, 3, 21), 60),), timezone="Europe/Brussels")
    grid = local_grid(16.0, 2.0)
    covered = sunlight(with_others(sheet("r", -15, 15, height)), grid, day, device=CPU, threads=1)
    bare = sunlight(scene_of(flat(50.0)), grid, day, device=CPU, threads=1)
    assert (covered.hours["2026-03-21"].values == bare.hours["2026-03-21"].values).all()
    assert bare.hours["2026-03-21"].values.min() > 10
    assert "block nothing" in covered.method["coverings"]


def test_ground_under_a_deck_is_in_its_shadow() -> None:
    day = SunlightSettings(days=(Day(dt.date(2026, 3, 21), 60),), timezone="Europe/Brussels")
    grid = local_grid(16.0, 2.0)
    under = sunlight(with_others(sheet("d", -20, 20, 4.0, "Bridge")), grid, day, device=CPU, threads=1)
    middle = under.hours["2026-03-21"].values[6:10, 6:10]
    assert middle.max() < 6


def test_a_road_hides_no_ground_from_an_observer() -> None:
    look = ViewshedSettings(observer=(-30.0, 0.0, 1.6), target_height_m=0.0, max_distance_m=200.0)
    grid = local_grid(16.0, 2.0)
    seen = viewshed(with_others(sheet("r", -15, 15, 0.05)), grid, look, device=CPU, threads=1)
    assert (seen.visible.values == 1).all()


def test_faces_are_left_out_by_their_height_one_by_one() -> None:
    """A hill of two sheets: the low one covers, the high one blocks; what stands beside the terrain stays."""
    low, high = sheet("low", -15, 0, COVERING_M - 0.01), sheet("high", 0, 15, COVERING_M + 0.01)
    edge, far = sheet("edge", 40, 70, 0.05), sheet("far", 80, 90, 0.05)
    scene = with_others(low, high, edge, far)
    table = face_table(scene, coverings=False)
    counts = dict(zip(table.ids, np.bincount(table.objects, minlength=len(table.ids)), strict=True))
    assert counts == {"terrain": 8, "low": 0, "high": 2, "edge": 0, "far": 2}
    assert len(face_table(scene).faces) == 8 + 4 * 2
