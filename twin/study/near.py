"""What a height field holds badly: what is near an eye, thin or hanging. It hides by its triangles instead."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twin.study.hanging import hanging_objects
from twin.study.occluders import FaceTable
from twin.study.sight import sees
from twin.study.skyline import steepest_edges
from twin.visibility.caster import Device, make_caster
from twin.visibility.occluders import Triangles
from twin.visibility.tolerances import GRAZE_TOLERANCE_M

THIN_CELLS = 2.0
"""An object that is narrower than this many cells is no matter of cells: a chimney, a mast, a pylon."""
WAYS = 8
"""Directions in which the width of an object is measured."""
CLOSE_M = 0.01
"""How exactly the least height is sought by rays [m]."""


def held_badly(table: FaceTable, cell_size_m: float) -> NDArray[np.bool_]:
    """Which objects (k,) are thin, or hang over the ground (decks, passages); crowns are left to the cells."""
    trees = np.array([layer == "trees" for layer in table.layers])
    found: NDArray[np.bool_] = thin_objects(table, cell_size_m) | (hanging_objects(table) & ~trees)
    return found


def thin_objects(table: FaceTable, cell_size_m: float) -> NDArray[np.bool_]:
    """Which objects (k,), terrain and trees apart, are narrower than ``THIN_CELLS`` cells in some direction."""
    low = np.full((WAYS, len(table.ids)), np.inf)
    high = np.full((WAYS, len(table.ids)), -np.inf)
    asked = ~table.in_layers("terrain", "trees")
    objects = np.repeat(table.objects[asked], 3)
    corners = table.vertices[table.faces[asked].ravel(), :2]
    for k in range(WAYS):
        turn = np.pi * k / WAYS
        across = corners @ np.array([np.cos(turn), np.sin(turn)])
        np.minimum.at(low[k], objects, across)
        np.maximum.at(high[k], objects, across)
    width = (high - low).min(axis=0)
    thin: NDArray[np.bool_] = (width >= 0) & (width < THIN_CELLS * cell_size_m)
    return thin


class NearScene:
    """A scene whose near, thin and hanging things are asked from one eye after another.

    Parameters
    ----------
    table
        The faces of the lowered scene (``twin.study.sight.bend_vertices``).
    apart
        (k,) objects that are asked wherever they stand (``held_badly``).
    cell_m
        Size of the cells of the height field [m].
    """

    def __init__(self, table: FaceTable, apart: NDArray[np.bool_], cell_m: float) -> None:
        self.table, self.cell_m = table, cell_m
        self._apart = apart[table.objects]
        corners = table.vertices[table.faces][:, :, :2]
        self._low, self._high = corners.min(axis=1), corners.max(axis=1)

    def around(
        self, eye: NDArray[np.float64], near_m: float
    ) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        """Vertices (n, 3) and faces (m, 3) of what is asked everywhere or lies, in part, near an eye."""
        off = np.maximum(np.maximum(self._low - eye[:2], eye[:2] - self._high), 0.0)
        keep = (np.hypot(off[:, 0], off[:, 1]) <= near_m + self.cell_m) | self._apart
        used, faces = np.unique(self.table.faces[keep], return_inverse=True)
        return self.table.vertices[used], faces.reshape(-1, 3).astype(np.int32)


class NearSight:
    """What the near, thin and hanging things of a scene leave to be seen by one eye.

    Parameters
    ----------
    scene
        The scene.
    eye
        (3,) in the lowered scene [m].
    near_m, farthest_m
        How near is near; the farthest target [m].
    where
        Device and threads.
    """

    def __init__(
        self,
        scene: NearScene,
        eye: NDArray[np.float64],
        near_m: float,
        farthest_m: float,
        where: tuple[Device, int],
    ) -> None:
        vertices, faces = scene.around(eye, near_m)
        self.eye = eye
        self._caster = make_caster(Triangles(vertices, faces), *where)
        self._step = min(np.radians(0.25), 0.5 * scene.cell_m / farthest_m)
        count = int(np.ceil(2 * np.pi / self._step))
        self._step = 2 * np.pi / count
        self._tangent, self._distance = np.full(count, -np.inf), np.full(count, np.inf)
        steepest_edges(
            np.ascontiguousarray(vertices - eye),
            faces.astype(np.int64),
            (0.0, self._step),
            self._tangent,
            np.full(count, -1, dtype=np.int64),
            self._distance,
        )

    def close(self) -> None:
        """Give the engine's memory back."""
        self._caster.close()

    def see(
        self, feet: NDArray[np.float64], asked_m: float, far: NDArray[np.float32]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Which targets are seen, and the least height at which each would be.

        Parameters
        ----------
        feet
            (n, 3) in the lowered scene [m].
        asked_m
            Height of the targets above their feet [m].
        far
            (n,) least height that the sweep over what is far leaves [m]; NaN where it was not asked.

        Returns
        -------
        (n,) bool, and (n,) float32 [m], NaN where ``far`` is. What is near counts as massive for heights above the
        one that is asked, as in the height field; the line to the target itself may pass under it.
        """
        off = feet - self.eye
        away = np.hypot(off[:, 0], off[:, 1])
        way = np.rint((np.arctan2(off[:, 0], off[:, 1]) % (2 * np.pi)) / self._step).astype(np.int64)
        way %= len(self._tangent)
        top = np.maximum(self._tangent[way] * away - off[:, 2] - GRAZE_TOLERANCE_M, 0.0)
        before = self._distance[way] < away
        least = np.fmax(far, np.where(before, top, 0.0)).astype(np.float64)
        least[np.isnan(far)] = np.nan
        known = np.isfinite(far)
        open_ = known & (far <= np.float32(asked_m))
        seen = np.zeros(len(feet), dtype=bool)
        seen[open_] = self._free(feet[open_], np.full(int(open_.sum()), asked_m))
        least[seen] = np.minimum(least[seen], asked_m)
        blocked = open_ & ~seen
        least[blocked] = np.maximum(least[blocked], np.nextafter(np.float32(asked_m), np.float32(np.inf)))
        # Where the steepest stands behind the target, what stands before it is not known: rays tell.
        ask = known & ~seen & ~before & (top > least)
        least[ask] = self._lowest(feet[ask], least[ask], top[ask])
        return seen, least.astype(np.float32)

    def _free(self, feet: NDArray[np.float64], heights: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether points at some heights above their feet are seen."""
        return sees(self._caster, feet + np.column_stack([np.zeros((len(feet), 2)), heights]), self.eye)

    def _lowest(
        self, feet: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The least height between two at which points are seen, to a centimetre."""
        found = np.array(low)
        some = np.flatnonzero(~self._free(feet, low))
        hidden, free = low[some], high[some] + CLOSE_M
        while len(some) and float((free - hidden).max()) > CLOSE_M:
            middle = 0.5 * (hidden + free)
            up = self._free(feet[some], middle)
            free, hidden = np.where(up, middle, free), np.where(up, hidden, middle)
        found[some] = free
        return found
