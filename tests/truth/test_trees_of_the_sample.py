"""The synthetic valley knows its stems: trees of towns that were not looked at while tuning.

A true tree counts from the least height of a tree on. Trees and stems are matched one to one, the nearest pair first,
up to 2 m apart; what is left over on either side is an error. The ground is the points' own, outlines are true.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from scipy.spatial import cKDTree

from pipelines.classify import LOOSE_CLASSES
from pipelines.sample.cells import pack
from pipelines.sample.layout import make_town
from pipelines.sample.scanner import calibrated
from pipelines.sample.sizes import sample_size
from pipelines.sample.town import Town
from twin.classify.tables import PointClass, load_class_table
from twin.model.objects import Tree
from twin.model.pointcloud import PointCloud
from twin.model.raster import Grid
from twin.region import Region
from twin.terrain.accumulate import SurfaceAccumulator
from twin.terrain.voids import fill_voids
from twin.vegetation.trees import MIN_HEIGHT_M, detect_trees

SEEDS = (701, 702, 703)
MATCH_M = 2.0
Found = list[tuple[Town, tuple[Tree, ...], tuple[Tree, ...]]]


def trees_of(town: Town, cloud: PointCloud, away: float) -> tuple[Tree, ...]:
    grid = Grid.over(cloud.frame, town.window, 0.5)
    cells = SurfaceAccumulator(grid, LOOSE_CLASSES if away else frozenset())
    cells.add(cloud)
    dtm, _ = fill_voids(cells.ground())
    return detect_trees(cells.canopy(), dtm, [b.outline.buffer(away) for b in town.buildings])


@pytest.fixture(scope="module")
def found() -> Found:
    """Town, trees by the campaign's classes, trees where all above ground shares one class."""
    out = []
    table = load_class_table("spw-2021")
    for seed in SEEDS:
        town = make_town(sample_size("demo"), seed)
        points = calibrated(town, pack(town), 2, [town.window]).tile(town.window)
        cloud = PointCloud(
            town.size.frame(),
            points.xyz,
            table.map(points.code, "sample"),
            points.return_number,
            points.number_of_returns,
        )
        ground = np.isin(cloud.classification, (PointClass.GROUND, PointClass.WATER))
        poor = cloud.classed(np.where(ground, cloud.classification, PointClass.UNCLASSIFIED).astype(np.uint8))
        out.append((town, trees_of(town, cloud, 0.0), trees_of(town, poor, 1.0)))
    return out


class Score(NamedTuple):
    f1: float
    bias: float
    text: str


def score(town: Town, trees: tuple[Tree, ...]) -> Score:
    truth = [t for t in town.trees if t.height >= MIN_HEIGHT_M]
    mine, theirs = (np.array([[t.x, t.y] for t in side]) for side in (trees, truth))
    near = cKDTree(theirs).query_ball_point(mine, MATCH_M)
    pairs = sorted((float(np.hypot(*(mine[i] - theirs[j]))), i, j) for i, js in enumerate(near) for j in js)
    taken: tuple[set[int], set[int]] = set(), set()
    gaps, rises = [], []
    for gap, i, j in pairs:
        if i in taken[0] or j in taken[1]:
            continue
        taken[0].add(i)
        taken[1].add(j)
        gaps.append(gap)
        rises.append(trees[i].height - truth[j].height)
    f1 = 2 * len(rises) / (len(trees) + len(truth))
    bias = float(np.median(rises))
    spread = 1.4826 * float(np.median(np.abs(np.array(rises) - bias)))
    recall, precision = len(rises) / len(truth), len(rises) / len(trees)
    return Score(
        f1,
        bias,
        f"{len(truth)} stems: F1 {f1:.3f}, recall {recall:.3f}, precision {precision:.3f}; "
        f"height bias {bias:+.2f} m, NMAD {spread:.2f} m; stems off by {np.median(gaps):.2f} m",
    )


@pytest.mark.parametrize("classes", ["campaign's classes", "one class above ground"])
def test_stems_and_heights_are_true(found: Found, classes: str) -> None:
    for seed, (town, by_class, by_returns) in zip(SEEDS, found, strict=True):
        got = score(town, by_class if classes.startswith("camp") else by_returns)
        print(f"seed {seed}, {classes}: {got.text}")
        assert got.f1 >= 0.75 and abs(got.bias) <= 0.3


def test_crowns_are_marked_as_they_were_seen(found: Found) -> None:
    trees = [tree for _, by_class, _ in found for tree in by_class]
    assert all(t.crown_returns is not None and t.crown_returns > 0 for t in trees)
    assert all(t.crown_cover is not None and 0 < t.crown_cover <= 1 for t in trees)
    # Bare crowns return enough in the middle, and few of them are so thin that they are mostly completed.
    assert 0 < np.mean([t.crown_thin for t in trees]) < 0.5
    assert np.mean([t.crown_base_seen for t in trees]) > 0.8


def test_a_dense_wood_is_told_apart() -> None:
    """Crowns that overlap, on the slope of the valley-wide sample; what stands beyond its border is no error."""
    size, region = sample_size("valley"), Region(-900.0, -1500.0, -700.0, -1300.0)
    town = make_town(size, SEEDS[2])
    points = calibrated(town, pack(town), 1, [region]).tile(region)
    codes = load_class_table("spw-2021").map(points.code, "sample")
    cells = SurfaceAccumulator(Grid.over(size.frame(), region, 0.5))
    cells.add(PointCloud(size.frame(), points.xyz, codes, points.return_number, points.number_of_returns))
    dtm, _ = fill_voids(cells.ground())
    trees = detect_trees(cells.canopy(), dtm, [b.outline for b in town.buildings])
    inside = [t for t in town.trees if region.west < t.x < region.east and region.south < t.y < region.north]
    got = score(replace(town, trees=inside), trees)
    print(f"dense wood: {got.text}")
    assert got.f1 >= 0.75 and abs(got.bias) <= 0.3
