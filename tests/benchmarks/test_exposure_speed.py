"""Visual exposure of a plan over the sample site: targets on its façades against every cell of 1 m, by rays."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pipelines.build import load
from pipelines.propose import scene_of
from pipelines.site import open_site
from tests.command import run_twin
from twin.model.raster import Grid
from twin.study.exposure import ExposureSettings, exposure
from twin.study.targets import targets_of
from twin.visibility.caster import choose_device


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exposure") / "demo"
    for words in (("sample", folder, "--size", "demo"), ("build", folder)):
        assert run_twin(*words).code == 0
    return folder


def test_exposure_of_a_plan(benchmark, demo: Path) -> None:
    site = open_site(demo)
    scene = scene_of(site, load(site).scene, "plan-2030")
    where = (choose_device("cpu"), 2)
    targets = targets_of(scene, [building.id for building in scene.proposed], 20.0, *where)
    grid = Grid.over(scene.frame, scene.terrain.dtm.grid.region, 1.0)
    start = time.perf_counter()
    found = benchmark.pedantic(exposure, (scene, targets, grid, ExposureSettings(), where), rounds=1)
    took = time.perf_counter() - start
    print(f"{len(targets)} targets from {found.method['cells']:,} cells: {took:.1f} s")
