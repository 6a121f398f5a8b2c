"""A bounding volume hierarchy in flat arrays, built on the CPU for the GPU."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.jit import njit

LEAF_FACES = 4
"""Faces in a leaf, at most."""

BINS = 16
"""Planes tried for each axis, plus one."""

SAH_DEPTH = 32
"""From this depth on nodes are halved as they come, so that the depth stays under ``STACK`` for any scene;
real ones end at 20 to 25."""

STACK = 64
"""Entries of the shaders' stack."""

PAD_M = 0.002
"""Boxes are this much wider than their faces [m]: the float32 rounding of the test of a face, up to 1 mm at
10 km along the ray, never makes a ray miss the box of a face that it hits."""

NODE = np.dtype([("low", "<f4", 3), ("first", "<u4"), ("high", "<f4", 3), ("count", "<u4")])
"""A node of 32 bytes: a leaf holds ``count`` faces from ``first``; others have their two children there."""


@dataclass(frozen=True, slots=True, eq=False)
class Bvh:
    """Hierarchy of boxes.

    Parameters
    ----------
    nodes
        (k,) of ``NODE``; the root is node 0.
    order
        (m,) int64 numbers of the faces in the order of the leaves.
    depth
        Depth of the deepest node; the root has 0.
    """

    nodes: NDArray[np.void]
    order: NDArray[np.int64]
    depth: int


def build_bvh(corners: NDArray[np.float32]) -> Bvh:
    """Hierarchy over faces by the surface area heuristic in bins; the same input gives the same bytes.

    After Wald, On fast construction of SAH-based bounding volume hierarchies, 2007.

    Parameters
    ----------
    corners
        (m, 3, 3) float32, the corners of at least one face, local space [m].
    """
    low = np.ascontiguousarray(corners.min(axis=1))
    high = np.ascontiguousarray(corners.max(axis=1))
    order = np.arange(len(corners), dtype=np.int64)
    size = 2 * len(corners)
    node_low, node_high = np.empty((size, 3), np.float32), np.empty((size, 3), np.float32)
    first, count = np.zeros(size, np.int64), np.zeros(size, np.int64)
    used, depth = _build(low, high, order, node_low, node_high, first, count)
    nodes = np.zeros(used, NODE)
    nodes["low"] = node_low[:used] - np.float32(PAD_M)
    nodes["high"] = node_high[:used] + np.float32(PAD_M)
    nodes["first"], nodes["count"] = first[:used], count[:used]
    return Bvh(nodes, order, depth)


@njit
def _box(
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    order: NDArray[np.int64],
    start: int,
    stop: int,
    out_low: NDArray[np.float32],
    out_high: NDArray[np.float32],
) -> None:
    """Box of the faces order[start:stop]."""
    for axis in range(3):
        least, most = np.float32(np.inf), np.float32(-np.inf)
        for i in range(start, stop):
            least = min(least, low[order[i], axis])
            most = max(most, high[order[i], axis])
        out_low[axis], out_high[axis] = least, most


@njit
def _widen(
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    by_low: NDArray[np.float32],
    by_high: NDArray[np.float32],
) -> None:
    """Widen a box by another."""
    for k in range(3):
        low[k] = min(low[k], by_low[k])
        high[k] = max(high[k], by_high[k])


@njit
def _half_area(low: NDArray[np.float32], high: NDArray[np.float32]) -> float:
    """Half the surface of a box."""
    x, y, z = float(high[0] - low[0]), float(high[1] - low[1]), float(high[2] - low[2])
    return x * y + y * z + z * x


