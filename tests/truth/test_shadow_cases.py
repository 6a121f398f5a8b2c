"""Shadows and sight lines against closed forms, through the study and its engine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pyproj import CRS, Geod, Proj, Transformer

from tests.study_worlds import FRAME, box, flat, local_grid, scene_of, sun_at, terrain_of
from tests.tolerances import LIFT_M, SHADOW_AREA_SHARE, SHADOW_TIP_M
from twin.earth import EARTH_RADIUS_M
from twin.frame import Frame
from twin.model.raster import Grid
from twin.model.results import SunInstant
from twin.model.scene import Scene
from twin.region import Region
from twin.study.occluders import face_table
from twin.study.readers import lit
from twin.study.receptors import Receptors, ground_receptors
from twin.study.sight import curvature_drop
from twin.study.sunlight import sunlight
from twin.study.suns import Day, SunlightSettings
from twin.study.viewshed import ViewshedSettings, viewshed
from twin.sun.position import sun_direction_local, sun_instants, sun_positions
from twin.visibility.caster import Caster, choose_device, make_caster

DEVICE = choose_device("cpu")


@contextmanager
def casting(scene: Scene) -> Iterator[Caster]:
    caster = make_caster(face_table(scene).triangles(), DEVICE, 1)
    try:
        yield caster
    finally:
        caster.close()


def shaded(scene: Scene, points: np.ndarray, sun: SunInstant) -> np.ndarray:
    """Which local points (n, 2), on level ground at height 0, lie in shadow."""
    with casting(scene) as caster:
        return ~lit(caster, np.column_stack([points, np.full(len(points), 0.005)]), sun)


def shadow_area(scene: Scene, grid: Grid, sun: SunInstant) -> float:
    """Area of the shadow on the ground outside of buildings [m2]."""
    receptors: Receptors = ground_receptors(face_table(scene), grid)
    with casting(scene) as caster:
        return float((~lit(caster, receptors.xyz, sun)).sum()) * grid.cell_size**2


@pytest.mark.parametrize("turn", [0.0, 33.0])
@pytest.mark.parametrize(
    ("azimuth", "altitude", "area"),
    [
        (180.0, 45.0, 400.0),
        (90.0, 30.0, 692.8),
        (0.0, 15.0, 1492.8),
        (180.0, 10.0, 2268.5),
        (165.4484, 38.8226, 606.0),
    ],
)
def test_shadow_of_a_box(azimuth: float, altitude: float, area: float, turn: float) -> None:
    """L w (|sin az| + |cos az|) with L = H / tan(altitude), for H = w = 20; box and sun turned together."""
    scene = scene_of(flat(400.0), (box("b", (7.3, -4.1), (20, 20, 20), -turn),))
    measured = shadow_area(scene, local_grid(150.0, 0.25), sun_at(azimuth + turn, altitude))
    assert measured == pytest.approx(area, rel=SHADOW_AREA_SHARE)


def test_endless_wall_at_the_equinox() -> None:
    """The profile angle is 90 - latitude all day: dark to 1.2174 H north of the wall, lit beyond."""
    height, latitude = 10.0, np.radians(50.6)
    scene = scene_of(flat(8100.0), (box("wall", (0, -0.5), (16_000, 1, height)),))
    reach = 1.2174 * height
    x = np.linspace(-5.0, 5.0, 11)
    near = np.column_stack([x, np.full(11, reach - 0.03)])
    far = np.column_stack([x, np.full(11, reach + 0.03)])
    for hour in np.radians(np.arange(-85.0, 86.0, 5.0)):
        altitude = np.arcsin(np.cos(latitude) * np.cos(hour))
        azimuth = np.pi + np.arctan2(np.sin(hour), np.cos(hour) * np.sin(latitude))
        sun = sun_at(float(np.degrees(azimuth)), float(np.degrees(altitude)))
        assert shaded(scene, near, sun).all()
        assert not shaded(scene, far, sun).any()


@pytest.mark.parametrize("date", [dt.date(2026, 3, 21), dt.date(2026, 6, 21), dt.date(2026, 12, 21)])
def test_day_length_on_bare_ground(date: dt.date) -> None:
    """(2 / 15) acos(-tan lat tan dec), with the declination of solar noon."""
    settings = SunlightSettings((Day(date, 2.0),), "Europe/Brussels")
    result = sunlight(scene_of(flat(100.0)), local_grid(20.0, 5.0), settings, DEVICE)
    hours = result.hours[date.isoformat()].values
    noon = dt.datetime.combine(date, dt.time(11, 40), dt.UTC).timestamp()
    place = sun_positions(_place(), [noon])
    declination = np.radians(place.altitude_deg[0] - 90.0 + FRAME.latitude_deg)
    latitude = np.radians(FRAME.latitude_deg)
    expected = 2 / 15 * np.degrees(np.arccos(-np.tan(latitude) * np.tan(declination)))
    assert np.ptp(hours) == 0.0
    # One interval, and the declination that moves through the day (0.4 degree at the equinox).
    assert float(hours[0, 0]) == pytest.approx(expected, abs=2 / 60 + 0.03)


def _place():
    from twin.sun.position import Place

    return Place.of(FRAME)


def test_turning_the_world_and_the_sun_keeps_the_shadow() -> None:
    areas = []
    for turn in (0.0, 17.0, 45.0, 90.0, 201.0):
        angle = np.radians(turn)
        place = (30 * np.cos(angle) + 12 * np.sin(angle), -30 * np.sin(angle) + 12 * np.cos(angle))
        scene = scene_of(flat(400.0), (box("b", place, (24, 11, 17), -turn),))
        areas.append(shadow_area(scene, local_grid(120.0, 0.25), sun_at(140.0 + turn, 22.0)))
    assert max(areas) - min(areas) <= SHADOW_AREA_SHARE * areas[0]


def test_moving_the_world_changes_no_bit() -> None:
    """A site 230 km east and 144 km north of another: the same local coordinates, the same shadow."""
    results = []
    for shift in ((0, 0), (230_000, 144_000)):
        frame = Frame(CRS.from_epsg(32631), "unknown", (400_000 + shift[0], 5_500_000 + shift[1]))
        corner = np.array([[400_012.25 + shift[0], 5_500_031.5 + shift[1]]])
        x, y = frame.to_local(corner)[0]
        scene = scene_of(flat(300.0, frame=frame), (box("b", (x, y), (20, 30, 25), 20.0, frame=frame),))
        grid = Grid.over(frame, Region(-80, -80, 80, 80), 0.5)
        receptors = ground_receptors(face_table(scene), grid)
        with casting(scene) as caster:
            results.append(receptors.raster(lit(caster, receptors.xyz, sun_at(160.0, 25.0))).values)
    assert results[0].tobytes() == results[1].tobytes()
    assert (results[0] == 0).any()


# The same earth in three map projections.

BASE = (5.50, 50.61)
HEIGHT_M = 40.0
INSTANT = dt.datetime(2026, 3, 21, 8, 0, tzinfo=dt.UTC)
CODES = (31370, 3812, 32631)


def _corner_and_tip(code: int, base_world: tuple[float, float]) -> tuple[Frame, np.ndarray, np.ndarray]:
    """Foot of a vertical edge and the end of its shadow, world space, as the engine's sun throws it."""
    frame = Frame(CRS.from_epsg(code), "unknown", tuple(int(v // 100) * 100 for v in base_world))
    (sun,) = sun_instants(frame, [INSTANT])
    direction = sun_direction_local(sun)
    foot = frame.to_local(np.array([base_world]))[0]
    tip = foot - direction[:2] / direction[2] * HEIGHT_M
    # A square tower whose corner away from the sun stands on the foot: its shadow ends at the tip.
    away = -direction[:2] / np.linalg.norm(direction[:2])
    turn = np.degrees(np.arctan2(away[1], away[0])) - 45.0
    centre = foot - away * 10 * np.sqrt(2)
    tower = box("t", (centre[0], centre[1]), (20, 20, HEIGHT_M), float(turn), frame=frame)
    scene = scene_of(flat(600.0, frame=frame), (tower,))
    probe = np.array([tip - 0.06 * away, tip + 0.02 * away])
    assert shaded(scene, probe, sun).tolist() == [True, False]
    return frame, foot, frame.to_world(tip[None])[0]


@pytest.mark.parametrize("code", CODES)
def test_shadow_tip_on_the_ellipsoid(code: int) -> None:
    """Each projection gives the geodesic from the foot with the true azimuth back, on its own ellipsoid."""
    crs = CRS.from_epsg(code)
    projection = Proj(crs)
    base_world = projection(*BASE)
    frame, _, tip = _corner_and_tip(code, base_world)
    (sun,) = sun_instants(frame, [INSTANT])
    geodesic = Geod(a=crs.ellipsoid.semi_major_metre, rf=crs.ellipsoid.inverse_flattening)
    longitude, latitude = projection(*tip, inverse=True)
    azimuth, _, distance = geodesic.inv(*BASE, longitude, latitude)
    length = HEIGHT_M / np.tan(np.radians(sun.altitude_deg))
    assert 80 < length < 150
    aside = np.radians((azimuth - (sun.azimuth_true_deg + 180) + 180) % 360 - 180) * length
    assert np.hypot(aside, distance - length) <= SHADOW_TIP_M
    # Without convergence the tip would lie elsewhere: the test would see it.
    assert abs(np.radians(frame.convergence_deg) * length) > 10 * SHADOW_TIP_M


def test_shadow_tip_through_the_belgian_grid(test_data: Path) -> None:
    """The same tower in Lambert 72 and in Lambert 2008, its tips brought together by the national grid."""
    grid = test_data / "crs_grids" / "be_ign" / "be_ign_bd72lb72_etrs89lb08.tif"
    if not grid.is_file():
        pytest.skip("TWIN_TEST_DATA holds no Belgian grid")
    old, new = Proj(CRS.from_epsg(31370)), Proj(CRS.from_epsg(3812))
    shift = Transformer.from_pipeline(
        f"+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad "
        f"+step +proj=hgridshift +grids={grid} +step +proj=unitconvert +xy_in=rad +xy_out=deg"
    )

    def across(world: np.ndarray) -> np.ndarray:
        degrees = shift.transform(*old(*world, inverse=True))
        return np.array(new(*degrees))

    base_72 = np.array(old(*BASE))
    base_08 = across(base_72)
    # A datum shift of some 100 m stands between the two: the grid was really used.
    assert np.hypot(*(np.array(new(*BASE)) - base_08)) > 50
    tip_72 = _corner_and_tip(31370, tuple(base_72))[2]
    tip_08 = _corner_and_tip(3812, tuple(base_08))[2]
    assert np.hypot(*(across(tip_72) - tip_08)) <= SHADOW_TIP_M


# Sight.


def _row(scene: Scene, settings: ViewshedSettings, start: float, count: int, cell: float) -> np.ndarray:
    """Visibility of the cells along the x axis from ``start``."""
    grid = Grid(FRAME, start, cell / 2, cell, 1, count)
    return viewshed(scene, grid, settings, DEVICE).visible.values[0]


@pytest.mark.parametrize(("distance", "least"), [(150, 14.2), (200, 18.4), (400, 35.2)])
@pytest.mark.parametrize("bearing", [0.0, 20.0, -31.0])
def test_least_height_seen_over_a_wall(distance: float, least: float, bearing: float) -> None:
    """1.6 + 0.084 d at 100 / cos(bearing) of the wall, for every bearing at the same ratio."""
    scene = scene_of(flat(1000.0), (box("wall", (100.01, 0), (0.02, 900, 10)),))
    turn = np.radians(bearing)
    x = distance * 1.0
    place = np.array([x, x * np.tan(turn)])
    grid = Grid(FRAME, place[0] - 0.5, place[1] + 0.5, 1.0, 1, 1)
    base = ViewshedSettings((0.0, 0.0, 1.6), curvature=False)
    seen = [
        viewshed(scene, grid, replace(base, target_height_m=least + step), DEVICE).visible.values[0, 0]
        for step in (-0.02, 0.02)
    ]
    assert seen == [0.0, 1.0]


def test_ground_hidden_behind_a_wall() -> None:
    """Eye at 20 m, wall of 10 m at 100 m: ground hidden from 101 m to 199 m; 200 m is grazing and visible."""
    scene = scene_of(flat(1000.0), (box("wall", (100.0, 0), (0.02, 900, 10)),))
    settings = ViewshedSettings((0.0, 0.0, 20.0), curvature=False)
    visible = _row(scene, settings, 0.5, 300, 1.0)
    hidden = np.flatnonzero(visible == 0) + 1
    # The wall of 2 cm moves its shadow's end by as much: 200 m lies within it.
    assert hidden[0] in (100, 101)
    assert hidden[-1] in (199, 200)
    assert len(hidden) == hidden[-1] - hidden[0] + 1


@pytest.mark.parametrize(
    ("distance_m", "drops"),
    [
        (1000, (0.0785, 0.0673, 0.0683)),
        (2828, (0.6277, 0.5380, 0.5461)),
        (5000, (1.962, 1.682, 1.707)),
        (10_000, (7.848, 6.727, 6.828)),
        (30_000, (70.63, 60.54, 61.45)),
    ],
)
def test_curvature_drop(distance_m: float, drops: tuple[float, float, float]) -> None:
    for k, drop in zip((0.0, 1 / 7, 0.13), drops, strict=True):
        # Half of the last printed digit.
        digit = 5e-5 if drop < 1 else (5e-4 if drop < 10 else 5e-3)
        assert curvature_drop(np.array([distance_m]), k)[0] == pytest.approx(drop, abs=1.01 * digit)


@pytest.mark.parametrize(("k", "published_m"), [(0.0, 4515.0), (1 / 7, 4877.0)])
def test_horizon_of_a_flat_sea(k: float, published_m: float) -> None:
    """sqrt(2 R h / (1 - k)) for the eye, and the same for the least height of a target above the water."""
    scene = scene_of(terrain_of(lambda x, y: 0 * x, 6000.0, 300))
    settings = ViewshedSettings((0.0, 0.0, 1.6), max_distance_m=6000.0, refraction_k=k)
    visible = _row(scene, settings, 3900.0, 200, 10.0)
    seen_to = 3900.0 + 10.0 * np.flatnonzero(visible == 1)[-1]
    assert np.sqrt(2 * EARTH_RADIUS_M * 1.6 / (1 - k)) == pytest.approx(published_m, abs=1.0)
    expected = published_m + np.sqrt(2 * EARTH_RADIUS_M * LIFT_M / (1 - k))
    # Sides of 40 m chord the sea by 0.03 mm; 1 mm of the engine's rounding moves the horizon by some 25 m.
    assert seen_to == pytest.approx(expected, abs=60.0)
    assert (visible[: np.flatnonzero(visible == 1)[-1]] == 1).all()
