"""CityJSON: versions, ways to name a CRS, coordinates with and without transform."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pyproj import CRS, Transformer

from tests.cityjson_worlds import document, saved
from tests.format_worlds import SIZE, nearest
from tests.tolerances import FORMAT_PLACE_M
from twin.errors import InputError
from twin.frame import Frame
from twin.io.cityjson import citymodel_info, read_citymodel


@pytest.mark.parametrize("version", ["1.0", "1.1", "2.0"])
@pytest.mark.parametrize("transform", [True, False])
def test_versions_with_and_without_transform(tmp_path: Path, version: str, transform: bool) -> None:
    value = document(version=version)
    value["CityObjects"]["b-1"]["geometry"][0]["lod"] = 1 if version == "1.0" else "1.2"
    if not transform:
        shift, scale = value["transform"]["translate"], value.pop("transform")["scale"]
        value["vertices"] = (np.array(value["vertices"]) * scale + shift).tolist()
    back = read_citymodel(saved(tmp_path, value))
    assert (back.version, back.failures) == (version, ())
    shape = back.buildings[0].geometries[0]
    assert shape.lod == ("1" if version == "1.0" else "1.2")
    assert nearest(back.frame.to_world(shape.vertices)) < FORMAT_PLACE_M
    assert np.ptp(shape.vertices, axis=0) == pytest.approx(SIZE, abs=1e-6)
    assert (back.frame.epsg, back.frame.vertical) == (3812, "EPSG:5710")


@pytest.mark.parametrize(
    ("text", "plan", "vertical"),
    [
        ("EPSG:8370", 3812, "EPSG:5710"),
        ("urn:ogc:def:crs:EPSG::8370", 3812, "EPSG:5710"),
        ("urn:ogc:def:crs:EPSG:9.8.2:3812", 3812, "unknown"),
        ("https://www.opengis.net/def/crs/EPSG/0/3812", 3812, "unknown"),
        ("http://www.opengis.net/def/crs/EPSG/10.2/3812", 3812, "unknown"),
        ("urn:ogc:def:crs,crs:EPSG::3812,crs:EPSG::5710", 3812, "EPSG:5710"),
    ],
)
def test_ways_to_name_a_crs(tmp_path: Path, text: str, plan: int, vertical: str) -> None:
    info = citymodel_info(saved(tmp_path, document(metadata={"referenceSystem": text})))
    assert info.crs is not None and (info.crs.to_epsg(), info.vertical) == (plan, vertical)


def test_the_old_key_of_the_crs(tmp_path: Path) -> None:
    info = citymodel_info(saved(tmp_path, document(version="1.0", metadata={"crs": {"epsg": 3812}})))
    assert info.crs is not None and info.crs.to_epsg() == 3812


def test_without_a_reference_system_the_crs_must_be_stated(tmp_path: Path) -> None:
    path = saved(tmp_path, document(metadata={}))
    with pytest.raises(InputError, match=r"a\.city\.json: names no referenceSystem; state its CRS \(--crs\)"):
        read_citymodel(path)
    back = read_citymodel(path, crs_text="EPSG:3812", heights="EPSG:5710")
    assert (back.frame.epsg, back.frame.vertical) == (3812, "EPSG:5710")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("somewhere", "names no EPSG code"),
        ("EPSG:999999", "is not a CRS that PROJ knows"),
        ("EPSG:4326", "degrees"),
        ("EPSG:3857", "stretches lengths|outside"),
    ],
)
def test_reference_systems_that_cannot_be_used(tmp_path: Path, text: str, word: str) -> None:
    path = saved(tmp_path, document(metadata={"referenceSystem": text}))
    with pytest.raises(InputError, match=word) as caught:
        read_citymodel(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_a_model_of_another_crs_is_moved_by_the_best_operation(tmp_path: Path) -> None:
    """UTM 31 into UTM 32, one datum: only the projections differ, and the note says what was done."""
    value = document(metadata={"referenceSystem": "EPSG:25831"})
    value["transform"]["translate"] = [681_000.0, 5_608_000.0, 60.0]
    frame = Frame(CRS.from_epsg(25832), "unknown", (255_000, 5_612_000))
    back = read_citymodel(saved(tmp_path, value), frame)
    east, north = Transformer.from_crs(25831, 25832, always_xy=True).transform(681_000.0, 5_608_000.0)
    assert nearest(frame.to_world(back.buildings[0].geometries[0].vertices), (east, north, 60.0)) < 1e-6
    assert len(back.notes) == 1 and back.notes[0].startswith("moved to EPSG:25832: ")
