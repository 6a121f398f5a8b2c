"""Terrain as triangles within a stated vertical error, with lines that stay edges.

Greedy insertion into a constrained Delaunay triangulation: outlines of buildings and water and break lines first,
then the cells of the DTM that are farthest off, until every cell centre is within the error.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import shapely

from twin.errors import InputError
from twin.model.mesh import TriangleMesh
from twin.model.raster import Grid, Raster
from twin.model.surface import Surface
from twin.terrain.delaunay import STEP_M, Net, add_lines, add_points, empty_net, enlarged, rectangle
from twin.terrain.greedy import Cells, empty_queue, judge_all, larger, refine, steps
from twin.terrain.lines import Lines, Shores, lines_on
from twin.terrain.sampler import largest_error

ROUNDING_M = 1e-6
"""Kept back from the stated error, for centres that do not fall on whole steps and for rounding [m]."""

FIRST_SHARE = 0.02
"""Room for vertices at the start, as a share of the cells; it doubles where that is too little."""


def tin_error(mesh: TriangleMesh, dtm: Raster) -> float:
    """Largest vertical distance from a cell centre to the triangles over or under it [m], measured."""
    dtm.grid.frame.require_same(mesh.frame, "the triangles")
    grid = dtm.grid
    place = (grid.west, grid.north, grid.cell_size)
    return float(largest_error(mesh.vertices, mesh.faces, place, dtm.values))


def simplify(
    dtm: Raster, max_error_m: float, edges: Iterable[shapely.Geometry] = (), shores: Shores | None = None
) -> tuple[TriangleMesh, float]:
    """Triangles through a DTM, off by no more than a stated vertical error at any cell centre.

    Without cracks, facing up, covering the hull of the cell centres. The same whatever the number of threads.

    Parameters
    ----------
    dtm
        Heights [m] without voids, at least 2 x 2 cells.
    max_error_m
        Largest accepted vertical distance from a cell centre to the triangles [m].
    edges
        Lines and polygons, local space, whose lines become edges of the triangles; they get vertices where the
        ground bends under them. What lies outside the hull of the centres is left out.
    shores
        Outlines of water, edges too, on the water's level.

    Returns
    -------
    tuple
        The mesh, all of it ``Surface.TERRAIN``, and the error as measured [m].

    Raises
    ------
    InputError
        The error is not a positive number, the raster is a single row or column, or has voids.
    """
    if not (np.isfinite(max_error_m) and max_error_m > 0):
        raise InputError(f"the terrain's max_error_m must be a positive number of metres; got {max_error_m}")
    grid = dtm.grid
    if min(grid.shape) < 2:
        raise InputError(f"a terrain needs at least 2 x 2 cells; got {grid.rows} x {grid.cols}")
    z = dtm.values
    if z.dtype not in (np.float32, np.float64):
        z = z.astype(np.float64)
    if not np.isfinite(z).all():
        raise InputError("no triangles can be laid over cells without a height: fill the voids first")
    cells = Cells(np.ascontiguousarray(z), steps(grid.x_centres()), steps(grid.y_centres()))
    net = _start(cells, lines_on(dtm, edges, max_error_m / 2, shores))
    limit = max(0.5 * max_error_m, max_error_m - ROUNDING_M)
    queue = empty_queue(len(net.corner))
    judge_all(net, cells, queue, limit)
    while not refine(net, cells, queue, limit):
        room = 2 * len(net.x)
        net, queue = enlarged(net, room), larger(queue, 2 * room)
    measured = float(queue.error[: net.used[1]].max())
    del queue
    return _mesh(grid, net), measured


def _start(cells: Cells, lines: Lines) -> Net:
    """The hull of the centres with the lines in it."""
    room = 64 + len(lines.x) + int(FIRST_SHARE * cells.z.size)
    net = empty_net(room)
    x, y, z = cells.x, cells.y, cells.z
    corners = np.array([z[-1, 0], z[-1, -1], z[0, -1], z[0, 0]], dtype=np.float64)
    rectangle(net, (int(x[0]), int(y[-1]), int(x[-1]), int(y[0])), corners)
    if len(lines.ends):
        number = np.empty(len(lines.x), dtype=np.int64)
        add_points(net, lines.x, lines.y, lines.z, number)
        add_lines(net, number[lines.ends])
    return net


def _mesh(grid: Grid, net: Net) -> TriangleMesh:
    n, m = int(net.used[0]), int(net.used[1])
    vertices = np.column_stack([net.x[:n] * STEP_M, net.y[:n] * STEP_M, net.z[:n]])
    faces = net.corner[:m].astype(np.int32)
    return TriangleMesh(grid.frame, vertices, faces, np.full(m, Surface.TERRAIN, np.uint8))
