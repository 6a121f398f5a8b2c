"""Water has its own colour on the ground of windows and plates, and is one surface in pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import shapely

from tests.study_worlds import flat, scene_of
from twin.model.geometry import Geometry
from twin.model.objects import CityObject
from twin.model.surface import Surface
from twin.study.occluders import face_table
from twin.study.shade import linear
from twin.terrain.water import marked
from twin.visibility.caster import choose_device
from viewers.drawables import LitScene
from viewers.palette import SURFACES


def test_ground_is_water_where_the_triangles_are():
    scene = scene_of(flat(100.0))
    pond = shapely.box(-200, -200, 0, 200)
    tin = marked(scene.terrain.tin, [pond])
    wet = np.flatnonzero(tin.semantics == Surface.WATER)
    assert 0 < len(wet) < len(tin.faces)
    scene = replace(scene, terrain=replace(scene.terrain, tin=tin))
    lit = LitScene(scene, scene.terrain.dtm.grid.region, choose_device("cpu"))
    x = lit.grid.centres()[:, 0]
    colours = lit._ground_albedo
    assert np.allclose(colours[x < -60], linear(SURFACES[Surface.WATER]), atol=1e-6)
    assert np.allclose(colours[x > 60], linear(SURFACES[Surface.TERRAIN]), atol=1e-6)
    lit.close()


def test_water_in_the_terrain_is_drawn_once_and_other_water_too():
    scene = scene_of(flat(100.0))
    tin = marked(scene.terrain.tin, [shapely.box(-200, -200, 0, 200)])
    wet = tin.faces[tin.semantics == Surface.WATER]
    used, number = np.unique(wet, return_inverse=True)
    faces = tuple((tuple(int(k) for k in row),) for row in number.reshape(-1, 3))
    codes, shells = np.full(len(faces), Surface.WATER, np.uint8), np.zeros((len(faces), 2), np.int32)

    def body(lift: float) -> CityObject:
        shape = Geometry("CompositeSurface", "1", tin.vertices[used] + [0, 0, lift], faces, codes, shells)
        return CityObject(f"w{lift}", "WaterBody", scene.frame, (shape,))

    scene = replace(scene, terrain=replace(scene.terrain, tin=tin), others=(body(0.0), body(0.2)))
    assert face_table(scene).ids == ("terrain", "w0.2")
