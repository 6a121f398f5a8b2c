"""The sun over a height field on the GPU: the sweep of ``twin.visibility.sweep`` as a WGSL kernel.

Many suns are swept at once, a thread for each of their pairs of lines. The surface lies in bands of rows, each in its
own buffers; a call of the kernel takes some suns through one band, and leaves their lines for the next. Counts are
whole numbers that are added where they lie, so neither bands nor the number of suns together change a byte.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import MissingDependencyError
from twin.visibility.caster import Device
from twin.visibility.gpu_device import BINDING, GROUP, GROUPS, Gpu, GpuMemoryError
from twin.visibility.occluders import HeightField
from twin.visibility.rays import slices
from twin.visibility.sweep import Course, SunSweep, Window, turned_window

log = logging.getLogger(__name__)

BAND_ROWS = 512
"""Rows to a band: a line that has left the surface is carried on to the end of its band, for nothing."""
SMALLEST_BAND = 8
"""Rows to a band at which a GPU without memory for one sun is given up."""
STEPS = 1 << 29
"""Cells times suns to a call of the kernel: a part of a second on small GPUs. Drivers stop what takes 2 s and more."""
BATCH = 2048
"""Suns that are counted between two readings of the counts; what a lost device makes to be done again."""
NEVER = np.float32(-3e38)
"""A target that no sun reaches; WGSL may take it that nothing is NaN."""
HIGHEST = np.float32(3e38)
"""Fall of a ray for a row that stands for a greater one, likewise for infinities [m]."""

SUN = np.dtype(
    [
        ("low", "<i4"),
        ("count", "<u4"),
        ("slot", "<u4"),
        ("was_low", "<i4"),
        ("was_count", "<u4"),
        ("drop", "<f4"),
        ("spare", "<u4", 2),
    ]
)
SHIFT = np.dtype([("whole", "<i4"), ("part", "<f4")])
LINES_BYTES = 12
"""Three lines of a thread."""


@dataclass(slots=True, eq=False)
class _Buffers:
    """What the device holds of a band."""

    heights: Any
    targets: Any
    counts: Any

    def destroy(self) -> None:
        for buffer in (self.heights, self.targets, self.counts):
            buffer.destroy()


@dataclass(slots=True, eq=False)
class _Band:
    """Some rows; ``stale`` where the device holds other heights, ``counted`` where its counts are not all 0."""

    rows: slice
    buffers: _Buffers | None = None
    stale: bool = False
    counted: bool = False

    @property
    def size(self) -> int:
        return int(self.rows.stop) - int(self.rows.start)


class _Side:
    """The surface along its rows or, turned, along its columns, in bands."""

    def __init__(self, heights: NDArray[np.float32], targets: NDArray[np.float32]) -> None:
        self.heights, self.targets = heights, targets
        self.bands: list[_Band] = []

    def cut(self, rows: int) -> None:
        """Cut into bands of so many rows, less where they fit no binding."""
        for band in self.bands:
            if band.buffers is not None:
                band.buffers.destroy()
        fitting = max(1, BINDING // (4 * self.heights.shape[1]))
        self.bands = [_Band(part) for part in slices(len(self.heights), min(rows, fitting))]

    def forget(self) -> None:
        self.bands = [_Band(band.rows) for band in self.bands]

    def edited(self, first: int, last: int) -> None:
        for band in self.bands:
            band.stale |= band.rows.start < last and first < band.rows.stop


class GpuSweep(SunSweep):
    """The suns over one height field, on a GPU, within WebGPU's default limits.

    Where memory does not suffice, the surface goes through it band by band, bands get smaller and fewer suns are swept
    together. A device that is lost is opened again once to a call, and the suns since the last reading are swept again.

    Parameters
    ----------
    field, targets
        As ``SunSweep``.
    device
        From ``choose_device``; its adapter is looked up again.
    threads
        Threads of the CPU, which adds the two sides.

    Raises
    ------
    MissingDependencyError
        The adapter is not there, or a row of the surface is too long for a GPU.
    InputError
        As ``SunSweep``.
    """

    def __init__(
        self,
        field: HeightField,
        targets: NDArray[np.floating] | None,
        device: Device,
        *,
        threads: int = 1,
    ) -> None:
        super().__init__(field, targets, threads=threads)
        self._rows, self._together = BAND_ROWS, GROUPS
        self._sides = (
            _Side(self._along_rows, self._targets),
            _Side(self._along_cols, self._targets_turned),
        )
        longest = max(side.heights.shape[1] for side in self._sides)
        if LINES_BYTES * _ring(longest, SMALLEST_BAND) > BINDING:
            raise MissingDependencyError(
                f"a row of {longest:,} cells is too long for a GPU: use --device cpu"
            )
        self._rows = min(self._rows, BINDING // LINES_BYTES - _ring(longest, 0))
        for side in self._sides:
            side.cut(self._rows)
        self._gpu = Gpu(device)
        self._forget()

    @property
    def device(self) -> Device:
        """Where it runs."""
        return self._gpu.device

    def _put(self, row: int, col: int, heights: NDArray[np.float32], targets: NDArray[np.float32]) -> None:
        super()._put(row, col, heights, targets)
        self._sides[0].edited(row, row + heights.shape[0])
        self._sides[1].edited(col, col + heights.shape[1])

    def count(self, directions: Iterable[NDArray[Any]], window: Window | None = None) -> NDArray[np.uint16]:
        """By how many of the suns each cell centre is reached; see ``SunSweep.count``."""
        total = np.zeros(self.shape, dtype=np.uint16)
        courses: tuple[list[Course], list[Course]] = ([], [])
        for course in self._courses(directions):
            if course.major == 0.0:
                self._overhead(total, window)
            else:
                courses[course.turned].append(course)
        todo = [
            (turned, some[start : start + BATCH])
            for turned, some in enumerate(courses)
            for start in range(0, len(some), BATCH)
        ]
        across = np.zeros(self.shape[::-1], dtype=np.uint16) if courses[1] else None

        def go_on() -> None:
            while todo:
                turned, batch = todo[-1]
                found = self._batch(self._sides[turned], batch, turned_window(window) if turned else window)
                if turned and across is not None:
                    np.add(across, found, out=across)
                else:
                    np.add(total, found, out=total)
                todo.pop()

        self._gpu.surviving(go_on, self._forget)
        if across is not None:
            with ThreadPoolExecutor(self._threads) as pool:
                self._add(pool, total, across)
        return total

    def close(self) -> None:
        """Give the memory of the GPU back."""
        for side in self._sides:
            side.cut(self._rows)
        self._free()
        self._gpu.close()

    def _forget(self) -> None:
        """Nothing is on the device (any more)."""
        for side in self._sides:
            side.forget()
        self._kernel: Any = None
        self._room: dict[str, Any] = {}

    def _free(self) -> None:
        for buffer in self._room.values():
            buffer.destroy()
        self._room = {}

    def _batch(self, side: _Side, courses: list[Course], window: Window | None) -> NDArray[np.uint16]:
        """Counts of some suns over a side; as often as the memory needs it with less at once."""
        while True:
            found = np.zeros(side.targets.shape, dtype=np.uint16)
            try:
                self._clear()
                for flipped in (False, True):
                    group = [course for course in courses if (course.major < 0) == flipped]
                    while group:
                        most = self._most(side)
                        self._sweep(side, group[:most], window, found)
                        del group[:most]
                for band in side.bands:
                    self._take(band, found)
                return found
            except GpuMemoryError as error:
                self._shrink(side, len(courses), error)

    def _clear(self) -> None:
        """Drop the counts of a call that was interrupted."""
        for band in (band for side in self._sides for band in side.bands):
            if band.counted and band.buffers is not None:
                self._gpu.clear(band.buffers.counts)
            band.counted = False

    def _most(self, side: _Side) -> int:
        """Suns to a call of the kernel."""
        rows = side.bands[0].size
        ring = _ring(side.heights.shape[1], rows)
        fitting = min(STEPS // (rows * ring), BINDING // (LINES_BYTES * ring), BINDING // (8 * rows))
        return max(1, min(fitting, self._together, GROUPS))

    def _shrink(self, side: _Side, suns: int, error: Exception) -> None:
        """Half as many suns at once and bands of half as many rows, or give up."""
        together = min(self._most(side), suns)
        if together == 1 and self._rows <= SMALLEST_BAND:
            rows, cols = self.shape
            raise MissingDependencyError(
                f"the GPU {self.device.adapter} has too little memory for a height field of {rows:,} x {cols:,} "
                f"cells ({error}); use --device cpu, or a smaller site"
            ) from error
        self._together = max(1, together // 2)
        self._rows = max(SMALLEST_BAND, min(self._rows, side.bands[0].size) // 2)
        log.warning(
            "the GPU has too little memory: %d suns at once, bands of %d rows from here on",
            self._together,
            self._rows,
        )
        self._free()
        for each in self._sides:
            each.cut(self._rows)

    def _sweep(
        self, side: _Side, courses: list[Course], window: Window | None, found: NDArray[np.uint16]
    ) -> None:
        """Some suns that come from one end of the side, through all bands."""
        if self._kernel is None:
            self._kernel = self._gpu.pipeline("sweep")
        wide = side.heights.shape[1]
        flipped = courses[0].major < 0
        for band, suns, shifts, ring in _calls(side, courses, window):
            if not suns["count"].any():
                continue
            buffers = self._resident(side, band, found)
            work = self._working(len(courses), ring, band.size)
            groups = -(-int(suns["count"].max()) // GROUP)
            across = min(groups, GROUPS)
            call = np.array([band.size, wide, ring, across, flipped, 0, 0, 0], dtype=np.uint32)
            for name, data in (("shifts", shifts), ("suns", suns), ("call", call)):
                self._gpu.write(work[name], data)
            bound = (buffers.heights, buffers.targets, buffers.counts)
            bound += tuple(work[name] for name in ("lines", "shifts", "suns", "call"))
            band.counted = True
            self._gpu.run(self._kernel, bound, (across, -(-groups // across), len(courses)))
        if "call" in self._room:
            # The queue is kept short: what was written for the calls waits in memory with them.
            self._gpu.read(self._room["call"], 4)

    def _working(self, suns: int, ring: int, rows: int) -> dict[str, Any]:
        """Buffers of a call of the kernel; kept while they are large enough."""
        sizes = {"lines": LINES_BYTES * ring * suns, "shifts": SHIFT.itemsize * rows * suns}
        sizes["suns"] = SUN.itemsize * suns
        if not self._room or any(self._room[name].size < size for name, size in sizes.items()):
            self._free()
            made = self._gpu.buffers(*sizes.values())
            self._room = dict(zip(sizes, made, strict=True))
            self._room["call"] = self._gpu.buffer(32, "UNIFORM")
        return self._room

    def _resident(self, side: _Side, band: _Band, found: NDArray[np.uint16]) -> _Buffers:
        """The buffers of a band; others make room where the memory does not suffice for all."""
        if band.buffers is None:
            cells = 4 * band.size * side.targets.shape[1]
            sizes = (4 * band.size * side.heights.shape[1], cells, cells)
            try:
                band.buffers = _Buffers(*self._gpu.buffers(*sizes))
            except GpuMemoryError:
                others = [b for each in self._sides for b in each.bands if b.buffers is not None]
                if not others:
                    raise
                log.info("the GPU does not hold the whole surface: it goes through it band by band")
                for other in others:
                    self._take(other, found)
                    if other.buffers is not None:
                        other.buffers.destroy()
                    other.buffers = None
                band.buffers = _Buffers(*self._gpu.buffers(*sizes))
            band.stale = True
        if band.stale:
            asked = side.targets[band.rows]
            self._gpu.write(band.buffers.heights, side.heights[band.rows])
            self._gpu.write(band.buffers.targets, np.where(np.isnan(asked), NEVER, asked))
            band.stale = False
        return band.buffers

    def _take(self, band: _Band, found: NDArray[np.uint16]) -> None:
        """Add the counts of a band, and leave none."""
        if band.buffers is None or not band.counted:
            return
        part = found[band.rows]
        raw = self._gpu.read(band.buffers.counts, 4 * part.size)
        part += np.frombuffer(raw, dtype=np.uint32).reshape(part.shape).astype(np.uint16)
        self._gpu.clear(band.buffers.counts)
        band.counted = False


def _ring(wide: int, rows: int) -> int:
    """Threads for a sun to which a band of some rows may hand lines: a line moves a column a row at most."""
    return wide + rows + 4


def _calls(
    side: _Side, courses: Sequence[Course], window: Window | None
) -> Iterator[tuple[_Band, NDArray[Any], NDArray[Any], int]]:
    """Each band in the order of the shadows, with the suns' threads and shifts there, and the size of the ring."""
    rows, wide = side.heights.shape
    flipped = courses[0].major < 0
    shear = np.array([course.shear for course in courses])[:, None]
    lines = np.array([course.lines(rows, wide, window) for course in courses])
    first = lines[:, 0] // 2
    beyond = first + (lines[:, 1] - lines[:, 0] + 2) // 2
    ring = _ring(wide, side.bands[0].size)
    suns = np.zeros(len(courses), dtype=SUN)
    suns["drop"] = np.minimum([course.drop for course in courses], HIGHEST)
    for band in reversed(side.bands) if flipped else side.bands:
        begin = rows - band.rows.stop if flipped else band.rows.start
        shift = 2.0 * shear * np.arange(begin, begin + band.size)
        whole = np.floor(shift)
        shifts = np.empty(shift.shape, dtype=SHIFT)
        shifts["whole"], shifts["part"] = whole, shift - whole
        half = shifts["whole"][:, [0, -1]] >> 1
        low = np.maximum(first, -1 - half.max(axis=1))
        high = np.minimum(beyond, wide - 1 - half.min(axis=1))
        suns["was_low"], suns["was_count"] = suns["low"], suns["count"]
        suns["low"], suns["count"] = low, np.maximum(high - low, 0)
        suns["slot"] = low % ring
        yield band, suns, shifts, ring
