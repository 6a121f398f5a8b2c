"""Grey openings with octagons: what is narrower than the window goes, slopes and steps stay.

An octagon is a square swept along two diagonals, so its opening is a few running minima along lines, each in
the logarithm of its length; SMRF's disc differs from it by less than a cell. Outside the grid nothing counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

ROWS_AND_COLUMNS = ((0, 1), (1, 0))
DIAGONALS = ((1, 1), (1, -1))


def _shifted(shape: tuple[int, int], dr: int, dc: int) -> tuple[Any, Any]:
    """Slices of the cells that have a cell (dr, dc) further on, and of those cells; dr >= 0."""
    rows, cols = shape
    here = np.s_[: rows - dr, max(0, -dc) : cols - max(0, dc)]
    there = np.s_[dr:, max(0, dc) : cols - max(0, -dc)]
    return here, there


def _along(values: NDArray[np.float32], reach: int, step: tuple[int, int], fold: Any) -> None:
    """Fold, in place, each cell with the next 2 * ``reach`` ones along a line; the window starts at the cell."""
    length, have = 2 * reach + 1, 1
    while have < length:
        more = min(have, length - have)
        here, there = _shifted(values.shape, more * step[0], more * step[1])
        # The two overlap: the right side is made first.
        values[here] = fold(values[here], values[there])
        have += more


def _octagon(values: NDArray[np.float32], radius: int, fold: Any, outside: float) -> NDArray[np.float32]:
    """Minimum or maximum over an octagon about each cell."""
    slant = min(round(0.293 * radius), (radius - 1) // 2)
    square = radius - 2 * slant
    pad = radius
    room = np.full((values.shape[0] + 2 * pad, values.shape[1] + 2 * pad), outside, dtype=np.float32)
    room[pad:-pad, pad:-pad] = values
    reaches = [(square, step) for step in ROWS_AND_COLUMNS]
    reaches += [(slant, step) for step in DIAGONALS if slant]
    down, right = 0, 0
    for reach, step in reaches:
        _along(room, reach, step, fold)
        down, right = down + reach * step[0], right + reach * step[1]
    # Each line began at its cell instead of being centred on it.
    top, left = pad - down, pad - right
    return room[top : top + values.shape[0], left : left + values.shape[1]]


def opened(values: NDArray[np.float32], radius: int) -> NDArray[np.float32]:
    """Opening of a height grid with an octagon of ``radius`` cells (1 = 3 x 3 cells).

    Parameters
    ----------
    values
        (rows, cols) float32, finite.
    radius
        Distance from the middle to a side [cells], at least 1.
    """
    low = _octagon(values, radius, np.minimum, np.inf)
    high: NDArray[np.float32] = np.minimum(values, _octagon(low, radius, np.maximum, -np.inf))
    return high
