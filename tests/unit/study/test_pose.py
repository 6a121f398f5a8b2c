"""The camera of a photograph from control points, at poses that the solver does not know."""

from __future__ import annotations

import numpy as np
import pytest

from tests.study_worlds import FRAME
from twin.errors import InputError
from twin.study.camera import Camera
from twin.study.pose import solve_pose

SEEDS = range(40)


def street(rng: np.random.Generator) -> np.ndarray:
    """Eight control points: corners of eaves and bases along a street, 12 to 120 m ahead (grid north), local [m]."""
    side = np.array([-9.0, 9.0, -8.0, 8.5, -14.0, 12.0, -7.0, 20.0])
    ahead = np.array([14.0, 18.0, 30.0, 45.0, 60.0, 75.0, 100.0, 120.0])
    up = np.array([0.2, 7.5, 9.0, 0.3, 14.0, 8.0, 0.5, 25.0])
    return np.column_stack([side, ahead, up]) + rng.uniform(-1.0, 1.0, (8, 3)) * [1, 1, 0.1]


def hidden(rng: np.random.Generator) -> Camera:
    eye = tuple(rng.uniform([-2, -3, 1.4], [2, 3, 1.8]))
    bearing = FRAME.azimuth_true(0.0) + rng.uniform(-6, 6)
    return Camera(eye, float(bearing), float(rng.uniform(2, 8)), 65.0, 1920, 1080, float(rng.uniform(-2, 2)))


GUESS = Camera((3.0, -5.0, 2.5), FRAME.azimuth_true(0.0) + 5.0, 0.0, 55.0, 1920, 1080)


def apart(a: float, b: float) -> float:
    return abs((a - b + 180.0) % 360.0 - 180.0)


@pytest.mark.parametrize("known", [False, True])
def test_without_noise_the_pose_is_found(known):
    rng = np.random.default_rng(5)
    truth, points = hidden(rng), street(rng)
    guess = (
        GUESS
        if not known
        else Camera(*[getattr(GUESS, k) for k in ("eye", "bearing_true_deg", "pitch_deg")], 65.0)
    )
    found = solve_pose(points, truth.project(FRAME, points), guess, FRAME, known)
    assert found.camera.eye == pytest.approx(truth.eye, abs=1e-4)
    assert apart(found.camera.bearing_true_deg, truth.bearing_true_deg) < 1e-5
    assert found.camera.roll_deg == pytest.approx(truth.roll_deg, abs=1e-4)
    assert found.camera.hfov_deg == pytest.approx(65.0, abs=1e-4)
    assert found.used.all() and found.rms_px < 1e-3


def test_with_a_pixel_of_noise():
    """Hidden poses, one pixel of noise on either axis, the lens unknown: 0.3 m and 0.05 degrees."""
    off, turn, told, sure = [], [], [], []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        truth, points = hidden(rng), street(rng)
        pixels = truth.project(FRAME, points) + rng.normal(0, 1.0, (8, 2))
        found = solve_pose(points, pixels, GUESS, FRAME)
        off.append(np.linalg.norm(np.subtract(found.camera.eye, truth.eye)))
        turn.append(apart(found.camera.bearing_true_deg, truth.bearing_true_deg))
        told.append(found.position_m)
        sure.append(found.bearing_deg)
    print(
        f"{len(off)} poses: position median {np.median(off):.3f}, worst {max(off):.3f} m; bearing median "
        f"{np.median(turn):.4f}, worst {max(turn):.4f} deg, {np.sum(np.array(turn) <= 0.05)} within 0.05; "
        f"told {np.median(told):.3f} m, {np.median(sure):.4f} deg"
    )
    assert np.quantile(off, 0.95) <= 0.3 and np.quantile(turn, 0.95) <= 0.05
    assert 0.4 < np.median(told) / np.median(off) < 2.5
    # No estimate without bias does better than the standard error that follows from the points (Cramer and Rao).
    assert 0.7 < np.sqrt(np.mean((np.array(turn) / np.array(sure)) ** 2)) < 1.5


@pytest.mark.parametrize("far", [12.0, 40.0, 300.0])
def test_a_false_point_is_caught(far):
    caught = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        truth, points = hidden(rng), street(rng)
        pixels = truth.project(FRAME, points) + rng.normal(0, 0.5, (8, 2))
        false, way = int(rng.integers(8)), rng.uniform(0, 2 * np.pi)
        pixels[false] += far * np.array([np.cos(way), np.sin(way)])
        used = solve_pose(points, pixels, GUESS, FRAME).used
        caught.append((~used).tolist() == [k == false for k in range(8)])
    print(f"{far:g} px: {sum(caught)} of {len(caught)} false points are caught")
    assert np.mean(caught) >= (0.5 if far < 20 else 0.85)


def test_good_points_are_not_called_false():
    kept = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        truth, points = hidden(rng), street(rng)
        pixels = truth.project(FRAME, points) + rng.normal(0, 1.0, (8, 2))
        kept.append(solve_pose(points, pixels, GUESS, FRAME).used.all())
    assert np.mean(kept) >= 0.95


def test_what_cannot_be_solved():
    rng = np.random.default_rng(1)
    truth, points = hidden(rng), street(rng)
    pixels = truth.project(FRAME, points)
    with pytest.raises(InputError, match="at least 5"):
        solve_pose(points[:4], pixels[:4], GUESS, FRAME)
    with pytest.raises(InputError, match="finite"):
        solve_pose(points, pixels * np.nan, GUESS, FRAME)
    with pytest.raises(InputError, match="first guess"):
        solve_pose(points, rng.uniform(0, 1900, (8, 2)), GUESS, FRAME)
