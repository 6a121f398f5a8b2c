"""Real point files of other programs' tests: odd headers, broken and missing CRSs, feet, COPC."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pyproj import CRS

from twin.classify.tables import ClassTable, PointClass, load_class_table
from twin.errors import InputError
from twin.frame import Frame
from twin.io.las import LasInfo, iter_clouds, read_las_info, reference_of

ASPRS = load_class_table("asprs")
EVERY = {code: PointClass.OTHER for code in range(255) if code not in ASPRS.codes}
"""No code is strange: these tests ask about the rest of the file."""


@pytest.fixture(scope="module")
def pdal(test_data: Path) -> Path:
    return test_data / "lidar" / "pdal_test"


def info_of(folder: Path, name: str) -> LasInfo:
    return read_las_info(folder / name)


def total(info: LasInfo, frame: Frame, table: ClassTable = ASPRS, chunk: int = 50_000) -> int:
    """Points in all chunks, withheld and noise left out; every one finite and inside the header's extent."""
    count = 0
    for cloud in iter_clouds(info, table, frame, extra=EVERY, chunk=chunk):
        assert len(cloud) <= chunk and np.isfinite(cloud.xyz).all()
        count += len(cloud)
    return count


def frame_for(info: LasInfo, metric: int) -> Frame:
    """A frame in a metric CRS with its origin in the middle of the file."""
    assert info.ref is not None
    x, y = (v * info.ref.xy_to_metre for v in info.region_world.centre)
    return Frame(CRS.from_epsg(metric), "unknown", (round(x), round(y)))


@pytest.mark.parametrize("name", ["autzen_trim.laz", "autzen_trim_7.las", "autzen_class.las"])
def test_oregon_in_feet_becomes_metres(pdal: Path, name: str) -> None:
    """EPSG:2994 in feet and EPSG:2993 in metres are one projection: 0.3048 apart, heights too."""
    info = info_of(pdal, name)
    assert info.ref is not None, info.ref_fault
    assert any("feet" in note for note in info.notes)
    frame = frame_for(info, 2993)
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for cloud in iter_clouds(info, ASPRS, frame, extra=EVERY):
        world = frame.to_world(cloud.xyz)
        low, high = np.minimum(low, world.min(axis=0)), np.maximum(high, world.max(axis=0))
    feet = info.region_world
    assert low[:2] == pytest.approx([feet.west * 0.3048, feet.south * 0.3048], abs=0.5)
    assert high[:2] == pytest.approx([feet.east * 0.3048, feet.north * 0.3048], abs=0.5)
    # Autzen stadium lies at about 130 m.
    assert 110 < low[2] < 140 < high[2] < 200


def test_las_1_2_and_1_4_of_the_same_points(pdal: Path) -> None:
    clouds = []
    for name in ("autzen_trim.laz", "autzen_trim_7.las"):
        info = info_of(pdal, name)
        frame = frame_for(info_of(pdal, "autzen_trim.laz"), 2993)
        clouds.append(np.concatenate([c.xyz for c in iter_clouds(info, ASPRS, frame, extra=EVERY)]))
    assert clouds[0].shape == clouds[1].shape
    assert np.abs(np.sort(clouds[0][:, 2]) - np.sort(clouds[1][:, 2])).max() < 0.01


def test_a_crs_without_words_is_asked_for(pdal: Path) -> None:
    """warsaw_small.las carries an empty WKT."""
    info = info_of(pdal, "warsaw_small.las")
    assert info.ref is None and "cannot be read" in info.ref_fault
    with pytest.raises(InputError, match=r"warsaw_small\.las: names a CRS that cannot be read.*--points-crs"):
        reference_of(info, None)


@pytest.mark.parametrize(
    "name", ["4_6_crop.las", "mvk-thin.las", "extrabytes.las", "lots_of_vlr.las", "ellipsoid.copc.laz"]
)
def test_odd_files_are_read_whole_or_refused_with_a_reason(pdal: Path, name: str) -> None:
    info = info_of(pdal, name)
    try:
        ref = reference_of(info, None)
        frame = Frame(ref.crs, "unknown", tuple(round(v) for v in info.region_world.centre))  # type: ignore[arg-type]
    except InputError as error:
        text = str(error)
        assert any(word in text for word in ("state", "national projected CRS", "a site is in metres")), text
        return
    assert total(info, frame) == total(info, frame, chunk=997) > 0


def test_the_dense_copc_of_a_local_crs_says_what_is_missing(pdal: Path) -> None:
    info = info_of(pdal, "lone-star.copc.laz")
    assert info.point_count == 518_862
    assert info.ref is None and "without a place on earth" in info.ref_fault
    with pytest.raises(InputError, match=r"lone-star\.copc\.laz: .*state the real CRS"):
        reference_of(info, None)


def test_every_copc_file_opens(pdal: Path) -> None:
    files = sorted(pdal.rglob("*.copc.laz"))
    assert len(files) > 3
    for path in files:
        try:
            assert read_las_info(path).point_count > 0
        except InputError as error:
            assert path.name in str(error)


def test_metres_that_claim_degrees(test_data: Path) -> None:
    """simple1_4.las of laspy claims a geographic CRS for metre coordinates."""
    info = read_las_info(test_data / "lidar" / "laspy_test" / "simple1_4.las")
    with pytest.raises(InputError, match=r"degrees|contradict"):
        reference_of(info, None)
