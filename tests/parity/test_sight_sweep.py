"""The sight sweep against closed forms and against lines of sight that test every crossing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from twin.earth import EARTH_RADIUS_M
from twin.errors import InputError
from twin.visibility.occluders import HeightField
from twin.visibility.reference import line_of_sight
from twin.visibility.sight_sweep import SightSweep
from twin.visibility.tolerances import GRAZE_TOLERANCE_M

JACCARD = 0.99
"""Cells that both see, of those that either sees."""


def town(dx: float = 1.0, dy: float = 1.0) -> HeightField:
    """Synthetic: rolling ground with blocks, 160 x 220 cells; the origin far off the grid's corner."""
    z = gaussian_filter(np.random.default_rng(0).normal(0, 1, (160, 220)), 6) * 60 + 80
    z[40:60, 80:100] += 25
    z[100:130, 30:50] += 18
    return HeightField(z, dx, dy, 1000.0, -500.0)


def brute_force(field: HeightField, eye: tuple[float, float, float], target: float = 0.0) -> np.ndarray:
    x, y = field.centres()
    gx, gy = np.meshgrid(x, y)
    points = np.column_stack([gx.ravel(), gy.ravel(), field.heights.ravel() + target])
    known = np.isfinite(points[:, 2])
    seen = np.zeros(len(points), dtype=bool)
    seen[known] = line_of_sight(field, points[known], np.array(eye))
    return seen.reshape(field.shape)


EYES = {
    "on the ground": (110.0, 80.0, 1.6),
    "on a mast": (110.0, 80.0, 30.0),
    "between cells": (110.3, 80.4, 5.0),
    "in the corner": (0.0, 0.0, 2.0),
    "on the edge": (219.0, 71.0, 3.0),
    "beside the field": (-30.0, 50.0, 20.0),
    "before it": (110.0, -60.0, 40.0),
    "off its corner": (300.0, 200.0, 60.0),
    "very high": (90.0, 70.0, 4000.0),
}
"""Column and row of the eye, and its height above the cell nearest to it [m]."""


@pytest.mark.parametrize("cells", [(1.0, 1.0), (0.5, 0.8)])
@pytest.mark.parametrize("name", EYES)
def test_it_sees_what_every_crossing_leaves(name: str, cells: tuple[float, float]) -> None:
    field = town(*cells)
    col, row, above = EYES[name]
    near = field.heights[int(np.clip(row, 0, 159)), int(np.clip(col, 0, 219))]
    eye = (field.x0 + col * field.dx, field.y0 - row * field.dy, near + above)
    for target in (0.0, 1.6):
        ours, truth = SightSweep(field, threads=2).sees(eye, target) == 1, brute_force(field, eye, target)
        assert truth.sum() > 500
        assert (ours & truth).sum() / (ours | truth).sum() >= JACCARD, (name, target)


@pytest.mark.parametrize("off", [-2.2e-16, 1e-13, -3e-10, 0.1 + 0.2 - 0.3])
def test_rounding_leaves_no_cell_out(off: float) -> None:
    """Cells on the diagonals of an eye that stands a rounding error off a cell's middle, and off the others."""
    field = HeightField(plain(41), 0.5, 0.5, 732382.87, 643969.88)
    x, y = field.centres()
    for col, row in ((0, 0), (7, 30), (20, 20)):
        for place in ((x[col] + off, y[row]), (x[col], y[row] - off), (x[col] + off, y[row] + 0.37)):
            assert (SightSweep(field).lowest_seen((*map(float, place), 3.0)) == 0).all()


@pytest.mark.parametrize("turned", [False, True])
def test_cells_of_two_widths_show_the_same(turned: bool) -> None:
    """A surface with every second column left out, on cells twice as wide: what is plain between them stays seen."""
    rng = np.random.default_rng(4)
    wide = gaussian_filter(rng.normal(0, 1, (120, 100)), 5) * 50
    fine = np.empty((120, 199))
    fine[:, ::2], fine[:, 1::2] = wide, (wide[:, 1:] + wide[:, :-1]) / 2
    eye = (40.0, -60.0, float(wide[60, 20]) + 3.0)
    if turned:
        whole, half = (
            HeightField(fine.T.copy(), 1.0, 1.0, 0.0, 0.0),
            HeightField(wide.T.copy(), 1.0, 2.0, 0.0, 0.0),
        )
        eye = (60.0, -40.0, eye[2])
    else:
        whole, half = HeightField(fine, 1.0, 1.0, 0.0, 0.0), HeightField(wide, 2.0, 1.0, 0.0, 0.0)
    every, second = SightSweep(whole).sees(eye) == 1, SightSweep(half).sees(eye) == 1
    every = every[::2] if turned else every[:, ::2]
    assert every.shape == second.shape and second.sum() > 500
    assert (every & second).sum() / (every | second).sum() >= JACCARD


def test_from_very_high_everything_is_seen() -> None:
    """At 750,367 m, where a known tool saw nothing."""
    field = town()
    assert (SightSweep(field).sees((1110.0, -580.0, 750_367.0)) == 1).all()


