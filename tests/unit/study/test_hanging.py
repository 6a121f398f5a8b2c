"""What hangs over the ground in the fast engine: which objects, which points, how much sun."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from tests.study_worlds import FRAME, box, deck, flat, local_grid, scene_of, sun_at, terrain_of
from twin.model.objects import CityObject, Tree
from twin.model.scene import Scene
from twin.study.hanging import Reach, faces_of, hanging_objects
from twin.study.occluders import face_table
from twin.study.readers import Engine
from twin.study.receptors import ground_receptors
from twin.study.sky import SkySettings, sky_on_ground
from twin.study.sunlight import sunlight
from twin.study.suns import Day, Foliage, SunlightSettings
from twin.sun.position import sun_direction_local
from twin.visibility.caster import choose_device, make_caster

DEVICE = choose_device("cpu")
GRID = local_grid(60.0, 1.0)
SLOPE = terrain_of(lambda x, y: 0.08 * x - 0.05 * y, 120.0, 40)


def grove(seed: int) -> Scene:
    """Trees and turned decks on a slope, off the middle, some over the border of the grid."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(-65, 65, (25, 2))
    trees = tuple(
        Tree(
            f"t{k}",
            FRAME,
            float(x),
            float(y),
            float(0.08 * x - 0.05 * y),
            float(rng.uniform(5, 22)),
            3.3,
            2.0,
        )
        for k, (x, y) in enumerate(places)
    )
    decks = tuple(
        deck(f"d{k}", (20.0 * k - 30, 13.0 - 9 * k), (70, 5, 1), float(rng.uniform(0, 180)), 12.0)
        for k in range(3)
    )
    return replace(scene_of(SLOPE, trees=trees), others=decks)


@pytest.mark.parametrize("seed", range(4))
def test_no_point_that_may_meet_something_is_overlooked(seed: int) -> None:
    """Every point whose ray meets a hanging face is among those that are asked, for suns all round."""
    table = face_table(grove(seed))
    hanging = faces_of(table, hanging_objects(table))
    receptors = ground_receptors(table, GRID)
    reach, caster = Reach(hanging, receptors), make_caster(hanging.triangles(), DEVICE)
    rng = np.random.default_rng(100 + seed)
    asked = met = 0
    suns = [(float(rng.uniform(0, 360)), float(rng.uniform(1, 89.9))) for _ in range(60)]
    for azimuth, altitude in [*suns, (0.0, 30.0), (90.0, 5.0), (225.0, 45.0), (45.0, 12.0), (180.0, 90.0)]:
        direction = sun_direction_local(sun_at(azimuth, altitude))
        may, does = reach.met(direction), caster.occluded(receptors.xyz, direction)
        assert not (does & ~may).any(), (azimuth, altitude)
        asked, met = asked + int(may.sum()), met + int(does.sum())
    caster.close()
    assert met > 1000 and asked < 0.75 * 65 * len(receptors), "the question spares rays"


def test_which_objects_hang() -> None:
    tower, porch = box("tower", (0, 0), (10, 10, 20), 20.0, -1.0), box("porch", (30, 5), (9, 6, 5), 10.0, 4.0)
    low = deck("low", (-30.0, 0.0), (20, 5, 1), 30.0, 0.8)
    sheet = deck("sheet", (-30.0, 30.0), (20, 5, 1), 30.0, 5.0)
    top = sheet.geometries[0]
    scene = replace(
        scene_of(flat(100.0), (tower, porch), trees=(Tree("t", FRAME, 40.0, 40.0, 0.0, 9.0, 2.0, 2.0),)),
        others=(low, CityObject("sheet", "Bridge", FRAME, (top,))),
    )
    table = face_table(scene, coverings=False)
    found = {name for name, hangs in zip(table.ids, hanging_objects(table), strict=True) if hangs}
    assert found == {"porch", "sheet", "t"}


def hours(scene: Scene, engine: Engine, **changes: object) -> np.ndarray:
    values: dict[str, object] = {"days": (Day(dt.date(2026, 3, 21), 10.0),), "timezone": "Europe/Brussels"}
    settings = SunlightSettings(**(values | changes), engine=engine)  # type: ignore[arg-type]
    return np.asarray(sunlight(scene, GRID, settings, DEVICE, 2).hours["2026-03-21"].values)


@pytest.mark.parametrize("foliage", [None, Foliage(0.2, 0.7)])
def test_where_all_else_is_level_both_engines_say_the_same(foliage: Foliage | None) -> None:
    """On a plane the sweep is exact, so crowns, decks and the ground beneath them are too."""
    scene = replace(grove(9), terrain=flat(120.0))
    exact, fast = (hours(scene, engine, foliage=foliage) for engine in ("triangles", "heightfield"))
    np.testing.assert_allclose(fast, exact, atol=1e-5)
    assert np.ptp(exact) > 6.0
    if foliage is not None:
        assert exact.min() > 0.0 and exact.mean() > hours(scene, "heightfield").mean()


def test_there_is_sun_under_a_deck() -> None:
    """Light comes in below a deck at 6 m, morning and evening; the high sun of noon does not."""
    bridge = replace(scene_of(flat(120.0)), others=(deck("d", (3.0, 2.0), (60, 8, 1), 15.0, 6.0),))
    under = hours(bridge, "heightfield")
    place = GRID.rows_cols(np.array([3.5]), np.array([2.5]))
    at = int(place[0][0]), int(place[1][0])
    assert 2.0 < under[at] < under.max() - 1.0
    assert under[at] == hours(bridge, "triangles")[at]


def test_sky_through_crowns_and_under_decks() -> None:
    scene = replace(grove(3), terrain=flat(120.0))
    exact, fast = (
        sky_on_ground(scene, GRID, SkySettings(engine, True, 200), DEVICE, 2)
        for engine in ("triangles", "heightfield")
    )
    for name, raster in exact.factors.items():
        np.testing.assert_allclose(fast.factors[name].values, raster.values, atol=1e-6)
        assert np.nanmin(raster.values) < 0.6
    assert "hangs over" in fast.method["engine"] and fast.method["trees"] == "opaque crowns"
