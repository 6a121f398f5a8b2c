"""Energy of a year on open faces against the closed form and pvlib's own model of tilted planes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas
import pvlib
import pytest

from tests.study_worlds import FRAME, box, flat, scene_of
from twin.errors import InputError
from twin.study.irradiation import ALBEDO, irradiation
from twin.study.occluders import face_table
from twin.study.readers import RayReader
from twin.sun.position import Place
from twin.sun.weather import Weather, clear_sky_year, read_epw
from twin.visibility.caster import choose_device, make_caster


@pytest.fixture(scope="module")
def year() -> Weather:
    return clear_sky_year(2026, FRAME, "Europe/Brussels")


def open_energy(year: Weather, normal: np.ndarray, things: tuple = ()) -> float:
    caster = make_caster(face_table(scene_of(flat(500.0), things)).triangles(), choose_device("cpu"))
    points = np.array([[0.0, 0.0, 5.0]])
    sky = np.array([0.5 * (1.0 + normal[2])])
    found = float(irradiation(RayReader(caster, points, normal[None]), normal[None], sky, year)[0])
    caster.close()
    return found


def test_a_level_face_has_the_global_radiation(year: Weather) -> None:
    expected = year.global_horizontal.sum() / 1000.0
    assert open_energy(year, np.array([0.0, 0.0, 1.0])) == pytest.approx(expected, rel=1e-6)
    # pvlib's own clear sky of the place adds the parts with the apparent altitude.
    place = Place.of(FRAME)
    hours = pandas.date_range("2026-01-01 00:30", "2026-12-31 23:30", freq="h", tz="UTC")
    own = pvlib.location.Location(place.latitude_deg, place.longitude_deg, altitude=place.altitude_m)
    assert expected == pytest.approx(own.get_clearsky(hours)["ghi"].sum() / 1000.0, rel=0.005)


@pytest.mark.parametrize(("azimuth", "tilt"), [(180.0, 35.0), (90.0, 90.0), (225.0, 60.0), (0.0, 90.0)])
def test_tilted_faces_as_pvlib_says(year: Weather, azimuth: float, tilt: float) -> None:
    turn, up = np.radians(FRAME.azimuth_grid(azimuth)), np.radians(tilt)
    normal = np.array([np.sin(turn) * np.sin(up), np.cos(turn) * np.sin(up), np.cos(up)])
    total = pvlib.irradiance.get_total_irradiance(
        tilt,
        azimuth,
        90.0 - np.array([s.altitude_deg for s in year.suns]),
        np.array([s.azimuth_true_deg for s in year.suns]),
        year.direct_normal,
        year.global_horizontal,
        year.diffuse_horizontal,
        albedo=ALBEDO,
        model="isotropic",
    )["poa_global"]
    assert open_energy(year, normal) == pytest.approx(np.sum(total) / 1000.0, rel=1e-4)


def test_a_wall_in_front_takes_the_beam(year: Weather) -> None:
    south = np.array([0.0, -1.0, 0.0])
    dark = open_energy(year, south, (box("b", (0.0, -6.0), (400.0, 4.0, 300.0)),))
    rest = (0.5 * year.diffuse_horizontal.sum() + 0.5 * ALBEDO * year.global_horizontal.sum()) / 1000.0
    assert dark == pytest.approx(rest, rel=0.02)


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