def plain(size: int = 101, cell: float = 10.0) -> np.ndarray:
    return np.zeros((size, size))


def test_a_plain_is_seen_to_its_border_and_the_reach_cuts_it() -> None:
    field = HeightField(plain(), 10.0, 10.0, 0.0, 0.0)
    seen = SightSweep(field).sees((503.0, -507.0, 1.6), reach_m=200.0)
    x, y = field.centres()
    away = np.hypot(x[None] - 503.0, y[:, None] + 507.0)
    assert (seen[away <= 200.0] == 1).all() and np.isnan(seen[away > 200.0]).all()


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("sign", [1, -1])
def test_behind_a_wall_things_must_stand_as_high_as_the_line_over_it(turned: bool, sign: int) -> None:
    z = plain()
    z[:, 50 + 10 * sign] = 12.0
    z = z.T.copy() if turned else z
    field = HeightField(z, 1.0, 1.0, 0.0, 0.0)
    eye = (50.0, -50.0, 4.0)
    least = SightSweep(field).lowest_seen(eye)
    least = least.T if turned else least
    # Straight behind, and aslant: the line of the wall is met at a tenth of its columns, wherever.
    for beyond in (15, 30, 45):
        for aside in (0, 7, -20):
            if abs(aside) * 10 / beyond > 40:
                continue
            found = least[50 + aside, 50 + beyond * sign]
            assert found == pytest.approx(4.0 + 8.0 * beyond / 10, abs=2e-3 * beyond)


def test_the_sea_sinks_below_the_horizon() -> None:
    """From 10 m the flat sea ends at sqrt(2 R h / (1 - k))."""
    field = HeightField(np.zeros((3, 2001)), 10.0, 10.0, 0.0, 0.0)
    for k in (0.0, 0.13):
        seen = SightSweep(field, bend=(1 - k) / (2 * EARTH_RADIUS_M)).sees((0.0, -10.0, 10.0))[1]
        end = np.sqrt(2 * EARTH_RADIUS_M * 10.0 / (1 - k))
        assert abs(10.0 * np.flatnonzero(seen == 1)[-1] - end) < 150.0
        assert (seen[: int(end / 10) - 15] == 1).all()
    assert (SightSweep(field).sees((0.0, -10.0, 10.0)) == 1).all()


def test_holes_hide_nothing_and_are_not_seen() -> None:
    z = plain()
    z[:, 60] = 30.0
    z[50, 58:63] = np.nan
    z[49, 58:63] = np.nan
    z[51, 58:63] = np.nan
    seen = SightSweep(HeightField(z, 1.0, 1.0, 0.0, 0.0)).sees((50.0, -50.0, 2.0))
    assert np.isnan(seen[50, 60]) and seen[50, 90] == 1 and seen[20, 90] == 0


def test_feet_below_the_surface_are_asked_about() -> None:
    """Under a crown: the field is the crown's top, the foot the ground; only other cells hide it."""
    z = plain()
    z[:, 70] = 8.0
    feet = plain()
    least = SightSweep(HeightField(z, 1.0, 1.0, 0.0, 0.0), feet).lowest_seen((50.0, -50.0, 1.6))
    assert least[50, 70] == 0.0 and least[50, 71] > 5.0


def test_threads_change_no_bit() -> None:
    field = town()
    eye = (1100.2, -590.7, 95.0)
    one, three = (SightSweep(field, threads=n).lowest_seen(eye) for n in (1, 3))
    assert one.tobytes() == three.tobytes()


def test_what_is_least_is_just_seen() -> None:
    field = town()
    eye = (1110.0, -580.0, 100.0)
    sweep = SightSweep(field)
    least = sweep.lowest_seen(eye)
    some = np.argwhere(least > 0.5)[::97]
    rows, cols = some.T
    x, y = field.centres()
    foot = field.heights[rows, cols]
    for share, wanted in ((1.02, True), (0.9, False)):
        points = np.column_stack([x[cols], y[rows], foot + share * least[rows, cols]])
        assert (line_of_sight(field, points, np.array(eye)) == wanted).mean() > 0.97


@pytest.mark.parametrize(
    ("eye", "reach"), [((np.nan, 0.0, 1.0), 10.0), ((0.0, 0.0, np.inf), 10.0), ((0.0, 0.0, 1.0), 0.0)]
)
def test_impossible_questions_are_refused(eye: tuple[float, float, float], reach: float) -> None:
    with pytest.raises(InputError):
        SightSweep(town()).lowest_seen(eye, reach)
    with pytest.raises(InputError):
        SightSweep(town(), np.zeros((3, 3)))
    with pytest.raises(InputError):
        SightSweep(town(), bend=-1.0)


def test_grazing_is_seen() -> None:
    """A ramp towards the eye, and the row behind its edge, lie on one line."""
    z = np.tile(np.arange(101.0) * 0.1, (101, 1))
    seen = SightSweep(HeightField(z, 1.0, 1.0, 0.0, 0.0)).sees((0.0, -50.0, 0.0))
    assert (seen == 1).all() and GRAZE_TOLERANCE_M > 0
