"""Who answers whether a sun shines on points: rays against triangles, or sweeps over the height field."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from twin.model.raster import Grid
from twin.model.results import SunInstant
from twin.study.horizon import FarHorizon
from twin.study.occluders import FaceTable
from twin.study.receptors import Receptors
from twin.study.surface import scene_field
from twin.sun.position import sun_direction_local
from twin.terrain.sampler import rasterise
from twin.visibility.caster import Caster, Device, make_sweep

Engine = Literal["triangles", "heightfield"]
CHUNK = 1 << 18
"""Points that are asked about together: bounds the memory, changes no result."""
MOST_SUNS = 65_000
"""Suns that a sweep counts at once."""
TOGETHER = 24
"""Suns that are counted between two words of progress."""
TOGETHER_ON_GPU = 1024
"""The same for sweeps on a GPU."""


class Reader(Protocol):
    """Answers for some receptors."""

    def lit(self, sun: SunInstant) -> NDArray[Any]:
        """What of a sun shines on each (n,): 0 or 1, or a part of it behind crowns."""

    def count(self, suns: Sequence[SunInstant]) -> NDArray[Any]:
        """How many of the suns shine on each (n,)."""


@dataclass(frozen=True, slots=True)
class RayReader:
    """Rays from points.

    Parameters
    ----------
    caster
        Everything that blocks.
    points
        (n, 3) local space [m].
    normals
        (n, 3) unit normals of the faces that the points lie on; None for points in the open. A sun shines on a
        face where the cosine of incidence is positive, strictly.
    behind
        What blocks besides the crowns, and the share of the sun that a crown lets through on a day; None where
        crowns are opaque or left out.
    far
        The horizon beyond the site.
    """

    caster: Caster
    points: NDArray[np.float64]
    normals: NDArray[np.float64] | None = None
    behind: tuple[Caster, Any] | None = None
    far: FarHorizon | None = None

    def lit(self, sun: SunInstant) -> NDArray[Any]:
        """See ``Reader``."""
        direction = sun_direction_local(sun)
        if sun.altitude_deg <= 0.0:
            asked = np.zeros(len(self.points), dtype=bool)
        elif self.normals is None:
            asked = np.ones(len(self.points), dtype=bool)
        else:
            asked = self.normals @ direction > 1e-9
        if self.far is not None and asked.any():
            asked &= self.far.clears(self.points, sun)
        free = np.zeros(len(self.points), dtype=bool)
        if asked.all():
            free = ~self.caster.occluded(self.points, direction)
        elif asked.any():
            free[asked] = ~self.caster.occluded(self.points[asked], direction)
        if self.behind is None:
            return free
        solid, share = self.behind
        dark = np.flatnonzero(asked & ~free)
        through: NDArray[np.float32] = free.astype(np.float32)
        if len(dark):
            open_sky = ~solid.occluded(self.points[dark], direction)
            through[dark[open_sky]] = share(sun.legal.date())
        return through

    def count(self, suns: Sequence[SunInstant]) -> NDArray[Any]:
        """See ``Reader``."""
        kind: Any = np.int32 if self.behind is None else np.float32
        total = np.zeros(len(self.points), dtype=kind)
        for sun in suns:
            total += self.lit(sun)
        return total


class FieldReader:
    """Sweeps over the highest surface of a scene.

    Parameters
    ----------
    table
        Faces of the scene that stand on the ground; what hangs over it would be massive down to it.
    receptors
        Who asks.
    device
        Where it is swept.
    threads
        Threads; they change no result.
    far
        The horizon beyond the site.
    """

    part: tuple[int, int, int, int] | None = None
    """Rows and columns of the surface that hold all receptors, where those are few: other lines are left out."""

    def __init__(
        self,
        table: FaceTable,
        receptors: Receptors,
        device: Device,
        threads: int = 1,
        far: FarHorizon | None = None,
    ) -> None:
        field, self.whole = scene_field(table, receptors.grid)
        self.receptors, self.far = receptors, far
        self._window = window_of(receptors.grid, self.whole)
        targets = np.full(self.whole.shape, np.nan, dtype=np.float32)
        targets[self._window] = receptors.raster(receptors.z).values
        self.sweep = make_sweep(field, targets, device, threads)
        # Between two words of progress a GPU's counts are read back, which takes as long as some hundred suns.
        self.together = TOGETHER_ON_GPU if device.kind == "gpu" else TOGETHER

    def lit(self, sun: SunInstant) -> NDArray[Any]:
        """See ``Reader``."""
        return self.count([sun]).astype(bool)

    def count(self, suns: Sequence[SunInstant]) -> NDArray[Any]:
        """See ``Reader``."""
        up = [sun for sun in suns if sun.altitude_deg > 0.0]
        if self.far is None:
            return self._swept(up)
        partly = [sun for sun in up if not self.far.clears_all(sun)]
        total = self._swept([sun for sun in up if sun not in partly])
        for sun in partly:
            total += self._swept([sun]) * self.far.clears(self.receptors.xyz, sun)
        return total

    def count_directions(self, directions: NDArray[np.float64]) -> NDArray[Any]:
        """From how many of some directions (k, 3) above the horizon each receptor is free (n,)."""
        if self.far is None:
            return self._counted(directions)
        total: NDArray[Any] = np.zeros(len(self.receptors), dtype=np.int32)
        for direction in directions:
            total += self._counted(direction[None]) * self.far.clears_direction(self.receptors.xyz, direction)
        return total

    def close(self) -> None:
        """Give the memory of the device back; the reader cannot be used afterwards."""
        self.sweep.close()

    def _counted(self, directions: Iterable[NDArray[np.float64]]) -> NDArray[Any]:
        found: NDArray[Any] = self.sweep.count(directions, self.part)[self._window].ravel()[
            self.receptors.index
        ]
        return found

    def _swept(self, suns: Sequence[SunInstant]) -> NDArray[Any]:
        return self._counted(sun_direction_local(sun) for sun in suns)

    def recounted(
        self, table: FaceTable, window: Grid, receptors: Receptors, batches: Sequence[Sequence[SunInstant]]
    ) -> list[NDArray[np.int32]]:
        """How many more suns of each batch shine on each receptor (n,) of an edited surface.

        Parameters
        ----------
        table
            Faces over the window, in the new state.
        window
            The cells of the surface that differ.
        receptors
            Receptors of the new state.
        batches
            Suns that are counted together.
        """
        row, col = self.whole.place_of(window)
        box = (row, row + window.rows, col, col + window.cols)
        more = [np.zeros(len(receptors), dtype=np.int32) for _ in batches]
        for total, suns in zip(more, batches, strict=True):
            self._add_crossing(total, receptors, suns, box, -1)
        with self.edited(table, window, receptors):
            for total, suns in zip(more, batches, strict=True):
                self._add_crossing(total, receptors, suns, box, 1)
        return more

    @contextmanager
    def edited(self, table: FaceTable, window: Grid, receptors: Receptors) -> Iterator[FieldReader]:
        """A reader of an edited surface, until the block ends; this one sees the edit too.

        Parameters
        ----------
        table
            Faces over the window, in the new state.
        window
            The cells of the surface that differ.
        receptors
            Receptors of the new state, or some of them.
        """
        row, col = self.whole.place_of(window)
        heights = rasterise(table.mesh(np.ones(len(table.faces), dtype=bool)), window).values
        targets = np.full(self.whole.shape, np.nan, dtype=np.float32)
        targets[self._window] = receptors.raster(receptors.z).values
        asked = targets[row : row + window.rows, col : col + window.cols]
        with self.sweep.edited(row, col, heights, asked):
            yield self.asking(receptors)

    def asking(self, receptors: Receptors, part: Grid | None = None) -> FieldReader:
        """This reader for some receptors of its surface; they, or those in ``part``, are all that it looks at."""
        other = copy.copy(self)
        other.receptors = receptors
        if part is not None:
            row, col = self.whole.place_of(part)
            other.part = (row, row + part.rows, col, col + part.cols)
        elif len(receptors):
            rows, cols = np.divmod(receptors.index, receptors.grid.cols)
            down, right = self._window[0].start, self._window[1].start
            other.part = (
                down + int(rows.min()),
                down + int(rows.max()) + 1,
                right + int(cols.min()),
                right + int(cols.max()) + 1,
            )
        return other

    def _add_crossing(
        self,
        total: NDArray[np.int32],
        receptors: Receptors,
        suns: Sequence[SunInstant],
        box: tuple[int, int, int, int],
        sign: int,
    ) -> None:
        """Add (or take) the suns that shine on receptors whose lines cross a box."""
        whole: list[SunInstant] = []
        for sun in suns:
            if sun.altitude_deg <= 0.0:
                continue
            if self.far is None or self.far.clears_all(sun):
                whole.append(sun)
                continue
            counted = self.sweep.count([sun_direction_local(sun)], box)[self._window].ravel()[receptors.index]
            total += sign * counted.astype(np.int32) * self.far.clears(receptors.xyz, sun)
        for start in range(0, len(whole), MOST_SUNS):
            directions = [sun_direction_local(sun) for sun in whole[start : start + MOST_SUNS]]
            total += sign * self.sweep.count(directions, box)[self._window].ravel()[receptors.index].astype(
                np.int32
            )


def window_of(grid: Grid, whole: Grid) -> tuple[slice, slice]:
    """Rows and columns of a grid within a larger one of the same cells."""
    row, col = whole.place_of(grid)
    return slice(row, row + grid.rows), slice(col, col + grid.cols)


def parts(count: int) -> Iterator[slice]:
    """Points that are asked about together."""
    for start in range(0, count, CHUNK):
        yield slice(start, min(count, start + CHUNK))


def lit(caster: Caster, points: NDArray[np.float64], sun: SunInstant) -> NDArray[np.bool_]:
    """Which points (n,) the centre of the sun shines on; none where it stands at or below the horizon."""
    free: NDArray[np.bool_] = RayReader(caster, points).lit(sun)
    return free
