"""Laws of CityJSON: what was written reads back, whatever it is; a written file keeps the rules of version 2.0."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.format_worlds import FRAME, plane, road, scene
from tests.tolerances import CITYJSON_STEP_M
from twin.io.cityjson import read_city
from twin.io.cityjson_write import TYPES, write_city
from twin.model.geometry import Geometry
from twin.model.objects import Building, CityObject, Tree
from twin.model.surface import CITYJSON_NAMES, Surface
from twin.model.treemesh import tree_mesh
from twin.model.triangulate import triangulate

NAMED = [Surface.UNKNOWN, *CITYJSON_NAMES]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | TEXT
    | st.floats(-1e6, 1e6).map(lambda v: round(v, 6)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
RESERVED = {"failure_reason", "failure_detail", "original_type", "original_parents"}
ATTRIBUTES = st.dictionaries(TEXT.filter(lambda k: k not in RESERVED), JSON_VALUES, max_size=4)


@st.composite
def shapes(draw: st.DrawFn, lod: str) -> Geometry:
    """A block (a prism of 3 to 7 sides) or a bag of rectangles with or without holes, anywhere near the origin."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    centre = rng.uniform(-3000, 3000, 3) * [1, 1, 0.1]
    if draw(st.booleans()):
        n = draw(st.integers(3, 7))
        angles = np.sort(rng.uniform(0, 2 * np.pi / n, n) * 0.8 + 2 * np.pi * np.arange(n) / n)
        ring = np.column_stack([np.cos(angles), np.sin(angles)]) * rng.uniform(2, 40)
        points = (
            np.vstack([np.column_stack([ring, np.full(n, z)]) for z in (0.0, rng.uniform(2, 60))]) + centre
        )
        k = range(n)
        walls = [((i, (i + 1) % n, n + (i + 1) % n, n + i),) for i in k]
        surfaces = ((tuple(reversed(k)),), (tuple(n + i for i in k),), *walls)
        kind: Any = draw(st.sampled_from(["Solid", "MultiSolid", "CompositeSolid", "MultiSurface"]))
    else:
        square = np.array([[0, 0], [10, 0], [10, 10], [0, 10], [4, 4], [4, 6], [6, 6], [6, 4]], dtype=float)
        points = np.column_stack([square, 0.2 * square[:, 0]]) + centre
        surfaces = ((tuple(range(4)), tuple(range(4, 8))),) if draw(st.booleans()) else (((0, 1, 2, 3),),)
        kind = draw(st.sampled_from(["MultiSurface", "CompositeSurface"]))
    codes = draw(st.lists(st.sampled_from(NAMED), min_size=len(surfaces), max_size=len(surfaces)))
    return Geometry(
        kind, lod, points, surfaces, np.array(codes, np.uint8), np.zeros((len(surfaces), 2), np.int32)
    )


@st.composite
def houses(draw: st.DrawFn, name: str, depth: int = 2) -> Building:
    lods = draw(
        st.lists(st.sampled_from(["0", "1.2", "2.2", "3"]), unique=True, min_size=depth == 2, max_size=2)
    )
    geometries = tuple(draw(shapes(lod)) for lod in lods)
    count = draw(st.integers(0, 2)) if depth else 0
    parts = tuple(draw(houses(f"{name}/{k}", depth - 1)) for k in range(count))
    parts = tuple(p for p in parts if p.geometries)
    return Building(name, FRAME, geometries, draw(ATTRIBUTES), parts)


@st.composite
def models(draw: st.DrawFn) -> tuple[list[Building], list[CityObject]]:
    names = draw(st.lists(TEXT, unique=True, min_size=1, max_size=4))
    buildings = [draw(houses(f"b {name}")) for name in names]
    kinds = st.sampled_from(
        ["Road", "WaterBody", "Bridge", "BridgePart", "+Odd", "GenericCityObject", "LandUse"]
    )
    others = [
        CityObject(f"o {name}", draw(kinds), FRAME, (draw(shapes("1")),), draw(ATTRIBUTES))
        for name in names[:2]
    ]
    return buildings, others


