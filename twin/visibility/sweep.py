"""Sun over a height field by sweeps along its rows or columns: the fast engine for valley-wide ground.

Rays from the sun are swept from row to row (or column to column, whichever they cross more of). Two lines for
each cell carry the highest ray that is still blocked, by the heights read linearly between the cell centres at
every row; a cell is lit where its centre stands above what its two neighbouring lines carry. Nothing is handed from
line to line, so nothing diffuses, however far a shadow reaches. The triangles of the exact engines fold as valleys
(``twin.visibility.heightfield``) and give the same answer but for the reading between two lines.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.jit import njit
from twin.visibility.occluders import HeightField
from twin.visibility.tolerances import GRAZE_TOLERANCE_M

LINES = 4096
"""Lines that one thread carries together: they stay in the processor's cache, and change no result."""
TILE = 64
"""Side of the tiles by which counts are turned from columns to rows: they fit the processor's cache."""
HOLE = np.float32(-1e6)
"""Height that blocks nothing, for cells without one [m]."""
STEEPEST = 2.0
"""Slope with which the surface goes on beyond its border, for the half cell outside the outer centres."""


Window = tuple[int, int, int, int]
"""First and last row (not counted), first and last column of some cells."""


@dataclass(frozen=True, slots=True)
class Course:
    """How one sun is swept.

    Parameters
    ----------
    turned
        From column to column: over the turned surface.
    major, minor, rise
        Rows, columns and height of one vector along the shadow, of any length; a sun overhead has no row.
    """

    turned: bool
    major: float
    minor: float
    rise: float

    @property
    def shear(self) -> float:
        """Columns aside for each row."""
        return self.minor / abs(self.major)

    @property
    def drop(self) -> np.float32:
        """Fall of the ray for each row [m]."""
        return np.float32(self.rise / abs(self.major))

    def lines(self, rows: int, wide: int, window: Window | None = None) -> tuple[int, int]:
        """First and last line that meets a surface of some rows and columns (with borders), or cells of it."""
        furthest = math.floor(2 * self.shear * (rows - 1))
        first = -2 - max(furthest, 0)
        last = 2 * wide - min(furthest, 0)
        if window is not None:
            if self.major < 0:
                window = (rows - window[1], rows - window[0], window[2], window[3])
            # Line k stands at half-column k + 2 shear r; borders are two columns more, and one for rounding.
            ends = [2 * self.shear * row for row in (window[0] - 1, window[1] + 1)]
            first = max(first, math.floor(2 * window[2] - 4 - max(ends)))
            last = min(last, math.ceil(2 * window[3] + 6 - min(ends)))
        return first - first % 2, last


