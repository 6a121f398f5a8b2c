"""Windows upon façades and the hours of rooms with several of them, on turned boxes."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from tests.study_worlds import FRAME, box, flat, scene_of
from twin.model.scene import Scene
from twin.study.suns import Day, SunlightSettings
from twin.study.windows import Opening, place_openings, rooms_sun, window_samples
from twin.sun.dates import day_samples
from twin.sun.position import sun_direction_local
from twin.visibility.caster import choose_device

DEVICE = choose_device("cpu")
DAY = dt.date(2026, 3, 21)
SETTINGS = SunlightSettings((Day(DAY, 10.0),), "Europe/Brussels")


def on_wall(turn_deg: float, side: float, name: str, room: str, height: float = 4.0) -> Opening:
    """A window 0.4 m before the middle of a side of a box of 10 m in the middle, counter-clockwise from its south."""
    angle = np.radians(turn_deg + 90.0 * side - 90.0)
    return Opening(name, room, float(5.4 * np.cos(angle)), float(5.4 * np.sin(angle)), height)


def world(turn_deg: float, *more: object) -> Scene:
    return scene_of(flat(200.0, 7.0), (box("b", (0.0, 0.0), (10.0, 10.0, 10.0), turn_deg, 7.0), *more))  # type: ignore[arg-type]


@pytest.mark.parametrize("turn", [0.0, 27.0])
def test_windows_find_their_facade(turn: float) -> None:
    scene = world(turn)
    asked = [on_wall(turn, side, f"w{side}", "r") for side in range(4)]
    asked += [Opening("far", "r", 30.0, 0.0, 4.0), Opening("high", "r", 0.0, -5.2, 40.0)]
    asked.append(Opening("off", "r", 900.0, 0.0, 4.0))
    placed = place_openings(scene, asked, 1.0)
    for side, found in enumerate(placed[:4]):
        angle = np.radians(turn + 90.0 * side - 90.0)
        assert found.surface is not None and found.point is not None
        assert np.allclose(found.surface.normal, (np.cos(angle), np.sin(angle), 0.0), atol=1e-6)
        assert found.moved_m == pytest.approx(0.4, abs=1e-6) and found.point[2] == pytest.approx(11.0)
    assert [bool(p.reason) for p in placed] == [False] * 4 + [True] * 3
    assert "no façade within 1 m" in placed[4].reason and "outside the terrain" in placed[6].reason


def test_a_height_above_the_datum() -> None:
    opening = Opening("w", "r", 0.0, -5.3, 10.0, above_ground=False)
    (found,) = place_openings(world(0.0), [opening], 1.0)
    assert found.point is not None and np.allclose(found.point, (0.0, -5.0, 10.0))


def test_a_party_wall_has_no_window() -> None:
    scene = world(0.0, box("next", (10.0, 0.0), (10.0, 10.0, 10.0), 0.0, 7.0))
    asked = [on_wall(0.0, 0, "south", "r"), Opening("party", "r", 4.9, 0.0, 4.0)]
    samples, placed = window_samples(scene, place_openings(scene, asked, 0.5), DEVICE)
    assert len(samples) == 1 and "inside another solid" in placed[1].reason and not placed[0].reason


@pytest.mark.parametrize("turn", [0.0, 33.0])
def test_hours_of_a_room_are_the_union(turn: float) -> None:
    scene = world(turn)
    asked = [on_wall(turn, 0, "a", "corner"), on_wall(turn, 1, "b", "corner"), on_wall(turn, 2, "c", "north")]
    samples, placed = window_samples(scene, place_openings(scene, asked, 1.0), DEVICE)
    rooms = [p.opening.room for p in placed]
    found = rooms_sun(scene, samples, rooms, SETTINGS, DEVICE)
    suns = [sun_direction_local(s) for s in day_samples(DAY, 10.0, "Europe/Brussels", FRAME).instants]
    before = np.array([[float(n @ sun) > 1e-9 for sun in suns] for n in samples.normals])
    corner, north = found["corner"][DAY.isoformat()], found["north"][DAY.isoformat()]
    either = before[0] | before[1]
    assert corner.hours == pytest.approx(either.sum() / 6.0)
    assert corner.hours < (before[0].sum() + before[1].sum()) / 6.0, "moments of both count once"
    assert corner.longest == pytest.approx(either.sum() / 6.0), "one after the other without a break"
    assert north.hours == pytest.approx(before[2].sum() / 6.0) and north.least == north.hours


def test_a_break_ends_a_run() -> None:
    """A mast before a south window."""
    scene = world(0.0, box("mast", (0.0, -9.0), (1.0, 1.0, 60.0), 0.0, 7.0))
    samples, placed = window_samples(scene, place_openings(scene, [on_wall(0.0, 0, "a", "r")], 1.0), DEVICE)
    sun = rooms_sun(scene, samples, ["r"], SETTINGS, DEVICE)["r"][DAY.isoformat()]
    assert 0.0 < sun.longest < 0.6 * sun.hours and len(placed) == 1
