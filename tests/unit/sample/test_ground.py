"""The valley's cross section, its river and its heaps."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.sample.ground import make_valley
from pipelines.sample.links import BRIDGE_U, DECK_END_M
from pipelines.sample.sizes import sample_size
from twin.errors import UsageError


def section(name: str, u: float, d: np.ndarray) -> np.ndarray:
    valley = make_valley(sample_size(name), 5, BRIDGE_U, DECK_END_M)
    xy = np.array([valley.local(u, float(v)) for v in d])
    return valley.heights(xy[:, 0], xy[:, 1])


def test_the_river_is_flat_at_60_m_and_bent() -> None:
    valley = make_valley(sample_size("valley"), 1, BRIDGE_U, DECK_END_M)
    axis = np.array([valley.local(u, 0.0) for u in np.linspace(-900, 900, 50)])
    assert (valley.heights(axis[:, 0], axis[:, 1]) == 60.0).all()
    chord = (axis[-1] - axis[0]) / np.hypot(*(axis[-1] - axis[0]))
    off = (axis - axis[0]) @ np.array([-chord[1], chord[0]])
    assert np.ptp(off) > 40.0


@pytest.mark.parametrize("u", [-800.0, -300.0, 250.0, 700.0])
def test_the_cross_section_of_the_valley(u: float) -> None:
    d = np.array([-2400.0, -1800.0, -1300.0, -900.0, -300.0, -80.0, 200.0, 1500.0])
    z = section("valley", u, d)
    assert 240 < z[0] < 262
    assert 0.12 < (z[1] - z[2]) / 500.0 < 0.22
    assert 62 <= z[4] <= 68.5 and 62 <= z[3] <= 70
    assert z[5] == pytest.approx(63.0, abs=0.1)
    assert 170 < z[7] < 192


def test_width_of_the_river() -> None:
    valley = make_valley(sample_size("demo"), 1, BRIDGE_U, DECK_END_M)
    for u in (-350.0, -100.0, 120.0, 320.0):
        x, y = valley.local(u, 0.0)
        x1, y1 = valley.local(u + 1.0, 0.0)
        across = np.array([-(y1 - y), x1 - x]) / np.hypot(x1 - x, y1 - y)
        s = np.arange(-120.0, 120.0, 0.25)
        z = valley.heights(x + s * across[0], y + s * across[1])
        assert 128.0 < (z == 60.0).sum() * 0.25 < 152.0


def test_slag_heaps_stand_at_their_angle_of_rest() -> None:
    size = sample_size("valley")
    u0, d0, u1, d1, rise = size.heaps[0]
    valley = make_valley(size, 1, BRIDGE_U, DECK_END_M)
    x, y = valley.local((u0 + u1) / 2, (d0 + d1) / 2)
    bare = make_valley(sample_size("valley"), 1, BRIDGE_U, DECK_END_M)
    assert valley.height(x, y) - bare.height(x + 240.0, y) > rise * 0.5
    # Down the side that faces along the contour, where the hill itself hardly falls.
    s = np.linspace(30.0, 70.0, 20)
    side = np.array([-valley.place[3], valley.place[2]])
    z = valley.heights(x + s * side[0] * -1, y + s * side[1] * -1)
    assert 24.0 < np.degrees(np.arctan(-np.diff(z).mean() / np.diff(s)[0])) < 45.0


def test_bent_coordinates_come_back() -> None:
    valley = make_valley(sample_size("demo"), 1, BRIDGE_U, DECK_END_M)
    d = np.array([-500.0, -71.0, -10.0, 71.0, 200.0])
    xy = np.array([valley.local(130.0, float(v)) for v in d])
    assert valley.across(xy[:, 0], xy[:, 1]) == pytest.approx(d, abs=1e-3)


def test_an_unknown_size_lists_the_sizes() -> None:
    with pytest.raises(UsageError, match="small, demo, valley"):
        sample_size("huge")
