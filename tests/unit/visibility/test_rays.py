"""Rays: what is refused, how they are shortened and lifted, and where those from far away start."""

from __future__ import annotations

import numpy as np
import pytest

from twin.errors import InputError
from twin.visibility.rays import (
    FAR_MARGIN_M,
    Rays,
    from_nearby,
    occlusion_rays,
    quick_rays,
    sight_rays,
    slices,
)
from twin.visibility.tolerances import EXTENT_LIMIT_M, GRAZE_TOLERANCE_M

UP = np.array([0.0, 0.0, 1.0])
EAST = np.array([1.0, 0.0, 0.0])
LOW, HIGH = np.array([-100.0, -50.0, 0.0]), np.array([100.0, 50.0, 30.0])


def unit(*values: float) -> np.ndarray:
    return np.array(values) / np.linalg.norm(values)


@pytest.mark.parametrize("make", [occlusion_rays, sight_rays])
@pytest.mark.parametrize(
    ("origins", "directions", "reach", "word"),
    [
        (np.zeros(3), UP, None, r"\(n, 3\)"),
        (np.zeros((4, 2)), UP, None, r"\(n, 3\)"),
        (np.zeros((4, 3)), np.zeros((3, 3)) + UP, None, "4 origins"),
        (np.zeros((4, 3)), UP[:2], None, "4 origins"),
        (np.array([[0, 0, np.nan]]), UP, None, "finite"),
        (np.array([[np.inf, 0, 0]]), UP, None, "finite"),
        (np.zeros((2, 3)), 2 * UP, None, "length 2.0"),
        (np.zeros((2, 3)), 0 * UP, None, "length 0.0"),
        (np.zeros((2, 3)), UP * np.nan, None, "unit"),
        (np.zeros((2, 3)), np.array([UP, 1.001 * UP]), None, "length 1.001"),
        (np.zeros((2, 3)), UP, np.zeros(3), "max_distance"),
        (np.zeros((2, 3)), UP, np.zeros((2, 1)), "max_distance"),
        (np.zeros((2, 3)), UP, -1.0, "from 0 on"),
        (np.zeros((2, 3)), UP, [1.0, np.nan], "not NaN"),
    ],
)
def test_what_is_no_ray_is_refused(make, origins, directions, reach, word: str) -> None:
    with pytest.raises(InputError, match=word):
        make(origins, directions, reach)


def test_a_float32_unit_vector_is_one() -> None:
    towards = unit(1, 2, 3).astype(np.float32)
    assert sight_rays(np.zeros((1, 3)), towards).directions.dtype == np.float64


def test_sight_rays_lose_the_tolerance_at_both_ends() -> None:
    towards = unit(3, -4, 12)
    origins = np.array([[10.0, 20.0, 30.0], [0.0, 0.0, 0.0]])
    rays = sight_rays(origins, towards, [50.0, np.inf])
    assert rays.origins == pytest.approx(origins + GRAZE_TOLERANCE_M * towards, abs=1e-12)
    assert rays.reach.tolist() == [50.0 - 2 * GRAZE_TOLERANCE_M, np.inf]
    # The far end is the asked one less the tolerance.
    end = rays.origins[0] + rays.reach[0] * towards
    assert np.linalg.norm(origins[0] + 50.0 * towards - end) == pytest.approx(GRAZE_TOLERANCE_M, rel=1e-9)
    assert rays.skipped.tolist() == [GRAZE_TOLERANCE_M] * 2


def test_occlusion_rays_are_lifted_as_well() -> None:
    origins = np.array([[1.0, 2.0, 3.0]])
    lifted, level = occlusion_rays(origins, EAST, 9.0), sight_rays(origins, EAST, 9.0)
    assert lifted.origins - level.origins == pytest.approx(np.array([[0, 0, GRAZE_TOLERANCE_M]]), abs=1e-12)
    assert lifted.reach.tolist() == level.reach.tolist()


