"""Point clouds: local coordinates, ASPRS classes, and which return of its pulse a point is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.frame import Frame
from twin.model.arrays import readonly


@dataclass(frozen=True, slots=True, eq=False)
class PointCloud:
    """Points with the toolkit's (ASPRS) class codes.

    Parameters
    ----------
    frame
        Frame of the local coordinates.
    xyz
        (n, 3) float64 local space [m], finite.
    classification
        (n,) uint8, see ``twin.classify.tables.PointClass``.
    return_number, number_of_returns
        (n,) uint8 as in LAS; where not given (None), each point is the only return of its pulse.
    """

    frame: Frame
    xyz: NDArray[np.float64]
    classification: NDArray[np.uint8]
    return_number: NDArray[np.uint8] = None  # type: ignore[assignment]
    number_of_returns: NDArray[np.uint8] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        object.__setattr__(self, "xyz", readonly(np.reshape(self.xyz, (-1, 3)), np.float64))
        object.__setattr__(self, "classification", readonly(self.classification, np.uint8))
        if len(self.xyz) != len(self.classification):
            raise InputError(f"{len(self.xyz)} points but {len(self.classification)} classes")
        if not np.isfinite(self.xyz).all():
            raise InputError("a point cloud has coordinates that are not finite numbers")
        for name in ("return_number", "number_of_returns"):
            given = getattr(self, name)
            values = np.ones(len(self.xyz), dtype=np.uint8) if given is None else given
            object.__setattr__(self, name, readonly(values, np.uint8))
            if len(values) != len(self.xyz):
                raise InputError(f"{len(self.xyz)} points but {len(values)} values of {name}")

    def __len__(self) -> int:
        return len(self.xyz)

    def part(self, which: NDArray[Any]) -> PointCloud:
        """The points that a mask or an index array picks."""
        return PointCloud(
            self.frame,
            self.xyz[which],
            self.classification[which],
            self.return_number[which],
            self.number_of_returns[which],
        )

    def classed(self, classification: NDArray[np.uint8]) -> PointCloud:
        """The same points with other classes."""
        return PointCloud(self.frame, self.xyz, classification, self.return_number, self.number_of_returns)
