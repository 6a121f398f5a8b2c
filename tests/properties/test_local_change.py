"""A proposal recounts only what its shadow can reach, and the result equals a full run."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from tests.study_worlds import box, deck, local_grid, scene_of, terrain_of
from twin.errors import FrameMismatchError
from twin.model.objects import Building, Tree
from twin.model.raster import Grid, Raster
from twin.model.results import SunlightResult
from twin.model.scene import Scene
from twin.study.change import proposed_sun
from twin.study.sunlight import GroundSun, sunlight
from twin.study.suns import Day, Foliage, Period, SunlightSettings
from twin.visibility.caster import choose_device

DEVICE = choose_device("cpu")
GRID = local_grid(100.0, 1.0)
HILL = terrain_of(lambda x, y: 0.05 * x - 0.08 * y + 3.0 * np.sin(x / 25.0), 150.0, 40)


def town(seed: int) -> Scene:
    rng = np.random.default_rng(seed)
    blocks = tuple(
        box(
            f"b{k}",
            (float(rng.uniform(-80, 80)), float(rng.uniform(-80, 80))),
            (12, 9, float(rng.uniform(5, 25))),
            float(rng.uniform(0, 90)),
            -8.0,
        )
        for k in range(25)
    )
    trees = tuple(Tree(f"t{k}", GRID.frame, 12.0 * k - 60, 31.0, 0.0, 12.0, 3.0, 3.0) for k in range(8))
    return scene_of(HILL, blocks, trees=trees)


def planned(base: Scene) -> Scene:
    """Two blocks and a tree go, two others come, one of them half over the border of the grid."""
    new: tuple[Building, ...] = (
        box("p/high", (-20.0, -30.0), (20, 20, 45), 20.0, -6.0),
        box("p/edge", (96.0, -60.0), (30, 14, 30), 5.0, -3.0),
    )
    return replace(
        base, scenario="plan", hash="f" * 64, buildings=base.buildings[2:], proposed=new, trees=base.trees[1:]
    )


def settings(**changes: object) -> SunlightSettings:
    values: dict[str, object] = {
        "days": (Day(dt.date(2026, 3, 21), 20.0), Day(dt.date(2026, 12, 21), 15.0)),
        "timezone": "Europe/Brussels",
        "plates_solar_h": (9.0, 12.0),
    }
    return SunlightSettings(**(values | changes))  # type: ignore[arg-type]


def assert_same(one: SunlightResult, other: SunlightResult) -> None:
    pairs: list[tuple[Raster, Raster]] = [(one.hours[k], other.hours[k]) for k in other.hours]
    pairs += [(a, b) for (_, a), (_, b) in zip(one.plates, other.plates, strict=True)]
    pairs += [(one.least[k], other.least[k]) for k in other.least]
    for name, run in other.runs.items():
        mine = one.runs[name]
        pairs += [(mine.longest, run.longest), (mine.first, run.first), (mine.last, run.last)]
    for a, b in pairs:
        assert a.values.tobytes() == b.values.tobytes()
    for name, daily in other.daily.items():
        assert np.array_equal(one.daily[name].index, daily.index)
        assert np.array_equal(one.daily[name].hours, daily.hours)
    assert (one.scene_hash, one.scenario, one.method) == (other.scene_hash, other.scenario, other.method)
    assert list(one.hours) == list(other.hours) and list(one.runs) == list(other.runs)


def bridged(base: Scene) -> Scene:
    """The same town with two bridges."""
    return replace(
        base,
        others=(
            deck("old-bridge", (10.0, 55.0), (90, 7, 1.2), 25.0, 9.0),
            deck("kept-bridge", (-40.0, -5.0), (60, 6, 1.0), 100.0, 10.0),
        ),
    )


def rebuilt(base: Scene) -> Scene:
    """A plan that also moves a bridge and plants two trees, one of them over the border of the terrain."""
    plan = planned(base)
    more = (
        Tree("new", GRID.frame, -33.0, 12.0, 0.0, 15.0, 4.0, 2.5),
        Tree("far", GRID.frame, 149.0, -20.0, 6.0, 25.0, 5.0, 3.0),
    )
    bridge = deck("new-bridge", (15.0, 40.0), (80, 9, 1.5), 60.0, 9.0)
    return replace(plan, trees=(*plan.trees, *more), others=(*plan.others[1:], bridge))


WEEK = Period("week", dt.date(2026, 2, 1), dt.date(2026, 2, 7), 60.0, daily=True)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    "changes",
    [
        {"engine": "heightfield", "trees": False},
        {"engine": "heightfield", "trees": False, "runs": True},
        {"trees": True, "runs": True, "periods": (WEEK,)},
        {"foliage": Foliage(), "min_altitude_deg": 6.0},
        {"engine": "heightfield"},
        {"engine": "heightfield", "runs": True, "periods": (WEEK,)},
        {"engine": "heightfield", "foliage": Foliage(0.1, 0.6), "periods": (WEEK,)},
    ],
    ids=["sweep", "sweep with runs", "rays", "leaves", "crowns", "crowns with runs", "leaves by the sweep"],
)
def test_it_equals_a_full_run(seed: int, changes: dict[str, object]) -> None:
    base = town(seed)
    scene = planned(base)
    asked = settings(**changes)
    study = GroundSun(base, GRID, asked, DEVICE, threads=2)
    assert_same(proposed_sun(study, scene), sunlight(scene, GRID, asked, DEVICE, threads=2))
    # The sweep is as it was: a second edit starts from the same state.
    assert_same(proposed_sun(study, scene), sunlight(scene, GRID, asked, DEVICE))


@pytest.mark.parametrize("seed", [5, 6])
@pytest.mark.parametrize("foliage", [None, Foliage()])
@pytest.mark.parametrize("trees", [True, False])
def test_bridges_and_trees_come_and_go(seed: int, foliage: Foliage | None, trees: bool) -> None:
    base = bridged(town(seed))
    asked = settings(engine="heightfield", foliage=foliage, trees=trees)
    study = GroundSun(base, GRID, asked, DEVICE, threads=2)
    for scene in (
        rebuilt(base),
        replace(base, scenario="felled", hash="e" * 64, trees=()),
        replace(base, scenario="opened", hash="d" * 64, others=()),
    ):
        full = sunlight(scene, GRID, asked, DEVICE)
        assert_same(proposed_sun(study, scene), full)
        changed = full.hours["2026-03-21"].values != study.existing.hours["2026-03-21"].values
        assert changed.any() or (not trees and scene.scenario == "felled")


def test_a_block_over_the_border_of_the_terrain() -> None:
    base = town(7)
    scene = replace(
        base, scenario="plan", hash="f" * 64, proposed=(box("p/out", (150.0, 20.0), (30, 20, 40), 0.0, -3.0),)
    )
    asked = settings(engine="heightfield")
    assert_same(
        proposed_sun(GroundSun(base, GRID, asked, DEVICE), scene), sunlight(scene, GRID, asked, DEVICE)
    )


def test_with_a_mask_and_a_far_ridge() -> None:
    base = town(3)
    ridge = Grid(GRID.frame, -4000.0, 4000.0, 100.0, 80, 80)
    heights = np.where(ridge.y_centres() < -1500.0, 260.0, 0.0)[:, None] * np.ones((1, 80))
    terrain = replace(base.terrain, far=Raster(ridge, heights))
    base = replace(base, terrain=terrain)
    scene = planned(base)
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[40:180, 10:190] = True
    for asked in (
        settings(engine="heightfield", trees=False),
        settings(engine="heightfield"),
        settings(trees=False),
    ):
        study = GroundSun(base, GRID, asked, DEVICE, mask=mask)
        full = sunlight(scene, GRID, asked, DEVICE, mask=mask)
        assert_same(proposed_sun(study, scene), full)
        open_sky = sunlight(
            replace(scene, terrain=replace(terrain, far=None)), GRID, asked, DEVICE, mask=mask
        )
        low = np.nanmean(full.hours["2026-12-21"].values), np.nanmean(open_sky.hours["2026-12-21"].values)
        assert low[0] < low[1] - 0.4, "a ridge of 10 degrees in the south takes the winter sun"


def test_the_same_scene_changes_nothing() -> None:
    base = town(4)
    for asked in (settings(engine="heightfield", trees=False), settings(engine="heightfield"), settings()):
        study = GroundSun(base, GRID, asked, DEVICE)
        assert_same(proposed_sun(study, base), study.existing)


def test_another_terrain_is_refused() -> None:
    base = town(5)
    study = GroundSun(base, GRID, settings(), DEVICE)
    with pytest.raises(FrameMismatchError, match="different terrains"):
        proposed_sun(study, replace(base, terrain=replace(HILL, tin_max_error=0.1)))
