"""Delft at LoD 2.2: every footprint a valid solid, as close to its points as the best model of it."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from tests.delft_world import FOOTPRINTS, Delft, load
from twin.buildings.outline import building_footprint
from twin.buildings.quality import nmad, roof_distances, roof_triangles
from twin.buildings.reconstruct import reconstruct
from twin.model.objects import Building
from twin.terrain.sampler import TinSampler
from twin.validation.validate import validate_geometry

INSET_M = 0.5


@pytest.fixture(scope="module")
def delft(test_data) -> Delft:
    return load(test_data / "lidar" / "3dfier_delft")


@pytest.fixture(scope="module")
def buildings(delft) -> list[Building]:
    sampler = TinSampler(delft.terrain.tin)
    return [reconstruct(f, p, sampler) for f, p in zip(delft.footprints, delft.points, strict=True)]


def test_every_footprint_has_valid_solids_of_three_levels(buildings) -> None:
    full = [b for b in buildings if [g.lod for g in b.geometries] == ["1.2", "1.3", "2.2"]]
    print(f"LoD 2.2: {len(full)} of {FOOTPRINTS}")
    assert len(full) >= 158
    assert all(validate_geometry(g) == () for b in buildings for g in b.geometries)


def test_roofs_lie_on_their_points(delft, buildings) -> None:
    """The figures of the ruler for roofs: points of class 6 inside the input outline, facades and chimneys too."""
    rows = []
    for building, footprint, points in zip(buildings, delft.footprints, delft.points, strict=True):
        near, above = roof_distances(roof_triangles(building.geometries[-1]), points)
        inner = shapely.distance(shapely.points(points[:, :2]), footprint.polygon.boundary) > INSET_M
        outline = building_footprint(building)
        iou = shapely.area(outline & footprint.polygon) / shapely.area(outline | footprint.polygon)
        inset = float(np.sqrt(np.mean(near[inner] ** 2))) if inner.sum() > 3 else np.nan
        rows.append((inset, nmad(above), float((near > 0.5).mean()), iou))
    inset, spread, far, iou = np.array(rows).T
    print(
        f"rmse_roof_inset median {np.nanmedian(inset):.3f} m, p90 {np.nanpercentile(inset, 90):.3f} m; "
        f"nmad median {np.median(spread):.4f} m; "
        f"share > 0.5 m median {np.median(far):.1%}; IoU median {np.median(iou):.4f}"
    )
    assert np.nanmedian(inset) <= 0.21 and np.nanpercentile(inset, 90) <= 0.58
    assert np.median(spread) <= 0.045 and np.median(far) <= 0.087 and np.median(iou) >= 0.98


def test_slopes_gain_by_the_level_of_detail(delft, buildings) -> None:
    gain = []
    for building, points in zip(buildings, delft.points, strict=True):
        if building.attributes["roof_type"] != "slanted":
            continue
        rmse = [
            np.sqrt(np.mean(roof_distances(roof_triangles(g), points)[0] ** 2)) for g in building.geometries
        ]
        gain.append(rmse[-1] / rmse[0])
    assert np.median(gain) <= 0.5
