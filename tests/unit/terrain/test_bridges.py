"""Decks from points: turned, arched, raked, bent; closed, stable, whatever the order of the points."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from twin.model.raster import Grid, Raster
from twin.model.surface import Surface
from twin.terrain.bridges import make_bridges
from twin.validation.validate import validate_geometry
from twin.validation.volumes import solid_volume


def flat(frame, z=58.0):
    grid = Grid(frame, -150.0, 150.0, 1.0, 300, 300)
    return Raster(grid, np.full(grid.shape, z, np.float32))


def deck_points(turn_deg, length=60.0, width=9.0, rise=0.0, at=(23.0, -31.0), seed=1):
    rng = np.random.default_rng(seed)
    n = int(length * width * 7)
    s, t = rng.uniform(-length / 2, length / 2, n), rng.uniform(-width / 2, width / 2, n)
    z = 66.0 + 0.01 * s + rise * (1 - (2 * s / length) ** 2) + rng.normal(0, 0.04, n)
    c, d = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    return np.column_stack([at[0] + s * c - t * d, at[1] + s * d + t * c, z])


def plan(solid):
    tops = np.flatnonzero(solid.semantics == Surface.OUTER_FLOOR)
    return shapely.union_all([shapely.Polygon(solid.vertices[list(solid.surfaces[k][0]), :2]) for k in tops])


@pytest.mark.parametrize("turn_deg", [0.0, 33.0, 90.0, 151.0])
@pytest.mark.parametrize("rise", [0.0, 2.5])
def test_a_deck_is_a_closed_solid_where_its_points_are(frame, turn_deg, rise):
    points = deck_points(turn_deg, rise=rise)
    (bridge,), failures = make_bridges(points, flat(frame), thickness_m=1.2)
    solid = bridge.geometries[0]
    assert not failures and bridge.type == "Bridge" and validate_geometry(solid) == ()
    assert bridge.attributes["thickness_source"] == "assumed"
    tops = int((solid.semantics == Surface.OUTER_FLOOR).sum())
    assert tops == 1 if rise == 0.0 else tops > 3
    true = shapely.affinity.rotate(shapely.box(-7, -35.5, 53, -26.5), turn_deg, origin=(23, -31))
    made = plan(solid)
    assert made.intersection(true).area / made.union(true).area > 0.95
    assert solid_volume(solid) == pytest.approx(1.2 * made.area, rel=1e-6)


def test_the_order_of_the_points_changes_nothing_and_a_new_flight_not_the_id(frame):
    points = deck_points(33.0, rise=1.5)
    (one,), _ = make_bridges(points, flat(frame))
    (two,), _ = make_bridges(points[np.random.default_rng(9).permutation(len(points))], flat(frame))
    assert (one.geometries[0].vertices == two.geometries[0].vertices).all() and one.id == two.id
    (later,), _ = make_bridges(deck_points(33.0, rise=1.5, seed=2), flat(frame))
    assert later.id == one.id


def test_two_decks_are_two_bridges_and_specks_are_none(frame):
    both = np.concatenate([deck_points(10.0), deck_points(70.0, length=20.0, width=4.0, at=(-80.0, 60.0))])
    speck = deck_points(0.0, length=3.0, width=3.0, at=(90.0, 90.0))
    made, failures = make_bridges(np.concatenate([both, speck]), flat(frame))
    assert len(made) == 2 and not failures
    assert made[0].geometries[0].vertices[:, 0].min() < -80
    assert make_bridges(np.empty((0, 3)), flat(frame)) == ((), ())


def test_a_bent_deck_keeps_its_outline(frame):
    rng = np.random.default_rng(4)
    turn, radius = rng.uniform(0.2, 1.9, 6000), rng.uniform(56.0, 64.0, 6000)
    points = np.column_stack([radius * np.cos(turn) - 20, radius * np.sin(turn) - 20, np.full(6000, 70.0)])
    (bridge,), _ = make_bridges(points, flat(frame))
    ring = shapely.Point(-20, -20).buffer(64, 64).difference(shapely.Point(-20, -20).buffer(56, 64))
    made = plan(bridge.geometries[0])
    assert validate_geometry(bridge.geometries[0]) == ()
    assert made.difference(ring.buffer(1.5)).area < 1.0 and made.area == pytest.approx(1.7 * 8 * 60, rel=0.12)


def test_ends_are_carried_to_the_bank(frame):
    grid = Grid(frame, -150.0, 150.0, 1.0, 300, 300)
    x = np.abs(grid.x_centres() - 23.0)
    bank = np.broadcast_to(np.where(x > 33.0, 66.5, 58.0)[None, :], grid.shape).astype(np.float32)
    (bridge,), _ = make_bridges(deck_points(0.0), Raster(grid, bank))
    assert bridge.attributes["length_m"] == pytest.approx(66.0, abs=1.5)
