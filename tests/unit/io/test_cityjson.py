"""CityJSON: what is written reads back and lies at its place; a fault names file and object."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyproj import CRS

from tests.cityjson_worlds import document, saved, written
from tests.format_worlds import (
    BOX_CODES,
    CORNER,
    FRAME,
    NASTY,
    VOLUME_M3,
    box,
    building,
    nearest,
    plane,
    readable,
    road,
    scene,
)
from tests.tolerances import FORMAT_PLACE_M
from twin.frame import Frame
from twin.io.cityjson import CityModel, citymodel_info, read_city, read_citymodel
from twin.io.cityjson_write import STEP_M, write_city
from twin.model.geometry import Geometry
from twin.model.objects import Building, CityObject, Failure
from twin.model.surface import Surface
from twin.model.triangulate import triangulate

NAMES = ("a.city.json", "a.city.jsonl")


def whole_scene(path: Path) -> CityModel:
    s = scene(others=(road(),))
    write_city(
        path,
        frame=FRAME,
        buildings=[*s.buildings, *s.proposed],
        terrain=s.terrain.tin,
        trees=s.trees,
        others=s.others,
        metadata={"title": "A place"},
    )
    return read_city(path, FRAME)


@pytest.mark.parametrize("name", NAMES)
def test_a_corner_lies_at_its_place_once_the_transform_is_applied(tmp_path: Path, name: str) -> None:
    back = whole_scene(tmp_path / name)
    header, objects, vertices = written(tmp_path / name)
    assert nearest(vertices) < FORMAT_PLACE_M
    assert nearest(FRAME.to_world(back.buildings[0].geometries[0].vertices)) < STEP_M
    assert (header["type"], header["version"]) == ("CityJSON", "2.0")
    assert max(header["transform"]["scale"]) <= 0.0001
    about = header["metadata"]
    assert about["referenceSystem"] == "https://www.opengis.net/def/crs/EPSG/0/8370"
    assert about["title"] == "A place"
    assert np.allclose(about["geographicalExtent"], [*vertices.min(axis=0), *vertices.max(axis=0)], atol=1e-4)
    assert objects["terrain"]["type"] == "TINRelief"
    assert objects["terrain"]["geometry"][0]["type"] == "CompositeSurface"
    extent = citymodel_info(tmp_path / name)
    assert (extent.crs.to_epsg(), extent.vertical, extent.version) == (3812, "EPSG:5710", "2.0")
    assert extent.counts["Building"] == 2


def test_the_suffix_chooses_a_sequence(tmp_path: Path) -> None:
    whole_scene(tmp_path / "a.city.jsonl")
    lines = (tmp_path / "a.city.jsonl").read_text(encoding="utf-8").splitlines()
    first, *features = [json.loads(line) for line in lines]
    assert (first["type"], first["CityObjects"], first["vertices"]) == ("CityJSON", {}, [])
    assert {f["type"] for f in features} == {"CityJSONFeature"}
    assert [f["id"] for f in features] == ["terrain", "b-1", "p-1", "r-1", "t-1"]
    assert all(f["id"] in f["CityObjects"] for f in features)
    whole_scene(tmp_path / "a.json")
    assert len((tmp_path / "a.json").read_text(encoding="utf-8").splitlines()) == 1


@pytest.mark.parametrize("name", NAMES)
def test_everything_of_a_scene_reads_back(tmp_path: Path, name: str) -> None:
    back = whole_scene(tmp_path / name)
    assert back.failures == () and back.notes == () and back.version == "2.0"
    assert [b.id for b in back.buildings] == ["b-1", "p-1"]
    shape = back.buildings[0].geometries[0]
    assert (shape.kind, shape.lod, len(shape.surfaces)) == ("Solid", "1.2", 6)
    assert [Surface(c) for c in shape.semantics] == list(BOX_CODES)
    assert triangulate(shape, FRAME).signed_volume() == pytest.approx(VOLUME_M3, rel=1e-6)
    assert back.terrain_mesh is not None
    assert set(back.terrain_mesh.semantics) == {Surface.TERRAIN}
    assert np.abs(back.terrain_mesh.region.width - 160) < 1e-9
    (way,) = back.others
    assert (way.id, way.type, dict(way.attributes)) == ("r-1", "Road", {"surface": "asphalt"})
    assert [len(ring) for ring in way.geometries[0].surfaces[0]] == [4, 4]
    assert triangulate(way.geometries[0], FRAME).face_normals()[:, 2].min() == pytest.approx(1.0)
    (tree,) = back.trees
    assert (tree.id, tree.x, tree.y, tree.ground, tree.height) == ("t-1", 80.0, -60.0, 66.0, 9.0)
    assert (tree.crown_radius, tree.crown_base) == (2.0, 3.0)
    assert (tree.crown_returns, tree.crown_cover, tree.crown_thin) == (None, None, False)


@pytest.mark.parametrize("name", NAMES)
def test_attributes_parts_lods_and_failures_read_back(tmp_path: Path, name: str) -> None:
    attributes = {
        "h_m": 12.345678,
        "count": 3,
        "ok": True,
        "nothing": None,
        "text": 'é "q" </x>',
        "list": [1, {"a": 2.5}],
        "not a number": float("nan"),
    }
    part = Building("b-1-p", FRAME, (box(lod="2.2"),), {"floor": 1})
    inner = Building("b-1-p-q", FRAME, (box(lod="2.2", size=(2, 2, 2)),))
    part = Building(part.id, FRAME, part.geometries, part.attributes, (inner,))
    main = Building("b-1", FRAME, (box(lod="1.2"), box(lod="0.1")), attributes, (part,))
    empty = Building("b-2", FRAME, failure=Failure("b-2", "no_points", "no point lies in it"))
    write_city(tmp_path / name, frame=FRAME, buildings=[main, empty])
    back = read_city(tmp_path / name, FRAME)
    first, second = back.buildings
    assert dict(first.attributes) == {**attributes, "not a number": None}
    assert [g.lod for g in first.geometries] == ["1.2", "0.1"]
    assert [p.id for p in first.parts] == ["b-1-p"] and [p.id for p in first.parts[0].parts] == ["b-1-p-q"]
    assert dict(first.parts[0].attributes) == {"floor": 1}
    assert second.failure == empty.failure and not second.attributes
    _, objects, _ = written(tmp_path / name)
    assert objects["b-1"]["children"] == ["b-1-p"] and objects["b-1-p"]["parents"] == ["b-1"]
    assert objects["b-1-p"]["type"] == objects["b-1-p-q"]["type"] == "BuildingPart"


@pytest.mark.parametrize("kind", ["MultiSolid", "CompositeSolid"])
def test_shells_and_solids_keep_their_nesting(tmp_path: Path, kind: Any) -> None:
    """A box with a hollow, and a second box beside it."""
    outer, hollow = box(), box(corner=(CORNER[0] + 1, CORNER[1] + 1, CORNER[2] + 1), size=(2, 2, 2))
    beside = box(corner=(CORNER[0] + 30, CORNER[1], CORNER[2]))
    turned = tuple((tuple(reversed(rings[0])),) for rings in hollow.surfaces)
    surfaces = [*outer.surfaces]
    for n, part in ((1, turned), (2, beside.surfaces)):
        surfaces += [tuple(tuple(i + 8 * n for i in ring) for ring in rings) for rings in part]
    shape = Geometry(
        kind,
        "2",
        np.concatenate([outer.vertices, hollow.vertices, beside.vertices]),
        tuple(surfaces),
        np.concatenate([outer.semantics] * 3),
        np.repeat([[0, 0], [0, 1], [1, 0]], 6, axis=0),
    )
    thing = CityObject("g", "GenericCityObject", FRAME, (shape,))
    write_city(tmp_path / "a.json", frame=FRAME, buildings=[], others=[thing])
    back = read_city(tmp_path / "a.json", FRAME).others[0]
    assert back.type == "GenericCityObject"
    (found,) = back.geometries
    assert found.kind == kind and (found.shells == shape.shells).all()
    assert (found.semantics == shape.semantics).all()
    assert triangulate(found, FRAME).signed_volume() == pytest.approx(2 * VOLUME_M3 - 8, rel=1e-6)
    _, objects, _ = written(tmp_path / "a.json")
    assert [[len(shell) for shell in solid] for solid in objects["g"]["geometry"][0]["boundaries"]] == [
        [6, 6],
        [6],
    ]


def test_two_solids_of_one_lod_stay_solids(tmp_path: Path) -> None:
    value = document()
    geometry = value["CityObjects"]["b-1"]["geometry"]
    geometry.append(json.loads(json.dumps(geometry[0])))
    back = read_citymodel(saved(tmp_path, value))
    (shape,) = back.buildings[0].geometries
    assert shape.kind == "MultiSolid" and shape.shells[:, 0].tolist() == [0] * 6 + [1] * 6


@pytest.mark.parametrize(
    ("kind", "as_type"),
    [("+NoiseSource", "OtherConstruction"), ("BridgePart", "OtherConstruction"), ("Bridge", "Bridge"),
     ("CityFurniture", "CityFurniture"), ("BuildingFurniture", "OtherConstruction"), ("Nonsense", "OtherConstruction")],
)  # fmt: skip
def test_types_that_cannot_stand_alone_are_kept_under_a_type_that_can(
    tmp_path: Path, kind: str, as_type: str
) -> None:
    thing = CityObject("x", kind, FRAME, road().geometries, {"a": 1}, ("above",))
    write_city(tmp_path / "a.jsonl", frame=FRAME, buildings=[], others=[thing])
    _, objects, _ = written(tmp_path / "a.jsonl")
    assert objects["x"]["type"] == as_type and "parents" not in objects["x"]
    back = read_city(tmp_path / "a.jsonl", FRAME).others[0]
    assert (back.type, back.parents, dict(back.attributes)) == (kind, ("above",), {"a": 1})


@pytest.mark.parametrize("name", NAMES)
def test_odd_ids_and_attributes_read_back(tmp_path: Path, name: str) -> None:
    """Line separators inside text must not cut a line of a sequence; an empty id is an id."""
    buildings = [building(text, {text: text}) for text in NASTY]
    write_city(tmp_path / name, frame=FRAME, buildings=buildings)
    back = read_city(tmp_path / name, FRAME)
    assert back.failures == ()
    assert [b.id for b in back.buildings] == [readable(text) for text in NASTY]
    assert [dict(b.attributes) for b in back.buildings] == [{readable(t): readable(t)} for t in NASTY]


def test_ids_that_are_taken_get_a_number_and_none_is_lost(tmp_path: Path) -> None:
    twice = [building("x"), building("x"), building("terrain")]
    write_city(tmp_path / "a.json", frame=FRAME, buildings=twice, terrain=plane().tin, others=[road("x")])
    _, objects, _ = written(tmp_path / "a.json")
    assert list(objects) == ["terrain", "x", "x-2", "terrain-2", "x-3"]
    write_city(tmp_path / "b.json", frame=FRAME, buildings=[building("terrain")])
    assert list(written(tmp_path / "b.json")[1]) == ["terrain"]


@pytest.mark.parametrize("name", NAMES)
def test_same_model_same_bytes_and_no_vertex_without_use(tmp_path: Path, name: str) -> None:
    for folder in "ab":
        whole_scene(tmp_path / folder / name)
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    lines = [json.loads(line) for line in (tmp_path / "a" / name).read_text("utf-8").split("\n") if line]
    for part in lines if len(lines) == 1 else lines[1:]:
        used = set()
        waiting = [g["boundaries"] for o in part["CityObjects"].values() for g in o.get("geometry", [])]
        while waiting:
            one = waiting.pop()
            used.add(one) if isinstance(one, int) else waiting.extend(one)
        assert used == set(range(len(part["vertices"])))
        assert len({tuple(v) for v in part["vertices"]}) == len(part["vertices"])


def test_a_crs_without_a_code_is_not_claimed_but_reads_back(tmp_path: Path) -> None:
    wkt = CRS.from_proj4("+proj=tmerc +lat_0=50 +lon_0=5.5 +k=1 +x_0=1000 +y_0=2000 +ellps=GRS80 +units=m")
    own = Frame(wkt, "unknown", (1000, 2000))
    house = Building("b", own, (box(corner=(1010.5, 2020.25, 60.0), frame=own),))
    write_city(tmp_path / "a.json", frame=own, buildings=[house], metadata={"title": "x"})
    header, _, vertices = written(tmp_path / "a.json")
    assert "referenceSystem" not in header["metadata"]
    assert header["metadata"]["title"] == "x (vertical datum unknown)"
    assert nearest(vertices, (1010.5, 2020.25, 60.0)) < FORMAT_PLACE_M
    back = read_city(tmp_path / "a.json", own)
    assert np.allclose(back.buildings[0].geometries[0].vertices.min(axis=0), [10.5, 20.25, 60.0], atol=STEP_M)


def test_nothing_is_written_where_writing_fails(tmp_path: Path) -> None:
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    (tmp_path / "a.json").write_text("before")
    with pytest.raises(RuntimeError, match="no text"):
        write_city(tmp_path / "a.json", frame=FRAME, buildings=[building("b", {"x": Odd()})])
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "before"
