"""Triangulation of polygon surfaces, volumes, tree shapes."""

from __future__ import annotations

import numpy as np
import pytest

from twin.errors import InputError
from twin.frame import Frame
from twin.model.geometry import solid
from twin.model.objects import Tree
from twin.model.surface import Surface
from twin.model.treemesh import tree_mesh
from twin.model.triangulate import newell_normal, triangulate, triangulate_surface


def turned(points: np.ndarray, angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    about_z = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    return points @ about_x.T @ about_z.T + np.array([431.7, -88.2, 63.0])


@pytest.mark.parametrize("angle", [0.0, 0.4, 1.1, 2.2, 3.0])
def test_a_square_with_a_hole_keeps_its_area_and_its_side(angle: float) -> None:
    outer = [[0, 0, 0], [10, 0, 0], [10, 10, 0], [0, 10, 0]]
    hole = [[4, 4, 0], [4, 6, 0], [6, 6, 0], [6, 4, 0]]
    points = turned(np.array(outer + hole, float), angle)
    triangles = triangulate_surface(points, ((0, 1, 2, 3), (4, 5, 6, 7)))
    a, b, c = (points[triangles[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a) / 2
    assert np.linalg.norm(normals, axis=1).sum() == pytest.approx(96.0)
    assert (normals @ newell_normal(points[:4]) > 0).all()


def test_a_box_has_its_volume_far_from_the_origin(frame: Frame) -> None:
    x = np.array([[0, 0], [3, 0], [3, 4], [0, 4]], float) + np.array([5000.0, -6000.0])
    vertices = np.vstack([np.c_[x, np.full(4, 60.0)], np.c_[x, np.full(4, 65.0)]])
    walls = [((a, b, b + 4, a + 4),) for a, b in ((0, 1), (1, 2), (2, 3), (3, 0))]
    box = solid("1.2", vertices, [((3, 2, 1, 0),), *walls, ((4, 5, 6, 7),)], [1, 2, 2, 2, 2, 3])
    mesh = triangulate(box, frame)
    assert mesh.signed_volume() == pytest.approx(60.0)
    assert (mesh.face_normals()[mesh.semantics == Surface.ROOF] == [0, 0, 1]).all()


def test_rings_must_lie_in_the_vertices() -> None:
    with pytest.raises(InputError, match="ring"):
        solid("1.2", np.zeros((3, 3)), [((0, 1, 7),)], [0])


def test_trees_are_closed_and_as_tall_as_they_say(frame: Frame) -> None:
    mesh = tree_mesh(Tree("t", frame, 12.0, -7.0, 66.0, 14.0, 3.0, 4.0))
    assert mesh.signed_volume() > 0
    assert mesh.vertices[:, 2].max() == pytest.approx(80.0)
    assert mesh.vertices[:, 2].min() == pytest.approx(66.0)
    edges = np.sort(
        np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]]), axis=1
    )
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
    with pytest.raises(InputError, match="impossible"):
        Tree("t", frame, 0.0, 0.0, 0.0, 3.0, 1.0, 4.0)
