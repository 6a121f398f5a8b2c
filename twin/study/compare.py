"""Existing, proposed and difference out of one call, and the tables of what changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.model.raster import Raster
from twin.model.results import SkyResult, SunlightResult, ViewshedResult, difference
from twin.model.scene import Scene

Result = SunlightResult | ViewshedResult | SkyResult
R = TypeVar("R", SunlightResult, ViewshedResult, SkyResult)
Row = dict[str, str | float | int | None]

SUNLIT_H = 2.0
"""Hours of sun of the usual "sunlit" area [h]."""

LOSSES_H = (0.5, 1.0, 2.0)
"""Losses of sun whose areas the table gives [h]."""

ROUNDING_H = 1e-4
"""Hours are multiples of a time step in single precision; a comparison forgives this much [h]."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """A study of two states of one place.

    Parameters
    ----------
    existing, proposed
        The results; ``proposed`` is None where the existing state alone was asked for.
    difference
        proposed - existing by name (``hours-2026-03-21``, ``sun-2026-03-21T1145Z``, ``visible``); NaN where
        either has no value; empty without a proposed state.
    """

    existing: Result
    proposed: Result | None
    difference: Mapping[str, Raster] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "difference", MappingProxyType(dict(self.difference)))


def compare(
    solve: Callable[[Scene], R], existing: Scene, proposed: Scene | None, known: R | None = None
) -> Comparison:
    """Run a study on both states.

    Parameters
    ----------
    solve
        The study, all but its scene.
    existing, proposed
        The scenes; with no proposed one the existing state alone is studied.
    known
        The result of the existing state, where it is at hand.

    Raises
    ------
    FrameMismatchError
        The two results lie on different grids.
    """
    before = known if known is not None else solve(existing)
    if proposed is None:
        return Comparison(before, None)
    after = solve(proposed)
    old, new = rasters(before), rasters(after)
    if old.keys() != new.keys():
        raise InputError(
            f"existing and proposed were not studied alike: {', '.join(old)} and {', '.join(new)}"
        )
    return Comparison(before, after, {name: difference(new[name], old[name]) for name in new})


def rasters(result: Result) -> dict[str, Raster]:
    """The rasters of a result by the names that files and tables use."""
    if isinstance(result, ViewshedResult):
        more = {"seen_by": result.seen_by, "least_height": result.least, "through_crowns": result.through}
        return {"visible": result.visible, **{name: r for name, r in more.items() if r is not None}}
    if isinstance(result, SkyResult):
        return dict(result.factors)
    found = {f"hours-{date}": raster for date, raster in result.hours.items()}
    found |= {f"least-{name}": raster for name, raster in result.least.items()}
    for date, runs in result.runs.items():
        found |= {f"longest-{date}": runs.longest, f"first-{date}": runs.first, f"last-{date}": runs.last}
    found |= {f"sun-{sun.utc:%Y-%m-%dT%H%MZ}": raster for sun, raster in result.plates}
    return found


def sunlight_table(comparison: Comparison) -> list[Row]:
    """One row per date or period: mean hours, area with two hours, areas that lose sun, over the cells of both states.

    In the row of a period these limits hold for the mean day, in columns of their own (``..._a_day_...``); the
    columns of a day are None there.

    The footprints of added volumes, and of removed ones, are in one state only: their area is a column of its
    own and they count in nothing else. Columns of the proposed state are None where there is none.
    """
    before, after = comparison.existing, comparison.proposed
    if not isinstance(before, SunlightResult):
        raise InputError("a table of sunlight needs the results of a sunlight study")
    rows: list[Row] = []
    for date, raster in before.hours.items():
        old = raster.values
        new = after.hours[date].values if isinstance(after, SunlightResult) else None
        days: Mapping[str, Mapping[str, float]] = before.method["days"]
        row: Row = {
            "date": date,
            "step_min": float(days[date]["step_min"]),
            "longest_h": float(days[date]["longest_h"]),
        }
        count = int(days[date].get("days", 1))
        rows.append(row | _sun_row(old, new, raster.grid.cell_size**2, count))
    return _same_columns(rows)


def _same_columns(rows: list[Row]) -> list[Row]:
    """Rows of days and of periods in one table: None in what is not asked of the other kind."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [{name: row.get(name) for name in names} for row in rows]


