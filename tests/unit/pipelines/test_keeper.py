"""A run that is stopped goes on where it was, and ends with the same bytes."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines import keeper
from pipelines.console import Ticker
from tests.study_worlds import box, flat, local_grid, scene_of
from twin.study import exposure as study_of_exposure
from twin.study.exposure import ExposureSettings
from twin.study.facades import FaceAsk, sample_faces, sun_on_faces
from twin.study.probable import sunshine_of
from twin.study.sunlight import sunlight
from twin.study.suns import Day, Period, SunlightSettings
from twin.study.targets import targets_of
from twin.sun.weather import clear_sky_year
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


@pytest.mark.parametrize("where", ["sky", "week", "probable sun", "irradiation"])
def test_a_stopped_study_of_faces_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(keeper, "EVERY_S", 0.0)
    scene = scene_of(flat(200.0), (box("b", (0, 0), (20, 20, 30)), box("c", (40, 0), (20, 20, 10))))
    device, frame, zone = choose_device("cpu"), scene.frame, "Europe/Brussels"
    samples = sample_faces(scene, ["b"], 5.0)
    ask = FaceAsk(200, clear_sky_year(2026, frame, zone), sunshine_of(2026, (0.3,) * 12, frame, zone, 60.0))
    days = replace(SETTINGS, runs=False, plates_solar_h=())
    whole = sun_on_faces(scene, samples, days, device, 1, ask)

    class StopsThere(Ticker):
        left = 9

        def __init__(self) -> None: ...

        def __call__(self, done: float, total: float, text: str = "") -> None:
            self.left -= text == where
            if self.left == 0:
                raise KeyboardInterrupt

    stop = StopsThere()
    stop.left = 3 if where == "week" else 9
    with pytest.raises(KeyboardInterrupt):
        sun_on_faces(scene, samples, days, device, 1, ask, keeper.Keeper(tmp_path, stop))
    told: list[tuple[float, str]] = []

    class Sees(Ticker):
        def __init__(self) -> None: ...

        def __call__(self, done: float, total: float, text: str = "") -> None:
            told.append((done / total, text))

    again = keeper.Keeper(tmp_path, Sees())
    found = sun_on_faces(scene, samples, days, device, 1, ask, again)
    assert told[-1][0] == pytest.approx(1.0, abs=1e-3)
    assert told[0][0] > 0 and (where == "sky" or sum(text == "sky" for _, text in told) == 1)
    assert found.hours["week"].tobytes() == whole.hours["week"].tobytes()
    assert (
        found.sky is not None and whole.sky is not None and found.sky.vsc.tobytes() == whole.sky.vsc.tobytes()
    )
    assert found.energy is not None and whole.energy is not None
    assert found.energy.tobytes() == whole.energy.tobytes()
    assert np.array(found.probable).tobytes() == np.array(whole.probable).tobytes()
    again.drop()
    assert not tmp_path.exists() or not list(tmp_path.iterdir())


@pytest.mark.parametrize("after", [2, 5])
def test_a_stopped_zone_of_visibility_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Two buildings; in other parts, and stopped between them, the same bytes."""
    monkeypatch.setattr(keeper, "EVERY_S", 0.0)
    scene = scene_of(flat(150.0), (box("a", (-20, 5), (12, 10, 15)), box("b", (25, -10), (10, 10, 25), 20.0)))
    grid, where = local_grid(60.0, 2.0), (choose_device("cpu"), 1)
    targets = targets_of(scene, ["a", "b"], 5.0, where[0])
    settings = ExposureSettings(engine="heightfield")
    whole = study_of_exposure.exposure(scene, targets, grid, settings, where)
    monkeypatch.setattr(study_of_exposure, "TOGETHER", 40)
    with pytest.raises(KeyboardInterrupt):
        study_of_exposure.exposure(
            scene, targets, grid, settings, where, progress=keeper.Keeper(tmp_path, Stops(after))
        )
    told: list[float] = []

    class Sees(Ticker):
        def __init__(self) -> None: ...

        def __call__(self, done: float, total: float, text: str = "") -> None:
            told.append(done / total)

    again = keeper.Keeper(tmp_path, Sees())
    found = study_of_exposure.exposure(scene, targets, grid, settings, where, progress=again)
    again.drop()
    assert len(targets) > 95 and told[0] >= 3 / len(targets) and told[-1] == pytest.approx(1.0)
    for name, raster in whole.rasters.items():
        assert found.rasters[name].values.tobytes() == raster.values.tobytes(), name


def test_a_broken_state_is_left(tmp_path: Path) -> None:
    kept = keeper.Keeper(tmp_path, Ticker())
    (tmp_path / f"{'a' * 24}.npz").write_bytes(b"no zip")
    assert kept.load("a" * 64) is None
    (tmp_path / f"{'b' * 24}.npz").write_bytes(np.zeros(3).tobytes())
    assert kept.load("b" * 64) is None
