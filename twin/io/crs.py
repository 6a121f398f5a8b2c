"""Coordinate reference systems: read from text, split, and moved between, never by guess.

The best operation of PROJ is used and its accuracy recorded; one whose grid is missing stops the
work and says how to get it; "ballpark" operations, which PROJ offers where it knows nothing, never run.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.datadir import append_data_dir, get_data_dir, get_user_data_dir  # type: ignore[attr-defined]
from pyproj.exceptions import CRSError, ProjError
from pyproj.transformer import TransformerGroup

from twin.errors import InputError, MissingDependencyError
from twin.frame import UNKNOWN_DATUM, Frame, check_projected_metric, crs_name
from twin.region import Region

ORIGIN_STEP_M = 100
"""A site's origin is the middle of its extent, down to whole hundreds [m]."""
EXTENT_SLACK_M = 50_000.0
"""Coordinates may lie this far outside the area for which a CRS is made [m]."""
FOOT_M = 0.3048
METRE_SIBLING = {6360: "EPSG:5703", 8228: "EPSG:5703"}
"""Height systems that count in feet, and the same datum in metres (NAVD88)."""
ETRS89 = CRS.from_epsg(4258)
GRIDS_OF = {
    31370: ("be_ign_bd72lb72_etrs89lb08.tif", "be_ign_hBG18.tif"),
    3812: ("be_ign_bd72lb72_etrs89lb08.tif", "be_ign_hBG18.tif"),
    28992: ("nl_nsgi_rdtrans2018.tif", "nl_nsgi_nlgeo2018.tif"),
    2154: ("fr_ign_RAF20.tif",),
}
"""Grids that data of a projected CRS usually need, by EPSG code."""


@dataclass(frozen=True, slots=True)
class SpatialRef:
    """What a file says of its coordinates.

    Parameters
    ----------
    crs
        Plan CRS, projected, in its own unit.
    vertical
        Name of the vertical datum, or ``unknown``.
    xy_to_metre, z_to_metre
        Factors from the file's units to metres.
    """

    crs: CRS
    vertical: str
    xy_to_metre: float = 1.0
    z_to_metre: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Mover:
    """Moves world coordinates from a file's CRS to the site's.

    Parameters
    ----------
    accuracy_m
        Stated accuracy of the operation [m]; 0 for the identity.
    description
        PROJ's words for it, for the record.
    """

    steps: tuple[Transformer, ...]
    z_to_metre: float
    moves_heights: bool
    accuracy_m: float
    description: str

    @property
    def identity(self) -> bool:
        """Whether nothing changes."""
        return not self.steps and self.z_to_metre == 1.0

    def apply(self, xyz_world: NDArray[Any]) -> NDArray[np.float64]:
        """World coordinates (n, 3) of the file to world coordinates (n, 3) of the site [m].

        Raises
        ------
        InputError
            A point lies where the operation has no answer (outside the grid).
        """
        out = np.array(xyz_world, dtype=np.float64)
        out[:, 2] *= self.z_to_metre
        for step in self.steps:
            if self.moves_heights:
                out[:, 0], out[:, 1], out[:, 2] = step.transform(out[:, 0], out[:, 1], out[:, 2])
            else:
                out[:, 0], out[:, 1] = step.transform(out[:, 0], out[:, 1])
        if self.steps and not np.isfinite(out).all():
            raise InputError(
                f"{int((~np.isfinite(out).all(axis=1)).sum())} points lie outside the reach of "
                f"{self.description!r}; state the CRS that they really are in"
            )
        return out


def parse_crs(text: str, heights: str | None = None) -> tuple[CRS, str]:
    """A site's CRS from text: ``EPSG:3812``, a compound code such as ``EPSG:8370``, or WKT.

    Parameters
    ----------
    text
        As PROJ knows it.
    heights
        Vertical datum stated apart, ``EPSG:5710``; None or ``unknown`` where nobody says.

    Returns
    -------
    The projected metric CRS in plan, and the name of the vertical datum.

    Raises
    ------
    InputError
        Not a CRS, degrees, feet, or two vertical datums that contradict each other.
    """
    plan, vertical, _ = split_crs(read_crs(text))
    if plan.is_geographic:
        raise InputError(
            f"{text} counts in degrees; a site needs a projected CRS in metres, such as EPSG:3812"
        )
    check_projected_metric(plan)
    if heights is None or heights == UNKNOWN_DATUM:
        return plan, vertical
    stated = vertical_name(read_crs(heights))
    if not read_crs(heights).is_vertical:
        raise InputError(f"heights = {heights!r} is no vertical datum; Ostend (DNG, TAW) is EPSG:5710")
    if vertical not in (UNKNOWN_DATUM, stated):
        raise InputError(
            f"{text} brings heights in {vertical}, but heights = {stated!r}; drop one of the two"
        )
    return plan, stated