@pytest.mark.parametrize("make", [occlusion_rays, sight_rays])
def test_the_callers_arrays_stay_as_they_are(make) -> None:
    origins, directions, reach = np.ones((3, 3)), np.tile(UP, (3, 1)), np.full(3, 7.0)
    before = [a.copy() for a in (origins, directions, reach)]
    from_nearby(make(origins, directions, reach), LOW, HIGH)
    assert all((a == b).all() for a, b in zip((origins, directions, reach), before, strict=True))


def test_without_an_end_and_without_a_length() -> None:
    assert np.isinf(occlusion_rays(np.zeros((3, 3)), UP).reach).all()
    # Shorter than the tolerance at its two ends: nothing is left.
    assert (occlusion_rays(np.zeros((3, 3)), UP, 0.0).reach < 0).all()
    assert (occlusion_rays(np.zeros((3, 3)), UP, 1.5 * GRAZE_TOLERANCE_M).reach < 0).all()
    assert len(sight_rays(np.zeros((0, 3)), UP)) == 0


def test_a_part_keeps_one_direction_for_all() -> None:
    origins = np.arange(15.0).reshape(5, 3)
    shared = sight_rays(origins, UP, np.arange(5.0)).part(slice(1, 3))
    assert shared.directions.shape == (1, 3) and len(shared) == 2
    own = sight_rays(origins, np.tile(UP, (5, 1)), np.arange(5.0)).part(slice(1, 3))
    assert own.directions.shape == (2, 3)
    assert own.reach.tolist() == shared.reach.tolist() == [1 - 2e-3, 2 - 2e-3]


@pytest.mark.parametrize(("count", "size"), [(0, 4), (1, 4), (4, 4), (5, 4), (12, 4), (13, 1)])
def test_slices_cover_once(count: int, size: int) -> None:
    parts = list(slices(count, size))
    assert [i for rows in parts for i in range(count)[rows]] == list(range(count))
    assert all(rows.stop - rows.start <= size for rows in parts)


# Rays from beyond the extent.


def test_rays_from_within_are_left_alone() -> None:
    rays = sight_rays(np.array([[EXTENT_LIMIT_M - 1, 0, 0], [0, 0, -EXTENT_LIMIT_M + 1]]), EAST)
    assert from_nearby(rays, LOW, HIGH) is rays
    none = sight_rays(np.zeros((0, 3)), EAST)
    assert from_nearby(none, LOW, HIGH) is none


def check_same_line(before: Rays, after: Rays, row: int) -> None:
    """The ray starts later on its own line, ends where it ended, and knows how much it skipped."""
    towards = np.broadcast_to(before.directions, before.origins.shape)[row]
    moved = after.origins[row] - before.origins[row]
    length = float(moved @ towards)
    assert np.linalg.norm(moved - length * towards) < 1e-7 * max(1.0, length)
    assert after.skipped[row] - before.skipped[row] == pytest.approx(length, rel=1e-12)
    if np.isfinite(before.reach[row]):
        assert before.reach[row] - after.reach[row] == pytest.approx(length, rel=1e-12)


def test_a_ray_from_far_away_starts_just_before_the_box() -> None:
    origins = np.array([[750_000.0, 10.0, 5.0], [3.0, 4.0, 750_000.0], [10.0, 0.0, 10.0]])
    towards = np.array([-EAST, -UP, EAST])
    before = sight_rays(origins, towards, [1e6, 1e6, 5.0])
    after = from_nearby(before, LOW, HIGH)
    assert after.origins[0] == pytest.approx([HIGH[0] + FAR_MARGIN_M, 10, 5], abs=1e-6)
    assert after.origins[1] == pytest.approx([3, 4, HIGH[2] + FAR_MARGIN_M], abs=1e-6)
    for row in (0, 1):
        check_same_line(before, after, row)
    # The near one among them is the same to the bit.
    assert after.origins[2].tolist() == before.origins[2].tolist()
    assert after.reach[2] == before.reach[2] and after.skipped[2] == before.skipped[2]


