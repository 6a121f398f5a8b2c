"""Trees of the sample: rows along quay and boulevard, woods on the slopes, loose ones elsewhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipelines.sample.blocks import cars
from pipelines.sample.things import Axes
from pipelines.sample.town import Town, points_clear_of

BOULEVARD_RIGHT, BOULEVARD_LEFT = -275.0, -250.0
"""Edges of the demo's boulevard, 25 m [m]; the valley's lies 72 m farther."""


def green(town: Town) -> None:
    """Plant everything that is no garden."""
    wide = town.size.valley_wide
    shift = -72.0 if wide else 0.0
    reach = 1700.0 if wide else 420.0
    middle = (BOULEVARD_RIGHT + BOULEVARD_LEFT) / 2 + shift
    _row(town, -82.0, reach, 10.0, 31)
    _row(town, 90.0, reach, 12.0, 32)
    for k, off in enumerate((-9.5, -2.0, 2.0, 9.5)):
        _row(town, middle + off, reach, 8.5, 33 + k)
    for k, off in enumerate((-7.0, 5.4)):
        _parked(town, middle + off, reach, 38 + k)
    _woods(town, 40)


def _row(town: Town, d: float, reach: float, spacing: float, key: int) -> None:
    """A row of street trees along the valley with the gaps that rows have."""
    rng = town.rng(key)
    for u in np.arange(-reach, reach, spacing):
        missing, jitter = rng.random() < 0.1, rng.uniform(-0.5, 0.5)
        x, y = town.valley.local(float(u + jitter), d)
        if not missing and abs(u - 8.0) > 15.0 and town.near(Axes(x, y, 1.0, 0.0), 0.0):
            town.plant("street", x, y, rng)


def _parked(town: Town, d: float, reach: float, key: int) -> None:
    for u in np.arange(-reach, reach, 60.0):
        x0, y0 = town.valley.local(float(u), d)
        x1, y1 = town.valley.local(float(u + 60), d)
        axes = Axes(x0, y0, (x1 - x0) / np.hypot(x1 - x0, y1 - y0), (y1 - y0) / np.hypot(x1 - x0, y1 - y0))
        if town.near(axes, 70.0) and abs(u - 8.0) > 40.0:
            cars(town, axes, 52.0, 0.4, town.rng(key, int(u) + 10000))


def _woods(town: Town, key: int) -> None:
    """Woods: a jittered grid thinned by a slow wave, denser and mixed on the slopes, thin on the heaps."""
    step = 6.2
    w = town.window
    east, north = town.size.frame().origin
    columns = np.arange(np.floor((w.west + east) / step), np.ceil((w.east + east) / step)) * step - east
    rows = np.arange(np.floor((w.south + north) / step), np.ceil((w.north + north) / step)) * step - north
    x, y = (a.ravel() for a in np.meshgrid(columns, rows))
    # One draw per place of the world grid, so that a smaller window keeps the same trees.
    luck = np.stack([_luck(x + east, y + north, town.seed * 10 + key + k) for k in range(4)])
    x, y = x + (luck[0] - 0.5) * step * 0.9, y + (luck[1] - 0.5) * step * 0.9
    d = town.valley.across(x, y)
    chosen = luck[2] < _cover(town, x, y, d)
    points = np.column_stack([x, y])[chosen]
    points_luck = luck[3][chosen]
    clear = points_clear_of(town.buildings, points, 4.5)
    clear &= ~_on_site(town, points)
    for (px, py), number in zip(points[clear], points_luck[clear], strict=True):
        rng = town.rng(key, int(number * 2**31))
        town.plant(
            "conifer" if number < 0.12 else "wood", float(px), float(py), rng, 0.75 + 0.35 * rng.random()
        )


def _luck(x: NDArray[np.float64], y: NDArray[np.float64], key: int) -> NDArray[np.float64]:
    """A number in [0, 1) for every place, from its whole decimetres (an integer hash)."""
    a = np.round(x * 10).astype(np.int64).astype(np.uint64)
    b = np.round(y * 10).astype(np.int64).astype(np.uint64)
    h = a * np.uint64(0x9E3779B97F4A7C15) + b * np.uint64(0xC2B2AE3D27D4EB4F) + np.uint64(key)
    for shift in (30, 27, 31):
        h = (h ^ (h >> np.uint64(shift))) * np.uint64(0xBF58476D1CE4E5B9)
    return (h >> np.uint64(11)).astype(np.float64) / 2.0**53


def _cover(
    town: Town, x: NDArray[np.float64], y: NDArray[np.float64], d: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Share of the wood's places that carry a tree."""
    wave = np.sin(x / 61.0 + 1.0) * np.cos(y / 47.0) + 0.5 * np.sin((x + y) / 29.0)
    if town.size.valley_wide:
        slope = ((d < -1090) & (d > -2030)) | ((d > 590) & (d < 1170))
        heights = (d <= -2030) | (d >= 1170)
        return np.where(slope, np.clip(0.75 + wave, 0.05, 0.9), np.where(heights & (wave > 1.0), 0.8, 0.0))
    return np.where(d < -456.0, np.clip(0.62 + wave, 0.08, 0.85), 0.0)


def _on_site(town: Town, points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Points on the slag heaps that stay bare: their upper half."""
    bare = np.zeros(len(points), dtype=bool)
    for u0, d0, u1, d1, rise in town.size.heaps:
        cx, cy = town.valley.local((u0 + u1) / 2, (d0 + d1) / 2)
        half = np.hypot(u1 - u0, d1 - d0) / 2
        away = np.hypot(points[:, 0] - cx, points[:, 1] - cy)
        bare |= away < half + 0.85 * rise / 0.65
    return bare
