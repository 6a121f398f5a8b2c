"""The sweep on the GPU against the one in numba: the same answers but for grazing, and what it survives."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.parity.test_sweep import SUNS, town
from tests.ray_worlds import named_world, sun_rays
from tests.study_worlds import FRAME, box, flat, scene_of
from tests.tolerances import SWEEP_GPU_M
from twin.errors import MissingDependencyError
from twin.model.raster import Grid
from twin.study.change import proposed_sun
from twin.study.sunlight import GroundSun, sunlight
from twin.study.suns import Day, SunlightSettings
from twin.sun.position import direction_local
from twin.visibility import gpu_sweep
from twin.visibility.caster import Device, choose_device, make_caster, make_sweep
from twin.visibility.gpu import GpuCaster
from twin.visibility.gpu_device import Gpu
from twin.visibility.gpu_sweep import GpuSweep
from twin.visibility.occluders import HeightField
from twin.visibility.sweep import SunSweep

OCTANTS = [
    direction_local(float(a), h)
    for a, h in zip(range(11, 371, 45), (8, 14, 20, 26, 35, 44, 55, 70), strict=False)
]
ALL = [direction_local(a, h) for a, h in SUNS] + OCTANTS
FIELDS = {
    "town": town(90),
    "wide cells": HeightField(town(70).heights[:, ::2], 1.0, 0.5, 0.0, 0.0),
    "tall cells": HeightField(town(70).heights[::3], 0.5, 1.5, 0.0, 0.0),
    "one cell": HeightField(np.array([[5.0]]), 1.0, 1.0, 0.0, 0.0),
    "one row": HeightField(town(60).heights[42:43], 0.5, 0.5, 0.0, 0.0),
    "one column": HeightField(town(60).heights[:, 30:31], 0.5, 0.5, 0.0, 0.0),
    "nothing": HeightField(np.full((4, 5), np.nan), 1.0, 1.0, 0.0, 0.0),
    "high": HeightField(town(60).heights + 900.0, 0.5, 0.5, 0.0, 0.0),
}


def gpu_sweep_of(field: HeightField, device: Device, targets: np.ndarray | None = None) -> GpuSweep:
    sweep = make_sweep(field, targets, device)
    assert isinstance(sweep, GpuSweep)
    return sweep


def check_same(field: HeightField, device: Device, suns: list[np.ndarray]) -> None:
    """A cell that answers otherwise would do so in numba too, with its target half a millimetre higher or lower."""
    found = gpu_sweep_of(field, device)
    low, high = (SunSweep(field, field.heights + more) for more in (-SWEEP_GPU_M, SWEEP_GPU_M))
    for sun in suns:
        lit = found.lit(sun)
        assert (lit >= low.lit(sun)).all(), "surely lit"
        assert (lit <= high.lit(sun)).all(), "surely dark"
    found.close()


@pytest.mark.parametrize("name", FIELDS)
def test_it_answers_as_numba_but_for_grazing(name: str, gpu_device: Device) -> None:
    above, below = np.array([0.0, 0.0, 1.0]), direction_local(200.0, -1.0)
    check_same(FIELDS[name], gpu_device, [*ALL, above, below])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**31), st.floats(0, 360), st.floats(2, 85), st.integers(1, 70), st.integers(1, 70))
def test_random_ground(
    gpu_device: Device, seed: int, azimuth: float, altitude: float, rows: int, cols: int
) -> None:
    heights = np.cumsum(np.random.default_rng(seed).normal(0, 0.6, (rows, cols)), axis=1)
    check_same(HeightField(heights, 0.5, 0.5, 0.0, 0.0), gpu_device, [direction_local(azimuth, altitude)])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0, 360), st.floats(3, 85), st.floats(0, 0.97))
def test_a_plane_less_steep_than_the_sun_is_wholly_lit(
    gpu_device: Device, azimuth: float, altitude: float, share: float
) -> None:
    y, x = np.mgrid[0:60, 0:80] * 0.5
    slope = min(share * np.tan(np.radians(altitude)), 1.9)
    towards = np.radians(azimuth)
    plane = HeightField(slope * (x * np.sin(towards) - y * np.cos(towards)), 0.5, 0.5, 0.0, 0.0)
    sweep = gpu_sweep_of(plane, gpu_device)
    assert sweep.lit(direction_local(azimuth, altitude)).all()
    sweep.close()


@pytest.mark.parametrize(("rows", "steps", "batch"), [(1, 1 << 14, 3), (7, 1 << 16, 2048), (512, 1, 5)])
def test_bands_chunks_and_batches_change_no_byte(
    rows: int, steps: int, batch: int, gpu_device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = gpu_sweep_of(town(), gpu_device)
    expected = whole.count(ALL)
    assert expected.max() == len(ALL) and expected.min() == 0
    assert (sum(whole.lit(sun).astype(np.uint16) for sun in ALL) == expected).all()
    for name, value in (("BAND_ROWS", rows), ("STEPS", steps), ("BATCH", batch)):
        monkeypatch.setattr(gpu_sweep, name, value)
    assert gpu_sweep_of(town(), gpu_device).count(ALL).tobytes() == expected.tobytes()


def test_an_edit_is_recounted_in_its_window(gpu_device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_sweep, "BAND_ROWS", 16)
    field, block = town(), np.full((9, 12), 80.0)
    sweep = gpu_sweep_of(field, gpu_device)
    before, window = sweep.count(ALL), (33, 42, 50, 62)
    less = sweep.count(ALL, window)
    assert (less <= before).all() and (less < before).any()
    assert (less[33:42, 50:62] == before[33:42, 50:62]).all()
    with sweep.edited(33, 50, block):
        changed = before - less + sweep.count(ALL, window)
    other = field.heights.copy()
    other[33:42, 50:62] = block
    full = gpu_sweep_of(HeightField(other, 0.5, 0.5, 0.0, 0.0), gpu_device).count(ALL)
    assert changed.tobytes() == full.tobytes() and (full != before).any()
    assert sweep.count(ALL).tobytes() == before.tobytes()


# Memory that does not suffice, and devices that go away.


class Short:
    """A device that refuses buffers above a size [bytes]."""

    def __init__(self, largest: int) -> None:
        self.largest, self.create = largest, Gpu._create

    def __call__(self, gpu: Gpu, size: int, flags: int) -> Any:
        if size > self.largest:
            raise MemoryError("as told")
        return self.create(gpu, size, flags)


def short_of(largest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    short = Short(largest)
    monkeypatch.setattr(Gpu, "_create", lambda self, size, flags: short(self, size, flags))


@pytest.mark.parametrize("largest", [20_000, 5_000])
def test_too_little_memory_makes_it_smaller(
    largest: int, gpu_device: Device, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = gpu_sweep_of(town(), gpu_device).count(ALL)
    short_of(largest, monkeypatch)
    assert gpu_sweep_of(town(), gpu_device).count(ALL).tobytes() == expected.tobytes()
    assert any("too little memory" in line for line in caplog.messages)


def test_a_surface_larger_than_the_memory_goes_through_it(
    gpu_device: Device, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Only three bands at once: the others make room."""
    expected = gpu_sweep_of(town(), gpu_device).count(ALL)
    monkeypatch.setattr(gpu_sweep, "BAND_ROWS", 16)
    sweep = gpu_sweep_of(town(), gpu_device)
    create = Gpu._create

    def few(gpu: Gpu, size: int, flags: int) -> Any:
        if sum(band.buffers is not None for side in sweep._sides for band in side.bands) >= 3:
            raise MemoryError("as told")
        return create(gpu, size, flags)

    monkeypatch.setattr(Gpu, "_create", few)
    with caplog.at_level(logging.INFO, "twin"):
        assert sweep.count(ALL).tobytes() == expected.tobytes()
    assert any("band by band" in line for line in caplog.messages)


