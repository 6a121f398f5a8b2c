"""Energy of a year on open faces against the closed form and pvlib's own model of tilted planes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas
import pvlib
import pytest

from tests.study_worlds import FRAME, box, flat, scene_of
from twin.errors import InputError
from twin.study.irradiation import ALBEDO, LOW_SUN, Diffuse, brightness, irradiation
from twin.study.occluders import face_table
from twin.study.readers import RayReader
from twin.study.sky import sky_of_faces
from twin.sun.position import Place, sun_direction_local
from twin.sun.sky import sky_of
from twin.sun.weather import Weather, clear_sky_year, read_epw
from twin.visibility.caster import choose_device, make_caster


@pytest.fixture(scope="module")
def year() -> Weather:
    return clear_sky_year(2026, FRAME, "Europe/Brussels")


def face_energy(
    year: Weather, normal: np.ndarray, diffuse: Diffuse, things: tuple = (), directions: int = 2000
) -> float:
    """Energy on a face 5 m above level ground, with its own sky."""
    caster = make_caster(face_table(scene_of(flat(500.0), things)).triangles(), choose_device("cpu"))
    points = np.array([[0.0, 0.0, 5.0]])
    sky = sky_of_faces(caster, points, normal[None], sky_of(count=directions))
    reader = RayReader(caster, points, normal[None])
    found = float(irradiation(reader, normal[None], sky, year, diffuse)[0])
    caster.close()
    return found


def pvlib_energy(year: Weather, azimuth: float, tilt: float, model: str) -> dict[str, float]:
    """Sums of pvlib's parts on an open plane [kWh/m2]."""
    zenith = 90.0 - np.array([s.altitude_deg for s in year.suns])
    times = pandas.DatetimeIndex([s.utc for s in year.suns])
    found = pvlib.irradiance.get_total_irradiance(
        tilt,
        azimuth,
        zenith,
        np.array([s.azimuth_true_deg for s in year.suns]),
        year.direct_normal,
        year.global_horizontal,
        year.diffuse_horizontal,
        dni_extra=np.asarray(pvlib.irradiance.get_extra_radiation(times)),
        airmass=pvlib.atmosphere.get_relative_airmass(zenith),
        albedo=ALBEDO,
        model=model,
    )
    return {key: float(np.sum(found[key])) / 1000.0 for key in found}


def normal_of(azimuth: float, tilt: float) -> np.ndarray:
    turn, up = np.radians(FRAME.azimuth_grid(azimuth)), np.radians(tilt)
    return np.array([np.sin(turn) * np.sin(up), np.cos(turn) * np.sin(up), np.cos(up)])


@pytest.fixture(scope="module")
def cloudy() -> Weather:
    """The clear year with two days in three veiled or covered: all classes of clearness."""
    year = clear_sky_year(2026, FRAME, "Europe/Brussels")
    day = np.array([sun.utc.timetuple().tm_yday % 3 for sun in year.suns])
    direct = year.direct_normal * np.choose(day, [1.0, 0.35, 0.0])
    diffuse = year.diffuse_horizontal * np.choose(day, [1.0, 1.8, 1.2])
    height = np.sin(np.radians([sun.altitude_deg for sun in year.suns]))
    return Weather(year.suns, direct, diffuse, direct * height + diffuse, year.step_h, "made up")


def test_a_level_face_has_the_global_radiation(year: Weather) -> None:
    expected = year.global_horizontal.sum() / 1000.0
    assert face_energy(year, np.array([0.0, 0.0, 1.0]), "isotropic") == pytest.approx(expected, rel=1e-3)
    # pvlib's own clear sky of the place adds the parts with the apparent altitude.
    place = Place.of(FRAME)
    hours = pandas.date_range("2026-01-01 00:30", "2026-12-31 23:30", freq="h", tz="UTC")
    own = pvlib.location.Location(place.latitude_deg, place.longitude_deg, altitude=place.altitude_m)
    assert expected == pytest.approx(own.get_clearsky(hours)["ghi"].sum() / 1000.0, rel=0.005)


PLANES = [(180.0, 35.0), (90.0, 90.0), (225.0, 60.0), (0.0, 90.0), (180.0, 90.0), (0.0, 0.0)]


