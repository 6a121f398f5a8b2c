"""Named areas: which cells they hold, their shares, and verdicts with three values."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS

from twin.frame import Frame
from twin.model.raster import Grid, Raster
from twin.model.results import SunlightResult
from twin.study.areas import AreaRule, area_table, cells_in
from twin.study.compare import Comparison

FRAME = Frame(CRS.from_epsg(3812), "EPSG:5710", (732_000, 643_000))
GRID = Grid(FRAME, 0.0, 10.0, 1.0, 10, 10)
DAY = "2026-03-21"


def result(hours: np.ndarray) -> SunlightResult:
    raster = Raster(GRID, np.asarray(hours, dtype=np.float32))
    return SunlightResult("0" * 64, "x", {DAY: raster}, (), {"days": {DAY: {"step_min": 10.0}}})


def halves(left: float, right: float) -> np.ndarray:
    hours = np.full((10, 10), left)
    hours[:, 5:] = right
    return hours


def test_cells_are_those_with_their_centre_inside() -> None:
    assert len(cells_in(GRID, shapely.box(0, 0, 10, 10))) == 100
    # Centres at x 2.5 to 4.5 and y 9.5 to 7.5: rows 0 to 2, columns 2 to 4.
    assert cells_in(GRID, shapely.box(2.4, 7.4, 4.6, 9.6)).tolist() == [2, 3, 4, 12, 13, 14, 22, 23, 24]
    assert len(cells_in(GRID, shapely.box(3.6, 3.6, 3.9, 3.9))) == 0
    ring = shapely.box(0, 0, 10, 10).difference(shapely.box(2, 2, 8, 8))
    assert len(cells_in(GRID, ring)) == 100 - 36


def test_means_and_shares_before_and_after() -> None:
    comparison = Comparison(result(halves(1.0, 4.0)), result(halves(1.0, 1.5)))
    (row,) = area_table(comparison, [("park", shapely.box(0, 0, 10, 10))], AreaRule(), {DAY: 1 / 12})
    assert (row["cells_m2"], row["mean_existing_h"], row["mean_proposed_h"]) == (100.0, 2.5, 1.25)
    assert row["mean_change_h"] == pytest.approx(-1.25)
    assert (row["share_existing"], row["share_proposed"], row["verdict"]) == (0.5, 0.0, "not met")


def test_cells_of_one_state_only_do_not_count() -> None:
    before, after = halves(4.0, 4.0), halves(4.0, 4.0)
    after[:, :3] = np.nan
    comparison = Comparison(result(before), result(after))
    (row,) = area_table(comparison, [("a", shapely.box(0, 0, 10, 10))], AreaRule(), {DAY: 0.0})
    assert row["cells_m2"] == 70.0


def test_a_limit_of_a_day_is_held_against_the_day_with_the_least_sun() -> None:
    """1,000 hours of a season say nothing of 2 hours a day."""
    method = {"days": {"season": {"step_min": 60.0, "days": 245}}}
    total = Raster(GRID, np.full((10, 10), 1000.0, dtype=np.float32))
    least = Raster(GRID, halves(1.0, 3.0).astype(np.float32))
    area = [("park", shapely.box(0, 0, 10, 10))]
    whole = SunlightResult("0" * 64, "x", {"season": total}, (), method)
    (row,) = area_table(Comparison(whole, None), area, AreaRule(), {"season": 0.0})
    assert str(row["verdict"]).startswith("not judged") and row["share_existing"] is None
    daily = SunlightResult("0" * 64, "x", {"season": total}, (), method, {}, {"season": least})
    (row,) = area_table(Comparison(daily, None), area, AreaRule(), {"season": 0.0})
    assert (row["share_existing"], row["verdict"], row["mean_existing_h"]) == (0.5, "met", 1000.0)
    (row,) = area_table(Comparison(daily, None), area, AreaRule(share=0.6), {"season": 0.0})
    assert row["verdict"] == "not met"


def test_an_area_without_a_cell_says_nothing() -> None:
    comparison = Comparison(result(halves(1.0, 4.0)), None)
    (row,) = area_table(comparison, [("far", shapely.box(50, 50, 60, 60))], AreaRule(), {DAY: 0.0})
    assert row["cells_m2"] == 0 and row["mean_existing_h"] is None and row["verdict"] is None


@pytest.mark.parametrize(
    ("left", "error", "verdict"),
    [
        (2.5, 0.1, "met"),
        (2.05, 0.1, "too close to call"),
        (1.95, 0.1, "too close to call"),
        (1.8, 0.1, "not met"),
    ],
)
def test_within_the_error_nobody_can_say(left: float, error: float, verdict: str) -> None:
    """All hangs on the left half of the cells: the right one is in the dark."""
    comparison = Comparison(result(halves(left, 0.0)), None)
    (row,) = area_table(comparison, [("a", shapely.box(0, 0, 10, 10))], AreaRule(2.0, 0.5), {DAY: error})
    assert row["verdict"] == verdict and row["share_proposed"] is None


def test_four_fifths_of_the_former_share_may_be_enough() -> None:
    rule = AreaRule(2.0, 0.5, 0.8)
    assert rule.verdict((0.45, 0.45), (0.40, 0.40)) == "met"
    assert rule.verdict((0.45, 0.45), (0.30, 0.30)) == "not met"
    assert rule.verdict((0.40, 0.50), (0.36, 0.38)) == "too close to call"
    assert AreaRule(2.0, 0.5).verdict((0.45, 0.45), (0.40, 0.40)) == "not met"


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_wider_error_never_turns_a_verdict_round(
    share: float, before: float, after: float, wide: float
) -> None:
    """With more doubt a verdict stays or becomes too close to call."""
    rule = AreaRule(2.0, max(share, 0.01), 0.8)
    sure = rule.verdict((before, before), (after, after))
    doubt = rule.verdict(
        (max(0, before - wide), min(1, before + wide)), (max(0, after - wide), min(1, after + wide))
    )
    assert doubt in (sure, "too close to call")
