"""Triangles on the GPU: WGSL compute through wgpu (Vulkan, Metal, D3D12)."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata, resources
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.errors import MissingDependencyError
from twin.visibility.bvh import NODE, build_bvh
from twin.visibility.caster import Device, Hits
from twin.visibility.occluders import Triangles
from twin.visibility.rays import Rays, from_nearby, occlusion_rays, sight_rays, slices

log = logging.getLogger(__name__)

BACKENDS = ("Vulkan", "Metal", "D3D12")
"""Ways to a GPU that have compute shaders everywhere; OpenGL is left out."""

REAL = ("DiscreteGPU", "IntegratedGPU", "VirtualGPU")
"""Types of adapter that are hardware, the best first."""

SOFTWARE = ("llvmpipe", "lavapipe", "swiftshader", "basic render")
"""Names of adapters in software, some of which call themselves something else."""

GROUP = 64
"""Rays to a workgroup, as in the shaders."""

CHUNK = 1 << 20
"""Rays to a call: 16 MiB of origins, far below WebGPU's 128 MiB to a binding and 65,535 workgroups."""

SMALLEST_CHUNK = 1 << 12
"""Rays to a call below which a GPU without memory is given up."""

PART_FACES = (1 << 27) // 48 - 1
"""Faces to a part of the scene: 48 bytes each fill the 128 MiB that WebGPU grants to a binding. Their nodes of
32 bytes, about two for three faces, fill less."""

ENDLESS = 1e30
"""Length of a ray that nothing ends [m]."""

FACE = np.dtype(
    [("a", "<f4", 3), ("id", "<u4"), ("b", "<f4", 3), ("_b", "<u4"), ("c", "<f4", 3), ("_c", "<u4")]
)

NO_WGPU = "wgpu is missing: `pip install wgpu`"
NO_DRIVER = (
    "no GPU adapter found: install the GPU's driver with Vulkan, Metal or D3D12 "
    "(on Linux in software: `apt install mesa-vulkan-drivers`), or use --device cpu"
)


def _wgpu() -> Any:
    """The module, with its instance kept to ``BACKENDS``."""
    try:
        import wgpu
        from wgpu.backends.wgpu_native import extras
    except (ImportError, OSError, RuntimeError) as error:
        raise MissingDependencyError(f"{NO_WGPU} ({error})") from error
    try:
        with _without_device_select():
            extras.set_instance_extras(backends=["Vulkan", "Metal", "DX12"])
    except (RuntimeError, AttributeError, TypeError):
        # There is an instance already, someone else's choice; or a version without this setting.
        log.debug("wgpu keeps the instance that it has")
    return wgpu


@contextmanager
def _without_device_select() -> Iterator[None]:
    """Outside of a desktop session, Mesa's layer that sorts the devices writes errors to the terminal. It is not
    needed here: the adapter is chosen by its type."""
    name = "NODEVICE_SELECT"
    if "XDG_RUNTIME_DIR" in os.environ or name in os.environ:
        yield
        return
    os.environ[name] = "1"
    try:
        yield
    finally:
        del os.environ[name]


def _adapters() -> list[Any]:
    """Adapters with compute, real ones first, in the order of the drivers."""
    wgpu = _wgpu()
    try:
        found = list(wgpu.gpu.enumerate_adapters_sync())
    except (RuntimeError, OSError, wgpu.GPUError) as error:
        raise MissingDependencyError(f"{NO_DRIVER} ({error})") from error
    found = [adapter for adapter in found if adapter.info["backend_type"] in BACKENDS]
    return sorted(found, key=_rank)


def _rank(adapter: Any) -> int:
    kind = adapter.info["adapter_type"]
    return REAL.index(kind) if _is_real(adapter) else len(REAL)


def _is_real(adapter: Any) -> bool:
    named_soft = any(word in adapter.info["device"].lower() for word in SOFTWARE)
    return adapter.info["adapter_type"] in REAL and not named_soft


def _name(adapter: Any) -> str:
    info = adapter.info
    driver = f", {info['description']}" if info["description"] else ""
    return f"{info['device']}{driver}, {info['backend_type']}"


def adapter_names() -> list[str]:
    """All adapters as text; real ones first.

    Raises
    ------
    MissingDependencyError
        wgpu is missing or does not load.
    """
    return [f"{_name(a)}{'' if _is_real(a) else ' (software)'}" for a in _adapters()]


