"""The walk over a scene: what is drawn, once, at its best."""

from __future__ import annotations

import numpy as np
import pytest

from tests.format_worlds import FRAME, VOLUME_M3, box, building, road, scene
from twin.model.geometry import Geometry
from twin.model.objects import Building, CityObject, Failure
from twin.model.scene import building_meshes, walk
from twin.model.surface import Surface


def test_the_walk_has_a_fixed_order_layers_and_status() -> None:
    found = [(i.id, i.layer, i.type, i.status) for i in walk(scene(others=(road(),)))]
    assert found == [
        ("terrain", "terrain", "TINRelief", "existing"),
        ("b-1", "buildings", "Building", "existing"),
        ("p-1", "proposals", "Building", "proposed"),
        ("r-1", "other", "Road", "existing"),
        ("t-1", "trees", "SolitaryVegetationObject", "existing"),
    ]
    assert [i.id for i in walk(scene(), trees=False)] == ["terrain", "b-1", "p-1"]


def test_a_lod_is_asked_of_existing_buildings_and_proposals_stay() -> None:
    two = Building("b", FRAME, (box(lod="1.2", size=(8, 5, 9)), box(lod="2.2")))
    volumes = {i.id: i.mesh.signed_volume() for i in walk(scene((two,)), lod="1.2")}
    assert volumes["b"] == pytest.approx(360) and volumes["p-1"] == pytest.approx(VOLUME_M3)
    assert {i.id: i.mesh.signed_volume() for i in walk(scene((two,)))}["b"] == pytest.approx(VOLUME_M3)
    assert "b" not in {i.id for i in walk(scene((two,)), lod="3")}


def test_a_building_without_geometry_is_not_drawn() -> None:
    empty = Building("e", FRAME, failure=Failure("e", "no_points", "none"))
    assert [i.id for i in walk(scene((empty, building())))] == ["terrain", "b-1", "p-1", "t-1"]


def test_of_several_lods_of_an_object_only_the_best_is_drawn() -> None:
    fine = road().geometries[0]
    coarse = Geometry("MultiSurface", "0", fine.vertices, (((0, 1, 2, 3),),), np.zeros(1), np.zeros((1, 2)))
    thing = CityObject("r", "Road", FRAME, (fine, coarse))
    drawn = [i for i in walk(scene(others=(thing,))) if i.id == "r"]
    assert [len(i.mesh.faces) for i in drawn] == [8]


def test_a_building_is_drawn_by_its_parts_not_by_its_outline() -> None:
    """As in national models: the outline (LoD 0) stands with the building, the solids with its parts."""
    part = Building("p", FRAME, (box(lod="2.2"), box(lod="1.2", size=(8.0, 5.0, 9.0))))
    flat = road().geometries[0]
    outline = Geometry("MultiSurface", "0", flat.vertices, flat.surfaces, flat.semantics, flat.shells)
    house = Building("b", FRAME, (outline,), {}, (part,))
    (mesh,) = building_meshes(house)
    assert mesh.signed_volume() == pytest.approx(VOLUME_M3, rel=1e-9)
    (lower,) = building_meshes(house, "1.2")
    assert lower.signed_volume() == pytest.approx(8 * 5 * 9, rel=1e-9)
    (alone,) = building_meshes(Building("b", FRAME, (outline,)))
    assert len(alone.faces) == 8


def test_faces_without_a_type_are_named_by_their_object() -> None:
    plain = road().geometries[0]
    bare = Geometry(plain.kind, "1", plain.vertices, plain.surfaces, np.zeros(1), plain.shells)
    kinds = {"WaterBody": Surface.WATER, "Bridge": Surface.BRIDGE, "OtherConstruction": Surface.UNKNOWN}
    others = tuple(CityObject(kind, kind, FRAME, (bare,)) for kind in kinds)
    codes = {i.id: set(i.mesh.semantics.tolist()) for i in walk(scene(others=others)) if i.layer == "other"}
    assert codes == {kind: {int(surface)} for kind, surface in kinds.items()}
    said = CityObject("w", "WaterBody", FRAME, (plain,))
    drawn = next(i for i in walk(scene(others=(said,))) if i.id == "w")
    assert set(drawn.mesh.semantics.tolist()) == {int(Surface.TRAFFIC_AREA)}
