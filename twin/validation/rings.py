"""Rings and the planes of their surfaces: points, self-intersection, flatness (codes 101, 102, 104, 203)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from twin.jit import njit
from twin.validation.codes import TOUCH_M

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@njit
def smallest_axis(m: Floats) -> Floats:
    """Unit eigenvector of the smallest eigenvalue of a symmetric 3x3 matrix, by Jacobi rotations."""
    a = m.copy()
    v = np.eye(3)
    for _ in range(30):
        p, q = 0, 1
        if abs(a[0, 2]) > abs(a[p, q]):
            p, q = 0, 2
        if abs(a[1, 2]) > abs(a[p, q]):
            p, q = 1, 2
        if abs(a[p, q]) <= 1e-18 * (abs(a[0, 0]) + abs(a[1, 1]) + abs(a[2, 2])):
            break
        angle = 0.5 * math.atan2(2.0 * a[p, q], a[q, q] - a[p, p])
        c, s = math.cos(angle), math.sin(angle)
        for k in range(3):
            x, y = a[k, p], a[k, q]
            a[k, p], a[k, q] = c * x - s * y, s * x + c * y
        for k in range(3):
            x, y = a[p, k], a[q, k]
            a[p, k], a[q, k] = c * x - s * y, s * x + c * y
        for k in range(3):
            x, y = v[k, p], v[k, q]
            v[k, p], v[k, q] = c * x - s * y, s * x + c * y
    least = 0
    for k in range(1, 3):
        if a[k, k] < a[least, least]:
            least = k
    return v[:, least].copy()


@njit
def newell(points: Floats) -> Floats:
    """Normal of a ring (n, 3), twice its area long."""
    normal = np.zeros(3)
    n = len(points)
    for i in range(n):
        a, b = points[i] - points[0], points[(i + 1) % n] - points[0]
        normal[0] += a[1] * b[2] - a[2] * b[1]
        normal[1] += a[2] * b[0] - a[0] * b[2]
        normal[2] += a[0] * b[1] - a[1] * b[0]
    return normal


@njit
def plane_of(points: Floats, outer: int) -> tuple[Floats, Floats]:
    """Centre and unit normal of the least-squares plane; the normal looks from where the outer ring turns left.

    ``outer`` is how many of the points (n, 3) the outer ring has.
    """
    centre = np.zeros(3)
    for i in range(len(points)):
        centre += points[i]
    centre /= len(points)
    turning = newell(points[:outer])
    if len(points) == 3:
        normal = turning.copy()
    else:
        spread = np.zeros((3, 3))
        for i in range(len(points)):
            d = points[i] - centre
            for k in range(3):
                for m in range(3):
                    spread[k, m] += d[k] * d[m]
        normal = smallest_axis(spread)
    length = math.sqrt(normal[0] ** 2 + normal[1] ** 2 + normal[2] ** 2)
    if length > 0:
        normal /= length
    if normal[0] * turning[0] + normal[1] * turning[1] + normal[2] * turning[2] < 0:
        normal = -normal
    return centre, normal


@njit
def into_plane(points: Floats, centre: Floats, normal: Floats, flat: Floats) -> float:
    """Write the plane coordinates of points to ``flat`` (n, 2); gives the largest distance from the plane."""
    k = 0
    for axis in range(1, 3):
        if abs(normal[axis]) < abs(normal[k]):
            k = axis
    helper = np.zeros(3)
    helper[k] = 1.0
    u = np.cross(helper, normal)
    length = math.sqrt(u[0] ** 2 + u[1] ** 2 + u[2] ** 2)
    if length > 0:
        u /= length
    v = np.cross(normal, u)
    farthest = 0.0
    for i in range(len(points)):
        x, y, z = points[i, 0] - centre[0], points[i, 1] - centre[1], points[i, 2] - centre[2]
        flat[i, 0] = x * u[0] + y * u[1] + z * u[2]
        flat[i, 1] = x * v[0] + y * v[1] + z * v[2]
        farthest = max(farthest, abs(x * normal[0] + y * normal[1] + z * normal[2]))
    return farthest


@njit
def near_segment(px: float, py: float, a: Floats, b: Floats, reach: float) -> bool:
    """Whether a point lies within ``reach`` of the segment a-b, all in the plane."""
    x, y = b[0] - a[0], b[1] - a[1]
    square = x * x + y * y
    t = 0.0
    if square > 0:
        t = min(1.0, max(0.0, ((px - a[0]) * x + (py - a[1]) * y) / square))
    dx, dy = a[0] + t * x - px, a[1] + t * y - py
    return bool(dx * dx + dy * dy <= reach * reach)


@njit
def turn(a: Floats, b: Floats, c: Floats) -> float:
    """Twice the signed area of a triangle in the plane."""
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))


@njit
def segments_meet(a: Floats, b: Floats, c: Floats, d: Floats) -> bool:
    """Whether the segments a-b and c-d cross or touch."""
    if turn(a, b, c) * turn(a, b, d) < 0 and turn(c, d, a) * turn(c, d, b) < 0:
        return True
    return (
        near_segment(a[0], a[1], c, d, TOUCH_M)
        or near_segment(b[0], b[1], c, d, TOUCH_M)
        or near_segment(c[0], c[1], a, b, TOUCH_M)
        or near_segment(d[0], d[1], a, b, TOUCH_M)
    )


@njit
def first_meeting(flat: Floats) -> tuple[int, int]:
    """Numbers of two edges of a ring (n, 2) that meet away from a common corner; (-1, -1) where it is simple."""
    n = len(flat)
    for i in range(n):
        after = (i + 1) % n
        low_x, high_x = min(flat[i, 0], flat[after, 0]) - TOUCH_M, max(flat[i, 0], flat[after, 0]) + TOUCH_M
        low_y, high_y = min(flat[i, 1], flat[after, 1]) - TOUCH_M, max(flat[i, 1], flat[after, 1]) + TOUCH_M
        for j in range(i + 1, n):
            m = (j + 1) % n
            # Plain numbers first: most pairs end here.
            if (flat[j, 0] < low_x and flat[m, 0] < low_x) or (flat[j, 0] > high_x and flat[m, 0] > high_x):
                continue
            if (flat[j, 1] < low_y and flat[m, 1] < low_y) or (flat[j, 1] > high_y and flat[m, 1] > high_y):
                continue
            a, b, c, d = flat[i], flat[after], flat[j], flat[m]
            if j == i + 1:
                if near_segment(d[0], d[1], a, b, TOUCH_M) or near_segment(a[0], a[1], c, d, TOUCH_M):
                    return i, j
            elif m == i:
                if near_segment(c[0], c[1], a, b, TOUCH_M) or near_segment(b[0], b[1], c, d, TOUCH_M):
                    return i, j
            elif segments_meet(a, b, c, d):
                return i, j
    return -1, -1


@njit
def ring_points(place: Ints) -> tuple[int, int]:
    """(code, corner) of a ring's list of welded vertices; (0, -1) where it is sound."""
    n = len(place)
    if n < 3:
        return 101, -1
    for i in range(n):
        if place[i] == place[(i + 1) % n]:
            return 102, i
    ordered = np.sort(place)
    for i in range(n - 1):
        if ordered[i] == ordered[i + 1]:
            for k in range(n):
                if place[k] == ordered[i]:
                    return 104, k
    return 0, -1