def find_device(software: bool = False) -> Device:
    """The best adapter that gives a device.

    Parameters
    ----------
    software
        Whether an adapter in software will do where there is no real one.

    Raises
    ------
    MissingDependencyError
        There is none, or wgpu or a driver is missing.
    """
    found = _adapters()
    real = [adapter for adapter in found if _is_real(adapter)]
    for adapter in real or (found if software else []):
        try:
            _open(adapter).destroy()
        except MissingDependencyError as error:
            log.warning("%s", error)
            continue
        name = _name(adapter)
        if not _is_real(adapter):
            log.warning("%s computes in software, slower than --device cpu", name)
        return Device("gpu", "wgsl", f"{name}, wgpu {metadata.version('wgpu')}")
    soft = ", ".join(_name(adapter) for adapter in found)
    raise MissingDependencyError(f"{NO_DRIVER}; in software only: {soft}" if soft else NO_DRIVER)


def _open(adapter: Any) -> Any:
    """A device of an adapter."""
    wgpu = _wgpu()
    try:
        return adapter.request_device_sync()
    except (RuntimeError, OSError, wgpu.GPUError) as error:
        raise MissingDependencyError(
            f"the GPU {_name(adapter)} gives no device ({error}): update its driver, or use --device cpu"
        ) from error


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Buffers of some faces of the scene."""

    nodes: Any
    faces: Any


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
    little memory for them.

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

    def __init__(self, triangles: Triangles, device: Device) -> None:
        self._wgpu = _wgpu()
        self._device = device
        named = [a for a in _adapters() if device.adapter.startswith(_name(a))]
        if not named:
            raise MissingDependencyError(f"the GPU {device.adapter} is not there; {NO_DRIVER}")
        self._gpu = _open(named[0])
        self._chunk = CHUNK
        self._rays: _RayBuffers | None = None
        self._any = self._pipeline("any_hit")
        self._first = self._pipeline("first_hit")
        corners = triangles.vertices[triangles.faces]
        box = corners.reshape(-1, 3) if len(corners) else np.zeros((1, 3))
        self._low, self._high = box.min(axis=0), box.max(axis=0)
        try:
            self._parts = [self._upload(corners, rows) for rows in slices(len(corners), PART_FACES)]
        except (self._wgpu.GPUError, MemoryError) as error:
            raise MissingDependencyError(
                f"the GPU {device.adapter} has too little memory for {len(corners):,} faces "
                f"({_short(error)}); use --device cpu, or a smaller site"
            ) from error

    @property
    def device(self) -> Device:
        """Where it runs."""
        return self._device

    def occluded(
        self, origins: ArrayLike, directions: ArrayLike, max_distance: ArrayLike | None = None
    ) -> NDArray[np.bool_]:
        """Whether something blocks each ray; see ``Caster.occluded``."""
        rays = from_nearby(occlusion_rays(origins, directions, max_distance), self._low, self._high)
        if not self._parts or not len(rays):
            return np.zeros(len(rays), dtype=bool)
        answers = self._cast(self._any, rays)
        blocked: NDArray[np.bool_] = answers[:, 0] == 1
        return blocked

    def first_hit(
        self, origins: ArrayLike, directions: ArrayLike, max_distance: ArrayLike | None = None
    ) -> Hits:
        """What each ray meets first; see ``Caster.first_hit``."""
        rays = from_nearby(sight_rays(origins, directions, max_distance), self._low, self._high)
        if not self._parts or not len(rays):
            return Hits(np.full(len(rays), np.inf), np.full(len(rays), -1, dtype=np.int32))
        answers = self._cast(self._first, rays)
        face = np.ascontiguousarray(answers[:, 1]).view(np.int32)
        distance = np.ascontiguousarray(answers[:, 0]).view(np.float32) + rays.skipped
        return Hits(np.where(face >= 0, distance, np.inf), face)

    def close(self) -> None:
        """Give the memory of the GPU back."""
        if self._rays is not None:
            self._rays.destroy()
            self._rays = None
        for part in self._parts:
            part.nodes.destroy()
            part.faces.destroy()
        self._parts = []
        self._gpu.destroy()

    def _pipeline(self, kernel: str) -> Any:
        folder = resources.files("twin.visibility").joinpath("shaders")
        code = "\n".join(
            folder.joinpath(f"{name}.wgsl").read_text(encoding="utf-8") for name in ("bvh", kernel)
        )
        module = self._gpu.create_shader_module(code=code, label=kernel)
        return self._gpu.create_compute_pipeline(
            layout="auto", compute={"module": module, "entry_point": kernel}
        )

    def _upload(self, corners: NDArray[np.float64], rows: slice) -> _Part:
        """Hierarchy and faces of a part of the scene."""
        single = corners[rows].astype(np.float32)
        bvh = build_bvh(single)
        faces = np.zeros(len(single), FACE)
        for k, name in enumerate("abc"):
            faces[name] = single[bvh.order, k]
        faces["id"] = bvh.order + rows.start
        return _Part(self._filled(bvh.nodes.astype(NODE)), self._filled(faces))

    def _filled(self, data: NDArray[Any]) -> Any:
        buffer = self._buffer(data.nbytes, "STORAGE")
        self._gpu.queue.write_buffer(buffer, 0, data.view(np.uint8))
        return buffer

    def _buffer(self, size: int, use: str) -> Any:
        usage = self._wgpu.BufferUsage
        flags = getattr(usage, use) | usage.COPY_DST | usage.COPY_SRC
        return self._gpu.create_buffer(size=size, usage=flags)

    def _room(self, rays: int) -> _RayBuffers:
        """Buffers for up to ``rays`` rays; smaller ones where the memory does not suffice."""
        if self._rays is not None and self._rays.size >= min(rays, self._chunk):
            return self._rays
        if self._rays is not None:
            self._rays.destroy()
            self._rays = None
        while True:
            size = min(self._chunk, max(SMALLEST_CHUNK, rays))
            made: list[Any] = []
            try:
                for nbytes, use in (
                    (16 * size, "STORAGE"),
                    (16 * size, "STORAGE"),
                    (8 * size, "STORAGE"),
                    (16, "UNIFORM"),
                ):
                    made.append(self._buffer(nbytes, use))
                self._rays = _RayBuffers(size, *made)
                return self._rays
            except (self._wgpu.GPUError, MemoryError) as error:
                for buffer in made:
                    buffer.destroy()
                self._shrink(error)

    def _shrink(self, error: Exception) -> None:
        """Half as many rays to a call, or give up."""
        if self._chunk <= SMALLEST_CHUNK:
            raise MissingDependencyError(
                f"the GPU {self._device.adapter} has too little memory for {SMALLEST_CHUNK:,} rays "
                f"({_short(error)}); use --device cpu"
            ) from error
        self._chunk //= 2
        log.warning("the GPU has too little memory: %d rays to a call from here on", self._chunk)

    def _cast(self, pipeline: Any, rays: Rays) -> NDArray[np.uint32]:
        """Answers (n, words) of a kernel: one word for any_hit, two for first_hit."""
        words = 1 if pipeline is self._any else 2
        answers = np.empty((len(rays), words), dtype=np.uint32)
        done = 0
        while done < len(rays):
            room = self._room(len(rays) - done)
            rows = slice(done, min(len(rays), done + room.size))
            try:
                raw = self._call(pipeline, rays.part(rows), room, 4 * words)
            except (self._wgpu.GPUOutOfMemoryError, MemoryError) as error:
                room.destroy()
                self._rays = None
                self._shrink(error)
                continue
            answers[rows] = np.frombuffer(raw, dtype=np.uint32).reshape(-1, words)
            done = rows.stop
        return answers

    def _call(self, pipeline: Any, rays: Rays, room: _RayBuffers, answer_bytes: int) -> Any:
        """One chunk of rays against every part of the scene."""
        queue = self._gpu.queue
        start = np.empty((len(rays), 4), dtype=np.float32)
        start[:, :3] = rays.origins
        start[:, 3] = np.clip(rays.reach, -1.0, ENDLESS)
        towards = np.zeros((len(rays.directions), 4), dtype=np.float32)
        towards[:, :3] = rays.directions
        queue.write_buffer(room.origins, 0, start)
        queue.write_buffer(room.directions, 0, towards)
        for number, part in enumerate(self._parts):
            call = np.array([len(rays), len(towards) == 1, number > 0, 0], dtype=np.uint32)
            queue.write_buffer(room.call, 0, call)
            bound = (part.nodes, part.faces, room.origins, room.directions, room.call, room.answers)
            queue.submit([self._commands(pipeline, bound, len(rays))])
        return queue.read_buffer(room.answers, 0, answer_bytes * len(rays))

    def _commands(self, pipeline: Any, buffers: Sequence[Any], rays: int) -> Any:
        group = self._gpu.create_bind_group(
            layout=pipeline.get_bind_group_layout(0),
            entries=[
                {"binding": place, "resource": {"buffer": buffer, "offset": 0, "size": buffer.size}}
                for place, buffer in enumerate(buffers)
            ],
        )
        encoder = self._gpu.create_command_encoder()
        run = encoder.begin_compute_pass()
        run.set_pipeline(pipeline)
        run.set_bind_group(0, group)
        run.dispatch_workgroups(-(-rays // GROUP))
        run.end()
        return encoder.finish()


def _short(error: BaseException) -> str:
    """The last line of an error's text, which says what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
