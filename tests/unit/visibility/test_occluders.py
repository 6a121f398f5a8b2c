"""Occluders: what is refused, what is kept as it is, and a height field as triangles."""

from __future__ import annotations

import numpy as np
import pytest

from twin.errors import InputError
from twin.visibility.heightfield import heightfield_to_triangles
from twin.visibility.occluders import HeightField, Triangles
from twin.visibility.tolerances import EXTENT_LIMIT_M

CORNERS = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 5]])
FACES = np.array([[0, 1, 2], [1, 3, 2]])


@pytest.mark.parametrize(
    ("vertices", "faces", "word"),
    [
        (CORNERS[:, :2], FACES, r"vertices \(n, 3\)"),
        (CORNERS.ravel(), FACES, r"vertices \(n, 3\)"),
        (CORNERS, FACES.ravel(), r"faces \(m, 3\)"),
        (CORNERS, np.array([[0, 1, 2, 3]]), r"faces \(m, 3\)"),
        (CORNERS, FACES.astype(float), "whole indices"),
        (np.vstack([CORNERS[:3], [[0, np.nan, 0]]]), FACES, "1 of 4 vertices are not finite, .*vertex 3"),
        (np.vstack([[[0, 0, -np.inf]], CORNERS[:3]]), FACES, "vertex 0"),
        (CORNERS, FACES + 1, r"1 to 4.*\(0 to 3\)"),
        (CORNERS, FACES - 1, "-1 to 2"),
        (np.zeros((0, 3)), FACES, "there are 0 vertices"),
        (CORNERS + np.array([EXTENT_LIMIT_M, 0, 0]), FACES, "8,193.0 m"),
        (CORNERS - np.array([0, 2 * EXTENT_LIMIT_M, 0]), FACES, "origin inside the site"),
    ],
)
def test_what_are_no_triangles_is_refused(vertices: np.ndarray, faces: np.ndarray, word: str) -> None:
    with pytest.raises(InputError, match=word):
        Triangles(vertices, faces)


def test_the_extent_holds_in_plan_only() -> None:
    edge = Triangles(np.array([[EXTENT_LIMIT_M, -EXTENT_LIMIT_M, 9000.0]] * 3), np.array([[0, 1, 2]]))
    assert edge.vertices[0].tolist() == [EXTENT_LIMIT_M, -EXTENT_LIMIT_M, 9000.0]


@pytest.mark.parametrize("empty", [[], np.zeros((0, 3)), np.zeros((0, 3), np.float32)])
def test_nothing_is_a_scene_too(empty: np.ndarray) -> None:
    none = Triangles(empty, empty)
    assert none.vertices.shape == none.faces.shape == (0, 3)
    assert none.vertices.dtype == np.float64 and none.faces.dtype == np.int32


@pytest.mark.parametrize("dtypes", [(np.float64, np.int32), (np.float32, np.int64), (np.float64, np.uint8)])
def test_arrays_are_kept_and_cannot_be_written(dtypes: tuple[type, type]) -> None:
    vertices, faces = CORNERS.astype(dtypes[0]), FACES.astype(dtypes[1])
    triangles = Triangles(vertices, faces)
    vertices[:], faces[:] = 99.0, 0
    assert (triangles.vertices == CORNERS).all() and (triangles.faces == FACES).all()
    for array in (triangles.vertices, triangles.faces):
        assert array.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1


def test_frozen_arrays_are_shared_and_views_of_others_are_not() -> None:
    once = Triangles(CORNERS, FACES)
    again = Triangles(once.vertices, once.faces)
    assert again.vertices is once.vertices and again.faces is once.faces
    owner = np.zeros((8, 3))
    owner[:4] = CORNERS
    view = owner[:4]
    triangles = Triangles(view, FACES)
    owner[:] = 7
    assert (triangles.vertices == CORNERS).all()
    assert (Triangles(np.asfortranarray(CORNERS), FACES).vertices == CORNERS).all()


def test_all_faces_are_kept_with_or_without_area() -> None:
    faces = np.array([[0, 1, 2], [0, 0, 0], [0, 1, 2], [3, 3, 1]])
    assert (Triangles(CORNERS, faces).faces == faces).all()


# Height fields.

