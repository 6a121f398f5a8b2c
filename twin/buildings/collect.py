"""Roof points of footprints, gathered from streamed clouds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.buildings.inside import PolygonIndex
from twin.errors import InputError
from twin.model.objects import Footprint
from twin.model.pointcloud import PointCloud
from twin.model.raster import Raster
from twin.terrain.sampler import sample_bilinear

MIN_HEIGHT_M = 2.0
"""Points at least this high above the DTM may be roof: cars, hedges and people stay below [m]."""


_Kept = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.uint8]]
"""Footprint (n,), place (n, 3) [mm, local], return number and number of returns (n, 2)."""


def _millimetres(xyz: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.rint(xyz * 1000.0).astype(np.int32)


class RoofPointCollector:
    """Keeps the roof points of footprints; the order of points, chunks and clouds does not matter.

    A point inside several footprints counts for each of them. A point where the DTM is unknown counts for
    none. Points that stand twice in the clouds (overlapping files) count twice. Places are kept in whole
    millimetres, with the return numbers: 18 bytes a point.

    Parameters
    ----------
    footprints
        Outlines; ``points(i)``, ``returns(i)`` and ``heights(i)`` speak of the i-th.
    dtm
        Height of the ground [m], voids filled.
    roof_classes
        Codes of the points that may be roof.
    min_height_m
        Least height above the DTM, exclusive [m].

    Notes
    -----
    A pickled collector carries what it has kept and no more: it can be merged and read, not added to.
    """

    def __init__(
        self,
        footprints: Sequence[Footprint],
        dtm: Raster,
        roof_classes: Iterable[int],
        *,
        min_height_m: float = MIN_HEIGHT_M,
    ) -> None:
        self.frame = dtm.grid.frame
        self.count = len(footprints)
        self.min_height_m = min_height_m
        for footprint in footprints:
            self.frame.require_same(footprint.frame, f"footprint {footprint.id!r}")
        self._dtm: Raster | None = dtm
        self._index: PolygonIndex | None = PolygonIndex([f.polygon for f in footprints])
        self._is_roof = np.zeros(256, dtype=np.bool_)
        self._is_roof[[int(code) for code in roof_classes]] = True
        self._kept: list[_Kept] = []
        self._starts: NDArray[np.int64] | None = None

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        state.update(_dtm=None, _index=None)
        return state

    def add(self, cloud: PointCloud) -> None:
        """Take the points of a chunk.

        Raises
        ------
        FrameMismatchError
            The cloud lies in another frame.
        InputError
            The collector came from another process and has lost its footprints.
        """
        if self._index is None or self._dtm is None:
            raise InputError("a collector from another process can be merged and read, not added to")
        self.frame.require_same(cloud.frame, "a point cloud")
        candidate = np.flatnonzero(self._is_roof[cloud.classification])
        hits, footprints = self._index.hits(cloud.xyz[candidate, :2])
        if not len(hits):
            return
        which = candidate[hits]
        xyz = cloud.xyz[which]
        high = xyz[:, 2] - sample_bilinear(self._dtm, xyz[:, :2]) > self.min_height_m
        returns = np.column_stack([cloud.return_number[which], cloud.number_of_returns[which]])
        self._kept.append((footprints[high], _millimetres(xyz[high]), returns[high]))
        self._starts = None

    def merge(self, other: RoofPointCollector) -> None:
        """Take what another collector of the same footprints has kept."""
        self.frame.require_same(other.frame, "a collector of roof points")
        if self.count != other.count:
            raise InputError(f"collectors of {self.count} and of {other.count} footprints do not go together")
        self._kept.extend(other._kept)
        self._starts = None

    def counts(self) -> NDArray[np.int64]:
        """Number of kept points per footprint (n,)."""
        return np.diff(self._by_footprint())

    def points(self, i: int) -> NDArray[np.float64]:
        """Roof points (n, 3) of footprint ``i``, local space [m], sorted by x, then y, z and returns."""
        millimetres, _ = self._of(i)
        return millimetres / 1000.0

    def returns(self, i: int) -> NDArray[np.uint8]:
        """Return number and number of returns (n, 2) of the points of ``points(i)``."""
        return self._of(i)[1]

    def heights(self, i: int) -> NDArray[np.float32]:
        """Heights above the datum of the roof points of footprint ``i``, rising [m]."""
        millimetres, _ = self._of(i)
        return (np.sort(millimetres[:, 2]) / 1000.0).astype(np.float32)

    def _of(self, i: int) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        starts = self._by_footprint()
        part = slice(starts[i], starts[i + 1])
        _, millimetres, returns = self._kept[0]
        place, which = millimetres[part], returns[part]
        order = np.lexsort((which[:, 1], which[:, 0], place[:, 2], place[:, 1], place[:, 0]))
        return place[order], which[order]

    def _by_footprint(self) -> NDArray[np.int64]:
        """Bring what is kept into the order of the footprints; where each one's points start."""
        if self._starts is None:
            empty: _Kept = (
                np.empty(0, dtype=np.int32),
                np.empty((0, 3), dtype=np.int32),
                np.empty((0, 2), dtype=np.uint8),
            )
            parts, self._kept = self._kept or [empty], []
            ids = np.concatenate([part[0] for part in parts])
            place = np.concatenate([part[1] for part in parts])
            returns = np.concatenate([part[2] for part in parts])
            del parts
            order = np.argsort(ids, kind="stable")
            self._kept = [(ids[order], place[order], returns[order])]
            starts = np.zeros(self.count + 1, dtype=np.int64)
            np.cumsum(np.bincount(ids, minlength=self.count), out=starts[1:])
            self._starts = starts
        return self._starts
