"""Every CityJSON file of the real data: read with nothing lost, or refused in one line; round trips."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial import cKDTree

from tests.tolerances import FORMAT_PLACE_M
from twin.errors import InputError
from twin.io.cityjson import CityModel, read_city, read_citymodel
from twin.io.cityjson_write import write_city
from twin.model.geometry import Geometry
from twin.model.objects import Building
from twin.model.triangulate import triangulate

SUFFIXES = (".json", ".jsonl")
BESIDE = {"case.json", "invariants.json", "profile.json"}
"""Descriptions that lie beside the files of the conformance corpus."""


def files_of(folder: Path) -> list[Path]:
    found = [
        p for p in sorted((folder / "cityjson").rglob("*")) if p.suffix in SUFFIXES and p.name not in BESIDE
    ]
    return [*found, folder / "lidar" / "3dfier_delft" / "output" / "testarea.json"]


def objects_of(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """(id, object) of a file, as the standard JSON library reads it."""
    text = path.read_text(encoding="utf-8")
    try:
        parts = [json.loads(text)]
    except json.JSONDecodeError:
        parts = [json.loads(line) for line in text.split("\n") if line.strip()]
    return [(key, item) for part in parts for key, item in part.get("CityObjects", {}).items()]


def within(buildings: tuple[Building, ...]) -> Iterator[Building]:
    for building in buildings:
        yield building
        yield from within(building.parts)


def geometries(model: CityModel) -> Iterator[Geometry]:
    for building in within(model.buildings):
        yield from building.geometries
    for thing in model.others:
        yield from thing.geometries


def test_every_file_is_read_without_loss_or_refused_in_one_line(test_data: Path) -> None:
    read, refused, objects = 0, Counter[str](), 0
    for path in files_of(test_data):
        try:
            model = read_citymodel(path, crs_text="EPSG:28992", heights="EPSG:5709")
        except InputError as error:
            text = str(error)
            assert text.startswith(f"{path}: ") and "\n" not in text, text
            refused[text.removeprefix(f"{path}: ").split(" (")[0].split(";")[0][:60]] += 1
            continue
        read += 1
        stored = objects_of(path)
        objects += len(stored)
        kept = Counter(b.id for b in within(model.buildings))
        kept += Counter(o.id for o in model.others) + Counter(t.id for t in model.trees)
        listed = Counter(f.object_id for f in model.failures)
        ground = {key for key, item in stored if item["type"] == "TINRelief"}
        for key, _ in stored:
            assert kept[key] or listed[key] or (key in ground and model.terrain_mesh is not None), (path, key)
        assert sum(model.counts.values()) == len(stored), path
        assert sum(kept.values()) + len(ground) == len(stored), path
        assert not [f for f in model.failures if f.reason == "internal_error"], path
    print(f"{read} files with {objects} objects read; refused: {dict(refused)}")
    assert read >= 45 and objects > 7000


def surfaces_in(item: dict[str, Any]) -> int:
    levels = {"MultiSurface": 0, "CompositeSurface": 0, "Solid": 1, "MultiSolid": 2, "CompositeSolid": 2}
    count = 0
    for geometry in item.get("geometry", []):
        rows = geometry["boundaries"]
        for _ in range(levels.get(geometry["type"], 0)):
            rows = [inner for outer in rows for inner in outer]
        count += len(rows) if geometry["type"] in levels else 0
    return count


ROUND_TRIPS = (
    ("history/DenHaag_01_cjio.json", ".city.jsonl"),
    ("cjio_tests/delft.json", ".city.json"),
    ("cjdb_tests/cjfiles/tile_901_trimmed.jsonl", ".city.jsonl"),
    ("val3dity/rotterdam/3-20-DELFSHAVEN.city.json", ".city.json"),
)


@pytest.mark.parametrize(("name", "suffix"), ROUND_TRIPS)
def test_a_round_trip_keeps_places_surfaces_and_volumes(
    test_data: Path, tmp_path: Path, name: str, suffix: str
) -> None:
    source = test_data / "cityjson" / name
    first = read_citymodel(source)
    path = tmp_path / f"a{suffix}"
    write_city(
        path,
        frame=first.frame,
        buildings=first.buildings,
        terrain=first.terrain_mesh,
        trees=first.trees,
        others=first.others,
    )
    back = read_city(path, first.frame)
    assert [b.id for b in within(back.buildings)] == [b.id for b in within(first.buildings)]
    assert [(o.id, o.type) for o in back.others] == [(o.id, o.type) for o in first.others]
    worst, turned = 0.0, 0
    pairs = list(zip(geometries(first), geometries(back), strict=True))
    for a, b in pairs:
        assert (a.kind, a.lod) == (b.kind, b.lod)
        assert abs(len(a.surfaces) - len(b.surfaces)) <= 0.02 * len(a.surfaces)
        used = np.unique([i for rings in a.surfaces for ring in rings for i in ring])
        far, _ = cKDTree(b.vertices).query(a.vertices[used])
        worst = max(worst, float(far.max()))
        if a.is_solid:
            before = triangulate(a, first.frame).signed_volume()
            after = triangulate(b, first.frame).signed_volume()
            turned += abs(after - before) > 0.001 * max(1.0, abs(before)) + 0.05
    print(
        f"{name} as {suffix}: {len(pairs)} geometries, worst vertex {1000 * worst:.3f} mm, {turned} volumes off"
    )
    assert worst < FORMAT_PLACE_M
    assert turned == 0
    if first.terrain_mesh is not None and back.terrain_mesh is not None:
        far, _ = cKDTree(back.terrain_mesh.vertices).query(first.terrain_mesh.vertices)
        assert far.max() < FORMAT_PLACE_M
        assert len(back.terrain_mesh.faces) >= 0.999 * len(first.terrain_mesh.faces)


def test_attributes_and_semantics_of_a_national_model_are_kept(test_data: Path) -> None:
    """A tile of a national model: attributes as in the file, every surface with its type."""
    path = test_data / "cityjson" / "cjdb_tests" / "cjfiles" / "tile_901_trimmed.jsonl"
    stored, model = dict(objects_of(path)), read_citymodel(path)
    assert (model.frame.epsg, model.frame.vertical) == (28992, "EPSG:5709")
    assert len(model.buildings) == 52
    for building in within(model.buildings):
        item = stored[building.id]
        assert dict(building.attributes) == item.get("attributes", {})
        assert len(building.geometries) == len({str(g["lod"]) for g in item["geometry"]})
        assert sum(len(g.surfaces) for g in building.geometries) == surfaces_in(item)
        for geometry in building.geometries:
            if geometry.is_solid:
                assert set(geometry.semantics.tolist()) == {1, 2, 3}, building.id


def test_solids_of_a_national_model_turn_outward_and_stand_in_delft(test_data: Path) -> None:
    model = read_citymodel(test_data / "cityjson" / "cjdb_tests" / "cjfiles" / "tile_901_trimmed.jsonl")
    volumes = [
        triangulate(g, model.frame).signed_volume()
        for b in within(model.buildings)
        for g in b.geometries
        if g.is_solid
    ]
    assert len(volumes) == 156 and min(volumes) > 1.0
