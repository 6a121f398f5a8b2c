"""A box broken in one way gives that code and no other, wherever it stands."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.solid_worlds import (
    CORNERS,
    PLACES,
    SIDES,
    Points,
    boundaries,
    moved,
    prism,
    reverse,
    several,
)
from twin.errors import InputError
from twin.model.geometry import Geometry, Kind, solid
from twin.validation.boundaries import Boundaries
from twin.validation.codes import NAMES, Tolerances
from twin.validation.validate import codes_of, examine, validate_geometry
from twin.validation.volumes import shell_volumes, solid_volume

Place = Callable[[Points], Points]


@pytest.fixture(params=list(PLACES))
def place(request: pytest.FixtureRequest) -> Place:
    return PLACES[request.param]  # type: ignore[no-any-return]


def codes(world: Boundaries, tolerances: Tolerances | None = None) -> list[int]:
    found = validate_geometry(world, tolerances or Tolerances())
    assert all(one.name == NAMES[one.code] and one.text and one.where for one in found)
    return sorted({one.code for one in found})


def box(place: Place, points: Points = CORNERS, sides=SIDES, kind: Kind = "Solid") -> Boundaries:
    return boundaries(place(points), sides, kind)


def plate(place: Place, rings: list[list[tuple[float, float]]], kind: Kind = "MultiSurface") -> Boundaries:
    """One flat surface of rings."""
    points = np.array([[x, y, 0.0] for ring in rings for x, y in ring])
    at, numbers = 0, []
    for ring in rings:
        numbers.append(tuple(range(at, at + len(ring))))
        at += len(ring)
    return boundaries(place(points), [numbers], kind)


SQUARE = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)]


def hole(x: float, y: float, wide: float) -> list[tuple[float, float]]:
    return [(x, y), (x, y + wide), (x + wide, y + wide), (x + wide, y)]


def test_a_box_is_valid(place: Place) -> None:
    assert codes(box(place)) == []
    assert codes(box(place, kind="MultiSurface")) == []
    assert codes(box(place, kind="CompositeSurface")) == []
    assert codes(box(place, kind="CompositeSolid")) == []


# --- rings


@pytest.mark.parametrize("ring", [(), (4,), (4, 6)])
def test_101_too_few_points(place: Place, ring: tuple[int, ...]) -> None:
    assert codes(box(place, sides=(*SIDES[:5], (ring,)))) == [101]


def test_102_consecutive_points(place: Place) -> None:
    assert codes(box(place, sides=(*SIDES[:5], ((4, 5, 5, 6, 7),)))) == [102]
    assert codes(box(place, sides=(*SIDES[:5], ((4, 5, 6, 7, 4),)))) == [102]
    near = np.vstack([CORNERS, CORNERS[5] + [0, 0.0006, 0]])
    assert codes(box(place, near, (*SIDES[:5], ((4, 5, 8, 6, 7),)))) == [102]


def test_repeated_vertices_are_one_place(place: Place) -> None:
    points = np.concatenate([CORNERS[list(side[0])] for side in SIDES])
    shaken = points + np.random.default_rng(1).uniform(-2e-4, 2e-4, points.shape)
    sides = [((4 * k, 4 * k + 1, 4 * k + 2, 4 * k + 3),) for k in range(6)]
    assert codes(box(place, shaken, sides)) == []
    assert codes(box(place, shaken, sides), Tolerances(snap_m=1e-5)) == [302, 305]


def test_104_self_intersection(place: Place) -> None:
    assert codes(plate(place, [[(0, 0), (4, 3), (4, 0), (0, 3)]])) == [104]  # a bow-tie
    assert codes(plate(place, [[(0, 0), (4, 0), (4, 4), (4, 0), (0, 4)]])) == [104]  # a point twice
    assert codes(plate(place, [[(0, 0), (4, 0), (8, 0)]])) == [104]  # a line
    assert codes(plate(place, [[(0, 0), (4, 0), (4, 4), (4, 8), (4, 4.5), (0, 4)]])) == [104]  # a spike
    assert codes(plate(place, [[(0, 0), (8, 0), (8, 4), (4, 0), (0, 4)]])) == [104]  # a corner on an edge
    assert codes(box(place, sides=(*SIDES[:5], ((4, 6, 5, 7),)))) == [104]


# --- surfaces


def test_holes_are_fine(place: Place) -> None:
    assert codes(plate(place, [SQUARE, hole(2, 2, 2), hole(6, 6, 2)])) == []
    assert codes(plate(place, [SQUARE, [(0, 5), (2, 6), (2, 4)]])) == []  # touches at a point
    assert codes(plate(place, [SQUARE, [(2, 5), (4, 6), (4, 4)], [(4, 6), (5, 8), (5, 6)]])) == []


def test_201_rings_intersect(place: Place) -> None:
    assert codes(plate(place, [SQUARE, hole(8, 4, 4)])) == [201]
    assert codes(plate(place, [SQUARE, hole(2, 2, 4), hole(4, 4, 4)])) == [201]
    assert codes(plate(place, [SQUARE, hole(0, 4, 2)])) == [201]  # along an edge
    assert codes(plate(place, [SQUARE, hole(2, 2, 2), hole(4, 2, 2)])) == [201]


def test_202_duplicated_rings(place: Place) -> None:
    assert codes(plate(place, [SQUARE, hole(2, 2, 2), hole(2, 2, 2)])) == [202]
    assert codes(plate(place, [SQUARE, SQUARE[::-1]])) == [202]


def test_203_planarity(place: Place) -> None:
    bent = CORNERS.copy()
    bent[6, 2] += 0.1
    assert codes(box(place, bent)) == [203]
    assert codes(box(place, bent), Tolerances(planarity_m=0.1)) == []
    a_little = CORNERS.copy()
    a_little[6, 2] += 0.03  # each corner of the square lies a quarter of it from the fitted plane
    assert codes(box(place, a_little)) == []


@pytest.mark.parametrize(("degrees", "expected"), [(19.5, []), (20.5, [204])])
def test_204_a_fold_smaller_than_the_planarity(place: Place, degrees: float, expected: list[int]) -> None:
    rise = 0.01 * np.tan(np.deg2rad(degrees))
    x = [0.0, 1.99, 2.0, 2.01, 4.0]
    z = [2.0, 2.0, 2.0 + rise, 2.0, 2.0]
    ring = [(a, 0.0, h) for a, h in zip(x, z, strict=True)] + [
        (a, 3.0, h) for a, h in zip(x[::-1], z[::-1], strict=True)
    ]
    world = boundaries(place(np.array(ring)), [[tuple(range(10))]], "MultiSurface")
    assert codes(world) == expected


def test_205_interior_in_pieces(place: Place) -> None:
    across = [(0.0, 5.0), (5.0, 6.0), (10.0, 5.0), (5.0, 4.0)]
    assert codes(plate(place, [SQUARE, across])) == [205]
    ring_of_holes = [[(2, 2), (5, 3), (8, 2), (5, 1)], [(8, 2), (7, 5), (8, 8), (9, 5)]]
    assert codes(plate(place, [SQUARE, *ring_of_holes])) == []
    third = [(2, 2), (2, 8), (8, 8), (3, 7)]
    assert codes(plate(place, [SQUARE, *ring_of_holes, third])) == [205]


def test_206_to_208_holes_out_of_place(place: Place) -> None:
    assert codes(plate(place, [SQUARE, hole(12, 2, 2)])) == [206]
    assert codes(plate(place, [SQUARE, hole(2, 2, 6), hole(4, 4, 2)])) == [207]
    assert codes(plate(place, [SQUARE, hole(2, 2, 2)[::-1]])) == [208]


# --- shells


def test_301_too_few_polygons(place: Place) -> None:
    assert codes(box(place, sides=SIDES[:3])) == [301]


def test_302_a_lid_is_missing(place: Place) -> None:
    found = validate_geometry(box(place, sides=SIDES[:5]))
    assert [one.code for one in found] == [302] and "4 edges" in found[0].text


def test_303_an_edge_of_four_and_a_vertex_of_two_umbrellas(place: Place) -> None:
    along_edge = several([(CORNERS, SIDES), (moved(CORNERS, 4, 3, 0), SIDES)], [(0, 0), (0, 0)])
    assert codes(boundaries(place(along_edge[0]), along_edge[1])) == [303]
    at_vertex = several([(CORNERS, SIDES), (moved(CORNERS, 4, 3, 2), SIDES)], [(0, 0), (0, 0)])
    assert codes(boundaries(place(at_vertex[0]), at_vertex[1])) == [303]
    assert codes(box(place, sides=(*SIDES, SIDES[0]))) == [303]


def test_305_two_boxes_in_one_shell(place: Place) -> None:
    far = several([(CORNERS, SIDES), (moved(CORNERS, 10, 0, 0), SIDES)], [(0, 0), (0, 0)])
    assert codes(boundaries(place(far[0]), far[1])) == [305]


def test_306_a_roof_that_dips_through_the_floor(place: Place) -> None:
    """A spire turned inward: fine while it ends above the floor."""
    for apex, expected in ((0.5, []), (-0.5, [306])):
        points = np.vstack([CORNERS, [2.0, 1.5, apex]])
        sides = (*SIDES[:5], *(((a, b, 8),) for a, b in ((4, 5), (5, 6), (6, 7), (7, 4))))
        assert codes(box(place, points, sides)) == expected


def test_306_a_tip_that_touches(place: Place) -> None:
    points = np.vstack([CORNERS, [2.0, 1.5, 0.0]])
    sides = (*SIDES[:5], *(((a, b, 8),) for a, b in ((4, 5), (5, 6), (6, 7), (7, 4))))
    assert codes(box(place, points, sides)) == [306]


@pytest.mark.parametrize(
    ("apex", "expected"), [((2, 1.5, 1), []), ((2, 1.5, -1), [306]), ((9, 1.5, 1), [306])]
)
def test_306_faces_with_a_common_vertex(place: Place, apex: tuple[float, ...], expected: list[int]) -> None:
    """A spire whose faces leave the box through its floor or its wall, next to the corners they begin at."""
    points = np.vstack([CORNERS, apex])
    sides = (*SIDES[:5], *(((a, b, 8),) for a, b in ((4, 5), (5, 6), (6, 7), (7, 4))))
    assert codes(box(place, points, sides)) == expected


def test_an_outline_that_passes_itself(place: Place) -> None:
    """A prism over a ring with a notch whose sides cross: its floor and roof are at fault."""
    ring = np.array([[0, 0], [6, 0], [6, 4], [4, 4], [4, 1], [2, 1], [2, 4], [0, 4]], dtype=float)
    points, sides = prism(ring, 0.0, 3.0)
    assert codes(boundaries(place(points), sides)) == []
    points[[4, 12], 0], points[[5, 13], 0] = 1.5, 4.5  # the two sides of the notch pass each other
    assert codes(boundaries(place(points), sides)) == [104]


def test_306_a_flat_solid(place: Place) -> None:
    """Two triangles there and the same two back: closed, two-manifold, and without an inside."""
    points = np.array([[0, 0, 0], [4, 0, 0], [4, 3, 0], [0, 3, 0]], dtype=float)
    sides = [((0, 1, 2),), ((0, 2, 3),), ((1, 0, 3),), ((1, 3, 2),)]
    assert codes(boundaries(place(points), sides)) == [306]


def test_307_a_turned_face(place: Place) -> None:
    assert codes(box(place, sides=(*SIDES[:5], *reverse(SIDES[5:])))) == [307]


# --- solids


def hollow(place: Place, void: Points, sides=None) -> Boundaries:
    parts = several([(CORNERS, SIDES), (void, sides or reverse(SIDES))], [(0, 0), (0, 1)])
    return boundaries(place(parts[0]), parts[1], "Solid", parts[2])


def test_a_void_looks_into_itself(place: Place) -> None:
    small = CORNERS * 0.5 + [1, 1, 0.5]
    assert codes(hollow(place, small)) == []
    assert codes(hollow(place, small, SIDES)) == [405]


def test_401_to_403_voids_out_of_place(place: Place) -> None:
    assert codes(hollow(place, CORNERS * 0.5 + [3, 1, 0.5])) == [401]
    assert codes(hollow(place, CORNERS * 0.5 + [2, 1, 0.5])) == [401]  # shares a face
    assert codes(hollow(place, CORNERS)) == [402]
    assert codes(hollow(place, CORNERS * 0.5 + [9, 0, 0])) == [403]


def two_voids(place: Place, one: Points, other: Points) -> Boundaries:
    big = CORNERS * 4 - [2, 2, 2]
    parts = several([(big, SIDES), (one, reverse(SIDES)), (other, reverse(SIDES))], [(0, 0), (0, 1), (0, 2)])
    return boundaries(place(parts[0]), parts[1], "Solid", parts[2])


def test_401_and_402_between_voids(place: Place) -> None:
    assert codes(two_voids(place, CORNERS, moved(CORNERS, 6, 0, 0))) == []
    assert codes(two_voids(place, CORNERS, moved(CORNERS, 2, 1, 1))) == [401]
    assert codes(two_voids(place, CORNERS, moved(CORNERS, 4, 0, 0))) == [401]
    assert codes(two_voids(place, CORNERS, CORNERS)) == [402]
    assert codes(two_voids(place, CORNERS, CORNERS * 0.5 + [1, 1, 0.5])) == [401]


def test_404_a_void_that_cuts_the_solid(place: Place) -> None:
    """A box with a belt of edges, and a void of two pyramids that touches the box along the whole belt."""
    belt = np.array([[0, 0, 1], [4, 0, 1], [4, 3, 1], [0, 3, 1]], dtype=float)
    points = np.vstack([CORNERS, belt, [[2, 1.5, 0.5], [2, 1.5, 1.5]]])
    outer = [SIDES[0], SIDES[5]]
    void = []
    for a in range(4):
        b = (a + 1) % 4
        outer += [((a, b, 8 + b, 8 + a),), ((8 + a, 8 + b, 4 + b, 4 + a),)]
        void += [((8 + b, 8 + a, 13),), ((8 + a, 8 + b, 12),)]
    shells = [(0, 0)] * len(outer) + [(0, 1)] * len(void)
    assert codes(boundaries(place(points), [*outer, *void], "Solid", shells)) == [404]
    apart = points.copy()
    inner = np.vstack([belt * [0.5, 0.5, 1] + [1, 0.75, 0], points[12:]])
    whole = np.vstack([apart[:12], inner])
    moved = [tuple(tuple(i + 4 if i >= 8 else i for i in ring) for ring in rings) for rings in void]
    assert codes(boundaries(place(whole), [*outer, *moved], "Solid", shells)) == []


def test_405_inside_out(place: Place) -> None:
    assert codes(box(place, sides=reverse(SIDES))) == [405]


# --- composites


def pair(place: Place, other: Points, kind: Kind = "CompositeSolid", sides=SIDES) -> Boundaries:
    parts = several([(CORNERS, SIDES), (other, sides)], [(0, 0), (1, 0)])
    return boundaries(place(parts[0]), parts[1], kind, parts[2])


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ((4, 0, 0), []),  # a whole face in common
        ((4, 1, 0.5), []),  # a part of a face
        ((1, 0, 0), [501]),
        ((2, 1, 1), [501]),
        ((0, 0, 0), [502]),
        ((4, 3, 0), [503]),  # an edge only
        ((9, 0, 0), [503]),
    ],
)
def test_50x_composite_solids(place: Place, by: tuple[float, ...], expected: list[int]) -> None:
    assert codes(pair(place, moved(CORNERS, *by))) == expected
    assert codes(pair(place, moved(CORNERS, *by), "MultiSolid")) == []


def test_501_one_within_the_other(place: Place) -> None:
    assert codes(pair(place, CORNERS * 0.5 + [1, 1, 0.5])) == [501]
    assert codes(pair(place, CORNERS * [0.5, 1, 1])) == [501]


def test_composite_surface(place: Place) -> None:
    open_box = box(place, sides=SIDES[:5], kind="CompositeSurface")
    assert codes(open_box) == []
    turned_face = box(place, sides=(*SIDES[:4], *reverse(SIDES[4:5])), kind="CompositeSurface")
    assert codes(turned_face) == [307]
    two = several([(CORNERS, SIDES[:1]), (moved(CORNERS, 9, 0, 0), SIDES[:1])], [(0, 0), (0, 0)])
    assert codes(boundaries(place(two[0]), two[1], "CompositeSurface")) == [305]


def test_902_nothing(place: Place) -> None:
    assert codes(boundaries(np.empty((0, 3)), [])) == [902]
    assert codes(box(place, sides=(*SIDES[:5], ()))) == [902]


# --- the rest


def test_findings_name_the_place_and_come_in_order() -> None:
    sides = (*SIDES[:2], ((1, 2),), *SIDES[3:5], ((4, 5, 5, 6, 7),))
    found = validate_geometry(boundaries(CORNERS, sides))
    assert [(one.surface, one.code) for one in found] == [(2, 101), (5, 102)]
    assert (
        found[1].where == "solid 0, shell 0, surface 5, ring 0" and "(4.000, 0.000, 2.000)" in found[1].text
    )
    assert codes_of(found) == "101 TOO_FEW_POINTS, 102 CONSECUTIVE_POINTS_SAME"


def test_geometries_of_the_model() -> None:
    made = solid("1.2", CORNERS, SIDES, [0] * 6)
    assert validate_geometry(made) == () and solid_volume(made) == pytest.approx(24.0)
    lid = Geometry("MultiSurface", "1", CORNERS, SIDES[:1], np.zeros(1), np.zeros((1, 2)))
    assert validate_geometry(lid) == ()
    found, bodies = examine(made)
    assert found == () and len(bodies) == 1
    np.testing.assert_allclose(np.sort(bodies[0].points, axis=0), np.sort(CORNERS, axis=0))


def test_volumes_of_shells() -> None:
    points, surfaces, shells = several(
        [(CORNERS, SIDES), (CORNERS * 0.5 + [1, 1, 0.5], reverse(SIDES))], [(0, 0), (0, 1)]
    )
    made = Geometry("Solid", "2", points, tuple(surfaces), np.zeros(12), np.array(shells))
    assert shell_volumes(made) == pytest.approx({(0, 0): 24.0, (0, 1): -3.0})


@pytest.mark.parametrize("wrong", [{"snap_m": 0.0}, {"planarity_m": np.nan}, {"normals_deg": 181.0}])
def test_tolerances_are_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        Tolerances(**wrong)
