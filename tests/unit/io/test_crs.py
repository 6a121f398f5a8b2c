"""Coordinate systems: read, split, compared and moved between, never by guess."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pyproj import CRS

from twin.errors import InputError, MissingDependencyError, TwinError
from twin.frame import UNKNOWN_DATUM, Frame
from twin.io.crs import (
    SpatialRef,
    area_of_use,
    check_extent,
    find_grid,
    grids_report,
    measured_shift,
    mover,
    parse_crs,
    same_crs,
    site_frame,
    spatial_ref,
    split_crs,
    use_grid_folder,
)
from twin.region import Region

SERAING_2008 = (732_000, 643_000)
SERAING_72 = (232_000, 143_000)
BELGIUM = Frame(CRS.from_epsg(3812), "EPSG:5710", SERAING_2008)
DELFT = np.array([[84_600.0, 447_500.0, 1.0]])


@pytest.mark.parametrize(
    ("text", "heights", "code", "vertical"),
    [
        ("EPSG:3812", None, 3812, UNKNOWN_DATUM),
        ("EPSG:3812", "EPSG:5710", 3812, "EPSG:5710"),
        ("EPSG:8370", None, 3812, "EPSG:5710"),
        ("EPSG:6190", "EPSG:5710", 31370, "EPSG:5710"),
        ("EPSG:7415", None, 28992, "EPSG:5709"),
        ("EPSG:25832", "unknown", 25832, UNKNOWN_DATUM),
        ("EPSG:2154", None, 2154, UNKNOWN_DATUM),
        ("EPSG:3007", None, 3007, UNKNOWN_DATUM),
        (CRS.from_epsg(31370).to_wkt(), None, 31370, UNKNOWN_DATUM),
    ],
)
def test_a_sites_crs(text: str, heights: str | None, code: int, vertical: str) -> None:
    crs, datum = parse_crs(text, heights)
    assert (crs.to_epsg(), datum) == (code, vertical)


@pytest.mark.parametrize(
    ("text", "heights", "words"),
    [
        ("EPSG:4326", None, "degrees"),
        ("EPSG:2992", None, "foot"),
        ("EPSG:99999", None, "not a CRS that PROJ knows"),
        ("nonsense", None, "not a CRS that PROJ knows"),
        ("EPSG:3812", "EPSG:3812", "no vertical datum"),
        ("EPSG:8370", "EPSG:5709", "drop one of the two"),
        ("EPSG:5710", None, "EPSG:5710"),
    ],
)
def test_what_no_site_can_be_in(text: str, heights: str | None, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_crs(text, heights)


def test_web_mercator_is_too_stretched_for_a_site() -> None:
    with pytest.raises(InputError, match="stretches lengths"):
        Frame(CRS.from_epsg(3857), UNKNOWN_DATUM, (612_000, 6_550_000))


def test_one_crs_however_it_is_written() -> None:
    code, text = CRS.from_epsg(31370), CRS.from_wkt(CRS.from_epsg(31370).to_wkt("WKT1_GDAL"))
    assert same_crs(code, text)
    assert not same_crs(code, CRS.from_epsg(3812))


def test_units_of_a_file() -> None:
    """Oregon in international feet, with heights in US survey feet."""
    ref = spatial_ref(CRS.from_user_input("EPSG:2992+6360"))
    assert ref.xy_to_metre == pytest.approx(0.3048)
    assert ref.z_to_metre == pytest.approx(1200 / 3937)
    assert ref.vertical == "EPSG:5703", "the same datum in metres"
    with pytest.raises(InputError, match="degrees"):
        spatial_ref(CRS.from_epsg(4326))
    plan, vertical, factor = split_crs(CRS.from_epsg(8370))
    assert (plan.to_epsg(), vertical, factor) == (3812, "EPSG:5710", 1.0)


def test_the_origin_is_in_whole_hundreds() -> None:
    frame = site_frame("EPSG:3812", "EPSG:5710", Region(731_950.0, 643_120.0, 732_310.0, 643_420.0))
    assert frame.origin == (732_100, 643_200) and frame.vertical == "EPSG:5710"


def test_the_same_system_moves_nothing() -> None:
    way = mover(SpatialRef(CRS.from_epsg(3812), "EPSG:5710"), BELGIUM)
    points = np.array([[732_000.25, 643_000.5, 66.0]])
    assert way.identity and way.accuracy_m == 0 and np.array_equal(way.apply(points), points)


def test_unknown_heights_are_left_alone() -> None:
    assert mover(SpatialRef(CRS.from_epsg(3812), UNKNOWN_DATUM), BELGIUM).identity


def test_heights_in_feet_are_converted() -> None:
    way = mover(SpatialRef(CRS.from_epsg(3812), "EPSG:5710", 1.0, 0.3048), BELGIUM)
    assert not way.identity and "metres" in way.description
    assert way.apply(np.array([[732_000.0, 643_000.0, 100.0]]))[0, 2] == pytest.approx(30.48)


def test_dutch_plan_to_utm_and_back() -> None:
    """Moved to ETRS89 / UTM 31N and back, a point is where it was; the accuracy is on record."""
    rd, utm = Frame(CRS.from_epsg(28992), UNKNOWN_DATUM, (84_600, 447_500)), CRS.from_epsg(25831)
    east, north = 591_000, 5_762_000
    there = mover(rd.crs, Frame(utm, UNKNOWN_DATUM, (east, north)), accepted_accuracy_m=2.0)
    back = mover(utm, rd, accepted_accuracy_m=2.0)
    moved = there.apply(DELFT)
    assert abs(moved[0, 0] - east) < 5_000 and abs(moved[0, 1] - north) < 5_000
    assert back.apply(moved) == pytest.approx(DELFT, abs=0.01)
    assert 0 < there.accuracy_m <= 2.0


def test_a_missing_grid_stops_the_work_and_says_how_to_get_it() -> None:
    if find_grid("be_ign_bd72lb72_etrs89lb08.tif"):
        pytest.skip("the Belgian grid is on this machine")
    with pytest.raises(MissingDependencyError, match=r"pyproj sync --file be_ign.*accepted_accuracy_m"):
        mover(CRS.from_epsg(31370), BELGIUM)


def test_an_accepted_accuracy_takes_the_next_best_and_says_so() -> None:
    way = mover(CRS.from_epsg(31370), BELGIUM, accepted_accuracy_m=1.0)
    moved = way.apply(np.array([[*SERAING_72, 70.0]]))[0]
    # Lambert 2008 was shifted by about 500 km both ways, so that nobody mixes the two up.
    assert moved[0] - SERAING_72[0] == pytest.approx(500_000, abs=200)
    assert moved[1] - SERAING_72[1] == pytest.approx(500_000, abs=200)
    assert moved[2] == 70.0 and 0 < way.accuracy_m <= 1.0


def test_data_in_web_mercator_are_moved() -> None:
    """WGS 84 is taken as ETRS89, good to a metre, and that is on record."""
    way = mover(CRS.from_epsg(3857), BELGIUM)
    assert way.accuracy_m >= 1.0 and "taken as ETRS89" in way.description
    moved = way.apply(np.array([[612_600.0, 6_550_000.0, 0.0]]))[0]
    assert abs(moved[0] - SERAING_2008[0]) < 20_000 and abs(moved[1] - SERAING_2008[1]) < 40_000


def test_heights_of_different_datums_without_codes_are_refused() -> None:
    with pytest.raises(InputError, match="cannot be brought to EPSG:5710"):
        mover(SpatialRef(CRS.from_epsg(3812), "local datum"), BELGIUM)


def test_points_out_of_reach_are_counted() -> None:
    way = mover(CRS.from_epsg(25831), BELGIUM)
    points = np.array([[690_000.0, 5_610_000.0, 0.0], [np.inf, 0.0, 0.0]])
    with pytest.raises(InputError, match="1 points lie outside the reach"):
        way.apply(points)


@pytest.mark.parametrize("code", [31370, 3812, 28992, 2154, 25831, 25832, 3007, 2992])
def test_the_area_of_a_crs_holds_its_own_middle(code: int) -> None:
    crs = CRS.from_epsg(code)
    area = area_of_use(crs)
    assert area is not None
    x, y = area.centre
    check_extent(Region(x - 50, y - 50, x + 50, y + 50), crs, "tile")


@pytest.mark.parametrize(
    ("code", "place"), [(3812, SERAING_72), (31370, SERAING_2008), (28992, SERAING_2008), (2154, SERAING_72)]
)
def test_coordinates_of_another_system_are_refused(code: int, place: tuple[int, int]) -> None:
    """Both extents are shown; Lambert 72 is not Lambert 2008."""
    region = Region(place[0], place[1], place[0] + 100, place[1] + 100)
    with pytest.raises(InputError, match=rf"tile: the coordinates .* contradict EPSG:{code}.*reaches over"):
        check_extent(region, CRS.from_epsg(code), "tile")


def test_a_folder_of_grids_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        use_grid_folder(tmp_path / "none")
    assert issubclass(InputError, TwinError)


def test_doctors_lines_about_grids() -> None:
    rows = grids_report(BELGIUM)
    assert [name for name, _, _ in rows] == ["be_ign_bd72lb72_etrs89lb08.tif", "be_ign_hBG18.tif"]
    assert all(word == "present" if path else "pyproj sync" in word for _, path, word in rows)
    lines = measured_shift(BELGIUM)
    assert len(lines) == 2 and lines[0].startswith("EPSG:3812 to EPSG:31370")
