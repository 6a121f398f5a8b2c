"""Receptors and the face table: which cells have a point, and at what height."""

from __future__ import annotations

import numpy as np
import pytest

from tests.study_worlds import FRAME, box, flat, local_grid, scene_of, terrain_of
from twin.buildings.outline import building_footprint
from twin.errors import FrameMismatchError, InputError
from twin.frame import Frame
from twin.model.geometry import solid
from twin.model.objects import Building, Tree
from twin.model.raster import Grid
from twin.model.surface import Surface
from twin.study.occluders import face_table, scene_occluders
from twin.study.receptors import SURFACE_LIFT_M, ground_receptors


def test_face_table_follows_the_walk() -> None:
    tree = Tree("t", FRAME, 20.0, 0.0, 0.0, 8.0, 2.0, 2.0)
    scene = scene_of(flat(50.0), (box("b", (0, 0), (4, 4, 4)),), (box("p/a", (9, 0), (4, 4, 4)),), (tree,))
    triangles, table = scene_occluders(scene)
    assert table.ids == ("terrain", "b", "p/a", "t")
    assert table.layers == ("terrain", "buildings", "proposals", "trees")
    assert table.statuses == ("existing", "existing", "proposed", "existing")
    assert len(triangles.faces) == len(table.objects) == len(table.semantics)
    assert np.bincount(table.objects)[1] == 12
    assert (table.semantics[table.in_layers("trees")] == Surface.VEGETATION).all()
    assert "t" not in face_table(scene, trees=False).ids


def test_points_stand_on_the_ground_outside_of_buildings() -> None:
    scene = scene_of(
        terrain_of(lambda x, y: 0.1 * x - 0.05 * y + 70, 50.0, 20),
        (box("b", (10, 5), (8, 6, 12), base_m=60.0),),
        (box("p/a", (-20, -15), (10, 10, 12), base_m=60.0),),
    )
    grid = Grid(FRAME, -30.0, 30.0, 1.0, 60, 60)
    receptors = ground_receptors(face_table(scene), grid, 1.5)
    assert len(receptors) == 60 * 60 - 8 * 6 - 10 * 10
    x, y, z = receptors.xyz.T
    np.testing.assert_allclose(z, 0.1 * x - 0.05 * y + 71.5, atol=1e-9)
    rows, cols = grid.rows_cols(x, y)
    np.testing.assert_array_equal(rows * 60 + cols, receptors.index)
    values = receptors.raster(np.ones(len(receptors), dtype=bool)).values
    assert np.isnan(values[24:26, 39:41]).all()
    assert values[0, 0] == 1.0


def test_points_on_the_ground_are_kept_off_it() -> None:
    receptors = ground_receptors(face_table(scene_of(flat(50.0))), local_grid(10.0, 1.0))
    assert receptors.xyz[:, 2] == pytest.approx(SURFACE_LIFT_M)


def test_outside_terrain_and_mask_there_is_no_point() -> None:
    grid = local_grid(20.0, 1.0)
    table = face_table(scene_of(flat(10.0)))
    assert len(ground_receptors(table, grid)) == 400
    mask = np.zeros(grid.shape, dtype=bool)
    mask[15:17, 15] = True
    mask[0, 0] = True
    assert len(ground_receptors(table, grid, 0.0, mask)) == 2
    with pytest.raises(InputError, match="mask"):
        ground_receptors(table, grid, 0.0, mask[1:])
    with pytest.raises(InputError, match="sample height"):
        ground_receptors(table, grid, -1.0)


def test_passage_under_a_building_is_open_ground() -> None:
    scene = scene_of(flat(50.0), (box("bridge house", (0, 0), (10, 10, 5), base_m=4.0),))
    assert len(ground_receptors(face_table(scene), local_grid(20.0, 1.0))) == 1600
    low = scene_of(flat(50.0), (box("slab", (0, 0), (10, 10, 5), base_m=1.0),))
    assert len(ground_receptors(face_table(low), local_grid(20.0, 1.0))) == 1500


def test_bare_roof_is_taken_as_massive() -> None:
    ring = np.array([[-5, -5, 6], [5, -5, 6], [5, 5, 6], [-5, 5, 6]], dtype=float)
    roof = solid("1.2", ring, [((0, 1, 2, 3),)], [Surface.ROOF])
    scene = scene_of(flat(50.0), (Building("roof", FRAME, (roof,)),))
    assert len(ground_receptors(face_table(scene), local_grid(20.0, 1.0))) == 1500


def test_grid_of_another_frame_is_refused() -> None:
    moved = Frame(FRAME.crs, FRAME.vertical, (FRAME.origin[0] + 100, FRAME.origin[1]))
    with pytest.raises(FrameMismatchError):
        ground_receptors(face_table(scene_of(flat(50.0))), Grid(moved, 0.0, 0.0, 1.0, 2, 2))


def test_outline_of_a_building_and_its_parts() -> None:
    building = box("b", (3, 4), (10, 6, 5), 30.0)
    outline = building_footprint(building)
    assert outline is not None
    assert outline.area == pytest.approx(60.0, rel=1e-3)
    assert outline.centroid.coords[0] == pytest.approx((3, 4), abs=0.01)
    far = Building("two", FRAME, building.geometries, parts=(box("part", (40, 0), (4, 4, 4)),))
    assert building_footprint(far).area == pytest.approx(76.0, rel=1e-3)
    assert building_footprint(Building("none", FRAME)) is None
