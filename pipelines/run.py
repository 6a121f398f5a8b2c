"""The whole road in one call, and the demo."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.build import Built, build
from pipelines.console import Reporter
from pipelines.handover import export_site
from pipelines.render import render_views
from pipelines.sample.make import make_sample
from pipelines.site import Site, open_site
from pipelines.study import run_studies
from pipelines.workers import one_pool
from twin.errors import InputError, UsageError
from twin.visibility.caster import DeviceChoice

SIZES = ("small", "demo", "valley")
DEFAULT_FORMATS = ("glb", "obj", "cityjson", "geotiff")


@dataclass(slots=True)
class Summary:
    """What a run made and how long it took."""

    site: Site
    built: Built
    studies: list[Path] = field(default_factory=list)
    pictures: list[Path] = field(default_factory=list)
    exports: list[Path] = field(default_factory=list)
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """The summary as JSON can hold it."""
        return {
            "site": str(self.site.folder),
            "counts": self.built.counts,
            "studies": [str(p) for p in self.studies],
            "pictures": [str(p) for p in self.pictures],
            "exports": [str(p) for p in self.exports],
            "seconds": round(self.seconds, 1),
        }

    def lines(self) -> list[str]:
        """The summary for people: what was made, where it is, what to type next."""
        counts, folder = self.built.counts, self.site.folder
        out = self.site.out
        rows = [
            "",
            f"{self.site.settings.site.name}: {counts['buildings']} buildings, {counts['trees']} trees, "
            f"{counts['failures']} recorded failures, in {self.seconds:.0f} s",
            f"  model     {out / 'model'}",
        ]
        rows += [f"  study     {p}" for p in self.studies]
        if self.pictures:
            rows.append(f"  pictures  {out / 'pictures'} ({len(self.pictures)})")
        if self.exports:
            rows.append(f"  exports   {out / 'exports'} ({len(self.exports)} files)")
        rows += [
            "next:",
            f"  twin view {folder}                    look at it (needs a display)",
            f"  twin export {folder} --format dxf     more formats",
            "  twin init MYSITE --points '*.laz' --footprints roofs.gpkg --crs EPSG:3812   your own data",
        ]
        return rows


def run_site(site: Site, reporter: Reporter, *, device: DeviceChoice = "auto", workers: int = 1) -> Summary:
    """Build, study, render and export a site; steps that are up to date are left."""
    started = time.monotonic()
    with one_pool(workers):
        summary = Summary(site, build(site, reporter, workers))
        if site.study_files():
            summary.studies = run_studies(site, None, reporter, device, workers)
    if site.views():
        summary.pictures = render_views(site, reporter, device, workers)
    summary.exports = export_site(site, list(DEFAULT_FORMATS), reporter)
    summary.seconds = time.monotonic() - started
    return summary


def write_sample(folder: Path, size: str, seed: int, reporter: Reporter, workers: int) -> dict[str, Any]:
    """Write a sample site.

    Raises
    ------
    UsageError
        Unknown size.
    InputError
        The folder already holds a site of another making.
    """
    if size not in SIZES:
        raise UsageError(f"--size is one of {', '.join(SIZES)}; got {size!r}")
    if (folder / "twin.toml").exists():
        raise InputError(f"{folder}: holds a site already; choose another folder or remove it")
    with reporter.step(f"Sample ({size})") as tick:
        made = make_sample(folder, size, seed, progress=tick, workers=workers)
    return {
        "site": str(folder),
        "size": size,
        "seed": seed,
        "points": made.points,
        "buildings": made.buildings,
    }


def run_demo(folder: Path, reporter: Reporter, *, device: DeviceChoice = "auto", workers: int = 1) -> Summary:
    """The sample site of 36 ha, and the whole road on it; a second call goes on where the first stopped."""
    started = time.monotonic()
    if not (folder / "twin.toml").exists():
        write_sample(folder, "demo", 1, reporter, workers)
    summary = run_site(open_site(folder), reporter, device=device, workers=workers)
    summary.seconds = time.monotonic() - started
    return summary
