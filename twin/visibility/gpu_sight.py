"""Sight over a height field on the GPU: the sweep of ``twin.visibility.sight_sweep`` as a WGSL kernel.

Many eyes are swept at once, a thread for three neighbouring rays of one of them. Counts and solid angles are whole
numbers that are added where they lie, least heights the least of positive numbers: the order of the threads changes no
byte. Nothing is read back before the last eye of a call.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from twin.errors import MissingDependencyError
from twin.visibility.caster import Device
from twin.visibility.exposed import UNIT_SR, Exposed, FaceTargets, Patch, add_seen, rays_before, rising
from twin.visibility.gpu_device import BINDING, GROUP, GROUPS, Gpu, GpuMemoryError
from twin.visibility.occluders import HeightField
from twin.visibility.sight_sweep import Eye, SightSweep, rays_of
from twin.visibility.tolerances import GRAZE_TOLERANCE_M

T = TypeVar("T")
STEPS = 1 << 29
"""Rays times rows to a call of the kernel: a part of a second on small GPUs. Drivers stop what takes 2 s and more."""
SECONDS = 0.2
"""What a call may take on a GPU that turns out to be fast: more steps then fill it. They change no result."""
TOGETHER = 64
"""Eyes to a call, at most: enough to fill a large GPU."""
HOLE, NOBODY, UNSEEN = np.float32(-3e38), np.float32(3e38), np.uint32(0x7F800000)
"""In place of NaN, which WGSL may take never to be there; the bits of infinity."""

EYE = np.dtype(
    [
        ("first", "<i4"),
        ("steps", "<u4"),
        ("row", "<i4"),
        ("row_part", "<f4"),
        ("col", "<i4"),
        ("part", "<f4"),
        ("z", "<f4"),
        ("slope", "<f4"),
        ("step", "<f4"),
        ("rays", "<u4"),
        ("own_row", "<i4"),
        ("own_col", "<i4"),
        ("number", "<u4"),
    ]
)
CALL = np.dtype(
    [
        *((name, "<u4") for name in ("rows", "cols")),
        ("sign", "<i4"),
        *((name, "<u4") for name in ("closed", "row_step", "col_step")),
        *((name, "<f4") for name in ("high", "wide", "reach", "bend", "asked", "graze", "near")),
        ("spare", "<u4", 3),
    ]
)
FARTHEST = np.float32(3e38)


class GpuSight(SightSweep):
    """Lines of sight over one height field, for any number of observers, on a GPU within WebGPU's default limits.

    A device that is lost is opened again once to a call, and the call done again.

    Parameters
    ----------
    field, ground, bend, threads
        As ``SightSweep``.
    device
        From ``choose_device``; its adapter is looked up again.

    Raises
    ------
    MissingDependencyError
        The adapter is not there, or the field does not fit its memory.
    InputError
        As ``SightSweep``.
    """

    together = TOGETHER

    def __init__(
        self,
        field: HeightField,
        ground: NDArray[np.floating] | None,
        device: Device,
        *,
        bend: float = 0.0,
        threads: int = 1,
    ) -> None:
        super().__init__(field, ground, bend=bend, threads=threads)
        rows, cols = field.shape
        if not fits(field):
            raise MissingDependencyError(
                f"a height field of {rows:,} x {cols:,} cells does not fit a GPU's buffer: use --device cpu, "
                "a smaller area, or larger cells"
            )
        self._gpu = Gpu(device)
        self._forget()

    @property
    def device(self) -> Device:
        """Where it runs."""
        return self._gpu.device

    def close(self) -> None:
        """Give the memory of the GPU back."""
        for buffer in (*self._sides, *self._room.values()):
            buffer.destroy()
        self._forget()
        self._gpu.close()

    def _forget(self) -> None:
        """Nothing is on the device (any more)."""
        self._kernels: dict[str, Any] = {}
        self._sides: list[Any] = []
        self._room: dict[str, Any] = {}
        self._steps = STEPS

    def lowest_seen(self, eye: Eye, reach_m: float = math.inf, near_m: float = 0.0) -> NDArray[np.float32]:
        """Least height above its foot at which a target on each cell is seen; see ``SightSweep.lowest_seen``."""
        return self.tally([eye], 0.0, reach_m, near_m)[1]

    def tally(
        self, eyes: Sequence[Eye], asked_m: float, reach_m: float = math.inf, near_m: float = 0.0
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """How many observers see each cell's target, and the least height that any sees; see ``SightSweep.tally``."""
        for eye in eyes:
            self._check(eye, reach_m)
        looks = [Gaze((float(eye[0]), float(eye[1]), float(eye[2]))) for eye in eyes]
        count, least = self._surviving(lambda: self._tally(looks, (asked_m, reach_m, near_m)))
        for eye in eyes:
            self._own_cell(eye, least)
            self._own_cell(eye, count, 1)
        return count, least

    def expose(
        self,
        targets: FaceTargets,
        eye_height_m: float,
        reach_m: float = math.inf,
        patches: Sequence[Patch] = (),
    ) -> Exposed:
        """What eyes above the feet of the cells see of targets; see ``SightSweep.expose``."""
        self._check_exposed(targets, eye_height_m, reach_m, patches)
        field = self.field
        looks = [
            Gaze((float(point[0]), float(point[1]), float(point[2])), rising(normal, field.dx, field.dy))
            for point, normal in zip(targets.points, targets.normals, strict=True)
        ]
        asked = (eye_height_m, reach_m, 0.0)
        found = self._surviving(lambda: self._expose(looks, targets, patches, asked))
        for number in range(len(targets)):
            self._add_own(found, targets, number, (eye_height_m, reach_m))
        return found

    def _surviving(self, work: Callable[[], T]) -> T:
        """Some work; again where the device was lost, and with a word where its memory does not suffice."""

        def tried() -> T:
            try:
                return work()
            except GpuMemoryError as error:
                rows, cols = self.field.shape
                raise MissingDependencyError(
                    f"the GPU {self.device.adapter} has too little memory for a height field of {rows:,} x {cols:,} "
                    f"cells ({error}); use --device cpu"
                ) from error

        return self._gpu.surviving(tried, self._forget)

    def _own_cell(self, eye: Eye, values: NDArray[Any], more: int = 0) -> None:
        """The observer's own cell is seen, where it has a foot."""
        cell = self._cell_of(eye)
        if cell is not None and not np.isnan(self._surfaces[0][1][cell]):
            values[cell] = values[cell] + 1 if more else 0

    def _add_own(self, found: Exposed, targets: FaceTargets, number: int, asked: tuple[float, float]) -> None:
        """What the eye over a target's own cell sees of it, where it has a foot: the kernel does not ask it."""
        x, y, z = (float(value) for value in targets.points[number])
        cell = self._cell_of((x, y, z))
        if cell is None or np.isnan(self._surfaces[0][1][cell]):
            return
        eye_height_m, reach_m = asked
        if not self._in_reach((x, y, z), cell, reach_m):
            return
        own = slice(cell[0], cell[0] + 1)
        least = np.full((1, self.field.shape[1]), np.nan, dtype=np.float32)
        least[0, cell[1]] = 0.0
        (row, col, up, eye), face = self._asked(targets, number, eye_height_m)
        add_seen(
            least,
            self._surfaces[0][1][own],
            (found.count[own], found.lowest[own], found.solid_angle[own]),
            (row - cell[0], col, up, eye),
            (self.field.dy, self.field.dx),
            face,
            (0, 1),
        )

    def _tally(
        self, looks: Sequence[Gaze], asked: tuple[float, float, float]
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        self._make()
        sums = self._sums("seen", "least")
        self._gpu.clear(sums[0])
        self._gpu.write(sums[1], np.full(self.field.shape, UNSEEN, dtype=np.uint32))
        self._sweep_all("tally", looks, asked, sums, (0, len(looks)))
        seen, bits = (self._read(buffer) for buffer in sums)
        least = bits.view(np.float32).copy()
        least[bits == UNSEEN] = np.nan
        return seen.astype(np.int32), least

    def _expose(
        self,
        looks: Sequence[Gaze],
        targets: FaceTargets,
        patches: Sequence[Patch],
        asked: tuple[float, float, float],
    ) -> Exposed:
        self._make()
        sums = self._sums("seen", "least", "low", "high")
        for buffer in sums:
            self._gpu.clear(buffer)
        marks, table = face_rows(targets)
        faces = self._gpu.filled(table)
        try:
            for start, end, number in targets.runs():
                with self._edited(patches[number]) if number >= 0 else nullcontext():
                    self._sweep_all("expose", looks, asked, (*sums, faces), (start, end))
        finally:
            faces.destroy()
        seen, place, low, high = (self._read(buffer) for buffer in sums)
        angle = high.astype(np.float64)
        angle *= 2.0**32
        angle += low
        angle *= UNIT_SR
        return Exposed(seen.astype(np.int32), marks[place], angle)

    @contextmanager
    def _edited(self, patch: Patch) -> Iterator[None]:
        """The surfaces on the device with a patch, until the block ends."""
        rows, cols = patch.within(self.field.shape)
        self._put(patch, self._lowered(patch.heights))
        try:
            yield
        finally:
            self._put(patch, self._surfaces[0][0][rows, cols])

    def _put(self, patch: Patch, heights: NDArray[np.float32]) -> None:
        """Heights in the place of a patch, row by row."""
        shape = self.field.shape
        known = np.where(np.isfinite(heights), heights, HOLE)
        for side, block, first, wide in (
            (self._sides[0], known, (patch.row, patch.col), shape[1]),
            (self._sides[2], known.T, (patch.col, patch.row), shape[0]),
        ):
            for number, line in enumerate(block):
                self._gpu.write(side, line, 4 * ((first[0] + number) * wide + first[1]))

    def _read(self, buffer: Any) -> NDArray[np.uint32]:
        shape = self.field.shape
        return np.frombuffer(self._gpu.read(buffer, buffer.size), dtype=np.uint32).reshape(shape)

    def _make(self) -> None:
        """Surfaces and what calls are written to, where they are not there yet."""
        if self._sides:
            return
        made: list[Any] = []
        try:
            for heights, feet in self._surfaces:
                made.append(self._gpu.filled(np.where(np.isfinite(heights), heights, HOLE)))
                made.append(self._gpu.filled(np.where(np.isnan(feet), NOBODY, feet)))
            made.append(self._gpu.buffer(EYE.itemsize * TOGETHER))
            made.append(self._gpu.buffer(CALL.itemsize, "UNIFORM"))
        except GpuMemoryError:
            for buffer in made:
                buffer.destroy()
            raise
        *self._sides, self._room["eyes"], self._room["call"] = made

    def _sums(self, *names: str) -> list[Any]:
        """Buffers of a word for each cell, made where they are not there yet."""
        new = [name for name in names if name not in self._room]
        size = 4 * self.field.shape[0] * self.field.shape[1]
        self._room.update(zip(new, self._gpu.buffers(*[size] * len(new)), strict=True))
        return [self._room[name] for name in names]

    def _sweep_all(
        self,
        name: str,
        looks: Sequence[Gaze],
        asked: tuple[float, float, float],
        bound: Sequence[Any],
        part: tuple[int, int],
    ) -> None:
        """The rays of a part of the eyes, some eyes at a time, through one of the kernels."""
        if name not in self._kernels:
            self._kernels[name] = self._gpu.pipeline("sight", name)
        for start in range(*part, TOGETHER):
            begun, steps = time.perf_counter(), 0
            for turned in (False, True):
                for sign in (1, -1):
                    table = self._eyes(looks, (start, min(start + TOGETHER, part[1])), turned, sign, asked[1])
                    steps += self._sweep(name, table, turned, sign, asked, bound)
            # The queue is kept short: what was written for the calls waits in memory with them.
            self._gpu.read(self._room["call"], 4)
            # Only where calls have been full do they tell how fast the device is.
            if steps >= self._steps:
                rate = steps / (time.perf_counter() - begun)
                self._steps = int(min(max(STEPS, SECONDS * rate), 4 * self._steps))

    def _eyes(
        self, looks: Sequence[Gaze], part: tuple[int, int], turned: bool, sign: int, reach_m: float
    ) -> NDArray[Any]:
        """Some of the eyes as the kernel knows them, without those that have nothing to one side."""
        field = self.field
        shape, high = (field.shape[::-1], field.dx) if turned else (field.shape, field.dy)
        rows = []
        for number in range(*part):
            eye, before = looks[number]
            at, own = self._place(eye), self._cell_of(eye) or (-1, -1)
            if turned:
                at, own, before = at[::-1], own[::-1], before and before[::-1]
            row = _row((shape[0], shape[1]), at, sign, reach_m / high, before)
            rows.append((*row[:6], eye[2] - self._level, *row[6:], *own, number))
        table = np.array(rows, dtype=EYE)
        return table[(table["rays"] >= 2) & (table["steps"] > 0)]

    def _sweep(
        self,
        name: str,
        table: NDArray[Any],
        turned: bool,
        sign: int,
        asked: tuple[float, float, float],
        bound: Sequence[Any],
    ) -> int:
        """The rays of some eyes to one side, in calls of a bounded number of steps; how many there were."""
        if not len(table):
            return 0
        asked_m, reach_m, near_m = asked
        field = self.field
        rows, cols = field.shape[::-1] if turned else field.shape
        high, wide = (field.dx, field.dy) if turned else (field.dy, field.dx)
        call = np.zeros(1, dtype=CALL)
        steps = (cols, 1) if not turned else (1, rows)
        # A cell at the reach itself is within it, whichever way 32 bits round.
        reach = min(reach_m * (1.0 + 1e-6), float(FARTHEST))
        call[0] = (
            rows, cols, sign, not turned, *steps, high, wide, reach, self._bend, asked_m, GRAZE_TOLERANCE_M,
            near_m, (0, 0, 0),
        )  # fmt: skip
        self._gpu.write(self._room["call"], call)
        pairs = -(-int(table["rays"].max()) // 2)
        most = max(1, self._steps // (3 * pairs * int(table["steps"].max())))
        surface = self._sides[2:] if turned else self._sides[:2]
        for start in range(0, len(table), most):
            part = table[start : start + most]
            self._gpu.write(self._room["eyes"], part)
            self._gpu.run(
                self._kernels[name],
                (*surface, self._room["eyes"], self._room["call"], *bound),
                (-(-pairs // GROUP), 1, len(part)),
            )
        return int(3 * ((table["rays"].astype(np.int64) + 1) // 2 * table["steps"]).sum())


class Gaze(NamedTuple):
    """Where an eye is, and what lies before it.

    Parameters
    ----------
    eye
        Local space [m].
    before
        From ``twin.visibility.exposed.rising``; None looks all round.
    """

    eye: Eye
    before: tuple[float, float] | None = None


def face_rows(targets: FaceTargets) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
    """Marks by the place that the kernel tells, infinity for none; and targets as it knows them (words, 4)."""
    falling = np.unique(targets.marks)[::-1]
    place = len(falling) - np.searchsorted(falling[::-1], targets.marks)
    first = 2 * len(targets) + np.concatenate([[0], np.cumsum(targets.corners)])[: len(targets)]
    head = np.zeros((len(targets), 2, 4), dtype=np.uint32)
    head[:, 0, :3] = targets.normals.astype(np.float32).view(np.uint32)
    head[:, 0, 3] = targets.areas.astype(np.float32).view(np.uint32)
    head[:, 1, :3] = np.column_stack([place, first, targets.corners])
    used = np.arange(targets.outlines.shape[1]) < targets.corners[:, None]
    corners = np.zeros((int(used.sum()), 4), dtype=np.uint32)
    off = (targets.outlines - targets.points[:, None])[used].astype(np.float32)
    corners[:, :3] = off.view(np.uint32)
    # A buffer is never empty.
    rows = np.concatenate([head.reshape(-1, 4), corners, np.zeros((1, 4), dtype=np.uint32)])
    return np.concatenate([[np.inf], falling]).astype(np.float32), rows


def fits(field: HeightField) -> bool:
    """Whether a height field fits the buffers that WebGPU grants everywhere, and its rays a call."""
    rows, cols = field.shape
    return 4 * rows * cols <= BINDING and 8 * max(rows, cols) <= GROUPS * GROUP


def _row(
    shape: tuple[int, int],
    at: tuple[float, float],
    sign: int,
    reach: float,
    before: tuple[float, float] | None,
) -> tuple[int | float, ...]:
    """What the kernel knows of an eye's place, for the rows to one side of it; then the rays: slope, step, number."""
    rows = shape[0]
    # As the kernel knows the place, so that all agree on which row comes first.
    (row, row_part), (col, part) = (_parted(value) for value in at)
    at = (row + row_part, col + part)
    first = math.floor(at[0]) + 1 if sign > 0 else math.ceil(at[0]) - 1
    first = max(first, 0) if sign > 0 else min(first, rows - 1)
    steps = rows - first if sign > 0 else first + 1
    away = sign * (first - at[0])
    # One row beyond the reach, as the sweep on the CPU.
    steps = int(min(steps, max(0.0, math.floor(min(reach, 1e9) + 1.0 - away) + 1)))
    rays = rays_of(shape, at, sign, reach)
    begin, end = rays_before(rays, sign, before)
    return (first, max(0, steps), row, row_part, col, part, rays[0] + begin * rays[1], rays[1], end - begin)


def _parted(value: float) -> tuple[int, float]:
    """Whole and part, the part in 32 bits and below 1."""
    whole = math.floor(value)
    part = float(np.float32(value - whole))
    return (whole + 1, 0.0) if part >= 1.0 else (whole, part)
