"""Roofs told from cars, wires, cranes and twigs by their shape."""

from __future__ import annotations

import numpy as np
import pytest

from twin.classify.roofs import roof_mask

GROUND = 61.0


def gable(density, seed=1, width=9.0, length=14.0):
    """A gable roof with walls seen here and there, turned, off-centre."""
    rng = np.random.default_rng(seed)
    n = max(6, int(width * length * density))
    u, v = rng.uniform(-length / 2, length / 2, n), rng.uniform(-width / 2, width / 2, n)
    z = GROUND + 10.0 - 0.9 * np.abs(v) + rng.normal(0, 0.03, n)
    c, s = np.cos(0.4), np.sin(0.4)
    return np.c_[u * c - v * s + 31.0, u * s + v * c - 77.0, z]


def masked(xyz, number=None, count=None):
    one = np.ones(len(xyz), np.uint8)
    return roof_mask(
        xyz, xyz[:, 2] - GROUND, one if number is None else number, one if count is None else count
    )


@pytest.mark.parametrize("density", [1.0, 2.0, 6.8, 20.0, 50.0])
def test_a_gable_roof_is_kept_whole(density):
    assert masked(gable(density)).mean() > 0.97


def test_cars_wires_and_cranes_go():
    rng = np.random.default_rng(5)
    roof = gable(6.8)
    car = rng.uniform((25, -90, GROUND), (29, -88, GROUND + 1.45), (40, 3))
    t = np.linspace(0, 1, 60)[:, None]
    wire = (
        (25, -85, GROUND + 22) * (1 - t) + np.array((38, -68, GROUND + 24)) * t + rng.normal(0, 0.05, (60, 3))
    )
    jib = rng.uniform((20, -78, GROUND + 30), (42, -76, GROUND + 32), (50, 3))
    got = masked(np.r_[roof, car, wire, jib])
    assert got[: len(roof)].mean() > 0.97
    assert not got[len(roof) : len(roof) + 40].any()
    assert got[len(roof) + 40 :].mean() < 0.05


def test_twigs_over_a_roof_go():
    rng = np.random.default_rng(6)
    roof = gable(6.8)
    twigs = rng.uniform((28, -80, GROUND + 12.5), (34, -74, GROUND + 18), (120, 3))
    number = np.ones(len(roof) + 120, np.uint8)
    count = np.r_[np.ones(len(roof)), np.full(120, 3)].astype(np.uint8)
    got = masked(np.r_[roof, twigs], number, count)
    assert got[: len(roof)].mean() > 0.97 and got[len(roof) :].mean() < 0.02


def test_a_chimney_and_a_wall_belong_to_the_building():
    roof = gable(6.8)
    top = roof[np.argmax(roof[:, 2])]
    chimney = top + np.random.default_rng(7).uniform((-0.2, -0.2, 0.6), (0.2, 0.2, 1.2), (6, 3))
    eave = roof[np.argmin(roof[:, 2])]
    wall = eave - np.c_[np.zeros((5, 2)), np.linspace(0.5, 3.0, 5)]
    assert masked(np.r_[roof, chimney, wall])[len(roof) :].all()


def test_order_and_doubles_change_nothing():
    rng = np.random.default_rng(8)
    xyz = np.r_[gable(6.8), rng.uniform((25, -84, GROUND + 2), (37, -70, GROUND + 20), (80, 3))]
    got = masked(xyz)
    order = rng.permutation(len(xyz))
    assert np.array_equal(masked(xyz[order]), got[order])
    assert np.array_equal(masked(np.r_[xyz, xyz]), np.r_[got, got])


@pytest.mark.parametrize("count", [0, 1, 3, 5, 7])
def test_a_handful_of_points(count):
    xyz = gable(6.8)[:count]
    assert len(masked(xyz)) == count
    assert masked(np.repeat(xyz[:1], 30, axis=0)).all()
    low = np.c_[xyz[:, :2], np.full(count, GROUND + 1.0)]
    assert not masked(low).any()
