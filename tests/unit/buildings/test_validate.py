"""Broken solids are found, each by its own code."""

from __future__ import annotations

import numpy as np
import pytest

from twin.buildings.validate import check_geometry, shell_volumes, solid_volume
from twin.model.geometry import Geometry, solid

CORNERS = np.array(
    [[0, 0, 0], [4, 0, 0], [4, 3, 0], [0, 3, 0], [0, 0, 2], [4, 0, 2], [4, 3, 2], [0, 3, 2]], dtype=float
)
SIDES = ((0, 3, 2, 1), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7), (4, 5, 6, 7))


def turned(points):
    angle = np.deg2rad(23.0)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    return points @ turn.T + [731.3, -512.7, 66.0]


def box(sides=SIDES, points=CORNERS):
    return solid("1.2", turned(points), [(s,) for s in sides], [0] * len(sides))


def shells(parts, numbers, kind="Solid"):
    """Several boxes as the shells of one geometry."""
    points = np.concatenate([turned(p) for p, _ in parts])
    faces, marks, start = [], [], 0
    for (p, sides), number in zip(parts, numbers, strict=True):
        faces += [(tuple(i + start for i in s),) for s in sides]
        marks += [number] * len(sides)
        start += len(p)
    return Geometry(kind, "2.2", points, tuple(faces), np.zeros(len(faces), np.uint8), np.array(marks))


def test_a_box_is_valid_wherever_it_stands():
    assert check_geometry(box()) == ()
    assert solid_volume(box()) == pytest.approx(24.0)


def test_repeated_vertices_are_one_place():
    points = np.concatenate([CORNERS[list(s)] for s in SIDES])
    sides = [tuple(range(4 * k, 4 * k + 4)) for k in range(6)]
    assert check_geometry(box(sides, points)) == ()


@pytest.mark.parametrize(
    ("sides", "code"),
    [
        (SIDES[:-1], "not_closed"),
        ((*SIDES[:-1], SIDES[-1][::-1]), "not_oriented"),
        (tuple(s[::-1] for s in SIDES), "inward"),
        ((*SIDES, SIDES[0]), "not_two_manifold"),
        (SIDES[:3], "too_few_faces"),
    ],
)
def test_broken_shells(sides, code):
    assert code in check_geometry(box(sides))


def test_the_only_word_for_a_box_turned_inside_out():
    assert check_geometry(box([s[::-1] for s in SIDES])) == ("inward",)


def test_a_bent_face():
    points = CORNERS.copy()
    points[6, 2] += 0.1
    assert check_geometry(box(points=points)) == ("not_planar",)
    assert check_geometry(box(points=points), planarity_m=0.1) == ()


def test_faces_without_area():
    flat = CORNERS * [1, 1, 0]
    found = check_geometry(box(points=flat))
    assert "degenerate_face" in found
    assert check_geometry(box((*SIDES, (0, 1, 0)))) != ()


def test_a_ring_through_one_vertex_twice():
    points = np.array([[0, 0, 0], [2, 0, 0], [1, 1, 0], [2, 2, 0], [0, 2, 0]], dtype=float)
    surface = Geometry("MultiSurface", "1", points, (((0, 1, 2, 3, 4, 2),),), np.zeros(1), np.zeros((1, 2)))
    assert check_geometry(surface) == ("self_touching",)


def test_two_boxes_in_one_shell():
    far = CORNERS + np.array([10, 0, 0])
    one = shells([(CORNERS, SIDES), (far, SIDES)], [(0, 0), (0, 0)])
    assert check_geometry(one) == ("not_connected",)
    assert check_geometry(shells([(CORNERS, SIDES), (far, SIDES)], [(0, 0), (1, 0)], "MultiSolid")) == ()


def test_boxes_that_share_an_edge_are_not_two_manifold():
    touching = CORNERS + np.array([4, 3, 0])
    one = shells([(CORNERS, SIDES), (touching, SIDES)], [(0, 0), (0, 0)])
    assert check_geometry(one) == ("not_two_manifold",)


def test_a_void_looks_into_itself():
    small = CORNERS * 0.5 + [1, 1, 0.5]
    inner = tuple(s[::-1] for s in SIDES)
    hollow = shells([(CORNERS, SIDES), (small, inner)], [(0, 0), (0, 1)])
    assert check_geometry(hollow) == ()
    assert shell_volumes(hollow) == pytest.approx({(0, 0): 24.0, (0, 1): -3.0})
    wrong = shells([(CORNERS, SIDES), (small, SIDES)], [(0, 0), (0, 1)])
    assert check_geometry(wrong) == ("inward",)


def test_surfaces_claim_no_solid():
    lid = Geometry("MultiSurface", "1", turned(CORNERS), ((SIDES[0],),), np.zeros(1), np.zeros((1, 2)))
    assert check_geometry(lid) == ()
    assert check_geometry(Geometry("Solid", "1", np.empty((0, 3)), (), np.empty(0), np.empty((0, 2))))
