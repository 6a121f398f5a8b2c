"""Measures of crowns from the returns of their cells: stem, top, base, radius, and how sure they are.

A crown seen from the air is a thin sample of its twigs: the highest return lies below the top, the lowest above the
base, and empty cells are no gaps. Near the top of a rounded crown, and near its base, the number of returns grows with
the square of the depth, because the crown widens with its root and the pulse's way through the twigs with the depth
itself. So the depths squared of the highest returns arrive like a Poisson process, the k-th lies at a mean depth of
c gamma(k + 1/2) / gamma(k), and the top stands above the highest by the fall from the first to the k-th times
E(1) / (E(k) - E(1)), whatever the density of points and of twigs is (c cancels). The same holds for the base.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ORDERS = 5
"""So many of the highest and of the lowest cells tell where a crown ends."""

LARGEST_STEP = 0.1
"""No end is moved by more than this share of the height: one stray return shall not make a tall tree."""

UNDERGROWTH_M = 0.5
"""Lower returns are grass and brushwood [m]."""

HIGHEST_BASE = 0.6
"""A base above this share of the height was not seen: the pulses did not come so deep."""

CROWN_BASE = 0.3
"""Share of the height at which a crown begins where its base was not seen."""

SPREAD = 2.5
"""Radius squared of an ellipsoid of twigs over the mean squared distance of its returns from the axis: the density in
plan follows the chord, sqrt(1 - rho^2), whose mean rho^2 is 2/5."""

MIN_RADIUS_SHARE, MIN_RADIUS_M = 0.08, 0.5
"""Least crown radius as a share of the height and outright [m]."""


def step_ratios() -> Floats:
    """By the number of orders (0 to ``ORDERS``): the end beyond the first, over the fall from first to last."""
    k = np.arange(1, ORDERS + 1)
    depth = np.exp(gammaln(k + 0.5) - gammaln(k))
    return np.concatenate([[0.0, 0.0], depth[0] / (depth[1:] - depth[0])])


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Cells of crowns that have returns, in any order.

    Parameters
    ----------
    crown
        (n,) number of the crown, from 0.
    x, y
        (n,) centres, local space [m].
    top, low, ground
        (n,) highest and lowest return, and the ground, above the datum [m].
    returns
        (n,) numbers of returns.
    area
        Of one cell [m2].
    """

    crown: Ints
    x: Floats
    y: Floats
    top: Floats
    low: Floats
    ground: Floats
    returns: Floats
    area: float


@dataclass(frozen=True, slots=True, eq=False)
class Crowns:
    """One row a crown.

    Parameters
    ----------
    x, y
        (m,) centre of the returns, local space [m]; NaN for a crown without any.
    length, width
        (m,) standard deviations of the returns along the crown's longer and shorter axis in plan [m].
    returns, cells
        (m,) numbers of vegetation returns, and of cells with any.
    """

    x: Floats
    y: Floats
    length: Floats
    width: Floats
    returns: Ints
    cells: Ints

    @property
    def radius(self) -> Floats:
        """Radius of a round crown of that spread [m]."""
        out: Floats = np.sqrt(SPREAD * (self.length**2 + self.width**2))
        return out


def measure_crowns(cells: Cells, count: int) -> Crowns:
    """Centres and spreads of ``count`` crowns."""

    def total(values: Floats) -> Floats:
        out: Floats = np.bincount(cells.crown, values, count).astype(np.float64)
        return out

    weight = cells.returns
    with np.errstate(invalid="ignore", divide="ignore"):
        x, y = total(weight * cells.x) / total(weight), total(weight * cells.y) / total(weight)
        dx, dy = cells.x - x[cells.crown], cells.y - y[cells.crown]
        # A cell is no point: its returns spread within it.
        within = cells.area / 12.0
        xx = total(weight * dx * dx) / total(weight) + within
        yy = total(weight * dy * dy) / total(weight) + within
        xy = total(weight * dx * dy) / total(weight)
    half, root = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    return Crowns(
        x,
        y,
        np.sqrt(half + root),
        np.sqrt(np.maximum(half - root, 0.0)),
        np.rint(total(weight)).astype(np.int64),
        np.bincount(cells.crown, minlength=count),
    )


def _ends(crown: Ints, heights: Floats, count: int) -> tuple[Floats, Floats, Ints]:
    """Of each crown: the highest value, the estimated end less it, and the number of values that tell (0 to 5)."""
    order = np.lexsort((-heights, crown))
    sizes = np.bincount(crown, minlength=count)
    first = np.cumsum(sizes) - sizes
    used = np.minimum(sizes, ORDERS)
    ranked = np.append(heights[order], np.nan)
    highest = np.where(sizes > 0, ranked[np.minimum(first, len(heights))], np.nan)
    last = ranked[np.minimum(first + np.maximum(used, 1) - 1, len(heights))]
    return highest, step_ratios()[used] * np.where(sizes > 0, highest - last, 0.0), used


def tops(cells: Cells, ground: Floats) -> tuple[Floats, Floats]:
    """Height of each crown's top above the ground at its stem [m]: by the highest return, and estimated.

    Parameters
    ----------
    ground
        (m,) ground at the stems above the datum [m].
    """
    highest, step, _ = _ends(cells.crown, cells.top, len(ground))
    seen = highest - ground
    return seen, seen + np.minimum(step, LARGEST_STEP * np.maximum(seen, 0.0))


def bases(cells: Cells, ground: Floats, height: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Height of each crown's base above the ground at its stem [m], and whether the returns show it.

    Parameters
    ----------
    ground, height
        (m,) ground at the stems above the datum, and heights of the trees [m].
    """
    clear = cells.low - cells.ground >= UNDERGROWTH_M
    lowest, step, used = _ends(cells.crown[clear], -cells.low[clear], len(ground))
    base = np.maximum(-lowest - ground - np.minimum(step, LARGEST_STEP * height), 0.0)
    seen = (used == ORDERS) & (base <= HIGHEST_BASE * height)
    return np.where(seen, base, CROWN_BASE * height), seen