def test_no_memory_at_all_names_the_way_out(gpu_device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    short_of(100, monkeypatch)
    with pytest.raises(MissingDependencyError, match="--device cpu"):
        gpu_sweep_of(town(), gpu_device).count(ALL)


def losing(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The device is really destroyed before the third call of a kernel, and again after each opening."""
    run, state = Gpu.run, {"left": times, "calls": 0}

    def lost(gpu: Gpu, *args: Any) -> None:
        state["calls"] += 1
        if state["left"] and state["calls"] >= 3:
            state["left"] -= 1
            gpu._gpu.destroy()
        run(gpu, *args)

    monkeypatch.setattr(Gpu, "run", lost)


def test_a_lost_device_is_opened_again(
    gpu_device: Device, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gpu_sweep, "BATCH", 5)
    expected = gpu_sweep_of(town(), gpu_device).count(ALL)
    losing(1, monkeypatch)
    sweep = gpu_sweep_of(town(), gpu_device)
    assert sweep.count(ALL).tobytes() == expected.tobytes()
    assert any("opened again" in line for line in caplog.messages)
    sweep._gpu._gpu.destroy()
    assert sweep.count(ALL).tobytes() == expected.tobytes(), "once to each call"


def test_a_device_lost_twice_raises(gpu_device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    losing(2, monkeypatch)
    with pytest.raises(MissingDependencyError, match=r"lost twice.*--device cpu") as raised:
        gpu_sweep_of(town(), gpu_device).count(ALL)
    assert gpu_device.adapter in str(raised.value)


def test_rays_survive_a_lost_device_once(gpu_device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    triangles = named_world("town", "as made")
    rays = sun_rays(triangles, 500)
    caster = make_caster(triangles, gpu_device)
    assert isinstance(caster, GpuCaster)
    expected = rays.occluded(caster)
    caster._gpu._gpu.destroy()
    assert (rays.occluded(caster) == expected).all()
    assert rays.first_hit(caster).face.max() >= 0
    read = Gpu.read

    def lost(gpu: Gpu, buffer: Any, nbytes: int) -> Any:
        gpu._gpu.destroy()
        return read(gpu, buffer, nbytes)

    monkeypatch.setattr(Gpu, "read", lost)
    with pytest.raises(MissingDependencyError, match=r"lost twice.*--device cpu"):
        rays.occluded(caster)


def test_a_study_on_the_gpu(gpu_device: Device) -> None:
    """Hours of sun by the study's own function, and a proposal that is recounted where its shadow reaches."""
    import datetime as dt

    grid = Grid(FRAME, -30.0, 30.0, 1.0, 60, 60)
    asked = SunlightSettings(
        days=(Day(dt.date(2026, 3, 21), 60.0),), trees=False, engine="heightfield", timezone="Europe/Brussels"
    )
    base = scene_of(flat(60.0), (box("a", (5.0, 3.0), (12.0, 8.0, 15.0), 25.0),))
    after = scene_of(base.terrain, base.buildings, (box("p", (-12.0, -8.0), (9.0, 9.0, 20.0), 10.0),))
    study = GroundSun(base, grid, asked, gpu_device)
    on_cpu = sunlight(base, grid, asked, choose_device("cpu"))
    assert gpu_device.label in study.existing.method["engine"]
    assert "numba" in on_cpu.method["engine"]
    ((name, hours),) = study.existing.hours.items()
    differ = np.nan_to_num(hours.values) != np.nan_to_num(on_cpu.hours[name].values)
    assert differ.mean() < 0.002 and np.nanmin(hours.values) < np.nanmax(hours.values)
    full = sunlight(after, grid, asked, gpu_device)
    assert proposed_sun(study, after).hours[name].values.tobytes() == full.hours[name].values.tobytes()
    study.close()
