"""A step of the sun slider, and a still of 1920 x 1080, on the demo site.

``pytest tests/benchmarks/test_looking.py --benchmark-only`` (the first needs a display or libEGL).
"""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

import pytest

from pipelines.build import load
from pipelines.console import Reporter
from pipelines.propose import scene_of
from pipelines.render import render_views
from pipelines.site import EXISTING, open_site
from twin.errors import TwinError
from twin.visibility.caster import choose_device
from viewers.libs import require_window


def test_a_step_of_the_sun_slider(benchmark, demo_site: Path) -> None:
    try:
        require_window("pyvista", off_screen=True)
    except TwinError as error:
        pytest.skip(str(error))
    from viewers.desktop import SceneWindow, WindowSettings

    site = open_site(demo_site)
    base = load(site).scene
    scenes = {EXISTING: base, "plan-2030": scene_of(site, base, "plan-2030")}
    settings = WindowSettings("Synthetic", "Europe/Brussels")
    window = SceneWindow(scenes, settings, choose_device("cpu"), threads=2, off_screen=True)
    window.choose("plan-2030")
    hours = cycle([8.0, 10.5, 12.0, 14.25, 16.5])
    try:
        benchmark.pedantic(
            lambda: window.set_solar_hour(next(hours)), rounds=15, iterations=1, warmup_rounds=1
        )
    finally:
        window.close()


def test_a_still(benchmark, demo_site: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "demo"
    shutil.copytree(demo_site, copy, ignore=shutil.ignore_patterns("pictures", "exports", "studies"))
    site = open_site(copy)
    (copy / "out" / "pictures").mkdir(exist_ok=True)

    def forget() -> None:
        for path in (copy / "out").rglob("picture-quay-*"):
            path.unlink()

    def still() -> list[Path]:
        return render_views(site, Reporter(quiet=True), "cpu", 2, "quay")

    files = benchmark.pedantic(still, setup=forget, rounds=2, iterations=1)
    benchmark.extra_info["stills_each_round"] = len(files)
