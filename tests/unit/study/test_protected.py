"""Protected views, lines of sight and skylines over flat ground: closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from tests.study_worlds import FRAME, box, flat, local_grid, scene_of
from twin.earth import EARTH_RADIUS_M
from twin.errors import InputError
from twin.study.occluders import face_table
from twin.study.protected import ProtectedView, clearances
from twin.study.sightline import sightlines
from twin.study.skyline import sky_taken, skyline
from twin.visibility.caster import choose_device

CPU = (choose_device("cpu"), 1)
EYE = (0.0, 0.0, 1.6)
VIEW = ProtectedView(EYE, (-50.0, 500.0, 51.6), (50.0, 500.0, 51.6), curvature=False)


def test_the_plane_rises_by_its_share():
    found = VIEW.limit(np.array([[0.0, 100.0], [0.0, 500.0], [-20.0, 250.0]]))
    assert found == pytest.approx([11.6, 51.6, 26.6])
    grid = local_grid(300.0, 2.0)
    raster = VIEW.raster(grid)
    centres = grid.centres()
    inside = np.isfinite(raster.values.ravel())
    assert (
        np.abs(centres[inside, 0]) <= centres[inside, 1] / 10
    ).all() and inside.sum() * 4 == pytest.approx(9000, rel=0.02)


@pytest.mark.parametrize("turn", [0.0, 37.0, 200.0])
def test_a_turned_view_is_the_same(turn):
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    way = np.array([[c, s], [-s, c]])
    left, right = (np.array([x, 500.0]) @ way for x in (-50.0, 50.0))
    view = ProtectedView(EYE, (*left, 51.6), (*right, 41.6), curvature=False)
    assert view.limit(np.array([[0.0, 250.0]]) @ way)[0] == pytest.approx(24.1)


def test_curvature_lifts_the_plane_between_its_ends():
    """A plane of bent sight lines: at the half its height is the mean less (D/2)^2 (1 - k) / (2 R)."""
    view = ProtectedView((0, 0, 0), (-50.0, 5000.0, 100.0), (50.0, 5000.0, 100.0))
    found = float(view.limit(np.array([[0.0, 2500.0]]))[0])
    assert found == pytest.approx(50.0 - 0.87 * 2500.0**2 / (2 * EARTH_RADIUS_M), abs=1e-3)


@pytest.mark.parametrize(("height", "said"), [(9.0, "met"), (12.0, "not met"), (10.55, "too close to call")])
def test_a_building_keeps_below_or_breaks_through(height, said):
    """Its near side stands at 90 m, where the plane is 10.6 m high."""
    scene = scene_of(
        flat(800.0), (box("b", (0, 100), (300, 20, height)), box("beside", (200, 100), (10, 10, 50)))
    )
    (one,) = clearances(VIEW, face_table(scene), "buildings")
    assert one.id == "b" and one.clearance_m == pytest.approx(10.6 - height, abs=1e-6)
    assert one.place[1] == pytest.approx(90.0) and abs(one.place[0]) <= 9.0 + 1e-9
    assert one.verdict(0.1) == said


def test_a_view_that_is_none():
    with pytest.raises(InputError, match="left end"):
        ProtectedView(EYE, (50.0, 500.0, 51.6), (-50.0, 500.0, 51.6))
    with pytest.raises(InputError, match="at least 1 m"):
        ProtectedView(EYE, (0.0, 0.1, 51.6), (50.0, 500.0, 51.6))


def test_case_16_as_lines_of_sight():
    """A wall of 10 m at 100 m hides what stands lower than 1.6 + 0.084 d."""
    scene = scene_of(flat(800.0), (box("wall", (0, 100.1), (400, 0.2, 10)),))
    for d in (150.0, 200.0, 400.0):
        least = 1.6 + 0.084 * d
        ends = [(np.array(EYE), np.array([0.0, d, least + off])) for off in (-0.05, 0.05)]
        low, high = sightlines(scene, ends, None, True, CPU)
        assert not low.visible and high.visible and low.obstacle == "wall" and low.layer == "buildings"
        assert low.at_m == pytest.approx(100.0, abs=0.01) and high.obstacle == ""
        assert low.clearance_m < 0 and low.distance[-1] == pytest.approx(d)
        assert low.ground == pytest.approx(0.0, abs=1e-6)
    with pytest.raises(InputError, match="metre apart"):
        sightlines(scene, [(np.array(EYE), np.array(EYE))], None, True, CPU)


def test_the_earths_curve_hides():
    """Over 10 km, k = 0: the ground at the end lies 7.848 m lower than its horizon at the eye."""
    scene = scene_of(flat(8000.0), ())
    eye = np.array([-6000.0, 0.0, 1.6])
    ends = [(eye, np.array([4000.0, 0.0, 1.0]))]
    straight, bent = (sightlines(scene, ends, k, True, CPU, 50.0)[0] for k in (None, 0.0))
    assert straight.visible and not bent.visible and bent.layer == "terrain"


@pytest.mark.parametrize("turn", [0.0, 63.0])
def test_the_skyline_of_a_box(turn):
    """A box face-on: its top at atan((30 - 1.6) / d) in the middle, lower towards its sides."""
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    at = np.array([0.0, 110.0]) @ np.array([[c, s], [-s, c]])
    scene = scene_of(flat(2000.0), (box("b", (float(at[0]), float(at[1])), (20, 20, 30), turn_deg=turn),))
    empty = scene_of(flat(2000.0), ())
    true = FRAME.azimuth_true(-turn % 360.0)
    sector = (true - 10.0, true + 10.0, 0.5)
    now, before = (skyline(one, np.array(EYE), sector, None) for one in (scene, empty))
    assert now.altitude_deg[20] == pytest.approx(np.degrees(np.arctan(28.4 / 100.0)), abs=1e-6)
    assert now.objects[20] == "b" and now.distance_m[20] == pytest.approx(100.0, abs=1e-6)
    half = np.degrees(np.arctan(0.1))
    beside = np.abs(np.arange(-20, 21) * 0.5) > half + 0.01
    assert (now.altitude_deg[beside] == before.altitude_deg[beside]).all()
    within = np.abs(np.radians(np.arange(-20, 21) * 0.5))[~beside]
    assert now.altitude_deg[~beside] == pytest.approx(np.degrees(np.arctan(0.284 * np.cos(within))), abs=1e-6)
    new, old = np.arctan(0.284 * np.cos(within)), np.radians(before.altitude_deg[~beside])
    taken = sky_taken(before, now)
    assert taken > 0 and taken == pytest.approx(np.radians(0.5) * (np.sin(new) - np.sin(old)).sum(), rel=1e-9)


def test_a_whole_circle_has_each_direction_once():
    ring = [
        box(str(k), (100 * np.sin(a), 100 * np.cos(a)), (400, 1, 20), turn_deg=-np.degrees(a))
        for k, a in enumerate(np.arange(4) * np.pi / 2)
    ]
    found = skyline(scene_of(flat(500.0), tuple(ring)), np.array(EYE), (0.0, 360.0, 1.0), None)
    assert len(found.altitude_deg) == 360 and found.altitude_deg.min() > np.degrees(np.arctan(18.4 / 150.0))
    assert set(found.objects) == {"0", "1", "2", "3"}
