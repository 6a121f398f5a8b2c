"""Sun in named areas: gardens, squares, parks, with the share that has enough of it, before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from twin.errors import InputError
from twin.model.raster import Grid
from twin.model.results import SunlightResult
from twin.study.compare import ROUNDING_H, Comparison, Row

Verdict = Literal["met", "not met", "too close to call"]


@dataclass(frozen=True, slots=True)
class AreaRule:
    """A limit that the user sets.

    Parameters
    ----------
    at_least_h
        Hours of sun that a cell needs [h].
    share
        Part of the area's cells that need them, 0 to 1.
    kept
        Where less than ``share`` has them: the part of the former share that is still enough; None where
        nothing else is.
    """

    at_least_h: float = 2.0
    share: float = 0.5
    kept: float | None = None

    def verdict(self, before: tuple[float, float] | None, after: tuple[float, float]) -> Verdict:
        """Whether a share of lit cells is enough.

        Parameters
        ----------
        before, after
            Least and greatest share that the stated error of the hours allows; ``before`` is None where there is
            one state only.
        """
        if self._enough(before[1] if before else None, after[0]):
            return "met"
        return "too close to call" if self._enough(before[0] if before else None, after[1]) else "not met"

    def _enough(self, before: float | None, after: float) -> bool:
        if after >= self.share - 1e-9:
            return True
        return self.kept is not None and before is not None and after >= self.kept * before - 1e-9


def area_table(
    comparison: Comparison, areas: Sequence[tuple[str, Any]], rule: AreaRule, error_h: Mapping[str, float]
) -> list[Row]:
    """One row per date and area, over the cells that count in both states.

    Parameters
    ----------
    comparison
        A sunlight study.
    areas
        Name and polygon, local space [m].
    rule
        The user's limit.
    error_h
        Stated error of the hours by date [h]: a cell within it of the limit may be on either side.

    Returns
    -------
    Rows with the area of the cells, mean hours, the share with enough sun before and after, and the verdict;
    an area without a cell has None in all of them.

    Raises
    ------
    InputError
        Not a sunlight study.
    """
    before, after = comparison.existing, comparison.proposed
    if not isinstance(before, SunlightResult):
        raise InputError("areas are read from a sunlight study")
    rows: list[Row] = []
    for date, raster in before.hours.items():
        old = raster.values
        new = after.hours[date].values if isinstance(after, SunlightResult) else None
        both = np.isfinite(old) if new is None else np.isfinite(old) & np.isfinite(new)
        for name, polygon in areas:
            cells = cells_in(raster.grid, polygon)
            cells = cells[both.ravel()[cells]]
            was = old.ravel()[cells].astype(np.float64)
            now = new.ravel()[cells].astype(np.float64) if new is not None else None
            row: Row = {"date": date, "area": name, "cells_m2": len(cells) * raster.grid.cell_size**2}
            rows.append(row | _area_row(was, now, rule, error_h[date]))
    return rows


def cells_in(grid: Grid, polygon: Any) -> NDArray[np.int64]:
    """Cells (n,) with their centre in a polygon, counted row by row."""
    x, y = grid.x_centres(), grid.y_centres()
    west, south, east, north = shapely.bounds(polygon)
    cols, rows = np.flatnonzero((x >= west) & (x <= east)), np.flatnonzero((y >= south) & (y <= north))
    gx, gy = np.meshgrid(x[cols], y[rows])
    inside = shapely.contains_xy(polygon, gx, gy)
    place = rows[:, None] * grid.cols + cols[None, :]
    found: NDArray[np.int64] = place[inside].astype(np.int64)
    return found


def _area_row(was: NDArray[np.float64], now: NDArray[np.float64] | None, rule: AreaRule, error: float) -> Row:
    names = (
        "mean_existing_h",
        "mean_proposed_h",
        "mean_change_h",
        "share_existing",
        "share_proposed",
        "verdict",
    )
    if not len(was):
        return dict.fromkeys(names)
    old, new = _shares(was, rule, error), _shares(now, rule, error) if now is not None else None
    return {
        "mean_existing_h": float(was.mean()),
        "mean_proposed_h": None if now is None else float(now.mean()),
        "mean_change_h": None if now is None else float((now - was).mean()),
        "share_existing": old[1],
        "share_proposed": None if new is None else new[1],
        "verdict": rule.verdict(None, _ends(old)) if new is None else rule.verdict(_ends(old), _ends(new)),
    }


def _shares(hours: NDArray[np.float64], rule: AreaRule, error: float) -> tuple[float, float, float]:
    """Share of cells with enough sun: at least, as measured, at most."""
    limits = (rule.at_least_h + error, rule.at_least_h, rule.at_least_h - error)
    least, middle, most = (float((hours >= limit - ROUNDING_H).mean()) for limit in limits)
    return least, middle, most


def _ends(shares: tuple[float, float, float]) -> tuple[float, float]:
    return shares[0], shares[2]
