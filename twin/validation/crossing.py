"""Triangles that cross, touch or cover each other: a sweep over boxes, then exact-enough pairs (306, 401, 501)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from twin.jit import njit
from twin.validation.codes import TOUCH_M

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SIMPLE, PIERCE, COVER = range(3)
"""What to look for: any contact away from shared vertices; piercing only; faces that cover one another only."""

PLANE_M = 1e-5
"""Corners nearer to a plane lie in it [m]: planes of slivers are less sure than points."""

KEPT = 8
"""Pairs that are kept to be named."""


@njit
def unit_normal(a: Floats, b: Floats, c: Floats) -> tuple[Floats, float]:
    """Unit normal of a triangle, and its length before: twice the area."""
    n = np.cross(b - a, c - a)
    length = math.sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2])
    if length > 0:
        n /= length
    return n, length


@njit
def inside_by(p: Floats, corners: Floats, normal: Floats) -> float:
    """Distance of a point in the plane of a triangle (3, 3) to its nearest side; negative outside [m]."""
    least = 1e300
    for k in range(3):
        a, b = corners[k], corners[(k + 1) % 3]
        side = np.cross(normal, b - a)
        length = math.sqrt(side[0] ** 2 + side[1] ** 2 + side[2] ** 2)
        if length > 0:
            d = ((p[0] - a[0]) * side[0] + (p[1] - a[1]) * side[1] + (p[2] - a[2]) * side[2]) / length
            least = min(least, d)
    return least


@njit
def heights(corners: Floats, a: Floats, normal: Floats) -> Floats:
    """Signed distances (3,) of corners (3, 3) from a plane."""
    found = np.empty(3)
    for k in range(3):
        found[k] = (
            (corners[k, 0] - a[0]) * normal[0]
            + (corners[k, 1] - a[1]) * normal[1]
            + (corners[k, 2] - a[2]) * normal[2]
        )
    return found


@njit
def covers(one: Floats, other: Floats, normal: Floats, snap: float) -> bool:
    """Whether two triangles of one plane overlap by more than the snap tolerance in every direction."""
    for which in range(2):
        mine = one if which == 0 else other
        for k in range(3):
            axis = np.cross(normal, mine[(k + 1) % 3] - mine[k])
            length = math.sqrt(axis[0] ** 2 + axis[1] ** 2 + axis[2] ** 2)
            if length == 0:
                return False
            axis /= length
            low1, high1, low2, high2 = 1e300, -1e300, 1e300, -1e300
            for m in range(3):
                p = one[m, 0] * axis[0] + one[m, 1] * axis[1] + one[m, 2] * axis[2]
                q = other[m, 0] * axis[0] + other[m, 1] * axis[1] + other[m, 2] * axis[2]
                low1, high1, low2, high2 = min(low1, p), max(high1, p), min(low2, q), max(high2, q)
            if min(high1, high2) - max(low1, low2) <= snap:
                return False
    return True


@njit
def inner_stretch(p: Floats, q: Floats, corners: Floats, normal: Floats) -> float:
    """Length of the part of a segment in the plane of a triangle that runs within it [m]."""
    low, high = 0.0, 1.0
    for k in range(3):
        a, b = corners[k], corners[(k + 1) % 3]
        side = np.cross(normal, b - a)
        length = math.sqrt(side[0] ** 2 + side[1] ** 2 + side[2] ** 2)
        if length == 0:
            return 0.0
        at_p = ((p - a) * side).sum() / length - TOUCH_M
        at_q = ((q - a) * side).sum() / length - TOUCH_M
        if at_p < 0 and at_q < 0:
            return 0.0
        if at_p < 0:
            low = max(low, at_p / (at_p - at_q))
        elif at_q < 0:
            high = min(high, at_p / (at_p - at_q))
    return max(0.0, high - low) * math.sqrt(((q - p) ** 2).sum())


@njit
def pierces(one: Floats, d: Floats, other: Floats, normal: Floats, common: Floats, snap: float) -> bool:
    """Whether a side of ``one`` passes through ``other``, away from a ``common`` corner (NaN where none)."""
    for k in range(3):
        m = (k + 1) % 3
        if not ((d[k] > PLANE_M and d[m] < -PLANE_M) or (d[k] < -PLANE_M and d[m] > PLANE_M)):
            continue
        hit = one[k] + (one[m] - one[k]) * (d[k] / (d[k] - d[m]))
        if inside_by(hit, other, normal) < -TOUCH_M:
            continue
        if math.isnan(common[0]) or ((hit - common) ** 2).sum() > 4 * snap * snap:
            return True
    return False


@njit
def rests(one: Floats, d: Floats, ids: Ints, other: Floats, ids2: Ints, normal: Floats, snap: float) -> bool:
    """Whether a corner or side of ``one`` lies in ``other`` without being one of its own."""
    for k in range(3):
        if abs(d[k]) > PLANE_M:
            continue
        own = ids[k] == ids2[0] or ids[k] == ids2[1] or ids[k] == ids2[2]
        if not own and inside_by(one[k], other, normal) >= -TOUCH_M:
            return True
        m = (k + 1) % 3
        if abs(d[m]) <= PLANE_M and inner_stretch(one[k], one[m], other, normal) > snap:
            return True
    return False


@njit
def meet(points: Floats, t1: Ints, t2: Ints, mode: int, snap: float) -> bool:
    """Whether two triangles meet in the way that ``mode`` looks for."""
    one = np.empty((3, 3))
    other = np.empty((3, 3))
    common = np.full(3, np.nan)
    shared = 0
    for k in range(3):
        one[k], other[k] = points[t1[k]], points[t2[k]]
        if t1[k] == t2[0] or t1[k] == t2[1] or t1[k] == t2[2]:
            shared += 1
            common = points[t1[k]]
    n2, size2 = unit_normal(other[0], other[1], other[2])
    n1, size1 = unit_normal(one[0], one[1], one[2])
    if size1 == 0 or size2 == 0:
        return False
    d1 = heights(one, other[0], n2)
    if d1.min() > PLANE_M or d1.max() < -PLANE_M:
        return False
    d2 = heights(other, one[0], n1)
    if d2.min() > PLANE_M or d2.max() < -PLANE_M:
        return False
    if np.abs(d1).max() <= PLANE_M and np.abs(d2).max() <= PLANE_M:
        return mode != PIERCE and covers(one, other, n1, snap)
    if mode == COVER or shared >= 2:
        return False
    if pierces(one, d1, other, n2, common, snap) or pierces(other, d2, one, n1, common, snap):
        return True
    if mode == PIERCE:
        return False
    return rests(one, d1, t1, other, t2, n2, snap) or rests(other, d2, t2, one, t1, n1, snap)


@njit
def planes_of(points: Floats, triangles: Ints) -> Floats:
    """Planes of each triangle as unit normal and offset (t, 4, 4): its own, and upright ones along its sides."""
    planes = np.empty((len(triangles), 4, 4))
    for t in range(len(triangles)):
        a = points[triangles[t, 0]]
        normal, _ = unit_normal(a, points[triangles[t, 1]], points[triangles[t, 2]])
        for k in range(4):
            n = normal
            if k < 3:
                a = points[triangles[t, k]]
                n = np.cross(points[triangles[t, (k + 1) % 3]] - a, normal)
                length = math.sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2])
                if length > 0:
                    n /= length
            planes[t, k, :3] = n
            planes[t, k, 3] = n[0] * a[0] + n[1] * a[1] + n[2] * a[2]
    return planes


@njit
def apart(points: Floats, triangles: Ints, planes: Floats, s: int, t: int) -> bool:
    """Whether a plane of triangle t has s on its far side, but for vertices that both have.

    Plain numbers only, as nearly all pairs end here. The sides' planes look outward.
    """
    for k in range(4):
        above, below, own = 0, 0, 0
        for m in range(3):
            v = triangles[s, m]
            # A common vertex lies in the plane: each in the triangle's own, two in that of a side.
            first, second = triangles[t, k % 3], triangles[t, (k + 1) % 3]
            if v in (first, second) or (k == 3 and v == triangles[t, 2]):
                own += 1
                continue
            d = (
                points[v, 0] * planes[t, k, 0]
                + points[v, 1] * planes[t, k, 1]
                + points[v, 2] * planes[t, k, 2]
                - planes[t, k, 3]
            )
            if d > 2 * PLANE_M:
                above += 1
            elif d < -2 * PLANE_M:
                below += 1
        if own < 3 and (above + own == 3 or (k == 3 and below + own == 3)):
            return True
    return False


@njit
def contacts(points: Floats, triangles: Ints, owner: Ints, mode: int, snap: float) -> tuple[int, Ints]:
    """Pairs of triangles of different owners that meet.

    Parameters
    ----------
    points
        (n, 3) welded vertices [m].
    triangles
        (t, 3) vertices.
    owner
        (t,) surface (or shell) of each triangle.
    mode
        ``SIMPLE``, ``PIERCE`` or ``COVER``.
    snap
        Snap tolerance [m].

    Returns
    -------
    How many pairs, and up to ``KEPT`` of them as pairs of triangles (KEPT, 2), the rest -1.
    """
    count = len(triangles)
    low, high = np.empty((count, 3)), np.empty((count, 3))
    for t in range(count):
        for k in range(3):
            a, b, c = points[triangles[t, 0], k], points[triangles[t, 1], k], points[triangles[t, 2], k]
            low[t, k], high[t, k] = min(a, b, c) - PLANE_M, max(a, b, c) + PLANE_M
    planes = planes_of(points, triangles)
    found, kept = 0, np.full((KEPT, 2), -1, np.int64)
    if count == 0:
        return found, kept
    axis, extent = 0, -1.0
    for k in range(3):
        wide = high[:, k].max() - low[:, k].min()
        if wide > extent:
            axis, extent = k, wide
    u, v = (axis + 1) % 3, (axis + 2) % 3
    order = np.argsort(low[:, axis], kind="mergesort")
    for i in range(count):
        s = order[i]
        for j in range(i + 1, count):
            t = order[j]
            if low[t, axis] > high[s, axis]:
                break
            if low[t, u] > high[s, u] or low[s, u] > high[t, u]:
                continue
            if low[t, v] > high[s, v] or low[s, v] > high[t, v] or owner[s] == owner[t]:
                continue
            if apart(points, triangles, planes, s, t) or apart(points, triangles, planes, t, s):
                continue
            if meet(points, triangles[s], triangles[t], mode, snap):
                if found < KEPT:
                    kept[found, 0], kept[found, 1] = min(s, t), max(s, t)
                found += 1
    return found, kept


@njit
def winding(point: Floats, points: Floats, triangles: Ints) -> float:
    """How often closed triangles turn around a point: 1 inside, 0 outside (van Oosterom and Strackee 1983)."""
    total = 0.0
    for t in range(len(triangles)):
        a, b, c = (
            points[triangles[t, 0]] - point,
            points[triangles[t, 1]] - point,
            points[triangles[t, 2]] - point,
        )
        la, lb, lc = math.sqrt((a * a).sum()), math.sqrt((b * b).sum()), math.sqrt((c * c).sum())
        up = (a * np.cross(b, c)).sum()
        down = la * lb * lc + (a * b).sum() * lc + (b * c).sum() * la + (c * a).sum() * lb
        total += 2.0 * math.atan2(up, down)
    return total / (4.0 * math.pi)


@njit
def shrunk(points: Floats, triangles: Ints, depth: float) -> Floats:
    """The vertices moved into the material so that every face goes back by ``depth`` [m].

    Each vertex solves the least squares of its faces' planes, damped so that sharp edges stay near.
    """
    count = len(points)
    normals, wanted = np.zeros((count, 3, 3)), np.zeros((count, 3))
    for t in range(len(triangles)):
        n, _ = unit_normal(points[triangles[t, 0]], points[triangles[t, 1]], points[triangles[t, 2]])
        for k in range(3):
            v = triangles[t, k]
            wanted[v] -= depth * n
            for i in range(3):
                for j in range(3):
                    normals[v, i, j] += n[i] * n[j]
    moved = points.copy()
    for v in range(count):
        trace = normals[v, 0, 0] + normals[v, 1, 1] + normals[v, 2, 2]
        if trace == 0:
            continue
        for i in range(3):
            normals[v, i, i] += 0.01 * trace
        moved[v] += np.linalg.solve(normals[v], wanted[v])
    return moved
