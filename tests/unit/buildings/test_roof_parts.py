"""The parts of a reconstruction, each against something that can be counted: planes, lines, cells, labels, faces."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import shapely

from tests.roof_worlds import corner_house, gable, hip, pinwheel, tower
from twin.buildings.cells import cells_of, cut_outline
from twin.buildings.labelling import _energy, _expand, _expansion
from twin.buildings.lines import find_lines
from twin.buildings.planes import find_planes
from twin.buildings.roofmap import regions_of, roof_map, settle, without_slivers


def sorted_points(world, **how):
    points = world.points(**how) - [30.0, -60.0, 0.0]
    return points[np.lexsort(points.T[::-1])], shapely.transform(world.outline, lambda xy: xy - [30.0, -60.0])


@pytest.mark.parametrize(("make", "count"), [(gable, 2), (hip, 4), (tower, 2), (corner_house, 4)])
def test_planes_are_those_that_were_drawn(make, count) -> None:
    world = make(turn=61.0)
    points, _ = sorted_points(world)
    found = find_planes(points, 8.0)
    assert len(found.planes) == count
    assert (np.diff(np.bincount(found.label[found.label >= 0])) <= 0).all(), "the largest first"
    assert (found.label < 0).mean() < 0.02
    pitches = sorted(float(np.hypot(a, b)) for _, (a, b, _) in world.pieces)[-count:]
    got = sorted(np.hypot(*found.planes[:, :2].T))
    assert np.abs(np.arctan(got) - np.arctan(sorted(pitches)[-count:])).max() < np.radians(0.6)


def test_walls_are_no_planes() -> None:
    rng = np.random.default_rng(2)
    wall = np.column_stack([rng.uniform(0, 10, 400), rng.normal(0, 0.02, 400), rng.uniform(60, 70, 400)])
    found = find_planes(wall[np.lexsort(wall.T[::-1])], 8.0)
    assert len(found.planes) == 0 and found.wall.mean() > 0.5


def test_too_few_points_have_no_planes() -> None:
    for n in range(5):
        found = find_planes(np.zeros((n, 3)), 8.0)
        assert len(found.planes) == 0 and len(found.label) == n
    assert len(find_planes(np.zeros((50, 3)), 8.0).planes) == 0, "all in one place"


def test_the_ridge_of_a_gable_is_its_line() -> None:
    world = gable(turn=33.0)
    points, outline = sorted_points(world)
    lines = find_lines(points, find_planes(points, 8.0), outline, 8.0)
    assert lines.cut.tolist() == [True]
    ends = world.place(np.array([[-6.0, 0.0], [6.0, 0.0]])) - [30.0, -60.0]
    ridge = shapely.LineString(ends)
    assert shapely.distance(shapely.points(lines.ends[0]), ridge).max() < 0.08
    assert shapely.LineString(lines.ends[0]).length == pytest.approx(12.0, abs=0.8)


def test_a_core_is_bounded_by_four_steps_parallel_to_the_outline() -> None:
    points, outline = sorted_points(tower())
    lines = find_lines(points, find_planes(points, 8.0), outline, 8.0)
    assert len(lines.ends) == 4 and not lines.cut.any()
    run = np.diff(lines.ends, axis=1)[:, 0]
    turn = np.degrees(np.arctan2(run[:, 1], run[:, 0])) - 27.0
    assert np.abs(np.mod(turn + 45.0, 90.0) - 45.0).max() < 1e-6
    assert sorted(np.hypot(*run.T)) == pytest.approx([5, 5, 6, 6], abs=1.3)


def test_cells_part_the_outline_and_know_their_neighbours() -> None:
    outline = shapely.box(0, 0, 10, 8).difference(shapely.box(4, 3, 6, 5))
    cells = cut_outline(
        outline, np.array([[[0, 2], [10, 2]], [[5, 0], [5, 8]], [[1, 7], [2, 6]]], dtype=float)
    )
    assert cells.areas.sum() == pytest.approx(outline.area, abs=1e-6)
    inner = np.flatnonzero(cells.twin >= 0)
    assert (cells.twin[cells.twin[inner]] == inner).all()
    assert (cells.edges[inner] == cells.edges[cells.twin[inner]][:, ::-1]).all()
    assert cells.lengths[cells.twin < 0].sum() == pytest.approx(outline.length, abs=1e-6)
    for k in range(len(cells)):
        a, b = cells.nodes[cells.edges[cells.cell == k]].transpose(1, 0, 2)
        assert np.sum(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2 == pytest.approx(cells.areas[k], abs=1e-6)


def test_an_expansion_is_the_best_of_all_choices() -> None:
    """Every labelling that one expansion can reach, counted out."""
    rng = np.random.default_rng(12)
    for _ in range(60):
        n, labels = int(rng.integers(2, 9)), int(rng.integers(2, 5))
        cost = rng.uniform(0, 3, (n, labels))
        pairs = np.array(
            [p for p in product(range(n), repeat=2) if p[0] < p[1] and rng.random() < 0.6], np.int32
        )
        if not len(pairs):
            continue
        weight = rng.uniform(0, 2, len(pairs))
        label = rng.integers(0, labels, n).astype(np.int32)
        alpha = int(rng.integers(labels))
        best = min(
            _energy(cost, pairs, weight, np.where(turn, alpha, label).astype(np.int32))
            for turn in (np.array(t) for t in product((False, True), repeat=n))
        )
        got = _expansion(cost, pairs, weight, label, alpha)
        assert set(np.flatnonzero(got != label)) <= set(np.flatnonzero(got == alpha))
        assert _energy(cost, pairs, weight, got) == pytest.approx(best, abs=1e-9)
        before = _energy(cost, pairs, weight, label)
        _expand(cost, pairs, weight, label, 8)
        assert _energy(cost, pairs, weight, label) <= before + 1e-9


def quarters() -> shapely.Polygon:
    return np.array([shapely.box(x, y, x + 4, y + 4) for y in (0, 4) for x in (0, 4)], dtype=object)


def test_equal_neighbours_become_one_face_without_idle_nodes() -> None:
    cells = cells_of(quarters())
    label = np.array([0, 0, 1, 1], dtype=np.int32)[np.argsort([0, 1, 2, 3])]
    west = np.array([p.centroid.x < 4 for p in cells.polygons])
    roof = roof_map(cells, np.where(west, 0, 1).astype(np.int32), np.array([[0, 0, 9.0], [0, 0, 5.0]]))
    assert [len(rings) for rings in roof.rings] == [1, 1]
    assert sorted(len(rings[0]) for rings in roof.rings) == [4, 4]
    assert len(regions_of(cells, label)) == 4 and len(roof.outline()[0]) == 6


def test_quarters_that_would_touch_are_parted() -> None:
    cells = cells_of(quarters())
    high = np.array([(p.centroid.x < 4) == (p.centroid.y < 4) for p in cells.polygons])
    roof = roof_map(cells, (~high).astype(np.int32), np.array([[0, 0, 9.0], [0, 0, 5.0]]))
    assert settle(roof)
    area = sum(
        shapely.Polygon([roof.xy[n] for n in rings[0]], [[roof.xy[n] for n in r] for r in rings[1:]]).area
        for rings in roof.rings
    )
    assert area == pytest.approx(64.0, abs=1e-6)


def test_slivers_go_to_the_neighbour_with_the_longest_border() -> None:
    polygons = np.array(
        [shapely.box(0, 0, 5, 4), shapely.box(5, 0, 5.1, 4), shapely.box(5.1, 0, 9, 4)], dtype=object
    )
    cells = cells_of(polygons)
    label = without_slivers(cells, np.array([0, 1, 2], dtype=np.int32))
    assert len(set(label.tolist())) == 2
    whole = cells_of(np.array([shapely.box(0, 0, 0.1, 0.1)], dtype=object))
    assert without_slivers(whole, np.zeros(1, np.int32)).tolist() == [0]


def test_a_pinwheel_needs_its_corners_cut() -> None:
    points, outline = sorted_points(pinwheel())
    found = find_planes(points, 8.0)
    assert len(found.planes) in (2, 4)
    assert len(find_lines(points, found, outline, 8.0).ends) >= 2