@njit
def survey(
    points: Floats, place: Ints, rings: Ints, surfaces: Ints
) -> tuple[Ints, Ints, Floats, Floats, Floats]:
    """Rings and planes of all surfaces.

    Parameters
    ----------
    points
        (n, 3) local [m].
    place
        (k,) welded vertex of each corner.
    rings, surfaces
        Where rings begin among corners, surfaces among rings.

    Returns
    -------
    Code of each ring (r,); two corners or edges that show it (r, 2); unit normal (s, 3) and largest distance
    from the plane [m] (s,) of each surface; plane coordinates of each corner (k, 2).
    """
    codes = np.zeros(len(rings) - 1, np.int64)
    shown = np.full((len(rings) - 1, 2), -1, np.int64)
    count = len(surfaces) - 1
    normals, distances = np.zeros((count, 3)), np.zeros(count)
    flat = np.zeros((len(place), 2))
    for s in range(count):
        first, last = surfaces[s], surfaces[s + 1]
        start, end = rings[first], rings[last]
        for r in range(first, last):
            codes[r], shown[r, 0] = ring_points(place[rings[r] : rings[r + 1]])
        if end - start < 3:
            continue
        corners = points[place[start:end]]
        centre, normals[s] = plane_of(corners, rings[first + 1] - start)
        distances[s] = into_plane(corners, centre, normals[s], flat[start:end])
        for r in range(first, last):
            if codes[r] == 0:
                i, j = first_meeting(flat[rings[r] : rings[r + 1]])
                if i >= 0:
                    codes[r], shown[r, 0], shown[r, 1] = 104, i, j
    return codes, shown, normals, distances, flat
