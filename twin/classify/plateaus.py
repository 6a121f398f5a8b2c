"""Large raised surfaces with steps around them: halls that no window of a ground filter spans.

SMRF cuts a net into the surface so that large roofs fall apart; on slopes the net digs trenches beside which
true ground is taken for objects. Here the step itself is sought: cells whose neighbours all lie at about their
height form patches, and a patch that stands above nearly all of its rim is an object, whatever its size.
Terraces behind a quay or a wall meet the ground somewhere without a step, so they are part of its patch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.jit import njit

STEP_M = 1.5
"""Height between neighbouring cells of 1 m that divides patches [m]; natural slopes stay below."""
RAISED_SHARE = 0.7
"""Share of the rim of a patch, by length, beyond which it must stand higher than what lies there."""
MAX_AREA_M2 = 120_000.0
"""A larger patch is land [m2]; the largest halls of a steelworks stay below."""
MIN_AREA_M2 = 25.0
"""Smaller patches are left to the openings [m2]."""

FALLS, RISES, EDGE = 0, 1, 3
"""Columns of the rims."""

EDGE_SHARE = 0.35
"""Share of a rim that the edge of the grid may cut off before nothing can be said."""
COURT_RATIO = 2
"""Where the rim rises along this many times the length that it falls, a patch is a court or a street."""


@njit
def _cores(z: NDArray[np.float32], step: float, core: NDArray[np.bool_]) -> None:
    """Mark cells all of whose eight neighbours lie within ``step`` of them."""
    rows, cols = z.shape
    for row in range(rows):
        for col in range(cols):
            even = True
            for r in range(max(row - 1, 0), min(row + 2, rows)):
                for c in range(max(col - 1, 0), min(col + 2, cols)):
                    if abs(z[r, c] - z[row, col]) > step:
                        even = False
            core[row, col] = even


@njit
def _grow(z: NDArray[np.float32], labels: NDArray[np.int32], step: float, out: NDArray[np.int32]) -> None:
    """Give rim cells the label of a core beside them at about their height; the smallest label wins."""
    rows, cols = z.shape
    for row in range(rows):
        for col in range(cols):
            best = labels[row, col]
            if best == 0:
                for r in range(max(row - 1, 0), min(row + 2, rows)):
                    for c in range(max(col - 1, 0), min(col + 2, cols)):
                        level = labels[r, c] > 0 and abs(z[r, c] - z[row, col]) <= step
                        if level and (best == 0 or labels[r, c] < best):
                            best = labels[r, c]
            out[row, col] = best


@njit
def _rims(z: NDArray[np.float32], labels: NDArray[np.int32], step: float, rims: NDArray[np.int64]) -> None:
    """Count the sides of each patch's rim: 0 falls away, 1 rises, 2 level, 3 edge of the grid."""
    rows, cols = z.shape
    for row in range(rows):
        for col in range(cols):
            mine = labels[row, col]
            if mine == 0:
                continue
            for k in range(4):
                r, c = row + (0, 0, 1, -1)[k], col + (1, -1, 0, 0)[k]
                if r < 0 or r >= rows or c < 0 or c >= cols:
                    rims[mine, 3] += 1
                elif labels[r, c] != mine:
                    fall = z[row, col] - z[r, c]
                    if fall > step:
                        rims[mine, 0] += 1
                    elif fall < -step:
                        rims[mine, 1] += 1
                    else:
                        rims[mine, 2] += 1


def raised_plateaus(z: NDArray[np.float32], cell: float) -> NDArray[np.bool_]:
    """Cells of raised surfaces with steps around them.

    Parameters
    ----------
    z
        (rows, cols) heights [m], finite.
    cell
        Side of a cell [m].

    Returns
    -------
    ndarray
        (rows, cols) bool.
    """
    from scipy.ndimage import binary_closing, binary_dilation, label, minimum_filter

    step = STEP_M * max(1.0, cell)
    core = np.empty(z.shape, dtype=np.bool_)
    _cores(z, step, core)
    labels, count = label(core)
    grown = np.empty(z.shape, dtype=np.int32)
    _grow(z, np.asarray(labels, dtype=np.int32), step, grown)
    if not count:
        return np.zeros(z.shape, dtype=np.bool_)
    rims, area = _measured(z, grown, count, step)
    main = 1 + int(np.argmax(area[1:]))
    raised, court = _stands(rims, area * cell * cell), rims[:, RISES] >= COURT_RATIO * rims[:, FALLS]
    raised[main] = False
    # Roofs with steps of their own (saw-teeth, stages): their patches do not stand out one by one, together they do.
    between = ~court & (area * cell * cell <= MAX_AREA_M2)
    between[[0, main]] = False
    mask = between[grown]
    mask |= binary_closing(mask, np.ones((3, 3), dtype=np.bool_), border_value=0) & (grown == 0)
    unions, count = label(mask)
    together, extent = _measured(z, np.asarray(unions, dtype=np.int32), count, step)
    found = raised[grown] | _stands(together, extent * cell * cell)[unions]
    # Walls and eaves beside a roof hold intermediate heights; what lies low beside it is ground.
    beside = binary_dilation(found, np.ones((3, 3), dtype=np.bool_), iterations=2) & ~found
    rim = beside & (z > minimum_filter(z, 5) + 0.5 * step)
    whole: NDArray[np.bool_] = found | rim
    return whole


def _measured(
    z: NDArray[np.float32], labels: NDArray[np.int32], count: int, step: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sides of the rim by kind (count + 1, 4) and number of cells (count + 1,) of labelled patches."""
    rims = np.zeros((count + 1, 4), dtype=np.int64)
    _rims(z, labels, step, rims)
    return rims, np.bincount(labels.ravel(), minlength=count + 1)


def _stands(rims: NDArray[np.int64], area_m2: NDArray[Any]) -> NDArray[np.bool_]:
    """Which patches stand above what is around them."""
    inner, edge = rims[:, :EDGE].sum(axis=1), rims[:, EDGE]
    stands: NDArray[np.bool_] = (
        (rims[:, FALLS] >= RAISED_SHARE * inner) & (edge <= EDGE_SHARE * (inner + edge)) & (inner > 0)
    )
    stands &= (area_m2 <= MAX_AREA_M2) & (area_m2 >= MIN_AREA_M2)
    stands[0] = False
    return stands
