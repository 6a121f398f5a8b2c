"""Bare ground of the synthetic valley: an exact height for every place, from a bent cross section."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from pipelines.sample.sizes import PIVOT_WORLD, SampleSize
from twin.jit import njit

Floats = NDArray[np.float64]

WATER_M = 60.0
"""Level of the river above the datum [m]: one flat reach between two locks."""

HALF_WIDTH = 70.0
"""Half the river's width [m]."""

GRID_AZIMUTH_DEG = 70.0
"""Grid azimuth of the valley's axis (u) [degree]; d grows to the left bank, north-north-west."""

BEND_M, BEND_LENGTH, BEND_DAMP = 85.0, 330.0, 900.0
"""Amplitude and length of the meander, and the distance over which streets straighten [m]."""

STEP = 0.5
"""Spacing of the tables over the cross section [m]."""


@njit
def valley_d(u: float, v: float) -> float:
    """Signed distance across the valley from the bent river axis [m]; negative on the right bank."""
    bend = BEND_M * (1.0 - np.cos(u / BEND_LENGTH))
    d = v
    for _ in range(6):  # a contraction by less than 0.1: 1e-6 of the bend is left
        d = v - bend / (1.0 + (d / BEND_DAMP) ** 2)
    return d


@njit
def ground_at(x: float, y: float, place: Floats, tables: Floats, heaps: Floats, ramps: Floats) -> float:
    """Height of the bare ground (of the water, on the river) at one local point [m]."""
    dx, dy = x - place[0], y - place[1]
    d = valley_d(dx * place[2] + dy * place[3], dy * place[2] - dx * place[3])
    if abs(d) < HALF_WIDTH:
        return WATER_M
    slot = min(max((d - place[4]) / STEP, 0.0), tables.shape[1] - 1.001)
    k = int(slot)
    w = slot - k
    z = tables[0, k] * (1 - w) + tables[0, k + 1] * w
    rough = tables[1, k] * (1 - w) + tables[1, k + 1] * w
    wave = 0.5 * np.sin(dx / 97.0 + place[5]) * np.cos(dy / 83.0 + place[6])
    wave += 0.3 * np.sin(dx / 41.0 + dy / 57.0 + place[6]) + 0.1 * np.sin((dx - dy) / 23.0 + place[5])
    z += rough * wave
    for i in range(heaps.shape[0]):
        z += _heap(dx, dy, heaps[i])
    for i in range(ramps.shape[0]):
        z = max(z, _ramp(x, y, ramps[i]))
    out: float = z
    return out


@njit
def _heap(x: float, y: float, heap: Floats) -> float:
    """Rise of a slag heap: a ridge with sides of 33 degrees, rounded at the top and gullied."""
    ax, ay, bx, by = heap[2] - heap[0], heap[3] - heap[1], x - heap[0], y - heap[1]
    t = min(max((ax * bx + ay * by) / (ax * ax + ay * ay), 0.0), 1.0)
    px, py = bx - t * ax, by - t * ay
    away = np.sqrt(px * px + py * py + 36.0) - 6.0
    turn = np.arctan2(py, px)
    gully = 1.0 + (0.025 * np.sin(11.0 * turn) + 0.015 * np.sin(29.0 * turn + 1.0)) * min(1.0, away / 30.0)
    rise: float = max(0.0, heap[4] - 0.65 * away * gully)
    return rise


@njit
def _ramp(x: float, y: float, ramp: Floats) -> float:
    """Top of an embankment that leads up to a bridge."""
    bx, by = x - ramp[0], y - ramp[1]
    s = bx * ramp[2] + by * ramp[3]
    side = max(0.0, abs(by * ramp[2] - bx * ramp[3]) - ramp[5])
    if s < 0.0 or s > ramp[4]:
        return -1000.0
    top: float = ramp[6] - ramp[7] * s - side / 1.5
    return top


@njit
def _ground_many(x: Floats, y: Floats, place: Floats, tables: Floats, heaps: Floats, ramps: Floats) -> Floats:
    out = np.empty(x.shape[0])
    for i in range(x.shape[0]):
        out[i] = ground_at(x[i], y[i], place, tables, heaps, ramps)
    return out


