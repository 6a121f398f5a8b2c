"""Ground along an outline: where walls meet the terrain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from twin.model.arrays import readonly
from twin.terrain.sampler import TinSampler

SPACING_M = 0.125
"""First spacing of the samples along an edge [m]: a quarter of the usual cell, so that the corner of a
triangle that an edge cuts off is seen."""

KINK_M = 0.005
"""An interval is halved while the ground at its middle is farther than this from the straight line [m].
A single kink shows at the middle with at least half its size, so what stays hidden is below 0.01 m."""

ROUNDS = 5
"""Halvings: 0.125 m down to 4 mm."""


@dataclass(frozen=True, slots=True, eq=False)
class RingProfile:
    """Ground along one ring, closed without a repeated last point.

    Parameters
    ----------
    xyz
        (n, 3) stations, local space; z is the ground [m].
    corner
        (n,) bool: whether the station is a vertex of the ring.
    """

    xyz: NDArray[np.float64]
    corner: NDArray[np.bool_]

    def __post_init__(self) -> None:
        object.__setattr__(self, "xyz", readonly(self.xyz, np.float64))
        object.__setattr__(self, "corner", readonly(self.corner, np.bool_))


@dataclass(frozen=True, slots=True, eq=False)
class GroundProfile:
    """Ground along an outline: outer ring counter-clockwise first, courtyards clockwise after it.

    Parameters
    ----------
    rings
        One profile per ring.
    lowest, mean, highest
        Ground along all rings above the datum [m]; the mean is weighted by length.
    """

    rings: tuple[RingProfile, ...]
    lowest: float
    mean: float
    highest: float

    def share_above(self, height: float) -> float:
        """Share of the outline's length whose ground lies above a height [m], 0 to 1."""
        above = total = 0.0
        for ring in self.rings:
            z, length = ring.xyz[:, 2], _lengths(ring.xyz)
            above += float(length[0.5 * (z + np.roll(z, -1)) > height].sum())
            total += float(length.sum())
        return above / total


def ground_profile(polygon: shapely.Polygon, sampler: TinSampler) -> GroundProfile | None:
    """Ground along a clean polygon (see ``clean_polygon``), dense enough to follow every fold of the terrain.

    Returns
    -------
    GroundProfile or None
        None where any part of the outline has no terrain under it.
    """
    rings = []
    for ring in (polygon.exterior, *polygon.interiors):
        profile = _along(np.asarray(ring.coords)[:-1, :2], sampler)
        if profile is None:
            return None
        rings.append(profile)
    z = np.concatenate([r.xyz[:, 2] for r in rings])
    after = np.concatenate([np.roll(r.xyz[:, 2], -1) for r in rings])
    length = np.concatenate([_lengths(r.xyz) for r in rings])
    mean = float(np.sum(0.5 * (z + after) * length) / length.sum())
    return GroundProfile(tuple(rings), float(z.min()), mean, float(z.max()))


def _lengths(xyz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Plan length from each station of a ring to the next one [m]."""
    step = np.roll(xyz[:, :2], -1, axis=0) - xyz[:, :2]
    return np.hypot(step[:, 0], step[:, 1])


def _along(corners: NDArray[np.float64], sampler: TinSampler) -> RingProfile | None:
    start, run = corners, np.roll(corners, -1, axis=0) - corners
    count = np.maximum(1, np.ceil(np.hypot(run[:, 0], run[:, 1]) / SPACING_M).astype(np.int64))
    edge = np.repeat(np.arange(len(corners)), count)
    first = np.repeat(np.cumsum(count) - count, count)
    share = (np.arange(len(edge)) - first) / count[edge]
    z = sampler.heights(start[edge] + share[:, None] * run[edge])
    if not np.isfinite(z).all():
        return None
    fresh = np.ones(len(edge), dtype=np.bool_)
    for _ in range(ROUNDS):
        after = np.where(np.roll(edge, -1) == edge, np.roll(share, -1), 1.0)
        # A ring has three edges or more, so the last station of an edge always meets another edge.
        middle = 0.5 * (share + after)
        ask = np.flatnonzero(fresh)
        found = sampler.heights(start[edge[ask]] + middle[ask, None] * run[edge[ask]])
        if not np.isfinite(found).all():
            return None
        bent = np.abs(found - 0.5 * (z[ask] + np.roll(z, -1)[ask])) > KINK_M
        at = ask[bent]
        if not len(at):
            break
        halved = np.zeros(len(edge), dtype=np.bool_)
        halved[at] = True
        share = np.insert(share, at + 1, middle[at])
        z = np.insert(z, at + 1, found[bent])
        edge = np.insert(edge, at + 1, edge[at])
        fresh = np.insert(halved, at + 1, True)
    return RingProfile(np.column_stack([start[edge] + share[:, None] * run[edge], z]), share == 0.0)
