"""Ground by a simple morphological filter (SMRF; Pingel, Clarke and McBride 2013).

The lowest surface on a grid is opened with windows that grow up to the largest building; what an opening
lowers by more than a slope allows stands on the ground. A point is ground where it lies close to the surface
through what is left. Deviations from the paper, each for steep towns: octagons for discs; raised plateaus
(``plateaus.py``) instead of a cut net; low outliers by opposite sides, so that a slope is none; voids closed by
triangles. Everything works on one grid of the site, so tiles, chunks and the order of points change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.classify.morphology import opened
from twin.classify.plateaus import raised_plateaus
from twin.classify.tables import PointClass
from twin.errors import InputError
from twin.jit import njit
from twin.model.pointcloud import PointCloud
from twin.model.raster import Raster
from twin.region import Region
from twin.terrain.sampler import sample_bilinear
from twin.terrain.voids import fill_voids

KEPT_CLASSES = (PointClass.WATER, PointClass.BRIDGE, PointClass.WIRE, PointClass.NOISE, PointClass.HIGH_NOISE)
"""Classes of the vendor that stay whatever the filter says: water is flat, decks and wires hang."""

PIT_M = 1.5
"""A cell this much below what lies on both sides of it, in every direction, is an outlier [m]."""
PIT_REACH_M = 10.0
"""How far its sides are looked at [m]."""


@dataclass(frozen=True, slots=True)
class SmrfSettings:
    """Parameters of the filter, by the paper's names.

    Parameters
    ----------
    slope
        Rise over run that the ground may have between the sizes of the window.
    window_m
        Largest radius of an opening [m]: half the width of the largest building that is no plateau.
    threshold_m, scalar
        A point is ground within ``threshold_m + scalar * slope of the surface`` of the surface [m].
    max_step_m
        What an opening may take from the ground at most, however large the window [m].
    """

    slope: float = 0.2
    window_m: float = 18.0
    threshold_m: float = 0.4
    scalar: float = 1.2
    max_step_m: float = 2.5


@dataclass(frozen=True, slots=True, eq=False)
class GroundModel:
    """The surface of the ground that points are held against.

    Parameters
    ----------
    dtm
        Height of the ground [m], voids filled.
    slope
        Steepness of it, rise over run, on the same grid.
    settings
        Thresholds.
    """

    dtm: Raster
    slope: Raster
    settings: SmrfSettings

    def is_ground(self, xyz: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether points (n, 3) local space lie on the ground; False off the grid."""
        away = np.abs(xyz[:, 2] - sample_bilinear(self.dtm, xyz[:, :2]))
        allowed = self.settings.threshold_m + self.settings.scalar * sample_bilinear(self.slope, xyz[:, :2])
        close: NDArray[np.bool_] = away <= allowed
        return close

    def relabel(self, cloud: PointCloud) -> PointCloud:
        """The cloud with this ground; what the vendor called ground and is none becomes above-ground."""
        classes = cloud.classification.copy()
        free = ~np.isin(classes, KEPT_CLASSES)
        ground = self.is_ground(cloud.xyz)
        was = np.isin(classes, (PointClass.GROUND, PointClass.ROAD, PointClass.RAIL))
        classes[free & was & ~ground] = PointClass.ABOVE_GROUND
        classes[free & ground] = PointClass.GROUND
        return cloud.classed(classes)

    def window(self, region: Region) -> GroundModel | None:
        """The part over a region, two cells wider; None where they do not meet."""
        part = self.dtm.grid.window(region.buffered(2 * self.dtm.grid.cell_size))
        if part is None:
            return None
        row, col = self.dtm.grid.place_of(part)
        place = np.s_[row : row + part.rows, col : col + part.cols]
        dtm, slope = (Raster(part, raster.values[place].copy()) for raster in (self.dtm, self.slope))
        return GroundModel(dtm, slope, self.settings)


@njit
def _pits(z: NDArray[np.float32], reach: int, depth: float, out: NDArray[np.bool_]) -> None:
    """Mark cells that lie deeper than the line between the lowest places of two opposite sides, four times."""
    rows, cols = z.shape
    for row in range(rows):
        for col in range(cols):
            here = z[row, col]
            if np.isnan(here):
                continue
            lines, pit = 0, True
            for k in range(4):
                dr, dc = (0, 1, 1, 1)[k], (1, 0, 1, -1)[k]
                low0, low1 = np.inf, np.inf
                for step in range(2, reach + 1):
                    r, c = row - step * dr, col - step * dc
                    if 0 <= r < rows and 0 <= c < cols and z[r, c] < low0:
                        low0 = z[r, c]
                    r, c = row + step * dr, col + step * dc
                    if 0 <= r < rows and 0 <= c < cols and z[r, c] < low1:
                        low1 = z[r, c]
                if low0 == np.inf or low1 == np.inf:
                    continue
                lines += 1
                if here >= 0.5 * (low0 + low1) - depth:
                    pit = False
                    break
            out[row, col] = pit and lines >= 2


def _objects(z: NDArray[np.float32], cell: float, settings: SmrfSettings) -> NDArray[np.bool_]:
    """Cells that stand on the ground, by openings that grow (the paper's progressive filter)."""
    largest = max(1, round(settings.window_m / cell))
    radii = [r for r in range(1, largest + 1) if r <= 8 or r % 2 == 0 or r == largest]
    objects = np.zeros(z.shape, dtype=np.bool_)
    last = z
    for radius in radii:
        now = opened(last, radius)
        allowed = min(settings.slope * radius * cell, settings.max_step_m)
        objects |= last - now > allowed
        last = now
    return objects


def find_ground(lowest: Raster, settings: SmrfSettings | None = None) -> GroundModel:
    """The ground under the lowest surface of a site.

    Parameters
    ----------
    lowest
        Height of the lowest point of each cell [m], NaN where there is none; cells of about 1 m.
    settings
        The filter's parameters.

    Raises
    ------
    InputError
        No cell has a height.
    """
    chosen = settings or SmrfSettings()
    cell = lowest.grid.cell_size
    z = np.array(lowest.values, dtype=np.float32)
    if np.isnan(z).all():
        raise InputError("no point fell into the site's area: there is no ground to find")
    pits = np.zeros(z.shape, dtype=np.bool_)
    _pits(z, max(3, round(PIT_REACH_M / cell)), PIT_M, pits)
    if not pits[~np.isnan(z)].all():
        z[pits] = np.nan
    known = ~np.isnan(z)
    surface = fill_voids(Raster(lowest.grid, z))[0].values
    raised = raised_plateaus(surface, cell)
    if raised.any():
        below = np.where(raised, np.float32(np.nan), surface)
        surface = fill_voids(Raster(lowest.grid, below))[0].values
    ground = known & ~raised & ~_objects(surface, cell, chosen)
    if not ground.any():
        ground = known
    bare = np.where(ground, z, np.float32(np.nan))
    dtm = fill_voids(Raster(lowest.grid, bare))[0]
    return GroundModel(dtm, Raster(lowest.grid, _steepness(dtm.values, cell)), chosen)


def _steepness(z: NDArray[np.float32], cell: float) -> NDArray[np.float32]:
    """Rise over run by central differences."""
    square = np.zeros(z.shape, dtype=np.float32)
    for axis in (0, 1):
        if z.shape[axis] > 1:
            square += np.gradient(z, cell, axis=axis).astype(np.float32) ** 2
    out: NDArray[np.float32] = np.sqrt(square)
    return out
