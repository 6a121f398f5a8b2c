"""Studies of the ground of a whole valley: 800 ha at 0.5 m, 32 million cells, as a user runs them."""

from __future__ import annotations

import datetime as dt
import resource
from dataclasses import replace

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.study_worlds import FRAME, box, scene_of, terrain_of
from twin.model.raster import Grid
from twin.model.scene import Scene
from twin.study.change import proposed_sun
from twin.study.sunlight import GroundSun, sunlight
from twin.study.suns import Day, Period, SunlightSettings
from twin.visibility.caster import choose_device

HALF = 1414.0
GRID = Grid(FRAME, -HALF, HALF, 0.5, 5656, 5656)
DEVICE = choose_device("cpu")


@pytest.fixture(scope="module")
def valley() -> Scene:
    """Synthetic: a valley with sides of 100 m and 4,000 blocks."""
    rng = np.random.default_rng(0)

    def ground(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.asarray(100.0 * np.maximum(0.0, np.abs(y) / HALF - 0.5) ** 2 + 0.5 * np.sin(x / 90.0))

    places = rng.uniform(-HALF + 40, HALF - 40, (4000, 2))
    sizes = np.column_stack([rng.uniform(8, 40, (4000, 2)), rng.uniform(6, 27, 4000)])
    blocks = tuple(
        box(f"b{k}", (float(x), float(y)), tuple(size), float(rng.uniform(0, 90)), float(ground(x, y)) - 2.0)
        for k, ((x, y), size) in enumerate(zip(places, sizes, strict=True))
    )
    return scene_of(terrain_of(ground, HALF + 10.0, 200), blocks)


def settings(**asked: object) -> SunlightSettings:
    values: dict[str, object] = {"days": (), "trees": False, "engine": "heightfield"} | asked
    return SunlightSettings(timezone="Europe/Brussels", **values)  # type: ignore[arg-type]


def memory_gb() -> float:
    """Largest memory of this process so far [GB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def test_a_year_hour_by_hour(benchmark: BenchmarkFixture, valley: Scene) -> None:
    """At most 15 minutes and 3 GB, from the scene to the map."""
    year = Period("year", dt.date(2026, 1, 1), dt.date(2026, 12, 31), 60.0)
    result = benchmark.pedantic(sunlight, args=(valley, GRID, settings(periods=(year,)), DEVICE, 2), rounds=1)
    seconds = benchmark.stats.stats.median
    print(f"year, {result.method['days']['year']['suns']} suns: {seconds:.0f} s, {memory_gb():.2f} GB")
    assert seconds <= 900 and memory_gb() <= 3.0


def test_a_block_is_moved(benchmark: BenchmarkFixture, valley: Scene) -> None:
    """From the edit of a block of 40 m to the new map of 21 March in 10-minute steps: 5 s, equal to a full run."""
    asked = settings(days=(Day(dt.date(2026, 3, 21), 10.0),))
    study = GroundSun(valley, GRID, asked, DEVICE, 2)
    places = iter([(0.0, 0.0), (200.0, -300.0), (-900.0, 100.0), (150.0, 640.0), (30.0, 20.0)])

    def edit() -> tuple[tuple[Scene], dict[str, object]]:
        block = box("p/block", next(places), (40, 40, 30), 12.0, -3.0)
        return (replace(valley, scenario="plan", hash="f" * 64, proposed=(block,)),), {}

    found = benchmark.pedantic(lambda scene: proposed_sun(study, scene), setup=edit, rounds=4)
    seconds = benchmark.stats.stats.max
    (last,), _ = edit()
    found = proposed_sun(study, last)
    full = sunlight(last, GRID, asked, DEVICE, 2)
    assert found.hours["2026-03-21"].values.tobytes() == full.hours["2026-03-21"].values.tobytes()
    print(f"block of 40 m: median {benchmark.stats.stats.median:.2f} s, longest {seconds:.2f} s")
    assert seconds <= 5.0
