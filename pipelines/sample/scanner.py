"""The airborne scanner: parallel strips, jittered lines, noise, several returns; streams tile by tile."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.sample.cells import Bodies, Cells, tile_cells
from pipelines.sample.rays import (
    GROUND_CODE,
    ON_WALL,
    VEGETATION_CODE,
    WATER_CODE,
    mix,
    normal,
    settle,
    trace,
    uniform,
)
from pipelines.sample.sizes import POINTS_PER_M2
from pipelines.sample.town import Town
from twin.jit import njit
from twin.region import Region

Floats = NDArray[np.float64]

FLIGHT_M = 1010.0
"""Height of the flight above the datum [m]."""

HALF_ANGLE_DEG, STRIP_M = 20.0, 430.0
"""Half the scan angle [degree] and distance between strips [m]: two fifths of a strip overlap the next."""

RANGE_NOISE_M, PLAN_NOISE_M = 0.03, 0.06
"""Standard deviations along the ray and of x and of y [m]."""

TALL_M = 80.0
"""Nothing stands higher than this above the highest ground of a tile [m]."""

TILE_M = 500.0
"""Side of the LAZ tiles, aligned in world space [m]."""

PULSES_A_CHUNK = 150_000


@dataclass(frozen=True, slots=True, eq=False)
class Returns:
    """Points of one tile in flight order, local space.

    Parameters
    ----------
    xyz
        (n, 3) [m].
    code
        (n,) Walloon class codes.
    return_number, number_of_returns
        (n,) as in LAS.
    source
        (n,) 0 roof or other top, 1 wall or other side, 2 ground or water, 3 crown.
    owner
        (n,) number of the building (roofs, walls) or of the tree (crowns), else -1.
    gps_time
        (n,) seconds from the first strip; synthetic.
    """

    xyz: Floats
    code: NDArray[np.uint8]
    return_number: NDArray[np.uint8]
    number_of_returns: NDArray[np.uint8]
    source: NDArray[np.uint8]
    owner: NDArray[np.int32]
    gps_time: Floats


@dataclass(frozen=True, slots=True)
class Pattern:
    """Spacing of the pulses: between lines [m] and along a line [radian]."""

    line: float
    angle: float

    def denser(self, factor: float) -> Pattern:
        """The pattern with ``factor`` times the pulses."""
        return Pattern(self.line / factor**0.5, self.angle / factor**0.5)


BASE_PATTERN = Pattern(0.5, 0.5 / (FLIGHT_M - 65.0))


@njit
def _pulse(
    key: np.uint64, numbers: tuple[int, int, int], pattern: tuple[float, float], flight: Floats, ray: Floats
) -> bool:
    """Set origin and direction of pulse j of line i of a strip; False outside the scan angle."""
    strip, i, j = numbers
    along = (i + 0.5 * (uniform(key, 1) - 0.5)) * pattern[0]
    angle = (j + 0.8 * (uniform(key, 2) - 0.5)) * pattern[1]
    across = strip * flight[4]
    ray[0] = flight[0] + along * flight[2] - across * flight[3]
    ray[1] = flight[1] + along * flight[3] + across * flight[2]
    ray[2] = flight[5]
    ray[3], ray[4], ray[5] = -np.sin(angle) * flight[3], np.sin(angle) * flight[2], -np.cos(angle)
    return bool(abs(angle) <= flight[6])


@njit
def _keeps(key: np.uint64, code: int, down: float) -> bool:
    """Whether a return is strong enough: still water mirrors all but the steepest pulses away."""
    if code != WATER_CODE:
        return True
    return uniform(key, 3) < (0.4 if down < -0.9985 else 0.03)


@njit
def _code_given(key: np.uint64, k: int, code: int, loose: bool, height: float) -> int:
    """The class the campaign gives: a few low things stay unclassified, a few twigs count as above-ground."""
    luck = uniform(key, 40 + k)
    if code == VEGETATION_CODE:
        if luck < 0.01:
            return 1
        return 0 if luck < 0.03 and height < 3.0 else code
    if code == 1 and loose and height < 3.0 and luck < 0.15:
        return 0
    return 0 if code == GROUND_CODE and luck < 0.0005 else code


@njit
def _scan_lines(
    seed: np.uint64,
    work: tuple[int, int, int, int],
    pattern: tuple[float, float],
    flight: Floats,
    bounds: Floats,
    scene: Any,
    out: tuple[Floats, NDArray[np.uint8], NDArray[np.int32]],
) -> int:
    """Scan some lines of one strip over one tile; returns the number of points written to ``out``."""
    strip, first, last, half = work
    corner, _, grids, bodies = scene
    xyz = out[0]
    ray, hits = np.empty(6), np.empty((16, 4))
    total = 0
    for i in range(first, last):
        line_key = mix(mix(seed, np.uint64(strip + 1000)), np.uint64(i + 100000000))
        for j in range(-half, half + 1):
            key = mix(line_key, np.uint64(j + 1000000))
            if not _pulse(key, (strip, i, j), pattern, flight, ray):
                continue
            high, low = (bounds[5] - ray[2]) / ray[5], (bounds[4] - ray[2]) / ray[5]
            x0, x1 = ray[0] + high * ray[3], ray[0] + low * ray[3]
            y0, y1 = ray[1] + high * ray[4], ray[1] + low * ray[4]
            if max(x0, x1) < bounds[0] - 0.5 or min(x0, x1) > bounds[2] + 0.5:
                continue
            if max(y0, y1) < bounds[1] - 0.5 or min(y0, y1) > bounds[3] + 0.5:
                continue
            count = settle(hits, trace(ray, key, high, corner, grids, bodies, hits), key)
            for k in range(count):
                if not _keeps(key, int(hits[k, 1]), ray[5]):
                    continue
                t = hits[k, 0] + RANGE_NOISE_M * normal(key, 10 + k)
                x = ray[0] + t * ray[3] + PLAN_NOISE_M * normal(key, 20 + k)
                y = ray[1] + t * ray[4] + PLAN_NOISE_M * normal(key, 30 + k)
                if not (bounds[0] <= x < bounds[2] and bounds[1] <= y < bounds[3]):
                    continue
                _store(total, (x, y, ray[2] + t * ray[5]), (key, k, count), hits, scene, out)
                xyz[total, 3] = strip * 400.0 + i * 0.008 + (j + half) * 3e-6 + k * 1e-8
                total += 1
    return total


@njit
def _store(
    n: int,
    point: tuple[float, float, float],
    which: tuple[np.uint64, int, int],
    hits: Floats,
    scene: Any,
    out: tuple[Floats, NDArray[np.uint8], NDArray[np.int32]],
) -> None:
    key, k, count = which
    corner, ground, _, bodies = scene
    xyz, bytes_out, owners = out
    code, source = int(hits[k, 1]), int(hits[k, 2])
    owner = int(hits[k, 3])
    if source <= ON_WALL:
        owner = int(bodies[2][owner, 5])
    c = min(max(int((point[0] - corner[0]) * 2.0), 0), ground.shape[1] - 1)
    r = min(max(int((point[1] - corner[1]) * 2.0), 0), ground.shape[0] - 1)
    xyz[n, 0], xyz[n, 1], xyz[n, 2] = point
    bytes_out[n, 0] = _code_given(key, k, code, owner < 0, point[2] - ground[r, c])
    bytes_out[n, 1], bytes_out[n, 2], bytes_out[n, 3] = k + 1, count, source
    owners[n] = owner


@dataclass(frozen=True, slots=True, eq=False)
class Scanner:
    """Scans a town tile by tile.

    Parameters
    ----------
    town, bodies
        What is scanned.
    pattern
        Spacing of the pulses.
    workers
        Number of threads; the points do not depend on it.
    """

    town: Town
    bodies: Bodies
    pattern: Pattern
    workers: int = 1

    def tile(self, region: Region) -> Returns:
        """All points of one tile (half-open rectangle, local space), in flight order."""
        cells, bounds = self._prepare(region)
        scene = (
            np.array([cells.west, cells.south]),
            cells.ground,
            (
                cells.ground,
                cells.top,
                cells.prism_start,
                cells.prism_list,
                cells.crown_start,
                cells.crown_list,
            ),
            (
                self.bodies.edges,
                self.bodies.edge_start,
                self.bodies.tops,
                self.bodies.codes,
                self.bodies.crowns,
            ),
        )
        flight = self._flight()
        jobs = list(self._jobs(region, bounds))

        def run(job: tuple[int, int, int, int]) -> tuple[Floats, NDArray[np.uint8], NDArray[np.int32]]:
            room = (job[2] - job[1]) * (2 * job[3] + 1) * 5
            out = np.empty((room, 4)), np.empty((room, 4), np.uint8), np.empty(room, np.int32)
            pattern = (self.pattern.line, self.pattern.angle)
            n = _scan_lines(np.uint64(self.town.seed), job, pattern, flight, bounds, scene, out)
            return out[0][:n].copy(), out[1][:n].copy(), out[2][:n].copy()

        with ThreadPoolExecutor(max(1, self.workers)) as pool:
            parts = list(pool.map(run, jobs))
        xyz = np.concatenate([p[0] for p in parts]) if parts else np.empty((0, 4))
        small = np.concatenate([p[1] for p in parts]) if parts else np.empty((0, 4), np.uint8)
        owner = np.concatenate([p[2] for p in parts]) if parts else np.empty(0, np.int32)
        return Returns(xyz[:, :3], small[:, 0], small[:, 1], small[:, 2], small[:, 3], owner, xyz[:, 3])

    def _prepare(self, region: Region) -> tuple[Cells, Floats]:
        """Cells with the margin that slanted rays need, and west, south, east, north, lowest, highest."""
        wide = region.buffered(130.0)
        coarse = self.town.valley.grid(
            np.arange(wide.west, wide.east + 5, 5.0), np.arange(wide.south, wide.north + 5, 5.0)
        )
        low, high = float(coarse.min()) - 1.0, float(coarse.max()) + TALL_M
        margin = (high - low) * float(np.tan(np.radians(HALF_ANGLE_DEG))) + 3.0
        cells = tile_cells(self.town, self.bodies, region.buffered(margin))
        high = min(high, float(cells.top.max()) + 0.5)
        return cells, np.array([region.west, region.south, region.east, region.north, low, high])

    def _flight(self) -> Floats:
        valley = self.town.valley
        return np.array(
            [*valley.pivot, valley.place[2], valley.place[3], STRIP_M, FLIGHT_M, np.radians(HALF_ANGLE_DEG)]
        )

    def _jobs(self, region: Region, bounds: Floats) -> Iterator[tuple[int, int, int, int]]:
        """Strip, first line, line after the last, and half the pulses of a line, for each chunk of work."""
        flight = self._flight()
        corners = np.array([[x, y] for x in (region.west, region.east) for y in (region.south, region.north)])
        along = (corners - flight[:2]) @ flight[2:4]
        across = (corners - flight[:2]) @ np.array([-flight[3], flight[2]])
        reach = (FLIGHT_M - bounds[4]) * np.tan(flight[6]) + 1.0
        half = int(flight[6] / self.pattern.angle) + 1
        first, last = (
            int(np.floor(along.min() / self.pattern.line)) - 2,
            int(along.max() / self.pattern.line) + 3,
        )
        chunk = max(1, PULSES_A_CHUNK // (2 * half + 1))
        for strip in range(
            int(np.floor((across.min() - reach) / STRIP_M)), int((across.max() + reach) / STRIP_M) + 2
        ):
            if strip * STRIP_M + reach < across.min() or strip * STRIP_M - reach > across.max():
                continue
            for line in range(first, last, chunk):
                yield strip, line, min(line + chunk, last), half


def tiles_of(window_world: Region) -> list[tuple[str, Region]]:
    """Names and world rectangles of a window's 500 m tiles, clipped to it, west to east, south to north."""
    found = []
    for n in range(int(window_world.south // TILE_M), int(np.ceil(window_world.north / TILE_M))):
        for e in range(int(window_world.west // TILE_M), int(np.ceil(window_world.east / TILE_M))):
            square = Region(e * TILE_M, n * TILE_M, (e + 1) * TILE_M, (n + 1) * TILE_M)
            part = square.intersection(window_world)
            if part is not None:
                found.append((f"synthetic_500mN{n * 5}E{e * 5}", part))
    return found


def calibrated(town: Town, bodies: Bodies, workers: int, regions: list[Region]) -> Scanner:
    """A scanner whose points come to ``POINTS_PER_M2`` over the given parts of the site (local space).

    Water, double coverage and twigs change how many points a pulse gives; a sparse scan measures it.
    """
    sparse = Scanner(town, bodies, BASE_PATTERN.denser(1.0 / 36.0), workers)
    points = sum(len(sparse.tile(region).xyz) for region in regions)
    area = sum(region.width * region.height for region in regions)
    factor = POINTS_PER_M2 * area / max(1, points) / 36.0
    return Scanner(town, bodies, BASE_PATTERN.denser(factor), workers)
