"""The sample keeps its word: points lie on the true surfaces within the stated noise, and hide each other."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from pipelines.sample.cells import pack
from pipelines.sample.layout import make_town
from pipelines.sample.scanner import PLAN_NOISE_M, RANGE_NOISE_M, Returns, calibrated
from pipelines.sample.sizes import sample_size
from pipelines.sample.town import Town
from pipelines.sample.truth import roof_planes, true_buildings, true_ground, volume_above_ground
from tests.tolerances import SAMPLE_GROUND_M, SAMPLE_RESIDUAL_SHARE

SEED = 77


@pytest.fixture(scope="module")
def town() -> Town:
    return make_town(sample_size("small"), SEED)


@pytest.fixture(scope="module")
def points(town: Town) -> Returns:
    return calibrated(town, pack(town), 1, [town.window]).tile(town.window)


def test_roof_points_lie_on_their_planes(town: Town, points: Returns) -> None:
    scores = []
    for number, building in enumerate(town.buildings):
        mine = (points.source == 0) & (points.owner == number)
        xyz = points.xyz[mine]
        # Stay off the edges: noise in plan carries points over ridges.
        for polygon, (a, b, c) in roof_planes(building):
            core = polygon.buffer(-5 * PLAN_NOISE_M)
            on = xyz[shapely.contains_xy(core, xyz[:, 0], xyz[:, 1])]
            noise = np.sqrt(RANGE_NOISE_M**2 + (a * a + b * b) * PLAN_NOISE_M**2)
            scores.append((on[:, 2] - on[:, :2] @ [a, b] - c) / noise)
    z = np.concatenate(scores)
    assert len(z) > 20_000
    assert abs(z.mean()) < SAMPLE_RESIDUAL_SHARE
    # A slanted pulse also moves sideways with its range; that stays within the share.
    assert z.std() == pytest.approx(1.0, abs=2 * SAMPLE_RESIDUAL_SHARE)
    assert np.abs(z).max() < 6.0


def test_every_roof_is_seen(town: Town, points: Returns) -> None:
    seen = np.bincount(
        points.owner[(points.source == 0) & (points.owner >= 0)], minlength=len(town.buildings)
    )
    area = np.array([b.outline.area for b in town.buildings])
    assert (seen / area > 3.0).all()


def test_ground_points_lie_on_the_ground_and_not_in_houses(town: Town, points: Returns) -> None:
    ground = points.xyz[points.code == 2]
    off = ground[:, 2] - town.valley.heights(ground[:, 0], ground[:, 1])
    assert np.median(np.abs(off)) < SAMPLE_GROUND_M
    inside = shapely.union_all([b.outline for b in town.buildings]).buffer(-5 * PLAN_NOISE_M)
    shapely.prepare(inside)
    assert not shapely.contains_xy(inside, ground[:, 0], ground[:, 1]).any()


def test_walls_hide_ground_behind_them(town: Town, points: Returns) -> None:
    """Beside tall walls there is less ground than on open land."""
    tall = [b for b in town.buildings if max(h for f in b.shape.faces for _, h in f) - b.bottom > 12.0]
    assert tall
    ground = points.xyz[points.source == 2]
    shadows = []
    for building in tall:
        ring = building.outline.buffer(1.5, join_style="mitre").difference(building.outline)
        near = shapely.contains_xy(ring, ground[:, 0], ground[:, 1]).sum()
        shadows.append(near / ring.area)
    assert 0.2 < np.mean(shadows) < 5.0


def test_crowns_let_pulses_through(points: Returns) -> None:
    first = points.return_number == 1
    crowns = points.source == 3
    assert (points.number_of_returns[crowns & first] > 1).mean() > 0.25


def test_tree_tops_are_found_near_their_height(town: Town, points: Returns) -> None:
    gaps = []
    for number, tree in enumerate(town.trees):
        if tree.height > 6.0:
            z = points.xyz[(points.source == 3) & (points.owner == number), 2]
            if len(z) > 20:
                gaps.append(tree.ground + tree.height - z.max())
    assert len(gaps) > 20
    assert -0.2 < np.median(gaps) < 0.8


def test_true_solids_are_valid(town: Town) -> None:
    from twin.validation.validate import validate_geometry

    for building in true_buildings(town):
        assert validate_geometry(building.geometries[0]) == ()


def test_true_volume_follows_the_ground(town: Town) -> None:
    building = max(town.buildings, key=lambda b: b.outline.area)
    volume, ground = volume_above_ground(town, building)
    planes = building.planes()
    top = sum(
        part.area * (a * part.centroid.x + b * part.centroid.y + c)
        for face, (a, b, c) in zip(building.shape.faces, planes, strict=True)
        for part in [shapely.Polygon(building.shape.points[[k for k, _ in face]])]
    )
    assert volume == pytest.approx(top - building.outline.area * ground.mean())
    assert building.bottom == pytest.approx(ground.min(), abs=0.1)


def test_the_true_ground_is_the_ground(town: Town) -> None:
    raster = true_ground(town)
    xy = raster.grid.centres()
    assert raster.values.ravel() == pytest.approx(town.valley.heights(xy[:, 0], xy[:, 1]), abs=1e-4)
