"""A step of the sun slider, and stills of 1920 x 1080, on the demo site and on the 800 ha of the valley.

``pytest tests/benchmarks/test_looking.py --benchmark-only`` (the first needs a display or libEGL; the last makes and
builds the valley, some 6 minutes, unless ``TWIN_VALLEY`` names the folder of one that is built).
"""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest

from pipelines.build import build, load
from pipelines.console import Reporter
from pipelines.propose import scene_of
from pipelines.render import ready_view, render_views, studio_of
from pipelines.sample.make import make_sample
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


@pytest.fixture(scope="module")
def valley(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthetic valley of 800 ha, built."""
    if "TWIN_VALLEY" in os.environ:
        return Path(os.environ["TWIN_VALLEY"])
    folder = tmp_path_factory.mktemp("valley") / "site"
    make_sample(folder, "valley", seed=1, workers=2)
    build(open_site(folder), Reporter(quiet=True), workers=2)
    return folder


def test_a_still_of_a_valley(benchmark, valley: Path) -> None:
    """Sun and sky light, 1920 x 1080, loading excluded: at most 20 s on two cores, from each view."""
    site = open_site(valley)
    base = load(site).scene
    engine = (choose_device("cpu"), 2)
    views = [ready_view(site, base, name, settings) for name, settings in site.views().items()]
    with studio_of(base, views[0].settings, engine) as studio:
        cameras = cycle([(replace(view.camera, width=1920, height=1080), view.sun) for view in views])
        benchmark.pedantic(lambda: studio.picture(*next(cameras)), rounds=2 * len(views))
    print(f"valley, {len(views)} views: longest {benchmark.stats.stats.max:.1f} s")
    assert benchmark.stats.stats.max <= 20.0
