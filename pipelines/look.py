"""Open the windows on a site: the model with its sun slider, or the raw clouds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipelines.build import load
from pipelines.config import SunlightStudySettings
from pipelines.console import Reporter
from pipelines.gather import cloud_reader
from pipelines.inputs import read_inputs
from pipelines.propose import scenario_ids, scene_of
from pipelines.site import EXISTING, Site
from twin.errors import InputError, UsageError
from twin.visibility.caster import DeviceChoice, choose_device

DEFAULT_YEAR = 2026
"""Of the window's suns, where no study names one."""

POINT_LIMIT = 5_000_000
"""Most points that the window shows; more are thinned evenly."""


def look_at_scene(
    site: Site,
    reporter: Reporter,
    device: DeviceChoice = "auto",
    workers: int = 1,
    scenario: str | None = None,
    screenshot: Path | None = None,
) -> None:
    """Open the window of the model: existing and one scenario.

    Raises
    ------
    MissingDependencyError
        No display, or libraries or packages of the window are missing; one line says which.
    """
    from viewers.libs import require_window

    _check_picture(screenshot)
    require_window("pyvista", off_screen=screenshot is not None)
    base = load(site).scene
    names = scenario_ids(site)
    chosen = scenario or (names[0] if names else EXISTING)
    scenes = {EXISTING: base}
    if chosen != EXISTING:
        scenes[chosen] = scene_of(site, base, chosen)
    from viewers.desktop import WindowSettings, show_scenes

    place = site.settings.site
    settings = WindowSettings(
        place.name, place.timezone, place.language, _year(site), place.attribution, place.synthetic
    )
    if screenshot is None:
        reporter.say("opening the window; close it to go on")
    show_scenes(scenes, settings, choose_device(device), workers, screenshot)


def _year(site: Site) -> int:
    """The year of the site's sunlight studies, so that window and sheets show the same suns."""
    for name in site.study_files():
        study = site.study(name)
        if isinstance(study, SunlightStudySettings):
            return study.all_days[0].date.year
    return DEFAULT_YEAR


def _check_picture(path: Path | None) -> None:
    if path is not None and path.suffix.lower() != ".png":
        raise UsageError(f"--screenshot writes PNG: give a name that ends in .png; got {path.name!r}")


def look_at_points(site: Site, reporter: Reporter, screenshot: Path | None = None) -> None:
    """Open the window of the raw clouds, coloured by class."""
    from viewers.libs import require_window

    _check_picture(screenshot)
    require_window("open3d", off_screen=False)
    inputs = read_inputs(site)
    if not inputs.clouds:
        raise InputError(
            f"{site.folder}: has no point clouds to look at; `twin view {site.folder}` shows the model"
        )
    reader = cloud_reader(site, inputs)
    total = sum(info.point_count for info in inputs.clouds)
    every = max(1, -(-total // POINT_LIMIT))
    xyz, classes = [], []
    with reporter.step("Points") as tick:
        done = 0
        for info in inputs.clouds:
            for cloud in reader.chunks(info):
                xyz.append(cloud.xyz[::every])
                classes.append(cloud.classification[::every])
                done += len(cloud)
                tick(done, total)
    if every > 1:
        reporter.say(f"every {every}th of {total} points is shown")
    from viewers.points import class_legend, show_points

    codes = np.concatenate(classes)
    for line in class_legend(codes):
        reporter.say(line)
    show_points(np.concatenate(xyz), codes, site.settings.site.name, screenshot=screenshot)
