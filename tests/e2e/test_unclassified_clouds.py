"""Clouds without classes and without a map, and clouds of a few points, through the commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pyproj import CRS

from tests.command import Ended
from twin.io.las import write_las

Twin = Callable[..., Ended]
EAST, NORTH = 732_000.0, 643_000.0


def town(density: float = 8.0, seed: int = 3) -> np.ndarray:
    """Synthetic: a slope of 10 % with three houses, in world space."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, 90, (int(8100 * density), 2))
    z = 60.0 + 0.1 * xy[:, 0]
    for x, y, width in ((20, 20, 12), (60, 25, 16), (40, 65, 20)):
        z = np.where((np.abs(xy - (x, y)) < width / 2).all(axis=1), 69.0 + 0.1 * x, z)
    return np.c_[xy + np.array([EAST, NORTH]), z + rng.normal(0, 0.02, len(z))]


def site(folder: Path, twin: Twin, *clouds: np.ndarray, more: str = "") -> Path:
    folder.mkdir()
    for k, xyz in enumerate(clouds):
        write_las(
            folder / f"tile{k}.laz",
            xyz,
            np.zeros(len(xyz), np.uint8),
            crs=CRS.from_epsg(3812),
            vertical="EPSG:5710",
        )
    (folder / "twin.toml").write_text(
        f'[site]\nname = "Synthetic"\ncrs = "EPSG:3812"\nheights = "EPSG:5710"\n'
        f'[inputs]\npoints = ["*.laz"]\n{more}',
        encoding="utf-8",
    )
    return folder


def report(folder: Path) -> dict:
    return json.loads((folder / "out" / "model" / "report.json").read_text(encoding="utf-8"))


def test_points_without_classes_or_map_give_a_town(tmp_path: Path, twin: Twin) -> None:
    ended = twin("build", site(tmp_path / "bare", twin, town()))
    assert ended.code == 0 and "3 buildings" in ended.text, ended.text
    for words in ("found by a filter (SMRF)", "3 outlines were derived from the points"):
        assert words in ended.text
    assert "found by SMRF" in report(tmp_path / "bare")["terrain"]["source"]


def test_tiles_workers_and_order_change_no_byte(tmp_path: Path, twin: Twin) -> None:
    xyz = town()
    mixed = xyz[np.random.default_rng(5).permutation(len(xyz))]
    one = site(tmp_path / "one", twin, xyz)
    many = site(tmp_path / "many", twin, mixed[mixed[:, 0] < EAST + 47], mixed[mixed[:, 0] >= EAST + 47])
    assert twin("build", one, "--workers", 1).code == 0
    assert twin("build", many, "--workers", 2).code == 0
    for name in ("dtm", "dsm"):
        a, b = (folder / "out" / "model" / "terrain" / f"{name}.tif" for folder in (one, many))
        assert pixels(a) == pixels(b)
    cities = [(folder / "out" / "model" / "city.city.jsonl").read_bytes() for folder in (one, many)]
    assert cities[0] == cities[1]


def pixels(path: Path) -> bytes:
    import rasterio

    with rasterio.open(path) as file:
        return file.read().tobytes()


def test_a_wish_for_the_vendors_ground_that_is_not_there_is_refused(tmp_path: Path, twin: Twin) -> None:
    ended = twin("build", site(tmp_path / "wish", twin, town(), more='[classify]\nground = "vendor"\n'))
    assert ended.code == 3 and "no ground points" in ended.err and "smrf" in ended.err, ended.text


@pytest.mark.parametrize("kind", ["one", "three", "ground", "strip", "doubles", "thin", "dense"])
def test_poor_clouds_end_with_a_model_or_a_reason(tmp_path: Path, twin: Twin, kind: str) -> None:
    xyz = town()
    cloud = {
        "one": xyz[:1],
        "three": xyz[:3],
        "ground": np.c_[xyz[:, :2], 60.0 + 0.1 * (xyz[:, 0] - EAST)],
        "strip": xyz[np.abs(xyz[:, 1] - NORTH - 20) < 1.5],
        "doubles": np.repeat(xyz[::4], 4, axis=0),
        "thin": town(0.3),
        "dense": town(50.0),
    }[kind]
    ended = twin("build", site(tmp_path / kind, twin, cloud))
    assert ended.code in (0, 3) and "Traceback" not in ended.text, ended.text
    if kind in ("doubles", "thin", "dense", "ground"):
        assert ended.code == 0, ended.text