def same_geometry(a: Geometry, b: Geometry) -> None:
    assert (a.kind, a.lod) == (b.kind, b.lod)
    assert len(a.surfaces) == len(b.surfaces)
    assert a.semantics.tolist() == b.semantics.tolist() and a.shells.tolist() == b.shells.tolist()
    for mine, yours in zip(a.surfaces, b.surfaces, strict=True):
        assert [len(r) for r in mine] == [len(r) for r in yours]
        for ring, other in zip(mine, yours, strict=True):
            assert np.abs(a.vertices[list(ring)] - b.vertices[list(other)]).max() <= CITYJSON_STEP_M


def same_building(a: Building, b: Building) -> None:
    assert (a.id, dict(a.attributes), a.failure) == (b.id, dict(b.attributes), b.failure)
    assert len(a.geometries) == len(b.geometries) and len(a.parts) == len(b.parts)
    for mine, yours in zip(a.geometries, b.geometries, strict=True):
        same_geometry(mine, yours)
    for part, other in zip(a.parts, b.parts, strict=True):
        same_building(part, other)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(models(), st.sampled_from(["a.city.json", "a.city.jsonl"]), st.booleans())
def test_what_was_written_reads_back(
    model: tuple[list[Building], list[CityObject]], name: str, ground: bool
) -> None:
    buildings, others = model
    tin = plane().tin if ground else None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write_city(path, frame=FRAME, buildings=buildings, others=others, terrain=tin)
        back = read_city(path, FRAME)
        again = path.with_name("again-" + name)
        write_city(
            again, frame=FRAME, buildings=back.buildings, others=back.others, terrain=back.terrain_mesh
        )
        assert again.read_bytes() == path.read_bytes()
        check_rules(path)
    assert back.failures == ()
    assert len(back.buildings) == len(buildings) and len(back.others) == len(others)
    for mine, yours in zip(buildings, back.buildings, strict=True):
        same_building(mine, yours)
    for thing, other in zip(others, back.others, strict=True):
        assert (thing.id, thing.type, dict(thing.attributes)) == (
            other.id,
            other.type,
            dict(other.attributes),
        )
        same_geometry(thing.geometries[0], other.geometries[0])
    assert (back.terrain_mesh is None) == (tin is None)
    if back.terrain_mesh is not None and tin is not None:
        assert (
            np.abs(back.terrain_mesh.vertices[back.terrain_mesh.faces] - tin.vertices[tin.faces]).max() < 1e-9
        )


# The rules of CityJSON 2.0, by hand, for want of the official validator

FIRST_LEVEL = TYPES - {t for t in TYPES if re.match(r"(Building|Bridge|Tunnel).+", t)}
DEPTHS = {"MultiSurface": 3, "CompositeSurface": 3, "Solid": 4, "MultiSolid": 5, "CompositeSolid": 5}
LOD = re.compile(r"^\d(\.\d)?$")


def depth(value: Any) -> int:
    return 1 + max((depth(v) for v in value), default=0) if isinstance(value, list) else 0


