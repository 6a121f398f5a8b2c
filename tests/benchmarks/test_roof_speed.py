"""How fast roofs are reconstructed: Delft, three levels of detail with measures and validation, one core."""

from __future__ import annotations

import time

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.delft_world import Delft, load
from twin.buildings.reconstruct import reconstruct
from twin.terrain.sampler import TinSampler


@pytest.fixture(scope="module")
def delft(test_data) -> Delft:
    return load(test_data / "lidar" / "3dfier_delft")


def test_buildings_per_second(benchmark: BenchmarkFixture, delft: Delft) -> None:
    """At least 20 buildings a second; 95 of 100 within 250 ms."""
    sampler = TinSampler(delft.terrain.tin)

    def run() -> list[float]:
        took = []
        for footprint, points in zip(delft.footprints, delft.points, strict=True):
            start = time.perf_counter()
            reconstruct(footprint, points, sampler)
            took.append(time.perf_counter() - start)
        return took

    took = benchmark.pedantic(run, rounds=3, warmup_rounds=1)
    rate = len(delft.footprints) / benchmark.stats.stats.median
    print(f"{rate:.0f} buildings/s; p95 {1000 * np.percentile(took, 95):.0f} ms")
    assert rate >= 20 and np.percentile(took, 95) <= 0.25
