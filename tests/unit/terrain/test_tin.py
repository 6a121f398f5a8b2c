"""Greedy insertion with lines: bound, cracks, orientation, cover, edges that stay."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from shapely.affinity import rotate

from tests.building_worlds import CENTRE, FRAME
from tests.tolerances import TIN_PLANE_M
from twin.errors import InputError
from twin.model.mesh import TriangleMesh
from twin.model.raster import Grid, Raster
from twin.model.surface import Surface
from twin.terrain.sampler import rasterise
from twin.terrain.tin import simplify, tin_error


def raster_of(frame, height, rows, cols, cell=0.5, west=-37.25, north=81.5):
    grid = Grid(frame, west, north, cell, rows, cols)
    return Raster(grid, height(grid.x_centres()[None, :], grid.y_centres()[:, None]) + np.zeros((rows, cols)))


def bowl(x, y):
    return 60 + ((x - 3.1) ** 2 + 0.7 * (y - 70.3) ** 2) / 40


def hills(x, y):
    """Skew waves, a cliff and a little noise: no axis is special."""
    rng = np.random.default_rng(7)
    noise = rng.normal(0, 0.04, (y.shape[0], x.shape[1]))
    return 55 + 8 * np.tanh((0.8 * x + 0.6 * y - 45) / 2) + 2 * np.sin(x / 5 + y / 9) + noise


def edges_of(mesh: TriangleMesh):
    """Directed edges, and which of them have no partner the other way."""
    f = mesh.faces.astype(np.int64)
    edges = np.vstack([f[:, [0, 1]], f[:, [1, 2]], f[:, [2, 0]]])
    key = edges[:, 0] * len(mesh.vertices) + edges[:, 1]
    assert len(np.unique(key)) == len(key), "an edge is used twice in one direction"
    return edges, ~np.isin(key, edges[:, 1] * len(mesh.vertices) + edges[:, 0])


def plan_areas(mesh: TriangleMesh):
    a, b, c = (mesh.vertices[mesh.faces[:, k], :2] for k in range(3))
    return np.cross(np.c_[b - a, np.zeros(len(a))], np.c_[c - a, np.zeros(len(a))])[:, 2] / 2


def test_a_plane_needs_hardly_any_triangles_whatever_the_size(frame):
    for rows, cols in ((65, 65), (50, 37), (2, 2), (2, 90), (113, 3)):
        dtm = raster_of(frame, lambda x, y: 40 + 0.21 * x - 0.13 * y, rows, cols)
        mesh, error = simplify(dtm, 0.01)
        assert error < TIN_PLANE_M
        assert plan_areas(mesh).sum() == pytest.approx((rows - 1) * (cols - 1) * 0.25)
        assert len(mesh.faces) <= 6, (rows, cols)
    assert len(simplify(raster_of(frame, lambda x, y: x + y, 65, 65), 0.01)[0].faces) == 2


@pytest.mark.parametrize("height", [bowl, hills])
@pytest.mark.parametrize("shape", [(33, 33), (70, 41), (34, 129), (3, 7)])
@pytest.mark.parametrize("limit", [0.02, 0.15, 1.0])
def test_the_bound_holds_and_is_honest(frame, height, shape, limit):
    dtm = raster_of(frame, height, *shape)
    mesh, error = simplify(dtm, limit)
    burnt = rasterise(mesh, dtm.grid).values
    assert not np.isnan(burnt).any()
    assert error <= limit
    assert np.abs(burnt - dtm.values).max() == pytest.approx(error, abs=TIN_PLANE_M)
    assert tin_error(mesh, dtm) == pytest.approx(error, abs=TIN_PLANE_M)


@pytest.mark.parametrize("shape", [(33, 33), (70, 41), (34, 129)])
def test_no_cracks_faces_up_and_covers_the_hull_of_the_centres(frame, shape):
    dtm = raster_of(frame, hills, *shape)
    mesh, _ = simplify(dtm, 0.1)
    assert (plan_areas(mesh) > 0).all()
    assert (mesh.face_normals()[:, 2] > 0).all()
    assert (mesh.semantics == Surface.TERRAIN).all()
    assert plan_areas(mesh).sum() == pytest.approx((shape[0] - 1) * (shape[1] - 1) * 0.25)
    edges, open_ = edges_of(mesh)
    x, y = dtm.grid.x_centres(), dtm.grid.y_centres()
    ends = mesh.vertices[edges[open_]]
    on_side = [
        (ends[:, :, axis] == side).all(axis=1)
        for axis, side in ((0, x[0]), (0, x[-1]), (1, y[0]), (1, y[-1]))
    ]
    assert np.any(on_side, axis=0).all(), "an open edge inside the terrain"
    assert len(np.unique(mesh.vertices[:, :2], axis=0)) == len(mesh.vertices)


def test_vertices_are_cells_of_the_dtm(frame):
    dtm = raster_of(frame, hills, 65, 33)
    mesh, _ = simplify(dtm, 0.1)
    rows, cols = dtm.grid.rows_cols(mesh.vertices[:, 0], mesh.vertices[:, 1])
    assert np.abs(dtm.values[rows, cols] - mesh.vertices[:, 2]).max() == 0.0
    assert np.abs(dtm.grid.x_centres()[cols] - mesh.vertices[:, 0]).max() < 1e-9


def test_a_tighter_bound_takes_more_triangles_and_curvature_takes_them_where_it_is(frame):
    dtm = raster_of(frame, lambda x, y: np.where(x < -20, 60.0, 60 + np.sin(x) + 0 * y), 65, 65)
    counts = [len(simplify(dtm, limit)[0].faces) for limit in (0.5, 0.1, 0.02)]
    assert counts[0] < counts[1] < counts[2]
    mesh = simplify(dtm, 0.1)[0]
    middles = mesh.vertices[mesh.faces, 0].mean(axis=1)
    flat_share = (middles < -22).mean()
    assert flat_share < 0.15


def blocks():
    """Turned rectangles that touch, cross, stand apart and reach over the border, one with a court."""
    boxes = [shapely.box(-30, 60, -21, 66), shapely.box(-21, 60, -12, 66), shapely.box(-18, 63, -9, 70)]
    turned = [rotate(box, 27, origin=(-20, 65)) for box in boxes]
    court = rotate(shapely.box(-33, 72, -26, 79) - shapely.box(-31, 74, -28, 77), -11)
    return [*turned, court, rotate(shapely.box(-40, 50, -34, 58), 40)]


def test_outlines_are_edges_of_the_triangles_and_the_bound_holds_beside_them(frame):
    dtm = raster_of(frame, hills, 70, 80)
    mesh, error = simplify(dtm, 0.1, blocks())
    assert error <= 0.1
    assert tin_error(mesh, dtm) == pytest.approx(error, abs=TIN_PLANE_M)
    edges_of(mesh)
    assert (plan_areas(mesh) > 0).all()
    assert plan_areas(mesh).sum() == pytest.approx(69 * 79 * 0.25)
    triangles = [shapely.Polygon(mesh.vertices[f, :2]) for f in mesh.faces]
    hull = shapely.box(*shapely.MultiPoint(mesh.vertices[:, :2]).bounds)
    for block in blocks():
        inside = shapely.area(shapely.intersection(triangles, block))
        whole = shapely.area(triangles)
        # A point that rounding moves by a step of 0.1 mm leaves a sliver of that width.
        cut = np.minimum(inside, whole - inside)
        assert cut.max() < 1e-4 * block.length
        assert inside.sum() == pytest.approx(block.intersection(hull).area, abs=1e-3)


def test_a_point_of_an_outline_on_a_cell_centre_keeps_one_vertex(frame):
    dtm = raster_of(frame, hills, 40, 40)
    x, y = dtm.grid.x_centres(), dtm.grid.y_centres()
    block = shapely.Polygon([(x[5], y[20]), (x[20], y[20]), (x[20], y[8]), (x[5], y[8])])
    mesh, error = simplify(dtm, 0.05, [block, shapely.LineString([(x[0], y[0]), (x[39], y[39])])])
    assert error <= 0.05
    assert (plan_areas(mesh) > 0).all()
    assert len(np.unique(mesh.vertices[:, :2], axis=0)) == len(mesh.vertices)


def test_order_and_direction_of_the_lines_change_nothing(frame):
    dtm = raster_of(frame, hills, 70, 80)
    first = simplify(dtm, 0.1, blocks())[0]
    second = simplify(dtm, 0.1, [shapely.reverse(b) for b in reversed(blocks())])[0]
    assert first.vertices.tobytes() == second.vertices.tobytes()
    assert first.faces.tobytes() == second.faces.tobytes()


def test_many_outlines_in_one_line_and_far_from_the_origin(frame):
    grid = Grid(frame, 7000.0, -7900.0, 0.5, 60, 900)
    dtm = Raster(grid, 60 + 2 * np.sin(grid.x_centres() / 9)[None, :] + np.zeros((60, 1)))
    row = [shapely.box(7000.3 + 6 * k, -7921, 7006.3 + 6 * k, -7910.7) for k in range(70)]
    mesh, error = simplify(dtm, 0.02, row)
    assert error <= 0.02
    assert (plan_areas(mesh) > 0).all()
    corners = {(round(x, 3), round(y, 3)) for x, y in mesh.vertices[:, :2]}
    assert all((round(x, 3), round(y, 3)) in corners for b in row for x, y in b.exterior.coords)


@pytest.mark.parametrize("seed", range(6))
def test_random_lines_keep_the_net_whole(frame, seed):
    rng = np.random.default_rng(seed)
    dtm = raster_of(frame, hills, 40, 45)
    region = dtm.grid.region
    ends = rng.uniform((region.west, region.south), (region.east, region.north), (60, 2))
    if seed % 2:
        ends = np.rint(ends)  # many ends fall together and on each other's lines
    lines = [shapely.LineString(pair) for pair in ends.reshape(30, 2, 2) if (pair[0] != pair[1]).any()]
    mesh, error = simplify(dtm, 0.15, lines)
    assert error <= 0.15
    edges, _ = edges_of(mesh)
    assert (plan_areas(mesh) > 0).all()
    assert plan_areas(mesh).sum() == pytest.approx(39 * 44 * 0.25)
    drawn = shapely.linestrings(mesh.vertices[edges[edges[:, 0] < edges[:, 1]]][:, :, :2])
    hull = shapely.box(*shapely.total_bounds(drawn))
    tree = shapely.STRtree(drawn)
    for line in lines:
        wanted = line.intersection(hull)
        near = drawn[tree.query(wanted, "dwithin", 1e-4)]
        assert wanted.difference(shapely.union_all(shapely.buffer(near, 2e-4))).length < 1e-6


def test_the_same_bytes_each_time_and_float32_like_float64(frame):
    dtm = raster_of(frame, hills, 70, 41)
    single = Raster(dtm.grid, dtm.values.astype(np.float32))
    first, again = simplify(single, 0.1)[0], simplify(single, 0.1)[0]
    assert first.vertices.tobytes() == again.vertices.tobytes()
    assert first.faces.tobytes() == again.faces.tobytes()
    double = simplify(Raster(dtm.grid, single.values.astype(np.float64)), 0.1)[0]
    assert double.vertices.tobytes() == first.vertices.tobytes()


def test_shifting_the_site_moves_the_mesh_and_nothing_else(frame):
    here = raster_of(frame, lambda x, y: bowl(x, y), 45, 60)
    there = Raster(Grid(frame, 1000.0, -500.0, 0.5, 45, 60), here.values)
    a, b = simplify(here, 0.1)[0], simplify(there, 0.1)[0]
    assert (a.faces == b.faces).all()
    shift = b.vertices - a.vertices
    assert np.ptp(shift, axis=0).max() < 1e-9


def test_impossible_wishes_are_named(frame):
    dtm = raster_of(frame, bowl, 10, 10)
    for limit in (0.0, -1.0, float("nan")):
        with pytest.raises(InputError, match="max_error_m"):
            simplify(dtm, limit)
    with pytest.raises(InputError, match="2 x 2"):
        simplify(raster_of(frame, bowl, 1, 10), 0.1)
    with pytest.raises(InputError, match="fill the voids"):
        simplify(Raster(dtm.grid, np.full((10, 10), np.nan)), 0.1)


def test_outlines_half_a_millimetre_apart_share_their_vertices():
    grid = Grid(FRAME, CENTRE[0] - 10, CENTRE[1] + 10, 0.5, 40, 40)
    x, y = np.meshgrid(grid.x_centres(), grid.y_centres())
    dtm = Raster(grid, (60 + 0.1 * x + 0.3 * np.sin(y)).astype(np.float32))
    east, north = CENTRE
    one = shapely.box(east - 4, north - 3, east + 1, north + 4)
    other = shapely.box(east + 1.0005, north - 3.0004, east + 5, north + 4.0003)
    mesh, error = simplify(dtm, 0.05, [one, other])
    sides = np.concatenate([mesh.faces[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))])
    length = np.linalg.norm(np.diff(mesh.vertices[sides], axis=1)[:, 0], axis=1)
    assert length.min() > 0.001 and error <= 0.05
