"""A run that is stopped goes on where it was, and ends with the same bytes."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from pipelines import keeper
from pipelines.console import Ticker
from tests.study_worlds import box, flat, local_grid, scene_of
from twin.study.sunlight import sunlight
from twin.study.suns import Day, Period, SunlightSettings
from twin.visibility.caster import choose_device

SETTINGS = SunlightSettings(
    (Day(dt.date(2026, 3, 21), 10.0),),
    "Europe/Brussels",
    plates_solar_h=(12.0,),
    runs=True,
    periods=(Period("week", dt.date(2026, 3, 1), dt.date(2026, 3, 7), 30.0, daily=True),),
)


class Stops(Ticker):
    """Ctrl-C after some ticks."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, done: float, total: float, text: str = "") -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("after", [3, 9, 12])
def test_a_stopped_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    monkeypatch.setattr(keeper, "EVERY_S", 0.0)
    scene, grid = scene_of(flat(200.0), (box("b", (0, 0), (20, 20, 30)),)), local_grid(60.0, 2.0)
    device = choose_device("cpu")
    whole = sunlight(scene, grid, SETTINGS, device)
    with pytest.raises(KeyboardInterrupt):
        sunlight(scene, grid, SETTINGS, device, progress=keeper.Keeper(tmp_path, Stops(after)))
    assert len(list(tmp_path.iterdir())) == 1
    seen: list[float] = []

    class Sees(Ticker):
        def __call__(self, done: float, total: float, text: str = "") -> None:
            seen.append(done / total)

    again = keeper.Keeper(tmp_path, Sees())
    asked: list[int] = []
    load = again.load
    monkeypatch.setattr(again, "load", lambda key: asked.append(1) or load(key))
    found = sunlight(scene, grid, SETTINGS, device, progress=again)
    assert asked and seen[-1] == 1.0
    assert found.hours["week"].values.tobytes() == whole.hours["week"].values.tobytes()
    day = "2026-03-21"
    assert found.hours[day].values.tobytes() == whole.hours[day].values.tobytes()
    assert found.runs[day].longest.values.tobytes() == whole.runs[day].longest.values.tobytes()
    assert found.least["week"].values.tobytes() == whole.least["week"].values.tobytes()
    assert found.plates[0][1].values.tobytes() == whole.plates[0][1].values.tobytes()
    again.drop()
    assert not tmp_path.exists() or not list(tmp_path.iterdir())


def test_a_broken_state_is_left(tmp_path: Path) -> None:
    kept = keeper.Keeper(tmp_path, Ticker())
    (tmp_path / f"{'a' * 24}.npz").write_bytes(b"no zip")
    assert kept.load("a" * 64) is None
    (tmp_path / f"{'b' * 24}.npz").write_bytes(np.zeros(3).tobytes())
    assert kept.load("b" * 64) is None