def check_rules(path: Path) -> None:
    """What the schemas of version 2.0 ask of headers, features, objects and geometries."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    header, features = lines[0], lines[1:]
    assert header["type"] == "CityJSON" and header["version"] == "2.0"
    keys = {"type", "version", "transform", "metadata", "CityObjects", "vertices"}
    templates = header.get("geometry-templates", {"templates": [], "vertices-templates": []})
    assert set(header) - {"geometry-templates"} == keys
    assert set(templates) == {"templates", "vertices-templates"}
    for shape in templates["templates"]:
        check_geometry(shape, len(templates["vertices-templates"]))
    assert set(header["transform"]) == {"scale", "translate"}
    assert set(header["metadata"]) <= {"geographicalExtent", "referenceSystem", "title"}
    assert re.fullmatch(
        r"https://www\.opengis\.net/def/crs/EPSG/0/\d+", header["metadata"]["referenceSystem"]
    )
    for feature in features:
        assert set(feature) == {"type", "id", "CityObjects", "vertices"}
        assert feature["type"] == "CityJSONFeature" and feature["id"] in feature["CityObjects"]
    for part in features or [header]:
        assert all(len(v) == 3 and all(type(c) is int for c in v) for v in part["vertices"])
        for key, item in part["CityObjects"].items():
            check_object(key, item, part["CityObjects"], len(part["vertices"]))
            for geometry in item.get("geometry", []):
                if geometry["type"] == "GeometryInstance":
                    assert set(geometry) == {"type", "template", "transformationMatrix", "boundaries"}
                    assert 0 <= geometry["template"] < len(templates["templates"])


def check_object(key: str, item: dict[str, Any], objects: dict[str, Any], count: int) -> None:
    assert item["type"] in TYPES
    assert ("parents" in item) == (item["type"] not in FIRST_LEVEL)
    assert all(key in objects[parent]["children"] for parent in item.get("parents", []))
    assert all(key in objects[child]["parents"] for child in item.get("children", []))
    assert isinstance(item.get("attributes", {}), dict)
    for geometry in item.get("geometry", []):
        assert item["type"] != "TINRelief" or geometry["type"] == "CompositeSurface"
        if geometry["type"] != "GeometryInstance":
            check_geometry(geometry, count)
            continue
        (anchor,) = geometry["boundaries"]
        assert 0 <= anchor < count and len(geometry["transformationMatrix"]) == 16


def check_geometry(geometry: dict[str, Any], count: int) -> None:
    assert set(geometry) <= {"type", "lod", "boundaries", "semantics"}
    assert LOD.match(geometry["lod"])
    levels = DEPTHS[geometry["type"]]
    assert depth(geometry["boundaries"]) == levels
    rings: Any = geometry["boundaries"]
    for _ in range(levels - 2):
        rings = [inner for outer in rings for inner in outer]
    assert all(len(ring) >= 3 and len(set(ring)) == len(ring) for ring in rings)
    assert all(0 <= i < count for ring in rings for i in ring)
    if "semantics" in geometry:
        check_semantics(geometry, levels)


def check_semantics(geometry: dict[str, Any], levels: int) -> None:
    names = [one["type"] for one in geometry["semantics"]["surfaces"]]
    entries = [json.dumps(one, sort_keys=True) for one in geometry["semantics"]["surfaces"]]
    assert set(names) <= set(CITYJSON_NAMES.values()) and len(set(entries)) == len(entries)
    values, surfaces = geometry["semantics"]["values"], geometry["boundaries"]
    for _ in range(levels - 3):
        assert [len(v) for v in values] == [len(s) for s in surfaces]
        values, surfaces = (
            [one for outer in values for one in outer],
            [one for outer in surfaces for one in outer],
        )
    assert len(values) == len(surfaces)
    assert all(v is None or 0 <= v < len(names) for v in values)


@pytest.mark.parametrize("suffix", [".city.json", ".city.jsonl"])
def test_another_program_reads_the_files(tmp_path: Path, suffix: str) -> None:
    """cjio, run as a program: validates where its validator is installed, and counts the objects."""
    whole = scene(others=(road(), road("+x", "+Odd")))
    path = tmp_path / f"a{suffix}"
    write_city(
        path,
        frame=FRAME,
        buildings=[*whole.buildings, *whole.proposed],
        terrain=whole.terrain.tin,
        trees=whole.trees,
        others=whole.others,
    )
    check_rules(path)
    program = [sys.executable, "-c", "import sys; from cjio.cjio import cli; sys.argv[0] = 'cjio'; cli()"]
    validate = ["validate"] if importlib.util.find_spec("cjvalpy") else []
    source = "stdin" if suffix.endswith("l") else str(path)
    done = subprocess.run(
        [*program, source, *validate, "info", "save", str(tmp_path / "saved.json")],
        input=path.read_bytes() if source == "stdin" else None,
        capture_output=True,
        check=False,
        timeout=60,
    )
    text = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert done.returncode == 0, text
    assert "invalid" not in text.lower()
    saved = json.loads((tmp_path / "saved.json").read_text(encoding="utf-8"))
    assert set(saved["CityObjects"]) == {"terrain", "b-1", "p-1", "r-1", "+x", "t-1"}
    kinds = {key: item["type"] for key, item in saved["CityObjects"].items()}
    assert kinds["terrain"] == "TINRelief" and kinds["b-1"] == "Building"
    assert_same_tree(tmp_path / "saved.json", whole.trees[0])


def assert_same_tree(path: Path, tree: Tree) -> None:
    """The shape that a reader makes from the templates is the tree's own, to the file's grid."""
    model = json.loads(path.read_text(encoding="utf-8"))
    for item in model["CityObjects"].values():
        item["attributes"] = {}  # Ours would be known by its measures, without its shape.
    plain = path.with_name("plain.json")
    plain.write_text(json.dumps(model), encoding="utf-8")
    (found,) = (o for o in read_city(plain, FRAME).others if o.id == tree.id)
    mine, theirs = tree_mesh(tree), triangulate(found.geometries[0], FRAME)
    assert len(theirs.faces) == len(mine.faces) and len(found.geometries) == 1
    corners = mine.vertices[mine.faces], theirs.vertices[theirs.faces]
    assert np.abs(corners[0] - corners[1]).max() < CITYJSON_STEP_M
    assert theirs.signed_volume() == pytest.approx(mine.signed_volume(), rel=1e-4)


def test_a_thousand_trees_share_two_shapes(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    trees = [
        Tree(f"t-{k}", FRAME, *rng.uniform(-400, 400, 2).round(3), 60.0, 9.0 + k % 7, 2.5, 3.0)
        for k in range(1000)
    ]
    path = tmp_path / "a.city.jsonl"
    write_city(path, frame=FRAME, buildings=[], trees=trees)
    check_rules(path)
    header = json.loads(path.read_text(encoding="utf-8").partition("\n")[0])
    assert len(header["geometry-templates"]["templates"]) == 2
    assert path.stat().st_size < 700 * len(trees)
    low, high = np.reshape(header["metadata"]["geographicalExtent"], (2, 3)) - [*FRAME.origin, 0.0]
    everything = np.concatenate([tree_mesh(tree).vertices for tree in trees])
    assert np.abs(everything.min(axis=0) - low).max() < CITYJSON_STEP_M
    assert np.abs(everything.max(axis=0) - high).max() < CITYJSON_STEP_M
    back = read_city(path, FRAME).trees
    assert [(t.id, t.height, t.crown_radius) for t in back] == [
        (t.id, t.height, t.crown_radius) for t in trees
    ]
    assert np.array([[t.x, t.y] for t in back]) == pytest.approx(np.array([[t.x, t.y] for t in trees]))


def test_triangles_of_what_was_read_enclose_what_was_written(tmp_path: Path) -> None:
    """Volumes, not only corners: no ring was turned."""
    rng = np.random.default_rng(8)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 6))
    ring = np.column_stack([np.cos(angles), np.sin(angles)]) * 12 + [300.5, -200.25]
    points = np.vstack([np.column_stack([ring, np.full(6, z)]) for z in (61.0, 75.5)])
    walls = [((i, (i + 1) % 6, 6 + (i + 1) % 6, 6 + i),) for i in range(6)]
    surfaces = ((tuple(reversed(range(6))),), (tuple(range(6, 12)),), *walls)
    shape = Geometry("Solid", "1.2", points, surfaces, np.zeros(8, np.uint8), np.zeros((8, 2), np.int32))
    x, y = ring.T
    area = 0.5 * float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))
    write_city(tmp_path / "a.json", frame=FRAME, buildings=[Building("b", FRAME, (shape,))])
    back = read_city(tmp_path / "a.json", FRAME).buildings[0].geometries[0]
    assert triangulate(back, FRAME).signed_volume() == pytest.approx(area * 14.5, rel=1e-5)
