"""Terrain from rasters and from a city model's triangles."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tolerances import SAMPLED_PLANE_M
from twin.errors import FrameMismatchError, InputError
from twin.model.mesh import TriangleMesh
from twin.model.raster import Grid, Raster
from twin.model.surface import Surface
from twin.terrain.make import terrain_from_rasters, terrain_from_tin
from twin.terrain.sampler import TinSampler


def ramp(grid):
    return 55 + 0.2 * grid.x_centres()[None, :] + 0.05 * grid.y_centres()[:, None]


def test_ground_with_voids_becomes_a_terrain_within_the_bound(frame):
    grid = Grid(frame, -12.0, 30.0, 0.5, 80, 100)
    values = ramp(grid).astype(np.float32)
    values[30:50, 20:60] = np.nan
    dsm = Raster(grid, np.full(grid.shape, 90, np.float32))
    terrain = terrain_from_rasters(Raster(grid, values), dsm, max_error_m=0.1)
    assert terrain.tin_max_error <= 0.1
    assert terrain.filled is not None and terrain.filled.values.sum() == 800
    assert terrain.dsm is dsm
    z = TinSampler(terrain.tin).heights(grid.centres()).reshape(grid.shape)
    assert np.abs(z - ramp(grid)).max() <= 0.1 + 1e-4
    with pytest.raises(FrameMismatchError):
        terrain_from_rasters(Raster(grid, values), Raster(Grid(frame, 0, 0, 0.5, 80, 100), values))


def test_triangles_are_kept_and_turned_up(frame):
    vertices = np.array([[0, 0, 50], [20, 3, 54], [17, 22, 51], [-4, 18, 47]], float)
    faces = np.array([[0, 1, 2], [0, 3, 2]])
    mesh = TriangleMesh(frame, vertices, faces, np.zeros(2, np.uint8))
    terrain = terrain_from_tin(mesh, 0.5)
    assert (terrain.tin.face_normals()[:, 2] > 0).all()
    assert (terrain.tin.semantics == Surface.TERRAIN).all()
    assert terrain.tin.vertices.tobytes() == mesh.vertices.tobytes()
    sampled = TinSampler(mesh).heights(terrain.dtm.grid.centres()).reshape(terrain.dtm.grid.shape)
    assert np.nanmax(np.abs(sampled - terrain.dtm.values)) < max(SAMPLED_PLANE_M, 1e-5)
    assert np.isnan(terrain.dtm.values).any()
    with pytest.raises(InputError, match="empty"):
        terrain_from_tin(TriangleMesh(frame, vertices, faces[:0], np.zeros(0, np.uint8)), 0.5)