def read_crs(text: str) -> CRS:
    """Any CRS from text; InputError where PROJ does not know it."""
    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise InputError(f"{text[:80]!r} is not a CRS that PROJ knows; expected e.g. EPSG:31370") from error


def split_crs(crs: CRS) -> tuple[CRS, str, float]:
    """Plan CRS, name of the vertical datum in metres, and the factor of its unit to metres."""
    if crs.is_bound and crs.source_crs is not None:
        crs = crs.source_crs
    if not crs.is_compound:
        return (crs.to_2d() if len(crs.axis_info) == 3 else crs), UNKNOWN_DATUM, 1.0
    plan, vertical = crs.sub_crs_list[0], crs.sub_crs_list[1]
    if plan.is_bound and plan.source_crs is not None:
        plan = plan.source_crs
    factor = float(vertical.axis_info[0].unit_conversion_factor) if vertical.axis_info else 1.0
    sibling = METRE_SIBLING.get(_epsg(vertical.to_wkt(), 70) or 0)
    return plan, sibling or vertical_name(vertical), factor


def vertical_name(crs: CRS) -> str:
    """``EPSG:5710`` where a vertical CRS has a code, also as part of a compound one; else its own name."""
    code = _epsg(crs.to_wkt(), 25)
    return f"EPSG:{code}" if code is not None else crs_name(crs)


def spatial_ref(crs: CRS) -> SpatialRef:
    """What a file's CRS says, units included.

    Raises
    ------
    InputError
        The CRS counts in degrees, or is not a CRS of plan coordinates.
    """
    plan, vertical, z_factor = split_crs(crs)
    if plan.is_geographic:
        raise InputError(f"claims degrees ({plan.name})")
    if not plan.is_projected:
        raise InputError(f"claims a CRS without a place on earth ({plan.name})")
    return SpatialRef(plan, vertical, float(plan.axis_info[0].unit_conversion_factor), z_factor)


def site_frame(crs_text: str, heights: str | None, region_world: Region) -> Frame:
    """The frame of a site: CRS, datum, and an origin near the middle of its extent (world space [m])."""
    crs, vertical = parse_crs(crs_text, heights)
    east, north = region_world.centre
    origin = (
        int(np.floor(east / ORIGIN_STEP_M)) * ORIGIN_STEP_M,
        int(np.floor(north / ORIGIN_STEP_M)) * ORIGIN_STEP_M,
    )
    return Frame(crs, vertical, origin)


def mover(source: SpatialRef | CRS, target: Frame, *, accepted_accuracy_m: float | None = None) -> Mover:
    """The best way from a file's coordinates to the site's.

    Parameters
    ----------
    source
        What the file says; a bare CRS moves the plan only.
    target
        The site.
    accepted_accuracy_m
        Accept an operation of this accuracy where a better one lacks its grid [m].

    Raises
    ------
    MissingDependencyError
        The operation needs a grid that is not on this machine; the message says how to get it.
    InputError
        PROJ knows no operation but a ballpark one.
    """
    ref = source if isinstance(source, SpatialRef) else SpatialRef(split_crs(source)[0], target.vertical)
    heights = UNKNOWN_DATUM not in (ref.vertical, target.vertical) and ref.vertical != target.vertical
    if not heights and same_crs(ref.crs, target.crs):
        words = "identity" if ref.z_to_metre == 1.0 else f"heights x {ref.z_to_metre:.7g} to metres"
        return Mover((), ref.z_to_metre, False, 0.0, words)
    if heights:
        start = f"{_code(ref.crs)}+{_short(ref.vertical)}"
        end = f"{_code(target.crs)}+{_short(target.vertical)}"
        if not (ref.vertical.startswith("EPSG:") and target.vertical.startswith("EPSG:")):
            raise InputError(
                f"heights in {ref.vertical} cannot be brought to {target.vertical}; "
                "state the datum of the file, or heights that fit"
            )
    else:
        start, end = _code(ref.crs), _code(target.crs)
    steps, accuracy, words = _operation(start, end, accepted_accuracy_m, _datadir())
    return Mover(steps, ref.z_to_metre, heights, accuracy, words)


def same_crs(a: CRS, b: CRS) -> bool:
    """Whether two plan CRSs are one, however they are written."""
    return _same(a.to_wkt(), b.to_wkt())


@lru_cache(maxsize=256)
def _same(a: str, b: str) -> bool:
    """``same_crs`` of two texts; PROJ takes some 30 ms to find a code."""
    codes = _epsg(a, 70), _epsg(b, 70)
    alike: bool = CRS.from_wkt(a).equals(CRS.from_wkt(b), ignore_axis_order=True)
    return alike or (codes[0] is not None and codes[0] == codes[1])


