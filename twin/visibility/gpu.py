"""Triangles on the GPU: WGSL compute over hierarchies of boxes."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.errors import MissingDependencyError
from twin.visibility.bvh import NODE, build_bvh
from twin.visibility.caster import Device, Hits
from twin.visibility.gpu_device import BINDING, GROUP, Gpu, GpuMemoryError
from twin.visibility.occluders import Triangles
from twin.visibility.rays import from_nearby, occlusion_rays, quick_rays, sight_rays, slices
from twin.visibility.tolerances import GRAZE_TOLERANCE_M

log = logging.getLogger(__name__)

CHUNK = 1 << 20
"""Rays to a call: 16 MiB of origins, far below WebGPU's 128 MiB to a binding and 65,535 workgroups."""

BATCH = 1 << 17
"""Rays to a call that fill a large GPU, while who asks makes the next ones ready."""

SMALLEST_CHUNK = 1 << 12
"""Rays to a call below which a GPU without memory is given up."""

PART_FACES = BINDING // 48 - 1
"""Faces to a part of the scene: 48 bytes each fill the 128 MiB that WebGPU grants to a binding. Their nodes of
32 bytes, about two for three faces, fill less."""

ENDLESS = 1e30
"""Length of a ray that nothing ends [m]."""

FACE = np.dtype(
    [("a", "<f4", 3), ("id", "<u4"), ("b", "<f4", 3), ("_b", "<u4"), ("c", "<f4", 3), ("_c", "<u4")]
)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Buffers of some faces of the scene."""

    nodes: Any
    faces: Any


@dataclass(frozen=True, slots=True, eq=False)
class _Ready:
    """Rays in 32 bits: origins (n, 4) with their length [m], directions (n, 4) or (1, 4); and what they skip [m]."""

    start: NDArray[np.float32]
    towards: NDArray[np.float32]
    skipped: NDArray[np.float64] | float

    def part(self, rows: slice) -> _Ready:
        """Some of the rays; what they skip stays that of all."""
        towards = self.towards if len(self.towards) == 1 else self.towards[rows]
        return _Ready(self.start[rows], towards, self.skipped)


@dataclass(frozen=True, slots=True, eq=False)
class _RayBuffers:
    """Buffers of one call, of ``size`` rays at most."""

    size: int
    origins: Any
    directions: Any
    answers: Any
    call: Any

    def destroy(self) -> None:
        for buffer in (self.origins, self.directions, self.answers, self.call):
            buffer.destroy()


class GpuCaster:
    """Any-hit and first-hit kernels over hierarchies of boxes, within WebGPU's default limits.

    A scene of more than ``PART_FACES`` faces is cast part by part. Rays go in chunks, halved where the GPU has too
    little memory for them. A device that is lost is opened again once to a call, and the chunk asked again.

    Parameters
    ----------
    triangles
        What blocks.
    device
        From ``choose_device``; its adapter is looked up again.

    Raises
    ------
    MissingDependencyError
        The adapter is not there, or has too little memory for the scene.
    """

    batch = BATCH

    def __init__(self, triangles: Triangles, device: Device) -> None:
        self._gpu = Gpu(device)
        self._triangles = triangles
        self._chunk = CHUNK
        # One call at a time has the buffers; rays are made ready outside.
        self._lock = Lock()
        box = triangles.vertices[triangles.faces].reshape(-1, 3) if len(triangles.faces) else np.zeros((1, 3))
        self._low, self._high = box.min(axis=0), box.max(axis=0)
        self._forget()
        self._gpu.surviving(self._upload, self._forget)

    @property
    def device(self) -> Device:
        """Where it runs."""
        return self._gpu.device

    def occluded(
        self, origins: ArrayLike, directions: ArrayLike, max_distance: ArrayLike | None = None
    ) -> NDArray[np.bool_]:
        """Whether something blocks each ray; see ``Caster.occluded``."""
        rays = self._ready(origins, directions, max_distance, True)
        if not len(self._triangles.faces) or not len(rays.start):
            return np.zeros(len(rays.start), dtype=bool)
        answers = self._cast("any_hit", rays)
        blocked: NDArray[np.bool_] = answers[:, 0] == 1
        return blocked

    def first_hit(
        self, origins: ArrayLike, directions: ArrayLike, max_distance: ArrayLike | None = None
    ) -> Hits:
        """What each ray meets first; see ``Caster.first_hit``."""
        rays = self._ready(origins, directions, max_distance, False)
        if not len(self._triangles.faces) or not len(rays.start):
            return Hits(np.full(len(rays.start), np.inf), np.full(len(rays.start), -1, dtype=np.int32))
        answers = self._cast("first_hit", rays)
        face = np.ascontiguousarray(answers[:, 1]).view(np.int32)
        distance = np.ascontiguousarray(answers[:, 0]).view(np.float32) + rays.skipped
        return Hits(np.where(face >= 0, distance, np.inf), face)

    def _ready(
        self, origins: ArrayLike, directions: ArrayLike, max_distance: ArrayLike | None, lifted: bool
    ) -> _Ready:
        """Rays as the kernels take them."""
        points, towards = np.asarray(origins), np.asarray(directions)
        if max_distance is None and points.ndim == 2 and points.shape[1:] == (3,):
            quick = quick_rays(points, towards, lifted, 4) if towards.shape in ((3,), points.shape) else None
            if quick is not None:
                start, way = quick
                start[:, 3] = ENDLESS
                return _Ready(start, way, GRAZE_TOLERANCE_M)
        make = occlusion_rays if lifted else sight_rays
        rays = from_nearby(make(origins, directions, max_distance), self._low, self._high)
        start = np.empty((len(rays), 4), dtype=np.float32)
        start[:, :3] = rays.origins
        start[:, 3] = np.clip(rays.reach, -1.0, ENDLESS)
        way = np.zeros((len(rays.directions), 4), dtype=np.float32)
        way[:, :3] = rays.directions
        return _Ready(start, way, rays.skipped)

    def close(self) -> None:
        """Give the memory of the GPU back, after the call that is under way."""
        with self._lock:
            if self._rays is not None:
                self._rays.destroy()
            for part in self._parts or []:
                part.nodes.destroy()
                part.faces.destroy()
            self._forget()
            self._gpu.close()

    def _forget(self) -> None:
        """Nothing is on the device (any more)."""
        self._rays: _RayBuffers | None = None
        self._parts: list[_Part] | None = None
        self._pipelines: dict[str, Any] = {}

    def _pipeline(self, kernel: str) -> Any:
        if kernel not in self._pipelines:
            self._pipelines[kernel] = self._gpu.pipeline("bvh", kernel)
        return self._pipelines[kernel]

    def _upload(self) -> list[_Part]:
        """Hierarchies and faces of the scene; made again after a device was lost, which is rare."""
        if self._parts is None:
            count = len(self._triangles.faces)
            corners = self._triangles.vertices[self._triangles.faces]
            try:
                self._parts = [self._part(corners, rows) for rows in slices(count, PART_FACES)]
            except GpuMemoryError as error:
                raise MissingDependencyError(
                    f"the GPU {self.device.adapter} has too little memory for {count:,} faces "
                    f"({error}); use --device cpu, or a smaller site"
                ) from error
        return self._parts

    def _part(self, corners: NDArray[np.float64], rows: slice) -> _Part:
        single = corners[rows].astype(np.float32)
        bvh = build_bvh(single)
        faces = np.zeros(len(single), FACE)
        for k, name in enumerate("abc"):
            faces[name] = single[bvh.order, k]
        faces["id"] = bvh.order + rows.start
        return _Part(self._gpu.filled(bvh.nodes.astype(NODE)), self._gpu.filled(faces))

    def _room(self, rays: int) -> _RayBuffers:
        """Buffers for up to ``rays`` rays; smaller ones where the memory does not suffice."""
        if self._rays is not None and self._rays.size >= min(rays, self._chunk):
            return self._rays
        if self._rays is not None:
            self._rays.destroy()
            self._rays = None
        while True:
            size = min(self._chunk, max(SMALLEST_CHUNK, rays))
            try:
                origins, towards, answers = self._gpu.buffers(16 * size, 16 * size, 8 * size)
                self._rays = _RayBuffers(size, origins, towards, answers, self._gpu.buffer(16, "UNIFORM"))
                return self._rays
            except GpuMemoryError as error:
                self._shrink(error)

    def _shrink(self, error: Exception) -> None:
        """Half as many rays to a call, or give up."""
        if self._chunk <= SMALLEST_CHUNK:
            raise MissingDependencyError(
                f"the GPU {self.device.adapter} has too little memory for {SMALLEST_CHUNK:,} rays "
                f"({error}); use --device cpu"
            ) from error
        self._chunk //= 2
        log.warning("the GPU has too little memory: %d rays to a call from here on", self._chunk)

    def _cast(self, kernel: str, rays: _Ready) -> NDArray[np.uint32]:
        """Answers (n, words) of a kernel: one word for any_hit, two for first_hit."""
        words = 1 if kernel == "any_hit" else 2
        count = len(rays.start)
        answers = np.empty((count, words), dtype=np.uint32)
        done = 0

        def go_on() -> None:
            nonlocal done
            while done < count:
                parts = self._upload()
                room = self._room(count - done)
                rows = slice(done, min(count, done + room.size))
                try:
                    raw = self._call(kernel, parts, rays.part(rows), room, 4 * words)
                except GpuMemoryError as error:
                    room.destroy()
                    self._rays = None
                    self._shrink(error)
                    continue
                answers[rows] = np.frombuffer(raw, dtype=np.uint32).reshape(-1, words)
                done = rows.stop

        with self._lock:
            self._gpu.surviving(go_on, self._forget)
        return answers

    def _call(
        self, kernel: str, parts: list[_Part], rays: _Ready, room: _RayBuffers, answer_bytes: int
    ) -> Any:
        """One chunk of rays against every part of the scene."""
        count = len(rays.start)
        self._gpu.write(room.origins, rays.start)
        self._gpu.write(room.directions, rays.towards)
        for number, part in enumerate(parts):
            call = np.array([count, len(rays.towards) == 1, number > 0, 0], dtype=np.uint32)
            self._gpu.write(room.call, call)
            bound = (part.nodes, part.faces, room.origins, room.directions, room.call, room.answers)
            self._gpu.run(self._pipeline(kernel), bound, (-(-count // GROUP), 1, 1))
        return self._gpu.read(room.answers, answer_bytes * count)
