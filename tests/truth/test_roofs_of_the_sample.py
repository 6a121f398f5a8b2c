"""The synthetic valley knows its roofs: volumes, planes and solids of towns that were not looked at while tuning.

Outlines are the true ones (a map's error of decimetres is not the reconstruction's), points are the scanner's.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

from pipelines.sample.cells import pack
from pipelines.sample.layout import make_town
from pipelines.sample.scanner import calibrated
from pipelines.sample.sizes import sample_size
from pipelines.sample.things import ABOVE_GROUND, TrueBuilding
from pipelines.sample.town import Town
from pipelines.sample.truth import roof_planes, true_ground, volume_above_ground
from twin.buildings.reconstruct import reconstruct
from twin.model.faces import area_vector
from twin.model.objects import Building, Footprint
from twin.model.surface import Surface
from twin.terrain.make import terrain_from_rasters
from twin.terrain.sampler import TinSampler
from twin.validation.validate import validate_geometry
from twin.validation.volumes import solid_volume

SEEDS = (301, 302, 303)
Found = tuple[Town, TrueBuilding, Building]


def roof_points(points: NDArray[np.float64], b: TrueBuilding, ground: TinSampler) -> NDArray[np.float64]:
    inside = points[shapely.contains_xy(b.outline, points[:, 0], points[:, 1])]
    return inside[inside[:, 2] - ground.heights(inside[:, :2]) > 2.0]


def towns(share: float) -> Iterator[Found]:
    for seed in SEEDS:
        town = make_town(sample_size("small"), seed)
        returns = calibrated(town, pack(town), 1, [town.window]).tile(town.window)
        points = returns.xyz[returns.code == ABOVE_GROUND]
        points = points[np.random.default_rng(seed).random(len(points)) < share]
        ground = TinSampler(terrain_from_rasters(true_ground(town)).tin)
        frame = town.size.frame()
        for b in town.buildings:
            mine = roof_points(points, b, ground)
            yield town, b, reconstruct(Footprint(b.id, frame, b.outline), mine, ground)


@pytest.fixture(scope="module")
def built() -> list[Found]:
    return list(towns(1.0))


def volume_errors(built: list[Found]) -> NDArray[np.float64]:
    made = [(town, b, m) for town, b, m in built if m.failure is None]
    return np.array(
        [
            100 * (solid_volume(m.geometries[-1]) / volume_above_ground(town, b)[0] - 1)
            for town, b, m in made
            if b.outline.area > 20.0
        ]
    )


def test_nearly_all_are_lod_2_2_and_all_are_valid(built) -> None:
    full = sum(m.failure is None and m.geometries[-1].lod == "2.2" for _, _, m in built)
    print(f"LoD 2.2: {full} of {len(built)}")
    assert len(built) > 90 and full >= 0.97 * len(built)
    assert all(validate_geometry(g) == () for _, _, m in built for g in m.geometries)


def test_volumes_are_true(built) -> None:
    error = np.abs(volume_errors(built))
    print(f"volume error: median {np.median(error):.2f} %, p95 {np.percentile(error, 95):.2f} %")
    assert np.median(error) <= 1.5 and np.percentile(error, 95) <= 6.0


def test_volumes_hold_at_two_points_a_square_metre() -> None:
    error = np.abs(volume_errors(list(towns(2.0 / 6.8))))
    print(f"volume error at 2 points/m2: median {np.median(error):.2f} %")
    assert np.median(error) <= 4.0


def faces(building: Building) -> list[tuple[shapely.Polygon, NDArray[np.float64]]]:
    solid = building.geometries[-1]
    out = []
    for k in np.flatnonzero(solid.semantics == Surface.ROOF):
        rings = [solid.vertices[list(r), :2] for r in solid.surfaces[k]]
        normal = area_vector(solid, int(k))
        out.append((shapely.Polygon(rings[0], rings[1:]), normal / np.linalg.norm(normal)))
    return out


def hits(a, b) -> tuple[int, int]:
    """Planes of at least 10 m2 with a counterpart: half of the union in plan, within 10 degrees."""
    found = total = 0
    for polygon, normal in a:
        if polygon.area < 10.0:
            continue
        total += 1
        for other, n in b:
            both = polygon.intersection(other).area
            if both / (polygon.area + other.area - both) >= 0.5 and normal @ n > np.cos(np.radians(10)):
                found += 1
                break
    return found, total


def test_large_planes_are_found_and_no_others(built) -> None:
    recall, precision = np.zeros(2), np.zeros(2)
    for _, b, m in built:
        if m.failure is not None:
            continue
        truth = [(p, np.array([-x, -y, 1.0]) / np.sqrt(x * x + y * y + 1)) for p, (x, y, _) in roof_planes(b)]
        made = faces(m)
        recall += hits(truth, made)
        precision += hits(made, truth)
    print(f"planes >= 10 m2: recall {recall[0] / recall[1]:.3f}, precision {precision[0] / precision[1]:.3f}")
    assert recall[0] / recall[1] >= 0.95 and precision[0] / precision[1] >= 0.95


def top_of(planes, xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Highest of some plane pieces over points (n,), minus infinity beside them."""
    z = np.full(len(xy), -np.inf)
    for polygon, (a, b, c) in planes:
        on = shapely.contains_xy(polygon, xy[:, 0], xy[:, 1])
        z[on] = np.maximum(z[on], a * xy[on, 0] + b * xy[on, 1] + c)
    return z


def plane_pieces(building: Building):
    """Roof faces as polygons and planes z = a x + b y + c."""
    solid = building.geometries[-1]
    for k, (polygon, normal) in zip(
        np.flatnonzero(solid.semantics == Surface.ROOF), faces(building), strict=True
    ):
        corner = solid.vertices[solid.surfaces[k][0][0]]
        a, b = -normal[0] / normal[2], -normal[1] / normal[2]
        yield polygon, (a, b, corner[2] - a * corner[0] - b * corner[1])


def test_solids_share_their_space_with_the_true_ones(built) -> None:
    """3D intersection over union above the true ground, in columns of 0.25 m."""
    shares = []
    for town, b, m in built:
        if m.failure is not None or b.outline.area <= 20.0:
            continue
        west, south, east, north = b.outline.buffer(0.5).bounds
        x, y = np.meshgrid(np.arange(west, east, 0.25), np.arange(south, north, 0.25))
        xy = np.column_stack([x.ravel(), y.ravel()])
        ground = town.valley.heights(xy[:, 0], xy[:, 1])
        ours, true = (np.maximum(top_of(p, xy) - ground, 0.0) for p in (plane_pieces(m), roof_planes(b)))
        shares.append(np.minimum(ours, true).sum() / np.maximum(ours, true).sum())
    print(f"3D IoU: median {np.median(shares):.3f}, p5 {np.percentile(shares, 5):.3f}")
    assert np.median(shares) >= 0.96
