"""What this machine has: the packages, the devices, the grids, the display, the fonts."""

from __future__ import annotations

import importlib.util
import platform
import sys
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from pipelines.inputs import read_inputs
from pipelines.site import open_site
from twin import __version__
from twin.errors import TwinError
from twin.frame import Frame
from twin.io.crs import grids_report, measured_shift, site_frame, use_grid_folder
from twin.region import Region

REQUIRED = (
    "numpy",
    "scipy",
    "numba",
    "shapely",
    "pyproj",
    "pvlib",
    "rasterio",
    "pyogrio",
    "laspy",
    "lazrs",
    "trimesh",
    "mapbox_earcut",
    "dask",
    "matplotlib",
    "pydantic",
)
OPTIONAL = {
    "embreex": "fast rays on the CPU (no wheel for Linux on Arm)",
    "wgpu": "rays on the GPU",
    "cjio": "upgrades of old CityJSON",
    "pyvista": "the window: pip install 'valley-twin[desktop]'",
    "open3d": "raw clouds: pip install 'valley-twin[desktop]'",
    "ezdxf": "DXF: pip install 'valley-twin[cad]'",
    "distributed": "a Dask cluster: pip install 'valley-twin[cluster]'",
}
SAMPLE_PLACE = (732446, 643915)
"""A point on the Meuse near Seraing in EPSG:3812, where no site is given [m]."""


@dataclass(slots=True)
class Findings:
    """What was found, by topic."""

    topics: dict[str, list[str]] = field(default_factory=dict)
    missing_required: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {**self.topics, "missing_required": self.missing_required}

    def lines(self) -> list[str]:
        """For people."""
        rows = []
        for topic, lines in self.topics.items():
            rows.append(f"{topic}:")
            rows.extend(f"  {line}" for line in lines)
        if self.missing_required:
            rows.append(f"MISSING: {', '.join(self.missing_required)}; pip install -e '.[desktop]'")
        else:
            rows.append("nothing that is required is missing")
        return rows


def _distribution(module: str) -> str:
    names = {"mapbox_earcut": ["mapbox-earcut"], "open3d": ["open3d-cpu", "open3d"]}
    for name in names.get(module, [module]):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return "present"


def examine(site_folder: Path | None) -> Findings:
    """Look at the machine, and at a site's place on earth where one is given."""
    found = Findings()
    found.topics["Python"] = [
        f"{platform.python_version()} ({sys.executable}), {platform.system()} {platform.machine()}",
        f"valley-twin {__version__}",
    ]
    packages = []
    for module in REQUIRED:
        if importlib.util.find_spec(module) is None:
            found.missing_required.append(module)
        else:
            packages.append(f"{module} {_distribution(module)}")
    found.topics["Required packages"] = [", ".join(packages)]
    found.topics["Optional packages"] = [
        f"{module} {_distribution(module)}"
        if importlib.util.find_spec(module)
        else f"{module}: missing, {why}"
        for module, why in OPTIONAL.items()
    ]
    found.topics["Rays"] = _devices()
    found.topics["Grids and place"] = _place(site_folder)
    found.topics["Windows"] = _windows()
    found.topics["Fonts"] = _fonts()
    return found


def _devices() -> list[str]:
    from twin.visibility.caster import adapters, choose_device

    lines = [f"adapter: {text}" for text in adapters()] or ["no GPU adapter: studies run on the CPU"]
    try:
        lines.append(f"--device auto takes: {choose_device('auto').label}")
    except TwinError as error:
        lines.append(str(error))
    return lines


def _place(folder: Path | None) -> list[str]:
    try:
        frame, name = _frame(folder)
        lines = [f"{name}: {frame.describe()}"]
        lines.append(
            f"meridian convergence {frame.convergence_deg:+.3f} degree "
            "(grid azimuth = true azimuth - convergence), "
            f"scale {frame.scale:.6f}"
        )
        for grid, path, note in grids_report(frame):
            lines.append(f"{grid}: {path or 'missing'} ({note})")
        lines.extend(measured_shift(frame))
        return lines
    except TwinError as error:
        return [str(error)]


def _frame(folder: Path | None) -> tuple[Frame, str]:
    if folder is None:
        east, north = SAMPLE_PLACE
        frame = site_frame("EPSG:3812", "EPSG:5710", Region(east - 500, north - 500, east + 500, north + 500))
        return frame, "no site given, Seraing taken"
    site = open_site(folder)
    if site.settings.site.grids:
        use_grid_folder(site.path(site.settings.site.grids))
    return read_inputs(site).frame, site.settings.site.name


def _windows() -> list[str]:
    from viewers.libs import window_problems

    problems = window_problems()
    return problems or ["display and libraries found: `twin view` works"]


def _fonts() -> list[str]:
    from viewers.plate import font_line

    return [font_line()]
