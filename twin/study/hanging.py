"""What hangs over the ground (crowns, decks, passages) where a height field is swept: rays, where they may meet it.

A height field is massive down to the ground. So the sweep sees the scene without the objects that have a free
underside, and the points that it leaves lit ask those objects' triangles. Which points can meet any of them for a sun
is told by a second sweep, over the highest points of these objects grown by two cells: it is never too small.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from twin.jit import njit
from twin.model.results import SunInstant
from twin.region import Region
from twin.study.occluders import FaceTable
from twin.study.readers import FieldReader, window_of
from twin.study.receptors import OPEN_UNDER_M, Receptors
from twin.study.surface import cells_over
from twin.sun.position import sun_direction_local
from twin.terrain.sampler import TinSampler, row_span
from twin.visibility.caster import Caster, Device, make_caster
from twin.visibility.occluders import HeightField
from twin.visibility.sweep import SunSweep

FREE_M2 = 1.0
"""An object hangs where at least so much of its underside stands ``OPEN_UNDER_M`` free of the ground [m2 in plan]."""
GROWN_CELLS = 2
"""Cells by which the tops are grown: a ray lies within half a cell of its two lines, which read between two centres,
one row nearer to the point than what the ray meets: two cells aside, and two rows."""
MARGIN_M = 0.1
"""By how much points are lowered for the same question: more than the rounding of sums over thousands of rows [m]."""
Share = Callable[[dt.date], float]
"""Share of the sun that a crown lets through on a day."""


def hanging_objects(table: FaceTable) -> NDArray[np.bool_]:
    """Which objects (k,) of a table hang over the ground: trees, and what has a free underside.

    The underside of a building are its faces that look down. Of other objects, whose faces may look anywhere (a deck
    may be a mere sheet), all faces count that are not upright: rays are right for those that stand, too.
    """
    layers = np.array(table.layers)
    found: NDArray[np.bool_] = layers == "trees"
    ground = table.in_layers("terrain")
    asked = np.flatnonzero(~ground & ~table.in_layers("trees"))
    if not len(asked) or not ground.any():
        return found
    a, b, c = (table.vertices[table.faces[asked, k]] for k in range(3))
    area = 0.5 * ((b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0]))
    keep = (area < 0.0) | table.in_layers("other")[asked]
    asked, area, middle = asked[keep], np.abs(area[keep]), ((a + b + c) / 3.0)[keep]
    free = middle[:, 2] - TinSampler(table.mesh(ground)).heights(middle[:, :2]) >= OPEN_UNDER_M
    sums = np.bincount(table.objects[asked[free]], weights=area[free], minlength=len(table.ids))
    found |= sums >= FREE_M2
    return found


def faces_of(table: FaceTable, objects: NDArray[np.bool_]) -> FaceTable:
    """A table with the faces of some objects (k,) alone."""
    keep = objects[table.objects]
    return replace(
        table, faces=table.faces[keep], semantics=table.semantics[keep], objects=table.objects[keep]
    )


class Reach:
    """For which points the way to a sun may meet some faces; never too few.

    Parameters
    ----------
    table
        Faces that may be met.
    receptors
        The points.
    threads
        Threads; they change no result.
    """

    def __init__(self, table: FaceTable, receptors: Receptors, threads: int = 1) -> None:
        self._index, grid = receptors.index, receptors.grid
        used = table.vertices[np.unique(table.faces)]
        low, high = used.min(axis=0), used.max(axis=0)
        edge = (GROWN_CELLS + 1) * grid.cell_size
        region = Region(*(float(v) for v in low[:2] - edge), *(float(v) for v in high[:2] + edge))
        whole = cells_over(grid, [region])
        tops = np.full(whole.shape, -np.inf)
        _highest(table.vertices, table.faces, (whole.west, whole.north, whole.cell_size), tops)
        # Ways start low enough to be met, and what stands over a point is near it.
        tops = maximum_filter(tops, size=2 * GROWN_CELLS + 1, mode="constant", cval=-np.inf)
        self._window = window_of(grid, whole)
        asked = receptors.raster(receptors.z).values - np.float32(MARGIN_M)
        self._over = (tops[self._window] >= asked).ravel()[self._index]
        targets = np.full(whole.shape, np.nan, dtype=np.float32)
        targets[self._window] = asked
        heights = np.where(np.isfinite(tops), tops, np.nan)
        cell = whole.cell_size
        field = HeightField(heights, cell, cell, whole.west + cell / 2, whole.north - cell / 2)
        self._sweep = SunSweep(field, targets, threads=threads)

    def met(self, direction: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which points (n,) may meet a face towards ``direction`` (3,)."""
        free = self._sweep.lit(direction)[self._window].ravel()[self._index]
        found: NDArray[np.bool_] = self._over | ~free
        return found


