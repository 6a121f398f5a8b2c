"""Vertices that are one within the snap tolerance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twin.jit import njit


@njit
def root(parent: NDArray[np.int64], one: int) -> int:
    """First member of the group that ``one`` belongs to."""
    while parent[one] != one:
        parent[one] = parent[parent[one]]
        one = parent[one]
    return one


@njit
def join(parent: NDArray[np.int64], one: int, other: int) -> None:
    """Make the groups of both one; its root is the lowest number."""
    a, b = root(parent, one), root(parent, other)
    if a < b:
        parent[b] = a
    else:
        parent[a] = b


@njit
def weld(points: NDArray[np.float64], snap: float) -> NDArray[np.int64]:
    """For each point (n, 3) the first one that it is one with (n,): a sweep along the longest axis."""
    count = len(points)
    parent = np.arange(count)
    if count == 0:
        return parent
    axis, extent = 0, -1.0
    for k in range(3):
        wide = points[:, k].max() - points[:, k].min()
        if wide > extent:
            axis, extent = k, wide
    order = np.argsort(points[:, axis], kind="mergesort")
    for i in range(count):
        a = order[i]
        for j in range(i + 1, count):
            b = order[j]
            if points[b, axis] - points[a, axis] > snap:
                break
            x, y, z = points[a, 0] - points[b, 0], points[a, 1] - points[b, 1], points[a, 2] - points[b, 2]
            if x * x + y * y + z * z <= snap * snap:
                join(parent, a, b)
    for i in range(count):
        parent[i] = root(parent, i)
    return parent
