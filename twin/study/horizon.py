"""The far terrain: a coarse horizon beyond the site, from any DTM around it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.earth import EARTH_RADIUS_M
from twin.jit import njit
from twin.model.arrays import readonly
from twin.model.raster import Raster
from twin.model.results import SunInstant
from twin.model.terrain import Terrain
from twin.region import Region

AZIMUTHS = 720
"""Directions of the horizon, from grid north clockwise: one each half degree."""
NODE_M = 250.0
"""Distance of the points for which the horizon is computed [m]; between them it is read linearly."""
LEVEL_M = 25.0
"""Distance of their levels [m]."""
LEVELS_ABOVE_M = 150.0
"""How far above the highest ground of the site the levels go on [m]; higher points take the topmost one."""
METHOD = (
    "horizon of the far terrain, each half degree for points 250 m apart in levels of 25 m, read linearly; "
    "heights lowered by d2 / 2R (no refraction, as the altitude of the sun is true)"
)


@dataclass(frozen=True, slots=True, eq=False)
class FarHorizon:
    """Tangent of the far horizon's altitude at the nodes of a lattice over the site.

    Parameters
    ----------
    tangents
        (azimuths, levels, rows, cols) float32; azimuth k is k * 360 / azimuths degrees from grid north.
    west, south, low
        First node, local space [m].
    step
        Distances of the nodes in x, y, z [m].
    """

    tangents: NDArray[np.float32]
    west: float
    south: float
    low: float
    step: tuple[float, float, float]

    def __post_init__(self) -> None:
        object.__setattr__(self, "tangents", readonly(self.tangents, np.float32))

    def _towards(self, azimuth_deg: float) -> NDArray[np.float32]:
        count = len(self.tangents)
        place = (azimuth_deg % 360.0) * count / 360.0
        low = int(place)
        part = np.float32(place - low)
        between: NDArray[np.float32] = (np.float32(1) - part) * self.tangents[
            low % count
        ] + part * self.tangents[(low + 1) % count]
        return between

    def clears_all(self, sun: SunInstant) -> bool:
        """Whether a sun stands above the far horizon of all points."""
        return bool(np.tan(np.radians(sun.altitude_deg)) >= self._towards(sun.azimuth_grid_deg).max())

    def clears(self, points: NDArray[np.float64], sun: SunInstant) -> NDArray[np.bool_]:
        """For which points (n, 3), local space, a sun stands above the far horizon; grazing counts as above."""
        return self._clears(points, sun.azimuth_grid_deg, float(np.tan(np.radians(sun.altitude_deg))))

    def clears_direction(
        self, points: NDArray[np.float64], direction: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """The same for a unit vector (3,)."""
        x, y, z = (float(v) for v in direction)
        flat = float(np.hypot(x, y))
        if flat < 1e-9:
            return np.ones(len(points), dtype=bool)
        return self._clears(points, float(np.degrees(np.arctan2(x, y))), z / flat)

    def _clears(self, points: NDArray[np.float64], azimuth_deg: float, tangent: float) -> NDArray[np.bool_]:
        here = self._towards(azimuth_deg)
        if tangent >= here.max():
            return np.ones(len(points), dtype=bool)
        if tangent < here.min():
            return np.zeros(len(points), dtype=bool)
        out = np.empty(len(points), dtype=bool)
        first = np.array([self.west, self.south, self.low])
        _above(points, here, first, np.array(self.step), tangent, out)
        return out

    def altitude_deg(self, point: NDArray[Any], azimuth_grid_deg: float) -> float:
        """Altitude of the far horizon from a point (3,), local space [degree]."""
        low, high = -90.0, 90.0
        at = np.asarray(point, dtype=np.float64).reshape(1, 3)
        for _ in range(40):
            middle = 0.5 * (low + high)
            clear = self._clears(at, azimuth_grid_deg, float(np.tan(np.radians(middle))))[0]
            low, high = (low, middle) if clear else (middle, high)
        return high


@functools.lru_cache(maxsize=2)
def far_horizon(terrain: Terrain) -> FarHorizon | None:
    """The horizon of a terrain's surroundings, without what the site itself covers; None where none are given."""
    if terrain.far is None:
        return None
    heights = terrain.dtm.values
    low = float(np.nanmin(heights))
    return horizon_of(terrain.far, terrain.dtm.grid.region, low, float(np.nanmax(heights)) + LEVELS_ABOVE_M)