@njit
def _ground_grid(
    xs: Floats, ys: Floats, place: Floats, tables: Floats, heaps: Floats, ramps: Floats
) -> Floats:
    out = np.empty((ys.shape[0], xs.shape[0]))
    for i in range(ys.shape[0]):
        for j in range(xs.shape[0]):
            out[i, j] = ground_at(xs[j], ys[i], place, tables, heaps, ramps)
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Valley:
    """The bare ground and the bent coordinates (u along, d across) that everything is laid out in.

    Parameters
    ----------
    pivot
        Local place of u = 0, d = 0 [m].
    place, tables, heaps, ramps
        What the compiled functions read.
    """

    pivot: tuple[float, float]
    place: Floats
    tables: Floats
    heaps: Floats
    ramps: Floats

    def heights(self, x: Floats, y: Floats) -> Floats:
        """Height of the ground at local points (n,) [m]."""
        flat = np.ascontiguousarray(x, np.float64), np.ascontiguousarray(y, np.float64)
        out: Floats = _ground_many(*flat, self.place, self.tables, self.heaps, self.ramps)
        return out

    def height(self, x: float, y: float) -> float:
        """Height of the ground at one local point [m]."""
        return float(self.heights(np.array([x]), np.array([y]))[0])

    def grid(self, xs: Floats, ys: Floats) -> Floats:
        """Heights (len(ys), len(xs)) at the crossings of local xs and ys [m]."""
        out: Floats = _ground_grid(xs, ys, self.place, self.tables, self.heaps, self.ramps)
        return out

    def local(self, u: float, d: float) -> tuple[float, float]:
        """Local x, y of a place given along and across the valley [m]."""
        v = d + BEND_M * (1.0 - np.cos(u / BEND_LENGTH)) / (1.0 + (d / BEND_DAMP) ** 2)
        c, s = self.place[2], self.place[3]
        return float(self.pivot[0] + u * c - v * s), float(self.pivot[1] + u * s + v * c)

    def across(self, x: Floats, y: Floats) -> Floats:
        """Distance across the valley of local points (n,) [m]; the river is where it is below 70 m."""
        dx, dy = np.asarray(x) - self.pivot[0], np.asarray(y) - self.pivot[1]
        c, s = self.place[2], self.place[3]
        pairs = zip((dx * c + dy * s).ravel(), (dy * c - dx * s).ravel(), strict=True)
        return np.array([valley_d(u, v) for u, v in pairs])


def make_valley(size: SampleSize, seed: int, bridge_u: float, deck_end_m: float) -> Valley:
    """The ground of a sample.

    Parameters
    ----------
    size
        Which sample.
    seed
        Moves the undulation, nothing else.
    bridge_u
        Where the bridge crosses, along the valley [m].
    deck_end_m
        Height of the deck at the banks [m]; embankments lead up to it.
    """
    origin = size.frame().origin
    pivot = (PIVOT_WORLD[0] - origin[0], PIVOT_WORLD[1] - origin[1])
    angle = np.radians(90.0 - GRID_AZIMUTH_DEG)
    first, last = size.right[0][0], size.left[-1][0]
    phases = np.random.default_rng([seed, 11]).uniform(0, 2 * np.pi, 2)
    place = np.array([*pivot, np.cos(angle), np.sin(angle), first, *phases])
    bare = Valley(pivot, place, _tables(size, first, last), np.empty((0, 5)), np.empty((0, 8)))
    heaps = []
    for u0, d0, u1, d1, rise in size.heaps:
        a, b = bare.local(u0, d0), bare.local(u1, d1)
        heaps.append([a[0] - pivot[0], a[1] - pivot[1], b[0] - pivot[0], b[1] - pivot[1], rise])
    ramps = []
    for bank in (-1.0, 1.0):
        start, inland = bare.local(bridge_u, bank * 70.0), bare.local(bridge_u, bank * 110.0)
        way = np.subtract(inland, start)
        way /= np.hypot(*way)
        ramps.append([*start, *way, 38.0, 7.0, deck_end_m, (deck_end_m - 63.0) / 36.0])
    return Valley(pivot, place, bare.tables, np.array(heaps, ndmin=2), np.array(ramps))


def _tables(size: SampleSize, first: float, last: float) -> Floats:
    """Height and roughness over d, row by row; the river itself is not in them."""
    d = np.arange(first, last + STEP, STEP)
    right, left = (np.array(side) for side in (size.right, size.left))
    z = np.where(d < 0, PchipInterpolator(*right.T)(np.minimum(d, -70.0)), 0.0)
    z = np.where(d >= 0, PchipInterpolator(*left.T)(np.clip(d, 70.0, last)), z)
    # Level on the plain, rolling on slopes and plateaux, by height alone.
    rough = np.interp(z, [63.0, 64.0, 70.0, 110.0, 180.0, 250.0], [0.0, 0.12, 0.3, 5.0, 5.0, 2.5])
    return np.ascontiguousarray(np.stack([z, rough]))
