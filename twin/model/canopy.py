"""The vegetation of a cloud by cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin.model.raster import Grid, Raster


@dataclass(frozen=True, slots=True, eq=False)
class Canopy:
    """Vegetation points by cell.

    Parameters
    ----------
    top, low
        Highest and lowest vegetation point of each cell above the datum [m], NaN where there is none.
    returns
        Number of vegetation points of each cell.
    """

    top: Raster
    low: Raster
    returns: Raster

    def __post_init__(self) -> None:
        self.top.require_same_grid(self.low)
        self.top.require_same_grid(self.returns)

    @property
    def grid(self) -> Grid:
        """The cells."""
        return self.top.grid

    @property
    def is_empty(self) -> bool:
        """Whether there is no vegetation point at all."""
        return not bool(np.isfinite(self.top.values).any())
