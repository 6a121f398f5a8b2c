"""The real Delft set: LiDAR and footprints to solids, a shadow and a viewshed, in one go."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.command import Ended
from tests.tolerances import DELFT_P90_M, DELFT_P90_SHARE
from twin.frame import Frame
from twin.io.cityjson import read_city
from twin.io.crs import parse_crs
from twin.validation.validate import validate_geometry

Twin = Callable[..., Ended]


@pytest.fixture(scope="module")
def delft(test_data: Path, tmp_path_factory: pytest.TempPathFactory, twin: Twin) -> Path:
    site = tmp_path_factory.mktemp("delft") / "delft"
    source = test_data / "lidar" / "3dfier_delft"
    made = twin(
        *("init", site, "--points", source / "ahn3" / "*.laz"),
        *("--footprints", source / "bgt" / "bgt_pand.sqlite", "--id-field", "gml_id"),
        *("--crs", "EPSG:28992", "--heights", "EPSG:5709", "--classes", "ahn", "--language", "en"),
        *("--timezone", "Europe/Amsterdam"),
    )
    assert made.code == 0, made.text
    lighter(site)
    done = twin("run", site)
    assert done.code == 0, done.text
    return site


def lighter(site: Path) -> None:
    """One plate of shadows a day, small pictures."""
    study, views = site / "studies" / "sun.toml", site / "views.toml"
    text = study.read_text(encoding="utf-8")
    study.write_text(text.replace("[9.0, 12.0, 15.0]", "[12.0]"), encoding="utf-8")
    text = views.read_text(encoding="utf-8")
    views.write_text(text.replace("hfov_deg = ", "width = 480\nheight = 270\nhfov_deg = "), encoding="utf-8")


def model(site: Path):
    report = json.loads((site / "out" / "model" / "report.json").read_text(encoding="utf-8"))
    crs, heights = parse_crs(report["frame"]["crs"], report["frame"]["heights"])
    frame = Frame(crs, heights, tuple(report["frame"]["origin"]))
    return report, read_city(site / "out" / "model" / "city.city.jsonl", frame)


def test_every_footprint_ends_as_a_solid_or_a_reason(delft: Path) -> None:
    report, city = model(delft)
    assert len(city.buildings) == 160
    solids = [b for b in city.buildings if b.geometries]
    reasons = [b for b in city.buildings if not b.geometries]
    print(f"Delft: {len(solids)} solids, {len(reasons)} with a reason {report['reasons']}")
    assert len(solids) == 160 and not reasons
    for building in solids:
        for geometry in building.geometries:
            assert validate_geometry(geometry) == (), building.id


def test_p90_agrees_with_the_published_model(delft: Path, test_data: Path) -> None:
    _, city = model(delft)
    path = test_data / "lidar" / "3dfier_delft" / "output" / "testarea.json"
    published = json.loads(path.read_text(encoding="utf-8"))
    z = np.array(published["vertices"])[:, 2]
    if "transform" in published:
        z = z * published["transform"]["scale"][2] + published["transform"]["translate"][2]

    def top(item: dict) -> float:
        text = json.dumps([g["boundaries"] for g in item["geometry"]])
        indices = [int(v) for v in text.replace("[", " ").replace("]", " ").replace(",", " ").split()]
        return float(z[indices].max())

    ours = {b.id: b.attributes.get("h_roof_p90") for b in city.buildings}
    pairs = [
        (ours[key], top(item))
        for key, item in published["CityObjects"].items()
        if item["type"] == "Building" and ours.get(key) is not None
    ]
    close = sum(abs(a - b) <= DELFT_P90_M for a, b in pairs)
    print(
        f"Delft h_roof_p90 within {DELFT_P90_M} m of the published top: {close} of 160 ({len(pairs)} compared)"
    )
    assert close >= DELFT_P90_SHARE * 160


def test_shadow_and_viewshed_are_there(delft: Path) -> None:
    found = {p.parent.parent.name for p in (delft / "out" / "studies").glob("*/*/manifest.json")}
    assert found == {"sun", "view"}
