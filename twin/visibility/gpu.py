"""Rays on the GPU by WGSL compute shaders, through wgpu (Vulkan, Metal, D3D12); the only file to import it.

Buffers stay within WebGPU's default limits, so any adapter will do: rays go in chunks, and triangles in as
many hierarchies as it takes. Any-hit rays run on the GPU; first hits, which only pictures need, go to Embree.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import wgpu
from numpy.typing import NDArray

from twin.errors import MissingDependencyError, TwinError
from twin.visibility.bvh import build_bvh
from twin.visibility.occluders import HeightField, Occluders, Triangles, heightfield_to_triangles
from twin.visibility.rays import Device, Hits, ray_arrays
from twin.visibility.tolerances import GRAZE_TOLERANCE_M

log = logging.getLogger("twin.visibility")

SHADER = Path(__file__).parent / "shaders" / "any_hit.wgsl"
WORKGROUP = 64
ROW = 65_535
"""Most workgroups along one axis within the default limits."""
BATCH = 1 << 20
"""Rays per dispatch; 32 bytes each, halved as often as memory asks."""
TRIANGLES = 1 << 21
"""Triangles per hierarchy: 48 bytes each, and two nodes of 32 bytes at most, below 128 MiB a buffer."""
SMALLEST_BATCH = 1 << 12
ENDLESS = np.float32(1e30)


@dataclass(frozen=True, slots=True)
class Adapter:
    """A GPU adapter: its name and kind (DiscreteGPU, IntegratedGPU, CPU, ...)."""

    name: str
    kind: str


def _found() -> list[Any]:
    """Adapters fit for compute, hardware first; OpenGL ones are left out, being unfit for these shaders."""
    try:
        everything = wgpu.gpu.enumerate_adapters_sync()
    except (RuntimeError, OSError) as error:
        log.info("no GPU adapters: %s", error)
        return []
    usable = [a for a in everything if a.info["backend_type"] in ("Vulkan", "Metal", "D3D12")]
    ranks = {"DiscreteGPU": 0, "IntegratedGPU": 1, "CPU": 3}
    return sorted(usable, key=lambda a: ranks.get(a.info["adapter_type"], 2))


def list_adapters() -> list[Adapter]:
    """Adapters of this machine, hardware first."""
    return [Adapter(str(a.info["device"]), str(a.info["adapter_type"])) for a in _found()]


class GpuCaster:
    """Casts any-hit rays by compute shader.

    Parameters
    ----------
    occluders
        Triangles, or a height field, which is triangulated.
    device
        The adapter, by name.
    threads
        For the first hits, which run on the CPU.

    Raises
    ------
    MissingDependencyError
        The adapter is gone.
    TwinError
        The triangles do not fit its memory.
    """

    def __init__(self, occluders: Occluders, device: Device, threads: int = 1) -> None:
        self.device = device
        self._threads = threads
        self._triangles = (
            heightfield_to_triangles(occluders) if isinstance(occluders, HeightField) else occluders
        )
        self._first: Any = None
        chosen = next((a for a in _found() if str(a.info["device"]) == device.adapter), None)
        if chosen is None:
            raise MissingDependencyError(f"the GPU adapter {device.adapter!r} is gone; use --device cpu")
        self._gpu = chosen.request_device_sync()
        module = self._gpu.create_shader_module(code=SHADER.read_text(encoding="utf-8"))
        self._pipeline = self._gpu.create_compute_pipeline(
            layout="auto", compute={"module": module, "entry_point": "main"}
        )
        used = self._triangles.vertices
        self._middle = (used.min(axis=0) + used.max(axis=0)) / 2 if len(used) else np.zeros(3)
        self._batch = BATCH
        self._trees = [self._upload(part) for part in _split(self._triangles)]

    def _upload(self, faces: NDArray[np.int32]) -> tuple[int, Any, Any]:
        near = (self._triangles.vertices - self._middle).astype(np.float32)
        corners = near[faces]
        tree = build_bvh(corners)
        padded = np.zeros((3 * len(faces), 4), dtype=np.float32)
        padded[:, :3] = corners[tree.order].reshape(-1, 3)
        storage = wgpu.BufferUsage.STORAGE
        try:
            nodes = self._gpu.create_buffer_with_data(data=tree.nodes, usage=storage)
            places = self._gpu.create_buffer_with_data(data=padded, usage=storage)
        except wgpu.GPUError as error:
            raise TwinError(
                f"{self.device.adapter}: {len(faces)} triangles do not fit its memory; use --device cpu"
            ) from error
        return len(tree.nodes), nodes, places

    def occluded(
        self,
        origins: NDArray[Any],
        directions: NDArray[Any],
        max_distance: NDArray[Any] | float | None = None,
    ) -> NDArray[np.bool_]:
        """Whether anything blocks each ray; see ``twin.visibility.rays.Caster``."""
        start, way, limit = ray_arrays(origins, directions, max_distance)
        blocked = np.zeros(len(start), dtype=bool)
        first = 0
        while first < len(start):
            part = np.s_[first : first + self._batch]
            rays = self._rays(start[part], way[part], limit[part])
            try:
                for tree in self._trees:
                    blocked[part] |= self._dispatch(tree, rays)
            except (wgpu.GPUError, MemoryError) as error:
                self._shrink(error)
                continue
            first += len(rays)
        return blocked

    def _shrink(self, error: BaseException) -> None:
        """Fewer rays at a time; a clear end where that no longer helps."""
        if self._batch <= SMALLEST_BATCH:
            raise TwinError(
                f"{self.device.adapter}: the GPU gave up ({error}); run again, or use --device cpu"
            ) from error
        self._batch //= 2
        log.warning("the GPU gave up; going on with %d rays at a time", self._batch)

    def _rays(
        self, start: NDArray[np.float64], way: NDArray[np.float64], limit: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        rays = np.zeros((len(start), 8), dtype=np.float32)
        begin = start - self._middle + GRAZE_TOLERANCE_M * way
        begin[:, 2] += GRAZE_TOLERANCE_M
        rays[:, :3] = begin
        rays[:, 3] = np.clip(limit - 2 * GRAZE_TOLERANCE_M, 0.0, float(ENDLESS))
        rays[:, 4:7] = way
        return rays

    def _dispatch(self, tree: tuple[int, Any, Any], rays: NDArray[np.float32]) -> NDArray[np.bool_]:
        count = len(rays)
        groups = -(-count // WORKGROUP)
        wide = min(groups, ROW)
        tall = -(-groups // wide)
        numbers = np.array([tree[0], count, wide * WORKGROUP, 0], dtype=np.uint32)
        usage = wgpu.BufferUsage
        answer = self._gpu.create_buffer(size=4 * count, usage=usage.STORAGE | usage.COPY_SRC)
        buffers = [
            self._gpu.create_buffer_with_data(data=numbers, usage=usage.UNIFORM),
            tree[1],
            tree[2],
            self._gpu.create_buffer_with_data(data=rays, usage=usage.STORAGE),
            answer,
        ]
        group = self._gpu.create_bind_group(
            layout=self._pipeline.get_bind_group_layout(0),
            entries=[{"binding": i, "resource": {"buffer": b}} for i, b in enumerate(buffers)],
        )
        encoder = self._gpu.create_command_encoder()
        work = encoder.begin_compute_pass()
        work.set_pipeline(self._pipeline)
        work.set_bind_group(0, group)
        work.dispatch_workgroups(wide, tall)
        work.end()
        self._gpu.queue.submit([encoder.finish()])
        raw = self._gpu.queue.read_buffer(answer)
        hit: NDArray[np.bool_] = np.frombuffer(raw, dtype=np.uint32, count=count) != 0
        return hit

    def first_hit(
        self,
        origins: NDArray[Any],
        directions: NDArray[Any],
        max_distance: NDArray[Any] | float | None = None,
    ) -> Hits:
        """The nearest face along each ray, by Embree on the CPU."""
        if self._first is None:
            from twin.visibility.caster import choose_device, make_caster

            self._first = make_caster(self._triangles, choose_device("cpu"), self._threads)
        hits: Hits = self._first.first_hit(origins, directions, max_distance)
        return hits

    def close(self) -> None:
        """Give the adapter's memory back."""
        for _, nodes, places in self._trees:
            nodes.destroy()
            places.destroy()
        self._trees = []
        if self._first is not None:
            self._first.close()


def _split(triangles: Triangles) -> list[NDArray[np.int32]]:
    """Faces in groups that fit one buffer, neighbours together (sorted by their middle along x)."""
    faces = triangles.faces
    if not len(faces):
        return []
    if len(faces) <= TRIANGLES:
        return [faces]
    order = np.argsort(triangles.vertices[faces][:, :, 0].mean(axis=1), kind="stable")
    return np.array_split(faces[order], -(-len(faces) // TRIANGLES))