@pytest.mark.parametrize("sky", ["clear", "cloudy"])
@pytest.mark.parametrize("diffuse", ["perez", "isotropic"])
@pytest.mark.parametrize(("azimuth", "tilt"), PLANES)
def test_open_planes_as_pvlib_says(
    year: Weather, cloudy: Weather, azimuth: float, tilt: float, diffuse: Diffuse, sky: str
) -> None:
    weather = cloudy if sky == "cloudy" else year
    expected = pvlib_energy(weather, azimuth, tilt, diffuse)["poa_global"]
    assert face_energy(weather, normal_of(azimuth, tilt), diffuse) == pytest.approx(expected, rel=0.005)


def test_the_two_skies_differ(year: Weather) -> None:
    south, north = normal_of(180.0, 90.0), normal_of(0.0, 90.0)
    assert face_energy(year, south, "perez") > 1.03 * face_energy(year, south, "isotropic")
    assert face_energy(year, north, "perez") != pytest.approx(face_energy(year, north, "isotropic"), rel=0.01)


@pytest.mark.parametrize("turn", [0.0, 37.0])
@pytest.mark.parametrize("angle", [20.0, 45.0])
def test_under_a_long_wall(cloudy: Weather, turn: float, angle: float) -> None:
    """A wall in front up to a profile angle: (1 - sin) / 2 of the sky is left, no horizon, and the suns over it."""
    azimuth = 180.0 + turn
    normal = normal_of(azimuth, 90.0)
    height, away = 5.0 + 20.0 * np.tan(np.radians(angle)), 20.0
    middle = normal[:2] * (away + 2.0)
    turned = float(np.degrees(np.arctan2(normal[1], normal[0]))) - 90.0
    wall = box("w", (float(middle[0]), float(middle[1])), (15_000.0, 4.0, height), turned)
    shape = brightness(cloudy, "perez")
    expected = 0.5 * ALBEDO * cloudy.global_horizontal.sum()
    for k, sun in enumerate(cloudy.suns):
        towards = sun_direction_local(sun)
        ahead = float(towards @ normal)
        lit = ahead > 0 and towards[2] > ahead * np.tan(np.radians(angle))
        around = shape.around_sun[k]
        even = (1.0 - around) * 0.5 * (1.0 - np.sin(np.radians(angle)))
        beam = lit * ahead
        expected += cloudy.direct_normal[k] * beam
        expected += cloudy.diffuse_horizontal[k] * (even + around * beam / max(LOW_SUN, float(towards[2])))
    found = face_energy(cloudy, normal, "perez", (wall,), 8000)
    assert found == pytest.approx(expected / 1000.0, rel=0.01)


def test_a_wall_in_front_takes_all_but_the_ground(year: Weather) -> None:
    south = np.array([0.0, -1.0, 0.0])
    dark = face_energy(year, south, "isotropic", (box("b", (0.0, -6.0), (400.0, 4.0, 300.0)),))
    rest = 0.5 * ALBEDO * year.global_horizontal.sum() / 1000.0
    assert rest <= dark < rest + 0.01 * year.diffuse_horizontal.sum() / 1000.0


def epw(path: Path, latitude: float, longitude: float, hours: int = 8760) -> Path:
    """A synthetic EPW file: 300 W/m2 direct, 100 diffuse, all hours."""
    head = f"LOCATION,Synthetic,-,-,test,000000,{latitude},{longitude},1.0,70.0\n" + "X\n" * 7
    row = ["0"] * 35
    row[13], row[14], row[15] = "250", "300", "100"
    days = (np.datetime64("2025-01-01") + np.arange(hours // 24)).astype(str)
    lines = [
        ",".join([*map(str, map(int, day.split("-"))), str(hour), "60", "?9", *row[6:]])
        for day in days
        for hour in range(1, 25)
    ]
    path.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_epw_files(tmp_path: Path) -> None:
    weather = read_epw(epw(tmp_path / "here.epw", 50.63, 5.44), FRAME, "Europe/Brussels")
    assert 4300 < len(weather.suns) < 4500 and (weather.direct_normal == 300).all()
    assert weather.suns[0].utc.minute == 30 and "Synthetic" in weather.source
    with pytest.raises(InputError, match="km from the site"):
        read_epw(epw(tmp_path / "far.epw", 43.3, 5.4), FRAME, "Europe/Brussels")
    with pytest.raises(InputError, match="no whole year"):
        read_epw(epw(tmp_path / "short.epw", 50.63, 5.44, 240), FRAME, "Europe/Brussels")
    (tmp_path / "no.epw").write_text("hello\n")
    with pytest.raises(InputError, match="not an EPW"):
        read_epw(tmp_path / "no.epw", FRAME, "Europe/Brussels")
    with pytest.raises(InputError, match="no such file"):
        read_epw(tmp_path / "none.epw", FRAME, "Europe/Brussels")