def test_aimed_from_any_side_at_a_point_inside() -> None:
    random = np.random.default_rng(5)
    target = random.uniform(LOW, HIGH, (500, 3))
    away = random.normal(size=(500, 3))
    away /= np.linalg.norm(away, axis=1)[:, None]
    origins = target + random.uniform(2e4, 8e5, (500, 1)) * away
    reach = np.linalg.norm(target - origins, axis=1)
    before = sight_rays(origins, -away, reach)
    after = from_nearby(before, LOW, HIGH)
    for row in range(0, 500, 25):
        check_same_line(before, after, row)
    outer_low, outer_high = LOW - FAR_MARGIN_M, HIGH + FAR_MARGIN_M
    on_the_box = np.minimum(np.abs(after.origins - outer_low), np.abs(after.origins - outer_high)).min(axis=1)
    assert on_the_box.max() < 1e-6
    end = after.origins - after.reach[:, None] * away
    assert np.abs(end - target).max() < 1.001 * GRAZE_TOLERANCE_M + 1e-6


def test_what_misses_the_box_has_nothing_left() -> None:
    far = 20_000.0
    origins = np.array([[far, 0, 5], [far, 0, 5], [far, 60.0, 5], [0, 0, far], [far, 0, 31.5]])
    towards = np.array([EAST, unit(-1, 0, 0.01), -EAST, EAST, -EAST])
    after = from_nearby(sight_rays(origins, towards), LOW, HIGH)
    assert (after.reach < 0).all()
    assert np.isfinite(after.origins).all() and np.abs(after.origins).max() <= EXTENT_LIMIT_M


def test_a_ray_that_ends_before_the_box_has_nothing_left() -> None:
    after = from_nearby(sight_rays(np.array([[20_000.0, 0, 5]]), -EAST, 19_000.0), LOW, HIGH)
    assert after.reach[0] < 0


def test_along_the_face_of_the_box_and_from_inside_it() -> None:
    """0 / 0 where the origin lies on the plane of a face that the ray runs along: it enters all the same."""
    edge = np.array([[20_000.0, HIGH[1] + FAR_MARGIN_M, 5.0]])
    assert from_nearby(sight_rays(edge, -EAST), LOW, HIGH).reach[0] > 0
    tall = np.array([0.0, 0.0, 20_000.0])
    inside = sight_rays(np.array([[0.0, 0.0, 9_000.0]]), EAST, 300.0)
    after = from_nearby(inside, LOW, HIGH + tall)
    assert after.origins.tolist() == inside.origins.tolist()
    assert after.reach.tolist() == inside.reach.tolist()


@pytest.mark.parametrize("lifted", [False, True])
@pytest.mark.parametrize("one_way", [False, True])
def test_quick_rays_are_the_same_rays(lifted: bool, one_way: bool) -> None:
    rng = np.random.default_rng(4)
    points = rng.uniform(-500.0, 500.0, (50, 3))
    ways = rng.normal(size=(50, 3))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    towards = ways[0] if one_way else ways
    slow = (occlusion_rays if lifted else sight_rays)(points, towards)
    quick = quick_rays(points, towards, lifted, 4)
    assert quick is not None
    start, way = quick
    np.testing.assert_array_equal(start[:, :3], slow.origins.astype(np.float32))
    np.testing.assert_array_equal(way[:, :3], slow.directions.astype(np.float32))
    assert (slow.skipped == GRAZE_TOLERANCE_M).all()


def test_rays_that_need_a_look_are_not_quick() -> None:
    points, way = np.zeros((3, 3)), np.array([0.0, 0.0, 1.0])
    assert quick_rays(points, way, True, 3) is not None
    for broken in (np.nan, np.inf, 2.0 * EXTENT_LIMIT_M):
        strange = points.copy()
        strange[1, 0] = broken
        assert quick_rays(strange, way, True, 3) is None
    assert quick_rays(points, 1.01 * way, True, 3) is None
    assert quick_rays(points, np.array([0.0, 0.0, np.nan]), True, 3) is None
    assert quick_rays(points.astype(np.float32), way, True, 3) is None
