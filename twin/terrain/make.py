"""The terrain of a site, from a height raster or from triangles that a city model brought."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import shapely

from twin.errors import InputError
from twin.model.arrays import readonly
from twin.model.mesh import TriangleMesh
from twin.model.raster import Grid, Raster
from twin.model.surface import Surface
from twin.model.terrain import Terrain
from twin.terrain.lines import Shores
from twin.terrain.sampler import rasterise
from twin.terrain.tin import simplify
from twin.terrain.voids import fill_voids
from twin.terrain.water import Waters, marked

MAX_ERROR_M = 0.15
"""Vertical error of the triangles where nobody asks for another [m]; near buildings 0.10 to 0.15 is usual."""


def terrain_from_rasters(
    ground: Raster,
    dsm: Raster | None = None,
    *,
    max_error_m: float = MAX_ERROR_M,
    edges: Iterable[shapely.Geometry] = (),
    waters: Waters | None = None,
) -> Terrain:
    """Terrain from ground heights with voids.

    Parameters
    ----------
    ground
        Height of the ground [m], NaN where unknown.
    dsm
        Height of the surface [m] on the same grid; kept as it came, voids included.
    max_error_m
        Largest vertical distance from a DTM cell to the triangles [m].
    edges
        Outlines and lines, local space, that become edges of the triangles (``twin.terrain.tin.simplify``).
    waters
        The water, on ``ground``'s grid: laid on its levels, its outlines edges, its triangles ``Surface.WATER``.

    Raises
    ------
    InputError
        No ground at all, or an impossible error.
    FrameMismatchError
        Rasters on different grids; ``twin.terrain.sampler.aligned`` brings one onto the other.
    """
    if dsm is not None:
        ground.require_same_grid(dsm)
    if waters is None:
        dtm, filled = fill_voids(ground)
        tin, measured = simplify(dtm, max_error_m, edges)
        return Terrain(dtm, tin, measured, dsm, filled)
    land = waters.land(ground)
    if np.isfinite(land.values).any():
        dtm, _ = fill_voids(land)
        dtm = waters.flatten(dtm)
    else:
        dtm, _ = fill_voids(waters.flatten(land))
    filled = Raster(ground.grid, readonly(np.isnan(ground.values), np.bool_))
    outlines = tuple(body.outline for body in waters.bodies)
    tin, measured = simplify(dtm, max_error_m, edges, Shores(outlines, waters.levels))
    return Terrain(dtm, marked(tin, outlines), measured, dsm, filled)


def facing_up(mesh: TriangleMesh) -> TriangleMesh:
    """The triangles as terrain: each turned to face up, all ``Surface.TERRAIN``."""
    a, b, c = (mesh.vertices[mesh.faces[:, k], :2] for k in range(3))
    u, v = b - a, c - a
    down = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0] < 0
    faces = mesh.faces.copy()
    faces[down] = faces[down][:, ::-1]
    return TriangleMesh(mesh.frame, mesh.vertices, faces, np.full(len(faces), Surface.TERRAIN, np.uint8))


def terrain_from_tin(mesh: TriangleMesh, cell_size_m: float, dsm: Raster | None = None) -> Terrain:
    """Terrain from triangles, such as a CityJSON ``TINRelief``, which are kept as they are.

    Parameters
    ----------
    mesh
        Ground triangles, local space [m].
    cell_size_m
        Cell of the DTM that is sampled from them [m]; not used where a DSM gives the grid.
    dsm
        Height of the surface [m], on the grid that the DTM shall have.

    Raises
    ------
    InputError
        The mesh has no triangles, or none lies under a cell centre.
    """
    if not len(mesh.faces):
        raise InputError("the terrain has no triangles: the city model's TINRelief is empty")
    tin = facing_up(mesh)
    grid = dsm.grid if dsm is not None else Grid.over(mesh.frame, mesh.region, cell_size_m)
    dtm = Raster(grid, rasterise(tin, grid).values.astype(np.float32))
    if np.isnan(dtm.values).all():
        raise InputError(f"the terrain's triangles reach no cell centre of the grid at {cell_size_m} m")
    # The raster is sampled from these triangles; only float32 rounding lies between them.
    return Terrain(dtm, tin, 0.0, dsm, Raster(grid, np.zeros(grid.shape, np.bool_)))