HEIGHTS = np.array([[1.0, 2, 3], [4, np.nan, 6]])


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"heights": np.zeros(4)}, r"\(rows, cols\)"),
        ({"heights": np.zeros((0, 4))}, r"\(rows, cols\)"),
        ({"heights": np.array([[0, np.inf]])}, "infinite"),
        ({"dx": 0.0}, "positive"),
        ({"dy": -1.0}, "positive"),
        ({"dy": np.nan}, "positive"),
        ({"dx": np.inf}, "positive"),
        ({"x0": np.nan}, "finite place"),
        ({"y0": np.inf}, "finite place"),
    ],
)
def test_what_is_no_height_field_is_refused(change: dict, word: str) -> None:
    with pytest.raises(InputError, match=word):
        HeightField(**{"heights": HEIGHTS, "dx": 1.0, "dy": 1.0, "x0": 0.0, "y0": 0.0, **change})


def test_where_the_cells_are() -> None:
    field = HeightField(HEIGHTS, 2.0, 0.5, 10.0, 20.0)
    x, y = field.centres()
    assert x.tolist() == [10, 12, 14] and y.tolist() == [20, 19.5]
    assert field.shape == (2, 3) and field.highest == 6.0
    assert HeightField(np.full((2, 2), np.nan), 1, 1, 0, 0).highest == -np.inf
    with pytest.raises(ValueError, match="read-only"):
        field.heights[0, 0] = 1


def test_a_quad_is_two_triangles_seen_from_above() -> None:
    heights = np.random.default_rng(0).uniform(0, 3, (5, 7))
    field = HeightField(heights, 2.0, 0.5, 10.0, 20.0)
    triangles = heightfield_to_triangles(field)
    assert len(triangles.vertices) == 35 and len(triangles.faces) == 2 * 4 * 6
    x, y = field.centres()
    gx, gy = np.meshgrid(x, y)
    assert (triangles.vertices == np.column_stack([gx.ravel(), gy.ravel(), heights.ravel()])).all()
    a, b, c = (triangles.vertices[triangles.faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    # Twice the area in plan: each triangle is half a cell of 2 x 0.5, and faces up.
    assert normal[:, 2] == pytest.approx(np.full(48, 1.0))
    # The fold of each quad is a valley: the corners that are not on it lie above the other triangle's plane.
    north, south = np.split(np.arange(48).reshape(24, 2), 2, axis=1)
    for this, other in ((north, south), (south, north)):
        corners = np.stack([a[other], b[other], c[other]], axis=2)[:, 0]
        above = np.einsum("ijk,ik->ij", corners - a[this][:, 0][:, None], normal[this][:, 0])
        assert above.min() > -1e-9 and (above.max(axis=1) > 0).all()


def test_a_flat_fold_runs_from_north_west_to_south_east() -> None:
    faces = heightfield_to_triangles(HeightField(np.zeros((2, 2)), 1.0, 1.0, 0.0, 0.0)).faces
    assert [sorted(face) for face in faces.tolist()] == [[0, 1, 3], [0, 2, 3]]


@pytest.mark.parametrize("missing", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_beside_an_unknown_corner_the_other_three_stay(missing: tuple[int, int]) -> None:
    heights = np.array([[1.0, 2], [3, 5]])
    heights[missing] = np.nan
    triangles = heightfield_to_triangles(HeightField(heights, 1.0, 1.0, 0.0, 0.0))
    assert len(triangles.faces) == 1
    assert sorted(triangles.vertices[triangles.faces[0], 2]) == sorted(heights[~np.isnan(heights)])
    a, b, c = triangles.vertices[triangles.faces[0]]
    assert np.cross(b - a, c - a)[2] > 0
    heights[1 - missing[0], 1 - missing[1]] = np.nan
    assert len(heightfield_to_triangles(HeightField(heights, 1.0, 1.0, 0.0, 0.0)).faces) == 0


def test_a_single_row_has_no_triangles() -> None:
    assert len(heightfield_to_triangles(HeightField(np.zeros((1, 9)), 1, 1, 0, 0)).faces) == 0


def test_a_field_beyond_the_extent_has_no_triangles() -> None:
    with pytest.raises(InputError, match="local origin"):
        heightfield_to_triangles(HeightField(np.zeros((2, 2)), 1, 1, EXTENT_LIMIT_M, 0))
