"""Flat-roofed solids whose walls reach down to the terrain all along: nothing floats, nothing hovers.

Existing buildings at LoD 1.2 and proposed volumes share this one construction. Walls are upright polygons,
one per edge of the outline, so they are planar however the ground runs; the ground face is a set of triangles
through the feet of the walls; the roof is one polygon with its courtyards.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twin.buildings.seat import GroundProfile, RingProfile
from twin.jit import njit
from twin.model.geometry import Geometry, Rings, solid
from twin.model.surface import Surface
from twin.model.triangulate import triangulate_surface
from twin.validation.triangles import relax

FOOT_ERROR_M = 0.008
"""Largest distance between the foot of a wall and the profile of the ground under it [m]; with what the
profile itself may miss, the foot stays within 0.02 m of the terrain."""

MIN_WALL_M = 0.1
"""Where the ground rises above the roof less this, the wall ends there: the solid sits in the slope [m]."""

DECIMALS = 4
"""Vertices lie on the grid of a file, so that what is judged valid is what is read back."""

BOW = 1e-5
"""Depth of the inward bow that keeps the stations of an edge out of line while the ground is triangulated,
per metre of edge, at most this many metres; it does not touch the coordinates."""


@njit
def _thin(along: NDArray[np.float64], z: NDArray[np.float64], limit: float, keep: NDArray[np.bool_]) -> None:
    """Mark the inner stations that a line within ``limit`` needs (Douglas and Peucker 1973)."""
    stack = np.empty((len(z) + 1, 2), dtype=np.int64)
    stack[0, 0], stack[0, 1] = 0, len(z) - 1
    depth = 1
    while depth > 0:
        depth -= 1
        a, b = stack[depth, 0], stack[depth, 1]
        worst, where = limit, -1
        for k in range(a + 1, b):
            share = (along[k] - along[a]) / (along[b] - along[a])
            off = abs(z[k] - (z[a] + share * (z[b] - z[a])))
            if off > worst:
                worst, where = off, k
        if where >= 0:
            keep[where] = True
            stack[depth, 0], stack[depth, 1] = a, where
            stack[depth + 1, 0], stack[depth + 1, 1] = where, b
            depth += 2


def clamped(ring: RingProfile, ceiling: float) -> RingProfile:
    """The profile cut off at a height, with a station where the ground passes through it."""
    xyz, corner = ring.xyz, ring.corner
    if xyz[:, 2].max() <= ceiling:
        return ring
    after = np.roll(xyz, -1, axis=0)
    low, high = xyz[:, 2] - ceiling, after[:, 2] - ceiling
    at = np.flatnonzero(low * high < 0)
    crossing = xyz[at] + (low[at] / (low[at] - high[at]))[:, None] * (after[at] - xyz[at])
    xyz = np.insert(xyz, at + 1, crossing, axis=0)
    corner = np.insert(corner, at + 1, False)
    xyz[:, 2] = np.minimum(xyz[:, 2], ceiling)
    return RingProfile(xyz, corner)


def feet_of(
    ring: RingProfile, straight: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Stations that the feet of the walls need.

    Parameters
    ----------
    ring
        Ground along a ring; every corner of it gets a station.
    straight
        (corners,) which corners lie in the line of their neighbours; none where None.

    Returns
    -------
    (n, 3) points; (n,) whether corner; (n, 2) plan points, drawn in a little between two corners that bend.
    """
    starts = np.flatnonzero(ring.corner)
    ends = np.append(starts[1:], len(ring.xyz))
    points, corners = [], []
    for a, b in zip(starts, ends, strict=True):
        edge = ring.xyz[np.append(np.arange(a, b), b % len(ring.xyz))]
        run = edge[-1, :2] - edge[0, :2]
        along = (edge[:, :2] - edge[0, :2]) @ run / float(np.hypot(*run))
        keep = np.zeros(len(edge), dtype=np.bool_)
        keep[0] = True
        _thin(along, edge[:, 2], FOOT_ERROR_M, keep)
        points.append(edge[keep])
        corners.append(np.arange(int(keep.sum())) == 0)
    xyz, corner = np.concatenate(points), np.concatenate(corners)
    bends = np.flatnonzero(corner) if straight is None else np.flatnonzero(corner)[~straight]
    return xyz, corner, _bowed(xyz[:, :2], bends)


