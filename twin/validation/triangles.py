"""Surfaces to constrained Delaunay triangles, and how far their normals stray (code 204)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from twin.jit import njit
from twin.validation.rings import turn

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@njit
def is_ear(flat: Floats, before: Ints, after: Ints, i: int) -> bool:
    """Whether corner i of what is left of a ring can be cut off."""
    ax, ay, bx, by = flat[before[i], 0], flat[before[i], 1], flat[i, 0], flat[i, 1]
    cx, cy = flat[after[i], 0], flat[after[i], 1]
    if (bx - ax) * (cy - ay) - (by - ay) * (cx - ax) <= 0:
        return False
    low, high = min(ax, bx, cx), max(ax, bx, cx)
    k = after[after[i]]
    while k != before[i]:
        x, y = flat[k, 0], flat[k, 1]
        if (
            low <= x <= high
            and (bx - ax) * (y - ay) - (by - ay) * (x - ax) >= 0
            and (cx - bx) * (y - by) - (cy - by) * (x - bx) >= 0
            and (ax - cx) * (y - cy) - (ay - cy) * (x - cx) >= 0
        ):
            return False
        k = after[k]
    return True


@njit
def clip(flat: Floats, triangles: Ints) -> None:
    """Ear clipping of a simple ring (n, 2) that turns left into ``triangles`` (n - 2, 3)."""
    n = len(flat)
    before, after = np.arange(-1, n - 1), np.arange(1, n + 1)
    before[0], after[n - 1] = n - 1, 0
    i, waited, left, made = 0, 0, n, 0
    while left > 3:
        if waited <= left and not is_ear(flat, before, after, i):
            i, waited = after[i], waited + 1
            continue
        # After a whole round without an ear (rounding on nearly straight corners) any corner must do.
        triangles[made] = np.array([before[i], i, after[i]])
        made += 1
        after[before[i]], before[after[i]] = after[i], before[i]
        # Going on two corners further keeps long fans away.
        i, waited, left = after[after[i]], 0, left - 1
    triangles[made] = np.array([before[i], i, after[i]])


@njit
def in_circle(a: Floats, b: Floats, c: Floats, d: Floats) -> float:
    """Positive where d lies in the circle through a, b, c (which turn left)."""
    ax, ay, bx, by = a[0] - d[0], a[1] - d[1], b[0] - d[0], b[1] - d[1]
    cx, cy = c[0] - d[0], c[1] - d[1]
    aa, bb, cc = ax * ax + ay * ay, bx * bx + by * by, cx * cx + cy * cy
    return float(ax * (by * cc - bb * cy) - ay * (bx * cc - bb * cx) + aa * (bx * cy - by * cx))


@njit
def relax(flat: Floats, triangles: Ints) -> None:
    """Flip inner edges until the triangles (t, 3) are Delaunay within their ring (Lawson)."""
    count, n = len(triangles), len(flat)
    if count < 2:
        return
    keys = np.empty(3 * count, np.int64)
    touched = np.empty(count, np.bool_)
    for _ in range(4 * count + 4):
        for t in range(count):
            for k in range(3):
                a, b = triangles[t, k], triangles[t, (k + 1) % 3]
                keys[3 * t + k] = min(a, b) * n + max(a, b)
        order = np.argsort(keys)
        touched[:] = False
        flips = 0
        for e in range(len(order) - 1):
            if keys[order[e]] != keys[order[e + 1]]:
                continue
            s, t = order[e] // 3, order[e + 1] // 3
            if touched[s] or touched[t]:
                continue
            k, m = order[e] % 3, order[e + 1] % 3
            a, b, c = triangles[s, k], triangles[s, (k + 1) % 3], triangles[s, (k + 2) % 3]
            d = triangles[t, (m + 2) % 3]
            pa, pb, pc, pd = flat[a], flat[b], flat[c], flat[d]
            one, two = turn(pa, pd, pc), turn(pd, pb, pc)
            if one <= 0 or two <= 0:
                continue
            flat_now = min(turn(pa, pb, pc), turn(pb, pa, pd)) <= 0
            size = (abs(one) + abs(two)) ** 2
            if flat_now or in_circle(pa, pb, pc, pd) > 1e-9 * size:
                triangles[s] = np.array([a, d, c])
                triangles[t] = np.array([d, b, c])
                touched[s], touched[t] = True, True
                flips += 1
        if flips == 0:
            return


@njit
def triangulate_rings(flat: Floats, begins: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """Triangles of surfaces of one ring each.

    Parameters
    ----------
    flat
        (k, 2) corners in the plane of their surface; rings turn left.
    begins, ends
        (m,) where each ring begins and ends.

    Returns
    -------
    (t, 3) numbers of corners, and for each triangle which of the m rings it belongs to.
    """
    total = 0
    for m in range(len(begins)):
        total += ends[m] - begins[m] - 2
    triangles, owner = np.empty((total, 3), np.int64), np.empty(total, np.int64)
    at = 0
    for m in range(len(begins)):
        ring = flat[begins[m] : ends[m]]
        count = len(ring) - 2
        mine = triangles[at : at + count]
        clip(ring, mine)
        relax(ring, mine)
        mine += begins[m]
        owner[at : at + count] = m
        at += count
    return triangles, owner


@njit
def deviations(points: Floats, triangles: Ints, owner: Ints, normals: Floats, snap: float) -> Floats:
    """Largest angle of each surface between its plane's normal and those of its triangles [deg] (s,).

    A triangle lower than the snap tolerance has no normal of its own.
    """
    found = np.zeros(len(normals))
    for t in range(len(triangles)):
        a, b, c = points[triangles[t, 0]], points[triangles[t, 1]], points[triangles[t, 2]]
        n = np.cross(b - a, c - a)
        area = math.sqrt(n[0] ** 2 + n[1] ** 2 + n[2] ** 2)
        longest = math.sqrt(max(((b - a) ** 2).sum(), ((c - b) ** 2).sum(), ((a - c) ** 2).sum()))
        if area <= snap * longest:
            continue
        m = normals[owner[t]]
        cosine = (n[0] * m[0] + n[1] * m[1] + n[2] * m[2]) / area
        angle = math.degrees(math.acos(min(1.0, max(-1.0, cosine))))
        found[owner[t]] = max(found[owner[t]], angle)
    return found