def horizon_of(far: Raster, site: Region, low: float, high: float) -> FarHorizon:
    """The horizon beyond a site.

    Parameters
    ----------
    far
        Heights of the surroundings [m]; NaN is flat for all we know.
    site
        Left out: it casts its own shadows.
    low, high
        Heights of the lowest and of the highest point that may ask [m].
    """
    steps, counts = [], []
    for size, most in (
        (site.east - site.west, NODE_M),
        (site.north - site.south, NODE_M),
        (high - low, LEVEL_M),
    ):
        parts = max(1, int(np.ceil(size / most)))
        steps.append(max(size, 1e-3) / parts)
        counts.append(parts + 1)
    grid = far.grid
    tangents = np.full((AZIMUTHS, counts[2], counts[1], counts[0]), -1.0, dtype=np.float32)
    _march(
        far.values.astype(np.float32),
        np.array([grid.west + grid.cell_size / 2, grid.north - grid.cell_size / 2, grid.cell_size]),
        np.array([site.west, site.south, site.east, site.north]),
        np.array([site.west, site.south, low]),
        np.array(steps),
        tangents,
    )
    return FarHorizon(tangents, site.west, site.south, low, (steps[0], steps[1], steps[2]))


@njit
def _march(
    heights: NDArray[np.float32],
    lattice: NDArray[np.float64],
    site: NDArray[np.float64],
    first: NDArray[np.float64],
    step: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    """Highest tangent along each azimuth from each node, by steps of half a cell; beyond the site alone."""
    rows, cols = heights.shape
    x0, y0, cell = lattice[0], lattice[1], lattice[2]
    far_x = max(abs(x0 - first[0]), abs(x0 + (cols - 1) * cell - first[0])) + site[2] - site[0]
    far_y = max(abs(y0 - first[1]), abs(y0 - (rows - 1) * cell - first[1])) + site[3] - site[1]
    reach = np.sqrt(far_x * far_x + far_y * far_y)
    count = out.shape[0]
    for k in range(count):
        angle = 2.0 * np.pi * k / count
        dx, dy = np.sin(angle), np.cos(angle)
        for j in range(out.shape[2]):
            for i in range(out.shape[3]):
                px, py = first[0] + i * step[0], first[1] + j * step[1]
                d = 0.5 * cell
                while d < reach:
                    x, y = px + d * dx, py + d * dy
                    d += 0.5 * cell
                    if site[0] <= x <= site[2] and site[1] <= y <= site[3]:
                        continue
                    c, r = (x - x0) / cell, (y0 - y) / cell
                    if c < 0 or r < 0 or c > cols - 1 or r > rows - 1:
                        continue
                    c0, r0 = min(int(c), max(0, cols - 2)), min(int(r), max(0, rows - 2))
                    c1, r1 = min(c0 + 1, cols - 1), min(r0 + 1, rows - 1)
                    fc, fr = c - c0, r - r0
                    z = (1 - fr) * ((1 - fc) * heights[r0, c0] + fc * heights[r0, c1]) + fr * (
                        (1 - fc) * heights[r1, c0] + fc * heights[r1, c1]
                    )
                    if not np.isfinite(z):
                        continue
                    here = d - 0.5 * cell
                    z -= here * here / (2.0 * EARTH_RADIUS_M)
                    for level in range(out.shape[1]):
                        tangent = np.float32((z - first[2] - level * step[2]) / here)
                        if tangent > out[k, level, j, i]:
                            out[k, level, j, i] = tangent


@njit
def _above(
    points: NDArray[np.float64],
    here: NDArray[np.float32],
    first: NDArray[np.float64],
    step: NDArray[np.float64],
    tangent: float,
    out: NDArray[np.bool_],
) -> None:
    """Trilinear reading at the points, held against the tangent of the sun."""
    levels, rows, cols = here.shape
    for n in range(len(points)):
        u = min(max((points[n, 0] - first[0]) / step[0], 0.0), cols - 1.0)
        v = min(max((points[n, 1] - first[1]) / step[1], 0.0), rows - 1.0)
        w = min(max((points[n, 2] - first[2]) / step[2], 0.0), levels - 1.0)
        i, j, k = min(int(u), cols - 2), min(int(v), rows - 2), min(int(w), levels - 2)
        fu, fv, fw = u - i, v - j, w - k
        total = 0.0
        for a in range(2):
            for b in range(2):
                weight = (fw if a else 1.0 - fw) * (fv if b else 1.0 - fv)
                total += weight * ((1.0 - fu) * here[k + a, j + b, i] + fu * here[k + a, j + b, i + 1])
        out[n] = tangent >= total
