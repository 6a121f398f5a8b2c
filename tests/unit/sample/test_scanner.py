"""The scanner: density, classes, and points that depend on neither threads nor tiles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.sample.cells import pack
from pipelines.sample.layout import make_town
from pipelines.sample.scanner import Returns, Scanner, calibrated, tiles_of
from pipelines.sample.sizes import POINTS_PER_M2, sample_size
from pipelines.sample.town import Town
from tests.tolerances import SAMPLE_DENSITY_SHARE
from twin.region import Region


@pytest.fixture(scope="module")
def town() -> Town:
    return make_town(sample_size("small"), 3)


@pytest.fixture(scope="module")
def scanner(town: Town) -> Scanner:
    return calibrated(town, pack(town), 1, [town.window])


@pytest.fixture(scope="module")
def points(town: Town, scanner: Scanner) -> Returns:
    return scanner.tile(town.window)


def test_density(town: Town, points: Returns) -> None:
    density = len(points.xyz) / (town.window.width * town.window.height)
    assert density == pytest.approx(POINTS_PER_M2, rel=SAMPLE_DENSITY_SHARE)


def test_classes_are_those_of_the_campaign(points: Returns) -> None:
    assert set(np.unique(points.code)) <= {0, 1, 2, 4, 9, 10, 15}
    share = np.bincount(points.code, minlength=16) / len(points.code)
    assert share[0] < 0.01
    assert 0.1 < share[1] < 0.4
    assert 0.4 < share[2] < 0.85
    assert 0.02 < share[4] < 0.3


def test_returns_count_up_and_time_runs(points: Returns) -> None:
    assert points.return_number.min() == 1
    assert (points.return_number <= points.number_of_returns).all()
    assert points.number_of_returns.max() > 1
    assert points.number_of_returns.max() <= 5
    assert (np.diff(points.gps_time) > 0).all()


def test_points_stay_in_the_window(town: Town, points: Returns) -> None:
    w = town.window
    assert (points.xyz[:, 0] >= w.west).all() and (points.xyz[:, 0] < w.east).all()
    assert (points.xyz[:, 1] >= w.south).all() and (points.xyz[:, 1] < w.north).all()


def test_threads_change_nothing(scanner: Scanner, town: Town, points: Returns) -> None:
    again = replace(scanner, workers=3).tile(town.window)
    assert (again.xyz == points.xyz).all()
    assert (again.code == points.code).all()


def test_tiles_change_nothing(scanner: Scanner, town: Town, points: Returns) -> None:
    w = town.window
    x, y = w.west + 71.0, w.south + 93.0
    parts = [
        Region(w.west, w.south, x, y),
        Region(x, w.south, w.east, y),
        Region(w.west, y, x, w.north),
        Region(x, y, w.east, w.north),
    ]
    tiles = np.concatenate([scanner.tile(part).xyz for part in parts])
    assert len(tiles) == len(points.xyz)
    assert np.abs(tiles[np.lexsort(tiles.T)] - points.xyz[np.lexsort(points.xyz.T)]).max() < 1e-6


def test_seeds_differ(town: Town, scanner: Scanner, points: Returns) -> None:
    other_town = make_town(sample_size("small"), 4)
    other = Scanner(other_town, pack(other_town), scanner.pattern).tile(other_town.window)
    assert len(other.xyz) != len(points.xyz) or not (other.xyz == points.xyz).all()


def test_tiles_cover_the_window_once() -> None:
    for name in ("small", "demo", "valley"):
        window = sample_size(name).window
        tiles = tiles_of(window)
        assert sum(r.width * r.height for _, r in tiles) == window.width * window.height
        assert len({n for n, _ in tiles}) == len(tiles)
        assert all("synthetic" in n for n, _ in tiles)
