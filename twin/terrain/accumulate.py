"""From streamed points to rasters: mean ground, highest surface, and the vegetation.

Heights are summed and compared as whole millimetres, so neither the order of the points, nor the size of
the chunks, nor the number of workers changes one bit of the result.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.classify.tables import PointClass
from twin.errors import InputError
from twin.jit import njit
from twin.model.canopy import Canopy
from twin.model.pointcloud import PointCloud
from twin.model.raster import Grid, Raster
from twin.terrain.water import SEEN_BRIDGE, SEEN_CANOPY, SEEN_GROUND, SEEN_OTHER, SEEN_WATER

GROUND_CLASSES = (PointClass.GROUND, PointClass.WATER, PointClass.RAIL, PointClass.ROAD)
"""Classes that are the ground: with the water's surface, so that a river is not bridged from bank to bank."""

NOT_SURFACE_CLASSES = (PointClass.NOISE, PointClass.HIGH_NOISE, PointClass.WIRE)
"""Classes that are no surface: noise, and wires, which neither shade nor hide a cell."""

CANOPY_CLASSES = (
    PointClass.LOW_VEGETATION,
    PointClass.MEDIUM_VEGETATION,
    PointClass.HIGH_VEGETATION,
    PointClass.VEGETATION,
)
"""Classes that are vegetation."""

HEIGHT_LIMIT_M = 2_000_000.0
"""Largest height that whole millimetres hold in 32 bits."""

_IS_GROUND, _IS_SURFACE = 1, 2
_SEEN_SHIFT = 3
_NONE = np.iinfo(np.int32).min
_NO_LOW = np.iinfo(np.int32).max
_LEAF, _LEAF_OF_SEVERAL = 1, 2
MOST_RETURNS = 65535
"""Vegetation returns of a cell are counted up to here."""


def _role_table() -> NDArray[np.uint8]:
    """What each class code takes part in, as bits (256,)."""
    roles = np.full(256, _IS_SURFACE, dtype=np.uint8)
    roles[list(NOT_SURFACE_CLASSES)] = 0
    roles[list(GROUND_CLASSES)] |= _IS_GROUND
    seen = np.full(256, SEEN_OTHER, dtype=np.uint8)
    seen[list(NOT_SURFACE_CLASSES)] = 0
    seen[list(GROUND_CLASSES)] = SEEN_GROUND
    seen[list(CANOPY_CLASSES)] = SEEN_CANOPY
    seen[PointClass.WATER], seen[PointClass.BRIDGE] = SEEN_WATER, SEEN_BRIDGE
    return np.asarray(roles | (seen << _SEEN_SHIFT), dtype=np.uint8)


@njit
def _add(
    xyz: NDArray[np.float64],
    classes: NDArray[np.uint8],
    roles: tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]],
    place: tuple[float, float, float],
    layers: tuple[
        NDArray[np.int64], NDArray[np.uint32], NDArray[np.int32], NDArray[np.int32], NDArray[np.uint8]
    ],
    leaves: tuple[NDArray[np.int32], NDArray[np.uint16]],
) -> int:
    west, north, cell = place
    total, count, top, canopy, seen = layers
    bits, leaf, of_pulse = roles
    low, hits = leaves
    rows, cols = total.shape
    inside = 0
    for i in range(len(xyz)):
        col = int(np.floor((xyz[i, 0] - west) / cell))
        row = int(np.floor((north - xyz[i, 1]) / cell))
        if row < 0 or row >= rows or col < 0 or col >= cols:
            continue
        inside += 1
        role = bits[classes[i]]
        seen[row, col] |= role >> _SEEN_SHIFT
        height = int(np.rint(xyz[i, 2] * 1000.0))
        if role & 1:
            total[row, col] += height
            count[row, col] += 1
        if role & 2 and height > top[row, col]:
            top[row, col] = height
        kind = leaf[classes[i]]
        if kind == 1 or (kind == 2 and of_pulse[i] > 1):
            canopy[row, col] = max(canopy[row, col], height)
            low[row, col] = min(low[row, col], height)
            if hits[row, col] < 65535:
                hits[row, col] += 1
    return inside


@njit
def _metres_of_mean(total: NDArray[np.int64], count: NDArray[np.uint32], out: NDArray[np.float32]) -> None:
    for row in range(out.shape[0]):
        for col in range(out.shape[1]):
            n = count[row, col]
            out[row, col] = total[row, col] / n / 1000.0 if n > 0 else np.nan


@njit
def _metres_of_top(top: NDArray[np.int32], none: int, out: NDArray[np.float32]) -> None:
    for row in range(out.shape[0]):
        for col in range(out.shape[1]):
            out[row, col] = top[row, col] / 1000.0 if top[row, col] != none else np.nan


