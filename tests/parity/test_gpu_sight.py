"""The sight sweep on the GPU against the one in numba: the same horizons but for rounding, for any number of eyes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.parity.test_sight_sweep import EYES, JACCARD, brute_force, town
from tests.study_worlds import FRAME, box, flat, scene_of
from twin.errors import MissingDependencyError
from twin.model.raster import Grid
from twin.study.viewshed import ViewshedSettings, viewshed
from twin.visibility import gpu_sight
from twin.visibility.caster import Device, choose_device, make_sight
from twin.visibility.gpu_device import Gpu, GpuLostError, GpuMemoryError
from twin.visibility.gpu_sight import GpuSight
from twin.visibility.occluders import HeightField
from twin.visibility.sight_sweep import SightSweep


def check_same(
    field: HeightField, device: Device, eye: tuple[float, float, float], reach: float = 1e9, **more: Any
):
    ours, known = GpuSight(field, None, device, **more), SightSweep(field, **more)
    found, asked = ours.lowest_seen(eye, reach), known.lowest_seen(eye, reach)
    ours.close()
    x, y = field.centres()
    at_reach = np.abs(np.hypot(x[None] - eye[0], y[:, None] - eye[1]) - reach) < 1e-3
    assert (np.isnan(found) == np.isnan(asked))[~at_reach].all()
    here = np.isfinite(asked) & np.isfinite(found)
    if not here.any():
        return
    off = np.abs(found[here] - asked[here])
    away = 1.0 + 0.01 * asked[here]
    # A ray that passes the edge of a wall on the other side by a rounding error reads another horizon there.
    assert (off <= 2e-3 * away).mean() >= 0.995, np.sort(off)[-20:]
    both = ((found <= 1.6) == (asked <= 1.6))[here]
    assert both.mean() >= 0.998


@pytest.mark.parametrize("cells", [(1.0, 1.0), (0.5, 0.8)])
@pytest.mark.parametrize("name", EYES)
def test_it_reads_the_horizons_of_numba(name: str, cells: tuple[float, float], gpu_device: Device) -> None:
    field = town(*cells)
    col, row, above = EYES[name]
    near = field.heights[int(np.clip(row, 0, 159)), int(np.clip(col, 0, 219))]
    eye = (field.x0 + col * field.dx, field.y0 - row * field.dy, near + above)
    check_same(field, gpu_device, eye)
    check_same(field, gpu_device, eye, 60.0, bend=1e-4)


@pytest.mark.parametrize(
    "name", ["on the ground", "on a mast", "between cells", "beside the field", "very high"]
)
def test_it_sees_what_every_crossing_leaves(name: str, gpu_device: Device) -> None:
    field = town(0.5, 0.8)
    col, row, above = EYES[name]
    near = field.heights[int(np.clip(row, 0, 159)), int(np.clip(col, 0, 219))]
    eye = (field.x0 + col * field.dx, field.y0 - row * field.dy, float(near + above))
    sweep = GpuSight(field, None, gpu_device)
    ours, truth = sweep.sees(eye, 1.6) == 1, brute_force(field, eye, 1.6)
    sweep.close()
    assert truth.sum() > 500 and (ours & truth).sum() / (ours | truth).sum() >= JACCARD


def holed() -> HeightField:
    field = town()
    z = field.heights.copy()
    z[50:70, 100:140] = np.nan
    return HeightField(z, 1.0, 1.0, 1000.0, -500.0)


FIELDS = {
    "holes": holed(),
    "one cell": HeightField(np.array([[5.0]]), 1.0, 1.0, 0.0, 0.0),
    "one row": HeightField(town().heights[45:46], 1.0, 1.0, 1000.0, -545.0),
    "one column": HeightField(town().heights[:, 90:91], 1.0, 1.0, 1090.0, -500.0),
    "nothing": HeightField(np.full((4, 5), np.nan), 1.0, 1.0, 0.0, 0.0),
    "high": HeightField(town().heights + 900.0, 1.0, 1.0, 1000.0, -500.0),
}


@pytest.mark.parametrize("name", FIELDS)
def test_odd_fields(name: str, gpu_device: Device) -> None:
    field = FIELDS[name]
    x, y = field.centres()
    high = np.nanmax(field.heights) if np.isfinite(field.heights).any() else 0.0
    check_same(field, gpu_device, (float(x[len(x) // 2]), float(y[len(y) // 2]), float(high) + 2.0))


PLACES = st.integers(-900, 6900).map(lambda hundredths: hundredths / 100.0)
"""Rows and columns; a millionth of a cell beside the border is beside it in 64 bits and upon it in 32."""


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**31), st.integers(2, 60), st.integers(2, 60), PLACES, PLACES)
def test_random_ground(gpu_device: Device, seed: int, rows: int, cols: int, col: float, row: float) -> None:
    heights = np.cumsum(np.random.default_rng(seed).normal(0, 0.6, (rows, cols)), axis=1)
    check_same(HeightField(heights, 0.5, 0.5, 0.0, 0.0), gpu_device, (0.5 * col, -0.5 * row, 6.0))


def test_every_cell_is_read_by_one_thread(gpu_device: Device) -> None:
    field = HeightField(np.zeros((41, 53)), 0.5, 0.7, 732382.87, 643969.88)
    x, y = field.centres()
    places = [(x[7] + off, y[30]) for off in (0.0, 1e-10, -1e-4, 0.13)]
    places += [(x[0] - 5.0, y[3]), (x[20], y[0] + 9.1), (x[20], y[3] + 0.35)]
    for place in places:
        sweep = GpuSight(field, None, gpu_device)
        count, least = sweep.tally([(*map(float, place), 3.0)], 0.0)
        assert (count == 1).all() and (least == 0).all(), place
        sweep.close()


def some_eyes(field: HeightField, count: int) -> list[tuple[float, float, float]]:
    rng = np.random.default_rng(5)
    rows, cols = rng.integers(0, field.shape[0], count), rng.integers(0, field.shape[1], count)
    x, y = field.centres()
    return [
        (float(x[c]), float(y[r]), float(field.heights[r, c]) + 3.0) for r, c in zip(rows, cols, strict=True)
    ]


def test_many_eyes_are_the_sum_of_each(gpu_device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    field = town()
    eyes = some_eyes(field, 9)
    sweep = make_sight(field, None, gpu_device)
    assert isinstance(sweep, GpuSight)
    count, least = sweep.tally(eyes, 1.6, 150.0)
    one = [sweep.lowest_seen(eye, 150.0) for eye in eyes]
    assert (count == sum((low <= 1.6).astype(int) for low in one)).all() and count.max() > 3
    assert np.array_equal(least, np.fmin.reduce(one), equal_nan=True)
    # Neither the number of eyes to a call nor the order of the threads changes a byte.
    monkeypatch.setattr(gpu_sight, "TOGETHER", 2)
    monkeypatch.setattr(gpu_sight, "STEPS", 1)
    other = GpuSight(field, None, gpu_device)
    again = other.tally(eyes, 1.6, 150.0)
    assert again[0].tobytes() == count.tobytes() and again[1].tobytes() == least.tobytes()
    numba = SightSweep(field).tally(eyes, 1.6, 150.0)
    assert (numba[0] == count).mean() > 0.99
    for each in (sweep, other):
        each.close()


def test_a_lost_device_is_opened_again(gpu_device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    field = town()
    (eye,) = some_eyes(field, 1)
    sweep = GpuSight(field, None, gpu_device)
    want = sweep.lowest_seen(eye)
    run, lost = Gpu.run, []

    def once(self: Gpu, *args: Any) -> None:
        if not lost:
            lost.append(True)
            raise GpuLostError("unplugged")
        run(self, *args)

    monkeypatch.setattr(Gpu, "run", once)
    assert np.array_equal(sweep.lowest_seen(eye), want, equal_nan=True) and lost
    sweep.close()


def test_what_does_not_fit_is_said(gpu_device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    field = town()

    def full(self: Gpu, *sizes: int) -> list[Any]:
        raise GpuMemoryError("full")

    monkeypatch.setattr(Gpu, "buffers", full)
    with pytest.raises(MissingDependencyError, match="too little memory"):
        GpuSight(field, None, gpu_device).lowest_seen((1000.0, -500.0, 90.0))
    monkeypatch.setattr(gpu_sight, "BINDING", 1000)
    with pytest.raises(MissingDependencyError, match="does not fit"):
        GpuSight(field, None, gpu_device)


def test_a_viewshed_of_many_eyes(gpu_device: Device) -> None:
    scene = scene_of(flat(150.0), (box("a", (20, 30), (20, 12, 15)), box("b", (-40, -10), (15, 30, 25))))
    grid = Grid(FRAME, -100.0, 100.0, 1.0, 200, 200)
    asked = ViewshedSettings(
        (0.0, 0.0, 1.6), 0.0, more=((30.0, -60.0, 1.6), (-70.0, 50.0, 20.0)), engine="heightfield"
    )
    ours, known = (viewshed(scene, grid, asked, device, 2) for device in (gpu_device, choose_device("cpu")))
    assert ours.seen_by is not None and known.seen_by is not None
    same = ours.seen_by.values == known.seen_by.values
    assert same[np.isfinite(known.seen_by.values)].mean() > 0.995
    assert "wgsl" in str(ours.method["engine"]) or gpu_device.label in str(ours.method["engine"])
