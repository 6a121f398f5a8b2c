"""``twin validate``: exit codes, reports, and what the schema cannot see."""

from __future__ import annotations

import copy
import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.validate import validate_file
from tests.command import Ended
from tests.solid_worlds import CORNERS, SIDES
from twin.validation.codes import Tolerances

Twin = Callable[..., Ended]


def cube(lod: str = "2.2", by: float = 0.0) -> tuple[list[list[int]], dict[str, Any]]:
    """Vertices in millimetres and a Solid."""
    rows = [[round((x + by) * 1000), round(y * 1000), round(z * 1000)] for x, y, z in CORNERS.tolist()]
    boundaries = [[[list(ring) for ring in surface] for surface in SIDES]]
    return rows, {"type": "Solid", "lod": lod, "boundaries": boundaries}


def city(objects: dict[str, Any], vertices: list[list[int]]) -> dict[str, Any]:
    return {
        "type": "CityJSON",
        "version": "2.0",
        "transform": {"scale": [0.001] * 3, "translate": [230_000.0, 640_000.0, 60.0]},
        "CityObjects": objects,
        "vertices": vertices,
    }


def one_house() -> dict[str, Any]:
    vertices, solid = cube()
    return city({"house": {"type": "Building", "geometry": [solid]}}, vertices)


