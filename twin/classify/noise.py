"""Isolated points: birds, multiple reflections, stray echoes; found by counting neighbours in voxels.

A point is isolated where the 27 voxels about its own hold no more than a few points together, as in lasnoise.
Counts add up, so tiles, chunks and the order of points change nothing, and memory goes with the occupied voxels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.model.pointcloud import PointCloud

VOXEL_M = 4.0
"""Side of a voxel [m]."""
ISOLATED_MOST = 5
"""So many points in 27 voxels, the point itself with them, are isolated."""
SPARSE_SHARE = 0.02
"""Where more than this share of a cloud would go, the cloud is sparse rather than noisy: nothing goes."""
_BITS, _HALF = 21, 1 << 20


def _keys(xyz: NDArray[np.float64]) -> NDArray[np.int64]:
    voxel = np.floor(xyz / VOXEL_M).astype(np.int64)
    if len(voxel) and np.abs(voxel).max() >= _HALF - 1:
        raise InputError(f"a point lies more than {_HALF * VOXEL_M / 1000:.0f} km off the site's origin")
    packed: NDArray[np.int64] = _packed(voxel)
    return packed


def _packed(voxel: NDArray[np.int64]) -> NDArray[np.int64]:
    x, y, z = (voxel[:, k] + _HALF for k in range(3))
    keys: NDArray[np.int64] = (x << (2 * _BITS)) | (y << _BITS) | z
    return keys


@dataclass(frozen=True, slots=True, eq=False)
class NoiseFilter:
    """Which voxels hold isolated points.

    Parameters
    ----------
    voxels
        Sorted keys of those voxels.
    points
        Number of points in them.
    note
        Word for people where nothing was filtered although points are isolated.
    """

    voxels: NDArray[np.int64]
    points: int
    note: str = ""

    def isolated(self, xyz: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether points (n, 3) local space are isolated."""
        if not len(self.voxels):
            return np.zeros(len(xyz), dtype=np.bool_)
        keys = _keys(xyz)
        at = np.minimum(np.searchsorted(self.voxels, keys), len(self.voxels) - 1)
        lonely: NDArray[np.bool_] = self.voxels[at] == keys
        return lonely

    def kept(self, cloud: PointCloud) -> PointCloud:
        """The cloud without its isolated points."""
        lonely = self.isolated(cloud.xyz)
        return cloud.part(~lonely) if lonely.any() else cloud


class VoxelCounter:
    """Counts the points of a site by voxel."""

    def __init__(self) -> None:
        self._keys = np.empty(0, dtype=np.int64)
        self._counts = np.empty(0, dtype=np.int64)

    def add(self, xyz: NDArray[np.float64]) -> None:
        """Take points (n, 3), local space."""
        self._join(*np.unique(_keys(xyz), return_counts=True))

    def merge(self, other: VoxelCounter) -> None:
        """Take what another counter counted."""
        self._join(other._keys, other._counts)

    def _join(self, keys: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
        every = np.concatenate([self._keys, keys])
        numbers = np.concatenate([self._counts, counts])
        order = np.argsort(every, kind="stable")
        every, numbers = every[order], numbers[order]
        first = np.flatnonzero(np.r_[True, every[1:] != every[:-1]]) if len(every) else np.empty(0, np.int64)
        self._keys = every[first]
        self._counts = np.add.reduceat(numbers, first) if len(first) else numbers

    def finish(self) -> NoiseFilter:
        """The filter, once every point of the site is counted."""
        few = np.flatnonzero(self._counts <= ISOLATED_MOST)
        around = np.zeros(len(few), dtype=np.int64)
        keys = self._keys[few]
        for dx in (-1, 0, 1):
            for dy in (-1, 0, 1):
                for dz in (-1, 0, 1):
                    there = keys + (dx << (2 * _BITS)) + (dy << _BITS) + dz
                    at = np.minimum(np.searchsorted(self._keys, there), len(self._keys) - 1)
                    around += np.where(self._keys[at] == there, self._counts[at], 0)
        lonely = few[around <= ISOLATED_MOST]
        points, total = int(self._counts[lonely].sum()), int(self._counts.sum())
        if points > SPARSE_SHARE * total:
            note = (
                f"{points} of {total} points have hardly a neighbour within {VOXEL_M:g} m: "
                "the cloud is sparse, no point was taken for noise"
            )
            return NoiseFilter(np.empty(0, dtype=np.int64), 0, note)
        return NoiseFilter(self._keys[lonely], points)
