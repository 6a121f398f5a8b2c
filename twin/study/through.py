"""Sight through the crowns of trees: how many a line passes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twin.study.occluders import FaceTable
from twin.study.sight import in_order
from twin.visibility.caster import Device, make_caster

MOST = 16
"""Crowns after which a line is not followed further."""
STEP_M = 0.002
"""How far behind a face a line goes on [m]."""


class Crowns:
    """The trees of a scene, to be looked through. Close it after use.

    Parameters
    ----------
    table
        The faces of the trees alone, closed, counter-clockwise from outside.
    where
        Device and threads.
    """

    def __init__(self, table: FaceTable, where: tuple[Device, int]) -> None:
        a, b, c = (table.vertices[table.faces[:, k]] for k in range(3))
        self._normals = np.cross(b - a, c - a)
        self._objects = table.objects
        self._caster = make_caster(table.triangles(), *where)

    def close(self) -> None:
        """Give the engine's memory back."""
        self._caster.close()

    def between(self, points: NDArray[np.float64], eye: NDArray[np.float64]) -> NDArray[np.int32]:
        """How many trees (n,) the lines from points (n, 3) to an eye (3,) enter, ``MOST`` at most; local space [m].

        A tree is counted once for a line, however often its stem and crown are entered one after the other. The line
        runs from the end that ``twin.study.sight.in_order`` names first; a tree that it starts in is not counted.
        """
        # One way for both directions, as for sight itself: then it is mutual.
        start, end = in_order(points, eye)
        line = end - start
        left = np.linalg.norm(line, axis=1)
        ways = line / np.maximum(left, 1e-9)[:, None]
        count = np.zeros(len(points), dtype=np.int32)
        last = np.full(len(points), -1, dtype=np.int64)
        some = np.flatnonzero(left > STEP_M)
        # Faces to be passed: each tree has two to four on a line.
        for _ in range(4 * MOST):
            if not len(some):
                break
            hits = self._caster.first_hit(start[some], ways[some])
            met = (hits.face >= 0) & (hits.distance < left[some] - STEP_M)
            some, face, distance = some[met], hits.face[met], hits.distance[met].astype(np.float64)
            entering = (self._normals[face] * ways[some]).sum(axis=1) < 0
            new = entering & (self._objects[face] != last[some])
            count[some] += new
            last[some] = np.where(entering, self._objects[face], last[some])
            start[some] += (distance + STEP_M)[:, None] * ways[some]
            left[some] -= distance + STEP_M
            some = some[(count[some] < MOST) & (left[some] > STEP_M)]
        return count
