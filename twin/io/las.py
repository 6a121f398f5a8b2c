"""LAS, LAZ and COPC point clouds, read in chunks; the only file that imports laspy."""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import laspy
import numpy as np
from laspy.errors import LaspyException
from lazrs import LazrsError
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError

from twin.classify.tables import ClassTable, PointClass
from twin.errors import InputError
from twin.frame import UNKNOWN_DATUM, Frame, crs_name
from twin.io.atomic import writing
from twin.io.crs import Mover, SpatialRef, check_extent, mover, spatial_ref
from twin.model.pointcloud import PointCloud
from twin.region import Region

CHUNK = 1_000_000
"""Points read at a time."""
BROKEN = (
    LaspyException,
    LazrsError,
    OSError,
    ValueError,
    KeyError,
    IndexError,
    EOFError,
    OverflowError,
    struct.error,
    UnicodeDecodeError,
)
"""What laspy and its decoder raise on files that are not what they claim."""
RETURNS = ("return_number", "number_of_returns")
"""Dimensions that every point format has."""
HEIGHT_LIMIT_M = 9000.0
"""No ground on earth lies higher; such numbers are feet, millimetres or rubbish [m]."""


@dataclass(frozen=True, slots=True)
class LasInfo:
    """Header of a point file.

    Parameters
    ----------
    path
        The file.
    point_count
        Points it claims.
    region_world
        Plan extent as claimed, in the file's own CRS and unit.
    z_range
        Lowest and highest z as claimed, in the file's unit.
    ref
        CRS, datum and units where the file names a usable one.
    ref_fault
        Why the CRS of the file cannot be used, where it names one that cannot.
    version, point_format
        LAS version and point record format.
    notes
        Words for people: feet, missing or broken CRS.
    """

    path: Path
    point_count: int
    region_world: Region
    z_range: tuple[float, float]
    ref: SpatialRef | None
    ref_fault: str
    version: str
    point_format: int
    notes: tuple[str, ...] = ()


