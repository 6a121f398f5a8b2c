"""The synthetic valley knows its stems: trees of towns and woods that were not looked at while tuning."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from pipelines.sample.cells import pack
from pipelines.sample.layout import make_town
from pipelines.sample.scanner import calibrated
from pipelines.sample.sizes import sample_size
from twin.classify.tables import load_class_table
from twin.model.pointcloud import PointCloud
from twin.model.raster import Grid
from twin.region import Region
from twin.terrain.accumulate import SurfaceAccumulator
from twin.terrain.make import terrain_from_rasters
from twin.vegetation.trees import MIN_HEIGHT_M, detect_trees

REACH_M = 2.0
"""A tree that is found stands so near to a stem [m]; each stem has one."""
TOWN = Region(-332.0, -355.0, -32.0, 0.0)
"""The demo's wood on the slope and the town before it."""
WOOD = Region(-900.0, -1500.0, -700.0, -1300.0)
"""Dense wood of the valley-wide sample."""

Found = tuple[NDArray[np.float64], NDArray[np.float64]]


def stems_and_trees(size: str, seed: int, region: Region | None) -> Found:
    """x, y, height of the stems and of the trees found, local space [m]."""
    town = make_town(sample_size(size), seed)
    place = region or town.window
    returns = calibrated(town, pack(town), 1, [place]).tile(place)
    frame = town.size.frame()
    cells = SurfaceAccumulator(Grid.over(frame, place, 0.5))
    cells.add(PointCloud(frame, returns.xyz, load_class_table("spw-2021").map(returns.code, "sample")))
    terrain = terrain_from_rasters(cells.ground(), cells.surface())
    trees = detect_trees(cells.canopy(), terrain.dtm, [b.outline for b in town.buildings])
    stems = np.array([[t.x, t.y, t.height] for t in town.trees if t.height >= MIN_HEIGHT_M])
    inside = (place.west < stems[:, 0]) & (stems[:, 0] < place.east)
    inside &= (place.south < stems[:, 1]) & (stems[:, 1] < place.north)
    return stems[inside], np.array([[t.x, t.y, t.height] for t in trees])


def matched(stems: NDArray[np.float64], trees: NDArray[np.float64]) -> NDArray[np.int64]:
    """Pairs (k, 2) of stem and tree, the nearest first, each once."""
    near = cKDTree(stems[:, :2]).sparse_distance_matrix(cKDTree(trees[:, :2]), REACH_M, output_type="ndarray")
    pairs, used = [], (set(), set())
    for k in np.argsort(near["v"], kind="stable"):
        i, j = int(near["i"][k]), int(near["j"][k])
        if i not in used[0] and j not in used[1]:
            used[0].add(i)
            used[1].add(j)
            pairs.append((i, j))
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


@pytest.mark.parametrize(
    ("size", "seed", "region"),
    [("small", 701, None), ("demo", 702, TOWN), ("valley", 703, WOOD)],
)
def test_stems_are_found_at_their_height(size: str, seed: int, region: Region | None) -> None:
    stems, trees = stems_and_trees(size, seed, region)
    pairs = matched(stems, trees)
    recall, precision = len(pairs) / len(stems), len(pairs) / len(trees)
    f1 = 2 * recall * precision / (recall + precision)
    bias = float(np.median(trees[pairs[:, 1], 2] - stems[pairs[:, 0], 2]))
    print(
        f"{size} {seed}: {len(stems)} stems, F1 {f1:.3f} (recall {recall:.3f}, precision {precision:.3f}), "
        f"height {bias:+.2f} m"
    )
    assert len(stems) > 60
    assert f1 >= 0.75 and abs(bias) <= 0.30
