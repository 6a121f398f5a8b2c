"""How fast the sun sweeps over a wide height field: 800 ha at 0.5 m."""

from __future__ import annotations

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from twin.sun.position import direction_local
from twin.visibility.occluders import HeightField
from twin.visibility.sweep import SunSweep

ROWS, COLS = 5657, 5657
"""32 million cells."""


def valley_field(side: int = ROWS) -> HeightField:
    """Synthetic: valley sides of 100 m and blocks on a plain, 4,000 on 800 ha; seeded."""
    random = np.random.default_rng(0)
    y = np.abs(np.linspace(-1, 1, side))[:, None]
    heights = 60 + 100 * np.maximum(0, y - 0.5) ** 2 + random.uniform(0, 0.05, (side, side))
    for _ in range(4000 * side * side // (ROWS * COLS)):
        row, col = random.integers(0, side - 80, 2)
        block = slice(row, row + random.integers(16, 80)), slice(col, col + random.integers(16, 80))
        heights[block] = heights[row, col] + random.uniform(4, 25)
    return HeightField(heights, 0.5, 0.5, 0.0, 0.0)


@pytest.fixture(scope="module")
def valley() -> SunSweep:
    return SunSweep(valley_field(), threads=2)


@pytest.mark.parametrize("azimuth", [165.0, 215.0, 262.0])
def test_one_sun(benchmark: BenchmarkFixture, valley: SunSweep, azimuth: float) -> None:
    """At least 160 million cells a second on two cores."""
    sun = direction_local(azimuth, 25.0)
    found = benchmark.pedantic(valley.count, args=([sun],), rounds=5, warmup_rounds=1)
    rate = ROWS * COLS / benchmark.stats.stats.median / 1e6
    print(f"azimuth {azimuth:.0f}: {rate:.0f} million cells/s")
    assert 0.3 < found.mean() < 1.0
    assert rate >= 160


def test_a_day_at_one_minute(benchmark: BenchmarkFixture, valley: SunSweep) -> None:
    """723 suns of 21 March, in 2.5 minutes at most; measured on every sixth of them."""
    turn = np.radians(15 * (np.arange(0, 723, 6) - 361) / 60.0)
    lat = np.radians(50.6)
    # Equinox: the sun runs on the celestial equator.
    east, north, up = -np.sin(turn), -np.sin(lat) * np.cos(turn), np.cos(lat) * np.cos(turn)
    suns = list(np.column_stack([east, north, up]))
    benchmark.pedantic(valley.count, args=(suns,), rounds=1)
    whole = benchmark.stats.stats.median * 723 / len(suns)
    print(f"21 March at one minute: {whole:.0f} s")
    assert whole <= 150
