"""Whatever the points say, what is shipped is a valid solid or a recorded reason."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from shapely.affinity import rotate, translate

from tests.building_worlds import CENTRE, FRAME, hills, ramp, sampler
from twin.buildings.reconstruct import reconstruct
from twin.model.objects import Footprint
from twin.validation.validate import validate_geometry
from twin.validation.volumes import solid_volume

GROUNDS = (sampler(ramp), sampler(hills), sampler(lambda x, y: np.full(np.shape(x), 60.0)))


def outline(rng: np.random.Generator) -> shapely.Polygon:
    """A union of rectangles, sometimes turned against one another, sometimes with a court."""
    parts = []
    for _ in range(int(rng.integers(1, 4))):
        w, d = rng.uniform(2, 14, 2)
        box = translate(shapely.box(-w / 2, -d / 2, w / 2, d / 2), *rng.uniform(-4, 4, 2))
        parts.append(rotate(box, float(rng.choice([0.0, 0.0, 7.0, 45.0])), origin=(0, 0)))
    whole = max(shapely.get_parts(shapely.union_all(parts)), key=lambda p: p.area)
    if rng.random() < 0.3:
        whole = max(shapely.get_parts(whole.difference(shapely.box(-1, -1, 1, 1))), key=lambda p: p.area)
    return translate(rotate(whole, float(rng.uniform(0, 360)), origin=(0, 0)), *CENTRE)


def points(rng: np.random.Generator, polygon: shapely.Polygon) -> np.ndarray:
    """Patches of random planes, bars of walls, and stray points."""
    west, south, east, north = polygon.bounds
    n = int(rng.integers(0, 900))
    xy = rng.uniform((west, south), (east, north), (n, 2))
    xy = xy[shapely.contains_xy(polygon, xy)]
    z = np.full(len(xy), 75.0)
    for _ in range(int(rng.integers(1, 7))):
        angle = rng.uniform(0, np.pi)
        side = (xy - CENTRE) @ [np.cos(angle), np.sin(angle)] > rng.uniform(-5, 5)
        slope = rng.uniform(-1.5, 1.5, 2) if rng.random() < 0.7 else np.zeros(2)
        z = np.where(side, (xy - CENTRE) @ slope + rng.uniform(66, 90), z)
    z = z + rng.normal(0, 0.03, len(xy))
    stray = rng.random(len(xy)) < 0.05
    return np.column_stack([xy, np.where(stray, rng.uniform(60, 100, len(xy)), z)])


@pytest.mark.parametrize("seed", range(6))
def test_random_roofs_end_valid_or_with_a_reason(seed: int) -> None:
    rng = np.random.default_rng([7, seed])
    reached = 0
    for k in range(40):
        polygon = outline(rng)
        made = reconstruct(Footprint(f"{seed}-{k}", FRAME, polygon), points(rng, polygon), GROUNDS[k % 3])
        if made.failure is not None:
            assert made.failure.reason in (
                "no_points",
                "too_few_points",
                "roof_below_ground",
            )
            continue
        for solid in made.geometries:
            assert validate_geometry(solid) == (), (seed, k, solid.lod)
            assert solid_volume(solid) > 0
        assert made.geometries[-1].lod == "2.2" or made.attributes["fallback"]
        reached += made.geometries[-1].lod == "2.2"
    assert reached > 15
