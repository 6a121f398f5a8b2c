"""How fast a GPU sweeps the sun over wide ground and casts sun rays: kernels alone, and end to end.

Runs where there is a real GPU; elsewhere ``TWIN_BENCHMARK_SOFTWARE=1`` runs a small case on an adapter in software.
A kernel's time is what one more start of it costs: transfers, which stay the same, drop out.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.benchmarks.test_ray_engines import RAYS, rays, town
from tests.benchmarks.test_sight_speed import tower, valley
from tests.benchmarks.test_sweep_speed import valley_field
from tests.study_worlds import box, flat, scene_of, sun_at
from twin.model.results import SunInstant
from twin.model.scene import Scene
from twin.model.surface import Surface
from twin.study.camera import Camera
from twin.study.exposure import TOGETHER
from twin.study.picture import Studio
from twin.visibility.caster import Device, adapters, choose_device, make_caster, make_sight, make_sweep
from twin.visibility.exposed import Exposed, FaceTargets, Patch
from twin.visibility.gpu_device import Gpu
from twin.visibility.occluders import HeightField

PARTS = ("points", "normals", "marks", "areas", "outlines", "corners")


@pytest.fixture(scope="module")
def real() -> bool:
    return any(not name.endswith("(software)") for name in adapters())


@pytest.fixture(scope="module")
def device(real: bool) -> Device:
    if not real and not (adapters() and os.environ.get("TWIN_BENCHMARK_SOFTWARE")):
        pytest.skip("a benchmark of a GPU needs a real one; TWIN_BENCHMARK_SOFTWARE=1 takes one in software")
    return choose_device("gpu")


def timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def year(count: int) -> np.ndarray:
    """Synthetic: ``count`` hours with sun of a year at 50.6 degrees north, evenly taken."""
    days, hours = np.meshgrid(np.arange(365), np.arange(24) + 0.5)
    tilt = np.radians(23.44) * np.sin(2 * np.pi * (days.ravel() - 80) / 365)
    turn, lat = np.radians(15 * (hours.ravel() - 12)), np.radians(50.6)
    up = np.sin(lat) * np.sin(tilt) + np.cos(lat) * np.cos(tilt) * np.cos(turn)
    north = np.cos(lat) * np.sin(tilt) - np.sin(lat) * np.cos(tilt) * np.cos(turn)
    suns = np.column_stack([-np.cos(tilt) * np.sin(turn), north, up])
    suns = suns[suns[:, 2] > 0]
    return suns[np.linspace(0, len(suns) - 1, min(count, len(suns))).astype(int)]


def test_a_year_of_hours(benchmark, device: Device, real: bool) -> None:
    """800 ha at 0.5 m, every hour with sun; in software 600 x 600 cells and 24 suns."""
    side, suns = (5657, year(10_000)) if real else (600, year(24))
    sweep = make_sweep(valley_field(side), None, device, threads=2)
    sweep.count(suns[:2])
    few = timed(lambda: sweep.count(suns[: len(suns) // 2]))
    found = benchmark.pedantic(sweep.count, args=(suns,), rounds=1)
    whole = benchmark.stats["median"]
    kernel = (whole - few) * len(suns) / (len(suns) - len(suns) // 2)
    cells = side * side * len(suns)
    benchmark.extra_info.update(device=device.label, suns=len(suns), kernel_s=kernel)
    print(
        f"{device.adapter}: {len(suns)} suns over {side}^2 cells: {whole:.2f} s, kernels {kernel:.2f} s "
        f"({cells / kernel / 1e6:.0f} million cells/s)"
    )
    assert 0 < found.max() <= len(suns)
    sweep.close()


def test_sun_rays_over_a_million_triangles(
    benchmark, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = town()
    caster = make_caster(scene, device)
    origins, sun = rays(1)
    caster.occluded(origins[:1000], sun)
    blocked = benchmark.pedantic(caster.occluded, args=(origins, sun), rounds=3)
    whole, run, more = benchmark.stats["median"], Gpu.run, 4

    def again(gpu: Gpu, *args: object) -> None:
        for _ in range(1 + more):
            run(gpu, *args)

    monkeypatch.setattr(Gpu, "run", again)
    longer = min(timed(lambda: caster.occluded(origins, sun)) for _ in range(2))
    kernel = (longer - whole) / more
    benchmark.extra_info.update(device=device.label, kernel_s=kernel)
    print(
        f"{device.adapter}: {len(scene.faces):,} triangles: {RAYS / whole / 1e6:.1f} million rays/s end to end, "
        f"{RAYS / kernel / 1e6:.1f} in the kernel"
    )
    assert 0.05 < blocked.mean() < 0.95
    caster.close()


def test_ten_thousand_observers(benchmark, device: Device, real: bool) -> None:
    """Over 800 ha at 0.5 m, counted on the device: at most 60 s; in software 20 observers over 400 x 400 cells."""
    whole = valley()
    side, count = (whole.shape[0], 10_000) if real else (400, 20)
    field = HeightField(whole.heights[:side, :side], 0.5, 0.5, 0.0, 0.0)
    rng = np.random.default_rng(2)
    rows, cols = rng.integers(0, side, (2, count))
    x, y = field.centres()
    eyes = [
        (float(x[c]), float(y[r]), float(field.heights[r, c]) + 20.0) for r, c in zip(rows, cols, strict=True)
    ]
    sweep = make_sight(field, None, device)
    sweep.tally(eyes[:1], 1.6)
    seen, _ = benchmark.pedantic(sweep.tally, args=(eyes, 1.6), rounds=1)
    seconds = benchmark.stats["median"]
    benchmark.extra_info.update(device=device.label, observers=count)
    rate = count * field.heights.size / seconds / 1e6
    print(
        f"{device.adapter}: {count} observers over {side}^2 cells: {seconds:.2f} s ({rate:.0f} million cells/s)"
    )
    assert 0 < seen.max() <= count
    assert not real or seconds <= 60.0
    sweep.close()


def test_a_zone_of_visibility(benchmark, device: Device, real: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """10,000 targets on five towers over 800 ha at 0.5 m, counted on the device: at most 60 s, what is read back with
    it; in software 40 targets over 400 x 400 cells."""
    whole = valley()
    side, count = (whole.shape[0], 2_000) if real else (400, 8)
    field = HeightField(whole.heights[:side, :side], 0.5, 0.5, 0.0, 0.0)
    x, y = field.centres()
    towers = [
        tower(field, float(x[side * k // 6]), float(y[side * (6 - k) // 6]), count) for k in range(1, 6)
    ]

    # Buildings hide by their own faces: each is asked over a field of its own.
    patches = [Patch(10 * k, 10 * k, field.heights[:80, :80]) for k in range(5)]
    of = np.repeat(np.arange(5), count)
    parts = [np.concatenate([getattr(each, name) for each in towers]) for name in PARTS]
    targets = FaceTargets(*parts, of)

    def zone(some: FaceTargets) -> list[Exposed]:
        sweep = make_sight(field, None, device, bend=6.8e-8)
        found = [
            sweep.expose(some[start : start + TOGETHER], 1.6, patches=patches)
            for start in range(0, len(some), TOGETHER)
        ]
        sweep.close()
        return found

    zone(targets[:2])
    done = {"calls": 0, "bytes": 0}
    run, read = Gpu.run, Gpu.read

    def runs(gpu: Gpu, *args: Any) -> None:
        done["calls"] += 1
        run(gpu, *args)

    def reads(gpu: Gpu, buffer: Any, nbytes: int) -> Any:
        done["bytes"] += nbytes
        return read(gpu, buffer, nbytes)

    monkeypatch.setattr(Gpu, "run", runs)
    monkeypatch.setattr(Gpu, "read", reads)
    found = benchmark.pedantic(zone, args=(targets,), rounds=1)
    seconds = benchmark.stats["median"]
    cells = field.heights.size
    benchmark.extra_info.update(device=device.label, targets=len(targets), **done)
    print(
        f"{device.adapter}: {len(targets)} targets over {side}^2 cells: {seconds:.2f} s "
        f"({len(targets) * cells / seconds / 1e6:.0f} million cells/s), {done['calls']} calls of the kernel, "
        f"{done['bytes'] / 1e6:.0f} MB read back"
    )
    assert all(0 < each.count.max() <= len(targets) for each in found)
    assert done["bytes"] <= len(found) * 4 * 4 * cells + 4 * len(targets)
    assert not real or seconds <= 60.0


def test_a_picture_on_the_device(benchmark, device: Device, real: bool) -> None:
    """1920 x 1080 with sun and sky light over 1.1 million triangles: at most 0.5 s; in software 192 x 108."""
    scene, sun, camera, palette = picture_of_a_town()
    if not real:
        camera = replace(camera, width=192, height=108)
    with Studio(scene, palette, device, os.cpu_count() or 1) as studio:
        studio.picture(camera, sun)
        picture = benchmark.pedantic(studio.picture, args=(camera, sun), rounds=3)
    seconds = benchmark.stats["median"]
    print(f"{device.adapter}: {camera.width} x {camera.height} pixels: {seconds:.2f} s")
    assert (picture.ids >= 0).mean() > 0.3
    assert not real or seconds <= 0.5


def picture_of_a_town() -> tuple[Scene, SunInstant, Camera, dict[Any, tuple[int, int, int]]]:
    """Synthetic: 20,000 blocks on 800 ha, from above their edge."""
    rng = np.random.default_rng(3)
    blocks = tuple(
        box(
            f"b{k}",
            tuple(rng.uniform(-1400, 1400, 2)),
            tuple(rng.uniform(8, 25, 3)),
            float(rng.uniform(0, 90)),
        )
        for k in range(20_000)
    )
    camera = Camera((-1300.0, -1300.0, 120.0), 45.0, -8.0, 60.0, 1920, 1080)
    palette = {Surface.TERRAIN: (200, 200, 190), Surface.OTHER: (225, 220, 215)}
    return scene_of(flat(1420.0), blocks), sun_at(220.0, 35.0), camera, palette
