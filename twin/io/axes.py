"""The one place that changes axes or units: models of other programs come in and go out here."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError

UNIT_METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001, "ft": 0.3048, "in": 0.0254}
"""Length units of model files in metres."""


def z_up_to_y_up(points: NDArray[Any]) -> NDArray[np.float64]:
    """(n, 3) east, north, height to x, y, z of a y-up format such as glTF: (E, H, -N)."""
    values = np.asarray(points, dtype=np.float64)
    return np.column_stack([values[:, 0], values[:, 2], -values[:, 1]])


def y_up_to_z_up(points: NDArray[Any]) -> NDArray[np.float64]:
    """(n, 3) x, y, z of a y-up format back to east, north, height: (x, -z, y)."""
    values = np.asarray(points, dtype=np.float64)
    return np.column_stack([values[:, 0], -values[:, 2], values[:, 1]])


def metres_of(unit: str) -> float:
    """Length of a unit [m].

    Raises
    ------
    InputError
        A unit that is not known.
    """
    if unit not in UNIT_METRES:
        raise InputError(f"unit {unit!r} is none of {', '.join(UNIT_METRES)}")
    return UNIT_METRES[unit]
