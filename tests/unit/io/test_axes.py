"""Axes and units: the y-up formats, and lengths of model files."""

from __future__ import annotations

import numpy as np
import pytest

from twin.errors import InputError
from twin.io.axes import metres_of, y_up_to_z_up, z_up_to_y_up


def test_east_north_up_become_x_minus_z_y() -> None:
    """glTF: x to the east, y up, z to the south."""
    assert z_up_to_y_up(np.array([[1.0, 2.0, 3.0]])).tolist() == [[1.0, 3.0, -2.0]]
    assert y_up_to_z_up(np.array([[1.0, 3.0, -2.0]])).tolist() == [[1.0, 2.0, 3.0]]


def test_the_turn_is_a_rotation_so_that_nothing_is_mirrored() -> None:
    turn = z_up_to_y_up(np.eye(3)).T
    assert np.linalg.det(turn) == pytest.approx(1.0)
    assert (turn @ turn.T == np.eye(3)).all()


def test_there_and_back_changes_no_bit() -> None:
    points = np.random.default_rng(4).normal(0, 1e6, (50, 3))
    assert (y_up_to_z_up(z_up_to_y_up(points)) == points).all()
    assert (z_up_to_y_up(y_up_to_z_up(points)) == points).all()


@pytest.mark.parametrize(
    ("unit", "length"), [("m", 1), ("cm", 0.01), ("mm", 0.001), ("ft", 0.3048), ("in", 0.0254)]
)
def test_units(unit: str, length: float) -> None:
    assert metres_of(unit) == length


def test_an_unknown_unit_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(InputError, match=r"'yd' is none of m, cm, mm, ft, in"):
        metres_of("yd")
