"""Greedy insertion (Garland and Heckbert 1995): the cell with the largest vertical error becomes a vertex, until
none is off by more than the limit. Each triangle keeps its worst cell; a heap finds the worst triangle.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.jit import njit
from twin.terrain.delaunay import STEP_M, Net, insert, turn

STAR_ROOM = 65536
"""Most triangles around one new vertex that are turned to be Delaunay."""


class Cells(NamedTuple):
    """What the triangles shall follow.

    Parameters
    ----------
    z
        (rows, cols) heights [m].
    x, y
        (cols,) and (rows,) int64 centres [steps].
    """

    z: NDArray[Any]
    x: NDArray[np.int64]
    y: NDArray[np.int64]


class Queue(NamedTuple):
    """A heap of triangles by the error of their worst cell.

    Parameters
    ----------
    error, cell
        Per triangle its largest error [m] and the cell's number, -1 for none.
    heap, place
        Triangles in heap order; where each stands in it, -1 for nowhere.
    size
        (1,) triangles in the heap.
    """

    error: NDArray[np.float64]
    cell: NDArray[np.int64]
    heap: NDArray[np.int64]
    place: NDArray[np.int64]
    size: NDArray[np.int64]


def empty_queue(triangles: int) -> Queue:
    """A queue with room for so many triangles."""
    return Queue(
        np.zeros(triangles),
        np.full(triangles, -1, np.int64),
        np.zeros(triangles, np.int64),
        np.full(triangles, -1, np.int64),
        np.zeros(1, np.int64),
    )


def larger(queue: Queue, triangles: int) -> Queue:
    """The same queue with more room."""
    new, n = empty_queue(triangles), len(queue.error)
    new.error[:n], new.cell[:n], new.heap[:n], new.place[:n] = queue[:4]
    new.size[:] = queue.size
    return new


@njit
def _put(queue: Queue, i: int, t: int) -> None:
    queue.heap[i] = t
    queue.place[t] = i


@njit
def _sift(queue: Queue, t: int) -> None:
    """Move a triangle of the heap to where its error belongs."""
    error, heap = queue.error, queue.heap
    i = int(queue.place[t])
    while i > 0 and error[heap[(i - 1) // 2]] < error[t]:
        _put(queue, i, heap[(i - 1) // 2])
        i = (i - 1) // 2
    _put(queue, i, t)
    while True:
        child = 2 * i + 1
        if child >= queue.size[0]:
            break
        if child + 1 < queue.size[0] and error[heap[child + 1]] > error[heap[child]]:
            child += 1
        if error[heap[child]] <= error[t]:
            break
        _put(queue, i, heap[child])
        i = child
    _put(queue, i, t)


@njit
def _file(queue: Queue, t: int, limit: float) -> None:
    """Let the heap know the error of a triangle; those within the limit are not in it."""
    inside = queue.place[t] >= 0
    if queue.error[t] > limit:
        if not inside:
            _put(queue, queue.size[0], t)
            queue.size[0] += 1
        _sift(queue, t)
    elif inside:
        queue.size[0] -= 1
        i, last = queue.place[t], queue.heap[queue.size[0]]
        queue.place[t] = -1
        if last != t:
            _put(queue, i, last)
            _sift(queue, last)


@njit
def _holds(net: Net, t: int, x: int, y: int) -> bool:
    """Whether the closed triangle holds a point, exactly."""
    a, b, c = net.corner[t, 0], net.corner[t, 1], net.corner[t, 2]
    return bool(turn(net, a, b, x, y) >= 0 and turn(net, b, c, x, y) >= 0 and turn(net, c, a, x, y) >= 0)


@njit
def _span(net: Net, t: int, y: int) -> tuple[float, float]:
    """West and east end of a triangle along a row [steps]."""
    west, east = np.inf, -np.inf
    for k in range(3):
        p, q = net.corner[t, k], net.corner[t, (k + 1) % 3]
        low, high = min(net.y[p], net.y[q]), max(net.y[p], net.y[q])
        if low <= y <= high:
            if low == high:
                west, east = min(west, net.x[p], net.x[q]), max(east, net.x[p], net.x[q])
            else:
                x = net.x[p] + (net.x[q] - net.x[p]) * ((y - net.y[p]) / (net.y[q] - net.y[p]))
                west, east = min(west, x), max(east, x)
    return west, east


@njit
def _first_at(values: NDArray[np.int64], wanted: float, sign: int) -> int:
    """First index of evenly spaced values that is not before ``wanted`` (rising: sign 1, falling: -1)."""
    n = len(values)
    if n == 1:
        return 0 if sign * values[0] >= sign * wanted else 1
    pace = (values[n - 1] - values[0]) / (n - 1)
    i = int(min(max(np.floor((wanted - values[0]) / pace), 0.0), float(n)))
    while i > 0 and sign * values[i - 1] >= sign * wanted:
        i -= 1
    while i < n and sign * values[i] < sign * wanted:
        i += 1
    return i


@njit
def _judge(net: Net, cells: Cells, queue: Queue, t: int) -> None:
    """Find the worst cell of a triangle: of equal ones the northernmost, then the westernmost."""
    a, b, c = net.corner[t, 0], net.corner[t, 1], net.corner[t, 2]
    ax, ay, az = net.x[a], net.y[a], net.z[a]
    ux, uy, uz = float(net.x[b] - ax), float(net.y[b] - ay), net.z[b] - az
    vx, vy, vz = float(net.x[c] - ax), float(net.y[c] - ay), net.z[c] - az
    area = ux * vy - uy * vx
    sx, sy = (uz * vy - uy * vz) / area, (ux * vz - uz * vx) / area
    worst, where = 0.0, -1
    cols = len(cells.x)
    row = _first_at(cells.y, float(max(ay, net.y[b], net.y[c])), -1)
    south = min(ay, net.y[b], net.y[c])
    while row < len(cells.y) and cells.y[row] >= south:
        y = cells.y[row]
        west, east = _span(net, t, y)
        # One step wider than rounding can ask for; the ends are then tested exactly.
        first = _first_at(cells.x, west - 2.0, 1)
        last = min(_first_at(cells.x, east + 2.0, 1), cols - 1)
        while first <= last and not _holds(net, t, cells.x[first], y):
            first += 1
        while last >= first and not _holds(net, t, cells.x[last], y):
            last -= 1
        for col in range(first, last + 1):
            off = abs(az + sx * (cells.x[col] - ax) + sy * (y - ay) - cells.z[row, col])
            if off > worst:
                worst, where = off, row * cols + col
        row += 1
    queue.error[t], queue.cell[t] = worst, where


@njit
def judge_all(net: Net, cells: Cells, queue: Queue, limit: float) -> None:
    """Look at every triangle."""
    for t in range(net.used[1]):
        _judge(net, cells, queue, t)
        _file(queue, t, limit)


@njit
def refine(net: Net, cells: Cells, queue: Queue, limit: float) -> bool:
    """Insert cells until all are within the limit (True) or there is no more room (False)."""
    touched = np.empty(STAR_ROOM, dtype=np.int64)
    cols = len(cells.x)
    while queue.size[0] > 0:
        if net.used[0] >= len(net.x):
            return False
        t = queue.heap[0]
        row, col = queue.cell[t] // cols, queue.cell[t] % cols
        p = net.used[0]
        net.x[p], net.y[p], net.z[p] = cells.x[col], cells.y[row], cells.z[row, col]
        count = insert(net, t, p, touched)
        if count == 0:
            # A vertex of a line stands on this centre with a height of its own.
            queue.error[t] = 0.0
            _file(queue, t, limit)
            continue
        net.used[0] += 1
        for i in range(count):
            _judge(net, cells, queue, touched[i])
            _file(queue, touched[i], limit)
    return True


def steps(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Coordinates [m] as whole steps."""
    return np.rint(values / STEP_M).astype(np.int64)
