"""The footprint of a building, from whatever geometry it has."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from twin.model.geometry import Geometry
from twin.model.objects import Building, best_geometry
from twin.model.surface import Surface

Outline = shapely.Polygon | shapely.MultiPolygon

ROUND_M = 1e-4
"""Outlines are joined on this grid, so that faces with a common edge leave no slit [m]."""


def building_footprint(building: Building) -> Outline | None:
    """The ground that a building and its parts stand on, local space [m]; None without geometry.

    Of the highest LoD: its ground faces, else its roof faces, else all its faces.
    """
    pieces: list[shapely.Geometry] = []
    for part in (building, *building.parts):
        geometry = best_geometry(part)
        if geometry is not None:
            pieces.append(_covered(geometry))
    return polygonal(shapely.union_all(pieces)) if pieces else None


def polygonal(shape: shapely.Geometry) -> Outline | None:
    """The polygons of a shape as one; None where it has no area."""
    parts = [p for p in shapely.get_parts(shapely.get_parts(shape)) if isinstance(p, shapely.Polygon)]
    parts = [p for p in parts if p.area > 0]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)


def _covered(geometry: Geometry) -> shapely.Geometry:
    """Union in plan of the faces that show what a geometry covers."""
    for kind in (Surface.GROUND, Surface.ROOF):
        faces = [
            r for r, code in zip(geometry.surfaces, geometry.semantics, strict=True) if int(code) == kind
        ]
        shape = _union(geometry.vertices[:, :2], faces)
        if not shapely.is_empty(shape):
            return shape
    return _union(geometry.vertices[:, :2], list(geometry.surfaces))


def _union(plan: NDArray[np.float64], faces: list[tuple[tuple[int, ...], ...]]) -> shapely.Geometry:
    polygons = [shapely.Polygon(plan[list(rings[0])], [plan[list(r)] for r in rings[1:]]) for rings in faces]
    # Upright faces fall flat in plan, and faces that cross themselves are mended: lines are left out.
    made = [shapely.make_valid(p) for p in polygons]
    return shapely.union_all([p for p in made if p.area > 0], grid_size=ROUND_M)
