"""Water on analytic ground: outlines, levels, monotone rivers, and quay walls that stay walls."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from twin.errors import InputError
from twin.model.raster import Grid, Raster
from twin.model.surface import Surface
from twin.terrain.make import terrain_from_rasters
from twin.terrain.profile import monotone
from twin.terrain.sampler import TinSampler
from twin.terrain.water import (
    SEEN_CANOPY,
    SEEN_GROUND,
    SEEN_WATER,
    find_waters,
    marked,
    outlines_of_objects,
    water_bodies,
)
from twin.validation.validate import validate_geometry

FALL = 0.004


def valley(frame, turn_deg=27.0, half=12.0, quay=3.0, seed=5, share=0.5):
    """A turned river of 24 m that falls 4 mm a metre between quays 3 m high; half of its cells were met."""
    grid = Grid(frame, -83.0, 71.0, 0.5, 260, 310)
    xy = grid.centres()
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    along, across = xy @ [c, s], xy @ [-s, c] - 4.0
    wet = np.abs(across) < half
    level = 60.0 - FALL * along
    z = np.where(wet, level, level + quay + 0.02 * (np.abs(across) - half))
    rng = np.random.default_rng(seed)
    noise, met = rng.normal(0.0, 0.03, len(z)), rng.random(len(z)) < share
    values = np.where(met, z + noise, np.nan).astype(np.float32).reshape(grid.shape)
    bits = np.where(met, np.where(wet, SEEN_WATER, SEEN_GROUND), 0).astype(np.uint8).reshape(grid.shape)
    return Raster(grid, values), Raster(grid, bits), wet.reshape(grid.shape), z.reshape(grid.shape), along


@pytest.mark.parametrize("turn_deg", [0.0, 27.0, 118.0, 205.0])
def test_a_river_falls_downstream_along_its_bed(frame, turn_deg):
    ground, seen, wet, z, along = valley(frame, turn_deg)
    waters = find_waters(ground, seen)
    (body,) = waters.bodies
    assert body.kind == "river"
    inside = waters.inside.values
    assert (inside & wet).sum() / (inside | wet).sum() > 0.94
    both = inside & wet
    assert np.abs(waters.levels.values - z)[both].max() < 0.08
    # Never rising: at any place no higher than anywhere a station upstream.
    order = np.argsort(along[both.ravel()])
    level = waters.levels.values[both][order]
    steps = along[both.ravel()][order]
    upstream = np.minimum.accumulate(level)
    late = np.searchsorted(steps, steps - 25.0)
    ok = late > 0
    assert (level[ok] <= upstream[late[ok] - 1] + 0.03).all()


def test_quay_walls_stay_walls(frame):
    ground, seen, _, z, _ = valley(frame, share=0.35)
    waters = find_waters(ground, seen)
    terrain = terrain_from_rasters(ground, waters=waters)
    inside = waters.inside.values
    off = np.abs(terrain.dtm.values - z)
    # A cell has the height of one side of the wall or of the other, none between.
    low, high = z.min(axis=None), z.max(axis=None)
    assert low < high
    _, _, _, _, along = valley(frame)
    level = (60.0 - FALL * along).reshape(inside.shape)
    above = terrain.dtm.values - level
    between = (above > 0.4) & (above < 2.6)
    assert between.mean() < 1e-4
    assert (off > 0.5).mean() < 0.02
    # The triangles step from the outline's level to the bank within a cell.
    sampler = TinSampler(terrain.tin)
    outline = waters.bodies[0].outline
    hull = shapely.box(-80, -50, 68, 68)
    for polygon, least, most in ((outline.buffer(-0.01), -0.2, 0.3), (outline.buffer(0.75), 2.4, 3.6)):
        ring = shapely.intersection(polygon.exterior, hull)
        points = np.array([ring.interpolate(k, normalized=True).coords[0] for k in np.linspace(0, 1, 400)])
        c, s = np.cos(np.radians(27.0)), np.sin(np.radians(27.0))
        here = sampler.heights(points) - (60.0 - FALL * (points @ [c, s]))
        met = ~np.isnan(here)
        assert met.sum() > 300
        assert ((here[met] > least) & (here[met] < most)).mean() > 0.97


def test_a_pond_is_level_and_below_its_banks(frame):
    grid = Grid(frame, -40.0, 52.0, 0.5, 160, 170)
    xy = grid.centres()
    wet = (np.hypot((xy[:, 0] - 3) / 1.4, xy[:, 1] - 11) < 13).reshape(grid.shape)
    rng = np.random.default_rng(3)
    z = np.where(wet, 71.0, 71.4 + 0.05 * (xy[:, 0].reshape(grid.shape) + 40)) + rng.normal(
        0, 0.05, grid.shape
    )
    seen = np.where(wet, SEEN_WATER, SEEN_GROUND).astype(np.uint8)
    seen[60:100, 90:100] = SEEN_CANOPY
    z[60:100, 90:100] = np.nan
    waters = find_waters(Raster(grid, z.astype(np.float32)), Raster(grid, seen))
    (body,) = waters.bodies
    assert body.kind == "lake" and "level_m" in body.attributes
    level = waters.levels.values[waters.inside.values]
    assert np.ptp(level) == 0 and level[0] == pytest.approx(71.0, abs=0.02)
    terrain = terrain_from_rasters(Raster(grid, z.astype(np.float32)), waters=waters)
    (thing,) = water_bodies(waters, terrain.tin)
    assert validate_geometry(thing.geometries[0]) == ()
    assert np.ptp(thing.geometries[0].vertices[:, 2]) < 1e-6
    assert (thing.geometries[0].semantics == Surface.WATER).all()
    again = marked(
        type(terrain.tin)(
            frame, terrain.tin.vertices, terrain.tin.faces, np.full(len(terrain.tin.faces), 32)
        ),
        outlines_of_objects([thing]),
    )
    assert (again.semantics == terrain.tin.semantics).all()


def test_empty_water_that_mirrors_is_water(frame):
    ground, seen, wet, _, _ = valley(frame)
    bits, values = seen.values.copy(), ground.values.copy()
    hidden = wet & (np.arange(310)[None, :] > 150) & (np.arange(310)[None, :] < 190)
    bits[hidden], values[hidden] = 0, np.nan
    waters = find_waters(Raster(seen.grid, values), Raster(seen.grid, bits))
    assert len(waters.bodies) == 1
    assert waters.inside.values[hidden].mean() > 0.97


def test_known_outlines_need_no_water_points(frame):
    grid = Grid(frame, 0.0, 30.0, 0.5, 60, 80)
    z = np.full(grid.shape, 50.0, np.float32)
    pond = shapely.Polygon([(8, 8), (30, 9), (28, 24), (9, 22)])
    z[shapely.contains_xy(pond, *grid.centres().T).reshape(grid.shape)] = np.nan
    waters = find_waters(Raster(grid, z), None, outlines=[pond])
    assert waters.bodies[0].attributes["level_m"] == 50.0
    assert find_waters(Raster(grid, z), None, outlines=[shapely.box(100, 100, 140, 140)]) is None
    nothing = Raster(grid, np.full(grid.shape, np.nan, np.float32))
    with pytest.raises(InputError, match="no height is known"):
        find_waters(nothing, None, outlines=[pond])
    with pytest.raises(InputError, match="outlines"):
        find_waters(nothing, None)


@pytest.mark.parametrize("seed", range(20))
def test_levels_are_monotone_and_never_above_the_banks(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 40))
    level = 60 + np.cumsum(rng.normal(-0.02, 0.05, n)) * rng.choice([-1, 1])
    limit = level + rng.normal(0.1, 0.2, n)
    fit = monotone(level, rng.uniform(1, 9, n), limit)
    steps = np.diff(fit)
    assert (steps <= 0).all() or (steps >= 0).all()
    assert (fit <= limit + 1e-12).all()