class SurfaceAccumulator:
    """Collects points into cells; takes 27 bytes a cell (32 million cells: 860 MB).

    Parameters
    ----------
    grid
        The cells. A point on a shared edge belongs to the cell east or south of it.
    loose
        Classes that hold vegetation among other things, for clouds without a class for it: their points are
        vegetation where the pulse went on (several returns), as twigs let it, and roofs do not.
    """

    def __init__(self, grid: Grid, loose: Set[PointClass] = frozenset()) -> None:
        self.grid = grid
        self._leaf = np.zeros(256, dtype=np.uint8)
        self._leaf[list(loose)] = _LEAF_OF_SEVERAL
        self._leaf[list(CANOPY_CLASSES)] = _LEAF
        self.points_inside = 0
        self.points_outside = 0
        self._roles = _role_table()
        self._total = np.zeros(grid.shape, dtype=np.int64)
        self._count = np.zeros(grid.shape, dtype=np.uint32)
        self._top = np.full(grid.shape, _NONE, dtype=np.int32)
        self._canopy = np.full(grid.shape, _NONE, dtype=np.int32)
        self._low = np.full(grid.shape, _NO_LOW, dtype=np.int32)
        self._hits = np.zeros(grid.shape, dtype=np.uint16)
        self._seen = np.zeros(grid.shape, dtype=np.uint8)
        self._bridges: list[NDArray[np.int64]] = []

    def add(self, cloud: PointCloud) -> None:
        """Take the points of a chunk; those outside the grid are counted only.

        Raises
        ------
        FrameMismatchError
            The cloud lies in another frame.
        InputError
            A height that cannot be one.
        """
        self.grid.frame.require_same(cloud.frame, "a point cloud")
        if not len(cloud):
            return
        highest = float(np.abs(cloud.xyz[:, 2]).max())
        if highest > HEIGHT_LIMIT_M:
            raise InputError(f"a point has height {highest:.0f} m; expected metres above the datum")
        place = (self.grid.west, self.grid.north, self.grid.cell_size)
        layers = (self._total, self._count, self._top, self._canopy, self._seen)
        roles = (self._roles, self._leaf, cloud.number_of_returns)
        leaves = (self._low, self._hits)
        inside = int(_add(cloud.xyz, cloud.classification, roles, place, layers, leaves))
        self.points_inside += inside
        self.points_outside += len(cloud) - inside
        decks = cloud.xyz[cloud.classification == PointClass.BRIDGE]
        if len(decks):
            row, col = self.grid.rows_cols(decks[:, 0], decks[:, 1])
            on = (row >= 0) & (row < self.grid.rows) & (col >= 0) & (col < self.grid.cols)
            self._bridges.append(np.rint(decks[on] * 1000.0).astype(np.int64))

    def merge(self, other: SurfaceAccumulator) -> None:
        """Take what another accumulator collected, on the same grid or on a window of it.

        Raises
        ------
        FrameMismatchError
            The other grid is no window of this one.
        """
        row, col = self.grid.place_of(other.grid)
        place = np.s_[row : row + other.grid.rows, col : col + other.grid.cols]
        self._total[place] += other._total
        self._count[place] += other._count
        np.maximum(self._top[place], other._top, out=self._top[place])
        np.maximum(self._canopy[place], other._canopy, out=self._canopy[place])
        np.minimum(self._low[place], other._low, out=self._low[place])
        both = self._hits[place].astype(np.uint32) + other._hits
        self._hits[place] = np.minimum(both, MOST_RETURNS)
        self._seen[place] |= other._seen
        self._bridges += other._bridges
        self.points_inside += other.points_inside
        self.points_outside += other.points_outside

    @property
    def ground_count(self) -> int:
        """Number of ground points inside the grid."""
        return int(self._count.sum(dtype=np.int64))

    def ground(self) -> Raster:
        """Mean height of the ground points [m], float32, NaN where there is none."""
        out = np.empty(self.grid.shape, dtype=np.float32)
        _metres_of_mean(self._total, self._count, out)
        return _frozen(self.grid, out)

    def surface(self) -> Raster:
        """DSM: highest point that is neither noise nor wire [m], float32, NaN where there is none."""
        return self._highest(self._top)

    def canopy(self) -> Canopy:
        """Highest and lowest vegetation point [m], float32, NaN where there is none; and how many there are."""
        low = np.where(self._hits > 0, self._low, _NONE).astype(np.int32)
        hits = _frozen(self.grid, self._hits.copy())
        return Canopy(self._highest(self._canopy), self._highest(low), hits)

    def seen(self) -> Raster:
        """What fell into each cell, as bits (``twin.terrain.water.SEEN_*``), uint8."""
        return _frozen(self.grid, self._seen.copy())

    def bridge_points(self) -> NDArray[np.float64]:
        """Points of the bridge class (n, 3) to the millimetre, sorted, local space [m]."""
        if not self._bridges:
            return np.empty((0, 3))
        whole = np.concatenate(self._bridges)
        return whole[np.lexsort(whole.T)] / 1000.0

    def _highest(self, top: NDArray[np.int32]) -> Raster:
        out = np.empty(self.grid.shape, dtype=np.float32)
        _metres_of_top(top, _NONE, out)
        return _frozen(self.grid, out)


def _frozen(grid: Grid, values: NDArray[Any]) -> Raster:
    values.flags.writeable = False
    return Raster(grid, values)
