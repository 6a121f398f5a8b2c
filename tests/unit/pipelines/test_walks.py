"""Cameras of a walk: even steps at one height, turned along the line, never to north for want of a way."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from pipelines.config_base import AlongSettings
from pipelines.config_views import WalkSettings
from pipelines.pictures import walk_cameras
from tests.study_worlds import FRAME, flat, scene_of
from twin.errors import InputError
from twin.study.camera import Camera

SCENE = scene_of(flat(200.0))
CAMERA = Camera((0.0, 0.0, 1.6), 0.0, 0.0, 60.0, 96, 54)


def walk(*places: tuple[float, float], **more: object) -> list[Camera]:
    world = FRAME.to_world(np.array(places))
    settings = WalkSettings(line=[(float(e), float(n)) for e, n in world], **more)
    return walk_cameras(SCENE, CAMERA, settings, 1.7, "views.toml: view 'v'")


def grid_bearings(cameras: list[Camera]) -> np.ndarray:
    return np.array([FRAME.azimuth_grid(c.bearing_true_deg) for c in cameras]) % 360.0


def test_even_steps_at_one_height() -> None:
    cameras = walk((-50.0, 0.0), (50.0, 0.0), spacing_m=9.0)
    eyes = np.array([c.eye for c in cameras])
    assert len(cameras) == 13 and np.allclose(np.diff(eyes[:, 0]), 100.0 / 12, atol=1e-6)
    assert np.allclose(eyes[:, 2], 1.7) and np.allclose(grid_bearings(cameras), 90.0, atol=1e-3)


def test_it_turns_before_and_after_a_corner() -> None:
    bearings = grid_bearings(walk((-60.0, 0.0), (0.0, 0.0), (0.0, 60.0), spacing_m=5.0))
    assert bearings[0] == pytest.approx(90.0, abs=1e-3) and min(bearings[-1] % 360, 360 - bearings[-1]) < 1e-3
    turn = np.diff((bearings + 180.0) % 360.0)
    assert (turn <= 1e-6).all() and np.abs(turn).max() < 50.0


def test_there_and_back_never_looks_north() -> None:
    bearings = grid_bearings(walk((0.0, 0.0), (40.0, 0.0), (0.0, 0.0), spacing_m=4.0))
    assert set(np.round(bearings)) == {90.0, 270.0}


def test_small_steps_and_a_fixed_way() -> None:
    cameras = walk((0.0, 0.0), (1.0, 0.0), spacing_m=0.2, look="fixed")
    assert len(cameras) == 6 and {c.bearing_true_deg for c in cameras} == {0.0}


def test_off_the_ground() -> None:
    with pytest.raises(InputError, match=r"key 'walk\.line': E .* outside the terrain"):
        walk((0.0, 0.0), (900.0, 0.0))


@pytest.mark.parametrize("kind", [WalkSettings, AlongSettings])
def test_a_line_has_a_length(kind: type) -> None:
    with pytest.raises(ValidationError, match="no length"):
        kind(line=[(5.0, 5.0), (5.0, 5.0)])
