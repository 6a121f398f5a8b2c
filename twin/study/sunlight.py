"""Hours of sun on the ground, and shadows at single instants."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin import __version__
from twin.model.raster import Grid
from twin.model.results import SunInstant, SunlightResult
from twin.model.scene import Scene
from twin.study.hanging import faces_of, hanging_objects, over_field
from twin.study.horizon import FarHorizon, far_horizon
from twin.study.occluders import FaceTable, face_table
from twin.study.readers import TOGETHER, FieldReader, RayReader, Reader, parts
from twin.study.receptors import Receptors, ground_receptors, surface_lift
from twin.study.suns import SunlightSettings, plate_instants, spans_of, sun_method
from twin.study.tally import Span, Tally, least_of
from twin.study.watch import Progress, State, Ticker
from twin.visibility.caster import Caster, Device, make_caster


def sunlight(
    scene: Scene,
    grid: Grid,
    settings: SunlightSettings,
    device: Device,
    threads: int = 1,
    mask: NDArray[np.bool_] | None = None,
    progress: Progress | None = None,
) -> SunlightResult:
    """Hours of sun on the ground of a scene.

    A sample stands for its whole interval; it is lit where the line from the point to the centre of the sun
    meets nothing (grazing counts as lit). Counts are whole numbers, so any number of threads gives the same
    bytes.

    Parameters
    ----------
    scene
        The scene.
    grid
        Cells of the result, in the scene's frame.
    settings
        Days, steps, heights.
    device
        Where rays are cast (``twin.visibility.caster.choose_device``).
    threads
        Threads of the engine.
    mask
        (rows, cols) bool, the cells that count; all where None.
    progress
        Told how far it is; a ``twin.study.watch.Resumable`` also keeps what is counted, and a second run goes on.

    Returns
    -------
    SunlightResult
        Hours per date or period [h], masks per instant (by date, then in the order of the settings), and the method.

    Raises
    ------
    InputError
        A step that does not divide its day, an unknown time zone, a mask of another shape.
    FrameMismatchError
        The grid lies in another frame.
    """
    study = GroundSun(scene, grid, settings, device, threads, mask, progress)
    study.close()
    return study.existing


class GroundSun:
    """A sunlight study of the ground that remembers its existing state (parameters as ``sunlight``).

    ``twin.study.change.proposed_sun`` then recounts only what the shadow of a proposal can reach.
    """

    def __init__(
        self,
        scene: Scene,
        grid: Grid,
        settings: SunlightSettings,
        device: Device,
        threads: int = 1,
        mask: NDArray[np.bool_] | None = None,
        progress: Progress | None = None,
    ) -> None:
        scene.frame.require_same(grid.frame, "the grid of a sunlight study")
        self.scene, self.grid, self.settings, self.device = scene, grid, settings, device
        self.threads, self.mask, self.progress = threads, mask, progress
        self.spans = spans_of(settings, scene.frame)
        self.instants = plate_instants(scene.frame, settings)
        self.far = far_horizon(scene.terrain)
        self.table = face_table(scene, settings.trees, coverings=False)
        self.receptors = ground_receptors(self.table, grid, settings.sample_height_m, mask)
        self.field: FieldReader | None = None
        self.hanging = np.zeros(len(self.table.ids), dtype=bool)
        if settings.engine == "heightfield":
            self.hanging = hanging_objects(self.table)
            standing = faces_of(self.table, ~self.hanging)
            self.field = FieldReader(standing, self.receptors, device, threads, self.far)
        self.existing = self.result(self.counted(scene, self.table, self.receptors), scene, self.receptors)

    def close(self) -> None:
        """Give the memory of the device back; ``existing`` stays, nothing can be recounted."""
        if self.field is not None:
            self.field.close()

    def counted(self, scene: Scene, table: FaceTable, receptors: Receptors) -> SunCount:
        """The suns of all spans and instants for some receptors."""
        count = SunCount(self.spans, self.instants, len(receptors), self.settings)
        suns = sum(len(span.instants) for span in self.spans) + len(self.instants)
        # Counts of other cells, or of another release, are not continued.
        about = f"{__version__} {scene.hash} {self.grid} {self.settings} {self.device.kind}"
        key = hashlib.sha256(about.encode() + receptors.index.tobytes()).hexdigest()
        tick = Ticker(self.progress, len(receptors) * suns, key)
        if self.field is not None:
            hanging = faces_of(table, self.hanging)
            with over_field(self.field, hanging, self.settings.share, self.device, self.threads) as reader:
                count.run([(slice(0, len(receptors)), reader)], tick, self.field.together)
            return count
        with ray_readers(scene, table, self.settings, self.device, self.threads) as make:
            count.run(
                ((part, make(receptors.points(part), None, self.far)) for part in parts(len(receptors))), tick
            )
        return count

    def result(self, count: SunCount, scene: Scene, receptors: Receptors) -> SunlightResult:
        """What the counts say."""
        plates = tuple(
            (sun, receptors.raster(row)) for sun, row in zip(self.instants, count.masks, strict=True)
        )
        lift = surface_lift(self.table)
        return SunlightResult(
            scene.hash,
            scene.scenario,
            {t.span.name: receptors.raster(t.hours()) for t in count.tallies},
            plates,
            self.method(len(receptors), lift),
            {t.span.name: t.runs(receptors) for t in count.tallies if t.follows},
            {t.span.name: receptors.raster(least_of(t.daily())) for t in count.tallies if t.span.daily},
            {t.span.name: t.daily_sun(receptors) for t in count.tallies if t.span.daily},
        )

    def method(self, cells: int, lift_m: float) -> Mapping[str, Any]:
        """How the result was made, for the manifest and the sheets."""
        return {
            "quantity": "hours of direct sun on the ground, clear sky, centre of the sun",
            **sun_method(self.settings, self.spans, self.device, self.far is not None),
            "sample_height_m": self.settings.sample_height_m,
            "surface_lift_m": lift_m,
            "cell_size_m": self.grid.cell_size,
            "cells": cells,
            "left_out": "cells with their centre inside a building or outside the ground or area",
        }


class SunCount:
    """Counts of all spans and instants of a study, for a number of points.

    Parameters
    ----------
    spans, instants
        The suns.
    points
        How many points.
    settings
        Runs or none; crowns that let light through or none.
    """

    def __init__(
        self, spans: tuple[Span, ...], instants: list[SunInstant], points: int, settings: SunlightSettings
    ) -> None:
        shares = settings.translucent
        self.tallies = [Tally(span, points, settings.runs, shares) for span in spans]
        kind: Any = np.float32 if shares else np.bool_
        self.masks: NDArray[Any] = np.zeros((len(instants), points), dtype=kind)
        self.instants = instants

    def run(self, readers: Any, tick: Ticker, together: int = TOGETHER) -> None:
        """Ask all readers, part by part, some suns together; goes on where an earlier run was stopped."""
        kept = tick.kept()
        skip = self._restore(kept) if kept is not None else 0
        done = 0
        for part, reader in readers:
            points = part.stop - part.start
            for weight, text, ask in self._jobs(part, together):
                done += 1
                if done > skip:
                    ask(reader)
                    tick.keep(functools.partial(self._state, done))
                tick.add(points * weight, text)

    def _jobs(self, part: slice, together: int) -> Iterator[tuple[int, str, Any]]:
        for tally in self.tallies:
            for job in tally.jobs(together):
                yield job[2] - job[1], tally.span.name, functools.partial(tally.add, part, job)
        for row, sun in enumerate(self.instants):
            yield 1, f"{sun.utc:%Y-%m-%d %H:%M}Z", functools.partial(self._mask, part, row)

    def _mask(self, part: slice, row: int, reader: Reader) -> None:
        self.masks[row, part] = reader.lit(self.instants[row])

    def _state(self, done: int) -> State:
        state = {"done": np.array(done), "masks": self.masks}
        for k, tally in enumerate(self.tallies):
            state |= {f"{k}-{name}": values for name, values in tally.state().items()}
        return state

    def _restore(self, state: State) -> int:
        self.masks[...] = state["masks"]
        for k, tally in enumerate(self.tallies):
            tally.restore({n.partition("-")[2]: v for n, v in state.items() if n.startswith(f"{k}-")})
        return int(state["done"])


@contextmanager
def ray_readers(
    scene: Scene, table: FaceTable, settings: SunlightSettings, device: Device, threads: int
) -> Iterator[Any]:
    """Makes readers (points, normals, far horizon) for the triangles of a scene; gives the engine back at the end."""
    casters: list[Caster] = [make_caster(table.triangles(), device, threads)]
    behind = None
    if settings.trees and settings.foliage is not None and scene.trees:
        solid = face_table(scene, trees=False, coverings=False)
        casters.append(make_caster(solid.triangles(), device, threads))
        behind = (casters[1], settings.foliage.share)

    def make(
        points: NDArray[np.float64], normals: NDArray[np.float64] | None, far: FarHorizon | None
    ) -> Reader:
        return RayReader(casters[0], points, normals, behind, far)

    try:
        yield make
    finally:
        for caster in casters:
            caster.close()
