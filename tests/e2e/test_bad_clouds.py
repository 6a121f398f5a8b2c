"""Bad clouds and footprints through the commands: one line, or a recorded failure; the rest of the site is made."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyproj import CRS

from pipelines.build import load
from pipelines.site import open_site
from tests.command import Ended
from twin.frame import Frame
from twin.io.crs import find_grid, mover
from twin.io.las import write_las

Twin = Callable[..., Ended]
EAST, NORTH = 732_000.0, 643_000.0


def ground(seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Synthetic: 60 x 60 m of ground at 60 m and a flat roof of 10 x 10 m at 67 m, as class 1."""
    random = np.random.default_rng(seed)
    xy = random.uniform(0, 60, (24_000, 2))
    roof = (np.abs(xy - 30) < 5).all(axis=1)
    z = np.where(roof, 67.0, 60.0) + random.normal(0, 0.02, len(xy))
    return np.column_stack([EAST + xy[:, 0], NORTH + xy[:, 1], z]), np.where(roof, 1, 2)


def cloud(path: Path, keep: slice = slice(None)) -> Path:
    xyz, codes = ground()
    write_las(path, xyz[keep], codes[keep], crs=CRS.from_epsg(3812), vertical="EPSG:5710")
    return path


def ring(x: float, y: float, size: float) -> list[list[float]]:
    corners = [(0, 0), (size, 0), (size, size), (0, size), (0, 0)]
    return [[EAST + x + dx, NORTH + y + dy] for dx, dy in corners]


def footprints(path: Path, rings: dict[str, list[list[float]]], epsg: int = 3812) -> Path:
    """Synthetic GeoJSON with the CRS named in the old way that GDAL writes."""
    features = [
        {"type": "Feature", "properties": {"id": name}, "geometry": {"type": "Polygon", "coordinates": [r]}}
        for name, r in rings.items()
    ]
    crs = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{epsg}"}}
    path.write_text(
        json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}), encoding="utf-8"
    )
    return path


def started(
    folder: Path, twin: Twin, rings: dict[str, list[list[float]]] | None = None, **more: Any
) -> Ended:
    folder.mkdir(exist_ok=True)
    if not list(folder.glob("*.laz")):
        cloud(folder / "tile.laz")
    outlines = footprints(folder / "roofs.geojson", rings or {"house": ring(25, 25, 10)})
    options = {"crs": "EPSG:3812", "heights": "EPSG:5710", "classes": "spw-2021", "id_field": "id"} | more
    words = [w for key, value in options.items() for w in (f"--{key.replace('_', '-')}", value)]
    return twin("init", folder / "site", "--points", str(folder / "*.laz"), "--footprints", outlines, *words)


def refused(ended: Ended, *words: str) -> None:
    assert ended.code == 3, ended.text
    lines = [line for line in ended.err.splitlines() if line.startswith("twin:")]
    assert len(lines) == 1 and "Traceback" not in ended.text
    for word in words:
        assert word in lines[0], lines[0]