@lru_cache(maxsize=256)
def _epsg(wkt: str, confidence: int) -> int | None:
    """EPSG code of a CRS, where PROJ is sure enough."""
    code: int | None = CRS.from_wkt(wkt).to_epsg(min_confidence=confidence)
    return code


def _code(crs: CRS) -> str:
    name = crs_name(crs)
    return name if name.startswith("EPSG:") else crs.to_wkt()


def _short(vertical: str) -> str:
    return vertical.removeprefix("EPSG:")


def _datadir() -> str:
    return get_data_dir()


@lru_cache(maxsize=64)
def _operation(
    start: str, end: str, accepted: float | None, _data: str
) -> tuple[tuple[Transformer, ...], float, str]:
    """Transformers, accuracy [m] and words; the folders of grids are part of the cache's key."""
    direct = _group(start, end)
    wgs = _based_on_wgs84(start)
    if wgs and "+" not in start:
        # PROJ offers no grid from WGS 84 to BD72; within a metre WGS 84 is ETRS89 (EPSG operation 1149).
        through = _group("EPSG:4258", end)
        if through.transformers:
            second, accuracy, words = _best(through, "EPSG:4258", end, accepted)
            first = Transformer.from_crs(start, _geodetic(start), always_xy=True)
            return (first, second), max(1.0, accuracy), f"WGS 84 taken as ETRS89, then {words}"
    transformer, accuracy, words = _best(direct, start, end, accepted)
    return (transformer,), accuracy, words


def _geodetic(text: str) -> CRS:
    geodetic = CRS.from_user_input(text).geodetic_crs
    if geodetic is None:
        raise InputError(f"{text[:60]} has no geodetic base")
    return geodetic


def _based_on_wgs84(text: str) -> bool:
    base = CRS.from_user_input(text.split("+")[0]).geodetic_crs
    return base is not None and base.to_epsg() == 4326


def _group(start: str, end: str) -> TransformerGroup:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return TransformerGroup(start, end, always_xy=True, allow_ballpark=False)
        except (ProjError, CRSError) as error:
            raise InputError(f"no way from {start[:60]} to {end[:60]}: {error}") from error


def _best(
    group: TransformerGroup, start: str, end: str, accepted: float | None
) -> tuple[Transformer, float, str]:
    missing = sorted(
        {g.short_name for op in group.unavailable_operations for g in op.grids if not g.available}
    )
    ways = [t for t in group.transformers if t.accuracy is not None and t.accuracy >= 0]
    known = [
        op.accuracy for op in group.unavailable_operations if op.accuracy is not None and op.accuracy >= 0
    ]
    better = [a for a in known if not ways or a < ways[0].accuracy]
    if ways and not better:
        return ways[0], float(ways[0].accuracy), str(ways[0].description)
    if ways and accepted is not None and ways[0].accuracy <= accepted:
        return ways[0], float(ways[0].accuracy), f"{ways[0].description} (accepted; a grid is missing)"
    path = f"{start[:40]} to {end[:40]}"
    if missing:
        stem = "be_ign" if any(m.startswith("be_ign") for m in missing) else missing[0]
        rest = (
            f", or accept {ways[0].accuracy:g} m: [site] accepted_accuracy_m (--accepted-accuracy)"
            if ways
            else ""
        )
        raise MissingDependencyError(
            f"{path} needs the grid {', '.join(missing)}: get it with `pyproj sync --file {stem}`, "
            f"or name its folder in [site] grids (--grids){rest}"
        )
    raise InputError(f"{path}: PROJ knows no operation but a guess; bring the data into the site's CRS first")


def check_extent(region_world: Region, crs: CRS, what: str) -> None:
    """Refuse coordinates that contradict their CRS.

    Raises
    ------
    InputError
        The middle of the region lies far outside the area for which the CRS is made; both extents are shown,
        and the doubt is named where the numbers would fit as feet.
    """
    area = area_of_use(crs)
    if area is None:
        return
    if _inside(region_world, area):
        return
    factor = float(crs.axis_info[0].unit_conversion_factor) if crs.axis_info else 1.0
    doubt = ""
    if factor == 1.0:
        feet = Region(*(v * FOOT_M for v in _corners(region_world)))
        if _inside(feet, area):
            doubt = "; read as feet they would fit: the numbers may be feet although the file claims metres"
    raise InputError(
        f"{what}: the coordinates ({region_world.describe()}) contradict {crs_name(crs)}, "
        f"which reaches over {area.describe()}{doubt}; state the right CRS"
    )


