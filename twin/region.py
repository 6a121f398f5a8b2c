"""Rectangles in plan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from twin.errors import InputError


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle: west, south, east, north [m], in local space unless its user says otherwise."""

    west: float
    south: float
    east: float
    north: float

    def __post_init__(self) -> None:
        values = (self.west, self.south, self.east, self.north)
        if not all(np.isfinite(v) for v in values) or self.east < self.west or self.north < self.south:
            raise InputError(
                f"a region is west, south, east, north with west < east, south < north; got {values}"
            )

    @staticmethod
    def around(regions: Iterable[Region]) -> Region:
        """The smallest rectangle around several."""
        many = list(regions)
        if not many:
            raise InputError("no region to go around: nothing was given")
        return Region(
            min(r.west for r in many),
            min(r.south for r in many),
            max(r.east for r in many),
            max(r.north for r in many),
        )

    @property
    def width(self) -> float:
        """East minus west [m]."""
        return self.east - self.west

    @property
    def height(self) -> float:
        """North minus south [m]."""
        return self.north - self.south

    @property
    def centre(self) -> tuple[float, float]:
        """x, y of the middle [m]."""
        return (self.west + self.east) / 2, (self.south + self.north) / 2

    def buffered(self, distance: float) -> Region:
        """The rectangle grown by ``distance`` [m] on every side."""
        return Region(
            self.west - distance, self.south - distance, self.east + distance, self.north + distance
        )

    def shifted(self, dx: float, dy: float) -> Region:
        """The rectangle moved by dx, dy [m]."""
        return Region(self.west + dx, self.south + dy, self.east + dx, self.north + dy)

    def intersection(self, other: Region) -> Region | None:
        """The common rectangle, or None where there is none."""
        west, south = max(self.west, other.west), max(self.south, other.south)
        east, north = min(self.east, other.east), min(self.north, other.north)
        return Region(west, south, east, north) if west < east and south < north else None

    def describe(self) -> str:
        """One line for people."""
        return f"E {self.west:.1f} to {self.east:.1f}, N {self.south:.1f} to {self.north:.1f}"
