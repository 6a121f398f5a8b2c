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


class RoofPointCollector:
    """Keeps the heights of roof points by footprint; the order of points, chunks and clouds does not matter.

    A point inside several footprints counts for each of them. A point where the DTM is unknown counts for
    none. Points that stand twice in the clouds (overlapping files) count twice. Eight bytes are kept for
    each point.

    Parameters
    ----------
    footprints
        Outlines; ``heights(i)`` speaks of the i-th.
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
        self._kept: list[tuple[NDArray[np.int32], NDArray[np.float32]]] = []
        self._sorted: tuple[NDArray[np.int64], NDArray[np.float32]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        state.update(_dtm=None, _index=None, _sorted=None)
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
        xyz = cloud.xyz[self._is_roof[cloud.classification]]
        points, footprints = self._index.hits(xyz[:, :2])
        if not len(points):
            return
        inside = xyz[points]
        high = inside[:, 2] - sample_bilinear(self._dtm, inside[:, :2]) > self.min_height_m
        self._kept.append((footprints[high], inside[high, 2].astype(np.float32)))
        self._sorted = None

    def merge(self, other: RoofPointCollector) -> None:
        """Take what another collector of the same footprints has kept."""
        self.frame.require_same(other.frame, "a collector of roof points")
        if self.count != other.count:
            raise InputError(f"collectors of {self.count} and of {other.count} footprints do not go together")
        self._kept.extend(other._kept)
        self._sorted = None

    def counts(self) -> NDArray[np.int64]:
        """Number of kept points per footprint (n,)."""
        return np.diff(self._by_footprint()[0])

    def heights(self, i: int) -> NDArray[np.float32]:
        """Heights above the datum of the roof points of footprint ``i``, rising [m]."""
        starts, z = self._by_footprint()
        return z[starts[i] : starts[i + 1]]

    def _by_footprint(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        if self._sorted is None:
            nothing = (np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32))
            kept = self._kept or [nothing]
            ids = np.concatenate([k[0] for k in kept])
            z = np.concatenate([k[1] for k in kept])
            z = z[np.lexsort((z, ids))]
            z.flags.writeable = False
            starts = np.zeros(self.count + 1, dtype=np.int64)
            np.cumsum(np.bincount(ids, minlength=self.count), out=starts[1:])
            self._sorted = (starts, z)
        return self._sorted
