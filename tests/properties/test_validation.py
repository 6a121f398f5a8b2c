"""Random solids stay valid, random breaks are found, and a verdict does not depend on place or order."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.solid_worlds import Points, boundaries, prism, reverse, turned
from twin.model.geometry import Geometry
from twin.validation.rings import first_meeting
from twin.validation.triangles import triangulate_rings
from twin.validation.validate import validate_geometry

SEEDS = st.integers(0, 2**31 - 1)
FEW = settings(max_examples=120, deadline=None)


def star(random: np.random.Generator, corners: int) -> Points:
    """A simple ring (n, 2) that turns left: random radii at rising angles, in millimetres."""
    angles = (np.arange(corners) + random.uniform(0.1, 0.9, corners)) * 2 * np.pi / corners
    radii = random.uniform(3, 20, corners)
    return np.round(np.column_stack([radii * np.cos(angles), radii * np.sin(angles)]), 3)


def house(random: np.random.Generator) -> tuple[Points, list[tuple[tuple[int, ...], ...]]]:
    points, sides = prism(star(random, int(random.integers(3, 24))), 0.0, float(random.uniform(2, 30)))
    return turned(points, float(random.uniform(0, 360)), float(random.uniform(0, 90))), sides


def codes(points: Points, sides: list[tuple[tuple[int, ...], ...]]) -> set[int]:
    return {one.code for one in validate_geometry(boundaries(points, sides))}


@FEW
@given(SEEDS)
def test_extruded_polygons_are_valid(seed: int) -> None:
    points, sides = house(np.random.default_rng(seed))
    assert codes(points, sides) == set()


@FEW
@given(SEEDS)
def test_order_and_first_corners_do_not_matter(seed: int) -> None:
    random = np.random.default_rng(seed)
    points, sides = house(random)
    if random.random() < 0.5:
        points[random.integers(len(points))] += random.normal(0, 3, 3)
    before = codes(points, sides)
    shuffled = [sides[k] for k in random.permutation(len(sides))]
    rolled = [tuple(tuple(np.roll(ring, int(random.integers(9))).tolist()) for ring in s) for s in shuffled]
    name = random.permutation(len(points))
    renamed = [tuple(tuple(int(name[i]) for i in ring) for ring in s) for s in rolled]
    there = np.empty_like(points)
    there[name] = points
    assert codes(there, renamed) == before


def broken(random: np.random.Generator, how: str) -> tuple[set[int], set[int]]:
    """Codes found in a house that was broken in one way, and codes of which at least one must be there."""
    points, sides = house(random)
    one = int(random.integers(len(sides)))
    ring = list(sides[one][0])
    if how == "missing":
        return codes(points, sides[:one] + sides[one + 1 :]), {302, 301}
    if how == "turned":
        return codes(points, [*sides[:one], *reverse([sides[one]]), *sides[one + 1 :]]), {307}
    if how == "inside out":
        return codes(points, list(reverse(sides))), {405}
    if how == "twice":
        return codes(points, [*sides, sides[one]]), {303}
    if how == "repeated":
        ring.insert(1, ring[0])
        return codes(points, [*sides[:one], (tuple(ring),), *sides[one + 1 :]]), {102}
    if how == "short":
        return codes(points, [*sides[:one], (tuple(ring[:2]),), *sides[one + 1 :]]), {101}
    if how == "bow-tie":
        ring[1], ring[2] = ring[2], ring[1]
        return codes(points, [*sides[:one], (tuple(ring),), *sides[one + 1 :]]), {104, 302, 307}
    # A roof corner is lifted: its walls stay upright, a roof of more than three corners bends.
    points, sides = prism(star(random, 9), 0.0, 6.0)
    points[9 + int(random.integers(9)), 2] += 0.5
    return codes(points, sides), {203, 204}


@pytest.mark.parametrize(
    "how", ["missing", "turned", "inside out", "twice", "repeated", "short", "bow-tie", "lifted"]
)
def test_every_break_is_found(how: str) -> None:
    for seed in range(60):
        found, expected = broken(np.random.default_rng(seed), how)
        assert found & expected, (how, seed, found)


@FEW
@given(SEEDS)
def test_rings_are_simple_where_shapely_says_so(seed: int) -> None:
    random = np.random.default_rng(seed)
    ring = random.uniform(0, 10, (int(random.integers(3, 9)), 2))
    assert (first_meeting(ring)[0] < 0) == shapely.Polygon(ring).is_valid


@FEW
@given(SEEDS)
def test_triangles_cover_their_ring(seed: int) -> None:
    random = np.random.default_rng(seed)
    ring = star(random, int(random.integers(3, 60)))
    triangles, _ = triangulate_rings(ring, np.array([0]), np.array([len(ring)]))
    pieces = shapely.polygons(ring[triangles])
    assert len(triangles) == len(ring) - 2
    assert shapely.area(pieces).sum() == pytest.approx(shapely.Polygon(ring).area, rel=1e-9)
    assert shapely.union_all(pieces).symmetric_difference(shapely.Polygon(ring)).area < 1e-6


@FEW
@given(SEEDS)
def test_a_prism_through_a_prism_crosses_itself(seed: int) -> None:
    """Two bars welded at nothing are two pieces; told that they are one solid each, only a composite minds."""
    random = np.random.default_rng(seed)
    one, sides = prism(star(random, 7), 0.0, 8.0)
    other, more = prism(star(random, 6) * 0.3, -3.0, 11.0)
    points = np.concatenate([one, other])
    both = [*sides, *(tuple(tuple(i + len(one) for i in ring) for ring in s) for s in more)]
    shells = np.array([(0, 0)] * len(sides) + [(1, 0)] * len(more))
    for kind, expected in (("CompositeSolid", {501}), ("MultiSolid", set())):
        geometry = Geometry(kind, "2", points, tuple(both), np.zeros(len(both)), shells)
        assert {found.code for found in validate_geometry(geometry)} == expected