def saved(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def codes(path: Path, **options: Any) -> set[int]:
    report = validate_file(path, Tolerances(), **options)
    return {finding.code for *_, finding in report.found()}


def test_a_good_file_ends_with_0(tmp_path: Path, twin: Twin) -> None:
    ended = twin("validate", saved(tmp_path / "good.city.json", one_house()))
    assert ended.code == 0 and "1 of 1 objects and 1 of 1 geometries valid" in ended.out


def test_a_broken_ring_is_not_lost(tmp_path: Path, twin: Twin) -> None:
    """A ring of two points, which the reader of the model would leave out."""
    model = one_house()
    model["CityObjects"]["house"]["geometry"][0]["boundaries"][0].append([[0, 1]])
    path = saved(tmp_path / "bad.city.json", model)
    report, table = tmp_path / "report.json", tmp_path / "table.csv"
    ended = twin("validate", path, "--json", report, "--csv", table)
    assert ended.code == 1 and "101 TOO_FEW_POINTS: 1 geometries (LoD 2.2: 1)" in ended.out
    value = json.loads(report.read_text(encoding="utf-8"))
    assert value["valid"] is False and value["tolerances"]["snap_m"] == 0.001
    (feature,) = value["files"][0]["features"]
    (finding,) = feature["findings"]
    assert feature["id"] == "house" and finding["code"] == 101 and finding["lod"] == "2.2"
    assert finding["where"] == "solid 0, shell 0, surface 6, ring 0"
    with table.open(encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    assert row["valid"] == "no" and row["codes"] == "101" and "surface 6" in row["where"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"type": "FeatureCollection"}', "\x00\xff"])
def test_no_cityjson_ends_with_3_in_one_line(tmp_path: Path, twin: Twin, text: str) -> None:
    path = tmp_path / "no.json"
    path.write_text(text, encoding="latin-1")
    ended = twin("validate", path, "-q")
    assert ended.code == 3 and ended.err.count("\n") == 1 and "no.json" in ended.err


def test_a_missing_file(tmp_path: Path, twin: Twin) -> None:
    assert twin("validate", tmp_path / "none.city.json", "-q").code == 3
    empty = tmp_path / "empty"
    empty.mkdir()
    ended = twin("validate", empty, "-q")
    assert ended.code == 3 and "holds no CityJSON file" in ended.err


def test_several_files_and_folders(tmp_path: Path, twin: Twin) -> None:
    good = saved(tmp_path / "a.city.json", one_house())
    saved(tmp_path / "settings.json", {"type": "no city"})
    assert twin("validate", tmp_path).code == 0  # a file that claims nothing is left out
    saved(tmp_path / "b.city.json", {"type": "no city"})
    ended = twin("validate", tmp_path)
    assert ended.code == 3 and str(good) in ended.out  # the good one is judged all the same


def test_a_sequence_with_a_broken_line(tmp_path: Path, twin: Twin) -> None:
    model = one_house()
    header = {**model, "CityObjects": {}, "vertices": []}
    feature = {"type": "CityJSONFeature", "id": "house", **{k: model[k] for k in ("CityObjects", "vertices")}}
    path = tmp_path / "x.city.jsonl"
    path.write_text("\n".join([json.dumps(header), json.dumps(feature), '{"type": "Ci']), encoding="utf-8")
    ended = twin("validate", path)
    assert ended.code == 1 and "901 INVALID_INPUT_FILE: line 3" in ended.out
    assert "1 of 1 geometries valid" in ended.out


def test_tolerances_and_lods(tmp_path: Path, twin: Twin) -> None:
    model = one_house()
    model["vertices"][6][2] += 300
    house = model["CityObjects"]["house"]
    house["geometry"].append({**copy.deepcopy(house["geometry"][0]), "lod": "1.2"})
    house["geometry"][1]["boundaries"][0].pop()
    path = saved(tmp_path / "bent.city.json", model)
    assert twin("validate", path, "--lod", "2.2").code == 1
    assert twin("validate", path, "--lod", "2.2", "--planarity-m", "0.2").code == 0
    ended = twin("validate", path, "--planarity-m", "0.2")
    assert ended.code == 1 and "302 SHELL_NOT_CLOSED: 1 geometries (LoD 1.2: 1)" in ended.out
    wrong = twin("validate", path, "--snap-m", "0")
    assert wrong.code == 3 and "snap_m" in wrong.err


def parts(by: float) -> dict[str, Any]:
    """A building of two parts, the second moved east."""
    vertices, one = cube()
    more, two = cube(by=by)
    two["boundaries"] = [[[[i + 8 for i in ring] for ring in surface] for surface in two["boundaries"][0]]]
    objects = {
        "house": {"type": "Building", "children": ["a", "b"]},
        "a": {"type": "BuildingPart", "parents": ["house"], "geometry": [one]},
        "b": {"type": "BuildingPart", "parents": ["house"], "geometry": [two]},
    }
    return city(objects, vertices + more)


@pytest.mark.parametrize(("by", "expected"), [(4.0, set()), (1.0, {601}), (0.0, {601}), (3.995, set())])
def test_parts_may_touch_but_not_overlap(tmp_path: Path, by: float, expected: set[int]) -> None:
    assert codes(saved(tmp_path / "parts.city.json", parts(by))) == expected


def test_parts_of_different_lods_do_not_meet(tmp_path: Path) -> None:
    model = parts(1.0)
    model["CityObjects"]["b"]["geometry"][0]["lod"] = "1.2"
    assert codes(saved(tmp_path / "parts.city.json", model)) == set()


def test_templates_are_judged(tmp_path: Path) -> None:
    vertices, solid = cube("3")
    model = city({}, [[0, 0, 0]])
    model["geometry-templates"] = {
        "templates": [solid, {**solid, "boundaries": [solid["boundaries"][0][:5]]}],
        "vertices-templates": [[v / 1000 for v in row] for row in vertices],
    }
    matrix = [2, 0, 0, 1, 0, 2, 0, 1, 0, 0, 2, 1, 0, 0, 0, 1]
    for name, template in (("good", 0), ("open", 1), ("none", 7)):
        instance = {"type": "GeometryInstance", "template": template, "boundaries": [0]}
        model["CityObjects"][name] = {
            "type": "SolitaryVegetationObject",
            "geometry": [{**instance, "transformationMatrix": matrix}],
        }
    report = validate_file(saved(tmp_path / "trees.city.json", model), Tolerances())
    found = {one.id: {f.code for *_, fs in one.geometries for f in fs} for one in report.objects}
    assert found == {"good": set(), "open": {302}, "none": {901}}


@pytest.mark.parametrize(
    ("boundaries", "code"),
    [
        ([[[[0, 3, 2, 99]]]], 901),
        ([[[[0, 3, 2, -1]]]], 901),
        ([[[[0, 3, 2, 1.5]]]], 901),
        ([[[[0, 3, 2, True]]]], 901),
        ([[[0, 3, 2, 1]]], 901),
        ("text", 901),
        (None, 901),
        ([], 902),
        ([[]], 902),
        ([[[]]], 902),
        ([[[[]]]], 101),
    ],
)
def test_boundaries_that_are_none(tmp_path: Path, boundaries: Any, code: int) -> None:
    model = one_house()
    model["CityObjects"]["house"]["geometry"][0]["boundaries"] = boundaries
    assert codes(saved(tmp_path / "x.city.json", model)) == {code}


def faults(path: Path) -> dict[str, str]:
    return {fault.kind: fault.text for fault in validate_file(path, Tolerances()).faults}


def test_links_to_nothing(tmp_path: Path, twin: Twin) -> None:
    model = parts(4.0)
    model["CityObjects"]["house"]["children"].append("c")
    model["CityObjects"]["b"]["parents"].append("home")
    path = saved(tmp_path / "x.city.json", model)
    assert set(faults(path)) == {"missing_child", "missing_parent", "duplicate_vertices"}
    assert twin("validate", path).code == 1


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ([[0, 1, 0, 0, 0, None]], False),
        ([None], False),
        (None, False),
        ([[0, 1, 0]], True),
        ([0, 1, 0, 0, 0, 0], True),
        ([[0, 1, 0, 0, 0, 2]], True),
        ([[0] * 6, [0] * 6], True),
    ],
)
def test_semantics_follow_the_boundaries(tmp_path: Path, values: Any, wrong: bool) -> None:
    model = one_house()
    semantics = {"surfaces": [{"type": "WallSurface"}, {"type": "RoofSurface"}], "values": values}
    model["CityObjects"]["house"]["geometry"][0]["semantics"] = semantics
    assert ("semantics_shape" in faults(saved(tmp_path / "x.city.json", model))) == wrong


def test_idle_vertices_are_warnings(tmp_path: Path, twin: Twin) -> None:
    model = one_house()
    model["vertices"] += [model["vertices"][0], [9000, 9000, 9000]]
    path = saved(tmp_path / "x.city.json", model)
    assert faults(path) == {
        "duplicate_vertices": "1 vertices repeat another one",
        "unused_vertices": "2 vertices are not used",
    }
    ended = twin("validate", path)
    assert ended.code == 0 and "warning: " in ended.out


def test_objects_without_geometry(tmp_path: Path) -> None:
    model = one_house()
    model["CityObjects"]["empty"] = {"type": "Building"}
    assert codes(saved(tmp_path / "x.city.json", model)) == {609}
    model["CityObjects"]["empty"]["attributes"] = {"failure_reason": "no_points"}
    path = saved(tmp_path / "y.city.json", model)
    assert codes(path) == set() and "no_points" in faults(path)["recorded_failure"]
    assert validate_file(path, Tolerances()).valid
