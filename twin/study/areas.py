"""Sun in named areas: gardens, squares, parks, with the share that has enough of it, before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from twin.errors import InputError
from twin.model.raster import Grid, Raster
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


def day_error_h(step_min: float) -> float:
    """How far the hours of one day may be off by their time step alone [h].

    Each end of a stretch of sun is known to half a step; a day of one stretch has two ends.
    """
    return step_min / 60.0


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
        judged = _judged(before, date), _judged(after, date) if isinstance(after, SunlightResult) else None
        both = np.isfinite(old) if new is None else np.isfinite(old) & np.isfinite(new)
        for name, polygon in areas:
            cells = cells_in(raster.grid, polygon)
            cells = cells[both.ravel()[cells]]
            was = old.ravel()[cells].astype(np.float64)
            now = new.ravel()[cells].astype(np.float64) if new is not None else None
            row: Row = {"date": date, "area": name, "cells_m2": len(cells) * raster.grid.cell_size**2}
            row |= _area_row(was, now)
            if judged[0] is None:
                row |= dict.fromkeys(("share_existing", "share_proposed"))
                row["verdict"] = NOT_DAILY if len(cells) else None
            else:
                ends = [None if r is None else r.values.ravel()[cells].astype(np.float64) for r in judged]
                row |= _verdict_row(ends[0], ends[1], rule, error_h[date])
            rows.append(row)
    return rows


NOT_DAILY = "not judged: a limit of hours a day needs daily = true on the period"


def _judged(result: SunlightResult, date: str) -> Raster | None:
    """The hours that a limit of a day is held against: those of the day, or of the day with the least sun."""
    if date in result.least:
        return result.least[date]
    days = result.method.get("days", {}).get(date, {}).get("days", 1)
    return result.hours[date] if days == 1 else None


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


def _area_row(was: NDArray[np.float64], now: NDArray[np.float64] | None) -> Row:
    if not len(was):
        return dict.fromkeys(("mean_existing_h", "mean_proposed_h", "mean_change_h"))
    return {
        "mean_existing_h": float(was.mean()),
        "mean_proposed_h": None if now is None else float(now.mean()),
        "mean_change_h": None if now is None else float((now - was).mean()),
    }


def _verdict_row(
    was: NDArray[np.float64] | None, now: NDArray[np.float64] | None, rule: AreaRule, error: float
) -> Row:
    if was is None or not len(was):
        return dict.fromkeys(("share_existing", "share_proposed", "verdict"))
    old, new = _shares(was, rule, error), _shares(now, rule, error) if now is not None else None
    return {
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
