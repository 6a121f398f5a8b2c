"""What returns tell of a crown: closed forms, and the law that estimates are right on average."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tolerances import CROWN_END_M, CROWN_RADIUS_SHARE
from twin.vegetation.crowns import CROWN_BASE, Cells, bases, measure_crowns, step_ratios, tops


def test_ratios_are_those_of_gamma_functions():
    """Mean depths are c, 3/2 c, 15/8 c, 35/16 c, 315/128 c for the first to the fifth return."""
    assert step_ratios() == pytest.approx([0, 0, 2, 8 / 7, 16 / 19, 128 / 187])


def sampled(count, returns, rng, centre=(40.0, -7.0)):
    """Crowns of 8 m radius and half height 5 m, 60 to 70 m high, each return a cell of its own."""
    crown = np.repeat(np.arange(count), returns)
    way = rng.normal(size=(len(crown), 3))
    way *= (rng.random(len(crown)) ** (1 / 3) / np.linalg.norm(way, axis=1))[:, None]
    x, y, z = way.T * np.array([[8.0], [8.0], [5.0]])
    z = z + 65.0
    ground = np.full(len(crown), 50.0)
    ones = np.ones(len(crown))
    return Cells(crown, x + centre[0], y + centre[1], z, z, ground, ones, 0.0)


@pytest.mark.parametrize("returns", [40, 200])
def test_top_base_radius_and_place_are_right_on_average(returns):
    count = 400
    cells = sampled(count, returns, np.random.default_rng(3))
    crowns, ground = measure_crowns(cells, count), np.full(count, 50.0)
    seen, height = tops(cells, ground)
    base, shown = bases(cells, ground, height)
    assert (seen <= height).all() and shown.mean() > 0.9
    assert height.mean() == pytest.approx(20.0, abs=CROWN_END_M)
    assert abs(height.mean() - 20.0) < 0.5 * abs(seen.mean() - 20.0)
    assert base[shown].mean() == pytest.approx(10.0, abs=CROWN_END_M)
    assert crowns.radius.mean() == pytest.approx(8.0, rel=CROWN_RADIUS_SHARE)
    assert crowns.x.mean() == pytest.approx(40.0, abs=0.1) and crowns.y.mean() == pytest.approx(-7.0, abs=0.1)
    assert (crowns.returns == returns).all() and (crowns.cells == returns).all()


def test_a_stray_return_moves_no_end_far_and_few_returns_show_no_base():
    cells = sampled(1, 40, np.random.default_rng(5))
    top = cells.top.copy()
    top[top.argmax()] = 80.0
    stray = Cells(cells.crown, cells.x, cells.y, top, cells.low, cells.ground, cells.returns, 0.0)
    seen, height = tops(stray, np.array([50.0]))
    assert (seen[0], height[0]) == pytest.approx((30.0, 33.0))
    few = sampled(1, 4, np.random.default_rng(5))
    base, shown = bases(few, np.array([50.0]), np.array([20.0]))
    assert (base[0], shown[0]) == (pytest.approx(CROWN_BASE * 20.0), False)


def test_a_crown_without_returns_has_no_place():
    crowns = measure_crowns(sampled(1, 10, np.random.default_rng(1)), 2)
    assert np.isnan(crowns.x[1]) and crowns.returns[1] == 0