def _corners(region: Region) -> tuple[float, float, float, float]:
    return region.west, region.south, region.east, region.north


def _inside(region: Region, area: Region) -> bool:
    x, y = region.centre
    return area.west <= x <= area.east and area.south <= y <= area.north


@lru_cache(maxsize=64)
def _area_of_code(code: int) -> Region | None:
    crs = CRS.from_epsg(code)
    if crs.area_of_use is None or crs.geodetic_crs is None:
        return None
    way = Transformer.from_crs(crs.geodetic_crs, crs, always_xy=True)
    west, south, east, north = way.transform_bounds(*crs.area_of_use.bounds, densify_pts=21)
    if not np.isfinite([west, south, east, north]).all() or west > east or south > north:
        return None
    slack = EXTENT_SLACK_M / float(crs.axis_info[0].unit_conversion_factor)
    return Region(west, south, east, north).buffered(slack)


def area_of_use(crs: CRS) -> Region | None:
    """Where a CRS is made for, in its own coordinates with some slack; None where it does not say."""
    code = _epsg(crs.to_wkt(), 25)
    try:
        return _area_of_code(code) if code is not None else None
    except (ProjError, CRSError):
        return None


def region_in(region: Region, source: CRS, target: CRS) -> Region:
    """A rectangle around a region in another CRS, to some metres: for extents, never for geometry."""
    if same_crs(source, target):
        return region
    way = Transformer.from_crs(source, target, always_xy=True)
    bounds = way.transform_bounds(*_corners(region), densify_pts=21)
    if not np.isfinite(bounds).all():
        raise InputError(f"{region.describe()} in {crs_name(source)} has no place in {crs_name(target)}")
    return Region(*(float(v) for v in bounds))


def use_grid_folder(folder: Path) -> None:
    """Let PROJ find grids in a folder too.

    Raises
    ------
    InputError
        No such folder.
    """
    if not folder.is_dir():
        raise InputError(f"grids: no such folder: {folder}")
    text = str(folder.resolve())
    if text not in _datadir().split(os.pathsep):
        append_data_dir(text)


def find_grid(name: str) -> Path | None:
    """Where a grid lies on this machine, or None."""
    folders = [*_datadir().split(os.pathsep), get_user_data_dir()]
    found = (Path(folder) / name for folder in folders)
    return next((path for path in found if path.is_file()), None)


def grids_report(frame: Frame) -> list[tuple[str, Path | None, str]]:
    """Grids that data of this CRS usually need: name, place or None, and a word on how to get it."""
    names = GRIDS_OF.get(frame.epsg or 0, ())
    rows = []
    for name in names:
        path = find_grid(name)
        stem = "be_ign" if name.startswith("be_ign") else name
        rows.append((name, path, "present" if path else f"get it with `pyproj sync --file {stem}`"))
    return rows


def measured_shift(frame: Frame) -> list[str]:
    """Lines that show what the operations of this machine do at the site."""
    lines = []
    east, north = float(frame.origin[0]), float(frame.origin[1])
    pairs = {31370: 3812, 3812: 31370}
    other = pairs.get(frame.epsg or 0)
    if other is not None:
        try:
            way = mover(frame.crs, Frame(CRS.from_epsg(other), frame.vertical, _origin_in(frame, other)))
            x, y, _ = way.apply(np.array([[east, north, 0.0]]))[0]
            lines.append(
                f"EPSG:{frame.epsg} to EPSG:{other} at the site: {x - east:+.3f} m E, {y - north:+.3f} m N, "
                f"accuracy {way.accuracy_m} m"
            )
        except MissingDependencyError as error:
            lines.append(f"EPSG:{frame.epsg} to EPSG:{other}: {error}")
    if frame.vertical == "EPSG:5710":
        lines.append(_geoid_line(frame))
    return lines


def _origin_in(frame: Frame, code: int) -> tuple[int, int]:
    x, y = region_in(Region(*frame.origin, *frame.origin), frame.crs, CRS.from_epsg(code)).centre
    return int(x), int(y)


def _geoid_line(frame: Frame) -> str:
    group = _group(f"EPSG:{frame.epsg}+5710", "EPSG:4937")
    try:
        way, accuracy, _ = _best(group, f"{frame.crs_name}+5710", "EPSG:4937", None)
    except (MissingDependencyError, InputError) as error:
        return f"Ostend to ellipsoidal heights: {error}"
    height = way.transform(float(frame.origin[0]), float(frame.origin[1]), 0.0)[2]
    verdict = "as expected in Belgium" if 43.0 <= height <= 46.0 else "NOT between 43 and 46 m: do not trust"
    return f"ellipsoidal less Ostend height: {height:+.3f} m ({verdict}), accuracy {accuracy} m"
