"""What a solid measures: slopes, areas and heights of its faces, and the walls that it shares with its neighbours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from twin.buildings.outline import building_footprint
from twin.buildings.quality import roof_distances, roof_triangles
from twin.model.faces import area_vector
from twin.model.geometry import Geometry
from twin.model.objects import Building, best_geometry
from twin.model.surface import Surface

STOREY_M = 3.0
"""Height of a storey for the estimate of their number [m]."""
REACH_M = 0.3
"""A wall is shared where a neighbour's outline begins within this of it: maps draw party walls twice [m]."""
SAMPLE_M = 0.5
"""Spacing of the places along a wall that are looked at [m]."""
DECIMALS = 3


def solid_measures(geometry: Geometry, ground_mean: float) -> dict[str, Any]:
    """Areas and heights of a solid.

    Parameters
    ----------
    geometry
        A solid with semantics, local space.
    ground_mean
        Mean ground along the outline [m above the datum].

    Returns
    -------
    ``area_roof_m2`` and ``area_wall_m2`` (sloped areas), ``h_ridge`` (highest roof), ``h_eaves`` (lowest roof edge)
    [m above the datum], ``storeys_estimate``: the median roof above the ground in storeys of ``STOREY_M``, at least 1.
    """
    areas = np.array([float(np.linalg.norm(area_vector(geometry, k))) for k in range(len(geometry.surfaces))])
    roof, wall = geometry.semantics == Surface.ROOF, geometry.semantics == Surface.WALL
    corners = sorted({i for k in np.flatnonzero(roof) for ring in geometry.surfaces[k] for i in ring})
    z = geometry.vertices[corners, 2]
    middle = [float(geometry.vertices[list(geometry.surfaces[k][0]), 2].mean()) for k in np.flatnonzero(roof)]
    height = float(np.average(middle, weights=areas[roof])) - ground_mean
    return {
        "area_roof_m2": round(float(areas[roof].sum()), DECIMALS),
        "area_wall_m2": round(float(areas[wall].sum()), DECIMALS),
        "h_ridge": round(float(z.max()), DECIMALS),
        "h_eaves": round(float(z.min()), DECIMALS),
        "storeys_estimate": max(1, round(height / STOREY_M)),
    }


def shared_wall_areas(buildings: Sequence[Building]) -> NDArray[np.float64]:
    """Wall area (n,) of each building that stands against a neighbour [m2].

    Along each outline, places ``SAMPLE_M`` apart look outwards: where a neighbour begins within ``REACH_M``, the wall
    is shared up to the lower of the two roofs.
    """
    outlines = [building_footprint(b) for b in buildings]
    solids = [best_geometry(b) for b in buildings]
    known = [k for k in range(len(buildings)) if outlines[k] is not None and solids[k] is not None]
    out = np.zeros(len(buildings))
    if len(known) < 2:
        return out
    shapes = np.array([outlines[k] for k in known], dtype=object)
    tree = shapely.STRtree(shapes)
    left, right = tree.query(shapes, predicate="dwithin", distance=REACH_M)
    triangles: dict[int, NDArray[np.float64]] = {}

    def roof(k: int) -> NDArray[np.float64]:
        if k not in triangles:
            solid = solids[known[k]]
            triangles[k] = roof_triangles(solid) if solid is not None else np.zeros((0, 3, 3))
        return triangles[k]

    for k in range(len(known)):
        others = np.sort(right[(left == k) & (right != k)])
        if not len(others):
            continue
        places, outwards, width = _along(shapes[k])
        solid = solids[known[k]]
        floor = float(solid.vertices[:, 2].min()) if solid is not None else 0.0
        own = _tops(roof(k), places - 0.05 * outwards)
        best = np.full(len(places), np.nan)
        for other in others:
            beside = places + REACH_M * outwards
            there = shapely.contains_xy(shapes[other], beside)
            if there.any():
                best[there] = np.fmax(best[there], _tops(roof(other), beside[there]))
        high = np.minimum(own, best) - floor
        out[known[k]] = float(np.nansum(np.maximum(high, 0.0) * width))
    return out


def _along(
    outline: shapely.Geometry,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Places (n, 2) along the rings of polygons, unit directions outwards (n, 2), and the width of each (n,) [m]."""
    places, outwards, widths = [], [], []
    for ring in shapely.get_rings(shapely.orient_polygons(shapely.get_parts(outline))):
        xy = shapely.get_coordinates(ring)
        run = np.diff(xy, axis=0)
        length = np.hypot(run[:, 0], run[:, 1])
        for a, d, size in zip(xy[:-1], run, length, strict=True):
            if size <= 0:
                continue
            count = max(1, math.ceil(size / SAMPLE_M))
            share = (np.arange(count) + 0.5) / count
            places.append(a + share[:, None] * d)
            outwards.append(np.repeat([[d[1] / size, -d[0] / size]], count, axis=0))
            widths.append(np.full(count, size / count))
    return np.concatenate(places), np.concatenate(outwards), np.concatenate(widths)


def _tops(triangles: NDArray[np.float64], xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Height (n,) of the highest roof face over places (n, 2) [m]; NaN where there is none."""
    if not len(triangles):
        return np.full(len(xy), np.nan)
    level = float(triangles[:, :, 2].max()) + 1.0
    return level - _down(triangles, np.column_stack([xy, np.full(len(xy), level)]))


def _down(triangles: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    return roof_distances(triangles, points)[1]