def report(site: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((site / "out" / "model" / "report.json").read_text(encoding="utf-8"))
    return found


def test_a_good_site_is_made(tmp_path: Path, twin: Twin) -> None:
    """The world of the tests below is sound, so that what they see is the fault's doing."""
    assert started(tmp_path, twin).code == 0
    ended = twin("build", tmp_path / "site")
    assert ended.code == 0 and "1 buildings" in ended.text and "0 recorded failures" in ended.text, ended.text


def test_a_tile_without_points_is_named(tmp_path: Path, twin: Twin) -> None:
    cloud(tmp_path / "tile.laz")
    cloud(tmp_path / "void.laz", slice(0, 0))
    refused(started(tmp_path, twin), "void.laz", "holds no points")
    assert not (tmp_path / "site" / "twin.toml").exists()


def test_a_tile_that_lost_its_end_stops_the_build(tmp_path: Path, twin: Twin) -> None:
    assert started(tmp_path, twin).code == 0
    path = tmp_path / "tile.laz"
    path.write_bytes(path.read_bytes()[:-5000])
    refused(twin("build", tmp_path / "site"), "tile.laz", "fetch it again")
    assert not [p for p in (tmp_path / "site").rglob("*") if ".part" in p.name]
    cloud(path)
    assert twin("build", tmp_path / "site").code == 0, "a second run goes on with the mended tile"


def test_outlines_that_cannot_be_built_are_listed_and_the_rest_is_built(tmp_path: Path, twin: Twin) -> None:
    x, y = EAST, NORTH
    rings = {
        "house": ring(25, 25, 10),
        "bowtie": [[x + 5, y + 5], [x + 15, y + 15], [x + 15, y + 5], [x + 5, y + 15], [x + 5, y + 5]],
        "line": [[x + 40, y + 10], [x + 50, y + 10], [x + 40, y + 10], [x + 40, y + 10]],
        "twice": ring(25, 25, 10),
        "meadow": ring(45, 45, 8),
        "far": ring(4_000, 4_000, 10),
    }
    assert started(tmp_path, twin, rings).code == 0
    ended = twin("build", tmp_path / "site")
    assert ended.code == 0, ended.text
    text = json.dumps(report(tmp_path / "site"))
    for name in ("line", "twice", "meadow", "far", "bowtie"):
        assert name in text, f"{name} is neither built nor listed"
    assert "1 buildings" in ended.text, ended.text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("warsaw_small.las", ["cannot be read", "--points-crs"]),
        ("lone-star.copc.laz", ["without a place on earth", "--points-crs"]),
        ("ellipsoid.copc.laz", ["contradict EPSG:3812"]),
        ("4_6_crop.las", ["contradict EPSG:3812"]),
        ("mvk-thin.las", ["contradict EPSG:26995", "may be feet although the file claims metres"]),
    ],
)
def test_clouds_with_broken_or_foreign_crs(
    test_data: Path, tmp_path: Path, twin: Twin, name: str, words: list[str]
) -> None:
    """Real files; none lies in Belgium, and none becomes a Belgian site."""
    refused(foreign(test_data, tmp_path, twin, name), f"{name}: ", *words)
    assert not (tmp_path / "site" / "twin.toml").exists()


def foreign(test_data: Path, folder: Path, twin: Twin, name: str, *more: str) -> Ended:
    path = folder / name
    shutil.copy(test_data / "lidar" / "pdal_test" / name, path)
    outlines = footprints(folder / "roofs.geojson", {"house": ring(25, 25, 10)})
    return twin(
        "init", folder / "site", "--points", path, "--footprints", outlines, "--crs", "EPSG:3812", *more
    )


def test_footprints_of_another_place(test_data: Path, tmp_path: Path, twin: Twin) -> None:
    """By chance the numbers of this Polish tile would fit Lambert 2008; the footprints do not."""
    ended = foreign(test_data, tmp_path, twin, "warsaw_small.las", "--points-crs", "EPSG:3812")
    refused(ended, "roofs.geojson: the footprints (", "lie outside the ground (")


def test_footprints_in_lambert_72_over_points_in_lambert_2008(tmp_path: Path, twin: Twin) -> None:
    """As PICC and the Walloon tiles are; without the grid the way is taken where its accuracy is accepted."""
    old = Frame(CRS.from_epsg(31370), "EPSG:5710", (232_000, 143_000))
    way = mover(CRS.from_epsg(3812), old, accepted_accuracy_m=1.0)
    corners = way.apply(np.array([[*corner, 0.0] for corner in ring(25, 25, 10)]))[:, :2]
    cloud(tmp_path / "tile.laz")
    outlines = footprints(tmp_path / "roofs.geojson", {"house": corners.tolist()}, epsg=31370)
    words = ["--points", tmp_path / "tile.laz", "--footprints", outlines, "--classes", "spw-2021"]
    site = tmp_path / "site"
    if find_grid("be_ign_bd72lb72_etrs89lb08.tif") is None:
        stopped = twin("init", site, *words)
        assert stopped.code == 4 and "--accepted-accuracy" in stopped.err, stopped.text
        assert not (site / "twin.toml").exists()
        words += ["--accepted-accuracy", 1]
    assert twin("init", site, *words).code == 0
    ended = twin("build", site)
    assert ended.code == 0 and "1 buildings" in ended.text, ended.text
    scene = load(open_site(site)).scene
    place = scene.frame.to_world(scene.buildings[0].geometries[0].vertices)
    assert place[:, :2].min(axis=0) == pytest.approx([EAST + 25, NORTH + 25], abs=0.02)
    assert place[:, :2].max(axis=0) == pytest.approx([EAST + 35, NORTH + 35], abs=0.02)
