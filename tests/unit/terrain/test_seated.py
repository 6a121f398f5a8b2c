"""Buildings on slopes up to 30 %: every foot of a wall is walked against the terrain."""

from __future__ import annotations

import numpy as np
import pytest

from tests.building_worlds import CENTRE, FRAME, block, court, existing, feet
from twin.buildings.rings import clean_polygon
from twin.model.raster import Grid, Raster
from twin.model.surface import Surface
from twin.terrain.make import terrain_from_rasters
from twin.terrain.sampler import TinSampler

FOOT_M = 0.02
"""What a foot may miss the triangles by [m]; a gap counts from 0.1 m."""


@pytest.mark.parametrize("slope", [0.05, 0.15, 0.30])
def test_no_foot_leaves_the_terrain_and_the_base_is_edges_of_it(slope):
    grid = Grid(FRAME, CENTRE[0] - 35, CENTRE[1] + 35, 0.5, 140, 140)
    x, y = np.meshgrid(grid.x_centres(), grid.y_centres())
    noise = np.random.default_rng(3).normal(0, 0.03, grid.shape)
    z = 80 + slope * (0.8 * (x - CENTRE[0]) + 0.6 * (y - CENTRE[1])) + 0.4 * np.sin(x / 4) + noise
    outlines = [block(8, 6, (-18, 9)), block(12, 7, (-14, -17), 11), block(12, 7, (-2.2, -14.6), 11), court()]
    hidden = np.zeros(grid.shape, dtype=bool)
    for polygon in outlines:
        low_x, low_y, high_x, high_y = polygon.buffer(-1).bounds
        hidden |= (x > low_x + 2) & (x < high_x - 2) & (y > low_y + 2) & (y < high_y - 2)
    clean = [p for p in map(clean_polygon, outlines) if p is not None]
    ground = Raster(grid, np.where(hidden, np.nan, z).astype(np.float32))
    land = terrain_from_rasters(ground, max_error_m=0.15, edges=clean)
    sampler = TinSampler(land.tin)
    for number, polygon in enumerate(clean):
        (geometry,) = existing(f"b-{number}", polygon, sampler, 120.0).geometries
        walked = feet(geometry)
        assert len(walked) > 30
        assert np.abs(walked[:, 2] - sampler.heights(walked[:, :2])).max() < FOOT_M
        marked = geometry.vertices[
            sorted(
                {
                    i
                    for rings, code in zip(geometry.surfaces, geometry.semantics, strict=True)
                    if code == Surface.GROUND
                    for i in rings[0]
                }
            )
        ]
        corners = {tuple(np.round(v, 4)) for v in land.tin.vertices}
        assert all(tuple(np.round(v, 4)) in corners for v in marked if _is_corner(v, polygon))


def _is_corner(vertex, polygon):
    rings = [np.asarray(r.coords) for r in (polygon.exterior, *polygon.interiors)]
    return min(np.hypot(*(r - vertex[:2]).T).min() for r in rings) < 1e-6


def test_a_steep_heap_keeps_its_height_and_slope():
    grid = Grid(FRAME, CENTRE[0] - 60, CENTRE[1] + 60, 0.5, 240, 240)
    x, y = np.meshgrid(grid.x_centres(), grid.y_centres())
    away = np.hypot(x - CENTRE[0] - 3.3, y - CENTRE[1] + 4.1)
    truth = 70 + np.maximum(0.0, 30 - np.tan(np.radians(35)) * away)
    land = terrain_from_rasters(Raster(grid, truth.astype(np.float32)), max_error_m=0.15)
    assert land.tin_max_error <= 0.15
    assert abs(land.tin.vertices[:, 2].max() - truth.max()) <= 0.15
    along = np.column_stack([CENTRE[0] + 3.3 + np.array([5.0, 35.0]), np.full(2, CENTRE[1] - 4.1)])
    high, low = TinSampler(land.tin).heights(along)
    assert np.degrees(np.arctan((high - low) / 30.0)) == pytest.approx(35.0, abs=0.6)