def read_las_info(path: Path) -> LasInfo:
    """Look at the header of a point file.

    Raises
    ------
    InputError
        Not a point file, truncated before its points, no points, or an impossible extent.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with laspy.open(path) as reader:
            header = reader.header
            low, high = np.array(header.mins, float), np.array(header.maxs, float)
            count, version = int(header.point_count), str(header.version)
            layout = int(header.point_format.id)
            ref, fault = _reference(header)
    except BROKEN as error:
        raise InputError(f"{path}: not a readable LAS or LAZ file: {_short(error)}") from error
    if count == 0:
        raise InputError(f"{path}: holds no points; leave it out, or fetch the tile again")
    if not (np.isfinite(low).all() and np.isfinite(high).all() and (low <= high).all()):
        raise InputError(
            f"{path}: the header's extent is impossible (min {low}, max {high}); the file is broken"
        )
    notes = _notes(path, ref, fault)
    region = Region(float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    z_range = (float(low[2]), float(high[2]))
    return LasInfo(path, count, region, z_range, ref, fault, version, layout, notes)


def _reference(header: Any) -> tuple[SpatialRef | None, str]:
    """The CRS of a header, or why it cannot be used."""
    try:
        crs = header.parse_crs()
    except (CRSError, LaspyException, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        return None, f"names a CRS that cannot be read ({_short(error)})"
    if crs is None:
        return None, ""
    try:
        ref = spatial_ref(crs)
    except InputError as error:
        return None, str(error)
    if ref.vertical == UNKNOWN_DATUM and ref.xy_to_metre != 1.0:
        # A plan in feet without a stated height system has its heights in the same feet.
        ref = SpatialRef(ref.crs, ref.vertical, ref.xy_to_metre, ref.xy_to_metre)
    return ref, ""


def _notes(path: Path, ref: SpatialRef | None, fault: str) -> tuple[str, ...]:
    if fault:
        return (f"{path.name} {fault}; a stated CRS is needed",)
    if ref is None:
        return (f"{path.name} names no CRS; the stated one is taken",)
    notes = []
    if ref.xy_to_metre != 1.0:
        notes.append(f"{path.name} counts in feet ({ref.xy_to_metre:.9g} m): converted to metres")
    if ref.z_to_metre != 1.0:
        notes.append(f"{path.name} has heights in feet ({ref.z_to_metre:.9g} m): converted to metres")
    return tuple(notes)


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else text[:157] + "..."


def reference_of(info: LasInfo, stated: SpatialRef | None, frame: Frame | None = None) -> SpatialRef:
    """CRS of a file's points: the stated one, else the file's own; checked against the coordinates.

    Raises
    ------
    InputError
        None is known; degrees; coordinates that contradict the CRS.
    """
    ref = stated or info.ref
    if ref is None:
        if info.ref_fault:
            raise InputError(
                f"{info.path}: {info.ref_fault}; state the real CRS of the points: "
                '[inputs] points_crs = "EPSG:..." (--points-crs)'
            )
        if frame is None:
            raise InputError(
                f"{info.path}: names no CRS (coordinates {info.region_world.describe()}); "
                "state it with --crs, or [inputs] points_crs"
            )
        ref = SpatialRef(frame.crs, frame.vertical)
    check_extent(info.region_world, ref.crs, str(info.path))
    highest = max(abs(z) for z in info.z_range) * ref.z_to_metre
    if highest > HEIGHT_LIMIT_M:
        raise InputError(
            f"{info.path}: heights reach {highest:.0f} m; expected metres above the datum, "
            "the numbers may be feet or millimetres: state the right CRS or convert the file"
        )
    return ref


def iter_clouds(
    info: LasInfo,
    table: ClassTable,
    frame: Frame,
    *,
    ref: SpatialRef | None = None,
    extra: Mapping[int, PointClass] | None = None,
    accepted_accuracy_m: float | None = None,
    chunk: int = CHUNK,
) -> Iterator[PointCloud]:
    """The points of a file, chunk by chunk, in the site's local space with the toolkit's classes.

    Parameters
    ----------
    info
        The file's header.
    table, extra
        What its class codes mean.
    frame
        The site's frame.
    ref
        CRS stated by the user, which goes before the file's own.
    accepted_accuracy_m
        See ``twin.io.crs.mover``.
    chunk
        Points at a time.

    Raises
    ------
    InputError
        A truncated or damaged file, coordinates that are not finite, an unknown class, a wrong CRS.
    MissingDependencyError
        A move between CRSs lacks its grid.
    """
    reference = reference_of(info, ref, frame)
    way = mover(reference, frame, accepted_accuracy_m=accepted_accuracy_m)
    done = 0
    for points in _records(info.path, chunk):
        done += len(points)
        xyz = _coordinates(points, info.path, way)
        codes = np.asarray(points.classification, dtype=np.uint8)
        classes = table.map(codes, str(info.path), extra)
        keep = _kept(points, classes)
        number, count = (np.asarray(points[name], dtype=np.uint8)[keep] for name in RETURNS)
        yield PointCloud(frame, frame.to_local(xyz[keep]), classes[keep], number, count)
    if done != info.point_count:
        raise InputError(
            f"{info.path}: claims {info.point_count} points but holds {done}: truncated; fetch it again"
        )


def _records(path: Path, chunk: int) -> Iterator[Any]:
    try:
        with laspy.open(path) as reader:
            yield from reader.chunk_iterator(chunk)
    except BROKEN as error:
        raise InputError(f"{path}: damaged or truncated: {_short(error)}; fetch it again") from error


def _coordinates(points: Any, path: Path, way: Mover) -> NDArray[np.float64]:
    xyz = np.column_stack([np.asarray(points.x), np.asarray(points.y), np.asarray(points.z)])
    if not np.isfinite(xyz).all():
        bad = int((~np.isfinite(xyz).all(axis=1)).sum())
        raise InputError(
            f"{path}: {bad} points have coordinates that are not finite numbers; the file is broken"
        )
    if way.identity:
        return xyz
    try:
        return way.apply(xyz)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _kept(points: Any, classes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """All points but those that the file itself withholds, and noise."""
    keep: NDArray[np.bool_] = ~np.isin(classes, (PointClass.NOISE, PointClass.HIGH_NOISE))
    names = set(points.point_format.dimension_names)
    if "withheld" in names:
        keep &= ~np.asarray(points.withheld, dtype=bool)
    return keep


def class_counts(path: Path, chunk: int = CHUNK) -> dict[int, int]:
    """Points by raw class code, sorted by code."""
    totals = np.zeros(256, dtype=np.int64)
    for points in _records(path, chunk):
        totals += np.bincount(np.asarray(points.classification, dtype=np.uint8), minlength=256)
    return {int(code): int(totals[code]) for code in np.flatnonzero(totals)}


def write_las(
    path: Path,
    xyz_world: NDArray[Any],
    classification: NDArray[Any],
    *,
    crs: CRS,
    vertical: str = UNKNOWN_DATUM,
    scale: float = 0.001,
    **dimensions: NDArray[Any],
) -> None:
    """Write LAS 1.4, point format 6, compressed where the suffix is ``.laz``; same points, same bytes.

    Parameters
    ----------
    path
        Appears whole or not at all.
    xyz_world
        (n, 3) world space [m].
    classification
        (n,) codes of the file.
    crs, vertical
        Plan CRS and name of the vertical datum, written as one WKT.
    scale
        Step of the stored coordinates [m].
    **dimensions
        Others of the format by laspy's names: return_number, number_of_returns, gps_time, intensity, ...
    """
    header = laspy.LasHeader(point_format=6, version="1.4")
    header.scales = np.full(3, scale)
    low = np.floor(np.asarray(xyz_world).min(axis=0)) if len(xyz_world) else np.zeros(3)
    header.offsets = low
    # laspy would write today's date.
    header.creation_date = dt.date(2026, 1, 1)
    header.generating_software = "valley-twin"
    header.system_identifier = "valley-twin"
    header.add_crs(_compound(crs, vertical), keep_compatibility=False)
    record = laspy.LasData(header)
    record.x, record.y, record.z = (np.asarray(xyz_world)[:, k] for k in range(3))
    record.classification = np.asarray(classification, dtype=np.uint8)
    for name, values in sorted(dimensions.items()):
        if values is not None:
            record[name] = values
    with writing(path) as temporary:
        record.write(str(temporary), do_compress=path.suffix.lower() == ".laz")


def _compound(crs: CRS, vertical: str) -> CRS:
    """One CRS of plan and heights, where the heights have a code."""
    if not vertical.startswith("EPSG:"):
        return crs
    code = crs.to_epsg(min_confidence=70)
    known = {(3812, 5710): 8370, (31370, 5710): 6190, (28992, 5709): 7415}.get(
        (code or 0, int(vertical.removeprefix("EPSG:")))
    )
    if known is not None:
        return CRS.from_epsg(known)
    return CRS.from_user_input(f"{crs_name(crs)}+{vertical.removeprefix('EPSG:')}")
