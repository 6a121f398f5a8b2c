"""Rays per second of each engine on a town of a million triangles, in one run.

``pytest tests/benchmarks/test_ray_engines.py --benchmark-only``; needs nothing but ``twin.visibility``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from twin.errors import MissingDependencyError
from twin.visibility.caster import Caster, choose_device, make_caster
from twin.visibility.occluders import Triangles

RAYS = 1_000_000


def town(side: int = 700, blocks: int = 2000) -> Triangles:
    """A synthetic rolling ground of 2 * side^2 triangles over 1.4 km with blocks upon it; seeded."""
    rng = np.random.default_rng(11)
    line = np.linspace(-700.0, 700.0, side + 1)
    x, y = (a.ravel() for a in np.meshgrid(line, line))
    z = 8.0 * np.sin(x / 90.0) + 6.0 * np.cos(y / 70.0)
    i = np.arange((side + 1) ** 2).reshape(side + 1, side + 1)
    a, b, c, d = (part.ravel() for part in (i[:-1, :-1], i[:-1, 1:], i[1:, 1:], i[1:, :-1]))
    faces = [np.vstack([np.column_stack([a, b, c]), np.column_stack([a, c, d])])]
    vertices = [np.column_stack([x, y, z])]
    box = np.array(
        [[0, 1, 5], [0, 5, 4], [1, 2, 6], [1, 6, 5], [2, 3, 7], [2, 7, 6], [3, 0, 4], [3, 4, 7], [4, 5, 6]]
    )
    box = np.vstack([box, [[4, 6, 7]]])
    count = len(vertices[0])
    for _ in range(blocks):
        low = rng.uniform(-650, 650, 2)
        w, d_, h = rng.uniform(6, 30, 3)
        ring = np.array([[0, 0], [w, 0], [w, d_], [0, d_]]) + low
        vertices.append(np.vstack([np.column_stack([ring, np.full(4, top)]) for top in (-20.0, 14.0 + h)]))
        faces.append(box + count)
        count += 8
    return Triangles(np.concatenate(vertices), np.concatenate(faces).astype(np.int32))


def rays(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points above the ground, and a sun at 35 degrees."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(-650, 650, (RAYS, 2))
    z = 8.0 * np.sin(xy[:, 0] / 90.0) + 6.0 * np.cos(xy[:, 1] / 70.0) + 0.5
    sun = np.array([np.sin(2.4) * np.cos(0.61), np.cos(2.4) * np.cos(0.61), np.sin(0.61)])
    return np.column_stack([xy, z]), sun / np.linalg.norm(sun)


@pytest.fixture(scope="module")
def scene() -> Triangles:
    return town()


def caster_of(scene: Triangles, engine: str) -> Caster:
    try:
        return make_caster(scene, choose_device("gpu" if engine == "wgsl" else "cpu"), threads=2)
    except MissingDependencyError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("engine", ["embree", "wgsl"])
def test_sun_rays(benchmark, scene: Triangles, engine: str) -> None:
    caster = caster_of(scene, engine)
    origins, sun = rays(1)
    caster.occluded(origins[:1000], sun)
    blocked = benchmark.pedantic(lambda: caster.occluded(origins, sun), rounds=5, iterations=1)
    benchmark.extra_info["device"] = caster.device.label
    benchmark.extra_info["rays_per_s"] = RAYS / benchmark.stats["median"]
    assert 0.05 < blocked.mean() < 0.95
    caster.close()


def test_no_slower_than_embreex_itself(benchmark, scene: Triangles) -> None:
    """Sun rays through the seam against embreex called directly on two threads, in one run: at most 1.1 times."""
    mesh_construction = pytest.importorskip("embreex.mesh_construction")
    from embreex.rtcore_scene import EmbreeScene

    direct = EmbreeScene(robust=True)
    corners = np.asarray(scene.vertices, dtype=np.float32)[scene.faces]
    mesh_construction.TriangleMesh(direct, corners)
    caster = caster_of(scene, "embree")
    origins, sun = rays(2)
    starts = origins.astype(np.float32)
    directions = np.broadcast_to(sun.astype(np.float32), starts.shape).copy()
    halves = [slice(0, RAYS // 2), slice(RAYS // 2, RAYS)]

    def plain(pool: ThreadPoolExecutor) -> np.ndarray:
        jobs = [pool.submit(direct.run, starts[h], directions[h], query="OCCLUDED") for h in halves]
        return np.concatenate([job.result() for job in jobs])

    def timed(call: Callable[[], np.ndarray]) -> float:
        start = time.perf_counter()
        call()
        return time.perf_counter() - start

    with ThreadPoolExecutor(2) as pool:
        pairs = [(timed(lambda: caster.occluded(origins, sun)), timed(lambda: plain(pool))) for _ in range(9)]
    ours, theirs = (float(np.median([pair[k] for pair in pairs])) for k in (0, 1))
    benchmark.pedantic(lambda: caster.occluded(origins, sun), rounds=1)
    benchmark.extra_info["ratio"] = ours / theirs
    print(
        f"seam {RAYS / ours / 1e6:.1f}, embreex {RAYS / theirs / 1e6:.1f} million rays/s: {ours / theirs:.2f}"
    )
    caster.close()
    assert ours <= 1.1 * theirs