class SunSweep:
    """The suns over one height field.

    Parameters
    ----------
    field
        Heights at cell centres [m].
    targets
        (rows, cols) heights of the points that are asked about, over the cell centres [m]; NaN for none. The
        surface itself where None. Below the surface they are in the dark of the cells towards the sun, never of
        their own: so the ground under a crown is asked about.
    threads
        Threads; the result does not depend on them.

    Raises
    ------
    InputError
        Targets of another shape than the field.
    """

    def __init__(
        self, field: HeightField, targets: NDArray[np.floating] | None = None, *, threads: int = 1
    ) -> None:
        if threads < 1:
            raise InputError(f"threads count from 1; got {threads}")
        if targets is not None and targets.shape != field.shape:
            raise InputError(f"targets of {targets.shape} cells do not fit a field of {field.shape}")
        heights = field.heights.astype(np.float32)
        heights[np.isnan(heights)] = HOLE
        asked = np.asarray(field.heights if targets is None else targets)
        # Grazing counts as lit; what compares false with all heights is never counted.
        self._targets = asked.astype(np.float32) + np.float32(GRAZE_TOLERANCE_M)
        self._targets_turned = np.ascontiguousarray(self._targets.T)
        self._cell = (field.dx, field.dy)
        self._along_rows = _bordered(heights, field.dx)
        self._along_cols = _bordered(np.ascontiguousarray(heights.T), field.dy)
        self._threads = threads

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._targets.shape[0], self._targets.shape[1]

    @contextmanager
    def edited(
        self,
        row: int,
        col: int,
        heights: NDArray[np.floating],
        targets: NDArray[np.floating] | None = None,
    ) -> Iterator[SunSweep]:
        """This sweep with other heights, and other targets over them, in some cells, until the block ends.

        Parameters
        ----------
        row, col
            First of the cells.
        heights, targets
            (k, m) as in the constructor.

        Raises
        ------
        InputError
            Cells outside the field.
        """
        k, m = heights.shape
        rows, cols = self.shape
        if row < 0 or col < 0 or row + k > rows or col + m > cols:
            raise InputError(
                f"{k} x {m} cells from row {row}, column {col} lie outside a field of {self.shape}"
            )
        new = heights.astype(np.float32)
        new[np.isnan(new)] = HOLE
        asked = np.asarray(heights if targets is None else targets).astype(np.float32)
        here = (slice(row, row + k), slice(col, col + m))
        was, own = self._along_rows[here[0], col + 1 : col + m + 1].copy(), self._targets[here].copy()
        self._put(row, col, new, asked + np.float32(GRAZE_TOLERANCE_M))
        try:
            yield self
        finally:
            self._put(row, col, was, own)

    def _put(self, row: int, col: int, heights: NDArray[np.float32], targets: NDArray[np.float32]) -> None:
        k, m = heights.shape
        self._targets[row : row + k, col : col + m] = targets
        self._targets_turned[col : col + m, row : row + k] = targets.T
        self._along_rows[row : row + k, col + 1 : col + m + 1] = heights
        self._along_cols[col : col + m, row + 1 : row + k + 1] = heights.T
        _border(self._along_rows, self._cell[0])
        _border(self._along_cols, self._cell[1])

    def lit(self, direction: NDArray[Any]) -> NDArray[np.bool_]:
        """Which cell centres one sun reaches.

        Parameters
        ----------
        direction
            (3,) towards the sun, local space; any length.

        Returns
        -------
        (rows, cols) bool; False where the sun stands at or below the horizon, and where there is no target.
        """
        return self.count([direction]).astype(bool)

    def count(self, directions: Iterable[NDArray[Any]], window: Window | None = None) -> NDArray[np.uint16]:
        """By how many of the suns each cell centre is reached, (rows, cols); at most 65,535 suns.

        Parameters
        ----------
        directions
            Each (3,) towards a sun, local space; any length.
        window
            First and last row (not counted), first and last column of some cells: what lies on no line with them
            is left at 0, so that a change there can be recounted at the cost of what it can reach.

        Raises
        ------
        InputError
            A direction that is not three finite numbers, or is zero.
        """
        rows, cols = self.shape
        total = np.zeros((rows, cols), dtype=np.uint16)
        across: NDArray[np.uint16] | None = None
        with ThreadPoolExecutor(self._threads) as pool:
            for course in self._courses(directions):
                if course.major == 0.0:
                    self._overhead(total, window)
                elif not course.turned:
                    _sweep(pool, self._along_rows, self._targets, total, course, window)
                else:
                    if across is None:
                        across = np.zeros((cols, rows), dtype=np.uint16)
                    _sweep(
                        pool, self._along_cols, self._targets_turned, across, course, turned_window(window)
                    )
            if across is not None:
                self._add(pool, total, across)
        return total

    def close(self) -> None:
        """Give memory back; the sweep cannot be used afterwards."""

    def _courses(self, directions: Iterable[NDArray[Any]]) -> Iterator[Course]:
        """The suns above the horizon."""
        for direction in directions:
            x, y, z = _direction(direction)
            if z <= 0.0:
                continue
            # Cells for each metre along the shadow: rows grow to the south, against y.
            across_cols, across_rows = -x / self._cell[0], y / self._cell[1]
            if abs(across_rows) >= abs(across_cols):
                yield Course(False, across_rows, across_cols, z)
            else:
                yield Course(True, across_cols, across_rows, z)

    def _overhead(self, total: NDArray[np.uint16], window: Window | None) -> None:
        """A sun overhead shines on all targets."""
        part = (slice(None), slice(None)) if window is None else (slice(*window[:2]), slice(*window[2:]))
        total[part] += np.isfinite(self._targets[part])

    def _add(self, pool: ThreadPoolExecutor, total: NDArray[np.uint16], across: NDArray[np.uint16]) -> None:
        """``total += across.T``."""
        rows = len(total)
        bands = [(start, min(rows, start + TILE * 4)) for start in range(0, rows, TILE * 4)]
        for job in [pool.submit(_add_turned, total, across, low, high) for low, high in bands]:
            job.result()


def turned_window(window: Window | None) -> Window | None:
    """The same cells of the turned surface."""
    return None if window is None else (window[2], window[3], window[0], window[1])


