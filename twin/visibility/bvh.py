"""A bounding volume hierarchy, built on the CPU and walked on the GPU without a stack.

Nodes stand in the order of a depth-first walk; each carries the index to go on with when its box is missed
(``skip``), so a walk needs no memory of its own. Splits follow the surface area heuristic over equal bins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.jit import njit

LEAF = 4
"""Most triangles in a leaf; the shader reads the count from three bits."""
BINS = 16
"""Candidate planes per axis, plus one."""


@dataclass(frozen=True, slots=True, eq=False)
class Bvh:
    """A hierarchy ready for the shader.

    Parameters
    ----------
    nodes
        (k, 8) float32: low x, y, z, bits of skip; high x, y, z, bits of leaf (first triangle * 8 + count,
        0 inside the tree).
    order
        (m,) int32, which face each place in the leaves is.
    """

    nodes: NDArray[np.float32]
    order: NDArray[np.int32]


def build_bvh(corners: NDArray[np.float32]) -> Bvh:
    """Build the hierarchy of triangles (m, 3, 3) float32; the same triangles give the same bytes."""
    count = len(corners)
    low = corners.min(axis=1)
    high = corners.max(axis=1)
    order = np.arange(count, dtype=np.int32)
    size = max(1, 2 * count)
    boxes = np.zeros((size, 6), dtype=np.float32)
    first, number = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    depth = np.zeros(size, dtype=np.int64)
    used = int(_build(low, high, order, boxes, first, number, depth))
    skip = np.zeros(used, dtype=np.uint32)
    _skips(depth[:used], skip)
    nodes = np.zeros((used, 8), dtype=np.float32)
    nodes[:, :3], nodes[:, 4:7] = boxes[:used, :3], boxes[:used, 3:]
    nodes[:, 3] = skip.view(np.float32)
    leaf = np.where(number[:used] > 0, first[:used] * 8 + number[:used], 0).astype(np.uint32)
    nodes[:, 7] = leaf.view(np.float32)
    return Bvh(nodes, order)


@njit
def _area(box: Any) -> Any:
    dx, dy, dz = box[3] - box[0], box[4] - box[1], box[5] - box[2]
    return dx * dy + dy * dz + dz * dx


@njit
def _grow(box: Any, low: Any, high: Any) -> None:
    for k in range(3):
        box[k] = min(box[k], low[k])
        box[3 + k] = max(box[3 + k], high[k])


@njit
def _clear(box: Any) -> None:
    for k in range(3):
        box[k] = np.inf
        box[3 + k] = -np.inf


@njit
def _best_split(low: Any, high: Any, order: Any, start: int, end: int, span: Any) -> Any:
    """Axis and bin of the cheapest split by the surface area heuristic; axis -1 where no split helps."""
    best_cost, best_axis, best_bin = np.inf, -1, 0
    boxes = np.empty((BINS, 6))
    counts = np.empty(BINS, np.int64)
    right_area = np.empty(BINS)
    right_count = np.empty(BINS, np.int64)
    box = np.empty(6)
    for axis in range(3):
        width = span[3 + axis] - span[axis]
        if not width > 0:
            continue
        counts[:] = 0
        for b in range(BINS):
            _clear(boxes[b])
        for i in range(start, end):
            t = order[i]
            middle = 0.5 * (float(low[t, axis]) + float(high[t, axis]))
            b = min(BINS - 1, int(BINS * (middle - span[axis]) / width))
            counts[b] += 1
            _grow(boxes[b], low[t], high[t])
        _clear(box)
        total = 0
        for b in range(BINS - 1, 0, -1):
            if counts[b]:
                _grow(box, boxes[b, :3], boxes[b, 3:])
            total += counts[b]
            right_count[b] = total
            right_area[b] = _area(box) if total else 0.0
        _clear(box)
        total = 0
        for b in range(BINS - 1):
            if counts[b]:
                _grow(box, boxes[b, :3], boxes[b, 3:])
            total += counts[b]
            if total == 0 or right_count[b + 1] == 0:
                continue
            cost = total * _area(box) + right_count[b + 1] * right_area[b + 1]
            if cost < best_cost:
                best_cost, best_axis, best_bin = cost, axis, b
    return best_axis, best_bin


@njit
def _partition(low: Any, high: Any, order: Any, start: int, end: int, split: Any) -> int:
    """Put triangles up to the bin before the others, each side in its old order."""
    axis, limit, origin, width = split
    kept = np.empty(end - start, np.int32)
    left, right = start, 0
    for i in range(start, end):
        t = order[i]
        middle = 0.5 * (float(low[t, axis]) + float(high[t, axis]))
        if min(BINS - 1, int(BINS * (middle - origin) / width)) <= limit:
            order[left] = t
            left += 1
        else:
            kept[right] = t
            right += 1
    for i in range(right):
        order[left + i] = kept[i]
    return left


@njit
def _build(low: Any, high: Any, order: Any, boxes: Any, first: Any, number: Any, depth: Any) -> int:
    """Depth-first nodes; gives how many."""
    used = 0
    stack = np.empty((128 + 2 * int(np.log2(len(order) + 1)) * 8, 3), np.int64)
    stack[0] = (0, len(order), 0)
    top = 1
    span = np.empty(6)
    box = np.empty(6)
    while top > 0:
        top -= 1
        start, end, level = stack[top]
        node = used
        used += 1
        depth[node] = level
        _clear(box)
        _clear(span)
        for i in range(start, end):
            t = order[i]
            _grow(box, low[t], high[t])
            for k in range(3):
                middle = 0.5 * (float(low[t, k]) + float(high[t, k]))
                span[k] = min(span[k], middle)
                span[3 + k] = max(span[3 + k], middle)
        boxes[node] = box
        if end - start <= LEAF:
            first[node], number[node] = start, end - start
            continue
        axis, limit = _best_split(low, high, order, start, end, span)
        cut = (start + end) // 2
        if axis >= 0 and level < 96:
            width = span[3 + axis] - span[axis]
            cut = _partition(low, high, order, start, end, (axis, limit, span[axis], width))
        stack[top] = (cut, end, level + 1)
        stack[top + 1] = (start, cut, level + 1)
        top += 2
    return used


@njit
def _skips(depth: Any, skip: Any) -> None:
    """For each node the next one that is not below it; the number of nodes where there is none."""
    count = len(depth)
    deepest = depth.max() + 1
    following = np.full(deepest, count, np.int64)
    for i in range(count - 1, -1, -1):
        level = depth[i]
        skip[i] = following[level]
        for deeper in range(level, deepest):
            following[deeper] = i
