"""Point clouds: local coordinates and ASPRS classes."""

from __future__ import annotations

from dataclasses import dataclass

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
    """

    frame: Frame
    xyz: NDArray[np.float64]
    classification: NDArray[np.uint8]

    def __post_init__(self) -> None:
        object.__setattr__(self, "xyz", readonly(np.reshape(self.xyz, (-1, 3)), np.float64))
        object.__setattr__(self, "classification", readonly(self.classification, np.uint8))
        if len(self.xyz) != len(self.classification):
            raise InputError(f"{len(self.xyz)} points but {len(self.classification)} classes")
        if not np.isfinite(self.xyz).all():
            raise InputError("a point cloud has coordinates that are not finite numbers")

    def __len__(self) -> int:
        return len(self.xyz)