def _bowed(plan: NDArray[np.float64], bends: NDArray[np.int64]) -> NDArray[np.float64]:
    """Plan points of a ring, drawn inwards along a bow from bend to bend."""
    out = plan.copy()
    for a, b in zip(bends, np.append(bends[1:], bends[0] + len(plan)), strict=True):
        between = np.arange(a + 1, b) % len(plan)
        if not len(between):
            continue
        run = plan[b % len(plan)] - plan[a]
        length = float(np.hypot(*run))
        share = (plan[between] - plan[a]) @ run / length**2
        depth = BOW * min(1.0, length) * 4 * share * (1 - share)
        on = plan[a] + share[:, None] * run
        out[between] = on + depth[:, None] * np.array([-run[1], run[0]]) / length
    return out


def ground_faces(plan: list[NDArray[np.float64]], numbers: list[NDArray[np.int64]]) -> list[Rings]:
    """Triangles through the feet, facing down.

    The bow makes every station between two corners a reflex one: no triangle lies in the plane of a wall,
    and ear clipping leaves no station out.
    """
    flat = np.concatenate(plan)
    flat = np.column_stack([flat - flat.mean(axis=0), np.zeros(len(flat))])
    ends = np.cumsum([len(p) for p in plan])
    rings = tuple(tuple(range(end - len(p), end)) for p, end in zip(plan, ends, strict=True))
    name = np.concatenate(numbers)
    cut = triangulate_surface(flat, rings).astype(np.int64)
    # Well-shaped triangles keep away from the walls: one to a far corner in the line of a wall would brush it.
    relax(np.ascontiguousarray(flat[:, :2]), cut)
    return [((int(name[c]), int(name[b]), int(name[a])),) for a, b, c in cut]


def prism(profile: GroundProfile, top: float, lod: str = "1.2") -> Geometry:
    """The solid between the terrain and a flat roof.

    Parameters
    ----------
    profile
        Ground along the outline.
    top
        Height of the roof above the datum [m]. Where the ground rises above ``top - MIN_WALL_M``, the foot
        of the wall stays at that height; callers ask ``roof_is_clear`` first.
    lod
        Level of detail.

    Returns
    -------
    Geometry
        A ``Solid`` with GroundSurface triangles, WallSurfaces and one RoofSurface, outward.
    """
    vertices: list[NDArray[np.float64]] = []
    plan: list[NDArray[np.float64]] = []
    feet_numbers: list[NDArray[np.int64]] = []
    walls: list[Rings] = []
    roof: list[tuple[int, ...]] = []
    count = 0
    for ring in profile.rings:
        feet, corner, bowed = feet_of(clamped(ring, top - MIN_WALL_M))
        eaves = feet[corner].copy()
        eaves[:, 2] = top
        low = np.arange(count, count + len(feet))
        high = np.arange(count + len(feet), count + len(feet) + len(eaves))
        count += len(feet) + len(eaves)
        starts = np.flatnonzero(corner)
        for k, a in enumerate(starts):
            b = starts[k + 1] if k + 1 < len(starts) else len(feet)
            bottom = [*low[a:b].tolist(), int(low[b % len(feet)])]
            walls.append(((*bottom, int(high[(k + 1) % len(eaves)]), int(high[k])),))
        vertices += [feet, eaves]
        plan.append(bowed)
        feet_numbers.append(low)
        roof.append(tuple(high.tolist()))
    ground = ground_faces(plan, feet_numbers)
    semantics = [Surface.GROUND] * len(ground) + [Surface.WALL] * len(walls) + [Surface.ROOF]
    return solid(lod, np.concatenate(vertices), [*ground, *walls, tuple(roof)], semantics)


def roof_is_clear(profile: GroundProfile, top: float) -> bool:
    """Whether a roof stands above the mean ground of its outline by ``MIN_WALL_M`` or more."""
    return top >= profile.mean + MIN_WALL_M
