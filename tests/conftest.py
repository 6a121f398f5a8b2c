"""Shared fixtures: the folder of real test data, frames, and skips that count as failures in CI."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from pyproj import CRS

from tests.command import Ended, run_twin
from twin.frame import Frame


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder of real files, named by TWIN_TEST_DATA."""
    folder = os.environ.get("TWIN_TEST_DATA")
    if not folder:
        pytest.skip("TWIN_TEST_DATA is not set: real-data tests need the folder it names")
    return Path(folder)


@pytest.fixture(scope="session")
def frame() -> Frame:
    """A Belgian frame: Lambert 2008 with Ostend heights, origin in the Seraing reach of the Meuse."""
    return Frame(CRS.from_epsg(3812), "EPSG:5710", (732446, 643915))


@pytest.fixture(scope="session")
def twin() -> Callable[..., Ended]:
    """``twin("build", site)`` runs ``twin build site``."""
    return run_twin


@pytest.fixture(scope="session")
def small_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small synthetic site with everything run on it; tests must not change it."""
    folder = tmp_path_factory.mktemp("site with spaces") / "small"
    made = run_twin("sample", folder, "--size", "small")
    assert made.code == 0, made.text
    done = run_twin("run", folder, "--workers", "1")
    assert done.code == 0, done.text
    return folder


@pytest.fixture(scope="session")
def demo_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo site: the one that TWIN_DEMO_SITE names (already run), else a fresh one."""
    named = os.environ.get("TWIN_DEMO_SITE")
    if named:
        return Path(named)
    folder = tmp_path_factory.mktemp("demo") / "demo"
    done = run_twin("demo", folder, "--workers", "2")
    assert done.code == 0, done.text
    return folder


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """With TWIN_REQUIRE_ALL=1 a skip is a failure (benchmarks, which run apart, excepted)."""
    outcome = yield
    report = outcome.get_result()
    if os.environ.get("TWIN_REQUIRE_ALL") == "1" and report.skipped and "benchmarks" not in str(item.fspath):
        report.outcome = "failed"
        report.longrepr = f"skipped although TWIN_REQUIRE_ALL=1: {report.longrepr}"
