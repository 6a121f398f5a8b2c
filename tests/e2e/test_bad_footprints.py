"""A corpus of bad footprints through the command: every row ends with a solid or a reason, and nothing crashes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from pyproj import CRS

from tests.command import Ended
from twin.io.las import write_las

Twin = Callable[..., Ended]
EAST, NORTH = 732_000.0, 643_000.0
NAN = float("nan")


def box(x: float, y: float, width: float = 8.0) -> list[tuple[float, float]]:
    return [(x, y), (x + width, y), (x + width, y + width), (x, y + width), (x, y)]


def spike() -> shapely.Polygon:
    ring = box(10, 10)
    return shapely.Polygon([*ring[:2], (18, 14), (38, 14.0), (18, 14), *ring[2:]])


def bad_shapes() -> dict[str, shapely.Geometry]:
    """Synthetic: what maps are known to hold, on a town whose houses stand at steps of 30 m."""
    hole = [(13, 100), (15, 100), (15, 98), (13, 98), (13, 100)]
    touching = [(13, 100), (13, 102), (15, 102), (13, 100)]
    return {
        "spike": spike(),
        "bow-tie": shapely.Polygon([(40, 10), (48, 18), (48, 10), (40, 18), (40, 10)]),
        "doubled vertices": shapely.Polygon(np.repeat(np.array(box(70, 10)), 3, axis=0)),
        "nearly doubled": shapely.Polygon([(100, 10), (108, 10), (108, 10.0005), (108, 18), (100, 18)]),
        "touching holes": shapely.Polygon(box(10, 96, 10), [hole, touching]),
        "hole on the edge": shapely.Polygon(box(40, 40), [[(40, 42), (43, 43), (43, 45), (40, 42)]]),
        "hole that is all": shapely.Polygon(box(70, 40), [box(70, 40)]),
        "hole outside": shapely.Polygon(box(100, 40), [box(110, 50, 2)]),
        "no area": shapely.Polygon([(10, 70), (18, 70), (10, 70)]),
        "collinear": shapely.Polygon([(40, 70), (44, 70), (48, 70), (40, 70)]),
        "sliver": shapely.Polygon([(70, 70), (78, 70), (78, 70.004), (70, 70)]),
        "speck": shapely.Polygon(box(100, 70, 0.05)),
        "two parts": shapely.MultiPolygon([shapely.Polygon(box(70, 100)), shapely.Polygon(box(82, 100, 4))]),
        "parts that overlap": shapely.MultiPolygon(
            [shapely.Polygon(box(100, 100)), shapely.Polygon(box(104, 104))]
        ),
        "no points": shapely.Polygon(box(43, 102, 1.0)),
        "far away": shapely.Polygon(box(5000, 5000)),
        "nan": shapely.Polygon([(10, 130), (18, NAN), (18, 138), (10, 138), (10, 130)]),
        "z": shapely.Polygon([(x, y, 999.0) for x, y in box(40, 130)]),
        "z nan": shapely.Polygon([(x, y, NAN) for x, y in box(70, 130)]),
        "empty": shapely.Polygon(),
        "clockwise": shapely.Polygon(box(100, 130)[::-1]),
        "twice": shapely.Polygon(box(130, 130)),
        "twice again": shapely.Polygon(box(130, 130)),
    }


def points() -> np.ndarray:
    rng = np.random.default_rng(4)
    xy = rng.uniform(0, 160, (160 * 160 * 4, 2))
    x, y = (xy - 10).T
    house = (x % 30 < 8) & (y % 30 < 8) & (x >= 0) & (y >= 0)
    z = np.where(house, 68.0, 60.0) + rng.normal(0, 0.02, len(xy))
    away = shapely.contains_xy(shapely.box(42.5, 101.5, 44.5, 103.5), xy[:, 0], xy[:, 1])
    return np.c_[xy + np.array([EAST, NORTH]), z][~away]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, twin: Twin) -> tuple[Ended, Path, list[str]]:
    folder = tmp_path_factory.mktemp("bad footprints") / "site"
    folder.mkdir()
    xyz = points()
    ground = np.where(xyz[:, 2] < 63, 2, 6).astype(np.uint8)
    write_las(folder / "tile.laz", xyz, ground, crs=CRS.from_epsg(3812), vertical="EPSG:5710")
    shapes = bad_shapes()
    moved = [shapely.transform(g, lambda c: c + np.array([EAST, NORTH])) for g in shapes.values()]
    table = gpd.GeoDataFrame({"name": list(shapes)}, geometry=[*moved], crs=3812)
    table.loc[len(table)] = ["missing", None]
    table.to_file(folder / "map.gpkg", layer="roofs")
    (folder / "twin.toml").write_text(
        '[site]\nname = "Synthetic"\ncrs = "EPSG:3812"\nheights = "EPSG:5710"\n[inputs]\npoints = ["*.laz"]\n'
        'classes = "asprs"\nfootprints = { file = "map.gpkg", id = "name" }\n',
        encoding="utf-8",
    )
    return twin("build", folder), folder, [*shapes, "missing"]


def test_every_row_ends_with_a_status(built) -> None:
    ended, folder, names = built
    assert ended.code == 0 and "Traceback" not in ended.text, ended.text
    report = json.loads((folder / "out" / "model" / "report.json").read_text(encoding="utf-8"))
    lines = (folder / "out" / "model" / "city.city.jsonl").read_text(encoding="utf-8").splitlines()
    objects = {k: v for line in lines[1:] for k, v in json.loads(line)["CityObjects"].items()}
    solid = {k for k, v in objects.items() if v["type"] == "Building" and v.get("geometry")}
    failed = {f["id"]: f["reason"] for f in report["failures"]}
    for name in names:
        parts = [k for k in (*solid, *failed) if k == name or k.startswith(f"{name}-")]
        assert parts, f"{name}: lost; {failed}; {report['notes']}"
    assert "internal_error" not in failed.values(), failed
    for name in ("spike", "doubled vertices", "nearly doubled", "z", "z nan", "clockwise", "bow-tie-1"):
        assert name in solid, f"{name}: {failed.get(name)}"
    for name in ("no area", "collinear", "nan", "empty", "missing"):
        assert name in failed, name


def test_what_is_shipped_is_valid(built, twin: Twin) -> None:
    _, folder, _ = built
    ended = twin("validate", folder / "out" / "model" / "city.city.jsonl")
    assert ended.code == 0, ended.text
