"""Bridge, power line and crane: what crosses the town above the ground."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from pipelines.sample.things import ABOVE_GROUND, BRIDGE, HIGH_VOLTAGE, Axes, Prism, box
from pipelines.sample.town import Town

BRIDGE_U = 8.0
"""Where the bridge and the main street cross the valley's axis [m]."""

DECK_END_M, DECK_RISE_M, DECK_WIDTH_M = 64.4, 3.2, 14.0
"""Height of the deck at the banks, rise to the middle, width [m]."""


def links(town: Town) -> None:
    """Bridge, power line and crane of the sample."""
    _bridge(town)
    if town.size.valley_wide:
        _power_line(town, [(u, -1010.0) for u in range(-1500, 1600, 260)], 38.0)
        _power_line(town, [(u, 600.0) for u in range(-1500, 1600, 260)], 34.0)
    else:
        _power_line(town, [(-370.0, -446.0), (-165.0, -486.0), (35.0, -548.0), (230.0, -625.0)], 27.0)
    site = town.sites.get("entrance")
    if site is not None:
        _crane(town, site.axes.moved(site.length * 0.9, site.depth + 3.5))


def deck_height(s: float, half: float) -> float:
    """Height of the deck at s [m] from midstream, half [m] from there to the abutment."""
    return DECK_END_M + DECK_RISE_M * (1.0 - (s / half) ** 2)


def bridge_axes(town: Town) -> tuple[Axes, float]:
    """Axes with the origin midstream and a across the river, and the deck's half length [m]."""
    right, left = town.valley.local(BRIDGE_U, -71.0), town.valley.local(BRIDGE_U, 71.0)
    half = float(np.hypot(left[0] - right[0], left[1] - right[1])) / 2
    c, s = (left[0] - right[0]) / (2 * half), (left[1] - right[1]) / (2 * half)
    return Axes((left[0] + right[0]) / 2, (left[1] + right[1]) / 2, c, s), half


def _bridge(town: Town) -> None:
    axes, half = bridge_axes(town)
    stations = np.linspace(-half, half, 17)
    wide = DECK_WIDTH_M / 2
    for s0, s1 in pairwise(stations):
        z0, z1 = deck_height(float(s0), half), deck_height(float(s1), half)
        slope = (z1 - z0) / (s1 - s0)
        a, b = slope * axes.c, slope * axes.s
        plane = np.array([a, b, z0 - slope * s0 - a * axes.x - b * axes.y])
        corners = axes.local(np.array([[s0, -wide], [s1, -wide], [s1, wide], [s0, wide]]))
        town.prisms.append(Prism(corners, plane, min(z0, z1) - 1.5, BRIDGE))
    for s in (-half / 3, half / 3):
        town.prisms.append(box(axes, (s - 1.2, -5.0, s + 1.2, 5.0), (59.0, 65.5), BRIDGE))


def _power_line(town: Town, stations: list[tuple[float, float]], high: float) -> None:
    """Lattice towers and three cables that hang between them."""
    feet = [town.valley.local(u, d) for u, d in stations]
    tops = [town.valley.height(*foot) + high for foot in feet]
    for k, (x, y) in enumerate(feet):
        ahead = feet[min(k + 1, len(feet) - 1)]
        behind = feet[max(k - 1, 0)]
        away = float(np.hypot(ahead[0] - behind[0], ahead[1] - behind[1]))
        axes = Axes(x, y, (ahead[0] - behind[0]) / away, (ahead[1] - behind[1]) / away)
        if not town.near(axes, 0.0):
            continue
        lattice = box(axes, (-1.2, -1.2, 1.2, 1.2), (tops[k] - high - 1, tops[k] + 2), HIGH_VOLTAGE)
        arm = box(axes, (-0.4, -6.0, 0.4, 6.0), (tops[k] - 0.4, tops[k] + 0.4), HIGH_VOLTAGE)
        town.prisms += [_thin(lattice, 0.22), _thin(arm, 0.5)]
        town.keep_free(axes.rectangle(-4, -4, 4, 4))
    for k in range(len(feet) - 1):
        _cables(town, (feet[k], feet[k + 1]), (tops[k], tops[k + 1]))


def _cables(
    town: Town, ends: tuple[tuple[float, float], tuple[float, float]], tops: tuple[float, float]
) -> None:
    (x0, y0), (x1, y1) = ends
    span = float(np.hypot(x1 - x0, y1 - y0))
    axes = Axes(x0, y0, (x1 - x0) / span, (y1 - y0) / span)
    cuts = np.linspace(0.0, span, max(2, int(span / 8.0)))
    share = cuts / span
    sag = 4.0 * (span / 260.0) ** 2 * 7.0 * share * (1.0 - share)
    z = tops[0] * (1 - share) + tops[1] * share - sag
    for side in (-5.5, 0.0, 5.5):
        for k in range(len(cuts) - 1):
            slope = (z[k + 1] - z[k]) / (cuts[k + 1] - cuts[k])
            a, b = slope * axes.c, slope * axes.s
            plane = np.array([a, b, z[k] - slope * cuts[k] - a * axes.x - b * axes.y])
            ring = np.array([[0, -0.15], [1, -0.15], [1, 0.15], [0, 0.15]])
            corners = axes.local(ring * [cuts[k + 1] - cuts[k], 1.0] + [cuts[k], side])
            low = min(z[k], z[k + 1]) - 0.1
            town.prisms.append(Prism(corners, plane, float(low), HIGH_VOLTAGE, 0.45))


def _thin(prism: Prism, chance: float) -> Prism:
    return Prism(prism.corners, prism.plane, prism.bottom, prism.code, chance, prism.owner)


def _crane(town: Town, axes: Axes) -> None:
    """A tower crane: class 1 points over the roofs that belong to no building."""
    if not town.near(axes, -3.0):
        return
    ground = town.valley.height(axes.x, axes.y)
    mast = box(axes, (-0.8, -0.8, 0.8, 0.8), (ground - 1, ground + 40), ABOVE_GROUND)
    jib = box(axes, (-14.0, -0.6, 30.0, 0.6), (ground + 38, ground + 39.2), ABOVE_GROUND)
    town.prisms += [_thin(mast, 0.3), _thin(jib, 0.35)]
