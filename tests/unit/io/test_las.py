"""Point files: what their headers say, what they refuse, and chunks that add up."""

from __future__ import annotations

import struct
from pathlib import Path

import laspy
import numpy as np
import pytest
from pyproj import CRS

from twin.classify.tables import PointClass, load_class_table
from twin.errors import InputError
from twin.frame import Frame
from twin.io.las import class_counts, iter_clouds, read_las_info, reference_of, write_las

LAMBERT = CRS.from_epsg(3812)
FRAME = Frame(LAMBERT, "EPSG:5710", (732_000, 617_000))
MIDDLE = np.array([732_000.0, 617_000.0, 70.0])
ASPRS = load_class_table("asprs")


def saved(path: Path, count: int = 100, **options: object) -> Path:
    """A synthetic cloud of 100 x 100 m around the middle, codes 1 and 2 in turn."""
    random = np.random.default_rng(3)
    xyz = MIDDLE + random.uniform(-50, 50, (count, 3))
    write_las(path, xyz, np.arange(count) % 2 + 1, crs=LAMBERT, vertical="EPSG:5710", **options)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("suffix", [".las", ".laz"])
def test_what_was_written_is_read_back(tmp_path: Path, suffix: str) -> None:
    random = np.random.default_rng(3)
    xyz = MIDDLE + random.uniform(-50, 50, (100, 3))
    info = read_las_info(saved(tmp_path / f"a{suffix}"))
    assert (info.point_count, info.version, info.point_format) == (100, "1.4", 6)
    assert info.ref is not None and info.ref.vertical == "EPSG:5710" and not info.notes
    (cloud,) = iter_clouds(info, ASPRS, FRAME)
    assert np.abs(FRAME.to_world(cloud.xyz) - xyz).max() <= 0.0005 + 1e-9
    assert cloud.classification.tolist() == [1, 2] * 50


@pytest.mark.parametrize("chunk", [1, 33, 99, 100, 101])
def test_chunks_add_up_to_the_file(tmp_path: Path, chunk: int) -> None:
    info = read_las_info(saved(tmp_path / "a.laz"))
    whole = next(iter_clouds(info, ASPRS, FRAME))
    some = list(iter_clouds(info, ASPRS, FRAME, chunk=chunk))
    assert max(len(c.xyz) for c in some) <= chunk
    assert np.array_equal(np.concatenate([c.xyz for c in some]), whole.xyz)
    assert np.array_equal(np.concatenate([c.classification for c in some]), whole.classification)


def test_the_same_points_give_the_same_bytes(tmp_path: Path) -> None:
    assert saved(tmp_path / "a.laz").read_bytes() == saved(tmp_path / "b.laz").read_bytes()


def test_noise_and_withheld_points_stay_out(tmp_path: Path) -> None:
    path = tmp_path / "a.las"
    xyz = MIDDLE + np.arange(15).reshape(5, 3)
    write_las(path, xyz, np.array([2, 7, 18, 1, 2]), crs=LAMBERT, withheld=np.array([0, 0, 0, 1, 0]))
    (cloud,) = iter_clouds(read_las_info(path), ASPRS, FRAME)
    assert cloud.classification.tolist() == [PointClass.GROUND, PointClass.GROUND]
    assert FRAME.to_world(cloud.xyz) == pytest.approx(xyz[[0, 4]])
    assert class_counts(path) == {1: 1, 2: 2, 7: 1, 18: 1}


def test_a_file_without_points(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"empty\.laz: holds no points"):
        read_las_info(saved(tmp_path / "empty.laz", count=0))


@pytest.mark.parametrize("suffix", [".las", ".laz"])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_a_truncated_file_is_an_error_wherever_it_ends(tmp_path: Path, suffix: str, share: float) -> None:
    path = saved(tmp_path / f"short{suffix}", count=2000)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(InputError, match=r"short\.la[sz]: .*fetch it again|short\.la[sz]: not a readable"):
        list(iter_clouds(read_las_info(path), ASPRS, FRAME, chunk=500))


