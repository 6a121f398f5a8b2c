"""The two windows, driven: under a display (Xvfb in CI), and what is said without one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.build import load
from pipelines.propose import scene_of
from pipelines.site import EXISTING, open_site
from tests.command import Ended
from twin.errors import TwinError
from twin.visibility.caster import choose_device
from viewers.libs import require_window

Twin = Callable[..., Ended]


@pytest.fixture
def display() -> None:
    """Skips with a word where no window can be opened."""
    for package in ("pyvista", "open3d"):
        try:
            require_window(package, off_screen=False)
        except TwinError as error:
            pytest.skip(str(error))


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def is_picture(path: Path) -> None:
    """Neither empty nor black, and of many colours."""
    rgb = pixels(path)
    assert rgb.mean() > 60 and rgb.std() > 15
    assert len(np.unique(rgb.reshape(-1, 3), axis=0)) > 200


def test_the_window_is_drawn_and_obeys(display: None, small_site: Path, tmp_path: Path) -> None:
    from viewers.desktop import DATES, SceneWindow, WindowSettings

    site = open_site(small_site)
    base = load(site).scene
    scenes = {EXISTING: base, "plan-2030": scene_of(site, base, "plan-2030")}
    settings = WindowSettings("Synthetic", "Europe/Brussels", "fr", synthetic=True)
    window = SceneWindow(scenes, settings, choose_device("cpu"), threads=2)
    try:
        window.show(wait=False)
        shown = {}
        for key, act in (
            ("existing", lambda: window.choose(EXISTING)),
            ("proposed", lambda: window.choose("plan-2030")),
            ("morning", lambda: window.set_solar_hour(8.0)),
            ("december", lambda: window.set_date(window.date.replace(month=DATES["d"][0]))),
            ("no trees", lambda: window.show_layer("trees", False)),
        ):
            act()
            path = window.screenshot(tmp_path / f"{key}.png")
            is_picture(path)
            shown[key] = pixels(path)
        names = list(shown)
        for before, after in pairwise(names):
            assert np.abs(shown[before] - shown[after]).max(axis=2).mean() > 0.3, (before, after)
        window.set_solar_hour(99.0)
        assert window.solar_h == 20.0
    finally:
        window.close()


def test_view_writes_a_picture(display: None, small_site: Path, twin: Twin, tmp_path: Path) -> None:
    model, points = tmp_path / "model.png", tmp_path / "points.png"
    done = twin("view", small_site, "--screenshot", model)
    assert done.code == 0, done.text
    is_picture(model)
    done = twin("view", small_site, "--points", "--screenshot", points)
    assert done.code == 0, done.text
    assert "class   2  ground" in done.text
    assert pixels(points).std() > 15
    assert twin("view", small_site, "--screenshot", tmp_path / "x.jpg").code == 2


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have a display")
@pytest.mark.parametrize("more", [(), ("--points",)])
@pytest.mark.parametrize("display_name", ["", ":4321"])
def test_without_a_display_one_line_and_exit_4(
    small_site: Path, more: tuple[str, ...], display_name: str
) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "DISPLAY"}
    if display_name:
        environment["DISPLAY"] = display_name
    command = [sys.executable, "-m", "pipelines.cli", "view", str(small_site), *more]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 4, ended.stderr
    lines = [line for line in ended.stderr.splitlines() if line.startswith("twin:")]
    assert len(lines) == 1 and " needs " in lines[0], ended.stderr
    assert "Traceback" not in ended.stderr