@njit
def _best_of_axis(
    bin_low: NDArray[np.float32], bin_high: NDArray[np.float32], bin_count: NDArray[np.int64]
) -> tuple[float, int]:
    """Least cost of parting the bins of one axis, and the first bin of the right side."""
    right_cost = np.empty(BINS)
    low, high, n = np.full(3, np.inf, np.float32), np.full(3, -np.inf, np.float32), 0
    for b in range(BINS - 1, 0, -1):
        n += bin_count[b]
        _widen(low, high, bin_low[b], bin_high[b])
        right_cost[b] = n * _half_area(low, high) if n else np.inf
    low[:], high[:], n = np.inf, -np.inf, 0
    best, place = np.inf, 0
    for b in range(1, BINS):
        n += bin_count[b - 1]
        _widen(low, high, bin_low[b - 1], bin_high[b - 1])
        if n and right_cost[b] < np.inf:
            cost = n * _half_area(low, high) + right_cost[b]
            if cost < best:
                best, place = cost, b
    return best, place


@njit
def _choose(
    low: NDArray[np.float32], high: NDArray[np.float32], order: NDArray[np.int64], start: int, stop: int
) -> tuple[int, int, float, float]:
    """Axis, first bin of the right side, origin and scale of the bins; bin 0 where nothing parts the faces."""
    best, best_axis, best_bin, best_origin, best_scale = np.inf, 0, 0, 0.0, 0.0
    for axis in range(3):
        least, most = np.inf, -np.inf
        for i in range(start, stop):
            centre = 0.5 * (float(low[order[i], axis]) + float(high[order[i], axis]))
            least, most = min(least, centre), max(most, centre)
        if not most > least:
            continue
        scale = BINS / (most - least)
        bin_low = np.full((BINS, 3), np.inf, np.float32)
        bin_high = np.full((BINS, 3), -np.inf, np.float32)
        bin_count = np.zeros(BINS, np.int64)
        for i in range(start, stop):
            f = order[i]
            centre = 0.5 * (float(low[f, axis]) + float(high[f, axis]))
            b = min(BINS - 1, int((centre - least) * scale))
            bin_count[b] += 1
            _widen(bin_low[b], bin_high[b], low[f], high[f])
        cost, place = _best_of_axis(bin_low, bin_high, bin_count)
        if cost < best:
            best, best_axis, best_bin, best_origin, best_scale = cost, axis, place, least, scale
    return best_axis, best_bin, best_origin, best_scale


@njit
def _part(
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    order: NDArray[np.int64],
    start: int,
    stop: int,
    halve: bool,
) -> int:
    """Sort order[start:stop] into two sides; place of the first of the right side."""
    middle = (start + stop) // 2
    if halve:
        return middle
    axis, place, origin, scale = _choose(low, high, order, start, stop)
    if place == 0:
        return middle
    left = np.empty(stop - start, np.int64)
    right = np.empty(stop - start, np.int64)
    lefts, rights = 0, 0
    for i in range(start, stop):
        f = order[i]
        centre = 0.5 * (float(low[f, axis]) + float(high[f, axis]))
        if min(BINS - 1, int((centre - origin) * scale)) < place:
            left[lefts] = f
            lefts += 1
        else:
            right[rights] = f
            rights += 1
    order[start : start + lefts] = left[:lefts]
    order[start + lefts : stop] = right[:rights]
    return start + lefts


@njit
def _build(
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    order: NDArray[np.int64],
    node_low: NDArray[np.float32],
    node_high: NDArray[np.float32],
    first: NDArray[np.int64],
    count: NDArray[np.int64],
) -> tuple[int, int]:
    """Fill the nodes; how many there are, and the greatest depth."""
    used, deepest = 1, 0
    first[0], count[0] = 0, len(order)
    _box(low, high, order, 0, len(order), node_low[0], node_high[0])
    stack = [(0, 0)]
    while len(stack):
        node, depth = stack.pop()
        deepest = max(deepest, depth)
        if count[node] <= LEAF_FACES:
            continue
        start, stop = first[node], first[node] + count[node]
        middle = _part(low, high, order, start, stop, depth >= SAH_DEPTH)
        for child, a, b in ((used, start, middle), (used + 1, middle, stop)):
            first[child], count[child] = a, b - a
            _box(low, high, order, a, b, node_low[child], node_high[child])
        first[node], count[node] = used, 0
        stack.append((used, depth + 1))
        stack.append((used + 1, depth + 1))
        used += 2
    return used, deepest