@pytest.mark.parametrize("content", [b"", b"LASF", b"PK\x03\x04 not a cloud", b"LASF" + bytes(400)])
def test_what_is_no_point_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "photo.las"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"photo\.las: (not a readable|holds no points)"):
        read_las_info(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_las_info(tmp_path / "none.las")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scales_that_are_not_numbers(tmp_path: Path, value: float) -> None:
    """LAS stores whole numbers: only a broken scale or offset makes coordinates that are not finite."""
    path = saved(tmp_path / "a.las")
    data = bytearray(path.read_bytes())
    struct.pack_into("<d", data, 131, value)  # x scale
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.las: 100 points have coordinates that are not finite"):
        list(iter_clouds(read_las_info(path), ASPRS, FRAME))


def test_an_extent_that_is_not_a_number(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.las")
    data = bytearray(path.read_bytes())
    struct.pack_into("<d", data, 179, np.nan)  # max x
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.las: the header's extent is impossible"):
        read_las_info(path)


def plain(path: Path, xyz: np.ndarray, crs: CRS | None) -> Path:
    """A synthetic LAS 1.2 file, as other programs write them."""
    header = laspy.LasHeader(point_format=3, version="1.2")
    header.scales = np.full(3, 0.01)
    header.offsets = np.floor(xyz.min(axis=0))
    if crs is not None:
        header.add_crs(crs)
    record = laspy.LasData(header)
    record.x, record.y, record.z = xyz.T
    record.classification = np.full(len(xyz), 2, np.uint8)
    record.write(str(path))
    return path


def test_a_file_without_crs_takes_the_sites(tmp_path: Path) -> None:
    info = read_las_info(plain(tmp_path / "a.las", MIDDLE + np.eye(3), None))
    assert info.ref is None and "names no CRS" in info.notes[0]
    with pytest.raises(InputError, match=r"names no CRS .*state it with --crs"):
        reference_of(info, None)
    assert reference_of(info, None, FRAME).crs == LAMBERT


def test_feet_are_converted_with_a_word(tmp_path: Path) -> None:
    """Oregon Lambert in international feet, and the same place in metres (EPSG:2991 and 2992)."""
    metres = np.array([[640_000.0, 290_000.0, 120.0], [640_010.0, 290_020.0, 130.0]])
    info = read_las_info(plain(tmp_path / "feet.las", metres / 0.3048, CRS.from_epsg(2992)))
    assert any("feet" in note for note in info.notes)
    frame = Frame(CRS.from_epsg(2991), "unknown", (640_000, 290_000))
    (cloud,) = iter_clouds(info, ASPRS, frame)
    assert frame.to_world(cloud.xyz) == pytest.approx(metres, abs=0.01 * 0.3048)


def test_metres_that_are_feet_are_doubted(tmp_path: Path) -> None:
    info = read_las_info(plain(tmp_path / "a.las", (MIDDLE + np.eye(3)) / 0.3048, LAMBERT))
    with pytest.raises(InputError, match=r"contradict EPSG:3812.*read as feet they would fit"):
        reference_of(info, None)


def test_degrees_are_refused(tmp_path: Path) -> None:
    info = read_las_info(plain(tmp_path / "a.las", np.array([[5.5, 50.6, 70.0], [5.6, 50.7, 80]]), CRS(4326)))
    with pytest.raises(InputError, match="claims degrees"):
        reference_of(info, None)


def test_another_country_is_refused_with_both_extents(tmp_path: Path) -> None:
    info = read_las_info(
        plain(tmp_path / "a.las", np.array([[85_000.0, 447_000, 1], [85_100, 447_100, 9]]), LAMBERT)
    )
    with pytest.raises(
        InputError, match=r"a\.las: the coordinates \(.*85000.*\) contradict EPSG:3812.*reaches over"
    ):
        reference_of(info, None)


def test_heights_no_mountain_has(tmp_path: Path) -> None:
    info = read_las_info(plain(tmp_path / "a.las", MIDDLE + np.diag([1.0, 1.0, 60_000.0]), LAMBERT))
    with pytest.raises(InputError, match=r"heights reach 60070 m.*millimetres"):
        reference_of(info, None)
