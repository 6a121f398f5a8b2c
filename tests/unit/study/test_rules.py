"""Rules that look at the former value: each condition, the ties, and the three values."""

from __future__ import annotations

import pytest

from twin.study.rules import KeptRule, Light, level_of

VSC = KeptRule(27.0, 0.8)
SUN = KeptRule(25.0, 0.8, 4.0)


@pytest.mark.parametrize(
    ("before", "after", "error", "verdict"),
    [
        (38.0, 28.0, 0.3, "met"),  # Enough, though a quarter is gone.
        (30.0, 24.5, 0.1, "met"),  # Under 27, but more than 0.8 of the former.
        (30.0, 23.0, 0.3, "not met"),
        (30.0, 24.0, 0.3, "too close to call"),  # 0.8 of it.
        (38.0, 26.8, 0.3, "too close to call"),  # 27 lies within the error.
        (38.0, 26.8, 0.1, "not met"),
        (0.4, 0.4, 0.3, "met"),  # Nothing has fallen.
        (20.0, 21.0, 0.3, "met"),
        (None, 26.0, 0.3, "not met"),
        (None, 27.0, 0.0, "met"),
        (None, 27.2, 0.3, "too close to call"),
    ],
)
def test_vsc(before: float | None, after: float, error: float, verdict: str) -> None:
    assert VSC.verdict(Light(before, after), error) == verdict
    if verdict != "too close to call":
        assert VSC.broken(Light(before, after)) == (verdict == "not met")


@pytest.mark.parametrize(
    ("before", "after", "drop", "verdict"),
    [
        (30.0, 20.0, 10.0, "not met"),
        (4.9, 1.4, 3.5, "met"),  # Not more than 4 points of the year are lost.
        (8.0, 3.9, 4.1, "too close to call"),
        (30.0, 20.0, None, "not met"),
        (40.0, 25.0, 15.0, "too close to call"),
    ],
)
def test_probable_sun(before: float, after: float, drop: float | None, verdict: str) -> None:
    assert SUN.verdict(Light(before, after, drop), 0.2, 0.2) == verdict


def test_equal_to_a_limit_is_enough() -> None:
    assert VSC.verdict(Light(38.0, 27.0), 0.0) == "met"
    assert VSC.verdict(Light(30.0, 24.0), 0.0) == "met"
    assert SUN.verdict(Light(20.0, 12.0, 4.0), 0.0) == "met"


def test_levels() -> None:
    levels = {"high": 4.0, "minimum": 1.5, "medium": 3.0}
    found = [level_of(hours, levels) for hours in (None, 0.0, 1.49, 1.5, 3.2, 4.0)]
    assert found == [None, "none", "none", "minimum", "medium", "high"]
    assert level_of(2.0, {}) is None