def _sweep(
    pool: ThreadPoolExecutor,
    heights: NDArray[np.float32],
    targets: NDArray[np.float32],
    counts: NDArray[np.uint16],
    course: Course,
    window: Window | None = None,
) -> None:
    """One sun: from row to row of ``heights``, and some columns aside for each."""
    first, last = course.lines(heights.shape[0], heights.shape[1], window)
    if course.major < 0:
        heights, targets, counts = heights[::-1], targets[::-1], counts[::-1]
    shear, drop = course.shear, course.drop
    jobs = [
        pool.submit(_carry, heights, targets, shear, drop, start, min(LINES, last - start + 2) // 2, counts)
        for start in range(first, last, LINES)
    ]
    for job in jobs:
        job.result()


def _direction(direction: NDArray[Any]) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in np.asarray(direction, dtype=np.float64).reshape(3))
    length = math.sqrt(x * x + y * y + z * z)
    if not (math.isfinite(length) and length > 0):
        raise InputError(
            f"a direction towards the sun is three finite numbers, not all zero; got {direction}"
        )
    return x, y, z


def _bordered(heights: NDArray[np.float32], cell: float) -> NDArray[np.float32]:
    """The heights with a column more on either side, where the surface goes on as it came, unless it is a wall."""
    out = np.empty((heights.shape[0], heights.shape[1] + 2), dtype=np.float32)
    out[:, 1:-1] = heights
    _border(out, cell)
    return out


def _border(out: NDArray[np.float32], cell: float) -> None:
    """Fill the outer columns."""
    heights = out[:, 1:-1]
    inner = min(1, heights.shape[1] - 1)
    limit = np.float32(STEEPEST * cell)
    out[:, 0] = heights[:, 0] + np.clip(heights[:, 0] - heights[:, inner], -limit, limit)
    out[:, -1] = heights[:, -1] + np.clip(heights[:, -1] - heights[:, -1 - inner], -limit, limit)


@njit
def _carry(
    heights: NDArray[np.float32],
    targets: NDArray[np.float32],
    shear: float,
    drop: np.float32,
    start: int,
    pairs: int,
    counts: NDArray[np.uint16],
) -> None:
    """Carry lines ``start`` to ``start + 2 pairs`` over all rows; add 1 to the cells of the band that are lit.

    Columns are counted in halves: at row r line k stands at half-column k + 2 shear r, at the same fraction
    between two halves as every other line. A line is on whole columns (even halves) or between them by the parity
    of that shift, which changes from row to row; the two kinds are kept apart, so that all reading is in a row.
    """
    rows, wide = heights.shape
    one, half = np.float32(1.0), np.float32(0.5)
    even = np.full(pairs + 1, np.float32(-1e30), dtype=np.float32)
    odd = np.full(pairs + 1, np.float32(-1e30), dtype=np.float32)
    base = start // 2
    for r in range(rows):
        shift = 2.0 * shear * r
        whole = math.floor(shift)
        part = np.float32(shift - whole)
        z = heights[r]
        if whole % 2 == 0:
            on, between = even, odd
            on_at = between_at = whole // 2 + base
            # The band's own cells: those whose lower line is one of its lines.
            lo, hi = max(1, on_at + 1), min(wide - 1, on_at + pairs + 1)
        else:
            on, between = odd, even
            on_at, between_at = (whole + 1) // 2 + base, (whole - 1) // 2 + base
            lo, hi = max(1, on_at), min(wide - 1, on_at + pairs)
        if lo < hi:
            upper, lower = on[lo - on_at : hi - on_at], between[lo - 1 - between_at : hi - 1 - between_at]
            own, out = targets[r, lo - 1 : hi - 1], counts[r, lo - 1 : hi - 1]
            for i in range(hi - lo):
                carried = part * lower[i] + (one - part) * upper[i] - drop
                out[i] += np.uint16(own[i] >= carried)
        weight = half * part
        lo, hi = max(0, on_at), min(wide - 1, on_at + pairs + 1)
        if lo < hi:
            line, near, far = on[lo - on_at : hi - on_at], z[lo:hi], z[lo + 1 : hi + 1]
            for i in range(hi - lo):
                met, kept = (one - weight) * near[i] + weight * far[i], line[i] - drop
                line[i] = met if met > kept else kept
        weight = half + half * part
        lo, hi = max(0, between_at), min(wide - 1, between_at + pairs + 1)
        if lo < hi:
            line, near, far = (
                between[lo - between_at : hi - between_at],
                z[lo:hi],
                z[lo + 1 : hi + 1],
            )
            for i in range(hi - lo):
                met, kept = (one - weight) * near[i] + weight * far[i], line[i] - drop
                line[i] = met if met > kept else kept


@njit
def _add_turned(total: NDArray[np.uint16], across: NDArray[np.uint16], low: int, high: int) -> None:
    """Rows ``low`` to ``high`` of ``total += across.T``, tile by tile."""
    cols = total.shape[1]
    for row in range(low, high, TILE):
        for col in range(0, cols, TILE):
            for r in range(row, min(high, row + TILE)):
                for c in range(col, min(cols, col + TILE)):
                    total[r, c] += across[c, r]
