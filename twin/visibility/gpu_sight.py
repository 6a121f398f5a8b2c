"""Sight over a height field on the GPU: the sweep of ``twin.visibility.sight_sweep`` as a WGSL kernel.

Many eyes are swept at once, a thread for three neighbouring rays of one of them. Counts are whole numbers that are
added where they lie, least heights the least of positive numbers: the order of the threads changes no byte.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import MissingDependencyError
from twin.visibility.caster import Device
from twin.visibility.gpu_device import BINDING, GROUP, GROUPS, Gpu, GpuMemoryError
from twin.visibility.occluders import HeightField
from twin.visibility.sight_sweep import Eye, SightSweep, rays_of
from twin.visibility.tolerances import GRAZE_TOLERANCE_M

STEPS = 1 << 29
"""Rays times rows to a call of the kernel: a part of a second on small GPUs. Drivers stop what takes 2 s and more."""
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
        self._kernel: Any = None
        self._sides: list[Any] = []
        self._room: dict[str, Any] = {}

    def lowest_seen(self, eye: Eye, reach_m: float = math.inf, near_m: float = 0.0) -> NDArray[np.float32]:
        """Least height above its foot at which a target on each cell is seen; see ``SightSweep.lowest_seen``."""
        return self.tally([eye], 0.0, reach_m, near_m)[1]

    def tally(
        self, eyes: Sequence[Eye], asked_m: float, reach_m: float = math.inf, near_m: float = 0.0
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """How many observers see each cell's target, and the least height that any sees; see ``SightSweep.tally``."""
        for eye in eyes:
            self._check(eye, reach_m)

        def work() -> tuple[NDArray[np.int32], NDArray[np.float32]]:
            try:
                return self._tally(eyes, (asked_m, reach_m, near_m))
            except GpuMemoryError as error:
                rows, cols = self.field.shape
                raise MissingDependencyError(
                    f"the GPU {self.device.adapter} has too little memory for a height field of {rows:,} x {cols:,} "
                    f"cells ({error}); use --device cpu"
                ) from error

        count, least = self._gpu.surviving(work, self._forget)
        for eye in eyes:
            self._own_cell(eye, least)
            self._own_cell(eye, count, 1)
        return count, least

    def _own_cell(self, eye: Eye, values: NDArray[Any], more: int = 0) -> None:
        """The observer's own cell is seen, where it has a foot."""
        cell = self._cell_of(eye)
        if cell is not None and not np.isnan(self._surfaces[0][1][cell]):
            values[cell] = values[cell] + 1 if more else 0

    def _tally(
        self, eyes: Sequence[Eye], asked: tuple[float, float, float]
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        shape = self.field.shape
        size = 4 * shape[0] * shape[1]
        self._make(size)
        self._gpu.clear(self._room["seen"])
        self._gpu.write(self._room["least"], np.full(shape, UNSEEN, dtype=np.uint32))
        for start in range(0, len(eyes), TOGETHER):
            some = eyes[start : start + TOGETHER]
            for turned in (False, True):
                for sign in (1, -1):
                    self._sweep(some, turned, sign, asked)
            # The queue is kept short: what was written for the calls waits in memory with them.
            self._gpu.read(self._room["call"], 4)
        seen = np.frombuffer(self._gpu.read(self._room["seen"], size), dtype=np.uint32).reshape(shape)
        bits = np.frombuffer(self._gpu.read(self._room["least"], size), dtype=np.uint32).reshape(shape)
        least = bits.view(np.float32).copy()
        least[bits == UNSEEN] = np.nan
        return seen.astype(np.int32), least

    def _make(self, size: int) -> None:
        """Kernel and buffers, where they are not there yet."""
        if self._kernel is None:
            self._kernel = self._gpu.pipeline("sight")
        if not self._sides:
            made: list[Any] = []
            for heights, feet in self._surfaces:
                made.append(self._gpu.filled(np.where(np.isfinite(heights), heights, HOLE)))
                made.append(self._gpu.filled(np.where(np.isnan(feet), NOBODY, feet)))
            self._sides = made
            seen, least, eyes = self._gpu.buffers(size, size, EYE.itemsize * TOGETHER)
            call = self._gpu.buffer(CALL.itemsize, "UNIFORM")
            self._room = {"seen": seen, "least": least, "eyes": eyes, "call": call}

    def _sweep(self, eyes: Sequence[Eye], turned: bool, sign: int, asked: tuple[float, float, float]) -> None:
        """The rays of some eyes to one side, in calls of a bounded number of steps."""
        asked_m, reach_m, near_m = asked
        field = self.field
        rows, cols = field.shape[::-1] if turned else field.shape
        high, wide = (field.dx, field.dy) if turned else (field.dy, field.dx)
        table = np.zeros(len(eyes), dtype=EYE)
        for k, eye in enumerate(eyes):
            row, col = self._place(eye)
            at, own = (row, col), self._cell_of(eye) or (-1, -1)
            if turned:
                at, own = at[::-1], own[::-1]
            table[k] = _row((rows, cols), at, own, sign, reach_m / high, eye[2] - self._level)
        table = table[(table["rays"] >= 2) & (table["steps"] > 0)]
        if not len(table):
            return
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
        most = max(1, STEPS // (3 * pairs * int(table["steps"].max())))
        surface = self._sides[2:] if turned else self._sides[:2]
        bound = (*surface, *(self._room[name] for name in ("seen", "least", "eyes", "call")))
        for start in range(0, len(table), most):
            part = table[start : start + most]
            self._gpu.write(self._room["eyes"], part)
            self._gpu.run(self._kernel, bound, (-(-pairs // GROUP), 1, len(part)))


def fits(field: HeightField) -> bool:
    """Whether a height field fits the buffers that WebGPU grants everywhere, and its rays a call."""
    rows, cols = field.shape
    return 4 * rows * cols <= BINDING and 8 * max(rows, cols) <= GROUPS * GROUP


def _row(
    shape: tuple[int, int],
    at: tuple[float, float],
    own: tuple[int, int],
    sign: int,
    reach: float,
    z: float,
) -> tuple[int | float, ...]:
    """What the kernel knows of an eye, for the rows to one side of it."""
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
    slope, step, rays = rays_of(shape, at, sign, reach)
    return (first, max(0, steps), row, row_part, col, part, z, slope, step, rays, *own)


def _parted(value: float) -> tuple[int, float]:
    """Whole and part, the part in 32 bits and below 1."""
    whole = math.floor(value)
    part = float(np.float32(value - whole))
    return (whole + 1, 0.0) if part >= 1.0 else (whole, part)