@njit
def _highest(
    vertices: NDArray[np.float64],
    faces: NDArray[np.int32],
    place: tuple[float, float, float],
    out: NDArray[np.float64],
) -> None:
    """Raise each cell that a face touches in plan, however little, to the highest corner of the face."""
    west, north, cell = place
    rows, cols = out.shape
    for f in range(len(faces)):
        a, b, c = vertices[faces[f, 0]], vertices[faces[f, 1]], vertices[faces[f, 2]]
        top = max(a[2], b[2], c[2])
        slack = 1e-6 * cell
        r0 = int(np.floor((north - max(a[1], b[1], c[1])) / cell - slack))
        r1 = int(np.floor((north - min(a[1], b[1], c[1])) / cell + slack))
        for row in range(max(r0, 0), min(r1 + 1, rows)):
            high, low = north - row * cell, north - (row + 1) * cell
            x0, x1 = row_span(a, b, c, high)
            x2, x3 = row_span(a, b, c, low)
            x0, x1 = min(x0, x2), max(x1, x3)
            for k in range(3):
                p = a if k == 0 else (b if k == 1 else c)
                if low <= p[1] <= high:
                    x0, x1 = min(x0, p[0]), max(x1, p[0])
            if x0 > x1:
                continue
            c0, c1 = int(np.floor((x0 - west) / cell - slack)), int(np.floor((x1 - west) / cell + slack))
            for col in range(max(c0, 0), min(c1 + 1, cols)):
                out[row, col] = max(out[row, col], top)


@dataclass(frozen=True, slots=True)
class HangingReader:
    """A sweep over what stands on the ground, and rays against what hangs over it.

    Parameters
    ----------
    field
        The sweep over all else.
    reach
        Which points may meet what hangs.
    caster
        All that hangs.
    behind
        What hangs besides the crowns (None for nothing), and the share of the sun that a crown lets through on a
        day; None where crowns are opaque or left out.
    """

    field: FieldReader
    reach: Reach
    caster: Caster
    behind: tuple[Caster | None, Share] | None = None

    def lit(self, sun: SunInstant) -> NDArray[Any]:
        """See ``Reader``."""
        free = self.field.lit(sun)
        if sun.altitude_deg <= 0.0:
            return free
        direction = sun_direction_local(sun)
        dark = self._dark(free, direction)
        if self.behind is None:
            free[dark] = False
            return free
        solid, share = self.behind
        through: NDArray[np.float32] = free.astype(np.float32)
        through[dark] = 0.0
        if solid is not None and len(dark):
            dark = dark[~solid.occluded(self.field.receptors.points(dark), direction)]
        through[dark] = share(sun.legal.date())
        return through

    def count(self, suns: Sequence[SunInstant]) -> NDArray[Any]:
        """See ``Reader``."""
        kind: Any = np.int32 if self.behind is None else np.float32
        total = np.zeros(len(self.field.receptors), dtype=kind)
        for sun in suns:
            total += self.lit(sun)
        return total

    def count_directions(self, directions: NDArray[np.float64]) -> NDArray[Any]:
        """As ``FieldReader.count_directions``, with opaque crowns."""
        total = np.zeros(len(self.field.receptors), dtype=np.int32)
        for direction in directions:
            free = self.field.count_directions(direction[None]).astype(bool)
            free[self._dark(free, direction)] = False
            total += free
        return total

    def _dark(self, free: NDArray[np.bool_], direction: NDArray[np.float64]) -> NDArray[np.int64]:
        """Which of the free points something that hangs stands before."""
        asked = np.flatnonzero(free & self.reach.met(direction))
        if not len(asked):
            return asked
        return asked[self.caster.occluded(self.field.receptors.points(asked), direction)]


@contextmanager
def over_field(
    field: FieldReader, hanging: FaceTable, share: Share | None, device: Device, threads: int
) -> Iterator[FieldReader | HangingReader]:
    """A reader for a sweep and what hangs over its ground; gives the engine back at the end.

    Parameters
    ----------
    field
        The sweep, without what hangs.
    hanging
        Faces of what hangs.
    share
        Share of the sun that a crown lets through on a day; None where crowns are opaque or left out.
    device, threads
        Where and with how many threads rays are cast.
    """
    if not len(hanging.faces) or not len(field.receptors):
        yield field
        return
    casters = [make_caster(hanging.triangles(), device, threads)]
    behind: tuple[Caster | None, Share] | None = None
    if share is not None:
        decks = faces_of(hanging, np.array([layer != "trees" for layer in hanging.layers]))
        if len(decks.faces):
            casters.append(make_caster(decks.triangles(), device, threads))
        behind = (casters[1] if len(casters) > 1 else None, share)
    try:
        yield HangingReader(field, Reach(hanging, field.receptors, threads), casters[0], behind)
    finally:
        for caster in casters:
            caster.close()
