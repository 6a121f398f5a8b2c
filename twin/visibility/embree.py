"""Triangle rays on the CPU by Embree, through embreex; the only file that imports it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from typing import Any

import numpy as np
from embreex import rtcore_scene
from embreex.mesh_construction import TriangleMesh
from numpy.typing import NDArray

from twin.visibility.occluders import HeightField, Occluders, heightfield_to_triangles
from twin.visibility.rays import Device, Hits, ray_arrays
from twin.visibility.tolerances import GRAZE_TOLERANCE_M

BATCH = 1 << 16
"""Rays per call: small enough to share out over threads, large enough to forget the call."""

NEVER = np.float32(1e37)
"""What embreex takes as endless [m]."""


def version() -> str:
    """Version of embreex."""
    return metadata.version("embreex")


class EmbreeCaster:
    """Casts rays against triangles; the engine lets other threads run meanwhile.

    Parameters
    ----------
    occluders
        Triangles, or a height field, which is triangulated.
    device
        What to call itself.
    threads
        Threads that share the rays; the result does not depend on it.
    """

    def __init__(self, occluders: Occluders, device: Device, threads: int = 1) -> None:
        self.device = device
        triangles = heightfield_to_triangles(occluders) if isinstance(occluders, HeightField) else occluders
        self._empty = not len(triangles.faces)
        used = triangles.vertices[np.unique(triangles.faces)] if not self._empty else triangles.vertices
        # From the middle of the scene float32 loses least.
        self._middle = (used.min(axis=0) + used.max(axis=0)) / 2 if len(used) else np.zeros(3)
        self._scene = rtcore_scene.EmbreeScene()
        if not self._empty:
            near = (triangles.vertices - self._middle).astype(np.float32)
            self._mesh = TriangleMesh(self._scene, near, np.ascontiguousarray(triangles.faces))
            probe = np.zeros((1, 3), np.float32)
            self._scene.run(probe, np.array([[0, 0, 1]], np.float32), query="OCCLUDED")
        self._threads = max(1, threads)
        self._pool = ThreadPoolExecutor(self._threads) if self._threads > 1 else None

    def occluded(
        self,
        origins: NDArray[Any],
        directions: NDArray[Any],
        max_distance: NDArray[Any] | float | None = None,
    ) -> NDArray[np.bool_]:
        """Whether anything blocks each ray; see ``twin.visibility.rays.Caster``."""
        start, way, limit = ray_arrays(origins, directions, max_distance)
        blocked = np.zeros(len(start), dtype=bool)
        endless = max_distance is None

        def one(part: slice) -> None:
            rays = self._rays(start[part], way[part], GRAZE_TOLERANCE_M)
            reach = None if endless else self._reach(limit[part])
            answer = self._scene.run(*rays, dists=reach, query="OCCLUDED")
            blocked[part] = answer >= 0

        self._share(one, len(start))
        return blocked

    def first_hit(
        self,
        origins: NDArray[Any],
        directions: NDArray[Any],
        max_distance: NDArray[Any] | float | None = None,
    ) -> Hits:
        """The nearest face along each ray."""
        start, way, limit = ray_arrays(origins, directions, max_distance)
        distance, face = np.full(len(start), np.inf), np.full(len(start), -1, dtype=np.int32)
        endless = max_distance is None

        def one(part: slice) -> None:
            rays = self._rays(start[part], way[part], 0.0)
            reach = None if endless else self._reach(limit[part])
            answer = self._scene.run(*rays, dists=reach, query="INTERSECT", output=1)
            hit = answer["primID"] >= 0
            face[part] = np.where(hit, answer["primID"], -1)
            distance[part] = np.where(hit, answer["tfar"].astype(np.float64) + GRAZE_TOLERANCE_M, np.inf)

        self._share(one, len(start))
        return Hits(distance, face)

    def close(self) -> None:
        """Stop the threads."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def _rays(
        self, start: NDArray[np.float64], way: NDArray[np.float64], lift: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        begin = start - self._middle + GRAZE_TOLERANCE_M * way
        begin[:, 2] += lift
        return begin.astype(np.float32), np.ascontiguousarray(way, dtype=np.float32)

    @staticmethod
    def _reach(limit: NDArray[np.float64]) -> NDArray[np.float32]:
        # embreex takes distances from where the ray begins, which is one tolerance in.
        near = np.clip(limit - 2 * GRAZE_TOLERANCE_M, 0.0, float(NEVER))
        return near.astype(np.float32)

    def _share(self, one: Any, count: int) -> None:
        if self._empty or not count:
            return
        parts = [slice(i, min(i + BATCH, count)) for i in range(0, count, BATCH)]
        if self._pool is None or len(parts) == 1:
            for part in parts:
                one(part)
        else:
            for done in self._pool.map(one, parts):
                del done
