"""CityJSON: a fault names file and object in one line, and no broken object stops the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cityjson_worlds import document, saved
from tests.format_worlds import CORNER, FRAME
from twin.errors import InputError
from twin.io.cityjson import read_city, read_citymodel
from twin.io.cityjson_write import write_city
from twin.model.objects import Tree
from twin.model.surface import Surface


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ('{"type": "CityJSON", "version": "2.0", "CityObjects": {"b": {', "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ('{"type":"CityJSON","version":"2.0","CityObjects":{},"vertices":[[' + "9" * 5000 + ",0,0]]}", "not valid"),
        ([], "not CityJSON (type 'list')"),
        ({"type": "FeatureCollection"}, "not CityJSON (type 'FeatureCollection')"),
        (document(version="0.9"), "version '0.9'; versions 1.0, 1.1, 2.0"),
        (document(version=None), "version 'None'"),
        (document(CityObjects=None), "has no CityObjects"),
        (document(CityObjects=[]), "has no CityObjects"),
        (document(vertices={"a": 1}), "its vertices are no list"),
        (document(vertices=[]), "holds no vertices"),
        (document(transform={"scale": [1, 1]}), "key 'transform.scale': expected three numbers"),
        (document(transform={"scale": ["a", 1, 1], "translate": [0, 0, 0]}), "key 'transform.scale'"),
        (document(transform={"scale": [1, 1, 1], "translate": [0, 0, float("nan")]}), "key 'transform.translate'"),
        (document(transform=5), "key 'transform.scale'"),
        (document(**{"geometry-templates": {"templates": 1}}), "key 'geometry-templates'"),
        (document(**{"geometry-templates": {"templates": [], "vertices-templates": [[1, 2]]}}), "geometry-templates"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_read_are_one_line_that_names_the_file(
    tmp_path: Path, value: Any, words: str
) -> None:
    path = saved(tmp_path, value)
    with pytest.raises(InputError) as caught:
        read_citymodel(path)
    assert str(caught.value).startswith(f"{path}: ") and words in str(caught.value)
    assert "\n" not in str(caught.value)


NO_PLACES = (
    [1, 2, float("nan")],
    [1, 2, float("inf")],
    [1, 2],
    ["1", 2, 3],
    None,
    [None, 1, 2],
    [10**400, 0, 0],
    [[1], 2, 3],
)


@pytest.mark.parametrize("bad", NO_PLACES, ids=range(len(NO_PLACES)))
def test_a_vertex_that_is_no_place_is_named_with_its_object(tmp_path: Path, bad: Any) -> None:
    value = document()
    value["CityObjects"]["other"] = {"type": "Road", "geometry": []}
    value["vertices"][6] = bad
    path = saved(tmp_path, value)
    named = r"vertex 6, used by object 'b-1', is .*; expected three finite numbers"
    with pytest.raises(InputError, match=named) as caught:
        read_citymodel(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.json: no such file"):
        read_citymodel(tmp_path / "gone.json")
    (tmp_path / "x.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"x\.json: cannot be read as UTF-8"):
        read_citymodel(tmp_path / "x.json")


GOOD = document()["CityObjects"]["b-1"]["geometry"][0]


@pytest.mark.parametrize(
    ("geometry", "reason", "word"),
    [
        ({**GOOD, "boundaries": [[[[0, 1, 99]]]]}, "broken_geometry", "vertex index 99 is none of the 8"),
        ({**GOOD, "boundaries": [[[[0, 1, -1]]]]}, "broken_geometry", "vertex index -1"),
        ({**GOOD, "boundaries": [[[[0, 1, 2.5]]]]}, "broken_geometry", "vertex index 2.5"),
        ({**GOOD, "boundaries": [[[[0, 1, True]]]]}, "broken_geometry", "vertex index True"),
        ({**GOOD, "boundaries": [[[["a", "b", "c"]]]]}, "broken_geometry", "vertex index 'a'"),
        ({**GOOD, "boundaries": [[[0, 1, 2]]]}, "broken_geometry", "a ring is a list"),
        ({**GOOD, "boundaries": [1, 2]}, "broken_geometry", ""),
        ({**GOOD, "boundaries": None}, "broken_geometry", "no boundaries"),
        ({**GOOD, "boundaries": []}, "no_geometry", "has no surfaces"),
        ({**GOOD, "boundaries": [[[[0, 1, 1]], [[2, 2, 2]]]]}, "no_geometry", "has no surfaces"),
        ({**GOOD, "type": "Sphere"}, "broken_geometry", "'Sphere' is none of CityJSON's"),
        ({**GOOD, "type": ["Solid"]}, "broken_geometry", ""),
        (
            {"type": "GeometryInstance", "template": 3, "boundaries": [0]},
            "broken_geometry",
            "names a template",
        ),
        (7, "broken_geometry", "a geometry is no object"),
        ({"type": "MultiPoint", "lod": "0", "boundaries": [0, 1]}, "no_geometry", "has no surfaces"),
    ],
)
def test_geometry_that_cannot_be_used_is_listed_and_its_object_kept(
    tmp_path: Path, geometry: Any, reason: str, word: str
) -> None:
    """The house beside it is not touched."""
    value = document()
    value["CityObjects"]["bad"] = {"type": "Building", "geometry": [geometry], "attributes": {"a": 1}}
    value["CityObjects"]["way"] = {"type": "Road", "geometry": geometry}
    back = read_citymodel(saved(tmp_path, value))
    assert [b.id for b in back.buildings] == ["b-1", "bad"] and [o.id for o in back.others] == ["way"]
    assert dict(back.buildings[1].attributes) == {"a": 1} and not back.buildings[1].geometries
    for name in ("bad", "way"):
        listed = {f.reason: f.detail for f in back.failures if f.object_id == name}
        assert reason in listed and word in listed[reason]
    assert {f.object_id for f in back.failures} == {"bad", "way"}
    assert back.buildings[1].failure is not None
    assert len(back.buildings[0].geometries) == 1


@pytest.mark.parametrize(
    "item",
    [None, 5, [], {}, {"type": 3}, {"type": "Building", "children": 5, "parents": {"a": 1}},
     {"type": "Road", "parents": [1, None], "attributes": [1]}, {"type": "BuildingPart", "parents": ["b-1", 7]},
     {"type": "BuildingPart", "parents": ["bad"], "children": ["bad"]}, {"type": "TINRelief"},
     {"type": "CityObjectGroup", "children": 4}, {"type": "SolitaryVegetationObject", "attributes": {"height_m": "x"}},
     {"type": "Building", "geometry": GOOD["boundaries"]}, {"type": "Building", "geometry": 3}],
    ids=range(14),
)  # fmt: skip
def test_no_broken_object_stops_the_others(tmp_path: Path, item: Any) -> None:
    value = document()
    value["CityObjects"] = {"bad": item, **value["CityObjects"]}
    back = read_citymodel(saved(tmp_path, value))
    assert len(back.buildings[-1].geometries) == 1
    kept = {b.id for b in back.buildings} | {p.id for b in back.buildings for p in b.parts}
    kept |= {o.id for o in back.others}
    assert {"bad", "b-1"} <= kept | {f.object_id for f in back.failures}


def test_parts_stand_once_however_the_two_sides_name_each_other(tmp_path: Path) -> None:
    """One-sided links, a part of a stranger, a circle, a child that is not there: all kept or listed."""
    solid = [GOOD]
    value = document()
    value["CityObjects"] = {
        "one-sided": {"type": "Building", "children": ["p-1", "gone"]},
        "p-1": {"type": "BuildingPart", "geometry": solid},
        "other-side": {"type": "Building"},
        "p-2": {"type": "BuildingPart", "parents": ["other-side"], "geometry": solid},
        "p-3": {"type": "BuildingPart", "parents": ["stranger"], "geometry": solid},
        "p-4": {"type": "BuildingPart", "parents": ["p-5"], "children": ["p-5"], "geometry": solid},
        "p-5": {"type": "BuildingPart", "parents": ["p-4"], "children": ["p-4"], "geometry": solid},
        "rival": {"type": "Building", "children": ["p-1"], "geometry": solid},
        "itself": {"type": "Building", "children": ["itself"], "geometry": solid},
    }
    back = read_citymodel(saved(tmp_path, value))
    found = {b.id: [p.id for p in b.parts] for b in back.buildings}
    assert found == {
        "one-sided": ["p-1"], "other-side": ["p-2"], "p-3": [], "p-4": [], "p-5": [], "rival": [], "itself": [],
    }  # fmt: skip
    assert [(f.object_id, f.reason) for f in back.failures] == [("gone", "missing_child")]


def test_a_relief_without_triangles_is_listed_and_only_the_finest_is_ground(tmp_path: Path) -> None:
    def tin(lod: str, rows: list[list[int]]) -> dict[str, Any]:
        return {"type": "CompositeSurface", "lod": lod, "boundaries": [[row] for row in rows]}

    value = document()
    value["CityObjects"]["t-0"] = {"type": "TINRelief", "geometry": []}
    value["CityObjects"]["t-1"] = {
        "type": "TINRelief",
        "geometry": [tin("1", [[0, 1, 2]]), tin("2", [[0, 1, 2], [0, 2, 3]])],
    }
    back = read_citymodel(saved(tmp_path, value))
    assert back.terrain_mesh is not None and len(back.terrain_mesh.faces) == 2
    assert [(f.object_id, f.reason) for f in back.failures] == [("t-0", "no_geometry")]
    assert back.counts["TINRelief"] == 2


def test_templates_are_placed_by_matrix_and_anchor(tmp_path: Path) -> None:
    """A box of one metre, twice as high, turned a quarter, at vertex 1."""
    value = document()
    unit = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]]
    value["geometry-templates"] = {"templates": [GOOD, 5], "vertices-templates": unit}
    matrix = [0, -1, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1]
    placed = {"type": "GeometryInstance", "template": 0, "boundaries": [1], "transformationMatrix": matrix}
    value["CityObjects"] = {
        "good": {"type": "CityFurniture", "geometry": [placed]},
        "no template": {"type": "CityFurniture", "geometry": [{**placed, "template": 1}]},
        "nan": {
            "type": "CityFurniture",
            "geometry": [{**placed, "transformationMatrix": [float("nan")] * 16}],
        },
        "text": {"type": "CityFurniture", "geometry": [{**placed, "transformationMatrix": ["x"] * 16}]},
        "flat": {"type": "CityFurniture", "geometry": [{**placed, "transformationMatrix": [0] * 16}]},
    }
    back = read_citymodel(saved(tmp_path, value))
    world = back.frame.to_world(back.others[0].geometries[0].vertices)
    east, north, height = CORNER
    assert np.allclose(world.min(axis=0), (east + 7, north, height), atol=1e-6)
    assert np.allclose(world.max(axis=0), (east + 8, north + 1, height + 2), atol=1e-6)
    broken = [f.object_id for f in back.failures if f.reason == "broken_geometry"]
    assert broken == ["no template", "nan", "text", "flat"]


def test_semantics_that_do_not_fit_are_unknown_not_wrong(tmp_path: Path) -> None:
    cases = {
        "short": {"surfaces": [{"type": "RoofSurface"}], "values": [[0, 0]]},
        "none": {"surfaces": [{"type": "RoofSurface"}], "values": None},
        "past": {"surfaces": [{"type": "RoofSurface"}], "values": [[0, 1, -1, None, "a", True]]},
        "odd": {"surfaces": [5, {"type": "RoofSurface"}, {"type": "+Solar"}], "values": [[1, 0, 2, 1, 1, 1]]},
    }
    value = document()
    value["CityObjects"] = {
        name: {"type": "Building", "geometry": [{**GOOD, "semantics": one}]} for name, one in cases.items()
    }
    back = read_citymodel(saved(tmp_path, value))
    roof = int(Surface.ROOF)
    codes = {b.id: b.geometries[0].semantics.tolist() for b in back.buildings}
    assert codes == {
        "short": [0] * 6, "none": [0] * 6, "past": [roof, 0, 0, 0, 0, 0], "odd": [roof, 0, 0, roof, roof, roof],
    }  # fmt: skip


def test_a_broken_line_of_a_sequence_lists_its_objects_and_the_rest_is_read(tmp_path: Path) -> None:
    value = document()
    good = {
        "type": "CityJSONFeature",
        "id": "b-1",
        "CityObjects": value["CityObjects"],
        "vertices": value["vertices"],
    }
    header = {**value, "CityObjects": {}, "vertices": []}
    two = {"x": value["CityObjects"]["b-1"], "y": {"type": "BuildingPart", "parents": ["x"]}}
    nowhere = {
        **good,
        "id": "x",
        "CityObjects": two,
        "vertices": [[0, 0, float("nan")], *value["vertices"][1:]],
    }
    lines = [
        header,
        good,
        "{broken",
        "",
        5,
        {"type": "Feature"},
        nowhere,
        {**good, "CityObjects": None},
        good,
    ]
    text = "\r\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines)
    back = read_citymodel(saved(tmp_path, text, "a.city.jsonl"))
    assert [b.id for b in back.buildings] == ["b-1"]
    listed = [(f.object_id, f.reason) for f in back.failures]
    broken = [(name, "broken_feature") for name in ("line 3", "line 5", "line 6", "x", "y", "line 8")]
    assert listed == [*broken, ("b-1", "duplicate_id")]
    assert "line 7: vertex 0, used by object 'x'" in back.failures[3].detail


def test_a_feature_without_its_header_says_what_is_missing(tmp_path: Path) -> None:
    path = saved(
        tmp_path, {"type": "CityJSONFeature", "id": "x", "CityObjects": {}, "vertices": []}, "a.jsonl"
    )
    with pytest.raises(InputError, match="a sequence begins with a CityJSON header line"):
        read_citymodel(path)


def test_trees_of_others_are_not_taken_for_our_own(tmp_path: Path) -> None:
    """A tree is known by all its measures; one with impossible ones stays an object with its surfaces."""
    good = Tree("t", FRAME, 5.0, 6.0, 60.0, 9.0, 2.0, 3.0)
    write_city(tmp_path / "a.json", frame=FRAME, buildings=[], trees=[good])
    value = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert value["CityObjects"]["t"]["attributes"]["stem_east_m"] == FRAME.origin[0] + 5.0
    value["CityObjects"]["t"]["attributes"]["crown_base_m"] = 99.0
    back = read_city(saved(tmp_path, value), FRAME)
    assert not back.trees and back.others[0].type == "SolitaryVegetationObject"
    assert len(back.others[0].geometries) == 1
