"""Imported models at their anchors."""

from __future__ import annotations

import numpy as np
import pytest

from tests.building_worlds import FRAME
from twin.errors import InputError
from twin.massing.place import mesh_building, place_mesh
from twin.model.proposal import PlacedModel
from twin.model.surface import Surface
from twin.validation.validate import validate_geometry

EAST, NORTH = 732480.0, 643900.0
BOX = np.array([[x, y, z] for z in (0, 9) for y in (0, 4) for x in (0, 6)], dtype=float)
FACES = np.array(
    [
        [0, 2, 1], [1, 2, 3], [4, 5, 6], [5, 7, 6], [0, 1, 4], [1, 5, 4],
        [2, 6, 3], [3, 6, 7], [0, 4, 2], [2, 4, 6], [1, 3, 5], [3, 7, 5],
    ]
)  # fmt: skip


def placed(vertices=BOX, faces=FACES, **changes):
    how = {
        "anchor_model": (0.0, 0.0, 0.0),
        "anchor_world": (EAST, NORTH, 66.0),
        "frame": FRAME,
        "rotation_grid_deg": 0.0,
    }
    return place_mesh(vertices, faces, **{**how, **changes})


def test_the_anchor_meets_its_point():
    mesh = placed(anchor_model=(6.0, 4.0, 9.0), rotation_grid_deg=33.0, scale=0.5)
    world = FRAME.to_world(mesh.vertices)
    assert world[7] == pytest.approx([EAST, NORTH, 66.0])


@pytest.mark.parametrize(
    ("azimuth", "east", "north"), [(0, 0, 1), (90, 1, 0), (180, 0, -1), (-90, -1, 0), (450, 1, 0)]
)
def test_rotation_is_clockwise_from_grid_north(azimuth, east, north):
    """The model's y axis points along the azimuth, its x axis a quarter turn clockwise of it."""
    mesh = placed(np.array([[0, 0, 0], [0, 1, 0], [1, 0, 0.0]]), [[0, 2, 1]], rotation_grid_deg=azimuth)
    at, along_y, along_x = FRAME.to_world(mesh.vertices)[:, :2]
    assert along_y - at == pytest.approx([east, north], abs=1e-9)
    assert along_x - at == pytest.approx([north, -east], abs=1e-9)


def test_a_box_is_a_solid_with_semantics():
    made = mesh_building(PlacedModel("m", placed(rotation_grid_deg=12.0, scale=2.0), "m.glb"), "tower")
    geometry, a = made.geometries[0], made.attributes
    assert (made.id, geometry.kind, a["status"], a["source"]) == ("tower/m", "Solid", "proposed", "m.glb")
    assert a["volume_m3"] == pytest.approx(8 * 6 * 4 * 9) and a["footprint_area_m2"] == pytest.approx(4 * 24)
    assert a["h_base"] == pytest.approx(66.0) and a["height_m"] == pytest.approx(18.0)
    counts = [int((geometry.semantics == s).sum()) for s in (Surface.GROUND, Surface.ROOF, Surface.WALL)]
    assert counts == [2, 2, 8]


def test_repeated_vertices_and_inward_faces_are_mended():
    loose = BOX[FACES].reshape(-1, 3)
    mesh = placed(loose, np.arange(36).reshape(-1, 3)[:, ::-1], rotation_grid_deg=77.0)
    made = mesh_building(PlacedModel("m", mesh, "m.obj"), "tower")
    assert made.geometries[0].kind == "Solid" and validate_geometry(made.geometries[0]) == ()
    assert (made.geometries[0].semantics == Surface.ROOF).sum() == 2


def test_two_bodies_are_a_multisolid_each_facing_out():
    vertices = np.vstack([BOX, BOX + np.array([20, 0, 0])])
    mesh = placed(vertices, np.vstack([FACES, FACES[:, ::-1] + 8]))
    made = mesh_building(PlacedModel("m", mesh, "m.glb"), "tower")
    assert made.geometries[0].kind == "MultiSolid"
    assert made.attributes["volume_m3"] == pytest.approx(2 * 216)


def test_an_open_model_stays_surfaces():
    made = mesh_building(PlacedModel("m", placed(faces=FACES[2:]), "m.glb"), "tower")
    assert made.geometries[0].kind == "MultiSurface" and "volume_m3" not in made.attributes
    assert made.attributes["footprint_area_m2"] == pytest.approx(24.0)


def test_models_that_cannot_be_placed():
    with pytest.raises(InputError, match="no faces"):
        placed(faces=np.empty((0, 3), int))
    with pytest.raises(InputError, match="finite"):
        placed(anchor_world=(EAST, float("nan"), 0.0))
    with pytest.raises(InputError, match="scale"):
        placed(scale=0.0)
    with pytest.raises(InputError, match="'tower', model 'm'"):
        mesh_building(PlacedModel("m", placed(BOX * [1, 0, 0]), "m.glb"), "tower")
