"""Two clouds of different dates: the newer wins where it covers, the older fills the rest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import shapely
from pyproj import CRS

from tests.command import Ended
from twin.frame import Frame
from twin.io.las import write_las
from twin.io.vector import VectorFeature, write_geojson

Twin = Callable[..., Ended]
EAST, NORTH = 732_000.0, 643_000.0
HOUSES = {"west": (20, 40), "middle": (60, 40), "east": (120, 40), "gone": (120, 80)}
FRONT = 45.0
"""The newer flight covers what lies farther east [m]."""


def flown(
    heights: dict[str, float], west: float, seed: int, codes: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Synthetic: level ground at 60 m with houses of 12 m, and a code for each point."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform((west, 0), (150, 110), (int((150 - west) * 110 * 6), 2))
    z, code = np.full(len(xy), 60.0), np.full(len(xy), codes[0], np.uint8)
    for name, height in heights.items():
        on = (np.abs(xy - HOUSES[name]) < 6).all(axis=1)
        z[on], code[on] = 60.0 + height, codes[1]
    # A pond without returns, which the newer flight covers all the same.
    pond = np.hypot(*(xy - (90, 90)).T) < 7
    xyz = np.c_[xy + np.array([EAST, NORTH]), z + rng.normal(0, 0.02, len(z))]
    return xyz[~pond], code[~pond]


def site(folder: Path, frame: Frame, more: str) -> Path:
    folder.mkdir(parents=True)
    old = flown({"west": 8.0, "middle": 8.0, "east": 5.0, "gone": 9.0}, 0.0, 1, (2, 6))
    new = flown({"middle": 8.5, "east": 11.0}, FRONT, 2, (2, 1))
    for name, (xyz, code) in (("old", old), ("new", new)):
        write_las(folder / f"{name}.laz", xyz, code, crs=CRS.from_epsg(3812), vertical="EPSG:5710")
    shift = np.array([EAST, NORTH]) - frame.origin
    shapes = [
        VectorFeature(
            name, shapely.box(*(np.array([x - 6, y - 6, x + 6, y + 6]) + np.tile(shift, 2))), {"id": name}
        )
        for name, (x, y) in HOUSES.items()
    ]
    write_geojson(folder / "map.geojson", shapes, frame)
    (folder / "twin.toml").write_text(
        '[site]\nname = "Synthetic"\ncrs = "EPSG:3812"\nheights = "EPSG:5710"\n[inputs]\n'
        'points = ["new.laz"]\nclasses = "spw-2021"\npoints_date = 2022-02-10\n'
        'footprints = { file = "map.geojson", id = "id" }\n' + more + "[classify]\nnoise = false\n",
        encoding="utf-8",
    )
    return folder


def buildings(folder: Path) -> dict[str, dict]:
    lines = (folder / "out" / "model" / "city.city.jsonl").read_text(encoding="utf-8").splitlines()[1:]
    objects = {k: v for line in lines for k, v in json.loads(line)["CityObjects"].items()}
    return {k: v["attributes"] for k, v in objects.items() if v["type"] == "Building"}


def test_the_newer_flight_wins_where_it_covers(tmp_path: Path, twin: Twin, frame: Frame) -> None:
    more = 'older_points = ["old.laz"]\nolder_classes = "asprs"\nolder_points_date = 2013-04-02\n'
    folder = site(tmp_path / "two", frame, more)
    ended = twin("build", folder)
    assert ended.code == 0 and "two flights" in ended.text, ended.text
    found = buildings(folder)
    dates = {name: values.get("source_date") for name, values in found.items()}
    assert dates["west"] == "2013-04-02" and dates["middle"] == dates["east"] == "2022-02-10"
    heights = {n: v["h_roof_p70"] - v["h_ground_mean"] for n, v in found.items() if "h_roof_p70" in v}
    assert heights["west"] == pytest.approx(8.0, abs=0.1) and heights["middle"] == pytest.approx(8.5, abs=0.1)
    assert heights["east"] == pytest.approx(11.0, abs=0.1) and "gone" not in heights
    assert found["gone"]["failure_reason"] in ("no_points", "too_few_points")


def test_older_points_alone_are_refused(tmp_path: Path, twin: Twin, frame: Frame) -> None:
    folder = site(tmp_path / "one", frame, 'older_points = ["no.laz"]\n')
    ended = twin("build", folder)
    assert ended.code == 3 and "no.laz" in ended.err, ended.text
