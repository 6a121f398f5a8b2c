"""Heights of triangles and rasters at points."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tolerances import SAMPLED_PLANE_M
from twin.errors import FrameMismatchError, InputError
from twin.frame import Frame
from twin.model.mesh import TriangleMesh
from twin.model.objects import Tree
from twin.model.raster import Grid, Raster
from twin.model.treemesh import tree_mesh
from twin.terrain.sampler import TinSampler, aligned, rasterise, sample_bilinear
from twin.terrain.tin import simplify

CENTRE = np.array([20.3, -71.9])


def mesh_of(frame, vertices, faces):
    return TriangleMesh(frame, np.array(vertices, float), np.array(faces), np.zeros(len(faces), np.uint8))


def plane(x, y):
    return 61.5 + 0.3 * x - 0.17 * y


def fan(frame, n=64, radius=50.0):
    """A disc of thin triangles on a skew plane, shifted and turned."""
    t = 0.13 + 2 * np.pi * np.arange(n) / n
    xy = np.vstack([[[0.0, 0.0]], np.c_[np.cos(t), np.sin(t)] * radius]) + CENTRE
    faces = np.c_[np.zeros(n, int), 1 + np.arange(n), 1 + (np.arange(n) + 1) % n]
    return mesh_of(frame, np.c_[xy, plane(xy[:, 0], xy[:, 1])], faces)


def test_heights_on_a_plane_are_exact_and_nan_outside(frame):
    mesh = fan(frame)
    rng = np.random.default_rng(1)
    xy = rng.uniform(-60, 60, (4000, 2)) + CENTRE
    z = TinSampler(mesh).heights(xy)
    r = np.hypot(xy[:, 0] - 20.3, xy[:, 1] + 71.9)
    inner = r < 50 * np.cos(np.pi / 64) - 1e-6
    assert np.abs(z[inner] - plane(*xy[inner].T)).max() < SAMPLED_PLANE_M
    assert np.isnan(z[r > 50.001]).all()


def test_vertices_edges_and_centroids_belong_to_the_mesh(frame):
    mesh = fan(frame, n=17)
    sampler = TinSampler(mesh)
    assert np.abs(sampler.heights(mesh.vertices[:, :2]) - mesh.vertices[:, 2]).max() < SAMPLED_PLANE_M
    corners = mesh.vertices[mesh.faces]
    for weights in ([1, 1, 1], [1, 1, 0], [0, 1, 1], [3, 0, 1]):
        points = np.tensordot(np.array(weights) / sum(weights), corners, axes=(0, 1))
        assert np.abs(sampler.heights(points[:, :2]) - points[:, 2]).max() < SAMPLED_PLANE_M


def test_sampler_and_burning_agree_on_a_terrain(frame):
    rng = np.random.default_rng(5)
    grid = Grid(frame, 3.0, 14.0, 0.5, 60, 47)
    dtm = Raster(grid, rng.normal(50, 1, grid.shape))
    mesh, _ = simplify(dtm, 0.8)
    fine = Grid(frame, 2.0, 15.0, 0.31, 110, 80)
    burnt = rasterise(mesh, fine).values.ravel()
    sampled = TinSampler(mesh).heights(fine.centres())
    assert (np.isnan(burnt) == np.isnan(sampled)).all()
    assert np.nanmax(np.abs(burnt - sampled)) < SAMPLED_PLANE_M


def test_the_highest_of_several_layers_counts_in_any_order(frame):
    low, high = fan(frame), fan(frame)
    raised = TriangleMesh(frame, high.vertices + np.array([0, 0, 5.0]), high.faces, high.semantics)
    at = np.array([[25.0, -70.0]])
    for meshes in ([low, raised], [raised, low]):
        both = TriangleMesh.joined(frame, meshes)
        assert TinSampler(both).heights(at)[0] == pytest.approx(plane(25.0, -70.0) + 5)


def test_upright_faces_add_nothing_and_a_tree_gives_its_crown(frame):
    wall = mesh_of(frame, [[0, 0, 0], [9, 3, 0], [9, 3, 8], [0, 0, 8]], [[0, 1, 2], [0, 2, 3]])
    grid = Grid(frame, -2.0, 6.0, 0.5, 20, 30)
    assert np.isnan(rasterise(wall, grid).values).all()
    assert np.isnan(TinSampler(wall).heights([[4.5, 1.5]])).all()
    crown = rasterise(tree_mesh(Tree("t", frame, 5.25, 2.25, 60.0, 12.0, 3.0, 4.0)), grid)
    assert np.nanmax(crown.values) == pytest.approx(72.0)
    assert np.isnan(crown.values[0, 0])


def test_steep_thin_faces_never_overshoot(frame):
    spike = mesh_of(frame, [[0, 0, 0], [10, 0, 0], [5, 1e-5, 100]], [[0, 1, 2]])
    z = TinSampler(spike).heights([[5, 5e-6], [5, 1e-5], [5, -5e-8]])
    assert np.nanmin(z) >= 0 and np.nanmax(z) <= 100


def test_sampling_another_frame_or_nothing_is_refused(frame):
    other = Frame(frame.crs, frame.vertical, (frame.origin[0] + 1, frame.origin[1]))
    with pytest.raises(FrameMismatchError):
        rasterise(fan(other), Grid(frame, 0, 0, 1.0, 2, 2))
    with pytest.raises(InputError, match="no triangles"):
        TinSampler(mesh_of(frame, np.empty((0, 3)), np.empty((0, 3), int)))


def test_bilinear_is_exact_on_planes_and_stops_at_the_edge(frame):
    grid = Grid(frame, 7.0, 93.0, 0.5, 20, 30)
    raster = Raster(grid, plane(grid.x_centres()[None, :], grid.y_centres()[:, None]))
    rng = np.random.default_rng(2)
    xy = np.c_[rng.uniform(7.25, 21.75, 500), rng.uniform(83.25, 92.75, 500)]
    assert np.abs(sample_bilinear(raster, xy) - plane(*xy.T)).max() < SAMPLED_PLANE_M
    assert np.isfinite(sample_bilinear(raster, [[7.0, 93.0], [22.0, 83.0]])).all()
    assert np.isnan(sample_bilinear(raster, [[6.99, 90.0], [10.0, 93.01]])).all()


def test_bilinear_needs_only_the_neighbours_that_weigh(frame):
    values = np.full((3, 3), 5.0)
    values[1, 1] = np.nan
    raster = Raster(Grid(frame, 0.0, 3.0, 1.0, 3, 3), values)
    assert sample_bilinear(raster, [[0.5, 1.5]])[0] == 5.0
    assert np.isnan(sample_bilinear(raster, [[0.75, 1.5]])[0])


def test_aligned_moves_a_plane_onto_another_grid(frame):
    grid = Grid(frame, 0.0, 40.0, 1.0, 40, 50)
    raster = Raster(grid, plane(grid.x_centres()[None, :], grid.y_centres()[:, None]))
    other = Grid(frame, 5.3, 33.1, 0.7, 20, 30)
    moved = aligned(raster, other)
    expected = plane(other.x_centres()[None, :], other.y_centres()[:, None])
    assert np.abs(moved.values - expected).max() < SAMPLED_PLANE_M
    assert aligned(raster, grid) is raster
