"""First look at the points of a site: lowest surface, the vendor's ground, points by class, and by voxel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from twin.classify.ground import GroundModel
from twin.classify.noise import VoxelCounter
from twin.classify.tables import PointClass
from twin.jit import njit
from twin.model.pointcloud import PointCloud
from twin.model.raster import Grid, Raster

VENDOR_GROUND = (PointClass.GROUND, PointClass.WATER, PointClass.RAIL, PointClass.ROAD)
FOUND_SHARE = 0.6
"""A vendor's ground that misses more of the filtered ground than the rest of this is taken for wrong."""
STRAY_SHARE = 0.15
"""A vendor's ground of which more than this stands above the filtered ground is taken for wrong."""
STRAY_M = 1.5
"""That far above it [m]."""
NEAR_M = 5.0
"""The vendor's ground is missing where it is farther away than this [m]."""
_NONE = np.iinfo(np.int32).max


@njit
def _lowest(
    xyz: NDArray[np.float64],
    is_ground: NDArray[np.bool_],
    place: tuple[float, float, float],
    low: NDArray[np.int32],
    ground: NDArray[np.int32],
) -> None:
    west, north, cell = place
    rows, cols = low.shape
    for i in range(len(xyz)):
        col = int(np.floor((xyz[i, 0] - west) / cell))
        row = int(np.floor((north - xyz[i, 1]) / cell))
        if row < 0 or row >= rows or col < 0 or col >= cols:
            continue
        height = int(np.rint(xyz[i, 2] * 1000.0))
        low[row, col] = min(low[row, col], height)
        if is_ground[i]:
            ground[row, col] = min(ground[row, col], height)


class Survey:
    """Collects points; whole millimetres and counts, so their order does not matter. 8 bytes a cell.

    Parameters
    ----------
    grid
        Cells of about 1 m.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.classes = np.zeros(256, dtype=np.int64)
        self.voxels = VoxelCounter()
        self._low = np.full(grid.shape, _NONE, dtype=np.int32)
        self._ground = np.full(grid.shape, _NONE, dtype=np.int32)

    def add(self, cloud: PointCloud) -> None:
        """Take the points of a chunk; those off the grid are counted only."""
        self.grid.frame.require_same(cloud.frame, "a point cloud")
        self.classes += np.bincount(cloud.classification, minlength=256)
        self.voxels.add(cloud.xyz)
        surface = ~np.isin(cloud.classification, (PointClass.NOISE, PointClass.HIGH_NOISE))
        ground = np.isin(cloud.classification, VENDOR_GROUND)
        place = (self.grid.west, self.grid.north, self.grid.cell_size)
        _lowest(cloud.xyz[surface], ground[surface], place, self._low, self._ground)

    def merge(self, other: Survey) -> None:
        """Take what another survey saw, on the same grid or on a window of it."""
        row, col = self.grid.place_of(other.grid)
        place = np.s_[row : row + other.grid.rows, col : col + other.grid.cols]
        np.minimum(self._low[place], other._low, out=self._low[place])
        np.minimum(self._ground[place], other._ground, out=self._ground[place])
        self.classes += other.classes
        self.voxels.merge(other.voxels)

    def lowest(self) -> Raster:
        """Height of the lowest point of each cell [m], NaN where there is none."""
        return Raster(self.grid, _metres(self._low))

    def vendor_ground(self) -> Raster:
        """Height of the lowest point that the vendor calls ground or water [m], NaN where there is none."""
        return Raster(self.grid, _metres(self._ground))


def _metres(millimetres: NDArray[np.int32]) -> NDArray[np.float32]:
    out: NDArray[np.float32] = np.where(millimetres == _NONE, np.nan, millimetres / 1000.0).astype(np.float32)
    return out


def doubts(survey: Survey, model: GroundModel) -> str:
    """Why the vendor's ground class cannot be used, as a phrase; empty where it can.

    It is held against the ground that the filter finds: it must be near most of it, and not stand above it.
    """
    vendor = survey.vendor_ground().values
    has: NDArray[Any] = ~np.isnan(vendor)
    if not has.any():
        return "there is none"
    filtered = np.abs(survey.lowest().values - model.dtm.values) < STRAY_M / 3
    size = 2 * max(1, round(NEAR_M / survey.grid.cell_size)) + 1
    found = float((maximum_filter(has, size) & filtered).sum() / max(1, filtered.sum()))
    if found < FOUND_SHARE:
        return f"it covers only {found:.0%} of the ground that the filter finds"
    stray = float((vendor - model.dtm.values > STRAY_M)[has].mean())
    if stray > STRAY_SHARE:
        return f"{stray:.0%} of it stands more than {STRAY_M:g} m above the ground that the filter finds"
    return ""
