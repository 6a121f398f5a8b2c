"""A sunlight study with named areas, the fast engine and runs, through the command."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio

from tests.command import Ended

Twin = Callable[..., Ended]

STUDY = """kind = "sunlight"
scenarios = ["plan-2030"]
cell_size_m = 2.0
dates = [2026-03-21]
step_min = 30
trees = false
engine = "heightfield"
runs = true
[areas]
file = "gardens.geojson"
label = "name"
at_least_h = 2.0
kept = 0.8
"""


@pytest.fixture
def site(small_site: Path, tmp_path: Path) -> Path:
    """A copy of the small site with two synthetic gardens, one named like a formula."""
    copy = tmp_path / "site"
    shutil.copytree(small_site, copy)
    with rasterio.open(copy / "out" / "model" / "terrain" / "dtm.tif") as source:
        west, south, east, north = source.bounds
    x, y = (west + east) / 2, (south + north) / 2
    rings = {"=1+1": (x - 70, y - 70), "square": (x + 5, y + 5)}
    features = [
        {
            "type": "Feature",
            "properties": {"name": name},
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[a, b], [a + 60, b], [a + 60, b + 60], [a, b + 60], [a, b]]],
            },
        }
        for name, (a, b) in rings.items()
    ]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3812"}}
    value = {"type": "FeatureCollection", "crs": crs, "features": features}
    (copy / "gardens.geojson").write_text(json.dumps(value), encoding="utf-8")
    (copy / "studies" / "gardens.toml").write_text(STUDY, encoding="utf-8")
    return copy


def test_parts_are_one_area_and_half_an_area_has_no_verdict(site: Path, twin: Twin) -> None:
    value = json.loads((site / "gardens.geojson").read_text(encoding="utf-8"))
    one, two = (f["geometry"]["coordinates"] for f in value["features"])
    shift = [[[x + 10_000.0 if k in (1, 2) else x, y] for k, (x, y) in enumerate(ring)] for ring in two]
    value["features"][0]["geometry"] = {"type": "MultiPolygon", "coordinates": [one, two]}
    value["features"][1]["geometry"]["coordinates"] = shift
    (site / "gardens.geojson").write_text(json.dumps(value), encoding="utf-8")
    ended = twin("study", site, "gardens")
    assert ended.code == 0 and "no verdict" in ended.text, ended.text
    with (site / "out/studies/gardens/plan-2030/areas.csv").open(encoding="utf-8") as stream:
        rows = {row["area"]: row for row in csv.DictReader(stream)}
    assert set(rows) == {"'=1+1", "square"}
    assert float(rows["'=1+1"]["area_m2"]) == pytest.approx(7200, abs=1)
    plates = site / "out/studies/gardens/plan-2030/plates"
    for name in ("longest", "first", "last"):
        assert (plates / f"{name}-2026-03-21.png").stat().st_size > 20_000, name
    assert float(rows["square"]["studied_share"]) < 0.1 and rows["square"]["verdict"].startswith("not judged")


def test_areas_are_a_table_and_a_layer(site: Path, twin: Twin) -> None:
    ended = twin("study", site, "gardens")
    assert ended.code == 0, ended.text
    folder = site / "out" / "studies" / "gardens" / "plan-2030"
    with (folder / "areas.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["area"] for row in rows] == ["'=1+1", "square"], "a formula is made plain"
    for row in rows:
        assert 0 < float(row["cells_m2"]) <= 3600 + 240
        assert row["verdict"] in ("met", "not met", "too close to call")
    info = pyogrio.read_info(folder / "areas.gpkg", layer="areas-2026-03-21")
    assert info["features"] == 2 and "EPSG" in info["crs"]
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["areas"]["error_h"]["2026-03-21"] == pytest.approx(0.5 + 20 / 60)
    assert "height field" in manifest["method"]["proposed"]["engine"]
    with rasterio.open(folder / "proposed" / "hours-2026-03-21.tif") as source:
        hours = source.read(1)
    with rasterio.open(folder / "proposed" / "longest-2026-03-21.tif") as source:
        longest = source.read(1)
        assert source.units == ("h",)
    known = np.isfinite(hours)
    assert (longest[known] <= hours[known] + 1e-5).all() and longest[known].max() > 3
    assert "up to date" in twin("study", site, "gardens").text
    path = site / "gardens.geojson"
    path.write_text(path.read_text(encoding="utf-8").replace("square", "place"), encoding="utf-8")
    assert "up to date" not in twin("study", site, "gardens").text, "other areas, another table"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('label = "name"', 'label = "nom"', ["gardens.geojson", "nom"]),
        (
            'file = "gardens.geojson"',
            'file = "parks.geojson"',
            ["gardens.toml: key 'areas.file'", "no such file"],
        ),
        ('file = "gardens', 'most = 3\nfile = "gardens', ["gardens.toml", "areas.most"]),
        (
            "[areas]",
            "[area]\nring = [[1, 1], [9, 1], [9, 9]]\n[areas]",
            ["gardens.toml: key 'area.ring'", "outside the model"],
        ),
        ("step_min = 30", "step_min = 0", ["gardens.toml", "step_min"]),
        ("step_min = 30", "step_min = 7", ["does not divide a day"]),
        ("[areas]", "profile = 'moon'\n[areas]", ["gardens.toml: key 'profile'", "'moon'"]),
        ("at_least_h = 2.0", "at_least_h = 25", ["at_least_h"]),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    site: Path, twin: Twin, old: str, new: str, words: list[str]
) -> None:
    path = site / "studies" / "gardens.toml"
    path.write_text(STUDY.replace(old, new), encoding="utf-8")
    ended = twin("study", site, "gardens")
    assert ended.code == 3 and "Traceback" not in ended.text, ended.text
    for word in words:
        assert word in ended.err, ended.err
    assert not (site / "out" / "studies" / "gardens" / "plan-2030" / "areas.csv").exists()
