"""A city model in another CRS than its site: moved by the best operation, or refused; never left where it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipelines.build import load
from pipelines.site import open_site
from tests.cityjson_worlds import document, saved
from tests.command import Ended

Twin = Callable[..., Ended]

LAMBERT_72 = (232_445.0, 143_905.0, 66.0)
"""A corner in Seraing in Belgian Lambert 72 (EPSG:31370); Lambert 2008 counts about 500 km more of each."""


def site_of(folder: Path, extra: str = "") -> Path:
    value = document(metadata={"referenceSystem": "https://www.opengis.net/def/crs/EPSG/0/6190"})
    value["transform"]["translate"] = list(LAMBERT_72)
    model = saved(folder, value)
    site = folder / "site"
    site.mkdir()
    text = f'[site]\nname = "x"\ncrs = "EPSG:3812"\nheights = "EPSG:5710"\n{extra}\n'
    text += f"[inputs]\ncitymodel = {json.dumps(model.as_posix())}\n"
    (site / "twin.toml").write_text(text, encoding="utf-8")
    return site


def test_a_belgian_model_is_moved_where_its_accuracy_is_accepted(tmp_path: Path, twin: Twin) -> None:
    site = site_of(tmp_path, "accepted_accuracy_m = 0.3")
    built = twin("build", site)
    assert built.code == 0, built.text
    scene = load(open_site(site)).scene
    shape = scene.buildings[0].geometries[0]
    east, north, height = scene.frame.to_world(shape.vertices).min(axis=0)
    assert (east - LAMBERT_72[0], north - LAMBERT_72[1]) == pytest.approx((500_002, 500_010.4), abs=1.0)
    assert height == pytest.approx(LAMBERT_72[2], abs=0.001)
    assert np.ptp(shape.vertices, axis=0) == pytest.approx((8.0, 5.0, 11.0), abs=0.01)
    report = json.loads((site / "out" / "model" / "report.json").read_text(encoding="utf-8"))
    assert any(note.startswith("moved to EPSG:3812: ") for note in report["notes"])


def test_without_the_grid_and_without_a_word_it_stops(tmp_path: Path, twin: Twin) -> None:
    site = site_of(tmp_path)
    built = twin("build", site)
    if built.code == 0:  # this machine has the grid of the Belgian survey: the exact way was taken
        report = json.loads((site / "out" / "model" / "report.json").read_text(encoding="utf-8"))
        assert any("moved to EPSG:3812" in note and "accepted" not in note for note in report["notes"])
        return
    assert built.code == 4, built.text
    assert "pyproj sync --file be_ign" in built.err and "accepted_accuracy_m" in built.err
    assert not (site / "out" / "model").exists()
