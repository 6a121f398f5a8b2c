"""Constrained Delaunay triangulation that grows point by point, on whole steps of 0.1 mm.

Points are inserted into the triangle that holds them and edges flipped until no circumcircle holds a neighbour
(Lawson 1977); lines are forced in by flipping the edges that cross them (Sloan 1993). Orientation is exact, in
64-bit integers; an edge is flipped only where the circle test is certain beyond the rounding of float64
(Shewchuk 1997), so flipping ends and no triangle ever turns over.

All functions are compiled and take a ``Net``; edge ``k`` of a triangle runs from its corner ``k`` to ``k + 1``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.jit import njit

STEP_M = 0.0001
"""Step of the coordinates [m], that of the CityJSON files: what is written is what was triangulated."""

_CIRCLE_ERROR = 1.2e-15
"""Relative error of the circle test in float64, ``(10 + 96 eps) eps`` by Shewchuk (1997)."""

CLOSE = 15
"""Points no farther apart than so many steps are one: 1.5 mm, above the 1 mm that validators forgive."""

NO_EDGE = -1


class Net(NamedTuple):
    """A triangulation in arrays with room to grow.

    Parameters
    ----------
    x, y
        (capacity,) int64 steps.
    z
        (capacity,) float64 heights [m].
    at
        (capacity,) int64 one triangle at each vertex.
    corner, beside
        (2 capacity, 3) int64 vertices counter-clockwise; the triangle beyond each edge, -1 for none.
    fixed
        (2 capacity, 3) bool edges that stay.
    used
        (2,) int64 vertices and triangles in use.
    """

    x: NDArray[np.int64]
    y: NDArray[np.int64]
    z: NDArray[np.float64]
    at: NDArray[np.int64]
    corner: NDArray[np.int64]
    beside: NDArray[np.int64]
    fixed: NDArray[np.bool_]
    used: NDArray[np.int64]


def empty_net(capacity: int) -> Net:
    """Room for so many vertices and twice as many triangles."""
    return Net(
        np.zeros(capacity, np.int64),
        np.zeros(capacity, np.int64),
        np.zeros(capacity, np.float64),
        np.zeros(capacity, np.int64),
        np.zeros((2 * capacity, 3), np.int64),
        np.full((2 * capacity, 3), -1, np.int64),
        np.zeros((2 * capacity, 3), np.bool_),
        np.zeros(2, np.int64),
    )


def enlarged(net: Net, capacity: int) -> Net:
    """The same triangulation with more room."""
    new = empty_net(capacity)
    pairs: list[tuple[NDArray[Any], NDArray[Any]]] = list(zip(net, new, strict=True))
    for old, fresh in pairs:
        fresh[: len(old)] = old
    return new


def rectangle(net: Net, bounds: tuple[int, int, int, int], heights: NDArray[np.float64]) -> None:
    """Begin with two triangles over west, south, east, north [steps]; heights from the south-west, leftwards."""
    west, south, east, north = bounds
    net.x[:4], net.y[:4] = (west, east, east, west), (south, south, north, north)
    net.z[:4] = heights
    net.corner[0], net.corner[1] = (0, 1, 2), (0, 2, 3)
    net.beside[0], net.beside[1] = (-1, -1, 1), (0, -1, -1)
    net.fixed[0], net.fixed[1] = (True, True, False), (False, True, True)
    net.at[:4] = (0, 0, 0, 1)
    net.used[:] = (4, 2)


@njit
def turn(net: Net, a: int, b: int, x: int, y: int) -> int:
    """Twice the signed area of a, b and a point [steps squared], exact; positive where it lies to the left."""
    ax, ay = net.x[a], net.y[a]
    return int((net.x[b] - ax) * (y - ay) - (net.y[b] - ay) * (x - ax))


@njit
def _in_circle(net: Net, t: int, d: int) -> bool:
    """Whether vertex d lies for certain inside the circumcircle of triangle t."""
    dx, dy = net.x[d], net.y[d]
    a, b, c = net.corner[t, 0], net.corner[t, 1], net.corner[t, 2]
    ax, ay = float(net.x[a] - dx), float(net.y[a] - dy)
    bx, by = float(net.x[b] - dx), float(net.y[b] - dy)
    cx, cy = float(net.x[c] - dx), float(net.y[c] - dy)
    aa, bb, cc = ax * ax + ay * ay, bx * bx + by * by, cx * cx + cy * cy
    det = aa * (bx * cy - cx * by) + bb * (cx * ay - ax * cy) + cc * (ax * by - bx * ay)
    size = aa * (abs(bx * cy) + abs(cx * by)) + bb * (abs(cx * ay) + abs(ax * cy))
    size += cc * (abs(ax * by) + abs(bx * ay))
    return bool(det > _CIRCLE_ERROR * size)


@njit
def _edge_from(net: Net, t: int, v: int) -> int:
    """The edge of t that begins at vertex v."""
    if net.corner[t, 0] == v:
        return 0
    return 1 if net.corner[t, 1] == v else 2


@njit
def _join(net: Net, t: int, k: int, u: int, fixed: bool) -> None:
    """Let edge k of t have u beyond it, and u have t."""
    net.beside[t, k] = u
    net.fixed[t, k] = fixed
    if u >= 0:
        j = _edge_from(net, u, net.corner[t, (k + 1) % 3])
        net.beside[u, j] = t
        net.fixed[u, j] = fixed


@njit
def _set(net: Net, t: int, a: int, b: int, c: int) -> None:
    net.corner[t, 0], net.corner[t, 1], net.corner[t, 2] = a, b, c
    net.at[a], net.at[b], net.at[c] = t, t, t


@njit
def _flip(net: Net, t: int, k: int) -> int:
    """Turn edge k of t (a b, with c before it and d beyond) into c d; t becomes a d c, the other d b c."""
    u = net.beside[t, k]
    a, b, c = net.corner[t, k], net.corner[t, (k + 1) % 3], net.corner[t, (k + 2) % 3]
    j = _edge_from(net, u, b)
    d = net.corner[u, (j + 2) % 3]
    ad, ad_fixed = net.beside[u, (j + 1) % 3], net.fixed[u, (j + 1) % 3]
    db, db_fixed = net.beside[u, (j + 2) % 3], net.fixed[u, (j + 2) % 3]
    bc, bc_fixed = net.beside[t, (k + 1) % 3], net.fixed[t, (k + 1) % 3]
    ca, ca_fixed = net.beside[t, (k + 2) % 3], net.fixed[t, (k + 2) % 3]
    _set(net, t, a, d, c)
    _set(net, u, d, b, c)
    _join(net, t, 0, ad, ad_fixed)
    _join(net, t, 1, u, False)
    _join(net, t, 2, ca, ca_fixed)
    _join(net, u, 0, db, db_fixed)
    _join(net, u, 1, bc, bc_fixed)
    return int(u)


@njit
def _cut_triangle(net: Net, t: int, p: int, touched: NDArray[np.int64]) -> int:
    """Put p inside t: three triangles, p their last corner."""
    a, b, c = net.corner[t, 0], net.corner[t, 1], net.corner[t, 2]
    bc, bc_fixed, ca, ca_fixed = net.beside[t, 1], net.fixed[t, 1], net.beside[t, 2], net.fixed[t, 2]
    t1, t2 = net.used[1], net.used[1] + 1
    net.used[1] += 2
    _set(net, t, a, b, p)
    _set(net, t1, b, c, p)
    _set(net, t2, c, a, p)
    _join(net, t1, 0, bc, bc_fixed)
    _join(net, t2, 0, ca, ca_fixed)
    _join(net, t, 1, t1, False)
    _join(net, t1, 1, t2, False)
    _join(net, t2, 1, t, False)
    touched[0], touched[1], touched[2] = t, t1, t2
    return 3


@njit
def _cut_edge(net: Net, t: int, k: int, p: int, touched: NDArray[np.int64]) -> int:
    """Put p on edge k of t: four triangles (two at the border), p their last corner; the edge stays fixed."""
    u, fixed = net.beside[t, k], net.fixed[t, k]
    a, b, c = net.corner[t, k], net.corner[t, (k + 1) % 3], net.corner[t, (k + 2) % 3]
    bc, bc_fixed = net.beside[t, (k + 1) % 3], net.fixed[t, (k + 1) % 3]
    ca, ca_fixed = net.beside[t, (k + 2) % 3], net.fixed[t, (k + 2) % 3]
    t1 = net.used[1]
    net.used[1] += 1
    if u < 0:
        _set(net, t, c, a, p)
        _set(net, t1, b, c, p)
        _join(net, t, 0, ca, ca_fixed)
        _join(net, t1, 0, bc, bc_fixed)
        _join(net, t, 1, -1, fixed)
        _join(net, t1, 1, t, False)
        _join(net, t1, 2, -1, fixed)
        touched[0], touched[1] = t, t1
        return 2
    j = _edge_from(net, u, b)
    d = net.corner[u, (j + 2) % 3]
    ad, ad_fixed = net.beside[u, (j + 1) % 3], net.fixed[u, (j + 1) % 3]
    db, db_fixed = net.beside[u, (j + 2) % 3], net.fixed[u, (j + 2) % 3]
    u1 = net.used[1]
    net.used[1] += 1
    _set(net, t, c, a, p)
    _set(net, t1, b, c, p)
    _set(net, u, a, d, p)
    _set(net, u1, d, b, p)
    _join(net, t, 0, ca, ca_fixed)
    _join(net, t1, 0, bc, bc_fixed)
    _join(net, u, 0, ad, ad_fixed)
    _join(net, u1, 0, db, db_fixed)
    _join(net, t, 1, u, fixed)
    _join(net, u, 1, u1, False)
    _join(net, u1, 1, t1, fixed)
    _join(net, t1, 1, t, False)
    touched[0], touched[1], touched[2], touched[3] = t, t1, u, u1
    return 4


@njit
def _is_at(net: Net, v: int, x: int, y: int) -> bool:
    """Whether a place is that of vertex v."""
    dx, dy = net.x[v] - x, net.y[v] - y
    return bool(dx * dx + dy * dy <= CLOSE * CLOSE)


@njit
def insert(net: Net, t: int, p: int, touched: NDArray[np.int64]) -> int:
    """Put vertex p, which lies in the closed triangle t, into the net; list the triangles around it.

    Returns their number, or 0 where p falls on a corner of t or beside it (``CLOSE``). ``touched`` needs room for
    every triangle that can lie around a vertex; where it is full, flipping stops: valid, if no longer Delaunay.
    """
    px, py = net.x[p], net.y[p]
    on = NO_EDGE
    for k in range(3):
        v = net.corner[t, k]
        if _is_at(net, v, px, py):
            return 0
        if turn(net, v, net.corner[t, (k + 1) % 3], px, py) == 0:
            on = k
    count = _cut_triangle(net, t, p, touched) if on == NO_EDGE else _cut_edge(net, t, on, p, touched)
    todo = 0
    while todo < count:
        s = touched[todo]
        k = (_edge_from(net, s, p) + 1) % 3
        u = net.beside[s, k]
        if u >= 0 and not net.fixed[s, k] and count < len(touched):
            d = net.corner[u, (_edge_from(net, u, net.corner[s, (k + 1) % 3]) + 2) % 3]
            if _in_circle(net, s, d):
                touched[count] = _flip(net, s, k)
                count += 1
                continue
        todo += 1
    return count


@njit
def locate(net: Net, start: int, x: int, y: int) -> int:
    """The closed triangle that holds a point, by walking from ``start``; -1 outside the net."""
    t, steps = start, 0
    while steps < net.used[1] + 8:
        steps += 1
        nearer = -2
        for i in range(3):
            # The edge to begin with turns round, so that no walk circles.
            k = (i + steps) % 3
            if turn(net, net.corner[t, k], net.corner[t, (k + 1) % 3], x, y) < 0:
                nearer = net.beside[t, k]
                break
        if nearer == -2:
            return t
        if nearer == -1:
            return -1
        t = nearer
    return -1


@njit
def add_points(
    net: Net, x: NDArray[np.int64], y: NDArray[np.int64], z: NDArray[np.float64], number: NDArray[np.int64]
) -> None:
    """Insert points in their order; ``number`` becomes the vertex of each, -1 outside the net."""
    touched = np.empty(4096, dtype=np.int64)
    t = 0
    for i in range(len(x)):
        number[i] = -1
        found = locate(net, t, x[i], y[i])
        if found < 0:
            continue
        t = found
        p = net.used[0]
        net.x[p], net.y[p], net.z[p] = x[i], y[i], z[i]
        if insert(net, t, p, touched) > 0:
            net.used[0] += 1
            number[i] = p
            t = net.at[p]
            continue
        for k in range(3):
            v = net.corner[t, k]
            if _is_at(net, v, x[i], y[i]):
                number[i] = v
                break


@njit
def _star(net: Net, v: int, out: NDArray[np.int64]) -> int:
    """The triangles around a vertex, counter-clockwise (from the border where it lies on it)."""
    start = net.at[v]
    t = start
    while True:
        before = net.beside[t, _edge_from(net, t, v)]
        if before < 0:
            break
        t = before
        if t == start:
            break
    first, count = t, 0
    while count < len(out):
        out[count] = t
        count += 1
        t = net.beside[t, (_edge_from(net, t, v) + 2) % 3]
        if t < 0 or t == first:
            break
    return count


@njit
def _fix(net: Net, t: int, k: int) -> None:
    _join(net, t, k, net.beside[t, k], True)


@njit
def _next_on_line(net: Net, a: int, b: int, star: NDArray[np.int64]) -> tuple[int, int, int]:
    """From a towards b: (vertex on the way, triangle, edge); vertex -1 where the edge is crossed instead."""
    bx, by = net.x[b], net.y[b]
    for i in range(_star(net, a, star)):
        t = star[i]
        k = _edge_from(net, t, a)
        v, w = net.corner[t, (k + 1) % 3], net.corner[t, (k + 2) % 3]
        for m in range(2):
            q = v if m == 0 else w
            ahead = (net.x[q] - net.x[a]) * (bx - net.x[a]) + (net.y[q] - net.y[a]) * (by - net.y[a]) > 0
            if q == b or (ahead and turn(net, a, b, net.x[q], net.y[q]) == 0):
                return q, t, k if m == 0 else (k + 2) % 3
        left, right = turn(net, a, b, net.x[w], net.y[w]), turn(net, a, b, net.x[v], net.y[v])
        if left > 0 and right < 0:
            return -1, t, (k + 1) % 3
    return -1, -1, -1


@njit
def _crossed(net: Net, a: int, b: int, t: int, k: int, pairs: NDArray[np.int64]) -> tuple[int, int]:
    """Edges that a line crosses from edge k of t on, up to b or a vertex on it; (vertex, count), -1 if fixed."""
    count = 0
    while count < len(pairs):
        if net.fixed[t, k] or net.beside[t, k] < 0:
            return -1, count
        v, w = net.corner[t, k], net.corner[t, (k + 1) % 3]
        pairs[count, 0], pairs[count, 1] = v, w
        count += 1
        t = net.beside[t, k]
        j = _edge_from(net, t, w)
        d = net.corner[t, (j + 2) % 3]
        side = turn(net, a, b, net.x[d], net.y[d])
        if d == b or side == 0:
            return d, count
        k = (j + 1) % 3 if side > 0 else (j + 2) % 3
    return -1, count


@njit
def _edge_between(net: Net, v: int, w: int, star: NDArray[np.int64]) -> tuple[int, int]:
    for i in range(_star(net, v, star)):
        k = _edge_from(net, star[i], v)
        if net.corner[star[i], (k + 1) % 3] == w:
            return star[i], k
        if net.corner[star[i], (k + 2) % 3] == w:
            return star[i], (k + 2) % 3
    return -1, -1


@njit
def _force(net: Net, a: int, b: int, ring: tuple[NDArray[np.int64], int, NDArray[np.int64]]) -> bool:
    """Flip the crossed edges (a ring buffer, and how many) until a b is one; False where that does not end."""
    pairs, count, star = ring
    room, head = len(pairs), 0
    tries = 0
    while count > 0:
        tries += 1
        if tries > 100 * room:
            return False
        v, w = pairs[head, 0], pairs[head, 1]
        head, count = (head + 1) % room, count - 1
        t, k = _edge_between(net, v, w, star)
        u = net.beside[t, k]
        c = net.corner[t, (k + 2) % 3]
        d = net.corner[u, (_edge_from(net, u, net.corner[t, (k + 1) % 3]) + 2) % 3]
        one = turn(net, c, d, net.x[v], net.y[v])
        other = turn(net, c, d, net.x[w], net.y[w])
        again = (one >= 0) == (other >= 0) or one == 0 or other == 0
        if not again:
            _flip(net, t, k)
            v, w = c, d
            if c not in (a, b) and d not in (a, b):
                again = (turn(net, a, b, net.x[c], net.y[c]) > 0) != (turn(net, a, b, net.x[d], net.y[d]) > 0)
        if again:
            place = (head + count) % room
            pairs[place, 0], pairs[place, 1] = v, w
            count += 1
    return True


@njit
def _settle(net: Net, v: int, star: NDArray[np.int64]) -> None:
    """Flip edges opposite a vertex until they are Delaunay again."""
    again, rounds = True, 0
    while again and rounds < 64:
        again, rounds = False, rounds + 1
        for i in range(_star(net, v, star)):
            t = star[i]
            k = (_edge_from(net, t, v) + 1) % 3
            for e in range(3):
                m = (k + e) % 3
                u = net.beside[t, m]
                if u < 0 or net.fixed[t, m]:
                    continue
                d = net.corner[u, (_edge_from(net, u, net.corner[t, (m + 1) % 3]) + 2) % 3]
                if _in_circle(net, t, d):
                    _flip(net, t, m)
                    again = True
                    break
            if again:
                break


@njit
def add_lines(net: Net, ends: NDArray[np.int64]) -> int:
    """Make lines (n, 2) between vertices edges of the net that stay; how many could not be, for crossing others."""
    star, pairs = np.empty(4096, dtype=np.int64), np.empty((65536, 2), dtype=np.int64)
    lost = 0
    for i in range(len(ends)):
        a, b = ends[i, 0], ends[i, 1]
        while a != b and min(a, b) >= 0:
            q, t, k = _next_on_line(net, a, b, star)
            if t < 0:
                lost += 1
                break
            if q < 0:
                q, count = _crossed(net, a, b, t, k, pairs)
                if q < 0 or not _force(net, a, q, (pairs, count, star)):
                    lost += 1
                    break
                t, k = _edge_between(net, a, q, star)
                _fix(net, t, k)
                _settle(net, a, star)
                _settle(net, q, star)
            else:
                _fix(net, t, k)
            a = q
    return lost
