"""The far horizon against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.study_worlds import FRAME, sun_at
from twin.earth import EARTH_RADIUS_M
from twin.model.raster import Grid, Raster
from twin.region import Region
from twin.study.horizon import FarHorizon, horizon_of

SITE = Region(-500.0, -400.0, 700.0, 500.0)


def ridge(height: float, distance: float) -> FarHorizon:
    """A long ridge to the east of x = distance, level on its back."""
    grid = Grid(FRAME, -6000.0, 6000.0, 10.0, 1200, 1200)
    values = np.where(grid.x_centres() > distance, height, 0.0)[None, :] * np.ones((1200, 1))
    return horizon_of(Raster(grid, values), SITE, 0.0, 100.0)


@pytest.mark.parametrize("point", [(0.0, 0.0, 0.0), (333.0, -71.0, 12.0), (-480.0, 444.0, 95.0)])
def test_a_ridge_stands_where_it_should(point: tuple[float, float, float]) -> None:
    horizon = ridge(200.0, 2000.0)
    x, _, z = point
    for azimuth in (90.0, 70.3, 120.7):
        distance = (2005.0 - x) / math.sin(math.radians(azimuth))
        drop = distance**2 / (2 * EARTH_RADIUS_M)
        expected = math.degrees(math.atan2(200.0 - drop - z, distance))
        assert horizon.altitude_deg(np.array(point), azimuth) == pytest.approx(expected, abs=0.08)
    assert horizon.altitude_deg(np.array(point), 270.0) < 0.01


def test_a_sun_behind_the_ridge_and_above_it() -> None:
    horizon, points = ridge(200.0, 2000.0), np.array([[0.0, 0.0, 0.0], [600.0, 0.0, 0.0]])
    near, far = (math.degrees(math.atan2(200.0, 2005.0 - x)) for x in (600.0, 0.0))
    between = 0.5 * (near + far)
    assert horizon.clears(points, sun_at(90.0, between)).tolist() == [True, False]
    assert horizon.clears_all(sun_at(90.0, near + 1.0)) and not horizon.clears_all(sun_at(90.0, between))
    assert not horizon.clears(points, sun_at(90.0, 1.0)).any()


def test_the_site_itself_and_holes_are_left_out() -> None:
    grid = Grid(FRAME, -3000.0, 3000.0, 20.0, 300, 300)
    values = np.zeros(grid.shape)
    x, y = grid.x_centres()[None, :], grid.y_centres()[:, None]
    values[(abs(x - 100) < 300) & (abs(y) < 300)] = 500.0
    values[:, 250:] = np.nan
    horizon = horizon_of(Raster(grid, values), SITE, 0.0, 50.0)
    for azimuth in np.arange(0.0, 360.0, 17.0):
        assert horizon.altitude_deg(np.array([0.0, 0.0, 0.0]), float(azimuth)) < 0.01
