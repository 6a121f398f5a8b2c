"""The minimum cut of a small graph, by Dinic's algorithm (1970)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twin.jit import njit

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]

NOTHING = 1e-12
"""Room below which an arc is full."""


@njit
def source_side(n: int, tails: Ints, heads: Ints, forth: Floats, back: Floats) -> NDArray[np.bool_]:
    """Nodes on the source's side of a minimum cut.

    Parameters
    ----------
    n
        Number of nodes; the source is node n - 2, the sink n - 1.
    tails, heads
        (m,) ends of the arcs.
    forth, back
        (m,) capacity from tail to head, and from head to tail.

    Returns
    -------
    (n,) bool
    """
    m = len(tails)
    first, arc = _arcs(n, tails, heads)
    room = np.empty(2 * m)
    ends = np.empty(2 * m, dtype=np.int32)
    for e in range(m):
        room[2 * e], room[2 * e + 1] = forth[e], back[e]
        ends[2 * e], ends[2 * e + 1] = heads[e], tails[e]
    level = np.empty(n, dtype=np.int32)
    while _levels(n, first, arc, room, ends, level):
        _fill(n, first, arc, room, ends, level)
    return level >= 0


@njit
def _arcs(n: int, tails: Ints, heads: Ints) -> tuple[Ints, Ints]:
    """Arcs by the node that they leave: where each node's begin, and their numbers (2 e, or 2 e + 1 backwards)."""
    first = np.zeros(n + 1, dtype=np.int32)
    for e in range(len(tails)):
        first[tails[e] + 1] += 1
        first[heads[e] + 1] += 1
    for i in range(n):
        first[i + 1] += first[i]
    fill = first[:n].copy()
    arc = np.empty(2 * len(tails), dtype=np.int32)
    for e in range(len(tails)):
        arc[fill[tails[e]]] = 2 * e
        fill[tails[e]] += 1
        arc[fill[heads[e]]] = 2 * e + 1
        fill[heads[e]] += 1
    return first, arc


@njit
def _levels(n: int, first: Ints, arc: Ints, room: Floats, ends: Ints, level: Ints) -> bool:
    """Steps from the source over arcs with room, -1 where none leads; whether the sink is reached."""
    level[:] = -1
    level[n - 2] = 0
    queue = np.empty(n, dtype=np.int32)
    queue[0] = n - 2
    head, tail = 0, 1
    while head < tail:
        u = queue[head]
        head += 1
        for k in range(first[u], first[u + 1]):
            a = arc[k]
            if room[a] > NOTHING and level[ends[a]] < 0:
                level[ends[a]] = level[u] + 1
                queue[tail] = ends[a]
                tail += 1
    return bool(level[n - 1] >= 0)


@njit
def _fill(n: int, first: Ints, arc: Ints, room: Floats, ends: Ints, level: Ints) -> None:
    """Send what goes along the levels, path by path."""
    at = first[:n].copy()
    path = np.empty(n + 1, dtype=np.int32)
    source, sink = n - 2, n - 1
    depth, u = 0, source
    while True:
        if u == sink:
            flow = np.inf
            for i in range(depth):
                flow = min(flow, room[path[i]])
            for i in range(depth - 1, -1, -1):
                room[path[i]] -= flow
                room[path[i] ^ 1] += flow
                if room[path[i]] <= NOTHING:
                    depth = i
            u = ends[path[depth] ^ 1]
            continue
        moved = False
        while at[u] < first[u + 1]:
            a = arc[at[u]]
            if room[a] > NOTHING and level[ends[a]] == level[u] + 1:
                path[depth] = a
                depth += 1
                u = ends[a]
                moved = True
                break
            at[u] += 1
        if moved:
            continue
        if u == source:
            return
        level[u] = -1
        depth -= 1
        u = ends[path[depth] ^ 1]
