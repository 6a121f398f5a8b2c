"""Outlines as they come, and as they must be: valid, plain, closed, on whole millimetres."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely

SNAP_M = 0.001
"""Outlines lie on whole millimetres [m]."""

MIN_AREA_M2 = 0.01
"""A part below this is no building but a leftover of a repair [m2]."""


class OutlineError(Exception):
    """An outline that cannot be repaired.

    Parameters
    ----------
    reason
        Code for the report.
    detail
        One sentence for people.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def parse_outline(wkb: bytes | None) -> Any:
    """A polygonal geometry from WKB, with unclosed rings closed and z dropped.

    Raises
    ------
    OutlineError
        ``null_geometry``, ``not_polygon`` or ``nan_coordinates``.
    """
    if wkb is None:
        raise OutlineError("null_geometry", "the feature has no geometry")
    with np.errstate(invalid="ignore"):
        geometry = shapely.from_wkb(wkb, on_invalid="fix")
    if geometry is None:
        raise OutlineError("not_polygon", "the geometry is of a type that is no outline in plan")
    if geometry.is_empty:
        raise OutlineError("null_geometry", "the geometry is empty")
    if not np.isfinite(shapely.get_coordinates(geometry)).all():
        raise OutlineError("nan_coordinates", "a coordinate is not a finite number")
    geometry = shapely.force_2d(geometry)
    if geometry.geom_type == "LineString" and geometry.is_closed and len(geometry.coords) >= 4:
        geometry = shapely.Polygon(geometry.coords)
    if not polygons_of(geometry):
        raise OutlineError("not_polygon", f"expected a polygon; got a {geometry.geom_type}")
    return geometry


def polygons_of(geometry: Any) -> list[shapely.Polygon]:
    """The polygons in a geometry, however deep in collections; lines and points are left out."""
    if geometry.geom_type == "Polygon":
        return [] if geometry.is_empty else [geometry]
    if geometry.geom_type in ("MultiPolygon", "GeometryCollection"):
        return [polygon for part in geometry.geoms for polygon in polygons_of(part)]
    return []


def clean_parts(geometry: Any) -> tuple[list[shapely.Polygon], bool]:
    """Valid polygons on whole millimetres, and whether the outline had to be repaired.

    Self-crossings are cut into their parts, spikes and repeated points vanish. Each polygon starts at the
    same corner and turns the same way (outer ring counter-clockwise) however it was digitised; the parts
    come largest first.

    Parameters
    ----------
    geometry
        Finite, polygonal, local space [m].

    Raises
    ------
    OutlineError
        ``zero_area``.
    """
    polygons: Any = shapely.MultiPolygon(polygons_of(geometry))
    broken = not polygons.is_valid
    if broken:
        polygons = shapely.make_valid(polygons, method="structure", keep_collapsed=False)
    snapped: Any = shapely.set_precision(polygons, SNAP_M)
    if not snapped.is_valid:
        snapped = shapely.make_valid(snapped, method="structure", keep_collapsed=False)
    parts = [part for part in polygons_of(snapped) if part.area >= MIN_AREA_M2]
    if not parts:
        raise OutlineError("zero_area", f"the outline encloses {snapped.area:.4f} m2")
    parts = [shapely.orient_polygons(shapely.normalize(part)) for part in parts]
    return sorted(parts, key=lambda part: (-part.area, shapely.to_wkb(part))), broken


def outline_key(parts: list[shapely.Polygon]) -> bytes:
    """The same bytes for the same outline, however it was digitised."""
    return b"".join(shapely.to_wkb(part, byte_order=1) for part in parts)