def _sun_row(old: NDArray[np.float32], new: NDArray[np.float32] | None, cell_m2: float, days: int = 1) -> Row:
    """One day or period; the limits of a day hold for the mean day of a period, in columns that say so."""
    both = np.isfinite(old) if new is None else np.isfinite(old) & np.isfinite(new)
    was = old[both].astype(np.float64)
    now = new[both].astype(np.float64) if new is not None else None
    row: Row = {
        "area_m2": _area(both, cell_m2),
        "area_in_one_state_m2": None if new is None else _area(np.isfinite(old) ^ np.isfinite(new), cell_m2),
        "mean_existing_h": _mean(was),
        "mean_proposed_h": None if now is None else _mean(now),
        "mean_change_h": None if now is None else _mean(now - was),
    }
    mean = "" if days == 1 else "_a_day"
    if days > 1:
        row["mean_existing_h_a_day"] = None if (h := _mean(was)) is None else h / days
        row["mean_proposed_h_a_day"] = None if now is None or (h := _mean(now)) is None else h / days
    enough = days * SUNLIT_H - ROUNDING_H
    row[f"area_{SUNLIT_H:g}h{mean}_existing_m2"] = _area(was >= enough, cell_m2)
    row[f"area_{SUNLIT_H:g}h{mean}_proposed_m2"] = None if now is None else _area(now >= enough, cell_m2)
    for loss in LOSSES_H:
        lost = None if now is None else _area(was - now > days * loss + ROUNDING_H, cell_m2)
        row[f"area_losing_over_{loss:g}h{mean}_m2"] = lost
    row["area_gaining_m2"] = None if now is None else _area(now - was > ROUNDING_H, cell_m2)
    row["largest_loss_h"] = None if now is None or not len(now) else float(max(0.0, (was - now).max()))
    return row


def viewshed_table(comparison: Comparison) -> list[Row]:
    """One row: ground that is seen before and after, gained and lost, over the cells of both states."""
    before, after = comparison.existing, comparison.proposed
    if not isinstance(before, ViewshedResult):
        raise InputError("a table of sight needs the results of a viewshed")
    old = before.visible.values
    new = after.visible.values if isinstance(after, ViewshedResult) else None
    cell_m2 = before.visible.grid.cell_size**2
    both = np.isfinite(old) if new is None else np.isfinite(old) & np.isfinite(new)
    was = old[both] > 0.5
    now = new[both] > 0.5 if new is not None else None
    seen = _area(was, cell_m2)
    total = _area(both, cell_m2)
    crowns = {}
    for state, result in (("existing", before), ("proposed", after)):
        if isinstance(result, ViewshedResult) and result.through is not None:
            crowns_only = (result.through.values > 0) & (result.visible.values == 0) & both
            crowns[f"hidden_by_crowns_only_{state}_m2"] = _area(crowns_only, cell_m2)
            crowns[f"through_crowns_{state}_m2"] = _area(crowns_only & seen_through(result), cell_m2)
    return [
        {
            "area_m2": total,
            "area_in_one_state_m2": (
                None if new is None else _area(np.isfinite(old) ^ np.isfinite(new), cell_m2)
            ),
            "visible_existing_m2": seen,
            "visible_proposed_m2": None if now is None else _area(now, cell_m2),
            "gained_m2": None if now is None else _area(now & ~was, cell_m2),
            "lost_m2": None if now is None else _area(was & ~now, cell_m2),
            "visible_existing_percent": 100.0 * seen / total if total else None,
            "visible_proposed_percent": (
                100.0 * _area(now, cell_m2) / total if now is not None and total else None
            ),
            **crowns,
        }
    ]


SEEN_THROUGH = 0.1
"""Share of sight that comes through the crowns before a cell from which it counts as seen through them."""


def seen_through(result: ViewshedResult) -> NDArray[np.bool_]:
    """Cells (rows, cols) that crowns hide and that are seen through them; none where crowns are opaque."""
    if result.through is None:
        return np.zeros(result.visible.values.shape, dtype=bool)
    found: NDArray[np.bool_] = (result.through.values >= SEEN_THROUGH) & (result.visible.values == 0)
    return found


def sky_table(comparison: Comparison) -> list[Row]:
    """One row per sky view factor: its mean before and after, over the cells of both states."""
    before, after = comparison.existing, comparison.proposed
    if not isinstance(before, SkyResult):
        raise InputError("a table of the sky needs the results of a sky study")
    rows: list[Row] = []
    for name, raster in before.factors.items():
        old = raster.values
        new = after.factors[name].values if isinstance(after, SkyResult) else None
        both = np.isfinite(old) if new is None else np.isfinite(old) & np.isfinite(new)
        was = old[both].astype(np.float64)
        now = new[both].astype(np.float64) if new is not None else None
        rows.append(
            {
                "factor": name,
                "area_m2": _area(both, raster.grid.cell_size**2),
                "mean_existing": _mean(was),
                "mean_proposed": None if now is None else _mean(now),
                "mean_change": None if now is None else _mean(now - was),
                "largest_loss": None if now is None or not len(now) else float(max(0.0, (was - now).max())),
            }
        )
    return rows


def _area(mask: NDArray[np.bool_], cell_m2: float) -> float:
    return float(np.count_nonzero(mask)) * cell_m2


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if len(values) else None
