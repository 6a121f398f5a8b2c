"""Directions of the sky and their weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.model.arrays import readonly

Measure = Literal["solid_angle", "cosine"]
SKY_DIRECTIONS = 2000
"""Directions of a sky; closed forms are met to 0.002."""
GOLDEN = 0.6180339887498949


@dataclass(frozen=True, slots=True, eq=False)
class Sky:
    """Directions that share the upper half of space evenly by a measure.

    Parameters
    ----------
    directions
        (n, 3) unit vectors, x east, y grid north, z up.
    measure
        ``solid_angle``: each stands for 2 pi / n steradian; ``cosine``: each for pi / n of solid angle times the
        sine of its altitude.
    """

    directions: NDArray[np.float64]
    measure: Measure

    def __post_init__(self) -> None:
        object.__setattr__(self, "directions", readonly(self.directions, np.float64))

    def __len__(self) -> int:
        return len(self.directions)

    @property
    def solid_angles(self) -> NDArray[np.float64]:
        """Solid angle of each direction (n,) [sr]."""
        if self.measure == "solid_angle":
            return np.full(len(self), 2.0 * np.pi / len(self))
        return np.pi / len(self) / self.directions[:, 2]


def sky_of(measure: Measure = "solid_angle", count: int = SKY_DIRECTIONS) -> Sky:
    """A sky of about ``count`` directions in bands of altitude, each patch as wide as it is high.

    The patches of a band part it evenly, so each stands for the same part of the measure; a direction lies in the
    middle of its patch by that measure (as Tregenza's 145 patches do nearly, and Reinhart's divisions of them).

    Raises
    ------
    InputError
        Fewer than 32 directions or more than a million.
    """
    if not 32 <= count <= 1_000_000:
        raise InputError(f"a sky has 32 to 1,000,000 directions; got {count}")
    bands = max(3, round(np.sqrt(count * np.pi / 8.0)))
    middle = (np.arange(bands) + 0.5) * np.pi / 2 / bands
    shape = np.cos(middle) if measure == "solid_angle" else np.cos(middle) * np.sin(middle)
    numbers = np.maximum(3, np.rint(count * shape / shape.sum())).astype(int)
    edges = np.concatenate([[0.0], np.cumsum(numbers)]) / numbers.sum()
    between = 0.5 * (edges[1:] + edges[:-1])
    # Measure below an altitude h: sin h of solid angle, sin2 h of the cosine.
    rise = between if measure == "solid_angle" else np.sqrt(between)
    found = []
    for band, (number, sine) in enumerate(zip(numbers, rise, strict=True)):
        azimuth = 2.0 * np.pi * ((np.arange(number) + 0.5) / number + band * GOLDEN)
        flat = np.sqrt(1.0 - sine * sine)
        found.append(np.column_stack([np.sin(azimuth) * flat, np.cos(azimuth) * flat, np.full(number, sine)]))
    return Sky(np.vstack(found), measure)


def cie_overcast(sine_altitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Luminance of the CIE standard overcast sky over that of its zenith: (1 + 2 sin h) / 3 (CIE S 011)."""
    luminance: NDArray[np.float64] = (1.0 + 2.0 * np.asarray(sine_altitude)) / 3.0
    return luminance


OVERCAST_HORIZONTAL = 7.0 * np.pi / 9.0
"""Illuminance of open level ground under the CIE overcast sky over the luminance of its zenith [sr]."""
