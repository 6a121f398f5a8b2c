"""Hours of sun by the fast engine against the exact one, on the synthetic sample site, with trees and a bridge."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.build import load
from pipelines.propose import scene_of
from pipelines.site import open_site
from tests.study_worlds import box
from tests.tolerances import FIELD_BIAS_PERCENT, FIELD_P95_STEPS, FIELD_P99_STEPS
from twin.model.objects import CityObject
from twin.model.raster import Grid
from twin.model.results import SunlightResult
from twin.study.readers import Engine
from twin.study.sunlight import sunlight
from twin.study.suns import FIELD_ERROR, Day, SunlightSettings
from twin.terrain.sampler import TinSampler
from twin.visibility.caster import choose_device


def settings(engine: Engine, trees: bool = True) -> SunlightSettings:
    return SunlightSettings(
        (Day(dt.date(2026, 3, 21), 10.0),),
        "Europe/Brussels",
        0.0,
        0.0,
        (12.0,),
        trees=trees,
        engine=engine,
        runs=True,
    )


@pytest.fixture(scope="module")
def both(small_site: Path) -> tuple[SunlightResult, SunlightResult]:
    site = open_site(small_site)
    scene = scene_of(site, load(site).scene, "plan-2030")
    assert len(scene.trees) > 50
    # A footbridge 7 m over the middle of the site, with ground under it that is asked about.
    x, y = scene.terrain.dtm.grid.region.west + 95.0, scene.terrain.dtm.grid.region.south + 110.0
    under = float(TinSampler(scene.terrain.tin).heights(np.array([[x, y]]))[0]) + 7.0
    slab = box("bridge", (x, y), (120.0, 6.0, 1.2), 35.0, under, scene.frame)
    bridge = CityObject("bridge", "Bridge", scene.frame, slab.geometries)
    scene = replace(scene, others=(*scene.others, bridge))
    grid = Grid.over(scene.frame, scene.terrain.dtm.grid.region, 0.5)
    exact, fast = (
        sunlight(scene, grid, settings(engine), choose_device("cpu"), threads=2)
        for engine in ("triangles", "heightfield")
    )
    return exact, fast


def test_the_error_of_hours_is_as_published(both: tuple[SunlightResult, SunlightResult]) -> None:
    exact, fast = (result.hours["2026-03-21"].values for result in both)
    assert np.array_equal(np.isnan(exact), np.isnan(fast)), "the same cells are asked about"
    known = np.isfinite(exact)
    steps = np.round((fast - exact)[known] * 6.0)
    bias = 100.0 * steps.sum() / (exact[known] * 6.0).sum()
    p95, p99 = np.percentile(np.abs(steps), [95, 99])
    print(f"{known.sum():,} cells: bias {bias:.2f} %, p95 {p95:.0f}, p99 {p99:.0f} steps of 10 minutes")
    assert abs(bias) <= FIELD_BIAS_PERCENT and p95 <= FIELD_P95_STEPS and p99 <= FIELD_P99_STEPS
    assert both[1].method["error"] == FIELD_ERROR and "error" not in both[0].method


def test_the_instant_masks_agree(both: tuple[SunlightResult, SunlightResult]) -> None:
    (_, exact), (_, fast) = (result.plates[0] for result in both)
    known = np.isfinite(exact.values)
    share = (exact.values[known] != fast.values[known]).mean()
    print(f"{100 * share:.2f} % of cells differ at noon")
    assert share <= 0.02


def test_runs_lie_within_the_hours(both: tuple[SunlightResult, SunlightResult]) -> None:
    """No run is longer than all sun of the day; between first and last sun there is room for all of it."""
    for result in both:
        hours, runs = result.hours["2026-03-21"].values, result.runs["2026-03-21"]
        sun = hours > 0
        assert np.array_equal(np.isnan(hours), np.isnan(runs.longest.values))
        assert (runs.longest.values[sun] <= hours[sun] + 1e-5).all()
        assert (runs.longest.values[sun] >= 1 / 6 - 1e-5).all()
        assert (hours[sun] <= (runs.last.values - runs.first.values)[sun] + 1e-4).all()
        whole = np.isclose(runs.longest.values, hours) & sun
        assert np.allclose((runs.last.values - runs.first.values)[whole], hours[whole], atol=1e-3)
        assert np.isnan(runs.first.values[hours == 0]).all()
        # 21 March in Seraing: the sun is up from 6:39 to 18:52 legal time.
        assert 6.5 < np.nanmin(runs.first.values) < 7 and 18.5 < np.nanmax(runs.last.values) < 19.1
