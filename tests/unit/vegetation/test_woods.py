"""Woods: where crowns close, on the terrain, beside the trees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely

from tests.study_worlds import scene_of, terrain_of
from tests.tolerances import CITYJSON_STEP_M
from twin.io.cityjson import read_city
from twin.io.cityjson_write import write_city
from twin.model.objects import Tree
from twin.model.surface import Surface
from twin.model.triangulate import triangulate
from twin.study.occluders import face_table
from twin.terrain.sampler import TinSampler
from twin.validation.validate import validate_geometry
from twin.vegetation.woods import LIFT_M, find_woods, wood_outlines


def slope(x, y):
    return 60.0 + 0.2 * x + 2.0 * np.sin(y / 15.0)


TERRAIN = terrain_of(slope, 100.0, 40)


def tree(x, y, name=""):
    ground = float(slope(np.array(x), np.array(y)))
    return Tree(
        name or f"t-{round(10 * x + 5000)}-{round(10 * y + 5000)}",
        TERRAIN.dtm.grid.frame,
        x,
        y,
        ground,
        15.0,
        3.0,
        5.0,
    )


def planted(columns, rows, step=7.0, start=(-40.0, -40.0)):
    return [tree(start[0] + step * c, start[1] + step * r) for c in range(columns) for r in range(rows)]


def test_a_closed_square_is_a_wood_draped_on_the_ground():
    trees = planted(9, 8)
    (wood,) = find_woods(trees, TERRAIN.tin)
    (outline,) = wood_outlines(trees)
    assert wood.type == "PlantCover" and wood.id == min(t.id for t in trees).replace("t-", "w-")
    assert wood.attributes["tree_count"] == 72 and wood.attributes["averageHeight"] == 15.0
    # Stems span 56 m x 49 m, crowns stand out by 3 m, and the edge dips between them.
    assert 56 * 49 < outline.area < 62 * 55
    assert shapely.contains_xy(outline, [t.x for t in trees], [t.y for t in trees]).all()
    shape = wood.geometries[0]
    assert validate_geometry(shape) == ()
    mesh = triangulate(shape, wood.frame)
    flat = mesh.vertices[mesh.faces][:, :, :2]
    assert shapely.area(shapely.polygons(flat)).sum() == pytest.approx(outline.area, rel=0.002)
    assert (mesh.face_normals()[:, 2] > 0).all()
    above = mesh.vertices[:, 2] - TinSampler(TERRAIN.tin).heights(mesh.vertices[:, :2])
    assert np.abs(above - LIFT_M).max() < 0.02


def test_rows_few_trees_and_open_land_are_none():
    assert find_woods(planted(25, 3), TERRAIN.tin) == ()
    assert find_woods(planted(2, 2), TERRAIN.tin) == ()
    assert find_woods(planted(8, 8, step=14.0, start=(-55.0, -55.0)), TERRAIN.tin) == ()
    assert find_woods([], TERRAIN.tin) == ()


def test_a_large_clearing_stays_open_a_small_one_does_not():
    whole = planted(11, 11)
    (x, y) = (-5.0, -5.0)
    pierced = [t for t in whole if np.hypot(t.x - x, t.y - y) > 18.0]
    assert len(wood_outlines(pierced)[0].interiors) == 1
    assert len(wood_outlines([t for t in whole if np.hypot(t.x - x, t.y - y) > 4.0])[0].interiors) == 0


def test_studies_count_no_tree_twice_and_pictures_show_the_wood():
    trees = planted(9, 8)
    scene = scene_of(TERRAIN, (), trees=tuple(trees))
    wooded = replace(scene, others=find_woods(trees, TERRAIN.tin))
    plain, with_wood = (face_table(s, coverings=False) for s in (scene, wooded))
    assert len(plain.faces) == len(with_wood.faces)
    assert len(face_table(wooded).faces) > len(plain.faces)
    shown = face_table(wooded).in_layers("other")
    assert (face_table(wooded).semantics[shown] == Surface.PLANT_COVER).all()


def test_woods_read_back(tmp_path):
    woods = find_woods(planted(9, 8), TERRAIN.tin)
    frame = TERRAIN.dtm.grid.frame
    write_city(tmp_path / "a.city.jsonl", frame=frame, buildings=[], others=woods)
    (back,) = read_city(tmp_path / "a.city.jsonl", frame).others
    assert (back.id, back.type, dict(back.attributes)) == (
        woods[0].id,
        "PlantCover",
        dict(woods[0].attributes),
    )
    mine, theirs = (triangulate(w.geometries[0], frame) for w in (woods[0], back))
    corners = mine.vertices[mine.faces], theirs.vertices[theirs.faces]
    assert np.abs(corners[0] - corners[1]).max() < CITYJSON_STEP_M
    assert validate_geometry(back.geometries[0]) == ()
