"""What cells see of targets on faces: the sums of numba and of the GPU against one target after the other in NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.study_worlds import FRAME, box, flat, scene_of
from tests.tolerances import EXPOSED_ALIKE_SHARE, EXPOSED_GPU_SHARE, EXPOSED_GPU_SR, EXPOSED_SR
from twin.errors import InputError
from twin.model.raster import Grid
from twin.study.exposure import ExposureSettings, exposure
from twin.study.targets import targets_of
from twin.visibility import gpu_sight
from twin.visibility.caster import Device, choose_device
from twin.visibility.exposed import NEAR_CELLS, Exposed, FaceTargets, Patch, padded, rays_before, rising
from twin.visibility.gpu_device import Gpu, GpuLostError
from twin.visibility.gpu_sight import GpuSight
from twin.visibility.occluders import HeightField
from twin.visibility.sight_sweep import SightSweep

EYE_M = 1.6


def rough(
    seed: int, rows: int, cols: int, cells: tuple[float, float] = (0.5, 0.8)
) -> tuple[HeightField, NDArray[np.float64]]:
    """Rough ground with holes, and feet over it with holes of their own."""
    rng = np.random.default_rng(seed)
    z = np.cumsum(rng.normal(0, 0.4, (rows, cols)), axis=1) + 80.0
    feet = z - 0.2
    z[rng.random(z.shape) < 0.03] = np.nan
    feet[rng.random(z.shape) < 0.05] = np.nan
    return HeightField(z, *cells, 1000.0, -500.0), feet


def some_targets(field: HeightField, seed: int, count: int, up_m: float = 6.0) -> FaceTargets:
    """Walls of any bearing, roofs of any slope, and edges, over the field and beside it."""
    rng = np.random.default_rng(seed)
    x, y = field.centres()
    places = rng.uniform((x[0] - 3, y[-1] - 3), (x[-1] + 3, y[0] + 3), (count, 2))
    points = np.column_stack([places, 80.0 + rng.uniform(-1.0, up_m, count)])
    around, up = rng.uniform(0, 2 * np.pi, count), rng.choice([0.0, 0.0, 0.3, 1.0], count)
    around[: count // 4] = rng.integers(0, 4, count // 4) * np.pi / 2
    flat = np.sqrt(1.0 - up**2)
    normals = np.column_stack([flat * np.cos(around), flat * np.sin(around), up])
    along = np.column_stack([-np.sin(around), np.cos(around), np.zeros(count)])
    across = np.cross(normals, along)
    outlines: list[NDArray[np.float64] | None] = []
    sides = rng.uniform(0.5, 4.0, count)
    round_about = rng.random(count) < 0.2
    for k in range(count):
        turns = np.arange(rng.integers(3, 7))[:, None] * 2 * np.pi / 5
        shape = sides[k] / 2 * (np.cos(turns) * along[k] + np.sin(turns) * across[k])
        outlines.append(None if round_about[k] else points[k] + shape)
    normals[round_about] = 0.0
    areas = np.where(round_about, 0.0, sides**2)
    return FaceTargets(points, normals, points[:, 2] - 80.0, areas, *padded(outlines))


def one_by_one(field: HeightField, feet: NDArray[np.float64], targets: FaceTargets, reach: float) -> Exposed:
    """The plain sum: whom each target sees, its front, and the closed forms, for all cells at once."""
    sweep, out = SightSweep(field, feet, bend=1e-6), Exposed.nothing(field.shape)
    x, y = field.centres()
    eyes = np.stack([*np.meshgrid(x, y), feet + EYE_M], axis=2)
    for k in range(len(targets)):
        off = eyes - targets.points[k]
        least = sweep.lowest_seen(tuple(map(float, targets.points[k])), reach)
        before = off @ targets.normals[k]
        seen = (least <= np.float32(EYE_M)) & ((before > 0) | (not targets.normals[k].any()))
        out.count[seen] += 1
        out.lowest[seen] = np.minimum(out.lowest[seen], np.float32(targets.marks[k]))
        distance2 = np.maximum((off**2).sum(axis=2), 1e-6)
        fills = targets.areas[k] * np.maximum(before, 0) / distance2**1.5
        outline = targets.outlines[k, : targets.corners[k]]
        if len(outline):
            near = seen & (distance2 < NEAR_CELLS**2 * targets.areas[k])
            fills[near] = [outlined(outline - eye) for eye in eyes[near]]
        out.solid_angle[seen] += np.minimum(fills[seen], 2 * np.pi)
    return out


def outlined(rays: NDArray[np.float64]) -> float:
    """Solid angle of a polygon from its corners (k, 3), by the dihedral angles of van Oosterom and Strackee."""
    rays = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    total = 0.0
    for k in range(1, len(rays) - 1):
        a, b, c = rays[0], rays[k], rays[k + 1]
        total += 2 * math.atan2(np.linalg.det([a, b, c]), 1 + a @ b + b @ c + c @ a)
    return abs(total)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 60), st.integers(1, 60), st.sampled_from([12.0, math.inf]))
def test_numba_adds_up_one_after_the_other(seed: int, rows: int, cols: int, reach: float) -> None:
    field, feet = rough(seed, rows, cols)
    targets = some_targets(field, seed, 12)
    known = one_by_one(field, feet, targets, reach)
    found = SightSweep(field, feet, bend=1e-6, threads=2).expose(targets, EYE_M, reach)
    # A cell in the plane of a face is before it or not, by a rounding error.
    alike = found.count == known.count
    assert alike.mean() >= EXPOSED_ALIKE_SHARE
    assert np.array_equal(found.lowest[alike], known.lowest[alike])
    assert np.abs(found.solid_angle - known.solid_angle)[alike].max() <= EXPOSED_SR


def check_same(found: Exposed, known: Exposed) -> None:
    alike = found.count == known.count
    assert alike.mean() >= EXPOSED_ALIKE_SHARE
    assert (found.lowest == known.lowest)[alike].mean() >= 0.99
    off = np.abs(found.solid_angle - known.solid_angle)[alike]
    assert (off <= EXPOSED_GPU_SR + EXPOSED_GPU_SHARE * known.solid_angle[alike]).mean() >= 0.99, np.sort(
        off
    )[-20:]
    total = known.solid_angle.sum()
    assert abs(found.solid_angle.sum() - total) <= 5e-3 * total + 1e-6


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**31), st.integers(20, 70), st.integers(20, 70), st.sampled_from([12.0, math.inf]))
def test_the_gpu_adds_up_as_numba(gpu_device: Device, seed: int, rows: int, cols: int, reach: float) -> None:
    field, feet = rough(seed, rows, cols)
    targets = some_targets(field, seed, 15)
    sweep = GpuSight(field, feet, gpu_device, bend=1e-6)
    found = sweep.expose(targets, EYE_M, reach)
    sweep.close()
    check_same(found, SightSweep(field, feet, bend=1e-6).expose(targets, EYE_M, reach))


def on_numba(field: HeightField, feet: NDArray[np.float64], device: Device) -> SightSweep:
    return SightSweep(field, feet, threads=2)


def on_the_gpu(field: HeightField, feet: NDArray[np.float64], device: Device) -> SightSweep:
    return GpuSight(field, feet, device)


@pytest.mark.parametrize("make", [on_numba, on_the_gpu])
def test_parts_add_up_to_the_whole(
    make: Callable[..., SightSweep], gpu_device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    field, feet = rough(3, 50, 41)
    targets = some_targets(field, 4, 30)
    sweep = make(field, feet, gpu_device)
    whole = sweep.expose(targets, EYE_M)
    order = np.random.default_rng(5).permutation(len(targets))
    parts = [sweep.expose(targets[order[a:b]], EYE_M) for a, b in ((0, 1), (1, 12), (12, 12), (12, 30))]
    sweep.close()
    monkeypatch.setattr(gpu_sight, "TOGETHER", 7)
    monkeypatch.setattr(gpu_sight, "STEPS", 1)
    other = make(field, feet, gpu_device)
    again = other.expose(targets, EYE_M)
    other.close()
    assert whole.count.max() > 5
    added = [
        Exposed(
            sum((part.count for part in parts), np.zeros_like(whole.count)),
            np.minimum.reduce([part.lowest for part in parts]),
            sum((part.solid_angle for part in parts), np.zeros(field.shape)),
        ),
        again,
    ]
    for each in added:
        for name in ("count", "lowest", "solid_angle"):
            assert getattr(each, name).tobytes() == getattr(whole, name).tobytes(), name


@pytest.mark.parametrize("make", [on_numba, on_the_gpu])
@pytest.mark.parametrize("shape", [(40, 33), (1, 50), (50, 1)])
def test_targets_are_asked_over_fields_of_their_own(
    make: Callable[..., SightSweep], gpu_device: Device, shape: tuple[int, int]
) -> None:
    """As over fields that are made so; the feet stay, and the field is itself again afterwards."""
    field, feet = rough(8, *shape)
    some = replace(some_targets(field, 9, 24), patch=np.repeat([-1, 1, 0], 8))
    high = np.full((max(1, shape[0] // 3), max(1, shape[1] // 3)), 84.0)
    high[:, -1] = np.nan
    patches = [Patch(shape[0] // 2, shape[1] // 2, high), Patch(0, 0, high - 9.0)]
    sweep = make(field, feet, gpu_device)
    before = sweep.expose(replace(some, patch=None), EYE_M)
    found = sweep.expose(some, EYE_M, patches=patches)
    assert (
        sweep.expose(replace(some, patch=None), EYE_M).solid_angle.tobytes() == before.solid_angle.tobytes()
    )
    sweep.close()
    alone = []
    for number in (-1, 0, 1):
        z = field.heights.copy()
        if number >= 0:
            z[patches[number].within(shape)] = patches[number].heights
        other = make(replace(field, heights=z), feet, gpu_device)
        alone.append(other.expose(replace(some[np.flatnonzero(some.patch == number)], patch=None), EYE_M))
        other.close()
    count = sum(each.count for each in alone)
    assert (found.count == count).mean() >= EXPOSED_ALIKE_SHARE
    assert np.abs(found.solid_angle - sum(each.solid_angle for each in alone)).mean() <= EXPOSED_SR
    assert min(shape) == 1 or (found.count != before.count).mean() > 0.02
    # Where the feet are the field, they stay too.
    bare, stated = make(field, None, gpu_device), make(field, field.heights, gpu_device)
    one, other = (sweep.expose(some, EYE_M, patches=patches).count for sweep in (bare, stated))
    assert (one == other).all() and (one[~np.isfinite(field.heights)] == 0).all()
    bare.close()
    stated.close()


@pytest.mark.parametrize("make", [on_numba, on_the_gpu])
@pytest.mark.parametrize(("reach", "seen"), [(0.9, 0), (1.1, 1), (4.2, 4)])
def test_a_reach_of_less_than_a_cell(
    make: Callable[..., SightSweep], gpu_device: Device, reach: float, seen: int
) -> None:
    """Cells of 4 m; the target stands 1 m beside the middle of one: the eye over it counts as any other."""
    field = HeightField(np.zeros((5, 7)), 4.0, 4.0, 0.0, 0.0)
    target = FaceTargets(
        np.array([[13.0, -8.0, 9.0]]),
        np.zeros((1, 3)),
        np.array([9.0]),
        np.zeros(1),
        np.zeros((1, 0, 3)),
        np.zeros(1, np.int32),
    )
    sweep = make(field, None, gpu_device)
    x, y = field.centres()
    away = np.hypot(x[None, :] - 13.0, y[:, None] + 8.0)
    assert (sweep.expose(target, EYE_M, reach).count == (away <= reach)).all()
    assert (away <= reach).sum() == seen
    sweep.close()


@pytest.mark.parametrize("make", [on_numba, on_the_gpu])
def test_what_fills_the_view_many_times_over_does_not_run_over(
    make: Callable[..., SightSweep], gpu_device: Device
) -> None:
    """3,000 walls a hand before an eye, each nearly a half space: 2^32 units are 0.004 sr."""
    field = HeightField(np.zeros((3, 4)), 1.0, 1.0, 0.0, 0.0)
    count = 3000
    points = np.tile([1.0, -1.02, 1.6], (count, 1))
    square = np.array([[-50.0, 0, -50], [50, 0, -50], [50, 0, 50], [-50, 0, 50]])
    targets = FaceTargets(
        points, np.tile([0.0, 1.0, 0.0], (count, 1)), np.linspace(-2.0, 5.0, count), np.full(count, 1e4),
        points[:, None] + square, np.full(count, 4),
    )  # fmt: skip
    sweep = make(field, np.zeros(field.shape), gpu_device)
    found = sweep.expose(targets, EYE_M)
    sweep.close()
    assert found.count.max() == count and (found.count[2] == 0).all()
    assert found.lowest[1, 1] == -2.0 and np.isinf(found.lowest[2]).all()
    # A square of 100 m from 0.02 m, and its neighbour from 1.02 m.
    for cell, off in (((1, 1), 0.02), ((0, 1), 1.02)):
        alone = 4 * math.asin(1e4 / (1e4 + 4 * off**2))
        assert found.solid_angle[cell] == pytest.approx(count * alone, rel=1e-3)


def test_a_study_on_the_gpu_is_that_of_numba(gpu_device: Device) -> None:
    """Two buildings in a field that is larger than the cells asked, further cells inside buildings."""
    scene = scene_of(
        flat(150.0), (box("a", (20, 30), (20, 12, 15), 30.0), box("b", (-40, -10), (15, 30, 25)))
    )
    grid = Grid(FRAME, -80.0, 90.0, 2.0, 85, 70)
    targets = targets_of(scene, ["a", "b"], 5.0, choose_device("cpu"))
    asked = ExposureSettings(engine="heightfield", max_distance_m=100.0)
    ours, known = (
        exposure(scene, targets, grid, asked, (device, 2)).rasters
        for device in (gpu_device, choose_device("cpu"))
    )
    here = np.isfinite(known["targets_seen"].values)
    assert (np.isfinite(ours["targets_seen"].values) == here).all() and not here.all()
    alike = ours["targets_seen"].values == known["targets_seen"].values
    assert alike[here].mean() >= EXPOSED_ALIKE_SHARE
    angle, other = ours["solid_angle"].values[alike], known["solid_angle"].values[alike]
    assert np.allclose(angle, other, rtol=EXPOSED_GPU_SHARE, atol=EXPOSED_GPU_SR) and other.max() > 0.5
    both = np.isfinite(known["lowest_seen"].values) & alike
    assert (ours["lowest_seen"].values == known["lowest_seen"].values)[both].mean() >= 0.99


@pytest.mark.parametrize("turn", range(0, 360, 15))
@pytest.mark.parametrize("sign", [1, -1])
def test_rays_before_a_face(turn: int, sign: int) -> None:
    """Every ray that meets what lies before it, and no more than a few behind it."""
    normal = np.array([math.cos(math.radians(turn)), math.sin(math.radians(turn)), 0.0])
    before = rising(normal, 0.5, 0.8)
    assert before is not None
    slopes = -1.001 + 0.01 * np.arange(201)
    begin, end = rays_before((-1.001, 0.01, 201), sign, before)
    ahead = np.flatnonzero(sign * before[0] + slopes * before[1] > 1e-9)
    assert 0 <= begin <= end <= 201 and end - begin <= len(ahead) + 5
    assert not len(ahead) or (begin <= ahead[0] and ahead[-1] < end)
    assert rays_before((-1.0, 0.01, 201), sign, None) == (0, 201)
    assert rising(np.array([0.0, 0.6, 0.8]), 1.0, 1.0) is None and rising(np.zeros(3), 1.0, 1.0) is None


def test_a_lost_device_is_opened_again(gpu_device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    field, feet = rough(1, 30, 30)
    targets = some_targets(field, 2, 9)
    sweep = GpuSight(field, feet, gpu_device)
    want = sweep.expose(targets, EYE_M)
    run, lost = Gpu.run, []

    def once(self: Gpu, *args: object) -> None:
        if len(lost) < 3:
            lost.append(True)
        if len(lost) == 2:
            lost.append(True)
            raise GpuLostError("unplugged")
        run(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Gpu, "run", once)
    found = sweep.expose(targets, EYE_M)
    sweep.close()
    assert len(lost) == 3 and found.solid_angle.tobytes() == want.solid_angle.tobytes()


def test_what_cannot_be_is_refused() -> None:
    field, feet = rough(1, 4, 5)
    targets = some_targets(field, 2, 3)
    with pytest.raises(InputError, match="eyes are a number"):
        SightSweep(field, feet).expose(targets, -1.0)
    with pytest.raises(InputError, match="farthest target"):
        SightSweep(field, feet).expose(targets, EYE_M, 0.0)
    with pytest.raises(InputError, match="marks of 3 targets"):
        FaceTargets(targets.points, targets.normals, targets.marks[:2], targets.areas, targets.outlines,
                    targets.corners)  # fmt: skip
    with pytest.raises(InputError, match="outlines hold"):
        FaceTargets(targets.points, targets.normals, targets.marks, targets.areas, targets.outlines,
                    targets.corners + 9)  # fmt: skip
    patch = Patch(3, 0, np.zeros((2, 2)))
    with pytest.raises(InputError, match="leaves a field"):
        SightSweep(field, feet).expose(targets, EYE_M, patches=[patch])
    with pytest.raises(InputError, match="patch 0 of 0"):
        SightSweep(field, feet).expose(replace(targets, patch=np.zeros(3)), EYE_M)
    none = SightSweep(field, feet).expose(targets[:0], EYE_M)
    assert none.count.max() == 0 and np.isinf(none.lowest).all()
